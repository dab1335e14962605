"""Beside whoever is obeyed stand luck and holding, and none of them is ever in his way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from rrr.core.events import Signal
from rrr.database import shadows
from rrr.database.shadows import Shadow
from rrr.neural_network.twins import Delayed, Turn
from rrr.trading.engine.engine import Engine
from rrr.wiring.shadows import Shadows
from tests.storm.homes import SAYS, House, kill
from tests.trading.engine.eventful import moments
from tests.wiring.daemons import heard
from tests.wiring.rooms import housed

CROSS: Final = ("--signals", "moving-average-cross:fast=5,slow=20", "--symbols", "BTC-USD,ETH-USD")
TWO_WEEKS: Final = (*CROSS, "--candles", "320")
QUICK: Final = "600000"


def books(house: House) -> dict[str, list[tuple[Any, ...]]]:
    """All that the shadows of the first session came to."""
    return {
        table: house.ask(f"SELECT {columns} FROM {table} WHERE session = 1 AND book > 0")
        for table, columns in SAYS.items()
    }


@asynccontextmanager
async def beside(folder: Path, **settings: str) -> AsyncIterator[tuple[Engine, Shadows, list[str]]]:
    """An engine with its shadows, and what is told of them."""
    told: list[str] = []
    async with housed(folder, speed="3600", **settings) as house:
        house.teller.note = lambda note: told.append(note.text)  # type: ignore[method-assign]
        found = Shadows(house.settings, house.market, house.engine, house.teller, house.opinions)
        yield house.engine, found, told


async def lived(engine: Engine, found: Shadows) -> list[Shadow]:
    """Some moments, followed to the last."""
    over = asyncio.Event()
    running = asyncio.create_task(found.run(over))
    for moment in moments()[:90]:
        await engine.take([moment])
        found.tell()
    over.set()
    await running
    return [Shadow(*row) for row in await engine.db.read(shadows.ALL, (engine.session.id,))]


async def test_they_begin_where_somebody_takes_over_from_the_baseline(tmp_path: Path) -> None:
    async with beside(tmp_path) as (engine, found, told):
        rows = await lived(engine, found)
        ((first, _), *_) = [row for row in await engine.db.read(shadows.TAKEOVERS, (1,)) if row[1]]
        end = engine.committed.number
    assert [row.kind for row in rows] == ["random", "hold"]
    assert {row.opens for row in rows} == {first}
    assert {row.follows for row in rows} == {end}
    assert rows[0].delay > 10 * 4, "Ten horizons."
    assert told == []


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"speed": "3600"}, True),
        ({"speed": "max"}, False),
        ({"speed": "max", "shadows.enabled": "true"}, True),
        ({"speed": "3600", "shadows.enabled": "false"}, False),
    ],
)
async def test_they_run_where_a_person_watches_unless_somebody_says_otherwise(
    tmp_path: Path, settings: dict[str, str], wanted: bool
) -> None:
    async with housed(tmp_path, **settings) as house:
        about = (house.settings, house.market, house.engine, house.teller, house.opinions)
        assert Shadows(*about).wanted == wanted


async def test_one_that_fails_is_told_once_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Delayed, turn: Turn) -> list[Signal]:
        raise ZeroDivisionError("a bug of one shadow")

    monkeypatch.setattr(Delayed, "meet", broken)
    async with beside(tmp_path) as (engine, found, told):
        random, hold = await lived(engine, found)
        assert (await engine.db.read_one("SELECT count(*) FROM equity WHERE book = 0")) != (0,)
        end = engine.committed.number
    assert random.follows < end == hold.follows
    assert told == ["the shadow random cannot go on: a bug of one shadow. Trading is untouched."]


async def test_whoever_breaks_the_watch_itself_takes_nobody_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: Shadows) -> None:
        raise OSError("the registry's drive is gone")

    monkeypatch.setattr(Shadows, "_look", broken)
    async with beside(tmp_path) as (engine, found, told):
        assert await lived(engine, found) == []
    assert told == ["the shadows cannot go on: the registry's drive is gone. Trading is untouched."]


@pytest.mark.slow
def test_a_daemon_that_was_killed_has_the_same_shadows_as_one_that_was_not(tmp_path: Path) -> None:
    whole, cut = (House(tmp_path / name, TWO_WEEKS, QUICK) for name in ("whole", "cut"))
    last = whole.run()
    assert last.code == 0, last.err
    for day in ("day 2024-01-03", "day 2024-01-09"):
        process = cut.start()
        heard(process, day)
        kill(process)
    again = cut.run()
    assert again.code == 0, again.err
    assert books(cut) == books(whole)
    assert again.told["shadows"] and last.told["shadows"]
    for one, other in zip(again.told["shadows"], last.told["shadows"], strict=True):
        assert one | {"began_at_ms": 0} == other | {"began_at_ms": 0}
    assert [one["kind"] for one in last.told["shadows"]] == ["random", "hold"]
    replayed = cut.command("replay").told
    assert replayed["identical"]
    assert all(one["identical"] for one in replayed["shadows"].values())
    told = cut.command("status").told["shadows"]
    assert [one["gap_ratio"] for one in told] == [one["gap_ratio"] for one in again.told["shadows"]]
    assert "shadow" not in last.err, "Nobody failed."
