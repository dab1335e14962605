"""A request is answered, or its trouble has a name: nothing of ccxt's leaves here but to `stream`.

One client of one exchange, without keys: one request at a time, at the pace it allows. A
reply counts for what had closed when the exchange wrote it, by the exchange's clock: neither an old
reply nor a hurrying clock of this machine makes a candle of what is not one yet.
"""

import asyncio
import os
import random
import re
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final, get_args
from urllib.parse import SplitResult, urlsplit

from rrr.config.kinds import Timeframe
from rrr.core.errors import UsageError
from rrr.data_pipeline import lean_ccxt
from rrr.data_pipeline.exchange_clock import Clocks
from rrr.data_pipeline.exchange_instruments import nearest
from rrr.data_pipeline.exchange_pace import BAN_S, Requests
from rrr.data_pipeline.exchange_troubles import Told, Trouble, forgotten
from rrr.data_pipeline.recorded_files import timeframe_ms
from rrr.data_pipeline.recording import Recorder

PAUSE_ASKED_S_MAX: Final = 86_400.0

_PAGE = 100  # where ccxt does not say what an exchange serves at once
_TICK_SIZE = 4  # ccxt.TICK_SIZE
_AHEAD_MS = 86_400_000  # no clocks are further apart
_NEVER_MS = 1 << 62
_DATES_ARE_CUT_MS = 999  # to whole seconds

# What ccxt stumbles over when a message has another shape than it expects.
MISREAD: Final = (
    TypeError,
    AttributeError,
    LookupError,
    ValueError,
    ArithmeticError,
    RecursionError,
)

_SMALL: Final = re.compile(r"e[-+]?\d{4}")  # found quickly, and rarely there
_GREAT: Final = re.compile(r"E[-+]?\d{4}")
_ENDLESS: Final = re.compile(r'[":,\[\s][-+]?[\d.]+[eE][-+]?\d{4,}[",\]}\s]')


def is_endless(text: str) -> bool:
    """Whether it holds a number of more digits than there is time for: ccxt would write them out.

    >>> is_endless('{"price": "1e10000000"}'), is_endless('{"price": 1e9, "id": "12e45678-0"}')
    (True, False)
    """
    maybe = _SMALL.search(text) or _GREAT.search(text)
    return maybe is not None and _ENDLESS.search(text) is not None


def monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Manner:
    """How the world is waited for, and spoken to."""

    wait: Callable[[float], Awaitable[object]] = asyncio.sleep  # seconds
    timeout_ms: int = 10_000
    rate_limited: bool = True
    sockets: bool = False  # listened to, where the exchange has some
    sandbox: bool = False  # its test network is meant
    silence_ms: int = 10_000  # they are never given up before
    time_every_ms: int = 300_000  # the exchange is asked for it
    monotonic_ms: Callable[[], int] = monotonic_ms
    chance: Callable[[], float] = random.random
    dressed: Callable[[Any], None] = lambda ccxt: None  # what speaks in place of the network


def connect(
    name: str,
    timeframe: str,
    address: str | None,
    manner: Manner,
    told: Told,
    clock_ms: Callable[[], int] | None = None,
) -> "Client":
    """A client that has asked for nothing yet; what can be refused without asking is.

    Given a clock, it compares it with the exchange's.
    """
    known = lean_ccxt.names()
    if name not in known:
        raise UsageError(f"{name!r} is no exchange that ccxt knows.", nearest(name, known))
    sockets = manner.sockets and lean_ccxt.has_pro(name)
    kind, why = (lean_ccxt.load_pro if sockets else lean_ccxt.load)(name)
    if why:
        told("lean_import_failed", f"all of ccxt is imported, which is slower ({why})", {})
    ccxt = kind(
        {
            "enableRateLimit": manner.rate_limited,
            "timeout": manner.timeout_ms,
            "enableLastJsonResponse": True,
            "options": {"defaultType": "spot"},
        }
    )
    only_spot(ccxt)
    if ccxt.has.get("fetchOHLCV") is not True:
        raise UsageError(f"{name} gives no candles.", "Choose another exchange, such as kraken.")
    there = ccxt.timeframes or {}
    if timeframe not in there:
        listed = ", ".join(each for each in get_args(Timeframe) if each in there)
        raise UsageError(f"{name} has no {timeframe} candles.", f"It has {listed}.")
    lead(ccxt, address, sandbox=manner.sandbox)
    from rrr.data_pipeline.exchange_bounds import bound  # and aiohttp, which ccxt brought

    bound(ccxt)
    manner.dressed(ccxt)
    clocks = Clocks(name, clock_ms, manner.monotonic_ms, told) if clock_ms else None
    requests = Requests(name, ccxt.rateLimit, manner.monotonic_ms, manner.wait)
    return Client(ccxt, timeframe, clocks, requests)


