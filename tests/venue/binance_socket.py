"""Binance's streams: kline, trade, aggTrade, bookTicker, depth, ticker and miniTicker, by name.

A candle is said with each print in it, and once more, as final, when it closes, also where nobody
traded. A book is differences only, numbered from the one before (U) to themselves (u): the first
one comes from REST. A stream that does not exist is subscribed without a word, and stays silent.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from tests.venue.dialect import Frame, Subscription
from tests.venue.tape import (
    DAY_MS,
    GRAINS,
    HOUR_MS,
    LISTED_MS,
    MINUTE_MS,
    SLOT_MS,
    Candle,
    Level,
    Print,
    Tape,
)
from tests.venue.wire import digits

INTERVALS: Final = {
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": HOUR_MS,
    "2h": 2 * HOUR_MS,
    "4h": 4 * HOUR_MS,
    "6h": 6 * HOUR_MS,
    "8h": 8 * HOUR_MS,
    "12h": 12 * HOUR_MS,
    "1d": DAY_MS,
}

_UPDATES_A_SLOT: Final = 7
_DECIMALS: Final = 8


class BinanceSession:
    def __init__(self, tape: Tape, path: str, now_ms: int) -> None:
        self.subscriptions: dict[str, Subscription] = {}
        self._tape = tape
        self._symbols = {symbol.replace("/", "").lower(): symbol for symbol in tape.symbols}
        self._channels: Mapping[str, Callable[[Subscription, int], Iterator[Frame]]] = {
            "kline": self._kline,
            "trade": self._trade,
            "aggTrade": self._aggregate,
            "bookTicker": self._touch,
            "depth": self._depth,
            "ticker": self._ticker,
            "miniTicker": self._ticker,
        }
        self._subscribe(path.rpartition("/")[2], now_ms)

    def greeting(self, now_ms: int) -> Iterator[Frame]:
        yield from ()

    def heard(self, message: Any, now_ms: int) -> Iterator[Frame]:
        match message:
            case {"method": "SUBSCRIBE", "params": list(names), "id": number}:
                for name in names:
                    self._subscribe(str(name), now_ms)
                yield Frame({"result": None, "id": number})
            case {"method": "UNSUBSCRIBE", "params": list(names), "id": number}:
                for name in names:
                    self.subscriptions.pop(str(name), None)
                yield Frame({"result": None, "id": number})
            case {"method": "LIST_SUBSCRIPTIONS", "id": number}:
                yield Frame({"result": list(self.subscriptions), "id": number})
            case _:
                yield Frame({"error": {"code": 2, "msg": "Invalid request"}})

    def news(self, now_ms: int) -> Iterator[Frame]:
        for each in self.subscriptions.values():
            yield from self._channels[each.channel](each, now_ms)
            each.since_ms = max(each.since_ms, now_ms)

    def spoilt(self, frame: Frame) -> Frame:
        if frame.channel != "depth":
            return frame
        return frame._replace(body=frame.body | {"U": frame.body["U"] + 5})

    def _subscribe(self, name: str, now_ms: int) -> None:
        symbol, _, stream = name.partition("@")
        channel, _, interval = stream.partition("@")[0].partition("_")
        known = symbol in self._symbols and channel in self._channels
        if known and (channel != "kline" or interval in INTERVALS):
            step_ms = INTERVALS.get(interval, 0)
            asked = Subscription(channel, self._symbols[symbol], now_ms, step_ms, name=interval)
            self.subscriptions[name] = asked

    def _kline(self, asked: Subscription, now_ms: int) -> Iterator[Frame]:
        step_ms, since_ms = asked.detail, asked.since_ms
        fresh = self._tape.prints(asked.symbol, since_ms, now_ms)
        stirred = {each.at_ms - each.at_ms % step_ms for each in fresh}
        first = since_ms - since_ms % step_ms
        if not stirred and now_ms < first + step_ms:
            return
        for candle in self._tape.filled(asked.symbol, step_ms, first, now_ms):
            closes_at = candle.opened_at_ms + step_ms
            if candle.opened_at_ms in stirred or since_ms < closes_at <= now_ms:
                yield self._frame(asked, "kline", self._candle(asked, candle, now_ms), now_ms)

    def _candle(self, asked: Subscription, candle: Candle, now_ms: int) -> dict[str, Any]:
        names = zip("ohlc", candle[1:5], strict=True)
        decimals = self._tape.coin(asked.symbol).decimals
        closes_at = candle.opened_at_ms + asked.detail
        return {
            "k": {
                "t": candle.opened_at_ms,
                "T": closes_at - 1,
                "s": _id(asked.symbol),
                "i": asked.name,
                **{name: self._price(asked.symbol, points) for name, points in names},
                "v": digits(candle.volume, GRAINS),
                "n": candle.prints,
                "x": closes_at <= now_ms,
                "q": digits(candle.turnover // 10**decimals, GRAINS),
                "V": "0",
                "Q": "0",
                "B": "0",
            }
        }

    def _trade(self, asked: Subscription, now_ms: int) -> Iterator[Frame]:
        for each in self._tape.prints(asked.symbol, asked.since_ms, now_ms):
            yield self._frame(asked, "trade", {"t": each.id} | self._print(asked, each), now_ms)

    def _aggregate(self, asked: Subscription, now_ms: int) -> Iterator[Frame]:
        for each in self._tape.prints(asked.symbol, asked.since_ms, now_ms):
            said = {"a": each.id, "f": each.id, "l": each.id} | self._print(asked, each)
            yield self._frame(asked, "aggTrade", said, now_ms)

    def _print(self, asked: Subscription, each: Print) -> dict[str, Any]:
        return {
            "p": self._price(asked.symbol, each.price),
            "q": digits(each.quantity, GRAINS),
            "T": each.at_ms,
            "m": each.side == "sell",
            "M": True,
        }

    def _touch(self, asked: Subscription, now_ms: int) -> Iterator[Frame]:
        touch = self._tape.touch(asked.symbol, now_ms)
        if touch != asked.state:
            asked.state = touch
            body = {
                "u": update_id(now_ms),
                "s": _id(asked.symbol),
                "b": self._price(asked.symbol, touch.bid),
                "B": digits(touch.bid_quantity, GRAINS),
                "a": self._price(asked.symbol, touch.ask),
                "A": digits(touch.ask_quantity, GRAINS),
            }
            yield Frame(body, asked.symbol, asked.channel)

    def _depth(self, asked: Subscription, now_ms: int) -> Iterator[Frame]:
        """What was touched since the last word, and how it is now.

        Also what came and went meanwhile: a client may have seen it in a snapshot.
        """
        begin_ms = asked.state or asked.since_ms
        if update_id(now_ms) <= update_id(begin_ms):
            return  # Nothing happened since, or the venue's clock was set back.
        asked.state = now_ms
        slots = range(begin_ms, now_ms + SLOT_MS, SLOT_MS)
        depths = [self._tape.depth(asked.symbol, min(at, now_ms)) for at in slots]
        said = {
            "U": update_id(begin_ms) + 1,
            "u": update_id(now_ms),
            "b": self._touched(asked.symbol, [each.bids for each in depths]),
            "a": self._touched(asked.symbol, [each.asks for each in depths]),
        }
        yield self._frame(asked, "depthUpdate", said, now_ms)

    def _touched(self, symbol: str, sides: list[tuple[Level, ...]]) -> list[list[str]]:
        now, touched = dict(sides[-1]), dict[int, int]()
        for before, after in pairwise(sides):
            for price, _ in set(before) ^ set(after):
                touched[price] = now.get(price, 0)
        return [[self._price(symbol, p), digits(q, GRAINS)] for p, q in sorted(touched.items())]

    def _ticker(self, asked: Subscription, now_ms: int) -> Iterator[Frame]:
        if not self._tape.prints(asked.symbol, asked.since_ms, now_ms):
            return
        tape, symbol = self._tape, asked.symbol
        day, touch = tape.summary(symbol, now_ms - DAY_MS, now_ms), tape.touch(symbol, now_ms)
        (last,) = tape.last_prints(symbol, 1, now_ms)
        assert day is not None, "nothing was printed for a day"
        prices = {
            "p": last.price - day.open,
            "w": day.turnover // day.volume,
            "c": last.price,
            "b": touch.bid,
            "a": touch.ask,
            "o": day.open,
            "h": day.high,
            "l": day.low,
        }
        quantities = {
            "Q": last.quantity,
            "B": touch.bid_quantity,
            "A": touch.ask_quantity,
            "v": day.volume,
            "q": day.turnover // 10 ** tape.coin(symbol).decimals,
        }
        said = {name: self._price(symbol, points) for name, points in prices.items()}
        said |= {name: digits(grains, GRAINS) for name, grains in quantities.items()}
        times = {"O": now_ms - DAY_MS, "C": now_ms, "n": day.prints, "L": last.id}
        if asked.channel == "miniTicker":
            mini = {name: said[name] for name in "cohlvq"}
            yield self._frame(asked, "24hrMiniTicker", mini, now_ms)
        else:
            yield self._frame(asked, "24hrTicker", said | times, now_ms)

    def _price(self, symbol: str, points: int) -> str:
        decimals = self._tape.coin(symbol).decimals
        return digits(points, decimals, _DECIMALS - decimals)

    def _frame(self, asked: Subscription, event: str, said: dict[str, Any], now_ms: int) -> Frame:
        head = {"e": event, "E": now_ms, "s": _id(asked.symbol)}
        return Frame(head | said, asked.symbol, asked.channel)


def update_id(at_ms: int) -> int:
    """Of the last change of a book: several in each of its slots."""
    return (at_ms // SLOT_MS - LISTED_MS // SLOT_MS) * _UPDATES_A_SLOT


def _id(symbol: str) -> str:
    return symbol.replace("/", "")
