"""A step happens whole or not at all, wherever the process dies."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rrr.core.errors import DatabaseRefused
from rrr.database.client import Client
from rrr.database.migrate import MIGRATIONS, migrate, statements, steps, version
from rrr.database.opening import PAPER, plain

STEPS = {
    "0001_word.sql": """
        -- A word; its text may hold anything.
        CREATE TABLE word (number INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
        INSERT INTO word VALUES (1, 'one; two'), (2, 'three');
    """,
    "0002_shout.sql": """
        CREATE TABLE shout (
            number INTEGER PRIMARY KEY REFERENCES word (number), text TEXT NOT NULL
        ) STRICT;
        INSERT INTO shout SELECT number, upper(text) FROM word;
        CREATE TRIGGER loud AFTER INSERT ON word BEGIN
            INSERT INTO shout VALUES (new.number, upper(new.text));
            UPDATE shout SET text = text || '!' WHERE number = new.number;
        END;
        INSERT INTO word VALUES (3, 'four');
    """,
    "0003_rebuild.sql": """
        CREATE TABLE longer (
            number INTEGER PRIMARY KEY, text TEXT NOT NULL, length INTEGER NOT NULL
        ) STRICT;
        INSERT INTO longer SELECT number, text, length(text) FROM word;
        DROP TABLE word;
        ALTER TABLE longer RENAME TO word;
    """,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path / "steps", STEPS)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(plain(f"file:{tmp_path / 'paper.db'}?mode=rwc")) as connection:
        yield connection


def written(folder: Path, scripts: dict[str, str]) -> Path:
    folder.mkdir()
    for name, script in scripts.items():
        (folder / name).write_text(script)
    return folder


def first(folder: Path, count: int, name: str) -> Path:
    """The same steps, but only the first of them."""
    scripts = {step.name: step.read_text() for step in steps(folder)[:count]}
    return written(folder.with_name(name), scripts)


def content(path: Path) -> tuple[int, str]:
    with closing(plain(f"file:{path}?mode=ro")) as looking:
        assert looking.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return version(looking), "\n".join(looking.iterdump())


def test_steps_are_taken_in_order_and_only_once(
    connection: sqlite3.Connection, tmp_path: Path, folder: Path
) -> None:
    migrate(connection, tmp_path / "paper.db", folder)
    assert version(connection) == len(STEPS)
    after = content(tmp_path / "paper.db")
    migrate(connection, tmp_path / "paper.db", folder)
    assert content(tmp_path / "paper.db") == after
    assert connection.execute("SELECT text, length FROM word").fetchall() == [
        ("one; two", len("one; two")),
        ("three", len("three")),
        ("four", len("four")),
    ]
    assert connection.execute("SELECT text FROM shout WHERE number = 3").fetchall() == [("FOUR!",)]


@pytest.mark.parametrize("old", range(len(STEPS) + 1))
def test_every_old_version_arrives_at_the_same_file(
    connection: sqlite3.Connection, tmp_path: Path, folder: Path, old: int
) -> None:
    migrate(connection, tmp_path / "paper.db", first(folder, old, "old"))
    assert version(connection) == old
    migrate(connection, tmp_path / "paper.db", folder)
    fresh = tmp_path / "fresh.db"
    with closing(plain(f"file:{fresh}?mode=rwc")) as other:
        migrate(other, fresh, folder)
    assert content(tmp_path / "paper.db") == content(fresh)


@pytest.mark.parametrize("old", range(len(STEPS)))
def test_killed_at_any_statement_the_file_is_of_the_old_version_or_the_new(
    tmp_path: Path, folder: Path, old: int
) -> None:
    """A true process dies before each statement in turn, until one lives to the end."""
    only = first(folder, old + 1, "only")
    whole = []
    for count in (old, old + 1):
        path = tmp_path / f"whole{count}.db"
        with closing(plain(f"file:{path}?mode=rwc")) as other:
            migrate(other, path, first(folder, count, f"upto{count}"))
        whole.append(content(path))

    deaths = 0
    for statement in range(1_000):
        path = tmp_path / f"killed{statement}.db"
        with closing(plain(f"file:{path}?mode=rwc")) as other:
            other.execute("PRAGMA journal_mode = WAL")
            migrate(other, path, tmp_path / f"upto{old}")
        if not killed_before(statement, path, only):
            assert content(path) == whole[1]
            break
        deaths += 1
        assert content(path) == whole[0], f"Killed before statement {statement}."
    own = len(list(statements(steps(folder)[old].read_text())))
    assert deaths > own + len(("BEGIN", "PRAGMA foreign_key_check", "PRAGMA user_version"))


def killed_before(statement: int, path: Path, folder: Path) -> bool:
    program = f"""
import os
from pathlib import Path
from rrr.database.migrate import migrate
from rrr.database.opening import plain

left = {statement}

def die(sql):
    global left
    if left == 0:
        os._exit(9)
    left -= 1

connection = plain("file:{path}?mode=rw")
connection.set_trace_callback(die)
migrate(connection, Path({str(path)!r}), Path({str(folder)!r}))
"""
    code = subprocess.run([sys.executable, "-c", program], check=False).returncode
    assert code in (0, 9)
    return code == 9


def test_a_newer_file_is_refused_with_both_versions_and_left_alone(
    connection: sqlite3.Connection, tmp_path: Path, folder: Path
) -> None:
    path = tmp_path / "paper.db"
    migrate(connection, path, folder)
    before = content(path)
    with pytest.raises(DatabaseRefused, match=r"has version 3, .* up to 2\. Use the newer program"):
        migrate(connection, path, first(folder, 2, "older"))
    assert content(path) == before


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("INSERT INTO word VALUES (4, 'five'); SELEC 1;", "syntax error"),
        ("INSERT INTO word VALUES (4, 'five'), (1, 'again');", "UNIQUE constraint failed"),
        ("DELETE FROM word WHERE number = 2;", "row 2 of shout has no word"),
    ],
)
def test_a_step_that_cannot_be_taken_leaves_the_file_before_it(
    connection: sqlite3.Connection, tmp_path: Path, folder: Path, script: str, why: str
) -> None:
    path = tmp_path / "paper.db"
    migrate(connection, path, first(folder, 2, "two"))
    before = content(path)
    (tmp_path / "two" / "0003_bad.sql").write_text(script)
    with pytest.raises(DatabaseRefused, match=f"cannot take the step 0003_bad: .*{why}"):
        migrate(connection, path, tmp_path / "two")
    assert not connection.in_transaction
    assert content(path) == before


def test_a_step_that_ends_its_own_transaction_is_a_broken_law(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    folder = written(tmp_path / "bad", {"0001_bad.sql": "CREATE TABLE a (b); COMMIT;"})
    with pytest.raises(AssertionError, match=r"0001_bad\.sql ends its own transaction"):
        migrate(connection, tmp_path / "paper.db", folder)


@pytest.mark.parametrize("name", ["0002_second.sql", "1_first.sql", "0001-first.sql"])
def test_a_step_out_of_its_place_is_a_broken_law(tmp_path: Path, name: str) -> None:
    with pytest.raises(AssertionError, match=f"{name} is not step 1"):
        steps(written(tmp_path / "bad", {name: "SELECT 1;"}))


async def test_the_house_is_migrated_to_its_newest_version(tmp_path: Path) -> None:
    if not steps(MIGRATIONS):
        pytest.skip("The house has no step yet.")
    async with Client.open(tmp_path / "paper.db", application_id=PAPER) as db:
        assert await db.read_one("PRAGMA user_version") == (len(steps(MIGRATIONS)),)
        assert await db.read("PRAGMA foreign_key_check") == []
        loose = "SELECT name FROM pragma_table_list WHERE type = 'table' AND NOT strict"
        assert await db.read(f"{loose} AND name NOT LIKE 'sqlite_%'") == []
