"""The first broken rule, in this order, names the refusal.

Rules judge changes that add risk; a reduction only waits while another order of its lane works.
They also keep what they need to know: the peak, the last 24 hours, the last orders, the cool-downs.
"""

from enum import IntEnum

from .ledger import equity
from .market import (
    BPS,
    PPM,
    Instrument,
    cost,
    dearer_fee_ppm,
    down,
    fits,
    lots,
    purchase,
    share_ppm,
    up,
)
from .orders import awaited
from .state import HOURS, RECENT, Account, Halt, Lane, Law

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
MARKET_BPS = 500  # how far a market order may run: the cash that is held for it


class Refusal(IntEnum):
    """Every reason to say no. The order of members is the order of precedence."""

    NONE = 0
    PENDING = 1
    HALTED = 2
    LOSS_24H = 3
    SYNTHETIC = 4
    STALE = 5
    WARMUP = 6
    COOLDOWN = 7
    CAPACITY = 8
    QUANTITY_MIN = 9
    NOTIONAL_MIN = 10
    NOTIONAL_MAX = 11
    EXPOSURE = 12
    GROSS = 13
    BOOK_VOLATILITY = 14
    CASH = 15
    ORDER_RATE = 16


def refuse(
    law: Law, account: Account, lane: Lane, instrument: Instrument, change: int, at_ms: int
) -> int:
    """Judge a change of what a lane holds, in grains, by so many; a member of `Refusal`."""
    if lane.order.kind or lane.due != 0:
        return Refusal.PENDING
    if change < 0:
        return Refusal.NONE
    if awaited(lane.stop) or awaited(lane.target):
        return Refusal.PENDING  # nobody adds to what may stand bare
    if account.halted != Halt.NONE:
        return Refusal.HALTED
    if lost(law, account):
        return Refusal.LOSS_24H
    if lane.synthetic and not law.synthetic_may_open:
        return Refusal.SYNTHETIC
    if at_ms - lane.marked_at_ms > law.stale_ms:
        return Refusal.STALE
    if lane.candles < law.warmup_candles:
        return Refusal.WARMUP
    if at_ms < lane.cooldown_until_ms:
        return Refusal.COOLDOWN
    limit = collar(law, instrument, lane.mark, 1, 0)
    if not fits(instrument, limit, lane.quantity + change):
        return Refusal.CAPACITY
    # What a fee leaves must be sellable where its stop stands, or it could never be protected.
    left = change
    if instrument.fee_in_base:
        left = lots(instrument, change - up(change, dearer_fee_ppm(instrument), PPM))
    if left < instrument.quantity_min:
        return Refusal.QUANTITY_MIN
    offset_bps = law.maker_offset_bps if law.entry_maker else 0
    entry = lane.mark - up(lane.mark, offset_bps, BPS)
    stop = entry - up(entry, law.stop_bps, BPS)
    if down(left, max(stop, 1), instrument.scale) < instrument.notional_min:
        return Refusal.NOTIONAL_MIN
    money = cost(instrument, limit, change)  # at the worst price that the order accepts
    total = equity(account)
    if money > law.order_notional_max:
        return Refusal.NOTIONAL_MAX
    if lane.worth + money > down(total, law.exposure_max_bps, BPS):
        return Refusal.EXPOSURE
    if account.worth + account.held + money > down(total, law.gross_max_bps, BPS):
        return Refusal.GROSS
    risk = account.risk + up(money, lane.volatility_ppm, PPM)
    if risk > down(total, law.book_volatility_max_ppm, PPM):
        return Refusal.BOOK_VOLATILITY
    if purchase(instrument, limit, change) > account.cash - account.held:
        return Refusal.CASH
    # The N-th last order, so that no minute, wherever it starts, ever holds more than N.
    if at_ms - account.memory.recent[RECENT - law.orders_per_minute_max] < MINUTE_MS:
        return Refusal.ORDER_RATE
    return Refusal.NONE


