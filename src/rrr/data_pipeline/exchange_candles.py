"""A row of an exchange becomes a candle of whole numbers, or it is refused with its reason."""

from collections.abc import Iterable
from decimal import Decimal
from math import inf, isfinite
from typing import Any, NamedTuple

from rrr.core.market import Candle, Source
from rrr.data_pipeline.instruments import Spec, price_end
from rrr.data_pipeline.recorded_rows import PRICES

_VOLUME_END = 1 << 63


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
            candle = _candle(row, instrument, spec)
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


def _candle(row: list[Any], instrument: int, spec: Spec) -> Candle | str:
    numbers = row[1:]
    if len(numbers) != len(PRICES) + 1:
        return f"it has {len(row)} fields, not {len(PRICES) + 2}"
    for name, number in zip((*PRICES, "volume"), numbers, strict=True):
        if not isinstance(number, int | float) or not isfinite(number):
            return f"its {name} is no number"
        if number < 0 or (number == 0 and name != "volume"):
            return f"its {name} is {number:g}"
    exact = [Decimal(repr(number)).scaleb(spec.points) for number in numbers[:-1]]
    volume = int(Decimal(repr(numbers[-1])).scaleb(spec.grains))
    for name, number, points in zip(PRICES, numbers, exact, strict=False):
        if points != int(points):
            return f"its {name} {number!r} has more decimals than its points, {spec.points}"
        if points >= price_end(spec):
            return f"its {name} {number:g} does not fit into 64 bits"
    if volume >= _VOLUME_END:
        return f"its volume {numbers[-1]:g} does not fit into 64 bits"
    opened, high, low, closed = map(int, exact)
    if not low <= min(opened, closed) <= max(opened, closed) <= high:
        return "its high and low do not hold its open and close"
    return Candle(instrument, opened, high, low, closed, volume, Source.REST)
