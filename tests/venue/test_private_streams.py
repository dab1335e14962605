"""What becomes of orders is told on sockets as ccxt reads it, to whoever signed for it."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.venue.keys import TRADER
from tests.venue.process import Venue, started
from tests.venue.talking import talk
from tests.venue.trading import House


@pytest.fixture(scope="module", params=["kraken", "binance", "coinbase"])
def running(request: pytest.FixtureRequest) -> Iterator[Venue]:
    with started(request.param, speed=60, tier="none") as venue:
        yield venue


async def test_ccxt_reads_an_order_its_fill_and_its_end(house: House) -> None:
    told: dict[str, list[dict[str, Any]]] = {}
    listening = asyncio.create_task(listen(house.ccxt, told))
    try:
        touch = house.venue.tape.touch(house.pair, house.venue.clock_ms())
        price = str((touch.bid - 100_000) / 10)
        taken = ""
        while "closed" not in states(told, taken):  # until it is heard at all
            taken = await house.venue.foreign(house.pair, "buy", "0.0005")
            await house.venue.wait(1)
        rests = await house.venue.foreign(house.pair, "buy", "0.01", price=price)
        while "open" not in states(told, rests):
            await house.venue.wait(1)
        last = told[taken][-1]
        assert (last["symbol"], last["side"], last["filled"]) == (house.pair, "buy", 0.0005)
        await house.venue.cancel(rests)
        while "canceled" not in states(told, rests):
            await house.venue.wait(1)
    finally:
        listening.cancel()


def states(told: dict[str, list[dict[str, Any]]], id: str) -> set[str]:
    return {str(row["status"]) for row in told.get(id, [])}


async def listen(ccxt: Any, told: dict[str, list[dict[str, Any]]]) -> None:
    while True:
        for row in await ccxt.watch_orders():
            told.setdefault(row["id"], []).append(dict(row))


BINANCE: tuple[dict[str, Any], ...] = (
    {},
    {"apiKey": TRADER.key, "timestamp": 0, "signature": "wrong"},
    {
        "apiKey": TRADER.key,
        "timestamp": 0,
        "signature": TRADER.plain_signature(f"apiKey={TRADER.key}&timestamp=0"),
    },
    {"apiKey": "nobody", "timestamp": 0, "signature": ""},
)


@pytest.mark.parametrize("params", BINANCE, ids=["nothing", "signature", "time", "stranger"])
async def test_binance_tells_nothing_to_who_does_not_sign(
    venue: Venue, params: dict[str, Any]
) -> None:
    if venue.name != "binance":
        pytest.skip("Binance's own way to sign.")
    async with talk(venue, "/ws-api.binance.com:443/ws-api/v3") as client:
        await client.say(id="1", method="userDataStream.subscribe.signature", params=params)
        said = await client.hear()
        assert (said["id"], said["status"]) == ("1", 400)
        assert said["error"]["code"] in (-1021, -1022, -2015)
        await client.say(id="2", method="ping")
        assert await client.hear() == {"id": "2", "status": 200, "result": {}}
        await venue.deposit("USDT", "1")
        await client.say(id="3", method="dance")
        assert (await client.hear())["error"]["msg"] == "Unsupported method."


async def test_coinbase_tells_nothing_to_who_does_not_sign(venue: Venue) -> None:
    if venue.name != "coinbase":
        pytest.skip("Coinbase's own way to sign.")
    async with talk(venue, "") as client:
        now = venue.clock_ms() // 1_000
        for key, at, words in (
            (TRADER.key, now, f"{now}user"),
            (TRADER.key, now - 3_600, f"{now - 3_600}userBTC-USD"),
            ("nobody", now, f"{now}userBTC-USD"),
        ):
            await client.say(
                type="subscribe",
                channel="user",
                product_ids=["BTC-USD"],
                api_key=key,
                timestamp=str(at),
                signature=TRADER.plain_signature(words),
            )
            assert json.loads(await client.hear_text()) == {
                "type": "error",
                "message": "authentication failure",
            }


async def test_coinbase_tells_only_of_the_products_that_were_asked_for(house: House) -> None:
    if house.venue.name != "coinbase":
        pytest.skip("Of the others the stream is of all instruments.")
    venue, now = house.venue, house.venue.clock_ms() // 1_000
    asked = {"api_key": TRADER.key, "timestamp": str(now), "product_ids": ["ETH-USD"]}
    signature = TRADER.plain_signature(f"{now}userETH-USD")
    async with talk(venue, "") as client:
        await client.say(type="subscribe", channel="user", signature=signature, **asked)
        held = (await client.hear())["events"][0]["subscriptions"]
        assert held == {"user": ["ETH-USD"]}
        assert (await client.hear())["events"][0]["type"] == "snapshot"
        await venue.foreign("BTC/USD", "buy", "0.01")
        id = await venue.foreign("ETH/USD", "buy", "0.1")
        (row,) = (await client.hear())["events"][0]["orders"]
        assert (row["order_id"], row["status"], row["product_id"]) == (id, "FILLED", "ETH-USD")
