"""One loop, one screen: the only place that knows every room.

The feed brings closes and their signals, the engine decides and commits, the story is told. Whoever
stops us, we end after a commit; whoever kills us, we go on from the last one.
"""

import asyncio
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from rrr import __version__
from rrr.api import controls
from rrr.config import Home, Loaded, Settings
from rrr.config.schema import flat, text
from rrr.core.errors import JournalBroken, NotFound, Unavailable, UsageError
from rrr.core.events import Command, Verb
from rrr.core.market import QUANTA
from rrr.data_pipeline import instrument_rules
from rrr.data_pipeline.instruments import decimal_text
from rrr.data_pipeline.replay import Replay, replay
from rrr.database import sessions
from rrr.database.client import Client, get_db
from rrr.database.holder import held
from rrr.database.journal import RESTORE
from rrr.database.sessions import PRINCIPAL, Life, Unit
from rrr.monitoring.story import Story
from rrr.monitoring.summary import summary, told
from rrr.neural_network.baseline import Trend
from rrr.trading.engine.engine import Batch, Engine, Moment
from rrr.trading.engine.opening import Terms, opened
from rrr.trading.engine.terms import instrument_of, law_of
from rrr.trading.engine.venue import Paper

BATCH = 128  # closes that share a commit when nobody waits for them
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """A command from outside: its place is behind all that was decided before it is met."""

    verb: Verb
    reason: str
    done: asyncio.Future[int]  # the row that it became


@dataclass(slots=True)
class House:
    """What the tasks share: the way in for everybody, and the wish to end."""

    engine: Engine
    story: Story
    say: Say
    stop: asyncio.Event
    started_s: float = field(default_factory=time.monotonic)
    inbox: asyncio.Queue[list[Moment] | Asked | None] = field(
        default_factory=lambda: asyncio.Queue(2)
    )


async def session(home: Home, loaded: Loaded, *, new: bool, say: Say) -> tuple[dict[str, Any], str]:
    """Trade on paper until the market ends or somebody stops us; the summary, and its words."""
    settings = loaded.settings
    stop = asyncio.Event()
    stop_when_asked(stop)
    market = recorded(home, settings)
    home.prepare()
    with held(home.data, {"mode": "paper", "since": f"{time.strftime('%Y-%m-%d %H:%M:%S %z')}"}):
        terms = terms_of(market, settings)
        async with get_db("paper", home.root, read_only=False) as db:
            life = life_of(market, loaded, db)
            engine = await opened(db, terms, life, Paper(), now_ms, new=new)
            story = Story(terms.units, settings.signals, settings.speed != "max")
            house = House(engine, story, say, stop)
            for line in greeting(house, market, terms, life):
                say(line)
            trend = await warmed(db, engine, settings)
            path = controls.socket_path(home.root)
            async with (
                controls.listening(path, partial(answer, house)),
                asyncio.TaskGroup() as tasks,
            ):
                tasks.create_task(feed(house, market, trend, settings))
                tasks.create_task(decide(house, tasks))
            return await farewell(house, terms)


async def feed(house: House, market: Replay, trend: Trend, settings: Settings) -> None:
    """Bring the market, as fast as was asked, and say when it is over."""
    closes = market.closes(house.engine.head.at_ms)
    pace = Pace(settings.speed)
    while not house.stop.is_set():
        batch = list(islice(closes, BATCH if pace.free else 1))
        if not batch:
            break
        await pace.wait(batch[0].at_ms, house.stop)
        if house.stop.is_set():
            break  # what was waited for has not come
        await house.inbox.put([Moment((close, *trend.meet(close))) for close in batch])
    await house.inbox.put(None)


async def decide(house: House, tasks: asyncio.TaskGroup) -> None:
    """Let the engine decide what comes, in order, while what it decided before is committed."""
    committed: asyncio.Task[None] | None = None
    while (received := await house.inbox.get()) is not None:
        asked = received if isinstance(received, Asked) else None
        if isinstance(received, Asked):
            command = Command(house.engine.head.at_ms, received.verb)
            received = [Moment((command,), received.reason)]
        batch = house.engine.decide(received)
        if committed is not None:
            await committed
        committed = tasks.create_task(commit(house, batch, asked))
    if committed is not None:
        await committed
    house.stop.set()


