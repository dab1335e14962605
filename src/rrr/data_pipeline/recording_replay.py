"""A recording is heard again as it was heard: by its own clock, through the very same parsing.

In place of the network stands a player: ccxt asks it and listens to it, and notices nothing. Time
is the recording's; it stands still while whoever trades has not met what came before, and passes at
once where nobody acts. What was never answered is not answered again.
"""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from rrr.core.errors import DataError, Unavailable
from rrr.core.events import Close
from rrr.data_pipeline.exchange import Exchange, Manner, exchange
from rrr.data_pipeline.exchange_troubles import Told
from rrr.data_pipeline.market import Arrival
from rrr.data_pipeline.played_time import PlayedTime
from rrr.data_pipeline.recording import Line, files_of, recorded
from rrr.data_pipeline.recording_about import about_of

T = TypeVar("T")

_TIMES = ("since", "start", "end", "startTime", "endTime", "limit", "count")
_KEPT = 256  # answers
_NEVER_MS = 1 << 62  # asked at another moment, it would not be answered
_AFTER_MS = 10_000  # what was asked last may be settled a little later than it was


@asynccontextmanager
async def replayed(
    place: Path, told: Told, *, timeout_ms: int | None = None
) -> AsyncIterator["Replayed"]:
    """The exchange that a folder, or a file, was recorded from.

    An answer that takes longer than `timeout_ms` of the recording's time was none; if not given, it
    is what it was.
    """
    lines = recorded(place, told)
    first = next(lines, None)
    if first is None or first.kind != "about":
        raise DataError(f"{place} does not begin as a recording does.", "Name its first file.")
    about = about_of(first.text, files_of(place)[0])
    player = _Player(first.at_ms, lines, timeout_ms or about.timeout_ms)
    manner = Manner(
        player.wait,
        about.timeout_ms,
        rate_limited=False,
        sockets=about.sockets,
        time_every_ms=_NEVER_MS,
        monotonic_ms=player.clock_ms,
        chance=random.Random(about.seed).random,
        dressed=player.dress,
    )
    playing = asyncio.create_task(player.play())
    opening = exchange(
        about.exchange,
        about.symbols,
        about.timeframe,
        candles=about.candles,
        past=about.past,
        address=about.address,
        clock_ms=player.clock_ms,
        told=told,
        manner=manner,
        depth_levels=about.depth_levels,
    )
    try:
        async with AsyncExitStack() as stack:
            market = await _before(playing, stack.enter_async_context(opening))
            if market is None:
                raise DataError(f"{place} ends before its first candle.", "Name another.")
            yield Replayed(market, place, player, playing)
    finally:
        playing.cancel()
        await asyncio.wait([playing])


class Replayed:
    """A market: the exchange, until its recording ends."""

    def __init__(
        self, market: Exchange, place: Path, player: "_Player", playing: asyncio.Task[None]
    ) -> None:
        self._market, self._place = market, place
        self._player, self._playing = player, playing
        player.moving.clear()  # until somebody listens

    @property
    def about(self) -> Mapping[str, Any]:
        """Another history than the exchange's own, which may go on elsewhere."""
        return {**self._market.about, "recording": self._place.name}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._market, name)

    def history(self, candles: int) -> list[Close]:
        """Raise Unavailable: whoever waits for it lets no time pass, and is never answered."""
        raise Unavailable(
            f"{self._place} holds no candles of before it began.",
            "Replay it with --signals baseline, or a strategy.",
        )

    async def arrivals(self, after_ms: int) -> AsyncIterator[Arrival]:
        """What arrived; time stands still while one is met."""
        coming = self._market.arrivals(after_ms)
        while True:
            self._player.moving.set()
            arrival = await _before(self._playing, anext(coming, None))
            self._player.moving.clear()
            if arrival is None:
                return
            yield arrival


async def _before(playing: asyncio.Task[None], awaited: Awaitable[T]) -> T | None:
    """What is awaited, if it comes before the recording ends."""
    asked = asyncio.ensure_future(awaited)
    either: list[asyncio.Future[Any]] = [asked, playing]
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        asked.cancel()
        raise
    if asked.done():
        return asked.result()
    asked.cancel()
    await asyncio.wait([asked])
    playing.result()  # It may have ended because of what it met.
    return None


