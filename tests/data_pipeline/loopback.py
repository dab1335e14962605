"""A small exchange on this machine: it speaks Kraken's and Coinbase's public REST, and can lie.

It serves what has opened by its clock, the unfinished candle last (Kraken) or first (Coinbase).
`faults` are used up, one a request of candles; `twist` changes the rows of every one.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

KRAKEN_SERVES = 720
COINBASE_SERVES = 300
COINBASE_STEPS = {"ONE_MINUTE": 60, "FIVE_MINUTE": 300, "ONE_HOUR": 3600, "ONE_DAY": 86_400}


class Row(NamedTuple):
    """A candle as an exchange writes it: decimals are text."""

    opened_at_ms: int
    open: Any
    high: Any
    low: Any
    close: Any
    volume: Any


class Pair(NamedTuple):
    symbol: str
    kraken: str  # its name there
    base: str  # and that of its base
    quote: str
    decimals: int  # of a price
    start: int  # price, in steps of these decimals
    open: bool = True


PAIRS = (
    Pair("BTC-USD", "XXBTZUSD", "XXBT", "ZUSD", 1, 650_000),
    Pair("ETH-USD", "XETHZUSD", "XETH", "ZUSD", 2, 350_000),
    Pair("SOL-USD", "SOLUSD", "SOL", "ZUSD", 2, 15_000),
    Pair("BTC-EUR", "XXBTZEUR", "XXBT", "ZEUR", 1, 600_000),
    Pair("ADA-USD", "ADAUSD", "ADA", "ZUSD", 6, 400_000, open=False),
)


def walk(symbol: str, opened_at_ms: int) -> Row | None:
    """A candle that is a function of its time; it opens where the one before it closed."""
    pair = next(pair for pair in PAIRS if pair.symbol == symbol)
    minute = opened_at_ms // 60_000

    def price(at: int) -> int:
        return pair.start + (at * 7919 + pair.start) % 997 - 498

    opened, closed = price(minute), price(minute + 1)
    high, low = max(opened, closed) + minute % 7, min(opened, closed) - minute % 5
    texts = [str(Decimal(each).scaleb(-pair.decimals)) for each in (opened, high, low, closed)]
    return Row._make([opened_at_ms, *texts, f"{minute % 89}.{minute % 9973:08}"])


class Answer(NamedTuple):
    status: int = 200
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    hang: bool = False


class Time:
    """A clock that only moves while somebody waits for it."""

    def __init__(self, at_ms: int) -> None:
        self.at_ms = at_ms
        self.waits: list[float] = []

    def __call__(self) -> int:
        return self.at_ms

    async def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.at_ms += max(int(seconds * 1000), 1)
        await asyncio.sleep(0)


Fault = Callable[[str], Answer]  # what is answered instead of this right body


def says(status: int, body: str = "<html>no</html>", **headers: str) -> Fault:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return lambda _: Answer(status, body, named)


def hangs(_: str) -> Answer:
    return Answer(hang=True)


def truncated(body: str) -> Answer:
    return Answer(body=body[: len(body) // 2])


def right(body: str) -> Answer:
    return Answer(body=body)


def now_ms() -> int:
    return int(time.time() * 1000)


@dataclass
class Loopback:
    clock_ms: Callable[[], int] = now_ms
    candle: Callable[[str, int], Row | None] = walk
    twist: Callable[[str, list[Row]], list[Row]] = lambda _, rows: rows
    faults: deque[Fault] = field(default_factory=deque)
    market_faults: deque[Fault] = field(default_factory=deque)
    asked: list[str] = field(default_factory=list)
    behind_ms: int = 0  # how far its clock is behind

    def __enter__(self) -> Self:
        self.hung, self._leaving = Event(), Event()
        self._server = _Server(self)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leaving.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def now_ms(self) -> int:
        return self.clock_ms() - self.behind_ms

    def candles_asked(self) -> list[str]:
        return [path for path in self.asked if "OHLC" in path or "/candles" in path]

    def answer(self, target: str) -> Answer:
        self.asked.append(target)
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        match url.path.strip("/").split("/"):
            case ["0", "public", "Assets"]:
                return right(_kraken({}))
            case ["0", "public", "AssetPairs"]:
                return self._faulty(self.market_faults, _kraken(dict(map(_kraken_pair, PAIRS))))
            case ["0", "public", "OHLC"]:
                return self._faulty(self.faults, self._kraken_candles(query))
            case ["v2", *_]:
                return right(json.dumps({"data": []}))
            case ["api", "v3", "brokerage", "market", "products"]:
                products = [] if "product_type" in query else list(map(_coinbase_product, PAIRS))
                return self._faulty(self.market_faults, json.dumps({"products": products}))
            case ["api", "v3", "brokerage", "market", "products", symbol, "candles"]:
                return self._faulty(self.faults, self._coinbase_candles(symbol, query))
        return Answer(404, "<html>not here</html>")

    def hang(self) -> None:
        self.hung.set()
        self._leaving.wait()

    def _faulty(self, faults: deque[Fault], body: str) -> Answer:
        return faults.popleft()(body) if faults else right(body)

    def _rows(self, symbol: str, times: Iterable[int]) -> list[Row]:
        rows = [self.candle(symbol, at) for at in times]
        return self.twist(symbol, [row for row in rows if row is not None])

    def _kraken_candles(self, query: dict[str, str]) -> str:
        pair = next(pair for pair in PAIRS if pair.kraken == query["pair"])
        step_ms = int(query["interval"]) * 60_000
        current = self.now_ms - self.now_ms % step_ms
        since = int(query.get("since", "0")) * 1000
        first = max(since - since % step_ms + step_ms, current - (KRAKEN_SERVES - 1) * step_ms)
        rows = self._rows(pair.symbol, range(first, current + 1, step_ms))
        served = [[row.opened_at_ms // 1000, *row[1:5], row.close, row.volume, 1] for row in rows]
        return _kraken({pair.kraken: served, "last": current // 1000 - 60})

    def _coinbase_candles(self, symbol: str, query: dict[str, str]) -> str:
        step_ms = COINBASE_STEPS[query["granularity"]] * 1000
        begin, end = int(query["start"]) * 1000, int(query["end"]) * 1000
        assert (end - begin) // step_ms <= COINBASE_SERVES, "It refuses to serve more at once."
        first = begin + -begin % step_ms
        rows = self._rows(symbol, range(first, min(end, self.now_ms) + 1, step_ms))
        served = [
            {"start": str(row.opened_at_ms // 1000)}
            | dict(zip(Row._fields[1:], row[1:], strict=True))
            for row in reversed(rows)
        ]
        return json.dumps({"candles": served})


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, loopback: Loopback) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.loopback = loopback


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # An answer leaves in one piece.
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        answer = self.server.loopback.answer(self.path)
        if answer.hang:
            self.server.loopback.hang()
            self.close_connection = True
            return
        body = answer.body.encode()
        self.send_response(answer.status)
        for name, value in (*answer.headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(self.server.loopback.now_ms / 1000, usegmt=True)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


def _kraken(result: object) -> str:
    return json.dumps({"error": [], "result": result})


def _kraken_pair(pair: Pair) -> tuple[str, dict[str, object]]:
    base, quote = pair.symbol.replace("BTC", "XBT").split("-")
    return pair.kraken, {
        "altname": base + quote,
        "wsname": f"{base}/{quote}",
        "base": pair.base,
        "quote": pair.quote,
        "pair_decimals": pair.decimals,
        "lot_decimals": 8,
        "fees": [[0, 0.4]],
        "fees_maker": [[0, 0.25]],
        "ordermin": "0.00005",
        "costmin": "0.5",
        "tick_size": str(Decimal(1).scaleb(-pair.decimals)),
        "status": "online" if pair.open else "cancel_only",
    }


def _coinbase_product(pair: Pair) -> dict[str, object]:
    base, quote = pair.symbol.split("-")
    return {
        "product_id": pair.symbol,
        "base_currency_id": base,
        "quote_currency_id": quote,
        "product_type": "SPOT",
        "base_increment": "0.00000001",
        "quote_increment": str(Decimal(1).scaleb(-pair.decimals)),
        "price_increment": str(Decimal(1).scaleb(-pair.decimals)),
        "base_min_size": "0.00000001",
        "quote_min_size": "1",
        "trading_disabled": not pair.open,
    }
