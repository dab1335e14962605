import asyncio
import gc
import json
import re
import socket
from email.utils import formatdate

import pytest

from rrr.core.errors import Unavailable
from rrr.data_pipeline.exchange import GRACE_MS, PATIENCE_MS
from rrr.data_pipeline.exchange_troubles import PAUSE_S_MAX, pause_s
from tests.data_pipeline.exchanges import (
    NOON_MS,
    START_MS,
    STEP_MS,
    Teller,
    all_of,
    opened,
    served,
)
from tests.data_pipeline.loopback import (
    COINBASE_SERVES,
    Answer,
    Fault,
    Loopback,
    Row,
    Time,
    hangs,
    right,
    says,
    truncated,
    walk,
)

BOTH = pytest.mark.parametrize("name", ["kraken", "coinbase"])
HTML = "<!DOCTYPE html><html><body>Bad gateway?token=1</body></html>"


def without_numbers(body: str) -> Answer:
    return Answer(body=re.sub(r'"\d[\d.]*"|\d{10}', "NaN", body))


FAULTS: dict[str, tuple[Fault, str]] = {
    "hang": (hangs, "does not answer within 0.3 s"),
    "500": (says(500, HTML), "answers with HTTP 500"),
    "502": (says(502, HTML), "answers with HTTP 502"),
    "503": (says(503, HTML), "answers with HTTP 503"),
    "403": (says(403, HTML), "answers with HTTP 403"),
    "401": (says(401, HTML), "asks for keys"),
    "429": (says(429, "{}", Retry_After="7"), "asks for fewer requests, and for a pause of 7 s"),
    "418": (says(418, "{}"), "asks for fewer requests, and for a pause of 120 s"),
    "HTML": (says(200, HTML), ""),
    "empty": (says(200, ""), ""),
    "truncated": (truncated, ""),
    "no object": (says(200, "7"), ""),
    "nothing": (says(200, "{}"), ""),
    "a list": (says(200, "[]"), ""),
    "null": (says(200, "null"), ""),
    "other": (says(200, '{"error": [], "result": [1], "products": 7, "candles": "no"}'), ""),
    "NaN": (without_numbers, ""),
    "endless": (says(200, '{"error": [], "result": {"a": 1e10000000}}'), "beyond all bounds"),
    "deep": (says(200, "[" * 100_000), ""),
    "refusal": (says(200, '{"error": ["EGeneral:Internal error"]}'), ""),
}
EACH = pytest.mark.parametrize(
    ("fault", "words"), list(FAULTS.values()), ids=[each.replace(" ", "-") for each in FAULTS]
)


@BOTH
@EACH
@pytest.mark.parametrize("where", ["markets", "candles"])
async def test_trouble_at_the_start_is_told_in_clear_words(
    name: str, fault: Fault, words: str, where: str
) -> None:
    clock = Time(START_MS)
    with Loopback(clock) as server:
        (server.faults if where == "candles" else server.market_faults).append(fault)
        with pytest.raises(Unavailable) as caught:
            async with opened(server, clock, name, timeout_ms=300):
                raise AssertionError("It must not open.")
    error = caught.value
    assert error.what.startswith(f"{name} ")
    assert words in error.what
    assert "--market" in error.advice or "--symbols" in error.advice
    assert not any(noise in error.what for noise in ("?", "://", "ccxt", "<", "Traceback", "\n"))
    assert len(error.what) < 220


async def test_nobody_there_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unavailable, match=r"kraken cannot be reached \(Connection refused\)"):
        async with opened(f"http://127.0.0.1:{port}", Time(START_MS)):
            raise AssertionError("It must not open.")


@EACH
@pytest.mark.parametrize("page", [1, 2, 3])
async def test_trouble_on_the_way_through_history_costs_no_candle(
    fault: Fault, words: str, page: int
) -> None:
    clock, wanted = Time(START_MS), 4 * COINBASE_SERVES - 10
    with Loopback(clock) as server:
        async with opened(server, clock, "coinbase", ["BTC-USD"], timeout_ms=300) as market:
            server.faults.extend([*[right] * page, fault])
            history = await asyncio.to_thread(market.history, wanted)
            server.faults.extend([says(503)] * 3)
            with pytest.raises(Unavailable, match="coinbase answers with HTTP 503"):
                await asyncio.to_thread(market.history, wanted)
    assert [close.opened_at_ms for close in history] == [
        NOON_MS - at * STEP_MS for at in range(wanted, 0, -1)
    ]


