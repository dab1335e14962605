"""A recorded candle is right, or it is refused with its line.

What enters is a file that `find` named; what leaves are closed candles in their order, on the grid
of their timeframe, with the digest of the file's bytes. Gaps stay gaps and are told in `notes`,
as is everything that had to be understood: newest first, units, names of columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import numpy as np

from rrr.core.errors import DataError, NotFound
from rrr.data_pipeline.recorded_csv import read_csv
from rrr.data_pipeline.recorded_files import (
    TIMEFRAMES,
    Found,
    find,
    grid_begin_ms,
    partitions,
    timeframe_ms,
    timeframe_name,
)
from rrr.data_pipeline.recorded_parquet import read_parquet
from rrr.data_pipeline.recorded_rows import (
    CORRECT,
    PRICES,
    VALUES,
    Floats,
    Integers,
    Rows,
    first,
    utc,
    within_reason,
)

__all__ = [
    "TIMEFRAMES",
    "Found",
    "Recorded",
    "find",
    "gaps",
    "read",
    "timeframe_ms",
    "usual_step_ms",
    "utc",
]

_ORDERED = (
    ("high", "open"),
    ("high", "close"),
    ("high", "low"),
    ("open", "low"),
    ("close", "low"),
)
_USUAL = 0.1  # a thin market may lack most of its candles; below this it is another timeframe


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    found: Found
    opened_at_ms: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    sha256: str
    notes: tuple[str, ...]


def read(found: Found) -> Recorded:
    """Believe a file's candles, all of them, or raise what is wrong with the first bad one."""
    digest, parts = sha256(), list[Rows]()
    for path in _paths(found):
        content = _content(path)
        digest.update(content)
        parts.append(_believed(_rows(path, content, found.symbol)))
    rows = _joined(found, parts)
    _usual(rows, found.timeframe_ms)
    for part in parts:
        _on_grid(part, found.timeframe_ms)
    notes = (*rows.notes, *gaps(rows.opened_at_ms, found.timeframe_ms))
    for array in (rows.opened_at_ms, *rows.values.values()):
        array.flags.writeable = False
    return Recorded(found, rows.opened_at_ms, **rows.values, sha256=digest.hexdigest(), notes=notes)


def gaps(stamps: Integers, step_ms: int) -> tuple[str, ...]:
    """What is missing between the first and the last, in words.

    >>> gaps(np.array([0, 1, 4, 6]) * 60_000, 60_000)
    ('2 gaps, 3 candles missing, the first after 1970-01-01 00:01 UTC',)
    """
    absent = np.diff(stamps) // step_ms - 1
    begins = np.flatnonzero(absent)
    if not len(begins):
        return ()
    gaps, candles = len(begins), int(absent.sum())
    return (
        f"{gaps} gap{'s' * (gaps > 1)}, {candles} candle{'s' * (candles > 1)} missing, "
        f"the first after {utc(int(stamps[begins[0]]))}",
    )


def usual_step_ms(found: Found) -> int:
    """How far apart its candles usually open, whatever was asked for."""
    parts = [_rows(path, _content(path), found.symbol).opened_at_ms for path in _paths(found)]
    stamps = np.concatenate(parts)
    return int(np.median(np.abs(np.diff(stamps)))) if len(stamps) > 1 else found.timeframe_ms


def _paths(found: Found) -> list[Path]:
    return partitions(found.path) or [found.path]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFound(
            f"{path} cannot be read: {error.strerror}.", "Check the path and its permissions."
        ) from error


def _rows(path: Path, content: bytes, symbol: str) -> Rows:
    parquet = path.suffix == ".parquet" or content[:4] == b"PAR1"
    return (read_parquet if parquet else read_csv)(path, content, symbol)


def _believed(rows: Rows) -> Rows:
    _sane(rows)
    within_reason(rows)
    rows = _oldest_first(rows)
    _increasing(rows)
    return rows


