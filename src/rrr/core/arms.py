"""What a candle, a touch, a signal and a report do to one lane.

The arms take the law, the account and one lane, and return them changed with at most one thing to
send. They are interpreted where a person waits, and compiled where a history does.
"""

from . import ledger, rules
from .events import Signal, Touch
from .market import BPS, Candle, Instrument, half_spread, lots, sellable, up
from .matching import followed
from .orders import (
    NO_ENDED,
    NO_ORDER,
    Cause,
    Kind,
    Order,
    Report,
    Side,
    Stage,
    Status,
    fresh,
    over,
    rest_of,
    seen,
    told,
)
from .policy import crossed, learn, wish
from .pursuit import Outcome, covers, held_for, nothing, pursue, recalled
from .rules import Refusal
from .state import Account, Halt, Lane, Law


def on_candle(
    law: Law, account: Account, lane: Lane, instrument: Instrument, candle: Candle, at_ms: int
) -> Outcome:
    """Learn, mark to the close, and look whether the watched target was reached."""
    assert at_ms > lane.marked_at_ms, "A candle closes once."
    account, lane = met(account, lane, instrument, candle, at_ms)
    if settled(law, account, lane, instrument):
        return nothing(account, lane)
    if crossed(lane):
        held = lots(instrument, lane.quantity)
        lane = lane._replace(due=-held, cause=int(Cause.TARGET), attempt=0)
    return pursue(law, account, lane, instrument, at_ms)


def met(
    account: Account, lane: Lane, instrument: Instrument, candle: Candle, at_ms: int
) -> ledger.Booked:
    """What every candle does to a lane, whatever works there."""
    opened_at_ms = lane.marked_at_ms
    account, lane = ledger.mark(account, learn(lane, candle), instrument, candle.close, at_ms)
    if lane.trail and lane.stop.at_ms <= opened_at_ms:  # it follows no price from before it stood
        raised = followed(instrument, lane.trail, candle.high)
        lane = lane._replace(stop_price=max(lane.stop_price, raised))
    return ledger.Booked(account, lane)


def settled(law: Law, account: Account, lane: Lane, instrument: Instrument) -> int:
    """1 if nothing is due and all that is held is guarded: whatever asks, nothing is to be sent.

    It is so after most candles, and is found out without a division.
    """
    stop, target = lane.stop, lane.target
    if lane.order.kind or lane.due != 0 or account.halted == Halt.PANIC or crossed(lane):
        return 0
    if lane.quantity < instrument.lot:
        return 0 if lane.stop_price or stop.kind or target.kind else 1
    if stop.stage != Stage.WORKING or not covers(stop, lane.quantity, instrument):
        return 0
    if target.kind:
        rests = target.stage == Stage.WORKING and covers(target, lane.quantity, instrument)
        return 1 if rests else 0
    return 0 if law.target_rests else 1


def on_touch(account: Account, lane: Lane, instrument: Instrument, touch: Touch) -> Outcome:
    """Value what is held at the bid that was seen. Limits are looked at with the next close."""
    half = half_spread(touch.bid, touch.ask)
    if half:
        account, lane = ledger.touch(account, lane, instrument, half)
        account = rules.seen(account)
    return nothing(account, lane)


def on_signal(
    law: Law, account: Account, lane: Lane, instrument: Instrument, signal: Signal
) -> Outcome:
    """A wish that differs from what is held is judged, and becomes due or is refused."""
    assert signal.model == account.model, "Only the model that was adopted is obeyed."
    if lane.mark == 0:
        return nothing(account, lane)
    lane = rules.heard(lane)
    change = change_wished(law, account, lane, instrument, signal.conviction_bps)
    if lane.order.kind == Kind.LIMIT:
        # A purchase that rests goes on resting while it is wished for.
        return recalled(account, lane) if change <= 0 else nothing(account, lane)
    judged = change if change else too_little(law, lane, instrument, signal.conviction_bps)
    if judged == 0:
        return nothing(account, content(lane))
    refusal = rules.refuse(law, account, lane, instrument, judged, signal.at_ms)
    lane = rules.remember(lane, refusal)
    if refusal != Refusal.NONE or change == 0:
        return Outcome(account, lane, NO_ORDER, 0, refusal)
    attempt = lane.tried if change > 0 else 0
    lane = lane._replace(due=change, cause=int(Cause.SIGNAL), attempt=attempt)
    if change > 0:
        account = rules.approved(account, signal.at_ms)
    return pursue(law, account, lane, instrument, signal.at_ms)


