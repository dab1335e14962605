"""What a person sees: on real pseudo-terminals of any width, in pipes, and where nobody listens."""

import fcntl
import os
import re
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, timedelta, timezone
from io import StringIO
from pathlib import Path
from typing import Any, Final, TextIO

import pytest

from rrr import secrecy
from rrr.monitoring.notes import Level, Note
from rrr.monitoring.terminal import Terminal, cells, local, wants_colour

AT_MS: Final = 1_704_423_600_000
WALL_S: Final = 1_790_000_004
NEPAL: Final = timezone(timedelta(hours=5, minutes=45))
FILL: Final = Note(
    "trading",
    "fill",
    "SELL 0.0512 BTC-USD at 42,283.58 for 2,164.92 USD, fee 2.16 USD, P&L -12.30 USD (-0.57%)"
    "  (stop, baseline)",
    AT_MS,
)
STATUS: Final = "2024-01-05 03:00Z  equity 10,048.60 (+0.49%)  2 positions  loop lag 2 ms"
WIDTHS: Final = (20, 40, 80, 120)


class Screen:
    """A pseudo-terminal and who looks at it: what came out, and what it left on the screen."""

    def __init__(self, stream: TextIO, master: int) -> None:
        self.stream, self.master, self.raw = stream, master, ""

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def read(self) -> str:
        """All that was written so far, up to a sign that we write ourselves."""
        os.write(self.stream.fileno(), b"\x00")
        while not self.raw.endswith("\x00"):
            self.raw += os.read(self.master, 65_536).decode()
        self.raw = self.raw[:-1]
        return self.raw

    def lines(self) -> list[str]:
        """What a very wide screen would show, without its colours."""
        shown, column = [""], 0
        for part in re.split(r"(\x1b\[K|\r|\n)", re.sub(r"\x1b\[[\d;]*m", "", self.read())):
            match part:
                case "\r":
                    column = 0
                case "\n":
                    shown.append("")
                case "\x1b[K":
                    shown[-1] = shown[-1][:column]
                case text:
                    shown[-1] = shown[-1][:column] + text + shown[-1][column + len(text) :]
                    column += len(text)
        return shown


@contextmanager
def screen(columns: int = 80) -> Iterator[Screen]:
    master, slave = os.openpty()
    with os.fdopen(slave, "w", encoding="utf-8") as stream, closing(os.fdopen(master, "rb", 0)):
        seen = Screen(stream, master)
        seen.resize(columns)
        yield seen


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "CLICOLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def terminal(stream: TextIO, *, synthetic: bool = False, **more: Any) -> Terminal:
    known: dict[str, Any] = {"zone": UTC, "clock": lambda: WALL_S} | more
    return Terminal(stream, synthetic=synthetic, **known)


def piped(*notes: Note, synthetic: bool = False, **more: Any) -> list[str]:
    stream = StringIO()
    for note in notes:
        terminal(stream, synthetic=synthetic, **more).note(note)
    return stream.getvalue().splitlines()


def test_a_line_begins_with_the_time_of_the_market_or_else_of_the_wall() -> None:
    wall = Note("system", "trouble", "the disk is full")
    assert piped(FILL, wall, zone=NEPAL) == [
        f"2024-01-05 08:45 +05:45  {FILL.text}",
        f"{local(WALL_S, NEPAL)}  the disk is full",
    ]
    assert local(WALL_S, NEPAL)[16:] == ":24 +05:45"


def test_without_a_zone_the_time_is_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/St_Johns")
    time.tzset()
    try:
        assert piped(FILL, zone=None)[0].startswith("2024-01-04 23:30 -03:30  SELL")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_what_is_not_told_aloud_is_silent() -> None:
    assert piped(FILL._replace(aloud=False)) == []


