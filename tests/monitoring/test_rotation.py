"""A line that was written is found again, wherever it went and whoever died in between."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest

from rrr.monitoring.rotation import ENDINGS, Pair, rolled
from tests.monitoring import dying
from tests.monitoring.logged import lines

DOOMS = [(name, times) for name, point in dying.POINTS.items() for times in point.times]


def pair(logs: Path, bytes_max: int = 1000, kept: int = 99) -> Pair:
    return Pair(logs, "trading", bytes_max, kept)


def write(to: Pair, *numbers: int) -> None:
    for number in numbers:
        to.append(f"{number} for people", f'{{"number": {number}}}')
        to.flush()


def tidy(what: Pair) -> None:
    for _ in what.tidy():
        pass


def numbers(logs: Path, ending: str = ".log") -> list[int]:
    found = (re.search(r"\d+", line) for line in lines(logs, ending=ending))
    return [int(match[0]) for match in found if match]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_no_line_is_lost_or_doubled_over_many_rolls(tmp_path: Path) -> None:
    one = pair(tmp_path, bytes_max=100)
    write(one, *range(50))
    tidy(one)
    one.close()
    assert numbers(tmp_path, ".log") == numbers(tmp_path, ".jsonl") == [*range(50)]
    assert names(tmp_path / "trading") == ["trading.jsonl", "trading.log"]


def test_a_file_keeps_within_its_limit_and_both_roll_together(tmp_path: Path) -> None:
    one = pair(tmp_path, bytes_max=100)
    write(one, *range(50))
    files = [rolled(tmp_path, "trading", ending) for ending in ENDINGS]
    assert files[0].keys() == files[1].keys() == set(range(1, len(files[0]) + 1))
    assert all(0 < path.stat().st_size <= 100 for path in files[0].values())
    stems = [[path.stem for path in each.values()] for each in files]
    assert stems[0] == stems[1]
    one.close()


def test_an_archive_says_when_it_was_rolled_and_in_which_order(tmp_path: Path) -> None:
    one = pair(tmp_path, bytes_max=1)
    write(one, 0, 1)
    tidy(one)
    one.close()
    named = re.compile(r"trading-20\d{6}T\d{6}Z-1\.(log|jsonl)\.gz")
    assert all(named.fullmatch(name) for name in names(tmp_path / "archive"))
    assert len(names(tmp_path / "archive")) == 2


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_the_oldest_go_also_those_that_were_never_compressed(tmp_path: Path, kept: int) -> None:
    one = pair(tmp_path, bytes_max=1, kept=kept)
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "trading-20240101T000000Z-1.log.gz.tmp").write_text("half of one")
    write(one, *range(12))
    tidy(one)
    write(one, *range(12, 20))
    tidy(one)
    assert names(tmp_path / "trading") == ["trading.jsonl", "trading.log"]
    assert len(names(tmp_path / "archive")) == 2 * kept
    assert numbers(tmp_path) == numbers(tmp_path, ".jsonl") == [*range(20 - kept - 1, 20)]
    one.close()


def test_the_number_goes_on_over_lives_whatever_the_clock_says(tmp_path: Path) -> None:
    for number in range(0, 30, 3):
        one = pair(tmp_path, bytes_max=1)
        write(one, number, number + 1, number + 2)
        tidy(one)
        one.close()
    assert numbers(tmp_path) == [*range(30)]


def test_what_is_written_while_old_files_are_compressed_is_not_held_up(tmp_path: Path) -> None:
    one = pair(tmp_path, bytes_max=1)
    write(one, 0, 1, 2)
    for number, _ in enumerate(one.tidy(), start=3):
        write(one, number)  # and rolls
    assert one.untidy
    tidy(one)
    assert numbers(tmp_path) == [*range(7)]
    one.close()


def test_nobody_else_reads_a_log(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        one = pair(tmp_path, bytes_max=1)
        write(one, 0, 1, 2)
        for _ in range(2):
            tidy(one)
        one.close()
    finally:
        os.umask(before)
    modes = {path.is_dir(): set[str]() for path in tmp_path.rglob("*")}
    for path in tmp_path.rglob("*"):
        modes[path.is_dir()].add(stat.filemode(path.stat().st_mode))
    assert modes == {True: {"drwx------"}, False: {"-rw-------"}}


def test_a_file_that_somebody_took_away_is_begun_again(tmp_path: Path) -> None:
    one = pair(tmp_path)
    write(one, 0)
    shutil.rmtree(tmp_path / "trading")
    write(one, 1)
    (tmp_path / "trading" / "trading.log").rename(tmp_path / "mine")
    write(one, 2)
    one.close()
    assert numbers(tmp_path) == [2]
    assert numbers(tmp_path, ".jsonl") == [1, 2]


def test_what_cannot_be_written_waits_and_keeps_its_place(tmp_path: Path) -> None:
    (tmp_path / "trading").write_text("a file where a folder belongs")
    one = pair(tmp_path)
    for number in range(3):
        with pytest.raises(OSError, match="trading"):
            write(one, number)
    assert one.waiting
    assert one.lines_waiting == 3
    (tmp_path / "trading").unlink()
    write(one, 3)
    assert not one.waiting
    assert numbers(tmp_path) == [0, 1, 2, 3]
    one.close()


def test_half_a_line_gets_its_other_half_before_the_file_rolls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, sizes = os.write, iter([7, 0])

    def write_some(descriptor: int, data: bytes) -> int:
        size = next(sizes, None)
        if size == 0:
            raise OSError("No space left on device")
        return real(descriptor, data[:size])

    one = pair(tmp_path, bytes_max=1)
    write(one, 0)
    monkeypatch.setattr(os, "write", write_some)
    with pytest.raises(OSError, match="No space"):
        write(one, 1)
    write(one, 2, 3)
    assert lines(tmp_path)
    for ending in ENDINGS:
        assert numbers(tmp_path, ending) == [0, 1, 2, 3]
        assert all(path.read_bytes()[-1:] == b"\n" for path in tmp_path.glob(f"*/*{ending}"))
    one.close()


@pytest.mark.parametrize(("point", "times"), DOOMS)
def test_who_dies_there_loses_no_line_and_leaves_no_mess(
    tmp_path: Path, point: str, times: int
) -> None:
    died = subprocess.run(
        [sys.executable, dying.__file__, tmp_path, point, str(times)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert died.returncode == dying.DIED, died.stderr
    written = int((died.stdout.split() or ["0"])[-1])

    heir = pair(tmp_path, dying.BYTES_MAX)
    heir.append(*dying.line(99_999))
    heir.flush()
    tidy(heir)
    heir.close()

    for ending in ENDINGS:
        assert numbers(tmp_path, ending)[:written] == [*range(written)]
        assert numbers(tmp_path, ending)[-1] == 99_999
        assert lines(tmp_path, ending=ending)[-1] == dying.line(99_999)[ENDINGS.index(ending)]
    assert names(tmp_path / "trading") == ["trading.jsonl", "trading.log"]
    archive = names(tmp_path / "archive")
    assert len({name.partition(".")[0] for name in archive}) * 2 == len(archive)
    assert all(name.endswith(".gz") for name in archive)


@pytest.mark.skipif(shutil.which("tail") is None, reason="there is no tail here")
def test_who_listens_with_tail_hears_every_line_once_and_in_order(tmp_path: Path) -> None:
    one = pair(tmp_path, bytes_max=300)
    write(one, 0)
    command = ["tail", "-n", "+1", "-F", str(tmp_path / "trading" / "trading.log")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as listener:
        watchdog = Timer(60, listener.kill)
        watchdog.start()
        assert listener.stdout is not None
        heard = [listener.stdout.readline()]
        for first in range(1, 101, 5):
            write(one, *range(first, first + 5))
            tidy(one)
            heard += [listener.stdout.readline() for _ in range(5)]
        watchdog.cancel()
        listener.kill()
    one.close()
    assert heard == [f"{number} for people\n" for number in range(101)]
    assert len(rolled(tmp_path, "trading", ".log")) >= 4
