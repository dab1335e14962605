"""Columns have many names, and mean one thing each.

A sheet is what a file says before it is understood: rows of numbers, each with its place, and what
else may tell whose they are and what their stamps mean.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rrr.data_pipeline.recorded_rows import TIMES, Integers, Rows

CLOSES: Final = ("close_time", "closetime", "closed_at_ms", "time_close", "closed_at")
UNKNOWN: Final = "BASE-QUOTE"  # a symbol that names no column of volume

_ALIASES: Final = {
    **{"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume", "vol": "volume"},
    **{f"{name}_price": name for name in ("open", "high", "low", "close")},
    **{"t": "timestamp", "unix_timestamp": "unix", "unix_time": "unix", "epoch": "unix"},
    **{"opentime": "open_time", "time_open": "open_time", "gmt_time": "datetime"},
    **{"time_(utc)": "datetime", "date_(utc)": "date", "__index_level_0__": "datetime"},
}


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    rows: Rows  # stamps in milliseconds, whatever they are of
    columns: Mapping[str, str]  # time, open, ... volume: as the file calls them
    time_unit: str
    time_name: str  # in plain words
    cells: Mapping[str, Sequence[str]] = field(default_factory=dict)  # the first ones, as text
    above: tuple[str, ...] = ()  # lines before the header
    stated: bool = True  # whether the file names its columns
    days: bool = False  # whether its stamps are dates without a time
    symbol: str = ""  # in a column of its own
    house: Mapping[str, str] = field(default_factory=dict)  # what a file of ours says of itself
    sources: Integers | None = None  # of a file that knows where each of its candles came from


def plain_names(names: Sequence[str]) -> list[str]:
    """One spelling for what is meant.

    >>> plain_names(["Unix Timestamp", "<OPEN>", "High", "l", "c", "Vol", "Low"])
    ['unix', 'open', 'high', 'l', 'close', 'volume', 'low']
    """
    bare = [name.strip().strip("<>").lower().replace(" ", "_") for name in names]
    return [alias if (alias := _ALIASES.get(name, name)) not in bare else name for name in bare]


def with_a_time(plain: Sequence[str]) -> list[str]:
    """Closing times stand for the time where there is no other.

    >>> with_a_time(["close_time", "open"]), with_a_time(["open_time", "close_time"])
    (['time', 'open'], ['open_time', 'close_time'])
    """
    if set(TIMES) & set(plain):
        return list(plain)
    return ["time" if name in CLOSES else name for name in plain]
