"""Beside whoever is obeyed stand luck and holding, and none of them is ever in his way."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from rrr.core.errors import ModelBroken
from rrr.core.events import Signal
from rrr.data_pipeline.simulated import Simulated
from rrr.database import shadows
from rrr.database.shadows import Shadow
from rrr.neural_network import registry
from rrr.neural_network.artefact import Artefact, Scope
from rrr.neural_network.twins import Delayed, Turn
from rrr.trading.engine.engine import Engine
from rrr.wiring import following
from rrr.wiring import shadows as beside_them
from rrr.wiring.shadows import Shadows
from tests.neural_network.markets import network, trained
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


async def test_a_look_that_fails_ends_nobody_who_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(models: Path, scope: Scope) -> list[Artefact]:
        raise ModelBroken("registry.json is broken.", "Restore it.")

    monkeypatch.setattr(registry, "shadows", broken)
    async with beside(tmp_path) as (engine, found, told):
        rows = await lived(engine, found)
        end = engine.committed.number
    assert {(row.kind, row.follows) for row in rows} == {("random", end), ("hold", end)}
    trouble = "a look at the shadows cannot go on: registry.json is broken. Restore it."
    assert set(told) == {f"{trouble} Trading is untouched."}


async def test_a_model_that_is_gone_has_no_twin_and_keeps_no_shadow_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(self: Shadows, model: int) -> Artefact | None:
        raise ModelBroken("manifest.json of the model is missing.", "Train anew.")

    monkeypatch.setattr(Shadows, "_made", gone)
    async with beside(tmp_path) as (engine, found, told):
        assert [row.kind for row in await lived(engine, found)] == ["random", "hold"]
    assert told == []


async def test_who_is_far_behind_does_not_hold_up_the_end_and_goes_on_in_the_next_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside_them, "PATIENCE_S", 0.01)
    monkeypatch.setattr(following, "PAGE_ROWS", 4)
    met = Delayed.meet

    def slow(self: Delayed, turn: Turn) -> list[Signal]:
        time.sleep(0.02)
        return met(self, turn)

    monkeypatch.setattr(Delayed, "meet", slow)
    async with beside(tmp_path) as (engine, found, _):
        behind, _ = await lived(engine, found)
        end = engine.committed.number
        assert behind.follows < end
        assert isinstance(found.market, Simulated)
        finished = replace(found.market, candles=1)
        again = Shadows(found.settings, finished, engine, found.teller, found.opinions)
        over = asyncio.Event()
        over.set()
        await again.run(over)
        rows = [Shadow(*row) for row in await engine.db.read(shadows.ALL, (1,))]
    assert [row.follows for row in rows] == [end, end], "What is finished is met to its end."


async def test_a_delay_is_beyond_the_horizon_of_whoever_speaks(tmp_path: Path) -> None:
    async with beside(tmp_path) as (_, found, _told):
        models, scope = found.models, found.scope
        about: dict[str, Any] = {"market": scope.market, "timeframe_ms": scope.timeframe_ms}
        made = trained(models, network(), symbols=list(scope.symbols), horizon=24, **about)
        found.opinions.voice = found.opinions._voice(made)
        assert found._delay() > 10 * 24


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
