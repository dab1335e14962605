"""Every look counts, every run is whole, and any number of commands may write."""

import fcntl
import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rrr.core.errors import DatabaseRefused, HomeUnusable, NotFound, StorageFailed
from rrr.database import research
from rrr.database.client import get_db
from rrr.database.migrate import MIGRATIONS
from rrr.database.opening import PAPER, RESEARCH, open_to_write, plain
from tests.database.researching import RUN, ask, dump, keep, look, numbered

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "research.db"


def test_a_run_comes_back_as_it_was_kept(path: Path) -> None:
    assert look(path, "{}") == [1]
    keep(path, RUN)
    with research.reading(path) as connection:
        assert research.named(connection, "backtest-1") == RUN
        assert research.named(connection, None) == RUN
        assert research.runs(connection, 10) == [RUN]


def test_what_was_typed_with_any_bytes_can_be_kept(path: Path) -> None:
    look(path, "{}")
    keep(path, replace(RUN, command="rrr backtest --strategy \udcff.py:A", strategy="\udcff"))
    with research.reading(path) as connection:
        assert research.named(connection, None).strategy == "?"
        with pytest.raises(NotFound, match="There is no run"):
            research.named(connection, "\udcff")


def test_the_newest_run_comes_first_and_its_parts_are_asked_for(path: Path) -> None:
    whole, last, *parts = look(path, "{}", "{}", "[1]", "[2]")
    keep(path, *(numbered(part, parent=whole) for part in parts))
    keep(path, numbered(whole), numbered(last))
    with research.reading(path) as connection:
        assert [run.trial for run in research.runs(connection, 9)] == [last, whole]
        assert [run.trial for run in research.runs(connection, 1)] == [last]
        assert [run.trial for run in research.runs(connection, 9, whole)] == parts[::-1]
        assert research.named(connection, None).trial == last
        assert research.named(connection, f"backtest-{parts[0]}").parent == whole


def test_a_run_that_is_not_there_is_named_beside_those_that_are(path: Path) -> None:
    look(path, "{}")
    none = pytest.raises(NotFound, match=r"There is no run yet\. Make one")
    with research.reading(path) as connection, none:
        research.named(connection, None)
    keep(path, RUN)
    other = pytest.raises(NotFound, match=r"no run 'paper-1'\. The last ones are backtest-1\.")
    with research.reading(path) as connection, other:
        research.named(connection, "paper-1")


@pytest.mark.parametrize("there", ["no file", "an empty file", "only the first steps"])
def test_where_nothing_was_ever_run_the_advice_is_to_run_something(path: Path, there: str) -> None:
    if there == "an empty file":
        path.touch()
    if there == "only the first steps":
        steps = path.with_name("steps")
        steps.mkdir()
        for step in sorted(MIGRATIONS.glob("*.sql"))[:3]:
            (steps / step.name).write_text(step.read_text())
        open_to_write(path, RESEARCH, steps, plain).close()
    with pytest.raises(NotFound, match=r"holds no run yet\. Make one: rrr backtest"):
        ask(path, "SELECT 1")


def test_a_database_of_another_kind_is_refused(path: Path) -> None:
    open_to_write(path, PAPER, MIGRATIONS, plain).close()
    with pytest.raises(DatabaseRefused, match="is a paper database, and a research database"):
        look(path, "{}")
    with pytest.raises(DatabaseRefused, match="is a paper database"):
        ask(path, "SELECT 1")


async def test_a_notebook_reads_it_as_it_reads_any_other(tmp_path: Path) -> None:
    path = tmp_path / "data" / "research.db"
    path.parent.mkdir()
    look(path, "{}")
    keep(path, RUN)
    async with get_db("research", tmp_path) as db:
        rows = await db.read("SELECT name, at_utc, return_ratio, synthetic FROM recent_backtests")
    assert rows == [("backtest-1", "2023-11-14 22:13:20", 0.12, 1)]


# What counts.


def test_every_look_counts_and_the_same_recipe_again_is_no_other_trial(path: Path) -> None:
    looks = look(path, "[1]", "[2]", "[2]", "[3]", "[4]")
    look(path, "[1]", family="another")
    with research.writing(path) as connection:
        shown = (0.1, 0.5, 0.2, None)
        outcomes = {one: {"sharpe": sharpe} for one, sharpe in zip(looks[:4], shown, strict=True)}
        research.concluded(connection, outcomes)
    with research.reading(path) as connection:
        trials = research.trials(connection, RUN.family)
        assert trials == (5, 4, {"[1]": 0.1, "[2]": 0.2}, {})
        assert research.trials(connection, "another") == (1, 1, {}, {})
        assert research.trials(connection, "none") == (0, 0, {}, {})


