"""The guard halts what lives by the clock; of a market that waits for us it only tells."""

import asyncio
from pathlib import Path
from typing import Final

import pytest

from rrr.core.errors import Unavailable
from rrr.core.events import Command, Verb
from rrr.core.state import Halt
from rrr.monitoring.pulse import free_mb
from rrr.trading.engine.engine import Moment
from rrr.trading.risk import guard as guards
from rrr.trading.risk.guard import LOOKS, Guard
from rrr.wiring.tasks import House, command, decide
from rrr.wiring.watching import guard, judge, limits_of, look
from tests.storm import homes, lives
from tests.wiring.daemons import BASELINE, COMMAND, HUMAN, events, heard, living, rows, stopped
from tests.wiring.rooms import deciding, housed

HALTS: Final = "SELECT reason, note FROM halts ORDER BY number"
WISHES: Final = 1_000_000  # MB of free space
TWO_DAYS: Final = ("--candles", "48", *BASELINE)
NO_ROOM: Final = (*TWO_DAYS, "--set", f"guard.disk_min_mb={WISHES}")


async def looked(
    house: House,
    watcher: Guard,
    *,
    memory_mb: float = 100,
    disk_mb: float = 1e6,
    times: int = LOOKS,
) -> int:
    """The halt that stands after so many looks at a house that takes and leaves so much."""
    for _ in range(times):
        seen = look(house)._replace(memory_mb=memory_mb, disk_mb=disk_mb, lag_ms=0.0)
        await judge(house, watcher, seen)
    return house.engine.state.account.halted


async def test_a_person_who_resumes_knows_better_until_something_else_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with deciding(tmp_path, speed=HUMAN) as house:
        watcher = Guard(limits_of(house))
        assert await looked(house, watcher, memory_mb=2_000, times=LOOKS - 1) == Halt.NONE
        assert await looked(house, watcher, memory_mb=2_000, times=1) == Halt.GUARD
        await command(house, Verb.RESUME, "I know")
        assert await looked(house, watcher, memory_mb=2_000) == Halt.NONE
        assert await looked(house, watcher, memory_mb=2_000, disk_mb=7) == Halt.GUARD

        assert await looked(house, watcher) == Halt.GUARD, "Not yet calm."
        monkeypatch.setattr(guards, "CALM_S", 0.0)
        assert await looked(house, watcher) == Halt.NONE

        await command(house, Verb.HALT, "mine")
        assert await looked(house, watcher, memory_mb=2_000) == Halt.OPERATOR
        assert await looked(house, watcher) == Halt.OPERATOR, "Not its own."
    told = lives.ask(tmp_path / "paper.db", HALTS)
    assert [reason for reason, _ in told] == ["guard", "resumed", "guard", "released", "operator"]
    notes = [note for _, note in told]
    assert "2,000 MB of memory are in use (limit 1,500 MB)" in notes[0]
    assert "7 MB are free (limit 500 MB)" in notes[2]
    assert "all has been well" in notes[3]
    assert (notes[1], notes[4]) == ("I know", "mine")


async def test_what_was_told_last_becomes_a_row_too(tmp_path: Path) -> None:
    async with housed(tmp_path, speed=HUMAN) as house:
        house.stop.set()
        house.teller.fact("stream_trouble", "it ended", {})
        await guard(house)
    found = lives.ask(tmp_path / "paper.db", "SELECT name FROM system_events ORDER BY id DESC")
    assert found[0] == ("stream_trouble",)


async def test_a_market_that_waits_for_us_is_told_once_and_never_halted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "CALM_S", 0.0)
    async with deciding(tmp_path, speed="max") as house:
        watcher, begun = Guard(limits_of(house)), house.engine.head
        assert limits_of(house).stale_s is None
        for memory_mb in (2_000, 2_000, 100):
            assert await looked(house, watcher, memory_mb=memory_mb) == Halt.NONE
        assert house.engine.head == begun, "Not even a row."
        texts = [note.text for note in house.teller.early]
    assert len(texts) == 2
    assert "2,000 MB of memory" in texts[0]
    assert "is over" in texts[1]


async def test_where_no_clock_decides_an_earlier_halt_of_the_guard_ends_before_the_first_close(
    tmp_path: Path,
) -> None:
    async with housed(tmp_path, speed="max") as house, asyncio.TaskGroup() as tasks:
        at_ms = house.engine.head.at_ms
        await house.engine.take([Moment((Command(at_ms, Verb.GUARD),), "of yesterday")])
        assert house.engine.state.account.halted == Halt.GUARD
        tasks.create_task(decide(house, tasks))
        await house.inbox.put(None)
        await house.over.wait()
        assert house.engine.state.account.halted == Halt.NONE
    reasons = [reason for reason, _ in lives.ask(tmp_path / "paper.db", HALTS)]
    assert reasons == ["guard", "released"]


async def test_a_command_after_the_end_is_refused(tmp_path: Path) -> None:
    async with deciding(tmp_path, speed=HUMAN) as house:
        await house.inbox.put(None)
        await house.over.wait()
        watcher, begun = Guard(limits_of(house)), house.engine.head
        assert await looked(house, watcher, memory_mb=2_000) == Halt.NONE
        assert house.engine.head == begun
        with pytest.raises(Unavailable, match="about to end"):
            await command(house, Verb.HALT, "")


def crowded(folder: Path) -> None:
    if free_mb(folder) >= WISHES:
        pytest.skip("this drive has all the room that can be asked for")


@pytest.mark.slow
def test_a_drive_without_room_halts_a_daemon_until_somebody_resumes(tmp_path: Path) -> None:
    crowded(tmp_path)
    house = homes.House(tmp_path, NO_ROOM, speed=HUMAN)
    with living(house, "HALT: guard") as process:
        assert house.command("status").told["halt"]["reason"] == "guard"
        assert house.command("resume", "--reason", "it is enough").code == 0
        heard(process, "  signal ")
        last = stopped(process)
    assert last.code == 0, last.err
    assert last.told["orders"] > 0
    (halted, resumed) = house.ask(HALTS)
    assert halted[0] == "guard"
    assert f"limit {WISHES:,} MB" in halted[1]
    assert resumed == ("resumed", "it is enough")
    assert [verb for _, verb in rows(house, COMMAND)] == [Verb.GUARD, Verb.RESUME]
    assert house.command("replay").told["identical"]


@pytest.mark.slow
def test_at_full_speed_a_drive_without_room_changes_nothing_and_is_told_once(
    tmp_path: Path,
) -> None:
    crowded(tmp_path)
    house = homes.House(tmp_path / "crowded", NO_ROOM)
    roomy = homes.House(tmp_path / "roomy", TWO_DAYS)
    assert house.run().told == roomy.run().told
    assert not house.ask(HALTS)
    assert not rows(house, COMMAND)
    (warned,) = [event for event in events(house, "system") if event["event"] == "guard"]
    assert warned["level"] == "warning"
    assert f"limit {WISHES:,} MB" in warned["text"]
