"""What was tried counts before it is looked at, and a recipe is what was chosen, not when.

The three kinds of a training are three recipes of the family that every backtest of these
instruments is counted in; refits on later candles are no new ones. A look at the holdout is a trial
of a family of its own. Synthetic markets are other families: their names say so.
"""

from collections.abc import Mapping, Sequence
from statistics import variance
from typing import Any, Final, NamedTuple

from rrr.backtesting.gate_returns import Ledger
from rrr.backtesting.records import chosen, family_of, path_of
from rrr.data_pipeline.recorded_files import timeframe_name
from rrr.database import research
from rrr.database.sessions import key_of
from rrr.home import Home
from rrr.neural_network.artefact import Scope

HOLDOUT: Final = "holdout of"
NO_CHOICE: Final = ("symbols", "market")  # of a training's settings: the family's


class Counted(NamedTuple):
    """The trials of one judgement, by kind, and the look at the holdout."""

    trials: Mapping[str, int]
    look: int


def family(scope: Scope) -> str:
    return family_of(scope.market, scope.symbols, timeframe_name(scope.timeframe_ms))


def recipe(manifest: Mapping[str, Any], settings: Mapping[str, Mapping[str, Any]]) -> str:
    """In canonical text; `settings` as `config.show_json` tells those of the account."""
    learned = {n: v for n, v in manifest.get("settings", {}).items() if n not in NO_CHOICE}
    about = {
        "model": manifest.get("kind", "network"),
        "learned": learned,
        "features": manifest["features_version"],
        "sources": manifest.get("sources", {}),
    }
    told = {n: v for n, v in chosen(settings).items() if not n.startswith(("train.", "live."))}
    return key_of(about | {"settings": told})


def counted(
    home: Home, scope: Scope, recipes: Mapping[str, str], candidate: str, at_ms: int
) -> Counted:
    """Write down who is about to be looked at; of the candidate's kind also its last part."""
    of = family(scope)
    with research.writing(path_of(home)) as connection:
        trials = research.looked(connection, of, list(recipes.values()), at_ms)
        [look] = research.looked(connection, f"{HOLDOUT} {of}", [recipes[candidate]], at_ms)
    return Counted(dict(zip(recipes, trials, strict=True)), look)


def tried(home: Home, scope: Scope, recipes: Mapping[str, str], at_ms: int) -> None:
    """Write down who was trained, before anything of it is shown."""
    with research.writing(path_of(home)) as connection:
        research.looked(connection, family(scope), list(recipes.values()), at_ms)


def concluded(home: Home, outcomes: Mapping[int, Mapping[str, Any]]) -> None:
    """What each trial showed, as `research.concluded` has it."""
    with research.writing(path_of(home)) as connection:
        research.concluded(connection, outcomes)


def ledger(home: Home, scope: Scope, prior: int) -> Ledger:
    """All that was tried so far, and how the known ratios differ."""
    of = family(scope)
    with research.reading(path_of(home)) as connection:
        known = research.trials(connection, of)
        looks = research.trials(connection, f"{HOLDOUT} {of}").looks
    return Ledger(known.recipes + prior, prior, _variance([*known.excesses.values()]), looks)


def _variance(ratios: Sequence[float]) -> float | None:
    return variance(ratios) if len(ratios) > 1 else None
