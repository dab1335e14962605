"""Recorded candles come back as they came: one closing time, one event, nothing filled.

Instruments stand in the order of their symbols, whatever order they were asked in.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rrr.core.errors import DataError, UsageError
from rrr.core.events import Close
from rrr.core.market import INSTRUMENTS_MAX, Candle, Source
from rrr.data_pipeline.instruments import Known, Whole, spec_for, whole
from rrr.data_pipeline.recorded import Recorded, read
from rrr.data_pipeline.recorded_files import find
from rrr.data_pipeline.recorded_files import timeframe_ms as milliseconds

CHUNK = 4_096


@dataclass(frozen=True, slots=True)
class Replay:
    """The market of a replay: columns of integers on one clock."""

    instruments: Sequence[Whole]
    recorded: Sequence[Recorded]
    times: NDArray[np.int64]  # opening times that any instrument has, ascending
    timeframe_ms: int

    def closes(self, after_ms: int = 0) -> Iterator[Close]:
        """Every closing time after this one."""
        begin = int(np.searchsorted(self.times + self.timeframe_ms, after_ms, side="right"))
        for start in range(begin, len(self.times), CHUNK):
            yield from self._chunk(self.times[start : start + CHUNK])

    def _chunk(self, times: NDArray[np.int64]) -> Iterator[Close]:
        columns = [_rows(one, times) for one in self.instruments]
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
    recorded = [read(one) for one in found]
    specs = [spec_for(one, known) for one in recorded]
    quotes = sorted({spec.quote for spec in specs})
    if len(quotes) > 1:
        raise UsageError(
            f"A book has one cash account, and these instruments are paid in {', '.join(quotes)}.",
            "Choose instruments of one quote currency with --symbols.",
        )
    instruments = [whole(*pair) for pair in zip(recorded, specs, strict=True)]
    times = np.sort(np.concatenate([one.opened_at_ms for one in instruments]))
    times = times[np.diff(times, prepend=-1) > 0]
    if from_ms is not None:
        times = times[times >= from_ms]
    if to_ms is not None:
        times = times[times < to_ms]
    if limit is not None:
        times = times[:limit]
    if len(times) == 0:
        raise DataError(
            f"{path} has no candle between --from and --to.",
            "Widen the span; `rrr --mode paper` without them takes all there is.",
        )
    return Replay(instruments, recorded, times, milliseconds(timeframe))


def _rows(one: Whole, times: NDArray[np.int64]) -> list[tuple[int, ...]]:
    """Open, high, low, close, volume, source at each time; empty where there is no candle."""
    places = np.searchsorted(one.opened_at_ms, times)
    there = places < len(one.opened_at_ms)
    there[there] = one.opened_at_ms[places[there]] == times[there]
    columns = (one.open, one.high, one.low, one.close, one.volume)
    found = zip(*(c[places[there]].tolist() for c in columns), repeat(int(Source.REPLAYED)))
    return [next(found) if yes else () for yes in there.tolist()]
