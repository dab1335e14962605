"""A new high is bought, a new low is sold, and in between nothing is said."""

import pytest

from rrr.core.errors import ConfigError
from rrr.neural_network.panel import panel_of
from rrr.neural_network.strategies import FLAT, FULL, SILENT
from rrr.neural_network.strategies.asked import asked
from rrr.neural_network.strategies.breakout import Breakout
from tests.builders import HOUR
from tests.neural_network.strategies.candles import columns, holey, panel_from, said


@pytest.mark.parametrize(("entry", "exits"), [(1, 1), (9, 4), (4, 9), (55, 20)])
def test_a_close_is_held_against_the_candles_before_it(entry: int, exits: int) -> None:
    panel = panel_of(holey(entry, 600), 3, HOUR)
    strategy = Breakout(entry, exits)
    told = asked(strategy, panel)
    for number in range(3):
        expected, seen = [SILENT] * panel.times, columns(panel, number)
        for n in range(max(entry, exits), len(seen)):
            place, _, _, close = seen[n]
            if close < min(low for _, _, low, _ in seen[n - exits : n]):
                expected[place] = FLAT
            elif close > max(high for _, high, _, _ in seen[n - entry : n]):
                expected[place] = FULL
        assert told[number].tolist() == expected
    assert {FLAT, FULL, SILENT} == set(told.ravel().tolist())


def test_to_reach_the_channel_is_not_to_leave_it() -> None:
    panel = panel_from([5, 5, 7, 8, 3, 2], high=[5, 7, 8, 9, 3, 3], low=[5, 5, 4, 4, 3, 2])
    assert said(Breakout(2, 1), panel) == [SILENT, SILENT, SILENT, SILENT, FLAT, FLAT]


def test_a_channel_of_no_candles_is_refused() -> None:
    for entry, exits in ((0, 1), (1, 0)):
        with pytest.raises(ConfigError, match="at least 1"):
            Breakout(entry, exits)