class _Player(PlayedTime):
    """Stands in place of the network, and of the clock."""

    def __init__(self, at_ms: int, lines: Iterator[Line], timeout_ms: int) -> None:
        super().__init__(at_ms)
        self.moving = asyncio.Event()
        self.moving.set()
        self._lines, self._timeout_ms = lines, timeout_ms
        self._asked: dict[str, deque[asyncio.Future[Line]]] = {}
        self._kept: deque[Line] = deque(maxlen=_KEPT)  # answers to what nobody has asked yet
        self._sockets: dict[str, _Socket] = {}

    async def play(self) -> None:
        """Until the recording ends."""
        for line in self._lines:
            await self.until(line.at_ms)
            match line.kind:
                case "frame" if line.url in self._sockets:
                    self._sockets[line.url].say(line.text)
                case "cut" if line.url in self._sockets:
                    self._sockets.pop(line.url).end()
                case "answer":
                    self._answer(line)
            await self.settle()
        await self.until(self._now_ms + _AFTER_MS)
        await self.settle()

    def get(self, url: object, **details: Any) -> "_Asking":
        return _Asking(self, str(url))

    post = get

    def ws_connect(self, url: str, **details: Any) -> "_Socket":
        self._sockets[url] = _Socket()
        return self._sockets[url]

    async def answer(self, url: str) -> Line:
        """The next one to this; TimeoutError where there was none in time."""
        while kept := next((line for line in self._kept if line.url == url), None):
            self._kept.remove(kept)
            if self._now_ms - kept.at_ms < self._timeout_ms:
                return kept
        future: asyncio.Future[Line] = asyncio.get_running_loop().create_future()
        self._asked.setdefault(_timeless(url), deque()).append(future)
        late = asyncio.ensure_future(self.wait(self._timeout_ms / 1000))
        try:
            either: list[asyncio.Future[Any]] = [future, late]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not future.done():
                raise TimeoutError
            return future.result()
        finally:
            late.cancel()
            future.cancel()

    def _answer(self, line: Line) -> None:
        asking = [each for each in self._asked.pop(_timeless(line.url), ()) if not each.done()]
        for future in asking:
            future.set_result(line)
        if not asking:
            self._kept.append(line)

    async def settle(self) -> None:
        await super().settle()
        await self.moving.wait()


def _timeless(url: str) -> str:
    """What is asked, but not since when: who asks a moment later may know more already.

    >>> _timeless("https://api.kraken.com/0/public/OHLC?pair=XXBTZUSD&since=1704110400")
    'https://api.kraken.com/0/public/OHLC?pair=XXBTZUSD'
    """
    place = urlsplit(url)
    asked = [each for each in parse_qsl(place.query) if each[0] not in _TIMES]
    return place._replace(query=urlencode(asked)).geturl()


class _Asking(NamedTuple):
    """A request, and its answer, as aiohttp gives them."""

    player: _Player
    url: str

    async def __aenter__(self) -> "_Answer":
        return _Answer(await self.player.answer(self.url))

    async def __aexit__(self, *_: object) -> None:
        """Nothing is left open."""


class _Answer:
    def __init__(self, line: Line) -> None:
        self.status, self.reason, self.content = line.status, "", b""
        self.headers: Mapping[str, str] = line.headers
        self._text = line.text

    async def text(self, errors: str = "") -> str:
        return self._text


class _Socket:
    """A connection, as aiohttp gives it."""

    _conn = None

    def __init__(self) -> None:
        self.closed = False
        self._messages: asyncio.Queue[Any] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        return self

    def say(self, text: str) -> None:
        from aiohttp import WSMessage, WSMsgType

        self._messages.put_nowait(WSMessage(WSMsgType.TEXT, text, None))

    def end(self) -> None:
        from aiohttp import WSMessage, WSMsgType

        self._messages.put_nowait(WSMessage(WSMsgType.CLOSE, 1006, None))

    async def receive(self) -> Any:
        return await self._messages.get()

    async def send_str(self, text: str) -> None:
        """Nobody listens."""

    async def close(self) -> None:
        from aiohttp import WSMessage, WSMsgType

        self.closed = True
        self._messages.put_nowait(WSMessage(WSMsgType.CLOSED, None, None))
