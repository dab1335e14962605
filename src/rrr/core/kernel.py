"""Each event meets the state that the event before it left: `step` is all that RRR decides.

The arms (`on_…`) take the law, the account and one lane, and return them changed with at most one
thing to send. `step` finds the arm, interpreted; a compiled loop calls the arms itself.
"""

from typing import NamedTuple, assert_never

from . import ledger, rules
from .events import (
    Adopted,
    Close,
    Command,
    Decision,
    Event,
    Flow,
    Halted,
    Limits,
    Listing,
    Refused,
    Signal,
    Touch,
    Verb,
)
from .market import (
    BPS,
    INSTRUMENTS_MAX,
    Candle,
    Instrument,
    half_spread,
    lots,
    purchase,
    sellable,
    up,
)
from .orders import NO_ORDER, Cancel, Cause, Kind, Order, Rejection, Report, Side, Stage, Status
from .policy import crossed, learn, wish
from .rules import Refusal
from .state import NO_LANE, Account, Halt, Lane, Law, State


class Outcome(NamedTuple):
    """What an arm leaves: the new account and lane, and an order, a cancel or a refusal."""

    account: Account
    lane: Lane
    order: Order  # NO_ORDER: nothing to send
    cancel: int  # the sequence of an order to cancel; 0: none
    refusal: int


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
    if out.order.kind:
        return (out.order,)
    if out.cancel:
        return (Cancel(at_ms, instrument, out.cancel),)
    if out.refusal:
        return (Refused(at_ms, instrument, out.refusal, out.lane.refused),)
    return ()


def on_candle(
    law: Law, account: Account, lane: Lane, instrument: Instrument, candle: Candle, at_ms: int
) -> Outcome:
    """Learn, mark to the close, and look whether the watched target was reached."""
    assert at_ms > lane.marked_at_ms, "A candle closes once."
    lane = learn(lane, candle)
    account, lane = ledger.mark(account, lane, instrument, candle.close, at_ms)
    if crossed(lane, candle):
        held = lots(instrument, lane.quantity)
        lane = lane._replace(due=-held, cause=int(Cause.TARGET), attempt=0)
    return pursue(law, account, lane, instrument, at_ms)


def on_touch(account: Account, lane: Lane, instrument: Instrument, touch: Touch) -> Outcome:
    """Value what is held at the bid that was seen. Limits are looked at with the next close."""
    if half := half_spread(touch.bid, touch.ask):
        account, lane = ledger.touch(account, lane, instrument, half)
        account = rules.seen(account)
    return Outcome(account, lane, NO_ORDER, 0, Refusal.NONE)


def on_signal(
    law: Law, account: Account, lane: Lane, instrument: Instrument, signal: Signal
) -> Outcome:
    """A wish that differs from what is held is judged, and becomes due or is refused."""
    assert signal.model == account.model, "Only the model that was adopted is obeyed."
    if lane.mark == 0:
        return Outcome(account, lane, NO_ORDER, 0, Refusal.NONE)
    lane = rules.heard(lane)
    held = lots(instrument, lane.quantity)
    change = wish(law, account, lane, instrument, signal.conviction_bps) - held
    if change < 0 and sellable(instrument, lane.mark, held) == 0:
        change = 0  # dust that no venue buys
    if change == 0:
        return Outcome(account, rules.remember(lane, Refusal.NONE), NO_ORDER, 0, Refusal.NONE)
    refusal = rules.refuse(law, account, lane, instrument, change, signal.at_ms)
    lane = rules.remember(lane, refusal)
    if refusal != Refusal.NONE:
        return Outcome(account, lane, NO_ORDER, 0, refusal)
    lane = lane._replace(due=change, cause=int(Cause.SIGNAL), attempt=0)
    if change > 0:
        account = rules.approved(account, signal.at_ms)
    return pursue(law, account, lane, instrument, signal.at_ms)


