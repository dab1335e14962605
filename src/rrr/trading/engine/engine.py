"""Rows are durable first; only then the state is adopted, and orders leave.

One engine is one book. It is given moments: what came from outside at one time, in order (a close,
then the touches seen with it, then the signals that it led to; a command). Moments that wait
together share one commit, and while it is on its way to the disk the next may already be decided.
A commit that fails ends the process: what was decided in it and after it never happened, and
start-up decides it again.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import msgspec

from rrr.core.errors import JournalBroken
from rrr.core.events import Event
from rrr.core.state import State
from rrr.database import journal, sessions
from rrr.database.client import Client
from rrr.database.journal import RESTORE, Head, Pen, Row, walked
from rrr.database.ledger import Scribe, Tables
from rrr.database.sessions import PRINCIPAL, Life, Session, Snapshot
from rrr.trading.engine.fold import Fold
from rrr.trading.engine.paper import NO_WORLD, Record, World
from rrr.trading.engine.venue import SPEAKERS, Venue, Work

SNAPSHOT_ROWS = 20_000
WROTE = """SELECT core_hash FROM runs WHERE id = (SELECT run FROM journal
    WHERE session = ? AND book = ? ORDER BY number DESC LIMIT 1)"""
Words = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Moment:
    """What came from outside at one time. The note is for people: who halted, and why.

    `also` is written in the commit of the moment, before its rows: what they refer to. Without
    events it is all that there is.
    """

    events: Sequence[Event]
    note: str = ""
    also: Work | None = None


Late = Callable[[State], Sequence[Moment]]  # made in its turn, of the state before it


@dataclass(frozen=True, slots=True)
class Batch:
    """What was decided and is not yet true: rows to commit, then a world to adopt."""

    world: World
    head: Head
    rows: Tables
    told: Sequence[tuple[Record, State]]  # each moment, all that it caused, the state that it left
    also: Sequence[Work]
    then: Sequence[Work]  # after the rows: what refers to them
    snapshot: Snapshot | None


class Engine:
    """The owner of one book's state, journal and venue."""

    def __init__(
        self,
        db: Client,
        session: Session,
        venue: Venue,
        core_hash: str,
        clock: Callable[[], int],
        book: int = PRINCIPAL,
    ) -> None:
        self.db, self.session, self.venue, self.book = db, session, venue, book
        self.core_hash, self.clock = core_hash, clock
        self.advance, self.outside = SPEAKERS[venue.mode]
        self.world = self.decided = NO_WORLD
        self.pen = Pen(sessions.head_of(session, book))
        self.scribe = Scribe(session.id, book, self.world.state)
        self.committed = self.pen.head
        self.snapped_at = 0

    @property
    def state(self) -> State:
        return self.world.state

    @property
    def head(self) -> Head:
        """Where the journal will stand once all that was decided is committed."""
        return self.pen.head

    @property
    def closed_at_ms(self) -> int:
        """The last close that was decided; what a far venue filled since may bear a later time."""
        return self.scribe.closed_at_ms

    @property
    def state_hash(self) -> str:
        return journal.state_hash(self.head.trace, self.decided.state)

    async def take(self, moments: Iterable[Moment]) -> Batch:
        """Decide, commit, adopt, send."""
        return await self.commit(self.decide(moments))

    def decide(self, moments: Iterable[Moment]) -> Batch:
        """Let the core meet each event, and collect the rows; nothing is true yet."""
        world, arrived_at_ms, told, also = self.decided, self.clock(), [], list[Work]()
        then = list[Work]()
        for moment in moments:
            for event in moment.events[:1]:
                self.scribe.rows(self.pen.turn(event.at_ms, world.state, arrived_at_ms))
            record: Record = []
            for event in moment.events:
                world = self.advance(world, event, record)
            rows = self.pen.write(record, arrived_at_ms, moment.note)
            self.scribe.take(record, rows, world.state)
            told.append((record, world.state))
            if moment.also is not None:
                also.append(moment.also)
            if (intent := self.venue.intend(record)) is not None:
                then.append(intent)
        self.decided = world
        due = self.head.number - self.snapped_at >= SNAPSHOT_ROWS
        snapshot = self.snap() if due else None
        return Batch(world, self.head, self.scribe.tables(), told, also, then, snapshot)

    async def commit(self, batch: Batch) -> Batch:
        """Make a batch true: on the disk, then adopted, then sent. Batches come in their order.

        What a power cut takes from a shadow, it makes again of the principal's journal.
        """

        def write(connection: sqlite3.Connection) -> None:
            for work in batch.also:
                work(connection)
            batch.rows.write(connection)
            for work in batch.then:
                work(connection)
            if batch.snapshot is not None:
                sessions.snap(connection, self.session.id, self.book, batch.snapshot)

        await self.db.write(write, durable=self.book == PRINCIPAL)
        self.world, self.committed = batch.world, batch.head
        for record, state in batch.told:
            await self.venue.carry(record, state)
        return batch

    def snap(self) -> Snapshot:
        """The state as it was decided, so that a start folds only what follows."""
        self.snapped_at = self.head.number
        return Snapshot(self.head, self.core_hash, msgspec.json.encode(self.decided).decode())

    async def begin(self, life: Life) -> None:
        """Note this life of the process. Another core than the last run's starts from a snapshot,
        so that each stretch of the journal can be made again by the core that wrote it."""
        last = await self.db.read_one(
            "SELECT core_hash FROM runs WHERE session = ? ORDER BY id DESC LIMIT 1",
            (self.session.id,),
        )
        sealed = last is not None and last[0] != self.core_hash and self.head.number > 0
        snapshot = self.snap() if sealed else None

        def write(connection: sqlite3.Connection) -> int:
            if snapshot is not None:
                sessions.snap(connection, self.session.id, self.book, snapshot)
            return sessions.begin_run(connection, self.session, life, self.core_hash, self.clock())

        self.pen.run = await self.db.write(write)

    async def accompany(self, run: int) -> None:
        """Live the life that the principal has begun, from a snapshot where its core is another."""
        last = await self.db.read_one(WROTE, (self.session.id, self.book))
        if last is not None and last[0] != self.core_hash:
            await self.rest()
        self.pen.run = run

    async def rest(self) -> None:
        """Save the state, so that the next life folds nothing."""
        if self.head.number == 0:
            return
        snapshot, key = self.snap(), (self.session.id, self.book)
        await self.db.write(lambda connection: sessions.snap(connection, *key, snapshot), False)

    async def end(self, over: bool, words: Callable[[sqlite3.Connection], Words]) -> Words:
        """Close this life of the process, and the session if its market is over, in one commit.

        `words` sums up what was written; a finished session keeps them, under its last digest.
        """
        state_hash, now_ms = self.state_hash, self.clock()
        if over:
            self.scribe.rows([self.pen.seal(self.decided.state, now_ms)])
        tables, snapshot = self.scribe.tables(), self.snap()

        def write(connection: sqlite3.Connection) -> Words:
            tables.write(connection)
            sessions.snap(connection, self.session.id, self.book, snapshot)
            found = words(connection)
            sessions.end_run(connection, self.pen.run, "finished" if over else "stopped", now_ms)
            if over:
                sessions.finish(connection, self.session.id, state_hash, json.dumps(found), now_ms)
            return found

        return await self.db.write(write)

    async def recover(self) -> Fold:
        """Go on where the journal ends. Every row is verified, and made anew since the snapshot."""
        fold = await self.db.write(self._folded)
        self.world = self.decided = fold.world
        self.pen = Pen(fold.head)
        self.committed = fold.head
        self.scribe = Scribe(self.session.id, self.book, self.world.state)
        self.snapped_at = fold.head.number - fold.rows
        await self.db.write(self.scribe.recall)
        return fold

    def _folded(self, connection: sqlite3.Connection) -> Fold:
        fold = Fold(self.advance, NO_WORLD, self.pen.head, self.outside)
        saved = sessions.snapshots(connection, self.session.id, self.book)
        if saved:
            rows = sessions.journal(connection, self.session.id, self.book)
            reached = walked(fold.head, until(rows, saved[-1].head.number))
            if reached != saved[-1].head:
                raise JournalBroken(
                    f"The snapshot at row {saved[-1].head.number} does not belong to its journal.",
                    RESTORE,
                )
            fold.world, fold.head = world_of(saved[-1]), reached
        fold.walk(sessions.journal(connection, self.session.id, self.book, fold.head.number))
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
