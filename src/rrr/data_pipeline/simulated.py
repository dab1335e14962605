"""A market that nobody trades on: made of a seed, the same everywhere, learnable on purpose.

What leaves is marked synthetic, candle by candle. Profit here proves that the plumbing holds, and
says nothing about skill: docs/simulated.md.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Final

import numpy as np

from rrr.core.errors import NotFound, UsageError
from rrr.core.events import Close, Touch
from rrr.core.market import QUANTA, Candle, Source
from rrr.data_pipeline.instruments import Spec
from rrr.data_pipeline.market import Arrival, Quoted
from rrr.data_pipeline.recorded_files import symbol_name, symbol_parts
from rrr.data_pipeline.recorded_files import timeframe_ms as milliseconds
from rrr.data_pipeline.simulated_world import Coin, Columns, columns

BEGINS_MS: Final = 1_704_067_200_000  # 2024-01-01
HISTORY: Final = 8_760  # closes before it that can be had,
PAST: Final = 600  # and that arrive by themselves
WORLD: Final = 1  # another one, whenever the same seed makes other candles
CHUNK: Final = 1_024
GRAINS: Final = 8
NOTIONAL_MIN: Final = 5 * QUANTA

COINS: Final = {
    coin.symbol: coin
    for coin in (
        Coin("BTC-USD", 4, 100, 1_000, 42_000, 40_000_000, 3_800, 100, 870, 540),
        Coin("ETH-USD", 4, 100, 10_000, 2_300, 60_000_000, 4_700, 120, 870, 540),
        Coin("LINK-USD", 5, 100, 1_000_000, 15, 40_000_000, 6_500, 300, 724, 724),
        Coin("SOL-USD", 4, 100, 100_000, 100, 60_000_000, 6_200, 200, 768, 677),
    )
}


def simulated(
    symbols: Sequence[str], timeframe: str, seed: int, candles: int | None = None
) -> "Simulated":
    """The simulated market of these symbols; without symbols, of all it has."""
    asked = {symbol_name(symbol) for symbol in symbols} or set(COINS)
    for symbol in sorted(asked):
        if symbol not in COINS:
            raise NotFound(f"The simulated market has no {symbol}.", f"It has {', '.join(COINS)}.")
    step = milliseconds(timeframe)
    if BEGINS_MS % step:
        raise UsageError(
            f"The simulated market has no candles of {timeframe}.", "A day is its longest."
        )
    return Simulated(tuple(COINS[symbol] for symbol in sorted(asked)), step, seed, candles)


@dataclass(frozen=True, slots=True)
class Simulated:
    """`candles` closing times from `BEGINS_MS` on, or without end."""

    coins: tuple[Coin, ...]
    timeframe_ms: int
    seed: int
    candles: int | None = None

    @property
    def name(self) -> str:
        return "simulated"

    @property
    def title(self) -> str:
        span = "endless" if self.candles is None else f"{self.candles:,} closing times"
        return f"simulated market of seed {self.seed}, {span}"

    @property
    def synthetic(self) -> bool:
        return True

    @property
    def instruments(self) -> tuple[Quoted, ...]:
        return tuple(Quoted(_spec(coin), f"simulated {self.seed}") for coin in self.coins)

    @property
    def opens_ms(self) -> int:
        return BEGINS_MS - PAST * self.timeframe_ms

    @property
    def begins_ms(self) -> int:
        return BEGINS_MS

    @property
    def ends_ms(self) -> int | None:
        return None if self.candles is None else BEGINS_MS + self.candles * self.timeframe_ms

    @property
    def about(self) -> Mapping[str, Any]:
        return {
            "world": WORLD,
            "seed": self.seed,
            "begins_ms": self.begins_ms,
            "ends_ms": self.ends_ms,
        }

    def history(self, candles: int) -> list[Close]:
        """Up to `HISTORY` closes before the beginning, the oldest first."""
        begins = BEGINS_MS // self.timeframe_ms
        first = begins - max(min(candles, HISTORY), 0)
        return [arrival.close for arrival in self._arrivals(first, begins)]

    async def arrivals(self, after_ms: int) -> AsyncIterator[Arrival]:
        """Every closing time after this one, from `PAST` closes before the beginning on."""
        first = max(after_ms, BEGINS_MS - PAST * self.timeframe_ms) // self.timeframe_ms
        end = None if self.ends_ms is None else self.ends_ms // self.timeframe_ms
        for arrival in self._arrivals(first, end):
            yield arrival

    def health(self) -> None:
        """Nobody listens: it is made."""

    def _arrivals(self, first: int, end: int | None) -> Iterator[Arrival]:
        while end is None or first < end:
            stop = first - first % CHUNK + CHUNK
            stop = stop if end is None else min(stop, end)
            yield from self._chunk(first, stop)
            first = stop

    def _chunk(self, first: int, end: int) -> Iterator[Arrival]:
        step = self.timeframe_ms
        opened = range(first * step, end * step, step)
        closed = range((first + 1) * step, (end + 1) * step, step)
        made = [columns(self.seed, coin, step, first, end) for coin in self.coins]
        absent = _absent(made)
        met = zip(*(_candles(i, one) for i, one in enumerate(made)), strict=True)
        seen = zip(*(_touches(i, one, closed) for i, one in enumerate(made)), strict=True)
        for n, (candles, touches) in enumerate(zip(met, seen, strict=True)):
            missing = absent.get(n, ())
            if missing:
                candles = tuple(one for one in candles if one.instrument not in missing)
                touches = tuple(one for one in touches if one.instrument not in missing)
            close = Close(closed[n], opened[n], candles, missing)
            yield Arrival(close, touches, opened[n] < BEGINS_MS)


def _candles(instrument: int, made: Columns) -> Iterator[Candle]:
    figures = (made.open, made.high, made.low, made.close, made.volume)
    lists = (column.tolist() for column in figures)
    return map(Candle, repeat(instrument), *lists, repeat(int(Source.SYNTHETIC)))


def _touches(instrument: int, made: Columns, closed: Sequence[int]) -> Iterator[Touch]:
    return map(Touch, closed, repeat(instrument), made.bid.tolist(), made.ask.tolist())


def _absent(made: Sequence[Columns]) -> dict[int, tuple[int, ...]]:
    """The instruments that have no candle, by closing time; most are not there."""
    absent: dict[int, tuple[int, ...]] = {}
    for instrument, one in enumerate(made):
        for n in np.flatnonzero(~one.there).tolist():
            absent[n] = (*absent.get(n, ()), instrument)
    return absent


def _spec(coin: Coin) -> Spec:
    base, quote = symbol_parts(coin.symbol)
    return Spec(
        venue="simulated",
        symbol=coin.symbol,
        base=base,
        quote=quote,
        points=coin.points,
        grains=GRAINS,
        tick=coin.tick,
        lot=coin.lot,
        quantity_min=coin.lot,
        notional_min=NOTIONAL_MIN,
        inferred=False,
    )
