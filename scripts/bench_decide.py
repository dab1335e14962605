"""From a close to its decision, and to its rows on the disk, one close at a time.

Intake is the moment at which the `Close` exists. It is *decided* when the baseline has had its
opinion and the core has met the last signal: the order exists. It is *written* when its rows are
made and hashed, *durable* when `Engine.take` has returned. Books of one and of three instruments
and both floors take turns on one disk:

    plain commit  one row of a close's length, sqlite3, FULL, in the calling thread
    bare chain    a call chain in Python: two averages, eight checks, an order; no rows, no hash

"Orders" are the closes that led to at least one order, "nothing" those that led to no decision.
"Hot" is the same book without a database, back to back: what the disk and the other thread leave
behind in the processor's caches is most of the difference. --pause-ms 5 shows what an idle house
pays to wake up.
"""

import asyncio
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import NamedTuple

from bench_figures import Aim, Figures, arguments, medians, quantiles, report
from bench_house import House, met

from rrr.core.events import Close, Event, Halted, Refused
from rrr.core.orders import Cancel, Order
from rrr.database.client import Client, get_db
from rrr.trading.engine.engine import Batch, Engine, Moment
from rrr.trading.engine.paper import Record, World
from rrr.trading.engine.venue import Paper

CLOSES = 3_000
WARM = 400  # closes before the measured ones: the baseline must have its window
AIMS = (
    Aim("one_decided_us_p50", 25),
    Aim("one_hot_decided_us_p50", 25),
    Aim("ratio_one_durable_p99_to_plain_commit", 1.5),
)
ROW = "[1704067500000,1704067200000,[[0,422835800,423285800,422600000,423000000,987654321,2]],[]]"


class Timed(Engine):
    """Notes when its rows were made."""

    written_s: float

    def decide(self, moments: Iterable[Moment]) -> Batch:
        batch = super().decide(moments)
        self.written_s = time.perf_counter()
        return batch


class Times(NamedTuple):
    led_to: str
    decided: float
    written: float
    durable: float


class Runner:
    """One book and its times."""

    def __init__(self, house: House, engine: Engine) -> None:
        assert isinstance(engine, Timed)
        self.engine, self.trend = engine, house.trend()
        self.advanced, engine.advance = engine.advance, self.advance
        self.decided_s = 0.0
        self.closes = house.market.closes()
        self.times: list[Times] = []

    def advance(self, world: World, event: Event, record: Record) -> World:
        """Note when the last event was decided."""
        world = self.advanced(world, event, record)
        self.decided_s = time.perf_counter()
        return world

    async def warm(self) -> None:
        for _ in range(WARM):
            await self.engine.take([met(self.trend, next(self.closes))])

    async def meet(self, close: Close) -> None:
        began = time.perf_counter()
        batch = await self.engine.take([met(self.trend, close)])
        ended = time.perf_counter()
        decisions = [
            type(item)
            for record, _ in batch.told
            for item in record
            if isinstance(item, Order | Cancel | Halted | Refused)
        ]
        led_to = "orders" if Order in decisions else "others" if decisions else "nothing"
        points = (self.decided_s, self.engine.written_s, ended)
        self.times.append(Times(led_to, *(point - began for point in points)))


def main() -> None:
    parser = arguments(__doc__ or "", rounds=3)
    parser.add_argument("--closes", type=int, default=CLOSES, help=f"a round; default: {CLOSES}")
    parser.add_argument("--pause-ms", type=float, default=0, help="between closes; default: 0")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench_decide_") as name:
        folder = Path(name)
        market = asked.replay or folder / "market"
        if asked.replay is None:
            maker = Path(__file__).with_name("bench_market.py")
            subprocess.run([sys.executable, maker, market], check=True)
        three = House(market, asked.symbols, asked.timeframe)
        first = three.market.instruments[0].spec.symbol
        one = House(market, first, asked.timeframe)
        rounds = [
            asyncio.run(one_round(folder / str(i), one, three, asked.closes, asked.pause_ms / 1000))
            for i in range(asked.rounds)
        ]
        figures = medians(rounds)
    report(figures, AIMS, asked.json)


