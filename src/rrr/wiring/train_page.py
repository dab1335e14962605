"""A full training ends with a page for a person, of candles before the gate's holdout alone."""

from pathlib import Path

from rrr.config import Loaded
from rrr.data_pipeline.market import Market
from rrr.neural_network import registry
from rrr.neural_network.artefact import Artefact
from rrr.neural_network.panel import Panel
from rrr.wiring import model_page
from rrr.wiring.judging import as_scoped, bench_of, history_over
from rrr.wiring.model_page import Heard


def train_page(
    models: Path, loaded: Loaded, market: Market, panel: Panel, of: Artefact, heard: Heard
) -> Path:
    """Of all siblings of this model, which learned from this panel; a judged page stays."""
    siblings = registry.siblings(models, of)
    path = model_page.path_of(models, of)
    if path.is_file() and any(registry.verdict(models, one.name) for one in siblings.values()):
        return path
    scoped = as_scoped(loaded, of)
    whole = history_over(panel, market)
    return model_page.unjudged(
        models, siblings, whole, lambda *each: bench_of(scoped, *each), heard
    )
