"""From the socket to the core: what a market's messages cost, and how late they are.

A venue on this machine (`bench_feed_venue`) says twenty things a second of each instrument, in the
words of Kraken, Coinbase and Binance. What is measured is the daemon's own: ccxt.pro, sockets,
intake, REST's confirmation, the tasks of the house, rows on a FULL database.

decode   json.loads of the frames, and nothing else: the floor
ccxt     ccxt.pro's own reading of the same frames, heard by nobody
intake   frames by TCP as quickly as they are taken, until our intake has noted them
candle   the same with everything behind it: candles confirmed by REST, decided upon, committed
paced    at the market's own speed, with closing times: lag of frames and closes, share of a core
"""

import argparse
import asyncio
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from bench_feed_venue import MINUTE_MS, ROOT, START_MS, Clock, dialect_of, frames
from bench_figures import Figures, medians, quantiles, report

from rrr.config import Home, Loaded, load
from rrr.data_pipeline import exchange as exchanges
from rrr.data_pipeline.exchange import Exchange, Manner, exchange
from rrr.data_pipeline.exchange_client import connect
from rrr.data_pipeline.stream import Following, Sockets
from rrr.database.client import get_db
from rrr.database.sessions import Life
from rrr.monitoring.story import Story
from rrr.trading.engine.engine import Batch, Engine
from rrr.trading.engine.opening import opened
from rrr.trading.engine.venue import Paper
from rrr.wiring import tasks
from rrr.wiring.beginning import terms_of
from rrr.wiring.opinions import Opinions
from rrr.wiring.pace import Pace
from rrr.wiring.teller import Teller

VENUES: Final = ("kraken", "coinbase", "binance")
SAMPLE_MS: Final = 10_000  # of frames that are only parsed
BURST: Final = 15_000  # frames
RUN_MINUTES: Final = 4
SLOPE_INSTRUMENTS: Final = 5
POLL_S: Final = 0.005
APART_S: Final = 0.01  # frames with less between them came together: the first of them waited most


def main() -> None:
    words = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=words)
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--venues", nargs="+", choices=VENUES, default=VENUES)
    parser.add_argument("--instruments", type=int, default=50, help="default: 50")
    parser.add_argument("--paced-minutes", type=int, default=2, help="at real speed; default: 2")
    parser.add_argument("--hours", type=float, default=0, help="of market, for the slope of memory")
    asked = parser.parse_args()
    exchanges.Sockets = Timed  # type: ignore[attr-defined]
    figures: Figures = {}
    for name in asked.venues:
        rounds = [asyncio.run(one_round(name, asked.instruments)) for _ in range(asked.rounds)]
        figures |= {f"{name}_{what}": figure for what, figure in medians(rounds).items()}
    name = asked.venues[0]
    if asked.paced_minutes:
        figures |= asyncio.run(paced(name, asked.instruments, asked.paced_minutes))
    if asked.hours:
        figures |= asyncio.run(slope(name, asked.hours))
    report(figures, (), asked.json)


async def one_round(name: str, instruments: int) -> Figures:
    """Each contender once."""
    async with listening(name, instruments, speed=0) as (market, times):
        figures = await parsed(name, instruments, market)
        await times.burst.wait()
        figures["intake_messages_s"] = times.rate()
    async with listening(name, instruments, speed=0, candles=RUN_MINUTES) as (market, times):
        await house(name, market, times)
        figures["candle_messages_s"] = times.rate()
    for what in ("intake", "candle"):
        for beside in ("json", "ccxt"):
            figures[f"ratio_{what}_to_{beside}"] = (
                figures[f"{what}_messages_s"] / figures[f"{beside}_messages_s"]
            )
    return figures


async def paced(name: str, instruments: int, minutes: int) -> Figures:
    """As the market goes: the whole house listens."""
    async with listening(name, instruments, speed=1, candles=minutes) as (market, times):
        before_s, began = cpu_s(), time.perf_counter()
        await house(name, market, times)
        spent = time.perf_counter() - began
        figures = quantiles("paced_frame_to_intake", times.lags)
        figures |= times.closes("paced")
        figures["paced_core_percent"] = 100 * (cpu_s() - before_s) / spent
        figures["paced_messages_s"] = times.rate()
    return figures


