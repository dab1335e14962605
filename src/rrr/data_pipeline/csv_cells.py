"""The cells of one column are the values that they say, or the line of the first that is none."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

from rrr.data_pipeline.recorded_rows import refusal

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_STAMP_END: Final = 1 << 63

T = TypeVar("T")


def parsed(
    path: Path,
    lines: Sequence[int],
    name: str,
    cells: Sequence[str],
    parse: Callable[[str], T],
    noun: str,
) -> list[T]:
    """Raise DataError for a cell that is no such thing."""
    if "_" not in "".join(cells):  # Python reads 1_000 as a number, nobody else does
        with suppress(ValueError):
            return [parse(cell) for cell in cells]
    for line, cell in zip(lines, cells, strict=True):
        if "_" in cell or not parses(cell, parse):
            raise refusal(path, f"line {line}, column {name!r}", f"{cell!r} is no {noun}")
    raise AssertionError("What fails together fails alone.")


def parses(cell: str, parse: Callable[[str], object]) -> bool:
    try:
        parse(cell)
    except ValueError:
        return False
    return True


def number_stamp(cell: str) -> int:
    """Whole, of whatever unit."""
    stamp = int(cell) if cell.isdecimal() else float(cell)
    if not (-_STAMP_END < stamp < _STAMP_END and stamp == int(stamp)):
        raise ValueError(cell)
    return int(stamp)


def date_stamp(cell: str) -> int:
    """UTC milliseconds of an ISO date; UTC unless it says otherwise."""
    moment = datetime.fromisoformat(cell.strip())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MILLISECOND
