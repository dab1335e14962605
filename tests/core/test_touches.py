"""A touch says what parting costs, and decides nothing; who speaks for the model is known."""

import pytest

from rrr.core import market, shelf
from rrr.core.events import Adopted, Command, Halted, Signal, Touch, Verb
from rrr.core.ledger import equity
from rrr.core.market import BPS, PPM, up, worth
from rrr.core.orders import Order, Report, Side, Status
from rrr.core.state import Halt
from tests.builders import (
    BTC,
    HOUR,
    PRICE,
    START,
    Session,
    candle,
    holding,
    instrument,
    law,
    session,
)

WIDE = PRICE // 100
MODEL = 0x3F2A91C04B1D


def around(half: int) -> tuple[int, int]:
    """Bid and ask."""
    return PRICE - half, PRICE + half


def fill_of(told: list[object]) -> Report:
    (fill,) = [one for one in told if isinstance(one, Report) and one.status == Status.FILLED]
    return fill


def test_what_is_held_is_worth_what_the_bid_that_was_seen_would_pay() -> None:
    held = holding()
    touch = Touch(held.at_ms, 0, *around(WIDE))
    assert held.meet(touch) == [touch]
    assert held.account.worth == worth(BTC, PRICE - WIDE, held.lane.quantity)
    held.close(candle(PRICE + 100))
    assert held.account.worth == worth(BTC, PRICE + 100 - WIDE, held.lane.quantity)


def test_half_a_spread_is_rounded_against_us_and_never_nothing() -> None:
    for bid, ask, half in ((100, 100, 1), (100, 101, 1), (100, 102, 1), (100, 103, 2)):
        assert market.half_spread(bid, ask) == half


@pytest.mark.parametrize(
    ("bid", "ask"),
    [(PRICE, PRICE - 1), (PRICE, PRICE + PRICE // 5 + 1), (1, 2), (1, 2**62), (2**62, 1)],
    ids=["crossed", "absurdly wide", "below ten points", "the widest", "crossed most"],
)
def test_a_touch_that_is_not_to_be_believed_changes_nothing(bid: int, ask: int) -> None:
    held = holding()
    held.touch(*around(WIDE))
    before = held.world
    assert len(held.touch(bid, ask)) == 1
    assert held.world == before


def test_a_tenth_of_the_price_is_believed() -> None:
    held = holding()
    held.touch(PRICE, PRICE + PRICE // 5)
    assert held.lane.half_spread == PRICE // 10


@pytest.mark.parametrize(("bid", "ask"), [(0, 1), (1, 0), (-1, 1)])
def test_a_side_without_a_price_is_a_broken_law(bid: int, ask: int) -> None:
    with pytest.raises(AssertionError, match="nothing"):
        holding().touch(bid, ask)


def test_a_spread_that_narrowed_is_a_gain_and_the_peak_follows() -> None:
    held = holding()
    held.touch(*around(WIDE))
    held.meet(Command(held.at_ms, int(Verb.RESUME)))
    before = held.account
    held.touch(*around(1))
    assert held.account.peak == equity(held.account) > before.peak == equity(before)
    held.touch(*around(WIDE))
    assert held.account == before._replace(peak=held.account.peak)


def test_a_spread_that_ruins_halts_with_the_next_close_and_not_before() -> None:
    held = holding(law(drawdown_max_bps=100, exposure_max_bps=9_000))
    assert len(held.touch(*around(PRICE // 12))) == 1
    assert held.account.halted == Halt.NONE
    assert held.close(candle(PRICE))[-1] == Halted(held.at_ms, int(Halt.DRAWDOWN))


@pytest.mark.parametrize("side", list(Side))
def test_a_take_pays_half_the_last_spread_and_its_slippage_on_top(side: Side) -> None:
    half, at = 12_345, PRICE + 1
    worse = half + up(at, BTC.slippage_ppm, PPM)
    price = shelf.slip(at, side, BTC, half)
    assert price % BTC.tick == 0
    assert 0 <= side * (price - (at + side * worse)) < BTC.tick


@pytest.mark.parametrize("half", [1, 12_345, PRICE // 300])
def test_a_fill_knows_the_touch_before_its_candle_and_none_after(half: int) -> None:
    """At the open of a candle the touch of its close is still to come."""
    free = instrument(half_spread_ppm=9_999, slippage_ppm=0, tick=1)
    new = session(free)
    new.close(candle(PRICE))
    new.touch(*around(half))
    new.signal(10_000)
    fill = fill_of([*new.close(candle(PRICE)), *new.touch(*around(half + 7))])
    assert fill.price == PRICE + half
    new.signal(0)
    assert fill_of([*new.close(candle(PRICE))]).price == PRICE - half - 7


def test_a_stop_pays_the_last_spread_too() -> None:
    held = holding()
    held.touch(*around(WIDE))
    stop = held.lane.stop.price
    fill = fill_of([*held.close(candle(PRICE, low=stop))])
    assert fill.price == shelf.slip(stop, Side.SELL, BTC, WIDE) < stop - WIDE


def test_a_touch_of_one_instrument_is_no_touch_of_another() -> None:
    two = session(BTC, BTC._replace(id=1))
    two.touch(*around(WIDE), of=1)
    assert [lane.half_spread for lane in two.world.state.lanes] == [0, WIDE]
    assert [shelf.half_spread for shelf in two.world.shelves] == [0, WIDE]


def test_a_touch_before_any_candle_is_remembered() -> None:
    new = session()
    new.touch(*around(WIDE))
    assert (new.lane.half_spread, new.account.worth) == (WIDE, 0)


def test_a_fresh_book_obeys_the_baseline_and_then_whom_it_adopted() -> None:
    new = session()
    new.close(candle(PRICE))
    assert new.account.model == 0
    adopted = Adopted(new.at_ms, MODEL)
    assert new.meet(adopted) == [adopted]
    assert isinstance(new.meet(Signal(new.at_ms, 0, 10_000, MODEL))[1], Order)


@pytest.mark.parametrize(("adopted", "speaks"), [(0, MODEL), (MODEL, 0), (MODEL, MODEL + 1)])
def test_a_signal_of_another_model_is_a_broken_law(adopted: int, speaks: int) -> None:
    new = Session(session().world, at_ms=START + HOUR)
    new.meet(Adopted(START, adopted))
    with pytest.raises(AssertionError, match="adopted"):
        new.meet(Signal(START, 0, 0, speaks))


def test_half_a_spread_is_never_more_than_a_tenth_of_its_bid() -> None:
    for bid in (1, 10, 99, PRICE):
        for bps in range(0, 3 * BPS, 100):
            assert market.half_spread(bid, bid + bid * bps // BPS) <= bid // 10
