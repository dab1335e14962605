"""What the daily returns say, and what they are too few to say.

Nothing is made yearly of less than 90 days. Sharpe: mean ÷ deviation of UTC days × √365, with
Mertens' interval (see `sharpe`). Sortino (Sortino and Price, 1994): mean ÷ √(mean of min(return,
0)²) × √365. Calmar (Young, 1991): CAGR ÷ deepest drawdown. CAGR: (1 + return)^(365 ÷ days) − 1.
A figure that cannot be told is the sentence that says why.
"""

from math import sqrt
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from rrr.backtesting import sharpe
from rrr.backtesting.growth import DAY_MS, F64, Daily, Drawdown, Path
from rrr.neural_network.panel import I64

Told: TypeAlias = float | str  # a figure, or why there is none

YEAR_DAYS: Final = 365
DAYS_MIN: Final = 90  # of which something yearly may be said
YEARLY: Final = sqrt(YEAR_DAYS)
NO_DAYS: Final = "it takes two UTC days to have a spread"
ALIKE: Final = "every day returned the same"
MADE_YEARLY: Final = (
    *("cagr_ratio", "volatility_ratio", "sharpe", "sharpe_low", "sharpe_high", "sortino", "calmar"),
)


class Returns(NamedTuple):
    total_ratio: float | None
    cagr_ratio: float | None
    volatility_ratio: float | None
    sharpe: float | None
    sharpe_low: float | None  # 95 % interval
    sharpe_high: float | None
    sharpe_daily: float | None  # not made yearly: what trials are compared by
    sharpe_probability: float | None  # that the true one is above zero
    sharpe_deflated: float | None  # that it is above the best of as many worthless trials
    sharpe_days_needed: float | None  # to tell it from zero
    skew: float | None
    kurtosis: float | None
    sortino: float | None
    calmar: float | None
    best_day_ratio: float | None
    worst_day_ratio: float | None
    days_won_ratio: float | None


class Rolling(NamedTuple):
    """Sharpe ratios of the 90 days that end with each day; NaN where nothing moved."""

    day: I64
    sharpe: F64


def figures(
    path: Path, days: Daily, fall: Drawdown, tried: int = 1, variance: float | None = None
) -> dict[str, Told]:
    """Every figure of `Returns`, of a run's path, its days and its drawdown."""
    returns, total = days.returns, float(path.level[-1]) - 1
    length = int(path.at_ms[-1] - path.at_ms[0]) / DAY_MS
    told: dict[str, Told] = dict.fromkeys(Returns._fields, ALIKE if len(returns) > 1 else NO_DAYS)
    told |= {
        "total_ratio": total,
        "best_day_ratio": float(returns.max()),
        "worst_day_ratio": float(returns.min()),
        "days_won_ratio": float((returns > 0).mean()),
    }
    told |= _shape(returns, tried, variance)
    if length < DAYS_MIN:
        return told | dict.fromkeys(MADE_YEARLY, short(length))
    cagr = (1 + total) ** (YEAR_DAYS / length) - 1
    volatility = float(returns.std(ddof=1)) * YEARLY
    calmar: Told = cagr / fall.depth_ratio if fall.depth_ratio else "equity never fell"
    return told | {"cagr_ratio": cagr, "volatility_ratio": volatility, "calmar": calmar}


def short(length: float) -> str:
    """
    >>> short(12.04)
    'nothing is made yearly of less than 90 days; these are 12.0'
    """
    return f"nothing is made yearly of less than {DAYS_MIN} days; these are {length:.1f}"


def rolling(days: Daily) -> Rolling:
    """Empty where the run is too short for one."""
    if len(days.returns) < DAYS_MIN:
        return Rolling(days.day[:0], days.returns[:0])
    windows = np.lib.stride_tricks.sliding_window_view(days.returns, DAYS_MIN)
    deviation = windows.std(axis=1, ddof=1)
    ratio = np.full(len(windows), np.nan)
    moves = deviation >= sharpe.STILL
    ratio[moves] = windows.mean(axis=1)[moves] / deviation[moves] * YEARLY
    return Rolling(days.day[DAYS_MIN - 1 :], ratio)


def _shape(returns: F64, tried: int, variance: float | None) -> dict[str, Told]:
    """The Sharpe ratio with all that says how far it can be off, where there is one."""
    of = sharpe.moments(returns)
    if of is None:
        return {}
    low, high = sharpe.interval(of)
    needed = sharpe.days_needed(of)
    fall = sqrt(float((np.minimum(returns, 0) ** 2).mean()))
    return {
        "sharpe": of.sharpe * YEARLY,
        "sharpe_low": low * YEARLY,
        "sharpe_high": high * YEARLY,
        "sharpe_daily": of.sharpe,
        "sharpe_probability": sharpe.probabilistic(of),
        "sharpe_deflated": sharpe.deflated(of, tried, variance),
        "sharpe_days_needed": needed if needed is not None else "no record tells it from zero",
        "skew": of.skew,
        "kurtosis": of.kurtosis,
        "sortino": float(returns.mean()) / fall * YEARLY if fall else "no day lost",
    }
