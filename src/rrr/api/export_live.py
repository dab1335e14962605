"""What a venue has said of a live session leaves too, so that its own statement can be laid beside.

The orders by their names on both sides, the venue's trades and the fills that they became, what is
not ours, every tie-out: the tables of the seam in exact decimals. A session on paper has none.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from rrr.api.export_folder import Table
from rrr.api.export_tables import Row, exact, moment, money
from rrr.api.views_live import afar
from rrr.core.ledger import QUOTE
from rrr.core.orders import Side
from rrr.database.sessions import PRINCIPAL, Session, Unit

ORDERS: Final = """SELECT sequence, client_id, venue_id, instrument, side, quantity, state,
    intent_at_ms, sending_at_ms, settled_at_ms, attempts
    FROM live_orders WHERE session = ? AND book = ? ORDER BY sequence"""
TRADES: Final = """SELECT t.trade_id, t.sequence, t.fill, t.at_ms, t.venue_id, o.instrument, o.side,
    t.quantity, t.price, t.notional, t.fee, t.fee_grains, t.fee_coin, t.fee_parts
    FROM live_trades t JOIN live_orders o USING (session, book, sequence)
    WHERE t.session = ? AND t.book = ? ORDER BY t.sequence, t.fill"""
ASIDE: Final = """SELECT kind, id, currency, instrument, aside, flow, at_ms, seen_at_ms,
    released_at_ms, words
    FROM quarantine WHERE session = ? AND book = ? ORDER BY at_ms, kind, id, currency"""
TIED: Final = """SELECT at_ms, currency, ours, aside, theirs, slack
    FROM tie_outs WHERE session = ? AND book = ? ORDER BY at_ms, currency"""
COIN_FEES: Final = """SELECT f.number, t.fee_coin, t.fee_parts
    FROM live_trades t JOIN fills f USING (session, book, sequence)
    JOIN journal j USING (session, book, number)
    WHERE t.session = ? AND t.book = ? AND t.fee_coin <> '' AND t.fee_parts <> 0
    AND json_extract(j.core, '$[11]') = t.fill"""
COIN_PLACES: Final = 8
FILES: Final = ("live_orders.csv", "live_trades.csv", "quarantine.csv", "tie_outs.csv")


def tables(
    connection: sqlite3.Connection, session: Session, units: Sequence[Unit]
) -> dict[str, Table]:
    """One table a file; nothing of a session that no venue ever heard of."""
    if not afar(session):
        return {}
    seam = Seam(connection, (session.id, PRINCIPAL), units)
    made = (seam.orders(), seam.trades(), seam.aside(), seam.tied())
    read = (Table(header, list(rows)) for header, rows in made)
    return dict(zip(FILES, read, strict=True))


def coin_fees(
    connection: sqlite3.Connection, session: Session
) -> Mapping[int, tuple[str, Decimal]]:
    """Fees that the venue took in a third coin: by the number of the fill, which coin and how much.

    What such a coin was worth nobody wrote down.
    """
    if not afar(session):
        return {}
    found = connection.execute(COIN_FEES, (session.id, PRINCIPAL))
    return {number: (coin, Decimal(parts).scaleb(-COIN_PLACES)) for number, coin, parts in found}


class Seam(NamedTuple):
    connection: sqlite3.Connection
    key: tuple[int, int]
    units: Sequence[Unit]

    def orders(self) -> Table:
        header = ("order", "client_id", "venue_id", "instrument", "side", "quantity", "state")
        times = ("intent_utc", "sending_utc", "settled_utc")

        def rows() -> Iterator[Row]:
            for sequence, *ids, i, side, quantity, state, a, b, c, attempts in self.all(ORDERS):
                unit = self.units[i]
                what = (unit.symbol, Side(side).name.lower(), exact(quantity, unit.grains), state)
                yield (sequence, *ids, *what, *map(when, (a, b, c)), attempts)

        return Table((*header, *times, "attempts"), rows())

    def trades(self) -> Table:
        header = ("trade_id", "order", "fill_of_order", "at_utc", "venue_id", "instrument", "side")
        figures = ("quantity", "price", "quote", "notional", "fee", "fee_in_base")

        def rows() -> Iterator[Row]:
            for id, sequence, fill, at_ms, venue_id, i, side, *sums, coin, parts in self.all(
                TRADES
            ):
                unit, (quantity, price, notional, fee, grains) = self.units[i], sums
                yield (
                    *(id, sequence, fill, moment(at_ms), venue_id, unit.symbol),
                    *(Side(side).name.lower(), exact(quantity, unit.grains)),
                    *(exact(price, unit.points), unit.quote, money(notional), money(fee)),
                    *(exact(grains, unit.grains), coin, exact(parts, COIN_PLACES) if coin else ""),
                )

        return Table((*header, *figures, "fee_coin", "fee_coin_amount"), rows())

    def aside(self) -> Table:
        header = ("kind", "id", "currency", "aside", "instrument", "flow", "quote")
        times = ("at_utc", "seen_utc", "released_utc")

        def rows() -> Iterator[Row]:
            for kind, id, currency, i, aside, flow, *times_ms, words in self.all(ASIDE):
                symbol = self.units[i].symbol if i >= 0 else ""
                name, amount = self.sum(currency, aside)
                what = (kind, id, name, amount, symbol, money(flow), self.units[0].quote)
                yield (*what, *map(when, times_ms), words)

        return Table((*header, *times, "words"), rows())

    def tied(self) -> Table:
        header = ("at_utc", "currency", "ours", "aside", "theirs", "rounding", "difference")

        def rows() -> Iterator[Row]:
            for at_ms, currency, ours, aside, theirs, slack in self.all(TIED):
                sums = (ours, aside, theirs, slack, theirs - ours - aside)
                name, _ = self.sum(currency, 0)
                yield (moment(at_ms), name, *(self.sum(currency, one)[1] for one in sums))

        return Table(header, rows())

    def all(self, sql: str) -> sqlite3.Cursor:
        return self.connection.execute(sql, self.key)

    def sum(self, currency: int, amount: int) -> tuple[str, str]:
        if currency == QUOTE:
            return self.units[0].quote, money(amount)
        unit = self.units[currency - 1]
        return unit.base, exact(amount, unit.grains)


def when(at_ms: int | None) -> str:
    """Nothing, where it has not happened."""
    return moment(at_ms) if at_ms else ""
