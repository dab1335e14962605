"""A model is believed while the world is the one it learned, in what goes in and in its losses.

What goes in: PSI = Σ (q−p) ln(q÷p) over the bins between the deciles of a feature in training, p of
them there, q of late. Features remember, so that a quiet month differs from the years around it
and nothing has changed: the alarm is above 0.25 *and* above what any stretch of the training, as
long, showed.

Losses: ADWIN (Bifet and Gavaldà, 2007): a window as long as its mean has not changed. Its losses
are kept as an exponential histogram, at most five buckets of each power of two; where two parts of
it differ by more than ε = √(2/m · σ² · ln(2/δ')) + 2/(3m) · ln(2/δ'), with 1/m = 1/n₀ + 1/n₁ and
δ' = δ ÷ ln n, the oldest buckets go. Losses lie between 0 and 1, the ε of the paper asks for it.
"""

from math import isfinite, log, nan
from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np

from .labels import CUT, F64

PSI_MAX: Final = 0.25
LATELY: Final = 336  # times of a look at what goes in: two weeks of hours
LATELY_MAX: Final = 1_000
ROWS_MIN: Final = 200  # fewer differ from anything by chance
SHARE_MIN: Final = 1e-4  # an empty bin is this full
DECILES: Final = np.arange(1, 10) / 10
SIDES: Final[tuple[Literal["left", "right"], ...]] = ("left", "right")

DELTA: Final = 0.002
BUCKETS: Final = 5  # of one size
CLOCK: Final = 32  # losses between two looks


class Usual(NamedTuple):
    """How a feature was distributed in training."""

    edges: tuple[float, ...]  # its deciles
    shares: tuple[float, ...]  # bin, edge, bin, …: where deciles fall together, the edge is a bin
    psi_max: float  # beyond it something has changed


class Change(NamedTuple):
    dropped: int  # losses
    before: float  # their mean
    after: float  # that of the losses that are left

    @property
    def worse(self) -> bool:
        return self.after > self.before


class Bucket(NamedTuple):
    total: float
    spread: float  # sum of squares about the mean


Rows: TypeAlias = tuple[tuple[Bucket, ...], ...]  # row k: buckets of 2^k losses, the oldest first


class Window(NamedTuple):
    met: int = 0  # losses, all that ever were
    rows: Rows = ()

    @property
    def losses(self) -> int:
        return sum(len(row) << k for k, row in enumerate(self.rows))


def usual(values: F64, times: int) -> Usual | None:
    """Of one feature in training (instruments, times), for looks at the last so many `times`.

    None where too little is known.
    """
    known = values[np.isfinite(values)]
    if len(known) < ROWS_MIN:
        return None
    edges = np.quantile(known, DECILES)
    learned = Usual(tuple(edges.tolist()), tuple(_shares(edges, known).tolist()), PSI_MAX)
    starts = range(0, values.shape[1] - times + 1, max(times // 2, 1))
    shown = [psi(learned, values[:, start : start + times]) or 0.0 for start in starts]
    return learned._replace(psi_max=max([PSI_MAX, *shown]))


def psi(learned: Usual, values: F64) -> float | None:
    """How far lately known values (any shape) are from training; None of fewer than `ROWS_MIN`."""
    known = values[np.isfinite(values)]
    if len(known) < ROWS_MIN:
        return None
    p = np.maximum(learned.shares, SHARE_MIN)
    q = np.maximum(_shares(np.array(learned.edges), known), SHARE_MIN)
    return float(((q - p) * np.log(q / p)).sum())


def meet(window: Window, loss: float) -> tuple[Window, Change | None]:
    """The window with one loss more, and what changed; NaN changes nothing."""
    if not isfinite(loss):
        return window, None
    assert 0 <= loss <= 1
    met, rows = window.met + 1, _pushed(window.rows, Bucket(loss, 0.0), 1)
    if met % CLOCK:
        return Window(met, rows), None
    kept = rows
    while _differs(kept):
        kept = (*kept[:-1], kept[-1][1:]) if len(kept[-1]) > 1 else kept[:-1]
    window = Window(met, kept)
    return window, None if kept is rows else _change(rows, kept)


def miss(mean: float, outcome: float) -> float:
    """A loss for `meet`: how far the outcome was, of at most `CUT`; NaN where it is not known."""
    return min(abs(outcome - mean), CUT) / CUT if isfinite(outcome - mean) else nan


def _shares(edges: F64, known: F64) -> F64:
    """(2 · edges + 1,)"""
    below, to = (np.searchsorted(edges, known, side) for side in SIDES)
    place = np.where(to - below > 1, below + to, 2 * below)
    return np.bincount(place, minlength=2 * len(edges) + 1) / len(known)


def _pushed(rows: Rows, new: Bucket, size: int) -> Rows:
    """One bucket of this size more; of too many the two oldest become one of the next size."""
    row = (*rows[0], new) if rows else (new,)
    if len(row) <= BUCKETS:
        return (row, *rows[1:])
    old, older = row[1], row[0]
    spread = old.spread + older.spread + (old.total - older.total) ** 2 / (2 * size)
    return (row[2:], *_pushed(rows[1:], Bucket(old.total + older.total, spread), 2 * size))


def _differs(rows: Rows) -> bool:
    """Whether some cut leaves two parts whose means are too far apart."""
    sizes, totals, spreads = _columns(rows)
    if len(sizes) < 2:
        return False
    n, total = sizes.sum(), totals.sum()
    n0, total0 = np.cumsum(sizes)[:-1], np.cumsum(totals)[:-1]
    n1 = n - n0
    variance = (spreads.sum() + (sizes * (totals / sizes - total / n) ** 2).sum()) / n
    doubt, thin = log(2 * log(n) / DELTA), 1 / n0 + 1 / n1
    epsilon = np.sqrt(2 * thin * variance * doubt) + 2 / 3 * thin * doubt
    apart = np.abs(total0 / n0 - (total - total0) / n1)
    return bool((apart > epsilon).any())


def _change(rows: Rows, kept: Rows) -> Change:
    (sizes, totals, _), (left, remain, _) = _columns(rows), _columns(kept)
    dropped = sizes.sum() - left.sum()
    before = (totals.sum() - remain.sum()) / dropped
    return Change(int(dropped), float(before), float(remain.sum() / left.sum()))


def _columns(rows: Rows) -> F64:
    """Size, total and spread of each bucket, the oldest first: (3, buckets)"""
    sized = list(enumerate(rows))[::-1]
    return np.array([(1 << k, *bucket) for k, row in sized for bucket in row]).T
