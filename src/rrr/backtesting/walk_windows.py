"""Every day of the tests is judged once, and no training saw a candle behind its test's opinions.

Tests lie side by side from the end of the first training to the end of history. A training ends
before its test by an *embargo*: the candles behind one opinion, and those that a label reaches
ahead (López de Prado, "Advances in Financial Machine Learning", 2018, 7.4). All are whole UTC days.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from rrr.backtesting.growth import DAY_MS, F64, Daily
from rrr.backtesting.history import History
from rrr.core.errors import UsageError
from rrr.monitoring.words import count, utc
from rrr.neural_network.labels import HORIZON
from rrr.neural_network.strategies.asked import window_of
from rrr.neural_network.strategies.strategy import Strategy

SHARE: Final = 4  # tests that the first training is as long as, where nothing else is said
TRAIN_DAYS_MIN: Final = 30
TEST_DAYS_MIN: Final = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """How the best is looked for."""

    windows: int = 8  # tests
    train_days: int = 0  # of the first training; 0: as long as four tests
    rolling: bool = False  # all trainings are as long as the first; else each has all that was
    embargo_candles: int | None = None  # none: the longest window of the grid and a label's reach
    objective: str = "probability"
    in_sample: bool = False  # choose and judge on the same candles: no walk at all


class Window(NamedTuple):
    """Columns of the history: those that the choice is made on, and those that judge it."""

    train: range
    test: range


def windows_of(history: History, plan: Plan, embargo: int) -> tuple[Window, ...]:
    """Raise UsageError where the history is too short for the plan."""
    panel, begins = history.panel, history.begins
    if plan.in_sample:
        return (Window(range(begins, panel.times), range(begins, panel.times)),)
    day = panel.opened_at_ms[begins:] // DAY_MS
    day -= day[0]
    days, apart = int(day[-1]) + 1, -(-embargo * panel.timeframe_ms // DAY_MS)
    train = _train_days(plan, days - apart)
    needed = apart + train + plan.windows * TEST_DAYS_MIN
    if plan.windows < 1 or days < needed:
        raise UsageError(
            f"The history has {count(days, 'day')}: {count(plan.windows, 'test')} of at least"
            f" {TEST_DAYS_MIN} days, after a training of {train} and an embargo of {apart}, take"
            f" {needed}.",
            "Widen the span, or ask for fewer --windows or --train-days.",
        )
    edges = np.rint(np.linspace(apart + train, days, plan.windows + 1)).astype(np.int64)

    def columns(first: int, last: int) -> range:
        start, stop = np.searchsorted(day, [first, last]).tolist()
        return range(begins + start, begins + stop)

    windows = tuple(
        Window(
            columns(first - apart - train if plan.rolling else 0, first - apart),
            columns(first, last),
        )
        for first, last in pairwise(edges.tolist())
    )
    for window in windows:
        if not panel.there[:, window.train.start : window.train.stop].any():
            since = utc(int(panel.opened_at_ms[window.train.start]))
            raise UsageError(
                f"There is no candle in the training of {count(train, 'day')} from {since}.",
                "Leave that hole out of the span, or leave out --rolling.",
            )
    return windows


def onward(history: History, plan: Plan, windows: Sequence[Window]) -> range:
    """The training whose choice speaks after the end of history."""
    times = history.panel.times
    return range(times - len(windows[0].train) if plan.rolling else history.begins, times)


def embargo_of(strategies: Iterable[Strategy], plan: Plan) -> int:
    """Candles between what was learned from and what is judged, before they become whole days."""
    if plan.embargo_candles is not None:
        return plan.embargo_candles
    return max(map(window_of, strategies)) + HORIZON


def part(days: Daily, history: History, columns: range) -> F64:
    """The returns of the days that these columns are."""
    opened = history.panel.opened_at_ms
    first, last = (int(opened[at]) // DAY_MS for at in (columns.start, columns.stop - 1))
    returns: F64 = days.returns[(days.day >= first) & (days.day <= last)]
    return returns


def alone(history: History, columns: range, warm: int) -> History:
    """These columns as a history, after up to `warm` that are only learned from."""
    first = max(columns.start - warm, 0)
    cut = slice(first, columns.stop)
    detail = history.detail
    if detail is not None:
        finer = history.panel.timeframe_ms // detail.timeframe_ms
        detail = detail.cut(first * finer, columns.stop * finer)
    return replace(
        history,
        panel=history.panel.cut(first, columns.stop),
        source=history.source[:, cut],
        bid=history.bid[:, cut],
        ask=history.ask[:, cut],
        begins=columns.start - first,
        detail=detail,
    )


def _train_days(plan: Plan, room: int) -> int:
    usual = max(room * SHARE // (max(plan.windows, 1) + SHARE), TRAIN_DAYS_MIN)
    if plan.train_days and plan.train_days < TRAIN_DAYS_MIN:
        raise UsageError(
            f"{count(plan.train_days, 'day')} of training are too few to choose anything by.",
            f"Say --train-days {TRAIN_DAYS_MIN} or more, or leave it out.",
        )
    return plan.train_days or usual
