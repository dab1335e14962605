"""Whoever tells a note never waits for the disk, and what is lost is counted and told."""

import os
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from rrr.monitoring import logs as module
from rrr.monitoring.logs import Logs
from rrr.monitoring.notes import LOGS, NOTHING, Level, Note
from rrr.monitoring.rotation import Pair, Tape
from tests.monitoring import dying
from tests.monitoring.logged import everything, lines, objects


class Heard:
    """What the terminal is told of the logs' troubles."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self.times = [Event(), Event(), Event()]

    def __call__(self, note: Note) -> None:
        self.notes.append(note)
        self.times[len(self.notes) - 1].set()

    def wait(self, times: int) -> None:
        assert self.times[times - 1].wait(60)

    @property
    def texts(self) -> list[str]:
        return [note.text for note in self.notes]


def numbered(number: int, log: str = "trading", **more: Any) -> Note:
    return Note(log, "numbered", f"number {number}", **more)


def unheard(note: Note) -> None:
    raise AssertionError(note.text)


def numbers(logs: Path, log: str = "trading") -> list[int]:
    found = [int(line.rpartition(" ")[2]) for line in lines(logs, log) if "number" in line]
    assert [told["text"] for told in objects(logs, log) if told["event"] == "numbered"] == [
        f"number {number}" for number in found
    ]
    return found


def child(logs: Path, what: str) -> list[str]:
    """What a process of its own says that comes to this end; it must end by itself, and well."""
    done = subprocess.run(
        [sys.executable, dying.__file__, logs, what],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.splitlines()


def test_each_log_gets_its_notes_in_order_in_two_forms(tmp_path: Path) -> None:
    with Logs(tmp_path, on_trouble=unheard) as logs:
        for number in range(1000):
            logs.note(numbered(number, LOGS[number % 3], detail={"number": number}))
    for index, log in enumerate(LOGS):
        assert numbers(tmp_path, log) == [*range(index, 1000, 3)]
        assert [told["detail"]["number"] for told in objects(tmp_path, log)] == numbers(
            tmp_path, log
        )


def test_what_was_noted_is_written_while_nobody_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Event()
    original = Tape.write

    def write(tape: Tape) -> None:
        original(tape)
        if lines(tmp_path):
            written.set()

    monkeypatch.setattr(Tape, "write", write)
    with Logs(tmp_path, on_trouble=unheard) as logs:
        logs.note(numbered(1))
        assert written.wait(60)


def test_a_later_life_goes_on_where_the_last_ended(tmp_path: Path) -> None:
    for first in (0, 5):
        with Logs(tmp_path, on_trouble=unheard) as logs:
            for number in range(first, first + 5):
                logs.note(numbered(number))
    assert numbers(tmp_path) == [*range(10)]


def test_every_line_says_that_nobody_traded_these_candles(tmp_path: Path) -> None:
    with Logs(tmp_path, on_trouble=unheard, synthetic=True, market_clock=True) as logs:
        for log in LOGS:
            logs.note(numbered(1, log, at_ms=0))
    for log in LOGS:
        assert all(
            "Z  SYNTHETIC  market 1970-01-01 00:00Z  number" in line
            for line in lines(tmp_path, log)
        )
        assert all(told["synthetic"] for told in objects(tmp_path, log))


def test_no_file_holds_a_secret(tmp_path: Path) -> None:
    with Logs(tmp_path, on_trouble=unheard, secrets=["hunter2"], rotate_mb=0.01) as logs:
        for number in range(300):
            logs.note(numbered(number, detail={"hunter2": [b"hunter2", Path("/hunter2")]}))
    assert b"hunter2" not in everything(tmp_path)
    assert everything(tmp_path).count(b"********") >= 900


def test_what_cannot_be_told_is_named_and_harms_nobody(tmp_path: Path) -> None:
    class Shy:
        def __str__(self) -> str:
            raise ValueError("ask another")

    odd: list[Note] = [
        numbered(0, detail={"shy": Shy()}),
        numbered(1, at_ms=10**30),
        numbered(2, level=7),
        numbered(3, detail=3),
        numbered(4, detail={"number": 10**5000}),
    ]
    with Logs(tmp_path, on_trouble=unheard, market_clock=True) as logs:
        for note in odd:
            logs.note(note)
        logs.note(numbered(9))
    said = lines(tmp_path)
    assert len(said) == len(objects(tmp_path)) == len(odd) + 1
    assert said[0].endswith("ERROR  numbered: it cannot be told: ValueError")
    assert said[-1].endswith("number 9")


def test_logs_roll_and_are_compressed_while_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tidied = Event()
    original = Pair.tidy

    def tidy(pair: Pair) -> Any:
        yield from original(pair)
        if list((tmp_path / "archive").glob("*.gz")):
            tidied.set()

    monkeypatch.setattr(Pair, "tidy", tidy)
    with Logs(tmp_path, on_trouble=unheard, rotate_mb=0.01) as logs:
        for number in range(2000):
            logs.note(numbered(number))
        assert tidied.wait(60)
    assert numbers(tmp_path) == [*range(2000)]


def test_notes_beyond_the_room_are_counted_and_the_log_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROOM", 50)
    heard = Heard()
    logs = Logs(tmp_path, on_trouble=heard)
    for number in range(80):
        logs.note(numbered(number))
    for number in range(20):
        logs.note(numbered(number, "audit"))
    assert heard.texts == ["Logs: 50 notes wait for the disk, more are lost. Trading goes on."]
    logs.start()
    heard.wait(2)
    logs.note(numbered(99))
    logs.close()
    assert heard.texts[1:] == ["The logs are written again; 50 notes were lost."]
    assert numbers(tmp_path) == [*range(50), 99]
    assert lines(tmp_path)[50].endswith(
        "WARNING  30 notes were lost here: there was no room for them"
    )
    assert objects(tmp_path, "audit")[0]["detail"] == {"notes": 20}


def test_the_log_names_a_loss_where_it_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROOM", 50)
    monkeypatch.setattr(module, "BATCH", 30)
    original, more = Pair.flush, iter([numbered(98), numbered(99)])
    logs = Logs(tmp_path, on_trouble=Heard())

    def flush(pair: Pair) -> None:
        for note in more:  # while 20 of the 50 still wait
            logs.note(note)
        original(pair)

    monkeypatch.setattr(Pair, "flush", flush)
    for number in range(80):
        logs.note(numbered(number))
    logs.start()
    logs.close()
    assert numbers(tmp_path) == [*range(50), 98, 99]
    assert "30 notes were lost here" in lines(tmp_path)[50]


def test_notes_lost_just_before_the_end_are_told_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROOM", 50)
    heard = Heard()
    logs = Logs(tmp_path, on_trouble=heard)
    for number in range(51):
        logs.note(numbered(number))
    logs.start()
    logs.close()
    assert heard.texts[1:] == ["The logs are written again; 1 note was lost."]
    assert numbers(tmp_path) == [*range(50)]
    assert "1 note was lost here" in lines(tmp_path)[50]


def test_a_disk_that_refuses_is_told_once_and_when_it_is_over(tmp_path: Path) -> None:
    (tmp_path / "trading").write_text("a file where a folder belongs")
    heard = Heard()
    with Logs(tmp_path, on_trouble=heard) as logs:
        logs.note(numbered(1, "audit"))
        for number in range(10):
            logs.note(numbered(number))
        heard.wait(1)
        for number in range(10, 20):
            logs.note(numbered(number))
        (tmp_path / "trading").unlink()
        heard.wait(2)
    assert heard.texts == [
        "Logs: the trading log cannot be written: File exists"
        f" ({tmp_path / 'trading'}); its notes wait. Trading goes on.",
        "The logs are written again; no note was lost.",
    ]
    assert [note.level for note in heard.notes] == [Level.WARNING, Level.INFO]
    assert numbers(tmp_path) == [*range(20)]
    assert numbers(tmp_path, "audit") == [1]


def test_a_trouble_is_over_when_every_log_is_written_again(tmp_path: Path) -> None:
    for log in ("trading", "audit"):
        (tmp_path / log).write_text("a file where a folder belongs")
    heard, pause = Heard(), Event()
    with Logs(tmp_path, on_trouble=heard) as logs:
        for log in ("trading", "audit"):
            logs.note(numbered(1, log))
        heard.wait(1)
        (tmp_path / "trading").unlink()
        while not (tmp_path / "trading" / "trading.jsonl").exists():
            pause.wait(0.01)
        (tmp_path / "audit").unlink()
        heard.wait(2)
    assert len(heard.notes) == 2
    assert numbers(tmp_path, "trading") == numbers(tmp_path, "audit") == [1]


def test_what_waits_for_the_disk_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAITING_MAX", 1000)
    monkeypatch.setattr(module, "BATCH", 1)
    (tmp_path / "trading").write_text("a file where a folder belongs")
    heard = Heard()
    logs = Logs(tmp_path, on_trouble=heard)
    for number in range(100):
        logs.note(numbered(number))
    logs.start()
    logs.close()
    assert len(heard.notes) == 2
    assert heard.texts[1] == "The logs end early: 100 notes were lost."
    waiting = sum(pair.waiting for pair in logs._pairs.values())
    assert 1000 < waiting < 2000


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is of Linux")
def test_a_full_disk_costs_the_notes_beyond_the_room_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAITING_MAX", 1000)
    monkeypatch.setattr(module, "RETRY_S", 0.001)
    (tmp_path / "trading").mkdir()
    (tmp_path / "trading" / "trading.log").symlink_to("/dev/full")
    heard, refused = Heard(), Event()
    with Logs(tmp_path, on_trouble=heard) as logs:
        for number in range(2000):
            logs.note(numbered(number))
        heard.wait(1)
        while logs._queue.qsize():
            refused.wait(0.001)
        (tmp_path / "trading" / "trading.log").unlink()
        heard.wait(2)
    assert "No space left on device" in heard.texts[0]
    lost = heard.notes[1].detail["notes"]
    assert numbers(tmp_path) == [*range(2000 - lost)]
    assert lines(tmp_path)[-1].endswith(
        f"{lost:,} notes were lost here: there was no room for them"
    )


def test_a_disk_that_takes_half_a_line_gets_the_other_half_later(tmp_path: Path) -> None:
    assert child(tmp_path, "full") == [
        "Logs: the trading log cannot be written: File too large; its notes wait. Trading goes on.",
        "The logs are written again; no note was lost.",
    ]
    texts = [line.rpartition(" ")[2] for line in lines(tmp_path)]
    assert (
        texts
        == [told["text"] for told in objects(tmp_path)]
        == [f"{n}" for n in range(dying.LINES)]
    )


def test_a_disk_that_never_answers_holds_up_neither_the_notes_nor_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.1)
    (tmp_path / "trading").mkdir()
    pipe = tmp_path / "trading" / "trading.log"
    os.mkfifo(pipe)
    heard = Heard()
    logs = Logs(tmp_path, on_trouble=heard)
    logs.start()
    for _ in range(100):
        logs.note(Note("trading", "long", "x" * 3000))  # more than a pipe holds
    logs.close()
    assert heard.texts == ["The disk does not answer: the last lines of the logs are lost."]

    drain = Thread(target=pipe.read_bytes)
    drain.start()
    drain.join()
    logs._thread.join()


def test_a_process_ends_whatever_its_disk_does(tmp_path: Path) -> None:
    assert child(tmp_path, "stuck") == []


def test_a_process_ends_whatever_its_writer_did(tmp_path: Path) -> None:
    assert child(tmp_path, "crashed") == [
        "The log writer died of ZeroDivisionError: integer division or modulo by zero;"
        " nothing is logged."
    ]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_writer_that_dies_is_told_and_its_memory_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROOM", 50)
    monkeypatch.setattr(Pair, "flush", lambda _: unheard(numbered(1)))
    heard = Heard()
    with Logs(tmp_path, on_trouble=heard) as logs:
        logs.note(numbered(1))
        heard.wait(1)
        logs._thread.join()
        for number in range(100):
            logs.note(numbered(number))
        assert logs._queue.qsize() == 50
    assert heard.texts[0] == ("The log writer died of AssertionError: number 1; nothing is logged.")
    assert heard.notes[0].level == Level.ERROR


def test_a_note_for_no_log_is_a_bug_of_who_tells_it(tmp_path: Path) -> None:
    with (
        Logs(tmp_path, on_trouble=unheard) as logs,
        pytest.raises(AssertionError, match="gossip"),
    ):
        logs.note(Note("gossip", "fill", "heard", None, NOTHING))
