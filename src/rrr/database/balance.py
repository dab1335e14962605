"""The books balance, or the account that does not is named.

The tables say what the journal says, row by row; each currency's transfers sum to zero; and what
the ledger's accounts hold is what the state holds, though both came by different roads.
"""

import sqlite3
from collections.abc import Iterator

import msgspec

from rrr.core.ledger import QUOTE, Place, transfers
from rrr.core.orders import Report, Status
from rrr.core.state import State

REPORTS = """SELECT number, core FROM journal INDEXED BY journal_by_kind
    WHERE session = ? AND book = ? AND kind = 6 AND kind NOT IN (4, 5) ORDER BY number"""
BOOKED = """SELECT number, source, target, currency, amount FROM transfers
    WHERE session = ? AND book = ? AND source <> 5 ORDER BY number, part"""
FILLS = "SELECT number FROM fills WHERE session = ? AND book = ? ORDER BY number"
BALANCES = """SELECT place, currency, sum(amount) FROM postings
    WHERE session = ? AND book = ? GROUP BY place, currency"""
ORDERS = "SELECT count(*) FROM orders WHERE session = ? AND book = ?"
ORDER_ROWS = """SELECT count(*) FROM journal
    WHERE session = ? AND book = ? AND kind = 11 AND kind NOT IN (4, 5)"""
CLOSES = "SELECT count(*) FROM equity WHERE session = ? AND book = ?"
CLOSE_ROWS = "SELECT count(*) FROM journal WHERE session = ? AND book = ? AND kind = 4"


def faults(connection: sqlite3.Connection, session: int, book: int, state: State) -> list[str]:
    """Everything that does not balance, in words; an empty list is what everybody wants."""
    key = (session, book)
    return [
        *_unlike_the_journal(connection, key),
        *_miscounted(connection, key),
        *_unbalanced(connection, key, state),
    ]


def _unlike_the_journal(connection: sqlite3.Connection, key: tuple[int, int]) -> Iterator[str]:
    """Fills of the journal that the ledger lacks, or has otherwise."""
    booked: dict[int, list[tuple[int, ...]]] = {}
    for number, *transfer in connection.execute(BOOKED, key):
        booked.setdefault(number, []).append(tuple(transfer))
    fills = {number for (number,) in connection.execute(FILLS, key)}
    for number, core in connection.execute(REPORTS, key):
        report = msgspec.json.decode(core, type=Report)
        if report.status != Status.FILLED:
            continue
        if number not in fills:
            yield f"fills of the journal are not in the ledger: row {number}"
        if booked.pop(number, []) != [tuple(map(int, moved)) for moved in transfers(report)]:
            yield f"the transfers of row {number} are not those of its fill"
    for number in booked:
        yield f"transfers of row {number} belong to no fill"


def _miscounted(connection: sqlite3.Connection, key: tuple[int, int]) -> Iterator[str]:
    for what, *both in (("orders", ORDERS, ORDER_ROWS), ("closes in equity", CLOSES, CLOSE_ROWS)):
        kept, written = (connection.execute(sql, key).fetchone()[0] for sql in both)
        if kept != written:
            yield f"{kept} {what}, {written} in the journal"


def _unbalanced(
    connection: sqlite3.Connection, key: tuple[int, int], state: State
) -> Iterator[str]:
    balances: dict[tuple[int, int], int] = {}
    sums: dict[int, int] = {}
    for place, currency, amount in connection.execute(BALANCES, key):
        balances[place, currency] = amount
        sums[currency] = sums.get(currency, 0) + amount
    for currency, amount in sums.items():
        if amount:
            yield f"currency {currency} sums to {amount}, not to zero"

    expected = {
        (Place.CASH, QUOTE): state.account.cash,
        (Place.FLOWS, QUOTE): -state.account.invested,
    } | {(Place.POSITION, 1 + i): lane.quantity for i, lane in enumerate(state.lanes)}
    for (place, currency), amount in expected.items():
        held = balances.get((place, currency), 0)
        if held != amount:
            yield (
                f"account {place.name.lower()} of currency {currency} holds {held} in the ledger"
                f" and {amount} in the state"
            )
