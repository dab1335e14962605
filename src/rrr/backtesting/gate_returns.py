"""Skill is what a record earned beyond holding the same exposure over the same candles.

A record enters as returns of each candle out of sample, the folds of a walk-forward one after the
other; its last part is the holdout, which selection never saw. Before the holdout the best of all
recipes must be beaten, in it the best of all looks: so the two hurdles share no candle, and how
often both are taken is the product of how often each is. Ratios are of a candle, not of a year.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from rrr.backtesting import sharpe
from rrr.backtesting.growth import F64
from rrr.backtesting.sharpe import FEW, NORMAL, Moments

LEAST: Final = 0.25  # of the variance that chance alone gives a ratio, 1/T
HALVINGS: Final = 60
RATIO_MAX: Final = 1e3


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """Returns of each candle, shares of equity, (times,)."""

    net: F64  # after costs
    net_dear: F64  # after twice the costs
    hold: F64  # of its own exposure-matched hold, without costs

    @property
    def excess(self) -> F64:
        return self.net - self.hold

    @property
    def excess_dear(self) -> F64:
        return self.net_dear - self.hold


class Ledger(NamedTuple):
    """What was tried: recipes and not refits, each once, synthetic runs apart."""

    tried: int  # the prior's and this one among them
    prior: int  # failures from before there was a ledger: nobody knows their ratios
    variance: float | None  # of the known ratios of a candle, each beyond its own hold
    looks: int  # at the holdout, this one included


class Hurdle(NamedTuple):
    """One part of a record, and what its ratio must exceed, how surely."""

    candles: int
    beyond: float
    confidence: float

    def probability(self, returns: F64) -> float | None:
        """That the true ratio is beyond; None of what never moved."""
        of = sharpe.moments(returns)
        return None if of is None else sharpe.probabilistic(sober(of), self.beyond)

    def power(self, true: Moments) -> float:
        """How often a record of such a true ratio takes it."""
        error = sharpe.error(sober(true)._replace(days=max(self.candles, 2)))
        return NORMAL.cdf((true.sharpe - self.beyond) / error - NORMAL.inv_cdf(self.confidence))


class Hurdles(NamedTuple):
    deflated: Hurdle  # before the holdout
    held_out: Hurdle


def sober(of: Moments) -> Moments:
    """What few lucky candles made is no surer than what many made: skew lends no confidence.

    Of a record of one gain among candles of nothing Mertens' error is half of what it is.
    """
    return of._replace(skew=min(of.skew, 0.0))


def matched(exposure: F64, returns: F64) -> F64:
    """The hold of each instrument's mean exposure, (times,), of (instruments, times) both.

    >>> import numpy as np
    >>> matched(np.array([[1.0, 0.0]]), np.array([[0.02, -0.04]])).tolist()
    [0.01, -0.02]
    """
    held: F64 = exposure.mean(axis=1) @ returns
    return held


def hurdles(
    times: int, ledger: Ledger, held_out_ratio: float, deflated_min: float, held_out_min: float
) -> Hurdles:
    """What a record of so many candles must take.

    The variance of few trials says nothing yet, nor that of known ones of those before there was
    a ledger: it counts as `LEAST` at least.
    """
    late = max(round(times * held_out_ratio), 1)
    early = max(times - late, 1)
    unknown = ledger.variance is None or ledger.prior > 0 or ledger.tried < FEW
    variance = max(ledger.variance or 0.0, LEAST / early if unknown else 0.0)
    return Hurdles(
        Hurdle(early, sharpe.expected_best(ledger.tried, variance), deflated_min),
        Hurdle(late, sharpe.expected_best(ledger.looks, 1 / late), held_out_min),
    )


def smallest_ratio(asked: Hurdles, shape: Moments, power: float) -> float:
    """The true ratio that takes both hurdles so often, of returns of this skew and kurtosis."""

    def seen(ratio: float) -> bool:
        true = shape._replace(sharpe=ratio)
        return asked.deflated.power(true) * asked.held_out.power(true) >= power

    low, high = 0.0, max(asked.deflated.beyond, asked.held_out.beyond, 1e-4)
    while not seen(high) and high < RATIO_MAX:
        low, high = high, 2 * high
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if seen(middle) else (middle, high)
    return high


def candles_needed(shown: Moments, asked: Hurdles) -> float | None:
    """The shortest record that takes both hurdles with the ratio that is shown; None: none does.

    MinTRL (Bailey and López de Prado, 2012) of each part; its share of the record stays what it
    is, and so does the best that worthless recipes show.
    """
    needed = 0.0
    for hurdle in asked:
        least = sharpe.days_needed(sober(shown), hurdle.beyond, hurdle.confidence)
        if least is None:
            return None
        needed = max(needed, least * shown.days / hurdle.candles)
    return needed
