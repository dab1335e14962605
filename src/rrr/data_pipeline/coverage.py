"""One look says which candles are there: a full block is whole, and nothing rounds up to it.

A cell is a UTC day or a month. `·` is a cell without a candle between the first and the last that
there is, a blank lies outside. A time that the venue confirms to be without trades lacks nothing.
Weeks, and months of days, count the candles that open in the cell.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from rrr.data_pipeline.recorded_files import TIMEFRAMES, grid_begin_ms
from rrr.data_pipeline.recorded_rows import Floats, Integers
from rrr.data_pipeline.store_series import Series, off_grid, silences

DAYS_MAX: Final = 92  # a longer history is drawn in months
OUTSIDE: Final = -1.0

_DAY_MS: Final = TIMEFRAMES["1d"]
_NONE: Final = "·"
_BLOCKS: Final = "▁▂▃▄▅▆▇"
_WHOLE: Final = "█"
_MONTHS: Final = "JFMAMJJASOND"


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """`shares` are of cells from `first` on: days, or months since 1970; OUTSIDE is no share."""

    name: str
    unit: str  # D or M
    first: int
    shares: Floats
    candles: int  # with those that nobody traded
    expected: int


def coverage(
    series: Series, unit: str | None = None, silent: Iterable[tuple[int, int]] = ()
) -> Coverage:
    """Which share of each day or month is known, each candle counted once and on its grid."""
    step_ms = series.timeframe_ms
    stamps = np.unique(series.ts[~off_grid(series.ts, step_ms)])
    if not len(stamps):
        return Coverage(series.name, unit or "D", 0, np.zeros(0), 0, 0)
    stamps = np.union1d(stamps, silences(stamps, step_ms, silent))
    begin, end = int(stamps[0]), int(stamps[-1]) + step_ms
    if unit is None:
        unit = "D" if end - begin <= DAYS_MAX * _DAY_MS and step_ms < _DAY_MS else "M"
    phase = grid_begin_ms(step_ms)
    cells = _cells(stamps, unit)
    first, last = int(cells[0]), int(cells[-1])
    edges = _begins(np.arange(first, last + 2), unit)
    edges[0], edges[-1] = begin, end
    opens = -(-(edges - phase) // step_ms)
    expected = np.diff(opens)
    there = np.bincount(cells - first, minlength=len(expected))
    shares = np.where(expected > 0, there / np.maximum(expected, 1), OUTSIDE)
    return Coverage(series.name, unit, first, shares, len(stamps), int(expected.sum()))


def picture(shown: Coverage) -> list[str]:
    """For a terminal: a line a year of months, or a line a month of days."""
    head = f"{shown.name}: {percent(shown)} of {shown.expected:,} candles"
    if not len(shown.shares):
        return [head]
    years = shown.unit == "M"
    scale = " ".join(_MONTHS) if years else "".join(f"{day % 10}" for day in range(1, 32))
    return [head, f"{'':9}{scale}", *(f"{label:9}{line}" for label, line in _lines(shown, years))]


def percent(shown: Coverage) -> str:
    """
    >>> percent(Coverage("", "D", 0, np.zeros(0), 99_999, 100_000))
    '99.99 %'
    """
    hundredths = 10_000 * shown.candles // max(shown.expected, 1)
    return f"{hundredths // 100}.{hundredths % 100:02d} %"


def block(share: float) -> str:
    """
    >>> "".join(map(block, (OUTSIDE, 0.0, 0.001, 0.5, 0.999, 1.0)))
    ' ·▁▄▇█'
    """
    if share == OUTSIDE:
        return " "
    if share in (0.0, 1.0):
        return _WHOLE if share else _NONE
    return _BLOCKS[int(share * len(_BLOCKS))]


def labels(shown: Coverage) -> list[str]:
    """The names of its cells: 2024-03, or 2024-03-01."""
    cells = np.arange(shown.first, shown.first + len(shown.shares))
    return [str(cell) for cell in cells.astype(f"datetime64[{shown.unit}]")]


def _lines(shown: Coverage, years: bool) -> Iterator[tuple[str, str]]:
    rows: dict[str, list[str]] = {}
    for name, share in zip(labels(shown), shown.shares.tolist(), strict=True):
        label, place = name.rsplit("-", 1)
        row = rows.setdefault(label, [" "] * (12 if years else 31))
        row[int(place) - 1] = block(share)
    for label, row in rows.items():
        yield label, (" " if years else "").join(row).rstrip()


def _cells(stamps: Integers, unit: str) -> Integers:
    cells: Integers = stamps.astype("datetime64[ms]").astype(f"datetime64[{unit}]").astype(np.int64)
    return cells


def _begins(cells: Integers, unit: str) -> Integers:
    begins: Integers = cells.astype(f"datetime64[{unit}]").astype("datetime64[ms]").astype(np.int64)
    return begins
