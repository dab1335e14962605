"""Touches, takeovers, the guard and a panic are history: folded like all else, and replayed."""

import sqlite3
from pathlib import Path

import pytest

from rrr.core.errors import JournalBroken
from rrr.core.events import Adopted, Command, Event, Flow, Signal, Touch, Verb
from rrr.core.shelf import Assumptions
from rrr.core.state import Halt
from rrr.database import balance, ledger
from rrr.database.journal import KINDS
from rrr.database.sessions import PRINCIPAL
from rrr.trading.engine import engine as module
from rrr.trading.engine.engine import Moment
from tests.builders import MODELS
from tests.storm.homes import SAYS
from tests.storm.lives import ask, living, replayed, spoil, terms
from tests.trading.engine.eventful import SEED, lived, moments


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "paper.db"


def met(kind: type[Event]) -> list[Event]:
    return [one for moment in moments() for one in moment.events if isinstance(one, kind)]


def test_the_session_is_not_dull() -> None:
    assert len(met(Touch)) > 300
    assert {one.model for one in met(Adopted) if isinstance(one, Adopted)} == set(MODELS)
    verbs = [one.verb for one in met(Command) if isinstance(one, Command)]
    assert set(verbs) == set(Verb)


async def test_it_is_replayed_row_for_row_and_its_books_balance(path: Path) -> None:
    whole = await lived(path)
    verdict = replayed(path)
    assert (verdict.identical, verdict.state_hash) == (True, whole)
    kinds = {kind for (kind,) in ask(path, "SELECT DISTINCT kind FROM journal")}
    assert kinds >= {*KINDS.values()}
    async with living(path, terms(SEED)) as engine:
        found = await engine.db.write(lambda c: balance.faults(c, 1, PRINCIPAL, engine.state))
    assert found == []


@pytest.mark.parametrize("by_touch", [0, 1])
async def test_a_life_cut_anywhere_goes_on_to_the_same_hash_and_the_same_tables(
    path: Path, monkeypatch: pytest.MonkeyPatch, by_touch: int
) -> None:
    assumed = Assumptions(250, 100_000, 300_000, by_touch)
    whole = await lived(path, assumed=assumed)
    assert replayed(path).state_hash == whole
    monkeypatch.setattr(module, "SNAPSHOT_ROWS", 400)
    cut, last = path.with_name("cut.db"), ""
    for until in (*range(1, len(moments()), 11), len(moments())):
        last = await lived(cut, until=until, assumed=assumed)
    assert last == whole
    assert ask(path, "SELECT count(DISTINCT sequence) FROM fills")[0][0] > 20
    for table, columns in SAYS.items():
        sql = f"SELECT {columns} FROM {table}"
        assert ask(cut, sql) == ask(path, sql), table


async def test_a_touch_in_a_moment_of_its_own_belongs_to_the_equity_of_its_close(
    path: Path,
) -> None:
    async with living(path, terms(SEED)) as engine:
        for moment in moments()[:60]:
            await engine.take([moment])
        i, lane = next((i, x) for i, x in enumerate(engine.state.lanes) if x.quantity)
        wide = Touch(engine.head.at_ms, i, lane.mark * 19 // 20, lane.mark * 21 // 20)
        before = engine.state.account
        await engine.take([Moment((wide,))])
        assert engine.state.account.worth < before.worth
        found = await engine.db.write(lambda c: balance.faults(c, 1, PRINCIPAL, engine.state))
    assert found == []


async def test_what_comes_between_two_closes_is_in_the_row_of_the_later_one(path: Path) -> None:
    rows = "SELECT at_ms, cash, worth, invested, peak FROM equity ORDER BY at_ms"
    async with living(path, terms(SEED)) as engine:
        for moment in moments()[:60]:
            await engine.take([moment])
        i, lane = next((i, x) for i, x in enumerate(engine.state.lanes) if x.quantity)
        at_ms, before = engine.head.at_ms, ask(path, rows)
        wide = Touch(at_ms + 1, i, lane.mark * 19 // 20, lane.mark * 21 // 20)
        await engine.take([Moment((wide,)), Moment((Flow(at_ms + 2, 5),))])
        assert ask(path, rows) == before
        assert await engine.db.write(lambda c: balance.faults(c, 1, PRINCIPAL, engine.state)) == []
        await engine.take([moments()[60]])
        *kept, (_, _, _, invested, _) = ask(path, rows)
        assert (kept, invested) == (before, before[-1][3] + 5)
        assert await engine.db.write(lambda c: balance.faults(c, 1, PRINCIPAL, engine.state)) == []


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (Touch, "core = replace(core, ',', ',1')"),
        (Adopted, "core = replace(core, ',', ',1')"),
        (Command, "kind = 8"),
    ],
)
async def test_a_changed_row_is_named(path: Path, kind: type, change: str) -> None:
    await lived(path, until=60)
    (number,) = ask(path, f"SELECT max(number) FROM journal WHERE kind = {KINDS[kind]}")[0]
    spoil(path, f"UPDATE journal SET {change} WHERE number = {number}")
    with pytest.raises(JournalBroken, match=f"Row {number} of the journal was changed"):
        replayed(path)


