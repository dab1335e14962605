"""Who cannot know says nothing, or wishes to be flat, and always says why.

Of the reasons that hold, the first in the order of `Reason` is told. A model that is no longer
believed (expired, drifted) wishes to be flat; what is not known of an instrument is no opinion of
it, and what is held stays; and a promise that is too small is told as what it is.
"""

from enum import StrEnum
from typing import Final, NamedTuple

NEVER: Final = 1 << 62  # ms: a model that does not age


class Reason(StrEnum):
    NONE = ""
    ABSENT = "no candle at this close"
    EXPIRED = "the model is too old"
    DRIFTED = "the market is not the one it learned"
    UNKNOWN = "too few of its candles are known"
    OUT_OF_RANGE = "features beyond all that it learned from"
    NONSENSE = "the network's answer is not a number"
    COSTS = "a round trip costs more than it promises"
    UNSURE = "its sign is not sure enough to open"
    HOLDS = "promises too little to open, enough to hold"
    PAST = "history: learned from, never acted on"


class Limits(NamedTuple):
    """What an opinion must promise before it opens, and while it holds."""

    margin_return: float = 0.0  # beyond the cost of a round trip
    hold_ratio: float = 0.25  # of that cost, below which what is held goes
    probability_min: float = 0.52  # of a rise, below which nothing is opened


class Terms(NamedTuple):
    """What a model is told of the account that it speaks to."""

    cost_return: float  # of a round trip in the dearest instrument: fees, spread, slippage
    limits: Limits = Limits()


class Belief(NamedTuple):
    """How long a model is believed; by default for ever, as in a backtest."""

    expired_ms_max: int = NEVER  # since the last candle that it learned from closed
    heeds_drift: bool = False  # or it is only told


class Opinion(NamedTuple):
    """All that was known of one instrument at one close: the row of `rrr explain`."""

    instrument: int
    conviction_bps: int  # or SILENT
    reason: Reason
    mean: float  # in units of the label; NaN where the network was not asked
    probability: float  # of a rise
    low: float  # the interval, in units of the label
    high: float
    alpha: float  # the share of outcomes that the interval was to miss
    unit_return: float  # one unit of the label now: the volatility over its horizon
    cost_return: float
    outside_ratio: float  # the share of features beyond all that training held
    unknown: int  # candles missing in the model's window
    candle_age_ms: int  # since its last candle closed; -1: none is known
    model_age_ms: int  # since the last candle that the model learned from closed
    psi: float  # of the feature that is furthest from its training
    psi_max: float  # what it may be
    psi_feature: str
    losses_worse: bool  # ADWIN saw the losses rise
    score: float  # how far off was what was said a horizon ago, known now; NaN where nothing was
