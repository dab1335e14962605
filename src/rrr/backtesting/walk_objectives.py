"""What the best is best at: a figure of the daily returns, net of all costs.

A set that never traded is neither good nor bad: it stands above every one that lost.
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from math import sqrt
from typing import Final

import numpy as np

from rrr.backtesting import sharpe
from rrr.backtesting.growth import F64
from rrr.core.errors import UsageError

Objective = Callable[[F64], float]

SHALLOW: Final = 1e-4  # a fall of less counts as one of so much


def objective_of(name: str) -> Objective:
    if name not in OBJECTIVES:
        alike = get_close_matches(name, OBJECTIVES, n=1)
        raise UsageError(
            f"Nothing is optimised for {name!r}{f' (did you mean {alike[0]}?)' if alike else ''}.",
            f"There are {', '.join(OBJECTIVES)}.",
        )
    return OBJECTIVES[name]


def probability(returns: F64) -> float:
    """That the true Sharpe ratio is above zero (Bailey and López de Prado, 2012): short records,
    and those with a long left tail, prove less.

    >>> probability(np.zeros(9))
    0.5
    """
    of = sharpe.moments(returns)
    return 0.5 if of is None else sharpe.probabilistic(of)


def daily_sharpe(returns: F64) -> float:
    of = sharpe.moments(returns)
    return 0.0 if of is None else of.sharpe


def sortino(returns: F64) -> float:
    """Of a day; without a day that lost, as if one had by a basis point."""
    mean = float(returns.mean())
    fall = sqrt(float((np.minimum(returns, 0) ** 2).mean()))
    return mean / max(fall, SHALLOW / sqrt(len(returns)))


def total(returns: F64) -> float:
    """
    >>> round(total(np.array([0.5, -0.5])), 9)
    -0.25
    """
    return float(np.prod(1 + returns)) - 1


def over_drawdown(returns: F64) -> float:
    """The return ÷ the deepest fall between the ends of days.

    >>> round(over_drawdown(np.array([1.0, -0.5, 0.5])), 9)
    1.0
    """
    level = np.append(1.0, np.cumprod(1 + returns))
    below = 1 - level / np.maximum.accumulate(level)
    return float(level[-1] - 1) / max(float(below.max()), SHALLOW)


OBJECTIVES: Final[Mapping[str, Objective]] = {
    "probability": probability,
    "sharpe": daily_sharpe,
    "sortino": sortino,
    "return": total,
    "return-over-drawdown": over_drawdown,
}
