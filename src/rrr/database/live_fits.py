"""A comparison of real fills with paper's assumptions counts once it is a row.

What `rrr costs --fit` reads of a book's orders and fills, and what it leaves for the ramp of live
trading. Writers are functions for the one writer of the database, in whose transaction they run.
"""

import json
import sqlite3
from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

Key = tuple[int, int]  # session and book

REMEMBER = "INSERT OR REPLACE INTO fits VALUES (?, ?, ?, ?, ?)"
LAST = """SELECT at_ms, round_trips, figures FROM fits
    WHERE session = ? AND book = ? ORDER BY at_ms DESC LIMIT 1"""
WIDEST = "SELECT coalesce(max(round_trips), -1) FROM fits WHERE session = ? AND book = ?"
ROUND_TRIPS = "SELECT count(profit) FROM fills WHERE session = ? AND book = ?"
FILLS = """SELECT sequence, row_number() OVER (PARTITION BY sequence ORDER BY number), at_ms,
        quantity, price, notional, fee, fee_grains, maker, profit IS NOT NULL
    FROM fills WHERE session = ? AND book = ? ORDER BY sequence, number"""
TRADES = """SELECT sequence, fill, at_ms, fee_coin, fee_parts FROM live_trades
    WHERE session = ? AND book = ?"""
ENDED = """SELECT sequence FROM orders
    WHERE session = ? AND book = ? AND stage IN ('filled', 'cancelled')"""


class Fit(NamedTuple):
    at_ms: int
    round_trips: int  # that were booked then
    figures: dict[str, Any]


class Filled(NamedTuple):
    """A fill, and what only the venue knows of it."""

    at_ms: int  # by the book's clock
    quantity: int
    price: int
    notional: int
    fee: int
    fee_grains: int
    maker: int
    ends: int  # 1 if it ended a round trip
    venue_ms: int  # by the venue's clock; 0: it said nothing
    coin: str  # of a fee in a third coin; "": none
    parts: int  # 10⁻⁸ of it


def remember(
    connection: sqlite3.Connection,
    key: Key,
    at_ms: int,
    round_trips: int,
    figures: Mapping[str, Any],
) -> None:
    """Write that the comparison was made, and all that it found."""
    text = json.dumps(dict(figures), separators=(",", ":"), allow_nan=False)
    connection.execute(REMEMBER, (*key, at_ms, round_trips, text))


def last(connection: sqlite3.Connection, key: Key) -> Fit | None:
    """The last comparison of a book; None: there was none."""
    found = connection.execute(LAST, key).fetchone()
    return None if found is None else Fit(found[0], found[1], json.loads(found[2]))


def fitted(connection: sqlite3.Connection, key: Key, round_trips: int) -> bool:
    """Whether a comparison was made when at least so many round trips were booked."""
    (widest,) = connection.execute(WIDEST, key).fetchone()
    return bool(widest >= round_trips)


def round_trips(connection: sqlite3.Connection, key: Key) -> int:
    """How many are booked: each ends with a sale that leaves less than a lot."""
    (number,) = connection.execute(ROUND_TRIPS, key).fetchone()
    return int(number)


def fills(connection: sqlite3.Connection, key: Key) -> dict[int, tuple[Filled, ...]]:
    """Of each order that was filled, in their order; a venue's trade is the fill of its number."""
    told = {}
    if connection.execute("SELECT 1 FROM pragma_table_info('live_trades')").fetchone():
        told = {(row[0], row[1]): row[2:] for row in connection.execute(TRADES, key)}
    found = (
        (row[0], Filled(*row[2:], *told.get((row[0], row[1]), (0, "", 0))))
        for row in connection.execute(FILLS, key)
    )
    return {
        sequence: tuple(fill for _, fill in rows)
        for sequence, rows in groupby(found, key=itemgetter(0))
    }


def ended(connection: sqlite3.Connection, key: Key) -> frozenset[int]:
    """Orders that met the market and are over; what was rejected never did."""
    return frozenset(sequence for (sequence,) in connection.execute(ENDED, key))
