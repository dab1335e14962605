"""A label is what came after, in the unit of what was usual before, and knows what it saw."""

from collections.abc import Callable
from dataclasses import replace
from math import exp, isnan, log, nan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrr.neural_network.labels import (
    CUT,
    LOOKBACK,
    Labels,
    embargo,
    labels,
    returns,
    sides,
    span,
    split,
)
from rrr.neural_network.leaks import unsettled
from rrr.neural_network.panel import NUMBERS, Panel
from tests.builders import HOUR, START
from tests.neural_network.markets import panel as market
from tests.neural_network.worlds import world

TIMES = 120
HORIZONS = (1, 4, 16)
Candle = tuple[int, int, int, int] | None  # open, high, low, close, or a hole
P = 1_000_000  # the entry of the hand-made stories
FAR = P * 1_0201 // 1_0000  # two usual moves of 1 % above, where the upper barrier lies
DEEP = P * 1_0000 // 1_0201
CALM: Candle = (P, P + 10, P - 10, P)
MAKERS: list[Callable[[Panel], Labels]] = [
    lambda panel: returns(panel, HORIZONS),
    lambda panel: sides(panel, 4),
    lambda panel: sides(panel, 16, up=2, down=0.5),
]


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


def test_several_horizons_are_each_the_labels_of_their_own() -> None:
    of = market(1, 400, holes=0.02)
    made = returns(of, HORIZONS)
    assert made.values.shape == made.ends.shape == (3, 3, 400)
    for horizon, values, ends in zip(HORIZONS, made.values, made.ends, strict=True):
        assert values.tobytes() == labels(of, horizon).tobytes()
        known = ~np.isnan(values)
        assert (ends[known] == (np.arange(400) + horizon + 0 * ends)[known]).all()


