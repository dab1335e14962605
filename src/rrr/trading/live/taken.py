"""Coins of the book that somebody else sold or withdrew leave it by the next sale that it wants.

The core knows no coins that vanish. When some have (what is aside of them is below nothing), a stop
for them is refused here, and the sale that follows is filled here instead of at the venue: for what
they are worth in the books, without a fee, and as much money leaves as a flow. So nothing is won or
lost by it, the books are the venue's again, and it is no drawdown. What the hand was paid is aside,
or came as a flow already. Pure.
"""

from typing import NamedTuple

from rrr.core.events import Flow
from rrr.core.orders import NO_REPORT, Order, Report, Status
from rrr.core.state import Lane
from rrr.database.live import Foreign, Known, Outside, Progress, Traded


class Taken(NamedTuple):
    """So many grains of an order that never leaves."""

    quantity: int


class Written(NamedTuple):
    reports: tuple[Report, ...]
    flow: Flow
    trade: Traded
    foreign: Foreign


def written(
    order: Order,
    taken: Taken,
    lane: Lane,
    name: str,
    times_ms: tuple[int, int],
) -> Written:
    """What the book is told of it, and under which name; by its own clock, and by the venue's."""
    at_ms, clock_ms = times_ms
    money = lane.worth * taken.quantity // lane.quantity
    fill = NO_REPORT._replace(
        at_ms=at_ms,
        instrument=order.instrument,
        sequence=order.sequence,
        status=int(Status.FILLED),
        side=order.side,
        quantity=taken.quantity,
        price=lane.mark,
        notional=money,
        fill=1,
    )
    end = fill._replace(status=int(Status.CANCELLED), quantity=0, price=0, notional=0, fill=0)
    words = f"{taken.quantity} grains that somebody else took"
    figures = (taken.quantity, lane.mark, money, 0, 0, "", 0, 0)
    trade = Traded(name, order.sequence, 1, clock_ms, name, *figures)
    about = (1 + order.instrument, order.instrument, taken.quantity, -money, clock_ms, words)
    foreign = Foreign(Outside.MOVEMENT, name, *about)
    reports = (fill,) if taken.quantity == order.quantity else (fill, end)
    return Written(reports, Flow(at_ms, -money), trade, foreign)


def over(known: Known, taken: Taken, at_ms: int) -> Known:
    """The order, as it is remembered."""
    filled = taken.quantity
    progress = int(Progress.ENDED)
    return known._replace(progress=progress, settled_at_ms=at_ms, filled=filled, fills=1)