def on_report(
    law: Law, account: Account, lane: Lane, instrument: Instrument, report: Report
) -> Outcome:
    """Believe the venue: book what was filled, forget what ended, then send what follows."""
    if lane.take.kind and report.sequence == lane.take.sequence:
        account, lane = on_take(law, account, lane, instrument, report)
    elif lane.stop.kind and report.sequence == lane.stop.sequence:
        account, lane = on_stop(law, account, lane, instrument, report)
    elif report.status == Status.FILLED:
        # A fill after a cancel: the money has moved, whatever we thought of the order.
        account, lane = ledger.settle(account, lane, instrument, report)
        if report.side == Side.BUY:
            lane = guarded(law, lane, instrument, report.price)
    if report.status == Status.REJECTED:
        # Whoever asks again at once is told no again: the next close will ask.
        return Outcome(account, lane, NO_ORDER, 0, Refusal.NONE)
    return pursue(law, account, lane, instrument, report.at_ms)


def on_take(
    law: Law, account: Account, lane: Lane, instrument: Instrument, report: Report
) -> ledger.Booked:
    """What a take brings: a position under new levels, an exit, or a try that failed."""
    order = lane.take
    if report.status == Status.ACCEPTED:
        lane = lane._replace(take=order._replace(stage=int(Stage.WORKING)))
        return ledger.Booked(account, lane)
    if report.rejection == Rejection.UNKNOWN_ORDER:
        return ledger.Booked(account, lane)  # too late to call back: the fill is on its way
    if report.status == Status.FILLED:
        order = order._replace(filled=order.filled + report.quantity)
        lane = lane._replace(due=lane.due - report.side * report.quantity, take=order)
        account, lane = ledger.settle(account, lane, instrument, report)
        if report.side == Side.BUY:
            lane = guarded(law, lane, instrument, report.price)
        if order.filled < order.quantity:
            return ledger.Booked(account, lane)
    # It has ended. A purchase that found no seller is given up; an exit is tried again, wider.
    due = lane.due if order.side == Side.SELL else 0
    account, lane = release(account, lane, instrument)
    lane = lane._replace(take=NO_ORDER, due=due, attempt=lane.attempt + 1 if due else 0)
    return ledger.Booked(account, lane)


def on_stop(
    law: Law, account: Account, lane: Lane, instrument: Instrument, report: Report
) -> ledger.Booked:
    """What a stop brings: it rests, it protected us, or it is gone and `pursue` sets another."""
    order = lane.stop
    if report.status == Status.ACCEPTED:
        lane = lane._replace(stop=order._replace(stage=int(Stage.WORKING)))
        return ledger.Booked(account, lane)
    if report.status == Status.FILLED:
        order = order._replace(filled=order.filled + report.quantity)
        account, lane = ledger.settle(account, lane._replace(stop=order), instrument, report)
        lane = rules.rest(lane, report.at_ms + law.cooldown_ms)
        if order.filled < order.quantity:
            return ledger.Booked(account, lane)
    elif report.rejection == Rejection.UNKNOWN_ORDER:
        return ledger.Booked(account, lane)  # too late to cancel: the fill is on its way
    elif report.status == Status.REJECTED:
        # What cannot be protected is not kept.
        lane = lane._replace(
            due=-lots(instrument, lane.quantity), cause=int(Cause.UNPROTECTED), attempt=0
        )
    return ledger.Booked(account, lane._replace(stop=NO_ORDER))


def guarded(law: Law, lane: Lane, instrument: Instrument, price: int) -> Lane:
    """Set the stop and the watched target around a purchase; a stop is never lowered."""
    below = price - up(price, law.stop_bps, BPS)
    stop = max(below - below % instrument.tick, instrument.tick)
    above = price + up(price, law.target_bps, BPS)
    target = above + -above % instrument.tick
    return lane._replace(stop_price=max(stop, lane.stop_price), target_price=target)


