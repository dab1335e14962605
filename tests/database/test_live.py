"""What the seam knows is read as it was written, and nothing of it is written twice."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Final

import pytest

from rrr.database import live
from rrr.database.live import Foreign, Known, Outside, Progress, Tied, Traded
from rrr.database.migrate import migrate
from rrr.database.opening import plain
from rrr.database.sessions import PRINCIPAL, Unit, create, key_of
from rrr.trading.live.seen import Seen, Settled
from tests.trading.live.divergences import COINS, UNITS, Game

VENUE: Final = "model"
KEY: Final = (1, PRINCIPAL)
ORDER: Final = Known(1, 0, 1, 100, Progress.NEW, "rrr-1", intent_at_ms=5)
TRADE: Final = Traded("BTC/USD buy T1", 1, 1, 5, "O1", 60, 10, 600, 1, 0, "BNB", 7, 2)
ROW: Final = Foreign(Outside.MOVEMENT, "L1", 1, 0, 5, 0, 9, "deposit of 5 BTC")


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A live database with one session and two orders of its core."""
    path = tmp_path / "live.db"
    with closing(plain(f"file:{path}?mode=rwc")) as connection:
        migrate(connection, path)
        connection.execute("PRAGMA foreign_keys = ON")
        begin(connection, UNITS)
        for sequence in (1, 2):
            decide(connection, sequence, 0, 1, 100)
        yield connection


def begin(connection: sqlite3.Connection, units: Iterable[Unit]) -> None:
    about = {"mode": "live", "market": VENUE, "signals": "baseline"}
    session = create(connection, key_of(about), [*units], 0)
    assert session.id == KEY[0]
    connection.execute(
        "INSERT INTO runs (session, pid, version, core_hash, started_at_ms)"
        " VALUES (1, 1, '', '', 0)"
    )


def decide(
    connection: sqlite3.Connection, sequence: int, instrument: int, side: int, quantity: int
) -> None:
    """The rows of an order, as the scribe writes them."""
    connection.execute(
        "INSERT INTO journal VALUES (1, 0, ?, 11, 0, '[]', 1, 0, '', x'')", (sequence,)
    )
    connection.execute(
        "INSERT INTO orders (session, book, sequence, number, at_ms, instrument, kind, side,"
        " quantity, price, cause, attempt, stage)"
        " VALUES (1, 0, ?, ?, 0, ?, 'take', ?, ?, 1, 'signal', 0, 'sending')",
        (sequence, sequence, instrument, side, quantity),
    )


def orders(connection: sqlite3.Connection) -> tuple[Known, ...]:
    return live.notes(connection, KEY, len(COINS)).orders


def test_an_order_is_read_as_it_was_written_at_each_step(connection: sqlite3.Connection) -> None:
    live.know(connection, KEY, VENUE, [ORDER])
    assert orders(connection) == (ORDER,)
    steps = (
        ORDER._replace(progress=Progress.SENDING, sending_at_ms=6, attempts=1),
        ORDER._replace(progress=Progress.UNKNOWN, sending_at_ms=6),
        ORDER._replace(progress=Progress.PLACED, sending_at_ms=6, venue_id="O1"),
        ORDER._replace(progress=Progress.ENDED, sending_at_ms=6, settled_at_ms=9),
        ORDER._replace(progress=Progress.REJECTED, sending_at_ms=6, settled_at_ms=9),
    )
    for step in steps:
        live.learn(connection, KEY, [step])
        assert orders(connection) == (step,)
    assert {one.progress for one in (ORDER, *steps)} == {*Progress}


def test_what_nobody_knew_cannot_be_learned(connection: sqlite3.Connection) -> None:
    with pytest.raises(AssertionError, match="was known to be one"):
        live.learn(connection, KEY, [ORDER])


def test_two_orders_never_share_an_id_at_one_venue(connection: sqlite3.Connection) -> None:
    live.know(connection, KEY, VENUE, [ORDER])
    with pytest.raises(sqlite3.IntegrityError, match="client_id"):
        live.know(connection, KEY, VENUE, [ORDER._replace(sequence=2)])


