"""What one instrument still lacks, a request at a time.

A candle that has not closed is never stored; one that makes no sense is refused and counted; one
that differs from what is held is counted, and takes its place only where that is asked for. Older
candles than a venue serves are made of its prints, if that takes no more requests than allowed.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, NamedTuple

import numpy as np

from rrr.core.market import Candle, Source
from rrr.data_pipeline.download_answered import (
    Stretch,
    answered,
    opening,
    remember,
    without,
)
from rrr.data_pipeline.download_prints import SERVES_LAST, Prints
from rrr.data_pipeline.exchange_candles import plausible
from rrr.data_pipeline.exchange_client import Client
from rrr.data_pipeline.exchange_instruments import Chosen, spec
from rrr.data_pipeline.recorded_files import TIMEFRAMES
from rrr.data_pipeline.recorded_rows import PRICES, VALUES, utc
from rrr.data_pipeline.store import Series, Store
from rrr.data_pipeline.store_series import decimals_of, off_grid

GRACE_MS: Final = 5_000  # after a close, until a venue's candle of it is final
REQUESTS_MAX: Final = 2_000  # of prints, for one instrument: half an hour of Kraken's patience

_SETTLED_MS: Final = 3_600_000  # so long what is missing may still come
_PAGES_A_WRITE: Final = 8
_SAMPLE: Final = 100
_SPARE: Final = 2  # candles that may be forgotten while they are asked for
_SILENT_NAMED: Final = 3
_HOLES_MAX: Final = 20
_DAY_MS: Final = TIMEFRAMES["1d"]


@dataclass(frozen=True, slots=True)
class Manners:
    replace: bool = False  # ask for everything again, and keep what the venue says now
    requests_max: int = REQUESTS_MAX


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What became of one instrument."""

    symbol: str
    begin_ms: int
    end_ms: int
    held: int  # before, and not asked for again
    new: int
    same: int
    changed: int
    built: int  # of prints
    refused: int
    notes: tuple[str, ...]  # what a person should know
    left: tuple[str, ...]  # what was not downloaded, why, and where it can be had

    def words(self) -> str:
        built = f", {self.built:,} built from prints" if self.built else ""
        news = f"{self.new:,} new candle{'s' * (self.new != 1)}"
        return f"{self.symbol}: {news}{built}; {self.held + self.same:,} were held already"


class Row(NamedTuple):
    open: float
    high: float
    low: float
    close: float
    volume: float
    source: Source


