"""Who cannot know says nothing, and says why: the first reason in the order of `Reason`.

Plain figures enter, a reason leaves, or none. A figure that is its limit is well; NaN never is. To
open, an opinion must promise more than a round trip costs and a margin, and its sign must be clear.
What is held already in the direction of the opinion was paid for: to hold it, the promise need only
be above `hold_ratio` of that cost, and the sign may have become unclear. So no position is closed
and opened again by what is noise around one threshold.
"""

from enum import StrEnum
from math import isfinite
from typing import NamedTuple


class Reason(StrEnum):
    STALE = "stale"
    EXPIRED = "expired"
    DRIFTED = "drifted"
    OUT_OF_RANGE = "out of range"
    UNKNOWN = "unknown candles"
    NONSENSE = "not a number"
    COSTS = "costs more than it promises"
    BOTH_SIGNS = "interval holds both signs"


class Limits(NamedTuple):
    stale_ms_max: int
    expired_ms_max: int
    outside_ratio_max: float
    unknown_max: int
    margin_return: float
    hold_ratio: float
    probability_min: float  # of the side that is said: as good as an interval of one sign


class Figures(NamedTuple):
    """What is known of one opinion on one instrument."""

    candle_age_ms: int  # since its last candle closed
    model_age_ms: int  # since the last candle that the model learned from closed
    psi: float  # of the feature that is furthest from its training
    psi_max: float  # of that feature
    losses_worse: bool  # ADWIN saw the losses rise, and no model was made since
    outside_ratio: float  # the share of features beyond all that training held
    unknown: int  # candles missing in the model's window
    mean: float  # in units of the label
    probability: float  # of a rise
    low: float  # the interval, in units of the label
    high: float
    unit_return: float  # one unit of the label now: the volatility over its horizon
    cost_return: float  # of a round trip: fees, spread, slippage
    held: int = 0  # the direction of the position: 1, 0, -1


def abstains(figures: Figures, limits: Limits) -> Reason | None:
    """Why this opinion may not be followed."""
    for reason, wrong in _checks(figures, limits):
        if wrong:
            return reason
    return None


def _checks(of: Figures, limits: Limits) -> tuple[tuple[Reason, bool], ...]:
    numbers = of.mean, of.probability, of.unit_return, of.cost_return
    return (
        (Reason.STALE, not of.candle_age_ms <= limits.stale_ms_max),
        (Reason.EXPIRED, not of.model_age_ms <= limits.expired_ms_max),
        (Reason.DRIFTED, of.losses_worse or not of.psi <= of.psi_max),
        (Reason.OUT_OF_RANGE, not of.outside_ratio <= limits.outside_ratio_max),
        (Reason.UNKNOWN, not of.unknown <= limits.unknown_max),
        (Reason.NONSENSE, not all(map(isfinite, numbers)) or not 0 <= of.probability <= 1),
        (Reason.COSTS, _costs(of, limits)),
        (Reason.BOTH_SIGNS, not _holds(of) and _unclear(of, limits)),
    )


def _holds(of: Figures) -> bool:
    return of.mean * of.held > 0


def _costs(of: Figures, limits: Limits) -> bool:
    promised = abs(of.mean) * of.unit_return
    if _holds(of):
        return not promised > limits.hold_ratio * of.cost_return
    return not promised > of.cost_return + limits.margin_return


def _unclear(of: Figures, limits: Limits) -> bool:
    """Neither side is likely enough, or nobody knows how far off the mean can be."""
    if not (isfinite(of.low) and isfinite(of.high)):
        return True
    likely = of.probability if of.mean > 0 else 1 - of.probability
    return of.low <= 0 <= of.high and not likely >= limits.probability_min