async def commit(house: House, batch: Batch, asked: Asked | None) -> None:
    """Make true what was decided, then tell it."""
    await house.engine.commit(batch)
    for record, state in batch.told:
        for line in house.story.tell(record, state):
            house.say(line)
    if asked is not None and not asked.done.done():
        asked.done.set_result(batch.head.number)


async def answer(house: House, asked: dict[str, Any]) -> dict[str, Any]:
    """Answer a command from outside. Raise Unavailable for what cannot be asked."""
    head = house.engine.committed
    match asked["verb"]:
        case "status":
            up_s = round(time.monotonic() - house.started_s, 1)
            return {"pid": os.getpid(), "up_s": up_s, "rows": head.number, "at_ms": head.at_ms}
        case "halt" | "resume" as verb:
            if house.stop.is_set():
                raise Unavailable("It is about to end.", "Ask again once it runs.")
            done = asyncio.get_running_loop().create_future()
            await house.inbox.put(
                Asked(Verb[verb.upper()], clean(str(asked.get("reason", ""))), done)
            )
            words = "halted: no new risk" if verb == "halt" else "resumed"
            return {"said": f"{words} (row {await done:,} of the journal)"}
        case verb:
            raise Unavailable(f"{verb!r} is no command.", "Ask for status, halt or resume.")


def stop_when_asked(stop: asyncio.Event) -> None:
    """End after the next commit; who asks twice ends us at once, and start-up recovers."""
    loop = asyncio.get_running_loop()

    def asked(number: int) -> None:
        stop.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, asked, number)


class Pace:
    """Market time on the wall: a replay at speed N brings a candle N times as fast as life did."""

    def __init__(self, speed: float | str) -> None:
        self.free = speed == "max"
        self.speed = 0.0 if isinstance(speed, str) else speed
        self.begin: tuple[int, float] | None = None

    async def wait(self, at_ms: int, stop: asyncio.Event) -> None:
        """Until this market time has come, or somebody stops us."""
        if self.free:
            await asyncio.sleep(0)
            return
        if self.begin is None:
            self.begin = (at_ms, time.monotonic())
        began_ms, began_s = self.begin
        delay_s = began_s + (at_ms - began_ms) / 1000 / self.speed - time.monotonic()
        if delay_s > 0:
            try:
                await asyncio.wait_for(stop.wait(), delay_s)
            except TimeoutError:
                return


def recorded(home: Home, settings: Settings) -> Replay:
    """The market that was asked for."""
    if settings.replay is None:
        raise UsageError(
            "No market is named: there are no candles to trade.",
            "Name recorded ones: --replay PATH (a parquet or CSV file, or a tree of them).",
        )
    known: instrument_rules.Known = {}
    for folder in (Path(__file__).parents[2] / "config", home.config):
        with suppress(NotFound):  # a home may have rules of its own
            known = {**known, **instrument_rules.load(folder / "instruments.toml")}
    return replay(
        settings.replay,
        settings.symbols,
        settings.timeframe,
        known,
        from_ms=int(settings.from_.timestamp() * 1000) if settings.from_ else None,
        to_ms=int(settings.to.timestamp() * 1000) if settings.to else None,
        limit=settings.candles,
    )


