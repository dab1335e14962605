"""Far below its average it is bought, at the average it is sold, and in between nothing is said."""

from fractions import Fraction

import pytest

from rrr.core.errors import ConfigError
from rrr.neural_network.panel import panel_of
from rrr.neural_network.strategies import FLAT, FULL, SILENT
from rrr.neural_network.strategies.asked import asked
from rrr.neural_network.strategies.reversion import MeanReversion
from tests.builders import HOUR
from tests.neural_network.strategies.candles import columns, holey, panel_from, said


@pytest.mark.parametrize(("candles", "depth"), [(1, 0), (5, 100), (20, 150), (20, 200)])
def test_it_is_what_fractions_say_of_the_last_candles(candles: int, depth: int) -> None:
    panel = panel_of(holey(candles, 600), 3, HOUR)
    told = asked(MeanReversion(candles, depth), panel)
    for number in range(3):
        expected, seen = [SILENT] * panel.times, columns(panel, number)
        for n in range(candles, len(seen)):
            place, _, _, close = seen[n]
            last = seen[n + 1 - candles : n + 1]
            average = Fraction(sum(one for *_, one in last), candles)
            ranges = [
                max(high, before) - min(low, before)
                for (_, high, low, _), (*_, before) in zip(last, seen[n - candles : n], strict=True)
            ]
            reach = Fraction(sum(ranges), candles) * Fraction(depth, 100)
            if close >= average:
                expected[place] = FLAT
            elif average - close > reach:
                expected[place] = FULL
        assert told[number].tolist() == expected
    if candles > 1:
        assert {FLAT, FULL, SILENT} == set(told.ravel().tolist())


def test_where_the_channel_ends_nothing_is_said_and_one_point_below_it_buys() -> None:
    # The average of 300, 300 and 240 is 280, the true ranges are 0, 0 and 60: on average 20.
    assert said(MeanReversion(3, 200), panel_from([300, 300, 300, 240])) == [SILENT] * 4
    assert said(MeanReversion(3, 199), panel_from([300, 300, 300, 240]))[-1] == FULL


def test_a_market_that_stands_still_is_at_its_average() -> None:
    assert said(MeanReversion(3), panel_from([7] * 5)) == [SILENT] * 3 + [FLAT] * 2


def test_prices_beyond_what_64_bits_multiply_are_compared_all_the_same() -> None:
    large = 1 << 60
    told = said(MeanReversion(3, 199), panel_from([large] * 3 + [large - 60 * 10**9]))
    assert told == [SILENT] * 3 + [FULL]


def test_no_candles_and_a_depth_above_the_average_are_refused() -> None:
    for candles, depth in ((0, 100), (5, -1)):
        with pytest.raises(ConfigError, match="makes no sense"):
            MeanReversion(candles, depth)
