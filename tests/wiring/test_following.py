"""A shadow is a function of the principal's journal, however often it was killed on the way."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from rrr.backtesting import parity
from rrr.core.events import Signal
from rrr.core.state import Sizing, State
from rrr.database import balance, journal, sessions, shadows
from rrr.database.opening import PAPER, connect_read_only
from rrr.database.shadows import Shadow
from rrr.monitoring.shadowed import shadowed
from rrr.neural_network.twins import Companion, Delayed, Flat, Held, Silent, Turn, said
from rrr.trading.engine.engine import Engine
from rrr.trading.engine.opening import core_hash
from rrr.wiring.following import HOLDER, Follower, Known
from tests.storm.homes import SAYS
from tests.storm.lives import ask, living, terms
from tests.trading.engine.eventful import SEED, UNDER, moments

DELAY: Final = 7
MET: Final = "SELECT count(*) FROM journal WHERE book = 0 AND kind IN (4, 7)"
KINDS: Final = ("random", "hold", "model", "shuffled")
MINE: Final = {
    table: f"SELECT {columns} FROM {table} WHERE book > 0" for table, columns in SAYS.items()
}


class Eager(Silent):
    """Buys and sells by the last candles alone, of which it remembers three."""

    window = 3

    def __init__(self) -> None:
        super().__init__("eager")
        self.turns: list[Turn] = []

    def show(self, turn: Turn) -> None:
        self.turns = [*self.turns, turn][-3:]

    def meet(self, turn: Turn) -> list[Signal]:
        self.show(turn)
        marks = [sum(c.close for c in one.close.candles) for one in self.turns]
        wish = 9_000 if marks[-1] > marks[0] else 0
        return said(self.model, turn.close, {c.instrument: wish for c in turn.close.candles})


async def cast(shadow: Shadow, number: int, engine: Engine) -> tuple[Companion, dict[str, Any]]:
    scales = lambda: [one.scale for one in engine.decided.state.instruments]  # noqa: E731
    match shadow.kind:
        case "random":
            return Delayed(shadow.delay), {}
        case "hold":
            held = await engine.db.read(shadows.HELD, (shadow.session, shadow.follows))
            return Held(scales, dict(held), shadow.memory), {}
        case "model":
            return Eager(), {}
        case _:
            found = await engine.db.read(shadows.TAKEOVERS, (shadow.session,))
            last = [model for row, model in found if row <= number][-1:]
            return (Eager() if last and last[0] % 2 else Flat("nobody's twin")), {}


@asynccontextmanager
async def followed(
    path: Path, since: int = 0, opens: int = 0
) -> AsyncIterator[tuple[Engine, list[Follower]]]:
    """A principal and its shadows, who are there from the first time on."""
    async with living(path, terms(SEED, law=UNDER)) as engine:
        rows = [Shadow(*row) for row in await engine.db.read(shadows.ALL, (engine.session.id,))]
        for kind in KINDS[len(rows) :]:
            rows.append(
                await engine.db.write(
                    lambda c, kind=kind: shadows.opened(  # type: ignore[misc]
                        c, engine.session.id, kind, (since, opens), 1, delay=DELAY
                    )
                )
            )
        yield engine, [Follower(row, engine, Known(0), cast) for row in rows]


async def lived(
    path: Path, *, until: int | None = None, finish: bool = True, seed: int = 1
) -> None:
    """Go on to this moment; unfinished, the shadows die somewhere behind the principal."""
    dice = Random(seed)
    async with followed(path) as (engine, followers):
        tasks = [asyncio.create_task(one.run()) for one in followers]
        ((done,),) = await engine.db.read(MET)
        left = moments()[done:until]
        for first in range(0, len(left), 16):
            await engine.take(left[first : first + 16])
            for one in followers:
                one.tell()
        for _ in range(dice.randrange(60)):
            await asyncio.sleep(0)
        for one in followers:
            if finish:
                one.tell(over=True)
            else:
                tasks[followers.index(one)].cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            assert task.cancelled() or task.exception() is None, task.exception()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "paper.db"


@pytest.mark.slow
async def test_killed_anywhere_they_go_on_to_the_same_rows(path: Path) -> None:
    await lived(path)
    cut = path.with_name("cut.db")
    for life, until in enumerate(range(5, len(moments()), 17)):
        await lived(cut, until=until, finish=False, seed=life)
    await lived(cut)
    for table, sql in MINE.items():
        assert ask(cut, sql) == ask(path, sql), table
    fills = dict(ask(path, "SELECT book, count(*) FROM fills GROUP BY book"))
    assert all(fills.get(book, 0) > 4 for book in (1, 2, 3)), fills


async def test_their_journals_are_made_anew_and_their_books_balance(path: Path) -> None:
    await lived(path)
    with closing(connect_read_only(path, PAPER)) as connection:
        session = sessions.named(connection, None)
        verdicts = parity.shadows_replayed(connection, session, core_hash())
        assert list(verdicts) == list(KINDS)
        assert all(one.identical for one in verdicts.values()), verdicts
    async with followed(path) as (engine, followers):
        for one in followers:
            task = asyncio.create_task(one.run())
            one.tell(over=True)
            await task
            key, state = (engine.session.id, one.shadow.book), one.engine.state
            assert await engine.db.write(partial(found, key, state)) == []


def found(key: tuple[int, int], state: State, connection: sqlite3.Connection) -> list[str]:
    return balance.faults(connection, *key, state)


async def test_the_principal_is_the_same_with_shadows_and_without(path: Path) -> None:
    await lived(path)
    alone = path.with_name("alone.db")
    async with living(alone, terms(SEED, law=UNDER)) as engine:
        for first in range(0, len(moments()), 16):
            await engine.take(moments()[first : first + 16])
    for table, columns in SAYS.items():
        sql = f"SELECT {columns} FROM {table} WHERE book = 0"
        assert ask(path, sql) == ask(alone, sql), table


async def test_it_meets_what_the_principal_met_and_says_otherwise(path: Path) -> None:
    await lived(path)
    met = "SELECT kind, at_ms, core FROM journal WHERE book = ? AND kind IN (2, 3, 4, 7, 8, 10, 17)"
    principal = ask(path, met, 0)
    for book in (1, 2, 3, 4):
        assert ask(path, met, book) == principal
    spoken = "SELECT at_ms, core FROM journal WHERE book = ? AND kind = 5"
    assert all(ask(path, spoken, book) != ask(path, spoken, 0) for book in (1, 2, 3, 4))
    models = {core for (core,) in ask(path, "SELECT core FROM journal WHERE book = 1 AND kind = 9")}
    assert len(models) == 1, "Whoever speaks late is one voice, whoever spoke."


async def test_a_random_one_says_what_was_said_so_many_closes_ago(path: Path) -> None:
    await lived(path)
    closes = [at for (at,) in ask(path, "SELECT at_ms FROM journal WHERE book = 0 AND kind = 4")]
    late = dict(zip(closes, closes[DELAY:], strict=False))
    there = {
        (at_ms, i)
        for at_ms, i in ask(
            path,
            "SELECT at_ms, json_extract(c.value, '$[0]') FROM journal, json_each(core, '$[2]') c"
            " WHERE book = 0 AND kind = 4",
        )
    }
    sql = """SELECT at_ms, json_extract(core, '$[1]'), json_extract(core, '$[2]') FROM journal
        WHERE book = ? AND kind = 5 AND (book > 0 OR json_extract(core, '$[3]') <> 0)"""
    wanted = [(late[at], i, c) for at, i, c in ask(path, sql, 0) if (late.get(at), i) in there]
    assert ask(path, sql, 1) == wanted != []


async def test_a_holder_is_under_the_same_costs_and_a_law_that_does_not_stop_it(path: Path) -> None:
    await lived(path)
    async with followed(path) as (_, followers):
        hold = followers[1]
        task = asyncio.create_task(hold.run())
        hold.tell(over=True)
        await task
    law = hold.engine.state.law
    assert law == UNDER._replace(**HOLDER)
    assert law.sizing == Sizing.EQUITY
    days = [
        at for (at,) in ask(path, "SELECT DISTINCT at_ms FROM journal WHERE book = 2 AND kind = 5")
    ]
    assert len({journal.day(at) for at in days}) == len(days) > 3, "It speaks once a day."


async def test_one_that_begins_late_is_told_what_is_in_force_and_speaks_from_then_on(
    path: Path,
) -> None:
    async with living(path, terms(SEED, law=UNDER)) as engine:
        for moment in moments()[:100]:
            await engine.take([moment])
        since = engine.head.number
        opens = since + 30
    async with followed(path, since, opens) as (engine, followers):
        for moment in moments()[100:]:
            await engine.take([moment])
        for one in followers:
            task = asyncio.create_task(one.run())
            one.tell(over=True)
            await task
            state = one.engine.state
            assert state.instruments == engine.state.instruments
            assert state.account.invested == engine.state.account.invested
    (opened,) = ask(path, "SELECT at_ms FROM journal WHERE book = 0 AND number = ?", opens)[0]
    for book in (1, 3):
        (first,) = ask(path, "SELECT min(at_ms) FROM journal WHERE book = ? AND kind = 5", book)[0]
        assert first >= opened


@pytest.mark.parametrize(
    ("age_ms", "opens", "speaks"), [(0, True, True), (70_000, False, True), (9**12, False, False)]
)
async def test_what_was_late_opens_nothing_and_what_was_past_is_not_answered(
    path: Path, age_ms: int, opens: bool, speaks: bool
) -> None:
    async with followed(path) as (engine, followers):
        eager = followers[2]
        eager.known = Known(0, stale_ms=10**7, late_ms=60_000, real=True)
        for moment in moments()[:60]:
            at_ms = max(event.at_ms for event in moment.events)
            engine.clock = lambda at_ms=at_ms: at_ms + age_ms  # type: ignore[misc]
            await engine.take([moment])
        eager.tell(over=True)
        await eager.run()
    words = ask(path, "SELECT json_extract(core, '$[2]') FROM journal WHERE book = 3 AND kind = 5")
    assert bool(words) == speaks
    assert any(conviction > 0 for (conviction,) in words) == opens


@pytest.mark.parametrize("rows", [1, 9, 40])
async def test_how_much_is_read_at_once_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    await lived(path)
    monkeypatch.setattr("rrr.wiring.following.PAGE_ROWS", rows)
    small = path.with_name("small.db")
    await lived(small)
    for table, sql in MINE.items():
        assert ask(small, sql) == ask(path, sql), table


async def test_who_is_a_shadow_again_has_another_book_of_another_name(path: Path) -> None:
    async with living(path, terms(SEED)) as engine:
        names = [
            await engine.db.write(
                lambda c: shadows.opened(c, engine.session.id, "model", (0, 0), 1, folder="abc")
            )
            for _ in range(2)
        ]
    assert [one.name for one in names] == ["model abc", "model abc (2)"]
    assert names[0].book != names[1].book


async def test_what_the_principal_did_after_a_shadow_ended_is_not_counted_beside_it(
    path: Path,
) -> None:
    await lived(path, until=60)
    async with living(path, terms(SEED, law=UNDER)) as engine:
        last_ms = engine.closed_at_ms
        await engine.take(moments()[60:])
    with closing(connect_read_only(path, PAPER)) as connection:
        found = shadowed(connection, sessions.named(connection, None))
        times = [at_ms for (at_ms,) in connection.execute("SELECT at_ms FROM fills WHERE book = 0")]
    assert max(times) > last_ms
    for one in found:
        meanwhile = [at_ms for at_ms in times if one["since_ms"] <= at_ms <= last_ms]
        assert one["principal_fills"] == len(meanwhile)
