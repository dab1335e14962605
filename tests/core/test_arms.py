"""Whatever the venue says, in whatever order and however often: money is booked once, and what is
held stays protected or leaves."""

from itertools import permutations

import pytest

from rrr.core.events import Limits, Refused
from rrr.core.kernel import step
from rrr.core.market import BPS, purchase
from rrr.core.orders import Cancel, Cause, Kind, Order, Rejection, Side, Stage, Status
from rrr.core.rules import Refusal
from tests.builders import BTC, HOUR, LAW, PRICE, START, law, report
from tests.core.test_kernel import Talk, flat, held

COIN = 10**8
LATE = {"rejection": int(Rejection.UNKNOWN_ORDER)}


def buying(**changes: int) -> tuple[Talk, Order]:
    """A purchase is on its way."""
    talk = flat(**changes)
    talk.signal(10_000)
    return talk, talk.order()


def adding(**changes: int) -> tuple[Talk, Order, Order]:
    """What is held rests under its stop, and more is being bought."""
    talk = held(**changes | {"exposure_max_bps": 3_000, "entry_maker": 0})
    stop = talk.lane.stop
    talk.state, _ = step(talk.state, Limits(START, law(exposure_max_bps=8_000, **changes)))
    (more,) = talk.signal(10_000)
    assert isinstance(more, Order)
    talk.says(Status.ACCEPTED, more)
    return talk, stop, more


def sale(said: tuple[object, ...]) -> Order:
    (order,) = said
    assert isinstance(order, Order)
    assert order.side == Side.SELL
    return order


def test_fills_in_any_order_each_told_twice_are_booked_once() -> None:
    for numbers in permutations((1, 2, 3)):
        talk, bought = buying()
        for number in numbers:
            for _ in range(2):
                talk.fills_again(bought, number, COIN)
        assert talk.lane.quantity == 3 * COIN
        assert talk.lane.due == bought.quantity - 3 * COIN
        assert talk.lane.paid == 3 * COIN * PRICE // BTC.scale


def test_a_fill_of_an_order_that_is_over_is_booked_once() -> None:
    talk, bought = buying()
    talk.fills(bought, bought.quantity)
    before = talk.state
    assert talk.fills_again(bought, 1, bought.quantity) == ()
    assert talk.state == before


def test_a_fill_that_comes_after_the_cancel_is_booked_once_however_often_it_is_told() -> None:
    talk, bought = buying()
    talk.says(Status.ACCEPTED, bought)
    talk.says(Status.CANCELLED, bought)
    for number in (2, 1, 2, 1):
        talk.fills_again(bought, number, COIN)
    assert talk.lane.quantity == 2 * COIN


def test_the_last_two_orders_that_are_over_are_remembered() -> None:
    talk, first = buying()
    talk.fills(first, COIN)
    stop = talk.says(Status.CANCELLED, first)[0]
    assert isinstance(stop, Order)
    talk.says(Status.ACCEPTED, stop)
    talk.signal(0)
    out = sale(talk.says(Status.CANCELLED, stop))
    before = talk.state
    for over, fill in ((first, 1),):
        assert talk.fills_again(over, fill, COIN) == ()
    assert talk.state == before
    talk.fills(out, COIN)
    assert talk.fills_again(out, 1, COIN) == ()
    assert talk.lane.quantity == 0


def test_a_cancel_that_came_too_late_waits_for_the_fill_that_is_on_its_way() -> None:
    talk, stop, more = adding()
    talk.signal(0)
    assert talk.says(Status.REJECTED, more, **LATE) == ()
    assert talk.lane.order.kind
    talk.fills(more, more.quantity)
    assert talk.lane.quantity == stop.quantity + more.quantity


ANSWERS: list[tuple[Status, Kind]] = [
    (Status.ACCEPTED, Kind.TAKE),
    (Status.UNKNOWN, Kind.TAKE),
    (Status.FILLED, Kind.NONE),
    (Status.CANCELLED, Kind.NONE),
    (Status.REJECTED, Kind.NONE),
]


