"""One port speaks REST, WebSocket and /control; what is asked is noted, what fails was told to.

/control/now says the market's time, /control/log who asked what, POST /control/fault adds a fault
and DELETE takes all back. The faults never meet /control.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from tests.venue.connection import Connection
from tests.venue.dialect import Dialect
from tests.venue.faults import Fault, Faults
from tests.venue.venue_time import VenueTime
from tests.venue.wire import Answer, http_date, text

HTML: Final = "<html><head><title>Just a moment...</title></head><body>Checking</body></html>"

_NOTES_MAX: Final = 20_000
_TROUBLES: Final = ("http_429", "http_418", "http_500", "maintenance")


@dataclass(slots=True)
class Log:
    notes: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_NOTES_MAX))
    connections: dict[int, Connection] = field(default_factory=dict)
    opened: int = 0
    sent: Counter[str] = field(default_factory=Counter)  # by connections that have ended


class Server:
    def __init__(self, dialect: Dialect, time: VenueTime, faults: Faults) -> None:
        self._dialect = dialect
        self._time = time
        self._faults = faults
        self._log = Log()

    async def start(self) -> tuple[web.AppRunner, str]:
        app = web.Application()
        app.router.add_route("*", "/control/{what}", self._control)
        app.router.add_route("*", "/{path:.*}", self._asked)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        return runner, f"http://{host}:{port}"

    async def _control(self, request: web.Request) -> web.Response:
        match request.method, request.match_info["what"]:
            case "GET", "now":
                return web.json_response({"now_ms": self._time.now_ms()})
            case "GET", "log":
                return web.json_response(self._written())
            case "POST", "fault":
                self._faults.add(Fault.read(await request.json()))
                return web.json_response({})
            case "DELETE", "fault":
                self._faults.clear()
                return web.json_response({})
        return web.json_response({}, status=404)

    def _written(self) -> dict[str, Any]:
        open_now = self._log.connections
        sent = sum((each.sent for each in open_now.values()), self._log.sent)
        return {"asked": list(self._log.notes), "sent": sent, "open": list(open_now)}

    async def _asked(self, request: web.Request) -> web.StreamResponse:
        upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
        where = "socket" if upgrade else "rest"
        query = dict(request.query)
        symbol = None if upgrade else self._dialect.symbol_in(request.path, query)
        now_ms = self._time.now_ms()

        def met(kind: str) -> Fault | None:
            return self._faults.now(kind, where, now_ms, symbol)

        if met("refuse") or (upgrade and met("disconnect")):
            self._note(where, request.path_qs, "cut")
            _cut(request)
            return web.Response()
        if not upgrade and met("half_open"):
            self._note(where, request.path_qs, "not answered")
            await asyncio.Event().wait()
        for kind in _TROUBLES:
            if fault := met(kind):
                answer = self._dialect.trouble(kind, fault.size, request.path, now_ms)
                return self._said(where, request.path_qs, answer)
        if met("html"):
            return self._said(where, request.path_qs, Answer(HTML, kind="text/html"))
        if upgrade:
            return await self._talk(request)
        answer = await self._answer(request.path, query)
        if met("truncated"):
            answer = answer._replace(body=answer.body[: len(answer.body) // 2])
        return self._said(where, request.path_qs, answer)

    async def _answer(self, path: str, query: Mapping[str, str]) -> Answer:
        try:
            return await asyncio.to_thread(self._dialect.answer, path, query, self._venue_ms())
        except (KeyError, ValueError) as wrong:
            return Answer(text({"error": [f"malformed: {wrong}"]}), 400)

    def _said(self, where: str, asked: str, answer: Answer) -> web.Response:
        self._note(where, asked, str(answer.status))
        headers = {"Date": http_date(self._venue_ms()), **answer.headers}
        return web.Response(
            text=answer.body, status=answer.status, headers=headers, content_type=answer.kind
        )

    async def _talk(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=False, compress=False)
        await socket.prepare(request)
        self._log.opened += 1
        number = self._log.opened
        who = f"socket {number}"
        self._note(who, request.path_qs, "open")
        session = self._dialect.session(number, request.path, self._venue_ms())
        connection = Connection(
            socket,
            session,
            self._time,
            self._faults,
            noted=lambda said: self._note(who, said, ""),
            cut=lambda: _cut(request),
        )
        self._log.connections[number] = connection
        try:
            await connection.run()
        finally:
            del self._log.connections[number]
            self._log.sent += connection.sent
            self._note(who, request.path_qs, "closed")
        return socket

    def _note(self, who: str, asked: str, outcome: str) -> None:
        at_ms = self._time.now_ms()
        self._log.notes.append({"at_ms": at_ms, "who": who, "asked": asked, "outcome": outcome})

    def _venue_ms(self) -> int:
        now_ms = self._time.now_ms()
        return now_ms + self._faults.offset_ms(now_ms)


def _cut(request: web.Request) -> None:
    """As a cable is: without a word."""
    if request.transport is not None:
        request.transport.abort()
