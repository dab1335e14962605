"""Candles come as fast as was asked; who fell behind does not rush after what was missed."""

from types import SimpleNamespace

import pytest

from rrr.wiring import pace
from rrr.wiring.pace import BEHIND_S, Pace
from tests.builders import HOUR, START


class World:
    """A clock that only moves when somebody waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 5_000.0
        self.slept: list[float] = []
        monkeypatch.setattr(pace, "time", SimpleNamespace(monotonic=lambda: self.now_s))
        monkeypatch.setattr(pace, "asyncio", SimpleNamespace(sleep=self.sleep))

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


@pytest.mark.parametrize("speed", [1.0, 60.0, 3_600.0])
async def test_the_first_candle_comes_at_once_and_each_next_at_its_time(
    world: World, speed: float
) -> None:
    asked = Pace(speed, real=False)
    for n in range(4):
        await asked.until(START + n * HOUR)
    assert world.slept == pytest.approx([0] + [HOUR / 1000 / speed] * 3)


async def test_a_hole_in_the_market_takes_its_time(world: World) -> None:
    asked = Pace(3_600, real=False)
    await asked.until(START)
    await asked.until(START + 5 * HOUR)
    assert world.slept == pytest.approx([0, 5])


async def test_work_between_two_candles_is_no_delay(world: World) -> None:
    asked = Pace(3_600, real=False)
    for n in range(100):
        await asked.until(START + n * HOUR)
        world.now_s += 0.25
    assert world.slept[1:] == pytest.approx([0.75] * 99), "Delays would add up."


async def test_who_is_a_little_late_catches_up(world: World) -> None:
    asked = Pace(3_600, real=False)
    await asked.until(START)
    world.now_s += 1 + BEHIND_S - 0.5
    slept = await sleeps(world, asked, range(1, 8))
    assert slept == pytest.approx([0] * 5 + [0.5, 1])


async def test_who_slept_goes_on_from_here(world: World) -> None:
    asked = Pace(3_600, real=False)
    await asked.until(START)
    world.now_s += 86_400
    assert await sleeps(world, asked, range(1, 4)) == pytest.approx([0, 1, 1])


async def sleeps(world: World, asked: Pace, hours: range) -> list[float]:
    world.slept.clear()
    for n in hours:
        await asked.until(START + n * HOUR)
    return world.slept


@pytest.mark.parametrize(("speed", "real"), [("max", False), ("max", True), (1.0, True)])
async def test_full_speed_and_life_itself_are_never_waited_for(
    world: World, speed: float | str, real: bool
) -> None:
    asked = Pace(speed, real=real)
    for n in range(3):
        await asked.until(START + n * HOUR)
    assert world.slept == []
    assert asked.speed == 1


async def test_it_says_when_the_next_candle_is_due(world: World) -> None:
    asked = Pace(3_600, real=False)
    await asked.until(START)
    world.now_s += 0.4
    assert asked.delay_s(START + HOUR) == pytest.approx(0.6)
    world.now_s += 1
    assert asked.delay_s(START + HOUR) == pytest.approx(-0.4)
