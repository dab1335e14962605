"""A check looks, and whatever it wrote is gone before it answers."""

import os
import platform
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final, NamedTuple

from rrr import __version__
from rrr.core.errors import NotFound
from rrr.database.client import database_path
from rrr.database.holder import holder as named_holder
from rrr.database.holder import is_held
from rrr.database.opening import MODES, connect_read_only, told
from rrr.database.sessions import Session
from rrr.home import ENOUGH, Home
from rrr.monitoring.words import count, span

Replays = Callable[[sqlite3.Connection, Session], bool]

SCARCE_BYTES: Final = 2 * 10**9
LEAST_BYTES: Final = 200 * 10**6
CLOCK_SLACK_MS: Final = 2_000  # a drive rounds its times
PACKAGES: Final = (
    *("aiosqlite", "ccxt", "msgspec", "numpy", "onnxruntime", "pyarrow", "pydantic"),
    *("python-dotenv", "pyyaml", "structlog"),
)
LAST_ARRIVAL: Final = """SELECT max(coalesce((SELECT arrived_at_ms FROM journal
        WHERE session = (SELECT max(id) FROM sessions) AND book = 0
        ORDER BY number DESC LIMIT 1), 0),
    coalesce((SELECT max(max(started_at_ms, coalesce(ended_at_ms, 0))) FROM runs), 0))"""


class Finding(NamedTuple):
    figure: str
    advice: str = ""  # what to do; of what is well: a warning
    ok: bool = True
    hung: bool = False


@dataclass(frozen=True, slots=True)
class Patient:
    home: Home
    mode: str
    replays: Replays
    settings: Path | None  # another file of them
    now_ms: Callable[[], int]

    @property
    def database(self) -> Path:
        return database_path(self.mode, self.home.root)


def directories(patient: Patient) -> Finding:
    """Where something is to be kept, a file without a name is written, synced and gone."""
    home = patient.home
    kept = (home.data, home.logs, home.backups)
    slowest_ms = max(probed(existing(folder)) for folder in kept)
    if home.config.exists():
        next(home.config.iterdir(), None)  # it must be readable
    figure = f"data, logs and backups take 4 kB in {slowest_ms:.1f} ms, synced"
    missing = [folder.name for folder in (*kept, home.config) if not folder.exists()]
    if missing:
        figure += f"; the first start makes {', '.join(missing)}"
    return Finding(figure)


def probed(folder: Path) -> float:
    """How long a small write takes, in ms; even a killed process leaves no file on Linux."""
    begun = time.perf_counter()
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(ENOUGH))
        file.flush()
        os.fsync(file.fileno())
    return (time.perf_counter() - begun) * 1000


def existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    return next(place for place in (path, *path.parents) if place.exists())


def disk(patient: Patient) -> Finding:
    usage = shutil.disk_usage(existing(patient.home.data))
    figure = f"{size(usage.free)} free of {size(usage.total)}"
    advice = "Free some space: a full disk ends the daemon at its next commit."
    if usage.free < LEAST_BYTES:
        return Finding(figure, advice, ok=False)
    return Finding(figure, advice if usage.free < SCARCE_BYTES else "")


def size(bytes_: int) -> str:
    """
    >>> size(12_345_678), size(900), size(40 * 10**9)
    ('12.3 MB', '900 B', '40 GB')
    """
    power = min(int(bytes_) and (len(str(int(bytes_))) - 1) // 3, 4)
    return f"{bytes_ / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def clock(patient: Patient) -> Finding:
    """Time goes on from what was written last; a clock that was set back would tangle rows."""
    now_ms = patient.now_ms()
    moment = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone()
    last_ms, what = newest(patient)
    figure = f"{moment:%Y-%m-%d %H:%M:%S %z} {moment.tzname()}"
    if last_ms - now_ms > CLOCK_SLACK_MS:
        behind = f"{span((last_ms - now_ms) / 1000)} behind {what}"
        return Finding(f"{figure}, {behind}", "Set the clock, and let it be kept by NTP.", False)
    ago = f", {what} {span((now_ms - last_ms) / 1000)} ago" if last_ms else ""
    return Finding(figure + ago)


def newest(patient: Patient) -> tuple[int, str]:
    """When something was last written here, and what."""
    times = [(0, "")]
    for folder in (patient.home.data, patient.home.logs):
        times += [(file.stat().st_mtime_ns // 10**6, file.name) for file in files(folder)]
    with suppress(NotFound):
        connection = connect_read_only(patient.database, MODES[patient.mode])
        with closing(connection), told(patient.database):
            times.append((connection.execute(LAST_ARRIVAL).fetchone()[0], "the last row"))
    return max(times)


def files(folder: Path) -> Iterator[Path]:
    """All files below a folder; none where there is no folder."""
    return (path for path in folder.rglob("*") if path.is_file())


def holder(patient: Patient) -> Finding:
    data = patient.home.data
    if not is_held(data):
        return Finding("nobody holds this home")
    return Finding(f"a daemon: {named_holder(data) or 'it is just starting'}")


def config(patient: Patient) -> Finding:
    from rrr.config import load
    from rrr.config.schema import FIELDS

    loaded = load(patient.home, patient.settings)
    given = sum(loaded.origin(name) != "default" for name in FIELDS)
    secrets = f", {count(len(loaded.secrets), 'secret')}" if loaded.secrets else ""
    return Finding(f"{count(given, 'setting')} given, {len(FIELDS) - given} by default{secrets}")


def python(patient: Patient) -> Finding:
    """What runs here, and where it is not what the program was tested with."""
    about = f"RRR {__version__}, Python {platform.python_version()}, {sys.platform}"
    installed = {name: metadata.version(name) for name in PACKAGES}
    text = ", ".join(f"{name} {version}" for name, version in installed.items())
    pins = tuple(pinned())
    other = [
        f"{name} {version}" for name, version in pins if installed.get(name, version) != version
    ]
    advice = f"Tested with {', '.join(other)}: pip install -r config/requirements.lock"
    return Finding(f"{about}; {text}", advice if other else "")


def pinned() -> Iterator[tuple[str, str]]:
    """What the installed program asks for; nothing where it runs from its sources."""
    try:
        required = metadata.requires("rrr") or []
    except metadata.PackageNotFoundError:
        return
    for requirement in required:
        name, pin, version = requirement.partition("==")
        if pin and ";" not in version:
            yield name.strip().lower(), version.strip()
