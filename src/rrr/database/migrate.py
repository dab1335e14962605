"""A database has one version: the step to the next one happens whole or not at all.

The steps are files `NNNN_name.sql`, numbered from 0001 without a gap. Each runs in one transaction
with the check of every foreign key and its `PRAGMA user_version`, so a process killed at any
statement leaves the version before or the version after. A step has no BEGIN and no COMMIT of its
own. A file of a newer version than this program knows is refused and left as it is.
"""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from rrr.core.errors import DatabaseRefused

MIGRATIONS = Path(__file__).with_name("migrations")

_OURS = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH}


def migrate(connection: sqlite3.Connection, path: Path, folder: Path = MIGRATIONS) -> None:
    """Take every step that the file has not taken; foreign keys must not be enforced meanwhile."""
    assert not connection.in_transaction, "Every step is a transaction of its own."
    refuse_newer(connection, path, folder)
    for number, step in enumerate(steps(folder), start=1):
        if number > version(connection):
            _take(connection, path, number, step)


def refuse_newer(connection: sqlite3.Connection, path: Path, folder: Path = MIGRATIONS) -> None:
    written, known = version(connection), len(steps(folder))
    if written > known:
        raise DatabaseRefused(
            f"{path} has version {written}, and this program knows versions up to {known}.",
            "Use the newer program that wrote it, or restore a backup from before.",
        )


def steps(folder: Path) -> list[Path]:
    """All steps in order: a file's number is its place."""
    found = sorted(folder.glob("*.sql"))
    for number, step in enumerate(found, start=1):
        assert re.fullmatch(rf"{number:04}_\w+\.sql", step.name), (
            f"{step.name} is not step {number}."
        )
    return found


def version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def statements(script: str) -> Iterator[str]:
    """Split at the semicolons that end a statement; those in strings and triggers do not.

    >>> list(statements("CREATE TABLE word (text); INSERT INTO word VALUES ('a;b');"))
    ['CREATE TABLE word (text);', "INSERT INTO word VALUES ('a;b');"]
    """
    begun = ""
    for piece in re.split(r"(?<=;)", script):
        begun += piece
        if sqlite3.complete_statement(begun):
            yield begun.strip()
            begun = ""
    if begun.strip():
        yield begun.strip()


def _take(connection: sqlite3.Connection, path: Path, number: int, step: Path) -> None:
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements(step.read_text(encoding="utf-8")):
                connection.execute(statement)
                assert connection.in_transaction, f"{step.name} ends its own transaction."
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF in _OURS:
                raise _refused(path, step, str(error)) from error
            raise
        orphan = connection.execute("PRAGMA foreign_key_check").fetchone()
        if orphan is not None:
            raise _refused(path, step, f"row {orphan[1]} of {orphan[0]} has no {orphan[2]}")
        connection.execute(f"PRAGMA user_version = {number}")


def _refused(path: Path, step: Path, why: str) -> DatabaseRefused:
    return DatabaseRefused(
        f"{path} cannot take the step {step.stem}: {why}.",
        "It is as it was before that step: go on with the program that wrote it.",
    )
