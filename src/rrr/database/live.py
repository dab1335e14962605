"""What the seam to a real venue knows is on the disk before anybody acts on it.

Rows of `live_orders`, `live_trades`, `quarantine` and `tie_outs`: written by functions for
`db.write`, in the transaction of the journal's rows that they belong to, and read by others for
start-up and `status`. Text ids live here and nowhere in the core.
"""

import sqlite3
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from enum import IntEnum
from typing import NamedTuple

KNOW = "INSERT INTO live_orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
LEARN = """UPDATE live_orders SET venue_id = ?, state = ?, sending_at_ms = ?, settled_at_ms = ?,
    attempts = ?, quantity = ? WHERE session = ? AND book = ? AND sequence = ?"""
TRADE = "INSERT INTO live_trades VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
ASIDE = "INSERT INTO quarantine VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?)"
RELEASE = """UPDATE quarantine SET released_at_ms = ?
    WHERE session = ? AND book = ? AND instrument = ? AND released_at_ms IS NULL"""
TIE_OUT = "INSERT OR REPLACE INTO tie_outs VALUES (?, ?, ?, ?, ?, ?, ?, ?)"

ORDERS = """SELECT o.sequence, o.instrument, o.side, o.quantity, o.state, o.client_id, o.venue_id,
        o.intent_at_ms, o.sending_at_ms, o.settled_at_ms, o.attempts,
        coalesce((SELECT sum(t.quantity) FROM live_trades t WHERE t.session = o.session
            AND t.book = o.book AND t.sequence = o.sequence), 0),
        coalesce((SELECT max(t.fill) FROM live_trades t WHERE t.session = o.session
            AND t.book = o.book AND t.sequence = o.sequence), 0)
    FROM live_orders o WHERE o.session = ? AND o.book = ? ORDER BY o.sequence"""
TRADES = "SELECT trade_id FROM live_trades WHERE session = ? AND book = ?"
NOTED = "SELECT DISTINCT kind, id FROM quarantine WHERE session = ? AND book = ?"
SUMS = """SELECT currency, sum(aside), sum(kind IN ('trade', 'movement')) FROM quarantine
    WHERE session = ? AND book = ? GROUP BY currency ORDER BY currency"""
TOUCHED = """SELECT DISTINCT instrument FROM quarantine
    WHERE session = ? AND book = ? AND released_at_ms IS NULL AND instrument >= 0"""
BEGAN = """SELECT coalesce(min(at_ms), 0) FROM quarantine
    WHERE session = ? AND book = ? AND kind = 'beginning'"""
TIED = "SELECT coalesce(max(at_ms), 0) FROM tie_outs WHERE session = ? AND book = ?"
PURCHASES = """SELECT l.sending_at_ms, o.price, o.quantity, i.points + i.grains
    FROM live_orders l JOIN orders o USING (session, book, sequence)
    JOIN session_instruments s ON s.session = l.session AND s.number = l.instrument
    JOIN instruments i ON i.id = s.instrument
    WHERE l.venue = ? AND l.side = 1 AND l.sending_at_ms > ?"""
ROUNDED = "SELECT coalesce(sum(rounded), 0) FROM live_trades WHERE session = ? AND book = ?"

Key = tuple[int, int]  # session and book


class Progress(IntEnum):
    """How far an order of ours has come on its way to the venue."""

    NEW = 1  # its intent is committed; nothing has left
    SENDING = 2
    PLACED = 3
    UNKNOWN = 4
    ENDED = 5
    REJECTED = 6  # by the venue, definitively: it can have no trades


class Known(NamedTuple):
    """An order of ours, as the seam knows it."""

    sequence: int
    instrument: int
    side: int
    quantity: int  # grains
    progress: int
    client_id: str
    venue_id: str = ""
    intent_at_ms: int = 0
    sending_at_ms: int = 0
    settled_at_ms: int = 0
    attempts: int = 0
    filled: int = 0  # grains: the sum of its trades
    fills: int = 0  # the number of its last fill


class Traded(NamedTuple):
    """A trade of the venue, and the fill that it became."""

    trade_id: str
    sequence: int
    fill: int
    at_ms: int  # by the venue's clock
    venue_id: str  # of its order
    quantity: int
    price: int
    notional: int
    fee: int
    fee_grains: int
    fee_coin: str  # of a fee that is paid in a third coin
    fee_parts: int  # 10⁻⁸ of it
    rounded: int  # quanta and grains that rounding may have taken


class Outside(IntEnum):
    """What comes from elsewhere."""

    ORDER = 1
    TRADE = 2
    MOVEMENT = 3
    BEGINNING = 4  # what was in the account before the book was


