"""Kernel and venue together: what one candle does to a position, told by the record."""

import pytest

from rrr.core import policy, shelf
from rrr.core.events import Close, Command, Decision, Event, Flow, Halted, Listing, Refused, Verb
from rrr.core.market import BPS, cost, down, worth
from rrr.core.orders import Cancel, Cause, Kind, Order, Rejection, Report, Side, Status
from rrr.core.rules import Refusal
from rrr.core.state import Halt
from tests.builders import (
    BTC,
    CAPITAL,
    HOUR,
    LISTED,
    PRICE,
    START,
    Session,
    candle,
    history,
    holding,
    instrument,
    law,
    report,
    session,
)

STOP = PRICE * 98 // 100


def orders(record: list[Event | Decision]) -> list[Order]:
    return [one for one in record if isinstance(one, Order)]


def fills(record: list[Event | Decision]) -> list[Report]:
    return [one for one in record if isinstance(one, Report) and one.status == Status.FILLED]


def test_a_purchase_waits_for_the_next_open_and_is_under_its_stop_inside_that_candle() -> None:
    new = session()
    new.close(candle(PRICE))
    assert fills(new.signal(10_000)) == []
    told = new.close(candle(open=PRICE, low=PRICE // 2))
    bought, stopped = fills(told)
    assert (bought.side, stopped.side) == (Side.BUY, Side.SELL)
    assert bought.at_ms == new.at_ms - HOUR
    assert stopped.at_ms == new.at_ms
    assert new.lane.quantity == 0


def test_reports_enter_before_the_close_that_caused_them() -> None:
    new = session()
    new.close(candle(PRICE))
    new.signal(10_000)
    kinds = [type(one).__name__ for one in new.close(candle(PRICE))]
    assert kinds == ["Report", "Order", "Report", "Close"]


def test_a_gap_over_the_stop_is_filled_at_the_open() -> None:
    (stopped,) = fills(holding().close(candle(open=PRICE // 2)))
    assert stopped.price == shelf.slip(PRICE // 2, Side.SELL, BTC, 0)


def test_a_stop_is_sized_from_what_a_fee_in_the_base_left() -> None:
    held = holding(of=instrument(fee_in_base=1, lot=7_000))
    bought = held.lane.quantity
    assert held.lane.stop.quantity == bought - bought % 7_000 != bought
    (fill,) = fills(held.record)
    assert bought == fill.quantity - fill.fee_grains


def test_an_exit_escalates_at_one_open_until_somebody_buys() -> None:
    held = holding(law(collar_bps=50))
    held.signal(0)
    told = held.close(candle(PRICE * 80 // 100))
    tried = orders(told)
    assert [one.attempt for one in tried] == [1, 2, 3, 4, 5, 6]
    asked = [PRICE - one.price for one in tried]
    assert asked == [PRICE * (50 << attempt) // BPS for attempt in range(1, 7)]
    ended = [one for one in told if isinstance(one, Report) and one.rejection == Rejection.COLLAR]
    assert len(ended) == 6
    (sold,) = fills(told)
    assert held.lane.quantity == 0
    assert {one.at_ms for one in (*ended, sold)} == {held.at_ms - HOUR}


class Patience(list[Event | Decision]):
    """A record that ends a world that would speak for ever."""

    def append(self, one: Event | Decision) -> None:
        assert len(self) < 500, "They never stop speaking."
        super().append(one)


@pytest.mark.parametrize("bps", [0, 1, 10, 39])
def test_an_exit_ends_however_narrow_its_collar_began(bps: int) -> None:
    held = holding(law(collar_bps=bps), of=instrument(half_spread_ppm=0, slippage_ppm=0))
    held.signal(0)
    held.record = Patience()
    held.close(candle(1_000))
    assert held.lane.quantity == 0


def test_a_target_that_was_crossed_cancels_the_stop_and_then_takes() -> None:
    held = holding()
    stop = held.lane.stop
    told = held.close(candle(PRICE * 105 // 100, open=PRICE))
    assert isinstance(told[0], Close)
    assert told[1] == Cancel(held.at_ms, 0, stop.sequence)
    (sale,) = orders(told)
    assert (sale.kind, sale.cause, sale.quantity) == (Kind.TAKE, Cause.TARGET, stop.quantity)
    held.close(candle(PRICE * 105 // 100))
    assert held.lane.quantity == 0
    assert held.account.cash > CAPITAL


def test_after_a_stop_an_instrument_is_left_alone_for_its_cool_down() -> None:
    held = holding(law(cooldown_ms=2 * HOUR))
    held.close(candle(STOP, open=PRICE))
    refused = [one for _ in range(2) for one in (held.signal(10_000)[-1], held.close())[:1]]
    assert [one.refusal for one in refused if isinstance(one, Refused)] == [Refusal.COOLDOWN] * 2
    assert orders(held.signal(10_000))


def test_a_drawdown_halts_and_only_reductions_follow() -> None:
    held = holding(law(drawdown_max_bps=100, stop_bps=5_000))
    told = held.close(candle(PRICE * 90 // 100))
    assert told[-1] == Halted(held.at_ms, int(Halt.DRAWDOWN))
    (sale,) = orders(held.signal(0))
    assert sale.side == Side.SELL
    held.close(candle(PRICE * 90 // 100))
    refused = held.signal(10_000)[-1]
    assert isinstance(refused, Refused)
    assert refused.refusal == Refusal.HALTED


def test_no_purchase_is_filled_while_halted_nor_when_somebody_resumes() -> None:
    new = session()
    new.close(candle(PRICE))
    (bought,) = orders(new.signal(10_000))
    told = new.meet(Command(new.at_ms, int(Verb.HALT)))
    assert told[2] == Cancel(new.at_ms, 0, bought.sequence)
    assert new.account.held == new.world.purse.held == 0
    told = new.close(candle(PRICE))
    new.meet(Command(new.at_ms, int(Verb.RESUME)))
    assert fills(told + new.close(candle(PRICE))) == []
    assert (new.account.cash, new.lane.quantity) == (CAPITAL, 0)


def test_a_fall_in_one_daily_candle_is_a_loss_of_24_hours() -> None:
    day, daily = (
        24 * HOUR,
        law(
            loss_24h_max_bps=600,
            stop_bps=5_000,
            exposure_max_bps=9_000,
            volatility_target_ppm=10**6,
        ),
    )
    new = session(under=daily)
    for _ in range(2):
        new.close(candle(PRICE), every_ms=day)
        new.signal(10_000)
    new.close(candle(PRICE * 80 // 100), every_ms=day)
    refused = new.signal(10_000)[-1]
    assert isinstance(refused, Refused)
    assert refused.refusal == Refusal.LOSS_24H


@pytest.mark.parametrize("collar_bps", [1, 100, 1_000])
def test_no_fill_is_above_the_largest_order_however_wide_its_collar(collar_bps: int) -> None:
    most, of = CAPITAL // 10, instrument(half_spread_ppm=0, slippage_ppm=0)
    new = session(of, under=law(order_notional_max=most, collar_bps=collar_bps))
    new.close(candle(PRICE))
    (bought,) = orders(new.signal(10_000))
    (fill, *_) = fills(new.close(candle(open=bought.price, close=bought.price)))
    assert fill.price == bought.price == PRICE * (BPS + collar_bps) // BPS
    assert fill.notional <= most < cost(of, fill.price, fill.quantity + of.lot)


def test_a_reduction_to_a_rest_that_could_not_be_protected_sells_all() -> None:
    timid = law(volatility_target_ppm=1)
    held = holding(timid)
    was, conviction = held.lane.quantity, 100
    rest = policy.wish(timid, held.account, held.lane, BTC, conviction)
    assert 0 < rest < was
    least = worth(BTC, held.lane.stop_price, rest) + 1
    held.meet(Listing(held.at_ms, instrument(version=2, notional_min=least)))
    held.signal(conviction)
    (sale,) = fills(held.close(candle(PRICE)))
    assert sale.quantity == was
    assert (held.lane.quantity, held.lane.stop.kind) == (0, 0)


def test_a_fee_that_rose_ends_a_purchase_and_its_cash_is_free() -> None:
    new = session()
    new.close(candle(PRICE))
    new.signal(10_000)
    new.meet(Listing(new.at_ms, instrument(version=2, fee_taker_ppm=20_000)))
    (ended, *_) = new.close(candle(PRICE))
    assert isinstance(ended, Report)
    assert (ended.status, ended.rejection) == (Status.CANCELLED, Rejection.INSUFFICIENT)
    assert (new.account.cash, new.account.held, new.world.purse.held) == (CAPITAL, 0, 0)
    assert (new.lane.quantity, new.lane.due) == (0, 0)


def test_the_venue_holds_the_same_money_after_a_flow() -> None:
    held = holding()
    held.meet(Flow(held.at_ms, -CAPITAL // 4))
    assert held.world.purse.cash == held.account.cash
    assert held.account.invested == CAPITAL * 3 // 4
    assert held.account.halted == Halt.NONE


def test_dust_below_one_lot_is_left_alone() -> None:
    held = holding(of=instrument(fee_in_base=1, lot=7_000))
    held.signal(0)
    held.close(candle(PRICE))
    assert 0 < held.lane.quantity < 7_000
    assert (held.lane.stop_price, held.lane.target_price, held.lane.paid) == (0, 0, 0)
    assert held.signal(0)[1:] == []
    assert held.close(candle(PRICE))[1:] == []


def test_nothing_is_bought_that_its_fee_makes_too_little_to_sell() -> None:
    least = down(CAPITAL, 4_000, BPS) // PRICE * BTC.scale
    new = session(instrument(fee_in_base=1, quantity_min=least - least % BTC.lot))
    new.close(candle(PRICE))
    new.signal(10_000)
    new.close(candle(PRICE))
    assert new.lane.quantity == 0 or new.lane.stop.kind == Kind.STOP


def test_an_exit_waits_while_its_instrument_has_no_candle() -> None:
    held = holding()
    held.signal(0)
    held.at_ms += HOUR
    held.meet(Close(held.at_ms, held.at_ms - HOUR, (), (0,)))
    assert held.lane.order.side == Side.SELL
    held.close(candle(PRICE))
    assert held.lane.quantity == 0


def test_a_purchase_whose_candle_is_missing_is_given_up() -> None:
    new = session()
    new.close(candle(PRICE))
    (bought,) = orders(new.signal(10_000))
    opened, new.at_ms = new.at_ms, new.at_ms + HOUR
    told = new.meet(Close(new.at_ms, opened, (), (0,)))
    no_price = int(Rejection.NO_PRICE)
    ended = report(Status.CANCELLED, bought, at_ms=opened, rejection=no_price)
    assert told == [ended, Close(new.at_ms, opened, (), (0,))]
    assert new.account.held == new.world.purse.held == 0
    assert fills(new.close(candle(PRICE))) == []


def test_the_same_events_make_the_same_world_and_the_same_record() -> None:
    first, second = (funded() for _ in range(2))
    for one in (first, second):
        one.meet(*history(7, 200))
    assert first.world == second.world
    assert first.record == second.record


@pytest.mark.parametrize("middle", [0, 1, 100, 333])
def test_a_history_cut_in_two_goes_on_from_its_middle(middle: int) -> None:
    events = list(history(8, 150))
    whole = funded()
    whole.meet(*events)
    before = funded()
    before.meet(*events[:middle])
    after = Session(before.world, [])
    after.meet(*events[middle:])
    assert after.world == whole.world
    assert before.record + after.record == whole.record


def funded() -> Session:
    new = session(*(one.instrument for one in LISTED))
    assert new.at_ms == START
    return new
