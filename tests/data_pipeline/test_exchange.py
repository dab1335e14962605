import asyncio
from typing import Any

import pytest

from rrr.core.errors import Unavailable
from rrr.data_pipeline.exchange import GRACE_MS
from rrr.data_pipeline.market import Market
from tests.data_pipeline.exchanges import (
    NOON_MS,
    START_MS,
    STEP_MS,
    SYMBOLS,
    Teller,
    all_of,
    opened,
    served,
)
from tests.data_pipeline.loopback import (
    KRAKEN_SERVES,
    Loopback,
    Row,
    Time,
    hangs,
    walk,
)

BOTH = pytest.mark.parametrize("name", ["kraken", "coinbase"])


def minute(number: int) -> int:
    return NOON_MS + number * STEP_MS


def half_made(clock: Time) -> Any:
    """As served, but what has not closed still has another volume."""

    def candle(symbol: str, at: int) -> Row | None:
        row = walk(symbol, at)
        assert row is not None
        return row if at + STEP_MS <= clock() else row._replace(volume="0.5")

    return candle


@BOTH
async def test_what_arrives_is_exactly_what_was_served(name: str) -> None:
    clock = Time(START_MS)
    with Loopback(clock, half_made(clock)) as server:
        async with opened(server, clock, name, candles=20, past=5) as market:
            house: Market = market
            assert (house.name, house.synthetic, house.timeframe_ms) == (name, False, STEP_MS)
            assert (house.opens_ms, house.begins_ms, house.ends_ms) == (
                minute(-5),
                NOON_MS,
                minute(20),
            )
            arrivals = await all_of(market)
    assert [arrival.close for arrival in arrivals] == [served(minute(at)) for at in range(-5, 20)]
    assert [arrival.past for arrival in arrivals] == [True] * 5 + [False] * 20


async def test_each_close_comes_at_its_watermark_for_one_request_an_instrument() -> None:
    clock = Time(START_MS)
    with Loopback(clock) as server:
        async with opened(server, clock, candles=4) as market:
            server.asked.clear()
            async for arrival in market.arrivals(0):
                assert clock() == arrival.close.at_ms + GRACE_MS
                assert len(server.candles_asked()) == len(SYMBOLS)
                server.asked.clear()


async def test_a_start_just_after_a_closing_time_waits_for_its_watermark() -> None:
    clock = Time(NOON_MS + 1_000)
    with Loopback(clock) as server:
        async with opened(server, clock) as market:
            assert clock() == NOON_MS + GRACE_MS
            assert market.begins_ms == NOON_MS


async def test_a_minute_without_trades_is_missing_and_still_a_closing_time() -> None:
    def candle(symbol: str, at: int) -> Row | None:
        quiet = at == minute(2) or (at == minute(1) and symbol == "ETH-USD")
        return None if quiet else walk(symbol, at)

    clock, told = Time(START_MS), Teller()
    with Loopback(clock, candle) as server:
        async with opened(server, clock, "coinbase", told=told, candles=4) as market:
            closes = [arrival.close for arrival in await all_of(market)]
    quiet = [served(minute(1), ["ETH-USD"]), served(minute(2), SYMBOLS)]
    assert closes == [served(minute(0)), *quiet, served(minute(3))]
    assert told == []


async def test_a_late_candle_is_told_once_and_never_decided_upon() -> None:
    clock, told = Time(START_MS), Teller()

    def candle(symbol: str, at: int) -> Row | None:
        slow = symbol == "SOL-USD" and at == minute(1) and clock() < minute(3)
        return None if slow else walk(symbol, at)

    with Loopback(clock, candle) as server:
        async with opened(server, clock, "coinbase", told=told, candles=5) as market:
            closes = [arrival.close for arrival in await all_of(market)]
    late = [served(minute(1), ["SOL-USD"])]
    assert closes == [served(minute(0)), *late, *(served(minute(at)) for at in (2, 3, 4))]
    assert told.names() == ["late_candle"]
    assert "SOL-USD of 2024-01-01 12:01 UTC came late" in told[0][1]


async def test_a_correction_is_told_and_changes_nothing() -> None:
    clock, told = Time(START_MS), Teller()

    def candle(symbol: str, at: int) -> Row | None:
        row = walk(symbol, at)
        assert row is not None
        corrected = at == minute(1) and symbol == "BTC-USD" and clock() > minute(2) + GRACE_MS
        return row._replace(volume="77") if corrected else row

    with Loopback(clock, candle) as server:
        async with opened(server, clock, told=told, candles=5) as market:
            closes = [arrival.close for arrival in await all_of(market)]
    assert closes == [served(minute(at)) for at in range(5)]
    assert told.names() == ["corrected_candle"]


@BOTH
async def test_what_closed_while_nobody_looked_is_past_and_complete(name: str) -> None:
    clock = Time(START_MS)
    away = 500  # minutes
    with Loopback(clock) as server:
        async with opened(server, clock, name, candles=2) as market:
            arrivals = await all_of(market, after_ms=minute(-away))
    assert [one.close for one in arrivals] == [served(minute(at)) for at in range(-away, 2)]
    assert [one.past for one in arrivals] == [True] * away + [False] * 2


async def test_a_machine_that_was_asleep_brings_every_close_in_its_order() -> None:
    clock = Time(START_MS)
    with Loopback(clock) as server:
        async with opened(server, clock, candles=40) as market:
            closes = []
            async for arrival in market.arrivals(0):
                closes.append(arrival.close)
                if len(closes) == 3:
                    clock.at_ms += 30 * STEP_MS
    assert closes == [served(minute(at)) for at in range(40)]


