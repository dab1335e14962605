"""Each event meets the state that the event before it left: `step` is all that RRR decides."""

from typing import assert_never

from . import ledger, rules
from .arms import on_candle, on_report, on_signal, on_touch
from .events import (
    Adopted,
    Assumed,
    Close,
    Command,
    Decision,
    Depth,
    Detail,
    Event,
    Flow,
    Halted,
    Limits,
    Listing,
    Print,
    Refused,
    Signal,
    Touch,
    Verb,
)
from .market import INSTRUMENTS_MAX, Instrument
from .orders import Amend, Cancel, Report, Side, Stage
from .pursuit import Outcome, pursue
from .state import NO_LANE, Halt, State


def step(state: State, event: Event) -> tuple[State, tuple[Decision, ...]]:
    """Meet one event. Same state and event, same result, on any machine."""
    match event:
        case Close():
            return close(state, event)
        case Signal() | Report() | Touch():
            return one_lane(state, event)
        case Flow():
            account = rules.flowed(ledger.flow(state.account, event.amount), event.amount)
            return state._replace(account=account), ()
        case Listing():
            return listed(state, event.instrument), ()
        case Limits():
            return state._replace(law=event.law), ()
        case Command():
            return commanded(state, event)
        case Adopted():
            return state._replace(account=state.account._replace(model=event.model)), ()
        case Assumed() | Detail() | Print() | Depth():
            return state, ()  # the paper venue's own
    assert_never(event)


def one_lane(state: State, event: Signal | Report | Touch) -> tuple[State, tuple[Decision, ...]]:
    """One lane moves; the others keep their place."""
    i = event.instrument
    lane, instrument = state.lanes[i], state.instruments[i]
    if isinstance(event, Signal):
        out = on_signal(state.law, state.account, lane, instrument, event)
    elif isinstance(event, Report):
        out = on_report(state.law, state.account, lane, instrument, event)
    else:
        out = on_touch(state.account, lane, instrument, event)
    lanes = (*state.lanes[:i], out.lane, *state.lanes[i + 1 :])
    return State(state.law, out.account, state.instruments, lanes), sent(out, i, event.at_ms)


def close(state: State, event: Close) -> tuple[State, tuple[Decision, ...]]:
    """All lanes meet their candles, then the account is watched once."""
    law, account, lanes = state.law, state.account, list(state.lanes)
    decisions: tuple[Decision, ...] = ()
    for candle in event.candles:
        i = candle.instrument
        out = on_candle(law, account, lanes[i], state.instruments[i], candle, event.at_ms)
        account, lanes[i] = out.account, out.lane
        decisions += sent(out, i, event.at_ms)
    watched = rules.watch(law, account, event.at_ms)
    attended = tuple(rules.attend(watched, lane) for lane in lanes)
    state = State(law, watched, state.instruments, attended)
    if watched.halted == account.halted:
        return state, decisions
    state, told = stopped(state, event.at_ms)
    return state, decisions + told


def sent(out: Outcome, instrument: int, at_ms: int) -> tuple[Decision, ...]:
    order = out.order
    if order.kind and order.stage == Stage.AMENDING:
        return (Amend(at_ms, instrument, order.sequence, order.quantity, order.price),)
    if order.kind:
        return (order,)
    if out.cancel:
        return (Cancel(at_ms, instrument, out.cancel),)
    if out.refusal:
        return (Refused(at_ms, instrument, out.refusal, out.lane.refused),)
    return ()


def listed(state: State, instrument: Instrument) -> State:
    """Open a lane for a new instrument, or adopt a new version of its rules: never of its unit."""
    i = instrument.id
    assert i < INSTRUMENTS_MAX, "Checked at the door."
    assert i <= len(state.lanes), "Ids are given in order."
    if i == len(state.lanes):
        return state._replace(
            instruments=(*state.instruments, instrument), lanes=(*state.lanes, NO_LANE)
        )
    assert instrument.scale == state.instruments[i].scale, "Old rows depend on the unit."
    instruments = (*state.instruments[:i], instrument, *state.instruments[i + 1 :])
    return state._replace(instruments=instruments)


def commanded(state: State, event: Command) -> tuple[State, tuple[Decision, ...]]:
    """A person or the guard halts the book, or lets it go on.

    The guard halts where nobody has, and takes back no halt but its own.
    """
    account, at_ms = state.account, event.at_ms
    match Verb(event.verb):
        case Verb.HALT:
            return halted(state, Halt.OPERATOR, at_ms)
        case Verb.PANIC:
            return flattened(*halted(state, Halt.PANIC, at_ms), at_ms)
        case Verb.GUARD if account.halted == Halt.NONE:
            return halted(state, Halt.GUARD, at_ms)
        case Verb.RELEASE if account.halted == Halt.GUARD:
            account = rules.released(account)
        case Verb.RESUME:
            account = rules.resume(account)
        case _:
            return state, ()
    return state._replace(account=account), (Halted(at_ms, account.halted),)


def halted(state: State, reason: Halt, at_ms: int) -> tuple[State, tuple[Decision, ...]]:
    account = rules.halt(state.account, int(reason))
    return stopped(state._replace(account=account), at_ms)


def stopped(state: State, at_ms: int) -> tuple[State, tuple[Decision, ...]]:
    """A halt is no new risk from now on: purchases on their way are called back."""
    decisions: tuple[Decision, ...] = (Halted(at_ms, state.account.halted),)
    lanes = list(state.lanes)
    for i, lane in enumerate(lanes):
        order = lane.order
        if order.kind and order.side == Side.BUY and order.stage != Stage.CANCELLING:
            lanes[i] = lane._replace(order=order._replace(stage=int(Stage.CANCELLING)))
            decisions += (Cancel(at_ms, i, order.sequence),)
    return state._replace(lanes=tuple(lanes)), decisions


def flattened(
    state: State, decisions: tuple[Decision, ...], at_ms: int
) -> tuple[State, tuple[Decision, ...]]:
    """Each lane sends what a panic makes due; one whose take works does so once that has ended."""
    law, account, lanes = state.law, state.account, list(state.lanes)
    for i, lane in enumerate(lanes):
        out = pursue(law, account, lane, state.instruments[i], at_ms)
        account, lanes[i] = out.account, out.lane
        decisions += sent(out, i, at_ms)
    return State(law, account, state.instruments, tuple(lanes)), decisions
