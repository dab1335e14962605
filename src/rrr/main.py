"""One loop, one screen: every task of the house begins here, and ends with the others.

The feed brings closes, signals are formed of them, the engine decides and commits, the guard looks
at the clocks, the socket answers. Whoever stops us, we end after a commit; whoever kills us, we go
on from the last one.
"""

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Any, TextIO

from rrr.config import Home, Loaded
from rrr.config.keys import Keys
from rrr.data_pipeline.market import Market
from rrr.database.client import get_db
from rrr.monitoring.story import Story
from rrr.trading.engine.opening import opened
from rrr.trading.engine.venue import Paper
from rrr.wiring.answers import socket
from rrr.wiring.beginning import dealing, life_of, market_of, now_ms, occupied, terms_of
from rrr.wiring.ending import farewell, greeting
from rrr.wiring.opinions import Opinions
from rrr.wiring.pace import Pace
from rrr.wiring.shadows import Shadows
from rrr.wiring.stopping import Stopped, stop_when_asked, unless
from rrr.wiring.tasks import House, accompany, deal, decide, feed, learn, signals
from rrr.wiring.teller import Teller
from rrr.wiring.watching import guard


async def session(
    home: Home, loaded: Loaded, *, new: bool, stream: TextIO, keys: Keys | None = None
) -> tuple[dict[str, Any], str]:
    """Trade until the market ends or somebody stops us; the summary, and its words.

    On paper, or with the money of whoever's keys these are.
    """
    settings, stop, teller = loaded.settings, stop_when_asked(), Teller(stream, loaded)
    mode = "live" if keys else "paper"
    about = {"mode": mode, "since": f"{time.strftime('%Y-%m-%d %H:%M:%S %z')}"}
    try:
        with occupied(home, about) as occupy:
            sandbox = keys is not None and keys.network == "sandbox"
            async with market_of(home, settings, teller, stop, occupy, sandbox=sandbox) as market:
                occupy()
                with teller.logging(home):
                    return await _traded(home, loaded, market, teller, stop, keys, new=new)
    except Stopped as stopped:
        return {"session": None, "outcome": str(stopped)}, str(stopped)


async def _traded(
    home: Home,
    loaded: Loaded,
    market: Market,
    teller: Teller,
    stop: asyncio.Event,
    keys: Keys | None,
    *,
    new: bool,
) -> tuple[dict[str, Any], str]:
    settings = loaded.settings
    async with AsyncExitStack() as stack:
        live, terms = None, terms_of(market, settings)
        if keys is not None:
            live, terms = await stack.enter_async_context(dealing(settings, keys, market, teller))
        venue = live.agent if live else Paper()
        db = await stack.enter_async_context(get_db(venue.mode, home.root, read_only=False))
        life = life_of(market, loaded, db)
        if live:
            await live.take_over(db, terms, new=new)
        engine = await opened(db, terms, life, venue, now_ms, new=new)
        if live and not await unless(stop, live.begin(db, engine)):
            raise Stopped("It was stopped before its account was known.")
        names: dict[int, str] = {}
        every = settings.pace != "max"
        story = Story(terms.units, engine.state, every_decision=every, names=names)
        about = home, settings, market, engine, teller, names, story.warmed
        opinions = Opinions(*about, real_money=live is not None)
        pace = Pace(settings.pace, real=settings.real)
        beside = Shadows(settings, market, engine, teller, opinions)
        house = House(
            settings, market, db, engine, opinions, story, teller, stop, pace, live, beside
        )
        teller.notes(greeting(house, terms, life))
        await unless(stop, opinions.begin(db))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(feed(house), name="feed")
            tasks.create_task(signals(house), name="signals")
            tasks.create_task(decide(house, tasks), name="engine")
            tasks.create_task(deal(house), name="venue")
            tasks.create_task(guard(house), name="guard")
            tasks.create_task(socket(house, home), name="socket")
            tasks.create_task(learn(house), name="training")
            tasks.create_task(accompany(house), name="shadows")
        return await farewell(house, terms)


async def panic_alone(
    home: Home, loaded: Loaded, reason: str, stream: TextIO
) -> tuple[dict[str, Any], str]:
    """Sell everything of the live book that no daemon looks after."""
    from rrr.wiring.panicking import panicked

    return await panicked(home, loaded, reason, stream)
