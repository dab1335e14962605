"""A shadow is a book that follows: the last row that it met is written in the commit of its own.

Books of a session beside the principal one, always on paper, also in the file of a live session:
they are of its session, and one file can be copied and replayed whole. What a shadow meets are the
principal's rows from outside, and its fills, which tell what it holds.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rrr.database.journal import OUTSIDE, REPORT, Row
from rrr.database.sessions import PRINCIPAL

THERE: Final = "SELECT 1 FROM sqlite_master WHERE name = 'shadows'"
ALL: Final = """SELECT s.session, s.book, b.name, s.kind, s.folder, s.delay, s.opens, s.follows,
    s.memory, s.began_at_ms, s.ended_at_ms
    FROM shadows s JOIN books b ON b.session = s.session AND b.id = s.book
    WHERE s.session = ? ORDER BY s.book"""
# The equity before a close: that of the close itself may still change with its touches.
PAGE: Final = f"""SELECT j.number, j.kind, j.at_ms, j.core, j.run, j.arrived_at_ms, j.note, j.chain,
    iif(j.kind = 4, (SELECT e.cash + e.worth FROM equity e WHERE e.session = j.session
        AND e.book = j.book AND e.at_ms < j.at_ms ORDER BY e.at_ms DESC LIMIT 1), 0)
    FROM journal j WHERE j.session = ? AND j.book = {PRINCIPAL} AND j.number > ? AND j.number <= ?
    AND j.kind IN ({", ".join(map(str, sorted({*OUTSIDE, REPORT})))})
    ORDER BY j.number LIMIT ?"""
FOUNDING: Final = f"""SELECT number, kind, at_ms, core, run, arrived_at_ms, note, chain
    FROM journal INDEXED BY journal_by_kind WHERE session = ? AND book = {PRINCIPAL}
    AND kind IN (1, 2, 3, 10) AND kind NOT IN (4, 5) AND number <= ? ORDER BY number"""
BACK: Final = f"""SELECT number FROM journal WHERE session = ? AND book = {PRINCIPAL} AND kind = 4
    AND number <= ? ORDER BY number DESC LIMIT 1 OFFSET ?"""
TAKEOVERS: Final = f"""SELECT number, json_extract(core, '$[1]')
    FROM journal INDEXED BY journal_by_kind WHERE session = ? AND book = {PRINCIPAL} AND kind = 9
    AND kind NOT IN (4, 5) ORDER BY number"""
HELD: Final = f"""SELECT instrument, sum(side * quantity - fee_grains) FROM fills
    WHERE session = ? AND book = {PRINCIPAL} AND number <= ? GROUP BY instrument"""


@dataclass(frozen=True, slots=True)
class Shadow:
    session: int
    book: int
    name: str
    kind: str  # random, hold, shuffled or model
    folder: str  # of a model
    delay: int  # closes, of a random one
    opens: int
    follows: int
    memory: str  # what its voice cannot read again in the journal
    began_at_ms: int
    ended_at_ms: int | None


def of(connection: sqlite3.Connection, session: int) -> list[Shadow]:
    """Every shadow that a session has or had; a file of before there were any has none."""
    if connection.execute(THERE).fetchone() is None:
        return []
    return [Shadow(*row) for row in connection.execute(ALL, (session,))]


def opened(
    connection: sqlite3.Connection,
    session: int,
    kind: str,
    rows: tuple[int, int],
    at_ms: int,
    *,
    folder: str = "",
    delay: int = 0,
) -> Shadow:
    """A new book behind `rows`: the last that it need not meet, and the first that it answers."""
    (book,) = connection.execute(
        "SELECT max(id) + 1 FROM books WHERE session = ?", (session,)
    ).fetchone()
    (before,) = connection.execute(
        "SELECT count(*) FROM shadows WHERE (session, kind, folder) = (?, ?, ?)",
        (session, kind, folder),
    ).fetchone()
    name = " ".join(filter(None, (kind, folder, f"({before + 1})" if before else "")))
    shadow = Shadow(session, book, name, kind, folder, delay, rows[1], rows[0], "{}", at_ms, None)
    connection.execute("INSERT INTO books VALUES (?, ?, ?)", (session, book, name))
    connection.execute(
        "INSERT INTO shadows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
        (session, book, kind, folder, delay, shadow.opens, shadow.follows, "{}", at_ms),
    )
    return shadow


def followed(connection: sqlite3.Connection, shadow: Shadow, number: int, memory: str) -> None:
    """It has met the principal's rows up to this one."""
    connection.execute(
        "UPDATE shadows SET follows = ?, memory = ? WHERE session = ? AND book = ?",
        (number, memory, shadow.session, shadow.book),
    )


def ended(connection: sqlite3.Connection, shadow: Shadow, at_ms: int) -> None:
    """Nobody watches it any more; what it did stays."""
    connection.execute(
        "UPDATE shadows SET ended_at_ms = ? WHERE session = ? AND book = ?",
        (at_ms, shadow.session, shadow.book),
    )


def row(found: Sequence[object]) -> Row:
    """The row of the journal in an answer to `PAGE` or `FOUNDING`."""
    return Row(*found[:8])  # type: ignore[arg-type]
