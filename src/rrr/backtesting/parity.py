"""A session is the same when it is made again from what came from outside, row for row.

`replayed` feeds a session's journal to a fresh core, in every stretch that this version of the core
wrote, and compares each report, decision and daily digest; then the ledger against the state. The
reports of a venue that is far away are fed too: they are compared with the fills that were booked.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, NamedTuple

from rrr.database import balance, sessions, shadows
from rrr.database.journal import REPORT, walked
from rrr.database.sessions import PRINCIPAL, Session
from rrr.trading.engine.engine import until, world_of
from rrr.trading.engine.fold import Difference, Fold
from rrr.trading.engine.paper import NO_WORLD
from rrr.trading.engine.venue import SPEAKERS, Paper

# Fills of the journal that the table of fills has otherwise, or not at all.
UNLIKE = """SELECT j.number FROM journal j INDEXED BY journal_by_kind
    LEFT JOIN fills f USING (session, book, number)
    WHERE j.session = ? AND j.book = ? AND j.kind = 6 AND j.kind NOT IN (4, 5)
    AND json_extract(j.core, '$[3]') = 2
    AND json_array(f.at_ms, f.instrument, f.sequence, 2, f.side, f.quantity, f.price, f.notional,
        f.fee, f.fee_grains) <> json_remove(j.core, '$[12]', '$[11]', '$[10]')
    ORDER BY j.number"""


class Stretch(NamedTuple):
    """Rows that one version of the core wrote, without interruption."""

    core_hash: str
    first: int
    last: int


class Verdict(NamedTuple):
    identical: bool
    rows: int  # compared
    left_out: tuple[Stretch, ...]  # rows that another version of the core wrote
    difference: Difference | None
    faults: tuple[str, ...]  # of the books
    state_hash: str  # of the last row; empty if this version did not write it


def replayed(
    connection: sqlite3.Connection, session: Session, core_hash: str, number: int = PRINCIPAL
) -> Verdict:
    """Make a book's rows anew. Raise JournalBroken where its chain does not hold."""
    book, principal = (session.id, number), number == PRINCIPAL
    saved = {s.head.number: s for s in sessions.snapshots(connection, *book)}
    left_out: list[Stretch] = []
    current = False  # whether the state is that of the last row
    advance, outside = SPEAKERS[session.mode if principal else Paper.mode]
    fold = Fold(advance, NO_WORLD, sessions.head_of(session, number), outside)
    for stretch in stretches(connection, *book):
        page = until(sessions.journal(connection, *book, stretch.first - 1), stretch.last)
        if stretch.core_hash != core_hash:
            left_out.append(stretch)
            fold.head, current = walked(fold.head, page), False
            continue
        if not current and stretch.first > 1:
            fold.world = world_of(saved[stretch.first - 1])
        current = fold.walk(page).difference is None
        if not current:
            break
    digest = fold.state_hash if current else ""
    faults = balance.faults(connection, *book, fold.world.state) if current else []
    if fold.difference is not None and REPORT in outside:
        # Nobody here can make a report anew: one that was changed shows first in what it led to.
        changed = [number for (number,) in connection.execute(UNLIKE, book)]
        faults = [f"row {number} (report) is not the fill that was booked" for number in changed]
    if current and principal and session.state_hash not in (None, digest):
        faults.append(f"the session was finished under the state hash {session.state_hash}")
    same = fold.difference is None and not faults and fold.rows > 0
    return Verdict(same, fold.rows, tuple(left_out), fold.difference, tuple(faults), digest)


def shadows_replayed(
    connection: sqlite3.Connection, session: Session, core_hash: str
) -> dict[str, Verdict]:
    """The same of every paper book beside the principal one, by its name."""
    return {
        one.name: replayed(connection, session, core_hash, one.book)
        for one in shadows.of(connection, session.id)
    }


def stretches(
    connection: sqlite3.Connection, session: int, book: int = PRINCIPAL
) -> Iterator[Stretch]:
    """The book's rows by the version of the core that wrote them, in order."""
    runs = connection.execute(
        "SELECT r.core_hash, min(j.number), max(j.number) FROM journal j"
        " JOIN runs r ON r.id = j.run WHERE j.session = ? AND j.book = ?"
        " GROUP BY j.run ORDER BY 2",
        (session, book),
    )
    for core_hash, group in groupby(runs, key=lambda row: str(row[0])):
        found = list(group)
        yield Stretch(core_hash, found[0][1], found[-1][2])


def in_words(verdict: Verdict) -> str:
    """What a person reads."""
    lines = []
    for stretch in verdict.left_out:
        lines.append(
            f"rows {stretch.first:,} to {stretch.last:,} need core {stretch.core_hash[:12]}:"
            " they were only checked for tampering"
        )
    if verdict.difference is not None:
        number, kind, fields = verdict.difference
        lines.append(f"DIFFERENT at row {number:,} ({kind}):")
        for name, (recorded, made) in fields.items():
            lines.append(f"  {name}: recorded {recorded}, made now {made}")
        lines += [f"  {fault}" for fault in verdict.faults]
    elif verdict.faults:
        lines.append("The rows are identical, but the books do not balance:")
        lines += [f"  {fault}" for fault in verdict.faults]
    elif not verdict.rows:
        lines.append("Nothing was compared: this version wrote none of the rows.")
    else:
        lines.append(f"identical: {verdict.rows:,} rows, state hash {verdict.state_hash}")
    return "\n".join(lines)


def shadows_in_words(verdicts: Mapping[str, Verdict]) -> str:
    """Lines below those of the principal."""
    return "".join(f"\nshadow {name}: {in_words(one)}" for name, one in verdicts.items())


def shadows_as_json(verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    return {
        name: {"identical": one.identical, "rows": one.rows, "state_hash": one.state_hash}
        for name, one in verdicts.items()
    }


def as_json(session: Session, verdict: Verdict) -> dict[str, Any]:
    difference = verdict.difference
    return {
        "session": session.name,
        "identical": verdict.identical,
        "rows": verdict.rows,
        "first_difference": difference and difference._asdict(),
        "left_out": [stretch._asdict() for stretch in verdict.left_out],
        "faults": list(verdict.faults),
        "state_hash": verdict.state_hash,
    }
