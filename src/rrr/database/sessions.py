"""What is unfinished goes on; what is finished, or asked anew, begins again.

A session is named by its key: what decides its history (mode, market, source, instruments,
timeframe, signals, capital, seed). One life of a process in it is a run. Start-up is recovery: the
last snapshot, then the journal after it, verified row by row.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from rrr.core.errors import JournalBroken, NotFound
from rrr.core.events import Close
from rrr.database.journal import RESTORE, Head, Row, beginning
from rrr.secrecy import hushed_within

PRINCIPAL = 0
PAGE = 4_096


@dataclass(frozen=True, slots=True)
class Session:
    id: int
    name: str
    key: str
    mode: str
    market: str
    signals: str
    finished: bool
    state_hash: str | None = None  # of a finished one

    @property
    def about(self) -> dict[str, Any]:
        """The key, as it was asked."""
        about: dict[str, Any] = json.loads(self.key)
        return about


class Unit(NamedTuple):
    """What a number of an instrument means to a person."""

    venue: str
    symbol: str
    base: str
    quote: str
    points: int
    grains: int
    inferred: int
    source: str  # the hash of the file that its candles come from


@dataclass(frozen=True, slots=True)
class Life:
    """One life of the process: what it was told, and what it found."""

    pid: int
    version: str
    settings: Sequence[tuple[str, str, str]]  # name, value, origin
    notes: Sequence[tuple[str, Mapping[str, Any]]]  # system events: name, detail


@dataclass(frozen=True, slots=True)
class Snapshot:
    head: Head
    core_hash: str
    world: str


SESSION = """SELECT id, name, key, mode, market, signals, finished_at_ms IS NOT NULL, state_hash
    FROM sessions"""


def key_of(about: Mapping[str, Any]) -> str:
    """The canonical text of what names a session."""
    return json.dumps(about, sort_keys=True, separators=(",", ":"))


def unfinished(connection: sqlite3.Connection, key: str) -> Session | None:
    found = connection.execute(
        f"{SESSION} WHERE key = ? AND finished_at_ms IS NULL ORDER BY id DESC LIMIT 1", (key,)
    ).fetchone()
    return None if found is None else session_of(found)


def create(connection: sqlite3.Connection, key: str, units: Sequence[Unit], at_ms: int) -> Session:
    """Open a session with its principal book; one of the same key is left behind for good."""
    about = json.loads(key)
    # The name says when the next one like it was asked for, in a form that can be typed.
    (number,) = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM sessions").fetchone()
    name = f"{about['mode']}-{number}"
    connection.execute(
        "UPDATE sessions SET finished_at_ms = ? WHERE key = ? AND finished_at_ms IS NULL",
        (at_ms, key),
    )
    connection.execute(
        "INSERT INTO sessions (id, name, key, mode, market, signals, started_at_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (number, name, key, about["mode"], about["market"], about["signals"], at_ms),
    )
    connection.execute("INSERT INTO books VALUES (?, ?, 'principal')", (number, PRINCIPAL))
    for place, unit in enumerate(units):
        connection.execute(
            "INSERT OR IGNORE INTO instruments (venue, symbol, base, quote, points, grains)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            unit[:6],
        )
        (instrument,) = connection.execute(
            "SELECT id FROM instruments WHERE (venue, symbol, points, grains) = (?, ?, ?, ?)",
            (unit.venue, unit.symbol, unit.points, unit.grains),
        ).fetchone()
        connection.execute(
            "INSERT INTO session_instruments VALUES (?, ?, ?, ?, ?)",
            (number, place, instrument, unit.inferred, unit.source),
        )
    return Session(number, name, key, about["mode"], about["market"], about["signals"], False, None)


def named(connection: sqlite3.Connection, name: str | None) -> Session:
    """The session of this name, or the last one. Raise NotFound with the names there are."""
    name = name and name.encode("utf-8", "replace").decode()  # typed with any bytes
    where = "WHERE name = ?" if name else ""
    found = connection.execute(
        f"{SESSION} {where} ORDER BY id DESC LIMIT 1", (name,) if name else ()
    ).fetchone()
    if found is not None:
        return session_of(found)
    names = [row[0] for row in connection.execute("SELECT name FROM sessions ORDER BY id DESC")]
    if not names:
        raise NotFound("There is no session yet.", "Start one: rrr --mode paper …")
    raise NotFound(f"There is no session {name!r}.", f"The last ones are {', '.join(names[:5])}.")


def session_of(found: tuple[Any, ...]) -> Session:
    number, name, key, mode, market, signals, finished, state_hash = found
    return Session(number, name, key, mode, market, signals, bool(finished), state_hash)


def units(connection: sqlite3.Connection, session: int) -> list[Unit]:
    """By the number that the session gives each instrument."""
    rows = connection.execute(
        "SELECT i.venue, i.symbol, i.base, i.quote, i.points, i.grains, s.inferred, s.source"
        " FROM session_instruments s JOIN instruments i ON i.id = s.instrument"
        " WHERE s.session = ? ORDER BY s.number",
        (session,),
    )
    return [Unit(*row) for row in rows]


def begin_run(
    connection: sqlite3.Connection, session: Session, life: Life, core_hash: str, at_ms: int
) -> int:
    """Note a new life of the process. One that did not say goodbye has died."""
    connection.execute("UPDATE runs SET outcome = 'died' WHERE outcome IS NULL")
    run = connection.execute(
        "INSERT INTO runs (session, pid, version, core_hash, started_at_ms) VALUES (?, ?, ?, ?, ?)",
        (session.id, life.pid, life.version, core_hash, at_ms),
    ).lastrowid
    assert run is not None
    connection.executemany(
        "INSERT INTO settings VALUES (?, ?, ?, ?)", [(run, *setting) for setting in life.settings]
    )
    for name, detail in life.notes:
        note(connection, run, name, detail, at_ms)
    return run


def end_run(connection: sqlite3.Connection, run: int, outcome: str, at_ms: int) -> None:
    connection.execute(
        "UPDATE runs SET ended_at_ms = ?, outcome = ? WHERE id = ?", (at_ms, outcome, run)
    )


def finish(
    connection: sqlite3.Connection, session: int, state_hash: str, summary: str, at_ms: int
) -> None:
    connection.execute(
        "UPDATE sessions SET finished_at_ms = ?, state_hash = ?, summary = ? WHERE id = ?",
        (at_ms, state_hash, summary, session),
    )


def note(
    connection: sqlite3.Connection, run: int, name: str, detail: Mapping[str, Any], at_ms: int
) -> None:
    """A fact about the house, not the market: a gap in a file, a start, an inferred rule."""
    connection.execute(
        "INSERT INTO system_events (at_ms, run, name, detail) VALUES (?, ?, ?, ?)",
        (at_ms, run, name, json.dumps(hushed_within(detail))),
    )


def note_gaps(
    connection: sqlite3.Connection,
    session: int,
    run: int,
    gaps: Iterable[tuple[str, int, str]],
    at_ms: int,
) -> None:
    """Why candles are missing or doubtful: symbol, opening time, reason; each once a session."""
    connection.executemany(
        "INSERT INTO system_events (at_ms, run, name, detail) VALUES (?, ?, 'candle_gap',"
        " json_object('session', ?, 'symbol', ?, 'opened_at_ms', ?, 'why', ?))"
        " ON CONFLICT DO NOTHING",
        [(at_ms, run, session, *gap) for gap in gaps],
    )


def know_model(
    connection: sqlite3.Connection, id: int, name: str, made_at_ms: int, manifest_json: str
) -> None:
    """Remember whose signals a journal names: unproven, until something proves it."""
    connection.execute(
        "INSERT INTO models VALUES (?, ?, ?, 0, ?) ON CONFLICT (id) DO NOTHING",
        (id, name, made_at_ms, manifest_json),
    )


def snap(connection: sqlite3.Connection, session: int, book: int, snapshot: Snapshot) -> None:
    """Save the fold of the journal up to here."""
    head = snapshot.head
    connection.execute(
        "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (session, book, head.number, head.at_ms)
        + (snapshot.core_hash, snapshot.world, head.trace, head.chain, seal(snapshot)),
    )


def snapshots(connection: sqlite3.Connection, session: int, book: int) -> list[Snapshot]:
    """The oldest first. Raise JournalBroken where one is not what was saved."""
    rows = connection.execute(
        "SELECT number, trace, chain, at_ms, core_hash, world, seal FROM snapshots"
        " WHERE session = ? AND book = ? ORDER BY number",
        (session, book),
    )
    found = []
    for *head, core_hash, world, sealed in rows:
        snapshot = Snapshot(Head(*head), core_hash, world)
        if seal(snapshot) != sealed:
            raise JournalBroken(
                f"The snapshot at row {snapshot.head.number} was changed after it was saved.",
                RESTORE,
            )
        found.append(snapshot)
    return found


def seal(snapshot: Snapshot) -> bytes:
    content = snapshot.head.chain + snapshot.core_hash.encode() + snapshot.world.encode()
    return blake2b(content, digest_size=32).digest()


def journal(
    connection: sqlite3.Connection, session: int, book: int, after: int = 0
) -> Iterator[Row]:
    """Rows after a number, in order, a page at a time: no long read holds the log back."""
    while True:
        page = connection.execute(
            "SELECT number, kind, at_ms, core, run, arrived_at_ms, note, chain FROM journal"
            " WHERE session = ? AND book = ? AND number > ? ORDER BY number LIMIT ?",
            (session, book, after, PAGE),
        ).fetchall()
        for row in page:
            yield Row(*row)
        if len(page) < PAGE:
            return
        after = page[-1][0]


def last_closes(
    connection: sqlite3.Connection, session: int, book: int, wanted: Sequence[int]
) -> list[Close]:
    """The last closes of a session, the oldest first, with so many candles of each instrument.

    One that has gaps reaches further back than the others.
    """
    rows = connection.execute(
        "SELECT core FROM journal WHERE session = ? AND book = ? AND kind = 4 ORDER BY number DESC",
        (session, book),
    )
    missing, closes = list(wanted), []
    while any(number > 0 for number in missing):
        close = msgspec.json.decode(next(rows)[0], type=Close)
        closes.append(close)
        for candle in close.candles:
            missing[candle.instrument] -= 1
    return closes[::-1]


def head_of(session: Session, book: int = PRINCIPAL) -> Head:
    """Where the journal of a session's book begins."""
    return beginning(f"{session.name} {session.key}" + (f" {book}" if book != PRINCIPAL else ""))
