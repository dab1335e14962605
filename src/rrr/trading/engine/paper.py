"""Kernel and venue speak until neither has anything to say; what they said is the record.

The paper world is the core's two machines, wired: `advance` meets one event from outside and adds
to `record`, in order, every event that entered the kernel and every decision that left it. At a
closing time the venue meets the candle first, at its open and then inside; its reports enter before
the close does. The wiring is pure, so that a replay and a compiled backtest repeat it exactly.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from rrr.core import matching
from rrr.core.events import Close, Decision, Event, Flow, Listing, Touch
from rrr.core.kernel import step
from rrr.core.market import Candle, Instrument, half_spread
from rrr.core.matching import NO_PURSE, NO_SHELF, Matched, Purse, Shelf
from rrr.core.orders import Cancel, Order, Report
from rrr.core.state import EMPTY, State

Record = list[Event | Decision]
Meeting = Callable[[Purse, Shelf, Instrument, Candle, int], Matched]


class World(NamedTuple):
    """The book and the paper venue: all that a session must not forget."""

    state: State
    purse: Purse
    shelves: tuple[Shelf, ...]


NO_WORLD: Final = World(EMPTY, NO_PURSE, ())


def advance(world: World, event: Event, record: Record) -> World:
    """Meet one event from outside, to the last word that it causes."""
    match event:
        case Close():
            world = at_open(world, event, record)
            world = inside(world, event, record)
        case Touch():
            world = touched(world, event)
        case Flow():
            purse = world.purse._replace(cash=world.purse.cash + event.amount)
            world = world._replace(purse=purse)
        case Listing() if event.instrument.id == len(world.shelves):
            world = world._replace(shelves=(*world.shelves, NO_SHELF))
        case _:
            pass
    return enter(world, event, record)


def touched(world: World, event: Touch) -> World:
    """The venue heard the same touch, after its fills of the candle that closed with it."""
    i, half = event.instrument, half_spread(event.bid, event.ask)
    if not half:
        return world
    shelf = matching.touch(world.shelves[i], half)
    return world._replace(shelves=(*world.shelves[:i], shelf, *world.shelves[i + 1 :]))


def at_open(world: World, event: Close, record: Record) -> World:
    """Fill what waited for the open; an exit that its collar stopped is tried again, wider."""
    for i in event.missing:
        if world.shelves[i].take.kind:
            matched = matching.at_no_open(world.purse, world.shelves[i], event.opened_at_ms)
            world = heard(world, i, matched, record)
    for candle in event.candles:
        while world.shelves[candle.instrument].take.kind:
            world = meet(world, matching.at_open, candle, event.opened_at_ms, record)
    return world


def inside(world: World, event: Close, record: Record) -> World:
    for candle in event.candles:
        if world.shelves[candle.instrument].stop.kind:
            world = meet(world, matching.inside, candle, event.at_ms, record)
    return world


def meet(world: World, how: Meeting, candle: Candle, at_ms: int, record: Record) -> World:
    i = candle.instrument
    matched = how(world.purse, world.shelves[i], world.state.instruments[i], candle, at_ms)
    return heard(world, i, matched, record)


def heard(world: World, i: int, matched: Matched, record: Record) -> World:
    """The kernel hears what the venue said, if it said anything."""
    if not matched.report.status:
        return world
    return enter(placed(world, i, matched), matched.report, record)


def enter(world: World, event: Event, record: Record) -> World:
    """The kernel meets the event; the venue answers what leaves; the kernel meets the answers."""
    waiting: list[Event] = [event]
    for event in waiting:
        record.append(event)
        state, decisions = step(world.state, event)
        world = World(state, world.purse, world.shelves)
        for decision in decisions:
            record.append(decision)
            if isinstance(decision, Order | Cancel):
                world, report = carry(world, decision, event.at_ms)
                waiting.append(report)
    return world


def carry(world: World, wanted: Order | Cancel, at_ms: int) -> tuple[World, Report]:
    """Bring an order or a cancel to the venue, and its answer back."""
    i = wanted.instrument
    shelf, instrument = world.shelves[i], world.state.instruments[i]
    if isinstance(wanted, Order):
        matched = matching.submit(world.purse, shelf, instrument, wanted, at_ms)
    else:
        matched = matching.cancel(world.purse, shelf, wanted)
    return placed(world, i, matched), matched.report


def placed(world: World, i: int, matched: Matched) -> World:
    shelves = (*world.shelves[:i], matched.shelf, *world.shelves[i + 1 :])
    return World(world.state, matched.purse, shelves)
