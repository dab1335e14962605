"""Numbers travel as whole differences, seven bits to a byte, and arrive exactly as they left.

`decode.js` reads what is written here. A column is divided by what divides all of it, so that a
price in points of 10⁻⁸ costs no more than one in ticks.
"""

import base64
from typing import Any, Final

import numpy as np

from rrr.neural_network.panel import I64

LIMIT: Final = 1 << 51  # a number of JavaScript is whole up to twice its zigzag


def pack(numbers: I64) -> str:
    """Zigzag, LEB128, base64.

    >>> pack(np.array([0, -1, 1, 300]))
    'AAEC2AQ='
    """
    assert not numbers.size or int(np.abs(numbers).max()) < LIMIT, "Too large to arrive whole."
    zigzag = ((numbers << 1) ^ (numbers >> 63)).astype(np.uint64)
    bits = int(zigzag.max(initial=1)).bit_length()
    groups = zigzag[:, None] >> np.arange(0, bits, 7, dtype=np.uint64)
    used = groups > 0
    used[:, 0] = True
    more = np.zeros_like(used)
    more[:, :-1] = used[:, 1:]
    written = (groups & 127).astype(np.uint8) | (more.astype(np.uint8) << 7)
    return base64.b64encode(written[used].tobytes()).decode()


def rising(numbers: I64) -> str:
    """What changes little from one to the next, as its differences."""
    return pack(np.diff(numbers, prepend=0))


def on_grid(at_ms: I64, step_ms: int) -> str:
    """Times as runs of neighbours: where each begins, after the last ended, and how long it is."""
    if not at_ms.size:
        return pack(at_ms)
    place, off = np.divmod(at_ms - at_ms[0], step_ms)
    assert not off.any(), "Times stand on their grid."
    begins = np.flatnonzero(np.diff(place, prepend=-2) != 1)
    lengths = np.diff(begins, append=len(place))
    gaps = np.diff(place[begins], prepend=0)
    return pack(np.column_stack([gaps, lengths]).reshape(-1))


def unit_of(columns: list[I64], decimals: int) -> dict[str, Any]:
    """The largest unit that divides all: a number is n × `unit` / 10 ^ `decimals`.

    >>> unit_of([np.array([1_250_000, 400_500_000])], 4)
    {'unit': 25, 'decimals': 0, 'divide': 250000}
    """
    shared = [int(np.gcd.reduce(column)) for column in columns if column.size]
    divide = int(np.gcd.reduce(shared)) or 1 if shared else 1
    unit = divide
    while decimals and unit % 10 == 0:
        unit, decimals = unit // 10, decimals - 1
    return {"unit": unit, "decimals": decimals, "divide": divide}
