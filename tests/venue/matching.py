"""An order meets the tape, and the tape does not notice: what comes of it is written, then told.

A taker meets the depth of his moment, level by level, at the level's price; a maker is filled at
his own price by the prints that go through it, up to their quantity. A stop looks at each print,
and takes once it is triggered. Time passes when somebody asks: all that has happened since is then
done in its order, at the time of the print that caused it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, NamedTuple

from tests.venue.accounts import LIMITS, STOPS, Account, Order, coins
from tests.venue.faults import Faults
from tests.venue.ledger import Entry, Ledger
from tests.venue.refusals import No, Refused
from tests.venue.tape import Level, Print, Tape

OPEN_MAX: Final = 225  # of one instrument


class Wanted(NamedTuple):
    """An order before it has a name; `client_id` may be empty."""

    client_id: str
    symbol: str
    side: str
    kind: str
    quantity: int
    price: int = 0
    trigger: int = 0
    time: str = "GTC"
    expires_ms: int = 0
    post: bool = False
    fee_in_base: bool = False
    userref: int = 0
    by: str = "hand"


class Rules(NamedTuple):
    """What a venue asks of all orders, and how it counts."""

    quantity_min: Callable[[str], int]  # grains
    notional_min: int  # parts
    cost_step: int  # parts: costs and fees are cut to it
    fees_ppm: tuple[int, int]  # taker, maker
    name: Callable[[str, int], str]  # of the n-th O(rder), T(rade), M(ovement), A(mendment)
    unfilled: str  # how what is immediate ends, where some is left
    stops_may_be_late: bool  # and are triggered at once; else they are refused


class Exchange:
    def __init__(self, tape: Tape, rules: Rules, ledger: Ledger, faults: Faults) -> None:
        self.tape = tape
        self.rules = rules
        self.ledger = ledger
        self.faults = faults
        self.account = Account(rules.fees_ppm, ledger.entries)
        # What the last print has done is written, and is not done again.
        self._at_ms = self.account.at_ms + 1
        self._pending: list[Entry] = []
        for order in self.account.open:
            seen = tape.prints(order.symbol, order.at_ms, self._at_ms)
            if order.kind == "trailing-stop":
                order.best = _best(order, [order.best, *(each.price for each in seen)])

    def then(self, at_ms: int) -> Account:
        """As it was at that time."""
        told = (entry for entry in self.ledger.entries if entry["at_ms"] <= at_ms)
        return Account(self.rules.fees_ppm, told)

    def state(self, symbol: str, at_ms: int) -> str:
        if self.faults.now("delisted", "market", at_ms, symbol):
            return "delisted"
        halted = self.faults.now("halted", "market", at_ms, symbol)
        return "cancel_only" if halted else "online"

    def check(self, wanted: Wanted, now_ms: int) -> int:
        """What it would hold; raise `Refused` where it is not taken."""
        self.advance(now_ms)
        symbol, account = wanted.symbol, self.account
        self._traded(symbol, now_ms)
        if wanted.quantity < self.rules.quantity_min(symbol):
            raise Refused(No.QUANTITY_MIN)
        if (wanted.kind in LIMITS) != (wanted.price > 0):
            raise Refused(No.PRICE)
        if (wanted.kind in STOPS) != (wanted.trigger > 0):
            raise Refused(No.PRICE)
        if wanted.time == "GTD" and wanted.expires_ms <= now_ms:
            raise Refused(No.TERMS)
        if self._cost(symbol, wanted.quantity, self._basis(wanted)) < self.rules.notional_min:
            raise Refused(No.NOTIONAL_MIN)
        if wanted.kind in STOPS and not self.rules.stops_may_be_late:
            last = self._last(symbol, now_ms)
            if wanted.kind != "trailing-stop" and _reached(wanted, wanted.trigger, last):
                raise Refused(No.LATE)
        siblings = [order for order in account.open if order.symbol == symbol]
        if wanted.client_id and wanted.client_id in {order.client_id for order in account.open}:
            raise Refused(No.DUPLICATE)
        if len(siblings) >= OPEN_MAX:
            raise Refused(No.TOO_MANY)
        if wanted.post and any(self._levels(wanted, now_ms)):
            raise Refused(No.POST_ONLY)
        hold = self._hold(wanted, wanted.quantity)
        base, quote = coins(symbol)
        if hold > account.free(quote if wanted.side == "buy" else base):
            raise Refused(No.FUNDS)
        return hold

    def place(self, wanted: Wanted, now_ms: int) -> Order:
        try:
            hold = self.check(wanted, now_ms)
        except Refused as refused:
            with self._step():
                self._book("refused", now_ms, why=refused.why.value, **wanted._asdict())
            raise
        with self._step():
            id = self.rules.name("O", len(self.account.orders) + 1)
            best = self._last(wanted.symbol, now_ms)
            self._book("order", now_ms, id=id, hold=hold, best=best, **wanted._asdict())
            order = self.account.orders[id]
            if order.waits:
                self._looked(order, best, now_ms)
            else:
                self._take(order, now_ms)
        return order

    def amend(
        self, order: Order, quantity: int, price: int, trigger: int, post: bool, now_ms: int
    ) -> str:
        """It keeps its name; what it has become may take at once."""
        self._working(order, now_ms)
        self._traded(order.symbol, now_ms)
        if quantity < self.rules.quantity_min(order.symbol):
            raise Refused(No.QUANTITY_MIN)
        if (not price and order.kind in LIMITS) or (not trigger and order.kind in STOPS):
            raise Refused(No.PRICE)
        wanted = _wanted(order)._replace(quantity=quantity, price=price, trigger=trigger)
        if (post or order.post) and any(self._levels(wanted, now_ms)):
            raise Refused(No.POST_ONLY)
        hold = self._hold(wanted, quantity - order.filled)
        if hold - order.hold > self.account.free(order.held_coin):
            raise Refused(No.FUNDS)
        changes = {"quantity": quantity, "price": price, "trigger": trigger, "hold": hold}
        id = self.rules.name("A", len(self.ledger.entries) + 1)
        if quantity <= order.filled:  # docs.kraken.com, Amend Order: what is left is cancelled
            with self._step():
                self._end(order, "canceled", "Amended below what is filled", now_ms)
            return id
        with self._step():
            self._book("amended", now_ms, id=id, order=order.id, **changes)
            if order.waits:
                self._looked(order, self._last(order.symbol, now_ms), now_ms)
            else:
                self._take(order, now_ms)
        return id

    def cancel(self, order: Order, now_ms: int, reason: str = "User requested") -> None:
        self._working(order, now_ms)
        with self._step():
            if self.faults.now("cancel_race", "trade", now_ms, order.symbol):
                touch = self.tape.touch(order.symbol, now_ms)
                market = touch.ask if order.side == "buy" else touch.bid
                self._fill(order, order.left, order.price or market, True, now_ms)
                raise Refused(No.UNKNOWN)
            self._end(order, "canceled", reason, now_ms)

    def arm(self, deadline_ms: int, now_ms: int) -> None:
        """All is cancelled then, if nobody says otherwise before; 0: never."""
        self.advance(now_ms)
        with self._step():
            self._book("armed", now_ms, deadline_ms=deadline_ms)

    def move(self, coin: str, amount: int, kind: str, now_ms: int, fee: int = 0) -> str:
        """A deposit, or what is negative: a withdrawal, if it is free."""
        self.advance(now_ms)
        if self.account.free(coin) + amount - fee < 0:
            raise Refused(No.FUNDS)
        id = self.rules.name("M", len(self.ledger.entries) + 1)
        with self._step():
            self._book("moved", now_ms, id=id, kind=kind, coin=coin, amount=amount, fee=fee)
        return id

    def charge(self, taker_ppm: int, maker_ppm: int, now_ms: int) -> None:
        """Another tier of fees, from now on."""
        self.advance(now_ms)
        with self._step():
            self._book("fees", now_ms, taker_ppm=taker_ppm, maker_ppm=maker_ppm)

    def advance(self, now_ms: int) -> None:
        """Let all happen that happens until now."""
        begin, self._at_ms = self._at_ms, max(self._at_ms, now_ms)
        with self._step():
            for _, happen in self._moments(begin, now_ms):
                happen()

    def _moments(self, begin: int, end: int) -> list[tuple[int, Callable[[], None]]]:
        """When, and what: prints, orders that expire, the dead man's switch."""
        account, found = self.account, list[tuple[int, Callable[[], None]]]()
        if begin < end:
            for symbol in dict.fromkeys(order.symbol for order in account.open):
                for each in self.tape.prints(symbol, begin, end):
                    found.append((each.at_ms, partial(self._printed, symbol, each)))
        for order in account.open:
            if order.time == "GTD" and order.expires_ms <= end:
                found.append((order.expires_ms, partial(self._expired, order)))
        if 0 < account.deadline_ms <= end:
            found.append((account.deadline_ms, partial(self._fired, account.deadline_ms)))
        return sorted(found, key=lambda moment: moment[0])

    def _printed(self, symbol: str, each: Print) -> None:
        if self.state(symbol, each.at_ms) != "online":
            return
        there = each.quantity
        for order in self.account.open:
            if order.symbol != symbol or order.at_ms > each.at_ms:
                continue
            if order.waits:
                self._looked(order, each.price, each.at_ms)
            elif _through(order, each.price):
                quantity = min(there, self._allowed(order, each.at_ms))
                there -= quantity
                self._fill(order, quantity, order.price, True, each.at_ms)

    def _expired(self, order: Order) -> None:
        if order.status == "open":
            self._end(order, "expired", "Order expired", order.expires_ms)

    def _fired(self, at_ms: int) -> None:
        for order in self.account.open:
            self._end(order, "canceled", "Cancel all orders after", at_ms)
        self._book("armed", at_ms, deadline_ms=0)

    def _looked(self, order: Order, price: int, at_ms: int) -> None:
        """A stop has seen a price."""
        order.best = _best(order, [order.best, price])
        if _reached(order, order.stop_price, price):
            self._book("triggered", at_ms, order=order.id)
            self._take(order, at_ms)

    def _take(self, order: Order, at_ms: int) -> None:
        levels = list(self._levels(_wanted(order), at_ms))
        whole = sum(level.quantity for level in levels) >= order.left
        for level in levels if whole or order.time != "FOK" else ():
            quantity = min(level.quantity, self._allowed(order, at_ms))
            self._fill(order, quantity, level.price, False, at_ms)
        immediate = order.time in ("IOC", "FOK") or order.kind not in LIMITS
        if order.status == "open" and immediate:
            self._end(order, self.rules.unfilled, "Immediate or cancel", at_ms)

    def _levels(self, wanted: Wanted, at_ms: int) -> Iterator[Level]:
        """What it would meet at this moment, within its limit."""
        depth = self.tape.depth(wanted.symbol, at_ms)
        for level in depth.asks if wanted.side == "buy" else depth.bids:
            beyond = level.price - wanted.price
            if wanted.price and (beyond > 0 if wanted.side == "buy" else beyond < 0):
                return
            yield level

    def _allowed(self, order: Order, at_ms: int) -> int:
        """How much of it may still be filled."""
        partly = self.faults.now("partial", "trade", at_ms, order.symbol)
        most = order.quantity * partly.size // 100 if partly else order.quantity
        return max(most - order.filled, 0)

    def _fill(self, order: Order, quantity: int, price: int, maker: bool, at_ms: int) -> None:
        if quantity <= 0 or order.status != "open":
            return
        account = self.account
        cost = self._cost(order.symbol, quantity, price)
        ppm = account.maker_ppm if maker else account.taker_ppm
        worth = self._fee(cost, ppm)
        fee = quantity * ppm // 10**6 if order.fee_in_base else worth
        base, quote = coins(order.symbol)
        spent = cost + (0 if order.fee_in_base else fee)
        if order.side == "buy" and spent > account.free(quote) + order.hold:
            self._end(order, "canceled", "Insufficient funds", at_ms)
            return
        number = len(account.fills) + 1
        self._book(
            "fill",
            at_ms,
            id=self.rules.name("T", number),
            order=order.id,
            symbol=order.symbol,
            side=order.side,
            kind=order.kind,
            quantity=quantity,
            price=price,
            cost=cost,
            fee=fee,
            fee_coin=base if order.fee_in_base else quote,
            worth=worth,
            maker=maker,
            number=number,
            hold=self._hold(_wanted(order), order.left - quantity),
        )
        if not order.left:
            self._end(order, "closed", "", at_ms)

    def _end(self, order: Order, status: str, reason: str, at_ms: int) -> None:
        self._book("ended", at_ms, order=order.id, status=status, reason=reason)

    def _traded(self, symbol: str, at_ms: int) -> None:
        state = "delisted" if symbol not in self.tape.coins else self.state(symbol, at_ms)
        if state != "online":
            raise Refused(No.SYMBOL if state == "delisted" else No.CANCEL_ONLY)

    def _working(self, order: Order, now_ms: int) -> None:
        self.advance(now_ms)
        if order.status != "open":
            raise Refused(No.UNKNOWN)

    def _hold(self, wanted: Wanted, quantity: int) -> int:
        """At the worst it may meet, and as a taker."""
        if wanted.side == "sell":
            fee = quantity * self.account.taker_ppm // 10**6 if wanted.fee_in_base else 0
            return quantity + fee
        cost = self._cost(wanted.symbol, quantity, self._basis(wanted))
        return cost + (0 if wanted.fee_in_base else self._fee(cost, self.account.taker_ppm))

    def _basis(self, wanted: Wanted) -> int:
        """The price at which it counts."""
        if wanted.kind == "trailing-stop":
            way = 1 if wanted.side == "buy" else -1
            return self._last(wanted.symbol, self._at_ms) + way * wanted.trigger
        if wanted.price or wanted.trigger:
            return wanted.price or wanted.trigger
        price, left = 0, wanted.quantity
        for level in self._levels(wanted, self._at_ms):
            price, left = level.price, left - level.quantity
            if left <= 0:
                break
        return price

    def _cost(self, symbol: str, quantity: int, price: int) -> int:
        cost = quantity * price // int(10 ** self.tape.coin(symbol).decimals)
        return cost - cost % self.rules.cost_step

    def _fee(self, cost: int, ppm: int) -> int:
        fee = cost * ppm // 10**6
        return fee - fee % self.rules.cost_step

    def _last(self, symbol: str, at_ms: int) -> int:
        found = self.tape.last_prints(symbol, 1, at_ms)
        return found[0].price if found else self.tape.touch(symbol, at_ms).bid

    def _book(self, what: str, at_ms: int, **said: Any) -> None:
        entry = {"what": what, "at_ms": at_ms, **said}
        self.account.apply(entry)
        self._pending.append(entry)

    @contextmanager
    def _step(self) -> Iterator[None]:
        """All that is booked in it is on the disk at its end."""
        try:
            yield
        finally:
            pending, self._pending = self._pending, []
            self.ledger.write(pending)


def _wanted(order: Order) -> Wanted:
    return Wanted(*(getattr(order, name) for name in Wanted._fields))


def _best(order: Order, prices: list[int]) -> int:
    return max(prices) if order.side == "sell" else min(prices)


def _reached(order: Order | Wanted, trigger: int, price: int) -> bool:
    below = (order.side == "sell") != order.kind.startswith("take-profit")
    return price <= trigger if below else price >= trigger


def _through(order: Order, price: int) -> bool:
    return price < order.price if order.side == "buy" else price > order.price
