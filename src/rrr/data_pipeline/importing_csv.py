"""A cell of somebody's CSV is the number it says, or its line and column are named.

Understood and noted: any of four separators, UTF-16, quotes, decimal commas, lines above the
header, no header where the columns are known (Binance's dumps, Kraken's archive), many names of
one column, dates. Plain files are read by Arrow at once; any other in chunks of lines.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from math import nan
from typing import Final, NamedTuple

import numpy as np

from rrr.core.errors import DataError
from rrr.data_pipeline.csv_cells import date_stamp, number_stamp, parsed, parses
from rrr.data_pipeline.importing_files import Unpacked
from rrr.data_pipeline.importing_names import together
from rrr.data_pipeline.importing_sheet import UNKNOWN, Sheet, plain_names, with_a_time
from rrr.data_pipeline.recorded_quick import Quick, read_quickly
from rrr.data_pipeline.recorded_rows import (
    PRICES,
    VALUES,
    Integers,
    Rows,
    columns,
    milliseconds,
    refusal,
)

BINANCE: Final = (
    *("open_time", *VALUES, "close_time", "quote_volume", "count"),
    *("taker_buy_volume", "taker_buy_quote_volume", "ignore"),
)
KRAKEN: Final = ("timestamp", *VALUES, "count")
_LAYOUTS: Final = {len(names): names for names in (BINANCE, KRAKEN, ("timestamp", *VALUES))}
_HEADER_WITHIN = 10  # lines: banners are short
_SAMPLE = 1000  # rows
_BEGIN = 1 << 20  # characters in which header and sample are looked for
_CHUNK = 4096
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_ZONED = re.compile(r":\d\d.*(Z|UTC|[+-]\d\d:?\d\d)$")
_HALF_DAY = re.compile(r"(\d{4}-\d{2}-\d{2}) (\d{2})-([AP])M")
_COMMA = re.compile(r"\d+,\d+")
_MICROSECONDS_FROM = 10**14


class _Head(NamedTuple):
    names: list[str]  # as they stand, or as they are known to be
    plain: list[str]
    skipped: int  # lines, the header included
    separator: str
    above: list[str]
    stated: bool  # whether the file has a header


def read_csv(file: Unpacked, symbol: str) -> Sheet:
    """The columns of candles; without a symbol, that which a column of the file names."""
    text, content, notes = _text(file)
    begin = text[:_BEGIN] if len(text) <= _BEGIN else text[:_BEGIN].rpartition("\n")[0]
    head = _head(file, begin)
    cells = _sample(begin, head)
    if head.separator == ";" and any(map(_COMMA.fullmatch, cells.get("open", ()))):
        text, content = text.replace(",", "."), content.replace(b",", b".")
        notes.append("decimal commas")
    if head.above:
        notes.append(f"skipped above the header: {'; '.join(head.above)}")
    if not head.stated:
        notes.append(f"no header: columns are taken as {', '.join(head.names)}")
    own = _symbol(file, cells)
    plain = with_a_time(head.plain)
    picked, _ = columns(file.path, plain, symbol or own or UNKNOWN)
    indices = {key: plain.index(name) for key, name in picked.items()}
    time_name = head.plain[indices["time"]]
    times = cells[time_name]

    table = read_quickly(content, head.separator, head.skipped, indices, len(head.names))
    if table is None:
        table = _read_slowly(file, text, head, indices)
    dated, stamps, unit = table.dated, table.stamps, "dates"
    if dated:
        if not _ZONED.search(times[0]):
            notes.append("dates are taken as UTC")
    else:
        if set(BINANCE[:7]) <= set(head.plain):
            stamps = _in_one_unit(stamps, notes)
        stamps, unit = milliseconds(file.path, "line", table.places, stamps)
    return Sheet(
        rows=Rows(file.path, "line", table.places, stamps, table.values, tuple(notes)),
        columns={key: head.names[index] for key, index in indices.items()},
        time_unit=unit,
        time_name=time_name,
        cells=cells,
        above=tuple(head.above),
        stated=head.stated,
        days=dated and all(map(_DAY.fullmatch, times)),
        symbol=own,
    )


def _text(file: Unpacked) -> tuple[str, bytes, list[str]]:
    content = file.content
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{file.path} is no text: {error}.", "Save it as UTF-8 CSV.") from error
    if "\0" in text:
        raise DataError(
            f"{file.path} is no text: it holds zeros.", "Give CSV, Parquet, Feather, zip or gzip."
        )
    if wide or content[:3] == b"\xef\xbb\xbf":
        content = text.encode()
    return text, content, ["text in UTF-16"] if wide else []


def _head(file: Unpacked, text: str) -> _Head:
    """What the columns are, on which line the candles begin, and what separates the cells."""
    above: list[str] = []
    for line in islice(io.StringIO(text, newline=""), _HEADER_WITHIN):
        separator = max(",;\t|", key=line.count)
        names = [name.strip() for name in next(csv.reader([line], delimiter=separator), [])]
        plain = plain_names(names)
        if set(PRICES) <= set(plain):
            return _Head(names, plain, len(above) + 1, separator, above, True)
        if len(names) in _LAYOUTS and all(map(_is_number, names[1:6])):
            known = list(_LAYOUTS[len(names)])
            return _Head(known, known, len(above), separator, above, False)
        above.append(line.strip())
    raise DataError(
        f"{file.path} has no header with open, high, low and close; "
        f"line 1 reads {above[0][:80]!r}.",
        "Name the columns in the first line: ts,open,high,low,close,volume.",
    )


def _sample(text: str, head: _Head) -> dict[str, list[str]]:
    """The first cells of each column, as they stand."""
    lines = islice(io.StringIO(text, newline=""), head.skipped, head.skipped + _SAMPLE)
    reader = csv.reader(lines, delimiter=head.separator)
    rows = [row for row in reader if len(row) == len(head.plain)]
    return {name: [row[i].strip() for row in rows] for i, name in enumerate(head.plain)}


def _symbol(file: Unpacked, cells: Mapping[str, Sequence[str]]) -> str:
    named = set(cells.get("symbol", ())) | set(cells.get("pair", ()))
    if len(named) > 1:
        raise DataError(
            f"{file.path} holds candles of {', '.join(sorted(named)[:4])}.",
            "Split it: a file holds one instrument.",
        )
    return together(named.pop()) if named else ""


def _in_one_unit(stamps: Integers, notes: list[str]) -> Integers:
    """Binance's dumps count microseconds from 2025 on, and people join their months."""
    fine = stamps >= _MICROSECONDS_FROM
    if fine.all() or not fine.any():
        return stamps
    notes.append("milliseconds, and microseconds in its later part: Binance changed in 2025")
    return np.where(fine, stamps // 1000, stamps)


def _read_slowly(file: Unpacked, text: str, head: _Head, indices: Mapping[str, int]) -> Quick:
    places: list[int] = []
    stamps: list[int] = []
    values: dict[str, list[float]] = {key: [] for key in VALUES}
    parse: Callable[[str], int] | None = None
    for lines, rows in _chunks(file, text, head):
        by_column = list(zip(*rows, strict=True))
        times = by_column[indices["time"]]
        if parse is None:
            parse = number_stamp if _is_number(times[0]) else _date_stamp
        stamps += parsed(file.path, lines, head.names[indices["time"]], times, parse, "time")
        for key, held in values.items():
            cells = by_column[indices[key]]
            held += parsed(file.path, lines, head.names[indices[key]], cells, _number, "number")
        places += lines
    if parse is None:
        raise DataError(f"{file.path} holds no candle, only a header.", "Download it again.")
    floats = {key: np.array(held, np.float64) for key, held in values.items()}
    return Quick(np.array(places), np.array(stamps, np.int64), parse is _date_stamp, floats)


def _chunks(file: Unpacked, text: str, head: _Head) -> Iterator[tuple[list[int], list[list[str]]]]:
    """Rows with the numbers of their lines; blank lines say nothing and are passed over."""
    source = io.StringIO(text, newline="")
    for _ in range(head.skipped):
        source.readline()
    reader = csv.reader(source, delimiter=head.separator, strict=True)
    lines: list[int] = []
    rows: list[list[str]] = []
    try:
        for row in reader:
            if not row:
                continue
            lines.append(head.skipped + reader.line_num)
            rows.append(row)
            if len(row) != len(head.names):
                raise refusal(
                    file.path,
                    f"line {lines[-1]}",
                    f"it has {len(row)} cells, not {len(head.names)} as it should",
                )
            if len(rows) == _CHUNK:
                yield lines, rows
                lines, rows = [], []
    except csv.Error as error:
        place = f"line {head.skipped + reader.line_num}"
        raise refusal(file.path, place, str(error)) from error
    if rows:
        yield lines, rows


def _is_number(cell: str) -> bool:
    return parses(cell, _number) and cell.strip() != ""


def _number(cell: str) -> float:
    """Nothing is written in many ways; whether there may be nothing is not decided here."""
    return float(cell) if cell.strip() else nan


def _date_stamp(cell: str) -> int:
    """ISO, as nearly everybody writes it, or CryptoDataDownload's `2020-07-01 03-PM`."""
    text = cell.strip().removesuffix(" UTC")
    if match := _HALF_DAY.fullmatch(text):
        hour = int(match[2]) % 12 + 12 * (match[3] == "P")
        text = f"{match[1]} {hour:02}:00"
    return date_stamp(text)
