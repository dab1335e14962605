"""A market of a seed: each candle opens where the last one closed, and goes tick by tick.

No price is passed over: whatever waits for one meets it, and a touch of one width around it, deep
enough for anybody. Time stands until somebody lets it step. The lot is so coarse that a venue which
cuts costs and fees to five decimals cuts nothing off.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from rrr.core import events, market
from rrr.core.market import Source
from tests.venue.tape import GRAINS, MINUTE_MS, Coin, Depth, Level, Print, Tape
from tests.venue.venue_time import NOON_MS

HALF: Final = 2  # points between the mid and either side of the touch
DECIMALS: Final = 2
LOT: Final = 10**GRAINS
PRICES: Final = {"SOL": 15_000, "LTC": 9_000, "AVAX": 5_000}

_DEEP: Final = 10**15
_BPS: Final = 10_000


@dataclass(slots=True)
class Standing:
    """The market's time, in the place of one that runs."""

    at_ms: int = NOON_MS

    def now_ms(self) -> int:
        return self.at_ms

    def world_s(self, market_ms: float) -> float:
        return market_ms / 1_000


class Stepped(Tape):
    def __init__(self, seed: int, closes: int, quote: str = "USD") -> None:
        super().__init__(seed, quote)
        usual = next(iter(self.coins.values()))
        self.coins = {
            f"{name}/{quote}": usual._replace(name=name, price=price, decimals=DECIMALS)
            for name, price in PRICES.items()
        }
        self._steps = {s: _walk(Random(f"{seed} {s}"), c, closes) for s, c in self.coins.items()}
        self._prints = {symbol: _prints(steps) for symbol, steps in self._steps.items()}
        self._times = {symbol: [p.at_ms for p in found] for symbol, found in self._prints.items()}

    def closes(self) -> Iterator[events.Close]:
        """What the book meets, the candles made of the very prints."""
        for n, paths in enumerate(zip(*self._steps.values(), strict=True)):
            opened_at_ms = NOON_MS + n * MINUTE_MS
            candles = tuple(
                market.Candle(i, p[0], max(p), min(p), p[-1], len(p) * LOT, int(Source.REPLAYED))
                for i, p in enumerate(paths)
            )
            yield events.Close(opened_at_ms + MINUTE_MS, opened_at_ms, candles, ())

    def prints(self, symbol: str, begin: int, end: int) -> list[Print]:
        times = self._times[symbol]
        return self._prints[symbol][bisect_left(times, begin) : bisect_left(times, end)]

    def last_prints(self, symbol: str, count: int, end: int) -> list[Print]:
        until = bisect_left(self._times[symbol], end)
        return self._prints[symbol][max(until - count, 0) : until]

    def depth(self, symbol: str, at_ms: int) -> Depth:
        """Around the last print, which is the mid."""
        last = self.last_prints(symbol, 1, at_ms + 1)
        mid = last[0].price if last else self.coins[symbol].price
        return Depth((Level(mid - HALF, _DEEP),), (Level(mid + HALF, _DEEP),))


def _walk(dice: Random, coin: Coin, closes: int) -> list[list[int]]:
    """Of each candle all its mids, a point apart."""
    paths, price, drift = list[list[int]](), coin.price, 1
    for _ in range(closes):
        if dice.random() < 0.2 or abs(price - coin.price) * 4 > coin.price:
            drift = 1 if price < coin.price else -1
            drift = drift if dice.random() < 0.7 else -drift

        def some(bps_max: int, of: int = price) -> int:
            return dice.randint(0, of * bps_max // _BPS)

        close = price + drift * some(40) - drift * some(15)
        ends = [max(price, close) + some(25), min(price, close) - some(25)]
        dice.shuffle(ends)
        path = [price]
        for corner in (*ends, close):
            way = 1 if corner > path[-1] else -1
            path += range(path[-1] + way, corner + way, way)
        paths.append(path)
        price = close
    return paths


def _prints(paths: list[list[int]]) -> list[Print]:
    """One at each mid, the first a moment after the open."""
    found = list[Print]()
    for n, path in enumerate(paths):
        opened_at_ms = NOON_MS + n * MINUTE_MS
        for place, price in enumerate(path):
            at_ms = opened_at_ms + (1 + place) * MINUTE_MS // (len(path) + 1)
            found.append(Print(at_ms, price, LOT, "sell", len(found) + 1, place))
    return found
