"""A label is what came after, in the unit of what was usual before: it knows exactly what it saw.

The label at t is the log return from the next candle's open (the first price that a decision at t
can have) to the close `horizon` candles later, over the usual size of such a return, cut at ±6.
It is made of the candles of `span(t)` and of no other; where one of them is not there, it is NaN.
The rows that teach and the rows that judge are so far apart that no two of their spans meet.
"""

from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from .panel import Panel

F64: TypeAlias = NDArray[np.float64]

HORIZON: Final = 4  # candles
LOOKBACK: Final = 32  # returns that say what is usual
CUT: Final = 6.0
VALIDATION_PERCENT: Final = 20  # of the rows, the last ones


class Split(NamedTuple):
    """Rows that teach, and later ones that judge."""

    training: range
    validation: range


def labels(panel: Panel, horizon: int) -> F64:
    """(instruments, times), NaN where the label is not known"""
    there = panel.there
    close, entry = (np.where(there, price, 1) * 1.0 for price in (panel.close, panel.open))
    y = np.full(there.shape, np.nan)
    first, end = LOOKBACK, panel.times - horizon
    if first >= end:
        return y
    moves = np.diff(np.log(close), axis=1)[:, : end - 1]
    usual = np.sqrt((sliding_window_view(moves, LOOKBACK, axis=1) ** 2).mean(axis=-1))
    came = np.log(close[:, first + horizon :] / entry[:, first + 1 : end + 1])
    known = sliding_window_view(there, len(span(0, horizon)), axis=1).all(axis=-1) & (usual > 0)
    unit = np.where(known, usual, 1.0) * np.sqrt(horizon)
    y[:, first:end] = np.where(known, np.clip(came / unit, -CUT, CUT), np.nan)
    return y


def span(time: int, horizon: int) -> range:
    """The candles that the label at this time is made of."""
    return range(time - LOOKBACK, time + horizon + 1)


def embargo(horizon: int) -> int:
    """Rows left out between two parts, so that no span of one meets a span of the other.

    >>> max(span(100, 4)) < min(span(101 + embargo(4), 4))
    True
    """
    return LOOKBACK + horizon


def split(rows: range, horizon: int) -> Split:
    """
    >>> split(range(1000), 4)
    Split(training=range(0, 764), validation=range(800, 1000))
    """
    first = len(rows) - len(rows) * VALIDATION_PERCENT // 100
    return Split(rows[: max(first - embargo(horizon), 0)], rows[first:])
