"""ccxt and ccxt.pro, as they are, against the loopback; what they cannot check is read raw."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from zlib import crc32

import pytest

from tests.venue.kraken import SERVES
from tests.venue.process import Venue, started
from tests.venue.talking import Talk, as_levels, as_row, as_trade, get, sides, talk, trade, traded
from tests.venue.tape import LEVELS, LISTED_MS, MINUTE_MS

SYMBOLS = ["BTC/USD", "ETH/USD", "SOL/USD", "OXT/USD"]


@pytest.fixture(scope="module")
def venue() -> Iterator[Venue]:
    with started("kraken", speed=600) as running:
        yield running


async def test_instruments_have_their_real_rules(venue: Venue) -> None:
    async with traded(venue) as exchange:
        markets = await exchange.load_markets()
    assert list(markets) == SYMBOLS
    btc = markets["BTC/USD"]
    assert (btc["id"], btc["precision"]) == ("XXBTZUSD", {"amount": 1e-8, "price": 0.1})
    assert btc["limits"]["amount"]["min"] == 0.00005
    assert btc["limits"]["cost"]["min"] == 0.5
    assert (btc["taker"], btc["maker"], btc["active"]) == (0.004, 0.0025, True)


async def test_time_and_status_are_the_markets(venue: Venue) -> None:
    async with traded(venue) as exchange:
        before = venue.clock_ms()
        said = await exchange.fetch_time()
        assert before - 1_000 < said <= venue.clock_ms()
        assert (await exchange.fetch_status())["status"] == "ok"


@pytest.mark.parametrize("symbol", SYMBOLS)
async def test_candles_are_the_tapes(venue: Venue, symbol: str) -> None:
    end = venue.clock_ms() // MINUTE_MS * MINUTE_MS
    async with traded(venue) as exchange:
        rows = await exchange.fetch_ohlcv(symbol, "1m", end - 100 * MINUTE_MS, 100)
    assert [row[0] for row in rows] == list(range(end - 100 * MINUTE_MS, end, MINUTE_MS))
    on_tape = venue.tape.candles(symbol, MINUTE_MS, end - 100 * MINUTE_MS, end)
    assert [row for row in rows if row[5]] == [as_row(venue, symbol, each) for each in on_tape]


async def test_no_more_than_720_candles_are_served_and_the_last_is_unfinished(venue: Venue) -> None:
    async with traded(venue) as exchange:
        rows = await exchange.fetch_ohlcv("BTC/USD", "1m", LISTED_MS, 2_000)
        assert len(rows) == SERVES
        hours = await exchange.fetch_ohlcv("BTC/USD", "1h")
        now = venue.clock_ms()
    assert hours[-1][0] <= now < hours[-1][0] + 2 * 60 * MINUTE_MS


async def test_trades_page_by_their_cursor_without_a_gap_or_a_double(venue: Venue) -> None:
    end = venue.clock_ms()
    begin = end - 4 * 60 * MINUTE_MS
    found: list[dict[str, Any]] = []
    cursor = str(begin * 10**6 - 1)
    async with traded(venue) as exchange:
        await exchange.load_markets()
        while not found or found[-1]["timestamp"] < end:
            page = await exchange.fetch_trades("BTC/USD", None, 100, {"since": cursor})
            assert len(page) <= 100
            found += page
            cursor = page[-1]["info"][-1] if page else cursor  # ccxt hangs it on the last one
    inside = [int(each["id"]) for each in found if each["timestamp"] < end]
    assert inside == [each.id for each in venue.tape.prints("BTC/USD", begin, end)]


async def test_the_ticker_and_the_depth_are_the_tapes(venue: Venue) -> None:
    async with traded(venue) as exchange:
        await exchange.load_markets()
        before = venue.clock_ms()
        ticker = await exchange.fetch_ticker("ETH/USD")
        book = await exchange.fetch_order_book("ETH/USD")
        after = venue.clock_ms()
    moments = range(before // 1_000 * 1_000, after + 1, 1_000)
    depths = [venue.tape.depth("ETH/USD", at) for at in moments]
    levels = [as_levels(venue, "ETH/USD", each, LEVELS) for each in depths]
    assert [ticker["bid"], ticker["ask"]] in [[side[0][0] for side in each] for each in levels]
    assert sides(book) in levels


async def test_an_unknown_pair_method_or_interval_is_refused_in_its_words(venue: Venue) -> None:
    for path, words in {
        "/0/public/OHLC?pair=NOPE": "EQuery:Unknown asset pair",
        "/0/public/OHLC?pair=XXBTZUSD&interval=7": "EGeneral:Invalid arguments",
        "/0/public/Nope": "EGeneral:Unknown method",
    }.items():
        assert words in (await get(venue, path))[2]


async def test_the_socket_prints_the_tape(venue: Venue) -> None:
    async with traded(venue) as exchange:
        found: dict[str, dict[str, Any]] = {}
        while len(found) < 40:
            found |= {each["id"]: each for each in await exchange.watch_trades("BTC/USD")}
    printed = list(found.values())
    on_tape = venue.tape.prints("BTC/USD", printed[0]["timestamp"], printed[-1]["timestamp"] + 1)
    assert list(map(trade, printed)) == [as_trade(venue, "BTC/USD", each) for each in on_tape]


async def test_the_sockets_last_word_on_a_candle_is_the_tapes(venue: Venue) -> None:
    last_words: dict[int, list[float]] = {}
    async with traded(venue) as exchange:
        while len(last_words) < 12:
            rows = await exchange.watch_ohlcv("SOL/USD", "1m")
            last_words |= {row[0]: row for row in exchange.ohlcvs["SOL/USD"]["1m"]}
            assert rows
    *closed, _ = sorted(last_words)
    on_tape = venue.tape.candles("SOL/USD", MINUTE_MS, closed[0], closed[-1] + MINUTE_MS)
    assert [last_words[at] for at in closed] == [as_row(venue, "SOL/USD", each) for each in on_tape]


async def test_the_book_that_ccxt_keeps_is_the_tapes_depth(venue: Venue) -> None:
    async with traded(venue) as exchange:
        for _ in range(60):
            book = await exchange.watch_order_book("SOL/USD")
            at = book["timestamp"]
            if at is not None:
                depth = venue.tape.depth("SOL/USD", at)
                assert sides(book) == as_levels(venue, "SOL/USD", depth, 10)


@pytest.mark.parametrize(("symbol", "depth"), [("BTC/USD", 10), ("ETH/USD", 25), ("OXT/USD", 10)])
async def test_every_book_message_is_proven_by_its_checksum(
    venue: Venue, symbol: str, depth: int
) -> None:
    """By a twin that knows only the text of the messages, since ccxt's own check cannot run."""
    async with talk(venue, "/v2") as client:
        await client.say(method="subscribe", params=_book(symbol, depth))
        twin: dict[str, dict[str, str]] = {"bids": {}, "asks": {}}
        for _ in range(50):
            assert _checked(twin, await _heard(client, "book"), depth)


