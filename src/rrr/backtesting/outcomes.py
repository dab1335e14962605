"""What became of the round trips: all of them, by why they ended, by instrument.

Win rate and whatever counts wins look at round trips that are over; P&L counts the open ones too.
A figure that cannot be told is the sentence that says why.
"""

from typing import Final, NamedTuple

import numpy as np

from rrr.backtesting import hold
from rrr.backtesting.history import History
from rrr.backtesting.performance import Told
from rrr.backtesting.result import Result
from rrr.backtesting.trades import Trades
from rrr.core.orders import Cause
from rrr.neural_network.panel import Mask

OPEN: Final = "open"
NONE_OVER: Final = "no round trip is over"
NO_CANDLE: Final = "it had no candle"


class Counts(NamedTuple):
    round_trips: int  # that are over
    round_trips_won: int  # with a P&L above zero
    round_trips_open: int
    streak_won: int  # the most in a row, as they ended
    streak_lost: int


class Average(NamedTuple):
    """Of the round trips that are over."""

    won_ratio: float | None
    profit_factor: float | None  # what was won ÷ what was lost
    expectancy: float | None  # quanta
    average_ratio: float | None
    median_ratio: float | None
    best_ratio: float | None
    worst_ratio: float | None
    held_ms_average: float | None
    held_ms_median: float | None
    held_ms_longest: float | None
    held_ms_shortest: float | None


class Exit(NamedTuple):
    """Round trips that ended for one reason; `open` are those that did not."""

    reason: str
    round_trips: int
    won_ratio: float
    pnl: int  # quanta
    average_ratio: float


class Part(NamedTuple):
    """One instrument's part of the whole; ratios of P&L are of all that was paid in."""

    symbol: str
    round_trips: int
    round_trips_won: int
    pnl: int  # quanta, open positions included; as fees and slippage
    fees: int
    slippage: int
    pnl_ratio: float
    exposure_ratio: float  # of equity, on average
    matched_hold_ratio: float
    difference_ratio: float
    market_ratio: float | None  # None: it had no candle
    refusals: int


def counts(trades: Trades) -> Counts:
    won = _won(trades)
    return Counts(len(won), int(won.sum()), int(trades.open.sum()), _longest(won), _longest(~won))


def figures(trades: Trades) -> dict[str, Told]:
    """Averages over the round trips that are over."""
    over = ~trades.open
    ratio, pnl = trades.ratio[over], trades.pnl[over]
    held_ms = (trades.closed_ms - trades.opened_ms)[over]
    lost = -int(pnl[pnl < 0].sum())
    factor: Told = int(pnl[pnl > 0].sum()) / lost if lost else "no round trip lost"
    if not len(pnl):
        return dict.fromkeys(Average._fields, NONE_OVER)
    return {
        "won_ratio": float((pnl > 0).mean()),
        "profit_factor": factor,
        "expectancy": float(pnl.mean()),
        "average_ratio": float(ratio.mean()),
        "median_ratio": float(np.median(ratio)),
        "best_ratio": float(ratio.max()),
        "worst_ratio": float(ratio.min()),
        "held_ms_average": float(held_ms.mean()),
        "held_ms_median": float(np.median(held_ms)),
        "held_ms_longest": float(held_ms.max()),
        "held_ms_shortest": float(held_ms.min()),
    }


def exits(trades: Trades) -> tuple[Exit, ...]:
    """By reason, the most frequent first; open ones last."""
    rows = []
    reasons = np.where(trades.open, -1, trades.reason)
    for reason in np.unique(reasons).tolist():
        mine = reasons == reason
        pnl, ratio = trades.pnl[mine], trades.ratio[mine]
        name = OPEN if reason < 0 else Cause(reason).name.lower()
        won, average = float((pnl > 0).mean()), float(ratio.mean())
        rows.append(Exit(name, len(pnl), won, int(pnl.sum()), average))
    return tuple(sorted(rows, key=lambda row: (row.reason == OPEN, -row.round_trips, row.reason)))


def parts(
    result: Result, history: History, trades: Trades, lived: Mask, paid_in: int
) -> tuple[Part, ...]:
    """A row an instrument, in canonical order."""
    equity = np.maximum(result.equity[lived], 1)
    panel = history.panel.cut(history.begins)
    rows = []
    for i, matched in enumerate(hold.matched(result)):
        mine = trades.instrument == i
        over = mine & ~trades.open
        pnl = int(trades.pnl[mine].sum() + trades.dust[i])
        worth = result.worth[lived, i]
        refused = sum(times for (of, _), times in result.refusals.items() if of == i)
        rows.append(
            Part(
                history.quoted[i].spec.symbol,
                int(over.sum()),
                int((trades.pnl[over] > 0).sum()),
                pnl,
                int(trades.fees[mine].sum()),
                int(trades.slippage[mine].sum()),
                pnl / paid_in,
                float((worth / equity).mean()) if len(worth) else 0.0,
                matched,
                pnl / paid_in - matched,
                hold.market(panel, i),
                refused,
            )
        )
    return tuple(rows)


def _won(trades: Trades) -> Mask:
    """Of the round trips that are over, in the order in which they ended."""
    over = np.flatnonzero(~trades.open)
    ended = over[np.argsort(trades.closed_ms[over], kind="stable")]
    return trades.pnl[ended] > 0


def _longest(same: Mask) -> int:
    """The longest row of True.

    >>> _longest(np.array([True, False, True, True, False])), _longest(np.zeros(0, np.bool_))
    (2, 0)
    """
    broken = np.flatnonzero(~np.concatenate([[False], same, [False]]))
    return int(np.diff(broken).max()) - 1