def change_wished(
    law: Law, account: Account, lane: Lane, instrument: Instrument, conviction_bps: int
) -> int:
    """Grains to buy, or below zero to sell."""
    held = lots(instrument, lane.quantity)
    change = wish(law, account, lane, instrument, conviction_bps) - held
    if change < 0 and sellable(instrument, lane.mark, held) == 0:
        return 0  # dust that no venue buys
    return change


def too_little(law: Law, lane: Lane, instrument: Instrument, conviction_bps: int) -> int:
    """One grain, if that is all that is left of a wish to buy what is not held; else 0."""
    if lane.quantity >= instrument.lot or lane.order.kind or lane.due != 0:
        return 0
    return 1 if conviction_bps >= law.conviction_min_bps else 0


def content(lane: Lane) -> Lane:
    """What is held is what is wished for."""
    if lane.tried:
        lane = lane._replace(tried=0)
    return rules.remember(lane, Refusal.NONE)


def on_report(
    law: Law, account: Account, lane: Lane, instrument: Instrument, report: Report
) -> Outcome:
    """Believe the venue: book what was filled, forget what ended, then send what follows."""
    if report.status == Status.FILLED:
        if booked(lane, report):
            return nothing(account, lane)
        account, lane = ledger.settle(account, lane, instrument, report)
        if report.side == Side.BUY:
            lane = guarded(law, lane, instrument, report.price)._replace(tried=0)
    stood = lane.stop.kind
    if lane.order.kind and report.sequence == lane.order.sequence:
        account, lane = on_order(law, account, lane, instrument, report)
    elif lane.stop.kind and report.sequence == lane.stop.sequence:
        lane = on_stop(law, lane, instrument, report)
    elif lane.target.kind and report.sequence == lane.target.sequence:
        lane = on_target(lane, report)
    elif report.status == Status.FILLED:
        # A fill after the end: the money has moved, whatever we thought of the order.
        lane = remembered(lane, report)
    if report.status == Status.REJECTED and lane.stop.kind == stood:
        # Whoever asks again at once is told no again: the next close will ask. But what loses its
        # stop is sold at once.
        return nothing(account, lane)
    return pursue(law, account, lane, instrument, report.at_ms)


def booked(lane: Lane, report: Report) -> int:
    """1 if this fill was told before: by an order that works, or by one of the last that ended."""
    number, fill = report.sequence, report.fill
    for order in (lane.order, lane.stop, lane.target):
        if order.kind and order.sequence == number:
            return 1 - fresh(order.last_fill, order.fills_seen, fill)
    for ended in (lane.ended, lane.ended_before):
        if ended.sequence == number:
            return 1 - fresh(ended.last_fill, ended.fills_seen, fill)
    return 0


def remembered(lane: Lane, report: Report) -> Lane:
    """Note the fill of an order that has ended, so that it is booked once."""
    ended = NO_ENDED._replace(sequence=report.sequence)
    if lane.ended.sequence == report.sequence:
        ended = lane.ended
    elif lane.ended_before.sequence == report.sequence:
        ended = lane.ended_before
    ended = ended._replace(
        last_fill=max(ended.last_fill, report.fill),
        fills_seen=seen(ended.last_fill, ended.fills_seen, report.fill),
    )
    if lane.ended.sequence == report.sequence:
        return lane._replace(ended=ended)
    if lane.ended_before.sequence == report.sequence:
        return lane._replace(ended_before=ended)
    return lane._replace(ended=ended, ended_before=lane.ended)


