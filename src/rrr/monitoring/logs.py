"""Whoever tells a note never waits for the disk, and what is lost is counted and told.

Notes pass a bounded queue to one thread, which renders and writes them. A disk that is full, gone
or stuck costs lines, never a decision: `on_trouble` hears when it begins and when it is over, and
the log says in its place how many notes are missing. No end waits for the thread longer than
`PATIENCE_S`, and should it die, that is told too.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Any, Final, NamedTuple, Self

from rrr.monitoring.lines import Redaction, Rendering, plain
from rrr.monitoring.notes import LOGS, Level, Note
from rrr.monitoring.rotation import Pair

ROOM: Final = 10_000  # notes that may wait for the writer
WAITING_MAX: Final = 4_000_000  # bytes of a log that may wait for the disk
BATCH: Final = 500
GATHER_S: Final = 0.05  # notes that come together are written together
RETRY_S: Final = 0.2
ARCHIVE_RETRY_S: Final = 60.0
PATIENCE_S: Final = 5.0
# What a value can do when it is asked what it is.
UNTELLABLE: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


class Told(NamedTuple):
    wall_ms: int
    note: Note


class Gap(NamedTuple):
    log: str
    notes: int


class End(NamedTuple):
    pass


class Logs:
    """The logs of a home. `note` may be called from any thread, `on_trouble` is called from any."""

    def __init__(
        self,
        logs: Path,
        *,
        on_trouble: Callable[[Note], None],
        synthetic: bool = False,
        market_clock: bool = False,
        secrets: Iterable[str] = (),
        rotate_mb: float = 10,
        kept: int = 20,
    ) -> None:
        bytes_max = int(rotate_mb * 1_000_000)
        self._pairs = {log: Pair(logs, log, bytes_max, kept) for log in LOGS}
        self._on_trouble, self._synthetic = on_trouble, synthetic
        self._processors: list[Any] = [plain, Redaction(secrets), Rendering(market_clock)]
        self._loggers: dict[str, Any] = {}
        self._queue: SimpleQueue[Told | Gap | End] = SimpleQueue()
        self._closing = Event()
        self._thread = Thread(target=self._run, name="rrr logs", daemon=True)
        self._lock = Lock()  # of the next three
        self._lost: Counter[str] = Counter()  # for want of room; the queue does not know yet
        self._ailing: set[str] = set()
        self._missing = 0  # notes lost since it began
        self._gaps: Counter[str] = Counter()  # the writer's: to be told in the log
        self._tidying: Iterator[None] | None = None
        self._tidy_from = 0.0

    def start(self) -> None:
        self._thread.start()

    def note(self, note: Note) -> None:
        """Take it and go on."""
        assert note.log in LOGS, note.log
        if self._queue.qsize() >= ROOM:
            self._ails("queue", f"{ROOM:,} notes wait for the disk, more are lost", note.log)
            return
        if self._lost:
            for log, notes in self._owned_up().items():
                self._queue.put(Gap(log, notes))
        self._queue.put(Told(time.time_ns() // 1_000_000, note))

    def close(self) -> None:
        """Write what was noted, as far as the disk takes it, and end."""
        self._closing.set()
        self._queue.put(End())
        self._thread.join(PATIENCE_S)
        if self._thread.is_alive():
            self._tell(Level.ERROR, "The disk does not answer: the last lines of the logs are lost")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        try:
            self._loggers = self._made()
            while self._round():
                pass
        finally:
            if (error := sys.exception()) is not None:
                said = f"The log writer died of {type(error).__name__}: {error}; nothing is logged"
                self._tell(Level.ERROR, said)
            for pair in self._pairs.values():
                with suppress(OSError):
                    pair.close()

    def _made(self) -> dict[str, Any]:
        import structlog  # here, where nobody waits for it

        def logger(pair: Pair) -> Any:
            wrapped = structlog.wrap_logger(pair, self._processors, structlog.BoundLogger, dict)
            return wrapped.bind(log=pair.log, synthetic=self._synthetic)

        return {log: logger(pair) for log, pair in self._pairs.items()}

    def _round(self) -> bool:
        """Write what there is; false after the last round."""
        ended = False
        for item in self._taken():
            match item:
                case Told(wall_ms, note):
                    self._accept(wall_ms, note)
                case Gap(log, notes):
                    self._gaps[log] += notes
                case End():
                    ended = True
        if self._lost and self._queue.empty():
            self._gaps += self._owned_up()  # nobody noted anything since
        for log in LOGS:
            self._flush(log)
        if self._queue.empty() and not self._lost and not self._gaps:
            self._heals("queue")
        if ended:
            self._say_goodbye()
        elif not self._tidied() and self._is_stuck():
            self._closing.wait(RETRY_S)
        return not ended

    def _taken(self) -> list[Told | Gap | End]:
        """What waits, not all at once. Where nothing does and nothing else is to be done, wait."""
        items: list[Told | Gap | End] = []
        busy = self._is_stuck() or self._has_chores()
        with suppress(Empty):
            if not busy and self._queue.empty():
                items.append(self._queue.get())
                self._closing.wait(GATHER_S)
            while len(items) < BATCH:
                items.append(self._queue.get_nowait())
        return items

    def _accept(self, wall_ms: int, note: Note) -> None:
        if self._pairs[note.log].waiting > WAITING_MAX:
            self._gaps[note.log] += 1
            return
        self._tell_gap(note.log)
        self._write(wall_ms, note)

    def _write(self, wall_ms: int, note: Note) -> None:
        append = self._loggers[note.log].append
        given = {"wall_ms": wall_ms, "level": note.level, "at_ms": note.at_ms}
        try:
            append(note.name, text=note.text, detail=note.detail, **given)
        except UNTELLABLE as error:
            said = f"{note.name}: it cannot be told: {type(error).__name__}"
            append(note.name, text=said, detail={}, wall_ms=wall_ms, level=Level.ERROR, at_ms=None)

    def _tell_gap(self, log: str) -> bool:
        """Say in the log that notes are missing here; whether there was anything to say."""
        notes = self._gaps.pop(log, 0)
        if not notes:
            return False
        with self._lock:
            self._missing += notes
        said = f"{counted(notes)} lost here: there was no room for them"
        note = Note(log, "lost", said, detail={"notes": notes}, level=Level.WARNING)
        self._write(time.time_ns() // 1_000_000, note)
        return True

    def _flush(self, log: str) -> None:
        pair = self._pairs[log]
        try:
            pair.flush()
            if self._tell_gap(log):
                pair.flush()
        except OSError as error:
            self._ails(log, f"the {log} log cannot be written: {why(error)}; its notes wait")
        else:
            self._heals(log)

    def _is_stuck(self) -> bool:
        return any(pair.waiting for pair in self._pairs.values())

    def _has_chores(self) -> bool:
        untidy = any(pair.untidy for pair in self._pairs.values())
        return bool(self._tidying or (untidy and time.monotonic() >= self._tidy_from))

    def _tidied(self) -> bool:
        """Do one step of what can wait; false where nothing is to be done."""
        if not self._has_chores():
            return False
        if self._tidying is None:
            self._untidy = next(pair for pair in self._pairs.values() if pair.untidy)
            self._tidying = self._untidy.tidy()
        try:
            next(self._tidying)
        except StopIteration:
            self._tidying = None
            self._heals("archive")
        except OSError as error:
            self._tidying, self._untidy.untidy = None, True
            self._tidy_from = time.monotonic() + ARCHIVE_RETRY_S
            self._ails("archive", f"old logs cannot be compressed: {why(error)}")
        return True

    def _owned_up(self) -> Counter[str]:
        with self._lock:
            lost, self._lost = self._lost, Counter()
        return lost

    def _ails(self, what: str, why: str, *lost: str) -> None:
        with self._lock:
            self._lost.update(lost)
            begins = not self._ailing
            self._ailing.add(what)
        if begins:
            self._tell(Level.WARNING, f"Logs: {why}. Trading goes on")

    def _heals(self, what: str) -> None:
        with self._lock:
            if what not in self._ailing:
                return
            self._ailing.discard(what)
            if self._ailing:
                return
            missing, self._missing = self._missing, 0
        level = Level.WARNING if missing else Level.INFO
        self._tell(level, f"The logs are written again; {counted(missing)} lost", notes=missing)

    def _say_goodbye(self) -> None:
        waiting = sum(pair.lines_waiting for pair in self._pairs.values())
        missing = waiting + sum(self._gaps.values()) + sum(self._lost.values())
        if missing:
            self._tell(Level.ERROR, f"The logs end early: {counted(missing)} lost", notes=missing)

    def _tell(self, level: Level, text: str, **detail: int) -> None:
        self._on_trouble(Note("system", "logs", f"{text}.", detail=detail, level=level))


def why(error: OSError) -> str:
    """
    >>> why(FileNotFoundError(2, "No such file or directory", "logs/trading"))
    'No such file or directory (logs/trading)'
    """
    return f"{error.strerror} ({error.filename})" if error.filename else f"{error.strerror}"


def counted(notes: int) -> str:
    """
    >>> counted(1), counted(1234), counted(0)
    ('1 note was', '1,234 notes were', 'no note was')
    """
    return f"{notes:,} notes were" if notes > 1 else f"{notes or 'no'} note was"