def release(account: Account, lane: Lane, instrument: Instrument) -> ledger.Booked:
    """Give back the cash that a purchase held."""
    if lane.hold == 0:
        return ledger.Booked(account, lane)
    account = account._replace(held=account.held - lane.hold)
    return ledger.value(account, lane._replace(hold=0), instrument)


def pursue(law: Law, account: Account, lane: Lane, instrument: Instrument, at_ms: int) -> Outcome:
    """What this lane must send next, so that what is held becomes what is due, under its stop.

    One thing at a time: a sale first cancels the stop that holds its coins; a stop of another
    quantity than the position is replaced. While a panic lasts, all that is held is due.
    """
    held = lots(instrument, lane.quantity)
    if lane.quantity < instrument.lot and lane.stop_price != 0 and lane.due <= 0:
        lane = lane._replace(stop_price=0, target_price=0, due=0)
    if lane.take.kind:
        return Outcome(account, lane, NO_ORDER, 0, Refusal.NONE)
    if account.halted == Halt.PANIC and held > 0:
        attempt = lane.attempt if lane.due < 0 else 0  # an exit that failed goes on as wide
        lane = lane._replace(due=-held, cause=int(Cause.PANIC), attempt=attempt)
    if lane.due < 0:
        # A rest that no venue takes is given up, and protected again.
        rest = lots(instrument, min(-lane.due, held))
        lane = lane._replace(due=-rest if sellable(instrument, lane.mark, rest) else 0)
    if lane.due > 0:
        return take(law, account, lane, instrument)
    if lane.stop.kind:
        if lane.due == 0 and lane.stop.quantity - lane.stop.filled == held:
            return Outcome(account, lane, NO_ORDER, 0, Refusal.NONE)
        if lane.stop.stage == Stage.CANCELLING:
            return Outcome(account, lane, NO_ORDER, 0, Refusal.NONE)
        lane = lane._replace(stop=lane.stop._replace(stage=int(Stage.CANCELLING)))
        return Outcome(account, lane, NO_ORDER, lane.stop.sequence, Refusal.NONE)
    if lane.due < 0:
        return take(law, account, lane, instrument)
    if held > 0 and sellable(instrument, lane.mark, held):
        return protect(account, lane, instrument, held)
    return Outcome(account, lane, NO_ORDER, 0, Refusal.NONE)


def take(law: Law, account: Account, lane: Lane, instrument: Instrument) -> Outcome:
    """Send what is due as a marketable limit, and hold the cash that a purchase may need."""
    side = Side.BUY if lane.due > 0 else Side.SELL
    limit = rules.collar(law, instrument, lane.mark, side, lane.attempt)
    order = Order(
        instrument.id,
        account.sequence + 1,
        int(Kind.TAKE),
        int(side),
        abs(lane.due),
        limit,
        lane.cause,
        lane.attempt,
        0,
        int(Stage.SENDING),
    )
    hold = purchase(instrument, limit, order.quantity) if side == Side.BUY else 0
    account = account._replace(sequence=order.sequence, held=account.held + hold)
    lane = lane._replace(take=order, hold=hold)
    if hold:
        account, lane = ledger.value(account, lane, instrument)
    return Outcome(account, lane, order, 0, Refusal.NONE)


def protect(account: Account, lane: Lane, instrument: Instrument, held: int) -> Outcome:
    """Rest a stop for all that is held."""
    order = Order(
        instrument.id,
        account.sequence + 1,
        int(Kind.STOP),
        int(Side.SELL),
        held,
        lane.stop_price - lane.stop_price % instrument.tick,
        int(Cause.STOP),
        0,
        0,
        int(Stage.SENDING),
    )
    account = account._replace(sequence=order.sequence)
    return Outcome(account, lane._replace(stop=order), order, 0, Refusal.NONE)


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
        if lane.take.kind and lane.take.side == Side.BUY and lane.take.stage != Stage.CANCELLING:
            lanes[i] = lane._replace(take=lane.take._replace(stage=int(Stage.CANCELLING)))
            decisions += (Cancel(at_ms, i, lane.take.sequence),)
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
