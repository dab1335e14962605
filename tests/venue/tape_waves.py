"""Chance is a function: of a key and a number comes the same number, on every machine.

A counter-based hash (splitmix64's finaliser), counts by the law of Poisson, and a wave of many
lengths for a price to follow. Integers in, integers out; nothing has a past.
"""

from decimal import Decimal
from functools import cache
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

LONGEST_MS: Final = 4_000 * 4**10  # 48 days

_NODE: Final = 1 << 15  # nodes lie between -_NODE and +_NODE
_WAVES: Final = tuple((4_000 * 4**k, 2**k) for k in range(11))  # length in ms, height


def key(seed: int, name: str, purpose: str) -> int:
    """What tells one series of numbers from another."""
    return crc32(f"{seed}/{name}/{purpose}".encode()) << 32 | crc32(f"{purpose}/{name}".encode())


def chance(key: int, at: Ints) -> Ints:
    """63 bits for each number; neighbours have nothing in common."""
    x = (at.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((x ^ (x >> np.uint64(31))) >> np.uint64(1)).astype(np.int64)


def counts(key: int, mean: Decimal, at: Ints) -> Ints:
    """How often something happens in each of these times, which sees `mean` of it on average."""
    return np.searchsorted(_thresholds(mean), chance(key, at) >> 31, side="right")


def swing(key: int, height_ppm: int, at_ms: Ints) -> Ints:
    """How far from the middle, in ppm; the shortest wave is `height_ppm` high, four times longer
    ones twice as high, as a random walk's."""
    total = np.zeros(len(at_ms), np.int64)
    for number, (length, height) in enumerate(_WAVES):
        first = int(at_ms.min()) // length if len(at_ms) else 0
        last = int(at_ms.max()) // length if len(at_ms) else 0
        nodes = chance(key + number, np.arange(first, last + 2)) % (2 * _NODE + 1) - _NODE
        place, inside = np.divmod(at_ms, length)
        place -= first
        total += height * ((nodes[place] * (length - inside) + nodes[place + 1] * inside) // length)
    return total * height_ppm // _NODE


@cache
def _thresholds(mean: Decimal) -> Ints:
    """Below which 32-bit number there are at most 0, 1, 2, … of them."""
    share, sum_of_shares, found = (-mean).exp(), Decimal(0), []
    for count in range(int(mean) * 4 + 12):
        sum_of_shares += share
        found.append(int(sum_of_shares * 2**32))
        share = share * mean / (count + 1)
    return np.array(found, np.int64)
