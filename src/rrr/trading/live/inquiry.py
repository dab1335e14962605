"""The venue is asked for as much as is needed, and what it says becomes claims in integers.

What was not asked, or not answered to its end, stands as a failed answer: from it nothing is
concluded. Several questions are one inquiry, and bear the time of the first.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from rrr.database.live import Known
from rrr.trading.live import claims
from rrr.trading.live.claims import FAILED, Answer, Claims, OrderClaim, Reading
from rrr.trading.live.outcomes import Outcome
from rrr.trading.live.seen import OPEN
from rrr.trading.live.wire import Row, Wire

T = TypeVar("T")
C = TypeVar("C")

UNASKED: Final = Claims(0, FAILED, FAILED, FAILED, FAILED, FAILED)
Turn = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Each question waits for its turn."""

    wire: Wire
    reading: Reading
    clock: Callable[[], int]
    coins: tuple[str, ...]

    async def open(self, turn: Turn) -> Claims:
        """The orders that work there: the cheapest of all questions."""
        at_ms = self.clock()
        async with turn():
            rows = await self.wire.open_orders()
        return UNASKED._replace(at_ms=at_ms, open=self._orders(rows, 0))

    async def orders(self, turn: Turn, since_ms: int) -> Claims:
        """Orders and own trades: what it takes to say that something is not there.

        Open orders before closed ones, and trades last: an order only goes that way.
        """
        found = await self.open(turn)
        async with turn():
            closed = await self.wire.closed_orders(since_ms)
        return found._replace(
            closed=self._orders(closed, since_ms), trades=await self.trades(turn, since_ms)
        )

    async def all(self, turn: Turn, since_ms: int, orders_since_ms: int) -> Claims:
        """Everything, the balances last: what they show, the trades before them explain."""
        found = await self.orders(turn, min(since_ms, orders_since_ms))
        async with turn():
            moved = await self.wire.ledger(self.coins, since_ms)
        async with turn():
            balances = await self.wire.balances()
        return found._replace(
            moved=_read(moved, lambda rows: claims.movements(rows, self.reading, since_ms)),
            balances=_read(balances, lambda rows: claims.balances(rows, self.reading)),
        )

    async def trades(self, turn: Turn, since_ms: int) -> Answer[Any]:
        async with turn():
            found = await self.wire.trades(since_ms)
        return _read(found, lambda rows: claims.trades(rows, self.reading, since_ms))

    async def one(self, turn: Turn, order: Known, kind: int, since_ms: int) -> Claims | Outcome:
        """One order by its name, with the trades that it says it has and we do not know.

        Nothing is said of the others: its lists are never whole.
        """
        at_ms, pair = self.clock(), self.wire.pairs[order.instrument]
        async with turn():
            rows = await self.wire.find(pair, kind, order.venue_id)
        if not rows:
            async with turn():
                rows = await self.wire.look_up(pair, kind, order.client_id, since_ms)
        if isinstance(rows, Outcome):
            return rows
        told = claims.orders(rows, self.reading, since_ms)
        ours = [one for one in told.items if order.sequence == one.sequence or is_named(one, order)]
        working = tuple(one for one in ours if one.standing in OPEN)
        over = tuple(one for one in ours if one.standing not in OPEN)
        found = UNASKED._replace(
            at_ms=at_ms,
            open=Answer(working, False, since_ms, told.troubles),
            closed=Answer(over, False, since_ms),
        )
        if any(one.filled != order.filled for one in ours):
            found = found._replace(trades=await self.trades(turn, since_ms))
        return found

    def _orders(self, found: list[Row] | Outcome, since_ms: int) -> Answer[OrderClaim]:
        return _read(found, lambda rows: claims.orders(rows, self.reading, since_ms))


def is_named(one: OrderClaim, order: Known) -> bool:
    """Whether it bears the venue's name of our order."""
    return one.venue_id == order.venue_id and one.instrument == order.instrument


def troubles(found: Claims) -> list[str]:
    """What kept the answers from being whole, in words; each once."""
    answers: tuple[Answer[Any], ...] = found[1:]
    return list(dict.fromkeys(text for answer in answers for text in answer.troubles))


def is_whole(found: Claims) -> bool:
    return is_whole_but_balances(found) and found.balances.whole


def is_whole_but_balances(found: Claims) -> bool:
    answers: tuple[Answer[Any], ...] = found[1:-1]
    return all(answer.whole for answer in answers)


def _read(found: T | Outcome, read: Callable[[T], Answer[C]]) -> Answer[C]:
    """As claims; what became of a question that failed is its trouble."""
    if isinstance(found, Outcome):
        return FAILED._replace(troubles=(found.words,))
    return read(found)
