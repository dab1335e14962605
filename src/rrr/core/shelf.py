"""The paper venue's own books: cash, coins, and the orders that work there.

It trusts nobody: what is not covered, not on the grid, below a minimum or no order that a venue
knows is rejected. An instrument has room for one order, one stop and one target. The target may be
the stop's partner: they promise the same coins, and what fills one ends the other.
"""

from typing import Final, NamedTuple

from .market import (
    GRAINS_MAX,
    PPM,
    Instrument,
    cost,
    down,
    fits,
    lots,
    purchase,
    up,
    worth,
)
from .orders import (
    NO_ORDER,
    NO_REPORT,
    Amend,
    Cancel,
    Kind,
    Order,
    Rejection,
    Report,
    Side,
    Stage,
    Status,
    TimeInForce,
    amended,
    is_stop,
    rest_of,
)


class Assumptions(NamedTuple):
    """What nobody can know of fills that never happened."""

    latency_ms: int  # from a decision to the venue
    participation_ppm: int  # of a candle's volume that is ours at most; 0: as much as we like
    touch_share_ppm: int  # of a resting order that fills where its price is touched, not crossed
    by_touch: int  # 1: touches, prints and depths fill; 0: candles do


class Purse(NamedTuple):
    """The venue's view of our cash."""

    cash: int
    held: int


class Shelf(NamedTuple):
    """The venue's view of one instrument: coins, and the orders that work there."""

    quantity: int
    held: int  # cash that the order may use
    half_spread: int  # points, of the last touch; 0: none was seen
    room: int  # grains that may still be exchanged in this candle
    detailed_ms: int  # until when finer candles have told what happened
    order: Order
    stop: Order
    target: Order


class Matched(NamedTuple):
    purse: Purse
    shelf: Shelf
    report: Report  # NO_REPORT if nothing happened


NO_ASSUMPTIONS: Final = Assumptions(0, 0, 0, 0)
NO_PURSE: Final = Purse(0, 0)
NO_SHELF: Final = Shelf(0, 0, 0, 0, 0, NO_ORDER, NO_ORDER, NO_ORDER)


def submit(
    purse: Purse, shelf: Shelf, instrument: Instrument, order: Order, last: int, at_ms: int
) -> Matched:
    """Accept an order and hold what it may need, or reject it. The last price is in points."""
    rejection = refusal(purse, shelf, instrument, order, last, at_ms)
    if rejection != Rejection.NONE:
        return Matched(purse, shelf, said(order, at_ms, Status.REJECTED, rejection))
    shelf = placed(shelf, order)
    if order.side == Side.BUY:
        needs = purchase(instrument, order.price, order.quantity)
        purse = purse._replace(held=purse.held + needs)
        shelf = shelf._replace(held=needs)
    return Matched(purse, shelf, said(order, at_ms, Status.ACCEPTED, Rejection.NONE))


def refusal(
    purse: Purse, shelf: Shelf, instrument: Instrument, order: Order, last: int, at_ms: int
) -> int:
    """A member of `Rejection`."""
    if slot(shelf, order).kind:
        return Rejection.CAPACITY
    if unsuitable(order):
        return Rejection.TERMS
    if order.price <= 0 or order.price % instrument.tick or order.limit % instrument.tick:
        return Rejection.PRICE_GRID
    if order.quantity <= 0 or order.quantity % instrument.lot != 0:
        return Rejection.QUANTITY_GRID
    if not fits(instrument, order.price, order.quantity):
        return Rejection.CAPACITY
    if order.quantity < instrument.quantity_min:
        return Rejection.BELOW_MINIMUM
    if order.time_in_force == TimeInForce.GTD and order.expires_ms <= at_ms:
        return Rejection.EXPIRED
    if order.post_only and last and crossing(shelf, instrument, order, last):
        return Rejection.POST_ONLY
    if order.side == Side.BUY:
        if order.reduce_only:
            return Rejection.REDUCE_ONLY
        if cost(instrument, order.price, order.quantity) < instrument.notional_min:
            return Rejection.BELOW_MINIMUM
        if purchase(instrument, order.price, order.quantity) > purse.cash - purse.held:
            return Rejection.INSUFFICIENT
    # Two sales may not promise the same coins; the two legs of an OCO are one sale.
    elif order.quantity > shelf.quantity - promised(shelf, order):
        return Rejection.REDUCE_ONLY if order.reduce_only else Rejection.INSUFFICIENT
    return Rejection.NONE


