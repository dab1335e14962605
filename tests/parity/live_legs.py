"""The same moments, once met by the paper venue, once carried to a loopback Kraken and back.

The live leg is the live code path whole: engine, agent, lookout, inquiry, wire, ccxt, HTTP; but its
waits are short and its clock is the venue's, whose time stands while anything is under way.
Before each close the stream's hint comes, and what happened meanwhile is asked for: a book that
would hear of a stop after the close would decide upon it, and that is no matter of the code.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, cast

from pydantic import SecretStr

from rrr.config import Home, Loaded, load
from rrr.config.keys import Keys
from rrr.core.events import Close, Touch
from rrr.core.market import QUANTA, Instrument
from rrr.core.shelf import NO_ASSUMPTIONS
from rrr.core.state import RECENT
from rrr.data_pipeline.exchange_client import Manner
from rrr.data_pipeline.private_client import account, exits
from rrr.database.client import Client, database_path, get_db
from rrr.database.live import Tied
from rrr.database.sessions import Life, Unit
from rrr.neural_network.strategies.naming import named
from rrr.neural_network.strategies.voice import StrategyVoice
from rrr.trading.engine.engine import Engine, Late, Moment
from rrr.trading.engine.opening import Terms, opened
from rrr.trading.engine.terms import law_of
from rrr.trading.engine.venue import Paper, Venue
from rrr.trading.live.agent import Agent
from rrr.trading.live.gate import Gate, Rank
from rrr.trading.live.lookout import Lookout
from rrr.trading.live.outcomes import Outcome
from rrr.trading.live.seen import Frozen
from rrr.trading.live.walls import Caps, Wall
from rrr.trading.live.wire import Wire
from rrr.wiring.live_terms import paying
from rrr.wiring.teller import Teller
from rrr.wiring.trading_live import Live
from tests.parity.live_journals import Journal, journal
from tests.parity.live_market import DECIMALS, HALF, LOT, Standing, Stepped
from tests.venue.dialects import DIALECTS, desk
from tests.venue.faults import Faults
from tests.venue.keys import TRADER
from tests.venue.ledger import Entry, Ledger
from tests.venue.matching import Exchange
from tests.venue.rates import TIERS
from tests.venue.server import Server
from tests.venue.tape import GRAINS, MINUTE_MS
from tests.venue.venue_time import NOON_MS, VenueTime

CAPITAL: Final = 100_000
FEES_PPM: Final = (1_000, 500)  # of five decimals of a cost in cents nothing is cut off
SETTINGS: Final = {
    "market": "kraken",
    "timeframe": "1m",
    "capital": CAPITAL,
    "policy.warmup_candles": 3,
    "policy.sizing": "equity",
    "policy.band_bps": 20,
    "policy.stop_bps": 40,
    "policy.target_bps": 60,
    "risk.exposure_max_bps": 3_000,
    "risk.gross_max_bps": 9_500,
    "risk.order_notional_max": CAPITAL,
    "risk.orders_per_minute_max": 2,
    "risk.loss_24h_max_bps": 10_000,
    "risk.drawdown_max_bps": 10_000,
    "risk.book_volatility_max_bps": 100_000,
    "risk.cooldown_minutes": 3,
}
STRICT: Final = {  # in the end it halts
    "risk.gross_max_bps": 7_000,
    "risk.loss_24h_max_bps": 150,
    "risk.drawdown_max_bps": 300,
    "risk.orders_per_minute_max": 1,
}
_BIG: Final = QUANTA * 10**9
_CALM: Final = 60  # turns of the loop in which nothing may stir
_PATIENCE: Final = 3_000_000  # turns in all
_SPAN_MS: Final = 1_000  # the pace's clock: nobody waits for it


@dataclass(frozen=True, slots=True)
class Given:
    """What both legs are given."""

    market: Stepped
    terms: Terms
    moments: Sequence[Moment]
    loaded: Loaded

    @property
    def symbols(self) -> list[str]:
        return [unit.symbol for unit in self.terms.units]

    def paying(self, **changes: int) -> "Given":
        """With other terms of each instrument."""
        instruments = [one._replace(**changes) for one in self.terms.instruments]
        return replace(self, terms=replace(self.terms, instruments=instruments))


@dataclass(frozen=True, slots=True)
class Lived:
    """What the live leg left: its journal, and the venue's own books."""

    journal: Journal
    tag: str
    entries: Sequence[Entry]
    tied: Sequence[Tied]
    frozen: Sequence[Frozen]
    waiting: Sequence[str]