class Foreign(NamedTuple):
    """Not ours, and noted so that it is met once."""

    kind: int
    id: str
    currency: int
    instrument: int  # that it touches; -1: none
    aside: int  # of the currency: what the account has of it, and the book has not
    flow: int  # quanta that entered or left the book
    at_ms: int
    words: str


class Tied(NamedTuple):
    """One currency of a tie-out: the venue's figure should be the sum of the other two."""

    currency: int
    ours: int
    aside: int
    theirs: int
    slack: int  # what rounding may have taken


class Notes(NamedTuple):
    """What start-up needs to know of the seam."""

    orders: tuple[Known, ...]
    trades: AbstractSet[str]
    foreign: frozenset[tuple[int, str]]
    aside: tuple[int, ...]  # by currency
    touched: frozenset[int]  # instruments that something foreign touched, not released yet
    slack: int


def know(connection: sqlite3.Connection, key: Key, venue: str, orders: Iterable[Known]) -> None:
    """Write orders that nobody knew: their intent, and SENDING if they leave at once."""
    connection.executemany(
        KNOW,
        [
            (*key, one.sequence, venue, one.client_id, one.instrument, one.side, one.quantity)
            + (one.venue_id, _name(Progress(one.progress)), one.intent_at_ms, one.sending_at_ms)
            + (one.settled_at_ms, one.attempts)
            for one in orders
        ],
    )


def learn(connection: sqlite3.Connection, key: Key, orders: Iterable[Known]) -> None:
    """Write what has become of orders that are known."""
    for one in orders:
        changed = connection.execute(
            LEARN,
            (one.venue_id, _name(Progress(one.progress)), one.sending_at_ms, one.settled_at_ms)
            + (one.attempts, one.quantity, *key, one.sequence),
        )
        assert changed.rowcount == 1, "What is learned of an order was known to be one."


def book(connection: sqlite3.Connection, key: Key, venue: str, trades: Iterable[Traded]) -> None:
    """Write trades that became fills, in the transaction of their reports."""
    connection.executemany(
        TRADE, [(venue, one.trade_id, *key, one.sequence, one.fill, *one[3:]) for one in trades]
    )


def set_aside(
    connection: sqlite3.Connection, key: Key, foreign: Iterable[Foreign], at_ms: int
) -> None:
    """Write what is not ours, in the transaction of the flows that came of it."""
    connection.executemany(
        ASIDE,
        [
            (*key, _name(Outside(one.kind)), one.id, one.currency, one.instrument, one.aside)
            + (one.flow, one.at_ms, at_ms, one.words)
            for one in foreign
        ],
    )


def release(connection: sqlite3.Connection, key: Key, instrument: int, at_ms: int) -> int:
    """A person has looked at what touched an instrument; how many rows that were."""
    return connection.execute(RELEASE, (at_ms, *key, instrument)).rowcount


def tie_out(connection: sqlite3.Connection, key: Key, at_ms: int, tied: Iterable[Tied]) -> None:
    connection.executemany(TIE_OUT, [(*key, at_ms, *one) for one in tied])


def notes(connection: sqlite3.Connection, key: Key, currencies: int) -> Notes:
    """All of it: an answer may reach further back than was asked, and nothing is booked again."""
    found = [Known(*row) for row in connection.execute(ORDERS, key)]
    orders = (one._replace(progress=int(Progress[str(one.progress).upper()])) for one in found)
    aside, legs = [0] * currencies, 0
    for currency, amount, moved in connection.execute(SUMS, key):
        aside[currency] = amount
        legs += moved
    (rounded,) = connection.execute(ROUNDED, key).fetchone()
    return Notes(
        orders=tuple(orders),
        trades=frozenset(id for (id,) in connection.execute(TRADES, key)),
        foreign=frozenset(
            (int(Outside[kind.upper()]), id) for kind, id in connection.execute(NOTED, key)
        ),
        aside=tuple(aside),
        touched=frozenset(i for (i,) in connection.execute(TOUCHED, key)),
        slack=rounded + legs,
    )


def began_ms(connection: sqlite3.Connection, key: Key) -> int:
    """When the book began at its venue; 0: it has not."""
    (at_ms,) = connection.execute(BEGAN, key).fetchone()
    return int(at_ms)


def tied_at_ms(connection: sqlite3.Connection, key: Key) -> int:
    """When it was last tied out; 0: never."""
    (at_ms,) = connection.execute(TIED, key).fetchone()
    return int(at_ms)


def purchases(
    connection: sqlite3.Connection, venue: str, since_ms: int
) -> list[tuple[int, int, int, int]]:
    """What left to buy since then, whichever book it was: when, the worst price, grains, decimals
    of both together."""
    return connection.execute(PURCHASES, (venue, since_ms)).fetchall()


def _name(member: IntEnum) -> str:
    return member.name.lower()
