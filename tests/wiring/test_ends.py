"""It ends well when it is asked to, loudly when a law was broken, and never later."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from rrr.api.controls import socket_path
from tests.storm.homes import RRR, House, begun
from tests.wiring.daemons import (
    BASELINE,
    HUMAN,
    LEARNING,
    PATIENCE_S,
    about,
    finished,
    learns,
    living,
    rows,
    stopped,
    trainings,
    until,
)
from tests.wiring.lawless import BROKEN

pytestmark = pytest.mark.slow

QUICK: Final = "20000"
LAWLESS: Final = str(Path("tests") / "wiring" / "lawless.py")
# Begins a session of its own on the terminal at standard input: who unplugs it is its owner.
OWNING: Final = (
    "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    " os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_asks_it_to_stop_gets_the_summary_soon(tmp_path: Path, number: signal.Signals) -> None:
    house = House(tmp_path, BASELINE, speed=HUMAN)
    with living(house, "warmed up on") as process:
        last = stopped(process, number)
    assert last.code == 0, last.err
    assert "Traceback" not in last.err
    assert last.told["books_balanced"]
    assert last.told["closes"] >= 600
    assert not socket_path(tmp_path).exists()
    assert house.ask("SELECT outcome FROM runs") == [("stopped",)]


def test_who_asks_before_anything_began_is_heard(tmp_path: Path) -> None:
    house = House(tmp_path, BASELINE, speed=HUMAN)
    process = house.start()
    begun(process, "RRR ")
    last = stopped(process)
    assert last.code == 0, last.err
    assert last.told["fills"] == 0
    again = House(tmp_path, (*BASELINE, "--candles", "2")).run()
    assert again.code == 0


def test_an_unplugged_terminal_ends_it_well(tmp_path: Path) -> None:
    main, terminal = os.openpty()
    words = (*RRR, *BASELINE, "--speed", HUMAN, "--home", str(tmp_path))
    process = subprocess.Popen(
        [sys.executable, "-c", OWNING, "-W", "error", *words],
        **about(terminal),
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    told = b""
    while b"warmed up on" not in told:
        told += os.read(main, 4096)
    os.close(main)
    assert process.wait(PATIENCE_S) == 0
    assert House(tmp_path, ()).ask("SELECT outcome FROM runs") == [("stopped",)]
    assert not socket_path(tmp_path).exists()


@pytest.mark.parametrize(
    ("place", "times", "speed"),
    [
        ("feed", 3, QUICK),
        ("signals", 2, QUICK),
        ("core", 601, QUICK),
        ("core", 700, "max"),
        ("commit", 3, QUICK),
        ("story", 2, QUICK),
        ("guard", 2, HUMAN),
        ("end", 1, "max"),
    ],
)
def test_a_broken_law_ends_it_with_a_traceback_and_start_up_is_recovery(
    tmp_path: Path, place: str, times: int, speed: str
) -> None:
    market = ("--candles", "200", *BASELINE, "--symbols", "BTC-USD")
    process = House(tmp_path, market, speed).start(LAWLESS, place, str(times))
    last = finished(process)
    assert last.code == 1, last.err
    assert BROKEN in last.err
    assert not socket_path(tmp_path).exists()
    house = House(tmp_path, market)
    assert house.command("halt").code == 69
    again = house.run()
    assert (again.code, again.told["closes"]) == (0, 800), again.err


@learns
def test_a_broken_law_takes_the_training_with_it(tmp_path: Path) -> None:
    slow = ("--set", "train.epochs=900")
    house = House(tmp_path, (*LEARNING, *slow), speed=HUMAN)
    process = house.start(LAWLESS, "core", "604")
    until(lambda: trainings(house), process)
    assert finished(process).code == 1
    assert trainings(house) == []
    assert list((tmp_path / "data" / "models").glob("*")) == []


@learns
def test_who_asks_it_to_stop_while_it_trains_waits_for_no_training(tmp_path: Path) -> None:
    house = House(tmp_path, (*LEARNING, "--set", "train.epochs=900"), speed=HUMAN)
    with living(house, "training a model on") as process:
        until(lambda: trainings(house), process)
        last = stopped(process)
    assert last.code == 0, last.err
    assert trainings(house) == []
    assert list((tmp_path / "data" / "models").glob("*")) == []


def test_a_law_that_training_breaks_ends_all(tmp_path: Path) -> None:
    process = House(tmp_path, LEARNING, speed=HUMAN).start(LAWLESS, "training", "1")
    last = finished(process)
    assert (last.code, BROKEN in last.err) == (1, True)


def test_a_socket_of_a_process_that_died_is_in_nobodys_way(tmp_path: Path) -> None:
    house = House(tmp_path, (*BASELINE, "--symbols", "BTC-USD"), speed=HUMAN)
    with living(house, "warmed up on") as process:
        assert stopped(process, signal.SIGKILL).code == -signal.SIGKILL
    assert socket_path(tmp_path).exists()
    assert house.command("halt").code == 69
    with living(house, "goes on after row") as process:
        until(lambda: [1] * (house.command("halt").code == 0), process)
        assert stopped(process).code == 0
    assert len(rows(house, 7)) == 1
