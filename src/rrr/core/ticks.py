"""Touches, prints and depths fill orders, where `by_touch` says so: no candle has to be believed.

A take meets the touch on its side, or walks down the depth to its collar. What rests is filled when
the other side of a touch, or a print, goes through its price; at its price, by the share that is
assumed. A stop is triggered by the bid, or by a print. Each function says one thing a call.
"""

from .market import Candle, Instrument
from .matching import arrived, rested, stopped
from .orders import NO_REPORT, Kind, Rejection, Side, Stage, TimeInForce, rest_of
from .shelf import Assumptions, Matched, Purse, Shelf, ended, exchanged, placed, uncovered, unpaid


def at_touch(
    purse: Purse,
    shelf: Shelf,
    instrument: Instrument,
    assumed: Assumptions,
    side: int,
    bid: int,
    ask: int,
    at_ms: int,
) -> Matched:
    """Let the orders of one side meet a best bid and ask. The shelf knows its half spread."""
    matched = over_before(purse, shelf, at_ms)
    if matched.report.status:
        return matched
    half = shelf.half_spread
    if side == Side.SELL and shelf.stop.kind:
        # Whoever sells at the bid has paid his half of the spread.
        sold, free = Candle(instrument.id, bid, bid, bid, bid, 0, 0), shelf._replace(half_spread=0)
        matched = stopped(purse, free, instrument._replace(half_spread_ppm=0), sold, at_ms)
        shelf = matched.shelf._replace(half_spread=half)
        if matched.report.status:
            return matched._replace(shelf=shelf)
    middle = bid + half
    for order in (shelf.target, shelf.order):
        if not order.kind or order.side != side:
            continue
        if order.stage == Stage.WORKING:
            crossed = Candle(instrument.id, middle, bid, ask, middle, 0, 0)
            matched = rested(purse, shelf, instrument, assumed, order, crossed, at_ms, at_ms)
        elif order.at_ms + assumed.latency_ms <= at_ms:
            matched = arrived(purse, shelf, instrument, order, middle, at_ms)
        else:
            continue
        if matched.report.status:
            return matched
        shelf = matched.shelf
    return Matched(purse, shelf, NO_REPORT)


def at_print(
    purse: Purse,
    shelf: Shelf,
    instrument: Instrument,
    assumed: Assumptions,
    price: int,
    at_ms: int,
) -> Matched:
    """Let what rests meet what others exchanged."""
    matched = over_before(purse, shelf, at_ms)
    if matched.report.status:
        return matched
    exchange = Candle(instrument.id, price, price, price, price, 0, 0)
    if shelf.stop.kind:
        matched = stopped(purse, shelf, instrument, exchange, at_ms)
        if matched.report.status:
            return matched
        shelf = matched.shelf
    for order in (shelf.target, shelf.order):
        if order.stage == Stage.WORKING:
            matched = rested(purse, shelf, instrument, assumed, order, exchange, at_ms, at_ms)
            if matched.report.status:
                return matched
    return Matched(purse, shelf, NO_REPORT)


def whole_or_nothing(
    purse: Purse, shelf: Shelf, assumed: Assumptions, side: int, available: int, at_ms: int
) -> Matched:
    """End an order whose time is over, or that the depth cannot fill whole where it must."""
    matched = expired(purse, shelf, at_ms)
    if matched.report.status:
        return matched
    order = shelf.order
    here = order.kind and order.side == side and order.at_ms + assumed.latency_ms <= at_ms
    if here and order.time_in_force == TimeInForce.FOK and available < rest_of(order):
        return ended(purse, shelf, order, at_ms, Rejection.LIQUIDITY)
    return Matched(purse, shelf, NO_REPORT)


def at_level(
    purse: Purse,
    shelf: Shelf,
    instrument: Instrument,
    assumed: Assumptions,
    side: int,
    price: int,
    at_ms: int,
) -> Matched:
    """Take from one level of the depth what there is room for, if the collar allows it."""
    order = shelf.order
    here = order.kind and order.side == side and order.at_ms + assumed.latency_ms <= at_ms
    if not here or order.stage == Stage.WORKING:
        return Matched(purse, shelf, NO_REPORT)
    if order.side * (price - order.price) > 0 and order.kind != Kind.MARKET:
        return Matched(purse, shelf, NO_REPORT)
    if order.post_only:
        return ended(purse, shelf, order, at_ms, Rejection.POST_ONLY)
    if unpaid(shelf, instrument, order, price):
        return ended(purse, shelf, order, at_ms, Rejection.INSUFFICIENT)
    return exchanged(purse, shelf, instrument, order, price, at_ms, 0)


def after_levels(
    purse: Purse, shelf: Shelf, assumed: Assumptions, side: int, at_ms: int
) -> Matched:
    """What the depth did not fill rests, or is over."""
    order = shelf.order
    here = order.kind and order.side == side and order.at_ms + assumed.latency_ms <= at_ms
    if not here or order.stage == Stage.WORKING:
        return Matched(purse, shelf, NO_REPORT)
    if order.time_in_force == TimeInForce.IOC or order.time_in_force == TimeInForce.FOK:
        return ended(purse, shelf, order, at_ms, Rejection.LIQUIDITY)
    return Matched(purse, placed(shelf, order._replace(stage=int(Stage.WORKING))), NO_REPORT)


def over_before(purse: Purse, shelf: Shelf, at_ms: int) -> Matched:
    """End the leg whose coins the other one sold, or what has expired."""
    matched = uncovered(purse, shelf, at_ms)
    return matched if matched.report.status else expired(purse, shelf, at_ms)


def expired(purse: Purse, shelf: Shelf, at_ms: int) -> Matched:
    order = shelf.order
    if order.time_in_force == TimeInForce.GTD and order.expires_ms <= at_ms:
        return ended(purse, shelf, order, at_ms, Rejection.EXPIRED)
    return Matched(purse, shelf, NO_REPORT)
