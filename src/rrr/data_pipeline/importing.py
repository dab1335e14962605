"""A stranger's file becomes candles of the house, each of them right, or is refused with its row.

First a file is `understood`: its format, its columns, its unit of time, whether its stamps are of
the opening or of the close, whose candles they are. A person reads that, and says what the file
leaves open (`asks`): nothing is guessed in silence. Then it is `imported`. Repeats that say the
same and rows without numbers are left out and counted; a contradiction is never settled here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np

from rrr.core.errors import DataError, UsageError
from rrr.core.market import Source
from rrr.data_pipeline.importing_arrow import PARQUET, is_arrow, read_arrow
from rrr.data_pipeline.importing_csv import BINANCE, KRAKEN, read_csv
from rrr.data_pipeline.importing_files import Unpacked, unpacked
from rrr.data_pipeline.importing_names import Named, named
from rrr.data_pipeline.importing_rows import Places, in_order, sane, taken
from rrr.data_pipeline.importing_sheet import Sheet
from rrr.data_pipeline.importing_stamps import (
    NO_MEANING,
    Meaning,
    Stamps,
    meaning,
    steps,
)
from rrr.data_pipeline.recorded import gaps
from rrr.data_pipeline.recorded_files import TIMEFRAMES, symbol_name, timeframe_ms, timeframe_name
from rrr.data_pipeline.recorded_rows import PRICES, Rows, utc
from rrr.data_pipeline.store_series import Series, Sources, decimals_of

__all__ = ["Said", "Understanding", "imported", "understood"]

_FORMATS: Final = {
    "binance": "Binance's public data, CSV",
    "kraken": "Kraken's archive, CSV",
    "cryptodatadownload": "CryptoDataDownload, CSV",
}
_CREATED: Final = re.compile(r"Created on (\d\d)-(\d\d)-(\d{4})")


@dataclass(frozen=True, slots=True)
class Said:
    """What a person says of a file; it outranks what the file seems to be."""

    venue: str | None = None
    symbol: str | None = None
    timeframe: str | None = None
    stamps: Stamps | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Understanding:
    format: str
    columns: dict[str, str]  # time, open, ... volume: as the file calls them
    time_unit: str
    stamps: Stamps | None
    timeframe_ms: int | None
    venue: str | None
    symbol: str | None
    rows: int  # that become candles
    first_ms: int  # opening times, once it is known what the stamps are
    last_ms: int
    notes: tuple[str, ...]
    asks: tuple[str, ...]  # what a person has to say before it can be imported
    candles: Rows = field(repr=False)
    sources: Sources = field(repr=False)
    origin: str

    def lines(self) -> list[tuple[str, str]]:
        """What was understood, for a person: a name and its words."""
        step = timeframe_name(self.timeframe_ms) if self.timeframe_ms else "not known"
        means = {"open": "of the opening", "close": "of the close", None: "not known"}
        renamed = [f"{ours} = {theirs}" for ours, theirs in self.columns.items() if ours != theirs]
        return [
            ("format", self.format),
            ("candles", f"{self.rows:,} of {step}, {utc(self.first_ms)} to {utc(self.last_ms)}"),
            ("instrument", f"{self.symbol or 'not known'} of {self.venue or 'not known'}"),
            ("stamps", f"{self.time_unit}, {means[self.stamps]}"),
            *([("columns", ", ".join(renamed))] if renamed else []),
            *(("note", note) for note in self.notes),
        ]


_NOTHING: Final = Said()


def understood(path: Path, said: Said = _NOTHING) -> Understanding:
    """Read a file whole and say what it is. Raise DataError at its first wrong row."""
    file = unpacked(path)
    name = named(path)
    if name == Named() and file.name != path.name:
        name = named(Path(file.name))
    symbol = symbol_name(said.symbol) if said.symbol else ""
    reader = read_arrow if is_arrow(file.content) else read_csv
    sheet = reader(file, symbol or name.symbol)
    _same_symbol(path, symbol, sheet.symbol)
    layout = _layout(sheet, name)
    sources = _sources(sheet)
    rows, kept = sane(sheet.rows)
    if not len(rows.places):
        raise DataError(f"{path} holds no candle.", "Download it again.")
    sheet = replace(sheet, rows=rows)

    step_ms = _step_ms(sheet, name, said)
    means = meaning(sheet, layout, step_ms, said.stamps) if step_ms else NO_MEANING
    if step_ms:
        rows, order = in_order(rows, step_ms, means.shift_ms)
        kept = kept[order]
    if step_ms and means.stamps is not None:
        rows, kept = _closed(file, sheet, rows, kept, step_ms)
    venue = said.venue or sheet.house.get("venue") or (name.venue if layout else "")
    if _doubtful_venue(layout, sheet, name) and not said.venue:
        venue = ""
    symbol = symbol or sheet.house.get("symbol") or sheet.symbol or name.symbol
    return Understanding(
        format=_format(file, layout),
        columns=dict(sheet.columns),
        time_unit=sheet.time_unit,
        stamps=means.stamps,
        timeframe_ms=step_ms,
        venue=venue or None,
        symbol=symbol or None,
        rows=len(rows.places),
        first_ms=int(rows.opened_at_ms.min()),
        last_ms=int(rows.opened_at_ms.max()),
        notes=(*rows.notes, *_notes(rows, step_ms, means, layout, venue)),
        asks=tuple(_asks(rows, step_ms, means, venue, symbol)),
        candles=rows,
        sources=sources[kept],
        origin=f"{path.name} {sha256(file.content).hexdigest()[:16]}",
    )


def imported(path: Path, understanding: Understanding) -> Series:
    """Its candles, once nothing is left to ask."""
    if understanding.asks:
        raise UsageError(f"{path} leaves open what it holds.", " ".join(understanding.asks))
    step_ms = understanding.timeframe_ms
    venue, symbol = understanding.venue, understanding.symbol
    assert step_ms and venue and symbol, "Nothing is left to ask."
    rows = understanding.candles
    return Series(
        venue,
        symbol,
        step_ms,
        ts=rows.opened_at_ms,
        **rows.values,
        source=understanding.sources,
        decimals=decimals_of([rows.values[name] for name in PRICES], rows.values["volume"]),
        origin=(understanding.origin,),
    )


def _layout(sheet: Sheet, name: Named) -> str:
    """Whose layout it is: the name may claim it, the columns have to agree."""
    names = tuple(sheet.cells)
    banner = "cryptodatadownload" in " ".join(sheet.above).lower()
    if sheet.house:
        return "house"
    if names == BINANCE and not sheet.stated:
        return "binance"
    if banner or (name.layout == "cryptodatadownload" and "symbol" in names):
        return "cryptodatadownload"
    agrees = {
        "binance": set(BINANCE[:7]) <= set(names),
        "kraken": names == KRAKEN and not sheet.stated,
        "freqtrade": not names and sheet.time_name == "date",
        "house": sheet.time_name in ("ts", "opened_at_ms"),
    }
    return name.layout if agrees.get(name.layout) else ""


def _step_ms(sheet: Sheet, name: Named, said: Said) -> int | None:
    """What the person or the name says, if the steps allow it; or what all steps agree upon."""
    usual, common = steps(sheet.rows.opened_at_ms)
    claimed = said.timeframe or sheet.house.get("timeframe") or name.timeframe
    if not claimed:
        known = set(TIMEFRAMES.values())
        clear = usual in known and (common == usual or common not in known)
        return usual if clear else None
    step_ms = timeframe_ms(claimed)
    # A thin market lacks most of its candles: only a person knows that it lacks every other one.
    if 0 < usual < step_ms or (common > step_ms and not said.timeframe):
        looks = timeframe_name(usual)
        raise DataError(
            f"{sheet.rows.path} looks like {looks} candles, the length of its usual step,"
            f" not {claimed}.",
            f"Say --timeframe {looks}." if looks in TIMEFRAMES else "Check what it holds.",
        )
    return step_ms


def _closed(
    file: Unpacked, sheet: Sheet, rows: Rows, kept: Places, step_ms: int
) -> tuple[Rows, Places]:
    """A last candle that was open when the file was written is none yet."""
    last = int(rows.opened_at_ms[-1])
    written = _created(sheet) or (file.written_ms, file.written_ms + 1)
    if len(kept) == 1 or not (last < written[1] and written[0] < last + step_ms):
        return rows, kept
    closed = "had not closed" if written[1] <= last + step_ms else "may not have closed"
    note = f"the last one, of {utc(last)}, {closed} when the file was written: left out"
    shorter = taken(rows, np.arange(len(kept) - 1))
    return replace(shorter, notes=(*rows.notes, note)), kept[:-1]


def _created(sheet: Sheet) -> tuple[int, int] | None:
    """The day of which CryptoDataDownload's banner says that the file was created."""
    match = _CREATED.search(" ".join(sheet.above))
    if match is None:
        return None
    month, day, year = map(int, match.groups())
    try:
        begin_ms = int(datetime(year, month, day, tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        return None
    return begin_ms, begin_ms + TIMEFRAMES["1d"]


def _doubtful_venue(layout: str, sheet: Sheet, name: Named) -> bool:
    """Binance's spot files have no header, those of its perpetuals do: the name is the same."""
    return layout == "binance" and sheet.stated and name.venue != "binanceusdm"


def _asks(
    rows: Rows, step_ms: int | None, means: Meaning, venue: str, symbol: str
) -> Iterator[str]:
    if not step_ms:
        yield "Say the length of its candles: --timeframe 1h."
    elif means.stamps is None:
        first, last = (utc(int(rows.opened_at_ms[at])) for at in (0, -1))
        yield (
            f"Say whether its stamps, {first} to {last}, are of the opening or of the close of a"
            " candle: --stamps open or --stamps close."
        )
    if not symbol:
        yield "Say what was traded: --symbol BTC-USD."
    if not venue:
        yield "Say where it was traded: --venue kraken."


def _notes(
    rows: Rows, step_ms: int | None, means: Meaning, layout: str, venue: str
) -> Iterator[str]:
    if means.stamps is not None:
        yield f"stamps of the {'opening' if means.stamps == 'open' else 'close'}: {means.why}"
    if layout == "binance" and venue == "binance":
        yield "Binance's spot market; a perpetual is --venue binanceusdm --symbol BTC-USDT-PERP"
    if step_ms:
        yield from gaps(rows.opened_at_ms, step_ms)


def _sources(sheet: Sheet) -> Sources:
    if sheet.sources is not None:
        return sheet.sources.astype(np.int8)
    return np.full(len(sheet.rows.places), int(Source.REPLAYED), np.int8)


def _format(file: Unpacked, layout: str) -> str:
    if is_arrow(file.content):
        kind = "Parquet" if file.content.startswith(PARQUET) else "Feather"
        return f"freqtrade's {kind.lower()}" if layout == "freqtrade" else kind
    return _FORMATS.get(layout, "CSV")


def _same_symbol(path: Path, said: str, own: str) -> None:
    if said and own and not f"{said}-".startswith(f"{own}-"):
        raise UsageError(f"{path} says that it holds {own}, not {said}.", "Check the symbol.")
