"""A candle stands in the column of its opening time, or makes part of one of a longer timeframe.

Nothing is filled: a column without a candle stays a hole, and a longer candle is made of what there
is. Prices keep their points; volumes are added up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rrr.core.errors import DataError, UsageError
from rrr.data_pipeline.instruments import Whole
from rrr.data_pipeline.recorded import utc
from rrr.data_pipeline.recorded_files import timeframe_name
from rrr.neural_network.panel import I64, NUMBERS, Mask, Panel

PLACES_MAX: Final = 1 << 27  # of candles: 41 bytes each, 5.5 GB

_VOLUME_END: Final = float(1 << 63)


@dataclass(frozen=True, slots=True)
class Columns:
    """A market's candles on their grid, and what was noticed on the way."""

    panel: Panel
    source: I64
    bid: I64
    ask: I64
    begins: int
    title: str
    notes: tuple[str, ...] = ()


def gridded(columns: Sequence[Whole], begins_ms: int, ends_ms: int, step_ms: int) -> Panel:
    """What opens from `begins_ms` on and before `ends_ms`; both are on the grid."""
    panel = holes(len(columns), begins_ms, ends_ms, step_ms)
    for row, one in enumerate(columns):
        kept = within(one, begins_ms, ends_ms)
        if not len(kept.opened_at_ms):
            continue
        at = (kept.opened_at_ms - begins_ms) // step_ms
        first, last = int(at[0]), int(at[-1])
        dense = last - first + 1 == len(at)
        places = slice(first, last + 1) if dense else at
        for name in NUMBERS:
            getattr(panel, name)[row, places] = getattr(kept, name)
        panel.there[row, places] = True
    return panel


def holes(instruments: int, begins_ms: int, ends_ms: int, step_ms: int) -> Panel:
    """A grid without a candle. Raise UsageError where no memory should be asked for it."""
    times = -(-(ends_ms - begins_ms) // step_ms)
    if instruments * times > PLACES_MAX:
        raise UsageError(
            f"{times:,} closing times of {instruments} instruments, {utc(begins_ms)} to "
            f"{utc(ends_ms)}, are more than the {PLACES_MAX:,} candles that a history has room"
            " for.",
            "Shorten it with --from and --to, choose a longer --timeframe or fewer --symbols.",
        )
    numbers: dict[str, Any] = {name: np.zeros((instruments, times), np.int64) for name in NUMBERS}
    return Panel(
        **numbers,
        there=np.zeros((instruments, times), np.bool_),
        opened_at_ms=begins_ms + step_ms * np.arange(times, dtype=np.int64),
        timeframe_ms=step_ms,
    )


def within(one: Whole, begins_ms: int, ends_ms: int) -> Whole:
    """The candles of a span, without a copy."""
    first, end = np.searchsorted(one.opened_at_ms, (begins_ms, ends_ms))
    return replace(
        one, **{name: getattr(one, name)[first:end] for name in ("opened_at_ms", *NUMBERS)}
    )


def resampled(one: Whole, step_ms: int) -> tuple[Whole, I64]:
    """Candles of a longer timeframe, and of how many each is made."""
    if not len(one.opened_at_ms):
        return one, one.opened_at_ms
    place = one.opened_at_ms // step_ms
    firsts = np.flatnonzero(np.diff(place, prepend=place[0] - 1))
    parts = np.diff(firsts, append=len(place))
    opened_at_ms = place[firsts] * step_ms
    _volume_fits(one, opened_at_ms, firsts, step_ms)
    made = Whole(
        one.spec,
        opened_at_ms,
        open=one.open[firsts],
        high=np.maximum.reduceat(one.high, firsts),
        low=np.minimum.reduceat(one.low, firsts),
        close=one.close[firsts + parts - 1],
        volume=np.add.reduceat(one.volume, firsts),
    )
    return made, parts


def counted(mask: Mask, opened_at_ms: I64, total: int) -> str:
    """How many candles of so many, and which is the first of them.

    >>> counted(np.array([False, True, True]), np.array([0, 60_000, 120_000]), 3)
    '2 of 3 candles (the first: 1970-01-01 00:01 UTC)'
    """
    first = utc(int(opened_at_ms[int(mask.argmax())]))
    return f"{np.count_nonzero(mask):,} of {total:,} candles (the first: {first})"


def repeated(number: int, panel: Panel) -> I64:
    """One number for every candle, in the memory of one."""
    return np.broadcast_to(np.int64(number), panel.there.shape)


def _volume_fits(one: Whole, opened_at_ms: I64, firsts: NDArray[np.intp], step_ms: int) -> None:
    volume = np.add.reduceat(one.volume.astype(np.float64), firsts)
    most = int(volume.argmax())
    if volume[most] >= _VOLUME_END:
        raise DataError(
            f"The volume of {one.spec.symbol} in the {timeframe_name(step_ms)} from "
            f"{utc(int(opened_at_ms[most]))} does not fit into 64 bits.",
            "Choose a shorter --timeframe.",
        )
