"""A write is a function, run whole by the one writer; nobody else commits.

    value = await db.write(work)              work(connection) -> value; on disk when it returns
    rows = await db.read("SELECT …", (…,))    everything fetched, one hop to another thread

Functions that wait together share one commit, each in a savepoint of its own: one that raises
undoes only itself. A commit that fails answers all of its callers with `StorageFailed` and poisons
the client, for what it wrote may or may not be on the disk: the process ends, and start-up is
recovery. This process never opens the file raw, not even to hash it: closing any other descriptor
of it drops SQLite's locks, and with them committed rows.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, Self, TypeVar, overload

import aiosqlite

from rrr.core.errors import RRRError, StorageFailed, UsageError
from rrr.database.migrate import MIGRATIONS
from rrr.database.opening import (
    MODES,
    RECOVER,
    Connector,
    connect_read_only,
    in_words,
    notes_on,
    open_to_read,
    open_to_write,
    plain,
    pragma,
    told,
)
from rrr.home import Home

T = TypeVar("T")
Row = tuple[Any, ...]
Parameters = Sequence[Any] | Mapping[str, Any]


@overload
def get_db(
    mode: str = ..., home: Path | None = ..., *, read_only: Literal[True] = ...
) -> "Reader": ...
@overload
def get_db(mode: str = ..., home: Path | None = ..., *, read_only: Literal[False]) -> "Client": ...
def get_db(
    mode: str = "paper", home: Path | None = None, *, read_only: bool = True
) -> "Reader | Client":
    """The one way in: `async with get_db() as db: rows = await db.read("SELECT …")`.

    In a notebook `db = await get_db()` does as well. Ask for `read_only=False` only while no daemon
    holds the home: a file has one writer.
    """
    path = database_path(mode, home)
    if read_only:
        return Reader(path, lambda: connect_read_only(path, MODES[mode]))
    return Client.open(path, application_id=MODES[mode])


def database_path(mode: str, home: Path | None = None) -> Path:
    """Where a mode keeps its books."""
    if mode not in MODES:
        raise UsageError(f"There is no mode {mode!r}.", f"Say {' or '.join(MODES)}.")
    return Home.at(home).data / f"{mode}.db"


class Reader(aiosqlite.Connection):
    """Looks and never writes: one read-only connection on its own thread, one hop a read."""

    def __init__(self, path: Path, connect: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connect, iter_chunk_size=64)
        # An exception in main must end the process even when nobody closed the client.
        self._thread.daemon = True
        self.path = path

    async def read(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows of one statement; no snapshot is held once they are here."""
        rows: list[Row] = await self._execute(self._fetch, sql, parameters)  # type: ignore[no-untyped-call]
        return rows

    async def read_one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row, or None."""
        rows = await self.read(sql, parameters)
        return rows[0] if rows else None

    async def close(self) -> None:
        await super().close()
        if self._thread.is_alive():
            self._thread.join()

    def __await__(self) -> Generator[Any, None, Self]:
        yield from super().__await__()
        return self

    async def __aenter__(self) -> Self:
        return await self if self._connection is None else self

    async def _connect(self) -> Self:
        try:
            await super()._connect()
        finally:
            # A refused file: the thread was told to stop, and must not outlive the loop.
            if self._connection is None:
                self._thread.join()
        return self

    def _fetch(self, sql: str, parameters: Parameters) -> list[Row]:
        with told(self.path):
            return self._conn.execute(sql, parameters).fetchall()

    def _shut(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("Say `await db.read(sql)` or `await db.write(function)`.")

    # What aiosqlite offers here would tear the transactions of tasks that share a connection.
    commit = rollback = cursor = execute = executemany = executescript = _shut
    execute_insert = execute_fetchall = _shut


class Client(Reader):
    """The one writer of a file, shared by all tasks of one event loop."""

    mmap_granted: int = 0  # bytes
    notes: tuple[str, ...] = ()  # what a person should know of this SQLite

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        application_id: int,
        migrations: Path = MIGRATIONS,
        connector: Connector = plain,
    ) -> Self:
        """`db = await Client.open(…)`, or `async with Client.open(…) as db`."""
        return cls(path, application_id, migrations, connector)

    def __init__(
        self, path: Path, application_id: int, migrations: Path, connector: Connector
    ) -> None:
        def connect() -> sqlite3.Connection:
            return open_to_write(path, application_id, migrations, connector)

        super().__init__(path, connect)
        self._reader = Reader(path, lambda: open_to_read(path, connector))
        self._waiting: deque[_Write] = deque()
        self._committing = False
        self._closing = False
        self._full = True
        self._failed: RRRError | None = None

    async def write(self, work: Callable[[sqlite3.Connection], T], durable: bool = True) -> T:
        """Run `work` in the next commit; its value comes back once that commit holds.

        With `durable=False` a power cut may take it away, never out of order, until the next
        durable commit. A cancelled caller does not unwrite. `work` runs on another thread, shares
        nothing with the loop and ends no transaction.
        """
        assert not self._closing, "A closed client writes nothing."
        if self._failed is not None:
            raise StorageFailed(self._failed.what, self._failed.advice)
        answer: asyncio.Future[T] = self._loop.create_future()
        self._waiting.append(_Write(work, durable, answer))
        if not self._committing:
            self._wake()
        return await answer

    def read(self, sql: str, parameters: Parameters = ()) -> Coroutine[Any, Any, list[Row]]:
        return self._reader.read(sql, parameters)

    def wal_bytes(self) -> int:
        """The length of the log; it grows while another program's long read keeps it alive."""
        try:
            return Path(f"{self.path}-wal").stat().st_size
        except FileNotFoundError:
            return 0

    async def close(self) -> None:
        """Commit what waits, fold the log into the file unless somebody reads, end both threads."""
        if self._connection is None:
            return
        self._closing = True
        async with AsyncExitStack() as last:
            last.push_async_callback(super().close)
            await self._reader.close()
            await self._execute(self._finish)  # type: ignore[no-untyped-call]

    async def _connect(self) -> Self:
        self._loop = asyncio.get_running_loop()
        async with AsyncExitStack() as undo:
            await super()._connect()
            undo.push_async_callback(super().close)
            await self._execute(self._look_around)  # type: ignore[no-untyped-call]
            await self._reader
            undo.pop_all()
        return self

    def _wake(self) -> None:
        self._committing = True
        self._tx.put_nowait((None, self._commit))

    def _answer(self, batch: "list[_Write]", failed: RRRError | None) -> None:
        """Tell every caller, then commit what came meanwhile."""
        for write in batch:
            if write.answer.done():
                continue
            if failed is not None:
                write.answer.set_exception(StorageFailed(failed.what, failed.advice))
            elif write.error is None:
                write.answer.set_result(write.value)
            elif isinstance(write.error, StopIteration):  # a future cannot carry it
                write.answer.set_exception(RuntimeError("The function raised StopIteration."))
            else:
                write.answer.set_exception(write.error)
        self._committing = False
        if self._waiting:
            self._wake()

    # The loop's thread ends here, the writer's begins.

    def _look_around(self) -> None:
        self.notes = notes_on(self._conn)
        self.mmap_granted = pragma(self._conn, "mmap_size") or 0

    def _commit(self) -> None:
        """Commit what waits; it counts as failed until the commit has returned."""
        batch = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if not batch:
            return
        failed = self._failed
        try:
            if failed is None:
                failed = StorageFailed(f"The writer of {self.path} broke off.", RECOVER)
                self._together(batch)
                failed = None
        except sqlite3.Error as error:
            failed = in_words(self.path, error) or StorageFailed(
                f"{self.path} cannot be written: {error}.", RECOVER
            )
        finally:
            self._failed = failed
            self._loop.call_soon_threadsafe(self._answer, batch, failed)

    def _together(self, batch: "list[_Write]") -> None:
        connection = self._conn
        # One cursor for all of it: a new one a statement doubles the cost of a small function.
        say = connection.cursor().execute
        full = any(write.durable for write in batch)
        if full != self._full:
            say(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
            self._full = full
        say("BEGIN IMMEDIATE")
        for write in batch:
            say("SAVEPOINT work")
            with write:
                write.value = write.work(connection)
            if write.error is not None:
                if isinstance(write.error, sqlite3.Error) and in_words(self.path, write.error):
                    raise write.error
                say("ROLLBACK TO work")
            # Fails if the function ended the transaction: then no answer can be trusted.
            say("RELEASE work")
        say("COMMIT")

    def _finish(self) -> None:
        self._commit()
        if self._failed is None:
            self._conn.execute("PRAGMA busy_timeout = 0")
            try:
                self._conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.OperationalError as error:
                # What is committed is in the log: a disk that is full may fold it in next time.
                if in_words(self.path, error) is None:
                    raise


@dataclass(slots=True, eq=False)
class _Write:
    """A function that waits; entered, it keeps its own exception for the one who asked."""

    work: Callable[[sqlite3.Connection], Any]
    durable: bool
    answer: asyncio.Future[Any]
    value: Any = None
    error: BaseException | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self.error = error
        return True
