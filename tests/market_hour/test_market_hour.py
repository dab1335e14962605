"""Some minutes of the hour, whole; the hour itself is `python -m tests.market_hour`.

What judges it is judged too: whatever is taken from what a life left, or added to it, is named.
"""

import asyncio
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from rrr.core.market import Source
from tests.market_hour import verdicts
from tests.market_hour.hour import MINUTE_MS, Asked, Hour, lived
from tests.market_hour.left import Fact, Left, Trouble
from tests.market_hour.table import report, told
from tests.market_hour.timetable import LEAST_MS, SLEEP, Kind, every, timetable
from tests.venue.faults import KINDS

NEVER_IN_A_HURRY = (
    *("each trouble is over by itself", "silence is noticed within its limit"),
    "no entry on stale data",
)


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Hour:
    """Six minutes at a pace that a busy machine can keep, in one of which REST fails."""
    kinds = [Kind("http_500", "rest")]
    for speed in (20, 10, 5):
        asked = Asked(speed=speed, minutes=6, sleep_minutes=0, kinds=kinds)
        found = asyncio.run(lived(asked, tmp_path_factory.mktemp("hour") / "home"))
        if found.trials:
            break  # else not even its start was answered in time
    return found


@pytest.mark.slow
def test_some_minutes_of_the_whole_program_cost_no_candle(hour: Hour) -> None:
    said = report(hour)
    broken = {words: each for words, each in said["verdicts"].items() if each}
    # A machine that stands still for seconds is told of troubles that are none of the venue's.
    assert not broken.keys() - set(NEVER_IN_A_HURRY), "\n".join(told(said))
    assert said["entries"], "\n".join(told(said))
    assert said["closes"] >= 6
    assert "holds   the journal replays" in [*told(said)]


def without_a_row(left: Left) -> None:
    del left.rows[-1]


def with_a_row_twice(left: Left) -> None:
    left.rows.append(left.rows[-1])


def with_another_volume(left: Left) -> None:
    row = left.rows[-1]
    left.rows[-1] = row._replace(numbers=(*row.numbers[:-1], row.numbers[-1] + 1))


def with_a_made_candle(left: Left) -> None:
    left.rows[-1] = left.rows[-1]._replace(source=Source.SYNTHETIC)


def without_a_close(left: Left) -> None:
    del left.closes[-2]


def with_an_old_entry(left: Left) -> None:
    entry = left.entries[-1]
    left.entries[-1] = entry._replace(arrived_at_ms=entry.candle_at_ms + left.fresh_ms + 1)


def with_a_halt(left: Left) -> None:
    left.halted.append((left.entries[-1].arrived_at_ms, 1 << 62))


def with_a_trouble(left: Left) -> None:
    left.troubles.append(Trouble(Fact(left.closes[0], "stream_silent", {}), None))


def with_a_traceback(left: Left) -> None:
    (left.house.home / "logs" / "made.log").write_text("Traceback (most recent call last):\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (without_a_row, verdicts.none_missing),
        (with_a_row_twice, verdicts.once),
        (without_a_close, verdicts.once),
        (with_another_volume, verdicts.the_tapes_own),
        (with_a_made_candle, verdicts.known_origin),
        (with_an_old_entry, verdicts.fresh_entries),
        (with_a_halt, verdicts.halted_entries),
        (with_a_trouble, verdicts.recovered),
        (with_a_traceback, verdicts.no_traceback),
    ],
    ids=lambda each: each.__name__,
)
def test_what_is_broken_is_named(
    hour: Hour, broken: Callable[[Left], None], law: verdicts.Verdict
) -> None:
    left = Left(hour.house)
    before = [*law(hour, left)]
    broken(left)
    assert len([*law(hour, left)]) > len(before)


@pytest.mark.slow
def test_a_silence_or_a_sleep_that_nobody_noticed_is_named(hour: Hour) -> None:
    left = Left(hour.house)
    left.troubles.clear()
    begin_ms = left.closes[0]
    kinds = [Kind("silence", "socket")]
    trials = timetable(kinds, begin_ms, begin_ms + 15 * MINUTE_MS, MINUTE_MS)
    blind = Hour(hour.asked, hour.house, hour.venue, trials)
    assert [*verdicts.noticed_silence(blind, left)] == ["silence (socket): nobody noticed"]
    assert [*verdicts.slept(blind, left)] == ["nobody noticed that the machine slept"]


def test_every_fault_has_its_turn_wherever_it_can_meet_anybody() -> None:
    kinds = every(1, "BTC/USD")
    met = {(kind.name, kind.where) for kind in kinds}
    for name, meaning in KINDS.items():
        both = {(name, where) for where in meaning.meets}
        assert both <= met or (name, "both") in met
    assert len(set(kinds)) == len(kinds)
    assert every(1, "BTC/USD") == kinds
    assert sorted(every(2, "BTC/USD"), key=str) == sorted(kinds, key=str)
    assert every(2, "BTC/USD") != kinds


@pytest.mark.parametrize("minutes", [Asked().minutes, 62])
def test_an_hour_has_room_for_every_fault_and_a_pause_after_each(minutes: int) -> None:
    asked = Asked()
    hour_ms, sleep_ms = minutes * MINUTE_MS, asked.sleep_minutes * MINUTE_MS
    trials = timetable(every(asked.seed, "BTC/USD"), 0, hour_ms, sleep_ms)
    for one, after in pairwise(trials):
        assert one.ends_ms - one.begins_ms >= LEAST_MS
        assert one.ends_ms + LEAST_MS // 3 < after.begins_ms
    assert trials[-1].kind == SLEEP
    assert trials[-1].ends_ms < hour_ms


@pytest.mark.slow
async def test_faults_of_each_sort_and_a_sleep_cost_nothing_but_time(tmp_path: Path) -> None:
    if "HURRIED" not in os.environ:
        pytest.skip("a hurried market wants an idle machine: HURRIED=1")
    kinds = [Kind("silence", "socket"), Kind("http_500", "rest"), Kind("disconnect", "socket")]
    said = report(await lived(Asked(speed=40, minutes=17, kinds=kinds), tmp_path / "home"))
    assert said["failed"] == 0, "\n".join(told(said))
    seen = {one["fault"]: one["noticed"] for one in said["trials"]}
    assert seen["silence (socket)"] == "stream_silent"
    assert seen["disconnect (socket)"] == "stream_trouble"
    assert seen["suspend (machine)"] == "clock_jumped"
