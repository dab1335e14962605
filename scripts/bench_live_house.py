"""A live book without its walls, that keeps time: at a loopback Kraken, or at no venue at all."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import parse_qs

from pydantic import SecretStr

from rrr.config import Home, load
from rrr.config.keys import Keys
from rrr.core.events import Close, Event, Signal, Touch
from rrr.core.market import QUANTA, Candle, Instrument, Source, cost, worth
from rrr.core.orders import NO_REPORT, Cause, Order, Report, Side, Stage, Status
from rrr.core.shelf import NO_ASSUMPTIONS
from rrr.core.state import Lane, State
from rrr.data_pipeline.exchange_client import Manner, monotonic_ms
from rrr.data_pipeline.private_client import account, exits
from rrr.database.client import get_db
from rrr.database.sessions import PRINCIPAL, Life, Unit
from rrr.trading.engine.engine import Batch, Engine, Late, Moment
from rrr.trading.engine.opening import Terms, opened
from rrr.trading.engine.terms import law_of
from rrr.trading.live.agent import Agent
from rrr.trading.live.ids import sequence_of, session_tag
from rrr.trading.live.lookout import Lookout
from rrr.trading.live.memory import recalled
from rrr.trading.live.outcomes import Kind, Outcome
from rrr.trading.live.spelling import Request
from rrr.trading.live.walls import Caps, Wall
from rrr.trading.live.wire import Wire

if TYPE_CHECKING:
    from tests.venue.process import Venue

MINUTE_MS: Final = 60_000
CAPITAL: Final = 20_000
PAIR: Final = "BTC/USD"
POINTS: Final = 1  # decimals of its price
GRAINS: Final = 8
PRICE: Final = 650_000

_BIG: Final = 10**9
_LOOK_S: Final = 0.0005
_LEAP_MS: Final = 60_000  # of a pace that nobody waits for


@dataclass(slots=True)
class Times:
    """Of one order, in seconds of one clock; 0: not yet."""

    side: int
    rests: bool
    by_close: bool  # it was decided with the close itself
    close: float  # when the last close came
    came: float
    decided: float
    durable: float = 0.0
    wire: float = 0.0
    accepted: float = 0.0
    filled: float = 0.0


class Timed(Engine):
    """Notes when each order was decided, was durable, and what was heard of it."""

    times: dict[int, Times]
    close_s: float

    def decide(self, moments: Iterable[Moment]) -> Batch:
        came_s = time.perf_counter()
        batch = super().decide(moments)
        now_s = time.perf_counter()
        for record, _ in batch.told:
            by_close = any(isinstance(item, Close) for item in record)
            self.close_s = came_s if by_close else self.close_s
            for item in record:
                if isinstance(item, Order):
                    rests = item.cause == Cause.STOP
                    at_s = (self.close_s, came_s, now_s)
                    self.times[item.sequence] = Times(item.side, rests, by_close, *at_s)
        return batch

    async def commit(self, batch: Batch) -> Batch:
        batch = await super().commit(batch)
        now_s = time.perf_counter()
        for record, _ in batch.told:
            for item in record:
                if isinstance(item, Order):
                    self.times[item.sequence].durable = now_s
                elif isinstance(item, Report) and item.status == Status.ACCEPTED:
                    self.times[item.sequence].accepted = now_s
                elif isinstance(item, Report) and item.status == Status.FILLED:
                    self.times[item.sequence].filled = now_s
        return batch


@dataclass(slots=True)
class Room:
    """One book; one decides at a time."""

    engine: Timed
    agent: Agent
    lookout: Lookout
    took_s: float = 0.0  # to be reconciled
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    answers: set["asyncio.Task[None]"] = field(default_factory=set)

    async def decided(self, late: Late) -> None:
        async with self.turn:
            if moments := late(self.engine.decided.state):
                await self.engine.take(moments)
        self.stirred.set()

    async def wish(self, conviction_bps: int, price: int) -> None:
        """A close of all lanes, an opinion of each, and all that comes of it."""
        state = self.engine.decided.state
        opened_at_ms = self.engine.head.at_ms
        at_ms, lanes = opened_at_ms + 2 * MINUTE_MS, range(len(state.lanes))
        candle = Candle(0, price, price, price, price, 10**8, int(Source.REST))
        events: list[Event] = [
            Close(at_ms, opened_at_ms, tuple(candle._replace(instrument=i) for i in lanes), ())
        ]
        events += [Touch(at_ms, i, price - 1, price + 1) for i in lanes]
        events += [Signal(at_ms, i, conviction_bps, 0) for i in lanes]
        await self.decided(lambda _: [Moment(events)])
        while not self.rests:
            self.stirred.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stirred.wait(), _LOOK_S)

    @property
    def rests(self) -> bool:
        moves = self.turn.locked() or self.lookout.attended or not self.agent.idle.is_set()
        return not moves and not self.answers and all(map(_rests, self.engine.state.lanes))

    def answer(self, sequence: int, *, recall: bool = False) -> None:
        """In the place of a lookout: what was asked for has happened."""
        task = asyncio.create_task(self.decided(lambda state: _answered(state, sequence)))
        self.answers.add(task)
        task.add_done_callback(self.answers.discard)


class Instant:
    """In the place of a wire: whatever is said is done."""

    venue = "kraken"

    def __init__(self, lanes: int) -> None:
        self.pairs = (PAIR,) * lanes
        self.names = count(1)

    async def send(self, request: Request) -> Outcome:
        return Outcome(Kind.CONFIRMED, venue_id=f"O{next(self.names)}")

    async def cancel(self, request: Request) -> Outcome:
        return Outcome(Kind.CONFIRMED)


@asynccontextmanager
async def at_no_venue(folder: Path, lanes: int) -> AsyncIterator[Room]:
    agent = _agent(cast(Wire, Instant(lanes)), _units(lanes), monotonic_ms)
    async with _book(folder, terms(lanes), agent, monotonic_ms) as room:
        agent.attend = room.answer
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(agent.run())
            yield room
            running.cancel()


@asynccontextmanager
async def at(
    venue: "Venue", folder: Path, *, key: Keys, paced: bool = False, runs: bool = True
) -> AsyncIterator[tuple[Room, Any]]:
    """A book that is reconciled, and the ccxt behind it."""
    left: dict[str, float] = {}
    leaps = count(1)
    manner = Manner(dressed=lambda ccxt: _noting(ccxt, left))
    if not paced:
        manner = Manner(monotonic_ms=lambda: next(leaps) * _LEAP_MS, dressed=manner.dressed)
    async with account(key, venue.address, venue.clock_ms, manner) as ccxt:
        agent = _agent(Wire(ccxt, [PAIR], exits), _units(1), venue.clock_ms)
        async with _book(folder, terms(1), agent, venue.clock_ms) as room:
            began_s = time.perf_counter()
            await _remember(room)
            await room.lookout.start()
            room.took_s = time.perf_counter() - began_s
            if runs:
                async with asyncio.TaskGroup() as tasks:
                    running = [tasks.create_task(one.run()) for one in (agent, room.lookout)]
                    yield room, ccxt
                    for task in running:
                        task.cancel()
            else:
                yield room, ccxt
        for name, at_s in left.items():
            sequence = sequence_of(agent.venue, agent.tag, name)
            if sequence in room.engine.times:
                room.engine.times[sequence].wire = at_s


def terms(lanes: int) -> Terms:
    """Any conviction counts, and no rule refuses; the stop is far."""
    settings = load(Home(Path("nowhere")), None, {"capital": CAPITAL}, {}).settings
    law = law_of(settings, MINUTE_MS, ("kraken",))._replace(
        conviction_min_bps=1,
        warmup_candles=0,
        band_bps=0,
        sizing=1,
        stop_bps=1_000,
        target_bps=5_000,
        exposure_max_bps=10_000,
        gross_max_bps=10_000,
        order_notional_max=CAPITAL * QUANTA,
        orders_per_minute_max=32,
        loss_24h_max_bps=10_000,
        drawdown_max_bps=10_000,
        book_volatility_max_ppm=10**9,
    )
    about = {"mode": "live", "market": "bench", "signals": "bench", "lanes": lanes}
    first = Instrument(0, 1, 10, 1, 1, 5_000, QUANTA // 2, 2_500, 4_000, 100, 0, 0, 0)
    instruments = [first._replace(id=i) for i in range(lanes)]
    capital = CAPITAL * QUANTA
    at_ms = 1_704_110_400_000
    return Terms(about, _units(lanes), law, NO_ASSUMPTIONS, instruments, capital, at_ms, None)


def _units(lanes: int) -> Sequence[Unit]:
    names = ["BTC", *(f"C{n}" for n in range(1, lanes))]
    return [Unit("kraken", f"{n}-USD", n, "USD", POINTS, GRAINS, 0, "") for n in names]


def _agent(wire: Wire, units: Sequence[Unit], clock: Callable[[], int]) -> Agent:
    everything = frozenset(range(len(units)))
    wall = Wall(Caps(_BIG, _BIG * QUANTA, _BIG * QUANTA, everything))
    return Agent(wire, tuple(units), "", wall, clock, monotonic_ms, lambda *told: None)


@asynccontextmanager
async def _book(
    folder: Path, of: Terms, agent: Agent, clock: Callable[[], int]
) -> AsyncIterator[Room]:
    (folder / "data").mkdir(parents=True, exist_ok=True)
    async with get_db("live", folder, read_only=False) as db:
        engine = await opened(db, of, Life(0, "bench", [], []), agent, clock, new=False)
        engine.__class__ = Timed
        assert isinstance(engine, Timed)
        engine.times, engine.close_s = {}, 0.0
        agent.tag = session_tag("bench", str(folder))
        room = Room(engine, agent, Lookout(agent))
        await _remember(room)
        yield room


async def _remember(room: Room) -> None:
    engine, agent = room.engine, room.agent
    key, currencies = (engine.session.id, PRINCIPAL), 1 + len(agent.units)
    found = await engine.db.write(lambda c: recalled(c, key, agent.venue, currencies))
    agent.attach(engine, found)
    agent.deliver = room.decided


def _noting(ccxt: Any, left: dict[str, float]) -> None:
    fetch = ccxt.fetch

    async def leaves(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        if url.endswith("AddOrder"):
            left[parse_qs(body)["cl_ord_id"][0]] = time.perf_counter()
        return await fetch(url, method, headers, body)

    ccxt.fetch = leaves


def _rests(lane: Lane) -> bool:
    if lane.order.kind or lane.due:
        return False
    return lane.stop.stage == Stage.WORKING if lane.quantity else not lane.stop.kind


def _answered(state: State, sequence: int) -> list[Moment]:
    """The report of a take that filled whole, or of a stop that was called back."""
    for lane, of in zip(state.lanes, state.instruments, strict=True):
        said = NO_REPORT._replace(
            at_ms=lane.marked_at_ms, instrument=of.id, sequence=sequence, side=lane.order.side
        )
        if lane.stop.sequence == sequence:
            gone = said._replace(side=int(Side.SELL), status=int(Status.CANCELLED))
            return [Moment((gone,))]
        if lane.order.sequence == sequence:
            quantity, price = lane.order.quantity, lane.mark
            money = (cost if lane.order.side == Side.BUY else worth)(of, price, quantity)
            figures = {"quantity": quantity, "price": price, "notional": money, "fill": 1}
            return [Moment((said._replace(status=int(Status.FILLED), **figures),))]
    return []


def keys() -> Keys:
    from tests.venue.keys import TRADER

    return Keys("kraken", "live", "bench", SecretStr(TRADER.key), SecretStr(TRADER.secret))
