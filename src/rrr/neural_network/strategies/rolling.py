"""What moves along a window is exact: a value has the same bits however much came before it.

Each function takes columns of whole numbers, times along the last axis, and answers as many; of the
first `n - 1` times it answers for those that there are.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..panel import I64

ROOM: Final = 1 << 62  # below it 64 bits hold every sum and product


def over(values: I64, n: int) -> I64:
    """The sum of the last n. The running sum behind it may wrap: what is left of 2⁶⁴ is right.

    >>> over(np.array([1, 2, 3, 4]), 2).tolist()
    [1, 3, 5, 7]
    """
    total = np.cumsum(values, axis=-1)
    total[..., n:] -= total[..., :-n].copy()
    return total


def highest(values: I64, n: int) -> I64:
    """
    >>> highest(np.array([3, 1, 2, 0]), 2).tolist()
    [3, 3, 2, 2]
    """
    return _extreme(np.maximum, values, n)


def lowest(values: I64, n: int) -> I64:
    """
    >>> lowest(np.array([3, 1, 2, 0]), 2).tolist()
    [3, 1, 1, 0]
    """
    return _extreme(np.minimum, values, n)


def earlier(values: I64, n: int = 1) -> I64:
    """What stood there n times before; of the first n times, the first.

    >>> earlier(np.array([1, 2, 3, 4]), 2).tolist()
    [1, 1, 1, 2]
    """
    first = np.repeat(values[..., :1], min(n, values.shape[-1]), axis=-1)
    return np.concatenate([first, values[..., :-n]], axis=-1)


def exact(values: I64, times: int) -> NDArray[Any]:
    """The same numbers, able to grow so many times: in 64 bits where these hold it, or without end.

    >>> exact(np.array([5]), 10).dtype, exact(np.array([1 << 60]), 10).dtype
    (dtype('int64'), dtype('O'))
    """
    most = int(np.abs(values).max(initial=0))
    return values if most * times < ROOM else values.astype(object)


def _extreme(of_two: np.ufunc, values: I64, n: int) -> I64:
    """Of 2, 4, 8 … times, each made of two of the half; at last of two that overlap."""
    found, span = values.copy(), 1
    while span < n:
        step = min(span, n - span)
        if step < found.shape[-1]:
            found[..., step:] = of_two(found[..., step:], found[..., :-step])
        span += step
    return found
