"""An order is an approved wish; a report is what the venue says became of it.

Reports come late, twice and in any order. `told` is the only place where an order's stage changes,
by one table; a fill is booked once, whatever stage its order was thought to be in.
"""

from enum import IntEnum
from typing import Final, NamedTuple

SEEN_MAX: Final = 62  # numbers of fills that one order remembers behind the last


class Side(IntEnum):
    BUY = 1
    SELL = -1


class Kind(IntEnum):
    """How an order meets the market. A take is a marketable limit with a collar."""

    NONE = 0
    TAKE = 1
    STOP = 2  # rests; once triggered it takes at any price
    LIMIT = 3
    STOP_LIMIT = 4  # once triggered it is a limit
    TRAILING = 5  # a stop that follows the best price
    MARKET = 6  # without a collar: only to compare with programs that know nothing better


class TimeInForce(IntEnum):
    GTC = 0
    IOC = 1
    FOK = 2
    GTD = 3


class Cause(IntEnum):
    """Why an order was sent: the word that a person reads beside the fill."""

    NONE = 0
    SIGNAL = 1
    STOP = 2
    TARGET = 3
    UNPROTECTED = 4  # the venue would not take the stop
    PANIC = 5


class Stage(IntEnum):
    """What we know of an order. What the venue does not say is UNKNOWN, never failed."""

    NONE = 0
    SENDING = 1
    WORKING = 2
    CANCELLING = 3
    FILLED = 4
    CANCELLED = 5
    REJECTED = 6
    UNKNOWN = 7
    TRIGGERED = 8
    AMENDING = 9  # it rests as it was, until the venue says otherwise


class Status(IntEnum):
    """What a report says."""

    ACCEPTED = 1
    FILLED = 2  # wholly or in part
    CANCELLED = 3
    REJECTED = 4
    TRIGGERED = 5  # a stop, of which nothing filled yet
    UNKNOWN = 6  # nobody answered
    AMENDED = 7  # what it is now; with a rejection: still, for it was not to be changed


class Rejection(IntEnum):
    """Why the venue said no, or ended an order by itself."""

    NONE = 0
    INSUFFICIENT = 1
    PRICE_GRID = 2
    QUANTITY_GRID = 3
    BELOW_MINIMUM = 4
    UNKNOWN_ORDER = 5
    CAPACITY = 6
    COLLAR = 7
    NO_PRICE = 8
    LIQUIDITY = 9  # less was there than the order asked for
    POST_ONLY = 10  # it would have taken
    REDUCE_ONLY = 11  # it would have added
    EXPIRED = 12
    PARTNER = 13  # the other leg was filled
    TERMS = 14  # kind, time in force and flags that do not go together
    CAP = 15  # the last wall before the wire: it never left
    FROZEN = 16  # books and venue differ there: it never left


class Order(NamedTuple):
    instrument: int
    sequence: int  # of its book: the order's name
    kind: int
    side: int
    quantity: int  # grains
    price: int  # points: the collar of a take, a limit, the trigger of a stop
    cause: int
    attempt: int  # how often this was tried before
    filled: int  # grains, so far
    stage: int
    limit: int  # points: the worst price of a stop-limit once it is triggered
    trail: int  # points: how far the trigger of a trailing stop stays below the best price
    partner: int  # sequence of the other leg: what fills one ends the other; 0: none
    time_in_force: int
    expires_ms: int  # of a GTD
    post_only: int
    reduce_only: int
    at_ms: int  # when it was decided
    last_fill: int  # the highest number of a fill that was booked
    fills_seen: int  # bit n: the fill numbered `last_fill - n` was booked


class Cancel(NamedTuple):
    at_ms: int
    instrument: int
    sequence: int


class Amend(NamedTuple):
    """A stop that rests is to sell so much, at this trigger; it stays where it is meanwhile."""

    at_ms: int
    instrument: int
    sequence: int
    quantity: int  # grains, what is filled among them
    price: int  # points; a limit keeps its distance from it


class Report(NamedTuple):
    """A fill carries the venue's own figures: notional and fee are never recomputed from it."""

    at_ms: int
    instrument: int
    sequence: int
    status: int
    side: int
    quantity: int  # grains
    price: int  # points
    notional: int  # quanta: a purchase rounded up, a sale rounded down
    fee: int  # quanta; a rebate is negative
    fee_grains: int
    rejection: int
    fill: int  # number of the fill within its order, from 1; 0: nothing was exchanged
    maker: int  # 1 if the order had rested


class Ended(NamedTuple):
    """What must be remembered of an order that is over: which of its fills were booked."""

    sequence: int
    last_fill: int
    fills_seen: int


