"""Candles fill orders. Where a candle leaves two ways open, the worse one for us happened.

One candle is met twice. At its open, what waited for it is filled: takes, triggered stops, limits
that arrive. Then inside: stops first, then what rests. What was bought at the open is under its
stop inside. Each function says one thing a call, and is called until it says nothing.

Whoever takes pays half the spread, the slippage, the rounding to the worse tick and, late by
`latency_ms`, the share √(late ÷ duration) of what the candle then moved against him: prices move
with the root of time; a post-only order meets what it moved for him, and is refused. Whoever rests
is filled at his own price, when it is traded through; where it is only touched, by the share that
is assumed. In the candle that he came late to, prices go from its close no further back than the
share √(left ÷ duration). Nobody exchanges more than `participation_ppm` of what the candle did.
Cancels are not late, and stops are never too late to be hit.
"""

from .market import PPM, Candle, Instrument, down, lots, root, share_ppm, up
from .orders import NO_REPORT, Kind, Order, Rejection, Side, Stage, Status, TimeInForce, rest_of
from .shelf import (
    Assumptions,
    Matched,
    Purse,
    Shelf,
    crossing,
    ended,
    exchanged,
    placed,
    said,
    slip,
    stands,
    uncovered,
    unpaid,
)


def stirs(shelf: Shelf, candle: Candle) -> int:
    """1 unless all that works here rests, and this candle does not come near it."""
    stop, target = shelf.stop, shelf.target
    if shelf.order.kind or (target.kind and target.stage != Stage.WORKING):
        return 1
    if target.kind and candle.high >= target.price:
        return 1
    if not stop.kind:
        return 1 if target.kind else 0
    if stop.kind == Kind.TRAILING or stop.stage == Stage.TRIGGERED:
        return 1
    return 1 if candle.low <= stop.price else 0


def at_open(
    purse: Purse,
    shelf: Shelf,
    instrument: Instrument,
    assumed: Assumptions,
    candle: Candle,
    opened_at_ms: int,
    at_ms: int,
) -> Matched:
    """Let what waited for this candle meet its open."""
    stop = shelf.stop
    if stop.stage == Stage.TRIGGERED and stop.kind != Kind.STOP_LIMIT:
        price = slip(candle.open, stop.side, instrument, shelf.half_spread)
        matched = exchanged(purse, shelf, instrument, stop, price, opened_at_ms, 0)
        if matched.report.status:
            return matched
    matched = uncovered(purse, shelf, opened_at_ms)
    if matched.report.status:
        return matched
    matched = waited(purse, shelf, instrument, assumed, shelf.target, candle, opened_at_ms, at_ms)
    if matched.report.status:
        return matched
    purse, shelf = matched.purse, matched.shelf
    return waited(purse, shelf, instrument, assumed, shelf.order, candle, opened_at_ms, at_ms)


def waited(
    purse: Purse,
    shelf: Shelf,
    instrument: Instrument,
    assumed: Assumptions,
    order: Order,
    candle: Candle,
    opened_at_ms: int,
    at_ms: int,
) -> Matched:
    """One order at the open of a candle: it is over, it arrives, or it is not its time."""
    if not order.kind:
        return Matched(purse, shelf, NO_REPORT)
    if order.time_in_force == TimeInForce.GTD and order.expires_ms < at_ms:
        return ended(purse, shelf, order, opened_at_ms, Rejection.EXPIRED)
    here_ms = order.at_ms + assumed.latency_ms
    if order.stage == Stage.WORKING or here_ms >= at_ms:
        return Matched(purse, shelf, NO_REPORT)
    price = candle.open
    if here_ms <= opened_at_ms:
        return arrived(purse, shelf, instrument, order, price, opened_at_ms)
    late = share_ppm(here_ms - opened_at_ms, at_ms - opened_at_ms)
    rises = order.side if not order.post_only else -order.side
    worst = candle.high if rises > 0 else candle.low
    price += rises * up(abs(worst - price), root(late * PPM), PPM)
    matched = arrived(purse, shelf, instrument, order, price, opened_at_ms)
    return Matched(matched.purse, stands(matched.shelf, order, here_ms), matched.report)


def arrived(
    purse: Purse, shelf: Shelf, instrument: Instrument, order: Order, price: int, at_ms: int
) -> Matched:
    """Meet the market at this price: be filled, rest, or be over."""
    taken = slip(price, order.side, instrument, shelf.half_spread)
    beyond = order.side * (taken - order.price) > 0 and order.kind != Kind.MARKET
    at_once = order.time_in_force == TimeInForce.IOC or order.time_in_force == TimeInForce.FOK
    if order.post_only and crossing(shelf, instrument, order, price):
        return ended(purse, shelf, order, at_ms, Rejection.POST_ONLY)
    if (beyond or order.post_only) and not at_once:
        rests = order._replace(stage=int(Stage.WORKING))
        return Matched(purse, placed(shelf, rests), NO_REPORT)
    if beyond:
        return ended(purse, shelf, order, at_ms, Rejection.COLLAR)
    rest = rest_of(order)
    if shelf.room < rest:
        if order.time_in_force == TimeInForce.FOK:
            return ended(purse, shelf, order, at_ms, Rejection.LIQUIDITY)
        if shelf.room == 0 and at_once and (order.filled or order.side == Side.BUY):
            return ended(purse, shelf, order, at_ms, Rejection.LIQUIDITY)
    if not at_once:
        order = order._replace(stage=int(Stage.WORKING))  # what it does not take will rest
        shelf = placed(shelf, order)
    if unpaid(shelf, instrument, order, taken):
        return ended(purse, shelf, order, at_ms, Rejection.INSUFFICIENT)
    return exchanged(purse, shelf, instrument, order, taken, at_ms, 0)


