"""Coinbase Advanced's socket: candles, market_trades, ticker, level2, heartbeats.

Each message of a connection has the number after the one before, whatever it is of: a hole in them
is a message that was lost. Candles are of five minutes, as there are no others. A channel of a
product begins with a snapshot; trades come newest first.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from tests.venue.dialect import Frame, Subscription
from tests.venue.tape import DAY_MS, GRAINS, MINUTE_MS, Candle, Depth, Level, Print, Tape
from tests.venue.wire import digits, stamp

CANDLE_MS: Final = 5 * MINUTE_MS

_CANDLES_AT_FIRST: Final = 20
_TRADES_AT_FIRST: Final = 50
_HEARTBEAT_MS: Final = 1_000
_SPOILT: Final = 1_000


class CoinbaseSession:
    def __init__(self, tape: Tape, now_ms: int) -> None:
        self.subscriptions: dict[tuple[str, str], Subscription] = {}
        self._tape = tape
        self._products = {symbol.replace("/", "-"): symbol for symbol in tape.symbols}
        self._number = 0
        self._beats = 0
        self._channels: Mapping[str, Callable[[Subscription, int], Iterator[Frame]]] = {
            "candles": self._candles,
            "market_trades": self._trades,
            "ticker": self._ticker,
            "ticker_batch": self._ticker,
            "level2": self._level2,
            "heartbeats": self._heartbeats,
        }

    def greeting(self, now_ms: int) -> Iterator[Frame]:
        yield from ()

    def heard(self, message: Any, now_ms: int) -> Iterator[Frame]:
        details = message if isinstance(message, dict) else {}
        channel, asked_for = str(details.get("channel")), details.get("product_ids") or [""]
        if channel not in self._channels or not isinstance(asked_for, list):
            yield Frame({"type": "error", "message": "failure to subscribe"})
            return
        named = [name for name in map(str, asked_for) if name in self._products]
        wanted = [""] if channel == "heartbeats" else named
        match details.get("type"):
            case "subscribe":
                for name in wanted:
                    asked = Subscription(channel, self._products.get(name, ""), now_ms, name=name)
                    self.subscriptions.setdefault((channel, name), asked)
            case "unsubscribe":
                for name in wanted:
                    self.subscriptions.pop((channel, name), None)
        yield self._held(now_ms)

    def news(self, now_ms: int) -> Iterator[Frame]:
        for each in self.subscriptions.values():
            yield from self._channels[each.channel](each, now_ms)
            if each.channel != "heartbeats":
                each.since_ms = max(each.since_ms, now_ms)

    def spoilt(self, frame: Frame) -> Frame:
        if frame.channel != "l2_data":
            return frame
        number = frame.body["sequence_num"]
        number += _SPOILT * (1 + number % 2)
        return frame._replace(body=frame.body | {"sequence_num": number})

    def _held(self, now_ms: int) -> Frame:
        """The acknowledgement of whatever was asked for: all that is subscribed to."""
        held: dict[str, list[str]] = {}
        for each in self.subscriptions.values():
            held.setdefault(each.channel, []).append(each.name)
        return self._frame("subscriptions", [{"subscriptions": held}], now_ms)

    def _candles(self, asked: Subscription, now_ms: int) -> Iterator[Frame]:
        """Those that were traded in since, each with its last word."""
        symbol, begin = asked.symbol, asked.since_ms - asked.since_ms % CANDLE_MS
        kind = "update" if asked.state else "snapshot"
        if asked.state is None:
            begin -= (_CANDLES_AT_FIRST - 1) * CANDLE_MS
        elif not self._tape.prints(symbol, asked.since_ms, now_ms):
            return
        asked.state = kind
        found = self._tape.candles(symbol, CANDLE_MS, begin, now_ms)
        rows = [self._candle(each, asked) for each in found]
        yield self._frame("candles", [{"type": kind, "candles": rows}], now_ms, symbol)

    def _candle(self, candle: Candle, asked: Subscription) -> dict[str, str]:
        names = zip(("open", "high", "low", "close"), candle[1:5], strict=True)
        decimals = self._tape.coin(asked.symbol).decimals
        prices = {name: plain(points, decimals) for name, points in names}
        start, volume = str(candle.opened_at_ms // 1_000), plain(candle.volume, GRAINS)
        return {"start": start, **prices, "volume": volume, "product_id": asked.name}

    def _trades(self, asked: Subscription, now_ms: int) -> Iterator[Frame]:
        symbol, kind = asked.symbol, "update" if asked.state else "snapshot"
        if asked.state is None:
            found = self._tape.last_prints(symbol, _TRADES_AT_FIRST, now_ms)
        else:
            found = self._tape.prints(symbol, asked.since_ms, now_ms)
        asked.state = kind
        if found:
            decimals = self._tape.coin(symbol).decimals
            rows = [traded(each, asked.name, decimals) for each in reversed(found)]
            yield self._frame("market_trades", [{"type": kind, "trades": rows}], now_ms, symbol)

    def _ticker(self, asked: Subscription, now_ms: int) -> Iterator[Frame]:
        symbol, kind = asked.symbol, "update" if asked.state else "snapshot"
        if asked.state and not self._tape.prints(symbol, asked.since_ms, now_ms):
            return
        asked.state = kind
        touch, decimals = self._tape.touch(symbol, now_ms), self._tape.coin(symbol).decimals
        (last,) = self._tape.last_prints(symbol, 1, now_ms)
        ticker = {
            "type": "ticker",
            "product_id": asked.name,
            "price": plain(last.price, decimals),
            **day_of(self._tape, symbol, now_ms),
            "best_bid": plain(touch.bid, decimals),
            "best_bid_quantity": plain(touch.bid_quantity, GRAINS),
            "best_ask": plain(touch.ask, decimals),
            "best_ask_quantity": plain(touch.ask_quantity, GRAINS),
        }
        yield self._frame(asked.channel, [{"type": kind, "tickers": [ticker]}], now_ms, symbol)

    def _level2(self, asked: Subscription, now_ms: int) -> Iterator[Frame]:
        depth, before = self._tape.depth(asked.symbol, now_ms), asked.state or Depth((), ())
        kind = "update" if asked.state else "snapshot"
        asked.state = depth
        decimals = self._tape.coin(asked.symbol).decimals
        updates = [
            {
                "side": side,
                "event_time": stamp(now_ms),
                "price_level": plain(price, decimals),
                "new_quantity": plain(quantity, GRAINS),
            }
            for side, old, new in (
                ("bid", before.bids, depth.bids),
                ("offer", before.asks, depth.asks),
            )
            for price, quantity in _changed(old, new)
        ]
        if updates:
            event = {"type": kind, "product_id": asked.name, "updates": updates}
            yield self._frame("l2_data", [event], now_ms, asked.symbol)

    def _heartbeats(self, asked: Subscription, now_ms: int) -> Iterator[Frame]:
        if now_ms - asked.since_ms >= _HEARTBEAT_MS:
            asked.since_ms, self._beats = now_ms, self._beats + 1
            time = stamp(now_ms).replace("T", " ").replace("Z", " +0000 UTC")
            beat = {"current_time": time, "heartbeat_counter": self._beats}
            yield self._frame("heartbeats", [beat], now_ms)

    def _frame(
        self, channel: str, events: list[Any], now_ms: int, symbol: str | None = None
    ) -> Frame:
        body = {
            "channel": channel,
            "client_id": "",
            "timestamp": stamp(now_ms),
            "sequence_num": self._number,
            "events": events,
        }
        self._number += 1
        return Frame(body, symbol, channel)


def plain(units: int, decimals: int) -> str:
    """
    >>> plain(1_050, 2), plain(6_892_300, 2), plain(0, 8)
    ('10.5', '68923', '0')
    """
    return f"{Decimal(digits(units, decimals)).normalize():f}"


def traded(each: Print, product: str, decimals: int) -> dict[str, str]:
    return {
        "trade_id": str(each.id),
        "product_id": product,
        "price": plain(each.price, decimals),
        "size": plain(each.quantity, GRAINS),
        "time": f"{stamp(each.at_ms, 0)[:-1]}{each.ordinal:03}Z",
        "side": each.side.upper(),
        "bid": "",
        "ask": "",
    }


def day_of(tape: Tape, symbol: str, now_ms: int) -> dict[str, str]:
    """The last 24 hours."""
    day, decimals = tape.summary(symbol, now_ms - DAY_MS, now_ms), tape.coin(symbol).decimals
    assert day is not None, "nothing was printed for a day"
    return {
        "volume_24_h": plain(day.volume, GRAINS),
        "low_24_h": plain(day.low, decimals),
        "high_24_h": plain(day.high, decimals),
        "price_percent_chg_24_h": plain((day.close - day.open) * 10**6 // day.open, 4),
    }


def _changed(before: tuple[Level, ...], now: tuple[Level, ...]) -> list[tuple[int, int]]:
    held, wanted = dict(before), dict(now)
    gone = [(price, 0) for price in held if price not in wanted]
    return [*gone, *((price, q) for price, q in now if held.get(price) != q)]
