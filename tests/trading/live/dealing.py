"""A live session in this process, whose hours pass only while nobody does anything.

The real engine on a real file, the real agent, lookout and `Live` around them, as `main` wires
them; the venue is a `Desk`. Every timer of the loop runs in made time: it jumps to the next one
that is due once all that can happen at once has happened, and never while a commit is on its way.
Whoever leaves the block has been killed there: nothing is ended, nothing is said goodbye to.
"""

import asyncio
import functools
import selectors
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, ParamSpec, Self, TypeVar

from rrr.config import Home, load
from rrr.core.events import Close, Event, Signal
from rrr.core.state import Lane, Law
from rrr.database.client import Client, Parameters, Row
from rrr.database.opening import LIVE, connect_read_only
from rrr.trading.engine.engine import Engine, Late, Moment
from rrr.trading.engine.opening import Terms, opened
from rrr.trading.live.agent import Agent
from rrr.trading.live.lookout import Lookout
from rrr.trading.live.walls import Caps, Wall
from rrr.wiring.teller import Teller
from rrr.wiring.trading_live import Live
from tests.builders import BTC, CAPITAL, LAW, LIQUID, PRICE, QUANTA, START, candle
from tests.storm import lives
from tests.trading.live.desk import Desk

How = ParamSpec("How")
T = TypeVar("T")

