"""Nothing on the way leaves 64 bits, and nothing that decides is anything but an integer.

Whole histories run on integers that assert their own width. What Python computes with care, a
compiled loop computes in 64 bits, silently.
"""

from types import ModuleType
from typing import TypeVar

import pytest

from rrr.core import kernel, ledger, market, matching, policy, rules
from rrr.core.events import Event, Flow, Limits, Listing
from rrr.core.orders import Report, Status
from tests.builders import CAPITAL, LAW, LISTED, QUANTA, Session, eventful, history, leaves

ROOMS: tuple[ModuleType, ...] = (market, ledger, policy, rules, matching, kernel)
Record = TypeVar("Record")

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

    def __neg__(self) -> "Wide":
        return within(-int(self))

    def __abs__(self) -> "Wide":
        return within(abs(int(self)))

    def __truediv__(self, other: int) -> float:
        raise AssertionError("No division makes a float.")

    __radd__ = __add__
    __rmul__ = __mul__
    __rtruediv__ = __truediv__


def wide(record: Record) -> Record:
    """The same record, made of integers that assert their width."""
    if isinstance(record, int):
        return Wide(record)  # type: ignore[return-value]
    assert isinstance(record, tuple)
    parts = tuple(wide(part) for part in record)
    return type(record)(*parts) if hasattr(record, "_fields") else parts  # type: ignore[return-value]


def play(seed: int, capital: int, n: int = 80, listed: tuple[int, ...] = (0, 1, 2, 3)) -> Session:
    on = tuple(
        LISTED[i]._replace(instrument=LISTED[i].instrument._replace(id=k))
        for k, i in enumerate(listed)
    )
    under = LAW._replace(order_notional_max=market.QUANTA_MAX)
    events: list[Event] = [Limits(0, under), *(Listing(0, one.instrument) for one in on)]
    now = Session()
    for event in (*events, Flow(0, capital), *eventful(seed, history(seed, n, on))):
        now.meet(wide(event))
    return now


@pytest.mark.parametrize("capital", CAPITALS)
@pytest.mark.parametrize("seed", range(6))
def test_no_product_leaves_64_bits_at_any_capital(seed: int, capital: int) -> None:
    now = play(seed, capital)
    fills = [one for one in now.record if isinstance(one, Report) and one.status == Status.FILLED]
    assert len(fills) > 20
    assert {one.instrument for one in fills} == {0, 1, 2, 3}
    for leaf in leaves((now.record, now.world)):
        assert isinstance(leaf, int)
        assert not isinstance(leaf, bool)
        assert -(1 << 63) <= leaf < 1 << 63


@pytest.mark.parametrize(("bid", "ask"), [(1, 2**63 - 1), (2**63 - 2, 2**63 - 1), (2**63 - 1, 1)])
def test_no_touch_is_too_wide_for_64_bits(bid: int, ask: int) -> None:
    assert 0 <= market.half_spread(Wide(bid), Wide(ask)) <= 1


def test_the_wide_integers_decide_as_plain_ones_do() -> None:
    plain = Session()
    for event in (one for one in play(3, CAPITAL).record if isinstance(one, Event)):
        if not isinstance(event, Report):
            plain.meet(event)
    assert plain.record == play(3, CAPITAL).record


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
