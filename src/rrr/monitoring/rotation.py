"""A line that was written is found again: in its log, rolled, or archived, whoever dies in between.

A log has two files, `<log>.log` for people and `<log>.jsonl` for programs. Before the first would
outgrow its limit both are renamed to `<log>-<UTC stamp>-<number>`, new ones begin, as `tail -F`
likes it, and the old are compressed into `archive/`, a bit at a time. The number tells their order:
a clock may be set back. Each step may be the last of a process: the next one finishes the work.
"""

import gzip
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rrr.home import synced

ENDINGS: Final = (".log", ".jsonl")
ARCHIVE: Final = "archive"
CHUNK: Final = 65_536  # bytes written, or compressed, at a time
LEVEL: Final = 6  # of compression: a tenth more room, a third of the time of the best
FILE, FOLDER = 0o600, 0o700  # a log tells what its owner holds: it is nobody else's


class Pair:
    """The two files of a log."""

    def __init__(self, logs: Path, log: str, bytes_max: int, kept: int) -> None:
        self.logs, self.log, self.bytes_max, self.kept = logs, log, bytes_max, kept
        self.untidy = True  # something may wait to be compressed, or be too old
        self._mended = False
        self._tapes = [Tape(logs / log / f"{log}{ending}") for ending in ENDINGS]

    def append(self, human: str, machine: str) -> None:
        """Take a line for each file; `flush` writes it."""
        for tape, line in zip(self._tapes, (human, machine), strict=True):
            tape.waiting += line.encode("utf-8", "backslashreplace") + b"\n"

    @property
    def waiting(self) -> int:
        """Bytes that are not written yet."""
        return sum(len(tape.waiting) for tape in self._tapes)

    @property
    def lines_waiting(self) -> int:
        return max(tape.waiting.count(b"\n") for tape in self._tapes)

    def flush(self) -> None:
        """Write what waits. Raise OSError where that is not possible: it goes on waiting."""
        if not self.waiting:
            return
        if not self._mended:
            self._mend()
        human = self._tapes[0]
        size = human.size()
        # A line that the disk took half of is finished where it began.
        whole = all(tape.whole for tape in self._tapes)
        if whole and size and size + len(human.waiting) > self.bytes_max:
            self._roll()
        for tape in self._tapes:
            tape.write()

    def tidy(self) -> Iterator[None]:
        """Drop what is too old and compress what was rolled; between two steps others may write."""
        self.untidy = False
        archive = self.logs / ARCHIVE
        archive.mkdir(FOLDER, parents=True, exist_ok=True)
        for partial in archive.glob(f"{self.log}-*.tmp"):
            partial.unlink()
        known = [rolled(self.logs, self.log, ending) for ending in ENDINGS]
        old = sorted(set().union(*known))[: -self.kept or None]
        for paths in known:
            for number, path in paths.items():
                if number in old:
                    path.unlink(missing_ok=True)
                    archived(self.logs, path).unlink(missing_ok=True)
                elif path.suffix != ".gz":
                    yield from compress(path, archived(self.logs, path))

    def close(self) -> None:
        for tape in self._tapes:
            tape.close()

    def _roll(self) -> None:
        numbers = set().union(*(rolled(self.logs, self.log, ending) for ending in ENDINGS))
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        for tape in self._tapes:
            tape.rename(f"{self.log}-{stamp}-{max(numbers, default=0) + 1}{tape.path.suffix}")
        self.untidy = True

    def _mend(self) -> None:
        """Who died between the two renames left the second to us."""
        human, machine = self._tapes
        first, second = (rolled(self.logs, self.log, ending) for ending in ENDINGS)
        last = max(first, default=0)
        if last and last not in second and not human.path.exists() and machine.path.exists():
            stem = first[last].name.partition(".")[0]
            machine.rename(f"{stem}{machine.path.suffix}")
        self._mended = True


class Tape:
    """One file that only grows. What the disk does not take waits here, to the byte."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.waiting = bytearray()
        self.whole = True  # the file ends with a line's end
        self._descriptor = -1

    def size(self) -> int:
        """Of the file under our name: one that was taken away is begun again."""
        if self._descriptor >= 0 and not self._is_ours():
            self.close()
        if self._descriptor < 0:
            self.path.parent.mkdir(FOLDER, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
            self._descriptor = os.open(self.path, flags, FILE)
            size = os.fstat(self._descriptor).st_size
            self.whole = not size or os.pread(self._descriptor, 1, size - 1) == b"\n"
            if not self.whole:
                self.waiting[:0] = b"\n"  # somebody died in the middle of a line
        return os.fstat(self._descriptor).st_size

    def write(self) -> None:
        self.size()
        while self.waiting:
            count = os.write(self._descriptor, self.waiting[:CHUNK])
            self.whole = self.waiting[count - 1] == ord("\n")
            del self.waiting[:count]

    def rename(self, name: str) -> None:
        self.close()
        self.path.rename(self.path.with_name(name))

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _is_ours(self) -> bool:
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self._descriptor))
        except FileNotFoundError:
            return False


def rolled(logs: Path, log: str, ending: str) -> dict[int, Path]:
    """What was rolled, by number, the oldest first; not yet the archived one where both are."""
    named = re.compile(rf"{log}-\d{{8}}T\d{{6}}Z-(\d+){re.escape(ending)}(\.gz)?")
    found = {}
    for folder in (logs / ARCHIVE, logs / log):
        for path in folder.glob(f"{log}-*"):
            if match := named.fullmatch(path.name):
                found[int(match[1])] = path
    return dict(sorted(found.items()))


def archived(logs: Path, path: Path) -> Path:
    """Where this rolled file is, or will be, once it is compressed."""
    return logs / ARCHIVE / f"{path.name.removesuffix('.gz')}.gz"


def compress(source: Path, target: Path) -> Iterator[None]:
    """Put the source into the target, whole or not at all, and remove it; a step at a time."""
    partial = target.with_name(f"{target.name}.tmp")
    with source.open("rb") as plain, open(partial, "wb", opener=_private) as file:
        with gzip.GzipFile(source.name, "wb", LEVEL, file, mtime=0) as packed:
            while chunk := plain.read(CHUNK):
                packed.write(chunk)
                yield
        file.flush()
        os.fsync(file.fileno())
    partial.rename(target)
    synced(target.parent)
    source.unlink()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, FILE)
