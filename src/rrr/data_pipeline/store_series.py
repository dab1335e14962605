"""Candles of one instrument and timeframe stand in columns, and say where each came from.

A series may be anything that somebody read; `sound` is the door to the store: beyond it stamps rise
on their grid, prices are positive, and no candle contradicts itself. Floats are the nearest ones to
the decimals of their source, and `decimals` says how many those are.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rrr.core.errors import DataError
from rrr.data_pipeline.recorded_files import grid_begin_ms, timeframe_name
from rrr.data_pipeline.recorded_rows import PRICES, VALUES, Floats, Integers, first, utc

Sources = NDArray[np.int8]

COLUMNS: Final = ("ts", *VALUES, "source")
ORDERED: Final = (
    ("high", "low"),
    ("high", "open"),
    ("high", "close"),
    ("open", "low"),
    ("close", "low"),
)
BEGIN_MS: Final = 1_230_768_000_000  # 2009, the first coin
END_MS: Final = 4_102_444_800_000  # 2100
VALUE_END: Final = float(1 << 63)  # beyond it no integer of the house counts
DECIMALS_MAX: Final = 15  # beyond them a float says nothing
_EXACT: Final = 1 << 53
_NOISE: Final = 4 * float(np.finfo(np.float64).eps)
_AGAIN: Final = "Correct it where it came from: a doubtful candle is never kept."


class Decimals(NamedTuple):
    """How many places the source wrote behind the point."""

    price: int
    volume: int

    def widest(self, other: "Decimals") -> "Decimals":
        return Decimals(max(self.price, other.price), max(self.volume, other.volume))


class Span(NamedTuple):
    """From one opening time on and before another, and how many candles that is."""

    begin_ms: int
    end_ms: int
    candles: int


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """`ts` is when it opened, `source` a `core.market.Source`, `origin` who gave the candles."""

    venue: str
    symbol: str
    timeframe_ms: int
    ts: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    source: Sources
    decimals: Decimals
    origin: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ts)

    @property
    def name(self) -> str:
        return f"{self.venue} {self.symbol} {timeframe_name(self.timeframe_ms)}"

    def taken(self, places: slice | NDArray[np.intp] | NDArray[np.bool_]) -> "Series":
        """Some of its candles."""
        return replace(self, **{name: getattr(self, name)[places] for name in COLUMNS})

    def between(self, begin_ms: int | None, end_ms: int | None) -> "Series":
        """What opens from `begin_ms` on and before `end_ms`; its stamps rise."""
        begin = 0 if begin_ms is None else int(np.searchsorted(self.ts, begin_ms))
        end = len(self) if end_ms is None else int(np.searchsorted(self.ts, end_ms))
        return self.taken(slice(begin, max(begin, end)))


def sound(series: Series) -> Series:
    """The series itself. Raise DataError at its first candle that no store may hold."""
    lengths = {name: len(getattr(series, name)) for name in COLUMNS}
    assert len(set(lengths.values())) == 1, f"Columns of one length, not {lengths}."
    for mask, wrong in (
        (np.diff(series.ts, prepend=series.ts[:1] - 1) <= 0, "it does not follow the one before"),
        ((series.ts < BEGIN_MS) | (series.ts >= END_MS), "it lies outside 2009 to 2099"),
        (off_grid(series.ts, series.timeframe_ms), "it opens off the grid of its timeframe"),
        *impossible(series),
    ):
        index = first(mask) if len(series) else None
        if index is not None:
            raise DataError(
                f"{series.name}, the candle of {utc(int(series.ts[index]))}: {wrong}.", _AGAIN
            )
    return series


def impossible(series: Series) -> Iterable[tuple[NDArray[np.bool_], str]]:
    """What no market does, and which candles say that it did."""
    for name in VALUES:
        value: Floats = getattr(series, name)
        yield ~np.isfinite(value), f"its {name} is no number"
        least = "not positive" if name in PRICES else "negative"
        yield (value <= 0 if name in PRICES else value < 0), f"its {name} is {least}"
        yield value >= VALUE_END, f"its {name} is beyond 64 bits"
    for upper, lower in ORDERED:
        yield getattr(series, upper) < getattr(series, lower), f"its {upper} is below its {lower}"


def off_grid(stamps: Integers, step_ms: int) -> NDArray[np.bool_]:
    """
    >>> off_grid(np.array([0, 60_000, 60_001]), 60_000).tolist()
    [False, False, True]
    """
    beyond: NDArray[np.bool_] = (stamps - grid_begin_ms(step_ms)) % step_ms != 0
    return beyond


def missing(stamps: Integers, step_ms: int, begin_ms: int, end_ms: int) -> tuple[Span, ...]:
    """What the stamps, which rise on the grid, do not cover of what opens in this span.

    >>> missing(np.array([60_000, 240_000]), 60_000, 0, 300_000)
    (Span(begin_ms=0, end_ms=60000, candles=1), Span(begin_ms=120000, end_ms=240000, candles=2))
    """
    phase = grid_begin_ms(step_ms)
    begin_ms += -(begin_ms - phase) % step_ms
    end_ms += -(end_ms - phase) % step_ms
    inside = stamps[(stamps >= begin_ms) & (stamps < end_ms)]
    edges = np.concatenate(([begin_ms - step_ms], inside, [end_ms]))
    gaps = np.flatnonzero(np.diff(edges) > step_ms)
    begins, ends = (edges[gaps] + step_ms).tolist(), edges[gaps + 1].tolist()
    return tuple(Span(b, e, (e - b) // step_ms) for b, e in zip(begins, ends, strict=True))


def silences(stamps: Integers, step_ms: int, silent: Iterable[tuple[int, int]]) -> Integers:
    """When candles would have opened that a venue confirms nobody traded: between the stamps.

    >>> silences(np.array([0, 60_000, 240_000]), 60_000, [(60_000, 180_000), (240_000, 900_000)])
    array([120000])
    """
    phase = grid_begin_ms(step_ms)
    first, last = (int(stamps.min()), int(stamps.max())) if len(stamps) else (0, 0)
    inside = ((max(begin, first), min(end, last)) for begin, end in silent)
    times = [np.arange(b + -(b - phase) % step_ms, e, step_ms) for b, e in inside if b < e]
    return np.setdiff1d(np.concatenate([np.zeros(0, np.int64), *times]), stamps)


def rounded(values: Floats, decimals: int) -> Floats:
    """The floats nearest to these decimals: what sums of decimals have lost comes back.

    >>> rounded(np.array([0.1 + 0.2]), 1).tolist()
    [0.3]
    """
    with np.errstate(over="ignore"):
        steps = np.rint(values * 10.0**decimals)
    exact = np.abs(steps) < _EXACT
    return np.where(exact, steps / 10.0**decimals, values)


def decimals_of(prices: Iterable[Floats], volume: Floats) -> Decimals:
    """How many places these floats use, within their noise: for whoever has lost their text.

    >>> decimals_of([np.array([0.1 + 0.2, 42283.58])], np.array([7.0]))
    Decimals(price=2, volume=0)
    """
    return Decimals(max(map(_places, prices)), _places(volume))


def _places(values: Floats) -> int:
    left = values[np.isfinite(values)]
    for decimals in range(DECIMALS_MAX):
        left = left[np.abs(rounded(left, decimals) - left) > _NOISE * left]
        if not len(left):
            return decimals
    return DECIMALS_MAX
