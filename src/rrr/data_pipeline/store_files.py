"""A partition is the old file or the new one, whole, whatever happens in between.

One Parquet file of a month (below an hour) or a year of candles. It is made in memory, written
under a hidden name beside its place, synced, and takes its name. Each page carries a checksum, and
the four bytes before the footer are that of the footer (the format allows a gap there), so that a
flipped bit is a refusal and not a price. LZ4 and delta encoding are what reads fastest among what
halves the bytes; every Parquet reader knows them.
"""

import errno
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import msgspec
import numpy as np

from rrr.core.errors import DataError, NotFound, StorageFailed
from rrr.data_pipeline.recorded_files import TIMEFRAMES, timeframe_name
from rrr.data_pipeline.recorded_rows import VALUES, Integers
from rrr.data_pipeline.store_series import COLUMNS, Decimals, Series
from rrr.home import synced

SCHEMA: Final = 1
ORIGINS_MAX: Final = 16  # the first of them; a daily download is one origin, not many

_MONTHLY: Final = re.compile(r"\d{4}-(0[1-9]|1[0-2])\.parquet")
_YEARLY: Final = re.compile(r"\d{4}\.parquet")
_ABOUT: Final = b"rrr"
_TAIL: Final = 8  # bytes
_CHECKSUM: Final = 4  # bytes
_LEFT_OVER: Final = ".*.tmp"
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class About(msgspec.Struct, frozen=True):
    """What a partition says of its candles, as JSON in its metadata under the key `rrr`."""

    schema: int
    venue: str
    symbol: str
    timeframe: str
    decimals: Decimals
    origin: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """What a partition says of itself without being read."""

    path: Path
    first_ms: int
    last_ms: int
    candles: int
    bytes: int


def labels(stamps: Integers, step_ms: int) -> list[tuple[str, slice]]:
    """The partitions that these stamps, which rise, belong to, and which of them to which.

    >>> labels(np.array([0, 60_000, 2_678_400_000]), 60_000)
    [('1970-01', slice(0, 2, None)), ('1970-02', slice(2, 3, None))]
    """
    unit = "M" if step_ms < TIMEFRAMES["1h"] else "Y"
    spans = stamps.astype("datetime64[ms]").astype(f"datetime64[{unit}]")
    firsts = np.flatnonzero(np.diff(spans.astype(np.int64), prepend=np.iinfo(np.int64).min))
    ends = np.append(firsts[1:], len(stamps))
    return [(str(spans[b]), slice(int(b), int(e))) for b, e in zip(firsts, ends, strict=True)]


def files(folder: Path, step_ms: int) -> list[Path]:
    """Its partitions, the oldest first. Raise DataError at a file that cannot be one of them."""
    try:
        there = sorted(path for path in folder.iterdir() if path.suffix == ".parquet")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(folder, error) from error
    pattern = _MONTHLY if step_ms < TIMEFRAMES["1h"] else _YEARLY
    for path in there:
        if not path.name.startswith(".") and not pattern.fullmatch(path.name):
            raise DataError(
                f"{path} is no partition of {timeframe_name(step_ms)} candles.",
                "Take it out of the store; `rrr data import` brings its candles in.",
            )
    return [path for path in there if pattern.fullmatch(path.name)]


def part(path: Path) -> Part:
    """The figures in the footer."""
    with _opened(path) as (file, _):
        about = file.metadata
        column = about.schema.names.index("ts")
        groups = [about.row_group(g).column(column).statistics for g in range(about.num_row_groups)]
        return Part(path, groups[0].min, groups[-1].max, about.num_rows, path.stat().st_size)


def read(path: Path, venue: str, symbol: str, step_ms: int) -> Series:
    """A partition as it was written. Raise DataError where it is another series or damaged."""
    with _opened(path) as (file, about):
        said = (about.venue, about.symbol, about.timeframe)
        if said != (venue, symbol, timeframe_name(step_ms)):
            raise DataError(
                f"{path} holds {' '.join(said)}: it lies in another's folder.",
                "Put it back where it belongs, or take it out of the store.",
            )
        table = file.read(columns=list(COLUMNS))
        columns = {name: _column(table, name) for name in COLUMNS}
    if [label for label, _ in labels(columns["ts"][[0, -1]], step_ms)] != [path.stem]:
        raise DataError(
            f"{path} holds candles that are not of {path.stem}.",
            "Give it the name of its span, or take it out of the store.",
        )
    return Series(
        venue,
        symbol,
        step_ms,
        **columns,
        decimals=about.decimals,
        origin=about.origin,
    )


