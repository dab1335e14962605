"""A mean without its interval says nothing; what is decided together is known together.

Takes of one close meet one move of the market: they count as one observation in the error (the
cluster-robust one, with Student's t for as many observations as there are closes). An interval is
as wide as its closes are few, and one close has none.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import atan, ceil, cos, fsum, pi, sin, sqrt
from statistics import NormalDist, median
from typing import Any, Final

CONFIDENCE: Final = 0.95
POWER: Final = 0.8  # how often the least difference that is stated would be seen
MANY: Final = 1_000  # degrees of freedom from which t is normal


@dataclass(frozen=True, slots=True)
class Estimate:
    number: int
    moments: int  # at which they were decided
    mean: float
    median: float
    p90: float
    low: float | None  # of the mean; None: one moment has no interval
    high: float | None
    shows: float | None  # the least difference from nothing that so many would show

    def rounded(self) -> dict[str, Any]:
        found = asdict(self).items()
        return {name: round(v, 3) if isinstance(v, float) else v for name, v in found}


def estimated(values: Sequence[tuple[int, float]]) -> Estimate | None:
    """Of figures with the moments at which they were decided; None of none.

    >>> found = estimated([(1, 1.0), (2, 2.0), (3, 3.0)])
    >>> found.mean, round(found.high, 2), round(found.shows, 2)
    (2.0, 4.48, 3.1)
    """
    if not values:
        return None
    figures = sorted(figure for _, figure in values)
    number, mean = len(figures), fsum(figures) / len(figures)
    apart = defaultdict(list)
    for moment, figure in values:
        apart[moment].append(figure - mean)
    low = high = shows = None
    free = len(apart) - 1
    if free:
        squares = fsum(fsum(together) ** 2 for together in apart.values())
        error = sqrt(squares * (free + 1) / free) / number
        wide = student((1 + CONFIDENCE) / 2, free) * error
        low, high = mean - wide, mean + wide
        shows = wide + student(POWER, free) * error
    p90 = figures[ceil(0.9 * number) - 1]
    return Estimate(number, len(apart), mean, median(figures), p90, low, high, shows)


def student(share: float, free: int) -> float:
    """The quantile of Student's t with so many degrees of freedom, for a share above a half.

    >>> [round(student(0.975, free), 3) for free in (1, 2, 10, 30)]
    [12.706, 4.303, 2.228, 2.042]
    """
    assert 0.5 < share < 1
    if free > MANY:
        return NormalDist().inv_cdf(share)
    low, high = 0.0, 1.0
    while within(high, free) < 2 * share - 1:
        low, high = high, high * 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (low, middle) if within(middle, free) > 2 * share - 1 else (middle, high)
    return (low + high) / 2


def within(t: float, free: int) -> float:
    """How much of the distribution lies between -t and t (Abramowitz and Stegun, 26.7.3 f.)."""
    angle = atan(t / sqrt(free))
    odd = free % 2
    term = cos(angle) if odd else 1.0
    total = 0.0 if free == 1 else term
    for k in range(3 if odd else 2, free - 1, 2):
        term *= cos(angle) ** 2 * (k - 1) / k
        total += term
    return 2 / pi * (angle + sin(angle) * total) if odd else sin(angle) * total
