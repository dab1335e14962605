"""Binance's user data stream, as its WebSocket API gives it to whoever signs for it.

Reports of orders and balances are told when they are written: hints, for what is told here is in
the ledger already. Nothing is said at first: who begins to listen has to ask what there was.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from tests.venue.accounts import Fill, Order, coins
from tests.venue.dialect import Frame, Subscription
from tests.venue.ledger import Entry
from tests.venue.matching import Exchange
from tests.venue.tape import GRAINS
from tests.venue.wire import digits

USER: Final = "userData"

_ENDS: Final = {"canceled": "CANCELED", "expired": "EXPIRED"}

Error = dict[str, Any]


class BinancePrivate:
    """`admit` says why somebody's signed parameters are refused; `price` writes one."""

    def __init__(
        self,
        exchange: Exchange,
        admit: Callable[[Mapping[str, Any], int], Error | None],
        price: Callable[[str, int], str],
    ) -> None:
        self.subscriptions: dict[str, Subscription] = {}
        self._exchange = exchange
        self._admit = admit
        self._price = price
        self._told = len(exchange.ledger.entries)

    def greeting(self, now_ms: int) -> Iterator[Frame]:
        yield from ()

    def heard(self, message: Any, now_ms: int) -> Iterator[Frame]:
        asked = message if isinstance(message, dict) else {}
        said = {"id": asked.get("id")}
        match asked.get("method"):
            case "ping":
                yield Frame(said | {"status": 200, "result": {}})
            case "userDataStream.subscribe.signature":
                refused = self._admit(asked.get("params") or {}, now_ms)
                if refused is None:
                    self.subscriptions.setdefault(USER, Subscription(USER, "", now_ms))
                    told: Error = {"status": 200, "result": {"subscriptionId": 0}}
                else:
                    told = {"status": 400, "error": refused}
                yield Frame(said | told)
            case "userDataStream.unsubscribe":
                self.subscriptions.clear()
                yield Frame(said | {"status": 200, "result": {}})
            case _:
                error = {"code": -1128, "msg": "Unsupported method."}
                yield Frame(said | {"status": 400, "error": error})

    def news(self, now_ms: int) -> Iterator[Frame]:
        self._exchange.advance(now_ms)
        entries = self._exchange.ledger.entries
        fresh, self._told = entries[self._told :], len(entries)
        for entry in fresh if self.subscriptions else ():
            for symbol, event in self._events(entry):
                body = {"subscriptionId": 0, "event": event | {"E": now_ms}}
                yield Frame(body, symbol, event["e"])

    def spoilt(self, frame: Frame) -> Frame:
        return frame

    def _events(self, entry: Entry) -> Iterator[tuple[str, dict[str, Any]]]:
        """A balance is of no instrument, and is data all the same."""
        account, at_ms = self._exchange.account, entry["at_ms"]
        match entry["what"]:
            case "order":
                order = account.orders[entry["id"]]
                yield order.symbol, self._report(order, "NEW", "NEW", at_ms)
                yield "", self._balances([order.held_coin], at_ms)
            case "fill":
                fill = account.fills[entry["id"]]
                yield fill.symbol, self._filled(account.orders[fill.order], fill)
                yield "", self._balances(list(coins(fill.symbol)), at_ms)
            case "ended" if entry["status"] in _ENDS:
                order, kind = account.orders[entry["order"]], _ENDS[entry["status"]]
                yield order.symbol, self._report(order, kind, kind, at_ms)
                yield "", self._balances([order.held_coin], at_ms)
            case "moved":
                amount = digits(entry["amount"] - entry["fee"], GRAINS)
                update = {"e": "balanceUpdate", "a": entry["coin"], "d": amount, "T": at_ms}
                yield "", update
                yield "", self._balances([entry["coin"]], at_ms)

    def _filled(self, order: Order, fill: Fill) -> dict[str, Any]:
        state = "PARTIALLY_FILLED" if order.left else "FILLED"
        return self._report(order, "TRADE", state, fill.at_ms) | {
            "l": digits(fill.quantity, GRAINS),
            "L": self._price(fill.symbol, fill.price),
            "n": digits(fill.fee, GRAINS),
            "N": fill.fee_coin,
            "t": fill.number,
            "m": fill.maker,
            "Y": digits(fill.cost, GRAINS),
        }

    def _report(self, order: Order, kind: str, state: str, at_ms: int) -> dict[str, Any]:
        return {
            "e": "executionReport",
            "s": order.symbol.replace("/", ""),
            "c": order.client_id or f"web_{order.id}",
            "S": order.side.upper(),
            "o": "LIMIT_MAKER" if order.post else order.kind.upper().replace("-", "_"),
            "f": order.time,
            "q": digits(order.quantity, GRAINS),
            "p": self._price(order.symbol, order.price),
            "P": self._price(order.symbol, order.trigger),
            "F": digits(0, GRAINS),
            "g": -1,
            "C": "",
            "x": kind,
            "X": state,
            "r": "NONE",
            "i": int(order.id),
            "l": digits(0, GRAINS),
            "z": digits(order.filled, GRAINS),
            "L": digits(0, GRAINS),
            "n": "0",
            "N": None,
            "T": at_ms,
            "t": -1,
            "w": not order.waits,
            "m": False,
            "O": order.at_ms,
            "Z": digits(order.cost, GRAINS),
            "Y": digits(0, GRAINS),
            "Q": digits(0, GRAINS),
        }

    def _balances(self, coins: list[str], at_ms: int) -> dict[str, Any]:
        account = self._exchange.account
        rows = [
            {
                "a": coin,
                "f": digits(account.free(coin), GRAINS),
                "l": digits(account.held(coin), GRAINS),
            }
            for coin in coins
        ]
        return {"e": "outboundAccountPosition", "u": at_ms, "B": rows}
