"""An exchange as the house opens it, over the loopback, with a clock that the test owns."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from rrr.core.events import Close
from rrr.core.market import Candle, Source
from rrr.data_pipeline.exchange import Exchange, Manner, exchange
from rrr.data_pipeline.market import Arrival
from tests.data_pipeline.loopback import Loopback, Time, walk

STEP_MS = 60_000
NOON_MS = 1_704_110_400_000  # 2024-01-01 12:00 UTC
START_MS = NOON_MS + 20_000
SYMBOLS = ("BTC-USD", "ETH-USD", "SOL-USD")
POINTS = dict(zip(SYMBOLS, (3, 4, 4), strict=True))


class Teller(list[tuple[str, str, dict[str, Any]]]):
    """Remembers what was told."""

    def __call__(self, name: str, words: str, detail: dict[str, Any]) -> None:
        self.append((name, words, detail))

    def names(self) -> list[str]:
        return [name for name, _, _ in self]

    def words(self, name: str) -> list[str]:
        return [words for told, words, _ in self if told == name]


@asynccontextmanager
async def opened(
    server: Loopback | str,
    clock: Time,
    name: str = "kraken",
    symbols: Sequence[str] = SYMBOLS,
    *,
    told: Teller | None = None,
    candles: int | None = None,
    past: int = 0,
    timeframe: str = "1m",
    timeout_ms: int = 2_000,
) -> AsyncIterator[Exchange]:
    async with exchange(
        name,
        symbols,
        timeframe,
        candles=candles,
        past=past,
        address=server if isinstance(server, str) else server.address,
        clock_ms=clock,
        told=Teller() if told is None else told,
        manner=Manner(clock.wait, timeout_ms, rate_limited=False, monotonic_ms=clock),
    ) as market:
        yield market


async def all_of(market: Exchange, after_ms: int = 0) -> list[Arrival]:
    return [arrival async for arrival in market.arrivals(after_ms)]


def served(opened_at_ms: int, missing: Sequence[str] = ()) -> Close:
    """The close that the loopback's own candles make."""
    there = [symbol for symbol in SYMBOLS if symbol not in missing]
    return Close(
        opened_at_ms + STEP_MS,
        opened_at_ms,
        tuple(_whole(symbol, opened_at_ms) for symbol in there),
        tuple(SYMBOLS.index(symbol) for symbol in missing),
    )


def _whole(symbol: str, opened_at_ms: int) -> Candle:
    row = walk(symbol, opened_at_ms)
    assert row is not None
    prices = [_digits(price, POINTS[symbol]) for price in row[1:5]]
    volume = _digits(row.volume, 8)
    return Candle._make([SYMBOLS.index(symbol), *prices, volume, Source.REST])


def _digits(text: str, decimals: int) -> int:
    whole, _, rest = text.partition(".")
    assert len(rest) <= decimals
    return int(whole + rest.ljust(decimals, "0"))
