"""Parcels and gains by hand, and the laws that hold for every row of fills.

Money here is small: a quantum is a dollar, a grain a coin.
"""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import count
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrr.api.lots import Fill, Lots, Method, Parcel, days_held, fills_of, fold, long_term, split
from rrr.core.errors import JournalBroken
from rrr.core.orders import Side, Status
from tests.builders import order, report

DAY: Final = 86_400_000
NEW_YEAR: Final = 1_704_067_200_000  # of 2024
BOTH: Final = tuple(Method)


def buy(quantity: int, notional: int, fee: int = 0, grains: int = 0, coin: int = 0) -> Fill:
    return Fill(0, 0, 0, Side.BUY, quantity, 1, notional, fee, grains, coin_value=coin)


def sell(quantity: int, notional: int, fee: int = 0, grains: int = 0, coin: int = 0) -> Fill:
    return buy(quantity, notional, fee, grains, coin)._replace(side=Side.SELL)


def numbered(*fills: Fill) -> list[Fill]:
    """In this order, a day apart."""
    return [
        one._replace(number=n, at_ms=NEW_YEAR + n * DAY) for n, one in enumerate(fills, start=1)
    ]


def realised(lots: Lots) -> list[tuple[int, ...]]:
    """Bought by, sold by, quantity, proceeds, cost."""
    return [(g.bought, g.sold, g.quantity, g.proceeds, g.cost) for g in lots.gains]


def held(lots: Lots) -> list[tuple[int, ...]]:
    return [(p.bought, p.quantity, p.cost) for p in lots.parcels]


