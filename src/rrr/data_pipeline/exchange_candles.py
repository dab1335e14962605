"""A row of an exchange becomes a candle of whole numbers, or it is refused with its reason."""

from collections.abc import Iterable, Sequence
from math import inf
from typing import Any, NamedTuple

from rrr.core.market import Candle, Source
from rrr.data_pipeline.instruments import Spec, price_end
from rrr.data_pipeline.prints import END, units
from rrr.data_pipeline.recorded_rows import PRICES


class Read(NamedTuple):
    candles: dict[int, Candle]  # by opening time
    refused: dict[int, str]  # why


def read(
    rows: Iterable[list[Any]], instrument: int, spec: Spec, timeframe_ms: int, begin: int, end: int
) -> Read:
    """The rows that open from `begin` on and have closed by `end`, in whatever order they came."""
    seen: dict[int, list[Any]] = {}
    refused: dict[int, str] = {}
    for row in rows:
        if not row or not isinstance(row[0], int):
            continue
        off = row[0] % timeframe_ms
        opened_at_ms = row[0] - off
        if not begin <= opened_at_ms <= end - timeframe_ms:
            continue
        if off:
            refused[opened_at_ms] = "it opens between the times at which candles open"
        elif seen.setdefault(opened_at_ms, row) != row:
            refused[opened_at_ms] = "it came twice, and differently"

    candles = {}
    for opened_at_ms, row in sorted(seen.items()):
        if opened_at_ms not in refused:
            candle = candle_of(row, instrument, spec)
            if isinstance(candle, str):
                refused[opened_at_ms] = candle
            else:
                candles[opened_at_ms] = candle
    return Read(candles, refused)


def plausible(row: list[Any]) -> bool:
    """Whether its numbers may tell the units of an instrument that has none yet."""
    if len(row) != len(PRICES) + 2 or not all(isinstance(each, int | float) for each in row):
        return False
    opened, high, low, closed, volume = map(float, row[1:])
    return 0 < low <= min(opened, closed) <= max(opened, closed) <= high < inf > volume >= 0


def candle_of(row: Sequence[Any], instrument: int, spec: Spec) -> Candle | str:
    """A row as REST's candle, or why it is none; of the volume whole grains are kept."""
    if len(row) != len(PRICES) + 2:
        return f"it has {len(row)} fields, not {len(PRICES) + 2}"
    prices = []
    for name, number in zip(PRICES, row[1:], strict=False):
        points = units(number, spec.points, end=price_end(spec))
        if isinstance(points, str) or not points:
            return f"its {name} {_wrong(number, points, f'points, {spec.points}')}"
        prices.append(points)
    volume = units(row[-1], spec.grains, cut=True)
    if isinstance(volume, str):
        return f"its volume {_wrong(row[-1], volume, f'grains, {spec.grains}')}"
    opened, high, low, closed = prices
    if not low <= min(opened, closed) <= max(opened, closed) <= high:
        return "its high and low do not hold its open and close"
    return Candle(instrument, opened, high, low, closed, volume, Source.REST)


def _wrong(number: Any, why: int | str, grid: str) -> str:
    if type(number) not in (int, float) or why == "is no number":
        return "is no number"
    if abs(number) >= END:
        return "does not fit into 64 bits"
    if number <= 0:
        return f"is {number:g}"
    if why == "does not fit into 64 bits":
        return f"{number:g} {why}"
    return f"{number!r} has more decimals than its {grid}"
