"""Another model is made when one is due, and is obeyed where that needs nobody's word."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

from rrr.config import Settings
from rrr.core.errors import ModelBroken
from rrr.data_pipeline.market import Market
from rrr.data_pipeline.simulated import BEGINS_MS
from rrr.monitoring.notes import Note
from rrr.neural_network import registry
from rrr.neural_network.artefact import Artefact
from rrr.wiring import learning, retraining
from rrr.wiring.retraining import HOUR_MS, Plan, Trainings, retrain
from rrr.wiring.tasks import House as Tasks
from tests.storm.homes import House
from tests.storm.lives import moments
from tests.wiring.daemons import LEARNING, events, heard, learns, stopped
from tests.wiring.rooms import housed

NOW: Final = 1_000 * HOUR_MS
DAY: Final = Plan(24 * HOUR_MS, 6 * HOUR_MS)


@pytest.mark.parametrize(
    ("plan", "learned", "tried", "drifted", "due"),
    [
        (DAY, 24, 24, "", True),
        (DAY, 23, 23, "", False),
        (DAY, 30, 5, "", False),
        (DAY, 7, 7, "volume", True),
        (DAY, 5, 5, "volume", False),
        (DAY, 50, 7, "volume", True),
        (DAY, 1_000, 7, "", True),
    ],
)
def test_a_plan(plan: Plan, learned: int, tried: int, drifted: str, due: bool) -> None:
    """Ages in hours; 1,000 of them: there is no model."""
    said = plan.due(NOW, NOW - learned * HOUR_MS, NOW - tried * HOUR_MS, drifted)
    assert bool(said) == due
    assert (drifted in said) == due or not due


class Ready:
    """Trainings that are over at once, and what a house makes of them."""

    def __init__(self, house: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
        self.house, self.fails, self.crowned = house, False, False
        self.told: list[Note] = []
        self.offered: list[Artefact] = []
        self.full: list[bool] = []
        self.trainings = Trainings(house)
        monkeypatch.setattr(house.teller, "note", self.told.append)
        monkeypatch.setattr(house.opinions, "offer", self.offered.append)
        monkeypatch.setattr(learning, "trained", self.trained)
        monkeypatch.setattr(learning, "job_of", self.job_of)
        monkeypatch.setattr(registry, "tidy", lambda models, at_ms: [])
        monkeypatch.setattr(retraining, "_is_crowned", lambda house: self.crowned)

    async def job_of(self, market: Market, settings: Settings, *, full: bool, lately: Any) -> Any:
        self.full.append(full)
        times = [one.at_ms for one in lately]
        assert times == sorted(times) != []

    async def trained(self, job: Any, models: Path, teller: Any, progress: Any) -> Any:
        if self.fails:
            raise ModelBroken("The child was killed.", "Nothing is lost.")
        return SimpleNamespace(name="0123456789ab")

    async def meet(self, closes: int) -> list[str]:
        """So many closes more, each with a look at what is due; the notes since then."""
        known, done = len(self.told), self.house.engine.state.account.closes
        for moment in moments()[done : done + closes]:
            await self.house.engine.take([moment])
            await self.trainings.look()
        return [note.name for note in self.told[known:]]


@asynccontextmanager
async def retraining_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ready]:
    asked = {"signals": "model", "train.every_hours": "24", "speed": "3600"}
    async with housed(folder, **asked) as house:
        found = Ready(house, monkeypatch)
        assert found.trainings.wanted
        yield found


async def test_a_candidate_is_offered_on_paper_where_no_champion_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with retraining_in(tmp_path, monkeypatch) as trainings:
        assert await trainings.meet(1) == ["retraining"]
        assert len(trainings.offered) == 1
        assert trainings.full == [False]
        assert await trainings.meet(5) == [], "Not again within the gap."


async def test_with_a_champion_it_waits_for_the_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with retraining_in(tmp_path, monkeypatch) as trainings:
        trainings.crowned = True
        assert await trainings.meet(1) == ["retraining", "candidate"]
        assert "`rrr models gate 0123456789ab` judges it" in trainings.told[-1].text
        assert trainings.offered == []
        assert trainings.full == [True], "The gate judges no other."


async def test_a_registry_that_cannot_be_read_is_told_and_trading_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with retraining_in(tmp_path, monkeypatch) as trainings:
        models = trainings.house.opinions.models
        models.mkdir(parents=True)
        (models / registry.FILE).write_text("half of what was")
        assert await trainings.meet(1) == ["not_retrained"]
        assert "Whoever serves goes on." in trainings.told[-1].text
        assert await trainings.meet(5) == [], "Not again within the gap."
        (models / registry.FILE).unlink()
        assert await trainings.meet(2) == ["retraining"]


async def test_one_that_fails_is_told_and_tried_again_after_the_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with retraining_in(tmp_path, monkeypatch) as trainings:
        trainings.fails = True
        assert await trainings.meet(1) == ["retraining", "not_retrained"]
        assert "The child was killed." in trainings.told[-1].text
        assert await trainings.meet(5) == []
        trainings.fails = False
        assert await trainings.meet(2) == ["retraining"]
        assert len(trainings.offered) == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"signals": "model", "train.every_hours": "24", "speed": "max"},
        {"signals": "model", "train.every_hours": "0", "speed": "3600"},
        {"signals": "model", "speed": "3600"},
        {"signals": "baseline", "train.every_hours": "24", "speed": "3600"},
    ],
)
async def test_there_is_nothing_to_do_where_no_clock_or_nobody_asks_for_it(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    async with housed(tmp_path, **settings) as house:
        await asyncio.wait_for(retrain(house), 30)


@pytest.mark.slow
@learns
def test_a_daemon_on_paper_makes_another_and_obeys_it(tmp_path: Path) -> None:
    often = ("--set", "train.every_hours=30", "--set", "train.gap_hours=24")
    house = House(tmp_path, (*LEARNING, *often), "40000")
    process = house.start()
    for _ in range(2):
        heard(process, "takes over from")
    life = stopped(process)
    assert life.code == 0, life.err
    told = [event["text"] for event in events(house, "system") if event["event"] == "retraining"]
    assert all(text.startswith("another model is trained: ") for text in told) and told
    models = "SELECT json_extract(core, '$[1]') FROM journal WHERE book = 0 AND kind = 9"
    adopted = house.ask(models)
    assert len(adopted) == len(set(adopted)) >= 2
    ends = house.ask("SELECT json_extract(manifest, '$.data.ends_ms') FROM models WHERE id > 0")
    seen = sorted(end for (end,) in ends if end)
    assert seen[0] == BEGINS_MS < seen[1], "The second has learned from the session itself."
    assert house.command("replay").told["identical"]
