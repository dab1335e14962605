"""What the principal met, a shadow meets; what the principal said, it says otherwise.

A follower reads the principal's committed rows from outside, a page at a time, and gives them to an
engine with a book of its own: closes, touches, depths, halts, and the law, with the words of its
companion in place of the principal's. All that it does is a function of that journal, also what was
too late to be acted on: the same rows make the same book, however often it was killed. Only the
first money is its own too: what comes or goes later is the principal's alone, returns are compared.
"""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from itertools import compress
from typing import Any, Final, NamedTuple

from rrr.core.events import (
    Adopted,
    Assumed,
    Close,
    Depth,
    Event,
    Flow,
    Limits,
    Listing,
    Print,
    Signal,
    Touch,
)
from rrr.core.market import BPS
from rrr.core.orders import Report, Status
from rrr.core.state import Sizing
from rrr.database import sessions, shadows
from rrr.database.journal import KINDS, REPORT, Row, decode
from rrr.database.shadows import Shadow
from rrr.neural_network.twins import Companion, Own, Turn
from rrr.trading.engine.engine import Engine, Moment
from rrr.trading.engine.opening import accompanied

PAGE_ROWS: Final = 256  # of the principal, read at once: the loop is never held for long
CLOSE, SIGNAL, ADOPTED, FLOW = (KINDS[kind] for kind in (Close, Signal, Adopted, Flow))
TOGETHER: Final = {KINDS[kind] for kind in (Close, Touch, Depth, Print, Adopted, Signal)}


# A holder means shares of equity, and keeps them: no book is without stop and target, a
# holder's are half the price away and ten times it.
HOLDER: Final = {
    "sizing": int(Sizing.EQUITY),
    "conviction_min_bps": 1,
    "stop_bps": 5_000,
    "stop_limit_bps": 0,
    "trail_bps": 0,
    "target_bps": 10 * BPS,
    "target_rests": 0,
    "loss_24h_max_bps": BPS,
    "drawdown_max_bps": BPS,
    "cooldown_ms": 0,
}


class Heard(NamedTuple):
    """A row of the principal."""

    row: Row
    equity: int  # of the close before a close


class Known(NamedTuple):
    """What decides whether a close could be acted on."""

    begins_ms: int  # closes up to here were only learned from, but in a real market
    stale_ms: int = 0  # in a real market: known so late, they are past
    late_ms: int = 0  # and so late, they open nothing
    real: bool = False

    def past(self, row: Row) -> bool:
        if self.real:
            return row.arrived_at_ms - row.at_ms > self.stale_ms
        return row.at_ms <= self.begins_ms

    def late(self, row: Row) -> bool:
        return self.real and row.arrived_at_ms - row.at_ms > self.late_ms


# Who speaks for a shadow as of a row of the principal, with what is told of it; not yet warmed.
Casting = Callable[[Shadow, int, Engine], Awaitable[tuple[Companion, dict[str, Any]]]]


