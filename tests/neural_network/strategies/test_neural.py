"""A trained network, asked as a strategy, says what it says live."""

from pathlib import Path
from typing import Final

import numpy as np
import pytest

from rrr.config import Settings
from rrr.core.errors import ConfigError, ModelBroken
from rrr.neural_network.abstaining import Terms
from rrr.neural_network.model import WINDOW, Model
from rrr.neural_network.panel import panel_of
from rrr.neural_network.strategies import SILENT, neural
from rrr.neural_network.strategies.asked import asked
from rrr.neural_network.strategies.naming import named
from rrr.neural_network.strategies.neural import Neural, filled
from rrr.neural_network.strategies.strategy import identity
from rrr.neural_network.strategies.voice import StrategyVoice
from rrr.neural_network.terms import terms_of
from tests.builders import HOUR
from tests.neural_network.markets import closes, network, trained

COSTS: Final = "cost_ppm=1000,margin_ppm=0,hold_bps=2500,probability_min_bps=5200"


def test_it_says_of_a_history_what_the_model_says_close_by_close(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artefact = trained(tmp_path, network())
    told, panel = closes(1, 500), panel_of(closes(1, 500), 3, HOUR)
    expected = np.full(panel.there.shape, SILENT)
    live = Model(artefact, 3, HOUR, Terms(0.001))
    for column, close in enumerate(told):
        for signal in live.meet([close])[0]:
            expected[signal.instrument, column] = signal.conviction_bps
    strategy = named(f"model:folder={artefact.folder},{COSTS}")
    assert (asked(strategy, panel) == expected).all()
    assert (expected != SILENT).sum() > 500
    monkeypatch.setattr(neural, "CHUNK", 77)
    assert (asked(strategy, panel) == expected).all()
    for t in range(WINDOW - 1, 500, 41):
        alone = asked(strategy, panel.cut(t + 1 - WINDOW, t + 1))[:, -1]
        assert (alone == expected[:, t]).all()
    spoken = StrategyVoice(strategy, identity(strategy), 3, HOUR).meet(told)
    assert sum(map(len, spoken)) == (expected != SILENT).sum()


def test_who_it_is_is_what_was_trained(tmp_path: Path) -> None:
    one, other = trained(tmp_path, network(1)), trained(tmp_path, network(2))
    strategies = [Neural(str(each.folder)) for each in (one, other)]
    assert [each.source for each in strategies] == [f"{each.id:012x}" for each in (one, other)]
    assert identity(strategies[0]) != identity(strategies[1])
    assert strategies[0].together


def test_a_model_of_other_instruments_is_no_strategy_for_these(tmp_path: Path) -> None:
    strategy = named(f"model:folder={trained(tmp_path, network()).folder},{COSTS}")
    with pytest.raises(ModelBroken, match="made for 3 instruments"):
        asked(strategy, panel_of(closes(1, 200, 2), 2, HOUR))


def test_a_model_that_does_not_know_what_trading_costs_says_nothing(tmp_path: Path) -> None:
    strategy = Neural(str(trained(tmp_path, network()).folder), cost_ppm=0)
    with pytest.raises(ConfigError, match="does not know what trading costs"):
        asked(strategy, panel_of(closes(1, 200), 3, HOUR))
    told = filled(strategy, Settings(), ["BTC-USD"])
    assert isinstance(told, Neural)
    assert told.cost_ppm == 0, "What was said stands."
    assert told.terms == Terms(0.0, terms_of(Settings(), ["BTC-USD"]).limits)
