"""Products are exact and rounded as they say, at any size the door lets in."""

from fractions import Fraction
from math import ceil, floor, isqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrr.core.market import (
    PPM,
    QUANTA_MAX,
    Source,
    bid,
    cost,
    down,
    fits,
    lots,
    purchase,
    root,
    sellable,
    share_ppm,
    up,
    worth,
)
from tests.builders import BTC, LISTED, PRICE, Listed, instrument

amounts = st.integers(-(1 << 62), 1 << 62)
rates = st.integers(-PPM, PPM)
LAWS = settings(max_examples=200, deadline=None, derandomize=True)


@LAWS
@given(amounts, rates, st.integers(1, 10**9))
def test_up_and_down_are_the_exact_product_rounded(amount: int, rate: int, scale: int) -> None:
    exact = Fraction(amount * rate, scale)
    assert up(amount, rate, scale) == ceil(exact)
    assert down(amount, rate, scale) == floor(exact)


@LAWS
@given(st.data())
def test_a_share_is_exact_where_it_can_be_and_never_far_off(data: st.DataObject) -> None:
    whole = data.draw(st.integers(1, 1 << 62))
    part = data.draw(st.integers(0, whole))
    exact = Fraction(part * PPM, whole)
    if whole < 1 << 40:
        assert share_ppm(part, whole) == floor(exact)
    assert abs(share_ppm(part, whole) - exact) <= 2
    assert 0 <= share_ppm(part, whole) <= PPM


@pytest.mark.parametrize("one", LISTED, ids=lambda one: f"scale {one.instrument.scale}")
def test_a_purchase_is_rounded_up_and_a_holding_down(one: Listed) -> None:
    quantity = 12_345_678_901
    exact = Fraction(quantity * one.price, one.instrument.scale)
    assert cost(one.instrument, one.price, quantity) == ceil(exact)
    assert worth(one.instrument, one.price, quantity) == floor(exact)


def test_what_passes_the_door_can_be_priced_and_what_does_not_stops_the_program() -> None:
    most = QUANTA_MAX // PRICE * BTC.scale
    assert fits(BTC, PRICE, most - 1) == 1
    assert cost(BTC, PRICE, most - 1) <= QUANTA_MAX
    assert fits(BTC, PRICE, most) == 0
    for price_of in (cost, worth):
        with pytest.raises(AssertionError, match="door"):
            price_of(BTC, PRICE, most + BTC.scale)


def test_nothing_passes_the_door_at_no_price() -> None:
    assert fits(BTC, 0, 1) == 0


def test_a_seller_is_met_below_the_middle_and_never_below_one_point() -> None:
    assert bid(BTC, PRICE, 0) == PRICE - up(PRICE, BTC.half_spread_ppm, PPM)
    assert bid(instrument(half_spread_ppm=PPM), PRICE, 0) == 1


@pytest.mark.parametrize("maker_ppm", [-250, 0, 1_234])
@pytest.mark.parametrize("taker_ppm", [0, 1_234])
def test_a_purchase_takes_its_cost_and_the_dearer_fee_both_rounded_up(
    maker_ppm: int, taker_ppm: int
) -> None:
    odd = instrument(fee_maker_ppm=maker_ppm, fee_taker_ppm=taker_ppm)
    dearer = max(maker_ppm, taker_ppm)
    quantity = 12_345_678_901
    money = ceil(Fraction(quantity * (PRICE + 1), odd.scale))
    assert purchase(odd, PRICE + 1, quantity) == money + ceil(Fraction(money * dearer, PPM))


def test_what_a_venue_takes_is_at_least_a_lot_and_its_minimums() -> None:
    coin = 10**8
    money = worth(BTC, PRICE, coin)
    assert sellable(BTC, PRICE, coin) == 1
    for rule, least in (("lot", coin), ("quantity_min", coin), ("notional_min", money)):
        assert sellable(instrument(**{rule: least}), PRICE, coin) == 1
        assert sellable(instrument(**{rule: least + 1}), PRICE, coin) == 0
    assert sellable(instrument(notional_min=money), PRICE - 1, coin) == 0


def test_dust_is_what_remains_above_whole_lots() -> None:
    assert lots(BTC, 5 * BTC.lot + 1) == 5 * BTC.lot
    assert lots(BTC, BTC.lot - 1) == 0


@LAWS
@given(st.one_of(st.integers(0, 10_000), st.integers(0, (1 << 62) - 1)))
def test_a_root_is_the_whole_part_of_it(number: int) -> None:
    assert root(number) == isqrt(number)


def test_sources_are_told_apart() -> None:
    assert len({int(source) for source in Source}) == len(Source)
