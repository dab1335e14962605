"""What becomes of one order, said a second time: slowly, in exact fractions, without the core.

It was written from the words of the docs, not from the code: no float, no 64 bits, no rounding but
where the docs round. An order travels, then stands in the market, then is over; each candle is told
as moments: its time is up, it arrives, a stop is met, somebody trades with what rests.
A million fills: `python -m tests.core.oracle --fills 1000000 --seed 1`.
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor, isqrt
from typing import Final, NamedTuple

from rrr.core.market import Candle, Instrument
from rrr.core.orders import Kind, Order, Side, TimeInForce, is_stop
from rrr.core.shelf import Assumptions
from tests.builders import HOUR, START

MILLION: Final = 10**6
AT_ONCE: Final = (TimeInForce.IOC, TimeInForce.FOK)


class Word(NamedTuple):
    """What the venue says: a fill, or why the order is over, and in which candle."""

    candle: int
    what: str
    price: int = 0
    quantity: int = 0
    notional: int = 0
    fee: int = 0
    fee_grains: int = 0
    maker: int = 0


class Case(NamedTuple):
    instrument: Instrument
    order: Order
    assumed: Assumptions
    half_spread: int
    candles: Sequence[Candle | None]  # None: nothing closed at that time


@dataclass(slots=True)
class Telling:
    """An order on its way through the candles."""

    case: Case
    rest: int
    held: int
    stands: bool = False  # rests in the market
    trigger: int = 0
    triggered: int = -1  # in which candle a stop was
    room: Fraction = Fraction(0)
    words: list[Word] = field(default_factory=list)

    @property
    def over(self) -> bool:
        return self.rest == 0 or any(word.what not in ("fill", "TRIGGERED") for word in self.words)

    def late(self, number: int) -> int:
        """How long after the open of this candle the order arrives, in milliseconds."""
        arrives = self.case.order.at_ms + self.case.assumed.latency_ms
        return max(arrives - (START + number * HOUR), 0)

    @property
    def buys(self) -> bool:
        return self.case.order.side == Side.BUY


def told(case: Case) -> list[Word]:
    """Every word of the venue about this order, in order."""
    order = case.order
    telling = Telling(case, order.quantity, 0, trigger=order.price)
    telling.held = dearest(telling, order.price, order.quantity)
    for number, candle in enumerate(case.candles):
        moments = quiet(telling, number) if candle is None else busy(telling, number, candle)
        for word in moments:
            telling.words.append(word)
            if telling.over:
                return telling.words
    return telling.words


def quiet(telling: Telling, number: int) -> Iterator[Word]:
    """No candle: whose time is up is over, and a purchase that had to be filled at once."""
    order = telling.case.order
    if order.time_in_force == TimeInForce.GTD and order.expires_ms <= START + number * HOUR:
        yield Word(number, "EXPIRED")
    elif telling.buys and order.time_in_force in AT_ONCE:
        yield Word(number, "NO_PRICE")


def busy(telling: Telling, number: int, candle: Candle) -> Iterator[Word]:
    """The open of a candle, and then its inside."""
    case, order = telling.case, telling.case.order
    ends = START + (number + 1) * HOUR
    telling.room = of_volume(case, candle.volume)
    if is_stop(order.kind):
        yield from protected(telling, number, candle)
        return
    if order.time_in_force == TimeInForce.GTD and order.expires_ms < ends:
        yield Word(number, "EXPIRED")
        return
    arrives = order.at_ms + case.assumed.latency_ms
    if not telling.stands and arrives < ends:
        middle = met_at(case, candle, arrives - (ends - HOUR))
        yield from arrived(telling, number, middle)
    if telling.stands and not telling.over:
        yield from traded_with(telling, number, candle)


def of_volume(case: Case, volume: int) -> Fraction:
    """Grains of it that may be ours: a share, in whole lots; a share of nothing is no limit."""
    if not case.assumed.participation_ppm:
        return Fraction(1 << 62)
    share = Fraction(volume * case.assumed.participation_ppm, MILLION)
    return Fraction(in_lots(case, share))


def in_lots(case: Case, grains: Fraction) -> int:
    return floor(grains / case.instrument.lot) * case.instrument.lot


def met_at(case: Case, candle: Candle, late_ms: int) -> int:
    """The middle where somebody arrives: later than the open, the price has moved against him.

    It moves with the root of time to the worst of the candle: for who takes the dearest, for who
    must not take the one where he would.
    """
    if late_ms <= 0:
        return candle.open
    way = root_of(late_ms)
    if (case.order.side == Side.BUY) != bool(case.order.post_only):
        return candle.open + ceil((candle.high - candle.open) * way)
    return candle.open - ceil((candle.open - candle.low) * way)


def root_of(part_ms: int) -> Fraction:
    """The root of this part of an hour, each in millionths."""
    return Fraction(isqrt(floor(Fraction(part_ms * MILLION, HOUR)) * MILLION), MILLION)


def width(case: Case, middle: int) -> int:
    """Half the spread: of the last touch, or the usual one."""
    usual = ceil(Fraction(middle * case.instrument.half_spread_ppm, MILLION))
    return case.half_spread or usual


def paid(case: Case, middle: int) -> int:
    """What a taker pays or gets: the far side of the spread, slippage, the worse tick."""
    of, tick = case.instrument, case.instrument.tick
    if case.half_spread:
        away = case.half_spread + ceil(Fraction(middle * of.slippage_ppm, MILLION))
    else:
        away = ceil(Fraction(middle * (of.half_spread_ppm + of.slippage_ppm), MILLION))
    if case.order.side == Side.BUY:
        return max(ceil(Fraction(middle + away, tick)) * tick, tick)
    return max(floor(Fraction(middle - away, tick)) * tick, tick)


def arrived(telling: Telling, number: int, middle: int) -> Iterator[Word]:
    """The order meets the market."""
    case, order = telling.case, telling.case.order
    price, at_once = paid(case, middle), order.time_in_force in AT_ONCE
    if order.post_only:
        gap = order.price - middle if telling.buys else middle - order.price
        if gap >= width(case, middle):
            yield Word(number, "POST_ONLY")
        else:
            telling.stands = True
        return
    acceptable = price <= order.price if telling.buys else price >= order.price
    if not acceptable and order.kind != Kind.MARKET:
        telling.stands = not at_once
        if at_once:
            yield Word(number, "COLLAR")
        return
    if telling.room < telling.rest and order.time_in_force == TimeInForce.FOK:
        yield Word(number, "LIQUIDITY")
        return
    if telling.room == 0 and at_once and telling.buys:
        yield Word(number, "LIQUIDITY")
        return
    telling.stands = not at_once
    if too_dear(telling, price):
        yield Word(number, "INSUFFICIENT")
        return
    yield from deal(telling, number, price, maker=False)
    if telling.rest and at_once and telling.rest < order.quantity:
        yield Word(number, "LIQUIDITY")


def traded_with(telling: Telling, number: int, candle: Candle) -> Iterator[Word]:
    """What rests is filled at its price where others traded beyond it; a share where they met."""
    case, price = telling.case, telling.case.order.price
    low, high = met_after(candle, min(HOUR - telling.late(number), HOUR))
    beyond = price - low if telling.buys else high - price
    if beyond < 0:
        return
    if too_dear(telling, price):
        yield Word(number, "INSUFFICIENT")
        return
    if beyond == 0:
        share = Fraction(telling.rest * case.assumed.touch_share_ppm, MILLION)
        telling.room = min(telling.room, Fraction(in_lots(case, share)))
    yield from deal(telling, number, price, maker=True)


def met_after(candle: Candle, left_ms: int) -> tuple[int, int]:
    """The lowest and the highest of what is left of an hour, as far from its close as it may be."""
    way, close = root_of(left_ms), candle.close
    return close - floor((close - candle.low) * way), close + floor((candle.high - close) * way)


def protected(telling: Telling, number: int, candle: Candle) -> Iterator[Word]:
    """A stop: hit before it is raised, else raised and perhaps hit; triggered, then sold or not."""
    case, order = telling.case, telling.case.order
    limited = order.kind == Kind.STOP_LIMIT
    if telling.triggered >= 0:
        if not limited:
            yield from deal(telling, number, paid(case, candle.open), maker=False)
        elif candle.high > order.limit:
            yield from deal(telling, number, order.limit, maker=True)
        return
    middle = min(candle.open, telling.trigger)
    if candle.low > telling.trigger and order.kind == Kind.TRAILING:
        tick = case.instrument.tick
        follows = floor(Fraction(candle.high - order.trail, tick)) * tick
        telling.trigger = middle = max(telling.trigger, follows, tick)
    if candle.low > telling.trigger:
        return
    price, telling.triggered = paid(case, middle), number
    if telling.room and not (limited and price < order.limit):
        yield from deal(telling, number, price, maker=False)
        return
    yield Word(number, "TRIGGERED")
    if limited and candle.close > order.limit:
        yield from deal(telling, number, order.limit, maker=True)


def deal(telling: Telling, number: int, price: int, *, maker: bool) -> Iterator[Word]:
    """Exchange what there is room for; money and fees are rounded against us."""
    of, quantity = telling.case.instrument, min(telling.rest, int(telling.room))
    if quantity == 0:
        return
    rate = Fraction(of.fee_maker_ppm if maker else of.fee_taker_ppm, MILLION)
    exact = Fraction(quantity * price, of.scale)
    notional = ceil(exact) if telling.buys else floor(exact)
    in_base = bool(of.fee_in_base) and telling.buys
    fee = 0 if in_base else ceil(notional * rate)
    fee_grains = ceil(quantity * rate) if in_base else 0
    telling.rest -= quantity
    telling.room -= quantity
    telling.held = dearest(telling, telling.case.order.price, telling.rest)
    yield Word(number, "fill", price, quantity, notional, fee, fee_grains, int(maker))


def dearest(telling: Telling, price: int, quantity: int) -> int:
    """Cash that a purchase may take: its cost, and the dearer of the two fees."""
    of = telling.case.instrument
    if not telling.buys:
        return 0
    cost = ceil(Fraction(quantity * price, of.scale))
    return cost + ceil(Fraction(cost * max(of.fee_maker_ppm, of.fee_taker_ppm), MILLION))


def too_dear(telling: Telling, price: int) -> bool:
    """No purchase takes cash that was not held for it."""
    return dearest(telling, price, min(telling.rest, int(telling.room))) > telling.held


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fills", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    from tests.core.trials import differing

    heard = Counter[str]()
    errors = list(differing(asked.fills, asked.seed, heard))
    for what, count in sorted(heard.items()):
        print(f"{count:>10,}  {what}")  # noqa: T201
    total = sum(count for what, count in heard.items() if "fill" in what)
    print(f"{total:>10,}  fills, {len(errors)} errors, seed {asked.seed}")  # noqa: T201
    for error in errors[:3]:
        print(*error, sep="\n  ")  # noqa: T201
    raise SystemExit(1 if errors else 0)