class Job:
    """Made for `download`, which gives it its turns."""

    def __init__(
        self,
        client: Client,
        chosen: Chosen,
        span: Stretch,
        store: Store,
        clock_ms: Callable[[], int],
        manners: Manners,
    ) -> None:
        self.symbol = chosen.symbol
        self.begin_ms, self.end_ms = span
        self.held = self.new = self.same = self.changed = self.built = 0
        self._client, self._chosen, self._store = client, chosen, store
        self._clock_ms, self._manners = clock_ms, manners
        self._folder = store.root / client.name / chosen.symbol / client.timeframe
        self._todo: deque[Stretch] | None = None  # by candles
        self._older: deque[Stretch] = deque()  # by prints
        self._prints: Prints | None = None
        self._asked_for_prints = 0
        self._rows: dict[int, Row] = {}
        self._answered: list[Stretch] = []  # since candles were last stored
        self._refused: dict[int, str] = {}
        self._silent: list[Stretch] = []  # the venue passed over them
        self._notes: list[str] = []
        self._left: list[str] = []
        self._turns = 0
        self._storing = Lock()

    @property
    def over(self) -> bool:
        return self._todo is not None and not self._todo and not self._older

    @property
    def done_ms(self) -> int:
        """How much of its span needs nothing more."""
        if self._todo is None:
            return 0
        left = sum(end - begin for begin, end in (*self._todo, *self._older))
        return self.end_ms - self.begin_ms - left

    async def turn(self) -> None:
        """Ask for a page, and store what came once it is worth a write."""
        if self._todo is None:
            self._todo = deque(await asyncio.to_thread(self._lacking))
        self._forgotten(self._todo)
        if self._todo:
            await self._page(self._todo)
        elif self._older:
            await self._page_of_prints()
        self._turns += 1
        if self.over or self._turns % _PAGES_A_WRITE == 0:
            await self.keep()

    async def keep(self) -> None:
        """Only what is stored counts as answered."""
        await asyncio.to_thread(self._kept_alone)

    def downloaded(self) -> Downloaded:
        notes = list(self._notes)
        for begin, end in self._silent[:_SILENT_NAMED]:
            notes.append(f"{self._client.name} has nothing from {utc(begin)} to {utc(end)}")
        if len(self._silent) > _SILENT_NAMED:
            notes.append(f"and nothing in {len(self._silent) - _SILENT_NAMED:,} spans more")
        if self.changed:
            kept = "replaced" if self._manners.replace else "kept as they were"
            notes.append(f"{self.changed:,} differ from what is held: {kept}")
        if self._refused:
            at, why = min(self._refused.items())
            notes.append(f"{len(self._refused):,} refused, the first of {utc(at)}: {why}")
        return Downloaded(
            symbol=self.symbol,
            begin_ms=self.begin_ms,
            end_ms=self.end_ms,
            held=self.held,
            new=self.new,
            same=self.same,
            changed=self.changed,
            built=self.built,
            refused=len(self._refused),
            notes=tuple(notes),
            left=tuple(self._left),
        )

    def _lacking(self) -> list[Stretch]:
        """What is neither held nor answered with nothing."""
        name, timeframe = self._client.name, self._client.timeframe
        span = self.begin_ms, self.end_ms
        if self._manners.replace:
            return [span]
        holes = self._store.holes(name, self.symbol, timeframe, *span)
        places = (self.end_ms - self.begin_ms) // self._client.step_ms
        self.held = places - sum(hole.candles for hole in holes)
        return without([hole[:2] for hole in holes], answered(self._folder))

    def _forgotten(self, todo: deque[Stretch]) -> None:
        """Move what the venue no longer serves as candles to what its prints must make."""
        serves = SERVES_LAST.get(self._client.name)
        if serves is None:
            return
        step_ms = self._client.step_ms
        oldest_ms = opening(self._clock_ms(), step_ms) - (serves - _SPARE) * step_ms
        while todo and todo[0][0] < oldest_ms:
            begin, end = todo.popleft()
            self._older.append((begin, min(end, oldest_ms)))
            if end > oldest_ms:
                todo.appendleft((oldest_ms, end))
        short = [each for each in self._older if each[1] - each[0] < _DAY_MS]
        if len(short) > _HOLES_MAX:
            self._older = deque(each for each in self._older if each[1] - each[0] >= _DAY_MS)
            self._notes.append(
                f"{len(short):,} holes of less than a day are left as they are: they would take a"
                " request each, and in an archive of prints they are times without any"
            )

    async def _page(self, todo: deque[Stretch]) -> None:
        client, begin = self._client, todo[0][0]
        end = min(begin + (client.page - 1) * client.step_ms, todo[-1][1])
        rows = await client.rows(self._chosen.pair, begin, end)
        known = {at: row for row in rows if begin <= (at := _time(row)) < end}
        later = [at for row in rows if (at := _time(row)) >= end]
        if known or not later:
            self._take(rows, begin, end)
        else:
            # Nothing was traded there yet, or it is forgotten: nobody can tell which.
            end = opening(min(later), client.step_ms)
            self._silent.append((begin, end))
        _done(todo, end)

    def _take(self, rows: Sequence[list[Any]], begin: int, end: int) -> None:
        refused: dict[int, str] = {}
        fresh: dict[int, Row] = {}
        inside = [row for row in rows if begin <= _time(row) < end]
        beside = off_grid(np.array(list(map(_time, inside)), np.int64), self._client.step_ms)
        for row, odd in zip(inside, beside.tolist(), strict=True):
            at = _time(row)
            if not plausible(row):
                refused[at] = "its numbers make no sense"
                continue
            made = Row._make([*map(float, row[1:6]), Source.REST])
            if odd:
                refused[at] = "it opens between the times at which candles open"
            elif fresh.setdefault(at, made) != made:
                refused[at] = "it came twice, and differently"
        self._accept(fresh, refused, (begin, end))

    async def _page_of_prints(self) -> None:
        prints = self._prints or await self._prints_of(self._older[0])
        if prints is None:
            self._older.clear()
            return
        begin = prints.done_ms
        candles, doubted = await prints.more()
        scale = 10.0**prints.spec.points, 10.0**prints.spec.grains
        fresh = {at: _row(candle, *scale) for at, candle in candles.items()}
        self.built += len(fresh)
        self._accept(fresh, doubted, (begin, prints.done_ms))
        self._prints = prints if prints.done_ms < prints.end_ms else None
        _done(self._older, prints.done_ms)

    async def _prints_of(self, stretch: Stretch) -> Prints | None:
        """Those of a stretch, if the venue may be asked for so many."""
        client, pair = self._client, self._chosen.pair
        newest = self.end_ms
        sample = await client.rows(pair, newest - _SAMPLE * client.step_ms, newest)
        plain = [row for row in sample if plausible(row)]
        since, until = utc(stretch[0]), utc(self._older[-1][1])
        serves = f"{client.name} serves its last {SERVES_LAST[client.name]} candles only"
        if not plain:
            self._left.append(f"{serves}, and none of {self.symbol}: {since} to {until} is left")
            return None
        made, _ = spec(client.name, self._chosen, client.tick_sizes, plain)
        prints = Prints(client, pair, made, *stretch)
        needed = self._asked_for_prints + await prints.requests()
        if needed > self._manners.requests_max:
            self._left.append(
                f"{serves}; from {since} to {until}, {self.symbol} would take about {needed:,}"
                f" requests of prints, more than {self._manners.requests_max:,}."
                " Import Kraken's archive (its support pages have it: downloadable historical"
                f" OHLCVT data) with `rrr data import`, or ask for less"
            )
            return None
        self._asked_for_prints = needed
        return prints

    def _accept(self, fresh: Mapping[int, Row], refused: Mapping[int, str], span: Stretch) -> None:
        step_ms = self._client.step_ms
        self._rows |= {at: row for at, row in fresh.items() if at not in refused}
        self._refused |= refused
        begin, end = span
        settled = opening(min(end, self._clock_ms() - _SETTLED_MS), step_ms)
        doubtful = [(at, at + step_ms) for at in (opening(each, step_ms) for each in refused)]
        self._answered += without([(begin, settled)], doubtful)

    def _kept_alone(self) -> None:
        """Who is called off while it stores is not stopped: whoever stores next waits for it."""
        with self._storing:
            self._keep()

    def _keep(self) -> None:
        step_ms = self._client.step_ms
        traded = [(at, at + step_ms) for at in self._rows]
        if self._rows:
            appended = self._store.append(self._series(), replace=self._manners.replace)
            self.new += appended.new
            self.same += appended.same
            self.changed += appended.changed
            self._rows.clear()
        if traded or self._answered:
            remember(self._store.root, self._folder, self._answered, traded)
            self._answered.clear()

    def _series(self) -> Series:
        stamps = sorted(self._rows)
        columns = np.array([self._rows[at][:5] for at in stamps], np.float64).T
        values = {
            name: np.ascontiguousarray(each) for name, each in zip(VALUES, columns, strict=True)
        }
        return Series(
            self._client.name,
            self.symbol,
            self._client.step_ms,
            ts=np.array(stamps, np.int64),
            **values,
            source=np.array([self._rows[at].source for at in stamps], np.int8),
            decimals=decimals_of([values[name] for name in PRICES], values["volume"]),
            origin=(f"{self._client.name} by REST",),
        )


def _done(todo: deque[Stretch], until_ms: int) -> None:
    while todo and todo[0][0] < until_ms:
        _, end = todo.popleft()
        if end > until_ms:
            todo.appendleft((until_ms, end))


def _time(row: Sequence[Any]) -> int:
    """Of a row that has none, a time before all others."""
    return row[0] if row and isinstance(row[0], int) else -1


def _row(candle: Candle, price: float, quantity: float) -> Row:
    """The floats nearest to the decimals: both numbers are whole, and divided once."""
    prices = (each / price for each in candle[1:5])
    return Row._make([*prices, candle.volume / quantity, Source.BUILT])