@pytest.mark.parametrize("fault", [says(200, HTML), truncated, says(200, '{"candles": []}')])
async def test_a_short_history_that_is_not_there_is_asked_for_again(fault: Fault) -> None:
    clock = Time(START_MS)
    with Loopback(clock) as server:
        async with opened(server, clock, "coinbase", ["BTC-USD"], candles=2) as market:
            await all_of(market)
            market._readers[0].shelf_begin = NOON_MS  # as if nothing had been kept
            server.faults.append(fault)
            assert len(await asyncio.to_thread(market.history, 50)) == 50


@pytest.mark.parametrize("fault", [says(200, HTML), truncated, says(200, "")])
async def test_what_is_no_json_is_no_beginning_of_a_history(fault: Fault) -> None:
    clock, wanted = Time(START_MS), 2 * COINBASE_SERVES
    with Loopback(clock) as server:
        async with opened(server, clock, "coinbase", ["BTC-USD"]) as market:
            server.faults.append(fault)
            assert len(await asyncio.to_thread(market.history, wanted)) == wanted


@BOTH
@EACH
async def test_trouble_while_running_is_told_once_and_costs_no_candle(
    name: str, fault: Fault, words: str
) -> None:
    clock, told = Time(START_MS), Teller()
    with Loopback(clock) as server:
        async with opened(server, clock, name, told=told, candles=4, timeout_ms=300) as market:
            closes = []
            async for arrival in market.arrivals(0):
                closes.append(arrival.close)
                if len(closes) == 1:
                    server.faults.append(fault)
    assert closes == [served(NOON_MS + at * STEP_MS) for at in range(4)]
    assert told.names() == ["exchange_trouble", "exchange_recovered"]
    assert words in told[0][1]
    assert not any(noise in told[0][1] for noise in ("?token", "://", "ccxt", "<html"))
    assert re.search(r"answers again, after \d+ (s|min)", told[1][1])


async def test_a_long_outage_is_told_once_and_asked_ever_more_rarely() -> None:
    clock, told = Time(START_MS), Teller()
    with Loopback(clock) as server:
        async with opened(server, clock, told=told, candles=30) as market:
            closes = []
            async for arrival in market.arrivals(0):
                closes.append(arrival.close)
                if len(closes) == 2:
                    server.faults.extend([says(503)] * 15)
                    clock.waits.clear()
    assert closes == [served(NOON_MS + at * STEP_MS) for at in range(30)]
    assert told.names() == ["exchange_trouble", "exchange_recovered"]
    pauses = clock.waits[2:17]  # after the naps until the next watermark
    assert all(2.0**at / 2 <= pause <= 2.0**at for at, pause in enumerate(pauses[:6]))
    assert all(PAUSE_S_MAX / 2 <= pause <= PAUSE_S_MAX for pause in pauses[6:])
    assert told[1][2]["lasted_ms"] == sum(int(pause * 1000) for pause in pauses)


async def test_two_kinds_of_trouble_are_told_each_and_end_together() -> None:
    clock, told = Time(START_MS), Teller()
    with Loopback(clock) as server:
        async with opened(server, clock, told=told, candles=2) as market:
            server.faults.extend([says(503), truncated, says(503), truncated])
            assert len(await all_of(market)) == 2
    assert told.names() == ["exchange_trouble"] * 2 + ["exchange_recovered"]
    assert told[2][2]["kinds"] == ["failing", "nonsense"]


async def test_one_instrument_in_trouble_keeps_the_others_waiting_only_so_long() -> None:
    clock, told = Time(START_MS), Teller()

    def withdrawn(body: str) -> Answer:
        ill = "XETHZUSD" in body and NOON_MS + 2 * STEP_MS < clock() < NOON_MS + 6 * STEP_MS
        return Answer(500) if ill else Answer(body=body)

    with Loopback(clock) as server:
        async with opened(server, clock, told=told, candles=8) as market:
            server.faults.extend([withdrawn] * 1000)
            closes = []
            async for arrival in market.arrivals(0):
                closes.append(arrival.close)
                late_ms = clock() - arrival.close.at_ms
                assert late_ms <= GRACE_MS + 4 * PATIENCE_MS
    lacking = [at for at, close in enumerate(closes) if close.missing]
    assert lacking
    assert lacking == list(range(lacking[0], lacking[-1] + 1))
    assert closes == [
        served(NOON_MS + at * STEP_MS, ["ETH-USD"] if at in lacking else []) for at in range(8)
    ]
    late = ["late_candle"] * len(lacking)
    assert told.names() == ["exchange_trouble", *late, "exchange_recovered"]


