"""A book of its own at a loopback venue: real agent, engine and database; closes are said by hand.

Whoever imports this may hurry the clocks first: what reads them is imported when a book begins.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.venue.process import Venue

AMOUNT: Final = 1_230_000  # grains: what a full conviction holds
PATIENCE_S: Final = 400.0  # of the market
EVERY_S: Final = 60.0  # a close comes


@dataclass(slots=True)
class Bench:
    """The real agent and lookout on a real engine; what they decide on is said by hand."""

    venue: Venue
    engine: Any
    agent: Any
    lookout: Any
    wire: Any
    conviction_bps: int = 0
    _closed_s: float = 0

    @property
    def protected(self) -> bool:
        lane = self.engine.state.lanes[0]
        return bool(lane.quantity and lane.stop.kind)

    def is_quiet(self) -> bool:
        """Nothing is on its way, in doubt, or moving."""
        from rrr.core.orders import Stage
        from rrr.database.live import Progress

        agent, lane = self.agent, self.engine.state.lanes[0]
        stages = {order.stage for order in (lane.order, lane.stop, lane.target)}
        return (
            not agent.under_way
            and not self.lookout.attended
            and all(one.progress == Progress.PLACED for one in agent.memory.open)
            and stages <= {Stage.NONE, Stage.WORKING}
        )

    async def says(self, conviction_bps: int) -> None:
        self.conviction_bps = conviction_bps
        await self.closes()

    async def closes(self) -> None:
        """A candle of a minute, and the opinion that stands."""
        from rrr.core.events import Close, Signal
        from rrr.core.market import Candle, Source
        from rrr.trading.engine.engine import Moment
        from tests.venue.trading import POINTS

        self._closed_s = time.monotonic()
        at_ms = max(self.venue.clock_ms(), self.engine.head.at_ms + 1)
        touch = self.venue.tape.touch(self.venue.symbols[0], at_ms)
        price = (touch.ask + touch.bid) // 2 * POINTS
        candle = Candle(0, price, price, price, price, 10**8, int(Source.WEBSOCKET))
        close = Close(at_ms, at_ms - 60_000, (candle,), ())
        signal = Signal(at_ms, 0, self.conviction_bps, self.engine.decided.state.account.model)
        await self.engine.take([Moment((close, signal))])

    async def until(self, holds: Callable[[], bool]) -> bool:
        """Whether it does within the patience; closes come meanwhile, as they do."""
        ends_s = time.monotonic() + PATIENCE_S
        while not holds():
            now_s = time.monotonic()
            if now_s > ends_s:
                return False
            if now_s - self._closed_s > EVERY_S:
                await self.closes()
            await asyncio.sleep(0.2)
        return True


@asynccontextmanager
async def housed(venue: Venue, path: Path, number: int, *, resting: bool) -> AsyncIterator[Bench]:
    """A new book at the venue, reconciled with it."""
    from rrr.core.shelf import NO_ASSUMPTIONS
    from rrr.database import sessions
    from rrr.database.client import Client
    from rrr.database.opening import LIVE
    from rrr.database.sessions import PRINCIPAL, Life, key_of
    from rrr.trading.engine.engine import Engine, Moment
    from rrr.trading.engine.opening import Terms, changes
    from rrr.trading.live.agent import Agent
    from rrr.trading.live.ids import session_tag
    from rrr.trading.live.lookout import Lookout
    from rrr.trading.live.memory import recalled
    from rrr.trading.live.walls import Caps, Wall
    from rrr.trading.live.wire import Wire
    from tests.venue.keys import TRADER
    from tests.venue.talking import traded

    unit = _unit(venue)
    terms = Terms(
        about={"mode": "live", "market": venue.name, "signals": "by hand"},
        units=[unit],
        law=_law(venue, resting),
        assumed=NO_ASSUMPTIONS,
        instruments=[_instrument()],
        capital=10_000 * 10**8,
        at_ms=venue.clock_ms(),
        ends_at_ms=None,
    )
    async with Client.open(path, application_id=LIVE) as db, traded(venue, TRADER) as ccxt:
        ccxt.milliseconds = venue.clock_ms
        ccxt.options["recvWindow"] = 60_000
        await ccxt.load_markets()
        wire = Wire(ccxt, [venue.symbols[0]])
        agent = Agent(
            wire=wire,
            units=(unit,),
            tag=session_tag("answers", number),
            wall=Wall(Caps(1_000, 10**15, 10**18, frozenset({0}))),
            clock=venue.clock_ms,
            monotonic_ms=venue.clock_ms,
            told=lambda name, text, about: None,
        )
        key = key_of(terms.about)
        session = await db.write(lambda c: sessions.create(c, key, terms.units, venue.clock_ms()))
        engine = Engine(db, session, agent, "by hand", venue.clock_ms)
        memory = await db.write(lambda c: recalled(c, (session.id, PRINCIPAL), venue.name, 2))
        agent.attach(engine, memory)
        await engine.begin(Life(1, "test", [], []))
        await engine.take([Moment(changes(engine, terms))])
        lookout = Lookout(agent)
        await lookout.start()
        running = [asyncio.create_task(agent.run()), asyncio.create_task(lookout.run())]
        try:
            yield Bench(venue, engine, agent, lookout, wire)
        finally:
            for task in running:
                if task.done():
                    task.result()
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


def _unit(venue: Venue) -> Any:
    from rrr.database.sessions import Unit

    base, _, quote = venue.symbols[0].partition("/")
    return Unit(venue.name, f"{base}-{quote}", base, quote, 4, 8, 0, "the loopback")


def _instrument() -> Any:
    from tests.trading.live.wires import BTC

    return BTC._replace(unit=AMOUNT, fee_taker_ppm=12_000, half_spread_ppm=50)


def _law(venue: Venue, resting: bool) -> Any:
    from rrr.core.orders import Kind
    from rrr.core.state import Sizing
    from rrr.trading.live.spelling import amends
    from tests.builders import LAW

    return LAW._replace(
        sizing=int(Sizing.UNITS),
        entry_maker=int(resting),
        maker_offset_bps=50,
        patience_ms=3_600_000,
        orders_per_minute_max=10,
        stop_limit_bps=200 if venue.name == "coinbase" else 0,
        stop_bps=500,
        target_bps=5_000,
        stop_amends=int(amends(venue.name, Kind.STOP)),
        band_bps=0,
    )
