"""Each closing time of an exchange comes once, in order, whole at its watermark, and never changes.

Candles are asked of REST five seconds after each closing time, or as soon as sockets said that they
closed: what has no candle by then is missing, and what comes later is told and never decided upon.
What opened before this start is past. While an exchange is in trouble nothing is made up: it is
asked again, ever more rarely, and what closed meanwhile comes in its order when it answers; what
its sockets brought whole comes at once.
"""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence, Set
from concurrent.futures import CancelledError, Future
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from threading import get_ident
from typing import Any, Final

from rrr.core.errors import Unavailable
from rrr.core.events import Close, Depth, Touch
from rrr.core.market import Candle, Source
from rrr.data_pipeline.books import Books, refuse_depth, touch_of
from rrr.data_pipeline.books_dialects import Wanted
from rrr.data_pipeline.exchange_client import Client, Manner, connect
from rrr.data_pipeline.exchange_gaps import Gap, Why
from rrr.data_pipeline.exchange_health import Health, Pulse
from rrr.data_pipeline.exchange_instruments import choose
from rrr.data_pipeline.exchange_reader import Reader, open_reader
from rrr.data_pipeline.exchange_rounds import GRACE_MS, PATIENCE_MS, Listening, Rounds
from rrr.data_pipeline.exchange_troubles import Told, Trouble, Troubles, pause_s
from rrr.data_pipeline.intake import Intake
from rrr.data_pipeline.market import Arrival, Quoted
from rrr.data_pipeline.recording import Recorder
from rrr.data_pipeline.stream import Sockets

__all__ = [
    "GRACE_MS",
    "PATIENCE_MS",
    "Exchange",
    "Gap",
    "Health",
    "Manner",
    "Why",
    "exchange",
]

HISTORY_TRIES: Final = 3

_SHELF = 300  # candles that are read at the start, if not more are wanted
_QUIET_MS = 20_000  # before a closing time nobody asks for anything else
_NAP_S = 30.0  # a machine that was asleep is noticed within
_QUICKLY = Manner()


@asynccontextmanager
async def exchange(
    name: str,
    symbols: Sequence[str],
    timeframe: str,
    *,
    candles: int | None,
    past: int,
    address: str | None,
    clock_ms: Callable[[], int],
    told: Told,
    manner: Manner = _QUICKLY,
    record: Path | None = None,
    depth_levels: int = 0,
    found: Callable[[], None] = lambda: None,
) -> AsyncIterator["Exchange"]:
    """The public candles of an exchange that ccxt knows: `past` of before, then so many, or all.

    `address` stands for the scheme and host of its addresses: a proxy, or a server of tests.
    All that is heard is kept in the folder `record`. A verified order book of each instrument is
    kept where `depth_levels` of it are wanted. Nothing is written before its instruments are known,
    and `found` was called.
    """
    about = {
        "exchange": name.strip().lower(),
        "symbols": list(symbols),
        "timeframe": timeframe,
        "candles": candles,
        "past": past,
        "address": address,
        "sockets": manner.sockets,
        "depth_levels": depth_levels,
        "timeout_ms": manner.timeout_ms,
        "seed": (seed := random.getrandbits(32)),
    }
    if record:
        manner = replace(manner, chance=random.Random(seed).random)
    client = connect(name.strip().lower(), timeframe, address, manner, told, clock_ms)
    refuse_depth(client.name, depth_levels, client.has_sockets)
    market = Exchange(client, candles, past, clock_ms, told, manner)
    if record:
        client.recorder = Recorder(record, about, clock_ms, told, market.made_ms)
    try:
        await market.open(symbols)
        found()
        if client.recorder is not None:
            client.recorder.begin()
        market.listen(depth_levels)
        yield market
    finally:
        market.release()
        await market.deafen()
        await client.close()
        if client.recorder is not None:
            await asyncio.to_thread(client.recorder.close)


