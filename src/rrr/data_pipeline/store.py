"""A candle that was stored stays as it was, unless somebody asks for the correction and counts it.

Histories lie under `<venue>/<SYMBOL>/<timeframe>/` in partitions (`store_files`), so that appending
a day rewrites one small file. Several processes may append and read at once: writers of one series
wait for each other, readers see each partition whole, the old one or the new one.
"""

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from rrr.core.errors import DataError, NotFound, UsageError
from rrr.data_pipeline import store_files
from rrr.data_pipeline.recorded_files import (
    TIMEFRAMES,
    symbol_name,
    timeframe_ms,
    timeframe_name,
)
from rrr.data_pipeline.recorded_rows import VALUES, utc
from rrr.data_pipeline.store_series import (
    COLUMNS,
    END_MS,
    Decimals,
    Series,
    Span,
    decimals_of,
    missing,
    sound,
)

__all__ = [
    "Appended",
    "Decimals",
    "Held",
    "Name",
    "Series",
    "Span",
    "Store",
    "decimals_of",
    "sound",
]

CHANGED_MAX: Final = 64  # corrections that are named; all are counted

_VENUE: Final = re.compile(r"[a-z0-9][a-z0-9._-]*")


class Appended(NamedTuple):
    """How many candles were new, already there, and there with other figures."""

    new: int
    same: int
    changed: int
    changed_at_ms: tuple[int, ...] = ()  # the first of them, by opening time


class Name(NamedTuple):
    """Which series of the store."""

    venue: str
    symbol: str
    timeframe: str

    def __str__(self) -> str:
        return "/".join(self)


class Held(NamedTuple):
    """One series of the store."""

    venue: str
    symbol: str
    timeframe: str
    first_ms: int
    last_ms: int
    candles: int
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Store:
    root: Path

    def append(self, series: Series, *, replace: bool = False) -> Appended:
        """Keep what is new; of what is held, the old figures, or with `replace` the new ones."""
        folder = self._folder(series.venue, series.symbol, series.timeframe_ms)
        sound(series)
        if not len(series):
            return Appended(0, 0, 0)
        new, same, changed = 0, 0, list[int]()
        with store_files.locked(self.root, folder):
            there = {path.stem for path in store_files.files(folder, series.timeframe_ms)}
            for label, places in store_files.labels(series.ts, series.timeframe_ms):
                given = series.taken(places)
                path = folder / f"{label}.parquet"
                old = _part(path, series) if label in there else None
                merged, told = _merged(old, given, replace)
                new, same = new + told.new, same + told.same
                changed += told.changed_at_ms
                if told.new or (told.changed and replace):
                    store_files.write(folder, label, merged)
        return Appended(new, same, len(changed), tuple(changed[:CHANGED_MAX]))

    def read(
        self,
        venue: str,
        symbol: str,
        timeframe: str,
        begin: int | None = None,
        end: int | None = None,
    ) -> Series:
        """What opens from `begin` on and before `end` (UTC ms), in columns nobody can change."""
        step_ms, symbol = timeframe_ms(timeframe), symbol_name(symbol)
        paths = store_files.files(self._folder(venue, symbol, step_ms), step_ms)
        if not paths:
            raise self._unknown(venue, symbol, timeframe)
        first, last = _label(begin or 0, step_ms), _label(END_MS if end is None else end, step_ms)
        inside = [path for path in paths if first <= path.stem <= last] or paths[:1]
        parts = [store_files.read(path, venue, symbol, step_ms) for path in inside]
        for path, (one, other) in zip(inside, pairwise(parts), strict=False):
            if one.ts[-1] >= other.ts[0]:
                raise DataError(
                    f"{path} goes on until {utc(int(one.ts[-1]))}, where the next one begins"
                    " earlier.",
                    "Remove one of the two, then download or import its candles again.",
                )
        series = _joined(parts).between(begin, end)
        for name in COLUMNS:
            getattr(series, name).flags.writeable = False
        return series

    def series(self) -> list[Held]:
        """Everything that is held, by venue, symbol and timeframe."""
        return [self.held(name) for name in self.names()]

    def held(self, name: Name) -> Held:
        """What its footers say. Raise DataError where one is damaged."""
        paths = store_files.files(self.folder(name), timeframe_ms(name.timeframe))
        parts = [store_files.part(path) for path in paths]
        if not parts:
            raise self._unknown(*name)
        return Held(
            *name,
            parts[0].first_ms,
            parts[-1].last_ms,
            candles=sum(one.candles for one in parts),
            files=len(parts),
            bytes=sum(one.bytes for one in parts),
        )

    def names(self) -> list[Name]:
        """Every series in order, damaged or not; nothing of them is read."""
        order = {name: at for at, name in enumerate(TIMEFRAMES)}
        found = [
            Name(*path.parts[-3:])
            for path in self.root.glob("*/*/*")
            if path.name in order and path.is_dir() and any(path.glob("[!.]*.parquet"))
        ]
        return sorted(found, key=lambda one: (one.venue, one.symbol, order[one.timeframe]))

    def folder(self, name: Name) -> Path:
        return self.root.joinpath(*name)

    def holes(
        self,
        venue: str,
        symbol: str,
        timeframe: str,
        begin: int | None = None,
        end: int | None = None,
    ) -> tuple[Span, ...]:
        """What is not held of this span; without one, between the first and the last candle."""
        step_ms, symbol = timeframe_ms(timeframe), symbol_name(symbol)
        if not store_files.files(self._folder(venue, symbol, step_ms), step_ms):
            if begin is None or end is None:
                raise self._unknown(venue, symbol, timeframe)
            return missing(np.zeros(0, np.int64), step_ms, begin, end)
        ts = self.read(venue, symbol, timeframe, begin, end).ts
        if len(ts):
            begin = int(ts[0]) if begin is None else begin
            end = int(ts[-1]) + step_ms if end is None else end
        return () if begin is None or end is None else missing(ts, step_ms, begin, end)

    def _folder(self, venue: str, symbol: str, step_ms: int) -> Path:
        if not _VENUE.fullmatch(venue):
            raise UsageError(f"{venue!r} is no name of a venue.", "Write one such as kraken.")
        if symbol_name(symbol) != symbol:
            raise UsageError(f"{symbol!r} is no symbol.", f"Write {symbol_name(symbol)}.")
        name = timeframe_name(step_ms)
        if name not in TIMEFRAMES:
            raise UsageError(f"{name} is no timeframe.", f"Known: {', '.join(TIMEFRAMES)}.")
        return self.root / venue / symbol / name

    def _unknown(self, venue: str, symbol: str, timeframe: str) -> NotFound:
        from difflib import get_close_matches

        asked = f"{venue} {symbol} {timeframe}"
        known = [" ".join(name) for name in self.names()]
        near = get_close_matches(asked, known, n=3, cutoff=0.5)
        advice = (
            f"Nearest: {', '.join(near)}."
            if near
            else "`rrr data list` says what it holds."
            if known
            else "Get it with `rrr data download` or `rrr data import`."
        )
        return NotFound(f"{self.root} holds no {asked}.", advice)


