"""Coinbase Advanced's account by REST: orders, fills, accounts, and the old ledger of version 2.

Of stops it has stop-limits only, and their direction is said. An order of a client id that was ever
used is not placed again: the first one is answered, as if it were new. Requests are signed by the
older scheme (a hash of time, method, path and body), not by tokens.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from tests.venue.coinbase import MINIMUM_NOTIONAL, Coinbase
from tests.venue.coinbase_private import CoinbasePrivate
from tests.venue.coinbase_socket import plain
from tests.venue.coinbase_words import (
    REFUSALS,
    STATUS,
    configuration,
    failed,
    fill_row,
    money,
    name,
    order_row,
    product_of,
    transaction,
)
from tests.venue.desk import Clerk, Method, exact
from tests.venue.faults import Faults
from tests.venue.keys import KEYS
from tests.venue.ledger import Ledger
from tests.venue.matching import Exchange, Rules, Wanted
from tests.venue.rates import Tier
from tests.venue.refusals import No, Refused
from tests.venue.tape import GRAINS
from tests.venue.wire import Answer, Asked, text, units

PAGE: Final = 100
EXPIRES_MS: Final = 30_000  # how old a signature may be

Said = Mapping[str, Any]

_TIMES: Final = {"ioc": "IOC", "fok": "FOK", "gtc": "GTC", "gtd": "GTD"}


class CoinbaseDesk(Clerk):
    def __init__(self, coinbase: Coinbase, ledger: Ledger, faults: Faults, tier: Tier) -> None:
        super().__init__(Exchange(coinbase.tape, RULES, ledger, faults), faults)
        self._coinbase = coinbase
        coinbase.state = self.exchange.state

    def place(self, method: str, path: str) -> str | None:
        known, _ = _method(method, path)
        return known and known.place

    def symbol_in(self, asked: Asked) -> str | None:
        said = _read(asked)
        ids = [said.get("order_id"), *said.get("order_ids", [])]
        orders = self.exchange.account.orders
        named = [orders[id].symbol for id in ids if id in orders]
        product = said.get("product_id")
        return (
            self._coinbase.symbol_in("", {"product_id": product})
            if product
            else next(iter(named), None)
        )

    def admit(self, asked: Asked, now_ms: int) -> Answer | None:
        key = KEYS.get(asked.headers.get("CB-ACCESS-KEY", ""))
        at, signed = asked.headers.get("CB-ACCESS-TIMESTAMP", "0"), asked.body
        if asked.method == "GET":
            signed = f"?{asked.body}" if asked.body and asked.path.startswith("/v2") else ""
        known, _ = _method(asked.method, asked.path)
        assert known is not None
        if (
            key is None
            or abs(int(at) * 1_000 - now_ms) > EXPIRES_MS
            or key.plain_signature(at + asked.method + asked.path + signed)
            != asked.headers.get("CB-ACCESS-SIGN")
        ):
            return Answer("Unauthorized", 401, kind="text/plain")
        if known.needs not in key.may:
            words = "Missing required scopes"
            return Answer(text({"error": "PERMISSION_DENIED", "message": words}), 403)
        return None

    def do(self, asked: Asked, now_ms: int) -> Answer:
        method, id = _method(asked.method, asked.path)
        assert method is not None
        said = {**_read(asked), "key": asked.headers["CB-ACCESS-KEY"]}
        return Answer(text(method.do(self, said | ({"id": id} if id else {}), now_ms)))

    def duplicate(self) -> Answer:
        return Answer(text(failed(No.DUPLICATE)))

    def session(self, number: int, path: str, now_ms: int) -> CoinbasePrivate:
        return CoinbasePrivate(self._coinbase.tape, self.exchange, now_ms)

    def add(self, said: Said, now_ms: int) -> Any:
        used = said.get("client_order_id", "")
        orders = self.exchange.account.orders.values()
        order = next((each for each in orders if used and each.client_id == used), None)
        if order is None:
            try:
                order = self.exchange.place(self._wanted(said), now_ms)
            except Refused as refused:
                return failed(refused.why)
        response = {
            "order_id": order.id,
            "product_id": product_of(order.symbol),
            "side": order.side.upper(),
            "client_order_id": order.client_id,
        }
        configured = {"order_configuration": configuration(order, self._decimals(order.symbol))}
        return {"success": True, "success_response": response} | configured

    def amend(self, said: Said, now_ms: int) -> Any:
        order = self.exchange.account.orders.get(said.get("order_id", ""))
        try:
            if order is None or order.kind != "limit" or order.time != "GTC":
                raise Refused(No.UNKNOWN)
            decimals = self._decimals(order.symbol)
            size = exact(said.get("size", "0"), GRAINS, No.QUANTITY)
            price = exact(said.get("price", "0"), decimals, No.PRICE)
            self.exchange.amend(order, size, price, 0, order.post, now_ms)
        except Refused as refused:
            why = REFUSALS.get(refused.why, "ORDER_NOT_FOUND")
            return {"success": False, "errors": [{"edit_failure_reason": why}]}
        return {"success": True, "errors": []}

    def cancel(self, said: Said, now_ms: int) -> Any:
        results = []
        for id in said.get("order_ids", []):
            order, reason = self.exchange.account.orders.get(id), "UNKNOWN_CANCEL_ORDER"
            try:
                if order is not None:
                    self.exchange.cancel(order, now_ms)
                    reason = ""
            except Refused as refused:
                assert refused.why is No.UNKNOWN, refused
            results.append({"success": not reason, "failure_reason": reason, "order_id": id})
        return {"results": results}

    def order(self, said: Said, now_ms: int) -> Any:
        order = self._account(now_ms).orders.get(said["id"])
        if order is None:
            return {"error": "NOT_FOUND", "message": "order not found"}
        return {"order": order_row(order, self._decimals(order.symbol))}

    def orders(self, said: Said, now_ms: int) -> Any:
        wanted, product = said.get("order_status"), said.get("product_id")
        since_ms = _ms(said.get("start_date"))
        rows = [
            order_row(each, self._decimals(each.symbol))
            for each in self._account(now_ms).orders.values()
            if wanted in (None, STATUS[each.status])
            and product in (None, product_of(each.symbol))
            and each.at_ms >= since_ms
        ]
        return self._page("orders", rows, said, now_ms)

    def fills(self, said: Said, now_ms: int) -> Any:
        since_ms, product = _ms(said.get("start_sequence_timestamp")), said.get("product_id")
        rows = [
            fill_row(each, self._decimals(each.symbol))
            for each in self._account(now_ms).fills.values()
            if each.at_ms >= since_ms and product in (None, product_of(each.symbol))
        ]
        return self._page("fills", rows, said, now_ms)

    def accounts(self, said: Said, now_ms: int) -> Any:
        account = self._account(now_ms, "balance_lag")
        rows = [
            {
                "uuid": name("C", coin),
                "name": f"{coin} Wallet",
                "currency": coin,
                "available_balance": money(account.free(coin), coin),
                "hold": money(account.held(coin), coin),
                "default": True,
                "active": True,
                "type": "ACCOUNT_TYPE_FIAT" if coin == "USD" else "ACCOUNT_TYPE_CRYPTO",
                "ready": True,
            }
            for coin in account.coins
        ]
        return {"accounts": rows, "has_next": False, "cursor": "", "size": len(rows)}

    def permissions(self, said: Said, now_ms: int) -> Any:
        may = KEYS[said["key"]].may
        return {
            "can_view": "query-funds" in may,
            "can_trade": "modify-trades" in may,
            "can_transfer": "withdraw-funds" in may,
            "portfolio_uuid": name("P", "1"),
            "portfolio_type": "CONSUMER",
        }

    def summary(self, said: Said, now_ms: int) -> Any:
        account = self._account(now_ms)
        rates = {
            "pricing_tier": "Advanced 1",
            "taker_fee_rate": plain(account.taker_ppm, 6),
            "maker_fee_rate": plain(account.maker_ppm, 6),
        }
        return {"total_volume": 0, "total_fees": 0, "fee_tier": rates}

    def transactions(self, said: Said, now_ms: int) -> Any:
        rows = [
            transaction(number, each)
            for number, each in enumerate(self._account(now_ms).bookings, 1)
            if name("C", each.coin) == said["id"]
        ][::-1]
        after, limit = said.get("starting_after"), int(said.get("limit", "25"))
        begin = next((n + 1 for n, row in enumerate(rows) if row["id"] == after), 0)
        page = rows[begin : begin + limit]
        more = page[-1]["id"] if len(rows) > begin + limit else None
        return {"pagination": {"next_starting_after": more}, "data": self._shown(page, now_ms)}

    def _wanted(self, said: Said) -> Wanted:
        symbol = self._coinbase.symbol_in("", {"product_id": said.get("product_id", "")})
        if symbol is None:
            raise Refused(No.SYMBOL)
        ((way, terms),) = said["order_configuration"].items()
        side, decimals = said["side"].lower(), self._decimals(symbol)
        if side not in ("buy", "sell") or "base_size" not in terms:
            raise Refused(No.TERMS)
        kind = "market" if way.startswith("market") else "limit"
        if way.startswith("stop"):
            down = terms["stop_direction"] == "STOP_DIRECTION_STOP_DOWN"
            kind = "stop-loss-limit" if down == (side == "sell") else "take-profit-limit"
        time = _TIMES[way[-3:]]
        return Wanted(
            client_id=said.get("client_order_id", ""),
            symbol=symbol,
            side=side,
            kind=kind,
            quantity=exact(terms["base_size"], GRAINS, No.QUANTITY),
            price=exact(terms.get("limit_price", "0"), decimals, No.PRICE),
            trigger=exact(terms.get("stop_price", "0"), decimals, No.PRICE),
            time=time,
            expires_ms=_ms(terms.get("end_time")),
            post=bool(terms.get("post_only")),
            by=said["key"],
        )

    def _decimals(self, symbol: str) -> int:
        return self._coinbase.tape.coin(symbol).decimals

    def _page(self, what: str, rows: list[Any], said: Said, now_ms: int) -> dict[str, Any]:
        """The newest first; a cursor is the place to go on at, counted from the oldest."""
        end, limit = int(said.get("cursor") or len(rows)), int(said.get("limit", PAGE))
        begin = max(end - limit, 0)
        page = self._shown(rows[begin:end][::-1], now_ms)
        return {what: page, "has_next": begin > 0, "cursor": str(begin) if begin else ""}


_ROOT: Final = "/api/v3/brokerage/"
_HISTORICAL: Final = f"{_ROOT}orders/historical/"

METHODS: Final = {
    ("POST", f"{_ROOT}orders"): Method(CoinbaseDesk.add, "modify-trades", True),
    ("POST", f"{_ROOT}orders/edit"): Method(CoinbaseDesk.amend, "modify-trades", True),
    ("POST", f"{_ROOT}orders/batch_cancel"): Method(CoinbaseDesk.cancel, "close-trades", True),
    ("GET", f"{_HISTORICAL}batch"): Method(CoinbaseDesk.orders, "query-open-trades"),
    ("GET", f"{_HISTORICAL}fills"): Method(CoinbaseDesk.fills, "query-closed-trades"),
    ("GET", f"{_HISTORICAL}*"): Method(CoinbaseDesk.order, "query-open-trades"),
    ("GET", f"{_ROOT}accounts"): Method(CoinbaseDesk.accounts, "query-funds"),
    ("GET", f"{_ROOT}key_permissions"): Method(CoinbaseDesk.permissions, "query-funds"),
    ("GET", f"{_ROOT}transaction_summary"): Method(CoinbaseDesk.summary, "query-funds"),
    ("GET", "/v2/accounts/*/transactions"): Method(CoinbaseDesk.transactions, "query-ledger"),
}


def _method(method: str, path: str) -> tuple[Method[CoinbaseDesk, Said] | None, str]:
    """And the id in the path, if one is there."""
    if (method, path) in METHODS:
        return METHODS[method, path], ""
    parts = path.split("/")
    for n, id in enumerate(parts):
        place = "/".join([*parts[:n], "*", *parts[n + 1 :]])
        if (method, place) in METHODS:
            return METHODS[method, place], id
    return None, ""


def _read(asked: Asked) -> dict[str, Any]:
    if asked.method == "GET":
        return dict(asked.said)
    found: dict[str, Any] = json.loads(asked.body)
    return found


def _ms(date: str | None) -> int:
    if not date:
        return 0
    moment = datetime.fromisoformat(date).astimezone(UTC)
    return int(moment.timestamp()) * 1_000 + moment.microsecond // 1_000


RULES: Final = Rules(
    quantity_min=lambda symbol: 1,
    notional_min=units(MINIMUM_NOTIONAL, GRAINS),
    cost_step=1,
    fees_ppm=(12_000, 6_000),
    name=name,
    unfilled="canceled",
    stops_may_be_late=False,
)
