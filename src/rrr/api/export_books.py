"""What the parcels say was earned is what the double entry says, or nothing is exported.

Two roads lead from a session to its P&L. The fills are folded into gains and parcels; the transfers
are summed by account. Both are read in one moment, while a daemon may go on writing.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple

from rrr.api.export_rates import Rates
from rrr.api.lots import Fill, Lots
from rrr.core.errors import JournalBroken
from rrr.core.ledger import QUOTE, Place
from rrr.core.market import QUANTA
from rrr.database import sessions
from rrr.database.sessions import PRINCIPAL, Session, Unit
from rrr.monitoring.words import figure

FILLS = """SELECT f.number, f.at_ms, f.instrument, f.side, f.quantity, f.price, f.notional, f.fee,
    f.fee_grains, f.maker, f.sequence, o.cause
    FROM fills f JOIN orders o USING (session, book, sequence)
    WHERE f.session = ? AND f.book = ? ORDER BY f.number"""
TRANSFERS = """SELECT t.number, t.part, j.at_ms, t.source, t.target, t.currency, t.amount
    FROM transfers t JOIN journal j USING (session, book, number)
    WHERE t.session = ? AND t.book = ? ORDER BY t.number, t.part"""
POSITIONS = """SELECT instrument, at_ms, quantity, worth FROM positions
    WHERE session = ? AND book = ? ORDER BY instrument"""
LAST = """SELECT number, at_ms FROM journal
    WHERE session = ? AND book = ? ORDER BY number DESC LIMIT 1"""
MONEY_PLACES = len(str(QUANTA)) - 1


class Moved(NamedTuple):
    """A transfer, and when."""

    number: int
    part: int
    at_ms: int
    source: int
    target: int
    currency: int
    amount: int


class Position(NamedTuple):
    """What is held of an instrument, and what it was worth at its last price."""

    instrument: int
    at_ms: int
    quantity: int
    worth: int


class Origin(NamedTuple):
    """Of a fill: 1 if its order had rested, that order, and why it was sent."""

    maker: int
    sequence: int
    cause: str


@dataclass(frozen=True, slots=True)
class Books:
    units: Sequence[Unit]
    fills: Sequence[Fill]
    origins: Sequence[Origin]  # beside the fills
    moved: Sequence[Moved]
    positions: Sequence[Position]
    rows: int  # of the journal, then
    at_ms: int  # of the last of them

    def balances(self) -> Counter[tuple[int, int]]:
        """By place and currency."""
        balances: Counter[tuple[int, int]] = Counter()
        for one in self.moved:
            balances[one.source, one.currency] -= one.amount
            balances[one.target, one.currency] += one.amount
        return balances

    def converted(self, rates: Rates) -> "Books":
        """What was exchanged, and what is held, in the reporting currency of each day.

        Deposits and withdrawals are left out: the currency's own rise and fall is no gain here.
        """
        held = [one for one in self.positions if one.quantity]
        rates.need(fill.at_ms for fill in self.fills)
        rates.need(one.at_ms for one in held)
        fills = [
            one._replace(
                notional=rates.converted(one.notional, one.at_ms),
                fee=rates.converted(one.fee, one.at_ms),
                coin_value=rates.converted(one.coin_value, one.at_ms),
            )
            for one in self.fills
        ]
        moved = [
            one._replace(amount=rates.converted(one.amount, one.at_ms))
            if one.currency == QUOTE
            else one
            for one in self.moved
            if Place.FLOWS not in (one.source, one.target)
        ]
        positions = [
            one._replace(worth=rates.converted(one.worth, one.at_ms) if one.quantity else 0)
            for one in self.positions
        ]
        return replace(self, fills=fills, moved=moved, positions=positions)


class Tie(NamedTuple):
    """Where both roads met; quanta."""

    realised: int
    unrealised: int
    fees: int  # all of them, in the base and in third coins too, as they were worth at the fill

    @property
    def pnl(self) -> int:
        return self.realised + self.unrealised


def read(connection: sqlite3.Connection, session: Session) -> Books:
    """All that an export needs of a session."""
    key = (session.id, PRINCIPAL)
    rows = connection.execute(FILLS, key).fetchall()
    number, at_ms = connection.execute(LAST, key).fetchone() or (0, 0)
    return Books(
        units=sessions.units(connection, session.id),
        fills=[Fill(*row[:9]) for row in rows],
        origins=[Origin(*row[9:]) for row in rows],
        moved=[Moved(*row) for row in connection.execute(TRANSFERS, key)],
        positions=[Position(*row) for row in connection.execute(POSITIONS, key)],
        rows=number,
        at_ms=at_ms,
    )


def with_coin_fees(books: Books, fees: Mapping[int, tuple[str, Decimal]]) -> Books:
    """The same, with the fees in third coins beside the fills of these numbers."""
    fills = [
        fill._replace(coin=fees[fill.number][0], coin_amount=fees[fill.number][1])
        if fill.number in fees
        else fill
        for fill in books.fills
    ]
    return replace(books, fills=fills)


@contextmanager
def one_moment(connection: sqlite3.Connection) -> Iterator[None]:
    """Read as of one commit, while a daemon may go on writing."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def tied(books: Books, lots: Lots) -> Tie:
    """Raise JournalBroken where fills and ledger do not say the same, to the quantum."""
    worth = sum(one.worth for one in books.positions)
    tie = Tie(
        realised=sum(one.gain for one in lots.gains),
        unrealised=worth - sum(one.cost for one in lots.parcels),
        fees=sum(one.fee_value for one in books.fills),
    )
    faults = [*_money_faults(books, tie, worth), *_quantity_faults(books, lots)]
    if faults:
        raise JournalBroken(
            f"The gains do not tie to the ledger: {'; '.join(faults)}.",
            "Nothing was written. rrr replay and rrr doctor say more of this session.",
        )
    return tie


def _money_faults(books: Books, tie: Tie, worth: int) -> Iterator[str]:
    """Since each currency sums to zero, what market and fees took is equity less investment."""
    balances = books.balances()
    taken = balances[Place.MARKET, QUOTE] + balances[Place.FEES, QUOTE]
    # A fee in a third coin is paid from outside the ledger.
    pnl = worth - taken - sum(one.coin_value for one in books.fills)
    if tie.pnl != pnl:
        yield f"they and the unrealised ones are {_money(tie.pnl)}, its P&L is {_money(pnl)}"
    fees, booked = sum(one.fee for one in books.fills), balances[Place.FEES, QUOTE]
    if fees != booked:
        yield f"the fills paid {_money(fees)} in fees, it holds {_money(booked)}"


def _quantity_faults(books: Books, lots: Lots) -> Iterator[str]:
    parcels: Counter[int] = Counter()
    for one in lots.parcels:
        parcels[one.instrument] += one.quantity
    balances, positions = books.balances(), {one.instrument: one for one in books.positions}
    for i, unit in enumerate(books.units):
        booked = balances[Place.POSITION, 1 + i]
        held = positions[i].quantity if i in positions else 0
        if not parcels[i] == booked == held:
            left, there, seen = (figure(n, unit.grains) for n in (parcels[i], booked, held))
            yield (
                f"the parcels of {unit.symbol} hold {left} {unit.base},"
                f" its account {there}, its position {seen}"
            )


def _money(quanta: int) -> str:
    return figure(quanta, MONEY_PLACES)
