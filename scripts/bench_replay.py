"""Candles a second at full speed, layer by layer, over the same closes in turn.

bare loop     a plain Python loop over the candles: what touching them costs
market        columns become closes, the baseline has its opinion
core          `paper.advance`, its record dropped: the two pure machines
rows          the core, and rows made and hashed, without a database
everything    the engine's task on a real FULL database, its story told to real logs
wired         the tasks of `rrr.main` from the columns on: feed, signals, engine
plain sqlite  the same journal rows in the same commits, by sqlite3 alone
"""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from bench_figures import Figures, arguments, medians, report, run
from bench_house import SESSION, House, candles, close_of, seconds

from rrr.backtesting import parity
from rrr.database import ledger, sessions
from rrr.database.client import get_db
from rrr.database.migrate import MIGRATIONS
from rrr.database.opening import PAPER, connect_read_only, open_to_write, plain
from rrr.trading.engine.engine import Engine, Moment
from rrr.trading.engine.opening import changes, core_hash
from rrr.trading.engine.paper import NO_WORLD, Record, advance
from rrr.trading.engine.venue import Paper
from rrr.wiring import tasks
from rrr.wiring.beginning import now_ms
from rrr.wiring.tasks import BATCH


def main() -> None:
    asked = arguments(__doc__ or "", rounds=3).parse_args()
    with tempfile.TemporaryDirectory(prefix="bench_replay_") as name:
        folder = Path(name)
        market = asked.replay or folder / "market"
        if asked.replay is None:
            maker = Path(__file__).with_name("bench_market.py")
            subprocess.run([sys.executable, maker, market], check=True)
        house = House(market, asked.symbols, asked.timeframe)
        moments = house.moments()
        number = candles(moments)
        rounds = [layers(house, moments, number, folder) for _ in range(asked.rounds)]
        figures = medians(rounds)
        figures |= whole_commands(folder, market, asked.symbols, asked.timeframe, number)
        figures |= remade(folder / "whole")
    report(figures, (), asked.json)


