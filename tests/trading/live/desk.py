"""A venue of one account answers as told, or not at all: it keeps its own books, to the cent.

It stands where `Wire` stands, and speaks as ccxt would have unified it; ccxt itself is met by
`test_wire` and by the loopback. What takes is filled at the price that is there; what rests waits
until somebody fills it. Whatever leaves is looked at by `watch` before anything becomes of it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from itertools import count
from typing import Any, Final, TypeVar

from rrr.core.orders import Rejection
from rrr.trading.live.outcomes import Kind, Outcome
from rrr.trading.live.spelling import Request, Verb
from rrr.trading.live.wire import Row, Wire

T = TypeVar("T")

RATE: Final = Decimal("0.001")  # of every fill
NO_ANSWER: Final = Outcome(Kind.UNKNOWN, words="create_order: RequestTimeout")
SILENCE: Final = Outcome(Kind.UNKNOWN, words="RequestTimeout")
GONE: Final = Outcome(Kind.REJECTED, Rejection.UNKNOWN_ORDER, "cancel_order: OrderNotFound")


class Fate(Enum):
    LANDS = "it is there, and we hear so"
    UNHEARD = "it is there, and nobody answers"
    LOST = "it never arrives, and nobody answers"
    LATE = "nobody answers, and it arrives once `arrive` is called"


@dataclass(slots=True)
class Placed:
    id: str
    client_id: str
    pair: str
    side: str
    amount: Decimal
    price: Decimal
    trigger: Decimal | None
    filled: Decimal = Decimal(0)
    status: str = "open"

    @property
    def row(self) -> Row:
        said = {name: getattr(self, name) for name in ("id", "side", "amount", "price", "status")}
        said |= {"clientOrderId": self.client_id, "symbol": self.pair, "info": {}}
        trigger = None if self.trigger is None else str(self.trigger)
        return said | {"filled": str(self.filled), "stopLossPrice": trigger}


class Desk(Wire):
    """`down`: questions that nobody answers; `held`: calls that hang until their event is set, and
    are answered with what was so when they came."""

    def __init__(self, clock: Callable[[], int], pairs: Sequence[str], cash: str, price: str):
        self.venue, self.pairs = "kraken", tuple(pairs)
        self.clock, self.exits = clock, nullcontext
        self.price = Decimal(price)
        self.balance: dict[str, Decimal] = {"USD": Decimal(cash)}
        self.placed: list[Placed] = []
        self.exchanged: list[Row] = []
        self.moves: list[Row] = []
        self.fates: deque[Fate | Outcome] = deque()
        self.depth: Decimal | None = None  # what is there to be taken at once
        self.down: set[str] = set()
        self.held: dict[str, asyncio.Event] = {}
        self.hidden: set[str] = set()  # client ids that no list shows
        self.calls: list[str] = []
        self.sent: list[Request] = []
        self.cancels: list[Request] = []
        self.late: list[Request] = []
        self.watch: Callable[[Request], None] = lambda request: None
        self._numbers = count(1)

    async def send(self, request: Request) -> Outcome:
        self.watch(request)
        self.sent.append(request)
        await self._meet("send")
        fate = self.fates.popleft() if self.fates else Fate.LANDS
        if isinstance(fate, Outcome):
            return fate
        if fate is Fate.LATE:
            self.late.append(request)
        if fate in (Fate.LOST, Fate.LATE):
            return NO_ANSWER
        if request.verb is Verb.AMEND and not self._change(request):
            return GONE
        if request.verb is Verb.AMEND:
            return NO_ANSWER if fate is Fate.UNHEARD else Outcome(Kind.CONFIRMED)
        one = self._place(request)
        return NO_ANSWER if fate is Fate.UNHEARD else Outcome(Kind.CONFIRMED, venue_id=one.id)

    async def cancel(self, request: Request) -> Outcome:
        self.cancels.append(request)
        await self._meet("cancel")
        (name, _), ours = request.arguments, request.params.get("clientOrderId")
        for one in self.placed:
            if (one.id == name or one.client_id == ours) and one.status == "open":
                one.status = "canceled"
                return Outcome(Kind.CONFIRMED)
        return GONE

    async def look_up(
        self, pair: str, kind: int, client_id: str, since_ms: int
    ) -> list[Row] | Outcome:
        return await self._rows("look_up", lambda one: one.client_id == client_id)

    async def find(self, pair: str, kind: int, venue_id: str) -> list[Row] | Outcome:
        return await self._rows("find", lambda one: one.id == venue_id)

    async def open_orders(self) -> list[Row] | Outcome:
        return await self._rows("open_orders", lambda one: one.status == "open")

    async def closed_orders(self, since_ms: int) -> list[Row] | Outcome:
        return await self._rows("closed_orders", lambda one: one.status != "open")

    async def trades(self, since_ms: int) -> list[Row] | Outcome:
        return await self._answer("trades", list(self.exchanged))

    async def balances(self) -> Row | Outcome:
        total = {coin: str(held) for coin, held in self.balance.items()}
        return await self._answer("balances", {"total": total})

    async def ledger(self, codes: Sequence[str], since_ms: int) -> list[Row] | Outcome:
        return await self._answer("ledger", list(self.moves))

    async def fees(self) -> dict[str, tuple[int, int]] | Outcome:
        rate = int(RATE * 10**6)
        return await self._answer("fees", dict.fromkeys(self.pairs, (rate, rate)))

    def fill(self, one: Placed, amount: Decimal, price: Decimal | None = None) -> None:
        """Exchange so much, at this price or the one that is there."""
        at, (base, _, quote) = price or self.price, one.pair.partition("/")
        cost, sign = amount * at, 1 if one.side == "buy" else -1
        self._pay(base, sign * amount)
        self._pay(quote, -sign * cost - cost * RATE)
        one.filled += amount
        one.status = "closed" if one.filled == one.amount else one.status
        fee = {"cost": str(cost * RATE), "currency": quote}
        self.exchanged.append(
            {"id": f"T{next(self._numbers)}", "order": one.id, "symbol": one.pair}
            | {"side": one.side, "amount": str(amount), "price": str(at), "cost": str(cost)}
            | {"fee": fee, "timestamp": self.clock(), "takerOrMaker": "taker"}
        )

    def stranger(self, side: str, amount: str, pair: str = "BTC/USD") -> Placed:
        """An order by the owner's own hand."""
        number = next(self._numbers)
        one = Placed(f"S{number}", "", pair, side, Decimal(amount), self.price, None)
        self.placed.append(one)
        return one

    def move(self, kind: str, amount: str, coin: str = "USD") -> None:
        """A deposit, or a withdrawal of what is less than nothing."""
        self._pay(coin, Decimal(amount))
        said = {"id": f"L{next(self._numbers)}", "type": kind, "currency": coin, "amount": amount}
        self.moves.append(said | {"timestamp": self.clock(), "status": "ok"})

    def arrive(self) -> None:
        """What was on its way so long is there."""
        for request in self.late:
            if request.verb is Verb.AMEND:
                self._change(request)
            else:
                self._place(request)
        self.late.clear()

    @property
    def resting(self) -> list[Placed]:
        return [one for one in self.placed if one.status == "open"]

    def _place(self, request: Request) -> Placed:
        pair, _, side, amount, price = request.arguments
        trigger: str | None = request.params.get("stopLossPrice")
        named = request.params["clientOrderId"]
        assert all(one.client_id != named for one in self.placed), "A second order of one name."
        one = Placed(
            f"O{next(self._numbers)}",
            named,
            pair,
            side,
            Decimal(amount),
            Decimal(trigger or price),
            Decimal(trigger) if trigger else None,
        )
        self.placed.append(one)
        if request.params.get("timeInForce") == "IOC":
            there = one.amount if self.depth is None else min(self.depth, one.amount)
            if there:
                self.fill(one, there)
            one.status = "closed" if one.filled == one.amount else "canceled"
        return one

    def _change(self, request: Request) -> bool:
        """Whether it was there, to be given these figures."""
        name, _, _, _, amount, _ = request.arguments
        for one in self.resting:
            if one.id == name and one.filled >= Decimal(amount):
                one.status = "canceled"  # Kraken says yes, and ends what is left
                return True
            if one.id == name:
                one.amount = Decimal(amount)
                one.price = one.trigger = Decimal(request.params["stopLossPrice"])
                return True
        return False

    async def _rows(self, name: str, among: Callable[[Placed], bool]) -> list[Row] | Outcome:
        there = [one for one in self.placed if one.client_id not in self.hidden and among(one)]
        return await self._answer(name, [one.row for one in there])

    async def _answer(self, name: str, answer: T) -> T | Outcome:
        """As it was when the question came, whenever the answer does."""
        await self._meet(name)
        return SILENCE if name in self.down else answer

    async def _meet(self, name: str) -> None:
        self.calls.append(name)
        if name in self.held:
            await self.held[name].wait()

    def _pay(self, coin: str, amount: Decimal) -> None:
        self.balance[coin] = self.balance.get(coin, Decimal(0)) + amount
        assert self.balance[coin] >= 0, "A venue gives no credit."


def sides(desk: Desk) -> list[Any]:
    """What was sent, in a word each: buy, sell, stop, or amend."""
    return [
        "amend"
        if r.verb is Verb.AMEND
        else "stop"
        if "stopLossPrice" in r.params
        else r.arguments[2]
        for r in desk.sent
    ]
