"""What the market says, in whole numbers: price in points, quantity in grains, money in quanta.

A point is 10⁻ᵖ of the quote, a grain 10⁻ᵍ of the base, a quantum 10⁻⁸ of the quote; p and g belong
to an instrument and never change. Every product here stays inside 64 bits, by the door: one
notional or balance is at most `QUANTA_MAX`, and a price times its scale has 1,000 times headroom.
"""

from enum import IntEnum
from typing import Final, NamedTuple

QUANTA: Final = 10**8  # in one unit of the quote
QUANTA_MAX: Final = 1 << 56  # of one notional or balance: sums of 64 of them still fit 63 bits
INSTRUMENTS_MAX: Final = 64
PPM: Final = 1_000_000
GRAINS_MAX: Final = 1 << 62  # more than any quantity
BPS: Final = 10_000


class Source(IntEnum):
    """Where a candle came from. What we made ourselves can be forbidden to open a position."""

    WEBSOCKET = 0
    REST = 1
    REPLAYED = 2
    BUILT = 3
    SYNTHETIC = 4


class Instrument(NamedTuple):
    """One version of what is traded: its unit, the venue's rules, and what trading it costs."""

    id: int
    version: int
    scale: int  # points times grains in one quantum
    tick: int  # points
    lot: int  # grains
    quantity_min: int  # grains
    notional_min: int  # quanta
    fee_maker_ppm: int
    fee_taker_ppm: int
    half_spread_ppm: int
    slippage_ppm: int
    fee_in_base: int  # 1: a buyer's fee is taken from what was bought
    unit: int  # grains: what a full conviction holds where the law sizes by units


NO_INSTRUMENT: Final = Instrument(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


class Candle(NamedTuple):
    instrument: int
    open: int
    high: int
    low: int
    close: int
    volume: int  # grains
    source: int


def up(amount: int, rate: int, scale: int) -> int:
    """`amount * rate / scale` rounded up, with no product on the way that 64 bits cannot hold.

    >>> up(10_001, 750, 1_000_000)
    8
    """
    return amount // scale * rate + -(-(amount % scale) * rate // scale)


def down(amount: int, rate: int, scale: int) -> int:
    """`amount * rate / scale` rounded down.

    >>> down(10_001, 750, 1_000_000)
    7
    """
    return amount // scale * rate + amount % scale * rate // scale


def root(number: int) -> int:
    """The whole part of a square root, by Newton's method.

    >>> root(99), root(100)
    (9, 10)
    """
    if number < 2:
        return number
    guess = number
    better = (guess + 1) // 2
    while better < guess:
        guess = better
        better = (guess + number // guess) // 2
    return guess


def share_ppm(part: int, whole: int) -> int:
    """`part / whole` in parts per million, for 0 ≤ part ≤ whole; beyond 2⁴⁰ low bits are dropped.

    >>> share_ppm(1, 8)
    125000
    """
    if whole >= 1 << 40:
        part, whole = part >> 20, whole >> 20
    return part * PPM // whole


def fits(instrument: Instrument, price: int, quantity: int) -> int:
    """1 if the notional passes the door, else 0."""
    return 1 if price > 0 and quantity // instrument.scale < QUANTA_MAX // price else 0


def worth(instrument: Instrument, price: int, quantity: int) -> int:
    """What a holding would fetch, in quanta, rounded down."""
    assert quantity // instrument.scale <= QUANTA_MAX // price, "Checked at the door."
    return down(quantity, price, instrument.scale)


def cost(instrument: Instrument, price: int, quantity: int) -> int:
    """What a purchase takes, in quanta, rounded up."""
    assert quantity // instrument.scale <= QUANTA_MAX // price, "Checked at the door."
    return up(quantity, price, instrument.scale)


def purchase(instrument: Instrument, price: int, quantity: int) -> int:
    """The cash that a purchase can take at most: its cost at this price, and the dearer fee."""
    money = cost(instrument, price, quantity)
    return money + up(money, dearer_fee_ppm(instrument), PPM)


def dearer_fee_ppm(instrument: Instrument) -> int:
    return max(instrument.fee_maker_ppm, instrument.fee_taker_ppm)


def sellable(instrument: Instrument, price: int, quantity: int) -> int:
    """1 if a venue takes a sale of so many grains at this price, 0 if its minimums forbid it."""
    if quantity < instrument.lot or quantity < instrument.quantity_min:
        return 0
    return 1 if worth(instrument, price, quantity) >= instrument.notional_min else 0


def half_spread(bid: int, ask: int) -> int:
    """Points between the mid and either side of a touch, rounded up, at least one.

    0 where a touch is not to be believed: it is crossed, or half its spread is more than a tenth of
    its bid. Whoever hears 0 keeps what was known before.

    >>> half_spread(1_000, 1_003), half_spread(1_000, 1_000), half_spread(1_000, 999)
    (2, 1, 0)
    >>> half_spread(1_000, 1_200), half_spread(1_000, 1_201)
    (100, 0)
    """
    assert bid > 0, "Nobody bids nothing."
    assert ask > 0, "Nobody asks nothing."
    half = max((ask - bid + 1) // 2, 1)
    return 0 if ask < bid or half > bid // 10 else half


def bid(instrument: Instrument, price: int, half_spread: int) -> int:
    """Where a seller is met when the mid stands at this price; never below one point.

    Half the spread is what the last touch had; before the first (0) it is the instrument's own.
    """
    return max(price - (half_spread or up(price, instrument.half_spread_ppm, PPM)), 1)


def lots(instrument: Instrument, quantity: int) -> int:
    """The part of a quantity that can be sold: dust below one lot stays."""
    return quantity - quantity % instrument.lot