# what happens: (fills, method, gains, parcels)
TABLE: Final[
    dict[str, tuple[Sequence[Fill], Method, list[tuple[int, ...]], list[tuple[int, ...]]]]
] = {
    "the oldest goes first": (
        (buy(10, 100, 1), buy(10, 200, 2), sell(15, 300, 3)),
        Method.FIFO,
        [(1, 3, 10, 198, 101), (2, 3, 5, 99, 101)],
        [(2, 5, 101)],
    ),
    "the dearest goes first": (
        (buy(10, 100, 1), buy(10, 200, 2), sell(15, 300, 3)),
        Method.HIFO,
        [(2, 3, 10, 198, 202), (1, 3, 5, 99, 50)],
        [(1, 5, 51)],
    ),
    "a sale can end only what was bought before it": (
        (buy(10, 100), sell(5, 60), buy(10, 200), sell(5, 60)),
        Method.HIFO,
        [(1, 2, 5, 60, 50), (3, 4, 5, 60, 100)],
        [(1, 5, 50), (3, 5, 100)],
    ),
    "of two as dear the older goes": (
        (buy(10, 100), buy(5, 50), sell(10, 90)),
        Method.HIFO,
        [(1, 3, 10, 90, 100)],
        [(2, 5, 50)],
    ),
    "dear is what a grain cost, not what a parcel cost": (
        (buy(10, 100), buy(1, 20), sell(1, 15)),
        Method.HIFO,
        [(2, 3, 1, 15, 20)],
        [(1, 10, 100)],
    ),
    "a fee makes a parcel dear": (
        (buy(10, 100), buy(10, 95, 10), sell(10, 100)),
        Method.HIFO,
        [(2, 3, 10, 100, 105)],
        [(1, 10, 100)],
    ),
    "what does not divide stays with the rest": (
        (buy(3, 100), sell(1, 50), sell(1, 50), sell(1, 50)),
        Method.FIFO,
        [(1, 2, 1, 50, 33), (1, 3, 1, 50, 33), (1, 4, 1, 50, 34)],
        [],
    ),
    "a fee in the base makes the parcel smaller, and its cost stays": (
        (buy(10, 100, grains=1), sell(9, 90)),
        Method.FIFO,
        [(1, 2, 9, 90, 100)],
        [],
    ),
    "a fee in the base of a sale leaves with it": (
        (buy(10, 100), sell(8, 88, grains=1)),
        Method.FIFO,
        [(1, 2, 9, 88, 90)],
        [(1, 1, 10)],
    ),
    "a fee in a third coin is paid like one in the quote": (
        (buy(10, 100, coin=2), sell(10, 120, coin=3)),
        Method.FIFO,
        [(1, 2, 10, 117, 102)],
        [],
    ),
    "a rebate makes a purchase cheaper and a sale better": (
        (buy(10, 100, -2), sell(10, 120, -3)),
        Method.FIFO,
        [(1, 2, 10, 123, 98)],
        [],
    ),
    "a fee that takes all that was bought is a loss": (
        (buy(1, 7, grains=1),),
        Method.FIFO,
        [(1, 1, 0, 0, 7)],
        [],
    ),
    "a sale that brings less than its fee has cost something": (
        (buy(2, 10), sell(2, 1, 4)),
        Method.FIFO,
        [(1, 2, 2, -3, 10)],
        [],
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_parcels_by_hand(name: str) -> None:
    fills, method, gains, parcels = TABLE[name]
    lots = fold(numbered(*fills), method)
    assert realised(lots) == gains
    assert held(lots) == parcels


def test_instruments_never_mix() -> None:
    other = buy(10, 500)._replace(instrument=1)
    lots = fold(numbered(other, buy(10, 100), sell(10, 120)), Method.HIFO)
    assert realised(lots) == [(2, 3, 10, 120, 100)]
    assert lots.parcels == [Parcel(1, 1, NEW_YEAR + DAY, 10, 500)]


@pytest.mark.parametrize("method", BOTH)
def test_what_was_never_bought_cannot_be_sold(method: Method) -> None:
    with pytest.raises(JournalBroken, match=r"Fill 2 sells 1 grains that no fill before it bought"):
        fold(numbered(buy(10, 100, grains=1), sell(10, 120)), method)


def test_fees_are_valued_at_their_fill() -> None:
    """A tenth of the coins is a tenth of the notional."""
    assert buy(10, 100, fee=3, grains=1, coin=5).fee_value == 3 + 10 + 5
    assert sell(10, 100, fee=-3).fee_value == -3


@pytest.mark.parametrize(
    ("acquired", "disposed", "days", "long"),
    [
        ("2024-01-01T23:59", "2024-01-01T23:59", 0, False),
        ("2024-01-01T23:59", "2024-01-02T00:00", 1, False),
        ("2023-03-01T12:00", "2024-03-01T23:00", 366, False),
        ("2023-03-01T12:00", "2024-03-02T00:00", 367, True),
        ("2022-05-05T12:00", "2023-05-05T12:00", 365, False),
        ("2022-05-05T12:00", "2023-05-06T12:00", 366, True),
        ("2024-02-29T12:00", "2025-02-28T12:00", 365, False),
        ("2024-02-29T12:00", "2025-03-01T12:00", 366, True),
    ],
)
def test_a_term_is_long_from_the_day_after_a_year(
    acquired: str, disposed: str, days: int, long: bool
) -> None:
    times = milliseconds(acquired), milliseconds(disposed)
    assert days_held(*times) == days
    assert long_term(*times) is long


def milliseconds(text: str) -> int:
    from datetime import datetime

    return round(datetime.fromisoformat(f"{text}+00:00").timestamp()) * 1000


def test_the_fills_of_a_backtest_are_those_of_its_reports() -> None:
    sent = order()
    filled = report(Status.FILLED, sent, quantity=5, price=7, notional=35, fee=1)
    said = [report(Status.ACCEPTED, sent), filled, report(Status.CANCELLED, sent), filled]
    first, second = fills_of(said)
    assert first == Fill(1, filled.at_ms, 0, Side.BUY, 5, 7, 35, 1, 0)
    assert second == first._replace(number=2)


def test_a_third_coin_is_named_with_its_fee() -> None:
    fill = buy(10, 100)._replace(coin="BNB", coin_amount=Decimal("0.004"), coin_value=2)
    assert fill.money == 102


# The laws.

PRICES: Final = st.integers(1, 10**13)
STEP: Final = st.tuples(
    st.integers(0, 2),  # instrument
    st.booleans(),  # a purchase?
    st.integers(1, 10**10),  # grains
    PRICES,  # notional
    st.integers(-(10**6), 10**6),  # fee
    st.integers(0, 1_000),  # thousandths of the quantity that are a fee in the base
    st.integers(0, 10**6),  # fee in a third coin
)


@st.composite
def histories(draw: st.DrawFn, flat: bool = False) -> list[Fill]:
    """Fills that a spot book could have: nothing is sold that is not held."""
    holding: Counter[int] = Counter()
    fills: list[Fill] = []
    for i, purchase, wanted, notional, fee, taken, coin in draw(st.lists(STEP, max_size=40)):
        quantity = wanted if purchase else wanted % holding[i] + 1 if holding[i] else 0
        if not quantity:
            continue
        side = Side.BUY if purchase else Side.SELL
        grains = quantity * taken // 1_000 if purchase else min(taken, holding[i] - quantity)
        fill = Fill(0, 0, i, side, quantity, 1, notional, fee, grains, coin_value=coin)
        holding[i] += fill.grains
        fills.append(fill)
    if flat:
        for i, quantity in holding.items():
            if quantity:
                fills.append(sell(quantity, draw(PRICES))._replace(instrument=i))
    return numbered(*fills)


@given(histories(), st.sampled_from(Method))
def test_no_grain_and_no_quantum_is_made_or_lost(fills: list[Fill], method: Method) -> None:
    """Of every parcel by itself, and of every sale."""
    lots = fold(fills, method)
    quantity, cost, proceeds, sold = Counter[int](), Counter[int](), Counter[int](), Counter[int]()
    for gain in lots.gains:
        quantity[gain.bought] += gain.quantity
        cost[gain.bought] += gain.cost
        proceeds[gain.sold] += gain.proceeds
        sold[gain.sold] += gain.quantity
    for parcel in lots.parcels:
        assert parcel.quantity > 0
        quantity[parcel.bought] += parcel.quantity
        cost[parcel.bought] += parcel.cost
    for fill in fills:
        if fill.side == Side.BUY:
            assert (quantity[fill.number], cost[fill.number]) == (fill.grains, fill.money)
        else:
            assert (sold[fill.number], proceeds[fill.number]) == (-fill.grains, fill.money)


@given(histories(flat=True))
def test_once_flat_both_methods_have_realised_the_same(fills: list[Fill]) -> None:
    totals = set()
    for method in Method:
        lots = fold(fills, method)
        assert not lots.parcels
        totals.add(sum(gain.gain for gain in lots.gains))
    assert totals == {sum(-fill.side * fill.money for fill in fills)}


@given(histories(), st.sampled_from(Method))
def test_the_heap_ends_the_parcels_that_a_search_through_all_would(
    fills: list[Fill], method: Method
) -> None:
    lots = fold(fills, method)
    assert [(g.sold, g.bought, g.quantity) for g in lots.gains if g.quantity] == searched(
        fills, method
    )


def searched(fills: list[Fill], method: Method) -> list[tuple[int, int, int]]:
    """The slow and obvious twin."""
    there: list[tuple[Fill, int]] = []
    ended = []
    for fill in fills:
        if fill.side == Side.BUY:
            there.append((fill, fill.grains))
            continue
        left = -fill.grains
        while left:
            mine = [one for one in there if one[0].instrument == fill.instrument and one[1]]
            if method is Method.HIFO:
                best = max(Fraction(one.money, one.grains) for one, _ in mine)
                mine = [one for one in mine if Fraction(one[0].money, one[0].grains) == best]
            parcel, quantity = mine[0]
            part = min(left, quantity)
            there[there.index(mine[0])] = (parcel, quantity - part)
            ended.append((fill.number, parcel.number, part))
            left -= part
    return ended


@given(st.integers(-(10**20), 10**20), st.lists(st.integers(1, 10**20), min_size=1, max_size=20))
def test_parts_are_all_of_the_whole_and_each_is_fair(amount: int, quantities: list[int]) -> None:
    parts = list(split(amount, quantities))
    assert sum(parts) == amount
    whole = sum(quantities)
    for n, part, quantity in zip(count(1), parts, quantities, strict=False):
        assert abs(part - Fraction(amount * quantity, whole)) <= n