def _label(at_ms: int, step_ms: int) -> str:
    at = min(max(at_ms, 0), END_MS)
    return store_files.labels(np.array([at]), step_ms)[0][0]


def _part(path: Path, series: Series) -> Series:
    return store_files.read(path, series.venue, series.symbol, series.timeframe_ms)


def _merged(old: Series | None, given: Series, replace: bool) -> tuple[Series, Appended]:
    """Both as one, and what became of the given candles."""
    if old is None:
        return given, Appended(len(given), 0, 0)
    at = np.minimum(np.searchsorted(old.ts, given.ts), len(old) - 1)
    known = old.ts[at] == given.ts
    unlike = np.zeros(len(given), np.bool_)
    for name in VALUES:
        unlike |= getattr(old, name)[at] != getattr(given, name)
    unlike &= known
    changed = given.ts[unlike].tolist()
    told = Appended(int((~known).sum()), int((known & ~unlike).sum()), len(changed), tuple(changed))
    kept = np.ones(len(old), np.bool_)
    added = ~known
    if replace:
        kept[at[unlike]] = False
        added |= unlike
    both = _joined([old.taken(kept), given.taken(added)])
    return both.taken(np.argsort(both.ts, kind="stable")), told


def _joined(parts: Sequence[Series]) -> Series:
    """One after the other."""
    if len(parts) == 1:
        return parts[0]
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(one, name) for one in parts]) for name in COLUMNS
    }
    origin = tuple(dict.fromkeys(each for one in parts for each in one.origin))
    decimals = reduce(Decimals.widest, (one.decimals for one in parts))
    return dataclasses.replace(parts[0], **columns, decimals=decimals, origin=origin)
