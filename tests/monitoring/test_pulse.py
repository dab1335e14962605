"""Memory that is ours, space that is free, a loop that froze and a machine that slept."""

import asyncio
import mmap
import os
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from rrr.core.errors import StorageFailed
from rrr.monitoring import pulse
from rrr.monitoring.pulse import EVERY_S, KEPT, MB, RUSAGE_INFO, LoopLag, free_mb, memory_mb

LINUX = pytest.mark.skipif(sys.platform == "darwin", reason="It is about /proc.")
BLOCK = 64 << 20
REST_MB = 8  # what else a process does meanwhile


def test_memory_that_is_taken_shows_and_what_is_given_back_is_gone() -> None:
    before = memory_mb()
    with mmap.mmap(-1, BLOCK, flags=mmap.MAP_PRIVATE) as taken:
        touch(taken)
        assert memory_mb() - before == pytest.approx(BLOCK / MB, abs=REST_MB)
    assert memory_mb() - before == pytest.approx(0, abs=REST_MB)


def test_a_mapped_file_is_no_memory_of_ours(tmp_path: Path) -> None:
    """The database is mapped: however much of it was read, nothing runs out."""
    (tmp_path / "file").write_bytes(bytes(BLOCK))
    before = memory_mb()
    with (
        (tmp_path / "file").open("rb") as file,
        mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped,
    ):
        assert sum(mapped[::4096]) == 0
        assert memory_mb() - before == pytest.approx(0, abs=REST_MB)


def touch(memory: mmap.mmap) -> None:
    for page in range(0, len(memory), 4096):
        memory[page] = 1


class Darwin:
    """What libSystem answers on a Mac: the fields of rusage_info_v0, in their order."""

    def __init__(self, answer: int) -> None:
        self.answer = answer

    def proc_pid_rusage(self, pid: int, flavor: int, told: object) -> int:
        assert (pid, flavor) == (os.getpid(), 0)
        times, pages, resident, footprint = (1, 2, 3, 4), (5, 6), 300 * MB, 200 * MB
        figures = (*times, *pages, resident, footprint, 9, 10)
        RUSAGE_INFO.pack_into(told, 0, *figures)  # type: ignore[arg-type]
        return self.answer


def test_on_a_mac_it_is_the_footprint() -> None:
    assert RUSAGE_INFO.size == 96
    assert pulse._footprint(Darwin(0)) == 200 * MB
    with pytest.raises(OSError, match="does not say"):
        pulse._footprint(Darwin(-1))


@LINUX
def test_swapped_memory_is_memory(tmp_path: Path) -> None:
    (tmp_path / "status").write_text(
        "Name:\trrr\nGroups:\t\nVmRSS:\t  900 kB\nRssAnon:\t  100 kB\nRssFile:\t  800 kB\n"
        "VmSwap:\t   20 kB\nThreads:\t3\n"
    )
    assert pulse._anonymous(tmp_path / "status") == 120 * 1024


@LINUX
def test_where_nobody_says_what_is_ours_it_is_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old kernels and sandboxes have no RssAnon; other systems no /proc."""
    own = memory_mb()
    nobody: dict[str, int] = {}
    for failing in (lambda: nobody["RssAnon:"], Path("nowhere").read_bytes):
        monkeypatch.setattr(pulse, "_anonymous", failing)
        assert memory_mb() > own


def test_free_space_is_what_the_drive_says(tmp_path: Path) -> None:
    found = os.statvfs(tmp_path)
    assert free_mb(tmp_path) == pytest.approx(found.f_bavail * found.f_frsize / MB, rel=0.05)


def test_a_drive_that_is_gone_is_a_failure_of_storage(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="gone cannot be looked at: No such file"):
        free_mb(tmp_path / "gone")


class Clocks:
    """Two clocks that tell what a list says, look by look; the last look stops the loop."""

    def __init__(self, spans: list[tuple[float, float]], stop: asyncio.Event) -> None:
        self.stop = stop
        self.told = deque(self.readings(spans))

    @staticmethod
    def readings(spans: list[tuple[float, float]]) -> Iterator[float]:
        clock, wall = 1_000.0, 1_700_000_000.0
        for slept_s, slept_wall_s in spans:
            yield from (clock, wall)
            clock, wall = clock + slept_s, wall + slept_wall_s
            yield from (clock, wall)

    def __call__(self) -> float:
        now = self.told.popleft()
        if not self.told:
            self.stop.set()
        return now


async def lag_of(*spans: tuple[float, float]) -> LoopLag:
    """After looks that took so long, by the clock that stands still in sleep and by the wall's."""
    stop = asyncio.Event()
    clocks = Clocks(list(spans), stop)
    lag = LoopLag(clocks, clocks)
    await lag.run(stop)
    return lag


