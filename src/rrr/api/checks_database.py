"""The books can be opened, are whole, and come back from the disk as they were written."""

import asyncio
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from rrr.api import controls
from rrr.api.checks import Finding, Patient, size
from rrr.core.errors import NotFound
from rrr.database.client import Client
from rrr.database.holder import held, is_held
from rrr.database.migrate import MIGRATIONS, steps, version
from rrr.database.opening import MAP_BYTES, MODES, connect_read_only, judged, pragma, told
from rrr.monitoring.words import count

QUICK_CHECK_S: Final = 3.0
LOOK_EVERY: Final = 100_000  # steps of SQLite between two looks at the clock
WRITE = "INSERT INTO system_events (at_ms, name, detail) VALUES (0, 'doctor', '{}')"
READ = "SELECT name FROM system_events WHERE id = ?"
DELETE = "DELETE FROM system_events WHERE id = ?"


def database(patient: Patient) -> Finding:
    """The file opens, every page of it is well, and its version is ours."""
    path = patient.database
    if not path.exists():
        return Finding("none yet: the first start makes it")
    with closing(connect_read_only(path)) as connection, told(path):
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if not tables:
            return Finding(f"{path.name} is empty: the first start fills it")
        if pragma(connection, "application_id") != MODES[patient.mode]:
            advice = "Move it away, or name another home with --home."
            return Finding(f"{path} is of another program or mode", advice, ok=False)
        written, known = version(connection), len(steps(MIGRATIONS))
        (sessions,) = connection.execute("SELECT count(*) FROM sessions").fetchone()
        about = f"{path.name}, {size(path.stat().st_size)}, {count(sessions, 'session')}"
        about += f", version {written} of {known}"
        begun = time.perf_counter()
        fault = quick_check(connection)
    figure = f"{about}, quick_check {fault or 'ok'}"
    if fault is None:
        ms = (time.perf_counter() - begun) * 1000
        later = "The next start brings it up to date." if written < known else ""
        return Finding(f"{figure} in {ms:.0f} ms", later)
    if fault == "":
        return Finding(
            f"{about}, quick_check not done within {QUICK_CHECK_S:g} s",
            f"It is large: let `sqlite3 {path} 'PRAGMA quick_check'` take its time.",
        )
    return Finding(figure, "Restore a backup.", ok=False)


def quick_check(connection: sqlite3.Connection) -> str | None:
    """The first fault; None: there is none; empty: there was no time to look everywhere."""
    end = time.monotonic() + QUICK_CHECK_S
    connection.set_progress_handler(lambda: time.monotonic() > end, LOOK_EVERY)
    try:
        (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return ""
    return None if said == "ok" else str(said)


def sqlite(patient: Patient) -> Finding:
    """Its version, and what is known of it."""
    notes = judged(sqlite3.sqlite_version)
    kept = (
        "One daemon writes and folds the log, all others only read: that keeps clear of it. A newer"
        " Python brings a newer SQLite."
    )
    return Finding(sqlite3.sqlite_version, " ".join([*notes, kept]) if notes else "")


def memory_map(patient: Patient) -> Finding:
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(sqlite3.connect(Path(folder) / "map.db")) as connection,
    ):
        granted = pragma(connection, f"mmap_size = {MAP_BYTES}") or 0
    figure = f"{size(granted)} granted of {size(MAP_BYTES)} asked"
    return Finding(figure, "" if granted else "Reads go without the map: slower, nothing else.")


def round_trip(patient: Patient) -> Finding:
    """Write, read and delete a row: by the daemon, if one holds the home; it is the one writer."""
    root, path = patient.home.root, patient.database
    if is_held(patient.home.data):
        ms = float(controls.ask(root, "doctor")["round_trip_ms"])
        return Finding(f"{ms:.1f} ms to write, read and delete, by the daemon")
    if current(patient):
        with held(patient.home.data, {"mode": patient.mode, "doing": "rrr doctor"}):
            ms = asyncio.run(tripped(path, MODES[patient.mode]))
        return Finding(f"{ms:.1f} ms to write, read and delete")
    with tempfile.TemporaryDirectory() as folder:
        ms = asyncio.run(tripped(Path(folder) / path.name, MODES[patient.mode]))
    return Finding(f"{ms:.1f} ms to write, read and delete, in a file made for it")


def current(patient: Patient) -> bool:
    """Whether there is a file, and opening it to write would change nothing."""
    try:
        connection = connect_read_only(patient.database, MODES[patient.mode])
    except NotFound:
        return False
    with closing(connection), told(patient.database):
        return version(connection) == len(steps(MIGRATIONS))


async def tripped(path: Path, application_id: int) -> float:
    async with Client.open(path, application_id=application_id) as db:
        return await round_trip_ms(db)


async def round_trip_ms(db: Client) -> float:
    """How long a row takes to the disk, back, and away again; both commits are durable."""
    begun = time.perf_counter()
    number = await db.write(lambda connection: connection.execute(WRITE).lastrowid)
    assert await db.read(READ, (number,)) == [("doctor",)], "What was written is read."
    await db.write(lambda connection: connection.execute(DELETE, (number,)))
    assert await db.read(READ, (number,)) == [], "What was deleted is gone."
    return (time.perf_counter() - begun) * 1000
