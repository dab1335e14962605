"""An order is an approved wish; a report is what the venue says became of it."""

from enum import IntEnum
from typing import Final, NamedTuple


class Side(IntEnum):
    BUY = 1
    SELL = -1


class Kind(IntEnum):
    """How an order meets the market. A take is a marketable IOC limit with a collar."""

    NONE = 0
    TAKE = 1
    STOP = 2


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


class Status(IntEnum):
    """What a report says."""

    ACCEPTED = 1
    FILLED = 2
    CANCELLED = 3
    REJECTED = 4


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


class Order(NamedTuple):
    instrument: int
    sequence: int  # of its book: the order's name
    kind: int
    side: int
    quantity: int  # grains
    price: int  # points: the collar of a take, the trigger of a stop
    cause: int
    attempt: int  # how often this exit was tried before
    filled: int  # grains, so far
    stage: int


class Cancel(NamedTuple):
    at_ms: int
    instrument: int
    sequence: int


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
    fee: int  # quanta
    fee_grains: int
    rejection: int


NO_ORDER: Final = Order(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
NO_REPORT: Final = Report(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
