"""Kraken, as its public REST and its WebSocket v2 speak.

Candles that nobody traded in are there, flat and without volume; 720 of them are served at most.
Trades come by a cursor in nanoseconds. A book is proven by the CRC32 of its first ten levels.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from tests.venue.kraken_socket import INTERVALS, KrakenSession
from tests.venue.tape import DAY_MS, GRAINS, LISTED_MS, MINUTE_MS, Candle, Level, Print, Tape
from tests.venue.wire import Answer, decimal, digits, http_date, stamp, text

SERVES: Final = 720
SERVES_TRADES: Final = 1_000

_LEGACY: Final = {"BTC": "XXBT", "ETH": "XETH", "USD": "ZUSD", "EUR": "ZEUR"}
_MINIMUMS: Final = {"BTC": "0.00005", "ETH": "0.002", "SOL": "0.06", "OXT": "60"}
COST_MINIMUM: Final = "0.5"
_TIERS: Final = (0, 10_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000)
_TAKER: Final = (0.4, 0.35, 0.24, 0.22, 0.2, 0.18, 0.16, 0.14, 0.12)
_MAKER: Final = (0.25, 0.2, 0.14, 0.12, 0.1, 0.08, 0.06, 0.04, 0.02)
_NANOSECONDS_SINCE: Final = 10**12  # a smaller cursor is one of seconds


class Pair(NamedTuple):
    symbol: str
    base: str  # as the old names have it
    quote: str
    altname: str
    decimals: int

    @property
    def id(self) -> str:
        return self.base + self.quote if self.base in _LEGACY.values() else self.altname

    @property
    def wsname(self) -> str:
        return self.symbol.replace("BTC", "XBT")


class Kraken:
    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.pairs = [_pair(symbol, coin.decimals) for symbol, coin in tape.coins.items()]
        self._named = {
            name: pair for pair in self.pairs for name in (pair.id, pair.altname, pair.wsname)
        }
        self._of = {pair.symbol: pair for pair in self.pairs}
        # Where there is a market to trade in: online, cancel_only, delisted.
        self.state: Callable[[str, int], str] = lambda symbol, now_ms: "online"

    def pair(self, name: str) -> Pair | None:
        return self._named.get(name)

    def pair_of(self, symbol: str) -> Pair:
        return self._of[symbol]

    def answer(self, path: str, query: Mapping[str, str], now_ms: int) -> Answer:
        match path.strip("/").split("/"):
            case ["0", "public", "Time"]:
                at = {"unixtime": now_ms // 1_000, "rfc1123": _rfc1123(now_ms)}
                return result(at)
            case ["0", "public", "SystemStatus"]:
                return result({"status": "online", "timestamp": _second(now_ms)})
            case ["0", "public", "Assets"]:
                return result(self._assets())
            case ["0", "public", "AssetPairs"]:
                wanted = self._wanted(query)
                return _unknown() if wanted is None else result(self._pairs(wanted, now_ms))
            case ["0", "public", "Ticker"]:
                return self._of_pairs(query, partial(self._ticker, now_ms=now_ms))
            case ["0", "public", "OHLC"]:
                return self._of_a_pair(query, partial(self._candles, query=query, now_ms=now_ms))
            case ["0", "public", "Trades"]:
                return self._of_a_pair(query, partial(self._trades, query=query, now_ms=now_ms))
            case ["0", "public", "Depth"]:
                return self._of_a_pair(query, partial(self._depth, query=query, now_ms=now_ms))
        return error("EGeneral:Unknown method", 404)

    def trouble(self, kind: str, amount: int, path: str, now_ms: int) -> Answer:
        later = {"Retry-After": str(amount)}
        match kind:
            case "http_429":
                return error("EGeneral:Too many requests", 429)._replace(headers=later)
            case "http_418":
                return error("EGeneral:Temporary lockout", 418)._replace(headers=later)
            case "maintenance" if path.endswith("SystemStatus"):
                return result({"status": "maintenance", "timestamp": _second(now_ms)})
            case "maintenance":
                return error("EService:Unavailable", 503)
        return error("EGeneral:Internal error", 500)

    def symbol_in(self, path: str, query: Mapping[str, str]) -> str | None:
        pair = self._named.get(query.get("pair", ""))
        return pair.symbol if pair else None

    def session(self, number: int, path: str, now_ms: int) -> KrakenSession:
        return KrakenSession(self.tape, number, now_ms)

    def _wanted(self, query: Mapping[str, str]) -> list[Pair] | None:
        if "pair" not in query:
            return self.pairs
        found = [self._named.get(name) for name in query["pair"].split(",")]
        return None if None in found else [pair for pair in found if pair]

    def _of_pairs(self, query: Mapping[str, str], said: Callable[[Pair], Any]) -> Answer:
        wanted = self._wanted(query)
        return _unknown() if wanted is None else result({pair.id: said(pair) for pair in wanted})

    def _of_a_pair(self, query: Mapping[str, str], said: Callable[[Pair], Answer]) -> Answer:
        pair = self._named.get(query.get("pair", ""))
        return said(pair) if pair else _unknown()

    def _pairs(self, wanted: list[Pair], now_ms: int) -> dict[str, Any]:
        states = {pair: self.state(pair.symbol, now_ms) for pair in wanted}
        there = {pair: state for pair, state in states.items() if state != "delisted"}
        return {pair.id: _rules(pair) | {"status": state} for pair, state in there.items()}

    def _assets(self) -> dict[str, Any]:
        names = {(p.base, p.symbol.split("/")[0]) for p in self.pairs}
        names |= {(p.quote, p.symbol.split("/")[1]) for p in self.pairs}
        return {
            old: {
                "aclass": "currency",
                "altname": name.replace("BTC", "XBT"),
                "decimals": 4 if old.startswith("Z") else 10,
                "display_decimals": 2 if old.startswith("Z") else 5,
                "status": "enabled",
            }
            for old, name in sorted(names)
        }

    def _ticker(self, pair: Pair, now_ms: int) -> dict[str, Any]:
        touch = self.tape.touch(pair.symbol, now_ms)
        day = self.tape.summary(pair.symbol, now_ms - DAY_MS, now_ms)
        today = self.tape.summary(pair.symbol, now_ms - now_ms % DAY_MS, now_ms) or day
        last = self.tape.last_prints(pair.symbol, 1, now_ms)
        if day is None or today is None or not last:
            return {}

        def price(points: int) -> str:
            return digits(points, pair.decimals, max(5 - pair.decimals, 0))

        return {
            "a": [price(touch.ask), "1", digits(touch.ask_quantity, GRAINS)],
            "b": [price(touch.bid), "1", digits(touch.bid_quantity, GRAINS)],
            "c": [price(last[0].price), digits(last[0].quantity, GRAINS)],
            "v": [digits(each.volume, GRAINS) for each in (today, day)],
            "p": [price(each.turnover // each.volume) for each in (today, day)],
            "t": [today.prints, day.prints],
            "l": [price(today.low), price(day.low)],
            "h": [price(today.high), price(day.high)],
            "o": price(today.open),
        }

    def _candles(self, pair: Pair, query: Mapping[str, str], now_ms: int) -> Answer:
        minutes, since_s = int(query.get("interval", "1")), int(query.get("since", "0"))
        if minutes not in INTERVALS:
            return error("EGeneral:Invalid arguments")
        interval_ms = minutes * MINUTE_MS
        current = now_ms - now_ms % interval_ms
        begin = max(current - (SERVES - 1) * interval_ms, LISTED_MS + -LISTED_MS % interval_ms)
        found = self.tape.filled(pair.symbol, interval_ms, begin, now_ms)
        rows = [_candle(c, pair.decimals) for c in found if c.opened_at_ms > since_s * 1_000]
        return result({pair.id: rows, "last": (current - interval_ms) // 1_000})

    def _trades(self, pair: Pair, query: Mapping[str, str], now_ms: int) -> Answer:
        since, count = int(query.get("since", "-1")), int(query.get("count", SERVES_TRADES))
        count = min(max(count, 1), SERVES_TRADES)
        if since < 0:
            found = self.tape.last_prints(pair.symbol, count, now_ms)
        else:
            since_ns = since if since >= _NANOSECONDS_SINCE else since * 10**9
            found = self._after(pair.symbol, since_ns, count, now_ms)
        last = _nanoseconds(found[-1]) if found else max(since, 0)
        rows = [_trade(each, pair.decimals) for each in found]
        return result({pair.id: rows, "last": str(last)})

    def _after(self, symbol: str, since_ns: int, count: int, now_ms: int) -> list[Print]:
        begin, found = max(since_ns // 10**6, LISTED_MS), list[Print]()
        while len(found) < count and begin < now_ms:
            end = min(begin + DAY_MS // 4, now_ms)
            there = self.tape.prints(symbol, begin, end)
            found += [each for each in there if _nanoseconds(each) > since_ns]
            begin = end
        return found[:count]

    def _depth(self, pair: Pair, query: Mapping[str, str], now_ms: int) -> Answer:
        depth, count = self.tape.depth(pair.symbol, now_ms), int(query.get("count", "100"))

        def rows(levels: tuple[Level, ...]) -> list[list[Any]]:
            return [
                [
                    digits(level.price, pair.decimals, max(5 - pair.decimals, 0)),
                    digits(level.quantity, GRAINS),
                    now_ms // 1_000,
                ]
                for level in levels[:count]
            ]

        return result({pair.id: {"asks": rows(depth.asks), "bids": rows(depth.bids)}})


def minimum(symbol: str) -> str:
    return _MINIMUMS.get(symbol.split("/")[0], "1")


def asset(coin: str) -> str:
    """As the old names have it."""
    return _LEGACY.get(coin, coin)


def _pair(symbol: str, decimals: int) -> Pair:
    base, quote = symbol.split("/")
    altname = symbol.replace("BTC", "XBT").replace("/", "")
    return Pair(symbol, asset(base), asset(quote), altname, decimals)


def _rules(pair: Pair) -> dict[str, Any]:
    return {
        "altname": pair.altname,
        "wsname": pair.wsname,
        "aclass_base": "currency",
        "base": pair.base,
        "aclass_quote": "currency",
        "quote": pair.quote,
        "lot": "unit",
        "cost_decimals": 5,
        "pair_decimals": pair.decimals,
        "lot_decimals": GRAINS,
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": list(zip(_TIERS, _TAKER, strict=True)),
        "fees_maker": list(zip(_TIERS, _MAKER, strict=True)),
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": minimum(pair.symbol),
        "costmin": COST_MINIMUM,
        "tick_size": digits(1, pair.decimals),
    }


def _candle(candle: Candle, decimals: int) -> list[Any]:
    prices = [digits(price, decimals) for price in candle[1:5]]
    vwap = digits(candle.turnover // candle.volume, decimals) if candle.volume else "0.0"
    volume = digits(candle.volume, GRAINS)
    return [candle.opened_at_ms // 1_000, *prices, vwap, volume, candle.prints]


def _trade(each: Print, decimals: int) -> list[Any]:
    side, kind = each.side[0], "lm"[each.id % 2]
    price = digits(each.price, decimals, max(5 - decimals, 0))
    at = decimal(_nanoseconds(each) // 100, 7)
    return [price, digits(each.quantity, GRAINS), at, side, kind, "", each.id]


def _nanoseconds(each: Print) -> int:
    """Those of one millisecond follow each other by microseconds, as a cursor needs it."""
    return each.at_ms * 10**6 + each.ordinal * 10**3


def _second(at_ms: int) -> str:
    return stamp(at_ms)[:19] + "Z"


def _rfc1123(at_ms: int) -> str:
    day, rest = http_date(at_ms).split(", ")
    return f"{day}, {rest[:7]}{rest[9:20]} +0000"


def result(result: Any) -> Answer:
    return Answer(text({"error": [], "result": result}))


def error(words: str, status: int = 200) -> Answer:
    return Answer(text({"error": [words]}), status)


def _unknown() -> Answer:
    return error("EQuery:Unknown asset pair")
