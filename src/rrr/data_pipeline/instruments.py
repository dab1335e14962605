"""Points, grains and rules of an instrument are known before its first candle.

A file of rules gives ticks, lots and minimums as decimal text; what it does not know is inferred
from the decimals that the candles use. Points leave two decimals below the tick, and grains are as
fine as 64 bits allow (SPIKE, section 2): every later product of price and quantity fits.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rrr.core.errors import DataError
from rrr.core.market import QUANTA_MAX
from rrr.data_pipeline.instrument_rules import Known, Rules, load, places
from rrr.data_pipeline.recorded import Recorded, utc
from rrr.data_pipeline.recorded_files import symbol_parts
from rrr.data_pipeline.recorded_rows import PRICES, Floats, Integers, first

__all__ = [
    "Extent",
    "Known",
    "Rules",
    "Spec",
    "Whole",
    "decimal_text",
    "infer",
    "infer_rules",
    "load",
    "places",
    "price_end",
    "spec_for",
    "spec_of",
    "symbol_parts",
    "whole",
]

ANY_VENUE = "any"
_QUANTA = 8  # decimals of money
_INTEGER_END = 1 << 63
_PRICE_HEADROOM = 1000
_SPARE_DECIMALS = 2  # below the tick: venues refine their ticks, points never change
_DECIMALS_MAX = 12
_LOT_DECIMALS_MAX = 8  # when inferred: finer ones are the noise of added floats
_NOISE = 4 * float(np.finfo(np.float64).eps)
_BLOCK = 16_384  # numbers that are looked at together: they stay in the processor's cache


@dataclass(frozen=True, slots=True)
class Spec:
    venue: str
    symbol: str
    base: str
    quote: str
    points: int
    grains: int
    tick: int
    lot: int
    quantity_min: int
    notional_min: int
    inferred: bool

    @property
    def scale(self) -> int:
        """Products of one point and one grain in one quantum."""
        scale: int = 10 ** (self.points + self.grains - _QUANTA)
        return scale


class Extent(NamedTuple):
    """What the units of an instrument must hold, and far more than that."""

    highest: float
    lowest: float
    volume: float


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    spec: Spec
    opened_at_ms: Integers
    open: Integers
    high: Integers
    low: Integers
    close: Integers
    volume: Integers


def spec_for(recorded: Recorded, known: Known) -> Spec:
    """The venue's own rules, or those of any venue, or what the candles suggest."""
    found = recorded.found
    for venue in (found.venue, ANY_VENUE):
        rules = known.get((venue, found.symbol))
        if rules is not None:
            return _spec(recorded, rules, inferred=False)
    return infer(recorded)


def infer(recorded: Recorded) -> Spec:
    rules = infer_rules([getattr(recorded, name) for name in PRICES], recorded.volume)
    return _spec(recorded, rules, inferred=True)


def infer_rules(prices: Iterable[Floats], volume: Floats) -> Rules:
    """What the decimals in use suggest: the tick of the prices, the lot of the volumes."""
    tick = max(_decimals(each) for each in prices)
    lot = min(_decimals(volume), _LOT_DECIMALS_MAX)
    step = Decimal(1).scaleb(-lot)
    return Rules(Decimal(1).scaleb(-tick), step, step, Decimal(0))


def spec_of(
    venue: str, symbol: str, rules: Rules, extent: Extent, *, inferred: bool, where: str
) -> Spec:
    """These rules in whole numbers, in units that what `extent` says fits well into."""
    scales = _scales(rules, extent, inferred)
    if scales is None:
        raise DataError(
            f"{where}: {symbol} with a tick of {rules.tick} and a lot of {rules.lot} does not fit "
            f"into 64 bits at a price of {extent.highest:.15g}.",
            "Round its prices to the tick, or give it a coarser lot in config/instruments.toml.",
        )
    points, grains = scales
    base, quote = symbol_parts(symbol)
    return Spec(
        venue=venue,
        symbol=symbol,
        base=base,
        quote=quote,
        points=points,
        grains=grains,
        tick=int(rules.tick.scaleb(points)),
        lot=max(int(rules.lot.scaleb(grains)), 1),
        quantity_min=max(int(rules.quantity_min.scaleb(grains)), 1),
        notional_min=int(rules.notional_min.scaleb(_QUANTA)),
        inferred=inferred,
    )


def price_end(spec: Spec) -> int:
    """The first price, in points, that 64 bits have no room for."""
    return _INTEGER_END // (spec.scale * _PRICE_HEADROOM)


def whole(recorded: Recorded, spec: Spec) -> Whole:
    """Exactly the decimals that the floats stand for; volumes are cut to whole grains."""
    prices = {name: _points(recorded, spec, name) for name in PRICES}
    return Whole(spec, recorded.opened_at_ms, **prices, volume=_grains(recorded, spec))


