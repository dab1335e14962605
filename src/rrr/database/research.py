"""A look at a history counts before it is taken; what came of it is a row, whole or not there.

`data/research.db` belongs to no daemon: commands write it, several at once. Each write is a short
transaction on a connection of its own, one connection at a time by a lock file: until 3.51.3 SQLite
can lose commits where two write one log. Readers are read-only and wait for nobody.

A trial is written first; a run, under the number of its trial, when it is over. What is optimised
together is a family: the trials of one family deflate each other.
"""

import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from rrr.core.errors import HomeUnusable, NotFound, StorageFailed
from rrr.database.migrate import MIGRATIONS
from rrr.database.opening import RESEARCH, connect_read_only, open_to_write, plain, told

PATIENCE_S: Final = 30.0
PAUSE_S: Final = 0.005
FIRST: Final = "Make one: rrr backtest …"


@dataclass(frozen=True, slots=True)
class Run:
    """What was run, on what, by which code, and what came of it."""

    trial: int  # its own number
    name: str
    parent: int | None  # the trial that it is a part of
    at_ms: int  # of its trial
    family: str  # of its trial
    command: str  # as it was typed
    strategy: str
    settings: Mapping[str, Mapping[str, Any]]  # of each name its `value` and its `origin`
    history: Mapping[str, Any]  # what decides it
    data_digest: str
    core_hash: str
    strategy_hash: str  # of the sources that formed the opinion
    seed: int
    version: str
    digest: str
    in_sample: bool  # whether its settings were chosen on the same candles
    synthetic: bool
    candles: int
    seconds: float
    trades_path: str | None  # from the home
    report_path: str | None
    sharpe: float | None  # of one day; of its trial
    metrics: Mapping[str, Any]
    days: Mapping[str, str]  # of each UTC date, in order, the beginning of its digest


class Trials(NamedTuple):
    """How often a family was looked at."""

    looks: int
    recipes: int  # different ones: what a verdict is deflated by
    sharpes: dict[str, float]  # of one day, by recipe, where an outcome is known
    excesses: dict[str, float]  # ratios of a candle beyond the matched hold, where one is known


_COLUMNS: Final = {name: f"b.{name}" for name in Run.__slots__} | {
    "trial": "b.id",
    "at_ms": "t.at_ms",
    "family": "t.family",
    "sharpe": "json_extract(t.outcome, '$.sharpe')",
}
_JSON: Final = ("settings", "history", "metrics", "days")
_SELECT: Final = f"SELECT {', '.join(_COLUMNS.values())} FROM backtests b JOIN trials t USING (id)"


@contextmanager
def writing(path: Path, patience_s: float = PATIENCE_S) -> Iterator[sqlite3.Connection]:
    """One transaction of the one writer there is just now; what raises leaves nothing."""
    with (
        _alone(path, patience_s),
        told(path),
        closing(open_to_write(path, RESEARCH, MIGRATIONS, plain)) as connection,
    ):
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """One moment of the file. Raise NotFound where nothing was ever run."""
    try:
        connection = connect_read_only(path, RESEARCH)
    except NotFound as error:
        raise NotFound(f"{path} holds no run yet.", FIRST) from error
    with closing(connection), told(path):
        connection.execute("BEGIN")
        if not connection.execute("SELECT 1 FROM pragma_table_info('backtests')").fetchone():
            raise NotFound(f"{path} holds no run yet.", FIRST)
        yield connection


def looked(
    connection: sqlite3.Connection, family: str, recipes: Sequence[str], at_ms: int
) -> list[int]:
    """Count what is about to be looked at; the number of each trial."""
    trials = []
    for recipe in recipes:
        trial = connection.execute(
            "INSERT INTO trials (at_ms, family, recipe) VALUES (?, ?, ?)", (at_ms, family, recipe)
        ).lastrowid
        assert trial is not None
        trials.append(trial)
    return trials


def concluded(connection: sqlite3.Connection, outcomes: Mapping[int, Mapping[str, Any]]) -> None:
    """What each trial showed, said once: `sharpe` (of one day, or None), `days`, or an `error`.

    Of a model also `excess`: its ratio of a candle beyond the matched hold.
    """
    connection.executemany(
        "UPDATE trials SET outcome = ? WHERE id = ?",
        [(_json(outcome), trial) for trial, outcome in outcomes.items()],
    )


