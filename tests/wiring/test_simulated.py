"""A simulated day is a function of its settings, whoever runs it, how fast, and however it dies."""

from pathlib import Path
from random import Random

import pytest

from rrr.data_pipeline.simulated import BEGINS_MS, PAST
from tests.storm.homes import House, begun, ended, kill, wait
from tests.wiring.daemons import BASELINE, CLOSE, SIGNAL, rows, said

pytestmark = pytest.mark.slow

TWO_DAYS = ("--candles", "48", *BASELINE)
LIVELY = ("--set", "trend.fast_candles=4", "--set", "trend.slow_candles=24")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A home that has lived through two days of the market of seed 1."""
    house = House(tmp_path_factory.mktemp("first"), TWO_DAYS)
    assert house.run().code == 0
    return house


def test_two_homes_of_one_seed_come_to_the_same_and_another_seed_does_not(
    tmp_path: Path, first: House
) -> None:
    twin = House(tmp_path / "twin", TWO_DAYS)
    other = House(tmp_path / "other", (*TWO_DAYS, "--seed", "2"))
    lives = [house.start() for house in (twin, other)]
    assert [ended(life).code for life in lives] == [0, 0]
    assert twin.says() == first.says()
    assert twin.state_hash() == first.state_hash() != other.state_hash()
    verdict = first.command("replay").told
    assert verdict["identical"]
    assert verdict["state_hash"] == first.state_hash()


def test_the_past_enters_and_nothing_is_decided_on_it(first: House) -> None:
    closes = [at_ms for at_ms, *_ in rows(first, CLOSE)]
    past = [at_ms for at_ms in closes if at_ms <= BEGINS_MS]
    assert (len(past), len(closes)) == (PAST, PAST + 48)
    decided = "SELECT min(at_ms) FROM journal WHERE kind NOT IN (1, 2, 3, 4, 8, 10, 21)"
    assert first.ask(decided) == [(BEGINS_MS + 3_600_000,)]
    assert {at_ms for at_ms, *_ in rows(first, SIGNAL)} == set(closes) - set(past)
    assert first.ask("SELECT count(*) FROM orders") > [(0,)]


def test_every_line_says_that_nobody_traded_this(tmp_path: Path) -> None:
    for speed in ("max", "200000"):
        life = said(tmp_path / speed, "--speed", speed, "--candles", "30", *BASELINE)
        lines = [line for line in life.out.splitlines() if line]
        assert (life.code, life.err) == (0, "")
        assert [line for line in lines if "SYNTHETIC" not in line] == []
        assert "\x1b" not in life.out
        assert any("state hash" in line for line in lines)
    for command in (["status"], ["logs", "trading", "-n", "99"], ["logs", "system"]):
        told = said(tmp_path / "max", *command)
        assert told.code == 0
        assert [line for line in told.out.splitlines() if "SYNTHETIC" not in line] == []


def test_who_is_killed_again_and_again_comes_to_the_same_end(tmp_path: Path) -> None:
    market = ("--candles", "200", *BASELINE, *LIVELY, "--symbols", "BTC-USD,SOL-USD")
    whole = House(tmp_path / "whole", market)
    expected = whole.run().told
    house, dice = House(tmp_path / "killed", market, speed="200000"), Random(7)
    died: list[int] = []
    while len(died) < 3:
        process = house.start()
        begun(process)
        assert not wait(process, dice.uniform(0, 1.2))
        died.append(kill(process).code)
    assert set(died) == {-9}
    assert House(house.home, market).run().told == expected
    assert expected["fills"] > 10
    assert house.says() == whole.says()
    assert house.command("replay").told["identical"]
