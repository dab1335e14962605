"""What an account pays decides how often a model should trade, and what is left of it.

The word knows what a round trip costs: who pays more is asked to trade less, and earns less.
"""

from collections.abc import Sequence
from math import sqrt
from typing import Final, NamedTuple

import numpy as np

from rrr.backtesting import break_even, sharpe
from rrr.backtesting.gate_case import Bench
from rrr.backtesting.gate_folds import Folds, opinions
from rrr.backtesting.gate_played import charged, unhalted
from rrr.backtesting.runner import run
from rrr.core.orders import Report

MULTIPLES: Final = (0, 1, 2, 3)


class Cost(NamedTuple):
    multiple: int  # of the account's costs
    sharpe: float | None  # of a year, net; None: it never moved
    turnover: float  # bought and sold in a year, in mean equities


def cost_curve(bench: Bench, folds: Folds, multiples: Sequence[int] = MULTIPLES) -> list[Cost]:
    """What the account's own word makes of these forecasts at so many times its costs."""
    history = bench.history
    candles_a_year = break_even.YEAR / history.panel.timeframe_ms
    curve = []
    for times in multiples:
        asks = bench.asks._replace(cost_return=times * bench.asks.cost_return)
        said = opinions(folds, history.panel, asks)
        book = unhalted(charged(bench.book, times, bench.adverse_ppm))
        result = run(history, said, book, digests=False)
        equity = result.equity.astype(np.float64)
        before = np.append(float(result.invested[0]), equity[:-1])
        of = sharpe.moments(equity / np.maximum(before, 1) - 1)
        traded = float(result.column(Report, "notional").sum()) / max(float(equity.mean()), 1.0)
        ratio = None if of is None else of.sharpe * sqrt(candles_a_year)
        curve.append(Cost(times, ratio, traded / len(equity) * candles_a_year))
    return curve
