"""A book is compared with a venue as both are seen; what differs is told, noted, or kept open.

The two ends of a reconciliation: what enters beside the claims of the venue, and what leaves.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from rrr.core.events import Flow
from rrr.core.ledger import QUOTE
from rrr.core.orders import NO_ORDER, Amend, Kind, Order, Report, Side, is_stop
from rrr.core.state import State
from rrr.database.live import Foreign, Known, Notes, Outside, Progress, Tied, Traded
from rrr.trading.live.claims import ELSEWHERE, Claims, Leg, Standing, TradeClaim

CLOCKS_MS: Final = 60_000  # how far a venue's clock and ours may lie apart
OPEN: Final = (Standing.OPEN, Standing.TRIGGERED)  # an order, as the venue says
OVER: Final = (Progress.ENDED, Progress.REJECTED)  # and as we know


class Why(IntEnum):
    """Why an instrument may only be reduced."""

    BALANCE = 1  # the venue's is not ours
    TAKEN = 2  # somebody took coins of the book
    FOREIGN = 3  # somebody else's order, trade or coins, which nobody released
    IMPOSSIBLE = 4  # a trade of ours that the books cannot hold


class Frozen(NamedTuple):
    instrument: int
    why: int
    currency: int
    ours: int
    theirs: int
    words: str


class Seen(NamedTuple):
    """The book, and what is written at its seam."""

    state: State
    notes: Notes
    since_ms: int  # what moved before is aside already
    dedicated: bool  # all money in the account is the book's
    starting: bool  # nothing is on its way that was not begun by a process that died
    gone: frozenset[int] = frozenset()  # orders that were looked up and are not at the venue
    at_ms: int = 0  # the book's clock, which all that it is told bears; 0: that of the claims
    amends: Mapping[int, Amend] = MappingProxyType({})  # of which the venue may not show yet
    inside_ms: int = 0  # when the running candle closes, the time of what rests and is filled in it


class Settled(NamedTuple):
    """What the book is told, what is noted, and what stays open."""

    reports: tuple[Report, ...]
    flows: tuple[Flow, ...]
    trades: tuple[Traded, ...]  # one for each report of a fill, in the same order
    orders: tuple[Known, ...]  # those of which we now know more
    foreign: tuple[Foreign, ...]
    frozen: tuple[Frozen, ...]
    unknown: tuple[int, ...]  # orders to look up
    recall: tuple[int, ...]  # called back, and still open at the venue
    waiting: tuple[str, ...]  # what was told and cannot be believed yet, in words
    tied: tuple[Tied, ...]  # the balances side by side; none where the venue did not say them
    whole: bool  # every query was answered to its end, and nothing waits

    @property
    def nothing(self) -> bool:
        """There is nothing to write."""
        return not (self.reports or self.flows or self.orders or self.foreign)


def begun(state: State, venue: Claims) -> tuple[Foreign, ...]:
    """What is in the account when a book begins, and is not the book's: set aside, once."""
    held = (state.account.cash, *(lane.quantity for lane in state.lanes))
    words = "in the account before the book began"
    return tuple(
        Foreign(Outside.BEGINNING, str(c), c, ELSEWHERE, theirs - held[c], 0, venue.at_ms, words)
        for c, theirs in venue.balances.items
    )


def unanswered(order: Known, trade: TradeClaim) -> bool:
    """An order that may have made this trade: it was sent, and nobody has told us its name."""
    settled_at_ms = order.settled_at_ms or trade.at_ms
    return (
        (order.instrument, order.side) == (trade.instrument, trade.side)
        and not order.venue_id
        and order.progress not in (Progress.NEW, Progress.REJECTED)
        and 0 < order.sending_at_ms <= trade.at_ms + CLOCKS_MS
        and trade.at_ms <= settled_at_ms + CLOCKS_MS
        and order.filled + trade.quantity <= order.quantity
    )


def money(legs: Iterable[Leg]) -> int:
    return sum(leg.amount for leg in legs if leg.currency == QUOTE)


def is_take(order: Order) -> bool:
    """Whether it takes what it meets at once, or nothing."""
    return order.kind in (Kind.TAKE, Kind.MARKET)


def working(state: State) -> Iterator[Order]:
    for lane in state.lanes:
        yield from (order for order in (lane.order, lane.stop, lane.target) if order.kind)


def terms(trade: TradeClaim) -> dict[str, int]:
    names = ("quantity", "price", "notional", "fee", "fee_grains")
    return {name: getattr(trade, name) for name in names}


def written(trade: TradeClaim, sequence: int, fill: int) -> Iterator[int | str]:
    """The values of the row that keeps a trade from being booked again."""
    given = {"sequence": sequence, "fill": fill}
    for name in Traded._fields:
        yield given[name] if name in given else getattr(trade, name)


def remembered(known: Known) -> Order:
    """An order that the book has forgotten, as far as a cancel must know it."""
    return NO_ORDER._replace(
        instrument=known.instrument,
        sequence=known.sequence,
        kind=int(Kind.LIMIT),
        side=known.side,
        quantity=known.quantity,
    )


def urgent(order: Order | None) -> bool:
    """Whether it protects or leaves; what nobody knows any more is a sale until it is known."""
    return order is None or order.side == Side.SELL or bool(is_stop(order.kind))
