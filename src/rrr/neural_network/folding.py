"""What is judged on a test was learned before it, and calibrated between: rows of three parts.

Rows are those of `features`: row j is the time j + WINDOW - 1. No two spans of labels of two parts
share a candle, and `horizon` candles more lie between them. A twin learns from the same rows, whose
labels were shuffled in blocks of time: what is left of its skill is luck and leaks.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from rrr.core.errors import ModelBroken

from .features import STEPS, WINDOW
from .labels import F64, LOOKBACK, Spans, Split, embargo, returns
from .panel import Panel
from .splits import FIRST, Rows, stretches, walk_forward

HELD_OUT: Final = 0.30  # of all tests, the last: the gate's holdout, that nobody else looks at
BLOCK_MIN: Final = 64  # rows that keep their order in a twin's labels, …
BLOCK_HORIZONS: Final = 4  # … and at least so many horizons, …
BLOCKS_MIN: Final = 8  # … but no fewer blocks than these


class Parts(NamedTuple):
    training: range
    validation: range
    test: range

    @property
    def split(self) -> Split:
        return Split(self.training, self.validation)


def rows_of(panel: Panel, horizon: int) -> range:
    """Those that see whole windows and whose labels may be known."""
    return range(STEPS - 1, max(panel.times - WINDOW + 1 - horizon, STEPS - 1))


def parted(panel: Panel, horizon: int, folds: int) -> tuple[Parts, ...]:
    """Walk-forward over all rows; ModelBroken where a part would be left without one."""
    rows = rows_of(panel, horizon)
    spans = returns(panel, (horizon,)).spans()
    times = slice(rows.start + WINDOW - 1, rows.stop + WINDOW - 1)
    walked = walk_forward(Spans(spans.begins[times], spans.ends[times]), horizon, folds)

    def piece(numbers: Rows) -> range:
        """Up to the first that was left out: only the end of a part is near to a judge."""
        first = stretches(numbers)[0]
        return range(rows.start + first.start, rows.start + first.stop)

    return tuple(
        Parts(piece(each.training), piece(each.validation), piece(each.test)) for each in walked
    )


def shown(folds: Sequence[Parts]) -> int:
    """How many of the first tests end before the holdout; the first may always be seen.

    >>> fold = [Parts(range(1), range(1), range(n, n + 100)) for n in range(0, 800, 100)]
    >>> shown(fold)
    5
    """
    first, last = folds[0].test.start, folds[-1].test.stop
    begins = last - (last - first) * HELD_OUT
    return max(sum(parts.test.stop <= begins for parts in folds), 1)


def halves(rows: range, horizon: int) -> tuple[range, range]:
    """The first to calibrate by, the second to judge that; apart as all parts are.

    >>> halves(range(0, 200), 4)
    (range(0, 82), range(118, 200))
    """
    least = embargo(horizon)
    gap = min(least, len(rows) // 3)  # of a short history they are not as far apart
    half = (len(rows) - gap) // 2
    return rows[:half], rows[len(rows) - half :]


def early(training: range, horizon: int) -> Split:
    """The last of the rows that teach tell when to stop."""
    last = len(training) // 5
    inner = training[: max(len(training) - last - embargo(horizon), 0)]
    if len(inner) < LOOKBACK or not last:
        raise ModelBroken(
            f"Of {len(training):,} rows that teach, none can be spared to tell when to stop.",
            "Set train.patience_epochs to 0, or give it a longer history.",
        )
    return Split(inner, training[len(training) - last :])


def shuffled(y: F64, rows: range, horizon: int, seed: int) -> F64:
    """As y (instruments, rows of features), in these rows with blocks of labels elsewhere.

    Where no label was known none is, so that a twin has no lesson more.
    """
    block = min(max(BLOCK_MIN, BLOCK_HORIZONS * horizon), max(len(rows) // BLOCKS_MIN, 1))
    taken = deranged(np.arange(rows.start, rows.stop), block, seed)
    twin = y.copy()
    twin[:, rows.start : rows.stop] = np.where(
        np.isnan(y[:, rows.start : rows.stop]), np.nan, y[:, taken]
    )
    return twin


def deranged(numbers: Rows, block: int, seed: int) -> Rows:
    """The same numbers, whose blocks are all elsewhere where there are two or more.

    >>> deranged(np.arange(6), 2, 1).tolist()
    [4, 5, 0, 1, 2, 3]
    """
    pieces = np.array_split(numbers, max(len(numbers) // block, 1))
    dice, still = np.random.default_rng(seed), np.arange(len(pieces))
    order = still
    while len(pieces) > 1 and (order == still).any():
        order = dice.permutation(len(pieces))
    moved: Rows = np.concatenate([pieces[number] for number in order])
    return moved


def candles_needed(horizon: int, folds: int, rows_min: int) -> int:
    """So many rows in the first training and its validation, and all tests as long as a part."""
    part = -(-(rows_min + 3 * (embargo(horizon) + horizon)) // FIRST)
    return WINDOW + STEPS - 2 + horizon + part * (FIRST + folds)
