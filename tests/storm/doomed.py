"""A daemon that dies, as by `kill -9`, at one named point: nothing in the product knows of it.

    python tests/storm/doomed.py POINT TIMES [the arguments of rrr]

It dies the TIMES-th time that it comes to the point, on whichever thread that is. It commits and
saves its state often, so that a short life has something to die at.
"""

import os
import sqlite3
import sys
from collections.abc import Callable
from functools import wraps
from itertools import count
from typing import Any, Final, Literal, NamedTuple

from rrr import cli
from rrr.database import migrate, sessions
from rrr.database.client import Client
from rrr.database.ledger import Tables
from rrr.trading.engine import engine
from rrr.trading.engine.engine import Engine
from rrr.trading.engine.venue import Paper
from rrr.wiring import ending, tasks

DIED: Final = 9


class Point(NamedTuple):
    """Before a call of something, or after it came back."""

    owner: object
    name: str
    when: Literal["before", "after"]
    times: tuple[int, ...] = (1,)  # worth dying at


POINTS: Final = {
    "before the tables are made": Point(migrate, "_take", "before"),
    "the session is written, not committed": Point(sessions, "create", "after"),
    "the session is there, and no run": Point(Engine, "begin", "before"),
    "the run is written, not committed": Point(sessions, "begin_run", "after"),
    "before the opening events": Point(Engine, "take", "before"),
    "decided, not written": Point(Engine, "decide", "after", (1, 5)),
    "between begin and the first row": Point(Tables, "write", "before", (1, 4)),
    "written, not committed": Point(Tables, "write", "after", (1, 3)),
    "committed, not adopted": Point(Client, "_answer", "before", (1, 2, 4, 5)),
    "adopted, not carried": Point(Paper, "carry", "before", (1, 200)),
    "carried, not announced": Point(Engine, "commit", "after", (1, 4)),
    "announced": Point(tasks, "commit", "after", (1, 4)),
    "a snapshot is taken, and not written": Point(Engine, "snap", "after", (1, 2)),
    "a snapshot is written, not committed": Point(sessions, "snap", "after", (1, 2)),
    "before the end": Point(Engine, "end", "before"),
    "the run has ended, the session not": Point(sessions, "end_run", "after"),
    "before it is finished": Point(sessions, "finish", "before"),
    "finished, not committed": Point(sessions, "finish", "after"),
    "ended, not summed up": Point(Engine, "end", "after"),
    "finished, and nobody was told": Point(ending, "told", "before"),
}


def doom(point: Point, times: int) -> None:
    """Die there."""
    function: Callable[..., Any] = getattr(point.owner, point.name)
    numbers = count(1)

    def met() -> None:
        if next(numbers) == times:
            os._exit(DIED)

    @wraps(function)
    def before(*given: Any, **named: Any) -> Any:
        met()
        return function(*given, **named)

    @wraps(function)
    def after(*given: Any, **named: Any) -> Any:
        made = function(*given, **named)
        if hasattr(made, "__await__"):
            return awaited(made)
        met()
        return made

    async def awaited(made: Any) -> Any:
        value = await made
        met()
        return value

    setattr(point.owner, point.name, before if point.when == "before" else after)


def doom_at_commit(times: int) -> None:
    """Die with all rows of a transaction written, and its commit asked for and not begun."""
    numbers = count(1)

    class Cursor(sqlite3.Cursor):
        def execute(self, sql: str, *parameters: Any) -> "Cursor":
            if sql == "COMMIT" and next(numbers) == times:
                os._exit(DIED)
            super().execute(sql, *parameters)
            return self

    class Connection(sqlite3.Connection):
        def cursor(self, *_: Any, **__: Any) -> Any:
            return super().cursor(Cursor)

    def connector(uri: str) -> sqlite3.Connection:
        return sqlite3.connect(uri, uri=True, isolation_level=None, factory=Connection)

    opening: Any = Client.open
    opening.__func__.__kwdefaults__["connector"] = connector


COMMIT: Final = "the commit is asked for"

if __name__ == "__main__":
    engine.SNAPSHOT_ROWS, tasks.BATCH = 600, 64
    named, nth, *arguments = sys.argv[1:]
    if named == COMMIT:
        doom_at_commit(int(nth))
    else:
        doom(POINTS[named], int(nth))
    sys.argv = ["rrr", *arguments]
    cli.run()
