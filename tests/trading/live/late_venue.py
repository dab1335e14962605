"""A venue keeps its own books, and says what happened in its own time: late, twice, in any order.

It trusts nobody and shares no line with the house's paper venue: it counts what it holds, what its
orders promise and what it paid, in plain integers of its own. Each word that it has to say lies in
`words` until somebody takes it from there. An order that takes is over when it arrives. A stop is
changed where it rests, or stays as it was and says so; what no coins cover is refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from rrr.core.market import Instrument
from rrr.core.orders import (
    NO_REPORT,
    Amend,
    Cancel,
    Kind,
    Order,
    Rejection,
    Report,
    Side,
    Status,
    TimeInForce,
)

TAKES = (Kind.TAKE, Kind.MARKET)
STOPS = (Kind.STOP, Kind.STOP_LIMIT, Kind.TRAILING)
PPM = 1_000_000
WHIMS = (Rejection.TERMS, Rejection.CAPACITY, Rejection.PRICE_GRID, Rejection.INSUFFICIENT)


@dataclass(slots=True, eq=False)
class Placed:
    order: Order  # as it arrived, or was changed since
    before: Order  # as it was before the last change
    filled: int = 0
    fills: int = 0
    triggered: bool = False
    over: bool = False

    @property
    def rest(self) -> int:
        return self.order.quantity - self.filled


@dataclass(slots=True)
class LateVenue:
    listed: tuple[Instrument, ...]
    prices: list[int]
    cash: int
    coins: list[int]
    placed: dict[int, Placed] = field(default_factory=dict)
    words: list[Report] = field(default_factory=list)  # not told yet
    uncovered: set[int] = field(default_factory=set)  # sales that asked for coins of others

    def receive(self, wanted: Order | Cancel | Amend, dice: Random, moody: bool) -> None:
        """Place an order or refuse it; change or end one, or say that it is not there."""
        if isinstance(wanted, Cancel):
            self._cancel(wanted, moody and dice.random() < 0.1)
            return
        if isinstance(wanted, Amend):
            self._amend(wanted, dice, moody)
            return
        assert wanted.sequence not in self.placed, "No order is sent twice."
        one = self.placed[wanted.sequence] = Placed(wanted, wanted)
        why = self._refusal(one)
        if not why and moody and dice.random() < 0.06:
            why = dice.choice(WHIMS)
        if why:
            one.over = True
            self._say(one, Status.REJECTED, rejection=int(why))
            return
        self._say(one, Status.ACCEPTED)
        if wanted.kind in TAKES:
            self._take(one, dice, moody)

    def open(self, instrument: int) -> Iterator[Placed]:
        for one in self.placed.values():
            if not one.over and one.order.instrument == instrument:
                yield one

    def expire(self, at_ms: int) -> None:
        """End what has had its time."""
        for one in list(self.placed.values()):
            gtd = one.order.time_in_force == TimeInForce.GTD
            if gtd and not one.over and one.order.expires_ms <= at_ms:
                self._end(one, Rejection.EXPIRED)

    def happen(self, one: Placed, dice: Random, moody: bool) -> None:
        """The market does something to an order that rests."""
        if one.order.kind in STOPS and not one.triggered:
            one.triggered = True
            if moody and dice.random() < 0.5:
                self._say(one, Status.TRIGGERED)
                return
        parts = dice.choice((1, 1, 2, 3)) if moody else 1
        for _ in range(parts):
            self.fill(one, one.rest if not moody or dice.random() < 0.5 else one.rest // 2, dice)

    def fill(self, one: Placed, quantity: int, dice: Random) -> None:
        """Exchange so many grains, in whole lots, if they can be paid and are there."""
        order, of = one.order, self.listed[one.order.instrument]
        quantity -= quantity % of.lot
        if one.over or quantity <= 0:
            return
        price = self._price(order, dice)
        money = quantity * price // of.scale
        if order.side == Side.BUY:
            money = -(-quantity * price // of.scale)
        maker = int(order.kind == Kind.LIMIT)
        rate = of.fee_maker_ppm if maker else of.fee_taker_ppm
        fee, fee_grains = -(-money * rate // PPM), 0
        if of.fee_in_base and order.side == Side.BUY:
            fee, fee_grains = 0, -(-quantity * rate // PPM)
        cash = self.cash - order.side * money - fee
        coins = self.coins[of.id] + order.side * quantity - fee_grains
        if cash < 0 or coins < 0:
            return
        self.cash, self.coins[of.id] = cash, coins
        one.filled += quantity
        one.fills += 1
        figures = {"quantity": quantity, "price": price, "notional": money, "fee": fee}
        figures |= {"fee_grains": fee_grains, "fill": one.fills, "maker": maker}
        self._say(one, Status.FILLED, **figures)
        one.over = one.rest == 0
        for other in list(self.open(of.id)):
            if other is not one and linked(one.order, other.order):
                self._end(other, Rejection.PARTNER)

    def untold(self, instrument: int, side: Side) -> int:
        """Grains of fills that nobody was told of yet."""
        fills = (word for word in self.words if word.status == Status.FILLED)
        mine = (word for word in fills if (word.instrument, word.side) == (instrument, side))
        return sum(word.quantity for word in mine)

    def promised(self, instrument: int, but: Order) -> int:
        """Grains that other sales hold; the two legs of an OCO are one sale."""
        sales = [one for one in self.open(instrument) if one.order.side == Side.SELL]
        others = [one for one in sales if one.order.sequence != but.sequence]
        return sum(one.rest for one in others if not linked(one.order, but))

    def _take(self, one: Placed, dice: Random, moody: bool) -> None:
        """Take what is there, and be over."""
        if one.order.time_in_force == TimeInForce.FOK:
            if not moody or dice.random() < 0.7:
                self.fill(one, one.order.quantity, dice)
        elif not moody:
            self.fill(one, one.rest, dice)
        else:
            for share in dice.choice(((), (1,), (1,), (2, 1), (2, 2), (3, 3, 2), (2, 3, 1))):
                self.fill(one, one.rest // share, dice)
        if not one.over:
            self._end(one, Rejection.COLLAR if not one.filled else Rejection.LIQUIDITY)

    def _cancel(self, wanted: Cancel, refused: bool) -> None:
        one = self.placed.get(wanted.sequence)
        if one is not None and not one.over and not refused:
            self._end(one, Rejection.NONE)
            return
        self._not_there(wanted)

    def _amend(self, wanted: Amend, dice: Random, moody: bool) -> None:
        one = self.placed.get(wanted.sequence)
        if one is None or one.over or (moody and dice.random() < 0.05):
            self._not_there(wanted)
            return
        why = self._unchangeable(one, wanted)
        if not why and moody and dice.random() < 0.15:
            why = dice.choice(WHIMS)
        if not why:
            limit = one.order.limit and one.order.limit + wanted.price - one.order.price
            one.before = one.order
            one.order = one.order._replace(
                quantity=wanted.quantity, price=wanted.price, limit=limit
            )
        figures = {"quantity": one.order.quantity, "price": one.order.price}
        self._say(one, Status.AMENDED, rejection=int(why), **figures)

    def _unchangeable(self, one: Placed, wanted: Amend) -> int:
        of = self.listed[one.order.instrument]
        if one.triggered:
            return Rejection.TERMS
        if wanted.quantity <= one.filled:
            return Rejection.QUANTITY_GRID
        if wanted.quantity - one.filled > self.coins[of.id] - self.promised(of.id, one.order):
            self.uncovered.add(wanted.sequence)
            return Rejection.INSUFFICIENT
        return Rejection.NONE

    def _not_there(self, wanted: Cancel | Amend) -> None:
        said = NO_REPORT._replace(instrument=wanted.instrument, sequence=wanted.sequence)
        late = {"status": int(Status.REJECTED), "rejection": int(Rejection.UNKNOWN_ORDER)}
        self.words.append(said._replace(**late))

    def _end(self, one: Placed, why: Rejection) -> None:
        one.over = True
        self._say(one, Status.CANCELLED, rejection=int(why))

    def _refusal(self, one: Placed) -> int:
        order, of = one.order, self.listed[one.order.instrument]
        if order.side == Side.BUY:
            price = order.price
            needs = -(-order.quantity * price // of.scale)
            needs += -(-needs * max(of.fee_maker_ppm, of.fee_taker_ppm) // PPM)
            buys = [o for i in range(len(self.listed)) for o in self.open(i) if o is not one]
            for other in (o for o in buys if o.order.side == Side.BUY):
                listed = self.listed[other.order.instrument]
                needs += -(-other.rest * other.order.price // listed.scale)
            return Rejection.INSUFFICIENT if needs > self.cash else Rejection.NONE
        if order.quantity <= self.coins[of.id] - self.promised(of.id, order):
            return Rejection.NONE
        self.uncovered.add(order.sequence)
        return Rejection.INSUFFICIENT

    def _price(self, order: Order, dice: Random) -> int:
        """Where it is filled: never worse than it asks for."""
        of, here = self.listed[order.instrument], self.prices[order.instrument]
        price = here * dice.randint(9_980, 10_020) // 10_000
        if order.kind == Kind.LIMIT:
            price = order.price
        elif order.kind == Kind.STOP_LIMIT:
            price = max(price, order.limit)
        elif order.kind not in STOPS:
            price = min(price, order.price) if order.side == Side.BUY else max(price, order.price)
        return max(price - price % of.tick, of.tick)

    def _say(self, one: Placed, status: Status, **figures: int) -> None:
        order = one.order
        said = NO_REPORT._replace(instrument=order.instrument, sequence=order.sequence)
        said = said._replace(status=int(status), side=order.side)
        self.words.append(said._replace(**figures))


def linked(one: Order, other: Order) -> bool:
    """Whether they are the two legs of an OCO."""
    return one.sequence == other.partner or other.sequence == one.partner
