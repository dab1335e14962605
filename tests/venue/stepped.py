"""A connection without a network: its time passes when a test says so, its faults are the venue's.

What a client would hear is in `heard`, as text; who asks for something says it as JSON.
"""

from collections.abc import Sequence
from typing import Any, cast

from aiohttp import web

from tests.venue.connection import Connection
from tests.venue.dialects import DIALECTS
from tests.venue.faults import Fault, Faults
from tests.venue.tape import SLOT_MS, Tape
from tests.venue.venue_time import NOON_MS, VenueTime


class Stepped:
    def __init__(self, name: str, faults: Sequence[Fault] = (), seed: int = 1) -> None:
        dialect, quote = DIALECTS[name]
        self.tape = Tape(seed, quote)
        self.at_ms = NOON_MS
        self.heard: list[str] = []
        self._dialect = dialect(self.tape)
        self._faults = Faults(faults, NOON_MS)
        self.reconnect()

    def reconnect(self) -> None:
        self._session = self._dialect.session(1, "/ws/1", self.at_ms)
        socket, time = cast(web.WebSocketResponse, self), cast(VenueTime, self)
        self._connection = Connection(socket, self._session, time, self._faults, print, print)

    def now_ms(self) -> int:
        return self.at_ms

    async def send_str(self, text: str) -> None:
        self.heard.append(text)

    async def say(self, message: dict[str, Any]) -> None:
        await self._connection.send(self._session.heard(message, self.at_ms))

    async def step(self) -> list[str]:
        """A moment later: all that was heard since the last one."""
        self.at_ms += SLOT_MS
        await self._connection.send(self._session.news(self.at_ms))
        heard, self.heard = self.heard, []
        return heard

    def answer(self, path: str, **query: str) -> str:
        answer = self._dialect.answer(path, query, self.at_ms)
        assert answer.status == 200, answer
        return answer.body