@pytest.mark.parametrize(("status", "kind"), ANSWERS)
def test_nobody_answers_and_then_somebody_does(status: Status, kind: Kind) -> None:
    talk, bought = buying()
    held_before = talk.state.account.held
    assert talk.says(Status.UNKNOWN, bought) == ()
    assert talk.lane.order.stage == Stage.UNKNOWN
    assert talk.state.account.held == held_before > 0, "What may be filled is paid for."
    if status == Status.FILLED:
        talk.fills(bought, bought.quantity)
    else:
        talk.says(status, bought)
    assert talk.lane.order.kind == kind
    assert (talk.state.account.held > 0) == (kind == Kind.TAKE)


def test_a_stop_that_nobody_knows_of_is_not_set_twice() -> None:
    talk = held()
    assert talk.says(Status.UNKNOWN, talk.lane.stop) == ()
    assert talk.close() == ()
    assert talk.lane.stop.stage == Stage.UNKNOWN


def test_a_late_fill_of_a_sale_leaves_less_to_sell() -> None:
    talk = held()
    whole = talk.lane.quantity
    talk.signal(0)
    first = sale(talk.says(Status.CANCELLED, talk.lane.stop))
    second = sale(talk.says(Status.CANCELLED, first))
    assert talk.fills(first, COIN) == ()
    assert talk.says(Status.REJECTED, second, rejection=int(Rejection.INSUFFICIENT)) == ()
    assert sale(talk.close()).quantity == talk.lane.quantity == whole - COIN


def test_a_late_fill_of_a_stop_after_its_cancel_is_booked_and_nothing_is_held() -> None:
    talk = held()
    stop = talk.lane.stop
    talk.signal(0)
    out = sale(talk.says(Status.CANCELLED, stop))
    talk.fills(stop, stop.quantity)
    assert talk.lane.quantity == 0
    assert talk.says(Status.REJECTED, out, rejection=int(Rejection.INSUFFICIENT)) == ()
    assert talk.close() == ()
    assert (talk.lane.due, talk.lane.stop_price) == (0, 0)


def test_a_triggered_stop_that_does_not_fill_is_cancelled_and_what_is_held_is_taken_out() -> None:
    talk = held()
    stop = talk.lane.stop
    assert talk.says(Status.TRIGGERED, stop) == (Cancel(talk.at_ms, 0, stop.sequence),)
    out = sale(talk.says(Status.CANCELLED, stop))
    assert (out.kind, out.cause, out.quantity) == (Kind.TAKE, Cause.STOP, stop.quantity)


def test_a_triggered_stop_that_fills_while_it_is_cancelled_leaves_nothing_to_sell() -> None:
    talk = held()
    stop = talk.lane.stop
    talk.says(Status.TRIGGERED, stop)
    assert talk.fills(stop, stop.quantity) == ()
    assert (talk.lane.quantity, talk.lane.due, talk.lane.order.kind) == (0, 0, Kind.NONE)


@pytest.mark.parametrize("resting", [0, 1])
@pytest.mark.parametrize("meanwhile", [0, COIN])
def test_an_exit_is_not_forgotten_while_a_purchase_is_called_back(
    resting: int, meanwhile: int
) -> None:
    talk, stop, more = adding(entry_maker=resting)
    assert more.kind == (Kind.LIMIT if resting else Kind.TAKE)
    assert talk.says(Status.TRIGGERED, stop) == (Cancel(talk.at_ms, 0, more.sequence),)
    if meanwhile:
        assert talk.fills(more, meanwhile) == ()
    assert talk.says(Status.CANCELLED, more) == (Cancel(talk.at_ms, 0, stop.sequence),)
    out = sale(talk.says(Status.CANCELLED, stop))
    assert (out.quantity, out.cause, out.attempt) == (stop.quantity + meanwhile, Cause.STOP, 0)