def terms_of(market: Replay, settings: Settings) -> Terms:
    specs = [one.spec for one in market.instruments]
    units = [
        Unit(s.venue, s.symbol, s.base, s.quote, s.points, s.grains, int(s.inferred), r.sha256)
        for s, r in zip(specs, market.recorded, strict=True)
    ]
    about = {
        "book": "principal",
        "mode": "paper",
        "market": settings.market,
        "source": [unit.source for unit in units],
        "instruments": [f"{u.venue}:{u.symbol}:{u.points}:{u.grains}" for u in units],
        "timeframe": settings.timeframe,
        "span": [int(market.times[0]), int(market.times[-1])],
        "signals": settings.signals,
        "trend": settings.trend.model_dump(),
        "capital": text(settings.capital),
        "seed": settings.seed,
    }
    return Terms(
        about=about,
        units=units,
        law=law_of(settings, market.timeframe_ms),
        instruments=[instrument_of(settings, i, 1, spec) for i, spec in enumerate(specs)],
        capital=int(settings.capital * QUANTA),
        at_ms=int(market.times[0]),
        ends_at_ms=int(market.times[-1]) + market.timeframe_ms,
    )


def life_of(market: Replay, loaded: Loaded, db: Client) -> Life:
    """This process, the settings that it was given, and what it noticed at its start."""
    settings = [
        (n, clean(text(v)), clean(loaded.origin(n))) for n, v in flat(loaded.settings).items()
    ]
    map_gib = f"{db.mmap_granted / 2**30:.1f} GiB"
    notes: list[tuple[str, dict[str, Any]]] = [
        ("database", {"SQLite": sqlite3.sqlite_version, "memory map": map_gib}),
        *(("database", {"note": note}) for note in db.notes),
    ]
    for one, rows in zip(market.instruments, market.recorded, strict=True):
        spec = one.spec
        notes += [("data", {"symbol": spec.symbol, "note": note}) for note in rows.notes]
        if spec.inferred:
            rules = {
                "tick": decimal_text(spec.tick, spec.points),
                "lot": decimal_text(spec.lot, spec.grains),
            }
            notes.append(("rules inferred", {"symbol": spec.symbol, **rules}))
    return Life(os.getpid(), __version__, settings, notes)


async def warmed(db: Client, engine: Engine, settings: Settings) -> Trend:
    """The baseline, with the candles that the session has already seen."""
    trend = Trend(**settings.trend.model_dump())
    wanted = [min(lane.candles, trend.slow + 1) for lane in engine.state.lanes]
    closes = await db.write(lambda c: sessions.last_closes(c, engine.session.id, PRINCIPAL, wanted))
    trend.warm(closes)
    return trend


def greeting(house: House, market: Replay, terms: Terms, life: Life) -> Iterator[str]:
    """What a person should know before the first decision."""
    session, head = house.engine.session, house.engine.head
    symbols = ", ".join(f"{unit.venue}:{unit.symbol}" for unit in terms.units)
    yield f"RRR {__version__}  paper · replay of {len(market.times):,} closing times · {symbols}"
    fresh = len(terms.instruments) + 2
    begun = "begins" if head.number <= fresh else f"goes on after row {head.number:,}"
    quote = terms.units[0].quote
    yield f"session {session.name} {begun} · capital {terms.capital / QUANTA:,.2f} {quote}" + (
        f" · signals: {session.signals}"
    )
    for name, detail in life.notes:
        yield f"{name}: " + ", ".join(f"{key} {value}" for key, value in detail.items())


async def farewell(house: House, terms: Terms) -> tuple[dict[str, Any], str]:
    """The summary. A market that ended finishes its session; a stopped one can go on."""
    engine, session = house.engine, house.engine.session
    over, state_hash = engine.head.at_ms == terms.ends_at_ms, engine.state_hash

    def words(connection: sqlite3.Connection) -> dict[str, Any]:
        found = summary(connection, session, engine.state, terms.units, state_hash)
        if not found["books_balanced"]:
            raise JournalBroken("The books do not balance: " + "; ".join(found["faults"]), RESTORE)
        return found

    found = await engine.end(over, words)
    outcome = "finished" if over else "stopped: the same command, without --new, goes on"
    return found, told(found, terms.units[0].quote, outcome)


def clean(text: str) -> str:
    """What a person typed, without what no file can hold."""
    return text.encode("utf-8", "replace").decode()


def now_ms() -> int:
    """When rows arrive, for the edge columns; the core is told the market's time."""
    return time.time_ns() // 1_000_000
