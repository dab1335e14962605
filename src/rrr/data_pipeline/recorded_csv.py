"""Every cell of a CSV is the number it says, or its line and column are named.

Understood and noted: gzip, UTF-16 with its mark, CRLF, a banner above the header, other names of
columns, stamps in seconds to nanoseconds, ISO dates (UTC unless they say otherwise). A plain file
is read quickly (`recorded_quick`); any other is taken in chunks: half a million lines never stand
in memory as Python strings.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np

from rrr.core.errors import DataError
from rrr.data_pipeline.csv_cells import date_stamp, number_stamp, parsed, parses
from rrr.data_pipeline.recorded_quick import Quick, read_quickly
from rrr.data_pipeline.recorded_rows import (
    PRICES,
    VALUES,
    Floats,
    Integers,
    Rows,
    columns,
    milliseconds,
    refusal,
)

_HEADER_WITHIN = 5  # lines: banners are short
_CHUNK = 1_024  # rows: small enough to stay in the processor's cache

Chunks: TypeAlias = Iterator[tuple[list[int], list[list[str]]]]


def read_csv(path: Path, content: bytes, symbol: str) -> Rows:
    try:
        return _read(path, content, symbol)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is no whole gzip file: {error}.", "Download it again.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text: {error}.", "Save it as UTF-8 CSV.") from error


def _read(path: Path, content: bytes, symbol: str) -> Rows:
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    text, notes = _text(content)
    header, skipped, separator = _header(path, text, notes)
    picked, chosen = columns(path, header, symbol)
    indices = {key: header.index(name) for key, name in picked.items()}

    table = read_quickly(content, separator, skipped, indices, len(header))
    if table is None:
        table = _read_slowly(
            path, _chunks(path, text, separator, skipped, len(header)), picked, indices
        )
    stamps = table.stamps
    if table.dated:
        notes.append("dates are taken as UTC")
    else:
        stamps, unit = milliseconds(path, "line", table.places, stamps)
        notes += [f"time in {unit}"] if unit != "milliseconds" else []
    return Rows(path, "line", table.places, stamps, table.values, (*notes, *chosen))


def _read_slowly(
    path: Path, chunks: Chunks, picked: Mapping[str, str], indices: Mapping[str, int]
) -> Quick:
    places: list[int] = []
    stamps: list[Integers] = []
    values: dict[str, list[Floats]] = {key: [] for key in VALUES}
    parse: Callable[[str], int] | None = None
    for lines, rows in chunks:
        by_column = list(zip(*rows, strict=True))
        cells = by_column[indices["time"]]
        if parse is None:
            plain = "_" not in cells[0] and parses(cells[0], float)
            parse = number_stamp if plain else date_stamp
        times = parsed(path, lines, picked["time"], cells, parse, "time")
        stamps.append(np.array(times, np.int64))
        for key, held in values.items():
            cells = by_column[indices[key]]
            numbers = parsed(path, lines, picked[key], cells, float, "number")
            held.append(np.array(numbers, np.float64))
        places.extend(lines)
    if parse is None:
        raise DataError(f"{path} holds no candle, only a header.", "Download it again.")
    floats = {key: np.concatenate(held) for key, held in values.items()}
    return Quick(np.array(places), np.concatenate(stamps), parse is date_stamp, floats)


def _text(content: bytes) -> tuple[io.TextIOWrapper, list[str]]:
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    encoding = "utf-16" if wide else "utf-8-sig"
    text = io.TextIOWrapper(io.BytesIO(content), encoding=encoding, newline="")
    return text, ["text in UTF-16"] if wide else []


def _header(path: Path, text: io.TextIOWrapper, notes: list[str]) -> tuple[list[str], int, str]:
    """The names of the columns, on which line they stand, and what separates them."""
    above: list[str] = []
    for line in islice(iter(text.readline, ""), _HEADER_WITHIN):
        separator = max(",;\t", key=line.count)
        names = [name.strip() for name in next(csv.reader([line], delimiter=separator), [])]
        if set(PRICES) <= {name.lower() for name in names}:
            if line.endswith("\r\n"):
                notes.append("lines end with CRLF")
            if above:
                notes.append(f"skipped above the header: {'; '.join(above)}")
            return names, len(above) + 1, separator
        above.append(line.strip())
    if not above:
        raise DataError(f"{path} is empty.", "Download it again.")
    raise DataError(
        f"{path} has no header with open, high, low and close; line 1 reads {above[0][:80]!r}.",
        "Name the columns in the first line: ts,open,high,low,close,volume.",
    )


def _chunks(path: Path, text: io.TextIOWrapper, separator: str, skipped: int, width: int) -> Chunks:
    """Rows with the numbers of their lines; blank lines say nothing and are passed over."""
    reader = csv.reader(text, delimiter=separator, strict=True)
    lines: list[int] = []
    rows: list[list[str]] = []
    try:
        for row in reader:
            if not row:
                continue
            if len(row) != width:
                raise refusal(
                    path,
                    f"line {skipped + reader.line_num}",
                    f"it has {len(row)} cells, the header names {width}",
                )
            lines.append(skipped + reader.line_num)
            rows.append(row)
            if len(rows) == _CHUNK:
                yield lines, rows
                lines, rows = [], []
    except csv.Error as error:
        raise refusal(path, f"line {skipped + reader.line_num}", str(error)) from error
    if rows:
        yield lines, rows
