"""What each task does until the market ends or somebody stops us: feed, signals, engine, training.

Arrivals go from the feed to the signals, moments from there to the engine, in order. Whoever fails
takes the others down; start-up is recovery.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rrr.config import Settings
from rrr.core.errors import Unavailable
from rrr.core.events import Close, Command, Touch, Verb
from rrr.core.state import Halt
from rrr.data_pipeline.market import Arrival, Market
from rrr.database.client import Client
from rrr.monitoring.pulse import LoopLag
from rrr.monitoring.story import Story
from rrr.trading.engine.engine import Batch, Engine, Late, Moment
from rrr.wiring.opinions import Opinions
from rrr.wiring.pace import Pace
from rrr.wiring.retraining import retrain
from rrr.wiring.shadows import Shadows
from rrr.wiring.stopping import unless
from rrr.wiring.teller import Teller

if TYPE_CHECKING:
    from rrr.wiring.trading_live import Live

BATCH = 128  # closes that share a commit when nobody waits for them


@dataclass(frozen=True, slots=True)
class Asked:
    """A command from outside: its place is behind all that was decided before it is met."""

    verb: Verb
    reason: str
    done: asyncio.Future[int]  # the row that it became


@dataclass(slots=True)
class House:
    """What the tasks share."""

    settings: Settings
    market: Market
    db: Client
    engine: Engine
    opinions: Opinions
    story: Story
    teller: Teller
    stop: asyncio.Event
    pace: Pace
    live: "Live | None" = None
    shadows: Shadows | None = None
    lag: LoopLag = field(default_factory=LoopLag)
    started_s: float = field(default_factory=time.monotonic)
    # When the last candle of each instrument came, or the word that nobody traded it.
    arrived_s: dict[int, float] = field(default_factory=dict)
    closed: asyncio.Event = field(default_factory=asyncio.Event)  # something was committed
    over: asyncio.Event = field(default_factory=asyncio.Event)  # nothing is decided any more
    arrivals: asyncio.Queue[Arrival | None] = field(
        default_factory=lambda: asyncio.Queue(2 * BATCH)
    )
    inbox: asyncio.Queue[Sequence[Moment] | Late | Asked | None] = field(
        default_factory=lambda: asyncio.Queue(2)
    )

    def timed(self, arrival: Arrival) -> Arrival:
        """A real market may bring it too late to open anything, or to act on it at all."""
        if arrival.past or not self.settings.real:
            return arrival
        risk, age_ms = self.settings.risk, self.engine.clock() - arrival.close.at_ms
        stale = age_ms > risk.stale_candles * self.market.timeframe_ms
        return arrival._replace(past=stale, late=age_ms > risk.late_ms)


async def feed(house: House) -> None:
    """Bring the market, as fast as was asked, until it is over or somebody stops us."""
    await unless(house.stop, read(house))
    await house.arrivals.put(None)


async def read(house: House) -> None:
    engine = house.engine
    after_ms = engine.closed_at_ms if engine.state.account.closes else 0
    async for arrival in house.market.arrivals(after_ms):
        arrival = house.timed(arrival)
        if not arrival.past:
            await house.pace.until(arrival.close.at_ms)
        now_s = time.monotonic()
        candles = (candle.instrument for candle in arrival.close.candles)
        house.arrived_s |= dict.fromkeys((*candles, *arrival.silent), now_s)
        await house.arrivals.put(arrival)


async def signals(house: House) -> None:
    """Form the opinions at each close that waits."""
    over = False
    while not over:
        arrivals = [await house.arrivals.get()]
        while len(arrivals) < BATCH and not house.arrivals.empty():
            arrivals.append(house.arrivals.get_nowait())
        over = arrivals[-1] is None
        if known := [arrival for arrival in arrivals if arrival is not None]:
            await house.inbox.put(await house.opinions.meet(known))
    if house.live is not None:
        await house.live.rest()
    await house.inbox.put(None)


async def decide(house: House, tasks: asyncio.TaskGroup) -> None:
    """Let the engine decide what comes, in order, while what it decided before is committed."""
    engine = house.engine
    if house.opinions.settled and engine.state.account.halted == Halt.GUARD:
        # Where no clock may decide an outcome, none will ever release what one has halted.
        note = "no clock halts a market that waits for us"
        await engine.take([Moment((Command(engine.head.at_ms, Verb.RELEASE),), note)])
    committed: asyncio.Task[None] | None = None
    while (received := await house.inbox.get()) is not None:
        asked = received if isinstance(received, Asked) else None
        if isinstance(received, Asked):
            command = Command(house.engine.head.at_ms, received.verb)
            received = [Moment((command,), received.reason)]
        elif callable(received):
            received = received(engine.decided.state)
            if not received:
                continue
        batch = house.engine.decide(received)
        if committed is not None:
            await committed
        committed = tasks.create_task(commit(house, batch, received, asked))
    if committed is not None:
        await committed
    house.over.set()
    house.stop.set()


async def commit(
    house: House, batch: Batch, moments: Sequence[Moment], asked: Asked | None
) -> None:
    """Make true what was decided, then tell it."""
    await house.engine.commit(batch)
    house.closed.set()
    if house.shadows is not None:
        house.shadows.tell()
    for moment, (record, state) in zip(moments, batch.told, strict=True):
        silent = all(isinstance(item, Close | Touch) for item in record)
        if silent and all(one.at_ms <= house.market.begins_ms for one in moment.events[:1]):
            continue  # the past, in which nothing happened to us
        house.teller.notes(house.story.tell(record, state, moment.note))
    if asked is not None and not asked.done.done():
        asked.done.set_result(batch.head.number)


async def deal(house: House) -> None:
    """Send, hear and ask at the venue, until nothing is decided any more."""
    if house.live is not None:
        await unless(house.over, house.live.run(house.inbox.put, house.db, house.engine))


async def accompany(house: House) -> None:
    """Let paper books follow what is committed, until nothing is decided any more."""
    if house.shadows is not None:
        await house.shadows.run(house.over)


async def learn(house: House) -> None:
    """Train beside the trading, what it lacks and what has grown old; ends with the house."""

    async def learning() -> None:
        await house.opinions.learn()
        await retrain(house)

    await unless(house.stop, learning())


async def command(house: House, verb: Verb, reason: str) -> int:
    """Put a command behind what was decided before it; the row that it became.

    Raise Unavailable where nothing is decided any more.
    """
    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def asked() -> None:
        await house.inbox.put(Asked(verb, reason, done))
        await done

    if not await unless(house.over, asked()):
        raise Unavailable("It is about to end.", "Ask again once it runs.")
    return done.result()
