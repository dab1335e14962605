"""A comparison counts for the round trips that were booked when it was made, and no others."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from rrr.database import live, live_fits
from rrr.database.live import Traded
from rrr.database.live_fits import Filled, Fit
from rrr.database.migrate import MIGRATIONS, migrate, steps, version
from rrr.database.opening import plain
from rrr.database.sessions import PRINCIPAL
from tests.database.test_live import ORDER, begin, decide
from tests.trading.live.divergences import UNITS

KEY: Final = (1, PRINCIPAL)
FIGURES: Final = {"verdict": "within", "beyond_ppm": {"mean": 1.5, "low": None}}


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


def fill(
    connection: sqlite3.Connection, number: int, sequence: int, profit: int | None = None
) -> None:
    connection.execute("INSERT INTO journal VALUES (1, 0, ?, 6, 0, '[]', 1, 0, '', x'')", (number,))
    connection.execute(
        "INSERT INTO fills VALUES (1, 0, ?, ?, 5, 0, 1, 40, 10, 400, 1, 2, ?, 0)",
        (number, sequence, profit),
    )


def test_the_last_comparison_is_read_as_it_was_written(connection: sqlite3.Connection) -> None:
    assert live_fits.last(connection, KEY) is None
    live_fits.remember(connection, KEY, 5, 3, FIGURES)
    live_fits.remember(connection, KEY, 9, 4, {})
    live_fits.remember(connection, KEY, 7, 4, {})
    assert live_fits.last(connection, KEY) == Fit(9, 4, {})
    live_fits.remember(connection, KEY, 10, 4, FIGURES)
    assert live_fits.last(connection, KEY) == Fit(10, 4, FIGURES)


def test_a_comparison_counts_for_the_round_trips_that_it_saw(
    connection: sqlite3.Connection,
) -> None:
    assert not live_fits.fitted(connection, KEY, 0)
    live_fits.remember(connection, KEY, 5, 30, FIGURES)
    live_fits.remember(connection, KEY, 6, 2, FIGURES)
    found = [live_fits.fitted(connection, KEY, number) for number in (0, 29, 30, 31)]
    assert found == [True, True, True, False]
    assert not live_fits.fitted(connection, (2, PRINCIPAL), 0), "Another session has its own."


def test_a_book_that_is_not_there_has_no_comparison(connection: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        live_fits.remember(connection, (9, PRINCIPAL), 5, 0, FIGURES)


def test_no_figure_is_no_number(connection: sqlite3.Connection) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        live_fits.remember(connection, KEY, 5, 0, {"mean": float("nan")})


def test_a_round_trip_is_a_sale_that_told_its_profit(connection: sqlite3.Connection) -> None:
    assert live_fits.round_trips(connection, KEY) == 0
    for number, profit in ((11, None), (12, 0), (13, None), (14, -5)):
        fill(connection, number, 1, profit)
    assert live_fits.round_trips(connection, KEY) == 2


def test_a_trade_of_the_venue_is_the_fill_of_its_number(connection: sqlite3.Connection) -> None:
    for number, sequence in ((11, 2), (12, 1), (13, 2)):
        fill(connection, number, sequence, profit=7 if number == 13 else None)
    trade = Traded("T9", 2, 2, 77, "O1", 40, 10, 400, 1, 2, "BNB", 8, 0)
    live.know(connection, KEY, "model", [ORDER._replace(sequence=2, client_id="rrr-2")])
    live.book(connection, KEY, "model", [trade])
    bare = Filled(5, 40, 10, 400, 1, 2, 0, 0, 0, "", 0)
    last = bare._replace(ends=1, venue_ms=77, coin="BNB", parts=8)
    assert live_fits.fills(connection, KEY) == {1: (bare,), 2: (bare, last)}


def test_only_what_met_the_market_and_is_over_has_ended(connection: sqlite3.Connection) -> None:
    for sequence, stage in ((3, "filled"), (4, "cancelled"), (5, "rejected"), (6, "working")):
        decide(connection, sequence, 0, 1, 100)
        connection.execute("UPDATE orders SET stage = ? WHERE sequence = ?", (stage, sequence))
    assert live_fits.ended(connection, KEY) == {3, 4}


def test_books_from_before_live_trading_can_be_compared_too(tmp_path: Path) -> None:
    old, path = tmp_path / "steps", tmp_path / "paper.db"
    old.mkdir()
    for step in steps(MIGRATIONS)[:5]:
        (old / step.name).write_text(step.read_text(encoding="utf-8"), encoding="utf-8")
    with closing(plain(f"file:{path}?mode=rwc")) as connection:
        migrate(connection, path, old)
        assert version(connection) == 5
        begin(connection, UNITS)
        decide(connection, 1, 0, 1, 100)
        fill(connection, 11, 1)
        assert [*live_fits.fills(connection, KEY)] == [1]


@pytest.mark.parametrize("name", [name for name in vars(live_fits) if name.isupper()])
def test_no_question_reads_a_table_from_end_to_end(
    connection: sqlite3.Connection, name: str
) -> None:
    sql = getattr(live_fits, name)
    plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", (0,) * sql.count("?")).fetchall()
    scanned = [step for *_, step in plan if step.startswith("SCAN")]
    assert [step for step in scanned if "subquery" not in step] == [], plan