def keep(connection: sqlite3.Connection, run: Run) -> None:
    """Note a run that is over, and with it what its trial showed."""
    columns = {
        column.removeprefix("b."): _stored(getattr(run, name))
        for name, column in _COLUMNS.items()
        if column.startswith("b.")
    }
    connection.execute(
        f"INSERT INTO backtests ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
        tuple(columns.values()),
    )
    concluded(connection, {run.trial: {"sharpe": run.sharpe, "days": len(run.days)}})


def named(connection: sqlite3.Connection, name: str | None) -> Run:
    """The run of this name, or the last one. Raise NotFound with the names there are."""
    where = "WHERE b.name = ?" if name else "WHERE b.parent IS NULL"
    found = connection.execute(
        f"{_SELECT} {where} ORDER BY b.id DESC LIMIT 1", (_text(name),) if name else ()
    ).fetchone()
    if found is not None:
        return _run(found)
    last = [one.name for one in runs(connection, 5)]
    if not last:
        raise NotFound("There is no run yet.", FIRST)
    raise NotFound(f"There is no run {name!r}.", f"The last ones are {', '.join(last)}.")


def runs(connection: sqlite3.Connection, limit: int, parent: int | None = None) -> list[Run]:
    """The newest first; those that are part of no other, or the parts of one."""
    rows = connection.execute(
        f"{_SELECT} WHERE b.parent IS ? ORDER BY b.id DESC LIMIT ?", (parent, limit)
    )
    return [_run(row) for row in rows]


def trials(connection: sqlite3.Connection, family: str) -> Trials:
    """All trials of a family, those included of which nobody knows how they ended.

    The same recipe again is another look, and no other trial: of its outcomes the last one counts.
    """
    looks, recipes = connection.execute(
        "SELECT count(*), count(DISTINCT recipe) FROM trials WHERE family = ?", (family,)
    ).fetchone()
    return Trials(
        looks, recipes, _shown(connection, family, "sharpe"), _shown(connection, family, "excess")
    )


def recipes(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    """Each family with each recipe of it that was ever looked at."""
    return set(connection.execute("SELECT DISTINCT family, recipe FROM trials"))


def _shown(connection: sqlite3.Connection, family: str, figure: str) -> dict[str, float]:
    """The last outcome of each recipe that has this figure."""
    rows = connection.execute(
        "SELECT recipe, json_extract(outcome, ?), max(id) FROM trials"
        " WHERE family = ? AND json_extract(outcome, ?) IS NOT NULL GROUP BY recipe",
        (f"$.{figure}", family, f"$.{figure}"),
    )
    return {recipe: float(shown) for recipe, shown, _ in rows}


def _run(row: Sequence[Any]) -> Run:
    values = dict(zip(_COLUMNS, row, strict=True))
    values |= {name: json.loads(values[name]) for name in _JSON}
    return Run(**values | {name: bool(values[name]) for name in ("in_sample", "synthetic")})


def _stored(value: Any) -> Any:
    match value:
        case str():
            return _text(value)
        case Mapping():
            return _json(value)
    return value


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(dict(content), separators=(",", ":"), allow_nan=False)


def _text(typed: str) -> str:
    """What a person typed with any bytes, as a file can hold it."""
    return typed.encode("utf-8", "replace").decode()


@contextmanager
def _alone(path: Path, patience_s: float) -> Iterator[None]:
    """Wait until no other command writes. The lock ends with its process, however that dies."""
    lock = path.with_suffix(".lock")
    with ExitStack() as held:
        try:
            file = held.enter_context(lock.open("a+"))
            _wait(file, path, patience_s)
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
        except OSError as error:
            raise HomeUnusable(
                f"{lock} cannot be written: {error.strerror}.", "Name another home with --home."
            ) from error
        yield


def _wait(file: IO[str], path: Path, patience_s: float) -> None:
    ends = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= ends:
                break
            time.sleep(PAUSE_S)
        else:
            return
    file.seek(0)
    raise StorageFailed(
        f"{path} was being written by process {file.read() or 'unknown'} for {patience_s:g} s.",
        "See what that process does, then run this again.",
    )
