"""A record of the core as one row of whole numbers, and back: `compiled` reads and writes the same.

What a record holds inside, other records or tuples, lies in its place, down to the last number.
"""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import numpy as np

from rrr.neural_network.panel import I64

Record = TypeVar("Record", bound=tuple[Any, ...])


def read(like: Record, table: I64, row: int, first: int) -> Record:
    """The record that begins at this place of a row, of the shape of another.

    >>> from rrr.core.orders import NO_ENDED
    >>> read(NO_ENDED, np.array([[0, 7, 2, 3, 9]]), 0, 1)
    Ended(sequence=7, last_fill=2, fills_seen=3)
    """
    record: Record = _built(like, iter(table[row, first:].tolist()))
    return record


def write(record: tuple[Any, ...], table: I64, row: int, first: int) -> None:
    for place, number in enumerate(numbers(record), first):
        table[row, place] = number


def numbers(record: tuple[Any, ...]) -> Iterator[int]:
    """All that a record holds, in order."""
    for part in record:
        if isinstance(part, tuple):
            yield from numbers(part)
        else:
            yield int(part)


def table(rows: I64) -> I64:
    """Rows of whole numbers, one after another in memory: to compiled code, without a counter."""
    return rows


def height_of(table: I64) -> int:
    return len(table)


def width_of(table: I64) -> int:
    return int(table.shape[1])


def rows_of(records: Iterable[tuple[Any, ...]]) -> I64:
    """One row for each of these records of one shape."""
    return np.array([list(numbers(one)) for one in records], np.int64)


def width(record: tuple[Any, ...]) -> int:
    return sum(1 for _ in numbers(record))


def _built(like: Any, numbers: Iterator[int]) -> Any:
    parts = [_built(one, numbers) if isinstance(one, tuple) else int(next(numbers)) for one in like]
    return type(like)(*parts) if hasattr(like, "_fields") else tuple(parts)
