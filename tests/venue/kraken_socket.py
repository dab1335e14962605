"""Kraken's WebSocket v2: status, ohlc, trade, ticker and book, each acknowledged by instrument.

A candle is said again with every trade in it, and never without one. A book is said as what changed
in the depth that was asked for; what was merely pushed out of it is the client's to forget.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final
from zlib import crc32

from tests.venue.dialect import Frame, Subscription
from tests.venue.tape import DAY_MS, GRAINS, MINUTE_MS, Candle, Depth, Level, Print, Tape
from tests.venue.wire import decimal, digits, stamp

INTERVALS: Final = (1, 5, 15, 30, 60, 240, 1_440, 10_080, 21_600)
DEPTHS: Final = (10, 25, 100, 500, 1_000)
CHECKED: Final = 10  # levels of a side that a checksum covers

_HEARTBEAT_MS: Final = 1_000
_CANDLES_AT_FIRST: Final = 10
_TRADES_AT_FIRST: Final = 50


class KrakenSession:
    def __init__(self, tape: Tape, number: int, now_ms: int) -> None:
        self.subscriptions: dict[tuple[str, str], Subscription] = {}
        self._tape = tape
        self._number = number
        self._said_ms = now_ms
        self._channels: Mapping[str, Callable[[Subscription, int], Iterator[Frame]]] = {
            "ohlc": self._ohlc,
            "trade": self._trade,
            "ticker": self._ticker,
            "book": self._book,
        }

    def greeting(self, now_ms: int) -> Iterator[Frame]:
        data = {
            "version": "2.0.10",
            "system": "online",
            "api_version": "v2",
            "connection_id": 10**18 + self._number,
        }
        yield Frame({"channel": "status", "type": "update", "data": [data]}, channel="status")

    def heard(self, message: Any, now_ms: int) -> Iterator[Frame]:
        if not isinstance(message, dict) or not isinstance(message.get("params", {}), dict):
            yield self._reply({"error": "Malformed request", "success": False}, {}, now_ms)
            return
        method, details = message.get("method"), message.get("params", {})
        channel = details.get("channel")
        if method == "ping":
            yield self._reply({"method": "pong"}, message, now_ms)
        elif method in ("subscribe", "unsubscribe") and channel in self._channels:
            arrange = self._subscribed if method == "subscribe" else self._unsubscribed
            for symbol in details.get("symbol") or []:
                said, after = arrange(str(channel), str(symbol), details, now_ms)
                yield self._reply({"method": method} | said, message, now_ms)
                yield from after
        else:
            said = {"method": method, "error": "Unsupported method or channel", "success": False}
            yield self._reply(said, message, now_ms)

    def news(self, now_ms: int) -> Iterator[Frame]:
        for each in self.subscriptions.values():
            for frame in self._channels[each.channel](each, now_ms):
                self._said_ms = now_ms
                yield frame
            each.since_ms = max(each.since_ms, now_ms)
        if self.subscriptions and now_ms - self._said_ms >= _HEARTBEAT_MS:
            self._said_ms = now_ms
            yield Frame({"channel": "heartbeat"}, channel="heartbeat")

    def spoilt(self, frame: Frame) -> Frame:
        if frame.channel != "book":
            return frame
        data = [each | {"checksum": each["checksum"] ^ 1} for each in frame.body["data"]]
        return frame._replace(body=frame.body | {"data": data})

    def _subscribed(
        self, channel: str, symbol: str, details: Mapping[str, Any], now_ms: int
    ) -> tuple[dict[str, Any], Iterable[Frame]]:
        """What is acknowledged, and what follows."""
        detail = _detail(channel, details)
        if symbol not in self._tape.coins:
            return _refused(f"Currency pair not supported {symbol}"), ()
        if channel == "ohlc" and detail not in INTERVALS:
            return _refused("Subscription ohlc interval not supported"), ()
        if channel == "book" and detail not in DEPTHS:
            return _refused("Subscription depth not supported"), ()
        if (channel, symbol) in self.subscriptions:
            return _refused(f"Already subscribed to {channel} of {symbol}"), ()
        asked = Subscription(channel, symbol, now_ms, detail)
        self.subscriptions[channel, symbol] = asked
        first = bool(details.get("snapshot", channel != "trade"))
        named = {"ohlc": "interval", "book": "depth"}.get(channel)
        result = {"channel": channel, "symbol": symbol, "snapshot": first}
        result |= {named: detail} if named else {}
        snapshot = self._snapshot(asked, now_ms) if first else ()
        return {"result": result, "success": True}, snapshot

    def _unsubscribed(
        self, channel: str, symbol: str, _: Mapping[str, Any], __: int
    ) -> tuple[dict[str, Any], Iterable[Frame]]:
        if self.subscriptions.pop((channel, symbol), None) is None:
            return _refused(f"Subscription Not Found: {channel} of {symbol}"), ()
        return {"result": {"channel": channel, "symbol": symbol}, "success": True}, ()

    def _snapshot(self, asked: Subscription, now_ms: int) -> Iterator[Frame]:
        symbol, tape = asked.symbol, self._tape
        match asked.channel:
            case "ohlc":
                step_ms = asked.detail * MINUTE_MS
                begin = now_ms - now_ms % step_ms - (_CANDLES_AT_FIRST - 1) * step_ms
                candles = tape.candles(symbol, step_ms, begin, now_ms)
                data = [self._candle(each, asked) for each in candles]
            case "trade":
                found = tape.last_prints(symbol, _TRADES_AT_FIRST, now_ms)
                data = [self._print(each, symbol) for each in found]
            case "ticker":
                data = [self._summary(symbol, now_ms)]
            case _:
                asked.state = depth = _cut(tape.depth(symbol, now_ms), asked.detail)
                data = [self._levels(symbol, depth, depth, now_ms)]
        yield self._frame(asked, "snapshot", data, now_ms)

    def _ohlc(self, asked: Subscription, now_ms: int) -> Iterator[Frame]:
        """At each candle that was traded in since, in its order: the last word on each is said."""
        step_ms = asked.detail * MINUTE_MS
        if fresh := self._tape.prints(asked.symbol, asked.since_ms, now_ms):
            first = fresh[0].at_ms - fresh[0].at_ms % step_ms
            for candle in self._tape.candles(asked.symbol, step_ms, first, now_ms):
                yield self._frame(asked, "update", [self._candle(candle, asked)], now_ms)

    def _trade(self, asked: Subscription, now_ms: int) -> Iterator[Frame]:
        if fresh := self._tape.prints(asked.symbol, asked.since_ms, now_ms):
            data = [self._print(each, asked.symbol) for each in fresh]
            yield self._frame(asked, "update", data, now_ms)

    def _ticker(self, asked: Subscription, now_ms: int) -> Iterator[Frame]:
        """With every trade, or where that was asked for, with every new touch."""
        if asked.detail:
            touch = self._tape.touch(asked.symbol, now_ms)
            stirred, asked.state = touch != asked.state, touch
        else:
            stirred = bool(self._tape.prints(asked.symbol, asked.since_ms, now_ms))
        if stirred:
            yield self._frame(asked, "update", [self._summary(asked.symbol, now_ms)], now_ms)

    def _book(self, asked: Subscription, now_ms: int) -> Iterator[Frame]:
        depth = _cut(self._tape.depth(asked.symbol, now_ms), asked.detail)
        before, asked.state = asked.state or Depth((), ()), depth
        if depth != before:
            changed = Depth(
                _changed(before.bids, depth.bids, asked.detail, lambda price: -price),
                _changed(before.asks, depth.asks, asked.detail, lambda price: price),
            )
            data = [self._levels(asked.symbol, changed, depth, now_ms)]
            yield self._frame(asked, "update", data, now_ms)

    def _candle(self, candle: Candle, asked: Subscription) -> dict[str, Any]:
        decimals, volume = self._tape.coin(asked.symbol).decimals, candle.volume
        names = ("open", "high", "low", "close")
        step_ms = asked.detail * MINUTE_MS
        return {
            "symbol": asked.symbol,
            **dict(zip(names, (decimal(p, decimals) for p in candle[1:5]), strict=True)),
            "trades": candle.prints,
            "volume": decimal(volume, GRAINS),
            "vwap": decimal(candle.turnover // volume, decimals),
            "interval_begin": stamp(candle.opened_at_ms, 6),
            "interval": asked.detail,
            "timestamp": stamp(candle.opened_at_ms + step_ms),
        }

    def _print(self, each: Print, symbol: str) -> dict[str, Any]:
        return {
            "symbol": symbol,
            "side": each.side,
            "price": decimal(each.price, self._tape.coin(symbol).decimals),
            "qty": decimal(each.quantity, GRAINS),
            "ord_type": ("limit", "market")[each.id % 2],
            "trade_id": each.id,
            "timestamp": f"{stamp(each.at_ms, 0)[:-1]}{each.ordinal:03}Z",
        }

    def _summary(self, symbol: str, now_ms: int) -> dict[str, Any]:
        decimals, touch = self._tape.coin(symbol).decimals, self._tape.touch(symbol, now_ms)
        day = self._tape.summary(symbol, now_ms - DAY_MS, now_ms)
        last = self._tape.last_prints(symbol, 1, now_ms)
        assert day is not None, "nothing was printed for a day"
        return {
            "symbol": symbol,
            "bid": decimal(touch.bid, decimals),
            "bid_qty": decimal(touch.bid_quantity, GRAINS),
            "ask": decimal(touch.ask, decimals),
            "ask_qty": decimal(touch.ask_quantity, GRAINS),
            "last": decimal(last[0].price, decimals),
            "volume": decimal(day.volume, GRAINS),
            "vwap": decimal(day.turnover // day.volume, decimals),
            "low": decimal(day.low, decimals),
            "high": decimal(day.high, decimals),
            "change": decimal(last[0].price - day.open, decimals),
            "change_pct": decimal((last[0].price - day.open) * 10_000 // day.open, 2),
            "timestamp": stamp(now_ms),
        }

    def _levels(self, symbol: str, said: Depth, whole: Depth, now_ms: int) -> dict[str, Any]:
        decimals = self._tape.coin(symbol).decimals

        def rows(levels: tuple[Level, ...]) -> list[dict[str, Any]]:
            return [
                {"price": decimal(price, decimals), "qty": decimal(quantity, GRAINS)}
                for price, quantity in levels
            ]

        return {
            "symbol": symbol,
            "bids": rows(said.bids),
            "asks": rows(said.asks),
            "checksum": checksum(whole, decimals),
            "timestamp": stamp(now_ms),
        }

    def _frame(self, asked: Subscription, kind: str, data: list[Any], now_ms: int) -> Frame:
        body: dict[str, Any] = {"channel": asked.channel, "type": kind, "data": data}
        if asked.channel == "ohlc":
            body["timestamp"] = stamp(now_ms, 6)
        return Frame(body, asked.symbol, asked.channel)

    def _reply(self, said: dict[str, Any], message: Mapping[str, Any], now_ms: int) -> Frame:
        number = {"req_id": message["req_id"]} if "req_id" in message else {}
        return Frame(said | number | {"time_in": stamp(now_ms), "time_out": stamp(now_ms)})


def checksum(depth: Depth, decimals: int) -> int:
    """Of ten asks and ten bids, the best first: their digits, without dots and leading zeros."""
    levels = (*depth.asks[:CHECKED], *depth.bids[:CHECKED])
    texts = (
        digits(level.price, decimals) + " " + digits(level.quantity, GRAINS) for level in levels
    )
    parts = (part.replace(".", "").lstrip("0") for each in texts for part in each.split())
    return crc32("".join(parts).encode())


def _detail(channel: str, details: Mapping[str, Any]) -> int:
    match channel:
        case "ohlc":
            return int(details.get("interval", 1))
        case "book":
            return int(details.get("depth") or 10)
        case "ticker":
            return int(details.get("event_trigger") == "bbo")
    return 0


def _refused(words: str) -> dict[str, Any]:
    return {"error": words, "success": False}


def _cut(depth: Depth, count: int) -> Depth:
    return Depth(depth.bids[:count], depth.asks[:count])


def _changed(
    before: tuple[Level, ...], now: tuple[Level, ...], depth: int, rank: Callable[[int], int]
) -> tuple[Level, ...]:
    """What a client who holds `before`, and forgets what is deeper, must be told to hold `now`."""
    held, wanted = dict(before), dict(now)
    worst = rank(now[-1].price) if len(now) == depth else None
    gone = [
        Level(price, 0)
        for price in held.keys() - wanted.keys()
        if worst is None or rank(price) < worst
    ]
    return (*gone, *(Level(p, q) for p, q in now if held.get(p) != q))
