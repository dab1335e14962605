"""Who watches or reads the logs sees the story of the day; who cannot changes nothing."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from rrr.monitoring.terminal import cells
from tests.storm.homes import RRR, House
from tests.wiring.daemons import BASELINE, HUMAN, PATIENCE_S, about, events, living, log, said

pytestmark = pytest.mark.slow

STAMPED: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z  SYNTHETIC  \S")
ESCAPES: Final = re.compile(r"\x1b\[[\d;]*[A-Za-z]")
HEAD_AND_WORD: Final = re.compile(r"[\d-]+ [\d:]+ [+-][\d:]+  SYNTHETIC  \S+")
TEN_DAYS: Final = ("--candles", "240", *BASELINE, "--set", "trend.slow_candles=60")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A home of ten days, in which every decision was told."""
    house = House(tmp_path_factory.mktemp("told"), TEN_DAYS, speed="1000000")
    assert house.run().code == 0
    return house


def test_the_log_tells_the_story_of_the_day_in_utc(told: House) -> None:
    lines = log(told, "trading").splitlines()
    assert all(STAMPED.match(line) for line in lines)
    assert " session paper-1 begins" in lines[0]
    assert lines[-1].endswith("paper-1 finished")
    ((fills,),) = told.ask("SELECT count(*) FROM fills")
    ((refusals,),) = told.ask("SELECT count(*) FROM refusals")
    by_name = [event["event"] for event in events(told, "trading")]
    assert by_name.count("fill") == fills > 0
    assert by_name.count("refused") == refusals > 0
    assert by_name.count("day") == 10
    assert by_name.count("summary") == by_name.count("warmed") == 1
    assert len(by_name) == len(lines)
    assert "settings in force" in log(told, "audit")


def test_the_last_lines_of_a_log_are_shown(told: House) -> None:
    lines = log(told, "trading").splitlines()
    assert said(told.home, "logs", "trading", "-n", "3").out.splitlines() == lines[-3:]
    assert said(told.home, "logs", "system", "-n", "0").out == ""


@pytest.mark.parametrize("kind", ["file", "link into nowhere"])
def test_logs_that_cannot_be_written_are_told_and_change_nothing(
    tmp_path: Path, told: House, kind: str
) -> None:
    house = House(tmp_path, TEN_DAYS, speed="1000000")
    (house.home / "logs").mkdir()
    if kind == "file":
        (house.home / "logs" / "trading").write_text("not a folder")
    else:
        (house.home / "logs" / "trading").symlink_to(tmp_path / "gone" / "away")
    life = house.run()
    assert life.code == 0, life.err
    assert "the trading log cannot be written" in life.err
    assert "Traceback" not in life.err
    assert house.state_hash() == told.state_hash()
    assert "settings in force" in log(house, "audit")


def on_a_terminal(home: Path, columns: int, *words: str, number: int | None = None) -> str:
    """What a terminal of so many columns is sent by a whole life."""
    main, terminal = os.openpty()
    stty = ("stty", "cols", str(columns), "rows", "24")
    subprocess.run(stty, stdin=terminal, check=True)
    environment = about() | {"env": about()["env"] | {"TERM": "xterm", "NO_COLOR": ""}}
    process = subprocess.Popen(
        [sys.executable, "-W", "error", *RRR, *words, "--home", str(home)],
        **environment | {"stdin": terminal},
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    told = b""
    while piece := read(main):
        told += piece
    os.close(main)
    assert process.wait(PATIENCE_S) == 0, told.decode()
    return told.decode()


def read(main: int) -> bytes:
    try:
        return os.read(main, 4096)
    except OSError:  # Linux says so where nobody has the other end open any more
        return b""


def test_forty_columns_are_enough(tmp_path: Path) -> None:
    text = on_a_terminal(tmp_path, 40, *BASELINE, "--candles", "3", "--speed", HUMAN)
    assert "\x1b[32mBUY" in text, "Colours help."
    assert "\r\x1b[K" in text, "The live line is redrawn in place."
    story, _, summary = ESCAPES.sub("", text).partition("SYNTHETIC    session")
    lines = re.split(r"[\r\n]+", story)
    wide = [line for line in lines if cells(line) > 40]
    assert [line for line in wide if not HEAD_AND_WORD.fullmatch(line)] == []
    assert len(lines) > 2 * len(wide) > 0
    assert all("SYNTHETIC" in line for line in lines if line and not line.startswith("    "))
    assert summary.rstrip().endswith(House(tmp_path, ()).state_hash() or "?")


def test_where_no_terminal_is_every_line_is_whole_and_plain(tmp_path: Path) -> None:
    house = House(tmp_path, ("--candles", "2", *BASELINE), speed=HUMAN)
    life = house.run()
    assert "\x1b" not in life.err + life.out
    assert "\r" not in life.err
    assert any(len(line) > 150 for line in life.err.splitlines())


def test_who_stops_reading_stops_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, ("--candles", "3", *BASELINE), speed="7200")
    with living(house, "warmed up on") as process:
        assert process.stderr is not None
        process.stderr.close()
        assert process.wait(PATIENCE_S) == 0
        assert process.stdout is not None
        process.stdout.close()
    assert house.state_hash()
    assert "summary" in [event["event"] for event in events(house, "trading")]


def test_without_any_stream_it_trades_all_the_same(tmp_path: Path) -> None:
    words = (*RRR, "--candles", "2", *BASELINE, "--speed", "max", "--home", str(tmp_path))
    shell = ("/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh")
    done = subprocess.run(
        [*shell, sys.executable, "-W", "error", *words], **about(), timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0
    assert House(tmp_path, ()).state_hash()
