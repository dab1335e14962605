"""Coinbase Advanced, as its public REST speaks: decimals without the zeros they do not need.

A time without a print has no candle. Candles come newest first, the unfinished one too; whoever
asks for 350 or more at once is refused. The side of a trade is written as ccxt reads it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.venue.coinbase_socket import CoinbaseSession, day_of, plain, traded
from tests.venue.tape import GRAINS, HOUR_MS, MINUTE_MS, Candle, Level, Tape
from tests.venue.wire import Answer, digits, stamp, text

SERVES_BELOW: Final = 350
GRANULARITIES: Final = {
    "ONE_MINUTE": MINUTE_MS,
    "FIVE_MINUTE": 5 * MINUTE_MS,
    "FIFTEEN_MINUTE": 15 * MINUTE_MS,
    "THIRTY_MINUTE": 30 * MINUTE_MS,
    "ONE_HOUR": HOUR_MS,
    "TWO_HOUR": 2 * HOUR_MS,
    "FOUR_HOUR": 4 * HOUR_MS,
    "SIX_HOUR": 6 * HOUR_MS,
    "ONE_DAY": 24 * HOUR_MS,
}

MINIMUM_NOTIONAL: Final = "1"
_TRADES_MAX: Final = 1_000
_RATE_LIMITED: Final = text(
    {"errors": [{"id": "rate_limit_exceeded", "message": "Too many requests"}]}
)


class Coinbase:
    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self._products = {symbol.replace("/", "-"): symbol for symbol in tape.symbols}
        # Where there is a market to trade in: online, cancel_only, delisted.
        self.state: Callable[[str, int], str] = lambda symbol, now_ms: "online"

    def answer(self, path: str, query: Mapping[str, str], now_ms: int) -> Answer:
        match path.strip("/").split("/"):
            case ["v2", *rest]:
                return self._old(rest, now_ms)
            case ["api", "v3", "brokerage", "time"]:
                at = {"iso": stamp(now_ms), "epochSeconds": str(now_ms // 1_000)}
                return Answer(text(at | {"epochMillis": str(now_ms)}))
            case ["api", "v3", "brokerage", "market", "product_book"]:
                wanted = query.get("product_id", "")
                return self._of(wanted, lambda symbol: self._book(symbol, query, now_ms))
            case ["api", "v3", "brokerage", "market", "products"]:
                spot = query.get("product_type", "SPOT") == "SPOT"
                states = {each: self.state(each, now_ms) for each in self._products.values()}
                symbols = [each for each in states if spot and states[each] != "delisted"]
                products = [self._product(symbol, now_ms) for symbol in symbols]
                return Answer(text({"products": products, "num_products": len(products)}))
            case ["api", "v3", "brokerage", "market", "products", wanted]:
                return self._of(wanted, lambda s: Answer(text(self._product(s, now_ms))))
            case ["api", "v3", "brokerage", "market", "products", wanted, "candles"]:
                return self._of(wanted, lambda symbol: self._candles(symbol, query, now_ms))
            case ["api", "v3", "brokerage", "market", "products", wanted, "ticker"]:
                return self._of(wanted, lambda symbol: self._trades(symbol, query, now_ms))
        return _error("NOT_FOUND", "no such place", 404)

    def trouble(self, kind: str, amount: int, path: str, now_ms: int) -> Answer:
        later = {"Retry-After": str(amount)}
        match kind:
            case "http_429":
                return Answer(_RATE_LIMITED, 429, later)
            case "http_418":
                return Answer(_RATE_LIMITED, 418, later)
            case "maintenance":
                return Answer("upstream connect error", 503, kind="text/plain")
        return _error("INTERNAL", "internal server error", 500)

    def symbol_in(self, path: str, query: Mapping[str, str]) -> str | None:
        names = (*path.split("/"), query.get("product_id", ""))
        return next((self._products[name] for name in names if name in self._products), None)

    def session(self, number: int, path: str, now_ms: int) -> CoinbaseSession:
        return CoinbaseSession(self.tape, now_ms)

    def _old(self, place: list[str], now_ms: int) -> Answer:
        match place:
            case ["time"]:
                at = {"iso": stamp(now_ms), "epoch": now_ms // 1_000}
                return Answer(text({"data": at}))
            case ["currencies"]:
                dollar = {"id": "USD", "name": "US Dollar", "min_size": "0.01"}
                return Answer(text({"data": [dollar]}))
            case ["currencies", "crypto"]:
                coins = [{"code": c.name, "name": c.name, "asset_id": c.name} for c in self._coins]
                return Answer(text({"data": coins}))
            case ["exchange-rates"]:
                return Answer(text({"data": {"currency": "USD", "rates": {"USD": "1.0"}}}))
        return _error("not_found", "Not found", 404)

    @property
    def _coins(self) -> list[Any]:
        return list(self.tape.coins.values())

    def _of(self, wanted: str, said: Callable[[str], Answer]) -> Answer:
        symbol = self._products.get(wanted)
        return said(symbol) if symbol else _error("NOT_FOUND", "valid product_id is required", 404)

    def _product(self, symbol: str, now_ms: int) -> dict[str, Any]:
        base, quote = symbol.split("/")
        tick = digits(1, self.tape.coin(symbol).decimals)
        halted = self.state(symbol, now_ms) == "cancel_only"
        last, day = self.tape.last_prints(symbol, 1, now_ms), day_of(self.tape, symbol, now_ms)
        return {
            "product_id": symbol.replace("/", "-"),
            "price": self._price(symbol, last[0].price),
            "price_percentage_change_24h": day["price_percent_chg_24_h"],
            "volume_24h": day["volume_24_h"],
            "base_increment": digits(1, GRAINS),
            "quote_increment": tick,
            "price_increment": tick,
            "quote_min_size": MINIMUM_NOTIONAL,
            "quote_max_size": "150000000",
            "base_min_size": digits(1, GRAINS),
            "base_max_size": "3400",
            "base_name": base,
            "quote_name": quote,
            "is_disabled": False,
            "new": False,
            "status": "online",
            "cancel_only": halted,
            "limit_only": False,
            "post_only": False,
            "trading_disabled": halted,
            "auction_mode": False,
            "product_type": "SPOT",
            "quote_currency_id": quote,
            "base_currency_id": base,
            "alias": "",
            "alias_to": [],
            "view_only": False,
            "product_venue": "CBE",
        }

    def _candles(self, symbol: str, query: Mapping[str, str], now_ms: int) -> Answer:
        if query.get("granularity") not in GRANULARITIES:
            return _error("INVALID_ARGUMENT", "unknown granularity")
        step_ms = GRANULARITIES[query["granularity"]]
        begin, last = int(query["start"]) * 1_000, int(query["end"]) * 1_000
        if (last - begin) // step_ms >= SERVES_BELOW:
            words = f"number of candles requested should be less than {SERVES_BELOW}"
            return _error("INVALID_ARGUMENT", words)
        # What opens at the end is inside, and only what has been printed is known.
        end = min(last - last % step_ms + step_ms, now_ms)
        found = self.tape.candles(symbol, step_ms, begin, end) if begin < end else []
        rows = [self._candle(symbol, each) for each in reversed(found)]
        limit = int(query.get("limit", SERVES_BELOW))
        return Answer(text({"candles": rows[:limit]}))

    def _candle(self, symbol: str, candle: Candle) -> dict[str, str]:
        names = zip(("open", "high", "low", "close"), candle[1:5], strict=True)
        prices = {name: self._price(symbol, points) for name, points in names}
        volume = plain(candle.volume, GRAINS)
        return {"start": str(candle.opened_at_ms // 1_000), **prices, "volume": volume}

    def _trades(self, symbol: str, query: Mapping[str, str], now_ms: int) -> Answer:
        limit = min(int(query.get("limit", "100")), _TRADES_MAX)
        if "start" in query:
            begin, last = int(query["start"]) * 1_000, int(query.get("end", now_ms // 1_000))
            found = self.tape.prints(symbol, begin, min(last * 1_000 + 1, now_ms))[-limit:]
        else:
            found = self.tape.last_prints(symbol, limit, now_ms)
        touch, product = self.tape.touch(symbol, now_ms), symbol.replace("/", "-")
        decimals = self.tape.coin(symbol).decimals
        rows = [traded(each, product, decimals) for each in reversed(found)]
        best = {
            "best_bid": self._price(symbol, touch.bid),
            "best_ask": self._price(symbol, touch.ask),
        }
        return Answer(text({"trades": rows} | best))

    def _book(self, symbol: str, query: Mapping[str, str], now_ms: int) -> Answer:
        depth, limit = self.tape.depth(symbol, now_ms), int(query.get("limit", "100"))

        def rows(levels: tuple[Level, ...]) -> list[dict[str, str]]:
            shown = levels[:limit]
            return [
                {"price": self._price(symbol, price), "size": plain(quantity, GRAINS)}
                for price, quantity in shown
            ]

        book = {"bids": rows(depth.bids), "asks": rows(depth.asks), "time": stamp(now_ms)}
        return Answer(text({"pricebook": {"product_id": symbol.replace("/", "-")} | book}))

    def _price(self, symbol: str, points: int) -> str:
        return plain(points, self.tape.coin(symbol).decimals)


def _error(name: str, words: str, status: int = 400) -> Answer:
    return Answer(text({"error": name, "error_details": words, "message": words}), status)
