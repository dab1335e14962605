"""The tables that people ask say what the journal says, in however many lives they were written."""

from pathlib import Path

import pytest

from rrr.core.orders import Stage, Status
from rrr.database import ledger
from tests.storm.homes import SAYS
from tests.storm.lives import CLOSES, ask, lived

TRIPS = """WITH moves AS (
    SELECT instrument, number, profit, -side * notional - fee AS money,
        coalesce(sum(profit IS NOT NULL) OVER earlier, 0) AS trip
    FROM fills WHERE session = 1
    WINDOW earlier AS (PARTITION BY instrument ORDER BY number
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING))
SELECT sum(money), max(profit) FROM moves GROUP BY instrument, trip
HAVING max(profit) IS NOT NULL"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "paper.db"


async def test_many_lives_leave_the_same_tables_as_one(path: Path) -> None:
    """Also what a scribe remembers between rows: round trips, and refusals that go on."""
    await lived(path)
    cut = path.with_name("cut.db")
    for until in range(0, CLOSES + 1, 10):
        await lived(cut, until=until)
    for table, columns in SAYS.items():
        sql = f"SELECT {columns} FROM {table}"
        assert ask(cut, sql) == ask(path, sql), table


async def test_the_profit_of_a_round_trip_is_what_its_fills_moved(path: Path) -> None:
    await lived(path)
    trips = ask(path, TRIPS)
    assert len(trips) > 5
    assert all(money == profit for money, profit in trips)


async def test_refusals_in_a_row_are_one_row_with_its_count(path: Path) -> None:
    await lived(path)
    rows = ask(path, "SELECT number, times, first_at_ms, last_at_ms FROM refusals")
    assert any(times > 1 for _, times, *_ in rows)
    assert all((times > 1) == (last > first) for _, times, first, last in rows)
    journaled = "SELECT count(*) FROM journal WHERE kind = 13"
    assert ask(path, journaled) == [(len(rows),)]


async def test_every_close_has_its_equity_and_positions_stand_where_the_last_left_them(
    path: Path,
) -> None:
    await lived(path)
    assert ask(path, "SELECT count(*) FROM equity") == [(CLOSES,)]
    (worth,) = ask(path, "SELECT worth FROM equity ORDER BY at_ms DESC LIMIT 1")[0]
    assert ask(path, "SELECT sum(worth) FROM positions") == [(worth,)]


async def test_an_order_ends_as_its_last_report_says(path: Path) -> None:
    await lived(path)
    wrong = """SELECT sequence FROM orders o WHERE (stage = 'filled') <>
        (filled = quantity) OR filled <> (SELECT coalesce(sum(quantity), 0) FROM fills f
            WHERE f.sequence = o.sequence)"""
    assert ask(path, wrong) == []
    names = {stage.name.lower() for stage in Stage}
    assert {stage for (stage,) in ask(path, "SELECT DISTINCT stage FROM orders")} <= names


def test_every_status_has_a_stage() -> None:
    assert ledger.STAGES.keys() == set(Status)