@dataclass(slots=True)
class Place:
    """A loopback Kraken in this very loop."""

    clock: Standing
    exchange: Exchange
    address: str


Spoilt = Callable[[Place, Live], None]  # what a mutant does once the book has begun


def given(
    closes: int, seed: int, strategy: str, changes: Mapping[str, Any] = MappingProxyType({})
) -> Given:
    """Candles of a seed, and what a strategy makes of them."""
    market, told = Stepped(seed, closes), {**SETTINGS, **changes}
    symbols = [symbol.replace("/", "-") for symbol in market.symbols]
    loaded = load(Home(Path("nowhere")), None, {**told, "symbols": ",".join(symbols)}, {})
    units = [_unit(symbol) for symbol in symbols]
    terms = Terms(
        about={"mode": "paper", "market": "stepped", "signals": strategy, "seed": seed},
        units=units,
        law=law_of(loaded.settings, MINUTE_MS, [one.venue for one in units]),
        assumed=NO_ASSUMPTIONS,
        instruments=[_instrument(i) for i in range(len(units))],
        capital=CAPITAL * QUANTA,
        at_ms=NOON_MS,
        ends_at_ms=None,
    )
    voice = StrategyVoice(named(strategy), 1, len(units), MINUTE_MS, symbols)
    moments = [_moment(close, voice) for close in market.closes()]
    return Given(market, terms, moments, loaded)


async def on_paper(folder: Path, given: Given) -> Journal:
    async with _engine(folder, given.terms, Paper(), Standing().now_ms) as (_, engine):
        for moment in given.moments:
            await engine.take([moment])
    return journal(database_path("paper", folder), "paper")


async def lived(folder: Path, given: Given, spoilt: Spoilt = lambda place, live: None) -> Lived:
    async with _place(given.market) as place, _account(place) as ccxt:
        live, calm = await _dealing(place, ccxt, given)
        terms = replace(
            given.terms,
            about={**given.terms.about, "mode": "live"},
            instruments=paying(live.wire, live.fees, given.terms.instruments),
        )
        async with _engine(folder, terms, live.agent, place.clock.now_ms) as (db, engine):
            await live.begin(db, engine)
            live.agent.deliver = calm.decided
            spoilt(place, live)
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(one.run()) for one in (live.agent, live.lookout)]
                await _traded(place, live, calm, given.moments)
                last = await live.lookout.all()
                for task in running:
                    task.cancel()
    found = journal(database_path("live", folder), "live")
    entries, frozen = place.exchange.ledger.entries, live.agent.frozen
    return Lived(found, live.agent.tag, entries, last.tied, frozen, last.waiting)


@dataclass(slots=True)
class Calm:
    """One decides at a time; and somebody knows when nobody has anything left to do."""

    agent: Agent
    lookout: Lookout
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def decided(self, late: Late) -> None:
        async with self.turn:
            if moments := late(self.agent.engine.decided.state):
                await self.agent.engine.take(moments)

    async def comes(self) -> None:
        quiet = 0
        for _ in range(_PATIENCE):
            await asyncio.sleep(0)
            gate = cast(Counting, self.agent.gate)
            stirs = self.turn.locked() or gate.under_way or not self.agent.idle.is_set()
            if not stirs:
                for again in self.lookout.attended.values():
                    again.set()  # whoever waits to ask once more need not wait
            quiet = 0 if stirs or self.lookout.attended else quiet + 1
            if quiet == _CALM:
                return
        raise AssertionError(f"Orders {sorted(self.lookout.attended)} never come to rest.")


