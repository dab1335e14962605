"""What stands in this venue's ledger was, and nothing else: it knows nothing of the house.

It counts in parts, 10⁻¹² of a coin, answers as ccxt would, and matches as it is told to.
"""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any, Final

DECIMALS: Final = 12
GRAIN: Final = 10**4  # parts: it takes orders of eight decimals
ENDS: Final = ("canceled", "expired")

Answers = dict[str, Any]


@dataclass(slots=True, eq=False)
class Placed:
    id: str
    client_id: str | None
    symbol: str
    side: str
    amount: int  # parts
    price: int  # ten-thousandths
    takes: bool
    partners: "tuple[Placed, ...]" = ()  # what fills one ends the other
    filled: int = 0
    status: str = "open"
    trigger: int = 0  # of a stop, ten-thousandths


@dataclass(slots=True)
class Exchanged:
    id: str
    order: Placed
    amount: int
    fee: int
    fee_coin: str
    at_ms: int

    @property
    def cost(self) -> int:
        return self.amount // GRAIN * self.order.price

    def moves(self) -> Counter[str]:
        """What it did to each coin."""
        base, _, quote = self.order.symbol.partition("/")
        way = 1 if self.order.side == "buy" else -1
        moves = Counter({base: way * self.amount, quote: -way * self.cost})
        moves[self.fee_coin] -= self.fee
        return moves


@dataclass(slots=True)
class Moved:
    id: str
    coin: str
    amount: int
    at_ms: int


@dataclass(slots=True)
class ModelVenue:
    dice: Random
    at_ms: int
    balances: Counter[str]
    orders: list[Placed] = field(default_factory=list)
    trades: list[Exchanged] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)
    ids: int = 0

    def place(
        self, client_id: str | None, symbol: str, side: str, grains: int, price: int, takes: bool
    ) -> Placed:
        order = Placed(self._id("O"), client_id, symbol, side, grains * GRAIN, price, takes)
        self.orders.append(order)
        return order

    def fill(self, order: Placed, grains: int, fee_coin: str) -> None:
        """Exchange so much of what is left, if everybody can pay."""
        grains = min(grains, (order.amount - order.filled) // GRAIN)
        if order.status != "open" or grains <= 0:
            return
        base = order.symbol.partition("/")[0]
        fee = grains * GRAIN // 1_000 if fee_coin == base else self.dice.randrange(10**12)
        trade = Exchanged(self._id("T"), order, grains * GRAIN, fee, fee_coin, self.at_ms)
        if any(self.balances[coin] + change < 0 for coin, change in trade.moves().items()):
            return
        self.balances.update(trade.moves())
        order.filled += trade.amount
        if order.filled == order.amount:
            order.status = "closed"
        for partner in order.partners:
            self.end(partner)
        self.trades.append(trade)

    def end(self, order: Placed) -> None:
        if order.status == "open":
            order.status = self.dice.choice(ENDS)

    def amend(self, order: Placed, grains: int, trigger: int) -> None:
        """Another amount, what is filled among it, at another trigger."""
        assert order.status == "open"
        assert grains * GRAIN > order.filled
        order.amount, order.trigger = grains * GRAIN, trigger

    def move(self, coin: str, amount: int) -> None:
        """A deposit, or a withdrawal of what is there."""
        amount = max(amount, -self.balances[coin])
        if amount:
            self.balances[coin] += amount
            self.moved.append(Moved(self._id("L"), coin, amount, self.at_ms))

    def answers(self) -> Answers:
        """All that can be asked."""
        orders = [self._order(one) for one in self.orders]
        return {
            "open": [one for one in orders if one["status"] == "open"],
            "closed": [one for one in orders if one["status"] != "open"],
            "trades": [self._trade(one) for one in self.trades],
            "moved": [self._movement(one) for one in self.moved],
            "balances": {"total": {c: shown(n) for c, n in self.balances.items() if n}},
        }

    def _order(self, one: Placed) -> Answers:
        return {
            "id": one.id,
            "clientOrderId": one.client_id,
            "symbol": one.symbol,
            "side": one.side,
            "amount": shown(one.amount),
            "price": shown(one.price * 10**8),
            "stopLossPrice": shown(one.trigger * 10**8) if one.trigger else None,
            "filled": shown(one.filled),
            "status": one.status,
        }

    def _trade(self, one: Exchanged) -> Answers:
        return {
            "id": one.id,
            "order": one.order.id,
            "symbol": one.order.symbol,
            "side": one.order.side,
            "amount": shown(one.amount),
            "price": shown(one.order.price * 10**8),
            "cost": shown(one.cost),
            "fee": {"cost": shown(one.fee), "currency": one.fee_coin},
            "timestamp": one.at_ms,
            "takerOrMaker": "taker",
        }

    def _movement(self, one: Moved) -> Answers:
        return {
            "id": one.id,
            "type": "transaction",
            "direction": "in" if one.amount > 0 else "out",
            "currency": one.coin,
            "amount": shown(abs(one.amount)),
            "status": "ok",
            "timestamp": one.at_ms,
        }

    def _id(self, letter: str) -> str:
        self.ids += 1
        self.at_ms += self.dice.choice((0, 0, 1, 1_000))
        return f"{letter}{self.ids}"


def shown(number: int) -> str:
    return f"{Decimal(number).scaleb(-DECIMALS):f}"
