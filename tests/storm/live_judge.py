"""The venue's own ledger has the last word: what the books lost, doubled, orphaned or made up.

What enters: all that a loopback venue wrote, and all that a daemon wrote after a last life that
reconciled and ended well. What came with a key is the daemon's, whatever its name; what came by
hand is nobody's here. Amounts are parts, 10^-8 of a coin. What leaves: sentences, and figures.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from rrr.database.opening import LIVE, connect_read_only
from rrr.database.sessions import PRINCIPAL
from tests.venue.accounts import Account, Fill, Order
from tests.venue.ledger import Entry

MINUTE_MS: Final = 60_000
DAY_MS: Final = 24 * 60 * MINUTE_MS
PARTS: Final = 8

_HAND: Final = "hand"
_CASH, _POSITION = 1, 2
_OVER: Final = ("ended", "rejected")


class Caps(NamedTuple):
    """Of the wall before the wire, and held at the venue; notionals are parts of the quote."""

    orders_per_minute: int
    order_notional: int
    day_notional: int
    ramp_notional: int
    ramp_round_trips: int
    way_ms: int = 0  # so long may an order have been on its way, and the next one not


class Intended(NamedTuple):
    """An order of the book, and what its seam knows of it."""

    client_id: str
    sequence: int
    state: str  # of live_orders
    stage: str  # of the book
    arrived_at_ms: int  # its row of the journal
    intent_at_ms: int
    denied: int = 0  # 1: somebody told the book that the venue refused it


class Booked(NamedTuple):
    """A fill, as the seam wrote it or as the book did."""

    sequence: int
    quantity: int
    notional: int
    fee: int
    fee_in_base: int


class Trade(NamedTuple):
    id: str  # which keeps it from being booked twice
    booked: Booked
    rounded: int  # so many figures were, against us


class Balance(NamedTuple):
    coin: str
    ours: int
    aside: int
    slack: int  # what rounding against us may have left there
    price: int  # parts of the quote for a whole coin


class Books(NamedTuple):
    venue: str
    orders: Sequence[Intended]
    trades: Sequence[Trade]
    fills: Sequence[Booked]
    balances: Sequence[Balance]
    sessions: int = 1


@dataclass(frozen=True, slots=True)
class Judgement:
    """Every list is empty where the books are right."""

    lost: tuple[str, ...]  # exchanged at the venue, and not booked
    doubled: tuple[str, ...]  # booked or sent twice, or booked and never exchanged
    orphaned: tuple[str, ...]  # open on one side alone
    denied: tuple[str, ...]  # called rejected, and taken by the venue
    unbalanced: tuple[str, ...]
    early: tuple[str, ...]  # received before its intent was on the disk
    over: tuple[str, ...]  # caps that did not hold
    equity_difference: int  # parts of the quote
    orders: int = 0
    fills: int = 0

    @property
    def faults(self) -> Iterator[str]:
        for law in LAWS:
            yield from (f"{law}: {words}" for words in getattr(self, law))


LAWS: Final = ("lost", "doubled", "orphaned", "denied", "unbalanced", "early", "over")


def judged(
    entries: Sequence[Entry], books: Books, caps: Caps | None = None, since_ms: int = 0
) -> Judgement:
    """Of the orders since then: whatever was before was another book's."""
    account = Account((0, 0), entries)
    received = [
        each
        for each in entries
        if each["what"] in ("order", "refused")
        and each["by"] != _HAND
        and each["at_ms"] >= since_ms
    ]
    taken = [account.orders[each["id"]] for each in received if each["what"] == "order"]
    names = {order.id: order for order in taken}
    fills = [fill for fill in account.fills.values() if fill.order in names]
    known = {order.client_id: order for order in books.orders}
    return Judgement(
        lost=(*_lost(fills, names, books, known),),
        doubled=(*_doubled(fills, received, books),),
        orphaned=(*_orphaned(taken, books, known),),
        denied=(*_denied(taken, known),),
        unbalanced=(*_unbalanced(account, books),),
        early=(*_early(received, known),),
        over=(*_over(taken, fills, caps),) if caps else (),
        equity_difference=sum(
            (account.balance(each.coin) - each.ours - each.aside) * each.price // 10**PARTS
            for each in books.balances
        ),
        orders=len(taken),
        fills=len(fills),
    )