def layers(house: House, moments: Sequence[Moment], number: int, folder: Path) -> Figures:
    """One round: each contender once."""
    shutil.rmtree(folder / "layers", ignore_errors=True)
    home, wired = folder / "layers" / "engine", folder / "layers" / "wired"
    for one in (home, wired):
        (one / "data").mkdir(parents=True)
    spent = {
        "bare_loop": seconds(lambda: bare(moments)),
        "market": seconds(house.moments),
        "core": seconds(lambda: through_core(house, moments)),
        "rows": asyncio.run(without_database(house, moments, home)),
        "everything": asyncio.run(with_database(house, moments, home)),
        "wired": asyncio.run(through_tasks(house, wired)),
    }
    spent["plain_sqlite"] = plainly(home, len(moments) // BATCH + 1)
    rates = {f"{name}_candles_s": number / s for name, s in spent.items()}
    ratios = {
        "ratio_bare_loop_to_core": spent["core"] / spent["bare_loop"],
        "ratio_everything_to_core": spent["core"] / spent["everything"],
        "ratio_everything_to_plain_sqlite": spent["plain_sqlite"] / spent["everything"],
        "ratio_wired_to_its_parts": (spent["market"] + spent["everything"]) / spent["wired"],
    }
    return rates | ratios


def bare(moments: Sequence[Moment]) -> int:
    """Mark every candle and remember the peak."""
    peak, marks = 0, [0] * 64
    for moment in moments:
        for candle in close_of(moment).candles:
            marks[candle.instrument] = candle.close
            peak = max(peak, candle.high - candle.low)
    return peak


def through_core(house: House, moments: Sequence[Moment]) -> None:
    engine = Engine(None, SESSION, Paper(), "", now_ms)  # type: ignore[arg-type]
    world = NO_WORLD
    for event in changes(engine, house.terms):
        world = advance(world, event, [])
    for moment in moments:
        for event in moment.events:
            record: Record = []
            world = advance(world, event, record)


async def without_database(house: House, moments: Sequence[Moment], home: Path) -> float:
    return await taken(house, await house.unwritten(), moments, home)


async def with_database(house: House, moments: Sequence[Moment], home: Path) -> float:
    async with get_db("paper", home, read_only=False) as db:
        return await taken(house, await house.opened(db), moments, home)


async def taken(house: House, engine: Engine, moments: Sequence[Moment], home: Path) -> float:
    """As the daemon takes them: the next batch is decided while the last is committed."""
    with house.shared(engine, home) as shared:
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            group.create_task(tasks.decide(shared, group))
            for start in range(0, len(moments), BATCH):
                await shared.inbox.put(list(moments[start : start + BATCH]))
            await shared.inbox.put(None)
        return time.perf_counter() - began


async def through_tasks(house: House, home: Path) -> float:
    async with get_db("paper", home, read_only=False) as db:
        with house.shared(await house.opened(db), home) as shared:
            await shared.opinions.begin(db)
            began = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                group.create_task(tasks.feed(shared))
                group.create_task(tasks.signals(shared))
                group.create_task(tasks.decide(shared, group))
            return time.perf_counter() - began


def plainly(home: Path, commits: int) -> float:
    """What the journal's rows alone cost SQLite: same table, same settings, as many commits."""
    with closing(connect_read_only(home / "data" / "paper.db")) as source:
        rows = source.execute("SELECT * FROM journal ORDER BY session, book, number").fetchall()
        others = {t: source.execute(f"SELECT * FROM {t}").fetchall() for t in ("sessions", "runs")}
    path = home / "plain.db"
    with closing(open_to_write(path, PAPER, MIGRATIONS, plain)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.executemany(
            "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", others["sessions"]
        )
        began = time.perf_counter()
        size = len(rows) // commits + 1
        for start in range(0, len(rows), size):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(ledger.JOURNAL, rows[start : start + size])
            connection.execute("COMMIT")
        return time.perf_counter() - began


def whole_commands(
    folder: Path, market: Path, symbols: str, timeframe: str, number: int
) -> Figures:
    """What a person waits for, from exec to the summary."""
    home = [f"--home={folder / 'whole'}"]
    rrr = [sys.executable, "-m", "rrr"]
    options = [f"--replay={market}", f"--symbols={symbols}", f"--timeframe={timeframe}"]
    traded = run([*rrr, *home, *options, "--speed=max"])
    proved = run([*rrr, "replay", *home])
    size = (folder / "whole" / "data" / "paper.db").stat().st_size
    return {
        "command_s": traded.seconds,
        "command_candles_s": number / traded.seconds,
        "command_peak_mb": traded.peak_mb,
        "database_bytes_a_candle": size / number,
        "replay_command_s": proved.seconds,
        "replay_command_peak_mb": proved.peak_mb,
    }


def remade(home: Path) -> Figures:
    """The journal read again: proved, recovered from its snapshot, recovered from nothing."""
    with closing(connect_read_only(home / "data" / "paper.db")) as connection:
        session = sessions.named(connection, None)
        began = time.perf_counter()
        verdict = parity.replayed(connection, session, core_hash())
        spent = time.perf_counter() - began
    assert verdict.identical, parity.in_words(verdict)
    whole, snapped = asyncio.run(recovered(home, session))
    return {
        "replay_rows_s": verdict.rows / spent,
        "recovery_rows_s_from_snapshot": verdict.rows / snapped,
        "recovery_rows_s_from_nothing": verdict.rows / whole,
    }


async def recovered(home: Path, session: sessions.Session) -> tuple[float, float]:
    async with get_db("paper", home, read_only=False) as db:
        snapped = await recovery(Engine(db, session, Paper(), core_hash(), now_ms))

        def forget(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM snapshots")

        await db.write(forget)
        return await recovery(Engine(db, session, Paper(), core_hash(), now_ms)), snapped


async def recovery(engine: Engine) -> float:
    began = time.perf_counter()
    await engine.recover()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
