"""What a lane sends, one thing at a time, told by what kernel and venue said to each other."""

from dataclasses import replace

import pytest

from rrr.core.events import Close, Command, Decision, Event, Halted, Listing, Refused, Verb
from rrr.core.market import BPS, PPM, Instrument, purchase, up
from rrr.core.orders import (
    Cancel,
    Cause,
    Kind,
    Order,
    Rejection,
    Report,
    Side,
    Status,
    TimeInForce,
)
from rrr.core.pursuit import held_for
from rrr.core.rules import Refusal, collar
from rrr.core.shelf import NO_ASSUMPTIONS, Assumptions
from rrr.core.state import Halt, Law, Sizing
from tests.builders import (
    BTC,
    CAPITAL,
    HOUR,
    LIQUID,
    PRICE,
    Session,
    account,
    candle,
    holding,
    instrument,
    lane,
    law,
    order,
    session,
)

COIN = 10**8
OFFSET_BPS = 20
PATIENT = law(entry_maker=1, maker_offset_bps=OFFSET_BPS, patience_ms=2 * HOUR)
RESTS_AT = PRICE - PRICE * OFFSET_BPS // BPS
FREE = instrument(half_spread_ppm=0, slippage_ppm=0, fee_taker_ppm=0, unit=COIN)
HALF = Assumptions(latency_ms=0, participation_ppm=500_000, touch_share_ppm=0, by_touch=0)
Told = list[Event | Decision]


def orders(told: Told) -> list[Order]:
    return [one for one in told if isinstance(one, Order)]


def fills(told: Told) -> list[Report]:
    return [one for one in told if isinstance(one, Report) and one.status == Status.FILLED]


def ends(told: Told) -> list[Rejection]:
    return [
        Rejection(one.rejection)
        for one in told
        if isinstance(one, Report) and one.status == Status.CANCELLED
    ]


def resting(
    under: Law = PATIENT, of: Instrument = BTC, assumed: Assumptions = NO_ASSUMPTIONS
) -> Session:
    """A purchase rests below the market."""
    new = session(of, under=under, assumed=assumed)
    new.close(candle(PRICE))
    new.signal(10_000)
    new.close(candle(PRICE))
    assert new.lane.order.kind == Kind.LIMIT
    return new


def test_a_patient_purchase_is_a_limit_that_only_rests_and_has_its_time() -> None:
    order = resting().lane.order
    assert (order.price, order.side, order.post_only) == (RESTS_AT, Side.BUY, 1)
    assert (order.time_in_force, order.expires_ms) == (TimeInForce.GTD, order.at_ms + 2 * HOUR)