async def test_who_halted_and_who_ended_it_is_told_by_the_table(path: Path) -> None:
    await lived(path)
    found = ask(path, "SELECT reason, note FROM halts ORDER BY number")
    assert {reason for reason, _ in found} >= {
        *(Halt.OPERATOR.name.lower(), Halt.GUARD.name.lower(), Halt.PANIC.name.lower()),
        *ledger.ENDS,
    }
    for reason, note in found:
        if reason in ledger.ENDS:
            assert (
                note
                == {"resumed": "somebody says resume", "released": "somebody says release"}[reason]
            )


async def test_touches_takeovers_and_whose_signals_they_were_are_views(path: Path) -> None:
    await lived(path)
    touches = ask(path, "SELECT at_ms, instrument, bid, ask FROM touches ORDER BY number")
    assert touches == [tuple(one)[:4] for one in met(Touch)]
    names = {model: f"model {model:012x}" for model in MODELS} | {0: "baseline"}
    adoptions = ask(path, "SELECT at_ms, model FROM adoptions ORDER BY number")
    assert adoptions == [
        (one.at_ms, names[one.model]) for one in met(Adopted) if isinstance(one, Adopted)
    ]
    signals = ask(path, "SELECT at_ms, instrument, conviction_bps, model FROM signals")
    assert signals == [
        (*one[:3], names[one.model]) for one in met(Signal) if isinstance(one, Signal)
    ]
    assert ask(path, "SELECT DISTINCT proven FROM models") == [(0,)]


async def test_what_belongs_into_a_moment_is_there_with_it_or_not_at_all(path: Path) -> None:
    with_model = next(moment for moment in moments() if moment.also is not None)
    adopted = next(one for one in with_model.events if isinstance(one, Adopted))
    known = "SELECT 1 FROM models WHERE id = ?"

    def broken(connection: sqlite3.Connection) -> None:
        assert with_model.also is not None
        with_model.also(connection)
        raise KeyError

    async with living(path, terms(SEED)) as engine:
        before = engine.world
        with pytest.raises(KeyError):
            await engine.take([Moment((adopted,), also=broken)])
        assert engine.world == before
        assert ask(path, known, adopted.model) == []
        assert ask(path, "SELECT 1 FROM journal WHERE kind = 9") == []
    async with living(path, terms(SEED)) as engine:
        for _ in range(2):  # whoever is adopted again is known
            await engine.take([Moment((adopted,), also=with_model.also)])
    assert ask(path, known, adopted.model) == [(1,)]
    assert len(ask(path, "SELECT 1 FROM adoptions")) == 2


async def test_a_word_later_than_the_last_close_does_not_hide_the_next_one(path: Path) -> None:
    async with living(path, terms(SEED)) as engine:
        await engine.take(moments()[:40])
        closed = engine.closed_at_ms
        later = closed + 60_000  # a far venue's fill bears the time of the candle that runs
        await engine.take([Moment((Command(later, Verb.HALT),))])
        assert (engine.closed_at_ms, engine.head.at_ms) == (closed, later)
    async with living(path, terms(SEED)) as engine:
        assert (engine.closed_at_ms, engine.head.at_ms) == (closed, later)
