"""A label is what came after, in the unit of what was usual before: it knows exactly what it saw.

All is entered at the next candle's open, the first price that a decision at t can have. A *return*
is the logarithm from there to the close `horizon` candles after t, over the usual size of such a
return, cut at ±6. A *side* is the barrier that the price met first (the triple barrier of López de
Prado, "Advances in Financial Machine Learning", 2018, 3.4).
A label is made of the candles of its span and of no other: `LOOKBACK` returns before t say what is
usual, and its `end` is the candle that settles it. Where one of them is not there, it is NaN.
The rows that teach and the rows that judge are so far apart that no two of their spans meet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from .panel import I64, Mask, Panel

F64: TypeAlias = NDArray[np.float64]

HORIZON: Final = 4  # candles
LOOKBACK: Final = 32  # returns that say what is usual
CUT: Final = 6.0
VALIDATION_PERCENT: Final = 20  # of the rows, the last ones
NEVER: Final = 1 << 62  # a candle that no panel holds


class Spans(NamedTuple):
    """The first and the last candle that each row is made of, both within."""

    begins: I64
    ends: I64


class Split(NamedTuple):
    """Rows that teach, and later ones that judge."""

    training: range
    validation: range


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """What came, and the candle that settled it: no later one changes it, nor that it is NaN."""

    values: F64  # (..., instruments, times)
    ends: I64  # alike; at or past the last time where it is not settled yet

    def spans(self) -> Spans:
        """(times,): of all that is known at a time, whatever instrument or horizon it is of."""
        times = np.arange(self.values.shape[-1])
        known = np.where(np.isnan(self.values), times, self.ends)
        return Spans(times - LOOKBACK, known.max(axis=tuple(range(known.ndim - 1))))

    def uniqueness(self) -> F64:
        """As values: how much of its time a label has for itself, 0 where it is NaN (2018, 4.4).

        The mean, over the candles that came, of 1 ÷ the labels of its instrument and horizon that
        waited for that candle. Those that waited in vain count too: so a weight is final with its
        label.
        """
        *kinds, many = self.values.shape
        times, row = np.arange(many), np.arange(prod(kinds))[:, None]
        ends = np.minimum(self.ends, many - 1).reshape(prod(kinds), many)
        change = np.zeros((len(ends), many + 2), np.int64)
        change[:, 1:-1] += 1
        np.subtract.at(change, (row, ends + 1), 1)
        crowd = np.maximum(np.cumsum(change, axis=1)[:, :-1], 1)
        shared = np.cumsum(1 / crowd, axis=1)
        mean = (shared[row, ends] - shared[:, :-1]) / np.maximum(ends - times, 1)
        return np.where(np.isnan(self.values), 0.0, mean.reshape(self.values.shape))


def labels(panel: Panel, horizon: int) -> F64:
    """(instruments, times): the returns of one horizon."""
    y: F64 = returns(panel, (horizon,)).values[0]
    return y


def returns(panel: Panel, horizons: Sequence[int]) -> Labels:
    """(horizons, instruments, times)"""
    unit, gone = usual(panel), _gone(panel.there)
    close, entry = (np.where(panel.there, price, 1) * 1.0 for price in (panel.close, panel.open))
    values = np.full((len(horizons), *unit.shape), np.nan)
    ends = np.empty(values.shape, np.int64)
    for number, horizon in enumerate(horizons):
        assert horizon > 0, "A label looks ahead."
        ends[number] = _settled(unit, gone, horizon)
        last = max(panel.times - horizon, 0)
        came = np.log(close[:, horizon:] / entry[:, 1 : last + 1])
        size = unit[:, :last] * np.sqrt(horizon)
        whole = gone[:, :last] > np.arange(last) + horizon
        values[number, :, :last] = np.where(whole, np.clip(came / size, -CUT, CUT), np.nan)
    return Labels(values, ends)


def sides(panel: Panel, horizon: int, up: float = 1.0, down: float = 1.0) -> Labels:
    """(instruments, times): 1 or -1 for the barrier met first, 0 where neither was in `horizon`.

    They lie at entry · exp(+up·u) and entry · exp(-down·u), u being the usual size of a return of
    `horizon` candles. A candle that opens beyond one met that one first, as a resting order would
    be filled; of a candle that meets both from between them, the order is not known, and it counts
    against who is long. 0 and not the sign of what was made: less than a barrier is what chance
    brings, and how much it was is told by the returns.
    """
    assert horizon > 0 and min(up, down) > 0
    unit, gone = usual(panel) * np.sqrt(horizon), _gone(panel.there)
    entry = np.ones(unit.shape)
    entry[:, :-1] = np.where(panel.there, panel.open, 1)[:, 1:]
    above, below = entry * np.exp(up * unit), entry * np.exp(-down * unit)
    ends = _settled(unit, gone, horizon)
    unknown = np.isnan(unit) | (ends >= np.minimum(gone, panel.times))
    values = np.where(unknown, np.nan, 0.0)
    for ahead in range(1, min(horizon, panel.times - 1) + 1):
        now, then = np.s_[:, :-ahead], np.s_[:, ahead:]
        candle = np.arange(ahead, panel.times)
        waits = (ends[now] >= candle) & panel.there[then]
        fell = (panel.low[then] <= below[now]) & (panel.open[then] < above[now])
        met = waits & (fell | (panel.high[then] >= above[now]))
        values[now] = np.where(met, np.where(fell, -1.0, 1.0), values[now])
        ends[now] = np.where(met, candle, ends[now])
    return Labels(values, ends)


def usual(panel: Panel) -> F64:
    """(instruments, times): the root mean square of the last returns; NaN if unknown or still."""
    size = np.full(panel.there.shape, np.nan)
    if panel.times > LOOKBACK:
        moves = np.diff(np.log(np.where(panel.there, panel.close, 1) * 1.0), axis=1)
        root = np.sqrt((sliding_window_view(moves, LOOKBACK, axis=1) ** 2).mean(axis=-1))
        known = sliding_window_view(panel.there, LOOKBACK + 1, axis=1).all(axis=-1)
        size[:, LOOKBACK:] = np.where(known & (root > 0), root, np.nan)
    return size


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


def _gone(there: Mask) -> I64:
    """(instruments, times): the first candle after each time that is not there."""
    times = np.arange(there.shape[1])
    gone = np.full((len(there), len(times) + 1), NEVER)
    gone[:, :-1] = np.where(there, NEVER, times)
    return np.minimum.accumulate(gone[:, ::-1], axis=1)[:, ::-1][:, 1:]


def _settled(unit: F64, gone: I64, horizon: int) -> I64:
    """The candle after which nothing more is waited for: at once where nothing is usual."""
    times = np.arange(unit.shape[1])
    return np.where(np.isnan(unit), times, np.minimum(gone, times + horizon))
