"""A panic needs no daemon and no market: the book, the account, and whatever price there is.

The book goes on from its journal, the account is looked at, every order is called back and all that
is held is sold, each try twice as far below the last price that was known; then it stays halted.
"""

import asyncio
import os
import sqlite3
import time
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final, TextIO

from rrr import __version__
from rrr.config import Home, Loaded
from rrr.config.keys import keys_of
from rrr.core.errors import NotFound, Unavailable
from rrr.core.events import Command, Verb
from rrr.core.market import lots, sellable
from rrr.core.state import State
from rrr.database import sessions
from rrr.database.client import get_db
from rrr.database.sessions import Life, Session, Unit
from rrr.monitoring.notes import Note
from rrr.monitoring.story import Story
from rrr.monitoring.summary import summary, told
from rrr.trading.engine.engine import Engine, Late, Moment
from rrr.trading.engine.opening import core_hash
from rrr.trading.live.seen import working
from rrr.wiring.beginning import now_ms, occupied
from rrr.wiring.teller import Teller
from rrr.wiring.trading_live import Live, at_the_venue

PATIENCE_S: Final = 120.0
START_S: Final = 30.0  # then what is known must do
LOOK_S: Final = 0.2


async def panicked(
    home: Home, loaded: Loaded, reason: str, stream: TextIO
) -> tuple[dict[str, Any], str]:
    """Cancel all, sell all, halt. Raise Unavailable where it is not done in two minutes."""
    teller, settings = Teller(stream, loaded), loaded.settings
    venue = settings.live.venue or ""
    keys = keys_of(home.config, venue, sandbox=settings.live.sandbox, where=settings.live.keys)
    about = {"mode": "live", "since": f"{time.strftime('%Y-%m-%d %H:%M:%S %z')}"}
    async with AsyncExitStack() as stack:
        stack.enter_context(occupied(home, about))()
        stack.enter_context(teller.logging(home))
        db = await stack.enter_async_context(get_db("live", home.root, read_only=False))
        session, units, names = await db.write(_last, durable=False)
        live = await stack.enter_async_context(
            at_the_venue(settings, keys, units, None, 0, now_ms, teller)
        )
        live.lookout.start_s = START_S
        engine = Engine(db, session, live.agent, core_hash(), now_ms)
        await engine.recover()
        await engine.begin(Life(os.getpid(), __version__, [], [("panic", {"note": reason})]))
        story = Story(units, engine.state, every_decision=True, names=names)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await live.begin(db, engine)
        except TimeoutError as error:
            raise Unavailable(
                f"{venue} did not say within {PATIENCE_S:.0f} s how the account is; nothing left.",
                "Sell there by hand; or say rrr panic again.",
            ) from error
        telling = partial(_told, engine, story, teller, asyncio.Lock())
        live.agent.deliver = telling
        panic = Moment((Command(engine.head.at_ms, Verb.PANIC),), reason)
        await telling(lambda _: [panic])
        flat = await _carried_out(live, engine)
        teller.note(Note("audit", "panic", f"panic without a daemon: {reason}", aloud=False))
        words = partial(summary, session=session, units=units, state_hash=engine.state_hash)
        found = await engine.end(False, lambda c: words(c, state=engine.state))
    if not flat:
        raise Unavailable(
            f"Not everything was sold at {venue} within {PATIENCE_S:.0f} s.",
            "Look at the account there; or say rrr panic again.",
        )
    return found, told(found, units[0].quote, "halted by panic: rrr resume, once a daemon runs")


def _last(connection: sqlite3.Connection) -> tuple[Session, list[Unit], dict[int, str]]:
    session = sessions.named(connection, None)
    if session.finished:
        raise NotFound("No live session is unfinished.", "There is nothing to sell.")
    names = dict(connection.execute("SELECT id, name FROM models"))
    return session, sessions.units(connection, session.id), names


async def _told(
    engine: Engine, story: Story, teller: Teller, turn: asyncio.Lock, late: Late
) -> None:
    async with turn:
        if moments := late(engine.decided.state):
            batch = await engine.take(moments)
            for moment, (record, state) in zip(moments, batch.told, strict=True):
                teller.notes(story.tell(record, state, moment.note))


async def _carried_out(live: Live, engine: Engine) -> bool:
    """Whether nothing works and nothing is held any more, before patience ends."""
    until_s = time.monotonic() + PATIENCE_S
    async with asyncio.TaskGroup() as tasks:
        dealing = [tasks.create_task(live.agent.run()), tasks.create_task(live.lookout.run())]
        while not (flat := is_flat(engine.state) and not live.lookout.in_doubt) and (
            time.monotonic() < until_s
        ):
            await live.agent.wait(LOOK_S)
        for task in dealing:
            task.cancel()
    return flat


def is_flat(state: State) -> bool:
    """Nothing works, and what is held is dust that no venue buys."""
    if any(working(state)):
        return False
    return not any(
        sellable(instrument, lane.mark, lots(instrument, lane.quantity))
        for lane, instrument in zip(state.lanes, state.instruments, strict=True)
    )
