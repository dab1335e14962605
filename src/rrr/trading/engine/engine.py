"""Rows are durable first; only then the state is adopted, and orders leave.

One engine is one book. It is given moments: what came from outside at one time, in order (a close
and the signals that it led to; a command). Moments that wait together share one commit. A commit
that fails ends the process: what was decided in it never happened, and start-up decides it again.
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

import msgspec

from rrr.core.errors import JournalBroken
from rrr.core.events import Event
from rrr.core.state import State
from rrr.database import journal, sessions
from rrr.database.client import Client
from rrr.database.journal import RESTORE, Head, Pen, Row, verified
from rrr.database.ledger import Scribe
from rrr.database.sessions import PRINCIPAL, Life, Session, Snapshot
from rrr.trading.engine.fold import Fold
from rrr.trading.engine.paper import NO_WORLD, Record, World
from rrr.trading.engine.venue import Venue

SNAPSHOT_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Moment:
    """What came from outside at one time. The note is for people: who halted, and why."""

    events: Sequence[Event]
    note: str = ""


class Engine:
    """The owner of one book's state, journal and venue."""

    def __init__(
        self,
        db: Client,
        session: Session,
        venue: Venue,
        core_hash: str,
        clock: Callable[[], int],
    ) -> None:
        self.db, self.session, self.venue = db, session, venue
        self.core_hash, self.clock = core_hash, clock
        self.world = NO_WORLD
        self.pen = Pen(sessions.head_of(session))
        self.scribe = Scribe(session.id, PRINCIPAL, self.world.state)
        self.snapped_at = 0

    @property
    def state(self) -> State:
        return self.world.state

    @property
    def head(self) -> Head:
        return self.pen.head

    @property
    def state_hash(self) -> str:
        return journal.state_hash(self.head.trace, self.state)

    async def take(self, moments: Iterable[Moment]) -> list[tuple[Record, State]]:
        """Decide, commit, adopt, send. What is returned is on the disk: each moment with all that
        it caused, and the state that it left."""
        world, records = self.decide(moments)
        await self.db.write(self.scribe.write)
        self.world = world
        for record, _ in records:
            await self.venue.carry(record)
        if self.head.number - self.snapped_at >= SNAPSHOT_ROWS:
            await self.snap()
        return records

    def decide(self, moments: Iterable[Moment]) -> tuple[World, list[tuple[Record, State]]]:
        """Let the core meet each event, and collect the rows; nothing is adopted yet."""
        world, arrived_at_ms, records = self.world, self.clock(), []
        for moment in moments:
            self.scribe.rows(self.pen.turn(moment.events[0].at_ms, world.state, arrived_at_ms))
            record: Record = []
            for event in moment.events:
                world = self.venue.advance(world, event, record)
            rows = self.pen.write(record, arrived_at_ms, moment.note)
            self.scribe.take(record, rows, world.state)
            records.append((record, world.state))
        return world, records

    async def begin(self, life: Life) -> None:
        """Note this life of the process. Another core than the last run's starts from a snapshot,
        so that each stretch of the journal can be made again by the core that wrote it."""
        last = await self.db.read_one(
            "SELECT core_hash FROM runs WHERE session = ? ORDER BY id DESC LIMIT 1",
            (self.session.id,),
        )
        if last is not None and last[0] != self.core_hash and self.head.number:
            await self.snap()
        self.pen.run = await self.db.write(
            lambda connection: sessions.begin_run(
                connection, self.session, life, self.core_hash, self.clock()
            )
        )

    async def end(self, outcome: str) -> None:
        """Close this life of the process in good order."""
        if self.head.number:
            await self.snap()
        await self.db.write(
            lambda connection: sessions.end_run(connection, self.pen.run, outcome, self.clock())
        )

    async def finish(self) -> None:
        """Seal the session: nothing follows its last digest."""
        self.scribe.rows([self.pen.seal(self.state, self.clock())])
        await self.db.write(self.scribe.write)

    async def snap(self) -> None:
        """Save the state, so that the next start folds only what follows."""
        snapshot = Snapshot(self.head, self.core_hash, msgspec.json.encode(self.world).decode())
        self.snapped_at = self.head.number
        await self.db.write(
            lambda connection: sessions.snap(connection, self.session.id, PRINCIPAL, snapshot)
        )

    async def recover(self) -> Fold:
        """Go on where the journal ends. Every row is verified, and made anew since the snapshot."""
        fold = await self.db.write(self._folded)
        self.world = fold.world
        self.pen = Pen(fold.head)
        self.scribe = Scribe(self.session.id, PRINCIPAL, self.world.state)
        self.snapped_at = fold.head.number - fold.rows
        await self.db.write(self.scribe.recall)
        return fold

    def _folded(self, connection: sqlite3.Connection) -> Fold:
        fold = Fold(self.venue.advance, NO_WORLD, self.pen.head)
        saved = sessions.snapshots(connection, self.session.id, PRINCIPAL)
        if saved:
            rows = sessions.journal(connection, self.session.id, PRINCIPAL)
            walk = verified(fold.head, until(rows, saved[-1].head.number))
            head, _ = deque(walk, maxlen=1).pop()
            if head != saved[-1].head:
                raise JournalBroken(
                    f"The snapshot at row {saved[-1].head.number} does not belong to its journal.",
                    RESTORE,
                )
            fold.world, fold.head = world_of(saved[-1]), head
        fold.walk(sessions.journal(connection, self.session.id, PRINCIPAL, fold.head.number))
        if fold.difference is not None:
            raise JournalBroken(
                f"Row {fold.difference.number} of the journal ({fold.difference.kind}) is not what"
                f" this version makes of the rows before it: {dict(fold.difference.fields)}.",
                "Start anew with --new, or run the version that wrote it: rrr replay names it.",
            )
        return fold


def until(rows: Iterable[Row], number: int) -> Iterator[Row]:
    """Rows up to and with this one."""
    return takewhile(lambda row: row.number <= number, rows)


def world_of(snapshot: Snapshot) -> World:
    """Raise JournalBroken where a saved state is not one of this version."""
    try:
        return msgspec.json.decode(snapshot.world, type=World)
    except msgspec.MsgspecError as error:
        raise JournalBroken(
            f"The snapshot at row {snapshot.head.number} cannot be read ({error}).",
            "Start anew with --new, or run the version that wrote it: rrr replay names it.",
        ) from error