def collar(law: Law, instrument: Instrument, price: int, side: int, attempt: int) -> int:
    """The worst price that a take accepts, on its tick; an exit that failed asks for twice as much.

    A sale never asks below one tick. A bare market order takes any price that its cash allows.
    """
    width = up(price, min((law.collar_bps or MARKET_BPS) << min(attempt, 14), BPS), BPS)
    worst = price + side * width
    return max(-side * (-side * worst // instrument.tick) * instrument.tick, instrument.tick)


def lost(law: Law, account: Account) -> int:
    """1 while equity is too far below the best of the last 24 hours."""
    best = max(account.memory.hours)
    return 1 if best - equity(account) > down(best, law.loss_24h_max_bps, BPS) else 0


def watch(law: Law, account: Account, at_ms: int) -> Account:
    """Remember the hour and the peak; halt on a drawdown that the law forbids."""
    return measured(law, struck(account, at_ms))


def struck(account: Account, at_ms: int) -> Account:
    """The equity at the first close of an hour is remembered for a day."""
    hour = at_ms // HOUR_MS
    if hour == account.hour:
        return account
    hours = account.memory.hours
    for _ in range(min(hour - account.hour, HOURS) - 1):
        hours = hours[1:] + (hours[HOURS - 1],)  # what nobody saw was as before
    memory = account.memory._replace(hours=hours[1:] + (equity(account),))
    return account._replace(hour=hour, memory=memory)


def measured(law: Law, account: Account) -> Account:
    """Look how far equity stands below its peak."""
    now = equity(account)
    peak = max(account.peak, now)
    fall = peak - now
    drawdown = share_ppm(fall, peak) if fall > 0 else 0
    halted = account.halted
    # The guard's halt gives way to this one, which no release ends.
    unhalted = halted == Halt.NONE or halted == Halt.GUARD
    if unhalted and fall > down(peak, law.drawdown_max_bps, BPS):
        halted = Halt.DRAWDOWN
    return account._replace(
        peak=peak,
        drawdown_ppm_max=max(account.drawdown_ppm_max, drawdown),
        halted=int(halted),
        closes=account.closes + 1,
    )


def seen(account: Account) -> Account:
    """A spread that narrowed is a gain like any other: no equity stands above its peak."""
    return account._replace(peak=max(account.peak, equity(account)))


def flowed(account: Account, amount: int) -> Account:
    """A deposit is no profit and a withdrawal no drawdown: what is remembered moves with them."""
    now = equity(account)
    was = now - amount
    hours = account.memory.hours
    for _ in range(HOURS):
        hours = hours[1:] + (carried(hours[0], was, now),)
    memory = account.memory._replace(hours=hours)
    return account._replace(peak=carried(account.peak, was, now), memory=memory)


def carried(then: int, was: int, now: int) -> int:
    """A remembered equity after a flow: in the same proportion to the equity as before it.

    Of a fall by more than 99 % only that much is remembered, lest the product leave 64 bits.
    """
    if was <= 0:
        return now
    if then <= was:
        return down(now, share_ppm(then, was), PPM)
    return up(now, PPM, max(share_ppm(was, then), PPM // 100))


def halt(account: Account, reason: int) -> Account:
    """Take no new risk, for this reason; a panic stays one until somebody resumes."""
    return account if account.halted == Halt.PANIC else account._replace(halted=reason)


def released(account: Account) -> Account:
    """Take back a halt of the guard: what it saw is no reason to forget the peak or the day."""
    assert account.halted == Halt.GUARD, "The guard takes back its own halt, and no other."
    return account._replace(halted=int(Halt.NONE))


def resume(account: Account) -> Account:
    """Start measuring anew from here: the old peak and the lost day are history."""
    now = equity(account)
    memory = account.memory._replace(hours=(now,) * HOURS)
    return account._replace(halted=int(Halt.NONE), peak=now, memory=memory)


def approved(account: Account, at_ms: int) -> Account:
    """Remember an order that adds risk."""
    recent = account.memory.recent[1:] + (at_ms,)
    return account._replace(memory=account.memory._replace(recent=recent))


def remember(lane: Lane, refusal: int) -> Lane:
    """Count refusals of one reason in a row; a wish that is granted, or no wish, ends the row."""
    if refusal == Refusal.NONE:
        return lane if lane.refused == 0 else lane._replace(refusal=0, refused=0)
    if refusal == lane.refusal:
        return lane._replace(refused=lane.refused + 1)
    return lane._replace(refusal=int(refusal), refused=1)


def rest(lane: Lane, until_ms: int) -> Lane:
    """No entry after a stop before this time."""
    return lane._replace(cooldown_until_ms=until_ms)


def heard(lane: Lane) -> Lane:
    """The first signal is where a holder could have begun; what went before taught and no more."""
    return lane if lane.first_mark else lane._replace(first_mark=lane.mark)


def attend(account: Account, lane: Lane) -> Lane:
    """Note how much of equity this lane is, for the exposure-matched hold."""
    if lane.first_mark == 0:
        return lane._replace(quiet=lane.quiet + 1)
    if lane.worth == 0:
        return lane
    share = share_ppm(min(lane.worth, equity(account)), equity(account)) * BPS // PPM
    return lane._replace(exposure_sum_bps=lane.exposure_sum_bps + share)
