"""One writer, many tasks: what was acknowledged is there, what failed is not, nothing hangs."""

import asyncio
import random
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiosqlite
import pytest

from rrr.core.errors import DatabaseRefused, NotFound, StorageFailed, UsageError
from rrr.database import get_db
from rrr.database.client import Client, Reader, database_path
from rrr.database.opening import LIVE, MODES, PAPER, connect_read_only, judged, pragma

Work = Callable[[sqlite3.Connection], int]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Migrations of a file with one table of words."""
    steps = tmp_path / "steps"
    steps.mkdir()
    (steps / "0001_word.sql").write_text(
        "CREATE TABLE word (number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;"
    )
    return steps


@pytest.fixture
async def db(tmp_path: Path, folder: Path) -> AsyncIterator[Client]:
    async with words(tmp_path / "paper.db", folder) as client:
        yield client


def words(path: Path, folder: Path) -> Client:
    return Client.open(path, application_id=PAPER, migrations=folder)


def say(text: str) -> Work:
    def work(connection: sqlite3.Connection) -> int:
        cursor = connection.execute("INSERT INTO word (text) VALUES (?)", (text,))
        return cursor.lastrowid or 0

    return work


def say_and_raise(text: str, error: BaseException) -> Work:
    def work(connection: sqlite3.Connection) -> int:
        say(text)(connection)
        raise error

    return work


async def said(db: Reader) -> set[str]:
    return {text for (text,) in await db.read("SELECT text FROM word")}


# Writing


async def test_a_write_returns_what_its_function_returns_and_is_read_at_once(db: Client) -> None:
    number = await db.write(say("one"))
    assert await db.read("SELECT number, text FROM word") == [(number, "one")]


async def test_writes_that_wait_together_share_one_commit(db: Client) -> None:
    def commits() -> int:
        return statements.count("COMMIT")

    statements: list[str] = []
    await db.set_trace_callback(statements.append)
    await asyncio.gather(*(db.write(say(f"word {number}")) for number in range(50)))
    assert commits() == 1
    await db.write(say("alone"))
    assert commits() == 2


async def test_a_function_that_raises_undoes_only_itself(db: Client) -> None:
    outcomes = await asyncio.gather(
        db.write(say("before")),
        db.write(say_and_raise("never", KeyError("mine"))),
        db.write(say("before")),
        db.write(say("after")),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [int, KeyError, sqlite3.IntegrityError, int]
    assert await said(db) == {"before", "after"}


async def test_an_exception_that_a_future_cannot_carry_still_answers(db: Client) -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        await db.write(lambda connection: next(iter(())))
    await db.write(say("alive"))


async def test_a_cancelled_caller_does_not_unwrite(db: Client) -> None:
    task = asyncio.create_task(db.write(say("asked for")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await db.write(say("later"))
    assert await said(db) == {"asked for", "later"}


@pytest.mark.parametrize("seed", range(4))
async def test_fifty_tasks_that_raise_and_cancel_leave_exactly_what_was_acknowledged(
    db: Client, seed: int
) -> None:
    dice = random.Random(seed)
    acknowledged: set[str] = set()
    cancelled: set[str] = set()

    async def task(name: int) -> None:
        for step in range(25):
            text = f"{name}.{step}"
            fate, durable = dice.random(), dice.random() < 0.5
            if fate < 0.3:
                with pytest.raises(KeyError):
                    await db.write(say_and_raise(text, KeyError(text)), durable)
            elif fate < 0.5:
                cancelled.add(text)
                doomed = asyncio.create_task(db.write(say(text), durable))
                await asyncio.sleep(0)
                doomed.cancel()
            else:
                await db.write(say(text), durable)
                acknowledged.add(text)

    await asyncio.gather(*(task(name) for name in range(50)))
    await db.write(lambda connection: None)
    assert acknowledged
    assert cancelled
    assert await said(db) == acknowledged | cancelled


async def test_closing_commits_what_still_waits(tmp_path: Path, folder: Path) -> None:
    db = await words(tmp_path / "paper.db", folder)
    begun = asyncio.Event()

    def until_the_close_waits_too(connection: sqlite3.Connection) -> None:
        db._loop.call_soon_threadsafe(begun.set)
        while db._tx.empty():
            pass

    first = asyncio.create_task(db.write(until_the_close_waits_too))
    await begun.wait()
    waiting = [asyncio.create_task(db.write(say(str(number)))) for number in range(20)]
    await asyncio.sleep(0)
    await db.close()
    await first
    assert len(await asyncio.gather(*waiting)) == 20
    async with words(tmp_path / "paper.db", folder) as again:
        assert await said(again) == {str(number) for number in range(20)}


async def test_a_lazy_write_does_not_sync_and_a_durable_one_after_it_does(db: Client) -> None:
    def level(connection: sqlite3.Connection) -> int:
        return int(pragma(connection, "synchronous"))

    full, normal = 2, 1
    assert await db.write(level) == full
    assert await db.write(level, durable=False) == normal
    lazy, durable = await asyncio.gather(db.write(level, durable=False), db.write(level))
    assert lazy == durable == full, "Both share one commit."


async def test_the_shared_connection_offers_no_other_way_to_write(db: Client) -> None:
    for name in ("commit", "rollback", "execute", "executemany", "executescript", "cursor"):
        with pytest.raises(TypeError, match=r"db\.write"):
            getattr(db, name)("DELETE FROM word")
    with pytest.raises(StorageFailed, match="readonly"):
        await db.read("DELETE FROM word")


# What breaks


async def test_a_function_that_ends_the_transaction_poisons_the_client(db: Client) -> None:
    outcomes = await asyncio.gather(
        db.write(say("one")),
        db.write(lambda connection: connection.commit()),
        db.write(say("two")),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [StorageFailed] * 3
    with pytest.raises(StorageFailed, match="no such savepoint"):
        await db.write(say("three"))


async def test_a_full_disk_fails_the_whole_batch_and_every_later_write(db: Client) -> None:
    def shrink(connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA max_page_count = {pragma(connection, 'page_count')}")

    await db.write(say("before"))
    await db.write(shrink)
    outcomes = await asyncio.gather(
        db.write(say("short")), db.write(say("long" * 10_000)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [StorageFailed, StorageFailed]
    with pytest.raises(StorageFailed, match="has no room"):
        await db.write(say("after"))
    assert await said(db) == {"before"}


def test_a_write_that_the_system_refuses_is_a_storage_failure(folder: Path) -> None:
    """The kernel allows the file no more bytes: a commit meets a true I/O error."""
    code = """
        import resource
        from rrr.core.errors import StorageFailed

        async def main():
            async with client() as db:
                await db.write(say("before"))
                resource.setrlimit(resource.RLIMIT_FSIZE, (db.wal_bytes() + 9_000,) * 2)
                for text in ("x" * 100_000, "after"):
                    try:
                        await db.write(say(text))
                    except StorageFailed as error:
                        print(type(error).__name__)
                print(await db.read("SELECT text FROM word"))
    """
    done = in_a_process(code, folder)
    assert done.stdout.split("\n") == ["StorageFailed", "StorageFailed", "[('before',)]", ""]


def test_an_exception_in_main_ends_the_process_though_nobody_closed_the_client(
    folder: Path,
) -> None:
    code = """
        kept = []

        async def main():
            kept.append(await client())
            kept.append(await client()._reader)
            await kept[0].write(say("one"))
            raise SystemExit(7)
    """
    assert in_a_process(code, folder).returncode == 7


def test_this_process_never_opens_the_file_raw(folder: Path) -> None:
    code = """
        import sys
        from rrr.database.opening import connect_read_only

        raw = []
        sys.addaudithook(lambda event, args: raw.append(str(args[0])) if event == "open" else None)

        async def main():
            for _ in range(2):
                async with client() as db:
                    await db.write(say("one" * db.wal_bytes()))
                    await db.read("SELECT * FROM word")
                    looking = connect_read_only(db.path)
                    looking.close()
            print([name for name in raw if ".db" in name], any("0001_word" in name for name in raw))
    """
    assert in_a_process(code, folder).stdout == "[] True\n"


def in_a_process(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program = f"""
import asyncio
from pathlib import Path
from rrr.database.client import Client
from rrr.database.opening import PAPER