def test_what_is_sent_says_when(connection: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        live.know(connection, KEY, VENUE, [ORDER._replace(progress=Progress.SENDING)])


def test_an_order_that_the_core_never_made_has_no_row(connection: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        live.know(connection, KEY, VENUE, [ORDER._replace(sequence=3)])


def test_the_fills_of_an_order_are_the_sum_of_its_trades(connection: sqlite3.Connection) -> None:
    live.know(connection, KEY, VENUE, [ORDER])
    second = TRADE._replace(trade_id="BTC/USD buy T2", fill=2, quantity=40)
    live.book(connection, KEY, VENUE, [TRADE, second])
    notes = live.notes(connection, KEY, len(COINS))
    assert [(one.filled, one.fills) for one in notes.orders] == [(100, 2)]
    assert notes.trades == {TRADE.trade_id, second.trade_id}
    assert notes.slack == TRADE.rounded + second.rounded
    names = ", ".join(Traded._fields)
    kept = connection.execute(f"SELECT {names} FROM live_trades ORDER BY fill").fetchall()
    assert [Traded(*row) for row in kept] == [TRADE, second]


@pytest.mark.parametrize(
    "again",
    [TRADE, TRADE._replace(fill=2), TRADE._replace(trade_id="another"), TRADE._replace(sequence=2)],
)
def test_a_trade_is_booked_once_and_a_fill_has_one_trade(
    connection: sqlite3.Connection, again: Traded
) -> None:
    live.know(connection, KEY, VENUE, [ORDER, ORDER._replace(sequence=2, client_id="rrr-2")])
    live.book(connection, KEY, VENUE, [TRADE])
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        live.book(connection, KEY, VENUE, [again])


@pytest.mark.parametrize("change", ["UPDATE live_trades SET fee = 0", "DELETE FROM live_trades"])
def test_what_the_venue_exchanged_stays(connection: sqlite3.Connection, change: str) -> None:
    live.know(connection, KEY, VENUE, [ORDER])
    live.book(connection, KEY, VENUE, [TRADE])
    with pytest.raises(sqlite3.IntegrityError, match="what the venue exchanged is never"):
        connection.execute(change)


def test_what_is_aside_is_summed_by_currency_and_touches_until_released(
    connection: sqlite3.Connection,
) -> None:
    beginning = ROW._replace(kind=Outside.BEGINNING, id="1", instrument=-1, aside=7)
    order = ROW._replace(kind=Outside.ORDER, id="0 O9", currency=0, instrument=1, aside=0)
    live.set_aside(connection, KEY, [ROW, beginning, order], at_ms=9)
    notes = live.notes(connection, KEY, len(COINS))
    assert notes.aside == (0, 12, 0)
    assert notes.foreign == {(one.kind, one.id) for one in (ROW, beginning, order)}
    assert notes.touched == {0, 1}
    assert notes.slack == 1, "One leg of a movement was rounded, or may have been."
    assert live.release(connection, KEY, 0, at_ms=10) == 1
    assert live.release(connection, KEY, 0, at_ms=11) == 0
    assert live.notes(connection, KEY, len(COINS)) == notes._replace(touched=frozenset({1}))


def test_what_was_set_aside_is_not_set_aside_again(connection: sqlite3.Connection) -> None:
    live.set_aside(connection, KEY, [ROW, ROW._replace(currency=0)], at_ms=9)
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        live.set_aside(connection, KEY, [ROW._replace(aside=6)], at_ms=10)


def test_the_last_tie_out_names_what_differs(connection: sqlite3.Connection) -> None:
    live.tie_out(connection, KEY, 1, [Tied(0, 100, 5, 99, 0)])
    tied = [Tied(0, 100, 5, 107, 2), Tied(1, 100, 0, 101, 0), Tied(2, 100, 0, 99, 5)]
    live.tie_out(connection, KEY, 2, tied)
    found = connection.execute(
        "SELECT at_ms, currency, difference, differs FROM last_tie_out ORDER BY currency"
    ).fetchall()
    assert found == [(2, 0, 2, 0), (2, 1, 1, 1), (2, 2, -1, 1)]


@pytest.mark.parametrize("name", [name for name in vars(live) if name.isupper()])
def test_no_question_reads_a_table_from_end_to_end(
    connection: sqlite3.Connection, name: str
) -> None:
    sql = getattr(live, name)
    plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", (0,) * sql.count("?")).fetchall()
    assert not [step for *_, step in plan if step.startswith("SCAN")], plan


class Kept(Game):
    """The same game, in which all that is known of the seam goes through the tables."""

    connection: sqlite3.Connection
    written: dict[int, Known]

    def seen(self, starting: bool, gone: Iterable[int] = ()) -> Seen:
        """What is read is what was meant."""
        for known in self.known.values():
            kept = self.written.get(known.sequence)
            if kept is None:
                decide(self.connection, known.sequence, *known[1:4])
                live.know(self.connection, KEY, VENUE, [known])
            elif known != kept:
                live.learn(self.connection, KEY, [known])
            self.written[known.sequence] = known
        seen = Game.seen(self, starting, gone)
        found = live.notes(self.connection, KEY, len(COINS))
        assert sorted(found.orders) == sorted(seen.notes.orders)
        assert found._replace(orders=()) == seen.notes._replace(orders=())
        return seen._replace(notes=found)

    def write(self, settled: Settled) -> None:
        live.learn(self.connection, KEY, settled.orders)
        live.book(self.connection, KEY, VENUE, settled.trades)
        live.set_aside(self.connection, KEY, settled.foreign, self.at_ms)
        self.written.update({one.sequence: one for one in settled.orders})
        Game.write(self, settled)


@pytest.mark.parametrize("number", range(12))
def test_a_book_that_lives_in_the_tables_agrees_with_its_venue(tmp_path: Path, number: int) -> None:
    path = tmp_path / "live.db"
    with closing(plain(f"file:{path}?mode=rwc")) as connection:
        migrate(connection, path)
        connection.execute("PRAGMA foreign_keys = ON")
        begin(connection, UNITS)
        game = Kept(Random(f"tables {number}"))
        game.connection, game.written = connection, {}
        live.set_aside(connection, KEY, game.foreign, 0)
        for _ in range(3):
            game.live()
            game.faulty_pass()
            game.true_pass()
