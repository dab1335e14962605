"""A home has one daemon. Who comes second is told who is there.

The lock is the operating system's, on an open file: it ends with the process, however that dies.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from rrr.core.errors import HomeHeld, HomeUnusable

TRIES = 50
PATIENCE_S = 0.1


@contextmanager
def held(data: Path, about: dict[str, Any]) -> Iterator[None]:
    """Hold the home of this data folder, and say in the lock file who we are."""
    path = data / "rrr.lock"
    try:
        file = path.open("a+")
    except OSError as error:
        raise HomeUnusable(
            f"{path} cannot be opened: {error.strerror}.", "Name another home with --home."
        ) from error
    with file:
        if not _locked(file):
            raise HomeHeld(
                f"Another daemon holds {data.parent}: {holder(data) or 'it is just starting'}.",
                "Stop that one first, or give this one a home of its own with --home.",
            )
        _write(file, json.dumps({"pid": os.getpid(), **about}))
        try:
            yield
        finally:
            _write(file, "")


def holder(data: Path) -> str | None:
    """Who wrote the lock file last; whether that process lives is the lock's affair."""
    path = data / "rrr.lock"
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    try:
        about = json.loads(text)
    except ValueError:
        return None  # it is being written this very moment
    if not isinstance(about, dict):
        return None
    return ", ".join(f"{name} {value}" for name, value in about.items())


def is_held(data: Path) -> bool:
    """Whether a daemon lives in this home."""
    path = data / "rrr.lock"
    if not path.exists():
        return False
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _locked(file: IO[str]) -> bool:
    """Take the lock; who only looks has it for a moment, a daemon for its life."""
    for _ in range(TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(PATIENCE_S / TRIES)
        else:
            return True
    return False


def _write(file: IO[str], text: str) -> None:
    file.seek(0)
    file.truncate()
    file.write(text)
    file.flush()
