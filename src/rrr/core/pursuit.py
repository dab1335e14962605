"""What a lane must send next, so that what is held becomes what is due, under its stop.

One thing at a time. A sale first frees its coins: what holds them is cancelled, the stop last. A
stop of another quantity than what is to be held is changed where it rests, if the venue does that,
or replaced. Whoever answers a report with the next thing to send needs to remember nothing but the
lane.
"""

from typing import NamedTuple

from . import ledger, rules
from .market import BPS, Instrument, lots, purchase, sellable, up
from .orders import NO_ORDER, Cause, Kind, Order, Side, Stage, TimeInForce, amended, rest_of
from .rules import Refusal
from .state import Account, Halt, Lane, Law


class Outcome(NamedTuple):
    """What an arm leaves: the new account and lane, and an order, a cancel or a refusal."""

    account: Account
    lane: Lane
    order: Order  # NO_ORDER: nothing to send; AMENDING: a stop as it is to become
    cancel: int  # the sequence of an order to cancel; 0: none
    refusal: int


def nothing(account: Account, lane: Lane) -> Outcome:
    return Outcome(account, lane, NO_ORDER, 0, Refusal.NONE)


def pursue(law: Law, account: Account, lane: Lane, instrument: Instrument, at_ms: int) -> Outcome:
    """While a panic lasts, all that is held is due."""
    held = lots(instrument, lane.quantity)
    if lane.quantity < instrument.lot and lane.stop_price != 0:
        # What is bought next has levels of its own.
        lane = lane._replace(stop_price=0, target_price=0, trail=0, due=max(lane.due, 0))
    buys = lane.order.side == Side.BUY
    if lane.order.kind and not buys:
        return nothing(account, lane)
    if account.halted == Halt.PANIC and held > 0:
        attempt = lane.attempt if lane.due < 0 else 0  # an exit that failed goes on as wide
        lane = lane._replace(due=-held, cause=int(Cause.PANIC), attempt=attempt)
    elif held > 0 and lane.stop_price == 0 and lane.due == 0:
        lane = lane._replace(due=-held, cause=int(Cause.UNPROTECTED), attempt=0)  # dust no more
    if lane.due < 0:
        # A rest that no venue takes is given up, and protected again.
        rest = lots(instrument, min(-lane.due, held))
        lane = lane._replace(due=-rest if sellable(instrument, lane.mark, rest) else 0)
    if buys and (lane.due < 0 or at_ms < lane.cooldown_until_ms):
        return recalled(account, lane)
    if buys and lane.order.filled and lane.order.kind != Kind.LIMIT:
        return nothing(account, lane)  # its last word comes at once
    if lane.due > 0 and not buys:
        return enter(law, account, lane, instrument, at_ms)
    return defend(law, account, lane, instrument, at_ms)


def defend(law: Law, account: Account, lane: Lane, instrument: Instrument, at_ms: int) -> Outcome:
    """Keep a stop, and a target where it rests, of exactly what is held; or free it for a sale."""
    held = lots(instrument, lane.quantity)
    stop, target = lane.stop, lane.target
    whole = lane.due >= 0 and stop.kind and covers(stop, lane.quantity, instrument)
    if target.kind and not (whole and covers(target, lane.quantity, instrument)):
        if target.stage == Stage.CANCELLING:
            return nothing(account, lane)
        lane = lane._replace(target=target._replace(stage=int(Stage.CANCELLING)))
        return Outcome(account, lane, NO_ORDER, target.sequence, Refusal.NONE)
    if stop.kind:
        calm = whole and stop.stage == Stage.WORKING and stop.filled == 0
        if calm and law.target_rests and not target.kind:
            return rest_target(account, lane, instrument, held, at_ms)
        if whole or stop.stage == Stage.CANCELLING:
            return nothing(account, lane)
        if law.stop_amends and amends(lane, instrument):
            return amend(law, account, lane, instrument, at_ms)
        lane = lane._replace(stop=stop._replace(stage=int(Stage.CANCELLING)))
        return Outcome(account, lane, NO_ORDER, stop.sequence, Refusal.NONE)
    if lane.due < 0:
        return take(law, account, lane, instrument, at_ms)
    if held > 0 and lane.stop_price and sellable(instrument, lane.mark, held):
        return protect(law, account, lane, instrument, held, at_ms)
    return nothing(account, lane)


def covers(order: Order, quantity: int, instrument: Instrument) -> int:
    """1 if an order sells so much, but dust; a lot that has become coarser hurts none."""
    bare = quantity - rest_of(order)
    return 1 if bare >= 0 and bare < instrument.lot else 0


def amends(lane: Lane, instrument: Instrument) -> int:
    """1 if the stop stays, for what is to be held: it is asked once, and while nothing fills."""
    stop = lane.stop
    if stop.kind == Kind.TRAILING or stop.filled or stop.attempt:
        return 0
    if stop.stage == Stage.UNKNOWN or stop.stage == Stage.TRIGGERED:
        return 0
    return sellable(instrument, lane.mark, kept(lane, instrument))


def kept(lane: Lane, instrument: Instrument) -> int:
    """Grains that are held once all that is due is sold."""
    return lots(instrument, lane.quantity + min(lane.due, 0))


def amend(law: Law, account: Account, lane: Lane, instrument: Instrument, at_ms: int) -> Outcome:
    """Change the stop where it rests; then sell what it does not hold any more."""
    stop, quantity = lane.stop, lane.quantity + min(lane.due, 0)
    if stop.stage != Stage.WORKING:
        return nothing(account, lane)  # its word comes first
    if covers(stop, quantity, instrument):
        return take(law, account, lane, instrument, at_ms)
    wanted = amended(stop, kept(lane, instrument), trigger(lane, instrument))
    stage = int(Stage.AMENDING)
    lane = lane._replace(stop=stop._replace(stage=stage))
    return Outcome(account, lane, wanted._replace(stage=stage), 0, Refusal.NONE)


