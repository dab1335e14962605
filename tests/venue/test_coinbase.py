"""ccxt and ccxt.pro, as they are, against the loopback's Coinbase Advanced."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.venue.coinbase_socket import CANDLE_MS
from tests.venue.process import Venue, started
from tests.venue.talking import (
    Talk,
    as_levels,
    as_row,
    as_trade,
    get,
    raises,
    sides,
    talk,
    trade,
    traded,
)
from tests.venue.tape import LEVELS, MINUTE_MS

SYMBOLS = ["BTC/USD", "ETH/USD", "SOL/USD", "OXT/USD"]


@pytest.fixture(scope="module")
def running() -> Iterator[Venue]:
    with started("coinbase", speed=600) as venue:
        yield venue


async def test_instruments_have_their_real_rules(venue: Venue) -> None:
    async with traded(venue) as exchange:
        markets = await exchange.load_markets()
    assert list(markets) == SYMBOLS
    btc = markets["BTC/USD"]
    assert (btc["id"], btc["active"], btc["spot"]) == ("BTC-USD", True, True)
    assert (btc["precision"]["amount"], btc["precision"]["price"]) == (1e-8, 0.1)
    assert btc["limits"]["cost"]["min"] == 1


async def test_time_is_the_markets(venue: Venue) -> None:
    async with traded(venue) as exchange:
        for method in ("v2PublicGetTime", "v3PublicGetBrokerageTime"):
            before = venue.clock_ms()
            said = await exchange.fetch_time({"method": method})
            assert before - 1_000 < said <= venue.clock_ms()


@pytest.mark.parametrize("symbol", SYMBOLS)
async def test_candles_are_the_tapes_and_a_quiet_minute_has_none(venue: Venue, symbol: str) -> None:
    end = venue.clock_ms() // MINUTE_MS * MINUTE_MS
    begin = end - 100 * MINUTE_MS
    async with traded(venue) as exchange:
        rows = await exchange.fetch_ohlcv(symbol, "1m", begin, 100)
    on_tape = venue.tape.candles(symbol, MINUTE_MS, begin, end)
    assert [row for row in rows if row[0] < end] == [as_row(venue, symbol, c) for c in on_tape]
    assert (len(on_tape) < 60) == (symbol == "OXT/USD")


async def test_a_page_is_below_350_candles(venue: Venue) -> None:
    end = venue.clock_ms() // 1_000
    path = "/api/v3/brokerage/market/products/BTC-USD/candles?granularity=ONE_MINUTE"
    status, _, body = await get(venue, f"{path}&start={end - 350 * 60}&end={end}")
    assert (status, "less than 350" in body) == (400, True)
    assert (await get(venue, f"{path}&start={end - 349 * 60}&end={end}"))[0] == 200


async def test_prints_the_touch_and_the_depth_are_the_tapes(venue: Venue) -> None:
    async with traded(venue) as exchange:
        await exchange.load_markets()
        before = venue.clock_ms()
        trades = await exchange.fetch_trades("SOL/USD", None, 50)
        ticker = await exchange.fetch_ticker("SOL/USD")
        book = await exchange.fetch_order_book("SOL/USD")
        after = venue.clock_ms()
    begin, end = trades[0]["timestamp"], trades[-1]["timestamp"] + 1
    on_tape = venue.tape.prints("SOL/USD", begin, end)
    assert list(map(trade, trades)) == [as_trade(venue, "SOL/USD", each) for each in on_tape][-50:]
    depths = [venue.tape.depth("SOL/USD", at) for at in range(before, after + 1_000, 1_000)]
    levels = [as_levels(venue, "SOL/USD", each, LEVELS) for each in depths]
    assert sides(book) in levels
    assert [ticker["bid"], ticker["ask"]] in [[side[0][0] for side in each] for each in levels]


async def test_the_socket_prints_the_tape(venue: Venue) -> None:
    found: dict[str, dict[str, Any]] = {}
    async with traded(venue) as exchange:
        while len(found) < 90:
            found |= {each["id"]: each for each in await exchange.watch_trades("BTC/USD")}
    printed = list(found.values())
    begin, end = printed[0]["timestamp"], printed[-1]["timestamp"] + 1
    on_tape = venue.tape.prints("BTC/USD", begin, end)
    assert list(map(trade, printed)) == [as_trade(venue, "BTC/USD", each) for each in on_tape]


async def test_the_book_that_ccxt_keeps_is_the_tapes_depth(venue: Venue) -> None:
    async with traded(venue) as exchange:
        for _ in range(60):
            book = await exchange.watch_order_book("ETH/USD")
            depth = venue.tape.depth("ETH/USD", book["timestamp"])
            assert sides(book) == as_levels(venue, "ETH/USD", depth, LEVELS)


async def test_the_ticker_is_told_with_every_trade(venue: Venue) -> None:
    async with traded(venue) as exchange:
        said = [await exchange.watch_ticker("BTC/USD") for _ in range(5)]
    assert len({each["last"] for each in said}) > 1
    assert all(each["bid"] < each["ask"] for each in said)


async def test_the_last_word_on_a_candle_of_five_minutes_is_the_tapes(venue: Venue) -> None:
    """ccxt does not know this channel."""
    last_words: dict[int, dict[str, str]] = {}
    async with _subscribed(venue, "candles") as client:
        while len(last_words) < 22:
            (event,) = (await _heard(client, "candles"))["events"]
            last_words |= {int(each["start"]) * 1_000: each for each in event["candles"]}
    *closed, _ = sorted(last_words)
    on_tape = venue.tape.candles("BTC/USD", CANDLE_MS, closed[0], closed[-1] + CANDLE_MS)
    names = ("open", "high", "low", "close", "volume")
    said = [[at, *(float(last_words[at][name]) for name in names)] for at in closed]
    assert said == [as_row(venue, "BTC/USD", each) for each in on_tape]


async def test_the_messages_of_a_connection_are_numbered_without_a_hole(venue: Venue) -> None:
    async with _subscribed(venue, "level2") as client:
        await client.say(type="subscribe", product_ids=["ETH-USD"], channel="market_trades")
        await client.say(type="subscribe", channel="heartbeats")
        said = [await client.hear() for _ in range(60)]
    assert [each["sequence_num"] for each in said] == list(range(60))
    channels = {each["channel"] for each in said}
    assert channels == {"subscriptions", "l2_data", "market_trades", "heartbeats"}


@pytest.mark.parametrize(("kind", "amount"), [("bad_checksum", None), ("lost", 2)])
async def test_a_broken_book_shows_in_the_numbers(
    venue: Venue, kind: str, amount: int | None
) -> None:
    async with _subscribed(venue, "level2") as client:
        await _heard(client, "l2_data")
        await venue.fault(kind, amount=amount)
        numbers = [(await client.hear())["sequence_num"] for _ in range(40)]
    assert numbers != list(range(numbers[0], numbers[0] + 40))


async def test_a_subscription_is_listed_ended_and_refused(venue: Venue) -> None:
    async with _subscribed(venue, "ticker") as client:
        await client.say(type="unsubscribe", product_ids=["BTC-USD"], channel="ticker")
        said = [(await _heard(client, "subscriptions"))["events"] for _ in range(2)]
        assert said[0] == [{"subscriptions": {"ticker": ["BTC-USD"]}}]
        assert said[1] == [{"subscriptions": {}}]
        await client.say(type="subscribe", channel="dance")
        assert (await client.hear())["type"] == "error"


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("refuse", "ExchangeNotAvailable"),
        ("http_429", "RateLimitExceeded"),
        ("http_500", "ExchangeError"),
        ("maintenance", "ExchangeNotAvailable"),
    ],
)
async def test_ccxt_raises_what_it_raises_in_the_world(venue: Venue, kind: str, error: str) -> None:
    await raises(venue, kind, error, "BTC/USD", "1m", venue.clock_ms() - 10 * MINUTE_MS, 5)


@asynccontextmanager
async def _subscribed(venue: Venue, channel: str) -> AsyncIterator[Talk]:
    async with talk(venue, "/") as client:
        await client.say(type="subscribe", product_ids=["BTC-USD"], channel=channel)
        yield client


async def _heard(client: Talk, channel: str) -> Any:
    while (said := await client.hear()).get("channel") != channel:
        pass
    return said
