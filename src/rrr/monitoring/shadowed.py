"""A lead over luck is believed as far as luck could not have made it.

Each shadow is compared with the principal over the same closes, since its own first word: what each
made, how often it traded, how much it held. The gap is the sum of what the principal made more at
each close, with a 90 % interval by the stationary bootstrap (`blocks`). Of fewer than `CLOSES_MIN`
closes, or of fewer than `BLOCKS_MIN` stretches that remember nothing of each other, there is none.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from rrr.database import shadows
from rrr.database.sessions import PRINCIPAL, Session
from rrr.database.shadows import Shadow
from rrr.monitoring.blocks import F64, block_length, drawn
from rrr.monitoring.returns import book_growths
from rrr.monitoring.words import count

CLOSES_MIN: Final = 100
BLOCKS_MIN: Final = 8
DRAWS: Final = 1_000
STRETCHES_MAX: Final = 500  # more closes than that are drawn as sums of neighbours
SEED: Final = 1
TITLES: Final = {
    "random": "its own words at another time",
    "hold": "as much held, never timed",
    "shuffled": "a twin that learned from shuffled labels",
    "model": "watched on paper: a test of plumbing",
}
FIRST_WORD: Final = """SELECT at_ms FROM journal
    WHERE session = ? AND book = ? AND kind = 5 ORDER BY number LIMIT 1"""
TRADES: Final = (
    "SELECT count(*) FROM fills WHERE session = ? AND book = ? AND at_ms BETWEEN ? AND ?"
)
EXPOSURE: Final = """SELECT avg(1.0 * worth / (cash + worth)) FROM equity
    WHERE session = ? AND book = ? AND at_ms BETWEEN ? AND ? AND cash + worth > 0"""


def shadowed(connection: sqlite3.Connection, session: Session) -> list[dict[str, Any]]:
    """Every shadow of a session beside its principal; ratios, of a return 0.01 is one percent."""
    every = shadows.of(connection, session.id)
    if not every:
        return []
    levels = _levels(connection, session, PRINCIPAL)
    return [_beside(connection, session, one, levels) for one in every]


def told(found: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """A line for each: its name, and how it did."""
    return [(f"vs {one['kind']}", f"{_told(one)} ({_title(one)})") for one in found]


def interval(apart: F64) -> tuple[float, float] | None:
    """Where 90 % of sums like this one lie; None where it is too early to say.

    >>> interval(np.zeros(50)) is None
    True
    """
    width = -(-len(apart) // STRETCHES_MAX)
    whole = apart[len(apart) % width :] if width else apart
    sums = whole.reshape(-1, max(width, 1)).sum(axis=1)
    block = block_length(sums)
    if len(apart) < CLOSES_MIN or len(sums) < BLOCKS_MIN * block:
        return None
    random = np.random.Generator(np.random.Philox(SEED))
    drawn_sums = sums[drawn(random, DRAWS, len(sums), block)].sum(axis=1)
    low, high = np.quantile(drawn_sums, (0.05, 0.95))
    return float(low), float(high)


Levels = tuple[Any, F64]  # closing times, what a unit became by then


def _levels(connection: sqlite3.Connection, session: Session, book: int) -> Levels:
    at_ms, growth = book_growths(connection, session, book)
    return at_ms, np.cumprod(np.concatenate([np.ones(min(len(at_ms), 1)), growth]))


def _beside(
    connection: sqlite3.Connection, session: Session, shadow: Shadow, principal: Levels
) -> dict[str, Any]:
    key = (session.id, shadow.book)
    about = {
        "name": shadow.name,
        "kind": shadow.kind,
        "folder": shadow.folder or None,
        "began_at_ms": shadow.began_at_ms,
        "ended_at_ms": shadow.ended_at_ms,
        "delay_closes": shadow.delay or None,
    }
    first = connection.execute(FIRST_WORD, key).fetchone()
    if first is None:
        return about | {"since_ms": None, "closes": 0}
    at_ms, level = _levels(connection, session, shadow.book)
    common, mine, theirs = np.intersect1d(
        principal[0], at_ms, assume_unique=True, return_indices=True
    )
    kept = common >= first[0]
    ours, other = _steps(principal[1][mine[kept]]), _steps(level[theirs[kept]])
    span = (int(first[0]), int(common[-1]))
    found = interval(ours - other)
    return about | {
        "since_ms": span[0],
        "closes": len(ours),
        "return_ratio": _linked(other),
        "principal_return_ratio": _linked(ours),
        "fills": _one(connection, TRADES, *key, *span),
        "principal_fills": _one(connection, TRADES, session.id, PRINCIPAL, *span),
        "exposure_ratio": round(_one(connection, EXPOSURE, *key, *span), 6),
        "principal_exposure_ratio": round(
            _one(connection, EXPOSURE, session.id, PRINCIPAL, *span), 6
        ),
        "gap_ratio": round(float((ours - other).sum()), 8),
        "gap_low_ratio": round(found[0], 8) if found else None,
        "gap_high_ratio": round(found[1], 8) if found else None,
    }


def _steps(level: F64) -> F64:
    steps: F64 = level[1:] / np.maximum(level[:-1], 1e-12) - 1
    return steps


def _linked(steps: F64) -> float:
    return round(float(np.prod(1 + steps) - 1), 8)


def _one(connection: sqlite3.Connection, sql: str, *key: int) -> Any:
    return connection.execute(sql, key).fetchone()[0] or 0


def _title(one: Mapping[str, Any]) -> str:
    until = "" if one["ended_at_ms"] is None else "ended"
    return ", ".join(filter(None, (one["folder"], TITLES[one["kind"]], until)))


def _told(one: Mapping[str, Any]) -> str:
    if one["since_ms"] is None:
        late = one["delay_closes"]
        return "not heard yet" + (f", it speaks {late:,} closes late" if late else "")
    gap = f"gap {one['gap_ratio']:+.2%}"
    if one["gap_low_ratio"] is None:
        gap += f", too early to say after {count(one['closes'], 'close')}"
    else:
        gap += f" ({one['gap_low_ratio']:+.2%} to {one['gap_high_ratio']:+.2%})"
    return (
        f"{gap}; it made {one['return_ratio']:+.2%} with {count(one['fills'], 'fill')},"
        f" exposure {one['exposure_ratio']:.0%}, yours {one['principal_return_ratio']:+.2%} with"
        f" {one['principal_fills']:,}, {one['principal_exposure_ratio']:.0%}"
    )
