"""A seeded handful of each storm; `scripts/storm all` blows the long ones."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.storm import storms
from tests.storm.homes import House, begun, kill, made
from tests.storm.storms import EVERY_DECISION, Tally, announcements

pytestmark = pytest.mark.slow


def test_kill_dash_nine_at_random_moments_changes_nothing(tmp_path: Path) -> None:
    tally = storms.kills(tmp_path, 7, 5, made(tmp_path / "market", 7, hours=500))
    assert tally.failures == [], tally.in_words()
    assert tally.tried == 5


def test_one_of_many_starts_trades_and_its_lock_dies_with_it(tmp_path: Path) -> None:
    assert storms.starts(tmp_path, 7, 5).failures == []


def test_a_stop_ends_well_with_all_that_was_announced_on_the_disk(tmp_path: Path) -> None:
    tally = storms.terms(tmp_path, 7, 3, made(tmp_path / "market", 7, hours=120))
    assert tally.failures == [], tally.in_words()
    assert tally.tried >= 3


def test_one_seed_is_one_history_in_fresh_processes(tmp_path: Path) -> None:
    tally = storms.seeds(tmp_path, 7, 2)
    assert tally.failures == []
    assert tally.figures["different hashes"] == 2


@pytest.mark.parametrize("number", [1, 5])
def test_what_is_announced_is_on_the_disk_already(tmp_path: Path, number: int) -> None:
    """Killed right after a line was read: the fill that it told of is there."""
    house = House(tmp_path / "home", made(tmp_path / "market", 7, hours=200), EVERY_DECISION)
    process = house.start()
    begun(process)
    assert process.stderr is not None
    told: list[tuple[str, str, str]] = []
    for line in process.stderr:
        told += announcements(line)
        if len(told) == number:
            break
    told += announcements(kill(process).err)
    known = house.ask("SELECT at_utc, side, symbol FROM recent_fills")
    assert len(told) >= number
    assert set(told) <= set(known)


@pytest.mark.parametrize(("storm", "seed"), [(storms.kills, 1), (storms.terms, 2)])
def test_longer_storms_pass_too(
    tmp_path: Path, storm: Callable[[Path, int, int, tuple[str, ...]], Tally], seed: int
) -> None:
    tally = storm(tmp_path, seed, 10, made(tmp_path / "market", seed, hours=500))
    assert tally.failures == [], tally.in_words()
