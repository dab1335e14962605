"""What comes too late to act on teaches, and only a real market can be late."""

import asyncio
from pathlib import Path

import pytest

from rrr.data_pipeline.market import Arrival
from rrr.data_pipeline.simulated import BEGINS_MS, PAST
from rrr.wiring.tasks import House, feed
from tests.wiring.rooms import housed

HOUR_MS = 3_600_000


async def brought(house: House, number: int) -> list[Arrival]:
    """The first closing times that the feed brings after the past."""
    feeding = asyncio.create_task(feed(house))
    found = [await house.arrivals.get() for _ in range(PAST + number)]
    house.stop.set()
    # Whoever waits for room in the queue has none before somebody takes from it.
    while not feeding.done():
        await house.arrivals.get()
        await asyncio.sleep(0)
    return [arrival for arrival in found[PAST:] if arrival is not None]


@pytest.mark.parametrize(("market", "late"), [("kraken", [True, True, False]), ("simulated", [])])
async def test_a_close_that_a_real_market_brings_too_late_is_past(
    tmp_path: Path, market: str, late: list[bool]
) -> None:
    speed = "max" if market == "simulated" else "1"
    async with housed(tmp_path, market=market, speed=speed) as house:
        assert house.settings.risk.stale_candles == 2
        house.engine.clock = lambda: BEGINS_MS + 5 * HOUR_MS
        found = await brought(house, 3)
    assert [arrival.close.at_ms for arrival in found] == [
        BEGINS_MS + n * HOUR_MS for n in (1, 2, 3)
    ]
    assert [arrival.past for arrival in found] == (late or [False] * 3)


async def test_who_was_stopped_before_the_feed_began_is_brought_nothing(tmp_path: Path) -> None:
    async with housed(tmp_path, speed="max") as house:
        house.stop.set()
        await feed(house)
        assert await house.arrivals.get() is None
        assert house.arrivals.empty()