CHANGES = (
    "UPDATE trials SET recipe = '[]'",
    "UPDATE trials SET family = 'another'",
    "UPDATE trials SET at_ms = 0",
    "UPDATE trials SET id = id + 10",
    "UPDATE trials SET outcome = NULL",
    "UPDATE trials SET outcome = '{}'",
    "DELETE FROM trials",
    "UPDATE backtests SET digest = ''",
    "UPDATE backtests SET metrics = '{}'",
    "UPDATE backtests SET report_path = 'another'",
)


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_seen_is_neither_changed_nor_forgotten(path: Path, change: str) -> None:
    look(path, "{}")
    keep(path, RUN)
    before = dump(path)
    with pytest.raises(sqlite3.IntegrityError), research.writing(path) as connection:
        connection.execute(change)
    assert dump(path) == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"trial": 7},  # nobody looked
        {"parent": 7},
        {"parent": 1},  # a part of itself
        {"candles": -1},
        {"seconds": -0.1},
        {"digest": None},
    ],
)
def test_a_run_that_cannot_be_true_is_not_kept(path: Path, wrong: dict[str, Any]) -> None:
    look(path, "{}")
    with pytest.raises(sqlite3.IntegrityError):
        keep(path, replace(RUN, **wrong))
    assert ask(path, "SELECT count(*) FROM backtests") == [(0,)]
    assert ask(path, "SELECT outcome FROM trials") == [(None,)]


def test_no_figure_is_kept_that_is_none(path: Path) -> None:
    look(path, "{}")
    with pytest.raises(ValueError, match="not JSON compliant"):
        keep(path, replace(RUN, metrics={"sharpe": float("nan")}))
    assert ask(path, "SELECT count(*) FROM backtests") == [(0,)]


# Several commands, and their deaths.


def test_runs_that_are_kept_together_are_all_there_or_none(path: Path) -> None:
    one, two = look(path, "[1]", "[2]")
    with pytest.raises(sqlite3.IntegrityError):
        keep(path, numbered(one), numbered(two), numbered(two))
    assert ask(path, "SELECT count(*) FROM backtests") == [(0,)]
    assert look(path, "[3]") == [3]


def test_killed_at_any_statement_the_look_counts_and_no_half_run_is_there(tmp_path: Path) -> None:
    """A true process dies before each statement of its second write, until one lives."""
    deaths = 0
    for statement in range(100):
        path = tmp_path / f"{statement}.db"
        look(path, "{}")
        before = dump(path)
        if not dies(path, statement):
            break
        deaths += 1
        assert dump(path) == before
        assert ask(path, "SELECT family, outcome FROM trials") == [(RUN.family, None)]
    assert deaths >= len(("BEGIN", "INSERT", "UPDATE", "COMMIT"))
    assert ask(path, "SELECT name FROM backtests") == [("backtest-1",)]


def dies(path: Path, statement: int) -> bool:
    program = f"""
import os
from pathlib import Path
from rrr.database import research
from tests.database.researching import RUN

left = {statement}

def die(sql):
    global left
    if left == 0:
        os._exit(9)
    left -= 1

with research.writing(Path({str(path)!r})) as connection:
    connection.set_trace_callback(die)
    research.keep(connection, RUN)
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    assert ended.returncode in (0, 9)
    return ended.returncode == 9


COMMAND = """
import sys
from pathlib import Path
from rrr.core.errors import NotFound
from rrr.database import research
from tests.database.researching import keep, look, numbered

path = Path(sys.argv[1])
for _ in range(int(sys.argv[2])):
    trial, = look(path, f'["{sys.argv[3]}"]')
    with research.reading(path) as connection:
        research.runs(connection, 3)
    keep(path, numbered(trial))
"""


def test_many_commands_write_at_once_and_none_is_lost(path: Path) -> None:
    commands, times = 6, 5
    lives = [
        subprocess.Popen([sys.executable, "-c", COMMAND, path, str(times), str(number)], cwd=ROOT)
        for number in range(commands)
    ]
    assert [life.wait() for life in lives] == [0] * commands
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]
    assert ask(path, "SELECT count(DISTINCT name) FROM backtests") == [(commands * times,)]
    with research.reading(path) as connection:
        trials = research.trials(connection, RUN.family)
    assert (trials.looks, trials.recipes) == (commands * times, commands)


def test_who_waits_too_long_is_told_for_whom(path: Path) -> None:
    look(path, "{}")
    with path.with_suffix(".lock").open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        told = f"being written by process {os.getpid()} for 0 s"
        with pytest.raises(StorageFailed, match=told), research.writing(path, patience_s=0):
            pass
        assert ask(path, "SELECT count(*) FROM trials") == [(1,)]  # who reads waits for nobody
    assert look(path, "{}") == [2]


def test_one_who_reads_for_long_holds_nobody_up_and_sees_one_moment(path: Path) -> None:
    look(path, "{}")
    with research.reading(path) as connection:
        count = "SELECT count(*) FROM trials"
        assert connection.execute(count).fetchone() == (1,)
        assert look(path, "{}") == [2]
        assert connection.execute(count).fetchone() == (1,)
    assert ask(path, count) == [(2,)]


def test_a_reader_cannot_write(path: Path) -> None:
    look(path, "{}")
    with pytest.raises(StorageFailed, match="cannot be written"):
        ask(path, "UPDATE trials SET outcome = '{}'")


def test_without_its_folder_the_home_is_named(tmp_path: Path) -> None:
    with pytest.raises(HomeUnusable, match=r"research\.lock cannot be written: No such file"):
        look(tmp_path / "nowhere" / "research.db", "{}")


def test_the_settings_of_a_run_can_be_asked_for_in_sql(path: Path) -> None:
    look(path, "{}")
    keep(path, RUN)
    found = "SELECT s.key, json_extract(s.value, '$.origin') FROM backtests, json_each(settings) s"
    assert ask(path, found) == [("seed", "default")]
    assert json.loads(ask(path, "SELECT outcome FROM trials")[0][0]) == {"sharpe": 0.05, "days": 2}
