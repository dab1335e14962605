"""Every row is chained to the last: no byte of a journal changes unseen."""

import asyncio
import sqlite3
from contextlib import closing
from itertools import accumulate
from pathlib import Path
from random import Random
from shutil import copyfile
from typing import Any

import pytest

from rrr.core.errors import JournalBroken
from rrr.core.events import Close, Event, Flow, Listing, Refused
from rrr.core.state import EMPTY
from rrr.database import journal
from rrr.database.journal import DAY_MS, DIGEST, KINDS, Pen, Row, beginning, decode, verified
from tests.builders import BTC, START, candle
from tests.storm.homes import House
from tests.storm.lives import lived, replayed, spoil

SPOILT = {  # column: what is written in its place
    "core": "replace(core, '1', '2')",
    "kind": "CASE kind WHEN 4 THEN 5 ELSE 4 END",
    "run": "NULL",  # another run; see below
    "arrived_at_ms": "arrived_at_ms + 1",
    "note": "note || ' '",
    "chain": "randomblob(32)",
    "at_ms": "at_ms + 1",
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with some thousand rows and a snapshot."""
    house = House(tmp_path_factory.mktemp("written"), ())
    house.path.parent.mkdir()
    asyncio.run(lived(house.path, until=60))
    return house.path


@pytest.fixture
def house(written: Path, tmp_path: Path) -> House:
    house = House(tmp_path, ())
    house.path.parent.mkdir()
    copyfile(written, house.path)
    return house


async def refused(house: House) -> tuple[str, str]:
    """What start-up says, and what `rrr replay` says."""
    with pytest.raises(JournalBroken) as at_start:
        await lived(house.path)
    with pytest.raises(JournalBroken) as at_replay:
        replayed(house.path)
    return at_start.value.what, at_replay.value.what


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("column", SPOILT)
async def test_a_changed_column_of_any_row_is_found(house: House, column: str, seed: int) -> None:
    (last,) = house.ask("SELECT max(number) FROM journal")[0]
    number = Random(f"{column}{seed}").randint(1, last)
    value = SPOILT[column]
    if column == "run":
        spoil(
            house.path, "INSERT INTO runs SELECT 99, session, 9, '', core_hash, 0, 0, '' FROM runs"
        )
        value = "99"
    spoil(house.path, f"UPDATE journal SET {column} = {value} WHERE number = {number}")
    for said in await refused(house):
        assert f"Row {number} of the journal was changed" in said


@pytest.mark.parametrize("seed", range(6))
async def test_a_flipped_bit_of_any_cell_is_found(house: House, seed: int) -> None:
    dice = Random(seed)
    (last,) = house.ask("SELECT max(number) FROM journal")[0]
    number, column = dice.randint(1, last), dice.choice(("core", "chain"))
    (cell,) = house.ask(f"SELECT {column} FROM journal WHERE number = ?", number)[0]
    flipped = bytearray(cell.encode() if isinstance(cell, str) else cell)
    flipped[dice.randrange(len(flipped))] ^= 1 << dice.randrange(3)
    with closing(sqlite3.connect(house.path, isolation_level=None)) as connection:
        value = flipped.decode() if isinstance(cell, str) else bytes(flipped)
        connection.execute(f"UPDATE journal SET {column} = ? WHERE number = ?", (value, number))
    for said in await refused(house):
        assert f"Row {number} of the journal was changed" in said


async def test_a_deleted_row_is_found(house: House) -> None:
    spoil(house.path, "DELETE FROM journal WHERE number = 300")
    for said in await refused(house):
        assert said == "The journal goes from row 299 to row 301: rows are missing."


async def test_rows_in_another_order_are_found(house: House) -> None:
    spoil(
        house.path,
        "UPDATE journal SET number = -300 WHERE number = 300",
        "UPDATE journal SET number = 300 WHERE number = 301",
        "UPDATE journal SET number = 301 WHERE number = -300",
    )
    for said in await refused(house):
        assert said.startswith("Row 300 of the journal was changed")


async def test_a_row_too_many_is_found(house: House) -> None:
    spoil(
        house.path,
        "INSERT INTO journal SELECT session, book, number + 1, kind, at_ms, core, run,"
        " arrived_at_ms, note, chain FROM journal ORDER BY number DESC LIMIT 1",
    )
    await refused(house)


async def test_the_journal_of_another_session_is_found(house: House, tmp_path: Path) -> None:
    spoil(house.path, "UPDATE sessions SET key = replace(key, '\"seed\":1', '\"seed\":2')")
    with pytest.raises(JournalBroken, match="Row 1 "):
        replayed(house.path)


def test_no_float_becomes_a_row() -> None:
    pen = Pen(beginning("a key"))
    still: Any = candle()
    with pytest.raises(AssertionError, match="No float"):
        pen.write([Close(START, START - 1, (still._replace(close=1.5),), ())], 0)
    assert pen.head == beginning("a key")
    with pytest.raises(AssertionError, match="No float"):
        pen.write([Flow(START, float(10**20))], 0)  # type: ignore[arg-type]


def test_a_repeated_refusal_is_no_row() -> None:
    pen = Pen(beginning("a key"))
    told = [Refused(START, 0, 5, times) for times in (1, 2, 3)]
    assert len(pen.write(told, 0)) == 1


def test_the_day_that_ended_is_sealed_once_before_the_first_row_of_the_next() -> None:
    pen = Pen(beginning("a key"))
    midnight = START - START % DAY_MS
    assert pen.turn(midnight, EMPTY, 0) == []
    pen.write([Flow(midnight, 1)], 0)
    assert journal.day(midnight) == journal.day(midnight - 1)
    (digest,) = pen.turn(midnight + 1, EMPTY, 0)
    assert (digest.kind, digest.at_ms) == (DIGEST, midnight)
    pen.write([Flow(midnight + 1, 1)], 0)
    assert pen.turn(midnight + 2, EMPTY, 0) == []


def test_the_trace_knows_nothing_of_the_edge_and_the_chain_does() -> None:
    events: list[Event] = [Listing(START, BTC), Flow(START, 7)]
    one, other = Pen(beginning("a key"), run=1), Pen(beginning("a key"), run=2)
    one.write(events, arrived_at_ms=1, note="early")
    other.write(events, arrived_at_ms=2, note="late")
    assert one.head.trace == other.head.trace
    assert one.head.chain != other.head.chain


def test_what_was_written_is_what_is_read() -> None:
    events: list[Event] = [
        Listing(START, BTC),
        Flow(START, 7),
        Close(START, START - 1, (candle(),), (2,)),
    ]
    rows = Pen(beginning("a key")).write(events, 0)
    assert [decode(row) for row in rows] == events
    assert [row for _, row in verified(beginning("a key"), rows)] == rows


@pytest.mark.parametrize("kind", sorted({*KINDS.values()} | {99}))
def test_a_row_that_is_not_what_its_kind_says_is_refused(kind: int) -> None:
    with pytest.raises(JournalBroken, match="Row 7 of the journal cannot be read"):
        decode(Row(7, kind, START, '["no", "such"]', 1, 0, "", b""))


def test_heads_are_numbered_without_a_gap() -> None:
    pen = Pen(beginning("a key"))
    rows = pen.write([Flow(START, amount) for amount in range(1, 6)], 0)
    assert [row.number for row in rows] == list(accumulate([1] * 5))