class Counting(Gate):
    under_way = 0

    @asynccontextmanager
    async def turn(self, rank: Rank) -> AsyncIterator[None]:
        self.under_way += 1
        try:
            async with super().turn(rank):
                yield
        finally:
            self.under_way -= 1


async def _traded(place: Place, live: Live, calm: Calm, moments: Sequence[Moment]) -> None:
    for moment in moments:
        place.clock.at_ms = moment.events[0].at_ms
        live.agent.poke()
        await calm.comes()
        await calm.decided(lambda _, moment=moment: [moment])  # type: ignore[misc]
        await calm.comes()


async def _dealing(place: Place, ccxt: Any, given: Given) -> tuple[Live, Calm]:
    """As `wiring.trading_live` does it, but for the clocks."""
    units = given.terms.units
    wire = Wire(ccxt, [f"{unit.base}/{unit.quote}" for unit in units], exits)
    fees = await wire.fees()
    assert not isinstance(fees, Outcome), fees
    teller = Teller(None, given.loaded)
    now_ms = place.clock.now_ms
    wall = Wall(Caps(RECENT, _BIG, _BIG, frozenset(range(len(units)))))
    agent = Agent(wire, tuple(units), "", wall, now_ms, now_ms, teller.fact)
    agent.timeframe_ms = MINUTE_MS
    agent.wait, agent.gate = _at_once, Counting()
    lookout = Lookout(agent)
    live = Live(given.loaded.settings, ccxt, wire, agent, lookout, teller, fees, given.terms.law)
    return live, Calm(agent, lookout)


@asynccontextmanager
async def _engine(
    folder: Path, terms: Terms, venue: Venue, clock: Callable[[], int]
) -> AsyncIterator[tuple[Client, Engine]]:
    (folder / "data").mkdir(parents=True, exist_ok=True)
    async with get_db(venue.mode, folder, read_only=False) as db:
        yield db, await opened(db, terms, Life(0, "parity", [], []), venue, clock, new=True)


@asynccontextmanager
async def _place(market: Stepped) -> AsyncIterator[Place]:
    clock = Standing()
    faults = Faults([], NOON_MS)
    dialect = DIALECTS["kraken"][0](market)
    trades = desk(dialect, Ledger(None), faults, TIERS["none"])
    assert trades is not None
    before_ms = clock.at_ms - MINUTE_MS
    trades.exchange.charge(*FEES_PPM, before_ms)
    trades.exchange.move("USD", 2 * CAPITAL * QUANTA, "deposit", before_ms)
    server = Server(dialect, cast(VenueTime, clock), faults, trades)
    runner, address = await server.start()
    try:
        yield Place(clock, trades.exchange, address)
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _account(place: Place) -> AsyncIterator[Any]:
    keys = Keys("kraken", "live", "a test", SecretStr(TRADER.key), SecretStr(TRADER.secret))
    seconds = count(1)
    manner = Manner(wait=_at_once, monotonic_ms=lambda: next(seconds) * _SPAN_MS)
    async with account(keys, place.address, place.clock.now_ms, manner) as ccxt:
        yield ccxt


async def _at_once(seconds: float) -> None:
    await asyncio.sleep(0)


def _unit(symbol: str) -> Unit:
    base, _, quote = symbol.partition("-")
    return Unit("kraken", symbol, base, quote, DECIMALS, GRAINS, 0, "")


def _instrument(i: int) -> Instrument:
    return Instrument(
        id=i,
        version=1,
        scale=10 ** (DECIMALS + GRAINS) // QUANTA,
        tick=1,
        lot=LOT,
        quantity_min=LOT,
        notional_min=QUANTA // 2,
        fee_maker_ppm=FEES_PPM[1],
        fee_taker_ppm=FEES_PPM[0],
        half_spread_ppm=200,  # until the first touch
        slippage_ppm=0,
        fee_in_base=0,
        unit=0,
    )


def _moment(close: Close, voice: StrategyVoice) -> Moment:
    (signals,) = voice.meet([close])
    touches = [
        Touch(close.at_ms, c.instrument, c.close - HALF, c.close + HALF) for c in close.candles
    ]
    return Moment((close, *touches, *(signal._replace(model=0) for signal in signals)))