def _joined(found: Found, parts: Sequence[Rows]) -> Rows:
    """Partitions as one file: each begins after the one before has ended."""
    if len(parts) == 1:
        return parts[0]
    for one, other in pairwise(parts):
        if one.opened_at_ms[-1] >= other.opened_at_ms[0]:
            raise DataError(
                f"{other.path} begins on {utc(int(other.opened_at_ms[0]))}, which is inside"
                f" {one.path.name}.",
                "Remove one of the two, then download or import its candles again.",
            )
    notes = dict.fromkeys(note for part in parts for note in part.notes)
    return Rows(
        found.path,
        "row",
        np.concatenate([part.places for part in parts]),
        np.concatenate([part.opened_at_ms for part in parts]),
        {name: np.concatenate([part.values[name] for part in parts]) for name in VALUES},
        tuple(notes),
    )


def _sane(rows: Rows) -> None:
    for name in VALUES:
        value = rows.values[name]
        for mask, wrong in (
            (~np.isfinite(value), "which is no number"),
            (value <= 0 if name in PRICES else value < 0, "which no market has"),
        ):
            index = first(mask)
            if index is not None:
                raise rows.refusal(index, f"{name} is {value[index]:.15g}, {wrong}")
    for upper, lower in _ORDERED:
        above, below = rows.values[upper], rows.values[lower]
        index = first(above < below)
        if index is not None:
            raise rows.refusal(
                index, f"{upper} {above[index]:.15g} is below {lower} {below[index]:.15g}"
            )


def _oldest_first(rows: Rows) -> Rows:
    """Newest first is as clear as oldest first, if most steps go that way: the rest is checked."""
    steps = np.diff(rows.opened_at_ms)
    if np.count_nonzero(steps < 0) <= np.count_nonzero(steps > 0):
        return rows
    return Rows(
        rows.path,
        rows.word,
        rows.places[::-1],
        np.ascontiguousarray(rows.opened_at_ms[::-1]),
        {name: np.ascontiguousarray(value[::-1]) for name, value in rows.values.items()},
        (*rows.notes, "newest first: read backwards"),
    )


def _increasing(rows: Rows) -> None:
    stamps = rows.opened_at_ms
    index = first(np.diff(stamps) <= 0) if len(stamps) > 1 else None
    if index is None:
        return
    late = index + 1
    stamp = utc(int(stamps[late]))
    same = first(stamps[:late] == stamps[late])
    if same is None:
        raise rows.refusal(
            late, f"{stamp} is out of order beside {rows.at(index)}, {utc(int(stamps[index]))}"
        )
    here, there = sorted((same, late), key=lambda row: int(rows.places[row]))
    differing = [
        f"{name} {value[here]:.15g} or {value[there]:.15g}"
        for name, value in rows.values.items()
        if value[here] != value[there]
    ]
    if differing:
        raise rows.refusal(
            there, f"it contradicts {rows.at(here)} of the same {stamp}: {', '.join(differing)}"
        )
    raise rows.refusal(there, f"it repeats {rows.at(here)}, the candle of {stamp}")


def _on_grid(rows: Rows, step_ms: int) -> None:
    stamps = rows.opened_at_ms
    index = first((stamps - grid_begin_ms(step_ms)) % step_ms != 0)
    if index is not None:
        beyond = int((stamps[index] - grid_begin_ms(step_ms)) % step_ms) / 1000
        raise rows.refusal(
            index,
            f"{utc(int(stamps[index]))} is {beyond:g} seconds off the grid of"
            f" {timeframe_name(step_ms)}",
        )


def _usual(rows: Rows, step_ms: int) -> None:
    """Candles of another timeframe may all lie on the grid, or all but lie on it."""
    steps = np.diff(rows.opened_at_ms)
    usual = int(np.median(steps)) if len(steps) else step_ms
    if usual != step_ms and np.count_nonzero(steps == step_ms) < _USUAL * len(steps):
        looks = timeframe_name(usual)
        raise DataError(
            f"{rows.path} looks like {looks} candles, the length of its usual step, not"
            f" {timeframe_name(step_ms)}.",
            f"Ask for --timeframe {looks}." if looks in TIMEFRAMES else CORRECT,
        )
