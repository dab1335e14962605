"""A Sharpe ratio is an estimate; whoever shows one shows how far it can be off.

All ratios here are of one day, of returns over nothing (no rate is earned on cash); a year has √365
times as much. Kurtosis is not excess. Sources: Lo, "The Statistics of Sharpe Ratios" (2002);
Mertens, "Comments on variance of the IID estimator in Lo" (2002); Bailey and López de Prado, "The
Sharpe Ratio Efficient Frontier" (2012) and "The Deflated Sharpe Ratio" (2014).
"""

from math import exp, sqrt
from statistics import NormalDist
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

F64: TypeAlias = NDArray[np.float64]

EULER: Final = 0.577_215_664_901_532_9
STILL: Final = 1e-12  # returns that move less than this do not move
FEW: Final = 5  # trials whose spread says nothing yet
CLOSEST: Final = 1e-9  # of a ratio's own error: returns of two values can seem certain
NORMAL: Final = NormalDist()


class Moments(NamedTuple):
    days: int
    sharpe: float  # of a day
    skew: float
    kurtosis: float  # 3 of a normal


def moments(returns: F64) -> Moments | None:
    """None of fewer than two days, and of days that are all alike."""
    if len(returns) < 2 or (deviation := float(returns.std(ddof=1))) < STILL:
        return None
    apart = (returns - returns.mean()) / returns.std()
    skew, kurtosis = float((apart**3).mean()), float((apart**4).mean())
    return Moments(len(returns), float(returns.mean()) / deviation, skew, kurtosis)


def error(of: Moments) -> float:
    """One standard error, for returns of any shape that follow each other without memory.

    Mertens: √((1 − γ₃·SR + (γ₄−1)/4·SR²) ÷ (T−1)); of normal returns it is Lo's √((1 + SR²/2) ÷ T).
    """
    return sqrt(max(_spread(of), CLOSEST) / (of.days - 1))


def interval(of: Moments, confidence: float = 0.95) -> tuple[float, float]:
    wide = NORMAL.inv_cdf((1 + confidence) / 2) * error(of)
    return of.sharpe - wide, of.sharpe + wide


def probabilistic(of: Moments, beyond: float = 0.0) -> float:
    """The probability that the true ratio is more than this one (2012, eq. 11).

    >>> monthly = Moments(24, 0.458, -2.448, 10.164)
    >>> round(probabilistic(monthly), 3)  # the paper's own example
    0.913
    """
    return NORMAL.cdf((of.sharpe - beyond) / error(of))


def expected_best(tried: int, variance: float) -> float:
    """What the best of so many worthless trials shows on average (2014, eq. 1).

    >>> round(expected_best(100, 0.5 / 250), 4)  # the paper's own example
    0.1132
    """
    if tried < 2:
        return 0.0
    usual = NORMAL.inv_cdf(1 - 1 / tried)
    rare = NORMAL.inv_cdf(1 - exp(-1) / tried)
    return sqrt(variance) * ((1 - EULER) * usual + EULER * rare)


def deflated(of: Moments, tried: int, variance: float | None) -> float:
    """The probability that this is more than the best of as many worthless trials (2014, eq. 2).

    `variance` is that of the trials' ratios. Of few trials it is hardly known, and counts as at
    least a quarter of what chance alone gives a ratio, 1/T.
    """
    known = variance or 0.0
    least = 0.25 / of.days if tried < FEW or variance is None else 0.0
    return probabilistic(of, expected_best(tried, max(known, least)))


def days_needed(of: Moments, beyond: float = 0.0, confidence: float = 0.95) -> float | None:
    """The shortest record that could tell this ratio from that one (2012, eq. 13).

    >>> normal = Moments(500, 2 / sqrt(252), 0.0, 3.0)
    >>> round(days_needed(normal, 1 / sqrt(252)))  # 2.73 years, as the paper says
    688
    """
    if of.sharpe <= beyond:
        return None
    return 1 + _spread(of) * (NORMAL.inv_cdf(confidence) / (of.sharpe - beyond)) ** 2


def _spread(of: Moments) -> float:
    return 1 - of.skew * of.sharpe + (of.kurtosis - 1) / 4 * of.sharpe**2