async def test_a_loop_that_runs_has_no_lag_and_no_jump() -> None:
    lag = await lag_of((EVERY_S, EVERY_S), (EVERY_S, EVERY_S))
    assert lag.max_ms == pytest.approx(0, abs=1e-3)
    assert lag.take_jump_s() == 0


async def test_a_frozen_loop_is_late_and_the_clock_did_not_jump() -> None:
    lag = await lag_of((10 + EVERY_S, 10 + EVERY_S))
    assert lag.now_ms == lag.max_ms == pytest.approx(10_000)
    assert lag.take_jump_s() == 0


async def test_a_machine_that_slept_made_the_clock_jump_and_the_loop_was_not_late() -> None:
    lag = await lag_of((EVERY_S, 3_600 + EVERY_S))
    assert lag.max_ms == pytest.approx(0, abs=1e-3)
    assert lag.take_jump_s() == pytest.approx(3_600)
    assert lag.take_jump_s() == 0, "It is told once."


@pytest.mark.parametrize(("jumped_s", "told_s"), [(-60, -60), (4.9, 0), (-4.9, 0), (5.1, 5.1)])
def test_a_clock_that_was_set_jumped_and_one_that_was_corrected_did_not(
    jumped_s: float, told_s: float
) -> None:
    lag = LoopLag()
    lag.woke(EVERY_S, EVERY_S + jumped_s)
    assert lag.take_jump_s() == pytest.approx(told_s)


def test_jumps_that_nobody_asked_about_add_up() -> None:
    lag = LoopLag()
    lag.woke(EVERY_S, EVERY_S + 10)
    lag.woke(EVERY_S, EVERY_S + 20)
    assert lag.take_jump_s() == pytest.approx(30)


def test_every_figure_stands_for_a_tenth_of_a_second() -> None:
    """A second frozen in a minute is more than one late look in six hundred: p99 sees it."""
    lag = LoopLag()
    for _ in range(KEPT):
        lag.woke(EVERY_S, EVERY_S)
    lag.woke(EVERY_S + 1, EVERY_S + 1)
    late = round(1 / EVERY_S) + 1
    assert list(lag.late_ms)[-late:] == pytest.approx([n * EVERY_S * 1000 for n in range(late)])
    assert lag.quantile_ms(0.99) == pytest.approx(500, abs=101)
    assert lag.quantile_ms(0.5) == pytest.approx(0, abs=1e-3)


def test_the_present_is_a_second_and_the_memory_a_minute() -> None:
    lag = LoopLag()
    lag.woke(EVERY_S + 0.05, EVERY_S)
    shown = []
    for _ in range(KEPT):
        shown.append((lag.now_ms > 1, lag.max_ms > 1))
        lag.woke(EVERY_S, EVERY_S)
    assert [now for now, _ in shown] == [True] * 10 + [False] * (KEPT - 10)
    assert all(most for _, most in shown)
    assert lag.max_ms == pytest.approx(0, abs=1e-3)


def test_a_loop_that_was_frozen_for_an_hour_is_bounded() -> None:
    lag = LoopLag()
    lag.woke(3_600, 3_600)
    assert len(lag.late_ms) == KEPT
    assert lag.now_ms == pytest.approx(3_600_000, abs=200)


def test_who_has_not_looked_yet_says_nothing() -> None:
    lag = LoopLag()
    assert (lag.now_ms, lag.max_ms, lag.quantile_ms(0.99), lag.take_jump_s()) == (0, 0, 0, 0)
