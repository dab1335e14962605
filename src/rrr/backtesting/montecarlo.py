"""What else could have come of the same round trips and the same days: one run is one draw.

*Reshuffled*: the round trips in another order. Their product is the same, so that only the path and
its drawdown move: how lucky was the order? *Bootstrapped*: days drawn again in blocks (see
`blocks`), so that return, drawdown and Sharpe ratio all move: how far could it have gone? Blocks
are as long as days remember, or their sizes do, whichever is longer. Intervals are 90 %.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from rrr.backtesting import performance
from rrr.backtesting.growth import F64, Daily
from rrr.backtesting.nulls import CELLS, DRAWS, RUIN, equity_before
from rrr.backtesting.performance import DAYS_MIN, YEARLY
from rrr.backtesting.result import Result
from rrr.backtesting.sharpe import STILL
from rrr.backtesting.trades import Trades
from rrr.monitoring.blocks import block_length, drawn
from rrr.neural_network.panel import I64

SHARES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)  # of the bands
STEPS_MAX: Final = 200  # of a band
ORDERED: Final = "the order of round trips does not change it"


class Interval(NamedTuple):
    low: float  # 5 % were below
    median: float
    high: float  # 95 % were
    run: float  # of the run itself, by the same sum


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """So many times the same, otherwise."""

    draws: int
    block: int  # mean length in days; 0: there are no blocks
    total_ratio: Interval
    drawdown_ratio: Interval
    sharpe: Interval | str  # or why there is none
    lost_ratio: float  # of the draws: those that lost money
    deeper_ratio: float  # those with a deeper drawdown than the run's
    steps: I64  # (n,): round trips or days, from 0
    bands: F64  # (shares, n): quantiles of what one unit of money became
    run: F64  # (n,)

    def as_json(self) -> dict[str, Any]:
        intervals = {
            name: {end: round(value, 8) for end, value in interval._asdict().items()}
            for name in ("total_ratio", "drawdown_ratio", "sharpe")
            if isinstance(interval := getattr(self, name), Interval)
        }
        return {
            "draws": self.draws,
            "block_days": self.block or None,
            "sharpe": None,
            **intervals,
            "lost_ratio": round(self.lost_ratio, 8),
            "deeper_ratio": round(self.deeper_ratio, 8),
            "reasons": {"sharpe": self.sharpe} if isinstance(self.sharpe, str) else {},
        }


def reshuffled(
    result: Result, trades: Trades, *, draws: int = DRAWS, seed: int = 1
) -> Played | str:
    """The round trips in other orders; a sentence where there are too few."""
    if len(trades) < 2:
        return "one round trip has no other order"
    made = trades.pnl / equity_before(result, trades)
    random = np.random.Generator(np.random.Philox(seed))

    def portion(rows: int) -> F64:
        return random.permuted(np.broadcast_to(made, (rows, len(made))), axis=1)

    return played(made, portion, draws, 0, ORDERED)


def bootstrapped(days: Daily, *, draws: int = DRAWS, seed: int = 1) -> Played | str:
    """The days drawn again in blocks; a sentence where there are too few."""
    returns = days.returns
    if len(returns) < 2:
        return performance.NO_DAYS
    block = memory(returns)
    random = np.random.Generator(np.random.Philox(seed))

    def portion(rows: int) -> F64:
        return returns[drawn(random, rows, len(returns), block)]

    why = performance.short(len(returns)) if len(returns) < DAYS_MIN else ""
    return played(returns, portion, draws, block, why)


def played(run: F64, portion: Callable[[int], F64], draws: int, block: int, why: str) -> Played:
    """Play `draws` rows like `run`, made a portion at a time; `why` there is no Sharpe ratio."""
    steps = np.unique(np.linspace(0, len(run), STEPS_MAX + 1).astype(np.int64))
    rows = max(CELLS // len(run), 1)
    sizes = [min(rows, draws - done) for done in range(0, draws, rows)]
    seen = [_seen(portion(size), steps) for size in sizes]
    total, depth, ratio = (np.concatenate([each[k] for each in seen]) for k in range(3))
    levels = np.concatenate([each[3] for each in seen])
    mine = _seen(run[None, :], steps)
    return Played(
        draws,
        block,
        _interval(total, mine[0]),
        _interval(depth, mine[1]),
        why or _interval(ratio, mine[2]),
        float((total < 0).mean()),
        float((depth > mine[1]).mean()),
        steps,
        np.quantile(levels, SHARES, axis=0),
        mine[3][0],
    )


def memory(returns: F64) -> int:
    """The mean length of blocks that keep trends and calm and wild times together."""
    return round(max(block_length(returns), block_length(np.abs(returns))))


def _seen(returns: F64, steps: I64) -> tuple[F64, F64, F64, F64]:
    """Of each row: the return, the deepest drawdown, the Sharpe ratio, the levels at the steps."""
    levels = np.ones((len(returns), returns.shape[1] + 1))
    np.cumprod(1 + np.maximum(returns, RUIN), axis=1, out=levels[:, 1:])
    below = 1 - levels / np.maximum.accumulate(levels, axis=1)
    deviation = returns.std(axis=1, ddof=1)
    moves = deviation >= STILL
    ratio = np.where(moves, returns.mean(axis=1) / np.where(moves, deviation, 1.0), 0.0) * YEARLY
    return levels[:, -1] - 1, below.max(axis=1), ratio, levels[:, steps]


def _interval(values: F64, run: F64) -> Interval:
    low, median, high = np.quantile(values, (0.05, 0.5, 0.95)).tolist()
    return Interval(low, median, high, float(run[0]))
