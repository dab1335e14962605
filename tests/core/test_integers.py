"""Nothing on the way leaves 64 bits, and nothing that decides is anything but an integer.

Whole histories run on integers that assert their own width. What Python computes with care, a
compiled loop computes in 64 bits, silently.
"""

from types import ModuleType
from typing import TypeVar

import pytest

from rrr.core import (
    arms,
    kernel,
    ledger,
    market,
    matching,
    orders,
    policy,
    pursuit,
    rules,
    shelf,
    ticks,
)
from rrr.core.events import Event
from rrr.core.orders import Report, Status
from rrr.core.shelf import NO_ASSUMPTIONS, Assumptions
from rrr.core.state import Law, Sizing
from tests.builders import CAPITAL, LAW, LISTED, QUANTA, Session, leaves
from tests.core.test_laws import covered
from tests.core.worlds import beginning, disturbed

ROOMS: tuple[ModuleType, ...] = (
    *(arms, kernel, ledger, market, matching, orders, policy, pursuit, rules, shelf, ticks),
)
Record = TypeVar("Record")

RICH = LAW._replace(order_notional_max=market.QUANTA_MAX)
OTHERWISE: list[tuple[Law, Assumptions]] = [
    (RICH, NO_ASSUMPTIONS),
    (
        RICH._replace(entry_maker=1, maker_offset_bps=10, target_rests=1, trail_bps=150),
        Assumptions(250, 100_000, 300_000, 0),
    ),
    (
        RICH._replace(collar_bps=0, stop_limit_bps=30, sizing=int(Sizing.EQUITY), stop_amends=1),
        Assumptions(1_800_000, 0, 0, 0),
    ),
    (
        RICH._replace(entry_maker=1, fill_or_kill=1, trail_bps=2_000, target_rests=1),
        Assumptions(250, 500_000, 500_000, 1),
    ),
]

# Up to half of what the door lets in: the other half is room for profit.
CAPITALS = [100 * QUANTA, CAPITAL, 100_000_000 * QUANTA, market.QUANTA_MAX // 2]


def within(value: int) -> "Wide":
    assert -(1 << 63) <= value < 1 << 63, "No product leaves 64 bits."
    return Wide(value)


class Wide(int):
    """An integer that asserts its own width, and makes wide whatever it touches."""

    def __add__(self, other: int) -> "Wide":
        return within(int(self) + int(other))

    def __sub__(self, other: int) -> "Wide":
        return within(int(self) - int(other))

    def __mul__(self, other: int) -> "Wide":
        return within(int(self) * int(other))

    def __floordiv__(self, other: int) -> "Wide":
        return within(int(self) // int(other))

    def __mod__(self, other: int) -> "Wide":
        return within(int(self) % int(other))

    def __lshift__(self, other: int) -> "Wide":
        return within(int(self) << int(other))

    def __rshift__(self, other: int) -> "Wide":
        return within(int(self) >> int(other))

    def __rsub__(self, other: int) -> "Wide":
        return within(int(other) - int(self))

    def __rfloordiv__(self, other: int) -> "Wide":
        return within(int(other) // int(self))

    def __rmod__(self, other: int) -> "Wide":
        return within(int(other) % int(self))

    def __rlshift__(self, other: int) -> "Wide":
        return within(int(other) << int(self))

    def __rrshift__(self, other: int) -> "Wide":
        return within(int(other) >> int(self))

    def __or__(self, other: int) -> "Wide":
        return within(int(self) | int(other))

    def __and__(self, other: int) -> "Wide":
        return within(int(self) & int(other))

    def __neg__(self) -> "Wide":
        return within(-int(self))

    def __abs__(self) -> "Wide":
        return within(abs(int(self)))

    def __truediv__(self, other: int) -> float:
        raise AssertionError("No division makes a float.")

    __radd__ = __add__
    __rmul__ = __mul__
    __ror__ = __or__
    __rand__ = __and__
    __rtruediv__ = __truediv__


def wide(record: Record) -> Record:
    """The same record, made of integers that assert their width."""
    if isinstance(record, int):
        return Wide(record)  # type: ignore[return-value]
    assert isinstance(record, tuple)
    parts = tuple(wide(part) for part in record)
    return type(record)(*parts) if hasattr(record, "_fields") else parts  # type: ignore[return-value]


def play(
    seed: int,
    capital: int,
    otherwise: int = 0,
    n: int = 80,
    listed: tuple[int, ...] = (0, 1, 2, 3),
) -> Session:
    on = tuple(
        LISTED[i]._replace(instrument=LISTED[i].instrument._replace(id=k))
        for k, i in enumerate(listed)
    )
    now = Session()
    for event in (*beginning(*OTHERWISE[otherwise], on, capital), *disturbed(seed, n, on)):
        now.meet(wide(covered(event, now.account)))
    return now


@pytest.mark.parametrize("capital", CAPITALS)
@pytest.mark.parametrize("otherwise", range(len(OTHERWISE)))
def test_no_product_leaves_64_bits_at_any_capital(otherwise: int, capital: int) -> None:
    fills = list[Report]()
    for seed in range(4):
        now = play(seed, capital, otherwise)
        fills += [
            one for one in now.record if isinstance(one, Report) and one.status == Status.FILLED
        ]
        for leaf in leaves((now.record, now.world)):
            assert isinstance(leaf, int)
            assert not isinstance(leaf, bool)
            assert -(1 << 63) <= leaf < 1 << 63
    assert len(fills) > 20
    assert {one.instrument for one in fills} >= {0, 1}


@pytest.mark.parametrize(("bid", "ask"), [(1, 2**63 - 1), (2**63 - 2, 2**63 - 1), (2**63 - 1, 1)])
def test_no_touch_is_too_wide_for_64_bits(bid: int, ask: int) -> None:
    assert 0 <= market.half_spread(Wide(bid), Wide(ask)) <= 1


def test_the_wide_integers_decide_as_plain_ones_do() -> None:
    for otherwise in range(len(OTHERWISE)):
        plain, recorded = Session(), play(3, CAPITAL, otherwise, 30).record
        for event in recorded:
            if isinstance(event, Event) and not isinstance(event, Report):
                plain.meet(event)
        assert plain.record == recorded


@pytest.mark.parametrize("product", [market.up, market.down], ids=["up", "down"])
def test_a_naive_product_is_caught(monkeypatch: pytest.MonkeyPatch, product: object) -> None:
    name = "up" if product is market.up else "down"

    def naive(amount: int, rate: int, scale: int) -> int:
        return -(-amount * rate // scale) if name == "up" else amount * rate // scale

    for room in ROOMS:
        if hasattr(room, name):
            monkeypatch.setattr(room, name, naive)
    with pytest.raises(AssertionError, match="64 bits"):
        play(1, CAPITAL, listed=(3,))


def test_a_float_is_caught() -> None:
    with pytest.raises(AssertionError, match="float"):
        Wide(1) / 2
