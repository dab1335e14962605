"""Binance's spot account by REST: signed queries and forms, answered as Binance does.

What is bought pays its fee in what was bought, what is sold in what was got. A stop whose price is
reached already is refused. Its lists of orders and its counters of orders are not spoken; how often
one may ask is up to the faults (http_429, http_418). What came and went without a trade is told as
deposits and withdrawals, of no more than ninety days at once.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from tests.venue.accounts import Account, Booking, Fill, Order
from tests.venue.binance import MINIMUM_NOTIONAL, TYPES, Binance, error, id_of
from tests.venue.binance_private import BinancePrivate
from tests.venue.binance_words import REFUSALS, deposit, refusal, withdrawal
from tests.venue.desk import Clerk, Method, exact
from tests.venue.faults import Faults
from tests.venue.keys import KEYS
from tests.venue.ledger import Ledger
from tests.venue.matching import Exchange, Rules, Wanted
from tests.venue.rates import Tier
from tests.venue.refusals import No, Refused
from tests.venue.tape import DAY_MS, GRAINS
from tests.venue.wire import Answer, Asked, digits, text, units

LIMIT: Final = 500
LIMIT_MAX: Final = 1_000
_WINDOW_MS: Final = 90 * DAY_MS

Said = Mapping[str, str]

_CLIENT_ID: Final = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
_KINDS: Final = {name: name.lower().replace("_", "-") for name in TYPES} | {"LIMIT_MAKER": "limit"}
_TIMES: Final = ("GTC", "IOC", "FOK")


class BinanceDesk(Clerk):
    def __init__(self, binance: Binance, ledger: Ledger, faults: Faults, tier: Tier) -> None:
        super().__init__(Exchange(binance.tape, RULES, ledger, faults), faults)
        self._binance = binance
        binance.state = self.exchange.state

    def place(self, method: str, path: str) -> str | None:
        known = METHODS.get((method, path))
        return known and known.place

    def symbol_in(self, asked: Asked) -> str | None:
        return self._binance.symbol_in(asked.path, asked.said)

    def admit(self, asked: Asked, now_ms: int) -> Answer | None:
        signed, _, signature = asked.body.rpartition("&signature=")
        key, needs = asked.headers.get("X-MBX-APIKEY", ""), METHODS[asked.method, asked.path].needs
        refused = refusal(key, signed, signature, asked.said, needs, now_ms)
        return error(**refused) if refused else None

    def listen(self, said: Mapping[str, Any], now_ms: int) -> dict[str, Any] | None:
        """Why somebody may not hear of the account."""
        params = {name: str(value) for name, value in said.items()}
        signed = "&".join(
            f"{name}={params[name]}" for name in sorted(params) if name != "signature"
        )
        key, signature = params.get("apiKey", ""), params.get("signature", "")
        refused = refusal(key, signed, signature, params, "query-open-trades", now_ms)
        return {"code": refused["code"], "msg": refused["words"]} if refused else None

    def do(self, asked: Asked, now_ms: int) -> Answer:
        said = {**asked.said, "key": asked.headers["X-MBX-APIKEY"]}
        try:
            return Answer(text(METHODS[asked.method, asked.path].do(self, said, now_ms)))
        except Missing:
            return error(-2013, "Order does not exist.")
        except Refused as refused:
            return error(*REFUSALS[refused.why])

    def duplicate(self) -> Answer:
        return error(*REFUSALS[No.DUPLICATE])

    def session(self, number: int, path: str, now_ms: int) -> BinancePrivate | None:
        if "/ws-api/" not in path:
            return None
        return BinancePrivate(self.exchange, self.listen, self._price)

    def add(self, said: Said, now_ms: int) -> Any:
        order = self.exchange.place(self._wanted(said), now_ms)
        fills = [self.exchange.account.fills[id] for id in order.trades]
        met = [
            {
                "price": self._price(order.symbol, each.price),
                "qty": digits(each.quantity, GRAINS),
                "commission": digits(each.fee, GRAINS),
                "commissionAsset": each.fee_coin,
                "tradeId": each.number,
            }
            for each in fills
        ]
        return self._row(order) | {"transactTime": now_ms, "fills": met}

    def test(self, said: Said, now_ms: int) -> Any:
        self.exchange.check(self._wanted(said), now_ms)
        return {}

    def cancel(self, said: Said, now_ms: int) -> Any:
        order = self._order(self.exchange.account, said)
        if order is None:
            raise Refused(No.UNKNOWN)
        self.exchange.cancel(order, now_ms)
        return self._row(order) | {"origClientOrderId": order.client_id}

    def cancel_all(self, said: Said, now_ms: int) -> Any:
        self.exchange.advance(now_ms)
        symbol = self._symbol(said)
        orders = [each for each in self.exchange.account.open if each.symbol == symbol]
        if not orders:
            raise Refused(No.UNKNOWN)
        for order in orders:
            self.exchange.cancel(order, now_ms)
        return [self._row(order) for order in orders]

    def order(self, said: Said, now_ms: int) -> Any:
        order = self._order(self._account(now_ms), said)
        if order is None:
            raise Missing
        return self._row(order)

    def open_orders(self, said: Said, now_ms: int) -> Any:
        symbol = self._symbol(said) if "symbol" in said else None
        orders = [each for each in self._account(now_ms).open if symbol in (None, each.symbol)]
        return self._shown([self._row(each) for each in orders], now_ms)

    def orders(self, said: Said, now_ms: int) -> Any:
        symbol, orders = self._symbol(said), self._account(now_ms).orders.values()
        rows = [(int(each.id), each.at_ms, each) for each in orders if each.symbol == symbol]
        return self._shown([self._row(each) for each in _page(rows, said, "orderId")], now_ms)

    def trades(self, said: Said, now_ms: int) -> Any:
        symbol, fills = self._symbol(said), self._account(now_ms).fills.values()
        rows = [
            (each.number, each.at_ms, each)
            for each in fills
            if each.symbol == symbol and said.get("orderId") in (None, each.order)
        ]
        return self._shown([self._trade(each) for each in _page(rows, said, "fromId")], now_ms)

    def account(self, said: Said, now_ms: int) -> Any:
        account, may = self._account(now_ms, "balance_lag"), KEYS[said["key"]].may
        return {
            "makerCommission": account.maker_ppm // 100,
            "takerCommission": account.taker_ppm // 100,
            "canTrade": "modify-trades" in may,
            "canWithdraw": True,
            "canDeposit": True,
            "updateTime": account.at_ms,
            "accountType": "SPOT",
            "balances": [
                {
                    "asset": coin,
                    "free": digits(account.free(coin), GRAINS),
                    "locked": digits(account.held(coin), GRAINS),
                }
                for coin in account.coins
            ],
            "permissions": ["SPOT"],
        }

    def restrictions(self, said: Said, now_ms: int) -> Any:
        may = KEYS[said["key"]].may
        return {
            "ipRestrict": True,
            "createTime": 0,
            "enableReading": True,
            "enableSpotAndMarginTrading": "modify-trades" in may,
            "enableWithdrawals": "withdraw-funds" in may,
            "enableInternalTransfer": "withdraw-funds" in may,
            "permitsUniversalTransfer": "withdraw-funds" in may,
        }

    def fees(self, said: Said, now_ms: int) -> Any:
        account = self._account(now_ms)
        symbols = [self._symbol(said)] if "symbol" in said else list(self._binance.tape.symbols)
        return [
            {
                "symbol": id_of(symbol),
                "makerCommission": digits(account.maker_ppm, 6),
                "takerCommission": digits(account.taker_ppm, 6),
            }
            for symbol in symbols
        ]

    def deposits(self, said: Said, now_ms: int) -> Any:
        rows = [deposit(each) for each in self._moves(said, "deposit", now_ms)]
        return self._shown(rows, now_ms)

    def withdrawals(self, said: Said, now_ms: int) -> Any:
        rows = [withdrawal(each) for each in self._moves(said, "withdrawal", now_ms)]
        return self._shown(rows, now_ms)

    def converts(self, said: Said, now_ms: int) -> Any:
        return {"list": [], "limit": int(said.get("limit", "100")), "moreData": False}

    def dust(self, said: Said, now_ms: int) -> Any:
        return {"total": 0, "userAssetDribblets": []}

    def nothing(self, said: Said, now_ms: int) -> Any:
        return []

    def _moves(self, said: Said, kind: str, now_ms: int) -> list[Booking]:
        """The newest first."""
        end = int(said.get("endTime", now_ms))
        begin = int(said.get("startTime", end - _WINDOW_MS + 1))
        if end - begin >= _WINDOW_MS:
            raise Refused(No.TERMS)
        found = [
            each
            for each in self._account(now_ms).bookings[::-1]
            if each.kind == kind and begin <= each.at_ms <= end
        ]
        offset, limit = int(said.get("offset", "0")), int(said.get("limit", "1000"))
        return found[offset:][:limit]

    def _wanted(self, said: Said) -> Wanted:
        symbol, type, side = self._symbol(said), said.get("type", ""), said.get("side", "")
        time, client_id = said.get("timeInForce", "GTC"), said.get("newClientOrderId", "")
        known = type in _KINDS and side in ("BUY", "SELL") and time in _TIMES
        if not known or (client_id and not _CLIENT_ID.fullmatch(client_id)):
            raise Refused(No.TERMS)
        decimals = self._binance.tape.coin(symbol).decimals
        return Wanted(
            client_id=client_id,
            symbol=symbol,
            side=side.lower(),
            kind=_KINDS[type],
            quantity=exact(said.get("quantity"), GRAINS, No.QUANTITY),
            price=exact(said.get("price"), decimals, No.PRICE),
            trigger=exact(said.get("stopPrice"), decimals, No.PRICE),
            time=time,
            post=type == "LIMIT_MAKER",
            fee_in_base=side == "BUY",
            by=said["key"],
        )

    def _symbol(self, said: Said) -> str:
        symbol = self._binance.symbol_in("", said)
        if symbol is None:
            raise Refused(No.SYMBOL)
        return symbol

    def _order(self, account: Account, said: Said) -> Order | None:
        """By the venue's name, or the last one of the client's."""
        symbol, client_id = self._symbol(said), said.get("origClientOrderId")
        found = account.orders.get(said.get("orderId", ""))
        if found is None and client_id:
            named = [each for each in account.orders.values() if each.client_id == client_id]
            found = named[-1] if named else None
        return found if found and found.symbol == symbol else None

    def _row(self, order: Order) -> dict[str, Any]:
        type = "LIMIT_MAKER" if order.post else order.kind.upper().replace("-", "_")
        partly = "PARTIALLY_FILLED" if order.filled else "NEW"
        ends = {"open": partly, "closed": "FILLED"}
        return {
            "symbol": id_of(order.symbol),
            "orderId": int(order.id),
            "orderListId": -1,
            "clientOrderId": order.client_id or f"web_{order.id}",
            "price": self._price(order.symbol, order.price),
            "origQty": digits(order.quantity, GRAINS),
            "executedQty": digits(order.filled, GRAINS),
            "cummulativeQuoteQty": digits(order.cost, GRAINS),
            "status": ends.get(order.status, order.status.upper()),
            "timeInForce": order.time,
            "type": type,
            "side": order.side.upper(),
            "stopPrice": self._price(order.symbol, order.trigger),
            "icebergQty": digits(0, GRAINS),
            "time": order.at_ms,
            "updateTime": max(order.at_ms, order.ended_ms),
            "isWorking": not order.waits,
        }

    def _trade(self, fill: Fill) -> dict[str, Any]:
        return {
            "symbol": id_of(fill.symbol),
            "id": fill.number,
            "orderId": int(fill.order),
            "orderListId": -1,
            "price": self._price(fill.symbol, fill.price),
            "qty": digits(fill.quantity, GRAINS),
            "quoteQty": digits(fill.cost, GRAINS),
            "commission": digits(fill.fee, GRAINS),
            "commissionAsset": fill.fee_coin,
            "time": fill.at_ms,
            "isBuyer": fill.side == "buy",
            "isMaker": fill.maker,
            "isBestMatch": True,
        }

    def _price(self, symbol: str, points: int) -> str:
        return self._binance.price(symbol, points)


class Missing(Exception):
    """Nobody has such an order; of a cancel Binance says it in other words."""


METHODS: Final = {
    ("POST", "/api/v3/order"): Method(BinanceDesk.add, "modify-trades", True),
    ("POST", "/api/v3/order/test"): Method(BinanceDesk.test, "modify-trades"),
    ("DELETE", "/api/v3/order"): Method(BinanceDesk.cancel, "close-trades", True),
    ("DELETE", "/api/v3/openOrders"): Method(BinanceDesk.cancel_all, "close-trades", True),
    ("GET", "/api/v3/order"): Method(BinanceDesk.order, "query-open-trades"),
    ("GET", "/api/v3/openOrders"): Method(BinanceDesk.open_orders, "query-open-trades"),
    ("GET", "/api/v3/allOrders"): Method(BinanceDesk.orders, "query-closed-trades"),
    ("GET", "/api/v3/myTrades"): Method(BinanceDesk.trades, "query-closed-trades"),
    ("GET", "/api/v3/account"): Method(BinanceDesk.account, "query-funds"),
    ("GET", "/sapi/v1/account/apiRestrictions"): Method(BinanceDesk.restrictions, "query-funds"),
    ("GET", "/sapi/v1/asset/tradeFee"): Method(BinanceDesk.fees, "query-funds"),
    ("GET", "/sapi/v1/capital/deposit/hisrec"): Method(BinanceDesk.deposits, "query-funds"),
    ("GET", "/sapi/v1/capital/withdraw/history"): Method(BinanceDesk.withdrawals, "query-funds"),
    ("GET", "/sapi/v1/convert/tradeFlow"): Method(BinanceDesk.converts, "query-funds"),
    ("GET", "/sapi/v1/asset/dribblet"): Method(BinanceDesk.dust, "query-funds"),
    # ccxt asks for them when it loads its markets with a key.
    ("GET", "/sapi/v1/capital/config/getall"): Method(BinanceDesk.nothing, "query-funds"),
    ("GET", "/sapi/v1/margin/allPairs"): Method(BinanceDesk.nothing, "query-funds"),
    ("GET", "/sapi/v1/margin/isolated/allPairs"): Method(BinanceDesk.nothing, "query-funds"),
}


def _name(letter: str, number: int) -> str:
    return str(number)


RULES: Final = Rules(
    quantity_min=lambda symbol: 1,
    notional_min=units(MINIMUM_NOTIONAL, GRAINS),
    cost_step=1,
    fees_ppm=(1_000, 1_000),
    name=_name,
    unfilled="expired",
    stops_may_be_late=False,
)


def _page(rows: list[tuple[int, int, Any]], said: Said, id_param: str) -> list[Any]:
    """From an id on, or from a time on; else the last ones. The oldest first."""
    limit = min(int(said.get("limit", LIMIT)), LIMIT_MAX)
    if id_param in said:
        return [each for id, _, each in rows if id >= int(said[id_param])][:limit]
    if "startTime" in said:
        return [each for _, at_ms, each in rows if at_ms >= int(said["startTime"])][:limit]
    return [each for _, _, each in rows][-limit:]
