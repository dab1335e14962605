"""Stamps only rise, pauses are kept by all, and an exit finds the reserve of the pace."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any, Final

import pytest
from pydantic import SecretStr

from rrr.config.keys import Keys
from rrr.core.errors import Unavailable
from rrr.data_pipeline.exchange_client import PAUSE_ASKED_S_MAX, Manner
from rrr.data_pipeline.exchange_pace import BAN_S
from rrr.data_pipeline.private_client import PAUSE_S, RECEIVE_MS, account, exits, signed
from tests.data_pipeline.loopback import Time
from tests.trading.live.wires import Ether, instance

NOON: Final = "Mon, 23 Nov 2026 12:00:00 GMT"

START_MS: Final = 1_800_000_000_000
GOOD: Final = (200, '{"error":[],"result":{"open":{}}}')


def keys(venue: str = "kraken", network: str = "live") -> Keys:
    return Keys(venue, network, "a test", SecretStr("a-long-key"), SecretStr("c2VjcmV0LW9uZQ=="))


@asynccontextmanager
async def speaking(
    ether: Ether, time: Time, clock_ms: Callable[[], int] | None = None, venue: str = "kraken"
) -> AsyncIterator[Any]:
    """As the house opens an account, with a network of two lists and markets of one pair."""

    def dressed(ccxt: Any) -> None:
        ccxt.own_session, ccxt.session = False, ether.session()
        known = instance(venue, ether)
        ccxt.set_markets(known.markets.values())

    manner = Manner(wait=time.wait, monotonic_ms=time, dressed=dressed)
    async with account(keys(venue), None, clock_ms or time, manner) as ccxt:
        yield ccxt


async def refused(ccxt: Any) -> str:
    from ccxt.base.errors import RateLimitExceeded

    with pytest.raises(RateLimitExceeded) as error:
        await ccxt.fetch_open_orders()
    return str(error.value)


async def test_a_stamp_never_repeats_and_never_goes_back_whatever_the_clock_does() -> None:
    told = iter([START_MS, START_MS, START_MS - 60_000, START_MS - 60_000, START_MS + 5])
    async with speaking(Ether(), Time(START_MS), lambda: next(told, START_MS + 9)) as ccxt:
        stamps = [ccxt.nonce() for _ in range(20)]
    assert all(before < after for before, after in pairwise(stamps))


async def test_stamps_that_leave_together_differ() -> None:
    ether, time = Ether([GOOD]), Time(START_MS)
    async with speaking(ether, time, lambda: START_MS) as ccxt:
        sign, stamps = ccxt.sign, list[int]()

        def noted(*given: Any, **named: Any) -> Any:
            found = sign(*given, **named)
            stamps.append(int(found["headers"]["API-Sign"] and ccxt.parse_nonce(found["body"])))
            return found

        ccxt.parse_nonce = lambda body: body.split("nonce=")[1].split("&")[0]
        ccxt.sign = noted
        await asyncio.gather(*(ccxt.fetch_open_orders() for _ in range(8)))
    assert len(set(stamps)) == len(stamps) == 8
    assert stamps == sorted(stamps)


async def test_a_request_is_stale_after_five_seconds() -> None:
    async with speaking(Ether(), Time(START_MS)) as ccxt:
        assert ccxt.options["recvWindow"] == RECEIVE_MS


@pytest.mark.parametrize(
    ("status", "headers", "pause_s"),
    [
        (429, {}, PAUSE_S),
        (418, {}, BAN_S),
        (429, {"Retry-After": "17"}, 17),
        (429, {"Retry-After": "999999999"}, PAUSE_ASKED_S_MAX),
        (429, {"retry-after": "Mon, 23 Nov 2026 12:00:40 GMT", "Date": NOON}, 40),
    ],
)
async def test_a_pause_that_is_wanted_is_kept_and_said(
    status: int, headers: dict[str, str], pause_s: float
) -> None:
    from ccxt.base.errors import NetworkError

    ether, time = Ether([(status, "{}"), GOOD]), Time(START_MS)
    async with speaking(ether, time) as ccxt:
        heard = ccxt.on_rest_response

        def answered(*told: Any) -> Any:
            return heard(*told[:4], {**told[4], **headers}, *told[5:])

        ccxt.on_rest_response = answered
        with pytest.raises(NetworkError):
            await ccxt.fetch_open_orders()
        asked = len(ether.sent)
        assert f"of which {pause_s:.0f} s are left" in await refused(ccxt)
        with exits():
            await refused(ccxt)
        assert len(ether.sent) == asked, "Nobody asks meanwhile, and no exit either."
        time.at_ms += int(pause_s * 1000)
        assert await ccxt.fetch_open_orders() == []


async def test_an_exit_spends_the_reserve_while_others_wait() -> None:
    ether, time = Ether([GOOD]), Time(START_MS)
    async with speaking(ether, time) as ccxt:
        while time.at_ms == START_MS:
            await ccxt.fetch_open_orders()
        waited_ms = time.at_ms
        with exits():
            await ccxt.fetch_open_orders()
        assert time.at_ms == waited_ms
        await ccxt.fetch_open_orders()
        assert time.at_ms > waited_ms


async def test_a_venue_that_names_no_instruments_is_unavailable() -> None:
    ether, time = Ether([(502, "<html>")]), Time(START_MS)

    def dressed(ccxt: Any) -> None:
        ccxt.own_session, ccxt.session = False, ether.session()

    manner = Manner(wait=time.wait, monotonic_ms=time, dressed=dressed)
    with pytest.raises(Unavailable, match="kraken does not name its instruments"):
        async with account(keys(), None, time, manner):
            pass


async def test_keys_of_the_test_network_never_speak_to_the_real_one() -> None:
    real, test = signed(keys("binance")), signed(keys("binance", "sandbox"))
    try:
        assert "testnet" in test.urls["api"]["private"]
        assert "testnet" not in real.urls["api"]["private"]
    finally:
        await asyncio.gather(real.close(), test.close())
