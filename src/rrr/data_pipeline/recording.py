"""What the world said is kept as it was said: every answer and every frame, with its arrival.

Lines of JSON, compressed, in files of a bounded size that follow each other. A thread of its own
writes; whoever listens never waits for the disk: what does not fit into its queue is dropped,
counted and told. A file that ends in the middle, because the machine died, is read up to there, and
that is told.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from queue import Full, Queue
from threading import Thread
from typing import Any, Final, NamedTuple

from rrr.core.errors import DataError, NotFound, StorageFailed
from rrr.data_pipeline.exchange_troubles import Told

FILE_MB: Final = 64.0

_PENDING_MAX: Final = 10_000
_PENDING_MB: Final = 64
_ENDING: Final = ".jsonl.gz"
_LEVEL: Final = 3
_AT_MS_MAX: Final = 253_402_300_800_000  # the year 10000
_KEPT_HEADERS: Final = ("content-type", "date", "retry-after")


class Line(NamedTuple):
    """One thing that was heard."""

    at_ms: int
    kind: str  # about, answer, frame, cut
    url: str = ""
    text: str = ""
    method: str = ""
    status: int = 0
    headers: Mapping[str, str] = {}


_KINDS: Final = dict(zip(Line._fields, (int, str, str, str, str, int, dict), strict=True))


class Recorder:
    """Keeps what is heard until it is closed; nothing is written before it is begun."""

    def __init__(
        self,
        folder: Path,
        about: Mapping[str, Any],
        clock_ms: Callable[[], int],
        told: Told,
        at_ms: int,
        *,
        file_mb: float = FILE_MB,
    ) -> None:
        self.dropped = 0
        self.trouble: OSError | None = None
        self._folder, self._clock_ms, self._told = folder, clock_ms, told
        self._bytes_max = int(file_mb * 1_000_000)
        self._queue: Queue[Line | None] = Queue(_PENDING_MAX)
        self._bytes = 0  # that wait
        self._thread = Thread(target=self._write, name="recorder", daemon=True)
        self._put(Line(at_ms, "about", text=json.dumps(about)))

    def begin(self) -> None:
        """Write from now on, behind what the folder holds already. Raise StorageFailed."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            names = [path.name.removesuffix(_ENDING) for path in _files(self._folder)]
        except OSError as error:
            raise StorageFailed(
                f"{self._folder} cannot be written: {error.strerror}.",
                "Free some space or mend the drive; or leave --record away.",
            ) from error
        self._numbers = max((int(name) for name in names if name.isdecimal()), default=0)
        self._thread.start()

    def answered(
        self, url: str, method: str, status: int, headers: Mapping[str, str], body: str
    ) -> None:
        kept = {name: text for name, text in headers.items() if name.lower() in _KEPT_HEADERS}
        self._put(Line(self._clock_ms(), "answer", url, body, method, status, kept))

    def heard(self, url: str, text: str) -> None:
        self._put(Line(self._clock_ms(), "frame", url, text))

    def cut(self, url: str, why: str) -> None:
        self._put(Line(self._clock_ms(), "cut", url, why))

    def close(self) -> None:
        """Wait until all is written; what was never begun is forgotten."""
        if self._thread.ident is not None:
            self._queue.put(None)
            self._thread.join()

    def _put(self, line: Line) -> None:
        """Never waits."""
        if self.trouble is None and self._bytes < _PENDING_MB * 1_000_000:
            self._bytes += len(line.text)
            try:
                self._queue.put_nowait(line)
            except Full:
                self._bytes -= len(line.text)
            else:
                return
        self.dropped += 1
        if self.dropped == 1:
            why = self.trouble.strerror if self.trouble else "the disk is too slow"
            self._told(
                "recording_lacks",
                f"the recording in {self._folder} lacks what is heard now: {why}",
                {"folder": str(self._folder), "why": why},
            )

    def _write(self) -> None:
        """The thread's own."""
        try:
            while self._write_file():
                pass
        except OSError as error:
            self.trouble = error
            while self._queue.get() is not None:
                pass

    def _write_file(self) -> bool:
        """False: all is written."""
        self._numbers += 1
        path = self._folder / f"{self._numbers:06}{_ENDING}"
        with path.open("xb") as file, gzip.GzipFile(fileobj=file, mode="wb", compresslevel=_LEVEL,
                                                    filename="", mtime=0) as packed:  # fmt: skip
            while (line := self._queue.get()) is not None:
                self._bytes -= len(line.text)
                packed.write(json.dumps(_plain(line), separators=(",", ":")).encode() + b"\n")
                if self._queue.empty():
                    packed.flush(zlib.Z_SYNC_FLUSH)  # what is heard survives whoever kills us
                    file.flush()
                if file.tell() >= self._bytes_max:
                    return True
        return False


def is_recording(place: Path) -> bool:
    """Whether a folder, or a file, is one that was recorded."""
    return place.name.endswith(_ENDING) or any(place.glob(f"*{_ENDING}"))


def recorded(place: Path, told: Told) -> Iterator[Line]:
    """What a folder, or one file, of a recording holds, in its order."""
    for file in files_of(place):
        yield from _read(file, told)


def files_of(place: Path) -> list[Path]:
    files = _files(place) if place.is_dir() else [place]
    if not files or not files[0].is_file():
        raise NotFound(
            f"There is no recording in {place}.", "Name a folder that --record has written."
        )
    return files


def wrong(file: Path, number: int, why: str) -> DataError:
    """What cannot have been recorded: somebody wrote it."""
    return DataError(f"{file}, line {number}, is no line of a recording: {why}.", "Name another.")


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{_ENDING}"))


def _read(file: Path, told: Told) -> Iterator[Line]:
    number = 0
    with gzip.open(file, "rb") as lines:
        while True:
            try:
                text = next(lines, b"")
            except (EOFError, zlib.error) as error:
                why = "ends in the middle" if isinstance(error, EOFError) else "is damaged"
                return _tell_cut(file, number, why, told)
            except OSError as error:
                raise DataError(f"{file} is no recording: {error}.", "Name another.") from error
            if not text:
                return
            if not text.endswith(b"\n"):
                return _tell_cut(file, number, "ends in the middle", told)
            number += 1
            yield _line(text, file, number)


def _tell_cut(file: Path, number: int, why: str, told: Told) -> None:
    """It was written when somebody pulled the plug."""
    words = f"{file} {why}, after line {number:,}: what was heard then is not in it"
    told("recording_cut", words, {"file": str(file), "lines": number})


def _line(text: bytes, file: Path, number: int) -> Line:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise wrong(file, number, "it is no JSON") from error
    if not isinstance(said, dict) or not {"at_ms", "kind"} <= said.keys() <= _KINDS.keys():
        raise wrong(file, number, f"it holds {text!r:.60}")
    line = Line(**said)
    for name, kind in _KINDS.items():
        if type(value := getattr(line, name)) is not kind:
            raise wrong(file, number, f"{name} is {value!r:.60}")
    if not 0 < line.at_ms < _AT_MS_MAX:
        raise wrong(file, number, f"at_ms is {line.at_ms}")
    if not all(isinstance(each, str) for each in line.headers.values()):
        raise wrong(file, number, f"headers is {line.headers!r:.60}")
    return line


def _plain(line: Line) -> dict[str, Any]:
    """Without what says nothing."""
    return {name: value for name, value in line._asdict().items() if value}
