"""Daemons on the simulated market, as people start them: followed line by line, and looked up.

`House` of the storms gives lives of a process; here are what a person sees of one, what it left in
its home, and a training that is over in seconds.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest

from tests.storm.homes import ROOT, RRR, Ended, House, ended

PATIENCE_S: Final = 90  # with a process that should have ended: it hangs
BASELINE: Final = ("--signals", "baseline")
TWO: Final = ("--symbols", "BTC-USD,ETH-USD")
LEARNING: Final = ("--set", "train.history_candles=1500", "--set", "train.epochs=1", *TWO)
HUMAN: Final = "3600"  # an hour a second
CLOSE, SIGNAL, COMMAND, ADOPTED = 4, 5, 7, 9  # kinds of rows
learns: Final = pytest.mark.skipif(
    find_spec("torch") is None or find_spec("onnx") is None,
    reason="torch and onnx, which training needs, are not installed",
)


def said(home: Path, *words: str, stdin: int | None = None) -> Ended:
    """One command as a person types it, without --json."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *RRR, *words, "--home", str(home)],
        **about(stdin),
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def about(stdin: int | None = None) -> dict[str, Any]:
    path = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    environment = {**os.environ, "PYTHONPATH": path}
    return {"env": environment, "cwd": ROOT, "text": True, "stdin": stdin}


@contextmanager
def living(house: House, until: str, *driver: str) -> Iterator["subprocess.Popen[str]"]:
    """A daemon that has told this; what is left of it at the end dies."""
    process = house.start(*driver)
    try:
        heard(process, until)
        yield process
    finally:
        assert process.stderr is not None
        if not process.stderr.closed:
            process.kill()
            ended(process)


def heard(process: "subprocess.Popen[str]", until: str) -> list[str]:
    """What it tells up to the line that says this."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if until in line:
            return lines
    raise AssertionError(f"It ended and never told of {until!r}:\n{''.join(lines)}")


def stopped(process: "subprocess.Popen[str]", number: int = signal.SIGTERM) -> Ended:
    process.send_signal(number)
    return finished(process)


def finished(process: "subprocess.Popen[str]") -> Ended:
    """How it ended by itself; one that hangs is killed, and fails the test."""
    try:
        process.wait(PATIENCE_S)
    finally:
        if process.returncode is None:
            process.kill()
    return ended(process)


def rows(house: House, kind: int, session: int = 1) -> list[list[Any]]:
    """The rows of this kind as the core met them."""
    found = house.ask(
        "SELECT core FROM journal WHERE session = ? AND book = 0 AND kind = ? ORDER BY number",
        *(session, kind),
    )
    return [json.loads(core) for (core,) in found]


def log(house: House, name: str) -> str:
    return (house.home / "logs" / name / f"{name}.log").read_text(encoding="utf-8")


def events(house: House, name: str) -> list[dict[str, Any]]:
    path = house.home / "logs" / name / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def models(house: House) -> list[str]:
    """What lies where models lie, whole, damaged or half."""
    return sorted(folder.name for folder in (house.home / "data" / "models").glob("*"))


def flip(house: House) -> None:
    """Damage the network of its model by one bit."""
    (name,) = models(house)
    path = house.home / "data" / "models" / name / "model.onnx"
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)


def trainings(house: House) -> list[int]:
    """The processes that train for this home, by their id."""
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,args="], capture_output=True, text=True, check=True
    )
    found = [line.split(maxsplit=1) for line in listed.stdout.splitlines()]
    mark = f"{house.home}/data/models/"
    return [int(pid) for pid, args in found if "train_child" in args and mark in args]


def until(true: Callable[[], Sequence[Any]], process: "subprocess.Popen[str]") -> Sequence[Any]:
    """What this answers once it answers anything, while the process lives."""
    while process.poll() is None:
        if found := true():
            return found
    raise AssertionError("It ended first.")
