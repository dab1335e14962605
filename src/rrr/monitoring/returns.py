"""Money that comes and goes is no return: each day is what a unit would have made that stayed.

Equity is known at each close. Between two closes it grows from what was there just after the
first, with what was paid in meanwhile, to what was there just before money moved at the second;
these growths are linked, so that a flow changes what grows and never how fast. This is the
time-weighted return of the GIPS standards (CFA Institute, 2020), with a valuation at every flow.
Modified Dietz (Dietz, 1966) needs none: it divides the gain of the whole day by the capital that
was there on average, and is wrong as far as the market moved before or after a large flow.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rrr.core.events import Flow
from rrr.core.ledger import Place
from rrr.database.sessions import PRINCIPAL, Session

DAY_MS: Final = 86_400_000
EQUITY: Final = """SELECT at_ms, cash + worth FROM equity
    WHERE session = ? AND book = ? ORDER BY at_ms"""
FLOWS: Final = """SELECT j.at_ms, iif(t.source = ?, t.amount, -t.amount)
    FROM transfers t JOIN journal j USING (session, book, number)
    WHERE ? IN (t.source, t.target) AND t.session = ? AND t.book = ? ORDER BY t.number"""


class Daily(NamedTuple):
    """One return for every UTC day, from the first to the last; a day without a close has 0."""

    day: NDArray[np.int64]  # since 1970
    ratio: NDArray[np.float64]


def time_weighted(
    at_ms: NDArray[np.int64], equity: NDArray[np.int64], flows: Sequence[Flow]
) -> Daily:
    """Daily returns of an equity known at these closing times, which ascend.

    A flow at or before a closing time is in the equity of that close. One at the very time of it
    moved after its prices were known, one between two closes at the prices of the earlier. What
    came until the first close is where the measure begins. Midnight belongs to the day before. On
    nothing, nothing is earned.
    """
    if len(at_ms) < 2:
        return Daily(np.zeros(0, np.int64), np.zeros(0))
    growth = growths(at_ms, equity, flows)
    days = (at_ms[1:] - 1) // DAY_MS
    first = np.flatnonzero(np.diff(days, prepend=days[0] - 1))
    day = np.arange(days[0], days[-1] + 1)
    ratio = np.zeros(len(day))
    ratio[days[first] - days[0]] = np.multiply.reduceat(growth, first) - 1
    return Daily(day, ratio)


def growths(
    at_ms: NDArray[np.int64], equity: NDArray[np.int64], flows: Sequence[Flow]
) -> NDArray[np.float64]:
    """What a unit became from each close to the next, one less than there are closes."""
    gaps = np.diff(at_ms)
    assert (gaps > 0).all(), "The earlier close comes first."
    early, late = np.zeros(len(at_ms)), np.zeros(len(at_ms))
    for flow in flows:
        k = int(np.searchsorted(at_ms, flow.at_ms))
        if k < len(at_ms):
            (late if at_ms[k] == flow.at_ms else early)[k] += flow.amount
    before, after = equity[:-1] + early[1:], equity[1:] - late[1:]
    return np.divide(after, before, out=np.ones(len(before)), where=before > 0)


def linked(daily: Daily) -> float:
    """The return over all of these days.

    >>> linked(Daily(np.arange(2), np.array([1.0, -0.5])))
    0.0
    """
    return float(np.prod(1 + daily.ratio) - 1)


def session_returns(connection: sqlite3.Connection, session: Session) -> Daily:
    """What a session made of its money, day by day."""
    return time_weighted(*_book(connection, session, PRINCIPAL))


def book_growths(
    connection: sqlite3.Connection, session: Session, book: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The closing times of a book, and what a unit became from each to the next."""
    at_ms, equity, flows = _book(connection, session, book)
    return at_ms, growths(at_ms, equity, flows)


def _book(
    connection: sqlite3.Connection, session: Session, book: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[Flow]]:
    key = (session.id, book)
    rows = connection.execute(EQUITY, key).fetchall()
    at_ms, equity = np.array(rows, np.int64).reshape(-1, 2).T
    flows = connection.execute(FLOWS, (int(Place.FLOWS), int(Place.FLOWS), *key))
    return at_ms, equity, [Flow(*row) for row in flows]
