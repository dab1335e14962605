"""A log reads as one endless text, wherever its files were rolled and whatever was compressed."""

import gzip
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from pathlib import Path

import pytest

from rrr.api import tailing
from rrr.api.tailing import follow, tail
from rrr.core.errors import HomeUnusable, NotFound
from rrr.monitoring.rotation import Pair, rolled

LISTENER = """
import sys
from contextlib import suppress
from pathlib import Path
from rrr.api import tailing
with suppress(KeyboardInterrupt):
    for line in tailing.follow(Path(sys.argv[1]), "trading", 9, lambda: False):
        print(line, flush=True)
"""


class Log:
    """A log that is written by hand, five lines to a file."""

    def __init__(self, logs: Path) -> None:
        self.logs, self.number = logs, 0
        self.path = logs / "trading" / "trading.log"
        self.pair = Pair(logs, "trading", bytes_max=5 * len("line 000\n"), kept=99)

    def write(self, lines: int) -> None:
        for _ in range(lines):
            self.pair.append(f"line {self.number:03}", f'{{"line": {self.number}}}')
            self.pair.flush()
            self.number += 1

    def tidy(self) -> None:
        for _ in self.pair.tidy():
            pass


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    one = Log(tmp_path)
    yield one
    one.pair.close()


def steps(*each: Callable[[], object]) -> Callable[[], bool]:
    """A `stop` that lets these happen between two looks, one by one, and then says yes."""
    looks = chain(each, [lambda: None], repeat(None))

    def stop() -> bool:
        step = next(looks)
        if step is not None:
            step()
        return step is None

    return stop


def heard(log: Log, lines: int, *each: Callable[[], object]) -> list[str]:
    return [*follow(log.logs, "trading", lines, steps(*each), pause_s=0)]


def numbered(*numbers: int) -> list[str]:
    return [f"line {number:03}" for number in numbers]


def never(_text: str) -> None:
    raise AssertionError(_text)


@pytest.mark.parametrize("asked", [0, 1, 3, 4, 9, 20, 23, 500])
@pytest.mark.parametrize("tidied", [0, 10, 23])
def test_the_last_lines_reach_back_over_rolled_and_archived_files(
    log: Log, asked: int, tidied: int
) -> None:
    log.write(tidied)
    log.tidy()
    log.write(23 - tidied)
    wanted = numbered(*range(23))[-asked:] if asked else []
    assert [*tail(log.logs, "trading", asked, say=never)] == wanted
    assert heard(log, asked) == wanted


def test_the_programs_file_is_read_as_well(log: Log) -> None:
    log.write(7)
    log.tidy()
    assert [*tail(log.logs, "trading", 3, as_json=True)] == [f'{{"line": {n}}}' for n in (4, 5, 6)]


def test_where_nothing_was_logged_one_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no audit log yet"):
        next(tail(tmp_path / "none", "audit", 3))


def test_a_log_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "trading").write_text("a file where a folder belongs")
    with pytest.raises(HomeUnusable, match="cannot be read: Not a directory"):
        next(tail(tmp_path, "trading", 3))


def test_a_log_between_two_files_is_still_a_log(log: Log) -> None:
    log.write(5)
    log.path.rename(log.path.with_name("trading-20240101T000000Z-1.log"))
    assert [*tail(log.logs, "trading", 2)] == numbered(3, 4)


def test_a_line_without_an_end_is_shown_as_it_is(log: Log) -> None:
    log.write(1)
    with log.path.open("ab") as file:
        file.write(b"half \xff")
    assert [*tail(log.logs, "trading", 2)] == [*numbered(0), "half \ufffd"]


def test_a_damaged_archive_gives_what_it_holds_and_is_named(log: Log) -> None:
    log.write(12)
    log.tidy()
    first, second = rolled(log.logs, "trading", ".log").values()
    first.write_bytes(b"no archive")
    second.write_bytes(gzip.compress(b"line 005\n")[:-6])
    said: list[str] = []
    assert [*tail(log.logs, "trading", 99, say=said.append)] == numbered(5, 10, 11)
    assert [text.partition(" ")[0] for text in said] == [second.name, first.name]


def test_who_follows_hears_each_new_line_once(log: Log) -> None:
    log.write(4)
    grow = [lambda n=n: log.write(n) for n in (1, 0, 1, 2, 5, 1)]
    assert heard(log, 2, *grow) == numbered(*range(2, 14))


@pytest.mark.parametrize("lines", [1, 4, 5, 6, 11, 27])
def test_a_roll_between_two_looks_costs_no_line_and_doubles_none(log: Log, lines: int) -> None:
    def grow() -> None:
        log.write(lines)

    def grow_and_tidy() -> None:
        log.write(lines)
        log.tidy()

    log.write(3)
    expected = numbered(*range(3 + 6 * lines))
    assert heard(log, 9, grow, grow_and_tidy, log.tidy, grow, grow, grow_and_tidy, grow) == expected


def test_a_roll_in_the_middle_of_a_look_is_seen(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([lambda: log.write(9), lambda: log.write(9), log.tidy])

    def rolled_meanwhile(logs: Path, name: str, ending: str) -> dict[int, Path]:
        next(looks, lambda: None)()
        return rolled(logs, name, ending)

    log.write(9)
    monkeypatch.setattr(tailing, "rolled", rolled_meanwhile)
    assert [*tail(log.logs, "trading", 99)] == numbered(*range(27))


def test_a_file_that_is_compressed_before_it_is_opened_is_read_from_the_archive(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compressed_meanwhile(logs: Path, name: str, ending: str) -> dict[int, Path]:
        found = rolled(logs, name, ending)
        next(looks, lambda: None)()
        return found

    log.write(14)
    looks = iter([lambda: None, log.tidy])
    monkeypatch.setattr(tailing, "rolled", compressed_meanwhile)
    assert [*tail(log.logs, "trading", 99)] == numbered(*range(14))


def test_half_a_line_is_heard_when_it_is_whole(log: Log) -> None:
    def add(text: str) -> Callable[[], object]:
        return lambda: os.write(log.pair._tapes[0]._descriptor, text.encode())

    log.write(1)
    assert heard(log, 1, add("ha"), add("lf a line\nand"), add(" more\n")) == [
        "line 000",
        "half a line",
        "and more",
    ]


def test_who_comes_before_the_log_waits_for_it_and_is_told(log: Log) -> None:
    said: list[str] = []
    stop = steps(lambda: None, lambda: log.write(7))
    followed = follow(log.logs, "trading", 5, stop, say=said.append, pause_s=0)
    assert [*followed] == numbered(*range(7))
    assert said == [f"Waiting for {log.path}: it is not there yet."]


def test_a_log_that_was_emptied_or_taken_away_is_followed_on(log: Log) -> None:
    log.write(4)
    assert heard(
        log,
        0,
        lambda: os.truncate(log.path, 0),
        lambda: log.write(1),
        log.path.unlink,
        lambda: None,
        lambda: log.write(2),
    ) == numbered(4, 5, 6)


def test_ctrl_c_ends_it_without_a_word(log: Log) -> None:
    log.write(3)
    with subprocess.Popen(
        [sys.executable, "-c", LISTENER, log.logs],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as listener:
        assert listener.stdout is not None
        lines = [listener.stdout.readline() for _ in range(3)]
        log.write(4)
        lines += [listener.stdout.readline() for _ in range(4)]
        listener.send_signal(signal.SIGINT)
        rest, errors = listener.communicate()
    assert "".join(lines).split("\n") == [*numbered(*range(7)), ""]
    assert (listener.returncode, rest, errors) == (0, "", "")
