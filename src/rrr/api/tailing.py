"""A log reads as one endless text, wherever its files were rolled and whatever was compressed.

`tail` gives the last lines, `follow` goes on with each new one: a roll, also several between two
looks, loses none and shows none twice. Both read files and nothing else; no daemon need run.
"""

import gzip
import os
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from rrr.core.errors import HomeUnusable, NotFound
from rrr.monitoring.rotation import rolled

PAUSE_S: Final = 0.2


def silent(_text: str) -> None:
    """Say nothing."""


def tail(
    logs: Path,
    log: str,
    lines: int,
    *,
    as_json: bool = False,
    say: Callable[[str], None] = silent,
) -> Iterator[str]:
    """The last lines, the oldest first. Raise NotFound where nothing was ever logged."""
    place = Place(logs, log, ".jsonl" if as_json else ".log", say)
    reader, older = place.look()
    if reader is None and not older:
        raise NotFound(
            f"There is no {log} log yet: {place.path} is not there.",
            "Start RRR: rrr --mode paper …",
        )
    with ExitStack() as stack:
        found: deque[str] = deque(maxlen=lines)
        if reader is not None:
            stack.callback(reader.close)
            found.extend(reader.lines())
            found.extend(reader.rest())
        yield from _reaching_back(place, found, older, lines)


def follow(
    logs: Path,
    log: str,
    lines: int,
    stop: Callable[[], bool],
    *,
    as_json: bool = False,
    say: Callable[[str], None] = silent,
    pause_s: float = PAUSE_S,
) -> Iterator[str]:
    """The last lines, and each new one when it is whole, until `stop` says so between two looks."""
    place = Place(logs, log, ".jsonl" if as_json else ".log", say)
    reader, older = place.look()
    if reader is None:
        say(f"Waiting for {place.path}: it is not there yet.")
    try:
        found = deque(reader.lines() if reader else (), maxlen=lines)
        yield from _reaching_back(place, found, older, lines)
        while not stop():
            if place.is_another_than(reader):
                last = max(older, default=0)
                old, (reader, older) = reader, place.look()
                with ExitStack() as stack:
                    missed = sorted(number for number in older if number > last)
                    if old is not None:
                        stack.callback(old.close)
                        yield from old.lines()  # what was written before it was rolled
                        yield from old.rest()
                        missed = missed[1:]  # the first is the one we had
                    for number in missed:
                        yield from place.rolled_lines(number)
            elif reader is None or not reader.has_more():
                time.sleep(pause_s)
            if reader is not None:
                yield from reader.lines()
    finally:
        if reader is not None:
            reader.close()


@dataclass(frozen=True, slots=True)
class Place:
    """Where the files of one log are."""

    logs: Path
    log: str
    ending: str
    say: Callable[[str], None]

    @property
    def path(self) -> Path:
        return self.logs / self.log / f"{self.log}{self.ending}"

    def look(self) -> "tuple[Reader | None, dict[int, Path]]":
        """The file that is written now, and all that were rolled before it: of one moment."""
        while True:
            reader = self._opened()
            older = rolled(self.logs, self.log, self.ending)
            if not self.is_another_than(reader):
                return reader, older
            if reader is not None:
                reader.close()

    def is_another_than(self, reader: "Reader | None") -> bool:
        """Whether a file of our name is there, and is not this one."""
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False
        return reader is None or not os.path.samestat(there, os.fstat(reader.file.fileno()))

    def rolled_lines(self, number: int) -> Iterator[str]:
        """All lines of a rolled file. One that is too old may be dropped at any time."""
        for _ in range(2):  # it may be compressed between the look and the opening
            path = rolled(self.logs, self.log, self.ending).get(number)
            if path is None:
                return
            try:
                with path.open("rb") if path.suffix != ".gz" else gzip.open(path) as file:
                    for line in file:
                        yield _decoded(line)
            except FileNotFoundError:
                continue
            except (EOFError, zlib.error, OSError) as error:
                self.say(f"{path.name} cannot be read to its end: {error}.")
            return

    def _opened(self) -> "Reader | None":
        try:
            return Reader(self.path.open("rb"))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise HomeUnusable(
                f"{self.path} cannot be read: {error.strerror}.",
                "Ask as the user who runs RRR, or name another home with --home.",
            ) from error


@dataclass(slots=True)
class Reader:
    """A file that grows; a line counts when its end is there."""

    file: IO[bytes]
    torn: bytes = b""

    def lines(self) -> Iterator[str]:
        if os.fstat(self.file.fileno()).st_size < self.file.tell():
            self.file.seek(0)  # somebody emptied it
            self.torn = b""
        for piece in iter(self.file.readline, b""):
            self.torn += piece
            if self.torn.endswith(b"\n"):
                line, self.torn = self.torn, b""
                yield _decoded(line)

    def rest(self) -> Iterator[str]:
        """The line that has no end, of a file to which nobody adds."""
        if self.torn:
            yield _decoded(self.torn)

    def has_more(self) -> bool:
        return os.fstat(self.file.fileno()).st_size != self.file.tell()

    def close(self) -> None:
        self.file.close()


def _reaching_back(
    place: Place, found: deque[str], older: dict[int, Path], lines: int
) -> Iterator[str]:
    """As many lines as were asked for: these, and before them the last of what was rolled."""
    pieces = [found]
    for number in sorted(older, reverse=True):
        lines -= len(pieces[-1])
        if lines <= 0:
            break
        pieces.append(deque(place.rolled_lines(number), maxlen=lines))
    for piece in reversed(pieces):
        yield from piece


def _decoded(line: bytes) -> str:
    return line.rstrip(b"\n").decode("utf-8", "replace")