def test_what_cannot_be_protected_is_sold_though_more_is_being_bought() -> None:
    talk, stop, more = adding(entry_maker=1)
    talk.fills(more, COIN)
    again = talk.says(Status.CANCELLED, stop)[0]
    assert isinstance(again, Order)
    called_back = talk.says(Status.REJECTED, again, rejection=int(Rejection.CAPACITY))
    assert called_back == (Cancel(talk.at_ms, 0, more.sequence),)
    out = sale(talk.says(Status.CANCELLED, more))
    assert (out.quantity, out.cause) == (stop.quantity + COIN, Cause.UNPROTECTED)


def test_a_target_that_is_reached_calls_back_the_purchase_that_rests() -> None:
    talk, stop, more = adding(entry_maker=1)
    assert talk.close(PRICE * 2) == (Cancel(talk.at_ms, 0, more.sequence),)
    assert talk.says(Status.CANCELLED, more) == (Cancel(talk.at_ms, 0, stop.sequence),)
    assert sale(talk.says(Status.CANCELLED, stop)).cause == Cause.TARGET


@pytest.mark.parametrize("cooldown_ms", [0, HOUR])
def test_after_a_stop_a_purchase_is_called_back_for_the_cool_down(cooldown_ms: int) -> None:
    talk, stop, more = adding(entry_maker=1, cooldown_ms=cooldown_ms)
    called_back = (Cancel(talk.at_ms, 0, more.sequence),)
    assert talk.fills(stop, stop.quantity) == (called_back if cooldown_ms else ())
    assert talk.lane.cooldown_until_ms == talk.at_ms + cooldown_ms


