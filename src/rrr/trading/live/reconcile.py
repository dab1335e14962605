"""Book and venue agree after one pass, or the instrument that does not is named with both figures.

Ours are known by their ids and by nothing else. Own trades are the truth: each is booked once; an
order's end is believed once all of its trades are known. That a query did not answer, or answered
in part, proves nothing: no order is gone by it, no position flat. What is not ours is noted and set
aside, and freezes the instrument that it touches until a person releases it; money that comes or
goes is a flow. The state is folded through the kernel's own `step`, so that what is compared with
the venue's balances is what the engine will hold. Whoever writes what is settled and looks again
finds nothing to settle.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rrr.core.events import Flow
from rrr.core.kernel import step
from rrr.core.ledger import QUOTE
from rrr.core.market import fits
from rrr.core.orders import NO_REPORT, Order, Rejection, Report, Side, Stage, Status
from rrr.core.state import State
from rrr.database.live import Foreign, Known, Outside, Progress, Tied, Traded
from rrr.trading.live.amending import shown
from rrr.trading.live.claims import (
    ELSEWHERE,
    Claims,
    Leg,
    Movement,
    OrderClaim,
    Standing,
    TradeClaim,
)
from rrr.trading.live.seen import (
    OPEN,
    OVER,
    Frozen,
    Seen,
    Settled,
    Why,
    is_take,
    money,
    terms,
    unanswered,
    working,
    written,
)

Moved = tuple[Movement, Outside, Sequence[Leg]]


def reconciled(book: Seen, venue: Claims) -> Settled:
    """One pass: fills, ends of orders, what came from elsewhere; then the balances."""
    desk = Desk(book, venue)
    desk.hear_amendments()
    theirs = desk.take_trades()
    desk.hear_orders()
    desk.note_orders()
    desk.note_moves(theirs)
    desk.compare_balances()
    return desk.settled()


@dataclass(slots=True)
class Desk:
    """Where the pass is made: the state and the orders as they become, the lists as they grow."""

    book: Seen
    venue: Claims
    state: State = field(init=False)
    known: dict[int, Known] = field(init=False)
    names: dict[tuple[int, str], int] = field(init=False)  # of orders, at the venue
    said: dict[int, OrderClaim] = field(default_factory=dict)
    aside: Counter[int] = field(init=False)
    noted: set[tuple[int, str]] = field(init=False)
    doubted: set[int] = field(default_factory=set)  # orders that a waiting trade may belong to
    reports: list[Report] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)
    trades: list[Traded] = field(default_factory=list)
    foreign: list[Foreign] = field(default_factory=list)
    frozen: list[Frozen] = field(default_factory=list)
    unknown: list[int] = field(default_factory=list)
    recall: list[int] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    tied: list[Tied] = field(default_factory=list)

    def __post_init__(self) -> None:
        notes = self.book.notes
        self.state = self.book.state
        self.known = {one.sequence: one for one in notes.orders}
        self.names = {(o.instrument, o.venue_id): o.sequence for o in notes.orders if o.venue_id}
        self.aside = Counter(dict(enumerate(notes.aside)))
        self.noted = set(notes.foreign)
        for claim in self._claims():
            if sequence := self._owner(claim):
                # An end is final, whatever an older list says.
                last = self.said.get(sequence, claim)
                best = max(last, claim, key=lambda one: (one.standing, one.filled))
                self.said[sequence] = best
                self.known[sequence] = self.known[sequence]._replace(venue_id=best.venue_id)
                self.names[claim.instrument, claim.venue_id] = sequence

    @property
    def told_at_ms(self) -> int:
        """The book's clock never goes back."""
        last_ms = self.reports[-1].at_ms if self.reports else 0
        return max(self.book.at_ms or self.venue.at_ms, last_ms)

    def hear_amendments(self) -> None:
        """What a stop has become is known before it fills."""
        for sequence, claim in sorted(self.said.items()):
            known, wished = self.known[sequence], self.book.amends.get(sequence)
            stop = self._working(sequence)
            if figures := shown(stop, claim, wished, known.filled):
                self._tell(known, Status.AMENDED, **figures)
                self.known[sequence] = known._replace(quantity=figures["quantity"])
            elif stop is None and known.side == Side.SELL and claim.quantity > known.quantity:
                # It ended in the book before its last word was heard: the rest may still fill.
                self.known[sequence] = known._replace(quantity=claim.quantity)

    def take_trades(self) -> list[TradeClaim]:
        """Book ours, the earliest first; return those of others."""
        ours, theirs, met, booked = [], [], set[str](), self.book.notes.trades
        others = {(o.instrument, o.venue_id) for o in self._claims() if not self._owner(o)}
        nameless = [order for order in self.known.values() if not order.venue_id]
        for trade in sorted(self.venue.trades.items, key=lambda t: (t.at_ms, -t.side, t.trade_id)):
            if trade.trade_id in met or trade.trade_id in booked:
                continue
            met.add(trade.trade_id)
            order = (trade.instrument, trade.venue_id)
            sequence = trade.sequence if trade.sequence in self.known else self.names.get(order, 0)
            if sequence:
                ours.append((sequence, trade))
            elif order not in others and (maybe := [o for o in nameless if unanswered(o, trade)]):
                # An order whose answer was lost may have traded before anybody knew its name.
                self.doubted.update(one.sequence for one in maybe)
                self.waiting.append(f"{trade.words} may be a fill of order {maybe[0].sequence}")
            else:
                theirs.append(trade)
        self._book_all(ours)
        return theirs

    def hear_orders(self) -> None:
        for sequence, order in sorted(self.known.items()):
            claim = self.said.get(sequence)
            if order.filled == order.quantity:
                self._end(order, Standing.FILLED)
            elif claim is not None:
                self._hear(order, claim)
            elif order.progress not in OVER:
                self._miss(order)

    def note_orders(self) -> None:
        """Orders of somebody else: open, they hold coins or cash; ended, their trades say all."""
        for order in sorted(self._claims()):
            i, id = order.instrument, f"{order.instrument} {order.venue_id}"
            if self._owner(order) or order.standing not in OPEN or i == ELSEWHERE:
                continue
            self._freeze(i, Why.FOREIGN, f"somebody else's order: {order.words}")
            if self._unmet(Outside.ORDER, id):
                self.noted.add((Outside.ORDER, id))
                at_ms = self.venue.at_ms
                row = Foreign(Outside.ORDER, id, QUOTE, i, 0, 0, at_ms, order.words)
                self.foreign.append(row)

    def note_moves(self, trades: Iterable[TradeClaim]) -> None:
        """What others moved. What comes goes before what leaves, lest money be short."""
        found: list[Moved] = [
            (m, Outside.MOVEMENT, (Leg(m.currency, m.amount),)) for m in self.venue.moved.items
        ]
        found += [
            (Movement(t.at_ms, t.trade_id, QUOTE, money(t.legs), t.words), Outside.TRADE, t.legs)
            for t in trades
        ]
        found.sort(key=lambda one: (money(one[2]) < 0, one[0].at_ms, one[0].id))
        found = [one for one in found if one[0].at_ms >= self.book.since_ms and one[2]]
        short = [one for one in found if self._unmet(one[1], one[0].id) and not self._moved(*one)]
        for movement, _, legs in short:  # the figures are those that all the others left
            account = self.state.account
            self.waiting.append(f"{movement.words} is more than the book's free cash")
            for i in range(len(self.state.lanes)):
                free, flow = account.cash - account.held, self._flow(legs)
                self._freeze(i, Why.TAKEN, movement.words, QUOTE, free, -flow)

    def compare_balances(self) -> None:
        """What the account holds is the book's and what is aside, to the quantum and the grain.

        Rounding was always against us: the venue may have a little more, and never less.
        """
        mine = (self.state.account.cash, *(lane.quantity for lane in self.state.lanes))
        legs = sum(one.kind != Outside.ORDER for one in self.foreign)
        slack = self.book.notes.slack + sum(one.rounded for one in self.trades) + legs
        theirs = dict(self.venue.balances.items) if self.venue.balances.whole else {}
        for currency, ours in enumerate(mine):
            aside = self.aside[currency]
            for i in [currency - 1] if currency else range(len(self.state.lanes)):
                if aside < 0:
                    words = "what was the book's was taken"
                    self._freeze(i, Why.TAKEN, words, currency, ours, ours + aside)
                if currency in theirs and not 0 <= theirs[currency] - ours - aside <= slack:
                    words = "the venue's balance is another"
                    self._freeze(i, Why.BALANCE, words, currency, ours + aside, theirs[currency])
            if currency in theirs:
                self.tied.append(Tied(currency, ours, aside, theirs[currency], slack))

    def settled(self) -> Settled:
        touched = self.book.notes.touched | {one.instrument for one in self.foreign}
        for i in sorted(touched - {ELSEWHERE}):
            self._freeze(i, Why.FOREIGN, "something came here that is not ours")
        old = {one.sequence: one for one in self.book.notes.orders}
        answers = (self.venue.open, self.venue.closed, self.venue.trades, self.venue.moved)
        whole = all(answer.whole for answer in answers) and self.venue.balances.whole
        return Settled(
            reports=tuple(self.reports),
            flows=tuple(self.flows),
            trades=tuple(self.trades),
            orders=tuple(one for s, one in sorted(self.known.items()) if old[s] != one),
            foreign=tuple(self.foreign),
            frozen=tuple(sorted({*self.frozen})),
            unknown=tuple(self.unknown),
            recall=tuple(self.recall),
            waiting=tuple(sorted({*self.waiting})),
            tied=tuple(self.tied),
            whole=whole and not self.waiting,
        )

    def _book_all(self, ours: list[tuple[int, TradeClaim]]) -> None:
        """A venue's clock may turn two trades around: what cannot be booked first is tried last."""
        while ours:
            left = [(s, trade) for s, trade in ours if not self._book(self.known[s], trade)]
            if len(left) == len(ours):
                break
            ours = left
        for sequence, trade in ours:
            i, words = self.known[sequence].instrument, f"{trade.words} of order {sequence}"
            self.waiting.append(f"{words} does not fit the books")
            self.doubted.add(sequence)
            if self.venue.trades.whole:
                held = self.state.lanes[i].quantity
                self._freeze(i, Why.IMPOSSIBLE, words, 1 + i, held, trade.quantity)

    def _book(self, order: Known, trade: TradeClaim) -> bool:
        """Book one fill, numbered by its place among those of its order that we heard of."""
        i, side, fill = order.instrument, order.side, order.fills + 1
        account, lane = self.state.account, self.state.lanes[i]
        if (trade.instrument, trade.side) != (i, side):
            return False
        wished = self.book.amends.get(order.sequence)
        grows = wished is not None and wished.quantity > order.quantity
        if order.filled + trade.quantity > order.quantity - grows:
            return False
        if not self._unmet(Outside.TRADE, trade.trade_id):  # it was somebody else's before
            return False
        if not fits(self.state.instruments[i], trade.price, trade.quantity):
            return False
        if account.cash < side * trade.notional + trade.fee:
            return False
        if lane.quantity + side * trade.quantity < trade.fee_grains:
            return False
        self._tell(order, Status.FILLED, **terms(trade), fill=fill, maker=trade.maker)
        self.trades.append(Traded._make(written(trade, order.sequence, fill)))
        filled = order.filled + trade.quantity
        self.known[order.sequence] = order._replace(filled=filled, fills=fill)
        for leg in trade.extra:
            self._note(Outside.TRADE, trade.trade_id, leg, 0, trade.at_ms, trade.words)
        return True

    def _hear(self, order: Known, claim: OrderClaim) -> None:
        """Believe the last word once all trades before it are booked."""
        stage = self._stage(order)
        if claim.standing in OPEN and order.progress in OVER:
            self.waiting.append(f"order {order.sequence} ended, and the venue has it open")
            self.recall.append(order.sequence)
        elif claim.standing in OPEN:
            if claim.standing == Standing.TRIGGERED and stage == Stage.WORKING:
                self._tell(order, Status.TRIGGERED)
            elif stage in (Stage.SENDING, Stage.UNKNOWN):
                self._tell(order, Status.ACCEPTED)
            elif stage == Stage.CANCELLING:
                self.recall.append(order.sequence)
            self._progress(order, Progress.PLACED)
            if claim.filled > order.filled:
                self.unknown.append(order.sequence)  # its trades are to be asked for
        elif order.progress in OVER:
            return
        elif 0 <= claim.filled <= order.filled:
            self._end(order, claim.standing)
        else:
            self._progress(order, Progress.PLACED)
            self.waiting.append(
                f"order {order.sequence} ended with {claim.filled} grains filled,"
                f" and the trades say {order.filled}"
            )

    def _miss(self, order: Known) -> None:
        """Nobody speaks of it: it is gone only if a look-up said so, or if it never left."""
        never_left = order.progress == Progress.NEW and self.book.starting
        if never_left or (order.sequence in self.book.gone and order.sequence not in self.doubted):
            self._end(order, Standing.CANCELLED)
        elif self.book.starting or order.progress in (Progress.PLACED, Progress.UNKNOWN):
            self.unknown.append(order.sequence)
            if self._stage(order) == Stage.SENDING:
                self._tell(order, Status.UNKNOWN)
            if order.progress == Progress.SENDING:
                self._progress(order, Progress.UNKNOWN)

    def _end(self, order: Known, standing: int) -> None:
        if self._stage(order):
            rejected = standing == Standing.REJECTED and not order.filled
            expired = Rejection.EXPIRED if standing == Standing.EXPIRED else Rejection.NONE
            status = Status.REJECTED if rejected else Status.CANCELLED
            self._tell(order, status, rejection=int(expired))
        self._progress(order, Progress.ENDED)

    def _moved(self, moved: Movement, kind: Outside, legs: Sequence[Leg]) -> bool:
        """Note what others moved, unless it takes more money than is free.

        Coins that others bring are never the book's.
        """
        flow, account = self._flow(legs), self.state.account
        if flow and account.cash + flow < account.held:
            return False
        if flow:
            self.flows.append(Flow(self.told_at_ms, flow))
            self.state, _ = step(self.state, self.flows[-1])
        for leg in legs:
            mine = flow if leg.currency == QUOTE else 0
            self._note(kind, moved.id, leg, mine, moved.at_ms, moved.words)
        return True

    def _flow(self, legs: Sequence[Leg]) -> int:
        """All money that moves; in an account that is shared, what the others' cannot pay."""
        amount = money(legs)
        return amount if self.book.dedicated else min(self.aside[QUOTE] + amount, 0)

    def _note(self, kind: Outside, id: str, leg: Leg, flow: int, at_ms: int, words: str) -> None:
        aside, touched = leg.amount - flow, leg.currency - 1 if leg.currency else ELSEWHERE
        self.aside[leg.currency] += aside
        self.noted.add((kind, id))
        self.foreign.append(Foreign(kind, id, leg.currency, touched, aside, flow, at_ms, words))

    def _claims(self) -> Iterator[OrderClaim]:
        yield from self.venue.open.items
        yield from self.venue.closed.items

    def _owner(self, claim: OrderClaim) -> int:
        """The sequence of an order of ours; 0: somebody else's, or of another history."""
        name = self.names.get((claim.instrument, claim.venue_id), 0)
        order = self.known.get(claim.sequence or name)
        return order.sequence if order and order.instrument == claim.instrument else 0

    def _unmet(self, kind: Outside, id: str) -> bool:
        return (kind, id) not in self.noted

    def _working(self, sequence: int) -> Order | None:
        return next((one for one in working(self.state) if one.sequence == sequence), None)

    def _stage(self, order: Known) -> int:
        """Where the book thinks that it is; NONE: it works there no more."""
        found = self._working(order.sequence)
        return found.stage if found else Stage.NONE

    def _tell(self, order: Known, status: Status, **figures: int) -> None:
        """Say it to the book."""
        at_ms = self.told_at_ms
        if status in (Status.FILLED, Status.TRIGGERED) and self._rests(order):
            at_ms = max(at_ms, self.book.inside_ms)
        said = NO_REPORT._replace(
            at_ms=at_ms,
            instrument=order.instrument,
            sequence=order.sequence,
            status=int(status),
            side=order.side,
        )
        self.reports.append(said._replace(**figures))
        self.state, _ = step(self.state, self.reports[-1])

    def _rests(self, order: Known) -> bool:
        """Whether it waits at the venue, as paper has it fill: within a candle, not at its open."""
        found = self._working(order.sequence)
        return found is not None and not is_take(found)

    def _progress(self, order: Known, progress: Progress) -> None:
        now = self.known[order.sequence]
        if now.progress != progress:
            settled = self.venue.at_ms if progress == Progress.ENDED else 0
            now = now._replace(progress=int(progress), settled_at_ms=settled)
            self.known[order.sequence] = now

    def _freeze(
        self, i: int, why: Why, words: str, currency: int = QUOTE, ours: int = 0, theirs: int = 0
    ) -> None:
        self.frozen.append(Frozen(i, int(why), currency, ours, theirs, words))
