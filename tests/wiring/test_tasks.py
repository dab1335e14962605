"""What comes too late to act on teaches, and only a real market can be late."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from rrr.core.events import Close, Signal
from rrr.data_pipeline.market import Arrival, Market
from rrr.data_pipeline.simulated import BEGINS_MS, PAST
from rrr.trading.engine.engine import Moment
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
    assert [arrival.late for arrival in found] == [bool(late)] * 3


@pytest.mark.parametrize(("age_ms", "late"), [(60_000, False), (60_001, True)])
async def test_a_close_is_late_beyond_the_limit(tmp_path: Path, age_ms: int, late: bool) -> None:
    async with housed(tmp_path, market="kraken") as house:
        house.engine.clock = lambda: BEGINS_MS + HOUR_MS + age_ms
        arrival = house.timed(Arrival(Close(BEGINS_MS + HOUR_MS, BEGINS_MS, (), (0, 1, 2))))
    assert (arrival.past, arrival.late) == (False, late)


async def test_what_is_known_late_opens_nothing_and_exits_stay(tmp_path: Path) -> None:
    async with housed(tmp_path, speed="max") as house:
        found = await brought(house, 400)
        prompt = spoken(await house.opinions.meet(found))
        assert any(conviction > 0 for _, conviction in prompt)
    (tmp_path / "late").mkdir()
    async with housed(tmp_path / "late", speed="max") as house:
        late = spoken(await house.opinions.meet([one._replace(late=True) for one in found]))
        told = [note for note in house.teller.early if note.name == "late_close"]
    assert late == [(at, conviction) for at, conviction in prompt if conviction <= 0]
    assert late
    assert len(told) == 1


async def test_an_instrument_that_nobody_traded_is_not_stale(tmp_path: Path) -> None:
    quiet = Arrival(Close(BEGINS_MS + HOUR_MS, BEGINS_MS, (), (0, 1, 2)), silent=(1,))
    async with housed(tmp_path, market="simulated", speed="max") as house:

        async def arrivals(after_ms: int) -> AsyncIterator[Arrival]:
            yield quiet

        house.market = cast(Market, SimpleNamespace(arrivals=arrivals))
        await feed(house)
    assert house.arrived_s.keys() == {1}


def spoken(moments: list[Moment]) -> list[tuple[int, int]]:
    events = (event for moment in moments for event in moment.events)
    return [(e.at_ms, e.conviction_bps) for e in events if isinstance(e, Signal)]


async def test_who_was_stopped_before_the_feed_began_is_brought_nothing(tmp_path: Path) -> None:
    async with housed(tmp_path, speed="max") as house:
        house.stop.set()
        await feed(house)
        assert await house.arrivals.get() is None
        assert house.arrivals.empty()