def trigger(lane: Lane, instrument: Instrument) -> int:
    """Where the stop belongs, on its tick."""
    return max(lane.stop_price - lane.stop_price % instrument.tick, instrument.tick)


def enter(law: Law, account: Account, lane: Lane, instrument: Instrument, at_ms: int) -> Outcome:
    """Buy what is due: at our price first where the law is patient, or at the market's."""
    if not law.entry_maker or lane.attempt > 0:
        return take(law, account, lane, instrument, at_ms)
    price = lane.mark - up(lane.mark, law.maker_offset_bps, BPS)
    order = drafted(account, lane, instrument, at_ms)._replace(
        kind=int(Kind.LIMIT),
        side=int(Side.BUY),
        quantity=lane.due,
        price=max(price - price % instrument.tick, instrument.tick),
        cause=lane.cause,
        time_in_force=int(TimeInForce.GTD),
        expires_ms=at_ms + law.patience_ms,
        post_only=1,
    )
    return sending(account, lane, instrument, order)


def take(law: Law, account: Account, lane: Lane, instrument: Instrument, at_ms: int) -> Outcome:
    """Send what is due as a marketable limit, and hold the cash that a purchase may need."""
    side = Side.BUY if lane.due > 0 else Side.SELL
    order = drafted(account, lane, instrument, at_ms)._replace(
        kind=int(Kind.TAKE) if law.collar_bps else int(Kind.MARKET),
        side=int(side),
        quantity=abs(lane.due),
        # The caps were judged at the first collar: only an exit asks for more.
        price=rules.collar(law, instrument, lane.mark, side, lane.attempt if lane.due < 0 else 0),
        cause=lane.cause,
        attempt=lane.attempt,
        # An exit takes what it gets.
        time_in_force=int(TimeInForce.FOK)
        if law.fill_or_kill and side == Side.BUY
        else int(TimeInForce.IOC),
        reduce_only=1 if side == Side.SELL else 0,
    )
    return sending(account, lane, instrument, order)


def sending(account: Account, lane: Lane, instrument: Instrument, order: Order) -> Outcome:
    """Name the order, and hold the cash that it may take."""
    account = account._replace(sequence=order.sequence)
    lane = lane._replace(order=order)
    if order.side == Side.BUY:
        account, lane = held_for(account, lane, instrument, order.quantity)
    return Outcome(account, lane, order, 0, Refusal.NONE)


def drafted(account: Account, lane: Lane, instrument: Instrument, at_ms: int) -> Order:
    return NO_ORDER._replace(
        instrument=instrument.id,
        sequence=account.sequence + 1,
        stage=int(Stage.SENDING),
        at_ms=at_ms,
    )


def protect(
    law: Law, account: Account, lane: Lane, instrument: Instrument, held: int, at_ms: int
) -> Outcome:
    """Rest a stop for all that is held."""
    price = trigger(lane, instrument)
    kind, limit = int(Kind.STOP), 0
    if lane.trail:
        kind = int(Kind.TRAILING)
    elif law.stop_limit_bps:
        worst = price - up(price, law.stop_limit_bps, BPS)
        kind, limit = int(Kind.STOP_LIMIT), max(worst - worst % instrument.tick, instrument.tick)
    order = drafted(account, lane, instrument, at_ms)._replace(
        kind=kind,
        side=int(Side.SELL),
        quantity=held,
        price=price,
        cause=int(Cause.STOP),
        limit=limit,
        trail=lane.trail,
        reduce_only=1,
    )
    account = account._replace(sequence=order.sequence)
    return Outcome(account, lane._replace(stop=order), order, 0, Refusal.NONE)


def rest_target(
    account: Account, lane: Lane, instrument: Instrument, held: int, at_ms: int
) -> Outcome:
    """Rest the target beside the stop, as its partner."""
    order = drafted(account, lane, instrument, at_ms)._replace(
        kind=int(Kind.LIMIT),
        side=int(Side.SELL),
        quantity=held,
        price=lane.target_price + -lane.target_price % instrument.tick,
        cause=int(Cause.TARGET),
        partner=lane.stop.sequence,
        reduce_only=1,
    )
    account = account._replace(sequence=order.sequence)
    return Outcome(account, lane._replace(target=order), order, 0, Refusal.NONE)


def recalled(account: Account, lane: Lane) -> Outcome:
    """Call back a purchase that rests and is not wished for any more."""
    if lane.order.stage == Stage.CANCELLING:
        return nothing(account, lane)
    order = lane.order._replace(stage=int(Stage.CANCELLING))
    return Outcome(account, lane._replace(order=order), NO_ORDER, order.sequence, Refusal.NONE)


def held_for(account: Account, lane: Lane, instrument: Instrument, rest: int) -> ledger.Booked:
    """Hold the cash that the rest of a purchase may take, and give back what it held above.

    The parts of a purchase, each rounded up, may cost a little more than the whole would have.
    """
    free = account.cash - account.held + lane.hold
    hold = max(min(purchase(instrument, lane.order.price, rest), free), 0) if rest else 0
    if lane.hold == hold:
        return ledger.Booked(account, lane)
    account = account._replace(held=account.held + hold - lane.hold)
    return ledger.value(account, lane._replace(hold=hold), instrument)