def test_every_line_of_a_synthetic_market_says_so_once() -> None:
    stream = StringIO()
    told = terminal(stream, synthetic=True)
    told.note(FILL)
    told.plain("RRR 0.3  paper\n\nSYNTHETIC  session  paper-1")
    lines = stream.getvalue().splitlines()
    assert lines[0] == f"2024-01-05 03:00 +00:00  SYNTHETIC  {FILL.text}"
    assert lines[1:] == ["SYNTHETIC  RRR 0.3  paper", "", "SYNTHETIC  session  paper-1"]
    with screen() as seen:
        told = terminal(seen.stream, synthetic=True)
        told.status(STATUS)
        assert seen.lines()[-1].startswith("SYNTHETIC  2024")


def test_a_pipe_gets_whole_plain_lines_and_no_live_one() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader) as out:
        with os.fdopen(writer, "w") as stream:
            told = terminal(stream, width=lambda: 20)
            told.status(STATUS)
            told.note(FILL)
            told.status(None)
        assert out.read() == f"2024-01-05 03:00 +00:00  {FILL.text}\n"


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("synthetic", [False, True])
def test_a_terminal_of_any_width_gets_every_word_and_no_broken_line(
    columns: int, synthetic: bool
) -> None:
    with screen(columns) as seen:
        told = terminal(seen.stream, synthetic=synthetic)
        told.status(STATUS)
        told.note(FILL)
        told.plain("  signals       " + "日本の baseline, then " * 6)
        *lines, live = seen.lines()
    assert cells(live) < columns
    head = 36 if synthetic else 25
    assert all(cells(line) <= max(columns, head + len("SELL")) for line in lines)
    text = " ".join(line.strip() for line in lines)
    for word in [*FILL.text.split(), *["日本の", "baseline,", "then"] * 6]:
        assert word in text
        text = text.replace(word, "", 1)
    below = [line for line in lines if not re.match(r"20|SYN|  s", line)]
    indents = {len(line) - len(line.lstrip()) for line in below}
    assert 0 not in indents
    assert columns != 80 or {head} <= indents
    assert columns > 40 or indents == {4}


def test_a_long_word_stays_whole() -> None:
    with screen(20) as seen:
        terminal(seen.stream).plain("state hash " + "d" * 64 + " end")
        assert seen.lines() == ["state hash", "    " + "d" * 64, "    end", ""]


def test_the_live_line_is_redrawn_below_what_is_printed_and_gone_at_the_end() -> None:
    with screen(120) as seen:
        told = terminal(seen.stream)
        told.plain("begins")
        told.status("one")
        assert seen.lines() == ["begins", "one"]
        told.status("two")
        told.note(FILL._replace(text="SELL"))
        assert seen.lines() == ["begins", "2024-01-05 03:00 +00:00  SELL", "two"]
        told.status(None)
        told.plain("ends")
        assert seen.lines() == ["begins", "2024-01-05 03:00 +00:00  SELL", "ends", ""]


def test_the_width_is_asked_each_time() -> None:
    with screen(80) as seen:
        told = terminal(seen.stream)
        for columns in (60, 40, 12, 1):
            seen.resize(columns)
            told.status(STATUS)
            assert seen.lines() == [STATUS[: max(columns - 2, 0)] + "…"]


def test_wide_letters_take_two_columns() -> None:
    with screen(11) as seen:
        terminal(seen.stream).status("日本の市場です")
        assert seen.lines() == ["日本の市…"]


def test_a_dumb_terminal_has_no_live_line_and_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with screen(200) as seen:
        told = terminal(seen.stream)
        told.status(STATUS)
        told.note(FILL)
        assert seen.read() == f"2024-01-05 03:00 +00:00  {FILL.text}\r\n"


COLOURS: Final = [
    ({}, True, True),
    ({}, False, False),
    ({"NO_COLOR": "1"}, True, False),
    ({"NO_COLOR": ""}, True, True),
    ({"CLICOLOR": "0"}, True, False),
    ({"TERM": "dumb"}, True, False),
    ({"FORCE_COLOR": "1"}, False, True),
    ({"FORCE_COLOR": "1", "TERM": "dumb", "CLICOLOR": "0"}, False, True),
    ({"FORCE_COLOR": "0"}, False, False),
    ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
]