def story(*candles: Candle) -> Panel:
    """A price that moved by 1 % at every candle up to the time `LOOKBACK`, and what came then."""
    before = [P * (101 if time % 2 else 100) // 100 for time in range(LOOKBACK + 1)]
    told = [(price, price, price, price) for price in before] + list(candles)
    numbers = np.array([one or (0, 0, 0, 0) for one in told], np.int64).T[:, None]
    first, high, low, close = numbers
    there = np.array([[one is not None for one in told]])
    opened = START + np.arange(len(told)) * HOUR
    return Panel(first, high, low, close, close, there, opened, HOUR)


STORIES: list[tuple[str, list[Candle], float, int]] = [
    ("the upper one inside the third candle", [CALM, CALM, (P, FAR + 1, P, P)], 1, 3),
    ("the lower one inside the first candle", [(P, P, DEEP - 1, P)], -1, 1),
    ("both inside one candle: the adverse one", [CALM, (P, FAR + 1, DEEP - 1, FAR)], -1, 2),
    ("both inside the candle of the entry", [(P, FAR + 9, DEEP - 9, P)], -1, 1),
    ("a gap over the upper one", [CALM, (FAR + 50, FAR + 60, FAR + 40, FAR + 50)], 1, 2),
    ("a gap under the lower one", [CALM, (DEEP - 50, DEEP - 40, DEEP - 60, DEEP - 50)], -1, 2),
    ("a gap over the upper one, then down", [CALM, (FAR + 50, FAR + 60, DEEP - 9, P)], 1, 2),
    ("a gap under the lower one, then up", [CALM, (DEEP - 50, FAR + 9, DEEP - 60, P)], -1, 2),
    ("the lower one first, the upper one later", [(P, P, DEEP - 1, P), (P, 2 * P, P, P)], -1, 1),
    ("a point short of both", [(P, FAR - 1, DEEP + 2, P), *3 * [CALM]], 0, 4),
    ("the upper one in the last candle", [*3 * [CALM], (P, FAR + 1, P, P)], 1, 4),
    ("the upper one after the last candle", [*4 * [CALM], (P, FAR + 1, P, P)], 0, 4),
    ("no candle to enter at", [None, (P, FAR + 1, P, P), CALM, CALM], nan, 1),
    ("a hole before a barrier", [CALM, None, (P, FAR + 1, P, P), CALM], nan, 2),
    ("a hole after a barrier", [(P, FAR + 1, P, P), None, None, None], 1, 1),
    ("a hole at the end", [*3 * [CALM], None], nan, 4),
    ("a history that ends too soon", [CALM, CALM], nan, 4),
    ("a history that ends in time", [CALM, (P, P, DEEP - 1, P)], -1, 2),
    ("nothing yet", [], nan, 4),
]


@pytest.mark.parametrize(("name", "candles", "side", "ahead"), STORIES, ids=[s[0] for s in STORIES])
def test_the_barrier_met_first_is_the_side_and_its_candle_the_end(
    name: str, candles: list[Candle], side: float, ahead: int
) -> None:
    made = sides(story(*candles), 4)
    assert made.values[0, LOOKBACK] == pytest.approx(side, abs=0, nan_ok=True)
    assert made.ends[0, LOOKBACK] == LOOKBACK + ahead


def test_each_barrier_has_a_distance_of_its_own() -> None:
    of = story(CALM, (P, FAR + 1, P, P), (P, P, DEEP - 1, P), CALM)
    for up, down, side, ahead in ((1, 1, 1, 2), (1.01, 1, -1, 3), (1.01, 1.01, 0, 4)):
        made = sides(of, 4, up, down)
        assert (made.values[0, LOOKBACK], made.ends[0, LOOKBACK]) == (side, LOOKBACK + ahead)


def test_where_nothing_is_usual_no_barrier_stands_and_nothing_is_waited_for() -> None:
    of = story(*(12 * [CALM]))
    for hole in (0, 20, LOOKBACK):
        made = sides(holed(of, hole), 4)
        assert isnan(made.values[0, LOOKBACK])
        assert made.ends[0, LOOKBACK] == LOOKBACK
    still = replace(of, close=np.full_like(of.close, P))
    assert np.isnan(sides(still, 4).values).all()


def side_by_hand(of: Panel, one: int, time: int, horizon: int, up: float, down: float) -> object:
    """The slow obvious twin: side and end."""
    before = range(time - LOOKBACK, time + 1)
    if before[0] < 0 or not of.there[one, before].all():
        return None, time
    close = of.close[one].tolist()
    moves = [log(close[t] / close[t - 1]) for t in before[1:]]
    unit = sqrt(sum(move**2 for move in moves) / LOOKBACK) * sqrt(horizon)
    for t in range(time + 1, time + horizon + 1):
        if t >= of.times:
            return None, time + horizon
        if not of.there[one, t]:
            return None, t
        entry = int(of.open[one, time + 1])
        above, below = entry * exp(up * unit), entry * exp(-down * unit)
        for price in (of.open[one, t], of.low[one, t], of.high[one, t]):
            if price >= above:
                return 1, t
            if price <= below:
                return -1, t
    return 0, time + horizon


@pytest.mark.parametrize(("horizon", "up", "down"), [(1, 0.5, 0.5), (4, 1, 1), (16, 1.5, 0.7)])
def test_every_side_is_the_one_found_by_hand(horizon: int, up: float, down: float) -> None:
    of = market(2, 300, holes=0.01)
    made = sides(of, horizon, up, down)
    for one in range(of.instruments):
        for time in range(of.times):
            value = made.values[one, time]
            told = None if isnan(value) else int(value), int(made.ends[one, time])
            assert told == side_by_hand(of, one, time, horizon, up, down)
    assert set(np.unique(made.values[~np.isnan(made.values)])) == {-1, 0, 1}


@pytest.mark.parametrize("make", MAKERS, ids=["returns", "sides 4", "sides 16"])
def test_a_label_that_is_settled_is_never_changed_by_what_comes_later(
    make: Callable[[Panel], Labels],
) -> None:
    assert unsettled(make, market(3, 300, holes=0.02), seed=3) == []


@pytest.mark.parametrize("make", MAKERS, ids=["returns", "sides 4", "sides 16"])
def test_a_label_made_of_its_candles_alone_is_the_one_made_of_all(
    make: Callable[[Panel], Labels],
) -> None:
    of = market(4, 300, holes=0.01)
    whole = make(of)
    assert (whole.ends >= np.arange(of.times)).all()
    for time in range(LOOKBACK, of.times - 16):
        alone = make(of.cut(time - LOOKBACK, time + 17))
        told, ends = alone.values[..., LOOKBACK], alone.ends[..., LOOKBACK]
        assert told == pytest.approx(whole.values[..., time], abs=1e-12, nan_ok=True)
        assert (ends + time - LOOKBACK == whole.ends[..., time]).all()


@pytest.mark.parametrize("make", MAKERS, ids=["returns", "sides 4", "sides 16"])
def test_numbers_where_no_candle_is_label_nothing(make: Callable[[Panel], Labels]) -> None:
    of, dice = market(5, 300, holes=0.05), np.random.default_rng(5)
    noise = dice.integers(-5, 10**9, of.there.shape) * ~of.there
    filled = replace(of, **{name: getattr(of, name) + noise for name in NUMBERS})
    one, other = make(of), make(filled)
    assert one.values.tobytes() == other.values.tobytes()
    assert one.ends.tobytes() == other.ends.tobytes()


def test_labels_that_wait_for_the_same_candles_share_them() -> None:
    values = np.array([[1.0, 1.0, nan, -1.0, 1.0, nan, nan, nan]])
    ends = np.array([[2, 3, 2, 6, 5, 5, 6, 7]])
    shares = [(1 + 1 / 2) / 2, (1 / 2 + 1) / 2, 0, (1 + 1 / 2 + 1) / 3, 1 / 2, 0, 0, 0]
    assert Labels(values, ends).uniqueness() == pytest.approx(np.array([shares]))


@pytest.mark.parametrize("horizon", HORIZONS)
def test_where_all_wait_as_long_each_has_one_part_of_it(horizon: int) -> None:
    shares = returns(world(7, TIMES), (horizon,)).uniqueness()
    inner = shares[..., LOOKBACK + horizon : TIMES - horizon]
    assert inner == pytest.approx(1 / horizon)
    first = sum(1 / min(n, horizon) for n in range(1, horizon + 1)) / horizon
    assert shares[..., LOOKBACK] == pytest.approx(first)


def test_every_share_is_the_one_counted_by_hand_and_of_its_instrument_alone() -> None:
    of = market(8, 200, holes=0.02)
    made = sides(of, 16)
    shares = made.uniqueness()
    for one, ends in enumerate(made.ends.tolist()):
        waited = [range(time + 1, min(end, of.times - 1) + 1) for time, end in enumerate(ends)]
        crowd = [sum(t in candles for candles in waited) for t in range(of.times)]
        for time, candles in enumerate(waited):
            if isnan(made.values[one, time]):
                assert shares[one, time] == 0
            else:
                mean = sum(1 / crowd[t] for t in candles) / len(candles)
                assert shares[one, time] == pytest.approx(mean)


@pytest.mark.parametrize("times", [0, 1, 2, LOOKBACK, LOOKBACK + 1])
def test_few_candles_have_no_label_of_any_kind(times: int) -> None:
    for make in MAKERS:
        made = make(world(6, 60).cut(0, times))
        assert made.values.shape[-1] == times
        assert np.isnan(made.values).all()
        assert not made.uniqueness().any()
        assert made.spans().ends.tolist() == list(range(times))
