"""One port speaks REST, WebSocket and /control; what is asked is noted, what fails was told to.

/control/now says the market's time, /control/log who asked what, POST /control/fault adds a fault
and DELETE takes all back; where one can trade, `control` says what else there is. The faults never
meet /control. What is somebody's own is done in one piece, on the loop, before anybody else asks.
"""

import asyncio
import json
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

from aiohttp import web

from tests.venue import control
from tests.venue.connection import Connection
from tests.venue.dialect import Desk, Dialect
from tests.venue.faults import Fault, Faults
from tests.venue.refusals import Refused
from tests.venue.venue_time import VenueTime
from tests.venue.wire import Answer, Asked, http_date, text

HTML: Final = "<html><head><title>Just a moment...</title></head><body>Checking</body></html>"

_NOTES_MAX: Final = 20_000
_TROUBLES: Final = ("http_429", "http_418", "http_500", "maintenance")

Met = Callable[[str], Fault | None]


@dataclass(slots=True)
class Log:
    notes: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_NOTES_MAX))
    connections: dict[int, Connection] = field(default_factory=dict)
    opened: int = 0
    sent: Counter[str] = field(default_factory=Counter)  # by connections that have ended


class Server:
    def __init__(
        self, dialect: Dialect, time: VenueTime, faults: Faults, desk: Desk | None = None
    ) -> None:
        self._dialect = dialect
        self._desk = desk
        self._later: list[asyncio.Task[None]] = []
        self._time = time
        self._faults = faults
        self._log = Log()

    async def start(self, port: int = 0) -> tuple[web.AppRunner, str]:
        app = web.Application()
        app.router.add_route("*", "/control/{what}", self._control)
        app.router.add_route("*", "/{path:.*}", self._asked)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        host, port = runner.addresses[0][:2]
        return runner, f"http://{host}:{port}"

    async def _control(self, request: web.Request) -> web.Response:
        exchange = self._desk.exchange if self._desk else None
        if exchange:
            exchange.advance(self._venue_ms())  # under the faults that there were
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
            case "GET", "ledger" if exchange:
                return web.json_response(control.told(exchange, self._venue_ms()))
            case "POST", what if exchange:
                said = await request.json()
                try:
                    return web.json_response(control.done(exchange, what, said, self._venue_ms()))
                except (Refused, KeyError, ValueError) as wrong:
                    return web.json_response({"refused": str(wrong)}, status=400)
        return web.json_response({}, status=404)

    def _written(self) -> dict[str, Any]:
        open_now = self._log.connections
        sent = sum((each.sent for each in open_now.values()), self._log.sent)
        return {"asked": list(self._log.notes), "sent": sent, "open": list(open_now)}

    async def _asked(self, request: web.Request) -> web.StreamResponse:
        upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
        place = (
            self._desk.place(request.method, request.path) if self._desk and not upgrade else None
        )
        where = "socket" if upgrade else place or "rest"
        query = dict(request.query)
        asked = await _read(request) if place else None
        symbol = self._symbol(request.path, query, asked) if not upgrade else None
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
        if asked is not None:
            return await self._deal(request, asked, where, met)
        answer = _cut_off(await self._answer(request.path, query), met)
        return self._said(where, request.path_qs, answer)

    async def _deal(
        self, request: web.Request, asked: Asked, where: str, met: Met
    ) -> web.StreamResponse:
        """What is admitted is done; whether that is told is up to the faults."""
        assert self._desk is not None
        words = f"{request.path_qs} {asked.body[:500]}"
        answer = self._desk.admit(asked, self._venue_ms())
        if answer is not None:
            return self._said(where, words, answer)
        if late := met("accepted_late"):
            self._note(where, words, "accepted, and not answered")
            self._later.append(asyncio.create_task(self._do_late(asked, late.size)))
            await asyncio.Event().wait()
        answer = self._do(asked)
        if met("reply_dropped"):
            self._note(where, words, "done, and cut")
            _cut(request)
        if met("reply_hangs"):
            self._note(where, words, "done, and not answered")
            await asyncio.Event().wait()
        if late := met("reply_late"):
            await asyncio.sleep(self._time.world_s(late.size))
        return self._said(where, words, _cut_off(self._spoilt(answer, met), met))

    async def _do_late(self, asked: Asked, late_ms: int) -> None:
        await asyncio.sleep(self._time.world_s(late_ms))
        self._do(asked)

    def _do(self, asked: Asked) -> Answer:
        assert self._desk is not None
        try:
            return self._desk.do(asked, self._venue_ms())
        except (KeyError, ValueError) as wrong:
            return Answer(text({"error": [f"malformed: {wrong}"]}), 400)

    def _spoilt(self, answer: Answer, met: Met) -> Answer:
        """What is done, in other words."""
        assert self._desk is not None
        if met("reply_html"):
            return Answer(HTML, kind="text/html")
        if met("reply_empty"):
            return Answer("{}")
        if failed := met("reply_500"):
            return Answer(HTML, failed.size, kind="text/html")
        return self._desk.duplicate() if met("reply_duplicate") else answer

    def _symbol(self, path: str, query: Mapping[str, str], asked: Asked | None) -> str | None:
        if asked is None or self._desk is None:
            return self._dialect.symbol_in(path, query)
        return self._desk.symbol_in(asked)

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
        now_ms = self._venue_ms()
        own = self._desk.session(number, request.path, now_ms) if self._desk else None
        session = own or self._dialect.session(number, request.path, now_ms)
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


async def _read(request: web.Request) -> Asked:
    """Its parameters, be they a query, a form or JSON."""
    body = await request.text()
    if body and request.content_type == "application/json":
        said = {name: str(value) for name, value in json.loads(body).items()}
    else:
        body = body or request.rel_url.raw_query_string
        said = dict(parse_qsl(body, keep_blank_values=True))
    return Asked(request.method, request.path, said, request.headers, body)


def _cut_off(answer: Answer, met: Met) -> Answer:
    if met("truncated"):
        return answer._replace(body=answer.body[: len(answer.body) // 2])
    return answer
