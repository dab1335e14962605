"""A folder of files is there whole, or not at all.

The files are written and synced in a hidden folder beside it, which then takes its name. One that
was there before is replaced only if asked, and only if it holds nothing but such files.
"""

import csv
import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from rrr.core.errors import StorageFailed, UsageError
from rrr.home import synced

ANOTHER = "Name another folder."


class Table(NamedTuple):
    header: Sequence[str]
    rows: Iterable[Sequence[Any]]


def refuse_to_overwrite(folder: Path, files: Iterable[str], force: bool) -> None:
    """Raise UsageError where something stands that must stay."""
    if not folder.exists() and not folder.is_symlink():
        return
    if folder.is_symlink() or not folder.is_dir():
        raise UsageError(f"{folder} is no folder.", ANOTHER)
    with _told(folder):
        there = sorted(path.name for path in folder.iterdir())
    foreign = [name for name in there if name not in set(files)]
    if foreign:
        raise UsageError(
            f"{folder} holds {foreign[0]!r}, which no export wrote: it is not replaced.", ANOTHER
        )
    if there and not force:
        raise UsageError(
            f"{folder} holds an export already.", f"{ANOTHER[:-1]}, or replace it with --force."
        )


def write_folder(folder: Path, tables: Mapping[str, Table], texts: Mapping[str, str]) -> None:
    """Write what `refuse_to_overwrite` let pass. Only its owner may look into a new folder."""
    with _told(folder):
        parent = folder.absolute().parent
        parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=parent))
        try:
            for name, table in tables.items():
                with _new(made / name) as file:
                    writer = csv.writer(file, lineterminator="\n")
                    writer.writerow(table.header)
                    writer.writerows(table.rows)
            for name, text in texts.items():
                with _new(made / name) as file:
                    file.write(text)
            synced(made)
            _take_place(made, folder)
            synced(parent)
        finally:
            shutil.rmtree(made, ignore_errors=True)


def _take_place(made: Path, folder: Path) -> None:
    """Two names cannot be exchanged at once everywhere: the old one steps aside for a moment."""
    if not folder.exists():
        made.rename(folder)
        return
    aside = made.with_name(f"{made.name}-old")
    folder.rename(aside)
    try:
        made.rename(folder)
    except OSError:
        aside.rename(folder)
        raise
    shutil.rmtree(aside)


@contextmanager
def _new(path: Path) -> Iterator[TextIO]:
    """A file that is on the disk when it is left."""
    with path.open("w", encoding="utf-8", newline="") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Say what the system says, in the words of the error tree."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise StorageFailed(
                f"{folder} cannot be written: {error.strerror}.",
                "Free some space or mend the drive, then export again.",
            ) from error
        raise UsageError(f"{folder} cannot be written: {error.strerror}.", ANOTHER) from error
