"""Finer candles decide what happened inside a candle; the candle itself then fills nothing more."""

import pytest

from rrr.core.events import Close, Decision, Detail, Event
from rrr.core.market import PPM, Candle
from rrr.core.orders import Order, Rejection, Report, Side, Status
from rrr.core.shelf import NO_ASSUMPTIONS
from tests.builders import (
    HOUR,
    LIQUID,
    PRICE,
    Session,
    candle,
    holding,
    instrument,
    law,
    session,
)

COIN = 10**8
FREE = instrument(half_spread_ppm=0, slippage_ppm=0, fee_taker_ppm=0, unit=COIN)
BOTH = law(target_rests=1, target_bps=200)
STOP, TARGET = PRICE * 98 // 100, PRICE * 102 // 100
QUARTER = HOUR // 4


def fills(told: list[Event | Decision]) -> list[Report]:
    return [one for one in told if isinstance(one, Report) and one.status == Status.FILLED]


def within(now: Session, whole: Candle, *fine: Candle) -> list[Event | Decision]:
    """Finer candles, each a quarter of an hour, and then the hour that they were."""
    told = [one for part in fine for one in now.detail(part)]
    opened = now.at_ms - len(fine) * QUARTER
    now.at_ms = opened + HOUR
    return told + now.meet(Close(now.at_ms, opened, (whole,), ()))


WHOLE = candle(PRICE, low=STOP, high=TARGET + 1)
UP, DOWN, STILL = candle(PRICE, high=TARGET + 1), candle(PRICE, low=STOP), candle(PRICE)
PATHS = [
    ("nobody looked closer: the worse happened", (), STOP),
    ("first up", (UP, STILL, DOWN, STILL), TARGET),
    ("first down", (STILL, DOWN, UP, STILL), STOP),
    ("both in the same quarter: the worse happened", (STILL, WHOLE, STILL, STILL), STOP),
]


@pytest.mark.parametrize(("how", "fine", "price"), PATHS, ids=[row[0] for row in PATHS])
def test_finer_candles_decide_which_of_stop_and_target_was_met_first(
    how: str, fine: tuple[Candle, ...], price: int
) -> None:
    held = holding(BOTH, FREE)
    told = within(held, WHOLE, *fine)
    assert [one.price for one in fills(told)] == [price]
    assert held.lane.quantity == 0


def test_the_candle_fills_nothing_that_its_parts_did_not() -> None:
    held = holding(BOTH, FREE)
    assert fills(within(held, WHOLE, STILL, STILL, STILL, STILL)) == []
    assert held.lane.quantity > 0
    assert fills(within(held, WHOLE)), "Where no part was seen, the candle is met."


def test_the_open_of_the_first_part_is_where_a_take_is_filled() -> None:
    new = session(FREE)
    new.close(candle(PRICE))
    new.signal(10_000)
    (bought,) = fills(within(new, WHOLE, candle(PRICE + 100), STILL, STILL, STILL))
    assert (bought.price, bought.at_ms) == (PRICE + 100, new.at_ms - HOUR)


def test_reports_come_with_the_part_that_caused_them_and_before_the_close() -> None:
    held = holding(BOTH, FREE)
    told = within(held, WHOLE, STILL, DOWN, STILL, STILL)
    kinds = [type(one).__name__ for one in told]
    assert kinds == ["Detail", "Report", "Report", "Detail", "Detail", "Detail", "Close"]
    assert fills(told)[0].at_ms == held.at_ms - 2 * QUARTER


def test_who_is_late_meets_the_part_in_which_he_arrives() -> None:
    late = NO_ASSUMPTIONS._replace(latency_ms=2 * QUARTER)
    new = session(FREE, assumed=late)
    new.close(candle(PRICE))
    new.signal(10_000)
    (bought,) = fills(within(new, WHOLE, STILL, STILL, candle(PRICE + 300), STILL))
    assert (bought.price, bought.at_ms) == (PRICE + 300, new.at_ms - 2 * QUARTER)


def test_each_part_has_a_volume_of_its_own() -> None:
    shared = NO_ASSUMPTIONS._replace(participation_ppm=PPM // 2)
    patient = law(entry_maker=1, patience_ms=2 * HOUR, maker_offset_bps=20, sizing=2)
    new = session(FREE, under=patient, assumed=shared)
    new.close(candle(PRICE))
    new.signal(10_000)
    falls = candle(PRICE, low=PRICE * 99 // 100, volume=COIN // 2)
    told = within(new, candle(PRICE), falls, falls, falls, falls)
    assert [one.quantity for one in fills(told) if one.side == Side.BUY] == [COIN // 4] * 4
    assert new.lane.quantity == new.lane.stop.quantity == COIN


def test_a_stop_set_in_one_part_is_raised_by_the_next_and_the_hour_raises_nothing_twice() -> None:
    new = session(FREE, under=law(trail_bps=100))
    new.close(candle(PRICE))
    new.signal(10_000)
    peak = candle(PRICE * 103 // 100, open=PRICE)
    told = within(new, candle(PRICE), STILL, peak, candle(PRICE), STILL)
    bought, sold = fills(told)
    assert sold.price == PRICE * 103 // 100 - PRICE // 100
    assert (sold.at_ms - bought.at_ms, new.lane.quantity) == (2 * QUARTER, 0)


def test_an_exit_that_no_part_took_waits_for_the_next_hour() -> None:
    held = holding(of=FREE, assumed=NO_ASSUMPTIONS._replace(participation_ppm=PPM // 2))
    held.signal(0)
    dry = candle(PRICE, volume=0)
    assert fills(within(held, candle(PRICE, volume=LIQUID), dry, dry, dry, dry)) == []
    assert held.lane.order.side == Side.SELL
    (sold,) = fills(within(held, candle(PRICE + 500)))
    assert sold.price == PRICE + 500


def test_a_part_decides_nothing() -> None:
    held = holding(law(target_bps=1))
    part = candle(2 * PRICE, open=PRICE)
    assert [type(one) for one in held.detail(part)] == [Detail]
    assert any(isinstance(one, Order) for one in held.close(part, every_ms=3 * QUARTER))


def test_a_missing_hour_whose_parts_were_seen_ends_no_purchase() -> None:
    late = NO_ASSUMPTIONS._replace(latency_ms=2 * HOUR)
    new = session(FREE, assumed=late)
    new.close(candle(PRICE))
    new.signal(10_000)
    for seen in (True, False):
        new.at_ms += HOUR
        if seen:
            new.meet(Detail(new.at_ms, new.at_ms - HOUR, (STILL,)))
        told = new.meet(Close(new.at_ms, new.at_ms - HOUR, (), (0,)))
        over = [one.rejection for one in told if isinstance(one, Report)]
        assert over == ([] if seen else [Rejection.NO_PRICE])
