"""Rows are durable first; only then the state is adopted, and orders leave."""

import sqlite3
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from rrr.core.errors import JournalBroken, StorageFailed
from rrr.core.events import Command, Halted, Verb
from rrr.core.orders import Cancel, Order, Side, Status
from rrr.core.state import Halt, State
from rrr.database.journal import DIGEST
from rrr.database.ledger import Tables
from rrr.database.opening import PAPER, connect_read_only
from rrr.trading.engine import engine as module
from rrr.trading.engine.engine import Batch, Engine, Moment, Words
from rrr.trading.engine.paper import Record
from rrr.trading.engine.venue import Work
from tests.builders import report
from tests.storm.lives import ask, lived, living, moments, replayed, spoil

SENT = "SELECT kind, core FROM journal WHERE kind IN (11, 12) ORDER BY number"


class Watching:
    """A venue that looks, through a connection of its own, whether what it is to send is there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.carried = 0
        self.early = 0

    mode = "paper"

    def intend(self, record: Record) -> Work | None:
        return None

    async def carry(self, record: Record, state: State) -> None:
        leaving = [item for item in record if isinstance(item, Order | Cancel)]
        if not leaving:
            return
        with closing(connect_read_only(self.path, PAPER)) as connection:
            written = connection.execute("SELECT count(*) FROM journal WHERE kind IN (11, 12)")
            known = written.fetchone()[0]
        self.carried += len(leaving)
        self.early += max(self.carried - known, 0)


class Hasty(Engine):
    """The mutant: it sends, and then writes down what it sent."""

    async def commit(self, batch: Batch) -> Batch:
        for record, state in batch.told:
            await self.venue.carry(record, state)
        return await super().commit(batch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "paper.db"


async def watched(path: Path) -> Watching:
    venue = Watching(path)
    async with living(path, venue=venue) as engine:
        history = moments(closes=120)
        for first in range(0, len(history), 8):
            await engine.take(history[first : first + 8])
    return venue


async def test_nothing_leaves_before_it_is_written(path: Path) -> None:
    venue = await watched(path)
    assert venue.carried == len(ask(path, SENT)) > 100
    assert venue.early == 0


async def test_mutant_a_commit_after_the_effect_is_caught(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rrr.trading.engine.opening.Engine", Hasty)
    assert (await watched(path)).early > 0


async def test_what_is_decided_ahead_is_neither_adopted_nor_sent(path: Path) -> None:
    venue = Watching(path)
    async with living(path, venue=venue) as engine:
        before = engine.world
        ahead = [engine.decide(moments()[first : first + 20]) for first in (0, 20, 40)]
        assert engine.world == before
        assert venue.carried == 0
        for batch in ahead:
            await engine.commit(batch)
            assert engine.world == batch.world
        assert venue.carried > 0
        assert venue.early == 0
    whole = path.with_name("whole.db")
    await lived(whole, until=60)
    assert ask(path, "SELECT core FROM journal") == ask(whole, "SELECT core FROM journal")


async def test_a_commit_that_fails_adopts_nothing_and_sends_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(tables: Tables, connection: sqlite3.Connection) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    venue = Watching(path)
    async with living(path, venue=venue) as engine:
        await engine.take(moments()[:40])
        before, carried = engine.world, venue.carried
        with monkeypatch.context() as disk, pytest.raises(StorageFailed, match="has no room"):
            disk.setattr(Tables, "write", full)
            await engine.take(moments()[40:60])
        assert engine.world == before
        assert venue.carried == carried
        with pytest.raises(StorageFailed):
            await engine.take(moments()[60:80])
    assert await lived(path) == await lived(path.with_name("whole.db"))


async def test_a_life_cut_anywhere_goes_on_to_the_same_hash(path: Path) -> None:
    whole = await lived(path)
    cut = path.with_name("cut.db")
    for until in (0, 1, 37, 38, 120, 200):
        last = await lived(cut, until=until)
    assert last == whole
    rows = "SELECT number, kind, at_ms, core FROM journal"
    assert ask(cut, rows) == ask(path, rows)


async def test_batches_of_any_length_write_the_same_journal(path: Path) -> None:
    whole, left = await lived(path), iter(moments())
    async with living(path.with_name("other.db")) as engine:
        for length in (1, 2, 64, 1, 13, 500):
            await engine.take(list(islice(left, length)))
        assert engine.state_hash == whole


async def test_a_snapshot_only_saves_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SNAPSHOT_ROWS", 300)
    whole = await lived(path)
    assert len(ask(path, "SELECT 1 FROM snapshots")) > 2
    async with living(path) as engine:
        assert engine.state_hash == whole
        assert engine.snapped_at > 0
    spoil(path, "DELETE FROM snapshots")
    async with living(path) as engine:
        assert engine.state_hash == whole
        assert engine.snapped_at == 0


@pytest.mark.parametrize(
    "change",
    [
        "world = replace(world, '100000000000000', '200000000000000')",
        "core_hash = 'another'",
        "chain = zeroblob(32)",
        "seal = zeroblob(32)",
        "number = number - 1",
        "trace = zeroblob(32)",
        "at_ms = at_ms + 3600000",
    ],
)
async def test_a_changed_snapshot_is_not_believed(
    path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(module, "SNAPSHOT_ROWS", 300)
    await lived(path)
    last = "number = (SELECT max(number) FROM snapshots)"
    spoil(path, f"UPDATE snapshots SET {change} WHERE {last}")
    with pytest.raises(JournalBroken, match="snapshot"):
        await lived(path)


async def test_a_snapshot_of_rows_that_are_gone_is_not_believed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SNAPSHOT_ROWS", 300)
    await lived(path)
    spoil(path, "DELETE FROM journal")
    with pytest.raises(JournalBroken):
        await lived(path)


async def test_a_command_is_a_row_with_its_reason(path: Path) -> None:
    async with living(path) as engine:
        await engine.take(moments()[:5])
        halt = Command(engine.head.at_ms, Verb.HALT)
        takes = [lane.order for lane in engine.state.lanes if lane.order.kind]
        called_back = [take for take in takes if take.side == Side.BUY]
        assert called_back
        batch = await engine.take([Moment((halt,), "the coffee is cold")])
        ((record, state),) = batch.told
        assert record == [
            halt,
            Halted(halt.at_ms, Halt.OPERATOR),
            *(Cancel(halt.at_ms, take.instrument, take.sequence) for take in called_back),
            *(report(Status.CANCELLED, take, at_ms=halt.at_ms) for take in called_back),
        ]
        assert state.account.halted == Halt.OPERATOR
    assert ask(path, "SELECT reason, note FROM halts") == [("operator", "the coffee is cold")]
    async with living(path) as engine:
        assert engine.state.account.halted == Halt.OPERATOR


async def test_every_life_is_noted_and_who_died_is_named(path: Path) -> None:
    async with living(path):
        pass
    async with living(path) as engine:
        await engine.end(False, lambda connection: {})
    assert ask(path, "SELECT outcome FROM runs") == [("died",), ("stopped",)]


async def test_a_market_that_is_over_is_sealed_summed_up_and_finished_at_once(path: Path) -> None:
    whole = await lived(path)
    async with living(path) as engine:
        assert await engine.end(True, lambda connection: {"fills": 7}) == {"fills": 7}
    assert ask(path, "SELECT state_hash, summary FROM sessions") == [(whole, '{"fills": 7}')]
    assert ask(path, "SELECT kind FROM journal ORDER BY number DESC LIMIT 1") == [(DIGEST,)]
    assert replayed(path).state_hash == whole


async def test_an_end_that_cannot_be_summed_up_has_not_happened(path: Path) -> None:
    await lived(path)
    rows = ask(path, "SELECT count(*) FROM journal")

    def broken(connection: sqlite3.Connection) -> Words:
        raise KeyError

    async with living(path) as engine:
        with pytest.raises(KeyError):
            await engine.end(True, broken)
    assert ask(path, "SELECT count(*) FROM journal") == rows
    assert ask(path, "SELECT finished_at_ms FROM sessions") == [(None,)]


async def test_mutant_a_seal_whose_rows_are_gone_is_found(path: Path) -> None:
    await lived(path)
    async with living(path) as engine:
        await engine.end(True, lambda connection: {})
    last = "(SELECT max(number) FROM journal)"
    spoil(path, f"DELETE FROM snapshots WHERE number = {last}")
    spoil(path, f"DELETE FROM journal WHERE number = {last}")
    spoil(path, f"DELETE FROM journal WHERE number = {last}")
    assert not replayed(path).identical
