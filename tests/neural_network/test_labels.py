"""A label is what came after, in the unit of what was usual before, and knows what it saw."""

from dataclasses import replace
from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrr.neural_network.labels import CUT, LOOKBACK, embargo, labels, span, split
from rrr.neural_network.panel import Panel
from tests.neural_network.worlds import world

TIMES = 120


def by_hand(panel: Panel, instrument: int, time: int, horizon: int) -> float:
    """The slow obvious twin."""
    close = [int(price) for price in panel.close[instrument]]
    moves = [log(close[t] / close[t - 1]) for t in range(time - LOOKBACK + 1, time + 1)]
    usual = sqrt(sum(move**2 for move in moves) / LOOKBACK)
    came = log(close[time + horizon] / int(panel.open[instrument, time + 1]))
    return max(-CUT, min(CUT, came / (usual * sqrt(horizon))))


def disturbed(panel: Panel, times: range) -> Panel:
    """Other prices at these times; elsewhere the same."""
    dice = np.random.default_rng(1)
    changed = {name: getattr(panel, name).copy() for name in ("open", "high", "low", "close")}
    at = [time for time in times if 0 <= time < panel.times]
    for column in changed.values():
        column[:, at] = dice.integers(10**6, 10**9, (panel.instruments, len(at)))
    return replace(panel, **changed)


def holed(panel: Panel, time: int) -> Panel:
    there = panel.there.copy()
    there[0, time] = False
    return replace(panel, there=there)


@pytest.mark.parametrize("horizon", [1, 4, 16])
def test_every_label_is_the_one_made_by_hand_and_the_rest_is_not_known(horizon: int) -> None:
    panel = world(1, TIMES, 2)
    y = labels(panel, horizon)
    known = range(LOOKBACK, TIMES - horizon)
    for instrument in range(2):
        for time in range(TIMES):
            if time in known:
                expected = by_hand(panel, instrument, time, horizon)
                assert y[instrument, time] == pytest.approx(expected, abs=1e-12)
            else:
                assert np.isnan(y[instrument, time])


@pytest.mark.parametrize("time", [LOOKBACK, 60, TIMES - 5])
def test_a_label_is_made_of_the_candles_of_its_span_and_of_no_other(time: int) -> None:
    panel, horizon = world(2, TIMES), 4
    seen = span(time, horizon)
    y = labels(panel, horizon)[:, time]
    outside = disturbed(disturbed(panel, range(seen.start)), range(seen.stop, TIMES))
    assert labels(outside, horizon)[:, time].tobytes() == y.tobytes()
    for end in (seen[0], seen[-1]):
        assert (labels(disturbed(panel, range(end, end + 1)), horizon)[:, time] != y).all()


@pytest.mark.parametrize("horizon", [1, 4])
def test_a_candle_that_is_not_there_leaves_every_label_whose_span_holds_it_unknown(
    horizon: int,
) -> None:
    panel = world(3, TIMES, 2)
    whole, y = labels(panel, horizon), labels(holed(panel, 60), horizon)
    for time in range(TIMES):
        if 60 in span(time, horizon):
            assert np.isnan(y[0, time])
        else:
            assert np.array_equal(y[0, time], whole[0, time], equal_nan=True)
    assert np.array_equal(y[1], whole[1], equal_nan=True)


def test_a_price_that_never_moved_says_nothing_of_what_is_usual() -> None:
    panel = world(4, TIMES)
    panel.close[0, :60] = panel.open[0, :60] = 10**8
    y = labels(panel, 4)
    assert np.isnan(y[0, :60]).all()
    assert not np.isnan(y[0, 60 : TIMES - 4]).any()


def test_what_is_unusual_beyond_measure_is_cut() -> None:
    panel = world(5, TIMES)
    panel.close[0, 60:] *= 2
    panel.close[1, 60:] //= 2
    y = labels(panel, 1)
    assert y[0, 59] == CUT
    assert y[1, 59] == -CUT


@pytest.mark.parametrize("times", [0, 1, LOOKBACK, LOOKBACK + 4])
def test_too_few_candles_have_no_label(times: int) -> None:
    assert np.isnan(labels(world(6, 60).cut(0, times), 4)).all()


def test_one_candle_more_has_one() -> None:
    assert (~np.isnan(labels(world(6, 60).cut(0, LOOKBACK + 5), 4))).sum() == 4


@given(st.integers(0, 500), st.integers(0, 3000), st.integers(1, 200))
def test_no_candle_is_in_a_label_that_teaches_and_in_one_that_judges(
    first: int, rows: int, horizon: int
) -> None:
    parts = split(range(first, first + rows), horizon)
    assert parts.validation.stop == first + rows
    assert len(parts.validation) == rows // 5
    if parts.training and parts.validation:
        assert parts.training.start == first
        assert max(span(parts.training[-1], horizon)) < min(span(parts.validation[0], horizon))
        closer = parts.validation[0] - embargo(horizon)
        assert max(span(closer, horizon)) >= min(span(parts.validation[0], horizon))
