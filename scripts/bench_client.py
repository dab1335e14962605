"""What the database client costs beside plain sqlite3, aiosqlite and a bare writer thread.

    python scripts/bench_client.py [--json] [--rounds 3]

All figures come from one run and one machine, contenders in turn; compare the ratios.
"""

import argparse
import asyncio
import json
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from queue import SimpleQueue

import aiosqlite

from rrr.database.client import Client
from rrr.database.opening import PAPER, open_to_write, plain

TABLE = "CREATE TABLE word (number INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT"
INSERT = "INSERT INTO word (text) VALUES (?)"
SELECT = "SELECT text FROM word WHERE number = ?"
TASKS = 50
ROWS = 100_000


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--json", action="store_true")
    arguments.add_argument("--rounds", type=int, default=3)
    asked = arguments.parse_args()
    rounds = [asyncio.run(one_round()) for _ in range(asked.rounds)]
    figures = {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}
    figures |= ratios(figures)
    if asked.json:
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    for name, figure in figures.items():
        print(f"{name:44} {figure:12,.2f}" if figure < 100 else f"{name:44} {figure:12,.0f}")


def ratios(figures: dict[str, float]) -> dict[str, float]:
    """The client beside its yardstick; above 1 the client is faster."""
    return {
        "ratio_point_read_to_plain": figures["point_read_us_plain"]
        / figures["point_read_us_client"],
        "ratio_point_read_to_aiosqlite": figures["point_read_us_aiosqlite"]
        / figures["point_read_us_client"],
        "ratio_single_write_to_plain": figures["single_write_us_plain"]
        / figures["single_write_us_client"],
        "ratio_bulk_to_plain": figures["bulk_rows_s_client"] / figures["bulk_rows_s_plain"],
    }


async def one_round() -> dict[str, float]:
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="bench_client_") as name:
        folder = Path(name)
        (folder / "steps").mkdir()
        (folder / "steps" / "0001_word.sql").write_text(TABLE + ";")
        figures |= await bulk(folder)
        figures |= await point_reads(folder)
        figures |= await single_writes(folder)
        for durable in (True, False):
            figures |= await shared_writes(folder, durable)
    return figures


def opened(folder: Path, name: str) -> Client:
    return Client.open(folder / name, application_id=PAPER, migrations=folder / "steps")


def opened_plain(folder: Path, name: str) -> sqlite3.Connection:
    """The same file, settings and tables without the client."""
    return open_to_write(folder / name, PAPER, folder / "steps", plain)


async def bulk(folder: Path) -> dict[str, float]:
    rows = [(f"text {number}",) for number in range(ROWS)]
    connection = opened_plain(folder, "plain.db")
    began = time.perf_counter()
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(INSERT, rows)
    connection.execute("COMMIT")
    by_plain = time.perf_counter() - began
    connection.close()
    async with opened(folder, "client.db") as db:
        began = time.perf_counter()
        await db.write(lambda connection: connection.executemany(INSERT, rows))
        by_client = time.perf_counter() - began
    return {"bulk_rows_s_plain": ROWS / by_plain, "bulk_rows_s_client": ROWS / by_client}


async def point_reads(folder: Path, count: int = 3_000) -> dict[str, float]:
    connection = opened_plain(folder, "client.db")
    plainly = [0.0] * count
    for number in range(count):
        began = time.perf_counter()
        connection.execute(SELECT, (number * 7 % ROWS + 1,)).fetchall()
        plainly[number] = time.perf_counter() - began
    connection.close()

    async with aiosqlite.connect(folder / "client.db") as stock:

        async def by_aiosqlite(number: int) -> object:
            return await stock.execute_fetchall(SELECT, (number * 7 % ROWS + 1,))

        stocked = await each(by_aiosqlite, count)

    async with opened(folder, "client.db") as db:

        async def by_client(number: int) -> object:
            return await db.read(SELECT, (number * 7 % ROWS + 1,))

        ours = await each(by_client, count)
    return {
        **quantiles("point_read_us", "plain", plainly),
        **quantiles("point_read_us", "aiosqlite", stocked),
        **quantiles("point_read_us", "client", ours),
    }