def test_it_is_filled_where_it_rests_for_the_makers_fee_and_protected_inside_that_candle() -> None:
    new = resting(of=instrument(fee_maker_ppm=-100))
    (bought,) = fills(new.close(candle(PRICE, low=RESTS_AT - 1)))
    assert (bought.price, bought.maker) == (RESTS_AT, 1)
    assert bought.fee == up(bought.notional, -100, PPM) < 0
    assert new.lane.stop.price < RESTS_AT
    through = resting()
    both = fills(through.close(candle(PRICE, low=PRICE // 2)))
    assert [one.side for one in both] == [Side.BUY, Side.SELL]
    assert both[1].price < both[0].price == RESTS_AT


def test_while_it_rests_a_wish_for_as_much_or_more_changes_nothing() -> None:
    new = resting()
    assert len(new.signal(10_000)) == len(new.signal(5_000)) == 1


@pytest.mark.parametrize("conviction", [0, -10_000])
def test_it_is_called_back_when_it_is_no_longer_wished_for(conviction: int) -> None:
    new = resting()
    wanted = new.lane.order
    assert new.signal(conviction)[1] == Cancel(new.at_ms, 0, wanted.sequence)
    assert (new.lane.order.kind, new.account.held, new.world.purse.held) == (0, 0, 0)
    (again,) = orders(new.signal(10_000))
    assert again.kind == Kind.LIMIT, "It did not rest in vain."


@pytest.mark.parametrize(("chase", "kind"), [(1, Kind.TAKE), (0, Kind.LIMIT)])
def test_what_rested_in_vain_is_taken_next_if_the_law_chases(chase: int, kind: Kind) -> None:
    new = resting(PATIENT._replace(chase=chase))
    assert ends(new.close(candle(PRICE)) + new.close(candle(PRICE))) == [Rejection.EXPIRED]
    assert (new.lane.due, new.account.held) == (0, 0)
    (again,) = orders(new.signal(10_000))
    assert again.kind == kind


def test_a_chase_asks_for_no_more_than_its_caps_were_judged_at() -> None:
    most = CAPITAL // 10
    new = resting(PATIENT._replace(order_notional_max=most))
    for _ in range(2):
        new.close(candle(PRICE))
    (chase,) = orders(new.signal(10_000))
    assert chase.attempt == 1
    assert chase.price == collar(PATIENT, BTC, PRICE, Side.BUY, 0)


def test_a_chase_is_over_once_something_was_bought_or_nothing_is_wished() -> None:
    new = resting()
    for _ in range(2):
        new.close(candle(PRICE))
    assert new.lane.tried == 1
    wished = replace(new, record=[])
    wished.signal(0)
    assert wished.lane.tried == 0
    new.signal(10_000)
    new.close(candle(PRICE))
    assert (new.lane.quantity > 0, new.lane.tried) == (True, 0)


def test_one_that_would_take_when_it_arrives_is_chased_too() -> None:
    new = session(under=PATIENT)
    new.close(candle(PRICE))
    new.signal(10_000)
    assert ends(new.close(candle(PRICE * 99 // 100))) == [Rejection.POST_ONLY]
    assert orders(new.signal(10_000))[0].kind == Kind.TAKE


@pytest.mark.parametrize("verb", [Verb.HALT, Verb.GUARD])
def test_a_halt_calls_it_back(verb: Verb) -> None:
    new = resting()
    told = new.meet(Command(new.at_ms, int(verb)))
    assert isinstance(told[2], Cancel)
    assert fills(new.close(candle(PRICE, low=1_000))) == []
    (refused,) = new.signal(10_000)[1:]
    assert isinstance(refused, Refused)
    assert refused.refusal == Refusal.HALTED


def test_a_panic_with_one_resting_sells_what_it_had_bought() -> None:
    new = resting(assumed=HALF)
    wanted = new.lane.order.quantity
    volume = wanted // BTC.lot // 2 * BTC.lot
    new.close(candle(PRICE, low=RESTS_AT - 1, volume=volume))
    bought = new.lane.quantity
    assert 0 < bought == new.lane.stop.quantity < wanted
    told = new.meet(Command(new.at_ms, int(Verb.PANIC)))
    assert [type(one) for one in told] == [
        *(Command, Halted, Cancel, Report),  # of the purchase
        *(Cancel, Report, Order, Report),  # of its stop; then the sale
    ]
    (out,) = orders(told)
    assert (out.side, out.quantity, out.cause) == (Side.SELL, bought, Cause.PANIC)
    assert fills(new.close(candle(PRICE)))[0].quantity == bought
    assert (new.lane.quantity, new.account.halted) == (0, Halt.PANIC)


def test_a_part_that_was_filled_is_protected_while_the_rest_waits() -> None:
    new = resting(PATIENT._replace(patience_ms=4 * HOUR), assumed=HALF)
    for k in (1, 2):
        new.close(candle(PRICE, low=RESTS_AT - 1, volume=8 * COIN))
        assert new.lane.quantity == new.lane.stop.quantity == k * 4 * COIN
        assert new.lane.order.filled == new.lane.quantity
        assert new.lane.due == new.lane.order.quantity - new.lane.quantity


def test_a_purchase_of_a_time_that_is_over_keeps_what_it_bought() -> None:
    new = resting(assumed=HALF)
    new.close(candle(PRICE, low=RESTS_AT - 1, volume=10 * COIN))
    assert ends(new.close(candle(PRICE))) == [Rejection.EXPIRED]
    assert new.lane.stop.quantity == new.lane.quantity == 5 * COIN
    assert (new.lane.due, new.account.held) == (0, 0)


def test_what_the_rest_of_a_purchase_holds_is_never_more_than_is_there() -> None:
    """Its parts were rounded up one by one, and may have cost a quantum more than the whole."""
    wanted, rest = order(kind=int(Kind.LIMIT)), 3 * BTC.lot
    needs = purchase(BTC, wanted.price, rest)
    for cash, holds in ((needs + 9, needs), (needs, needs), (needs - 2, needs - 2)):
        before = lane(order=wanted, hold=needs + 5)
        mine, after = held_for(account(cash=cash, held=needs + 5), before, BTC, rest)
        assert mine.held == after.hold == holds
    mine, after = held_for(account(held=7), lane(order=wanted, hold=7), BTC, 0)
    assert mine.held == after.hold == 0


TAKES = [
    ("with a collar", law(), Kind.TAKE, TimeInForce.IOC),
    ("whole or not at all", law(fill_or_kill=1), Kind.TAKE, TimeInForce.FOK),
    ("bare", law(collar_bps=0), Kind.MARKET, TimeInForce.IOC),
    ("bare and whole", law(collar_bps=0, fill_or_kill=1), Kind.MARKET, TimeInForce.FOK),
]


@pytest.mark.parametrize(("how", "under", "kind", "time"), TAKES, ids=[row[0] for row in TAKES])
def test_how_a_law_takes(how: str, under: Law, kind: Kind, time: TimeInForce) -> None:
    new = session(FREE, under=under)
    new.close(candle(PRICE))
    (bought,) = orders(new.signal(10_000))
    assert (bought.kind, bought.time_in_force) == (kind, time)
    new.close(candle(PRICE))
    (sold,) = orders(new.signal(0))
    assert (sold.kind, sold.time_in_force, sold.reduce_only) == (kind, TimeInForce.IOC, 1)
    new.close(candle(PRICE))
    assert new.account.cash == CAPITAL


def test_a_purchase_that_must_be_whole_buys_nothing_where_there_is_less() -> None:
    new = session(under=law(fill_or_kill=1), assumed=HALF)
    new.close(candle(PRICE))
    new.signal(10_000)
    assert ends(new.close(candle(PRICE, volume=COIN))) == [Rejection.LIQUIDITY]
    assert (new.lane.quantity, new.account.cash, new.account.held) == (0, CAPITAL, 0)


STOPS = [
    ("a stop", law(), Kind.STOP),
    ("a stop with a limit", law(stop_limit_bps=50), Kind.STOP_LIMIT),
    ("a stop that trails", law(trail_bps=100), Kind.TRAILING),
    ("a stop that trails has no limit", law(trail_bps=100, stop_limit_bps=50), Kind.TRAILING),
]


@pytest.mark.parametrize(("how", "under", "kind"), STOPS, ids=[row[0] for row in STOPS])
def test_how_a_law_protects(how: str, under: Law, kind: Kind) -> None:
    stop = holding(under, FREE).lane.stop
    assert (stop.kind, stop.reduce_only, stop.quantity > 0) == (kind, 1, True)
    assert stop.price == PRICE * (BPS - under.stop_bps) // BPS
    limited = kind == Kind.STOP_LIMIT
    assert stop.limit == (stop.price * (BPS - 50) // BPS if limited else 0)
    assert stop.trail == (PRICE // 100 if kind == Kind.TRAILING else 0)


def test_a_stop_limit_that_a_gap_left_behind_escalates_into_a_take() -> None:
    held = holding(law(stop_limit_bps=50, collar_bps=100), FREE)
    gap = held.lane.stop.limit - FREE.tick
    told = held.close(candle(gap, low=gap))
    assert [one.status for one in told if isinstance(one, Report)] == [
        *(Status.TRIGGERED, Status.CANCELLED, Status.ACCEPTED),
    ]
    assert [type(one) for one in told] == [Report, Cancel, Report, Order, Report, Close]
    (out,) = orders(told)
    assert (out.kind, out.cause, out.side) == (Kind.TAKE, Cause.STOP, Side.SELL)
    assert [one.price for one in fills(held.close(candle(gap)))] == [gap]
    assert held.lane.quantity == 0


def test_kernel_and_venue_raise_a_trailing_stop_to_the_same_price() -> None:
    held = holding(law(trail_bps=150, target_bps=50_000), FREE)
    for step_bps in (0, 130, 40, 120, 0, 90):
        last = held.lane.mark
        high = last * (BPS + step_bps) // BPS
        held.close(candle(high - 33, open=last, high=high, low=last - 17))
        assert held.world.shelves[0].stop.price == held.lane.stop_price
    assert held.lane.stop_price > PRICE


def test_a_trailing_stop_that_was_raised_sells_where_it_stands() -> None:
    held = holding(law(trail_bps=100), FREE)
    held.close(candle(PRICE * 102 // 100))
    raised = held.lane.stop_price
    assert PRICE < raised < PRICE * 102 // 100
    (sold,) = fills(held.close(candle(PRICE, open=PRICE * 102 // 100)))
    assert sold.price == raised
    gap = holding(law(trail_bps=100), FREE)
    gap.close(candle(PRICE * 102 // 100))
    assert fills(gap.close(candle(PRICE // 2)))[0].price == PRICE // 2


def test_the_high_before_a_purchase_inside_a_candle_raises_no_stop() -> None:
    """Else what was bought at the low would be sold near the high of the same candle."""
    new = resting(PATIENT._replace(trail_bps=50), FREE)
    told = new.close(candle(RESTS_AT, open=PRICE, high=PRICE * 11 // 10, low=RESTS_AT - 1))
    assert [one.side for one in fills(told)] == [Side.BUY]
    assert new.lane.stop_price == new.world.shelves[0].stop.price < RESTS_AT


def with_target(assumed: Assumptions = NO_ASSUMPTIONS, **changes: int) -> Session:
    held = holding(law(target_rests=1, **changes), FREE, assumed=assumed)
    assert held.lane.target.partner == held.lane.stop.sequence
    return held


def test_the_target_rests_beside_the_stop_and_what_fills_one_ends_the_other() -> None:
    for reaches in ("stop", "target"):
        held = with_target()
        stop, target = held.lane.stop, held.lane.target
        assert target.price == PRICE * (BPS + 400) // BPS
        low = stop.price if reaches == "stop" else PRICE
        told = held.close(candle(PRICE, low=low, high=target.price + 1))
        (sold,) = fills(told)
        hit, other = (stop, target) if reaches == "stop" else (target, stop)
        assert (sold.sequence, sold.price) == (hit.sequence, hit.price)
        assert ends(told) == [Rejection.PARTNER]
        assert (held.lane.quantity, held.lane.stop.kind, held.lane.target.kind) == (0, 0, 0)
        assert other.kind


def test_an_exit_ends_first_the_target_then_the_stop_and_then_takes() -> None:
    held = with_target()
    stop, target = held.lane.stop, held.lane.target
    told = held.signal(0)
    assert [one for one in told if isinstance(one, Cancel)] == [
        Cancel(held.at_ms, 0, target.sequence),
        Cancel(held.at_ms, 0, stop.sequence),
    ]
    (out,) = orders(told)
    assert (out.side, out.quantity) == (Side.SELL, stop.quantity)


def test_both_legs_are_set_anew_for_what_an_addition_made_of_the_position() -> None:
    held = with_target(sizing=int(Sizing.UNITS), exposure_max_bps=BPS)
    assert held.lane.quantity == COIN
    more = FREE._replace(version=2, unit=3 * COIN)
    held.meet(Listing(held.at_ms, more))
    held.signal(BPS)
    held.close(candle(PRICE))
    lane = held.lane
    assert lane.stop.quantity == lane.target.quantity == lane.quantity == 3 * COIN
    assert lane.target.partner == lane.stop.sequence


def test_a_stop_that_sold_a_part_leaves_no_new_target_beside_its_rest() -> None:
    """A gap up would sell the same coins twice: to the triggered stop, and to the target."""
    held = with_target(HALF)
    stop = held.lane.stop
    told = held.close(candle(stop.price, open=PRICE, volume=COIN))
    assert fills(told)[0].quantity == COIN // 2
    assert ends(told) == [Rejection.PARTNER]
    assert (held.lane.target.kind, held.lane.stop.sequence) == (0, stop.sequence)
    told = held.close(candle(2 * PRICE, volume=LIQUID))
    assert [one.price for one in fills(told)] == [2 * PRICE]
    assert held.lane.quantity == held.world.shelves[0].quantity == 0
