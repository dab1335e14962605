"""Kernel and venue speak until neither has anything to say; what they said is the record.

The paper world is the core's two machines, wired: `advance` meets one event from outside and adds
to `record`, in order, every event that entered the kernel and every decision that left it. At a
closing time the venue meets the candle first, at its open and then inside; its reports enter before
the close does. Where finer candles told what happened inside, the candle itself fills nothing; nor
does any where touches do. The wiring is pure, so that a replay and a compiled backtest repeat it
exactly.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

from rrr.core import matching, shelf, ticks
from rrr.core.events import (
    Assumed,
    Close,
    Decision,
    Depth,
    Detail,
    Event,
    Flow,
    Listing,
    Print,
    Touch,
)
from rrr.core.kernel import step
from rrr.core.market import GRAINS_MAX, Instrument, half_spread, lots
from rrr.core.orders import Amend, Cancel, Order, Report, Side
from rrr.core.shelf import (
    NO_ASSUMPTIONS,
    NO_PURSE,
    NO_SHELF,
    Assumptions,
    Matched,
    Purse,
    Shelf,
    begun,
    works,
)
from rrr.core.state import EMPTY, State

Record = list[Event | Decision]
Meeting = Callable[[Purse, Shelf, Instrument], Matched]


class World(NamedTuple):
    """The book and the paper venue: all that a session must not forget."""

    state: State
    purse: Purse
    shelves: tuple[Shelf, ...]
    assumed: Assumptions


NO_WORLD: Final = World(EMPTY, NO_PURSE, (), NO_ASSUMPTIONS)


def advance(world: World, event: Event, record: Record) -> World:
    """Meet one event from outside, to the last word that it causes."""
    match event:
        case Close() | Detail():
            if not world.assumed.by_touch:
                world = candles(world, event, record)
        case Touch():
            world = touched(world, event)
            if world.assumed.by_touch:
                world = filled_by_touch(world, event, record)
        case Print() if world.assumed.by_touch:
            world = printed(world, event, record)
        case Depth() if world.assumed.by_touch:
            world = walked(world, event, record)
        case Flow():
            purse = world.purse._replace(cash=world.purse.cash + event.amount)
            world = world._replace(purse=purse)
        case Assumed():
            world = world._replace(assumed=event.assumptions)
        case Listing() if event.instrument.id == len(world.shelves):
            world = world._replace(shelves=(*world.shelves, NO_SHELF))
        case _:
            pass
    return enter(world, event, record)


def candles(world: World, event: Close | Detail, record: Record) -> World:
    """Everybody's open first, then everybody's inside."""
    opened_at_ms, at_ms, assumed = event.opened_at_ms, event.at_ms, world.assumed
    missing = event.missing if isinstance(event, Close) else ()
    for i in missing:
        if works(world.shelves[i]) and world.shelves[i].detailed_ms <= opened_at_ms:
            matched = matching.at_no_open(world.purse, world.shelves[i], opened_at_ms)
            world = heard(world, i, matched, record)
    met: dict[str, Any] = {"assumed": assumed, "opened_at_ms": opened_at_ms, "at_ms": at_ms}
    at_open, inside = partial(matching.at_open, **met), partial(matching.inside, **met)
    meeting = []
    for candle in event.candles:
        shelf = world.shelves[candle.instrument]
        if isinstance(event, Detail):
            world = put(world, candle.instrument, shelf._replace(detailed_ms=at_ms))
        elif shelf.detailed_ms > opened_at_ms:
            continue
        if matching.stirs(shelf, candle):
            meeting.append(candle)
    for candle in meeting:
        world = start(world, candle.instrument, candle.volume)
        world = meet(world, candle.instrument, partial(at_open, candle=candle), record)
    for candle in meeting:
        world = meet(world, candle.instrument, partial(inside, candle=candle), record)
    return world


def touched(world: World, event: Touch) -> World:
    """The venue heard the same touch, after its fills of the candle that closed with it."""
    i, half = event.instrument, half_spread(event.bid, event.ask)
    if not half:
        return world
    return put(world, i, shelf.touch(world.shelves[i], half))


def filled_by_touch(world: World, event: Touch, record: Record) -> World:
    """Sales meet the bid, then purchases the ask; nobody exchanges more than stands there."""
    if not half_spread(event.bid, event.ask):
        return world
    there = ((Side.SELL, event.bid_quantity), (Side.BUY, event.ask_quantity))
    for side, quantity in there:
        room = share(world, event.instrument, quantity) if quantity else GRAINS_MAX
        world = roomy(world, event.instrument, room)
        how = partial(
            ticks.at_touch,
            assumed=world.assumed,
            side=side,
            bid=event.bid,
            ask=event.ask,
            at_ms=event.at_ms,
        )
        world = meet(world, event.instrument, how, record)
    return world


def printed(world: World, event: Print, record: Record) -> World:
    world = start(world, event.instrument, event.quantity)
    how = partial(ticks.at_print, assumed=world.assumed, price=event.price, at_ms=event.at_ms)
    return meet(world, event.instrument, how, record)


def walked(world: World, event: Depth, record: Record) -> World:
    """Whoever takes walks down the depth, level by level, to his collar."""
    for side, levels in ((Side.SELL, event.bids), (Side.BUY, event.asks)):
        i, at_ms, assumed = event.instrument, event.at_ms, world.assumed
        order = world.shelves[i].order
        accepted = [one for one in levels if side * (one.price - order.price) <= 0]
        available = sum(share(world, i, one.quantity) for one in accepted)
        matched = ticks.whole_or_nothing(
            world.purse, world.shelves[i], assumed, side, available, at_ms
        )
        world = heard(world, i, matched, record)
        for level in levels:
            world = roomy(world, i, share(world, i, level.quantity))
            matched = ticks.at_level(
                world.purse,
                world.shelves[i],
                world.state.instruments[i],
                assumed,
                side,
                level.price,
                at_ms,
            )
            world = heard(world, i, matched, record)
        matched = ticks.after_levels(world.purse, world.shelves[i], assumed, side, at_ms)
        world = heard(world, i, matched, record)
    return world


def start(world: World, i: int, volume: int) -> World:
    """A new candle or print: what of it may be ours."""
    instrument = world.state.instruments[i]
    return put(world, i, begun(world.shelves[i], instrument, world.assumed, volume))


def share(world: World, i: int, quantity: int) -> int:
    """What may be ours of what stands at one price: never more than that."""
    instrument = world.state.instruments[i]
    room = begun(world.shelves[i], instrument, world.assumed, quantity).room
    return min(room, lots(instrument, quantity))


def roomy(world: World, i: int, room: int) -> World:
    return put(world, i, world.shelves[i]._replace(room=room))


def meet(world: World, i: int, how: Meeting, record: Record) -> World:
    """Let the venue say one thing after another, until it has nothing to say."""
    while works(world.shelves[i]):
        matched = how(world.purse, world.shelves[i], world.state.instruments[i])
        world = heard(world, i, matched, record)
        if not matched.report.status:
            break
    return world


def heard(world: World, i: int, matched: Matched, record: Record) -> World:
    """The kernel hears what the venue said, if it said anything."""
    world = World(world.state, matched.purse, world.shelves, world.assumed)
    world = put(world, i, matched.shelf)
    return enter(world, matched.report, record) if matched.report.status else world


def enter(world: World, event: Event, record: Record) -> World:
    """The kernel meets the event; the venue answers what leaves; the kernel meets the answers."""
    waiting: list[Event] = [event]
    for event in waiting:
        record.append(event)
        state, decisions = step(world.state, event)
        world = World(state, world.purse, world.shelves, world.assumed)
        for decision in decisions:
            record.append(decision)
            if isinstance(decision, Order | Cancel | Amend):
                world, report = carry(world, decision, event.at_ms)
                waiting.append(report)
    return world


def carry(world: World, wanted: Order | Cancel | Amend, at_ms: int) -> tuple[World, Report]:
    """Bring an order, a cancel or an amendment to the venue, and its answer back."""
    i = wanted.instrument
    shelf_, instrument = world.shelves[i], world.state.instruments[i]
    if isinstance(wanted, Order):
        last = world.state.lanes[i].mark
        matched = shelf.submit(world.purse, shelf_, instrument, wanted, last, at_ms)
    elif isinstance(wanted, Amend):
        matched = shelf.amend(world.purse, shelf_, instrument, wanted)
    else:
        matched = shelf.cancel(world.purse, shelf_, wanted)
    world = World(world.state, matched.purse, world.shelves, world.assumed)
    return put(world, i, matched.shelf), matched.report


def put(world: World, i: int, shelf: Shelf) -> World:
    shelves = (*world.shelves[:i], shelf, *world.shelves[i + 1 :])
    return World(world.state, world.purse, shelves, world.assumed)
