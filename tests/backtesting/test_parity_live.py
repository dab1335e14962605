"""A live session is the same again, for all that a venue said is in its journal."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rrr.backtesting import parity
from rrr.backtesting.parity import Verdict
from rrr.core.errors import JournalBroken
from rrr.core.orders import Report, Status
from rrr.database import sessions
from rrr.database.journal import Pen, Row
from rrr.database.opening import LIVE, connect_read_only
from rrr.trading.engine import far, paper, venue
from rrr.trading.engine.opening import core_hash
from tests.api.afar import Desk, Fate, ask, buys, living, trade, traded
from tests.storm.lives import moments

JOURNAL = "SELECT number, kind, at_ms, core, run, arrived_at_ms, note, chain FROM journal"
FILL = "SELECT number FROM journal WHERE kind = 6 AND json_extract(core, '$[3]') = 2"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "live.db"


def replayed(path: Path) -> Verdict:
    with closing(connect_read_only(path, LIVE)) as connection:
        return parity.replayed(connection, sessions.named(connection, None), core_hash())


def reports(path: Path) -> list[tuple[int, Report]]:
    rows = ask(path, "SELECT number, core FROM journal WHERE kind = 6 ORDER BY number")
    return [(number, Report(*json.loads(core))) for number, core in rows]


async def test_a_live_session_is_identical_to_itself(path: Path) -> None:
    whole = await traded(path)
    rows = ask(path, "SELECT count(*) FROM journal")[0][0]
    assert len(reports(path)) > 100
    assert replayed(path) == Verdict(True, rows, (), None, (), whole)


@pytest.mark.parametrize("closes", range(6, 30, 3))
async def test_it_is_identical_wherever_it_stops(path: Path, closes: int) -> None:
    """The last word of a venue may be a fill, long before the next close."""
    whole = await traded(path, closes=closes)
    verdict = replayed(path)
    assert (verdict.identical, verdict.state_hash) == (True, whole), verdict.faults


@pytest.mark.parametrize("fate", [*Fate])
async def test_it_is_identical_whatever_became_of_its_orders(path: Path, fate: Fate) -> None:
    whole = await traded(path, buys(20, fate))
    said = {Status(report.status) for _, report in reports(path)}
    assert said >= {Status.ACCEPTED, Status.FILLED, Status.CANCELLED}
    assert (fate is Fate.SILENCE) == (Status.UNKNOWN in said)
    assert (fate in (Fate.CAPPED, Fate.FROZEN)) == (Status.REJECTED in said)
    verdict = replayed(path)
    assert (verdict.identical, verdict.state_hash) == (True, whole)


async def test_many_lives_with_a_venue_far_away_are_one_history(path: Path) -> None:
    history, desk = moments()[:24], Desk()
    for first in range(0, 24, 6):
        async with living(path, desk) as engine:
            await trade(engine, desk, history[first : first + 6])
    other = path.with_name("other.db")
    desk = Desk()
    async with living(other, desk) as engine:
        await trade(engine, desk, history)
    rows = "SELECT number, kind, at_ms, core FROM journal ORDER BY number"
    assert ask(path, rows) == ask(other, rows)
    assert replayed(path).difference is None


async def test_mutant_who_answers_for_a_venue_far_away_is_caught(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The paper venue would have said something of its own."""
    await traded(path)
    speakers = {**venue.SPEAKERS, "live": (paper.advance, far.OUTSIDE)}
    monkeypatch.setattr(parity, "SPEAKERS", speakers)
    verdict = replayed(path)
    assert not verdict.identical
    assert verdict.difference is not None


async def test_a_changed_report_breaks_the_chain_at_its_row(path: Path) -> None:
    await traded(path)
    number = ask(path, FILL)[20][0]
    with closing(sqlite3.connect(path)) as connection, connection:
        changed = "UPDATE journal SET core = replace(core, ',1,', ',2,') WHERE number = ?"
        connection.execute(changed, (number,))
    with pytest.raises(JournalBroken, match=f"Row {number} of the journal was changed"):
        replayed(path)


@pytest.mark.parametrize("figure", ["quantity", "price", "notional", "fee"])
async def test_the_perfect_forgery_of_a_report_is_named_all_the_same(
    path: Path, figure: str
) -> None:
    """No row makes a report anew: what it led to differs, and so does the fill that was booked."""
    await traded(path)
    number = ask(path, FILL)[20][0]
    place = Report._fields.index(figure)

    def dearer(values: list[Any]) -> None:
        values[place] += 1

    rewrite(path, number, dearer)
    verdict = replayed(path)
    assert not verdict.identical
    words = parity.in_words(verdict)
    assert f"row {number} " in words, words


def rewrite(path: Path, number: int, change: Callable[[list[Any]], None]) -> None:
    """Change a row, and chain all that follow anew."""
    with closing(connect_read_only(path, LIVE)) as reading:
        pen = Pen(sessions.head_of(sessions.named(reading, None)))
        rows = [Row(*row) for row in reading.execute(JOURNAL)]
    with closing(sqlite3.connect(path)) as connection, connection:
        for row in rows:
            core = row.core
            if row.number == number:
                values = json.loads(core)
                change(values)
                core = json.dumps(values, separators=(",", ":"))
            pen.run = row.run
            made = pen._row(row.kind, row.at_ms, core.encode(), row.arrived_at_ms, row.note)
            connection.execute(
                "UPDATE journal SET core = ?, chain = ? WHERE number = ?",
                (core, made.chain, row.number),
            )