def client():
    folder = Path({str(folder)!r})
    path = folder.with_name("paper.db")
    return Client.open(path, application_id=PAPER, migrations=folder)

def say(text):
    return lambda connection: connection.execute("INSERT INTO word (text) VALUES (?)", (text,))

{textwrap.dedent(code)}
asyncio.run(main())
"""
    # The limit is no measure of speed: it tells a process that hangs from one that ends.
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )


async def test_a_closed_client_leaves_no_thread_and_no_log(tmp_path: Path, folder: Path) -> None:
    before = threading.active_count()
    async with words(tmp_path / "paper.db", folder) as db:
        await db.write(say("one"))
        assert db.wal_bytes() > 0
        assert threading.active_count() == before + 2
    assert threading.active_count() == before
    assert db.wal_bytes() == 0
    assert [file.name for file in tmp_path.glob("paper*")] == ["paper.db"]


async def test_the_log_stays_bounded_under_reads_and_reports_a_reader_that_holds_it(
    db: Client,
) -> None:
    async def write_much() -> None:
        for _ in range(300):
            await db.write(lambda connection: connection.execute(fill), durable=False)

    async def read_much() -> None:
        while not done.is_set():
            await db.read("SELECT count(*) FROM word")

    fill = "INSERT INTO word (text) VALUES (hex(randomblob(20000)))"
    done = asyncio.Event()
    reading = asyncio.create_task(read_much())
    await write_much()
    bound = db.wal_bytes()
    assert bound < 8_000_000, "1,000 pages start a checkpoint, and the log starts again."

    held = connect_read_only_of(db)
    held.execute("BEGIN")
    held.execute("SELECT count(*) FROM word").fetchone()
    await write_much()
    grown = db.wal_bytes()
    assert grown > 2 * bound
    held.close()
    await write_much()
    assert db.wal_bytes() <= max(grown, 16_000_000)
    await write_much()
    assert db.wal_bytes() <= grown, "Nobody holds the log: it is written from its start again."
    done.set()
    await reading


def connect_read_only_of(db: Client) -> sqlite3.Connection:
    return sqlite3.connect(f"{db.path.as_uri()}?mode=ro", uri=True, isolation_level=None)


# Reading


async def test_read_one_gives_the_first_row_or_none(db: Client) -> None:
    assert await db.read_one("SELECT text FROM word") is None
    await db.write(say("one"))
    assert await db.read_one("SELECT text FROM word WHERE text = :text", {"text": "one"}) == (
        "one",
    )


async def test_a_mistake_in_the_sql_stays_what_it_is(db: Client) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await db.read("SELECT * FROM nowhere")


async def test_a_read_does_not_wait_for_the_writer(db: Client) -> None:
    go = threading.Event()
    await db.write(say("before"))
    writing = asyncio.create_task(
        db.write(lambda connection: (say("during")(connection), go.wait()))
    )
    assert await said(db) == {"before"}
    go.set()
    await writing


# Opening


async def test_the_settings_of_the_house_hold(db: Client) -> None:
    def settings(connection: sqlite3.Connection) -> dict[str, object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "temp_store", "application_id")
        return {name: pragma(connection, name) for name in names}

    assert await db.write(settings) == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "temp_store": 2,
        "application_id": PAPER,
    }
    assert db.mmap_granted > 0
    assert db.notes == judged(sqlite3.sqlite_version)


@pytest.mark.parametrize(
    ("mode", "other", "sentence"),
    [
        ("paper", "live", "is a paper database, and a live database is wanted."),
        ("live", "paper", "is a live database, and a paper database is wanted."),
    ],
)
async def test_paper_and_live_refuse_each_others_file(
    tmp_path: Path, folder: Path, mode: str, other: str, sentence: str
) -> None:
    path = tmp_path / "some.db"
    async with Client.open(path, application_id=MODES[mode], migrations=folder):
        pass
    before = path.stat().st_size, path.stat().st_mtime_ns
    with pytest.raises(DatabaseRefused, match=sentence):
        await Client.open(path, application_id=MODES[other], migrations=folder)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == before


async def test_a_file_of_another_program_is_refused_untouched(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "paper.db"
    stranger = sqlite3.connect(path)
    stranger.execute("CREATE TABLE theirs (a)")
    stranger.close()
    before = path.read_bytes()
    with pytest.raises(DatabaseRefused, match="is a database of another program"):
        await words(path, folder)
    assert path.read_bytes() == before


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "paper.db").write_bytes(b"time,open,high,low,close\n" * 100)
    with pytest.raises(DatabaseRefused, match="is not an SQLite database"):
        await words(tmp_path / "paper.db", folder)


async def test_a_damaged_file_says_so(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "paper.db"
    async with words(path, folder) as db:
        await db.write(lambda c: [say("long" * 2_000 + str(number))(c) for number in range(50)])
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
    async with words(path, folder) as db:
        with pytest.raises(StorageFailed, match="is damaged"):
            await db.read("SELECT text FROM word")


async def test_a_missing_folder_is_a_storage_failure(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(StorageFailed, match="cannot be opened"):
        await words(tmp_path / "nowhere" / "paper.db", folder)


@pytest.mark.parametrize("version", ["3.36.0", "3.8.11"])
def test_an_sqlite_without_strict_tables_is_refused(version: str) -> None:
    with pytest.raises(DatabaseRefused, match=f"SQLite {version} is too old"):
        judged(version)


@pytest.mark.parametrize(
    ("version", "bug"),
    [
        ("3.37.0", True),
        ("3.44.5", True),
        ("3.44.6", False),
        ("3.45.0", True),
        ("3.50.4", True),
        ("3.50.7", False),
        ("3.51.2", True),
        ("3.51.3", False),
        ("3.53.0", False),
    ],
)
def test_the_wal_reset_bug_is_noted_where_it_is(version: str, bug: bool) -> None:
    assert bool(judged(version)) is bug


# One way in


async def test_get_db_reads_and_never_writes(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    async with get_db("paper", tmp_path, read_only=False) as db:
        await db.write(lambda connection: connection.execute("CREATE TABLE mine (a)"))
    async with get_db(home=tmp_path) as looking:
        assert await looking.read_one("PRAGMA application_id") == (PAPER,)
        assert not isinstance(looking, Client)
        with pytest.raises(StorageFailed, match="readonly"):
            await looking.read("INSERT INTO mine VALUES (1)")


async def test_get_db_tells_how_a_missing_database_is_made(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="rrr --mode paper"):
        await get_db(home=tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_get_db_refuses_the_other_modes_file(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    async with Client.open(database_path("paper", tmp_path), application_id=LIVE):
        pass
    with pytest.raises(DatabaseRefused, match="is a live database, and a paper database is wanted"):
        await get_db(home=tmp_path)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(UsageError, match="There is no mode 'peper'"):
        get_db("peper")


def test_the_home_is_named_or_taken_from_the_environment_or_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RRR_HOME", raising=False)
    checkout = Path(__file__).parents[2]
    assert database_path("paper") == checkout / "data" / "paper.db"
    monkeypatch.setenv("RRR_HOME", str(tmp_path / "home"))
    assert database_path("live") == tmp_path / "home" / "data" / "live.db"
    assert database_path("live", tmp_path) == tmp_path / "data" / "live.db"


async def test_a_plain_reader_sees_what_the_daemon_commits(tmp_path: Path) -> None:
    async with Client.open(tmp_path / "paper.db", application_id=PAPER) as db:
        looking = connect_read_only(db.path, PAPER)
        await db.write(lambda connection: connection.execute("CREATE TABLE late (a)"))
        assert looking.execute("SELECT count(*) FROM late").fetchone() == (0,)
        looking.close()


def test_what_the_client_uses_of_aiosqlite_is_still_there() -> None:
    """It leans on protected names of a pinned version: a new pin must keep them."""
    for name in ("_execute", "_connect", "_conn"):
        assert hasattr(aiosqlite.Connection, name)
    stock = aiosqlite.Connection(lambda: sqlite3.connect(":memory:"), 64)
    assert stock._tx.empty()
    assert stock._connection is None
    assert not stock._thread.is_alive()
