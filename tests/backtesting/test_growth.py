"""No deposit is a gain, no withdrawal a loss; and what is below its peak is so until it is back."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrr.backtesting.growth import (
    DAY_MS,
    Daily,
    Drawdown,
    Path,
    below_peak,
    calendar,
    daily,
    drawdown,
    path,
)
from rrr.core.events import Flow
from rrr.monitoring.returns import time_weighted
from tests.builders import HOUR

MIDNIGHT: Final = 19_700 * DAY_MS


def grown(*levels: float) -> Path:
    return Path(np.arange(len(levels), dtype=np.int64), np.array(levels))


def test_without_flows_the_level_is_equity_over_capital_exactly() -> None:
    equity = np.array([100, 107, 93, 100])
    assert path(np.arange(1, 5), equity, 100, [], 0).level.tolist() == [1, 1, 1.07, 0.93, 1]


def test_closes_before_the_beginning_are_left_out() -> None:
    found = path(np.array([1, 2, 3]), np.array([100, 100, 110]), 100, [], 2)
    assert found.at_ms.tolist() == [2, 3]
    assert found.level.tolist() == [1, 1.1]


MOVES: Final = st.lists(
    st.tuples(
        st.floats(-0.5, 1),  # growth
        st.sampled_from([-0.9, 0, 0, 0, 1, 10]),  # then this much of equity moves
        st.booleans(),  # at the close, or until the next one
        st.integers(1, 30),  # hours to the next close
    ),
    min_size=2,
    max_size=40,
)


@given(MOVES)
def test_days_are_those_that_a_session_tells(moves: list[tuple[float, float, bool, int]]) -> None:
    at_ms, equity, flows = [MIDNIGHT + HOUR], [10**15], []
    waiting = 0
    for growth, share, at_close, hours in moves:
        now = at_ms[-1] + hours * HOUR
        level = round((equity[-1] + waiting) * (1 + growth))
        amount, waiting = round(level * share), 0
        if not 10**12 < level + amount < 10**18:
            break
        flows.append(Flow(now if at_close else now + HOUR // 2, amount))
        waiting = 0 if at_close else amount
        at_ms.append(now)
        equity.append(level + (amount if at_close else 0))
    times, quanta = np.array(at_ms), np.array(equity)
    found = path(times, quanta, 10**15, flows, MIDNIGHT)
    session = time_weighted(times, quanta, flows)
    days = dict(zip(session.day.tolist(), session.ratio.tolist(), strict=True))
    mine = daily(found)
    told = [days.get(day, 0.0) for day in mine.day.tolist()]
    assert mine.returns == pytest.approx(told, abs=1e-12)
    assert np.prod(1 + mine.returns) == pytest.approx(found.level[-1])


def test_what_is_lost_is_lost_once_and_money_that_comes_then_begins_anew() -> None:
    times = np.arange(1, 5) * HOUR
    for equity, flow in ((40, Flow(4 * HOUR, 40)), (50, Flow(4 * HOUR - 1, 40))):
        found = path(times, np.array([100, 0, 0, equity]), 100, [flow], 0)
        assert found.level.tolist() == [1, 1, 0, 0, 0]
        assert daily(found).returns.tolist() == [-1]


def test_midnight_belongs_to_the_day_that_it_ends_and_a_day_without_a_close_returns_nothing() -> (
    None
):
    hours = np.array([0, 12, 24, 25, 80]) * HOUR + MIDNIGHT
    found = daily(Path(hours, np.array([1, 1.5, 2, 3, 6])))
    assert found.day.tolist() == [19_700, 19_701, 19_702, 19_703]
    assert found.returns.tolist() == [1, 0.5, 0, 1]


def test_one_close_is_one_day() -> None:
    found = daily(Path(np.array([MIDNIGHT, MIDNIGHT + DAY_MS]), np.array([1, 1.5])))
    assert found.returns.tolist() == [0.5]


# levels: depth, peak, trough, recovered, longest spell, now
FALLS: Final[
    dict[str, tuple[tuple[float, ...], tuple[float, int, int, int | None, int, float]]]
] = {
    "nothing fell": ((1, 1, 2, 2), (0, 0, 0, None, 0, 0)),
    "never made good": ((1, 2, 1), (0.5, 1, 2, None, 1, 0.5)),
    "made good exactly": ((1, 2, 1, 2, 4), (0.5, 1, 2, 3, 2, 0)),
    "begins at the last time at the peak": ((2, 2, 2, 1, 2), (0.5, 2, 3, 4, 2, 0)),
    "the deepest is not the longest": (
        (8, 7, 7, 7, 8, 2, 8),
        (0.75, 4, 5, 6, 4, 0),
    ),
    "ruin": ((1, 0, 0), (1, 0, 1, None, 2, 1)),
    "from the beginning": ((1, 0.5, 0.75), (0.5, 0, 1, None, 2, 0.25)),
}


@pytest.mark.parametrize("name", FALLS)
def test_drawdowns_by_hand(name: str) -> None:
    levels, (depth, peak, trough, recovered, longest, now) = FALLS[name]
    found = drawdown(grown(*levels))
    assert found == Drawdown(depth, peak, trough, recovered, longest, now)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=30))
def test_a_drawdown_is_the_worst_pair_of_an_earlier_and_a_later_level(levels: list[int]) -> None:
    found = drawdown(grown(*levels))
    pairs = [1 - low / high for k, high in enumerate(levels) for low in levels[k:]]
    assert found.depth_ratio == max(pairs) == below_peak(grown(*levels)).max()
    assert found.peak_ms <= found.trough_ms
    assert found.longest_ms == max(_spells(levels), default=0)


def _spells(levels: list[int]) -> Iterator[int]:
    """From each peak that was left: until it was reached again, or the end."""
    since = 0
    for k, level in enumerate(levels):
        if level >= levels[since]:
            yield k - since if k > since + 1 else 0
            since = k
    yield len(levels) - 1 - since


def test_months_and_years_link_their_days() -> None:
    days = Daily(np.arange(364, 367), np.array([0.5, 1.0, -0.5]))
    assert calendar(days, "M") == [("1970-12", 0.5), ("1971-01", 0.0)]
    assert calendar(days, "Y") == [("1970", 0.5), ("1971", 0.0)]
    assert calendar(Daily(days.day[:0], days.returns[:0]), "M") == []
