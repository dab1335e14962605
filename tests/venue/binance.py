"""Binance spot, as its public REST speaks: prices and quantities with eight decimals, as text.

Candles that nobody traded in are there, flat and without volume. Each print is its own aggregate.
The id of a book's update is a function of time, so that REST and socket agree on it. Each answer
says how much weight was used in this minute.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.venue.binance_socket import INTERVALS, BinanceSession, update_id
from tests.venue.tape import DAY_MS, GRAINS, LISTED_MS, MINUTE_MS, Candle, Level, Print, Tape
from tests.venue.wire import Answer, decimal, digits, text

SERVES: Final = 1_000
DECIMALS: Final = 8

_WEIGHTS: Final = {
    "exchangeInfo": 20,
    "klines": 2,
    "aggTrades": 4,
    "trades": 25,
    "historicalTrades": 25,
    "depth": 5,
}
MINIMUM_NOTIONAL: Final = "5.00000000"
TYPES: Final = (
    *("LIMIT", "LIMIT_MAKER", "MARKET"),
    *("STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"),
)
_STATUS: Final = {"online": "TRADING", "cancel_only": "HALT"}


class Binance:
    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self._symbols = {symbol.replace("/", ""): symbol for symbol in tape.symbols}
        self._used: dict[int, int] = {}
        # Where there is a market to trade in: online, cancel_only, delisted.
        self.state: Callable[[str, int], str] = lambda symbol, now_ms: "online"

    def answer(self, path: str, query: Mapping[str, str], now_ms: int) -> Answer:
        answer = self._answer(path.strip("/").split("/"), query, now_ms)
        minute = now_ms // MINUTE_MS
        used = self._used.get(minute, 0) + _WEIGHTS.get(path.rpartition("/")[2], 1)
        self._used = {minute: used}
        headers = {"x-mbx-used-weight": str(used), "x-mbx-used-weight-1m": str(used)}
        return answer._replace(headers=headers)

    def _answer(self, place: list[str], query: Mapping[str, str], now_ms: int) -> Answer:
        match place:
            case ["fapi" | "dapi", _, "exchangeInfo"]:
                return Answer(text({"symbols": []}))
            case ["sapi", "v1", "system", "status"]:
                return Answer(text({"status": 0, "msg": "normal"}))
            case ["api", "v3", "ping"]:
                return Answer(text({}))
            case ["api", "v3", "time"]:
                return Answer(text({"serverTime": now_ms}))
            case ["api", "v3", "exchangeInfo"]:
                return Answer(text(self._exchange(now_ms)))
            case ["api", "v3", "klines" | "uiKlines"]:
                return self._of_one(query, lambda s: self._candles(s, query, now_ms))
            case ["api", "v3", "aggTrades"]:
                return self._of_one(query, lambda s: self._prints(s, query, now_ms, _aggregate))
            case ["api", "v3", "trades" | "historicalTrades"]:
                return self._of_one(query, lambda s: self._prints(s, query, now_ms, _trade))
            case ["api", "v3", "depth"]:
                return self._of_one(query, lambda s: self._depth(s, query, now_ms))
            case ["api", "v3", "ticker", "24hr"]:
                return self._of_some(query, lambda s: self.day(s, now_ms))
            case ["api", "v3", "ticker", "bookTicker"]:
                return self._of_some(query, lambda s: self._touch(s, now_ms))
        return Answer("<html><body><h2>404 Not found</h2></body></html>", 404, kind="text/html")

    def trouble(self, kind: str, amount: int, path: str, now_ms: int) -> Answer:
        later = {"Retry-After": str(amount)}
        match kind:
            case "http_429":
                words = "Too much request weight used; current limit is 6000 per 1 MINUTE."
                return error(-1003, words, 429)._replace(headers=later)
            case "http_418":
                until = now_ms + amount * 1_000
                words = f"Way too much request weight used; IP banned until {until}."
                return error(-1003, words, 418)._replace(headers=later)
            case "maintenance" if path.endswith("system/status"):
                return Answer(text({"status": 1, "msg": "system_maintenance"}))
            case "maintenance":
                return Answer("<html><body>Service Unavailable</body></html>", 503, {}, "text/html")
        return error(-1000, "An unknown error occurred while processing the request.", 500)

    def symbol_in(self, path: str, query: Mapping[str, str]) -> str | None:
        return self._symbols.get(query.get("symbol", ""))

    def session(self, number: int, path: str, now_ms: int) -> BinanceSession:
        return BinanceSession(self.tape, path, now_ms)

    def day(self, symbol: str, now_ms: int) -> dict[str, Any]:
        """The last 24 hours."""
        tape, begin = self.tape, now_ms - DAY_MS
        day, touch = tape.summary(symbol, begin, now_ms), tape.touch(symbol, now_ms)
        last = tape.last_prints(symbol, 1, now_ms)
        assert day is not None, "nothing was printed for a day"
        change, decimals = last[0].price - day.open, tape.coin(symbol).decimals
        percent = decimal(change * 100_000 // day.open, 3)
        return {
            "symbol": id_of(symbol),
            "priceChange": self.price(symbol, change),
            "priceChangePercent": f"{percent:f}",
            "weightedAvgPrice": self.price(symbol, day.turnover // day.volume),
            "lastPrice": self.price(symbol, last[0].price),
            "lastQty": digits(last[0].quantity, GRAINS),
            "bidPrice": self.price(symbol, touch.bid),
            "bidQty": digits(touch.bid_quantity, GRAINS),
            "askPrice": self.price(symbol, touch.ask),
            "askQty": digits(touch.ask_quantity, GRAINS),
            "openPrice": self.price(symbol, day.open),
            "highPrice": self.price(symbol, day.high),
            "lowPrice": self.price(symbol, day.low),
            "volume": digits(day.volume, GRAINS),
            "quoteVolume": digits(day.turnover // 10**decimals, GRAINS),
            "openTime": begin,
            "closeTime": now_ms,
            "firstId": last[0].id - day.prints + 1,
            "lastId": last[0].id,
            "count": day.prints,
        }

    def _of_one(self, query: Mapping[str, str], said: Callable[[str], Answer]) -> Answer:
        if "symbol" not in query:
            return error(-1102, "Mandatory parameter 'symbol' was not sent.")
        symbol = self._symbols.get(query["symbol"])
        return said(symbol) if symbol else error(-1121, "Invalid symbol.")

    def _of_some(self, query: Mapping[str, str], said: Callable[[str], Any]) -> Answer:
        if "symbol" in query:
            return self._of_one(query, lambda symbol: Answer(text(said(symbol))))
        return Answer(text([said(symbol) for symbol in self._symbols.values()]))

    def _exchange(self, now_ms: int) -> dict[str, Any]:
        return {
            "timezone": "UTC",
            "serverTime": now_ms,
            "rateLimits": [
                _limit("REQUEST_WEIGHT", "MINUTE", 1, 6_000),
                _limit("ORDERS", "SECOND", 10, 100),
                _limit("RAW_REQUESTS", "MINUTE", 5, 61_000),
            ],
            "exchangeFilters": [],
            "symbols": [
                self._rules(symbol) | {"status": _STATUS[state]}
                for symbol in self._symbols.values()
                if (state := self.state(symbol, now_ms)) in _STATUS
            ],
        }

    def _rules(self, symbol: str) -> dict[str, Any]:
        base, quote = symbol.split("/")
        tick, lot = self.price(symbol, 1), digits(1, GRAINS)
        return {
            "symbol": id_of(symbol),
            "baseAsset": base,
            "baseAssetPrecision": 8,
            "quoteAsset": quote,
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "orderTypes": list(TYPES),
            "icebergAllowed": True,
            "ocoAllowed": True,
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "filters": [
                {
                    "filterType": "PRICE_FILTER",
                    "minPrice": tick,
                    "maxPrice": "1000000.00000000",
                    "tickSize": tick,
                },
                {
                    "filterType": "LOT_SIZE",
                    "minQty": lot,
                    "maxQty": "90000000.00000000",
                    "stepSize": lot,
                },
                {
                    "filterType": "MARKET_LOT_SIZE",
                    "minQty": "0.00000000",
                    "maxQty": "100000.00000000",
                    "stepSize": "0.00000000",
                },
                {
                    "filterType": "NOTIONAL",
                    "minNotional": MINIMUM_NOTIONAL,
                    "applyMinToMarket": True,
                    "maxNotional": "9000000.00000000",
                    "applyMaxToMarket": False,
                    "avgPriceMins": 5,
                },
                {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
            ],
            "permissions": ["SPOT"],
        }

    def _candles(self, symbol: str, query: Mapping[str, str], now_ms: int) -> Answer:
        if query.get("interval") not in INTERVALS:
            return error(-1120, "Invalid interval.")
        step_ms = INTERVALS[query["interval"]]
        limit = min(int(query.get("limit", "500")), SERVES)
        end = min(int(query.get("endTime", now_ms)) + 1, now_ms)
        last = end - 1 - (end - 1) % step_ms
        begin = int(query.get("startTime", last - (limit - 1) * step_ms))
        begin = max(begin + -begin % step_ms, LISTED_MS + -LISTED_MS % step_ms)
        end = min(begin + limit * step_ms, last + step_ms, now_ms)
        found = self.tape.filled(symbol, step_ms, begin, end) if begin < end else []
        return Answer(text([self._candle(symbol, each, step_ms) for each in found]))

    def _candle(self, symbol: str, candle: Candle, step_ms: int) -> list[Any]:
        prices = [self.price(symbol, points) for points in candle[1:5]]
        decimals = self.tape.coin(symbol).decimals
        turnover = digits(candle.turnover // 10**decimals, GRAINS)
        sums = [digits(candle.volume, GRAINS), candle.opened_at_ms + step_ms - 1, turnover]
        return [candle.opened_at_ms, *prices, *sums, candle.prints, "0", "0", "0"]

    def _prints(
        self,
        symbol: str,
        query: Mapping[str, str],
        now_ms: int,
        said: Callable[[Print, str], dict[str, Any]],
    ) -> Answer:
        limit = min(int(query.get("limit", "500")), SERVES)
        if "fromId" in query:
            found = self.tape.prints_from(symbol, int(query["fromId"]), limit, now_ms)
        elif "startTime" in query:
            begin, last = int(query["startTime"]), int(query.get("endTime", now_ms))
            found = self.tape.prints(symbol, begin, min(last + 1, now_ms))[:limit]
        else:
            found = self.tape.last_prints(symbol, limit, now_ms)
        return Answer(text([said(each, self.price(symbol, each.price)) for each in found]))

    def _depth(self, symbol: str, query: Mapping[str, str], now_ms: int) -> Answer:
        depth, limit = self.tape.depth(symbol, now_ms), int(query.get("limit", "100"))

        def rows(levels: tuple[Level, ...]) -> list[list[str]]:
            shown = levels[:limit]
            return [[self.price(symbol, p), digits(quantity, GRAINS)] for p, quantity in shown]

        sides = {"bids": rows(depth.bids), "asks": rows(depth.asks)}
        return Answer(text({"lastUpdateId": update_id(now_ms)} | sides))

    def _touch(self, symbol: str, now_ms: int) -> dict[str, str]:
        touch = self.tape.touch(symbol, now_ms)
        return {
            "symbol": id_of(symbol),
            "bidPrice": self.price(symbol, touch.bid),
            "bidQty": digits(touch.bid_quantity, GRAINS),
            "askPrice": self.price(symbol, touch.ask),
            "askQty": digits(touch.ask_quantity, GRAINS),
        }

    def price(self, symbol: str, points: int) -> str:
        decimals = self.tape.coin(symbol).decimals
        return digits(points, decimals, DECIMALS - decimals)


def _aggregate(each: Print, price: str) -> dict[str, Any]:
    return {
        "a": each.id,
        "p": price,
        "q": digits(each.quantity, GRAINS),
        "f": each.id,
        "l": each.id,
        "T": each.at_ms,
        "m": each.side == "sell",
        "M": True,
    }


def _trade(each: Print, price: str) -> dict[str, Any]:
    return {
        "id": each.id,
        "price": price,
        "qty": digits(each.quantity, GRAINS),
        "time": each.at_ms,
        "isBuyerMaker": each.side == "sell",
        "isBestMatch": True,
    }


def _limit(kind: str, interval: str, count: int, limit: int) -> dict[str, Any]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": count, "limit": limit}


def id_of(symbol: str) -> str:
    return symbol.replace("/", "")


def error(code: int, words: str, status: int = 400) -> Answer:
    return Answer(text({"code": code, "msg": words}), status)
