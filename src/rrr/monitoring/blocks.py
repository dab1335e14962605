"""Blocks of the past, drawn again, keep what follows what.

The stationary bootstrap (Politis and Romano, "The stationary bootstrap", 1994): blocks begin
anywhere, have geometric lengths of a given mean, and go on from the end to the beginning. The mean
is chosen as Politis and White do ("Automatic block-length selection for the dependent bootstrap",
2004, as corrected by Patton, Politis and White, 2009): as long as the values remember.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

F64: TypeAlias = NDArray[np.float64]
I64: TypeAlias = NDArray[np.int64]


def drawn(random: np.random.Generator, draws: int, times: int, block: float) -> I64:
    """Places of the past, (draws, times).

    >>> random = np.random.Generator(np.random.Philox(1))
    >>> drawn(random, 1, 5, block=1e12)[0].tolist()  # one block
    [4, 0, 1, 2, 3]
    """
    begins = random.random((draws, times)) < 1 / block
    begins[:, 0] = True
    places = np.arange(times)
    origin = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
    start = random.integers(times, size=(draws, times))
    wanted: I64 = (np.take_along_axis(start, origin, axis=1) + places - origin) % times
    return wanted


def block_length(values: F64) -> float:
    """The mean length of a block, in values; 1 of values that remember nothing."""
    n = len(values)
    if n < 4 or values.std() == 0:
        return 1.0
    apart = values - values.mean()
    patience = max(5, int(np.ceil(np.log10(n))))
    lags = min(int(np.ceil(np.sqrt(n))) + patience, n - 1)
    covariance = np.array([apart[k:] @ apart[: n - k] for k in range(lags + 1)]) / n
    small = np.abs(covariance[1:] / covariance[0]) < 2 * np.sqrt(np.log10(n) / n)
    memory = min(2 * max(_remembered(small, patience), 1), lags)
    k = np.arange(1, memory + 1)
    window = np.minimum(1, 2 * (1 - k / memory))  # flat, then falling to nothing
    bias = 2 * float(window @ (k * covariance[k]))
    density = covariance[0] + 2 * float(window @ covariance[k])
    longest = np.ceil(min(3 * np.sqrt(n), n / 3))
    if density <= 0:
        return float(longest)
    return float(np.clip((bias / density) ** 2 * n, 1, longest**3) ** (1 / 3))


def _remembered(small: NDArray[np.bool_], patience: int) -> int:
    """The last lag before so many that are too small to matter; else the last that is not.

    >>> _remembered(np.array([False, True, False, True, True, True]), 3)
    3
    """
    for lag in range(len(small) - patience + 1):
        if small[lag : lag + patience].all():
            return lag
    large = np.flatnonzero(~small)
    return int(large[-1]) + 1 if len(large) else 0