def test_what_is_bought_after_a_stop_has_levels_of_its_own() -> None:
    """Or its stop would stand above its price, and sell at once for more than was paid."""
    talk, stop, more = adding(entry_maker=1)
    talk.fills(stop, stop.quantity)
    assert (talk.lane.stop_price, talk.lane.target_price) == (0, 0)
    (again,) = talk.fills(more, COIN, PRICE // 2)
    assert isinstance(again, Order)
    assert again.price == PRICE // 2 * (BPS - LAW.stop_bps) // BPS


def test_a_part_of_a_purchase_frees_the_cash_of_that_part() -> None:
    talk, bought = buying()
    talk.fills(bought, COIN)
    rest = purchase(BTC, bought.price, bought.quantity - COIN)
    assert talk.state.account.held == talk.lane.hold == rest


def test_a_purchase_that_filled_more_than_it_asked_for_sells_the_rest() -> None:
    talk, bought = buying()
    talk.fills(bought, bought.quantity + COIN)
    assert talk.lane.quantity == bought.quantity + COIN
    assert sale(talk.close() or (talk.order(),)).quantity == COIN


def oco() -> tuple[Talk, Order, Order]:
    """A stop and a target rest as partners."""
    talk = held(target_rests=1)
    stop = talk.lane.stop
    target = talk.lane.target
    if not target.kind:
        talk.says(Status.ACCEPTED, stop)
        target = talk.order()
    assert (target.partner, target.quantity) == (stop.sequence, stop.quantity)
    return talk, stop, target


def test_what_fills_one_leg_waits_for_the_venue_to_end_the_other() -> None:
    talk, stop, target = oco()
    assert talk.fills(stop, COIN) == ()
    assert talk.lane.target.stage == Stage.CANCELLING
    assert talk.says(Status.CANCELLED, target, rejection=int(Rejection.PARTNER)) == ()
    assert (talk.lane.stop.sequence, talk.lane.target.kind) == (stop.sequence, Kind.NONE)


def test_what_a_target_sold_in_part_is_rested_anew_under_a_new_stop() -> None:
    talk, stop, target = oco()
    assert talk.fills(target, COIN) == (Cancel(talk.at_ms, 0, target.sequence),)
    assert talk.lane.stop.stage == Stage.CANCELLING
    assert talk.says(Status.CANCELLED, stop, rejection=int(Rejection.PARTNER)) == ()
    (again,) = talk.says(Status.CANCELLED, target)
    assert isinstance(again, Order)
    assert (again.kind, again.quantity) == (Kind.STOP, talk.lane.quantity)
    (rested,) = talk.says(Status.ACCEPTED, again)
    assert isinstance(rested, Order)
    assert (rested.quantity, rested.partner) == (again.quantity, again.sequence)


def test_a_target_that_the_venue_does_not_take_is_watched() -> None:
    talk, stop, target = oco()
    assert talk.says(Status.REJECTED, target, rejection=int(Rejection.CAPACITY)) == ()
    assert talk.lane.target.kind == Kind.NONE
    assert talk.close(target.price) == (Cancel(talk.at_ms, 0, stop.sequence),)
    assert sale(talk.says(Status.CANCELLED, stop)).cause == Cause.TARGET


def test_a_triggered_stop_ends_its_target_first() -> None:
    talk, stop, target = oco()
    assert talk.says(Status.TRIGGERED, stop) == (Cancel(talk.at_ms, 0, target.sequence),)
    assert talk.says(Status.CANCELLED, target) == (Cancel(talk.at_ms, 0, stop.sequence),)
    assert sale(talk.says(Status.CANCELLED, stop)).cause == Cause.STOP


def test_what_is_held_is_protected_again_while_more_is_on_its_way() -> None:
    talk, stop, more = adding()
    assert (more.kind, talk.lane.order.filled) == (Kind.TAKE, 0)
    (again,) = talk.says(Status.CANCELLED, stop)
    assert isinstance(again, Order)
    assert (again.kind, again.quantity) == (Kind.STOP, stop.quantity)


def test_a_trailing_stop_is_set_again_where_the_best_price_raised_it() -> None:
    talk, stop, more = adding(trail_bps=100)
    assert (stop.kind, stop.trail) == (Kind.TRAILING, talk.lane.trail)
    talk.state, _ = step(talk.state, report(Status.CANCELLED, more, at_ms=talk.at_ms))
    talk.close(PRICE * 102 // 100)
    raised = (PRICE * 102 // 100 - stop.trail) // BTC.tick * BTC.tick
    assert talk.lane.stop_price == raised
    talk.close(PRICE)
    assert talk.lane.stop_price == raised, "It is never lowered."
    again = talk.says(Status.CANCELLED, talk.lane.stop)[0]
    assert isinstance(again, Order)
    assert again.price == raised


def test_no_price_is_followed_from_before_the_stop_stood() -> None:
    talk, bought = buying(trail_bps=100)
    talk.says(Status.ACCEPTED, bought)
    talk.at_ms += HOUR // 2
    (stop,) = talk.fills(bought, bought.quantity)
    assert isinstance(stop, Order)
    talk.says(Status.ACCEPTED, stop)
    talk.at_ms += HOUR // 2 - HOUR
    talk.close(PRICE * 2)
    assert talk.lane.stop_price == stop.price
    talk.close(PRICE * 2)
    assert talk.lane.stop_price > PRICE


def test_a_report_is_heard_by_its_own_order_only() -> None:
    talk = held()
    before = talk.lane.stop
    stranger = report(Status.ACCEPTED, before, sequence=99, at_ms=talk.at_ms)
    talk.hear(stranger)
    assert talk.lane.stop == before


def test_a_wish_for_less_than_one_lot_is_refused_by_name_and_told_once() -> None:
    talk = flat(exposure_max_bps=1)
    huge = BTC._replace(lot=1_000 * COIN, quantity_min=1_000 * COIN)
    talk.state = talk.state._replace(instruments=(huge, *talk.state.instruments[1:]))
    (refused,) = talk.signal(10_000)
    assert isinstance(refused, Refused)
    assert Refusal(refused.refusal) is Refusal.QUANTITY_MIN
    talk.signal(10_000)
    assert (talk.lane.refused, talk.lane.due) == (2, 0)
    assert talk.signal(0) == ()
    assert talk.lane.refused == 0