async def test_a_subscription_is_acknowledged_refused_and_ended_by_instrument(venue: Venue) -> None:
    async with talk(venue, "/v2") as client:
        assert (await client.hear())["data"][0]["system"] == "online"
        params = {"channel": "trade", "symbol": ["BTC/USD", "NO/USD"]}
        await client.say(method="subscribe", params=params, req_id=7)
        good, bad = await client.hear(), await client.hear()
        assert (good["success"], good["req_id"], good["result"]["symbol"]) == (True, 7, "BTC/USD")
        assert (bad["success"], bad["error"]) == (False, "Currency pair not supported NO/USD")
        await client.say(method="unsubscribe", params=params | {"symbol": ["BTC/USD"]}, req_id=8)
        while (said := await client.hear()).get("req_id") != 8:
            assert said["channel"] in ("trade", "heartbeat")
        assert said["success"]
        await client.say(method="ping", req_id=9)
        assert (await client.hear())["method"] == "pong"
        await client.say(method="dance")
        assert "Unsupported" in (await client.hear())["error"]
        await client.socket.send_str("{no json")
        assert (await client.hear())["error"] == "Malformed request"


async def test_a_quiet_socket_beats_and_a_touch_is_told_without_a_trade(venue: Venue) -> None:
    async with talk(venue, "/v2") as client:
        params = {"channel": "trade", "symbol": ["OXT/USD"]}
        await client.say(method="subscribe", params=params)
        assert await _heard(client, "heartbeat") == {"channel": "heartbeat"}
        params = {"channel": "ticker", "symbol": ["OXT/USD"], "event_trigger": "bbo"}
        await client.say(method="subscribe", params=params)
        touches = [(await _heard(client, "ticker"))["data"][0] for _ in range(5)]
    assert len({(each["bid"], each["bid_qty"], each["ask"]) for each in touches}) > 1


async def test_two_clients_are_told_the_same_and_the_log_knows_both(venue: Venue) -> None:
    async with talk(venue, "/v2") as one, talk(venue, "/v2") as two:
        for client in (one, two):
            await client.say(method="subscribe", params={"channel": "trade", "symbol": ["BTC/USD"]})
        heard = await asyncio.gather(_prints(one, 20), _prints(two, 20))
        log = await venue.log()
    assert len(set(heard[0]) & set(heard[1])) >= 10
    assert len(log["open"]) == 2
    assert log["sent"]["trade BTC/USD"] > 2
    said = [each["who"] for each in log["asked"] if each["asked"].startswith("says")]
    assert said[-2:] == [f"socket {number}" for number in log["open"]]


async def _prints(client: Talk, count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        found += [each["trade_id"] for each in (await _heard(client, "trade"))["data"]]
    return found


async def _heard(client: Talk, channel: str) -> Any:
    while (said := await client.hear()).get("channel") != channel:
        assert said.get("success", True)
    return said


def _book(symbol: str, depth: int) -> dict[str, Any]:
    return {"channel": "book", "symbol": [symbol], "depth": depth}


def _checked(twin: dict[str, dict[str, str]], message: Any, depth: int) -> bool:
    (data,) = message["data"]
    if message["type"] == "snapshot":
        twin |= {"bids": {}, "asks": {}}
    parts = []
    for side, best_first in (("asks", False), ("bids", True)):
        for level in data[side]:
            twin[side][level["price"]] = level["qty"]
        held = {price: quantity for price, quantity in twin[side].items() if Decimal(quantity)}
        prices = sorted(held, key=Decimal, reverse=best_first)[:depth]
        twin[side] = {price: held[price] for price in prices}
        for price in prices[:10]:
            parts += [price, held[price]]
    digits = "".join(part.replace(".", "").lstrip("0") for part in parts)
    return bool(crc32(digits.encode()) == data["checksum"])