async def slope(name: str, hours: float) -> Figures:
    """Resident memory over a long market, by the least squares of its second half."""
    minutes, sampled = int(hours * 60), list[tuple[float, float]]()
    async with listening(name, SLOPE_INSTRUMENTS, speed=0, candles=minutes) as (market, times):

        def met() -> None:
            gc.collect()
            times.lags.clear()
            sampled.append(((times.clock() - START_MS) / 3_600_000, resident_mb()))

        await house(name, market, times, met)
    half = np.array(sampled[len(sampled) // 2 :])
    return {
        "slope_hours": sampled[-1][0],
        "slope_mb_an_hour": float(np.polyfit(half[:, 0], half[:, 1], 1)[0]),
        "slope_mb_half_way": float(half[0, 1]),
        "slope_mb_at_the_end": float(half[-1, 1]),
    }


async def parsed(name: str, instruments: int, market: Exchange) -> Figures:
    """The same frames without a socket: decoded, and read by a ccxt.pro that nobody listens to."""
    dialect = dialect_of(name, instruments)
    ready = subscribed(name, dialect.session(1, "/ws/x", START_MS), dialect.tape.symbols)
    said = [each for _, step in frames(ready, START_MS, START_MS + SAMPLE_MS) for each in step]
    client = connect(name, "1m", "http://nowhere", Manner(sockets=True), lambda *_: None)
    client.ccxt.set_markets(market._client.ccxt.markets)
    heard = client.ccxt.client("ws://nowhere")
    by_json = seconds(lambda: [json.loads(each) for each in said])
    by_ccxt = seconds(lambda: [heard.handle_text_or_binary_message(each) for each in said])
    await client.close()
    return {"json_messages_s": len(said) / by_json, "ccxt_messages_s": len(said) / by_ccxt}


def subscribed(name: str, session: Any, symbols: tuple[str, ...]) -> Any:
    """As ccxt.pro asks for candles, or prints, and touches."""
    names = [symbol.replace("/", "-") for symbol in symbols]
    match name:
        case "kraken":
            asked: list[dict[str, Any]] = [
                {"method": "subscribe", "params": {"channel": channel, "symbol": list(symbols)}}
                for channel in ("ohlc", "ticker")
            ]
            asked[1]["params"]["event_trigger"] = "bbo"
        case "coinbase":
            channels = "market_trades", "ticker"
            asked = [{"type": "subscribe", "channel": c, "product_ids": names} for c in channels]
        case _:
            ids = [symbol.replace("/", "").lower() for symbol in symbols]
            params = [f"{id}@{stream}" for id in ids for stream in ("kline_1m", "bookTicker")]
            asked = [{"method": "SUBSCRIBE", "params": params, "id": 1}]
    for each in asked:
        list(session.heard(each, START_MS))
    return session


class Times:
    """When frames came, when their words were noted, and when closes were decided upon."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.clock = clock
        self.frames = 0
        self.burst = asyncio.Event()
        self.first_s = self.last_s = self.burst_s = 0.0
        self.lags: list[float] = []
        self.closed_s: dict[int, float] = {}  # closing time: all instruments were heard beyond it
        self.decided_s: dict[int, float] = {}
        self.committed_s: dict[int, float] = {}

    def frame(self) -> None:
        now_s = time.perf_counter()
        self.first_s = self.first_s or now_s
        if now_s - self.last_s > APART_S:
            self.burst_s = now_s
        self.last_s = now_s
        self.frames += 1
        if self.frames == BURST:
            self.burst.set()

    def rate(self) -> float:
        return self.frames / (self.last_s - self.first_s)

    def closes(self, what: str) -> Figures:
        """From the frame that said that the last instrument closed."""
        heard = self.closed_s
        decided = [self.decided_s[at] - heard[at] for at in self.decided_s.keys() & heard.keys()]
        committed = [self.committed_s[at] - heard[at] for at in heard.keys() & self.committed_s]
        return {
            f"{what}_closes": len(decided),
            **quantiles(f"{what}_close_to_core", decided),
            **quantiles(f"{what}_close_to_disk", committed),
        }


TIMES: Times | None = None


class Timed(Sockets):
    """Says when."""

    def _frame(self, made: Any, parse: Callable[[Any], None], data: Any) -> None:
        assert TIMES is not None
        TIMES.frame()
        super()._frame(made, parse, data)

    def _heard(self, each: Following, said: Any) -> None:
        assert TIMES is not None
        before = each.intake.opened_at_ms
        super()._heard(each, said)
        now_s = time.perf_counter()
        TIMES.lags.append(now_s - TIMES.burst_s)
        if each.intake.opened_at_ms != before:
            oldest = min(other.intake.opened_at_ms for other in self._following)
            TIMES.closed_s.setdefault(oldest, now_s)


class TimedEngine(Engine):
    def decide(self, moments: Any) -> Batch:
        batch = super().decide(moments)
        assert TIMES is not None
        for moment in moments:
            TIMES.decided_s.setdefault(moment.events[0].at_ms, time.perf_counter())
        return batch

    async def commit(self, batch: Batch) -> Batch:
        committed = await super().commit(batch)
        assert TIMES is not None
        now_s = time.perf_counter()
        for at in TIMES.decided_s:
            TIMES.committed_s.setdefault(at, now_s)
        return committed


@asynccontextmanager
async def listening(
    name: str, instruments: int, *, speed: float, candles: int = 10**6
) -> AsyncIterator[tuple[Exchange, Times]]:
    """The daemon's own feed, on a venue in a process of its own."""
    global TIMES
    symbols = dialect_of(name, instruments).tape.symbols
    with talking(name, instruments, speed) as (process, address, clock):
        TIMES = Times(clock)
        manner = Manner(
            waiting(clock),
            rate_limited=False,
            sockets=True,
            monotonic_ms=clock,
            time_every_ms=1 << 62,
            silence_ms=600_000,
        )
        async with exchange(
            name,
            [symbol.replace("/", "-") for symbol in symbols],
            "1m",
            candles=candles,
            past=0,
            address=address,
            clock_ms=clock,
            told=lambda *_: None,
            manner=manner,
        ) as market:
            try:
                yield market, TIMES
            finally:
                process.kill()  # who is talking does not hear that we leave


@contextmanager
def talking(
    name: str, instruments: int, speed: float
) -> Iterator[tuple[subprocess.Popen[str], str, Clock]]:
    """A venue in a process of its own: its address, and its time."""
    with tempfile.TemporaryDirectory(prefix="bench_feed_") as folder:
        path = Path(folder) / "clock"
        clock = Clock.made(path)
        script = str(Path(__file__).with_name("bench_feed_venue.py"))
        options = ["--instruments", str(instruments), "--speed", str(speed), "--clock", str(path)]
        command = [sys.executable, script, name, *options]
        with subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip(), clock


def waiting(clock: Callable[[], int]) -> Callable[[float], Any]:
    """Until the market's time has come; until the market moves it does not."""

    async def wait(seconds: float) -> None:
        due_ms = clock() + seconds * 1_000
        while clock() < due_ms:  # noqa: ASYNC110 - it is moved by another process
            await asyncio.sleep(POLL_S)

    return wait


async def house(
    name: str, market: Exchange, times: Times, met: Callable[[], None] = lambda: None
) -> None:
    """What stands behind the market, wired as `rrr.main` wires it, until the market is over."""
    with tempfile.TemporaryDirectory(prefix="bench_feed_home_") as folder:
        home = Home.at(Path(folder))
        home.data.mkdir(parents=True)
        loaded = load(home, None, {"market": name, "signals": "baseline", "timeframe": "1m"}, {})
        async with get_db("paper", home.root, read_only=False) as db:
            terms = terms_of(market, loaded.settings)
            life = Life(0, "bench", [], [])
            engine = await opened(db, terms, life, Paper(), times.clock, new=True)
            engine.__class__ = TimedEngine
            with shared(home, loaded, market, engine) as rooms:
                await rooms.opinions.begin(db)
                async with asyncio.TaskGroup() as group:
                    group.create_task(tasks.feed(rooms))
                    group.create_task(tasks.signals(rooms))
                    group.create_task(tasks.decide(rooms, group))
                    watching = group.create_task(each_minute(times.clock, met))
                    await rooms.over.wait()
                    watching.cancel()


@contextmanager
def shared(home: Home, loaded: Loaded, market: Exchange, engine: Engine) -> Iterator[tasks.House]:
    """What the tasks share. They tell the logs of this home, and nobody."""
    with Path(os.devnull).open("w", encoding="utf-8") as nobody:
        teller, names, settings = Teller(nobody, loaded), dict[int, str](), loaded.settings
        with teller.logging(home):
            units = terms_of(market, settings).units
            story = Story(units, engine.state, every_decision=False, names=names)
            opinions = Opinions(home, settings, market, engine, teller, names, story.warmed)
            yield tasks.House(
                settings,
                market,
                engine.db,
                engine,
                opinions,
                story,
                teller,
                asyncio.Event(),
                Pace("max", real=True),
            )


async def each_minute(clock: Callable[[], int], met: Callable[[], None]) -> None:
    wait = waiting(clock)
    while True:
        met()
        await wait(MINUTE_MS / 1_000)


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


if __name__ == "__main__":
    main()
