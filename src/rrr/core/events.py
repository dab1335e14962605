"""What may enter the core and what may leave it: the two closed unions that the journal holds.

A fresh book knows nothing. Its law, its instruments and its money arrive as events like all else,
so the journal alone can rebuild it.
"""

from enum import IntEnum
from typing import NamedTuple

from .market import Candle, Instrument
from .orders import Amend, Cancel, Order, Report
from .shelf import Assumptions
from .state import Law


class Verb(IntEnum):
    """What a person, or the guard, says to the book."""

    HALT = 1
    RESUME = 2
    PANIC = 3  # flatten all, and halt
    GUARD = 4  # the guard halts
    RELEASE = 5  # the guard takes back its own halt


class Limits(NamedTuple):
    at_ms: int
    law: Law


class Assumed(NamedTuple):
    """What the paper venue assumes from now on; no other venue asks."""

    at_ms: int
    assumptions: Assumptions


class Listing(NamedTuple):
    """A new instrument (the next id), or a new version of the rules of one."""

    at_ms: int
    instrument: Instrument


class Flow(NamedTuple):
    """Money that enters (positive) or leaves the book from outside: no profit, no drawdown."""

    at_ms: int
    amount: int  # quanta


class Close(NamedTuple):
    """All instruments of one closing time, in canonical order, at the watermark."""

    at_ms: int
    opened_at_ms: int
    candles: tuple[Candle, ...]  # by instrument id, ascending
    missing: tuple[int, ...]  # instruments that have no candle at this time


class Detail(NamedTuple):
    """Candles of a finer timeframe inside the next close: the paper venue fills by them.

    They enter before that close, the earliest first. Nobody decides on them.
    """

    at_ms: int
    opened_at_ms: int
    candles: tuple[Candle, ...]  # by instrument id, ascending


class Touch(NamedTuple):
    """The best bid and ask that were seen; at a closing time it enters after the close."""

    at_ms: int
    instrument: int
    bid: int  # points
    ask: int  # points
    bid_quantity: int = 0  # grains; 0: nobody said
    ask_quantity: int = 0


class Print(NamedTuple):
    """What others exchanged. Only the paper venue listens."""

    at_ms: int
    instrument: int
    price: int  # points
    quantity: int  # grains


class Level(NamedTuple):
    price: int  # points
    quantity: int  # grains


class Depth(NamedTuple):
    """The order book, best prices first. Only the paper venue listens."""

    at_ms: int
    instrument: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class Adopted(NamedTuple):
    """Whose signals are obeyed from now on."""

    at_ms: int
    model: int  # 0: the baseline


class Signal(NamedTuple):
    at_ms: int
    instrument: int
    conviction_bps: int  # -10,000 (short) to 10,000 (long)
    model: int  # 0: the baseline


class Command(NamedTuple):
    at_ms: int
    verb: int


class Refused(NamedTuple):
    at_ms: int
    instrument: int
    refusal: int
    times: int  # in a row; only the first of a row is journaled


class Halted(NamedTuple):
    at_ms: int
    halt: int


Event = (
    Limits
    | Assumed
    | Listing
    | Flow
    | Report
    | Close
    | Detail
    | Touch
    | Print
    | Depth
    | Adopted
    | Signal
    | Command
)
Decision = Order | Cancel | Amend | Refused | Halted
