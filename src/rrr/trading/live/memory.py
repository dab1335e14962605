"""What the seam knows is changed where it is decided, and written in the commit of that decision.

The tables of `database.live` hold it for the next start; here it stands as of the last decision,
which may not be committed yet. Whoever changes it takes along the work that writes the change.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rrr.core.orders import Order
from rrr.database import live
from rrr.database.live import Foreign, Key, Known, Notes, Outside, Progress, Tied, Traded
from rrr.trading.engine.venue import Work
from rrr.trading.live.claims import ELSEWHERE
from rrr.trading.live.seen import OVER, Settled


@dataclass(slots=True)
class Memory:
    key: Key
    venue: str
    known: dict[int, Known] = field(default_factory=dict)
    trades: set[str] = field(default_factory=set)
    foreign: set[tuple[int, str]] = field(default_factory=set)
    aside: Counter[int] = field(default_factory=Counter)
    touched: set[int] = field(default_factory=set)
    slack: int = 0
    began_ms: int = 0  # when the book did; 0: never yet
    tied_at_ms: int = 0  # the last tie-out

    @property
    def notes(self) -> Notes:
        return Notes(
            orders=tuple(self.known.values()),
            trades=self.trades,
            foreign=frozenset(self.foreign),
            aside=tuple(self.aside[c] for c in range(max(self.aside, default=0) + 1)),
            touched=frozenset(self.touched),
            slack=self.slack,
        )

    def forget(self, before_ms: int) -> None:
        """Orders that were over by then: nobody asks so far back any more."""
        over = [s for s, one in self.known.items() if 0 < one.settled_at_ms < before_ms]
        for sequence in over:
            del self.known[sequence]

    @property
    def open(self) -> list[Known]:
        """Orders that are not over, as far as anybody has told us."""
        return [one for one in self.known.values() if one.progress not in OVER]

    def intend(self, orders: Sequence[Known]) -> Work:
        self.known |= {one.sequence: one for one in orders}
        return lambda connection: live.know(connection, self.key, self.venue, orders)

    def learn(self, order: Known) -> Work:
        self.known[order.sequence] = order
        return lambda connection: live.learn(connection, self.key, [order])

    def take(self, settled: Settled, at_ms: int) -> Work:
        """All that a pass over the venue's claims has settled."""
        return self.note(settled.orders, settled.trades, settled.foreign, at_ms)

    def note(
        self,
        orders: Sequence[Known],
        trades: Sequence[Traded],
        foreign: Sequence[Foreign],
        at_ms: int,
    ) -> Work:
        """What has become of orders, the trades that are booked, and what is not ours."""
        self.known |= {one.sequence: one for one in orders}
        self.trades |= {one.trade_id for one in trades}
        self.slack += sum(one.rounded for one in trades)
        self._set_aside(foreign)

        def write(connection: sqlite3.Connection) -> None:
            live.learn(connection, self.key, orders)
            live.book(connection, self.key, self.venue, trades)
            live.set_aside(connection, self.key, foreign, at_ms)

        return write

    def begin(self, foreign: Sequence[Foreign], at_ms: int) -> Work:
        """The book begins: what is in the account beside it is set aside."""
        self.began_ms = at_ms
        self._set_aside(foreign)
        return lambda connection: live.set_aside(connection, self.key, foreign, at_ms)

    def tie_out(self, tied: Iterable[Tied], at_ms: int) -> Work:
        self.tied_at_ms, rows = at_ms, tuple(tied)
        return lambda connection: live.tie_out(connection, self.key, at_ms, rows)

    def release(self, instrument: int, at_ms: int) -> Work:
        """A person has looked at what touched it."""
        self.touched.discard(instrument)

        def write(connection: sqlite3.Connection) -> None:
            live.release(connection, self.key, instrument, at_ms)

        return write

    def _set_aside(self, foreign: Iterable[Foreign]) -> None:
        for one in foreign:
            self.foreign.add((one.kind, one.id))
            self.aside[one.currency] += one.aside
            self.slack += one.kind in (Outside.TRADE, Outside.MOVEMENT)
            if one.instrument != ELSEWHERE:
                self.touched.add(one.instrument)


def recalled(connection: sqlite3.Connection, key: Key, venue: str, currencies: int) -> Memory:
    """As the last process left it."""
    notes = live.notes(connection, key, currencies)
    return Memory(
        key=key,
        venue=venue,
        known={one.sequence: one for one in notes.orders},
        trades=set(notes.trades),
        foreign=set(notes.foreign),
        aside=Counter(dict(enumerate(notes.aside))),
        touched=set(notes.touched),
        slack=notes.slack,
        began_ms=live.began_ms(connection, key),
        tied_at_ms=live.tied_at_ms(connection, key),
    )


def named(order: Order, client_id: str, at_ms: int, progress: Progress) -> Known:
    """An order that nobody knew yet; one that leaves at once is on its way from here on."""
    return Known(
        order.sequence,
        order.instrument,
        order.side,
        order.quantity,
        int(progress),
        client_id,
        intent_at_ms=at_ms,
        sending_at_ms=at_ms if progress == Progress.SENDING else 0,
    )
