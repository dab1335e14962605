"""A connection says what its session has to say, and meets the faults on the way.

Data that a fault keeps back are gone: the venue does not know that they were not heard. What is no
data (acknowledgements, pongs, heartbeats) passes, but where the connection itself is at fault.
"""

import asyncio
import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Final

from aiohttp import ClientConnectionResetError, WSMsgType, web

from tests.venue.dialect import Frame, Session
from tests.venue.faults import Fault, Faults
from tests.venue.venue_time import VenueTime
from tests.venue.wire import text

_WHERE: Final = "socket"
_CUTS: Final = ("disconnect", "refuse", "maintenance")
_TICK_S: Final = (0.01, 0.1)  # between two publications; a second of market time, within these


class Connection:
    def __init__(
        self,
        socket: web.WebSocketResponse,
        session: Session,
        time: VenueTime,
        faults: Faults,
        noted: Callable[[str], None],
        cut: Callable[[], None],
    ) -> None:
        self.sent = Counter[str]()
        self._socket = socket
        self._session = session
        self._time = time
        self._faults = faults
        self._noted = noted
        self._cut = cut
        self._data = 0
        self._held: Frame | None = None
        self._late: deque[tuple[int, str]] = deque()
        self._last: dict[tuple[str, str | None], Frame] = {}

    async def run(self) -> None:
        """Until the client leaves, or a fault cuts it off."""
        await self.send(self._session.greeting(self._venue_ms()))
        publishing = asyncio.create_task(self._publish())
        try:
            async for message in self._socket:
                await self._heard(message.type, message.data)
        finally:
            publishing.cancel()
            with suppress(asyncio.CancelledError, ClientConnectionResetError):
                await publishing

    async def _publish(self) -> None:
        least, most = _TICK_S
        tick_s = min(max(self._time.world_s(1_000), least), most)
        while not self._socket.closed:
            if any(self._fault(kind) for kind in _CUTS):
                self._noted("cut")
                self._cut()
                return
            await self.send(self._session.news(self._venue_ms()))
            await self._send_late()
            await asyncio.sleep(tick_s)

    async def _heard(self, kind: WSMsgType, data: Any) -> None:
        if self._fault("half_open"):
            return
        if kind is WSMsgType.PING:
            await self._socket.pong(data)
        elif kind is WSMsgType.TEXT:
            message = _read(data)
            self._noted(f"says {data[:500]}")
            await self.send(self._session.heard(message, self._venue_ms()))

    async def send(self, frames: Iterable[Frame]) -> None:
        """Everything is said before it may be lost: the session moves on."""
        passing = list(self._faulty(list(frames)))
        for frame in passing:
            self.sent[" ".join(filter(None, (frame.channel, frame.symbol)))] += 1
            written = text(frame.body)
            if self._fault("truncated", frame.symbol):
                written = written[: len(written) // 2]
            if frame.symbol and (late := self._fault("late", frame.symbol)):
                self._late.append((self._time.now_ms() + late.size, written))
            else:
                await self._socket.send_str(written)

    async def _send_late(self) -> None:
        while self._late and self._late[0][0] <= self._time.now_ms():
            await self._socket.send_str(self._late.popleft()[1])

    def _faulty(self, frames: list[Frame]) -> Iterator[Frame]:
        for frame in [] if self._fault("half_open") else frames:
            if frame.symbol is None:
                yield frame
            elif heard := self._heard_of(frame):
                yield from self._in_order(heard)

    def _heard_of(self, frame: Frame) -> Frame | None:
        """What is left of a message of data."""
        place = (frame.channel, frame.symbol)
        if self._fault("silence", frame.symbol):
            return None
        if self._fault("frozen_stamps", frame.symbol):
            frame = self._last.get(place, frame)
        self._last[place] = frame
        if self._fault("bad_checksum", frame.symbol):
            frame = self._session.spoilt(frame)
        self._data += 1
        lost = self._fault("lost", frame.symbol)
        return None if lost and self._data % lost.size == 0 else frame

    def _in_order(self, frame: Frame) -> Iterator[Frame]:
        held, self._held = self._held, None
        if held is None and self._fault("reordered", frame.symbol):
            self._held = frame
            return
        yield frame
        if held is not None:
            yield held
        if self._fault("duplicated", frame.symbol):
            yield frame

    def _fault(self, kind: str, symbol: str | None = None) -> Fault | None:
        return self._faults.now(kind, _WHERE, self._time.now_ms(), symbol)

    def _venue_ms(self) -> int:
        now_ms = self._time.now_ms()
        return now_ms + self._faults.offset_ms(now_ms)


def _read(data: str) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None
