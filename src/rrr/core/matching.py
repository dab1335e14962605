"""The paper venue. Where a candle leaves two ways open, the worse one for us happened.

A venue knows its own balances and its own orders, and trusts nobody: what is not covered, not on
the grid or below a minimum is rejected. One candle is met twice: at its open, where takes that
waited are filled; then inside, where resting stops are. What was bought at the open is under its
stop inside.

Half the spread (of the last touch before the candle, or the instrument's own where none was seen),
the slippage and the rounding to the worse tick are paid by every fill here, since takes and stops
both take liquidity.
"""

from typing import Final, NamedTuple

from .market import PPM, Candle, Instrument, cost, fits, purchase, up, worth
from .orders import NO_ORDER, NO_REPORT, Cancel, Kind, Order, Rejection, Report, Side, Status


class Purse(NamedTuple):
    """The venue's view of our cash."""

    cash: int
    held: int


class Shelf(NamedTuple):
    """The venue's view of one instrument: coins, and the orders that work there."""

    quantity: int
    held: int  # cash that the take may use
    half_spread: int  # points, of the last touch; 0: none was seen
    take: Order
    stop: Order


class Matched(NamedTuple):
    purse: Purse
    shelf: Shelf
    report: Report  # NO_REPORT if nothing happened


NO_PURSE: Final = Purse(0, 0)
NO_SHELF: Final = Shelf(0, 0, 0, NO_ORDER, NO_ORDER)


def submit(purse: Purse, shelf: Shelf, instrument: Instrument, order: Order, at_ms: int) -> Matched:
    """Accept an order and hold what it may need, or reject it."""
    rejection = refusal(purse, shelf, instrument, order)
    if rejection != Rejection.NONE:
        return Matched(purse, shelf, said(order, at_ms, Status.REJECTED, rejection))
    if order.kind == Kind.STOP:
        shelf = shelf._replace(stop=order)
    elif order.side == Side.BUY:
        needs = purchase(instrument, order.price, order.quantity)
        purse = purse._replace(held=purse.held + needs)
        shelf = shelf._replace(take=order, held=needs)
    else:
        shelf = shelf._replace(take=order)
    return Matched(purse, shelf, said(order, at_ms, Status.ACCEPTED, Rejection.NONE))


def refusal(purse: Purse, shelf: Shelf, instrument: Instrument, order: Order) -> int:
    """A member of `Rejection`."""
    slot = shelf.stop if order.kind == Kind.STOP else shelf.take
    if slot.kind:
        return Rejection.CAPACITY
    if order.price <= 0 or order.price % instrument.tick != 0:
        return Rejection.PRICE_GRID
    if order.quantity <= 0 or order.quantity % instrument.lot != 0:
        return Rejection.QUANTITY_GRID
    if not fits(instrument, order.price, order.quantity):
        return Rejection.CAPACITY
    if order.quantity < instrument.quantity_min:
        return Rejection.BELOW_MINIMUM
    if order.side == Side.BUY:
        if cost(instrument, order.price, order.quantity) < instrument.notional_min:
            return Rejection.BELOW_MINIMUM
        if purchase(instrument, order.price, order.quantity) > purse.cash - purse.held:
            return Rejection.INSUFFICIENT
    # Two sales may not promise the same coins: a resting stop holds them.
    elif order.quantity > shelf.quantity - shelf.stop.quantity - sold(shelf):
        return Rejection.INSUFFICIENT
    return Rejection.NONE


def cancel(purse: Purse, shelf: Shelf, wanted: Cancel) -> Matched:
    """End an order that still works; whoever comes too late is told so."""
    if shelf.stop.kind and shelf.stop.sequence == wanted.sequence:
        report = said(shelf.stop, wanted.at_ms, Status.CANCELLED, Rejection.NONE)
        return Matched(purse, shelf._replace(stop=NO_ORDER), report)
    if shelf.take.kind and shelf.take.sequence == wanted.sequence:
        report = said(shelf.take, wanted.at_ms, Status.CANCELLED, Rejection.NONE)
        purse = purse._replace(held=purse.held - shelf.held)
        return Matched(purse, shelf._replace(take=NO_ORDER, held=0), report)
    late = NO_REPORT._replace(
        at_ms=wanted.at_ms,
        instrument=wanted.instrument,
        sequence=wanted.sequence,
        status=int(Status.REJECTED),
        rejection=int(Rejection.UNKNOWN_ORDER),
    )
    return Matched(purse, shelf, late)


