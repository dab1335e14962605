"""A file is opened as what it is, or refused in words before a byte of it is written.

Opening to write brings the settings of the house and the newest version of the tables; opening to
read changes nothing. Whatever SQLite complains of later is put into words here as well.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from rrr.core.errors import DatabaseRefused, NotFound, RRRError, StorageFailed
from rrr.database.migrate import migrate, refuse_newer, version

Connector = Callable[[str], sqlite3.Connection]

PAPER = int.from_bytes(b"RRRp")
LIVE = int.from_bytes(b"RRRl")
RESEARCH = int.from_bytes(b"RRRr")
MODES = {"paper": PAPER, "live": LIVE, "research": RESEARCH}

MAP_BYTES = 30_000_000_000  # asked for; stock SQLite grants 2 GiB
CACHE_KIB = 64_000
CHECKPOINT_PAGES = 1_000
LOG_BYTES_KEPT = 16_000_000
BUSY_MS = 5_000

RECOVER = "Start again: start-up finds out what is on the disk."

_FAST = (
    f"mmap_size = {MAP_BYTES}",
    f"cache_size = -{CACHE_KIB}",
    "temp_store = MEMORY",
    f"busy_timeout = {BUSY_MS}",
)
_SAFE = (
    "synchronous = FULL",
    "fullfsync = ON",  # only macOS knows the difference
    "checkpoint_fullfsync = ON",
    f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
    f"journal_size_limit = {LOG_BYTES_KEPT}",
)
_WORDS: dict[int, tuple[type[RRRError], str, str]] = {
    sqlite3.SQLITE_NOTADB: (
        DatabaseRefused,
        "is not an SQLite database",
        "Move it away, or name another home.",
    ),
    sqlite3.SQLITE_CORRUPT: (StorageFailed, "is damaged", "Restore a backup."),
    sqlite3.SQLITE_FULL: (StorageFailed, "has no room", "Free some space, then start again."),
    sqlite3.SQLITE_IOERR: (
        StorageFailed,
        "cannot be read or written",
        f"Check the drive. {RECOVER}",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        StorageFailed,
        "cannot be opened",
        "Its folder must exist and belong to this user.",
    ),
    sqlite3.SQLITE_READONLY: (
        StorageFailed,
        "cannot be written",
        "It must belong to this user, and db.read() never writes.",
    ),
    sqlite3.SQLITE_BUSY: (
        StorageFailed,
        "is in use",
        "Close the other program that writes it, then start again.",
    ),
}


def open_to_write(
    path: Path, application_id: int, migrations: Path, connector: Connector
) -> sqlite3.Connection:
    """The one writer's connection: checked, set up, migrated, foreign keys enforced."""
    with told(path), ExitStack() as undo:
        connection = undo.enter_context(closing(connector(_uri(path, "rwc"))))
        notes_on(connection)
        fresh = _is_fresh(connection)
        if not fresh:
            _refuse_foreign(connection, path, application_id)
        refuse_newer(connection, path, migrations)
        if pragma(connection, "journal_mode = WAL") != "wal":
            raise StorageFailed(f"{path} cannot have a write-ahead log here.", "Use a local drive.")
        _set(connection, *_FAST, *_SAFE)
        if fresh:
            _set(connection, f"application_id = {application_id}")
        migrate(connection, path, migrations)
        _set(connection, "foreign_keys = ON")
        undo.pop_all()
    return connection


def open_to_read(path: Path, connector: Connector) -> sqlite3.Connection:
    """A connection that cannot write, nor fold the log into the file."""
    with told(path), ExitStack() as undo:
        mode = "ro&immutable=1" if _rests(path) else "ro"
        connection = undo.enter_context(closing(connector(_uri(path, mode))))
        _set(connection, *_FAST, "query_only = ON")
        undo.pop_all()
    return connection


def connect_read_only(path: Path, application_id: int | None = None) -> sqlite3.Connection:
    """A plain connection that cannot write, for a process without an event loop."""
    if not path.exists():
        raise NotFound(f"There is no database {path}.", "The daemon makes it: rrr --mode paper.")
    with told(path), ExitStack() as undo:
        connection = undo.enter_context(closing(open_to_read(path, plain)))
        if application_id is not None:
            if _is_fresh(connection) or not version(connection):
                raise NotFound(f"{path} holds nothing yet.", "Start a session: rrr --mode paper …")
            _refuse_foreign(connection, path, application_id)
        refuse_newer(connection, path)
        undo.pop_all()
    return connection


def plain(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, isolation_level=None)


def notes_on(connection: sqlite3.Connection) -> tuple[str, ...]:
    """What a person should know of this SQLite; one that is too old is refused."""
    return judged(connection.execute("SELECT sqlite_version()").fetchone()[0])


def judged(sqlite: str) -> tuple[str, ...]:
    """
    >>> judged("3.51.3"), judged("3.50.7"), judged("3.44.6")
    ((), (), ())
    >>> judged("3.40.1")
    ('SQLite 3.40.1 has the WAL-reset bug, cured in 3.51.3: no second program may write here.',)
    """
    number = tuple(map(int, sqlite.split(".")))
    if number < (3, 37):
        raise DatabaseRefused(
            f"SQLite {sqlite} is too old: STRICT tables came with 3.37.",
            "Use a newer Python; its installer brings a newer SQLite.",
        )
    if number >= (3, 51, 3) or (3, 50, 7) <= number < (3, 51) or (3, 44, 6) <= number < (3, 45):
        return ()
    bug = f"SQLite {sqlite} has the WAL-reset bug, cured in 3.51.3"
    return (f"{bug}: no second program may write here.",)


@contextmanager
def told(path: Path) -> Iterator[None]:
    """A drive that fails is told in words; a mistake in the SQL stays what it is."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise StorageFailed(f"{path} is damaged: {error}.", "Restore a backup.") from error
    except sqlite3.Error as error:
        failure = in_words(path, error)
        if failure is None:
            raise
        raise failure from error


def in_words(path: Path, error: sqlite3.Error) -> RRRError | None:
    # Python's module complains without a code.
    code = int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
    if str(error).startswith("Could not decode to UTF-8"):
        code = sqlite3.SQLITE_CORRUPT
    if code not in _WORDS:
        return None
    kind, what, advice = _WORDS[code]
    return kind(f"{path} {what}: {error}.", advice)


def pragma(connection: sqlite3.Connection, name: str) -> Any:
    row = connection.execute(f"PRAGMA {name}").fetchone()
    return None if row is None else row[0]


def _set(connection: sqlite3.Connection, *settings: str) -> None:
    for setting in settings:
        pragma(connection, setting)


def _rests(path: Path) -> bool:
    """Nobody has it open, and SQLite could not make the files beside it that a reader needs."""
    return not os.access(path.parent, os.W_OK) and not Path(f"{path}-shm").exists()


def _uri(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?mode={mode}"


def _is_fresh(connection: sqlite3.Connection) -> bool:
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    return not (tables or pragma(connection, "application_id") or version(connection))


def _refuse_foreign(connection: sqlite3.Connection, path: Path, application_id: int) -> None:
    found = pragma(connection, "application_id")
    if found != application_id:
        raise DatabaseRefused(
            f"{path} is {_kind(found)}, and {_kind(application_id)} is wanted.",
            "Name the home that holds the right one: no file ever changes its mode.",
        )


def _kind(application_id: int) -> str:
    names = {number: f"a {mode} database" for mode, number in MODES.items()}
    return names.get(application_id, "a database of another program")
