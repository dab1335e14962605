"""Kraken's private WebSocket v2: executions and balances, told when they are written.

Hints: what is told here is in the ledger already. A token from REST is what one shows.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from tests.venue.accounts import STOPS, Fill, Order, coins
from tests.venue.dialect import Frame, Subscription
from tests.venue.kraken import Kraken
from tests.venue.kraken_socket import KrakenSession
from tests.venue.kraken_words import PARTS
from tests.venue.ledger import Entry
from tests.venue.matching import Exchange
from tests.venue.tape import GRAINS
from tests.venue.wire import decimal, stamp

EXECUTIONS: Final = "executions"
BALANCES: Final = "balances"
TRADES_AT_FIRST: Final = 50

_ENDS: Final = {"closed": "filled", "canceled": "canceled", "expired": "expired"}


class KrakenPrivate(KrakenSession):
    def __init__(
        self,
        kraken: Kraken,
        exchange: Exchange,
        holds: Callable[[str, int], bool],
        number: int,
        now_ms: int,
    ) -> None:
        super().__init__(kraken.tape, number, now_ms)
        self._exchange = exchange
        self._holds = holds
        self._told = len(exchange.ledger.entries)
        self._sequence = 0
        own = {EXECUTIONS: self._quiet, BALANCES: self._quiet}
        self._channels = {**self._channels, **own}

    def heard(self, message: Any, now_ms: int) -> Iterator[Frame]:
        """A private channel is of all instruments: it is asked for as one of none."""
        details = message.get("params") if isinstance(message, dict) else None
        if isinstance(details, dict) and details.get("channel") in (EXECUTIONS, BALANCES):
            message = message | {"params": details | {"symbol": [""]}}
        yield from super().heard(message, now_ms)

    def news(self, now_ms: int) -> Iterator[Frame]:
        self._exchange.advance(now_ms)
        entries = self._exchange.ledger.entries
        fresh, self._told = entries[self._told :], len(entries)
        channels = {each.channel for each in self.subscriptions.values()}
        for entry in fresh:
            if EXECUTIONS in channels and (said := self._execution(entry)):
                yield self._message(EXECUTIONS, "update", [said], said["symbol"], now_ms)
            if BALANCES in channels and (moved := self._moved(entry)):
                yield self._message(BALANCES, "update", moved, "", now_ms)
        yield from super().news(now_ms)

    def _subscribed(
        self, channel: str, symbol: str, details: Mapping[str, Any], now_ms: int
    ) -> tuple[dict[str, Any], Iterable[Frame]]:
        if channel not in (EXECUTIONS, BALANCES):
            return super()._subscribed(channel, symbol, details, now_ms)
        if not self._holds(str(details.get("token", "")), now_ms):
            return {"error": "ESession:Invalid session", "success": False}, ()
        self.subscriptions[channel, ""] = Subscription(channel, "", now_ms)
        said = {"result": {"channel": channel, "snapshot": True}, "success": True}
        return said, self._first(channel, details, now_ms)

    def _first(self, channel: str, details: Mapping[str, Any], now_ms: int) -> Iterator[Frame]:
        self._exchange.advance(now_ms)
        account = self._exchange.account
        if channel == BALANCES:
            data = [self._balance(coin) for coin in account.coins]
        else:
            data = [self._order(each) | {"exec_type": "new"} for each in account.open]
            if details.get("snap_trades"):
                last = list(account.fills.values())[-TRADES_AT_FIRST:]
                data += [self._fill(each) for each in last]
        yield self._message(channel, "snapshot", data, "", now_ms)

    def _quiet(self, asked: Subscription, now_ms: int) -> Iterator[Frame]:
        """What there is to tell is told in the order of the ledger."""
        yield from ()

    def _execution(self, entry: Entry) -> dict[str, Any] | None:
        account = self._exchange.account
        match entry["what"]:
            case "order":
                return self._order(account.orders[entry["id"]]) | {"exec_type": "new"}
            case "fill":
                return self._fill(account.fills[entry["id"]])
            case "ended":
                kind = _ENDS[entry["status"]]
                said = {"exec_type": kind, "order_status": kind, "reason": entry["reason"]}
            case "amended":
                said = {"exec_type": "amended", "amend_id": entry["id"]}
            case "triggered":
                said = {"exec_type": "status"}
            case _:
                return None
        order = self._order(account.orders[entry["order"]])
        return order | said | {"timestamp": stamp(entry["at_ms"])}

    def _moved(self, entry: Entry) -> list[dict[str, Any]]:
        match entry["what"]:
            case "fill":
                return [self._balance(coin) for coin in coins(entry["symbol"])]
            case "moved":
                return [self._balance(entry["coin"])]
        return []

    def _order(self, order: Order) -> dict[str, Any]:
        decimals = self._tape.coin(order.symbol).decimals
        partly = "partially_filled" if order.filled else "new"
        return {
            "order_id": order.id,
            **({"cl_ord_id": order.client_id} if order.client_id else {}),
            "order_userref": order.userref,
            "symbol": order.symbol,
            "side": order.side,
            "order_type": order.kind,
            "order_qty": decimal(order.quantity, GRAINS),
            "cum_qty": decimal(order.filled, GRAINS),
            "cum_cost": decimal(order.cost, PARTS),
            "limit_price": decimal(order.price, decimals),
            "stop_price": decimal(order.stop_price if order.kind in STOPS else 0, decimals),
            "time_in_force": order.time,
            "order_status": partly if order.status == "open" else _ENDS[order.status],
            "fee_usd_equiv": decimal(order.worth, PARTS),
            "timestamp": stamp(order.at_ms),
        }

    def _fill(self, fill: Fill) -> dict[str, Any]:
        order = self._order(self._exchange.account.orders[fill.order])
        return order | {
            "exec_type": "trade",
            "exec_id": fill.id,
            "trade_id": fill.number,
            "last_qty": decimal(fill.quantity, GRAINS),
            "last_price": decimal(fill.price, self._tape.coin(fill.symbol).decimals),
            "liquidity_ind": "m" if fill.maker else "t",
            "cost": decimal(fill.cost, PARTS),
            "fees": [{"asset": fill.fee_coin, "qty": decimal(fill.fee, PARTS)}],
            "timestamp": stamp(fill.at_ms),
        }

    def _balance(self, coin: str) -> dict[str, Any]:
        held = decimal(self._exchange.account.balance(coin), PARTS)
        wallets = [{"type": "spot", "id": "main", "balance": held}]
        return {"asset": coin, "asset_class": "currency", "balance": held, "wallets": wallets}

    def _message(self, channel: str, kind: str, data: list[Any], symbol: str, now_ms: int) -> Frame:
        self._sequence += 1
        self._said_ms = now_ms
        body = {"channel": channel, "type": kind, "data": data, "sequence": self._sequence}
        return Frame(body, symbol, channel)
