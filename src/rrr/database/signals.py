"""What a model thought is written with the close that it thought of, whether it spoke or not.

Writers are functions for the one writer of the database, in whose transaction they run. What a
model remembers is read back from these rows, its state and the closes of the journal.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

Key = tuple[int, int]  # session and book

COLUMNS: Final = (
    *("session", "book", "closed_at_ms", "instrument", "model", "run", "conviction_bps", "reason"),
    *("mean", "probability", "low", "high", "alpha", "unit_return", "cost_return"),
    *("outside_ratio", "unknown", "candle_age_ms", "model_age_ms", "psi", "psi_max"),
    *("psi_feature", "losses_worse", "score"),
)
WRITE = f"INSERT INTO opinions VALUES ({', '.join('?' * len(COLUMNS))})"
REMEMBER = "INSERT OR REPLACE INTO monitors VALUES (?, ?, ?, ?)"
STATE = "SELECT state FROM monitors WHERE session = ? AND book = ? AND model = ?"
SCORES = """SELECT instrument, score FROM opinions WHERE session = ? AND book = ?
    AND closed_at_ms > ? AND closed_at_ms <= ? AND model = ? AND score IS NOT NULL
    ORDER BY closed_at_ms DESC, instrument"""
ASKED = """SELECT closed_at_ms, instrument, mean, low, high, unit_return FROM opinions
    WHERE session = ? AND book = ? AND closed_at_ms > ? AND model = ? AND alpha IS NOT NULL
    ORDER BY closed_at_ms, instrument"""
THERE = "SELECT 1 FROM sqlite_schema WHERE name = 'opinions'"
LAST = f"""SELECT {", ".join(COLUMNS)} FROM opinions WHERE session = ? AND book = ?
    AND closed_at_ms <= ? AND instrument = ? AND alpha IS NOT NULL
    ORDER BY closed_at_ms DESC LIMIT 1"""


class Asked(NamedTuple):
    """What was said at one close, and is not settled yet."""

    closed_at_ms: int
    instrument: int
    mean: float | None
    low: float | None
    high: float | None
    unit_return: float | None


def write(
    connection: sqlite3.Connection,
    key: Key,
    model: int,
    rows: Iterable[tuple[Any, ...]],
    state: str,
) -> None:
    """Rows as `COLUMNS`, and what the model remembers beside them."""
    connection.executemany(WRITE, rows)
    connection.execute(REMEMBER, (*key, model, state))


def state(connection: sqlite3.Connection, key: Key, model: int) -> str | None:
    found = connection.execute(STATE, (*key, model)).fetchone()
    return None if found is None else str(found[0])


def scores(
    connection: sqlite3.Connection,
    key: Key,
    model: int,
    wanted: Sequence[int],
    span: tuple[int, int],
) -> list[list[float]]:
    """Up to so many of each instrument, known after the one close and up to the other."""
    found: list[list[float]] = [[] for _ in wanted]
    missing = set(range(len(wanted)))
    for instrument, score in connection.execute(SCORES, (*key, *span, model)):
        if len(found[instrument]) < wanted[instrument]:
            found[instrument].append(score)
        if len(found[instrument]) == wanted[instrument]:
            missing.discard(instrument)
        if not missing:
            break
    return [one[::-1] for one in found]


def asked(connection: sqlite3.Connection, key: Key, model: int, after_ms: int) -> list[Asked]:
    """What was said after this close, the oldest first, instruments in canonical order."""
    rows = connection.execute(ASKED, (*key, after_ms, model))
    return [Asked(*row) for row in rows]


def last(
    connection: sqlite3.Connection, key: Key, instrument: int, until_ms: int
) -> dict[str, Any] | None:
    """The last opinion at or before a time, by the names of its columns; none is no error."""
    if connection.execute(THERE).fetchone() is None:
        return None  # a database that no daemon of this version has opened yet
    found = connection.execute(LAST, (*key, until_ms, instrument)).fetchone()
    return None if found is None else dict(zip(COLUMNS, found, strict=True))
