"""Chance is a function of place: the same whole numbers on every machine, begun anywhere.

Words come from Philox, a cipher of seed, stream and place: those of place n need none before it.
All that follows is exact in 64 bits: sums, products, shifts and floors of integers. No float and no
library of mathematics decides a candle, so no two processors can disagree on one.
"""

from functools import cache
from hashlib import sha256
from math import isqrt
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

I64: TypeAlias = NDArray[np.int64]
U64: TypeAlias = NDArray[np.uint64]

WORDS: Final = 4  # at each place
DEVIATION: Final = 37_837  # of a bell
LEVEL: Final = 32  # a level counts octaves in steps of 2⁻³²
RATIO: Final = 16  # a ratio of one is 2¹⁶
OCTAVES_MAX: Final = 4  # a power of two leaves this range on neither side
OCTAVE: Final = 1 << LEVEL

_MASK: Final = np.uint64(0xFFFF)
_TABLE: Final = 10  # bits of a fraction that are looked up; between them a straight line
_POWER: Final = 28  # a power of one is 2²⁸


def words(seed: int, stream: str, first: int, end: int) -> U64:
    """Four words for each place of [first, end): (4, places)."""
    name = int.from_bytes(sha256(stream.encode()).digest()[:8], "little")
    chance = np.random.Philox(
        key=np.array([seed, name], np.uint64), counter=np.array([first, 0, 0, 0], np.uint64)
    )
    return chance.random_raw(WORDS * (end - first)).reshape(-1, WORDS).T


def bell(word: U64) -> I64:
    """A sum of four uniform numbers: nearly normal, mean 0, within 3.5 deviations.

    >>> bell(np.array([0, 2**64 - 1], np.uint64)).tolist()
    [-131070, 131070]
    """
    parts = sum((word >> np.uint64(shift) & _MASK).astype(np.int64) for shift in (0, 16, 32, 48))
    return np.asarray(parts) - 2 * 65_535


def below(word: U64, end: int, shift: int = 0) -> I64:
    """Whole numbers from 0 to end - 1, from 16 bits of each word.

    >>> below(np.array([7, 65_535], np.uint64), 4).tolist()
    [0, 3]
    """
    return (word >> np.uint64(shift) & _MASK).astype(np.int64) * end >> 16


def trailing(values: I64, length: int) -> I64:
    """At each place the sum of the last `length` values; the first ones have fewer.

    >>> trailing(np.array([1, 2, 3, 4]), 2).tolist()
    [1, 3, 5, 7]
    """
    sums = np.cumsum(values)
    sums[length:] -= sums[:-length]
    return sums


def later(values: I64) -> I64:
    """Each value one place later: what was known before.

    >>> later(np.array([1, 2, 3])).tolist()
    [0, 1, 2]
    """
    moved = np.zeros_like(values)
    moved[1:] = values[:-1]
    return moved


def power(level: I64) -> I64:
    """2 to the level, in steps of 2⁻²⁸; never falling where the level rises.

    >>> (power(np.array([-1, 0, 1, 9]) * OCTAVE) / 2**28).tolist()
    [0.5, 1.0, 2.0, 16.0]
    """
    held = np.clip(level, -OCTAVES_MAX * OCTAVE, OCTAVES_MAX * OCTAVE)
    rest = LEVEL - _TABLE
    octaves, place = held >> LEVEL, held >> rest & ((1 << _TABLE) - 1)
    low, high = powers()[place], powers()[place + 1]
    between: I64 = low + ((high - low) * (held & ((1 << rest) - 1)) >> rest)
    return between << (octaves + OCTAVES_MAX) >> OCTAVES_MAX


def ratio(octaves: I64) -> I64:
    """2 to a number of octaves, itself in steps of 2⁻¹⁶: a ratio in steps of 2⁻¹⁶."""
    return power(octaves << (LEVEL - RATIO)) >> (_POWER - RATIO)


def scaled(base: int, level: I64) -> I64:
    """`base` times 2 to the level, for a base below 2³⁰."""
    assert 0 < base < 1 << 30, "A power has 33 bits."
    return base * power(level) >> _POWER


@cache
def powers() -> I64:
    """2 to the (i / 1024), from integer roots."""
    bits = 128
    root = 2 << bits
    for _ in range(_TABLE):
        root = isqrt(root << bits)
    value, table = 1 << bits, []
    for _ in range((1 << _TABLE) + 1):
        table.append((value + (1 << (bits - _POWER - 1))) >> (bits - _POWER))
        value = value * root >> bits
    return np.array(table, np.int64)
