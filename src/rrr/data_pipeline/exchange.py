"""Each closing time of an exchange comes once, in order, whole at its watermark, and never changes.

Candles are polled by REST five seconds after each closing time: what has no candle by then is
missing, and what comes later is told and never decided upon. What opened before this start is past.
While an exchange is in trouble nothing is made up: it is asked again, ever more rarely, and what
closed meanwhile comes in its order when it answers.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import asynccontextmanager
from threading import get_ident
from typing import Any, Final

from rrr.core.errors import Unavailable
from rrr.core.events import Close
from rrr.core.market import Candle
from rrr.data_pipeline.exchange_client import Client, Manner, connect
from rrr.data_pipeline.exchange_instruments import choose
from rrr.data_pipeline.exchange_reader import Reader, open_reader
from rrr.data_pipeline.exchange_troubles import Told, Trouble, Troubles, pause_s
from rrr.data_pipeline.market import Arrival, Quoted

__all__ = ["Exchange", "Manner", "exchange"]

GRACE_MS: Final = 5_000  # from a closing time to its watermark
PATIENCE_MS: Final = 10_000  # with those in trouble, once another has answered
HISTORY_TRIES: Final = 3

_SHELF = 300  # candles that are read at the start, if not more are wanted
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
) -> AsyncIterator["Exchange"]:
    """The public candles of an exchange that ccxt knows: `past` of before, then so many, or all.

    `address` stands for the scheme and host of its addresses: a proxy, or a server of tests.
    """
    client = connect(name.strip().lower(), timeframe, address, manner, told)
    market = Exchange(client, candles, past, clock_ms, told, manner)
    try:
        await market.open(symbols)
        yield market
    finally:
        market.release()
        await client.close()


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
        self.title = f"{client.name}, {client.timeframe} candles by REST"
        self.timeframe_ms = step_ms
        self.begins_ms = _floor(clock_ms(), step_ms)
        self.opens_ms = self.begins_ms - past * step_ms
        self.ends_ms = None if candles is None else self.begins_ms + candles * step_ms
        self.about: Mapping[str, Any] = {"source": "rest"}

        self._client, self._clock_ms, self._told, self._wait = client, clock_ms, told, manner.wait
        self._readers: list[Reader] = []
        self._troubles = Troubles(client.name, clock_ms, told)
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
        while self.ends_ms is None or begin < self.ends_ms:
            await self._until(begin + step_ms + GRACE_MS)
            past = begin < self.begins_ms
            end = max(_floor(self._clock_ms() - GRACE_MS, step_ms), begin + step_ms)
            end = min(end, self.begins_ms if past else end, self.ends_ms or end)
            for close in _closes(await self._round(begin, end), begin, end, step_ms):
                # A time without any trade is proof of life now, and nothing in a history.
                if close.candles or not past:
                    yield Arrival(close, past=past)
            begin = end

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

    def release(self) -> None:
        """Nobody waits any more for a history that is on its way."""
        for future in list(self._histories):
            future.cancel()

    async def _round(self, begin: int, end: int) -> list[dict[int, Candle]]:
        """What each instrument has: asked until it answers, or until others have waited enough."""
        columns: list[dict[int, Candle]] = [{} for _ in self._readers]
        pending = deque(self._readers)
        patient_until_ms: int | None = None
        tries = 0
        while pending:
            reader = pending[0]
            try:
                columns[reader.index] = await reader.candles(begin, end)
            except Trouble as trouble:
                self._troubles.met(trouble, reader.symbol)
                if patient_until_ms is not None and self._clock_ms() >= patient_until_ms:
                    return columns
                tries += 1
                pending.rotate(-1)
                await self._wait(max(trouble.pause_s, pause_s(tries)))
            else:
                tries = 0
                pending.popleft()
                if patient_until_ms is None:
                    patient_until_ms = self._clock_ms() + PATIENCE_MS
        self._troubles.over()
        return columns

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
        while (left_ms := at_ms - self._clock_ms()) > 0:
            await self._wait(min(left_ms / 1000, _NAP_S))

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


def _floor(at_ms: int, step_ms: int) -> int:
    return at_ms - at_ms % step_ms