def at_no_open(purse: Purse, shelf: Shelf, at_ms: int) -> Matched:
    """End a purchase whose open never came: it takes what it meets at once, or nothing."""
    order = shelf.order
    if order.kind and order.time_in_force == TimeInForce.GTD and order.expires_ms <= at_ms:
        return ended(purse, shelf, order, at_ms, Rejection.EXPIRED)
    at_once = order.time_in_force == TimeInForce.IOC or order.time_in_force == TimeInForce.FOK
    if not order.kind or order.side == Side.SELL or not at_once:
        return Matched(purse, shelf, NO_REPORT)
    return ended(purse, shelf, order, at_ms, Rejection.NO_PRICE)


def inside(
    purse: Purse,
    shelf: Shelf,
    instrument: Instrument,
    assumed: Assumptions,
    candle: Candle,
    opened_at_ms: int,
    at_ms: int,
) -> Matched:
    """Trigger the stop that this candle touched, then fill what rested and was traded through."""
    matched = uncovered(purse, shelf, at_ms)
    if matched.report.status:
        return matched
    if shelf.stop.kind:
        matched = stopped(purse, shelf, instrument, candle, at_ms)
        if matched.report.status:
            return matched
        shelf = matched.shelf
    if shelf.target.stage == Stage.WORKING:
        matched = rested(
            purse, shelf, instrument, assumed, shelf.target, candle, opened_at_ms, at_ms
        )
        if matched.report.status:
            return matched
    if shelf.order.stage == Stage.WORKING:
        return rested(purse, shelf, instrument, assumed, shelf.order, candle, opened_at_ms, at_ms)
    return Matched(purse, shelf, NO_REPORT)


def stopped(
    purse: Purse, shelf: Shelf, instrument: Instrument, candle: Candle, at_ms: int
) -> Matched:
    """A gap through the trigger is filled at the open. A trailing stop is hit before it is raised,
    or after it, whichever the candle allows and the first of them is the worse. No price is
    followed from before the stop stood, nor met from before it was triggered."""
    order, high = shelf.stop, candle.high
    if order.stage == Stage.TRIGGERED:
        if order.kind != Kind.STOP_LIMIT:
            price = slip(candle.open, order.side, instrument, shelf.half_spread)
            return exchanged(purse, shelf, instrument, order, price, at_ms, 0)
        reached = high if order.at_ms < at_ms else candle.close
        if reached > order.limit:
            return exchanged(purse, shelf, instrument, order, order.limit, at_ms, 1)
        return Matched(purse, shelf, NO_REPORT)
    first = min(candle.open, order.price)
    follows = order.kind == Kind.TRAILING and order.at_ms < at_ms
    if follows and candle.low > order.price:
        raised = max(followed(instrument, order.trail, high), order.price)
        order = order._replace(price=raised)
        shelf, first = shelf._replace(stop=order), raised
    if candle.low > order.price:
        return Matched(purse, shelf, NO_REPORT)
    price = slip(first, order.side, instrument, shelf.half_spread)
    order = order._replace(stage=int(Stage.TRIGGERED))
    if shelf.room == 0 or (order.kind == Kind.STOP_LIMIT and price < order.limit):
        report = said(order, at_ms, Status.TRIGGERED, Rejection.NONE)
        order = order._replace(at_ms=at_ms)  # from here on it is a limit
        return Matched(purse, placed(shelf, order), report)
    return exchanged(purse, shelf, instrument, order, price, at_ms, 0)


def followed(instrument: Instrument, trail: int, best: int) -> int:
    """Where a stop stands that follows the best price: on its tick, and never below one."""
    below = best - trail
    return max(below - below % instrument.tick, instrument.tick)


def rested(
    purse: Purse,
    shelf: Shelf,
    instrument: Instrument,
    assumed: Assumptions,
    order: Order,
    candle: Candle,
    opened_at_ms: int,
    at_ms: int,
) -> Matched:
    """Fill what rests at its own price, where the candle traded through it."""
    best = candle.low if order.side == Side.BUY else candle.high
    if order.at_ms > opened_at_ms:
        left = root(share_ppm(at_ms - order.at_ms, at_ms - opened_at_ms) * PPM)
        best = candle.close - order.side * down(abs(candle.close - best), left, PPM)
    through = order.side * (order.price - best)
    if through < 0:
        return Matched(purse, shelf, NO_REPORT)
    if unpaid(shelf, instrument, order, order.price):
        return ended(purse, shelf, order, at_ms, Rejection.INSUFFICIENT)
    if through > 0:
        return exchanged(purse, shelf, instrument, order, order.price, at_ms, 1)
    share = lots(instrument, down(rest_of(order), assumed.touch_share_ppm, PPM))
    if share == 0:
        return Matched(purse, shelf, NO_REPORT)
    touched = shelf._replace(room=min(shelf.room, share))
    matched = exchanged(purse, touched, instrument, order, order.price, at_ms, 1)
    return Matched(matched.purse, matched.shelf._replace(room=0), matched.report)
