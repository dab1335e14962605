"""Writers of logs that come to a bad end, each in a process of its own.

    python dying.py LOGS WHAT [TIMES]

At one of the points it dies as by `kill -9`; before that it says, after each flush, how many lines
are written. The other ends are functions; they say what they were told of their trouble.
"""

import gzip
import os
import resource
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any, Final, NamedTuple

from rrr.monitoring.logs import Logs
from rrr.monitoring.notes import Note
from rrr.monitoring.rotation import Pair

DIED: Final = 9
BYTES_MAX: Final = 150_000
LINES: Final = 1400
TOGETHER: Final = 20
FULL_AT: Final = 20_000


class Point(NamedTuple):
    owner: object
    name: str
    after: bool = False
    times: tuple[int, ...] = (1,)


POINTS: Final = {
    "before a file is rolled": Point(Path, "rename", times=(1, 7)),
    "one file is rolled, the other not": Point(Path, "rename", True, (1, 5, 9)),
    "both are rolled, none is begun": Point(Path, "rename", True, (2, 6)),
    "half is compressed": Point(gzip.GzipFile, "write", True, (1, 2, 4)),
    "compressed, not synced": Point(os, "fsync", times=(1, 3, 5)),
    "synced, not archived": Point(os, "fsync", True, (1, 3)),
    "archived, not removed": Point(Path, "unlink", times=(1, 2, 4)),
    "archived and removed": Point(Path, "unlink", True, (1, 2, 3)),
    "in the middle of a line": Point(os, "write", times=(3, 8, 40)),
}


def line(number: int) -> tuple[str, str]:
    return f"{number:05} {'of a person ' * 30}", f'{{"number": {number}, "for": "a program"}}'


def doomed(logs: Path, point: Point, times: int) -> None:
    function: Callable[..., Any] = getattr(point.owner, point.name)
    numbers = count(1)

    def met(*given: Any, **named: Any) -> Any:
        last = next(numbers) == times
        if last and point.name == "write" and point.owner is os:
            function(given[0], bytes(given[1])[: len(given[1]) // 2 + 7])
        if last and not point.after:
            os._exit(DIED)
        made = function(*given, **named)
        if last:
            os._exit(DIED)
        return made

    pair = Pair(logs, "trading", BYTES_MAX, kept=99)
    setattr(point.owner, point.name, met)
    for number in range(LINES):
        pair.append(*line(number))
        if number % TOGETHER == TOGETHER - 1:
            pair.flush()
            say(f"{number + 1}")
            for _ in pair.tidy() if pair.untidy else ():
                pass


def full(logs: Path) -> None:
    """The disk takes no more, in the middle of a line; later somebody makes room."""
    told: list[Note] = []
    stuck, over = Event(), Event()

    def heard(note: Note) -> None:
        told.append(note)
        (over if stuck.is_set() else stuck).set()

    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (FULL_AT, hard))
    with Logs(logs, on_trouble=heard) as written:
        for number in range(LINES):
            written.note(Note("trading", "numbered", f"{number}"))
        stuck.wait()
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        over.wait()
    for note in told:
        say(note.text)


def stuck(logs: Path) -> None:
    """The disk never answers, and nobody closes."""
    (logs / "trading").mkdir(parents=True)
    os.mkfifo(logs / "trading" / "trading.log")
    written = Logs(logs, on_trouble=lambda note: say(note.text))
    written.start()
    for number in range(LINES):
        written.note(Note("trading", "numbered", "n" * 1000 + f"{number}"))


def crashed(logs: Path) -> None:
    """The writer dies of a bug, and nobody closes."""
    heard = Event()

    def hears(note: Note) -> None:
        say(note.text)
        heard.set()

    setattr(Pair, "flush", lambda _: 1 // 0)  # noqa: B010
    written = Logs(logs, on_trouble=hears)
    written.start()
    written.note(Note("trading", "numbered", "one"))
    heard.wait()
    written.note(Note("trading", "numbered", "two"))


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    folder, what = Path(sys.argv[1]), sys.argv[2]
    if what in POINTS:
        doomed(folder, POINTS[what], int(sys.argv[3]))
    else:
        {"full": full, "stuck": stuck, "crashed": crashed}[what](folder)