NO_ORDER: Final = Order(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
NO_REPORT: Final = Report(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
NO_ENDED: Final = Ended(0, 0, 0)

# Each stage: the stage after ACCEPTED, FILLED in part, CANCELLED, REJECTED, TRIGGERED, UNKNOWN,
# AMENDED.
_AFTER: Final = {
    Stage.NONE: (Stage.NONE,) * 7,
    Stage.SENDING: (
        Stage.WORKING, Stage.WORKING, Stage.CANCELLED, Stage.REJECTED, Stage.TRIGGERED,
        Stage.UNKNOWN, Stage.WORKING,
    ),
    # An acknowledgement that comes after the fill changes nothing.
    Stage.WORKING: (
        Stage.WORKING, Stage.WORKING, Stage.CANCELLED, Stage.REJECTED, Stage.TRIGGERED,
        Stage.UNKNOWN, Stage.WORKING,
    ),
    # What is being cancelled may still fill, be acknowledged late, or be triggered.
    Stage.CANCELLING: (
        Stage.CANCELLING, Stage.CANCELLING, Stage.CANCELLED, Stage.REJECTED, Stage.CANCELLING,
        Stage.CANCELLING, Stage.CANCELLING,
    ),
    # What is over stays over: a late fill is booked, and no word brings the order back.
    Stage.FILLED: (Stage.FILLED,) * 7,
    Stage.CANCELLED: (Stage.CANCELLED,) * 7,
    Stage.REJECTED: (Stage.REJECTED,) * 7,
    # Whatever the venue says of an unknown order makes it known.
    Stage.UNKNOWN: (
        Stage.WORKING, Stage.WORKING, Stage.CANCELLED, Stage.REJECTED, Stage.TRIGGERED,
        Stage.UNKNOWN, Stage.WORKING,
    ),
    Stage.TRIGGERED: (
        Stage.TRIGGERED, Stage.TRIGGERED, Stage.CANCELLED, Stage.REJECTED, Stage.TRIGGERED,
        Stage.UNKNOWN, Stage.TRIGGERED,
    ),
    # Whoever does not answer an amendment leaves the order as it is, in one way or the other.
    Stage.AMENDING: (
        Stage.AMENDING, Stage.AMENDING, Stage.CANCELLED, Stage.REJECTED, Stage.TRIGGERED,
        Stage.AMENDING, Stage.WORKING,
    ),
}  # fmt: skip
AFTER: Final = tuple(tuple(int(after) for after in _AFTER[stage]) for stage in Stage)


def told(order: Order, report: Report) -> Order:
    """The order after one report of the venue: its stage, and what it has filled.

    A cancel that the venue refuses, for it no longer knows the order, leaves it as it is: the last
    word of it is on its way.
    """
    if report.rejection == Rejection.UNKNOWN_ORDER:
        return order
    if report.status == Status.FILLED:
        order = noted(order, report)
        if order.filled >= order.quantity:
            return order._replace(stage=int(Stage.FILLED))
    if report.status == Status.AMENDED:
        refused = 1 if report.rejection != Rejection.NONE else 0
        order = amended(order, report.quantity, report.price)
        order = order._replace(attempt=order.attempt + refused)
        if order.filled >= order.quantity:
            return order._replace(stage=int(Stage.FILLED))
    return order._replace(stage=AFTER[order.stage][report.status - 1])


def amended(order: Order, quantity: int, price: int) -> Order:
    """Another quantity and trigger; a limit keeps its distance."""
    limit = order.limit + price - order.price if order.limit else 0
    return order._replace(quantity=quantity, price=price, limit=limit)


def over(order: Order) -> int:
    """1 if the venue has said its last word."""
    stage = order.stage
    return 1 if stage == Stage.FILLED or stage == Stage.CANCELLED or stage == Stage.REJECTED else 0


def awaited(order: Order) -> int:
    """1 if a word of the venue is awaited: it is not there yet, leaves, or nobody knows."""
    return 0 if order.stage == Stage.NONE or order.stage == Stage.WORKING else 1


def fresh(last_fill: int, fills_seen: int, fill: int) -> int:
    """1 if the fill of this number was not booked yet.

    A sliding window of bits, as against replayed packets (RFC 4303, 3.4.3): what lies further back
    than it reaches counts as booked.
    """
    assert fill > 0, "A venue numbers the fills of an order."
    behind = last_fill - fill
    if behind < 0:
        return 1
    if behind >= SEEN_MAX:
        return 0
    return 1 - (fills_seen >> behind & 1)


def noted(order: Order, report: Report) -> Order:
    """Remember a fill of this order; one that was noted before adds nothing."""
    if not fresh(order.last_fill, order.fills_seen, report.fill):
        return order
    last_fill = max(order.last_fill, report.fill)
    return order._replace(
        filled=order.filled + report.quantity,
        last_fill=last_fill,
        fills_seen=seen(order.last_fill, order.fills_seen, report.fill),
    )


def seen(last_fill: int, fills_seen: int, fill: int) -> int:
    """The window of bits with one more fill in it."""
    ahead = fill - last_fill
    if ahead <= 0:
        return fills_seen | 1 << -ahead
    if ahead >= SEEN_MAX:
        return 1
    kept = fills_seen & ((1 << SEEN_MAX - ahead) - 1)
    return kept << ahead | 1


def rest_of(order: Order) -> int:
    """Grains that are still to be filled."""
    return order.quantity - order.filled


def is_stop(kind: int) -> int:
    return 1 if kind == Kind.STOP or kind == Kind.STOP_LIMIT or kind == Kind.TRAILING else 0