def decimal_text(amount: int, decimals: int) -> str:
    """
    >>> decimal_text(4228358, 2), decimal_text(-5, 2), decimal_text(7, 0)
    ('42283.58', '-0.05', '7')
    """
    sign, digits = "-" if amount < 0 else "", str(abs(amount)).zfill(decimals + 1)
    cut = len(digits) - decimals
    return f"{sign}{digits[:cut]}.{digits[cut:]}" if decimals else sign + digits


def _spec(recorded: Recorded, rules: Rules, inferred: bool) -> Spec:
    found = recorded.found
    extent = Extent(
        float(recorded.high.max()), float(recorded.low.min()), float(recorded.volume.max())
    )
    where = str(found.path)
    return spec_of(found.venue, found.symbol, rules, extent, inferred=inferred, where=where)


def _scales(rules: Rules, extent: Extent, inferred: bool) -> tuple[int, int] | None:
    """The finest grains that pass the door, roomy if possible; an inferred lot may be coarsened."""
    points = places(rules.tick) + _SPARE_DECIMALS
    needed = max(places(rules.lot), places(rules.quantity_min))
    finest = max(8, needed)
    coarsest = max(0 if inferred else needed, _QUANTA - points)
    for fall, grains in product((100, 1), range(finest, coarsest - 1, -1)):
        if _fits(extent, points, grains, fall):
            return points, grains
    return None


def _fits(extent: Extent, points: int, grains: int, fall: int) -> bool:
    """No price, quantity or volume leaves 64 bits, though prices rise a thousandfold or fall."""
    scale = 10 ** (points + grains - _QUANTA)
    highest = int(extent.highest * 10**points) + 1
    lowest = max(int(extent.lowest * 10**points) // fall, 1)
    volume = int(extent.volume * 10**grains) + 1
    return (
        highest * scale * _PRICE_HEADROOM < _INTEGER_END
        and (QUANTA_MAX // lowest + 1) * scale < _INTEGER_END
        and volume < _INTEGER_END
    )


def _points(recorded: Recorded, spec: Spec, name: str) -> Integers:
    price: Floats = getattr(recorded, name)
    if price.max() * 10.0**spec.points >= price_end(spec):
        index = int((price * 10.0**spec.points >= price_end(spec)).argmax())
        raise _beyond(recorded, index, f"{name} {price[index]:.15g} does not fit into 64 bits")
    odd = _first_unlike(price, spec.points)
    if odd is not None:
        raise _beyond(
            recorded,
            odd,
            f"{name} {float(price[odd])!r} has more decimals than its points, {spec.points}",
        )
    return _scaled(price, spec.points)


def _grains(recorded: Recorded, spec: Spec) -> Integers:
    volume = recorded.volume
    if volume.max() * 10.0**spec.grains >= _INTEGER_END:
        index = int((volume * 10.0**spec.grains >= _INTEGER_END).argmax())
        raise _beyond(recorded, index, f"volume {volume[index]:.15g} does not fit into 64 bits")
    return _scaled(volume, spec.grains)


def _scaled(values: Floats, decimals: int) -> Integers:
    """Whole steps; only the decimals in use pass through floats, the zeros behind them do not."""
    used = min(_decimals(values), decimals)
    scaled = np.empty(len(values), np.int64)
    for place in _blocks(values):
        steps = values[place] * 10.0**used
        scaled[place] = np.where(_unlike(values[place], used), np.floor(steps), np.rint(steps))
    scaled *= np.int64(10 ** (decimals - used))
    return scaled


def _beyond(recorded: Recorded, index: int, what: str) -> DataError:
    found, stamp = recorded.found, utc(int(recorded.opened_at_ms[index]))
    return DataError(
        f"{found.path}, {found.symbol}, the candle of {stamp}: {what}.",
        f'Correct the candle, or the rules of [{found.venue}."{found.symbol}"] in '
        "config/instruments.toml.",
    )


def _decimals(values: Floats) -> int:
    """
    >>> _decimals(np.array([1.5, 42283.58, 0.1 + 0.2]))
    2
    """
    most = 0
    for place in _blocks(values):
        left = values[place][_unlike(values[place], most)]
        for decimals in range(_DECIMALS_MAX + 1):
            if not len(left):
                break
            most = max(most, decimals)
            left = left[_unlike(left, decimals)]
    return most


def _first_unlike(values: Floats, decimals: int) -> int | None:
    for place in _blocks(values):
        index = first(_unlike(values[place], decimals))
        if index is not None:
            return int(place.start) + index
    return None


def _unlike(values: Floats, decimals: int) -> NDArray[np.bool_]:
    """Which floats are not, within their noise, decimals of so many places."""
    scaled = values * 10.0**decimals
    unlike: NDArray[np.bool_] = np.abs(scaled - np.rint(scaled)) > scaled * _NOISE
    return unlike


def _blocks(values: Floats) -> Iterator[slice]:
    return (slice(start, start + _BLOCK) for start in range(0, len(values), _BLOCK))
