"""Of every parcel each grain leaves once, and with the last of them the last quantum of its cost.

Fills enter in their order; parcels still held and gains leave. A purchase is a parcel: the grains
that arrived, for all that was paid for them. A sale ends parcels for what it brought after its
fees, the oldest first (FIFO) or the dearest first (HIFO). A part of a parcel costs its share
rounded down, and the remainder stays with the rest: sums are exact, always. All money of one fold
is in one currency; which one, it need not know.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from heapq import heappop, heappush
from typing import Final, NamedTuple

from rrr.core.errors import JournalBroken
from rrr.core.orders import Report, Side, Status

NOTHING: Final = Decimal(0)


class Method(StrEnum):
    """Which parcel a sale ends first."""

    FIFO = "fifo"  # the one bought first
    HIFO = "hifo"  # the one whose grain cost most when it was bought, fees included; of equals FIFO


class Fill(NamedTuple):
    """What the fold reads of a fill, whoever made it: a session, a backtest, a test."""

    number: int  # its name: the row of the journal
    at_ms: int
    instrument: int
    side: int
    quantity: int  # grains
    price: int  # points
    notional: int  # quanta
    fee: int  # quanta; a rebate is negative
    fee_grains: int
    coin: str = ""  # of a fee in a third coin
    coin_amount: Decimal = NOTHING
    coin_value: int = 0  # quanta: what that fee was worth at the fill

    @property
    def grains(self) -> int:
        """What arrived (positive) or left: a fee in the base leaves too."""
        return self.side * self.quantity - self.fee_grains

    @property
    def money(self) -> int:
        """What a purchase cost, or a sale brought, all fees counted."""
        return self.notional + self.side * (self.fee + self.coin_value)

    @property
    def fee_value(self) -> int:
        """All its fees in quanta; those in the base at the fill's own price, rounded down."""
        in_base = self.notional * self.fee_grains // self.quantity
        return self.fee + self.coin_value + in_base


class Parcel(NamedTuple):
    """What was bought at once, as far as it is still held."""

    instrument: int
    bought: int  # number of the fill
    acquired_ms: int
    quantity: int  # grains
    cost: int  # quanta


class Gain(NamedTuple):
    """One parcel, or a part of it, and the sale that ended it."""

    instrument: int
    bought: int
    sold: int
    acquired_ms: int
    disposed_ms: int
    quantity: int
    proceeds: int
    cost: int

    @property
    def gain(self) -> int:
        return self.proceeds - self.cost

    @property
    def days_held(self) -> int:
        return days_held(self.acquired_ms, self.disposed_ms)

    @property
    def long_term(self) -> bool:
        return long_term(self.acquired_ms, self.disposed_ms)


class Lots(NamedTuple):
    parcels: Sequence[Parcel]  # by instrument, then as they were bought
    gains: Sequence[Gain]  # as they were realised


Entry = tuple[Fraction, int, Parcel]  # what goes first is least; the order of purchase breaks ties


def fold(fills: Iterable[Fill], method: Method) -> Lots:
    """Match sales with purchases. Raise JournalBroken where more is sold than was bought.

    >>> cheap = Fill(1, 0, 0, +1, quantity=3, price=1, notional=30, fee=1, fee_grains=0)
    >>> dear = cheap._replace(number=2, notional=60)
    >>> sale = cheap._replace(number=3, side=-1, quantity=2, notional=40)
    >>> [fold([cheap, dear, sale], method).gains[0].gain for method in Method]
    [19, -1]
    """
    held: dict[int, list[Entry]] = {}
    gains: list[Gain] = []
    for order, fill in enumerate(fills):
        heap = held.setdefault(fill.instrument, [])
        assert fill.side * fill.grains >= 0, "A fee takes no more than was exchanged."
        if fill.side == Side.SELL:
            gains += _sold(heap, fill)
            continue
        parcel = Parcel(fill.instrument, fill.number, fill.at_ms, fill.grains, fill.money)
        if parcel.quantity:
            heappush(heap, (_rank(parcel, method), order, parcel))
        else:  # the fee took all that was bought: its cost must not be lost
            gains.append(_gain(parcel, fill, 0, 0, parcel.cost))
    parcels = [
        parcel
        for _, heap in sorted(held.items())
        for _, _, parcel in sorted(heap, key=lambda entry: entry[1])
    ]
    return Lots(parcels, gains)


def _rank(parcel: Parcel, method: Method) -> Fraction:
    return Fraction(0) if method is Method.FIFO else -Fraction(parcel.cost, parcel.quantity)


def _sold(heap: list[Entry], fill: Fill) -> Iterator[Gain]:
    """End what a sale ends; a parcel that stays keeps its rank, and so its place on the heap."""
    left, ended = -fill.grains, []
    while left > 0:
        if not heap:
            raise JournalBroken(
                f"Fill {fill.number} sells {left:,} grains that no fill before it bought.",
                "rrr replay names the row of the journal that is wrong.",
            )
        rank, order, parcel = heap[0]
        quantity = min(left, parcel.quantity)
        cost = parcel.cost * quantity // parcel.quantity
        if quantity == parcel.quantity:
            heappop(heap)
        else:
            rest = parcel._replace(quantity=parcel.quantity - quantity, cost=parcel.cost - cost)
            heap[0] = (rank, order, rest)
        ended.append((parcel, quantity, cost))
        left -= quantity
    proceeds = split(fill.money, [quantity for _, quantity, _ in ended])
    for (parcel, quantity, cost), money in zip(ended, proceeds, strict=True):
        yield _gain(parcel, fill, quantity, money, cost)


def _gain(parcel: Parcel, fill: Fill, quantity: int, proceeds: int, cost: int) -> Gain:
    times = parcel.acquired_ms, fill.at_ms
    return Gain(parcel.instrument, parcel.bought, fill.number, *times, quantity, proceeds, cost)


def split(amount: int, quantities: Sequence[int]) -> Iterator[int]:
    """An amount in parts as large as these quantities are; together they are all of it.

    >>> list(split(100, [1, 1, 1])), list(split(-100, [1, 2]))
    ([33, 33, 34], [-34, -66])
    """
    whole = sum(quantities)
    for quantity in quantities:
        part = amount * quantity // whole
        yield part
        amount, whole = amount - part, whole - quantity


def days_held(acquired_ms: int, disposed_ms: int) -> int:
    """Between two dates in UTC: the day of the purchase does not count, that of the sale does."""
    return (day(disposed_ms) - day(acquired_ms)).days


def long_term(acquired_ms: int, disposed_ms: int) -> bool:
    """Held for more than a year: past the date, a year on, that the purchase had in UTC.

    >>> new_year, day_ms = 1_704_067_200_000, 86_400_000  # of 2024, which has 366 days
    >>> [long_term(new_year, new_year + days * day_ms) for days in (366, 367)]
    [False, True]
    """
    bought, sold = day(acquired_ms), day(disposed_ms)
    a_year_on = (bought.year + 1, bought.month, bought.day)  # 29 February: past the 28th
    return (sold.year, sold.month, sold.day) > a_year_on


def day(at_ms: int) -> date:
    return datetime.fromtimestamp(at_ms // 1000, UTC).date()


def fills_of(reports: Iterable[Report]) -> Iterator[Fill]:
    """The fills among what a venue reported, as a backtest keeps them, numbered from 1."""
    filled = (report for report in reports if report.status == Status.FILLED)
    for number, of in enumerate(filled, start=1):
        yield Fill(
            *(number, of.at_ms, of.instrument, of.side, of.quantity),
            *(of.price, of.notional, of.fee, of.fee_grains),
        )
