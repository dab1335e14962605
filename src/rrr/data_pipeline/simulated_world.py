"""A candle is a function of seed, coin, timeframe and place: nothing is carried to the next.

A regime, a volatility and a price each look back over a bounded stretch of chance, so any span can
be made alone and comes out the same; docs/simulated.md has the formulas and what they give.
A place is an opening time counted in timeframes. A deviation is how far a candle usually moves, a
level is a logarithm of base 2 and a ratio a fraction, in the steps of `simulated_numbers`.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from math import isqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rrr.data_pipeline.simulated_numbers import (
    DEVIATION,
    I64,
    LEVEL,
    OCTAVE,
    RATIO,
    U64,
    bell,
    below,
    later,
    ratio,
    scaled,
    trailing,
    words,
)

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS

SLOT: Final = 96  # a regime begins at most once in so many candles,
SLOTS_MAX: Final = 8  # and at least once in so many slots
TREND: Final = 32  # candles whose sum a trend goes on with,
TREND_GAIN: Final = 1_969  # by so many 65,536ths of it
REVERSION: Final = 8  # candles to whose mean a reversion goes back,
REVERSION_GAIN: Final = 11_077  # by so many 65,536ths of the way
CLUSTERS: Final = ((6, 16_222), (48, 5_735), (384, 2_028))  # candles, and their weight in 65,536ths
JUMPS: Final = 128  # one candle in so many goes
JUMP: Final = 3  # times as far
MOVE_MAX: Final = 12 * DEVIATION  # however lively it is
MEMORY: Final = range(182, 2_184)  # candles to whose mean a price slowly returns: 91 days
GAPS: Final = 4  # one open in so many is not the close before
HOLES: Final = 2_000  # one candle in so many is missing
STEPS: Final = 8  # of the path inside a candle; a word has a byte for each

WALL: Final = 3 * OCTAVE  # an eighth, or eight times: a price that comes there is turned back
_PATH: Final = 418  # the deviation of a sum of eight odd numbers from -255 to 255

BLOCK: Final = 1_024  # moves that are made together: for speed, and never seen
ROOTS: Final = CLUSTERS[-1][0] + TREND + 1  # candles before the first that a move depends on


class Regime(IntEnum):
    NOISE = 0  # what was says nothing
    TREND = 1  # moves go on
    REVERSION = 2  # moves are taken back


REGIMES: Final = np.array([Regime.NOISE] * 3 + [Regime.TREND] * 4 + [Regime.REVERSION] * 3)
LIVELY: Final = np.array([0, 8_000, -8_000])  # octaves of volatility by regime, in 65,536ths
OWN_REGIMES: Final = 5  # one stretch in so many goes a coin's own way


@dataclass(frozen=True, slots=True)
class Coin:
    """What tells one instrument from another."""

    symbol: str
    points: int  # decimals of a price
    tick: int  # points
    lot: int  # grains
    price: int  # of the quote, around which it wanders
    volume: int  # lots of a usual hour
    deviation_ppm: int  # of a usual hour
    spread_ppm: int
    together: int  # how much of its chance is everybody's, in 1,024ths,
    alone: int  # and how much its own: their squares add up to 1


class Columns(NamedTuple):
    """Candles and touches over places; `regime` is for tests and reports, no market tells."""

    open: I64
    high: I64
    low: I64
    close: I64
    volume: I64
    bid: I64
    ask: I64
    there: NDArray[np.bool_]
    regime: I64


class Moves(NamedTuple):
    """What happens from close to close."""

    regime: I64
    octaves: I64  # of volatility, above or below the usual, in 65,536ths
    deviations: I64  # before volatility
    level: I64  # by how much it rises


def columns(seed: int, coin: Coin, timeframe_ms: int, first: int, end: int) -> Columns:
    """The candles of the places [first, end)."""
    memory = min(max(91 * DAY_MS // timeframe_ms, MEMORY.start), MEMORY.stop)
    regime, octaves, deviations, moved = _moves(seed, coin, timeframe_ms, first - memory, end)
    wandered = np.cumsum(moved)
    level = _folded(wandered - trailing(wandered, memory) // memory)
    before, close = level[memory - 1 : -1], level[memory:]
    octaves, deviations = octaves[memory:], deviations[memory:]

    shape = words(seed, f"{coin.symbol} {timeframe_ms} shape", first, end)
    swing, step = ratio(octaves), _step(coin, timeframe_ms)
    gap = np.where(below(shape[3], GAPS) == 0, bell(shape[1]) >> 3, 0)
    opened = before + _rise(gap, swing, step)
    straight = opened + (close - opened) * np.arange(1, STEPS)[:, None] // STEPS
    path = np.vstack([opened, straight + _rise(_bridge(shape[0]), swing, step), close])
    extremes = np.stack([opened, path.max(axis=0), path.min(axis=0), close])

    open_, high, low, final = _priced(coin, extremes)
    bid, ask = _touch(coin, final, swing, shape[3])
    volume = _volume(coin, timeframe_ms, octaves, deviations, shape[2])
    there = below(shape[3], HOLES, 48) > 0
    return Columns(open_, high, low, final, volume, bid, ask, there, regime[memory:])


def _moves(seed: int, coin: Coin, timeframe_ms: int, first: int, end: int) -> Moves:
    begin = first - first % BLOCK
    blocks = [_block(seed, coin, timeframe_ms, place) for place in range(begin, end, BLOCK)]
    cut = slice(first - begin, end - begin)
    return Moves(*(np.concatenate(column)[cut] for column in zip(*blocks, strict=True)))


@lru_cache(maxsize=64)
def _block(seed: int, coin: Coin, timeframe_ms: int, first: int) -> Moves:
    span = first - ROOTS, first + BLOCK
    regime = _regimes(seed, coin, timeframe_ms, *span)
    own = _chance(seed, coin.symbol, timeframe_ms, *span)
    ours = _chance(seed, "all", timeframe_ms, *span)

    both = (3 * ours.liveliness + 2 * own.liveliness) * 1_000 // 3_606
    clusters = (trailing(both, n) * weight >> 16 for n, weight in CLUSTERS)
    octaves = LIVELY[regime] + sum(clusters)

    deviations = (coin.together * ours.move + coin.alone * own.move) >> 10
    deviations = deviations + _drift(deviations, regime)
    level = _rise(deviations, ratio(octaves), _step(coin, timeframe_ms))
    return Moves(*(column[ROOTS:] for column in (regime, octaves, deviations, level)))


class Chance(NamedTuple):
    move: I64
    liveliness: I64


@lru_cache(maxsize=2)
def _chance(seed: int, whose: str, timeframe_ms: int, first: int, end: int) -> Chance:
    chance = words(seed, f"{whose} {timeframe_ms} moves", first, end)
    jump = np.where(below(chance[2], JUMPS) == 0, JUMP, 1)
    return Chance(bell(chance[0]) * jump, bell(chance[1]))


def _regimes(seed: int, coin: Coin, timeframe_ms: int, first: int, end: int) -> I64:
    """Everybody's regime, but for the stretches in which a coin goes its own way."""
    begin, stop = first // SLOT - SLOTS_MAX - 1, end // SLOT + 1
    ours, own = (
        words(seed, f"{whose} {timeframe_ms} regimes", begin, stop)
        for whose in ("all", coin.symbol)
    )
    slots = np.arange(begin, stop)
    new = (below(ours[0], 3) == 0) | (slots % SLOTS_MAX == 0)
    begins = slots * SLOT + below(ours[2], SLOT // 2)
    chosen = np.where(below(own[0], OWN_REGIMES) == 0, own[1], ours[1])
    stretch = np.searchsorted(begins[new], np.arange(first, end), side="right") - 1
    kinds: I64 = REGIMES[below(chosen[new], len(REGIMES))][stretch]
    return kinds


def _drift(chance: I64, regime: I64) -> I64:
    """What the regime makes of the chance before."""
    trend = later(trailing(chance, TREND)) * TREND_GAIN >> 16
    level = np.cumsum(chance)
    away = level - trailing(level, REVERSION) // REVERSION
    back = later(away) * -REVERSION_GAIN >> 16
    return np.where(regime == Regime.TREND, trend, np.where(regime == Regime.REVERSION, back, 0))


def _step(coin: Coin, timeframe_ms: int) -> int:
    """256 times the level of a deviation's 37,837th; it grows with the root of time."""
    hour = coin.deviation_ppm * 1_442_695 * (1 << LEVEL + 8) // (10**12 * DEVIATION)
    return isqrt(hour * hour * timeframe_ms // HOUR_MS)


def _rise(deviations: I64, swing: I64, step: int) -> I64:
    lively: I64 = np.clip(deviations * swing >> RATIO, -MOVE_MAX, MOVE_MAX)
    return lively * step >> 8


def _folded(level: I64) -> I64:
    """The same moves between two mirrors.

    >>> (_folded(np.array([-7, -4, -3, 0, 2, 3, 4]) * OCTAVE) // OCTAVE).tolist()
    [1, -2, -3, 0, 2, 3, 2]
    """
    inside: I64 = WALL - abs((level + WALL) % (4 * WALL) - 2 * WALL)
    return inside


def _bridge(word: U64) -> I64:
    """Deviations of a path of eight uniform steps that ends where it began: (7, places)."""
    steps = word >> (np.arange(STEPS, dtype=np.uint64) * np.uint64(8))[:, None] & np.uint64(255)
    path = np.cumsum(steps.astype(np.int64) * 2 - 255, axis=0)
    bridge: I64 = STEPS * path[:-1] - np.arange(1, STEPS)[:, None] * path[-1]
    return bridge * DEVIATION // (STEPS * _PATH)


def _priced(coin: Coin, level: I64) -> I64:
    exact = scaled(coin.price * 10**coin.points, level)
    return np.maximum((exact + coin.tick // 2) // coin.tick, 1) * coin.tick


def _touch(coin: Coin, close: I64, swing: I64, word: U64) -> tuple[I64, I64]:
    """The last print was at the bid or at the ask; the livelier, the wider."""
    usual = close * coin.spread_ppm // 1_000_000
    spread = (usual * swing >> RATIO) * (128 + below(word, 256, 16)) >> 8
    ticks = np.maximum(spread // coin.tick, 1)
    bid = np.maximum(close // coin.tick - ticks * below(word, 2, 32), 1) * coin.tick
    return bid, bid + ticks * coin.tick


def _volume(coin: Coin, timeframe_ms: int, octaves: I64, deviations: I64, word: U64) -> I64:
    """More where it is lively, more where this candle moved, and more or less by chance."""
    usual = max(coin.volume * timeframe_ms // HOUR_MS, 1)
    lively = usual * ratio(octaves + (bell(word) * 3 >> 2)) >> RATIO
    lots: I64 = np.maximum(lively * (DEVIATION + 2 * np.abs(deviations)) // (3 * DEVIATION), 1)
    return lots * coin.lot