@BOTH
async def test_history_ends_where_trading_begins(name: str) -> None:
    clock, wanted = Time(START_MS), 1_000
    with Loopback(clock) as server:
        async with opened(server, clock, name) as market:
            history = await asyncio.to_thread(market.history, wanted)
            assert await asyncio.to_thread(market.history, 0) == []
            assert await asyncio.to_thread(market.history, 2) == history[-2:]
    count = KRAKEN_SERVES - 1 if name == "kraken" else wanted  # the last of Kraken's is unfinished
    assert history == [served(minute(at)) for at in range(-count, 0)]


async def test_a_history_on_its_way_ends_with_the_exchange() -> None:
    clock = Time(START_MS)
    with Loopback(clock) as server:
        async with opened(server, clock, "coinbase", timeout_ms=60_000) as market:
            server.faults.append(hangs)
            reading = asyncio.create_task(asyncio.to_thread(market.history, 1_000))
            await asyncio.to_thread(server.hung.wait)
        with pytest.raises(Unavailable, match="left while its history was read"):
            await reading


Wrong = tuple[str, Row, str]
AT = minute(1)
GOOD = Row(AT, "65000.5", "65001.0", "64999.9", "65000.0", "1.5")
WRONG: list[Wrong] = [
    ("nan", GOOD._replace(high="nan"), "its high is no number"),
    ("infinite", GOOD._replace(high="inf"), "its high is no number"),
    ("text", GOOD._replace(close="many"), "its close is no number"),
    ("null", GOOD._replace(open=None), "its open is no number"),
    ("negative", GOOD._replace(low="-1"), "its low is -1"),
    ("zero", GOOD._replace(low="0"), "its low is 0"),
    ("no volume", GOOD._replace(volume="-0.1"), "its volume is -0.1"),
    ("upside down", GOOD._replace(high="64999.8"), "its high and low do not hold"),
    ("off the grid", GOOD._replace(opened_at_ms=AT + 7_000), "it opens between the times"),
    ("fine", GOOD._replace(open="65000.00001"), "has more decimals than its points, 3"),
    ("huge", GOOD._replace(high="1e15"), "its high 1e+15 does not fit into 64 bits"),
    ("huge volume", GOOD._replace(volume="1e12"), "its volume 1e+12 does not fit into 64 bits"),
]


@BOTH
@pytest.mark.parametrize(("row", "why"), [each[1:] for each in WRONG], ids=[w[0] for w in WRONG])
async def test_a_bad_row_is_refused_by_name_and_not_there(name: str, row: Row, why: str) -> None:
    def twist(symbol: str, rows: list[Row]) -> list[Row]:
        return [row if r.opened_at_ms == AT and symbol == "BTC-USD" else r for r in rows]

    clock, told = Time(START_MS), Teller()
    with Loopback(clock, twist=twist) as server:
        async with opened(server, clock, name, told=told, candles=4) as market:
            closes = [arrival.close for arrival in await all_of(market)]
    expected = [served(minute(at)) for at in range(4)]
    expected[1] = served(AT, ["BTC-USD"])
    assert closes == expected
    assert told.names() == ["bad_candle"]
    assert "BTC-USD of 2024-01-01 12:01 UTC is refused" in told[0][1]
    assert why in told[0][1]


async def test_rows_may_come_twice_and_in_any_order_but_not_contradict_each_other() -> None:
    def twist(symbol: str, rows: list[Row]) -> list[Row]:
        other = [r._replace(volume="9") for r in rows if r.opened_at_ms == AT]
        return [*rows, *other] if symbol == "ETH-USD" else [*reversed(rows), *rows]

    clock, told = Time(START_MS), Teller()
    with Loopback(clock, twist=twist) as server:
        async with opened(server, clock, told=told, candles=3) as market:
            closes = [arrival.close for arrival in await all_of(market)]
    assert closes == [served(minute(0)), served(AT, ["ETH-USD"]), served(minute(2))]
    assert told.names() == ["bad_candle"]
    assert "it came twice, and differently" in told[0][1]


@pytest.mark.parametrize("at", [-1, 0, 10**15])
async def test_a_candle_of_no_possible_time_is_no_silence(at: int) -> None:
    def twist(_: str, rows: list[Row]) -> list[Row]:
        return [*rows[:-1], rows[-1]._replace(opened_at_ms=at)]

    clock = Time(START_MS)
    refused = pytest.raises(Unavailable, match="something of another shape")
    with Loopback(clock, twist=twist) as server, refused:
        async with opened(server, clock, candles=3):
            raise AssertionError("It must not open.")


async def test_stamps_that_jump_back_or_ahead_are_nobodys_candles() -> None:
    def twist(_: str, rows: list[Row]) -> list[Row]:
        astray = [rows[-1]._replace(opened_at_ms=at) for at in (60_000, minute(-999), minute(600))]
        return [*rows, *astray]

    clock, told = Time(START_MS), Teller()
    with Loopback(clock, twist=twist) as server:
        async with opened(server, clock, told=told, candles=3, past=2) as market:
            closes = [arrival.close for arrival in await all_of(market)]
    assert closes == [served(minute(at)) for at in range(-2, 3)]
    assert told == []