class Exchange:
    """A market: where closes come from."""

    synthetic = False

    def __init__(
        self,
        client: Client,
        candles: int | None,
        past: int,
        clock_ms: Callable[[], int],
        told: Told,
        manner: Manner,
    ) -> None:
        step_ms = client.step_ms
        self.name = client.name
        self.title = f"{client.name}, {client.timeframe} candles by {client.ways}"
        self.timeframe_ms = step_ms
        self.made_ms = clock_ms()
        self.begins_ms = _floor(self.made_ms, step_ms)
        self.opens_ms = self.begins_ms - past * step_ms
        self.ends_ms = None if candles is None else self.begins_ms + candles * step_ms
        self.about: Mapping[str, Any] = {"source": "rest"}

        self._client, self._clock_ms, self._told, self._wait = client, clock_ms, told, manner.wait
        self._manner = manner
        self._readers: list[Reader] = []
        troubles = Troubles(client.name, clock_ms, told)
        self._rounds = Rounds(self._readers, troubles, clock_ms, manner)
        self._books: Books | None = None  # where depth is wanted
        self._timed_ms = 0
        self._hearing: asyncio.Task[None] | None = None
        self._brought: dict[int, tuple[int, Source]] = {}  # of each instrument: its last candle
        self._known_ms: dict[int, int] = {}  # until when: its candles, or that nobody traded
        self._loop, self._thread = asyncio.get_running_loop(), get_ident()
        self._histories: set[Future[list[Close]]] = set()

    @property
    def instruments(self) -> Sequence[Quoted]:
        return [reader.quoted for reader in self._readers]

    def history(self, candles: int) -> list[Close]:
        """For another thread than the loop's: it waits for the exchange."""
        assert get_ident() != self._thread, "The loop would wait for itself."
        future = asyncio.run_coroutine_threadsafe(self._history(candles), self._loop)
        self._histories.add(future)
        try:
            return future.result()
        except CancelledError as error:
            raise Unavailable(
                f"{self.name} was left while its history was read.", "Start again."
            ) from error
        finally:
            self._histories.discard(future)

    async def arrivals(self, after_ms: int) -> AsyncIterator[Arrival]:
        step_ms = self.timeframe_ms
        begin = _floor(after_ms, step_ms) if after_ms else self.opens_ms
        waiting = deque[Gap]()  # for the close that brings them
        while self.ends_ms is None or begin < self.ends_ms:
            await self._until(begin + step_ms + (0 if self._rounds.listening else GRACE_MS))
            past = begin < self.begins_ms
            end = max(_floor(self._clock_ms() - GRACE_MS, step_ms), begin + step_ms)
            end = min(end, self.begins_ms if past else end, self.ends_ms or end)
            columns, gaps = await self._rounds.columns(begin, end)
            waiting.extend(gaps)
            noted = frozenset(gaps)
            for close in _closes(columns, begin, end, step_ms):
                silent = self._silent(close, noted)
                self._know(close, silent)
                # A time without any trade is proof of life now, and nothing in a history.
                if close.candles or not past:
                    is_now = close.at_ms == end and not past
                    depths = self._depths(close) if is_now else ()
                    touches = self._touches(close, depths) if is_now else ()
                    due = _due(waiting, close)
                    yield Arrival(close, touches, past, silent=silent, depths=depths, gaps=due)
            begin = end
            self._heed()

    async def open(self, symbols: Sequence[str]) -> None:
        """Learn what is traded here, and by which rules."""
        shelf_ms = min(self._client.page, _SHELF) * self.timeframe_ms
        span = min(self.opens_ms, self.begins_ms - shelf_ms), self.begins_ms
        try:
            chosen = choose(self.name, await self._client.markets(), symbols)
            await self._until(self.begins_ms + GRACE_MS)
            for index, one in enumerate(chosen):
                self._readers.append(
                    await open_reader(self._client, index, one, span, self._clock_ms, self._told)
                )
        except Trouble as trouble:
            raise self._unavailable(trouble) from trouble

    def listen(self, depth_levels: int = 0) -> None:
        """To sockets, where that is wanted and there are some."""
        if not self._client.has_sockets:
            return
        intakes = [
            Intake(one.index, one.symbol, one.pair, one.quoted.spec, self.timeframe_ms)
            for one in self._readers
        ]
        if depth_levels:
            self._books = self._booked(depth_levels)
            self._client.shown = self._books.answered
        sockets = Sockets(self._client, intakes, self._manner, self._told, self._books)
        self._rounds.listening = Listening(sockets, intakes)
        self._hearing = asyncio.create_task(sockets.run())

    def _booked(self, depth_levels: int) -> Books:
        assert self._client.clocks is not None, "Made with a clock."
        market = self._client.ccxt.market
        wanted = [
            Wanted(one.index, one.symbol, one.pair, one.quoted.spec, market(one.pair))
            for one in self._readers
        ]
        books = Books(self.name, wanted, depth_levels, self._client.clocks.venue_ms)
        if books.depth < depth_levels:
            words = f"{self.name} proves {books.depth} levels of a book: no more are shown"
            self._told("book_depth", words, {"exchange": self.name, "levels": books.depth})
        return books

    async def deafen(self) -> None:
        if self._hearing is not None:
            self._hearing.cancel()
            await asyncio.wait([self._hearing])

    def health(self) -> Health:
        """How fresh is what is known of each instrument, and by which way it comes."""
        listening, clocks = self._rounds.listening, self._client.clocks
        now_ms = clocks.venue_ms() if clocks else self._clock_ms()
        pulses = []
        for reader in self._readers:
            closed_ms, source = self._brought.get(reader.index, (None, Source.REST))
            intake = listening.intakes[reader.index] if listening else None
            known = [self._known_ms.get(reader.index), intake.news_ms if intake else None]
            news = [at for at in known if at is not None]
            pulse = Pulse(
                symbol=reader.symbol,
                data_age_ms=max(now_ms - max(news), 0) if news else None,
                candle_age_ms=None if closed_ms is None else max(now_ms - closed_ms, 0),
                streams=listening.sockets.up(reader.symbol) if listening else {},
                source=source.name.lower(),
                conflated=intake.conflated if intake else 0,
                refused=intake.refused if intake else 0,
                book=self._books.untradable(reader.pair) if self._books else None,
            )
            pulses.append(pulse)
        return Health(tuple(pulses), clocks.offset() if clocks else None)

    def release(self) -> None:
        """Nobody waits any more for a history that is on its way."""
        for future in list(self._histories):
            future.cancel()

    def _silent(self, close: Close, noted: Set[Gap]) -> tuple[int, ...]:
        def gap(index: int) -> Gap:
            return Gap(self._readers[index].symbol, close.opened_at_ms, Why.NO_TRADES)

        return tuple(index for index in close.missing if gap(index) in noted)

    def _know(self, close: Close, silent: Sequence[int]) -> None:
        for candle in close.candles:
            self._brought[candle.instrument] = close.at_ms, Source(candle.source)
        there = (candle.instrument for candle in close.candles)
        self._known_ms |= dict.fromkeys((*there, *silent), close.at_ms)

    def _depths(self, close: Close) -> tuple[Depth, ...]:
        """The verified book of each instrument that has a candle."""
        if self._books is None:
            return ()
        pairs = (self._readers[candle.instrument].pair for candle in close.candles)
        seen = (self._books.seen(pair, close.at_ms) for pair in pairs)
        return tuple(depth for depth in seen if depth is not None)

    def _touches(self, close: Close, depths: Sequence[Depth]) -> tuple[Touch, ...]:
        """What was last seen of each instrument that has a candle: of its book, if it has one."""
        listening, clocks = self._rounds.listening, self._client.clocks
        if listening is None or clocks is None:
            return ()
        now_ms = clocks.venue_ms()
        there = (listening.intakes[candle.instrument] for candle in close.candles)
        best = {depth.instrument: touch_of(depth) for depth in depths}
        seen = [intake.touch(close.at_ms, now_ms) for intake in there]
        told = {touch.instrument: touch for touch in seen if touch is not None} | best
        return tuple(told[index] for index in sorted(told))

    def _heed(self) -> None:
        """A mistake of ours among the sockets is no reason to go on without them."""
        if self._hearing is not None and self._hearing.done():
            self._hearing.result()

    async def _history(self, candles: int) -> list[Close]:
        end = self.begins_ms
        begin = end - candles * self.timeframe_ms
        columns = [await self._insist(reader, begin, end) for reader in self._readers]
        closes = _closes(columns, begin, end, self.timeframe_ms)
        return [close for close in closes if close.candles]

    async def _insist(self, reader: Reader, begin: int, end: int) -> dict[int, Candle]:
        tries = 0
        while True:
            try:
                return await reader.candles(begin, end)
            except Trouble as trouble:
                tries += 1
                if tries == HISTORY_TRIES:
                    raise self._unavailable(trouble) from trouble
                await self._wait(max(trouble.pause_s, pause_s(tries)))

    async def _until(self, at_ms: int) -> None:
        self._look()
        while (left_ms := at_ms - self._clock_ms()) > 0:
            if self._rounds.listening and left_ms > _QUIET_MS:
                await self._ask_time()
            await self._wait(min(max(at_ms - self._clock_ms(), 0) / 1000, _NAP_S))
            self._look()

    def _look(self) -> None:
        """Whether the clock was set; where sockets are listened to, they look."""
        if self._rounds.listening is None and self._client.clocks is not None:
            self._client.clocks.look()

    async def _ask_time(self) -> None:
        now_ms = self._manner.monotonic_ms()
        if now_ms >= self._timed_ms + self._manner.time_every_ms:
            self._timed_ms = now_ms
            await self._client.ask_time()

    def _unavailable(self, trouble: Trouble) -> Unavailable:
        return Unavailable(
            f"{self.name} {trouble.words}.",
            "Check the network, or try later; `rrr` without --market trades the simulated market.",
        )


def _closes(
    columns: Sequence[Mapping[int, Candle]], begin: int, end: int, step_ms: int
) -> Iterator[Close]:
    for opened_at_ms in range(begin, end, step_ms):
        found = [column.get(opened_at_ms) for column in columns]
        candles = tuple(candle for candle in found if candle is not None)
        missing = tuple(index for index, candle in enumerate(found) if candle is None)
        yield Close(opened_at_ms + step_ms, opened_at_ms, candles, missing)


def _due(waiting: deque[Gap], close: Close) -> tuple[Gap, ...]:
    """Those of its time and of earlier ones; they wait no more."""
    due = []
    while waiting and waiting[0].opened_at_ms <= close.opened_at_ms:
        due.append(waiting.popleft())
    return tuple(due)


def _floor(at_ms: int, step_ms: int) -> int:
    return at_ms - at_ms % step_ms
