"""Only what was synced is sure to survive a power cut; the rest survives by the dice.

A drive is a VFS of apsw. Programs see the files as ever; beside them it keeps what has been synced
and which sectors of 512 bytes were written since. `connector` opens the same client on it, because
Python's own sqlite3 cannot use a VFS of apsw.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, Self, cast

import apsw

SECTOR = 512


class Drive(apsw.VFS):
    """The files under one VFS; `boundary` is called before each write, sync or removal."""

    def __init__(self, name: str, boundary: Callable[[], None] = lambda: None) -> None:
        super().__init__(name, "")
        self.name = name
        self.boundary = boundary
        self.broken = False  # a sync fails
        self.lying = False  # a sync does nothing and says it did
        self.synced: dict[str, bytes] = {}
        self.seen: dict[str, bytearray] = {}
        self.loose: dict[str, set[int]] = {}  # sectors written since the last sync
        self.ghosts: set[str] = set()  # removed, but their folder is not synced

    def connector(self, uri: str) -> sqlite3.Connection:
        return cast(sqlite3.Connection, Adapted(uri, self.name))

    def survivors(self, dice: Random) -> dict[str, bytes]:
        """The files after a power cut now: none, half or nearly all of what was not synced."""
        luck = dice.choice((0.0, 0.5, 0.95))
        files = {}
        for name in sorted(self.synced.keys() | self.loose.keys()):
            lucky = {n for n in sorted(self.loose.get(name, ())) if dice.random() < luck}
            back = name not in self.ghosts or dice.random() < 0.5
            if lucky or (name in self.synced and back):
                files[name] = self._torn(name, lucky)
        return files

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        if name is None:
            return super().xOpen(name, flags)
        return LossyFile(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.boundary()
        super().xDelete(filename, syncdir)
        name = Path(filename).name
        self.seen.pop(name, None)
        self.loose.pop(name, None)
        self.ghosts.add(name)
        if syncdir:
            self.sync_folder()

    def written(self, name: str, data: bytes, offset: int) -> None:
        if name in self.ghosts:
            self.ghosts.remove(name)
            self.synced.pop(name, None)
        seen = self.seen.setdefault(name, bytearray())
        seen.extend(bytes(max(0, offset + len(data) - len(seen))))
        seen[offset : offset + len(data)] = data
        sectors = range(offset // SECTOR, -(-(offset + len(data)) // SECTOR))
        self.loose.setdefault(name, set()).update(sectors)

    def sync(self, name: str) -> None:
        if self.broken:
            raise apsw.exception_for(apsw.SQLITE_IOERR_FSYNC)
        if not self.lying:
            self.synced[name] = bytes(self.seen.get(name, b""))
            self.loose[name] = set()

    def sync_folder(self) -> None:
        for name in self.ghosts:
            self.synced.pop(name, None)
        self.ghosts.clear()

    def _torn(self, name: str, lucky: set[int]) -> bytes:
        file = bytearray(self.synced.get(name, b""))
        for sector in sorted(lucky):
            data = self.seen[name][sector * SECTOR : (sector + 1) * SECTOR]
            file.extend(bytes(max(0, sector * SECTOR + len(data) - len(file))))
            file[sector * SECTOR : sector * SECTOR + len(data)] = data
        return bytes(file)


class LossyFile(apsw.VFSFile):
    def __init__(self, drive: Drive, name: str | apsw.URIFilename, flags: list[int]) -> None:
        super().__init__("", name, flags)
        path = name if isinstance(name, str) else name.filename()
        self.drive, self.name = drive, Path(path).name
        self.is_log = bool(flags[0] & (apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL))

    def xWrite(self, data: bytes, offset: int) -> None:
        self.drive.boundary()
        super().xWrite(data, offset)
        self.drive.written(self.name, bytes(data), offset)

    def xTruncate(self, newsize: int) -> None:
        self.drive.boundary()
        super().xTruncate(newsize)
        del self.drive.seen.setdefault(self.name, bytearray())[newsize:]

    def xSync(self, flags: int) -> None:
        self.drive.boundary()
        # As SQLite's own VFS does: the first sync of a new log syncs its folder too.
        if self.is_log and self.name not in self.drive.synced and not self.drive.lying:
            self.drive.sync_folder()
        self.drive.sync(self.name)


class Adapted:
    """As much of a `sqlite3.Connection` as the client uses, on apsw."""

    def __init__(self, uri: str, vfs: str) -> None:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
        with in_sqlite3():
            self.inner = apsw.Connection(uri, flags=flags, vfs=vfs)

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> "Fetched":
        with in_sqlite3():
            return Fetched(list(self.inner.execute(sql, parameters)))

    def cursor(self) -> Self:
        return self

    def close(self) -> None:
        with in_sqlite3():
            self.inner.close()

    @property
    def in_transaction(self) -> bool:
        return self.inner.in_transaction

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if self.in_transaction:
            self.execute("COMMIT" if error is None else "ROLLBACK")


class Fetched:
    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        self.rows = rows

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self.rows

    def fetchone(self) -> tuple[Any, ...] | None:
        return self.rows[0] if self.rows else None


@contextmanager
def in_sqlite3() -> Iterator[None]:
    try:
        yield
    except apsw.Error as error:
        told = sqlite3.OperationalError(str(error))
        told.sqlite_errorcode = getattr(error, "extendedresult", 0)
        raise told from error