def unsuitable(order: Order) -> int:
    """1 if no venue knows such an order."""
    at_once = order.time_in_force == TimeInForce.IOC or order.time_in_force == TimeInForce.FOK
    if order.kind == Kind.TAKE or order.kind == Kind.MARKET:
        return 1 if not at_once or order.post_only or order.partner else 0
    if order.partner and (order.kind != Kind.LIMIT or order.side == Side.BUY):
        return 1  # the other leg of an OCO is the target of what a stop protects
    if order.kind == Kind.LIMIT:
        return 1 if at_once and order.post_only else 0
    if not is_stop(order.kind) or order.time_in_force != TimeInForce.GTC:
        return 1
    if order.post_only or order.side == Side.BUY:
        return 1  # stops take, and protect what is held
    if order.kind == Kind.STOP_LIMIT:
        return 1 if order.limit <= 0 or order.limit > order.price else 0
    return 1 if order.kind == Kind.TRAILING and order.trail <= 0 else 0


def slot(shelf: Shelf, order: Order) -> Order:
    """What stands where this order would: one order, one stop, one target to an instrument."""
    if is_stop(order.kind):
        return shelf.stop
    return shelf.target if order.partner else shelf.order


def placed(shelf: Shelf, order: Order) -> Shelf:
    if is_stop(order.kind):
        return shelf._replace(stop=order)
    return shelf._replace(target=order) if order.partner else shelf._replace(order=order)


def promised(shelf: Shelf, order: Order) -> int:
    """Grains that other sales hold."""
    stop, target = rest_of(shelf.stop), rest_of(shelf.target)
    legs = max(stop, target) if shelf.target.partner == shelf.stop.sequence else stop + target
    if order.partner and order.partner == shelf.stop.sequence:
        legs = 0
    return legs + (rest_of(shelf.order) if shelf.order.side == Side.SELL else 0)


def cancel(purse: Purse, shelf: Shelf, wanted: Cancel) -> Matched:
    """End an order that still works; whoever comes too late is told so."""
    if shelf.stop.kind and shelf.stop.sequence == wanted.sequence:
        return ended(purse, shelf, shelf.stop, wanted.at_ms, Rejection.NONE)
    if shelf.target.kind and shelf.target.sequence == wanted.sequence:
        return ended(purse, shelf, shelf.target, wanted.at_ms, Rejection.NONE)
    if shelf.order.kind and shelf.order.sequence == wanted.sequence:
        return ended(purse, shelf, shelf.order, wanted.at_ms, Rejection.NONE)
    return Matched(purse, shelf, unknown(wanted.at_ms, wanted.instrument, wanted.sequence))


def amend(purse: Purse, shelf: Shelf, instrument: Instrument, wanted: Amend) -> Matched:
    """Change a stop that rests, or say what it still is, and why."""
    stop = shelf.stop
    if not stop.kind or stop.sequence != wanted.sequence:
        return Matched(purse, shelf, unknown(wanted.at_ms, wanted.instrument, wanted.sequence))
    now = amended(stop, wanted.quantity, wanted.price)
    rejection = unamendable(shelf, instrument, now)
    if rejection == Rejection.NONE:
        stop = now
    report = said(stop, wanted.at_ms, Status.AMENDED, rejection)
    report = report._replace(quantity=stop.quantity, price=stop.price)
    return Matched(purse, shelf._replace(stop=stop), report)


def unamendable(shelf: Shelf, instrument: Instrument, now: Order) -> int:
    """A member of `Rejection`."""
    if shelf.stop.stage == Stage.TRIGGERED or unsuitable(now):
        return Rejection.TERMS
    if now.price <= 0 or now.price % instrument.tick or now.limit % instrument.tick:
        return Rejection.PRICE_GRID
    if now.quantity <= now.filled or now.quantity % instrument.lot != 0:
        return Rejection.QUANTITY_GRID
    if not fits(instrument, now.price, now.quantity):
        return Rejection.CAPACITY
    if now.quantity < instrument.quantity_min:
        return Rejection.BELOW_MINIMUM
    sale = rest_of(shelf.order) if shelf.order.side == Side.SELL else 0
    if shelf.target.partner != now.sequence:
        sale += rest_of(shelf.target)
    if rest_of(now) > shelf.quantity - sale:
        return Rejection.REDUCE_ONLY
    return Rejection.NONE


def touch(shelf: Shelf, half_spread: int) -> Shelf:
    """Remember the spread for the candles that follow."""
    return shelf._replace(half_spread=half_spread)


def begun(shelf: Shelf, instrument: Instrument, assumed: Assumptions, volume: int) -> Shelf:
    """Measure what may be ours of so much volume."""
    room = GRAINS_MAX
    if assumed.participation_ppm:
        room = lots(instrument, down(volume, assumed.participation_ppm, PPM))
    return shelf._replace(room=room)


def works(shelf: Shelf) -> int:
    """1 if any order waits for what the market does."""
    return 1 if shelf.order.kind or shelf.stop.kind or shelf.target.kind else 0