@pytest.mark.parametrize(("environment", "is_terminal", "coloured"), COLOURS)
def test_colour_is_where_it_is_wanted(
    environment: dict[str, str], is_terminal: bool, coloured: bool
) -> None:
    assert wants_colour(is_terminal, environment) is coloured


PAINTED: Final = [
    (FILL, ["\x1b[31mSELL\x1b[0m", "\x1b[31m-12.30\x1b[0m", "(\x1b[31m-0.57%\x1b[0m)"]),
    (FILL._replace(text="BUY  +42 % long"), ["\x1b[32mBUY\x1b[0m", "\x1b[32m+42 %\x1b[0m"]),
    (FILL._replace(name="refused"), ["\x1b[2m2024"]),
    (FILL._replace(name="halted", level=Level.WARNING), ["\x1b[1;31m2024"]),
    (FILL._replace(name="rejected", level=Level.WARNING), ["\x1b[33m2024"]),
    (FILL._replace(name="died", level=Level.ERROR), ["\x1b[31m2024"]),
]


@pytest.mark.parametrize(("note", "parts"), PAINTED)
def test_colours_say_what_words_say(note: Note, parts: list[str]) -> None:
    (line,) = piped(note, synthetic=True, colour=True)
    assert all(part in line for part in parts)
    assert re.sub(r"\x1b\[[\d;]*m", "", line) == piped(note, synthetic=True)[0]
    assert line.startswith("\x1b") or "\x1b[2mSYNTHETIC\x1b[0m" in line
    assert line.startswith("\x1b") or line.startswith("2024-01-05 03:00 +00:00  ")


def test_a_line_cannot_steer_the_terminal() -> None:
    hostile = Note("audit", "halted", "HALT: operator (\x1b[2J\nfake line\r\u202e)", AT_MS)
    (line,) = piped(hostile)
    assert line.endswith(r"(\x1b[2J\nfake line\r\u202e)")
    stream = StringIO()
    terminal(stream).plain("a\x07b\nc")
    assert stream.getvalue() == "a\\x07b\nc\n"


def test_what_cannot_be_encoded_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with path.open("w", encoding="ascii") as stream:
        terminal(stream).note(FILL._replace(text="signal → buy \udcff"))
    assert path.read_text("ascii").endswith("  signal ? buy \\udcff\n")


def test_who_left_hears_nothing_more_and_stops_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        told = terminal(stream)
        told.note(FILL)
        assert told.gone
        told.note(FILL)
        told.plain("still here")


def test_a_full_disk_stops_nothing() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("This system has no /dev/full.")
    with full.open("w") as stream:
        told = terminal(stream)
        told.plain("x" * 100_000)
        assert told.gone


def test_a_closed_stream_stops_nothing(tmp_path: Path) -> None:
    stream = (tmp_path / "out").open("w")
    told = terminal(stream)
    stream.close()
    told.note(FILL)
    told.status(STATUS)
    terminal(stream).note(FILL)
    assert told.gone


def test_a_hung_up_terminal_stops_nothing() -> None:
    master, slave = os.openpty()
    with os.fdopen(slave, "w") as stream:
        told = terminal(stream)
        told.status(STATUS)
        os.close(master)
        told.note(FILL)
        told.status(None)
        assert told.gone


def test_a_secret_is_stars_before_a_line_is_wrapped_or_cut() -> None:
    secrecy.learn("pass c4n4ry phrase of five words")
    told = "the venue said pass c4n4ry phrase of five words and no more"
    with screen(columns=24) as seen:
        shown = terminal(seen.stream)
        shown.note(FILL._replace(text=told))
        shown.plain(f"\n{told}")
        shown.status(told)
        text = " ".join(seen.lines())
    assert "c4n4ry" not in text and "five words" not in text
    assert text.count("*******") == 3
