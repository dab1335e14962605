import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import pytest

from rrr.core.market import Candle, Source
from rrr.data_pipeline.download_prints import PAGE, Prints
from rrr.data_pipeline.exchange_client import Manner, connect
from rrr.data_pipeline.exchange_troubles import Trouble
from rrr.data_pipeline.instruments import Spec
from tests.data_pipeline.exchanges import NOON_MS, STEP_MS, Teller
from tests.data_pipeline.loopback import Answer, Loopback, right

NS = 1_000_000
SPEC = Spec("kraken", "BTC-USD", "BTC", "USD", 3, 8, 100, 1, 1, 0, False)


@dataclass
class Printing(Loopback):
    """Kraken's Trades: what was printed after a cursor, a thousand at once."""

    prints: list[tuple[int, str, str]] = field(default_factory=list)  # ns, price, quantity
    numbered: bool = True
    stuck: bool = False

    def answer(self, target: str) -> Answer:
        url = urlsplit(target)
        if not url.path.endswith("Trades"):
            return super().answer(target)
        self.asked.append(target)
        since = int(parse_qs(url.query)["since"][0])
        page = [(n, *one) for n, one in enumerate(self.prints) if one[0] > since][:PAGE]
        rows = [
            [price, quantity, at / 10**9, "b", "l", "", *([n] if self.numbered else [])]
            for n, at, price, quantity in page
        ]
        last = page[-1][1] if page and not self.stuck else since
        return right(json.dumps({"error": [], "result": {"XXBTZUSD": rows, "last": str(last)}}))


@asynccontextmanager
async def printed(
    server: Printing, begin: int = NOON_MS, minutes: int = 3
) -> AsyncIterator[Prints]:
    client = connect("kraken", "1m", server.address, Manner(rate_limited=False), Teller())
    try:
        await client.markets()
        yield Prints(client, "BTC/USD", SPEC, begin, begin + minutes * STEP_MS)
    finally:
        await client.close()


def at(minute: int, ms: int = 0) -> int:
    return (NOON_MS + minute * STEP_MS + ms) * NS


async def everything(prints: Prints) -> tuple[dict[int, Candle], dict[int, str]]:
    candles, refused = dict[int, Candle](), dict[int, str]()
    while prints.done_ms < prints.end_ms:
        more, bad = await prints.more()
        candles |= more
        refused |= bad
    return candles, refused


def candle(prices: str, volume: int) -> Candle:
    opened, high, low, closed = (int(price) * 1000 for price in prices.split())
    return Candle(0, opened, high, low, closed, volume, Source.BUILT)


async def test_a_print_belongs_to_the_candle_that_it_opens() -> None:
    prints = [
        (at(0) - 1, "50", "9"),
        (at(0), "100", "0.00000001"),
        (at(0, 59_999), "101", "0.5"),
        (at(1), "99", "0.25"),
        (at(2, 59_999), "98", "1"),
        (at(3), "1000", "9"),
    ]
    with Printing(prints=prints) as server:
        async with printed(server) as old:
            candles, refused = await everything(old)
    assert candles == {
        NOON_MS: candle("100 101 100 101", 50_000_001),
        NOON_MS + STEP_MS: candle("99 99 99 99", 25_000_000),
        NOON_MS + 2 * STEP_MS: candle("98 98 98 98", 10**8),
    }
    assert refused == {}


@pytest.mark.parametrize("numbered", [True, False])
async def test_a_page_that_ends_inside_a_candle_breaks_none(numbered: bool) -> None:
    step = 3 * STEP_MS * NS // (2 * PAGE + 500)
    prints = [(at(0) + n * step, str(100 + n % 7), "0.1") for n in range(2 * PAGE + 500)]
    with Printing(prints=prints, numbered=numbered) as server:
        async with printed(server) as old:
            assert await old.requests() in (3, 4)
            candles, _ = await everything(old)
    assert sum(each.volume for each in candles.values()) == len(prints) * 10**7
    for minute in range(3):
        inside = [price for ns, price, _ in prints if at(minute) <= ns < at(minute + 1)]
        prices = f"{inside[0]} {max(inside)} {min(inside)} {inside[-1]}"
        found = candles[NOON_MS + minute * STEP_MS]
        assert found == candle(prices, len(inside) * 10**7)


async def test_a_time_without_prints_has_no_candle_and_ends() -> None:
    with Printing(prints=[(at(-5), "1", "1"), (at(1, 500), "100", "1")]) as server:
        async with printed(server) as old:
            assert await old.requests() == 1
            candles, _ = await everything(old)
    assert list(candles) == [NOON_MS + STEP_MS]


async def test_a_print_that_is_none_takes_its_candle_with_it() -> None:
    prints = [(at(0), "100", "1"), (at(1), "0", "1"), (at(1, 5), "101", "1"), (at(2), "102", "1")]
    with Printing(prints=prints) as server:
        async with printed(server) as old:
            candles, refused = await everything(old)
    assert list(candles) == [NOON_MS, NOON_MS + 2 * STEP_MS]
    assert refused == {NOON_MS + STEP_MS: "a print in it is none: its price is zero"}


async def test_a_cursor_that_stands_still_is_a_trouble() -> None:
    with Printing(prints=[(at(0), "100", "1")], stuck=True) as server:
        async with printed(server) as old:
            with pytest.raises(Trouble, match="repeats its prints"):
                await old.more()