def written(path: Path) -> list[Entry]:
    """A venue's ledger, while it lives: a torn last line was told to nobody."""
    whole = path.read_bytes().rpartition(b"\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


def read(path: Path) -> Books:
    """What a daemon left in its live database."""
    with closing(connect_read_only(path, LIVE)) as connection:
        sessions = connection.execute("SELECT id, market FROM sessions ORDER BY id").fetchall()
        session, market = sessions[-1]
        key = (session, PRINCIPAL)
        return Books(
            venue=market,
            orders=[Intended(*row) for row in connection.execute(_ORDERS, key)],
            trades=[
                Trade(id, _in_parts(row), rounded)
                for id, rounded, *row in connection.execute(_TRADES, key)
            ],
            fills=[_in_parts(row) for row in connection.execute(_FILLS, key)],
            balances=[*_balances(connection, key)],
            sessions=len(sessions),
        )


def in_doubt(path: Path) -> int:
    """So many orders of a daemon that lives, or lived, are on their way or nobody knows where."""
    with closing(connect_read_only(path, LIVE)) as connection:
        (count,) = connection.execute(_DOUBT).fetchone()
        return int(count)


def _lost(
    fills: Sequence[Fill], names: dict[str, Order], books: Books, known: dict[str, Intended]
) -> Iterator[str]:
    trades = {trade.id: trade for trade in books.trades}
    for fill in fills:
        client_id, words = names[fill.order].client_id, f"fill {fill.id} of {fill.order}"
        found = trades.get(trade_id(books.venue, fill))
        if client_id not in known:
            yield f"{words}: nobody knows its order {client_id}"
        elif found is None:
            yield f"{words}: {fill.side} {fill.quantity} at {fill.at_ms} is in no book"
        elif not _is_booked(found, fill, known[client_id].sequence):
            yield f"{words}: booked as {found}, and it is {fill}"


def _doubled(fills: Sequence[Fill], received: Sequence[Entry], books: Books) -> Iterator[str]:
    at_venue = {trade_id(books.venue, fill) for fill in fills}
    made_up = (trade.id for trade in books.trades if trade.id not in at_venue)
    yield from (f"trade {id} never happened" for id in made_up)
    seam, book = Counter(trade.booked for trade in books.trades), Counter(books.fills)
    yield from (f"booked without a trade, or twice: {each}" for each in book - seam)
    yield from (f"a trade that is no fill: {each}" for each in seam - book)
    for client_id, count in Counter(each["client_id"] for each in received).items():
        if count > 1:
            yield f"order {client_id} was received {count} times"
    if books.sessions > 1:
        yield f"one home has {books.sessions} sessions"


def _orphaned(taken: Sequence[Order], books: Books, known: dict[str, Intended]) -> Iterator[str]:
    working = {order.client_id: order for order in taken if order.status == "open"}
    for client_id, order in working.items():
        mine = known.get(client_id)
        if mine is None:
            yield f"{order.id} ({client_id}) is open at the venue, and no book knows it"
        elif mine.state in _OVER or mine.stage in _ENDS:
            yield f"{order.id}, order {mine.sequence}, is open at the venue, and here {mine.state}"
    for one in books.orders:
        if one.client_id not in working and not (one.state in _OVER and one.stage in _ENDS):
            yield f"order {one.sequence} is {one.state}, {one.stage} here, and open nowhere"


def _denied(taken: Sequence[Order], known: dict[str, Intended]) -> Iterator[str]:
    for order in taken:
        mine = known.get(order.client_id)
        if mine is not None and (mine.denied or "rejected" in (mine.state, mine.stage)):
            yield f"order {mine.sequence} is called rejected, and {order.id} was taken"


def _unbalanced(account: Account, books: Books) -> Iterator[str]:
    for each in books.balances:
        theirs = account.balance(each.coin)
        if not 0 <= theirs - each.ours - each.aside <= each.slack:
            yield f"{each.coin}: the venue has {theirs}, the book {each.ours} and {each.aside}"


def _early(received: Sequence[Entry], known: dict[str, Intended]) -> Iterator[str]:
    """Of what was received, taken or not; the clocks of both are one."""
    for entry in received:
        mine = known.get(entry["client_id"])
        if mine is None:
            yield f"{entry['client_id']} was received, and no intent of it is on the disk"
        elif entry["at_ms"] < (intended_ms := max(mine.arrived_at_ms, mine.intent_at_ms)):
            yield f"order {mine.sequence} was received {intended_ms - entry['at_ms']} ms too early"


def _over(taken: Sequence[Order], fills: Sequence[Fill], caps: Caps) -> Iterator[str]:
    """Opening orders alone: exits are held back by nothing."""
    buys = sorted((order for order in taken if order.side == "buy"), key=lambda one: one.at_ms)
    for n, order in enumerate(buys[caps.orders_per_minute :]):
        if order.at_ms - buys[n].at_ms < MINUTE_MS - caps.way_ms:
            yield f"{caps.orders_per_minute + 1} opening orders within a minute, {order.id} last"
    ended = _round_trips(fills)
    for order in buys:
        small = sum(at_ms < order.at_ms for at_ms in ended) < caps.ramp_round_trips
        cap = caps.ramp_notional if small else caps.order_notional
        if order.cost > cap:
            yield f"{order.id} bought for {order.cost}, and the cap is {cap}"
    bought = [(fill.at_ms, fill.cost) for fill in fills if fill.side == "buy"]
    for at_ms, _ in bought:
        if sum(cost for at, cost in bought if at_ms - DAY_MS < at <= at_ms) > caps.day_notional:
            yield f"more than {caps.day_notional} was bought in the 24 hours until {at_ms}"
            return


def _round_trips(fills: Iterable[Fill]) -> list[int]:
    """When each ended: nothing of the daemon's own was held any more."""
    held, ended = Counter[str](), []
    for fill in fills:
        held[fill.symbol] += fill.quantity if fill.side == "buy" else -fill.quantity
        if fill.side == "sell" and held[fill.symbol] <= 0:
            ended.append(fill.at_ms)
    return ended


def trade_id(venue: str, fill: Fill) -> str:
    """As the seam writes it: of one symbol and side; Binance numbers them."""
    return f"{fill.symbol} {fill.side} {fill.number if venue == 'binance' else fill.id}"


def _is_booked(trade: Trade, fill: Fill, sequence: int) -> bool:
    """To the part, but for what rounding took from us where the venue says no cost."""
    booked, in_base = trade.booked, fill.fee_coin == fill.symbol.partition("/")[0]
    fees = (booked.fee_in_base, booked.fee) if in_base else (booked.fee, booked.fee_in_base)
    more = booked.notional - fill.cost
    against_us = [more if fill.side == "buy" else -more, fees[0] - fill.fee]
    return (
        (booked.sequence, booked.quantity, fees[1]) == (sequence, fill.quantity, 0)
        and min(against_us) >= 0
        and sum(against_us) <= trade.rounded
    )


def _in_parts(row: Sequence[int]) -> Booked:
    grains, sequence, quantity, notional, fee, fee_grains = row
    return Booked(sequence, _parts(quantity, grains), notional, fee, _parts(fee_grains, grains))


def _parts(amount: int, grains: int) -> int:
    """
    >>> _parts(5, 6)
    500
    """
    assert grains <= PARTS, "A loopback venue cuts nothing finer."
    return int(amount * 10 ** (PARTS - grains))


def _balances(connection: sqlite3.Connection, key: tuple[int, int]) -> Iterator[Balance]:
    """Of the transfers, which nobody can balance but the fills and flows themselves."""
    units = connection.execute(_UNITS, key[:1]).fetchall()
    held = {(place, c): amount for place, c, amount in connection.execute(_HELD, key)}
    aside = dict(connection.execute(_ASIDE, key).fetchall())
    (slack,) = connection.execute(_SLACK, (*key, *key)).fetchone()
    quote = units[0][1]
    yield Balance(quote, held.get((_CASH, 0), 0), aside.get(0, 0), slack, 10**PARTS)
    for number, (base, _, points, grains) in enumerate(units, 1):
        position = _parts(held.get((_POSITION, number), 0), grains)
        row = connection.execute(_MARK, (*key, number - 1)).fetchone() or (0,)
        price = row[0] * 10**PARTS // 10**points
        beside = _parts(aside.get(number, 0), grains)
        yield Balance(base, position, beside, _parts(slack, grains), price)


_ENDS: Final = ("filled", "cancelled", "rejected")

_DOUBT: Final = """SELECT count(*) FROM live_orders JOIN orders USING (session, book, sequence)
    WHERE state IN ('new', 'sending', 'unknown') OR (state = 'placed' AND kind = 'take')"""
_ORDERS: Final = """SELECT l.client_id, l.sequence, l.state, o.stage, j.arrived_at_ms,
        l.intent_at_ms, EXISTS (SELECT 1 FROM order_states s
            WHERE (s.session, s.book, s.sequence) = (l.session, l.book, l.sequence)
            AND s.state = 'rejected' AND s.rejection IS NOT 5)  -- 5 is of a cancel
    FROM live_orders l JOIN orders o USING (session, book, sequence)
    JOIN journal j ON (j.session, j.book, j.number) = (o.session, o.book, o.number)
    WHERE l.session = ? AND l.book = ? ORDER BY l.sequence"""
_TRADES: Final = """SELECT t.trade_id, t.rounded, u.grains, t.sequence, t.quantity, t.notional,
        t.fee, t.fee_grains
    FROM live_trades t JOIN live_orders o USING (session, book, sequence)
    JOIN units u ON (u.session, u.instrument) = (o.session, o.instrument)
    WHERE t.session = ? AND t.book = ?"""
_FILLS: Final = """SELECT u.grains, f.sequence, f.quantity, f.notional, f.fee, f.fee_grains
    FROM fills f JOIN units u USING (session, instrument) WHERE f.session = ? AND f.book = ?"""
_UNITS: Final = """SELECT i.base, i.quote, i.points, i.grains FROM session_instruments s
    JOIN instruments i ON i.id = s.instrument WHERE s.session = ? ORDER BY s.number"""
_HELD: Final = """SELECT place, currency, sum(amount) FROM postings
    WHERE session = ? AND book = ? GROUP BY place, currency"""
_ASIDE: Final = """SELECT currency, sum(aside) FROM quarantine
    WHERE session = ? AND book = ? GROUP BY currency"""
_SLACK: Final = """SELECT (SELECT coalesce(sum(rounded), 0) FROM live_trades
        WHERE session = ? AND book = ?) + (SELECT count(*) FROM quarantine
        WHERE session = ? AND book = ? AND kind IN ('trade', 'movement'))"""
_MARK: Final = "SELECT mark FROM positions WHERE session = ? AND book = ? AND instrument = ?"