class Follower:
    """One shadow, from the row that it met last to the last one that is committed."""

    def __init__(self, shadow: Shadow, principal: Engine, known: Known, cast: Casting) -> None:
        self.shadow, self.principal, self.known, self.cast = shadow, principal, known, cast
        self.met = shadow.follows
        self.news = asyncio.Event()
        self.over = False  # nothing is decided any more: meet what is there, and rest
        self.leaves = False  # rest now, and meet the others in the next life

    def tell(self, over: bool = False) -> None:
        """There is something new, or there will be nothing more."""
        self.over = self.over or over
        self.news.set()

    def leave(self) -> None:
        """Rest behind the page that is being met."""
        self.leaves = True
        self.tell(over=True)

    async def run(self) -> None:
        """Follow until it is over. Whatever fails here ends this shadow, and nothing else."""
        self.engine = await accompanied(self.principal, self.shadow.book)
        if self.engine.head.number == 0 and self.met:
            await self.engine.take([Moment(await self._in_force())])
        self.adopted = self.engine.state.account.model
        await self._turn_to(self.met, self.met)
        while True:
            self.news.clear()
            if not self.leaves and self.met < self.principal.committed.number:
                await self._page()
            elif self.over:
                break
            else:
                await self.news.wait()
        await self.engine.rest()

    async def _in_force(self) -> list[Event]:
        """What a book must be told that does not begin with the session."""
        found = await self.engine.db.read(shadows.FOUNDING, (self.shadow.session, self.met))
        events = [self._as_mine(event_of(shadows.row(row))) for row in found]
        last = {type(event): event for event in events if not isinstance(event, Listing)}
        first = [event for event in events if isinstance(event, Flow)][:1]
        kept = [last[kind] for kind in (Limits, Assumed) if kind in last] + first
        return [event for event in events if isinstance(event, Listing) or event in kept]

    async def _turn_to(self, number: int, until: int) -> None:
        """Let those speak who do as of this row; they are shown what was before."""
        self.companion, self.about = await self.cast(self.shadow, number, self.engine)
        if not self.companion.window:
            return
        back = (self.shadow.session, until, self.companion.window - 1)
        found = await self.engine.db.read(shadows.BACK, back)
        before = groups(await self._rows(int(found[0][0]) - 1 if found else 0, until))

        def show() -> None:
            for group in before:
                if group[0].row.kind == CLOSE:
                    self.companion.show(turn_of(group))

        await asyncio.to_thread(show)

    async def _rows(self, after: int, until: int, limit: int = -1) -> list[Heard]:
        about = (self.shadow.session, after, until, limit)
        found = await self.engine.db.read(shadows.PAGE, about)
        return [Heard(shadows.row(row), row[-1] or 0) for row in found]

    async def _page(self) -> None:
        """Meet some rows, whole groups of them, in one commit with how far it came."""
        until, limit = self.principal.committed.number, PAGE_ROWS
        found = groups(await self._rows(self.met, until, limit))
        while (full := sum(map(len, found)) == limit) and len(found) == 1:
            limit *= 2
            found = groups(await self._rows(self.met, until, limit))
        moments: list[Moment] = []
        for group in found[:-1] if full else found:
            moments += await self._met(group)
            self.met = group[-1].row.number
        if not full:
            self.met = until
        met, memory, shadow = self.met, self.companion.memory, self.shadow

        def followed(connection: sqlite3.Connection) -> None:
            shadows.followed(connection, shadow, met, memory)

        await self.engine.take([*moments, Moment((), also=followed)])

    async def _met(self, group: Sequence[Heard]) -> list[Moment]:
        """A close, what was seen with it, and the words of it; then what came until the next."""
        moments: list[Moment] = []
        closes, at_ms = group[0].row.kind == CLOSE, group[0].row.at_ms
        with_it = [closes and one.row.kind in TOGETHER and one.row.at_ms == at_ms for one in group]
        if closes:
            if self.shadow.kind == "shuffled":
                for number in (one.row.number for one in group if one.row.kind == ADOPTED):
                    await self._turn_to(number, group[0].row.number - 1)
            moments.append(await self._answer(list(compress(group, with_it))))
        for row in (one.row for one, seen in zip(group, with_it, strict=True) if not seen):
            if row.kind == REPORT:
                self._booked(row)
            elif row.kind != FLOW or not self.engine.decided.state.account.invested:
                moments.append(Moment((self._as_mine(event_of(row)),), row.note))
        return moments

    async def _answer(self, lead: Sequence[Heard]) -> Moment:
        """The moment of a close."""
        turn, row = turn_of(lead), lead[0].row
        seen = [event_of(one.row) for one in lead if one.row.kind not in (SIGNAL, ADOPTED)]
        if lead[-1].row.number < self.shadow.opens or self.known.past(row):
            self.companion.show(turn)
            return Moment(seen)
        if isinstance(self.companion, Own):  # a network takes its time
            words = await asyncio.to_thread(self.companion.meet, turn)
        else:
            words = self.companion.meet(turn)
        if self.known.late(row):
            words = [word for word in words if word.conviction_bps <= 0]
        if not words or self.companion.model == self.adopted:
            return Moment((*seen, *words))
        self.adopted = self.companion.model
        about = (self.adopted, self.companion.name, self.engine.clock(), json.dumps(self.about))
        return Moment(
            (*seen, Adopted(row.at_ms, self.adopted), *words),
            also=lambda connection: sessions.know_model(connection, *about),
        )

    def _booked(self, row: Row) -> None:
        report = decode(row)
        if isinstance(report, Report) and report.status == Status.FILLED:
            self.companion.booked(report)

    def _as_mine(self, event: Event) -> Event:
        """The law of a shadow is the principal's; a holder is not stopped, and not called off."""
        if self.shadow.kind == "hold" and isinstance(event, Limits):
            return event._replace(law=event.law._replace(**HOLDER))
        return event


def groups(rows: Sequence[Heard]) -> list[list[Heard]]:
    """Each close with all that came until the next one; the first may begin without one."""
    found: list[list[Heard]] = []
    for heard in rows:
        if heard.row.kind == CLOSE or not found:
            found.append([])
        found[-1].append(heard)
    return found


def turn_of(group: Sequence[Heard]) -> Turn:
    said = [event_of(one.row) for one in group if one.row.kind == SIGNAL]
    close = event_of(group[0].row)
    assert isinstance(close, Close)
    return Turn(close, tuple(s for s in said if isinstance(s, Signal)), group[0].equity)


def event_of(row: Row) -> Event:
    item = decode(row)
    assert isinstance(item, Event), "Only rows from outside are asked for."
    return item
