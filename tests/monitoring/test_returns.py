"""Deposits and withdrawals change what grows, never how fast."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrr.core.events import Flow
from rrr.database import sessions
from rrr.database.opening import PAPER, connect_read_only
from rrr.monitoring.returns import DAY_MS, Daily, linked, session_returns, time_weighted
from rrr.trading.engine.engine import Moment
from tests.builders import CAPITAL, HOUR
from tests.storm.lives import ask, living, moments

MIDNIGHT: Final = 19_700 * DAY_MS


def returns(closes: dict[float, int], *flows: tuple[float, int]) -> Daily:
    """Times are hours after a midnight."""
    at_ms = np.array([MIDNIGHT + round(hour * HOUR) for hour in closes], np.int64)
    moved = [Flow(MIDNIGHT + round(hour * HOUR), amount) for hour, amount in flows]
    return time_weighted(at_ms, np.array([*closes.values()], np.int64), moved)


# what happens: (equity by hour, flows by hour, daily returns)
TABLE: Final[dict[str, tuple[dict[float, int], Sequence[tuple[float, int]], list[float]]]] = {
    "nothing is known before two closes": ({}, (), []),
    "one close is where the measure begins": ({1: 100}, (), []),
    "a day is linked from its closes": ({1: 100, 2: 110, 3: 99}, (), [-0.01]),
    "a day begins where the last one ended": ({1: 100, 23: 110, 25: 121}, (), [0.1, 0.1]),
    "midnight belongs to the day before": ({1: 100, 24: 110, 25: 121}, (), [0.1, 0.1]),
    "a day without a close earns nothing": ({1: 100, 2: 110, 50: 121}, (), [0.1, 0, 0.1]),
    "the first close of all is no day": ({24: 100, 48: 110, 72: 121}, (), [0.1, 0.1]),
    "a deposit at a close moves after its prices": ({1: 100, 2: 310}, [(2, 200)], [0.1]),
    "a deposit between two closes earns with the rest": ({1: 100, 2: 330}, [(1.5, 200)], [0.1]),
    "a withdrawal is no loss": ({1: 100, 2: 55, 3: 60}, [(2, -55)], [1.1 * 60 / 55 - 1]),
    "flows of one moment add up": ({1: 100, 2: 110}, [(2, 50), (2, -50)], [0.1]),
    "what came before the first close is its beginning": ({1: 100, 2: 110}, [(0, 90)], [0.1]),
    "what comes with the first close is its beginning": ({1: 100, 2: 110}, [(1, 90)], [0.1]),
    "what comes after the last close is not known yet": ({1: 100, 2: 110}, [(3, 90)], [0.1]),
    "all is lost once": ({1: 100, 2: 0, 25: 0}, (), [-1, 0]),
    "who begins again after ruin earns from there": (
        {1: 100, 2: 0, 25: 50, 26: 55},
        [(25, 50)],
        [-1, 0.1],
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_returns_by_hand(name: str) -> None:
    equity, flows, expected = TABLE[name]
    found = returns(equity, *flows)
    assert found.ratio == pytest.approx(expected)
    assert (np.diff(found.day) == 1).all()
    if expected:
        second = round([*equity][1] * HOUR)
        assert found.day[0] == 19_700 + (second - 1) // DAY_MS


def test_modified_dietz_would_say_otherwise() -> None:
    """100 doubled, then 800 came at noon and nothing moved: whoever stayed has doubled."""
    closes: dict[float, int] = {0: 100, 12: 1_000, 24: 1_000}
    assert returns(closes, (12, 800)).ratio == pytest.approx([1])
    gain, capital_on_average = 1_000 - 100 - 800, 100 + 800 / 2
    assert gain / capital_on_average == pytest.approx(0.2)


MOVES: Final = st.lists(
    st.tuples(
        st.floats(-0.5, 1),  # growth
        st.sampled_from([-0.9, -0.5, 0, 0, 1, 10]),  # then this much of equity moves
        st.booleans(),  # at the close, or until the next one
        st.integers(1, 30),  # hours to the next close
    ),
    min_size=2,
    max_size=60,
)


@given(MOVES)
def test_flows_change_nothing(moves: list[tuple[float, float, bool, int]]) -> None:
    hour, alone, equity = 1, 1e15, 1e15
    still: dict[float, int] = {0: round(alone)}
    moved: dict[float, int] = {0: round(equity)}
    flows: list[tuple[float, int]] = []
    waiting = 0
    for growth, share, at_close, hours in moves:
        alone, equity = alone * (1 + growth), (equity + waiting) * (1 + growth)
        waiting, amount = 0, round(equity * share)
        if not 1e12 < equity + amount < 1e17:
            amount = 0
        if at_close:
            equity += amount
        else:
            waiting = amount
        still[hour], moved[hour] = round(alone), round(equity)
        flows.append((hour if at_close else hour + 0.5, amount))
        if not (1e12 < alone < 1e18 and 1e12 < equity < 1e18):
            break
        hour += hours
    expected, found = returns(still), returns(moved, *flows)
    assert (found.day == expected.day).all()
    assert found.ratio == pytest.approx(expected.ratio, abs=1e-6)
    assert linked(expected) == pytest.approx(alone / 1e15 - 1, abs=1e-6)


async def test_a_sessions_returns_are_those_of_its_money(tmp_path: Path) -> None:
    path = tmp_path / "paper.db"
    async with living(path) as engine:
        assert len(of(path).ratio) == 0
        await engine.take(moments()[:100])
        before = of(path)
        (end,) = ask(path, "SELECT cash + worth FROM equity ORDER BY at_ms DESC LIMIT 1")[0]
        assert linked(before) == pytest.approx(end / CAPITAL - 1, rel=1e-9)
        await engine.take([Moment((Flow(engine.head.at_ms, 5 * CAPITAL),))])
        assert of(path).ratio == pytest.approx(before.ratio)
        await engine.take(moments()[100:150])
        sql = "SELECT cash + worth FROM equity ORDER BY at_ms DESC LIMIT 1"
        ((last,),) = ask(path, sql)
        after = of(path)
        assert linked(after) == pytest.approx(end / CAPITAL * last / (end + 5 * CAPITAL) - 1)


def of(path: Path) -> Daily:
    with closing(connect_read_only(path, PAPER)) as connection:
        return session_returns(connection, sessions.named(connection, None))