def buried(lane: Lane, order: Order) -> Lane:
    """Remember which fills of an order that is over were booked."""
    ended = NO_ENDED._replace(
        sequence=order.sequence, last_fill=order.last_fill, fills_seen=order.fills_seen
    )
    return lane._replace(ended=ended, ended_before=lane.ended)


def on_order(
    law: Law, account: Account, lane: Lane, instrument: Instrument, report: Report
) -> ledger.Booked:
    """What an order brings: a position under new levels, an exit, or a try that failed."""
    order, called_back = told(lane.order, report), lane.order.stage == Stage.CANCELLING
    lane = lane._replace(order=order)
    if report.status == Status.FILLED:
        lane = lane._replace(due=lane.due - report.side * report.quantity)
    if not over(order):
        if report.status == Status.FILLED and order.side == Side.BUY:
            account, lane = held_for(account, lane, instrument, rest_of(order))
        return ledger.Booked(account, lane)
    # A purchase that found no seller is given up; an exit is tried again, wider: but not because
    # it was refused, for then no price was asked for in vain.
    due = min(lane.due, 0)
    wider = order.side == Side.SELL and order.stage != Stage.REJECTED
    attempt = lane.attempt + 1 if wider else lane.attempt
    account, lane = held_for(account, lane, instrument, 0)
    in_vain = order.kind == Kind.LIMIT and order.stage != Stage.FILLED and not called_back
    lane = buried(lane, order)._replace(
        order=NO_ORDER,
        due=due,
        attempt=attempt if due else 0,
        tried=law.chase if in_vain else lane.tried,
    )
    return ledger.Booked(account, lane)


def on_stop(law: Law, lane: Lane, instrument: Instrument, report: Report) -> Lane:
    """What a stop brings: it rests, it protected us, or it is gone and `pursue` sets another."""
    stop = told(lane.stop, report)
    lane = lane._replace(stop=stop)
    if report.status == Status.FILLED:
        lane = rules.rest(lane, report.at_ms + law.cooldown_ms)
        if lane.target.kind:  # what fills one leg of an OCO ends the other: the venue will say so
            lane = lane._replace(target=lane.target._replace(stage=int(Stage.CANCELLING)))
    elif report.status == Status.TRIGGERED:
        # A stop that is triggered and does not fill protects nobody: what is held is taken out.
        lane = lane._replace(due=-lots(instrument, lane.quantity), cause=int(Cause.STOP), attempt=0)
    elif stop.stage == Stage.REJECTED:
        # What cannot be protected is not kept.
        lane = lane._replace(
            due=-lots(instrument, lane.quantity), cause=int(Cause.UNPROTECTED), attempt=0
        )
    return buried(lane, stop)._replace(stop=NO_ORDER) if over(stop) else lane


def on_target(lane: Lane, report: Report) -> Lane:
    """What a resting target brings. One that the venue does not take is watched instead."""
    target = told(lane.target, report)
    lane = lane._replace(target=target)
    if report.status == Status.FILLED and lane.stop.kind:
        lane = lane._replace(stop=lane.stop._replace(stage=int(Stage.CANCELLING)))
    return buried(lane, target)._replace(target=NO_ORDER) if over(target) else lane


def guarded(law: Law, lane: Lane, instrument: Instrument, price: int) -> Lane:
    """Set the stop and the target around a purchase; a stop is never lowered."""
    below = price - up(price, law.stop_bps, BPS)
    stop = max(below - below % instrument.tick, instrument.tick)
    above = price + up(price, law.target_bps, BPS)
    target = above + -above % instrument.tick
    trail = up(price, law.trail_bps, BPS)
    return lane._replace(stop_price=max(stop, lane.stop_price), target_price=target, trail=trail)
