"""The tables that people ask say what the journal says, in the same transaction.

Orders, fills, transfers, equity, refusals, halts and positions: projections, never a second truth.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from rrr.core import ledger
from rrr.core.errors import JournalBroken
from rrr.core.events import (
    Close,
    Command,
    Decision,
    Depth,
    Detail,
    Event,
    Flow,
    Halted,
    Print,
    Refused,
    Touch,
    Verb,
)
from rrr.core.ledger import Place
from rrr.core.market import Instrument
from rrr.core.orders import Cause, Kind, Order, Report, Stage, Status, TimeInForce
from rrr.core.rules import Refusal
from rrr.core.state import Halt, Lane, State
from rrr.database.journal import RESTORE, Row, is_row

JOURNAL = "INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
ORDER = """INSERT INTO orders VALUES
    (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 'sending', ?, ?, ?, ?, ?, ?, ?)"""
STAGE = """UPDATE orders SET stage = ?, filled = filled + ?
    WHERE session = ? AND book = ? AND sequence = ?"""
AMENDED = """UPDATE orders SET quantity = ?1, price = ?2,
        limit_price = limit_price + (?2 - price) * (limit_price > 0),
        stage = CASE WHEN filled = ?1 THEN 'filled' WHEN stage = 'triggered' THEN stage ELSE ?3 END
    WHERE session = ?4 AND book = ?5 AND sequence = ?6"""
FILL = "INSERT INTO fills VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
TRANSFER = "INSERT INTO transfers VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
EQUITY = "INSERT OR REPLACE INTO equity VALUES (?, ?, ?, ?, ?, ?, ?)"
REFUSAL = """INSERT INTO refusals VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET last_at_ms = excluded.last_at_ms, times = excluded.times"""
HALT = "INSERT INTO halts VALUES (?, ?, ?, ?, ?, ?)"
POSITION = "INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
LAST_CLOSE = "SELECT max(at_ms) FROM equity WHERE session = ? AND book = ?"
LAST_REFUSAL = """SELECT number, first_at_ms FROM refusals
    WHERE session = ? AND book = ? AND instrument = ? ORDER BY number DESC LIMIT 1"""

STAGES = {
    Status.ACCEPTED: Stage.WORKING.name.lower(),
    Status.FILLED: Stage.FILLED.name.lower(),
    Status.CANCELLED: Stage.CANCELLED.name.lower(),
    Status.REJECTED: Stage.REJECTED.name.lower(),
    Status.TRIGGERED: Stage.TRIGGERED.name.lower(),
    Status.UNKNOWN: Stage.UNKNOWN.name.lower(),
    Status.AMENDED: Stage.WORKING.name.lower(),
}
ENDED_BY: Final = {Verb.RESUME: "resumed", Verb.RELEASE: "released"}
ENDS: Final = frozenset(ENDED_BY.values())  # reasons in `halts` that end one


Rows = list[tuple[Any, ...]]


@dataclass(slots=True)
class Tables:
    """What one batch says, table by table."""

    journal: Rows = field(default_factory=list)
    orders: Rows = field(default_factory=list)
    said: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)  # of orders, in turn
    fills: Rows = field(default_factory=list)
    transfers: Rows = field(default_factory=list)
    equity: dict[int, tuple[Any, ...]] = field(default_factory=dict)  # by closing time
    halts: Rows = field(default_factory=list)
    refusals: dict[tuple[int, int], tuple[Any, ...]] = field(default_factory=dict)
    positions: Rows = field(default_factory=list)

    def write(self, connection: sqlite3.Connection) -> None:
        """Write all of it; the caller commits."""
        try:
            connection.executemany(JOURNAL, self.journal)
        except sqlite3.IntegrityError as error:
            raise JournalBroken(
                f"Row {self.journal[0][2]} of the journal stands where nothing was written yet.",
                RESTORE,
            ) from error
        connection.executemany(ORDER, self.orders)
        for sql, rows in groupby(self.said, itemgetter(0)):
            connection.executemany(sql, map(itemgetter(1), rows))
        connection.executemany(FILL, self.fills)
        connection.executemany(TRANSFER, self.transfers)
        connection.executemany(EQUITY, self.equity.values())
        connection.executemany(HALT, self.halts)
        connection.executemany(REFUSAL, self.refusals.values())
        connection.executemany(POSITION, self.positions)


class Scribe:
    """Says in rows what happens to one book."""

    def __init__(self, session: int, book: int, state: State) -> None:
        self.key = (session, book)
        self.state = state
        self.paid = [lane.paid for lane in state.lanes]
        self.quantity = [lane.quantity for lane in state.lanes]
        self.closed_at_ms = max((lane.marked_at_ms for lane in state.lanes), default=0)
        self.refusing: dict[int, tuple[int, int]] = {}  # instrument: number, first time
        self.now = Tables()

    def tables(self) -> Tables:
        """All that was said since the last call, and where the positions stand."""
        done, self.now = self.now, Tables()
        done.positions += [(*self.key, i, *position(x)) for i, x in enumerate(self.state.lanes)]
        return done

    def rows(self, rows: Iterable[Row]) -> None:
        """Rows of the journal that no table repeats."""
        self.now.journal.extend((*self.key, *row) for row in rows)

    def take(self, record: Iterable[Event | Decision], rows: list[Row], after: State) -> None:
        """What one event from outside caused, its rows, and the state that it left."""
        self.rows(rows)
        self.state = after
        numbered, verb, closes, filled_ms = iter(rows), 0, False, 0
        for item in record:
            row = next(numbered) if is_row(item) else None
            match item:
                case Close():
                    self.closed_at_ms, closes = item.at_ms, True
                    self._equity(item.at_ms, after)
                case Touch() | Print() | Depth() | Detail():
                    self._equity(item.at_ms, after)
                case Command():
                    self._equity(item.at_ms, after)
                    verb = item.verb
                case Order():
                    assert row is not None
                    self._order(item, row)
                case Report():
                    assert row is not None
                    self._report(item, row.number, after.instruments[item.instrument])
                    filled_ms = item.at_ms if item.status == Status.FILLED else filled_ms
                case Refused():
                    self._refused(item, row)
                case Halted():
                    assert row is not None
                    reason = Halt(item.halt).name.lower() if item.halt else ENDED_BY[Verb(verb)]
                    self.now.halts.append((*self.key, row.number, item.at_ms, reason, rows[0].note))
                case Flow():
                    assert row is not None
                    moved = (Place.FLOWS, Place.CASH, ledger.QUOTE, item.amount)
                    self.now.transfers.append((*self.key, row.number, 0, *map(int, moved)))
                    self._equity(item.at_ms, after)
                case _:
                    pass
        if filled_ms and not closes:  # a venue that is far away fills after the close, at its time
            self._equity(filled_ms, after)

    def _equity(self, at_ms: int, after: State) -> None:
        """One row a close, as its time left it: touches, flows, commands, fills then belong to it.

        What else comes before the next close is in the row of that one.
        """
        account = after.account
        if account.closes and at_ms == self.closed_at_ms:
            figures = (account.cash, account.worth, account.invested, account.peak)
            self.now.equity[at_ms] = (*self.key, at_ms, *figures)

    def _order(self, order: Order, row: Row) -> None:
        kind, cause = Kind(order.kind).name.lower(), Cause(order.cause).name.lower()
        self.now.orders.append(
            (*self.key, order.sequence, row.number, row.at_ms, order.instrument, kind, order.side)
            + (order.quantity, order.price, cause, order.attempt, order.limit, order.trail)
            + (order.partner, TimeInForce(order.time_in_force).name.lower(), order.expires_ms)
            + (order.post_only, order.reduce_only)
        )

    def _report(self, report: Report, number: int, instrument: Instrument) -> None:
        stage, order = STAGES[Status(report.status)], (*self.key, report.sequence)
        if report.status == Status.AMENDED:
            self.now.said.append((AMENDED, (report.quantity, report.price, stage, *order)))
            return
        self.now.said.append((STAGE, (stage, report.quantity, *order)))
        if report.status != Status.FILLED:
            return
        self.now.fills.append(
            (*self.key, number, report.sequence, report.at_ms, report.instrument, report.side)
            + (report.quantity, report.price, report.notional, report.fee, report.fee_grains)
            + (self._profit(report, instrument), report.maker)
        )
        for part, transfer in enumerate(ledger.transfers(report)):
            self.now.transfers.append((*self.key, number, part, *map(int, transfer)))

    def _profit(self, report: Report, instrument: Instrument) -> int | None:
        """The P&L of the round trip that this fill ends, if it ends one."""
        i = report.instrument
        while len(self.paid) <= i:
            self.paid.append(0)
            self.quantity.append(0)
        self.paid[i] += report.side * report.notional + report.fee
        self.quantity[i] += report.side * report.quantity - report.fee_grains
        if self.quantity[i] >= instrument.lot:
            return None
        profit, self.paid[i] = -self.paid[i], 0
        return profit

    def _refused(self, item: Refused, row: Row | None) -> None:
        i = item.instrument
        if row is not None:
            self.refusing[i] = (row.number, item.at_ms)
        number, first_at_ms = self.refusing.get(i, (0, 0))
        reason = Refusal(item.refusal).name.lower()
        self.now.refusals[i, number] = (
            *self.key,
            number,
            i,
            reason,
            first_at_ms,
            item.at_ms,
            item.times,
        )

    def recall(self, connection: sqlite3.Connection) -> None:
        """After a restart: the last close, and which refusal is counted for each instrument."""
        (at_ms,) = connection.execute(LAST_CLOSE, self.key).fetchone()
        self.closed_at_ms = at_ms or self.closed_at_ms
        for i in range(len(self.state.lanes)):
            found = connection.execute(LAST_REFUSAL, (*self.key, i)).fetchone()
            if found is not None:
                self.refusing[i] = found


def position(lane: Lane) -> tuple[int, ...]:
    return (
        lane.marked_at_ms,
        lane.quantity,
        lane.paid,
        lane.mark,
        lane.worth,
        lane.stop.price if lane.stop.kind else 0,
        lane.target_price,
    )
