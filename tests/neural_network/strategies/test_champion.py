"""Once a week the champion shares its conviction among those that trade; else it is silent."""

from datetime import UTC, datetime

import numpy as np
import pytest

from rrr.core.errors import ConfigError
from rrr.core.market import BPS
from rrr.neural_network.panel import Panel, panel_of
from rrr.neural_network.strategies import SILENT
from rrr.neural_network.strategies.asked import asked
from rrr.neural_network.strategies.champion import Champion
from tests.builders import HOUR
from tests.neural_network.strategies.candles import holey


def market(seed: int = 1, times: int = 1_500) -> Panel:
    return panel_of(holey(seed, times), 3, HOUR)


@pytest.mark.parametrize("weekday", range(1, 8))
def test_it_looks_at_the_closes_of_one_day_of_the_week(weekday: int) -> None:
    panel = market(1)
    told = asked(Champion(weekday=weekday, traded=1), panel)
    for column, opened_at_ms in enumerate(panel.opened_at_ms.tolist()):
        closes = datetime.fromtimestamp((opened_at_ms + HOUR) / 1000, UTC)
        looks = panel.there[:, column] & (closes.isoweekday() == weekday)
        assert ((told[:, column] != SILENT) == looks).all()


def test_those_that_traded_lately_have_equal_shares_of_all() -> None:
    panel = market(1)
    strategy = Champion(traded=24)
    told = asked(strategy, panel)
    for column in range(strategy.window - 1, panel.times):
        trading = int(panel.there[:, column - 23 : column + 1].any(axis=1).sum())
        shares = told[told[:, column] != SILENT, column]
        assert (shares == BPS // max(trading, 1)).all()
    assert {BPS // 3} < set(np.unique(told[told != SILENT]).tolist()) <= {BPS, BPS // 2, BPS // 3}


def test_its_orders_are_those_of_a_maker_and_it_widens_no_limit() -> None:
    assert Champion.entry == "maker"
    assert all(name.startswith("policy.") for name in Champion.usual)


@pytest.mark.parametrize("wrong", [{"weekday": 0}, {"weekday": 8}, {"traded": 0}])
def test_a_day_that_no_week_has_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="makes no sense"):
        Champion(**wrong)
