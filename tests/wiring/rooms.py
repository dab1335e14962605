"""A house in this process, around an engine on a real file; its tasks run when tests start them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path

from rrr.config import Home, load
from rrr.data_pipeline.simulated import simulated
from rrr.monitoring.story import Story
from rrr.wiring.opinions import Opinions
from rrr.wiring.pace import Pace
from rrr.wiring.tasks import House, decide
from rrr.wiring.teller import Teller
from tests.storm import lives


@asynccontextmanager
async def housed(folder: Path, **settings: str) -> AsyncIterator[House]:
    async with lives.living(folder / "paper.db") as engine:
        home = Home.at(folder)
        loaded = load(home, overrides={"signals": "baseline", **settings}, environ={})
        market, teller = simulated((), "1h", 1), Teller(StringIO(), loaded)
        teller.home = folder
        story = Story(lives.terms().units, engine.state, every_decision=True)
        asked = loaded.settings
        opinions = Opinions(home, asked, market, engine, teller, {}, story.warmed)
        pace = Pace(asked.pace, real=asked.real)
        stop = asyncio.Event()
        yield House(asked, market, engine.db, engine, opinions, story, teller, stop, pace)


@asynccontextmanager
async def deciding(folder: Path, **settings: str) -> AsyncIterator[House]:
    """Its engine decides until the block ends."""
    async with housed(folder, **settings) as house, asyncio.TaskGroup() as tasks:
        tasks.create_task(decide(house, tasks))
        yield house
        await house.inbox.put(None)
