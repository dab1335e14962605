"""What holding would have brought: the same exposure without skill, and the market itself.

The exposure-matched hold is the session's own (`monitoring.summary`): each instrument is bought at
its first signal with the share of equity that it had on average, and kept, without costs.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rrr.backtesting.history import History
from rrr.backtesting.result import Result
from rrr.core.market import BPS
from rrr.monitoring.summary import matched_hold
from rrr.neural_network.panel import I64, Panel

F64: TypeAlias = NDArray[np.float64]


def matched(result: Result) -> list[float]:
    """The return of the exposure-matched hold, and of it what each instrument brings."""
    state = result.world.state
    return [matched_hold(state._replace(lanes=(lane,))) for lane in state.lanes]


def matched_curve(result: Result, history: History) -> I64:
    """Quanta that the exposure-matched hold would have been worth at each close."""
    state, gained = result.world.state, np.zeros(len(result.at_ms))
    closes = state.account.closes
    earlier = closes - len(result.at_ms)  # closes that only taught, of which nothing is recorded
    column = np.searchsorted(
        history.panel.opened_at_ms + history.panel.timeframe_ms, result.at_ms, side="right"
    )
    for i, lane in enumerate(state.lanes):
        if lane.first_mark:
            begun = max(lane.quiet - earlier - 1, 0)
            share = lane.exposure_sum_bps / max(closes - lane.quiet, 1) / BPS
            marks = known(history.panel, i)[column[begun:] - 1]
            gained[begun:] += share * (marks / lane.first_mark - 1)
    return np.rint(result.invested * (1 + gained)).astype(np.int64)


def market(panel: Panel, i: int) -> float | None:
    """From the first open to the last close; none where no candle is there."""
    there = np.flatnonzero(panel.there[i])
    if not len(there):
        return None
    return float(panel.close[i, there[-1]] / panel.open[i, there[0]] - 1)


def known(panel: Panel, i: int) -> I64:
    """The last close at each time; before the first, its open."""
    there = panel.there[i]
    last = np.maximum.accumulate(np.where(there, np.arange(len(there)), -1))
    first = panel.open[i, there.argmax()] if there.any() else np.int64(0)
    return np.where(last >= 0, panel.close[i, last], first)