def write(folder: Path, label: str, series: Series) -> None:
    """Put the partition in its place. The caller holds the folder."""
    put(folder, f"{label}.parquet", _parquet(series))


def put(folder: Path, name: str, content: bytes) -> None:
    """A file of a folder that the caller holds: this one or the one before, whole."""
    place, made = folder / name, folder / f".{name}.tmp"
    with stored(place):
        try:
            with made.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            made.rename(place)
        finally:
            made.unlink(missing_ok=True)
        synced(folder)


@contextmanager
def locked(root: Path, folder: Path) -> Iterator[None]:
    """Nobody else writes into the folder; what a killed writer left there is cleared away."""
    with stored(folder):
        _make(root, folder)
        descriptor = os.open(folder, os.O_RDONLY)
    try:
        with stored(folder):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            for left in folder.glob(_LEFT_OVER):
                left.unlink()
        yield
    finally:
        os.close(descriptor)


@contextmanager
def stored(path: Path) -> Iterator[None]:
    """Say what the system says, in the words of the error tree."""
    try:
        yield
    except OSError as error:
        advice = (
            "Free some space, then do it again: what was stored stays whole."
            if error.errno in _FULL
            else "Check the drive and who may write there, then do it again."
        )
        raise StorageFailed(f"{path} cannot be written: {error.strerror}.", advice) from error


def _parquet(series: Series) -> bytes:
    import pyarrow as arrow
    from pyarrow import parquet

    about = About(
        SCHEMA,
        series.venue,
        series.symbol,
        timeframe_name(series.timeframe_ms),
        series.decimals,
        series.origin[:ORIGINS_MAX],
    )
    table = arrow.table({name: getattr(series, name) for name in COLUMNS})
    sink = arrow.BufferOutputStream()
    parquet.write_table(
        table.replace_schema_metadata({_ABOUT: msgspec.json.encode(about)}),
        sink,
        compression="lz4",
        use_dictionary=["source"],
        column_encoding={"ts": "DELTA_BINARY_PACKED", **dict.fromkeys(VALUES, "PLAIN")},
        write_statistics=["ts"],
        write_page_checksum=True,
    )
    content: bytes = sink.getvalue().to_pybytes()
    footer = content[-_footer_bytes(content[-_TAIL:]) :]
    return content[: -len(footer)] + _checksum(footer) + footer


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, About]]:
    import pyarrow as arrow
    from pyarrow.parquet import ParquetFile

    try:
        with (
            arrow.memory_map(str(path)) as content,
            ParquetFile(content, page_checksum_verification=True) as file,
        ):
            yield file, _about(path, file, content)
    except FileNotFoundError as error:
        raise NotFound(f"{path} is gone.", "Run it again: somebody changed the store.") from error
    except (arrow.ArrowException, msgspec.MsgspecError, OSError, KeyError, ValueError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise DataError(
            f"{path} is no whole partition: {reason}.",
            "Remove it, then download or import its candles again.",
        ) from error


def _about(path: Path, file: Any, content: Any) -> About:
    text = (file.schema_arrow.metadata or {}).get(_ABOUT)
    if text is None:
        raise DataError(
            f"{path} was not written by rrr.",
            "Take it out of the store; `rrr data import` brings its candles in.",
        )
    content.seek(-_TAIL, os.SEEK_END)
    length = _footer_bytes(content.read(_TAIL))
    content.seek(-length - _CHECKSUM, os.SEEK_END)
    if content.read(_CHECKSUM) != _checksum(content.read(length)):
        raise ValueError("its footer is not as rrr wrote it")
    about = msgspec.json.decode(text, type=About)
    if about.schema != SCHEMA:
        raise DataError(
            f"{path} has the schema {about.schema}, this version of rrr knows {SCHEMA}.",
            "Use the version that wrote it.",
        )
    return about


def _footer_bytes(tail: bytes) -> int:
    """Footer, its length in four bytes, and the magic word."""
    return int.from_bytes(tail[:4], "little") + _TAIL


def _checksum(footer: bytes) -> bytes:
    return crc32(footer).to_bytes(_CHECKSUM, "little")


def _column(table: Any, name: str) -> Any:
    return np.from_dlpack(table.column(name).combine_chunks())


def _make(root: Path, folder: Path) -> None:
    """The folders from the root down to this one, each of them durable in the one above."""
    root.mkdir(parents=True, exist_ok=True)
    for path in reversed([folder, *folder.parents]):
        if path.is_relative_to(root) and path != root and not path.is_dir():
            path.mkdir(exist_ok=True)
            synced(path.parent)


def _unreadable(path: Path, error: OSError) -> NotFound:
    return NotFound(f"{path} cannot be read: {error.strerror}.", "Check its permissions.")
