"""Kraken's private REST: who may ask is heard, what is asked for is done, and said as Kraken does.

A request is admitted (key, signature, nonce, counters, permission), and then done: between the two
a fault may let time pass. Parameters that Kraken does not know are passed over, as it does; of the
ones it knows, what this venue cannot (leverage, volume in the quote) is refused.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple

from tests.venue.accounts import KINDS, STOPS, Order
from tests.venue.desk import Clerk, exact
from tests.venue.faults import Faults
from tests.venue.keys import KEYS, Key
from tests.venue.kraken import COST_MINIMUM, Kraken, asset, error, minimum, result
from tests.venue.kraken_private import KrakenPrivate
from tests.venue.kraken_socket import KrakenSession
from tests.venue.kraken_words import (
    COST,
    PARTS,
    REFUSALS,
    booking_row,
    described,
    name,
    order_row,
    trade_row,
)
from tests.venue.ledger import Ledger
from tests.venue.matching import Exchange, Rules, Wanted
from tests.venue.rates import Rates, Tier, amending, cancelling
from tests.venue.refusals import No, Refused
from tests.venue.tape import GRAINS
from tests.venue.wire import Answer, Asked, digits, stamp, units

PAGE: Final = 50
TOKEN_S: Final = 900

_PREFIX: Final = "/0/private/"
_CLIENT_ID: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|.{1,18}")
_UNABLE: Final = ("leverage", "reduce_only", "close[ordertype]", "displayvol")
_DEADLINE_S_MAX: Final = 86_400

Said = Mapping[str, str]


class Method(NamedTuple):
    do: Callable[["KrakenDesk", Said, int], Any]
    needs: str = ""  # a permission
    cost: int = 1  # of the counter of calls; 0: it has a counter of orders
    trades: bool = False


class KrakenDesk(Clerk):
    def __init__(self, kraken: Kraken, ledger: Ledger, faults: Faults, tier: Tier) -> None:
        super().__init__(Exchange(kraken.tape, RULES, ledger, faults), faults)
        self._kraken = kraken
        self._rates = Rates(tier)
        self._nonces: dict[str, int] = {}
        self._tokens: dict[str, int] = {}  # until when each holds
        kraken.state = self.exchange.state

    def place(self, method: str, path: str) -> str | None:
        """Where its faults are: "trade" or "read", or None, if anybody may ask for it."""
        if not path.startswith(_PREFIX):
            return None
        known = METHODS.get(path.removeprefix(_PREFIX))
        return "trade" if known and known.trades else "read"

    def symbol_in(self, asked: Asked) -> str | None:
        pair = self._kraken.pair(asked.said.get("pair", ""))
        order = self._order(asked.said)
        return pair.symbol if pair else order.symbol if order else None

    def admit(self, asked: Asked, now_ms: int) -> Answer | None:
        """Why not, if not."""
        method = METHODS.get(asked.path.removeprefix(_PREFIX))
        if method is None:
            return error("EGeneral:Unknown method")
        key = KEYS.get(asked.headers.get("API-Key", ""))
        nonce = asked.said.get("nonce", "")
        if key is None:
            return error("EAPI:Invalid key")
        if key.signature(asked.path, nonce, asked.body) != asked.headers.get("API-Sign"):
            return error("EAPI:Invalid signature")
        if not nonce.isdecimal() or int(nonce) <= self._nonces.get(key.key, 0):
            return error("EAPI:Invalid nonce")
        self._nonces[key.key] = int(nonce)
        if not self._rates.call(key.key, method.cost, now_ms):
            return error("EAPI:Rate limit exceeded")
        if method.needs and method.needs not in key.may:
            return error("EGeneral:Permission denied")
        return None

    def do(self, asked: Asked, now_ms: int) -> Answer:
        key = KEYS[asked.headers["API-Key"]]
        said = {**asked.said, "key": key.key}
        method = METHODS[asked.path.removeprefix(_PREFIX)]
        if not method.cost and not self._in_pace(asked, key, now_ms):
            return error("EOrder:Rate limit exceeded")
        try:
            return result(method.do(self, said, now_ms))
        except Refused as refused:
            return error(REFUSALS[refused.why])

    def duplicate(self) -> Answer:
        return error(REFUSALS[No.DUPLICATE])

    def session(self, number: int, path: str, now_ms: int) -> KrakenSession | None:
        if "ws-auth" not in path and path != "/v2":  # where one address stands for all
            return None
        return KrakenPrivate(self._kraken, self.exchange, self._holds, number, now_ms)

    def add(self, said: Said, now_ms: int) -> Any:
        wanted, pair = self._wanted(said, now_ms), self._kraken.pair(said.get("pair", ""))
        assert pair is not None
        due = said.get("deadline")
        if due and datetime.fromisoformat(due).timestamp() * 1_000 < now_ms:
            raise Refused(No.TERMS)
        answer: dict[str, Any] = {"descr": {"order": described(wanted, pair)["order"]}}
        if _true(said, "validate"):
            self.exchange.check(wanted, now_ms)
            return answer
        return answer | {"txid": [self.exchange.place(wanted, now_ms).id]}

    def amend(self, said: Said, now_ms: int) -> Any:
        order = self._known(said)
        decimals = self._kraken.pair_of(order.symbol).decimals
        figures = (
            exact(said.get("order_qty"), GRAINS, No.QUANTITY, order.quantity),
            exact(said.get("limit_price"), decimals, No.PRICE, order.price),
            exact(said.get("trigger_price"), decimals, No.PRICE, order.trigger),
        )
        post = _true(said, "post_only")
        return {"amend_id": self.exchange.amend(order, *figures, post, now_ms)}

    def cancel(self, said: Said, now_ms: int) -> Any:
        self.exchange.cancel(self._known(said), now_ms)
        return {"count": 1}

    def cancel_all(self, said: Said, now_ms: int) -> Any:
        self.exchange.advance(now_ms)
        orders = self.exchange.account.open
        for order in orders:
            self.exchange.cancel(order, now_ms)
        return {"count": len(orders)}

    def cancel_all_after(self, said: Said, now_ms: int) -> Any:
        timeout_s = exact(said.get("timeout"), 0, No.TERMS, -1)
        if not 0 <= timeout_s <= _DEADLINE_S_MAX:
            raise Refused(No.TERMS)
        deadline_ms = now_ms + 1_000 * timeout_s if timeout_s else 0
        self.exchange.arm(deadline_ms, now_ms)
        trigger = _second(deadline_ms) if deadline_ms else "0"
        return {"currentTime": _second(now_ms), "triggerTime": trigger}

    def balances(self, said: Said, now_ms: int) -> Any:
        account = self._account(now_ms, "balance_lag")
        return {asset(coin): digits(account.balance(coin), PARTS, 2) for coin in account.coins}

    def balances_and_holds(self, said: Said, now_ms: int) -> Any:
        account = self._account(now_ms, "balance_lag")
        return {
            asset(coin): {
                "balance": digits(account.balance(coin), PARTS, 2),
                "hold_trade": digits(account.held(coin), PARTS, 2),
            }
            for coin in account.coins
        }

    def open_orders(self, said: Said, now_ms: int) -> Any:
        orders = [each for each in self._account(now_ms).open if _is_asked_for(each, said)]
        rows = {each.id: self._row(each, said) for each in reversed(orders)}
        return {"open": self._shown(rows, now_ms)}

    def closed_orders(self, said: Said, now_ms: int) -> Any:
        orders = [
            (max(each.ended_ms, each.at_ms), each.id, partial(self._row, each, said))
            for each in self._account(now_ms).orders.values()
            if each.status != "open" and _is_asked_for(each, said)
        ]
        return self._page("closed", orders, said, now_ms)

    def query_orders(self, said: Said, now_ms: int) -> Any:
        ids, account = said.get("txid", "").split(","), self._account(now_ms)
        found = [account.orders[id] for id in ids if id in account.orders]
        return {each.id: self._row(each, said) for each in found if _is_asked_for(each, said)}

    def trades(self, said: Said, now_ms: int) -> Any:
        rows = [
            (each.at_ms, each.id, partial(trade_row, each, self._kraken.pair_of(each.symbol)))
            for each in self._account(now_ms).fills.values()
        ]
        return self._page("trades", rows, said, now_ms)

    def query_trades(self, said: Said, now_ms: int) -> Any:
        ids, fills = said.get("txid", "").split(","), self._account(now_ms).fills
        found = [fills[id] for id in ids if id in fills]
        return {each.id: trade_row(each, self._kraken.pair_of(each.symbol)) for each in found}

    def ledgers(self, said: Said, now_ms: int) -> Any:
        assets = said.get("asset", "all").split(",")
        rows = [
            (each.at_ms, name("L", number), partial(booking_row, each))
            for number, each in enumerate(self._account(now_ms).bookings, 1)
            if assets == ["all"] or asset(each.coin) in assets or each.coin in assets
            if said.get("type", "all") in ("all", each.kind)
        ]
        return self._page("ledger", rows, said, now_ms)

    def volume(self, said: Said, now_ms: int) -> Any:
        account = self._account(now_ms)
        pairs = [self._kraken.pair(each) for each in said.get("pair", "").split(",") if each]
        if None in pairs:
            raise Refused(No.SYMBOL)

        def fees(ppm: int) -> dict[str, Any]:
            fee = {"fee": digits(ppm, 4), "minfee": "0.0000", "maxfee": digits(ppm, 4)}
            return {pair.id: fee for pair in pairs if pair}

        traded = sum(fill.cost for fill in account.fills.values())
        return {
            "currency": "ZUSD",
            "volume": digits(traded // 10**4, 4),
            "fees": fees(account.taker_ppm),
            "fees_maker": fees(account.maker_ppm),
        }

    def token(self, said: Said, now_ms: int) -> Any:
        token = KEYS[said["key"]].signature("token", said["nonce"], "")
        self._tokens[token] = now_ms + 1_000 * TOKEN_S
        return {"token": token, "expires": TOKEN_S}

    def key_info(self, said: Said, now_ms: int) -> Any:
        key = KEYS[said["key"]]
        about = {"api_key_name": key.name, "api_key": key.key, "ipAllowlist": ["127.0.0.1"]}
        return {**about, "permissions": sorted(key.may)}

    def _in_pace(self, asked: Asked, key: Key, now_ms: int) -> bool:
        order, cost = self._order(asked.said), 1
        symbol = self.symbol_in(asked) or ""
        if order and asked.path.endswith("AmendOrder"):
            cost = amending(now_ms - order.at_ms)
        elif order and asked.path.endswith("CancelOrder"):
            cost = cancelling(now_ms - order.at_ms)
        return self._rates.order(key.key, symbol, cost, now_ms)

    def _holds(self, token: str, now_ms: int) -> bool:
        return self._tokens.get(token, 0) > now_ms

    def _wanted(self, said: Said, now_ms: int) -> Wanted:
        pair, kind = self._kraken.pair(said.get("pair", "")), said.get("ordertype", "")
        client_id, flags = said.get("cl_ord_id", ""), said.get("oflags", "").split(",")
        if pair is None:
            raise Refused(No.SYMBOL)
        known = kind in KINDS and said.get("type") in ("buy", "sell")
        if not known or any(each in said for each in _UNABLE) or "viqc" in flags:
            raise Refused(No.TERMS)
        if client_id and not _CLIENT_ID.fullmatch(client_id):
            raise Refused(No.TERMS)
        first, second = said.get("price", "0"), said.get("price2", "0")
        if kind == "trailing-stop" and not first.startswith("+"):
            raise Refused(No.PRICE)
        trigger, limit = (first, second) if kind in STOPS else ("0", first)
        time = said.get("timeinforce", "GTC")
        if time not in ("GTC", "IOC", "GTD") or ("post" in flags and kind != "limit"):
            raise Refused(No.TERMS)
        expires = said.get("expiretm", "0")
        later_s = exact(expires, 0, No.TERMS)
        return Wanted(
            client_id=client_id,
            symbol=pair.symbol,
            side=said["type"],
            kind=kind,
            quantity=exact(said.get("volume"), GRAINS, No.QUANTITY),
            price=exact(limit, pair.decimals, No.PRICE) if kind != "market" else 0,
            trigger=exact(trigger, pair.decimals, No.PRICE),
            time=time,
            expires_ms=later_s * 1_000 + (now_ms if expires.startswith("+") else 0),
            post="post" in flags,
            fee_in_base="fcib" in flags,
            userref=exact(said.get("userref"), 0, No.TERMS),
            by=said["key"],
        )

    def _order(self, said: Said) -> Order | None:
        """The one that is named, by whichever name; of a client's, the open one."""
        txid, client_id = said.get("txid"), said.get("cl_ord_id")
        orders = self.exchange.account.orders
        if txid in orders:
            return orders[txid]
        found = [each for each in orders.values() if client_id and each.client_id == client_id]
        return next((each for each in found if each.status == "open"), found[-1] if found else None)

    def _known(self, said: Said) -> Order:
        order = self._order(said)
        if order is None:
            raise Refused(No.UNKNOWN)
        return order

    def _row(self, order: Order, said: Said) -> dict[str, Any]:
        return order_row(order, self._kraken.pair_of(order.symbol), _true(said, "trades"))

    def _page(
        self,
        what: str,
        rows: Iterable[tuple[int, str, Callable[[], Any]]],
        said: Said,
        now_ms: int,
    ) -> dict[str, Any]:
        """The newest first; the whole second of `start` is left out."""
        start_s, end_s = (int(float(said.get(each, "0") or 0)) for each in ("start", "end"))
        skipped = exact(said.get("ofs"), 0, No.TERMS)
        found = [
            each
            for each in rows
            if ("start" not in said or each[0] // 1_000 > start_s)
            and ("end" not in said or each[0] <= 1_000 * end_s)
        ]
        newest = sorted(found, key=lambda each: each[0])[::-1][skipped : skipped + PAGE]
        page = self._shown({id: row() for _, id, row in newest}, now_ms)
        return {what: page, "count": len(found) if page else 0}


METHODS: Final = {
    "AddOrder": Method(KrakenDesk.add, "modify-trades", 0, True),
    "AmendOrder": Method(KrakenDesk.amend, "modify-trades", 0, True),
    "CancelOrder": Method(KrakenDesk.cancel, "close-trades", 0, True),
    "CancelAll": Method(KrakenDesk.cancel_all, "close-trades", 1, True),
    "CancelAllOrdersAfter": Method(KrakenDesk.cancel_all_after, "close-trades", 1, True),
    "Balance": Method(KrakenDesk.balances, "query-funds"),
    "BalanceEx": Method(KrakenDesk.balances_and_holds, "query-funds"),
    "OpenOrders": Method(KrakenDesk.open_orders, "query-open-trades"),
    "ClosedOrders": Method(KrakenDesk.closed_orders, "query-closed-trades"),
    "QueryOrders": Method(KrakenDesk.query_orders, "query-open-trades"),
    "TradesHistory": Method(KrakenDesk.trades, "query-closed-trades", 2),
    "QueryTrades": Method(KrakenDesk.query_trades, "query-closed-trades"),
    "Ledgers": Method(KrakenDesk.ledgers, "query-ledger", 2),
    "TradeVolume": Method(KrakenDesk.volume, "query-funds"),
    "GetWebSocketsToken": Method(KrakenDesk.token, "create-ws-token"),
    "GetApiKeyInfo": Method(KrakenDesk.key_info),
}


def _quantity_min(symbol: str) -> int:
    return units(minimum(symbol), GRAINS)


RULES: Final = Rules(
    quantity_min=_quantity_min,
    notional_min=units(COST_MINIMUM, PARTS),
    cost_step=10 ** (PARTS - COST),
    fees_ppm=(4_000, 2_500),
    name=name,
    unfilled="canceled",
    stops_may_be_late=True,
)


def _is_asked_for(order: Order, said: Said) -> bool:
    client_id, userref = said.get("cl_ord_id"), said.get("userref")
    return client_id in (None, order.client_id) and userref in (None, str(order.userref))


def _true(said: Said, name: str) -> bool:
    return said.get(name, "").lower() in ("true", "1")


def _second(at_ms: int) -> str:
    return stamp(at_ms)[:19] + "Z"
