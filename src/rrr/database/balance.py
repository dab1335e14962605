"""The books balance, or the account that does not is named.

What the ledger's transfers say and what the state says were made by different roads; here they
meet.
"""

import sqlite3

from rrr.core.ledger import QUOTE, Place
from rrr.core.state import State

UNBOOKED = """SELECT count(*) FROM fills f WHERE session = ? AND book = ? AND NOT EXISTS
    (SELECT 1 FROM transfers t
        WHERE (t.session, t.book, t.number) = (f.session, f.book, f.number))"""
UNREPORTED = """SELECT count(*) FROM journal j WHERE session = ? AND book = ? AND kind = 6
    AND json_extract(core, '$[3]') = 2 AND NOT EXISTS
    (SELECT 1 FROM fills f WHERE (f.session, f.book, f.number) = (j.session, j.book, j.number))"""
BALANCES = """SELECT place, currency, sum(amount) FROM postings
    WHERE session = ? AND book = ? GROUP BY place, currency"""


def faults(connection: sqlite3.Connection, session: int, book: int, state: State) -> list[str]:
    """Everything that does not balance, in words; an empty list is what everybody wants."""
    found = []
    for sql, words in (
        (UNREPORTED, "fills of the journal are not in the ledger"),
        (UNBOOKED, "fills have no transfers"),
    ):
        (number,) = connection.execute(sql, (session, book)).fetchone()
        if number:
            found.append(f"{number} {words}")
    balances: dict[tuple[int, int], int] = {
        (place, currency): amount
        for place, currency, amount in connection.execute(BALANCES, (session, book))
    }
    sums: dict[int, int] = {}
    for (_, currency), amount in balances.items():
        sums[currency] = sums.get(currency, 0) + amount
    found += [f"currency {c} sums to {s}, not to zero" for c, s in sums.items() if s]

    expected = {(Place.CASH, QUOTE): state.account.cash}
    expected[Place.FLOWS, QUOTE] = -state.account.invested
    for i, lane in enumerate(state.lanes):
        expected[Place.POSITION, 1 + i] = lane.quantity
    for (place, currency), amount in expected.items():
        booked = balances.get((place, currency), 0)
        if booked != amount:
            found.append(
                f"account {place.name.lower()} of currency {currency} holds {booked} in the ledger"
                f" and {amount} in the state"
            )
    return found
