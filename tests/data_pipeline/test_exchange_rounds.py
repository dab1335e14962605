"""What was given up is looked up later: whether anybody traded, REST knows once it answers."""

import pytest

from rrr.data_pipeline.exchange import Exchange, Gap, Manner, Why, exchange
from tests.data_pipeline.exchanges import NOON_MS, START_MS, Teller
from tests.data_pipeline.loopback import Loopback, Row, Time, right, says, walk


async def closes(market: Exchange, server: Loopback) -> list[tuple[int, ...]]:
    """What each close lacks: ETH is not answered for at the first, and is at all others."""
    server.faults.extend([right, *[says(503)] * 99])
    missing = []
    async for arrival in market.arrivals(0):
        missing.append(arrival.close.missing)
        server.faults.clear()
    return missing


@pytest.mark.parametrize("name", ["kraken", "coinbase"])
@pytest.mark.parametrize("traded", [True, False])
async def test_of_a_gap_that_nobody_traded_the_ledger_says_so_later(
    name: str, traded: bool
) -> None:
    def candle(symbol: str, at: int) -> Row | None:
        return walk(symbol, at) if traded or symbol == "BTC-USD" or at != NOON_MS else None

    clock, told, gaps = Time(START_MS), Teller(), list[Gap]()
    with Loopback(clock, candle) as server:
        async with exchange(
            name,
            ["BTC-USD", "ETH-USD"],
            "1m",
            candles=3,
            past=0,
            address=server.address,
            clock_ms=clock,
            told=told,
            manner=Manner(clock.wait, rate_limited=False),
            noted=gaps.append,
        ) as market:
            assert await closes(market, server) == [(1,), (), ()]
    known_later = [] if traded else [Gap("ETH-USD", NOON_MS, Why.NO_TRADES)]
    assert gaps == [Gap("ETH-USD", NOON_MS, Why.GAP), *known_later]
    assert told.names().count("late_candle") == int(traded)