def exchanged(
    purse: Purse,
    shelf: Shelf,
    instrument: Instrument,
    order: Order,
    price: int,
    at_ms: int,
    maker: int,
) -> Matched:
    """Exchange what there is room for, at one price; the rest of the order works on."""
    quantity = min(rest_of(order), shelf.room)
    if quantity == 0:
        return Matched(purse, shelf, NO_REPORT)
    fee_ppm = instrument.fee_maker_ppm if maker else instrument.fee_taker_ppm
    buying = order.side == Side.BUY
    money = cost(instrument, price, quantity) if buying else worth(instrument, price, quantity)
    fee, fee_grains = up(money, fee_ppm, PPM), 0
    if instrument.fee_in_base and buying:
        fee, fee_grains = 0, up(quantity, fee_ppm, PPM)
    order = order._replace(filled=order.filled + quantity, last_fill=order.last_fill + 1)
    if buying:
        free = purse.cash - money - fee - purse.held + shelf.held
        held = max(min(purchase(instrument, order.price, rest_of(order)), free), 0)
        purse = purse._replace(held=purse.held - shelf.held + held)
        shelf = shelf._replace(held=held)
    purse = purse._replace(cash=purse.cash - order.side * money - fee)
    shelf = shelf._replace(
        quantity=shelf.quantity + order.side * quantity - fee_grains, room=shelf.room - quantity
    )
    report = said(order, at_ms, Status.FILLED, Rejection.NONE)._replace(
        quantity=quantity,
        price=price,
        notional=money,
        fee=fee,
        fee_grains=fee_grains,
        fill=order.last_fill,
        maker=maker,
    )
    shelf = placed(shelf, order) if rest_of(order) else removed(shelf, order)
    return Matched(purse, shelf, report)


def unpaid(shelf: Shelf, instrument: Instrument, order: Order, price: int) -> int:
    """1 if a purchase at this price would take cash that was not held for it: its fee rose."""
    quantity = min(rest_of(order), shelf.room)
    return 1 if order.side == Side.BUY and purchase(instrument, price, quantity) > shelf.held else 0


def ended(purse: Purse, shelf: Shelf, order: Order, at_ms: int, rejection: int) -> Matched:
    """End what works, and give back the cash that it held."""
    if order.side == Side.BUY:
        purse = purse._replace(held=purse.held - shelf.held)
        shelf = shelf._replace(held=0)
    report = said(order, at_ms, Status.CANCELLED, rejection)
    return Matched(purse, removed(shelf, order), report)


def uncovered(purse: Purse, shelf: Shelf, at_ms: int) -> Matched:
    """End the leg of an OCO whose coins the other one sold."""
    if rest_of(shelf.stop) > shelf.quantity:
        return ended(purse, shelf, shelf.stop, at_ms, Rejection.PARTNER)
    if rest_of(shelf.target) > shelf.quantity:
        return ended(purse, shelf, shelf.target, at_ms, Rejection.PARTNER)
    return Matched(purse, shelf, NO_REPORT)


def stands(shelf: Shelf, order: Order, since_ms: int) -> Shelf:
    """What rests from now on was not there before."""
    kept = shelf.target if order.partner else shelf.order
    if kept.stage != Stage.WORKING:
        return shelf
    return placed(shelf, kept._replace(at_ms=since_ms))


def removed(shelf: Shelf, order: Order) -> Shelf:
    if is_stop(order.kind):
        return shelf._replace(stop=NO_ORDER)
    return shelf._replace(target=NO_ORDER) if order.partner else shelf._replace(order=NO_ORDER)


def crossing(shelf: Shelf, instrument: Instrument, order: Order, price: int) -> int:
    """1 if an order would take where the middle stands at this price."""
    half = shelf.half_spread or up(price, instrument.half_spread_ppm, PPM)
    return 1 if order.side * (order.price - price) >= half else 0


def slip(price: int, side: int, instrument: Instrument, half_spread: int) -> int:
    """A taker pays half the spread, the slippage, and the rounding to the worse tick."""
    if half_spread:
        worse = half_spread + up(price, instrument.slippage_ppm, PPM)
    else:
        worse = up(price, instrument.half_spread_ppm + instrument.slippage_ppm, PPM)
    slipped = -side * (-side * (price + side * worse) // instrument.tick) * instrument.tick
    return max(slipped, instrument.tick)


def unknown(at_ms: int, instrument: int, sequence: int) -> Report:
    """Whoever comes too late is told so."""
    return NO_REPORT._replace(
        at_ms=at_ms,
        instrument=instrument,
        sequence=sequence,
        status=int(Status.REJECTED),
        rejection=int(Rejection.UNKNOWN_ORDER),
    )


def said(order: Order, at_ms: int, status: int, rejection: int) -> Report:
    """A report about an order in which nothing was exchanged."""
    return NO_REPORT._replace(
        at_ms=at_ms,
        instrument=order.instrument,
        sequence=order.sequence,
        status=int(status),
        side=order.side,
        rejection=int(rejection),
    )
