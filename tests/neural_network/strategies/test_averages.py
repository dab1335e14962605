"""Long while the fast average of closes stands above the slow one; a tie is no reason."""

import pytest

from rrr.core.errors import ConfigError
from rrr.neural_network.panel import panel_of
from rrr.neural_network.strategies import FLAT, FULL, SILENT
from rrr.neural_network.strategies.asked import asked
from rrr.neural_network.strategies.averages import MovingAverageCross
from tests.builders import HOUR
from tests.neural_network.strategies.candles import columns, holey, panel_from, said


@pytest.mark.parametrize(("fast", "slow"), [(1, 2), (3, 8), (10, 50)])
def test_it_is_what_whole_averages_of_the_candles_that_are_there_say(fast: int, slow: int) -> None:
    panel = panel_of(holey(fast, 600), 3, HOUR)
    told = asked(MovingAverageCross(fast, slow), panel)
    for number in range(3):
        expected, seen = [SILENT] * panel.times, list[int]()
        for place, _, _, close in columns(panel, number):
            seen.append(close)
            if len(seen) >= slow:
                above = sum(seen[-fast:]) * slow > sum(seen[-slow:]) * fast
                expected[place] = FULL if above else FLAT
        assert told[number].tolist() == expected


def test_a_tie_is_flat_and_one_point_more_is_long() -> None:
    assert said(MovingAverageCross(1, 3), panel_from([5, 6, 5, 5, 5])) == [SILENT, SILENT, 0, 0, 0]
    assert said(MovingAverageCross(1, 3), panel_from([500, 500, 501]))[-1] == FULL
    assert said(MovingAverageCross(1, 3), panel_from([500, 500, 499]))[-1] == FLAT


def test_prices_beyond_what_64_bits_multiply_are_compared_all_the_same() -> None:
    large = (1 << 60) - 3
    told = said(MovingAverageCross(1, 40), panel_from([large] * 40 + [large + 1, large - 1]))
    assert told[39:] == [FLAT, FULL, FLAT]


@pytest.mark.parametrize(("fast", "slow"), [(0, 5), (5, 5), (6, 5), (-1, 1)])
def test_a_fast_average_that_is_not_the_faster_one_is_refused(fast: int, slow: int) -> None:
    with pytest.raises(ConfigError, match=f"fast={fast},slow={slow} makes no sense: fast is"):
        MovingAverageCross(fast, slow)
