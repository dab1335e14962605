"""What a forecast is worth to an account is one function: trading, backtest and gate ask it.

Numbers of one close or of years enter, whole basis points leave. Only + − × and comparisons are
done, one element at a time, so that a word has the same bits wherever in an array it stands. There
is no memory: between what opens and what closes lies a zone where nothing is said, and what is
held stays held; so no position is closed and opened again by noise around one threshold.
"""

from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rrr.core.market import BPS

from .abstaining import Limits, Reason
from .panel import I64
from .strategies.strategy import SILENT

F64: TypeAlias = NDArray[np.float64]

REASONS: Final = tuple(Reason)
_PLACE: Final = {reason: place for place, reason in enumerate(REASONS)}


class Words(NamedTuple):
    convictions: I64
    reasons: NDArray[np.int8]  # places in `REASONS`


def convictions(
    means: F64,
    probabilities: F64,
    unit_returns: F64,
    cost_return: float,
    bps_per_unit: float | F64,
    limits: Limits,
) -> I64:
    """Basis points or SILENT, in the shape of the means.

    A mean is in units of the label, a unit return one of these units (over the horizon), a
    probability that of a rise. A fall is said as it is; a rise must promise more than a round trip
    costs and a margin, and be likely enough.
    """
    about = means, probabilities, unit_returns, cost_return, bps_per_unit, limits
    return weighed(*about).convictions


def weighed(
    means: F64,
    probabilities: F64,
    unit_returns: F64,
    cost_return: float,
    bps_per_unit: float | F64,
    limits: Limits,
) -> Words:
    """The same, with the reason of each."""
    known = np.isfinite(means) & np.isfinite(unit_returns) & (unit_returns > 0)
    known &= (probabilities >= 0) & (probabilities <= 1)
    mean, unit = np.where(known, means, 0.0), np.where(known, unit_returns, 0.0)
    promised = mean * unit
    scaled = mean * bps_per_unit
    said = np.rint(scaled.clip(-BPS, BPS)).astype(np.int64)
    falls = scaled <= 0
    pays = promised > cost_return + limits.margin_return
    opens = pays & (probabilities >= limits.probability_min)
    holds = promised > limits.hold_ratio * cost_return
    zones = (~known, falls | opens, pays, holds)
    why = (Reason.NONSENSE, Reason.NONE, Reason.UNSURE, Reason.HOLDS)
    reasons = np.select(zones, [_PLACE[reason] for reason in why], _PLACE[Reason.COSTS])
    silent = np.full_like(said, SILENT)
    words = np.select(zones, (silent, said, silent, silent), 0)
    return Words(words, reasons.astype(np.int8))