@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.parametrize("status", [429, 418])
async def test_an_exchange_that_asks_for_a_pause_gets_it(form: str, status: int) -> None:
    clock, told = Time(START_MS), Teller()
    pause_ms = 200_000
    with Loopback(clock) as server:
        async with opened(server, clock, "coinbase", told=told, candles=6) as market:
            asked_at: list[int] = []

            def note(body: str) -> Answer:
                asked_at.append(clock())
                when = formatdate((clock() + pause_ms) / 1000, usegmt=True)
                later = str(pause_ms // 1000) if form == "seconds" else when
                return Answer(status, "{}", (("Retry-After", later),))

            def answer(body: str) -> Answer:
                asked_at.append(clock())
                return right(body)

            server.faults.extend([note, answer])
            closes = [arrival.close for arrival in await all_of(market)]
    assert asked_at[1] - asked_at[0] >= pause_ms
    assert closes == [served(NOON_MS + at * STEP_MS) for at in range(6)]


async def test_an_answer_that_has_forgotten_a_candle_is_no_time_without_trades() -> None:
    clock, told = Time(START_MS), Teller()
    with Loopback(clock) as server:
        async with opened(server, clock, "coinbase", told=told, candles=2) as market:
            server.faults.append(says(200, json.dumps({"candles": []})))
            closes = [arrival.close for arrival in await all_of(market)]
    assert closes == [served(NOON_MS + at * STEP_MS) for at in range(2)]
    assert "coinbase no longer has the candle of 2024-01-01 11:59 UTC" in told[0][1]


async def test_an_exchange_that_withdraws_a_candle_is_believed_in_the_end() -> None:
    clock, told = Time(START_MS), Teller()

    def candle(symbol: str, at: int) -> Row | None:
        busted = at == NOON_MS and clock() > NOON_MS + 2 * STEP_MS
        return None if busted else walk(symbol, at)

    with Loopback(clock, candle) as server:
        async with opened(server, clock, "coinbase", ["BTC-USD"], told=told, candles=9) as market:
            closes = [arrival.close for arrival in await all_of(market)]
    assert [close.opened_at_ms for close in closes] == [NOON_MS + at * STEP_MS for at in range(9)]
    assert not any(close.missing for close in closes)
    assert told.names() == ["exchange_trouble", "exchange_recovered"]


async def test_a_clock_that_is_ahead_makes_no_candle_of_an_unfinished_one() -> None:
    clock, told = Time(START_MS), Teller()
    with Loopback(clock) as server:
        async with opened(server, clock, told=told, candles=3) as market:
            server.behind_ms = 20_000
            async for arrival in market.arrivals(0):
                assert server.now_ms >= arrival.close.at_ms
                assert arrival.close == served(arrival.close.opened_at_ms)
    assert "the clock of this machine is ahead" in told[0][1]


async def test_a_clock_that_is_an_hour_ahead_is_told_at_the_start() -> None:
    clock = Time(START_MS)
    wrong = pytest.raises(Unavailable, match="the clock of this machine is ahead")
    with Loopback(clock, behind_ms=3_600_000) as server, wrong:
        async with opened(server, clock):
            raise AssertionError("It must not open.")


async def test_whoever_is_cancelled_leaves_at_once_and_closes_the_door() -> None:
    clock = Time(START_MS)

    async def run(server: Loopback) -> None:
        async with opened(server, clock, timeout_ms=60_000) as market:
            server.faults.append(hangs)
            await all_of(market)

    with Loopback(clock) as server:
        running = asyncio.create_task(run(server))
        await asyncio.to_thread(server.hung.wait)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    gc.collect()  # What was left open would complain now.


def test_pauses_grow_to_a_minute_and_differ() -> None:
    assert len({pause_s(3) for _ in range(20)}) > 1
    for tries in range(1, 2_000):
        longest = min(2.0 ** (tries - 1), PAUSE_S_MAX) if tries < 100 else PAUSE_S_MAX
        assert longest / 2 <= pause_s(tries) <= longest