async def single_writes(folder: Path, count: int = 1_000) -> dict[str, float]:
    connection = opened_plain(folder, "plain.db")
    plainly = [0.0] * count
    for number in range(count):
        began = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(INSERT, ("text",))
        connection.execute("COMMIT")
        plainly[number] = time.perf_counter() - began
    connection.close()

    async with opened(folder, "client.db") as db:

        async def by_client(_: int) -> object:
            return await db.write(lambda connection: connection.execute(INSERT, ("text",)))

        ours = await each(by_client, count)
    return {
        **quantiles("single_write_us", "plain", plainly),
        **quantiles("single_write_us", "client", ours),
    }


async def shared_writes(folder: Path, durable: bool, each_task: int = 100) -> dict[str, float]:
    """Both files stay open and the contenders alternate, so that both meet the same disk."""

    async def by_tasks(write: Callable[[], Awaitable[object]]) -> float:
        async def task() -> None:
            for _ in range(each_task):
                await write()

        began = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(TASKS):
                tasks.create_task(task())
        return TASKS * each_task / (time.perf_counter() - began)

    def one_row(connection: sqlite3.Connection) -> None:
        connection.execute(INSERT, ("text",))

    bare = BareWriter(lambda: opened_plain(folder, "plain.db"), durable)
    async with opened(folder, "client.db") as db:
        pairs = [
            (await by_tasks(bare.write), await by_tasks(lambda: db.write(one_row, durable)))
            for _ in range(7)
        ]
    await bare.stop()
    how = "durable" if durable else "lazy"
    return {
        f"shared_{how}_rows_s_bare_thread": statistics.median(pair[0] for pair in pairs),
        f"shared_{how}_rows_s_client": statistics.median(pair[1] for pair in pairs),
        f"ratio_shared_{how}_to_bare_thread": statistics.median(b / a for a, b in pairs),
    }


class BareWriter:
    """The floor: a thread that commits whatever waits, with no savepoints and no care."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], durable: bool) -> None:
        self.loop = asyncio.get_running_loop()
        self.waiting: SimpleQueue[asyncio.Future[None] | None] = SimpleQueue()
        self.thread = threading.Thread(target=self.run, args=(connect, durable))
        self.thread.start()

    def write(self) -> asyncio.Future[None]:
        answer = self.loop.create_future()
        self.waiting.put(answer)
        return answer

    async def stop(self) -> None:
        self.waiting.put(None)
        await asyncio.to_thread(self.thread.join)

    def run(self, connect: Callable[[], sqlite3.Connection], durable: bool) -> None:
        connection = connect()
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        while (answer := self.waiting.get()) is not None:
            batch = [answer]
            while not self.waiting.empty():
                if (another := self.waiting.get()) is not None:
                    batch.append(another)
            connection.execute("BEGIN IMMEDIATE")
            for _ in batch:
                connection.execute(INSERT, ("text",))
            connection.execute("COMMIT")
            self.loop.call_soon_threadsafe(self.answer, batch)
        connection.close()

    @staticmethod
    def answer(batch: list[asyncio.Future[None]]) -> None:
        for answer in batch:
            answer.set_result(None)


async def each(work: Callable[[int], Awaitable[object]], count: int) -> list[float]:
    spent = [0.0] * count
    for number in range(count):
        began = time.perf_counter()
        await work(number)
        spent[number] = time.perf_counter() - began
    return spent


def quantiles(what: str, who: str, seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        f"{what}_{who}": ordered[len(ordered) // 2] * 1e6,
        f"{what}_p99_{who}": ordered[len(ordered) * 99 // 100] * 1e6,
    }


if __name__ == "__main__":
    main()