def touch(shelf: Shelf, half_spread: int) -> Shelf:
    """Remember the spread for the candles that follow."""
    return shelf._replace(half_spread=half_spread)


def at_open(
    purse: Purse, shelf: Shelf, instrument: Instrument, candle: Candle, at_ms: int
) -> Matched:
    """Fill the take that waited for this open, or end it where the open lies beyond its collar."""
    order = shelf.take
    if not order.kind:
        return Matched(purse, shelf, NO_REPORT)
    price = slip(candle.open, order.side, instrument, shelf.half_spread)
    promised = shelf.held
    purse = purse._replace(held=purse.held - promised)
    shelf = shelf._replace(take=NO_ORDER, held=0)
    if order.side * (price - order.price) > 0:
        return Matched(purse, shelf, said(order, at_ms, Status.CANCELLED, Rejection.COLLAR))
    # A fee that rose meanwhile takes no cash that was not held for it.
    if order.side == Side.BUY and purchase(instrument, price, order.quantity) > promised:
        return Matched(purse, shelf, said(order, at_ms, Status.CANCELLED, Rejection.INSUFFICIENT))
    return fill(purse, shelf, instrument, order, price, at_ms)


def at_no_open(purse: Purse, shelf: Shelf, at_ms: int) -> Matched:
    """End a purchase whose open never came: it takes what it meets at once, or nothing."""
    order = shelf.take
    if not order.kind or order.side == Side.SELL:
        return Matched(purse, shelf, NO_REPORT)
    purse = purse._replace(held=purse.held - shelf.held)
    shelf = shelf._replace(take=NO_ORDER, held=0)
    return Matched(purse, shelf, said(order, at_ms, Status.CANCELLED, Rejection.NO_PRICE))


def inside(
    purse: Purse, shelf: Shelf, instrument: Instrument, candle: Candle, at_ms: int
) -> Matched:
    """Trigger the stop that this candle touched; a gap through it is filled at the open."""
    order = shelf.stop
    if not order.kind or candle.low > order.price:
        return Matched(purse, shelf, NO_REPORT)
    first = min(candle.open, order.price)
    price = slip(first, order.side, instrument, shelf.half_spread)
    return fill(purse, shelf._replace(stop=NO_ORDER), instrument, order, price, at_ms)


def fill(
    purse: Purse, shelf: Shelf, instrument: Instrument, order: Order, price: int, at_ms: int
) -> Matched:
    """Exchange the whole quantity at one price for the taker's fee."""
    if order.side == Side.BUY:
        money = cost(instrument, price, order.quantity)
    else:
        money = worth(instrument, price, order.quantity)
    fee, fee_grains = up(money, instrument.fee_taker_ppm, PPM), 0
    if instrument.fee_in_base and order.side == Side.BUY:
        fee, fee_grains = 0, up(order.quantity, instrument.fee_taker_ppm, PPM)
    purse = purse._replace(cash=purse.cash - order.side * money - fee)
    quantity = shelf.quantity + order.side * order.quantity - fee_grains
    report = said(order, at_ms, Status.FILLED, Rejection.NONE)._replace(
        quantity=order.quantity, price=price, notional=money, fee=fee, fee_grains=fee_grains
    )
    return Matched(purse, shelf._replace(quantity=quantity), report)


def slip(price: int, side: int, instrument: Instrument, half_spread: int) -> int:
    """A taker pays half the spread, the slippage, and the rounding to the worse tick."""
    if half_spread:
        worse = half_spread + up(price, instrument.slippage_ppm, PPM)
    else:
        worse = up(price, instrument.half_spread_ppm + instrument.slippage_ppm, PPM)
    slipped = -side * (-side * (price + side * worse) // instrument.tick) * instrument.tick
    return max(slipped, instrument.tick)


def sold(shelf: Shelf) -> int:
    return shelf.take.quantity if shelf.take.side == Side.SELL else 0


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