async def one_round(folder: Path, one: House, three: House, closes: int, pause_s: float) -> Figures:
    """Every contender meets its next close, in turn."""
    async with AsyncExitStack() as opened:
        books = {}
        for name, house in (("one", one), ("all", three)):
            db = await client(opened, folder / name)
            books[name] = Runner(house, await house.opened(db, Timed, Paper()))
        plain = opened.enter_context(closing(plain_database(folder / "plain.db")))
        chain, commits, chains = Chain(), [], []
        for book in books.values():
            await book.warm()
        for _ in range(closes):
            for book in books.values():
                close = next(book.closes)
                await asyncio.sleep(pause_s)
                await book.meet(close)
            await asyncio.sleep(pause_s)
            commits.append(commit(plain))
            chains.append(chain.seconds(close.candles[0].close))
    hot = Runner(one, await one.unwritten(Timed, Paper()))
    await hot.warm()
    hot_chain = Chain()
    hot_chains = [hot_chain.seconds(price) for price in range(50_000, 50_000 + closes)]
    for _ in range(closes):
        await hot.meet(next(hot.closes))
    figures = judged(books, commits, chains) | quantiles("bare_chain_hot", hot_chains)
    figures |= quantiles("one_hot_decided", [times.decided for times in hot.times])
    figures |= quantiles("one_hot_written", [times.written for times in hot.times])
    figures["ratio_one_hot_decided_p50_to_bare_chain_hot"] = (
        figures["one_hot_decided_us_p50"] / figures["bare_chain_hot_us_p50"]
    )
    return figures


async def client(opened: AsyncExitStack, home: Path) -> Client:
    (home / "data").mkdir(parents=True)
    return await opened.enter_async_context(get_db("paper", home, read_only=False))


def judged(books: dict[str, Runner], commits: list[float], chains: list[float]) -> Figures:
    figures = quantiles("plain_commit", commits) | quantiles("bare_chain", chains)
    for name, book in books.items():
        figures |= points(name, book.times)
        for what in ("orders", "nothing"):
            times = [one for one in book.times if one.led_to == what]
            figures[f"{name}_{what}_closes"] = len(times)
            figures |= points(f"{name}_{what}", times)
        for point in ("p50", "p99"):
            durable, plainly = figures[f"{name}_durable_us_{point}"], f"plain_commit_us_{point}"
            figures[f"ratio_{name}_durable_{point}_to_plain_commit"] = durable / figures[plainly]
    decided = figures["one_decided_us_p50"]
    figures["ratio_one_decided_p50_to_bare_chain"] = decided / figures["bare_chain_us_p50"]
    return figures


def points(name: str, times: list[Times]) -> Figures:
    """The three moments on the way of a close."""
    return {
        key: figure
        for point in ("decided", "written", "durable")
        for key, figure in quantiles(f"{name}_{point}", [getattr(t, point) for t in times]).items()
    }


def plain_database(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    for setting in ("journal_mode = WAL", "synchronous = FULL", "fullfsync = ON"):
        connection.execute(f"PRAGMA {setting}").fetchall()
    connection.execute("CREATE TABLE word (number INTEGER PRIMARY KEY, core TEXT NOT NULL) STRICT")
    return connection


def commit(connection: sqlite3.Connection) -> float:
    began = time.perf_counter()
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO word (core) VALUES (?)", (ROW,))
    connection.execute("COMMIT")
    return time.perf_counter() - began


class Chain:
    """The least that could be called price to order."""

    def __init__(self) -> None:
        self.fast = self.slow = self.sequence = 0

    def seconds(self, price: int) -> float:
        began = time.perf_counter()
        self.order(price)
        return time.perf_counter() - began

    def order(self, price: int) -> tuple[int, ...]:
        self.fast += (price - self.fast) // 12
        self.slow += (price - self.slow) // 48
        side = 1 if self.fast > self.slow else -1
        quantity = 10**12 // price
        if self.allows(price, quantity):
            self.sequence += 1
            return (0, self.sequence, 1, side, quantity, price + side * price // 200, 1, 0, 0, 1)
        return ()

    def allows(self, price: int, quantity: int) -> bool:
        return (
            quantity > 0
            and price > 0
            and quantity < 10**12
            and price < 10**12
            and quantity * price < 10**15
            and quantity % 1 == 0
            and self.sequence < 10**9
            and self.slow > 0
        )


if __name__ == "__main__":
    main()
