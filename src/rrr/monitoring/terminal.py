"""A person can follow every line, on any terminal or none; whoever stops listening stops nothing.

A line begins with its time, the market's if the note has one, or else the wall's: local, with its
offset. On a terminal long lines are wrapped, colours help, and the last line is alive; a file or a
pipe gets whole, plain lines. A stream that is closed or full hears nothing more.
"""

import os
import re
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Final, TextIO

from rrr.monitoring.notes import Level, Note
from rrr.monitoring.words import SYNTHETIC, marked, printable
from rrr.secrecy import hushed

BOLD_RED, RED, GREEN, YELLOW, DIM = "1;31", "31", "32", "33", "2"
LINES: Final = {
    "banner": BOLD_RED,
    "halted": BOLD_RED,
    "refused": DIM,
    "unfilled": DIM,
}  # by the name of a note
SIGNED: Final = r"(?<![\w.])[+-][\d.,]*\d(?![\d:])( ?%)?"  # no date, and no zone's offset
PARTS: Final = re.compile(rf"\bBUY\b|\bSELL\b|{SYNTHETIC}|\bLIVE\b|HALTED|{SIGNED}")
COLUMN: Final = re.compile(r"^ +|\S  +(?=\S)")
COLUMN_MAX: Final = 32  # where the last column of a table begins, at most
TEXT_MIN: Final = 40  # columns that wrapped text has to itself, or it goes on far to the left
INDENT: Final = 4
COLUMNS: Final = 80  # of a terminal that does not know its own
ERASE: Final = "\r\x1b[K"


class Terminal:
    """One stream that a person reads."""

    def __init__(
        self,
        stream: TextIO,
        *,
        synthetic: bool,
        zone: tzinfo | None = None,
        colour: bool | None = None,
        width: Callable[[], int] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.stream, self.synthetic, self.zone, self.clock = stream, synthetic, zone, clock
        self.is_terminal = _is_terminal(stream)
        self.is_alive = self.is_terminal and os.environ.get("TERM") != "dumb"
        self.colour = wants_colour(self.is_terminal, os.environ) if colour is None else colour
        self.width = width or self._columns
        self.live: str | None = None  # the line that is redrawn in place
        self.gone = False

    def note(self, note: Note) -> None:
        """Print what is told aloud."""
        if note.aloud:
            at_s = self.clock() if note.at_ms is None else note.at_ms / 1000
            head = f"{local(at_s, self.zone)}  " + (f"{SYNTHETIC}  " if self.synthetic else "")
            self._print(head, _shown(note.text), _style(note))

    def plain(self, text: str) -> None:
        """Print lines that have no time of their own: a greeting, a summary, an error."""
        for line in hushed(text).split("\n"):
            self._print("", marked(printable(line), self.synthetic), "")

    def status(self, text: str | None) -> None:
        """Redraw the live line, on a terminal; without a text it is gone."""
        if self.is_alive and (text is not None or self.live is not None):
            self.live = None if text is None else marked(_shown(text), self.synthetic)
            self._write(ERASE + self._drawn())

    def _print(self, head: str, text: str, style: str) -> None:
        lines = [head + text]
        if self.is_terminal:
            lines = list(wrapped(head, text, max(self.width(), INDENT + 1)))
        painted = [self._painted(line, style) for line in lines]
        self._write((ERASE if self.live is not None else "") + "\n".join([*painted, self._drawn()]))

    def _drawn(self) -> str:
        """The live line, one column short of the edge, where some terminals begin a new one."""
        if self.live is None:
            return ""
        return self._painted(cut(self.live, max(self.width() - 1, 1)), "")

    def _painted(self, line: str, style: str) -> str:
        if not self.colour:
            return line
        if style:
            return paint(line, style)
        return PARTS.sub(lambda part: paint(part[0], _shade(part[0])), line)

    def _write(self, text: str) -> None:
        """Print, whoever listens: one that has left, or has no room, hears nothing from then on."""
        if self.gone:
            return
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        try:
            self.stream.write(text.encode(encoding, "replace").decode(encoding))
            self.stream.flush()
        except (OSError, ValueError):  # ValueError: the stream was closed on our side
            self.gone = True
            _silence(self.stream)

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self.stream.fileno()).columns or COLUMNS
        except (OSError, ValueError):
            return COLUMNS


