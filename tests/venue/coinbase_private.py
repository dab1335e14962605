"""Coinbase's socket for whoever has a key: the channel `user` beside those that anybody may hear.

It begins with the orders that are open; afterwards each order is told as it has become, once for
all that was written of it since. A subscription is signed with its time, its channel and products.
"""

from collections.abc import Iterator
from typing import Any, Final

from tests.venue.accounts import STOPS, Order
from tests.venue.coinbase_socket import CoinbaseSession, plain
from tests.venue.coinbase_words import LONG_TIMES, STATUS, product_of
from tests.venue.dialect import Frame, Subscription
from tests.venue.keys import KEYS
from tests.venue.matching import Exchange
from tests.venue.tape import GRAINS, Tape
from tests.venue.wire import stamp

USER: Final = "user"
EXPIRES_S: Final = 30


class CoinbasePrivate(CoinbaseSession):
    def __init__(self, tape: Tape, exchange: Exchange, now_ms: int) -> None:
        super().__init__(tape, now_ms)
        self._exchange = exchange
        self._told = len(exchange.ledger.entries)
        self._channels = {**self._channels, USER: self._quiet}

    def heard(self, message: Any, now_ms: int) -> Iterator[Frame]:
        said = message if isinstance(message, dict) else {}
        if said.get("channel") != USER or said.get("type") != "subscribe":
            yield from super().heard(message, now_ms)
            return
        if not _signed(said, now_ms):
            yield Frame({"type": "error", "message": "authentication failure"})
            return
        for name in said.get("product_ids") or [""]:
            self.subscriptions[USER, name] = Subscription(USER, "", now_ms, name=name)
        yield self._held(now_ms)
        self._exchange.advance(now_ms)
        orders = [each for each in self._exchange.account.open if self._wanted(each)]
        yield self._orders("snapshot", orders, "", now_ms)

    def news(self, now_ms: int) -> Iterator[Frame]:
        self._exchange.advance(now_ms)
        entries, account = self._exchange.ledger.entries, self._exchange.account
        fresh, self._told = entries[self._told :], len(entries)
        ids = [each["id"] if each["what"] == "order" else each.get("order") for each in fresh]
        for id in dict.fromkeys(filter(None, ids)):
            if self._wanted(account.orders[id]):
                order = account.orders[id]
                yield self._orders("update", [order], order.symbol, now_ms)
        yield from super().news(now_ms)

    def _wanted(self, order: Order) -> bool:
        return any((USER, name) in self.subscriptions for name in ("", product_of(order.symbol)))

    def _quiet(self, asked: Subscription, now_ms: int) -> Iterator[Frame]:
        """What there is to tell is told in the order of the ledger."""
        yield from ()

    def _orders(self, kind: str, orders: list[Order], symbol: str, now_ms: int) -> Frame:
        rows = [self._row(each) for each in orders]
        positions: dict[str, list[Any]] = {
            "perpetual_futures_positions": [],
            "expiring_futures_positions": [],
        }
        event = {"type": kind, "orders": rows, "positions": positions}
        return self._frame(USER, [event], now_ms, symbol)

    def _row(self, order: Order) -> dict[str, Any]:
        decimals = self._tape.coin(order.symbol).decimals
        average = order.cost * 10**decimals // order.filled if order.filled else 0
        return {
            "order_id": order.id,
            "client_order_id": order.client_id,
            "cumulative_quantity": plain(order.filled, GRAINS),
            "leaves_quantity": plain(order.left, GRAINS),
            "avg_price": plain(average, decimals),
            "total_fees": plain(order.worth, GRAINS),
            "status": STATUS[order.status],
            "product_id": product_of(order.symbol),
            "product_type": "SPOT",
            "creation_time": stamp(order.at_ms),
            "order_side": order.side.upper(),
            "order_type": "Stop Limit" if order.kind in STOPS else order.kind.title(),
            "number_of_fills": str(len(order.trades)),
            "filled_value": plain(order.cost, GRAINS),
            "limit_price": plain(order.price, decimals),
            "stop_price": plain(order.trigger, decimals),
            "time_in_force": LONG_TIMES[order.time],
            "outstanding_hold_amount": plain(order.hold, GRAINS),
            "post_only": str(order.post).lower(),
            "cancel_reason": order.reason,
            "reject_reason": "",
        }


def _signed(said: dict[str, Any], now_ms: int) -> bool:
    key, at = KEYS.get(str(said.get("api_key"))), str(said.get("timestamp"))
    if key is None or "query-open-trades" not in key.may or not at.isdecimal():
        return False
    words = at + USER + ",".join(said.get("product_ids") or [])
    in_time = abs(int(at) * 1_000 - now_ms) <= EXPIRES_S * 1_000
    return in_time and key.plain_signature(words) == said.get("signature")
