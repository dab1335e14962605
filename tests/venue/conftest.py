"""Whoever has a venue `running` has one that is well, and a house at it."""

from collections.abc import AsyncIterator

import pytest

from tests.venue.process import Venue
from tests.venue.trading import House, housed


@pytest.fixture
async def venue(running: Venue) -> AsyncIterator[Venue]:
    await running.heal()
    yield running
    await running.heal()


@pytest.fixture
async def house(venue: Venue, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """Each test has orders of its own names, and does not mind what the others left."""
    await venue.deposit(venue.symbols[0].partition("/")[2], "50000")
    await venue.deposit("BTC", "1")
    number = [each.name for each in request.session.items].index(request.node.name)
    async with housed(venue, 1_000 * (1 + number)) as house:
        yield house
        await venue.heal()
        await venue.cancel()
