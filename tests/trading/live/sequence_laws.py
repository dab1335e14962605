"""What holds after every word, whoever says what in which order: told apart from the core.

The tally is made of what was sent and what was told, in sums that the core has no part in; beside
it stand the venue's own books.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from rrr.core.events import Command, Event, Flow, Signal, Verb
from rrr.core.orders import (
    NO_ORDER,
    Amend,
    Cancel,
    Kind,
    Order,
    Rejection,
    Report,
    Side,
    Stage,
    Status,
)
from rrr.core.state import Account, Halt, Lane, State
from tests.trading.live.late_venue import STOPS, TAKES, LateVenue

Fill = tuple[int, int]  # the order's sequence, the fill's number


@dataclass(slots=True)
class Tally:
    """What was told and sent, summed up by somebody else."""

    flows: int = 0
    fills: dict[Fill, Report] = field(default_factory=dict)
    sent: dict[int, Order] = field(default_factory=dict)
    unknown: set[int] = field(default_factory=set)  # nobody answered, and nothing was heard since
    late: int = 0  # quanta of purchases that were told of after their end
    halted: Verb | None = None  # who says so: no more than the core must obey
    grains: dict[int, int] = field(default_factory=dict)  # of each order, as it was told last
    unchanged: set[int] = field(default_factory=set)  # stops that were said to stay as they are
    raced: set[int] = field(default_factory=set)  # what may meet coins that are not there yet

    def hear(self, event: Event) -> None:
        if isinstance(event, Flow):
            self.flows += event.amount
        elif isinstance(event, Report):
            if event.status == Status.AMENDED:
                self.grains[event.sequence] = event.quantity
                if event.rejection:
                    self.unchanged.add(event.sequence)
            if event.status == Status.FILLED:
                self.fills.setdefault((event.sequence, event.fill), event)
            if event.status == Status.UNKNOWN:
                self.unknown.add(event.sequence)
            elif event.rejection != Rejection.UNKNOWN_ORDER:
                self.unknown.discard(event.sequence)
        elif isinstance(event, Command):
            self.halted = halts(self.halted, Verb(event.verb))

    @property
    def cash(self) -> int:
        return self.flows - sum(f.side * f.notional + f.fee for f in self.fills.values())

    def leaves(self, order: Order) -> None:
        self.sent[order.sequence] = order
        self.grains[order.sequence] = order.quantity

    def filled(self, sequence: int) -> int:
        return sum(one.quantity for one in self.fills.values() if one.sequence == sequence)

    def held(self, instrument: int) -> int:
        mine = (one for one in self.fills.values() if one.instrument == instrument)
        return sum(one.side * one.quantity - one.fee_grains for one in mine)


def halts(now: Verb | None, verb: Verb) -> Verb | None:
    match verb:
        case Verb.RESUME:
            return None
        case Verb.RELEASE:
            return None if now == Verb.GUARD else now
        case Verb.GUARD:
            return now or verb
    return verb


def slots(lane: Lane) -> Iterator[Order]:
    yield from (order for order in (lane.order, lane.stop, lane.target) if order.kind)


def slot(order: Order) -> str:
    if order.kind in STOPS:
        return "stop"
    return "target" if order.partner else "order"


def each_fill_is_booked_once(state: State, tally: Tally) -> None:
    assert state.account.cash == tally.cash
    for i, lane in enumerate(state.lanes):
        assert lane.quantity == tally.held(i)


def the_account_is_the_sum_of_its_lanes(
    account: Account, lanes: tuple[Lane, ...], tally: Tally
) -> None:
    """A purchase that fills after its end takes cash that another one may hold by then."""
    assert account.held == sum(lane.hold for lane in lanes)
    assert min(account.held, account.cash) >= 0
    assert account.held <= account.cash + tally.late
    assert account.worth == sum(lane.worth for lane in lanes)
    for lane in lanes:
        assert lane.hold == 0 or lane.order.side == Side.BUY, "Only a purchase holds cash."


def it_asks_for(word: Report, most: int, tally: Tally) -> bool:
    """Whether a fill is of what its order was told to ask for; and what may ask for more is not
    filled by it."""
    name, asks = word.sequence, tally.grains[word.sequence]
    if (name, word.fill) in tally.fills:
        return True
    return tally.filled(name) + word.quantity <= asks - (most > asks)


def no_order_fills_more_than_it_asks_for(tally: Tally) -> None:
    """Also a stop that asks for less, or for more, than when it was sent."""
    for sequence, _ in tally.fills:
        assert tally.filled(sequence) <= tally.grains[sequence]


def no_coins_are_promised_twice(tally: Tally, venue: LateVenue) -> None:
    """As the venue sees it: what it had to refuse was sent before a word that it had not said."""
    assert venue.uncovered <= tally.raced
    for of in venue.listed:
        nobody = NO_ORDER._replace(instrument=of.id)
        legs = {one.order.partner: one.rest for one in venue.open(of.id) if one.order.partner}
        open_there = {one.order.sequence for one in venue.open(of.id)}
        twice = sum(rest for partner, rest in legs.items() if partner in open_there)
        assert venue.promised(of.id, nobody) - twice <= venue.coins[of.id]


def no_order_is_lost_or_doubled(
    state: State, venue: LateVenue, wire: list[Order | Cancel | Amend]
) -> None:
    """What works there, or is on its way, stands in its slot here; no slot has two."""
    there = [one.order for i in range(len(state.lanes)) for one in venue.open(i)]
    there += [one for one in wire if isinstance(one, Order)]
    names = [(order.instrument, slot(order)) for order in there]
    assert len(names) == len(set(names)), "Two orders work in one slot."
    for order in there:
        ours = {one.sequence for one in slots(state.lanes[order.instrument])}
        assert order.sequence in ours, "The book has forgotten an order that works."


def what_leaves_is_legal(
    leaving: Order, event: Event, before: State, tally: Tally, venue: LateVenue
) -> None:
    """Its figures are a venue's; it adds only where a signal asks and nothing forbids; and beside
    an order of unknown fate nothing is sent, but what protects beside a purchase."""
    of, lane = before.instruments[leaving.instrument], before.lanes[leaving.instrument]
    assert leaving.sequence not in tally.sent
    assert leaving.sequence > before.account.sequence
    assert leaving.quantity > 0 == leaving.quantity % of.lot
    assert leaving.quantity >= of.quantity_min
    assert leaving.price > 0 == leaving.price % of.tick == leaving.limit % of.tick
    price = leaving.price if leaving.kind == Kind.LIMIT else venue.prices[of.id]
    assert leaving.quantity * max(price, leaving.price) >= of.notional_min * of.scale
    if leaving.side == Side.BUY:
        assert isinstance(event, Signal), "Only a signal adds risk."
        assert before.account.halted == Halt.NONE and tally.halted is None
        assert -(-leaving.quantity * leaving.price // of.scale) <= before.law.order_notional_max
        assert not {one.sequence for one in slots(lane)} & tally.unknown
    else:
        sells_no_more_than_there_is(leaving, tally, venue)
        asked = (one for one in slots(lane) if one.side == Side.SELL)
        assert not {one.sequence for one in asked} & tally.unknown


def sells_no_more_than_there_is(leaving: Order, tally: Tally, venue: LateVenue) -> None:
    """Of what we were told that we hold; the venue has as much, but for what it has not told."""
    i = leaving.instrument
    assert leaving.quantity <= tally.held(i)
    covered(leaving, leaving.quantity, tally, venue)


def covered(order: Order, rest: int, tally: Tally, venue: LateVenue) -> None:
    i = order.instrument
    free = venue.coins[i] - venue.promised(i, order)
    if rest > free:
        tally.raced.add(order.sequence)
    assert rest <= free + venue.untold(i, Side.SELL) + astray(i, tally, venue)


def astray(i: int, tally: Tally, venue: LateVenue) -> int:
    """Grains that a stop took at last, though it was said to stay as it is."""
    stops = [one for one in venue.open(i) if one.order.sequence in tally.unchanged]
    return sum(max(one.order.quantity - tally.grains[one.order.sequence], 0) for one in stops)


def what_is_amended_covers_what_stays(
    wanted: Amend, before: State, after: State, tally: Tally, venue: LateVenue
) -> None:
    """It is asked once, of a stop that works there as far as anybody was told, and of which nothing
    is filled; and is then of what is held, less the sale that is due: to the lot."""
    of, lane = after.instruments[wanted.instrument], after.lanes[wanted.instrument]
    there = venue.placed[wanted.sequence]
    assert after.law.stop_amends
    assert there.order.kind in (Kind.STOP, Kind.STOP_LIMIT)
    assert not there.over or any(one.sequence == wanted.sequence for one in venue.words)
    assert lane.stop.sequence == wanted.sequence
    assert lane.stop.stage == Stage.AMENDING
    assert before.lanes[of.id].stop.stage not in (Stage.CANCELLING, Stage.TRIGGERED)
    assert tally.filled(wanted.sequence) == 0
    assert wanted.sequence not in tally.unchanged | tally.unknown
    assert wanted.quantity != tally.grains[wanted.sequence]
    assert lane.order.side != Side.SELL, "Nothing is sold beside a stop that changes."
    stays = tally.held(of.id) + min(lane.due, 0)
    assert 0 <= stays - wanted.quantity < of.lot
    assert wanted.quantity > 0 == wanted.quantity % of.lot
    assert wanted.quantity >= of.quantity_min
    assert wanted.price > 0 == wanted.price % of.tick
    assert wanted.price <= lane.stop_price < wanted.price + of.tick
    covered(there.order, wanted.quantity - there.filled, tally, venue)


def bare(state: State) -> Iterator[str]:
    """Why what is held has no stop now and no sale under way: each reason has a name."""
    for i, lane in enumerate(state.lanes):
        of = state.instruments[i]
        held = lane.quantity - lane.quantity % of.lot
        if held < max(of.quantity_min, of.lot) or held * lane.mark < of.notional_min * of.scale:
            continue
        if lane.stop.kind or lane.order.side == Side.SELL:
            continue
        if lane.order.kind in TAKES and lane.order.filled:
            yield "the last word of a take is awaited"
        elif lane.target.stage == Stage.CANCELLING:
            yield "the target is ended first"
        elif lane.due < 0 and lane.order.kind:
            yield "a purchase is called back first"
        elif lane.due < 0:
            yield "a venue said no, and is asked again"
        elif lane.stop_price and lane.quantity >= of.lot:
            yield "grown by its price: the next close asks"
        else:
            raise AssertionError(f"Lane {i} is silently bare.")


def all_is_settled(state: State, venue: LateVenue, tally: Tally) -> None:
    """Nothing waits, both books are equal, and what is held rests under its stop."""
    each_fill_is_booked_once(state, tally)
    assert not venue.words
    assert state.account.cash == venue.cash
    assert state.account.held == 0
    for i, lane in enumerate(state.lanes):
        of = state.instruments[i]
        assert lane.quantity == venue.coins[i]
        assert lane.due == 0
        assert lane.order == NO_ORDER
        working = {one.order.sequence: one for one in venue.open(i)}
        assert {one.sequence for one in slots(lane)} == set(working)
        for order in slots(lane):
            assert order.stage == Stage.WORKING
            there = working[order.sequence]
            assert order.filled == there.filled
            assert order.quantity == there.order.quantity
            assert (order.price, order.limit) == (there.order.price, there.order.limit)
        held = lane.quantity - lane.quantity % of.lot
        kept = held >= of.quantity_min and held * lane.mark >= of.notional_min * of.scale
        if held and kept:
            assert state.account.halted != Halt.PANIC
            assert 0 <= lane.quantity - (lane.stop.quantity - lane.stop.filled) < of.lot