MINUTE: Final = 60_000
LONGEST_S: Final = 3_000
CAPS: Final = Caps(32, CAPITAL, 10 * CAPITAL, frozenset({0}))
LIVELY: Final = LAW._replace(orders_per_minute_max=32, order_notional_max=CAPITAL)
SETTINGS: Final = {
    "market": "kraken",
    "symbols": "BTC-USD",
    "capital": str(CAPITAL // QUANTA),
    "live.enabled": "true",
    "live.venue": "kraken",
    "live.instruments": "BTC-USD",
    "live.orders_per_minute_max": "32",
    "live.order_notional_max": str(CAPITAL // QUANTA),
    "live.day_notional_max": str(10 * CAPITAL // QUANTA),
    "live.ramp_notional_max": str(CAPITAL // QUANTA),
}


class Loop(asyncio.SelectorEventLoop):
    """Its clock stands while a thread is at work for it."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.at_work = 0
        super().__init__(Jumping(self))

    def time(self) -> float:
        return self.now_s


@contextmanager
def elsewhere() -> Iterator[None]:
    """What is awaited inside happens in another thread."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Loop)
    loop.at_work += 1
    try:
        yield
    finally:
        loop.at_work -= 1


class Counting(Client):
    """Whoever asks it is waited for."""

    async def write(self, work: Callable[[sqlite3.Connection], T], durable: bool = True) -> T:
        with elsewhere():
            return await super().write(work, durable)

    async def read(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        with elsewhere():
            return await super().read(sql, parameters)

    async def _connect(self) -> Self:
        with elsewhere():
            return await super()._connect()

    async def close(self) -> None:
        with elsewhere():
            await super().close()


class Jumping(selectors.DefaultSelector):
    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self.loop = loop

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0)
        if found or timeout == 0:
            return found
        if self.loop.at_work:
            return super().select(None)
        assert timeout is not None, "Everybody waits for somebody else."
        self.loop.now_s += timeout + 1e-9
        assert self.loop.now_s < LONGEST_S, "It never ends."
        return []


def timeless(test: Callable[How, Coroutine[Any, Any, None]]) -> Callable[How, None]:
    """A test whose waits cost nothing."""

    @functools.wraps(test)
    def run(*given: How.args, **named: How.kwargs) -> None:
        with asyncio.Runner(loop_factory=Loop) as runner:
            runner.run(test(*given, **named))

    return run


def clock() -> Callable[[], int]:
    """Of this loop; any thread may look at it."""
    loop = asyncio.get_running_loop()
    return lambda: START + int(loop.time() * 1_000)


def desk(cash: str = str(CAPITAL // QUANTA), pairs: tuple[str, ...] = ("BTC/USD",)) -> Desk:
    return Desk(clock(), pairs, cash, str(PRICE // 10_000))


def terms(law: Law = LIVELY, **about: Any) -> Terms:
    wanted = lives.terms(law=law, instruments=(BTC,))
    told = {**wanted.about, "mode": "live", **about}
    return replace(wanted, about=told, units=wanted.units[:1], ends_at_ms=None)


@dataclass(slots=True)
class Deal:
    """One life of it."""

    desk: Desk
    db: Counting
    engine: Engine
    live: Live
    path: Path
    turn: asyncio.Lock
    running: "asyncio.Future[None] | None" = None

    @property
    def agent(self) -> Agent:
        return self.live.agent

    @property
    def lookout(self) -> Lookout:
        return self.live.lookout

    @property
    def lane(self) -> Lane:
        return self.engine.state.lanes[0]

    @property
    def facts(self) -> list[str]:
        """What people were told, by name."""
        return [note.name for note in self.live.teller.early]

    async def deliver(self, late: Late) -> None:
        async with self.turn:
            if moments := late(self.engine.decided.state):
                await self.engine.take(moments)

    async def meet(self, *events: Event) -> None:
        await self.deliver(lambda _: [Moment(events)])

    async def close(self, conviction_bps: int | None = None, price: int = PRICE) -> None:
        """One candle later; perhaps somebody has an opinion."""
        at_ms = max(self.engine.head.at_ms, START) + MINUTE
        events: list[Event] = [Close(at_ms, at_ms - MINUTE, (candle(price, volume=LIQUID),), ())]
        if conviction_bps is not None:
            events.append(Signal(at_ms, 0, conviction_bps, 0))
        await self.meet(*events)

    async def until(self, true: Callable[[], object]) -> None:
        """However long that takes."""
        while not true():
            await self.spend(asyncio.sleep(0.05))

    async def hold(self) -> None:
        """Buy, and wait until its stop rests there."""
        await self.close()
        await self.close(10_000)
        await self.rest()
        assert self.lane.quantity, "It was to be bought."
        assert self.desk.resting, "Its stop was to rest."

    async def rest(self) -> None:
        """Until nothing moves."""
        await self.spend(self.lookout.rests())

    async def spend(self, time: Coroutine[Any, Any, None]) -> None:
        """Unless what runs beside it fails first."""
        spent = asyncio.ensure_future(time)
        beside = [spent, self.running] if self.running else [spent]
        await asyncio.wait(beside, return_when=asyncio.FIRST_COMPLETED)
        for one in beside:
            if one.done():
                one.result()

    def ask(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        return ask(self.path, sql, *parameters)


@asynccontextmanager
async def opening(
    path: Path,
    venue: Desk,
    wanted: Terms | None = None,
    *,
    law: Law | None = None,
    dedicated: bool = False,
    settings: dict[str, str] | None = None,
) -> AsyncIterator[Deal]:
    """A session that is open, and has asked for nothing yet."""
    wanted, told = wanted or terms(), settings or {}
    loaded = load(Home(path.parent / "home"), overrides={**SETTINGS, **told}, environ={})
    teller = Teller(StringIO(), loaded)
    ramp = loaded.settings.live.ramp_notional_max
    assert ramp is not None, "Armed."
    agent = Agent(
        venue,
        tuple(wanted.units),
        "",
        Wall(CAPS._replace(order_notional_max=int(ramp * QUANTA))),
        venue.clock,
        venue.clock,
        teller.fact,
        dedicated,
    )
    ccxt = SimpleNamespace(has={})
    live = Live(loaded.settings, ccxt, venue, agent, Lookout(agent), teller, {}, law)
    async with Counting.open(path, application_id=LIVE) as db:
        engine = await opened(db, wanted, lives.LIFE, agent, venue.clock, new=False)
        yield Deal(venue, db, engine, live, path, asyncio.Lock())


@asynccontextmanager
async def dealing(
    path: Path, venue: Desk, wanted: Terms | None = None, **how: Any
) -> AsyncIterator[Deal]:
    """It has looked at its account, and trades until the block ends."""
    async with opening(path, venue, wanted, **how) as deal:
        await deal.live.begin(deal.db, deal.engine)
        coming = deal.live.run(deal.deliver, deal.db, deal.engine)
        deal.running = running = asyncio.ensure_future(coming)
        try:
            yield deal
            assert not running.done(), "It ran until the end."
        finally:
            running.cancel()
            await asyncio.wait([running])


def ask(path: Path, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    with closing(connect_read_only(path, LIVE)) as connection:
        return connection.execute(sql, parameters).fetchall()
