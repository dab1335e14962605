"""A home has one daemon, and its lock ends with its process, however that dies."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rrr.core.errors import HomeHeld, HomeUnusable
from rrr.database.holder import held, holder, is_held
from tests.storm.homes import ROOT

HOLD = """
import sys
from pathlib import Path
from rrr.database.holder import held

with held(Path(sys.argv[1]), {"mode": "paper"}):
    print("held", flush=True)
    sys.stdin.read()
"""


def holding(data: Path) -> "subprocess.Popen[str]":
    """Another process that holds this home until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(data)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_who_comes_second_is_told_who_is_there(tmp_path: Path) -> None:
    with holding(tmp_path) as first:
        with pytest.raises(HomeHeld, match=f"pid {first.pid}, mode paper"), held(tmp_path, {}):
            pass
        assert is_held(tmp_path)
        first.communicate()
    assert not is_held(tmp_path)


def test_the_lock_of_a_process_that_was_killed_is_no_obstacle(tmp_path: Path) -> None:
    with holding(tmp_path) as first:
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert (tmp_path / "rrr.lock").read_text()
    assert not is_held(tmp_path)
    with held(tmp_path, {"mode": "paper"}):
        assert str(os.getpid()) in str(holder(tmp_path))


def test_an_exception_gives_the_home_back(tmp_path: Path) -> None:
    with pytest.raises(KeyError), held(tmp_path, {}):
        raise KeyError
    assert holder(tmp_path) is None
    with held(tmp_path, {}):
        assert is_held(tmp_path)


def test_nobody_holds_a_home_that_never_was(tmp_path: Path) -> None:
    assert holder(tmp_path / "none") is None
    assert not is_held(tmp_path / "none")


def test_a_daemon_that_is_just_starting_is_named_so(tmp_path: Path) -> None:
    with held(tmp_path, {}):
        (tmp_path / "rrr.lock").write_text("")
        with pytest.raises(HomeHeld, match="it is just starting"), held(tmp_path, {}):
            pass


@pytest.mark.parametrize("rubbish", ['{"pid": 7', "[]", "\0\0", "7"])
def test_a_lock_file_with_rubbish_in_it_stops_nobody(tmp_path: Path, rubbish: str) -> None:
    (tmp_path / "rrr.lock").write_text(rubbish)
    with held(tmp_path, {"mode": "paper"}):
        assert json.loads((tmp_path / "rrr.lock").read_text())["mode"] == "paper"
    with held(tmp_path, {}):
        (tmp_path / "rrr.lock").write_text(rubbish)
        with pytest.raises(HomeHeld), held(tmp_path, {}):
            pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_lock_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(HomeUnusable, match="Permission denied"), held(tmp_path, {}):
        pass


def test_a_home_without_its_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(HomeUnusable, match="No such file"), held(tmp_path / "none", {}):
        pass


def look(data: Path, times: int) -> None:
    for _ in range(times):
        is_held(data)


def test_who_only_looks_never_keeps_a_daemon_from_starting(tmp_path: Path) -> None:
    (tmp_path / "rrr.lock").touch()
    context = multiprocessing.get_context("fork")
    looking = context.Process(target=look, args=(tmp_path, 20_000))
    looking.start()
    try:
        for _ in range(2_000):
            with held(tmp_path, {}):
                pass
    finally:
        looking.terminate()
        looking.join()
