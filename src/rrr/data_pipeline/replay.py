"""Recorded candles come back as they came: one closing time, one event, nothing filled.

Instruments stand in the order of their symbols, whatever order they were asked in.
"""

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rrr.core.errors import DataError, UsageError
from rrr.core.events import Close
from rrr.core.market import INSTRUMENTS_MAX, Candle, Source
from rrr.data_pipeline.instruments import (
    Known,
    Whole,
    decimal_text,
    spec_for,
    symbol_parts,
    whole,
)
from rrr.data_pipeline.market import Arrival, Quoted
from rrr.data_pipeline.recorded import read
from rrr.data_pipeline.recorded_files import Found, find
from rrr.data_pipeline.recorded_files import timeframe_ms as milliseconds

CHUNK = 4_096
READERS_MAX = 4  # files at once: each stands in memory whole, as bytes and as floats

PERPETUAL: Final = "-PERP"  # how such symbols end


@dataclass(frozen=True, slots=True)
class Origin:
    """What is kept of a file when its candles are whole numbers."""

    found: Found
    sha256: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """A market: columns of integers on one clock."""

    columns: Sequence[Whole]
    recorded: Sequence[Origin]
    times: NDArray[np.int64]  # opening times that any instrument has, ascending
    earlier: NDArray[np.int64]  # those before them
    timeframe_ms: int

    name = "replay"
    synthetic = False

    @property
    def title(self) -> str:
        return f"replay of {len(self.times):,} closing times"

    @property
    def instruments(self) -> tuple[Quoted, ...]:
        pairs = zip(self.columns, self.recorded, strict=True)
        return tuple(Quoted(one.spec, file.sha256, notes(one, file)) for one, file in pairs)

    @property
    def opens_ms(self) -> int:
        return self.begins_ms

    @property
    def begins_ms(self) -> int:
        return int(self.times[0])

    @property
    def ends_ms(self) -> int:
        return int(self.times[-1]) + self.timeframe_ms

    @property
    def about(self) -> dict[str, Any]:
        return {
            "source": [file.sha256 for file in self.recorded],
            "span": [int(self.times[0]), int(self.times[-1])],
        }

    def history(self, candles: int) -> list[Close]:
        """The closes that `from` cut off."""
        return list(self._chunk(self.earlier[-candles:])) if candles else []

    async def arrivals(self, after_ms: int) -> AsyncIterator[Arrival]:
        for close in self.closes(after_ms):
            yield Arrival(close)

    def health(self) -> None:
        """Nobody listens: a file does not age."""

    def closes(self, after_ms: int = 0) -> Iterator[Close]:
        """Every closing time after this one."""
        begin = int(np.searchsorted(self.times + self.timeframe_ms, after_ms, side="right"))
        for start in range(begin, len(self.times), CHUNK):
            yield from self._chunk(self.times[start : start + CHUNK])

    def _chunk(self, times: NDArray[np.int64]) -> Iterator[Close]:
        columns = [_rows(one, times) for one in self.columns]
        everybody = range(len(columns))
        for place, opened_at_ms in enumerate(times.tolist()):
            found = [column[place] for column in columns]
            candles = tuple(Candle(i, *found[i]) for i in everybody if found[i])
            missing = tuple(i for i in everybody if not found[i])
            yield Close(opened_at_ms + self.timeframe_ms, opened_at_ms, candles, missing)


def replay(
    path: Path,
    symbols: Sequence[str],
    timeframe: str,
    known: Known,
    *,
    from_ms: int | None = None,
    to_ms: int | None = None,
    limit: int | None = None,
) -> Replay:
    """Read and check recorded candles: those that open from `from_ms` on and before `to_ms`."""
    found = sorted(find(path, symbols, timeframe), key=lambda one: one.symbol)
    if len(found) > INSTRUMENTS_MAX:
        raise UsageError(
            f"{len(found)} instruments are more than the {INSTRUMENTS_MAX} that a book has room"
            " for.",
            "Name those to trade with --symbols.",
        )
    quotes = sorted({symbol_parts(one.symbol)[1] for one in found})
    if len(quotes) > 1:
        raise UsageError(
            f"A book has one cash account, and these instruments are paid in {', '.join(quotes)}.",
            "Choose instruments of one quote currency with --symbols.",
        )
    with ThreadPoolExecutor(min(os.cpu_count() or 1, READERS_MAX)) as readers:
        pairs = list(readers.map(partial(_read, known=known), found))
    instruments, recorded = [one for one, _ in pairs], [file for _, file in pairs]
    step_ms = milliseconds(timeframe)
    times = _any([one.opened_at_ms for one in instruments], step_ms)
    earlier = times[:0]
    if from_ms is not None:
        earlier, times = times[times < from_ms], times[times >= from_ms]
    if to_ms is not None:
        times = times[times < to_ms]
    if limit is not None:
        times = times[:limit]
    if len(times) == 0:
        raise DataError(
            f"{path} has no candle between --from and --to.",
            "Widen the span; `rrr --mode paper` without them takes all there is.",
        )
    return Replay(instruments, recorded, times, earlier, step_ms)


def notes(one: Whole, file: Origin) -> tuple[str, ...]:
    """What was noticed in a file, and the rules that nobody knows but its decimals."""
    spec, said = one.spec, file.notes
    if spec.symbol.endswith(PERPETUAL):
        said = (*said, "a perpetual is traded as if it were spot: nobody pays its funding")
    if not spec.inferred:
        return said
    tick, lot = decimal_text(spec.tick, spec.points), decimal_text(spec.lot, spec.grains)
    return (*said, f"rules inferred from its decimals: tick {tick}, lot {lot}")


def _read(found: Found, known: Known) -> tuple[Whole, Origin]:
    recorded = read(found)
    one = whole(recorded, spec_for(recorded, known))
    return one, Origin(found, recorded.sha256, recorded.notes)


def _any(stamps: Sequence[NDArray[np.int64]], step_ms: int) -> NDArray[np.int64]:
    """The times that stand in any of them, on the grid that they share.

    >>> _any([np.array([2, 4]), np.array([4, 10])], 2).tolist()
    [2, 4, 10]
    """
    begin = min(int(each[0]) for each in stamps)
    end = max(int(each[-1]) for each in stamps)
    there = np.zeros((end - begin) // step_ms + 1, np.bool_)
    for each in stamps:
        there[(each - begin) // step_ms] = True
    return np.flatnonzero(there) * step_ms + begin


def _rows(one: Whole, times: NDArray[np.int64]) -> list[tuple[int, ...]]:
    """Open, high, low, close, volume, source at each time; empty where there is no candle."""
    places = np.searchsorted(one.opened_at_ms, times)
    there = places < len(one.opened_at_ms)
    there[there] = one.opened_at_ms[places[there]] == times[there]
    columns = (one.open, one.high, one.low, one.close, one.volume)
    found = zip(*(c[places[there]].tolist() for c in columns), repeat(int(Source.REPLAYED)))
    return [next(found) if yes else () for yes in there.tolist()]
