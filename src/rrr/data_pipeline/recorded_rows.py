"""What a file says, before it is believed: columns of numbers, each row with its place.

Both readers, of parquet and of CSV, end here. Which column is the time and which the volume is
decided by name alone; the unit of a stamp by its size, and one file has one unit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rrr.core.errors import DataError
from rrr.data_pipeline.recorded_files import symbol_parts

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

PRICES = ("open", "high", "low", "close")
VALUES = (*PRICES, "volume")
# The surest first: a number has no time zone, a date may.
TIMES = ("opened_at_ms", "open_time", "ts", "timestamp", "unix", "datetime", "date", "time")
CORRECT = "Correct that line or download the file again: a doubtful candle is never used."

_UNITS = ("seconds", "milliseconds", "microseconds", "nanoseconds")
_FIRST_OF = np.array([10**11, 10**14, 10**17])  # stamps of a unit, from the year 1973 on
_BEGIN_MS, _END_MS = 1_230_768_000_000, 4_102_444_800_000  # 2009, the first coin, and 2100


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    path: Path
    word: str  # what a place is called: line or row
    places: Integers
    opened_at_ms: Integers
    values: dict[str, Floats]
    notes: tuple[str, ...]

    def at(self, index: int) -> str:
        return f"{self.word} {self.places[index]}"

    def refusal(self, index: int, what: str) -> DataError:
        return refusal(self.path, self.at(index), what)


def refusal(path: Path, place: str, what: str) -> DataError:
    return DataError(f"{path}, {place}: {what}.", CORRECT)


def columns(path: Path, names: Sequence[str], symbol: str) -> tuple[dict[str, str], list[str]]:
    """Which column is which, and what a person should know about the choice."""
    plain = [name.strip().lower().replace(" ", "_") for name in names]
    missing = [name for name in PRICES if name not in plain]
    times = [name for name in TIMES if name in plain]
    volume = _volume(path, plain, symbol)
    if not times:
        missing.append(f"time ({', '.join(TIMES)})")
    if not volume:
        missing.append("volume")
    if missing:
        raise DataError(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(names)}.",
            "A file of candles has a time, open, high, low, close and volume.",
        )
    chosen = {"time": times[0], "volume": volume, **{name: name for name in PRICES}}
    twice = [name for name in chosen.values() if plain.count(name) > 1]
    if twice:
        raise DataError(f"{path} has the column {twice[0]} twice.", "Leave one of them.")
    picked = {key: names[plain.index(name)] for key, name in chosen.items()}
    notes = []
    if times[0] not in ("ts", "opened_at_ms"):
        notes.append(f"time from column {picked['time']!r}")
    if volume != "volume":
        notes.append(f"volume from column {picked['volume']!r}")
    return picked, notes


def _volume(path: Path, plain: Sequence[str], symbol: str) -> str:
    """The volume in the base coin; what may be in the quote's is never taken for it."""
    base, quote = (part.lower() for part in symbol_parts(symbol))
    held = {name: name.replace("(", "").replace(")", "") for name in plain if "volume" in name}
    for name, bare in held.items():
        if bare in (f"volume_{base}", "volume_base", "base_volume"):
            return name
    foreign = (f"volume_{quote}", "volume_currency", "quote_volume", "volume_quote")
    others = [name for name, bare in held.items() if bare.startswith("volume_")]
    named = [name for name in others if held[name] not in foreign]
    if "volume" in plain and not named:
        return "volume"
    if others:
        raise DataError(
            f"{path} has the columns {', '.join(held)}, none of them clearly the volume in "
            f"{base.upper()}.",
            "Check the symbol, or name the volume of the base coin 'volume'.",
        )
    return ""


def milliseconds(path: Path, word: str, places: Integers, stamps: Integers) -> tuple[Integers, str]:
    """Stamps of one unit as milliseconds, and the name of the unit."""
    units = np.searchsorted(_FIRST_OF, stamps, side="right")
    odd = first(units != units[0])
    if odd is not None:
        raise refusal(
            path,
            f"{word} {places[odd]}",
            f"the time {stamps[odd]} is in {_UNITS[units[odd]]}, "
            f"those before it are in {_UNITS[units[0]]}",
        )
    if units[0] == 0:
        return stamps * 1000, _UNITS[0]
    per_ms = 1000 ** (int(units[0]) - 1)
    split = first(stamps % per_ms != 0)
    if split is not None:
        raise refusal(
            path, f"{word} {places[split]}", f"the time {stamps[split]} is no whole millisecond"
        )
    return stamps // per_ms, _UNITS[units[0]]


def within_reason(rows: Rows) -> None:
    """A stamp of 1970 is a date or a unit misread; no market is that old."""
    odd = first((rows.opened_at_ms < _BEGIN_MS) | (rows.opened_at_ms >= _END_MS))
    if odd is not None:
        raise rows.refusal(
            odd, f"its time reads as {utc(int(rows.opened_at_ms[odd]))}, outside 2009 to 2099"
        )


def first(mask: NDArray[np.bool_]) -> int | None:
    """
    >>> first(np.array([False, True, True])), first(np.array([False]))
    (1, None)
    """
    index = int(mask.argmax())
    return index if mask[index] else None


def utc(at_ms: int) -> str:
    """
    >>> utc(1_515_655_500_000)
    '2018-01-11 07:25 UTC'
    """
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
