"""The books balance, or the account that does not is named.

Every fill of the journal has its transfers, to the quantum; the ledger's accounts, the positions
and the last equity are what the state holds, though they came by different roads. A transfer moves
an amount from one account to another, so that each currency sums to zero by its making.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator

from rrr.core.ledger import QUOTE, Place, transfers
from rrr.core.orders import Report, Status
from rrr.core.state import State
from rrr.database.journal import REPORT, Row, decode
from rrr.database.ledger import position

REPORTS = """SELECT number, core FROM journal INDEXED BY journal_by_kind
    WHERE session = ? AND book = ? AND kind = 6 AND kind NOT IN (4, 5) ORDER BY number"""
BOOKED = """SELECT number, source, target, currency, amount FROM transfers
    WHERE session = ? AND book = ? AND source <> 5 ORDER BY number, part"""
FILLS = "SELECT number FROM fills WHERE session = ? AND book = ? ORDER BY number"
MOVED = "SELECT source, target, currency, amount FROM transfers WHERE session = ? AND book = ?"
LAST_EQUITY = """SELECT cash, worth, invested, peak, at_ms FROM equity
    WHERE session = ? AND book = ? ORDER BY at_ms DESC LIMIT 1"""
LATER = """SELECT t.source, t.target, t.amount FROM transfers t
    JOIN journal j USING (session, book, number)
    WHERE session = ? AND book = ? AND j.at_ms > ? AND t.currency = ?"""
POSITIONS = """SELECT at_ms, quantity, paid, mark, worth, stop_price, target_price FROM positions
    WHERE session = ? AND book = ? ORDER BY instrument"""
ORDERS = "SELECT count(*) FROM orders WHERE session = ? AND book = ?"
ORDER_ROWS = """SELECT count(*) FROM journal
    WHERE session = ? AND book = ? AND kind = 11 AND kind NOT IN (4, 5)"""
CLOSES = "SELECT count(*) FROM equity WHERE session = ? AND book = ?"
CLOSE_ROWS = "SELECT count(*) FROM journal WHERE session = ? AND book = ? AND kind = 4"
SINCE = "SELECT 1 FROM journal WHERE session = ? AND book = ? AND at_ms > ? LIMIT 1"


def faults(connection: sqlite3.Connection, session: int, book: int, state: State) -> list[str]:
    """Everything that does not balance, in words; an empty list is what everybody wants."""
    key = (session, book)
    return [
        *_unlike_the_journal(connection, key),
        *_miscounted(connection, key),
        *_unbalanced(connection, key, state),
        *_unlike_the_state(connection, key, state),
    ]


def _unlike_the_journal(connection: sqlite3.Connection, key: tuple[int, int]) -> Iterator[str]:
    """Fills of the journal that the ledger lacks, or has otherwise."""
    booked: dict[int, list[tuple[int, ...]]] = {}
    for number, *transfer in connection.execute(BOOKED, key):
        booked.setdefault(number, []).append(tuple(transfer))
    fills = {number for (number,) in connection.execute(FILLS, key)}
    for number, core in connection.execute(REPORTS, key):
        report = decode(Row(number, REPORT, 0, core, 0, 0, "", b""))
        assert isinstance(report, Report)
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
    balances: Counter[tuple[int, int]] = Counter()
    for source, target, currency, amount in connection.execute(MOVED, key):
        balances[source, currency] -= amount
        balances[target, currency] += amount

    expected: dict[tuple[Place, int], int] = {
        (Place.CASH, QUOTE): state.account.cash,
        (Place.FLOWS, QUOTE): -state.account.invested,
    } | {(Place.POSITION, 1 + i): lane.quantity for i, lane in enumerate(state.lanes)}
    for (place, currency), amount in expected.items():
        held = balances[place, currency]
        if held != amount:
            yield (
                f"account {place.name.lower()} of currency {currency} holds {held} in the ledger"
                f" and {amount} in the state"
            )


def _unlike_the_state(
    connection: sqlite3.Connection, key: tuple[int, int], state: State
) -> Iterator[str]:
    account = state.account
    for *last, at_ms in connection.execute(LAST_EQUITY, key):
        now = [account.cash, account.worth, account.invested, account.peak]
        moved = connection.execute(LATER, (*key, at_ms, int(QUOTE))).fetchall()
        for source, target, amount in moved:
            last[0] += amount * ((target == Place.CASH) - (source == Place.CASH))
            last[2] += amount * ((source == Place.FLOWS) - (target == Place.FLOWS))
        if connection.execute(SINCE, (*key, at_ms)).fetchone():  # what is held has another worth
            now[1], now[3] = last[1], last[3]
        if last != now:
            yield f"the last equity is {last}, and the state has another"
    kept = connection.execute(POSITIONS, key).fetchall()
    for i, lane in enumerate(state.lanes):
        if i >= len(kept) or kept[i] != position(lane):
            yield f"the position of instrument {i} is not that of the state"