class Client:
    """Made by `connect`."""

    def __init__(
        self, ccxt: Any, timeframe: str, clocks: Clocks | None, requests: Requests
    ) -> None:
        self.name: str = ccxt.id
        self.tick_sizes: bool = ccxt.precisionMode == _TICK_SIZE
        limits = ((ccxt.features or {}).get("spot") or {}).get("fetchOHLCV") or {}
        self.page: int = limits.get("limit") or _PAGE
        self.timeframe = timeframe
        self.step_ms = timeframe_ms(timeframe)
        self.ccxt = ccxt
        self.clocks = clocks
        self.requests = requests
        self.recorder: Recorder | None = None  # of whoever wants to keep what is heard
        self.shown: Callable[[str, str], None] = _nobody  # looks at each good answer: url, body
        self._turn = asyncio.Lock()
        self._sent_ms = 0
        self._strip = ccxt.on_rest_response
        ccxt.on_rest_response, ccxt.throttle = self._answered, self._paced
        self._parse = ccxt.parse_ohlcv
        ccxt.parse_ohlcv = self._row

    @property
    def has_sockets(self) -> bool:
        """Whether ccxt listens to it, and was asked to."""
        return self.ccxt.has.get("ws") is True

    @property
    def ways(self) -> str:
        return "WebSocket and REST" if self.has_sockets else "REST"

    async def markets(self) -> Mapping[str, Any]:
        markets = await self._answer(self.ccxt.load_markets)
        if not markets:
            raise Trouble("nonsense", "answers, but names no instruments")
        return dict(markets)

    async def ask_time(self) -> None:
        """Let the clocks be compared, where the exchange tells its time; trouble is no matter."""
        if self.ccxt.has.get("fetchTime") is not True or self.clocks is None:
            return
        async with self._turn:
            try:
                venue_ms = await self._answer(self.ccxt.fetch_time)
            except Trouble:
                return
        if isinstance(venue_ms, int):
            resolution_ms = _DATES_ARE_CUT_MS + 1 if venue_ms % 1000 == 0 else 1
            self.clocks.answered(self._sent_ms, venue_ms, resolution_ms)

    async def prints(self, pair: str, limit: int, since: int) -> tuple[list[Any], Any]:
        """A page of trades, in the venue's own cursor: as ccxt reads them, and as they came."""
        async with self._turn:
            trades = await self._answer(self.ccxt.fetch_trades, pair, None, limit, {"since": since})
            return trades, self.ccxt.last_json_response

    async def book(self, pair: str, levels: int) -> None:
        """A snapshot of so many levels: `shown` sees it."""
        async with self._turn:
            await self._answer(self.ccxt.fetch_order_book, pair, levels)

    async def rows(self, pair: str, begin: int, end: int) -> list[list[Any]]:
        """What opened from `begin` on, as far as the exchange goes back; all that closed by `end`.

        A row is time, open, high, low, close, volume, as it came; the last may not have closed.
        """
        rows: list[list[Any]] = []
        held: int | None = None  # what the last page ended with, and the next must begin with
        while begin < end:
            since = begin if held is None else held
            limit = min(self.page, (end - since) // self.step_ms + 1)
            page = await self._page(pair, since, limit, end)
            rows += page
            stamps = [row[0] for row in page if row and isinstance(row[0], int)]
            if held is not None and held not in stamps:
                raise forgotten(held)
            inside = [at for at in stamps if begin <= at < end]
            if not inside and any(at >= end for at in stamps):
                break
            held = max(inside, default=None)
            newest = since + (limit - 1) * self.step_ms if held is None else held
            begin = newest - newest % self.step_ms + self.step_ms
        return rows

    async def close(self) -> None:
        await self.ccxt.close()

    async def _page(self, pair: str, begin: int, limit: int, end: int) -> list[list[Any]]:
        async with self._turn:
            request = self.ccxt.fetch_ohlcv
            rows = await self._answer(request, pair, self.timeframe, begin, limit)
            if not isinstance(self.ccxt.last_json_response, dict | list):
                raise Trouble("nonsense", "answers with something that is no JSON")
            written_ms = _date_ms(_said(self.ccxt.last_response_headers, "date"))
        if written_ms is not None and written_ms + _DATES_ARE_CUT_MS < end:
            raise Trouble(
                "stale",
                f"answers with what it knew {(end - written_ms) // 1000} s before the closing time;"
                " the answer is old, or the clock of this machine is ahead",
            )
        return list(rows)

    async def _answer(self, request: Callable[..., Awaitable[Any]], *details: object) -> Any:
        from ccxt.base.errors import BaseError

        if self.clocks is not None:
            self._sent_ms = self.clocks.now_ms()
        try:
            return await request(*details)
        except BaseError as error:
            raise self._trouble(error) from error
        except OSError as error:
            raise Trouble("unreachable", f"cannot be reached ({_reason(error)})") from error
        except MISREAD as error:
            raise Trouble("nonsense", "answers with something of another shape") from error

    async def _paced(self, weight: float | None = None) -> None:
        await self.requests.turn(weight)
        if self.clocks is not None:
            self._sent_ms = self.clocks.now_ms()

    def _row(self, said: Any, market: Any = None) -> list[Any]:
        """ccxt leaves out what has no time, or another one, as if nobody had traded then."""
        row: list[Any] = self._parse(said, market)
        now_ms = self.clocks.venue_ms() if self.clocks else _NEVER_MS
        if type(row[0]) is not int or not 0 < row[0] < now_ms + _AHEAD_MS:
            raise ValueError("A candle of no possible time.")
        return row

    def _answered(
        self, status: int, reason: str, url: str, method: str, headers: Any, body: str, *more: Any
    ) -> Any:
        """Each answer passes here before anybody reads it."""
        if self.recorder is not None:
            self.recorder.answered(url, method, status, headers, body)
        if is_endless(body):
            raise Trouble("nonsense", "answers with a number beyond all bounds")
        if status == 200:
            self.shown(url, body)
        self.requests.answered(headers)
        dates = [text for name, text in headers.items() if name.lower() == "date"]
        venue_ms = _date_ms(dates[0]) if dates else None
        if self.clocks is not None and venue_ms is not None:
            self.clocks.answered(self._sent_ms, venue_ms, _DATES_ARE_CUT_MS + 1)
        return self._strip(status, reason, url, method, headers, body, *more)

    def _trouble(self, error: Exception) -> Trouble:
        from ccxt.base import errors

        said = str(error)
        status = re.match(rf"{self.name} (?:[A-Z]+ \S+ )?(\d{{3}}) ", said)
        match error:
            case errors.RequestTimeout():
                return Trouble("slow", f"does not answer within {self.ccxt.timeout / 1000:g} s")
            case errors.RateLimitExceeded() | errors.DDoSProtection():
                pause_s = pause_asked_s(self.ccxt.last_response_headers)
                if status and status[1] == "418":
                    pause_s = max(pause_s, BAN_S)
                self.requests.pause(pause_s)
                patience = f", and for a pause of {pause_s:g} s" if pause_s else ""
                return Trouble("too many requests", f"asks for fewer requests{patience}", pause_s)
            case errors.OnMaintenance():
                return Trouble("maintenance", "is in maintenance")
            case errors.ExchangeNotAvailable() if status:
                return Trouble("failing", f"answers with HTTP {status[1]}")
            case errors.ExchangeNotAvailable() if error.__cause__ is None:
                words = _plain(said.removeprefix(self.name))
                return Trouble("failing", f"says that it is not available ({words})")
            case errors.ExchangeNotAvailable():
                return Trouble("unreachable", f"cannot be reached ({_reason(error.__cause__)})")
            case errors.AuthenticationError():
                return Trouble("keys", "asks for keys where none should be needed")
        return Trouble("refusal", f"refuses to answer ({_plain(said.removeprefix(self.name))})")


def pause_asked_s(headers: Mapping[str, str] | None) -> float:
    """When to come again, as a reply says it: in seconds or as a date; 0: it does not say."""
    text = _said(headers, "retry-after")
    if text.isdecimal():
        return min(float(text), PAUSE_ASKED_S_MAX)
    until_ms, now_ms = _date_ms(text), _date_ms(_said(headers, "date"))
    if until_ms is None or now_ms is None:
        return 0.0
    return min(max(until_ms - now_ms, 0) / 1000, PAUSE_ASKED_S_MAX)


def _said(headers: Mapping[str, str] | None, wanted: str) -> str:
    found = (text.strip() for name, text in (headers or {}).items() if name.lower() == wanted)
    return next(found, "")


def _nobody(url: str, body: str) -> None:
    """Looks."""


def only_spot(ccxt: Any) -> None:
    """Of an exchange that would name all that it trades, name what is asked for here."""
    wanted = ccxt.options.get("fetchMarkets")
    if isinstance(wanted, dict) and "types" in wanted:
        wanted["types"] = ["spot"]


def lead(ccxt: Any, address: str | None, *, sandbox: bool) -> None:
    """To the test network, or to another address."""
    if sandbox:
        ccxt.set_sandbox_mode(True)
    if address is not None:
        ccxt.urls["api"] = moved(ccxt.urls["api"], address)
        if address.startswith("http:"):
            ccxt.timeout_on_exit = 0  # Only encrypted connections need time to end.


def moved(urls: Any, address: str) -> Any:
    """The same addresses of ccxt's, at this place. Raise UsageError where it is none."""
    return _moved(urls, _place(address))


def _place(address: str) -> SplitResult:
    try:
        place = urlsplit(address)
        if place.scheme in ("http", "https") and place.hostname and place.port != 0:
            return place
        why = ""
    except ValueError as error:
        why = f": {error}"
    raise UsageError(f"{address!r} is no address{why}.", "Write one such as http://[::1]:8080.")


def _moved(urls: Any, place: SplitResult) -> Any:
    if isinstance(urls, dict):
        return {key: _moved(url, place) for key, url in urls.items()}
    if not isinstance(urls, str):
        return urls
    url = urlsplit(urls)
    path = place.path.rstrip("/") + url.path
    scheme = place.scheme.replace("http", "ws") if url.scheme in ("ws", "wss") else place.scheme
    return url._replace(scheme=scheme, netloc=place.netloc, path=path).geturl()


def _date_ms(text: str) -> int | None:
    try:
        return int(parsedate_to_datetime(text).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def _reason(error: BaseException | None) -> str:
    """Names are looked up, and connections encrypted, with numbers of other errors."""
    error = getattr(error, "os_error", error)
    if isinstance(error, ssl.SSLError):
        why = getattr(error, "verify_message", "") or getattr(error, "reason", None) or str(error)
        return _plain(f"no encrypted connection: {why.replace('_', ' ').lower()}")
    number = getattr(error, "errno", None)
    if isinstance(number, int) and number > 0 and not isinstance(error, socket.gaierror):
        return os.strerror(number)
    return _plain(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def _plain(said: str) -> str:
    """What a line has room for: no addresses, nothing that cannot be printed."""
    text = re.sub(r"\w+://\S+", "", said)
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:120]