def _shown(text: str) -> str:
    """Without secrets, before a line that is wrapped or cut could hide what it is a part of."""
    return printable(hushed(text))


def wants_colour(is_terminal: bool, environment: Mapping[str, str]) -> bool:
    """What no-color.org and its kin agree on.

    >>> wants_colour(True, {}), wants_colour(False, {"FORCE_COLOR": "1"})
    (True, True)
    >>> wants_colour(True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}), wants_colour(False, {})
    (False, False)
    """
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    dull = environment.get("CLICOLOR") == "0" or environment.get("TERM") == "dumb"
    return is_terminal and not dull


def local(at_s: float, zone: tzinfo | None = None) -> str:
    """
    >>> from zoneinfo import ZoneInfo
    >>> local(1_704_423_600, ZoneInfo("Europe/Berlin")), local(1_704_423_605, UTC)
    ('2024-01-05 04:00 +01:00', '2024-01-05 03:00:05 +00:00')
    """
    at = datetime.fromtimestamp(int(at_s), UTC).astimezone(zone)
    offset = f"{at:%z}"
    return f"{at:%Y-%m-%d %H:%M}{f':{at:%S}' if at.second else ''} {offset[:3]}:{offset[3:5]}"


def wrapped(head: str, text: str, width: int) -> Iterator[str]:
    """Break at spaces, and go on below the text if that leaves it room; a long word stays whole.

    >>> list(wrapped("03:00  ", "a sale of one coin", 16))
    ['03:00  a sale of', '    one coin']
    """
    line = head + text
    columns = (match.end() for match in COLUMN.finditer(line) if match.end() <= COLUMN_MAX)
    below = len(head) or max(columns, default=INDENT)
    indent = " " * (below if width - below >= TEXT_MIN else INDENT)
    while cells(line) > width:
        fits = len(cut(line, width, ""))
        first = max(len(head), len(line) - len(line.lstrip())) + 1  # a line holds one word at least
        space = line.rfind(" ", first, fits + 1)
        if space < 0:
            space = line.find(" ", max(fits, first))
        if space < 0:
            break
        yield line[:space].rstrip()
        head, line = "", indent + line[space:].lstrip()
    yield line


def cut(text: str, width: int, sign: str = "…") -> str:
    """
    >>> cut("equity 10,048.60", 9), cut("日本の市場", 5), cut("flat", 4)
    ('equity 1…', '日本…', 'flat')
    """
    if cells(text) <= width:
        return text
    room = width - cells(sign)
    for length, sign_cells in enumerate(map(cells, text)):
        room -= sign_cells
        if room < 0:
            return text[:length] + sign
    return text


def cells(text: str) -> int:
    """The columns that a text takes on a terminal.

    >>> cells("BTC-USD"), cells("日本"), cells("e\u0301")
    (7, 4, 1)
    """
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def paint(text: str, shade: str) -> str:
    return f"\x1b[{shade}m{text}\x1b[0m"


def _style(note: Note) -> str:
    """The colour of a whole line; without one its parts have theirs."""
    if note.name in LINES:
        return LINES[note.name]
    if note.level >= Level.WARNING:
        return RED if note.level >= Level.ERROR else YELLOW
    return ""


def _shade(part: str) -> str:
    if part == SYNTHETIC:
        return DIM
    if part in ("HALTED", "LIVE"):
        return BOLD_RED
    return GREEN if part == "BUY" or part[0] == "+" else RED


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # it is closed already
        return False


def _silence(stream: TextIO) -> None:
    """What is still to come goes nowhere, and the interpreter may flush it at its end."""
    try:
        number = stream.fileno()
    except (OSError, ValueError):
        return  # no file stands behind it
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
