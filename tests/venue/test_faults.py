"""Each fault is met as it is told, from its beginning to its end, and by nobody else."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from aiohttp import ClientError

from tests.venue.faults import KINDS, Fault, Faults
from tests.venue.process import ROOT, Venue, loopback, started
from tests.venue.talking import Talk, get, raises, talk, traded
from tests.venue.venue_time import NOON_MS

TRADES = {"channel": "trade", "symbol": ["BTC/USD", "ETH/USD"]}
BOOK = {"channel": "book", "symbol": ["BTC/USD"]}


@pytest.fixture(scope="module")
def running() -> Iterator[Venue]:
    with started("kraken", speed=600) as venue:
        yield venue


async def test_a_silent_socket_answers_pings_and_beats_but_carries_no_data(venue: Venue) -> None:
    async with _subscribed(venue, TRADES) as client:
        await _trade(client)
        await venue.fault("silence")
        await _until_pong(venue, client, 6)
        said = await _until_pong(venue, client, 120)
        assert {each["channel"] for each in said} == {"heartbeat"}
        await venue.heal()
        await _trade(client)  # and it is over


async def test_silence_of_one_instrument_leaves_the_others_talking(venue: Venue) -> None:
    async with _subscribed(venue, TRADES) as client:
        await venue.fault("silence", symbol="BTC/USD")
        await _until_pong(venue, client, 6)
        later = await _until_pong(venue, client, 120)
    assert {each["data"][0]["symbol"] for each in later if "data" in each} == {"ETH/USD"}


async def test_a_disconnection_cuts_who_is_there_and_who_comes(venue: Venue) -> None:
    async with _subscribed(venue, TRADES) as client:
        await venue.fault("disconnect")
        with pytest.raises((ConnectionError, ClientError)):
            while True:
                await client.hear()
    with pytest.raises(ClientError):
        async with talk(venue, "/v2"):
            pass
    assert (await get(venue, "/0/public/Time"))[0] == 200


async def test_a_half_open_connection_says_nothing_at_all(venue: Venue) -> None:
    await venue.fault("half_open", where="socket")
    async with talk(venue, "/v2") as client:
        await client.say(method="ping")
        await client.socket.ping()
        first = asyncio.create_task(client.hear())
        await venue.wait(60)
        assert not first.done()
        await venue.heal()
        await client.say(method="ping")
        assert (await first)["method"] == "pong"


async def test_a_half_open_rest_never_answers(venue: Venue) -> None:
    import ccxt

    await venue.fault("half_open", where="rest")
    async with traded(venue, timeout=50) as exchange:
        with pytest.raises(ccxt.RequestTimeout):
            await exchange.fetch_time()


async def test_frozen_stamps_say_the_same_again(venue: Venue) -> None:
    async with _subscribed(venue, BOOK) as client:
        await _of(client, "book")
        await venue.fault("frozen_stamps")
        await _until_pong(venue, client, 6)
        said = [str(await _of(client, "book")) for _ in range(5)]
    assert len(set(said)) == 1


async def test_lost_messages_leave_holes_in_the_ids(venue: Venue) -> None:
    await venue.fault("lost", amount=2)
    ids = await _ids(venue, 30)
    assert set(range(min(ids), max(ids))) - set(ids)
    assert len(ids) == len(set(ids))


async def test_duplicated_messages_come_twice(venue: Venue) -> None:
    await venue.fault("duplicated")
    ids = await _ids(venue, 30)
    assert len(set(ids)) <= len(ids) // 2 + 2


async def test_reordered_messages_come_the_later_one_first(venue: Venue) -> None:
    await venue.fault("reordered")
    ids = await _ids(venue, 30)
    assert ids != sorted(ids)
    assert len(ids) == len(set(ids))


async def test_late_messages_are_as_old_as_told(venue: Venue) -> None:
    await venue.fault("late", amount=300_000)
    async with _subscribed(venue, BOOK) as client:
        (data,) = (await _of(client, "book"))["data"]
        late_ms = venue.clock_ms() - _ms(data["timestamp"])
    assert late_ms >= 300_000


async def test_a_bad_checksum_differs_from_the_right_one(venue: Venue) -> None:
    """That a right one is right, test_kraken says."""
    fault = await venue.fault("bad_checksum", symbol="BTC/USD")
    params = BOOK | {"symbol": ["BTC/USD", "ETH/USD"]}
    async with _subscribed(venue, params) as client:
        found = [(await _of(client, "book"))["data"][0] for _ in range(2)]
    from tests.venue.kraken_socket import checksum
    from tests.venue.tape import Depth

    for data in found:
        at = _ms(data["timestamp"])
        depth = venue.tape.depth(data["symbol"], at)
        cut = Depth(depth.bids[:10], depth.asks[:10])
        right = checksum(cut, venue.tape.coin(data["symbol"]).decimals)
        assert (data["checksum"] == right) == (data["symbol"] != fault.symbol)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("refuse", "ExchangeNotAvailable"),
        ("http_429", "DDoSProtection"),
        ("http_418", "DDoSProtection"),
        ("http_500", "ExchangeNotAvailable"),
        ("maintenance", "ExchangeNotAvailable"),
    ],
)
async def test_ccxt_raises_what_it_raises_in_the_world(venue: Venue, kind: str, error: str) -> None:
    await raises(venue, kind, error, "BTC/USD")


@pytest.mark.parametrize("kind", ["refuse", "http_429", "http_500", "html", "maintenance"])
async def test_whoever_dials_a_failing_venue_gets_no_socket(venue: Venue, kind: str) -> None:
    await venue.fault(kind)
    with pytest.raises(ClientError):
        async with talk(venue, "/v2"):
            pass


async def test_too_many_requests_say_when_to_come_again(venue: Venue) -> None:
    await venue.fault("http_429", amount=45)
    status, headers, _ = await get(venue, "/0/public/Time")
    assert (status, headers["Retry-After"]) == (429, "45")


@pytest.mark.parametrize("kind", ["html", "truncated"])
async def test_ccxt_takes_what_is_no_json_for_a_time_without_candles(
    venue: Venue, kind: str
) -> None:
    async with traded(venue) as exchange:
        await exchange.load_markets()
        await venue.fault(kind)
        assert await exchange.fetch_ohlcv("BTC/USD") == []


async def test_a_page_for_people_is_no_json(venue: Venue) -> None:
    await venue.fault("html")
    status, headers, body = await get(venue, "/0/public/Time")
    assert (status, headers["Content-Type"].split(";")[0], body[:6]) == (200, "text/html", "<html>")


async def test_maintenance_is_said_where_one_asks_for_the_status(venue: Venue) -> None:
    async with traded(venue) as exchange, talk(venue, "/v2") as client:
        await venue.fault("maintenance")
        assert (await exchange.fetch_status())["status"] == "maintenance"
        with pytest.raises((ConnectionError, ClientError)):
            while True:
                await client.hear()


async def test_half_of_a_message_is_no_json(venue: Venue) -> None:
    async with _subscribed(venue, BOOK) as client:
        await venue.fault("truncated", where="socket", symbol="BTC/USD")
        while (said := await client.hear_text()).endswith("}"):
            pass
    assert said.startswith('{"channel":"book"')


async def test_a_clock_that_is_ahead_is_ahead_in_everything(venue: Venue) -> None:
    await venue.fault("clock_offset", amount=3_600_000)
    async with traded(venue) as exchange:
        before = venue.clock_ms()
        said = await exchange.fetch_time()
        date_ms = parsedate_to_datetime(exchange.last_response_headers["Date"]).timestamp() * 1_000
        for at in (said, date_ms):
            assert -1_000 < at - 3_600_000 - before <= venue.clock_ms() - before
        (newest,) = await exchange.fetch_trades("BTC/USD", limit=1)
    assert newest["timestamp"] > venue.clock_ms()


async def test_a_fault_of_an_instrument_meets_only_requests_for_it(venue: Venue) -> None:
    await venue.fault("http_500", symbol="BTC/USD")
    assert (await get(venue, "/0/public/OHLC?pair=XXBTZUSD"))[0] == 500
    assert (await get(venue, "/0/public/OHLC?pair=XETHZUSD"))[0] == 200
    assert (await get(venue, "/0/public/Time"))[0] == 200


async def test_a_script_of_faults_is_read_at_the_start() -> None:
    script = [Fault("http_500", 0, NOON_MS - 1, where="rest")]
    async with loopback("kraken", speed=600, faults=script) as venue:
        assert (await get(venue, "/0/public/Time"))[0] == 500
        await venue.heal()
        assert (await get(venue, "/0/public/Time"))[0] == 200
        log = await venue.log()
    assert [each["outcome"] for each in log["asked"]] == ["500", "200"]


@pytest.mark.parametrize("signalled", [False, True])
def test_a_venue_ends_with_its_stdin_or_when_it_is_told_to(signalled: bool) -> None:
    command = [sys.executable, "-m", "tests.venue", "--venue", "kraken"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["address"].startswith("http://127.0.0.1:")
        if signalled:
            process.send_signal(signal.SIGTERM)
        else:
            process.stdin.close()
        assert process.wait() == 0


async def test_a_malformed_question_is_refused_and_the_venue_goes_on(venue: Venue) -> None:
    assert (await get(venue, "/0/public/OHLC?pair=XXBTZUSD&interval=soon"))[0] == 400
    assert (await get(venue, "/0/public/Time"))[0] == 200


def test_every_kind_says_what_it_means() -> None:
    assert all(meaning.words and meaning.meets <= {"socket", "rest"} for meaning in KINDS.values())


def test_a_fault_holds_from_its_beginning_until_its_end_for_whom_it_names() -> None:
    faults = Faults([Fault("silence", 10, 20, "BTC/USD")], start_ms=0)
    there = [at for at in range(30) if faults.now("silence", "socket", at, "BTC/USD")]
    assert there == list(range(10, 20))
    early = Faults([Fault("html", 10, 20)], start_ms=NOON_MS)
    assert early.now("html", "rest", NOON_MS + 10)
    for where, symbol in (("socket", "ETH/USD"), ("socket", None), ("rest", "BTC/USD")):
        assert faults.now("silence", where, 15, symbol) is None


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "gremlins", "from_ms": 0, "until_ms": 1},
        {"kind": "silence", "from_ms": 2, "until_ms": 1},
        {"kind": "silence", "from_ms": 0, "until_ms": 1, "where": "rest"},
    ],
)
def test_a_fault_that_means_nothing_is_not_taken(fault: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        Fault.read(fault)


@asynccontextmanager
async def _subscribed(venue: Venue, params: dict[str, Any]) -> AsyncIterator[Talk]:
    async with talk(venue, "/v2") as client:
        await client.say(method="subscribe", params=params)
        yield client


async def _of(client: Talk, channel: str) -> Any:
    while (said := await client.hear()).get("channel") != channel:
        pass
    return said


async def _trade(client: Talk) -> Any:
    return await _of(client, "trade")


async def _until_pong(venue: Venue, client: Talk, seconds: float) -> list[Any]:
    """All that is said in so many market seconds, before the answer to a ping."""
    await venue.wait(seconds)
    await client.say(method="ping")
    said: list[Any] = []
    while (each := await client.hear()).get("method") != "pong":
        said.append(each)
    return said


async def _ids(venue: Venue, count: int) -> list[int]:
    ids: list[int] = []
    async with _subscribed(venue, TRADES | {"symbol": ["BTC/USD"]}) as client:
        while len(ids) < count:
            ids += [each["trade_id"] for each in (await _trade(client))["data"]]
    return ids


def _ms(stamp: str) -> int:
    return int(datetime.fromisoformat(stamp).timestamp() * 1_000)
