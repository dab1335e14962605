"""A venue without a network: its own words, spoilt on the way, in a time that passes at once.

In place of aiohttp's session stands an ether: ccxt asks and listens as ever. The clock moves when
everybody who can act has acted, so that a seed says all that happens.
"""

import asyncio
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Final, NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit

from aiohttp import WSMessage, WSMsgType

from rrr.data_pipeline.played_time import PlayedTime
from tests.venue.dialect import Dialect, Frame, Session
from tests.venue.wire import Answer, http_date, text

TICK_MS: Final = 500

_TURNS: Final = 12  # of the loop, until everybody who can act has acted

Said = str | bytes


class Spoiling(NamedTuple):
    """What becomes of what a venue says; what it says to keep a connection is left alone."""

    frames: Callable[[str], list[Said]]
    answer: Callable[[Answer, int], Answer]
    cuts: Callable[[], bool]


class Ether(PlayedTime):
    """One venue, for as long as somebody plays."""

    def __init__(self, dialect: Dialect, start_ms: int, spoiling: Spoiling) -> None:
        super().__init__(start_ms, _TURNS)
        self.messages = 0
        self._dialect, self._spoiling = dialect, spoiling
        self._sessions = count(1)
        self._sockets: list[_Socket] = []

    async def play(self) -> None:
        """Until it is cancelled."""
        while True:
            await self.until(self._now_ms + TICK_MS)
            for socket in list(self._sockets):
                frames = list(socket.session.news(self._now_ms))
                for said in self._spoilt(frames):
                    socket.say(said)
                    self.messages += 1
                    if self.messages % 4 == 0:
                        await self.settle()
                if self._spoiling.cuts():
                    self._sockets.remove(socket)
                    socket.end()

    def get(self, url: object, **details: Any) -> "_Asking":
        place = urlsplit(str(url))
        query = dict(parse_qsl(place.query))
        self.messages += 1
        try:
            answer = self._dialect.answer(place.path, query, self._now_ms)
        except (KeyError, ValueError) as wrong:  # as the venue's server says it
            answer = Answer(text({"error": [f"malformed: {wrong}"]}), 400)
        return _Asking(_Answer(self._spoiling.answer(answer, self._now_ms), self._now_ms))

    post = get

    def ws_connect(self, url: str, **details: Any) -> "_Socket":
        session = self._dialect.session(next(self._sessions), urlsplit(url).path, self._now_ms)
        socket = _Socket(session, self.clock_ms)
        self._sockets.append(socket)
        return socket

    def _spoilt(self, frames: list[Frame]) -> Iterator[Said]:
        for frame in frames:
            said = text(frame.body)
            yield from self._spoiling.frames(said) if frame.symbol else [said]


class _Asking(NamedTuple):
    """A request, and its answer, as aiohttp gives them."""

    answer: "_Answer"

    async def __aenter__(self) -> "_Answer":
        return self.answer

    async def __aexit__(self, *_: object) -> None:
        """Nothing is left open."""


class _Answer:
    def __init__(self, answer: Answer, now_ms: int) -> None:
        self.status, self.reason, self.content = answer.status, "", b""
        named = {"Content-Type": answer.kind, "Date": http_date(now_ms)}
        self.headers = {**named, **answer.headers}
        self._text = answer.body

    async def text(self, errors: str = "") -> str:
        return self._text


class _Socket:
    """A connection, as aiohttp gives it."""

    _conn = None

    def __init__(self, session: Session, clock_ms: Callable[[], int]) -> None:
        self.session, self.closed, self._clock_ms = session, False, clock_ms
        self._messages: asyncio.Queue[WSMessage] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        for frame in self.session.greeting(self._clock_ms()):
            self.say(text(frame.body))
        return self

    def say(self, said: Said) -> None:
        kind = WSMsgType.TEXT if isinstance(said, str) else WSMsgType.BINARY
        self._messages.put_nowait(WSMessage(kind, said, None))

    def end(self) -> None:
        self._messages.put_nowait(WSMessage(WSMsgType.CLOSE, 1006, None))

    async def receive(self) -> WSMessage:
        return await self._messages.get()

    async def send_str(self, said: str) -> None:
        import json

        for frame in self.session.heard(json.loads(said), self._clock_ms()):
            self.say(text(frame.body))

    async def close(self) -> None:
        self.closed = True
        self._messages.put_nowait(WSMessage(WSMsgType.CLOSED, None, None))
