"""What the kernel sends next, whatever the venue says: partial fills, late words, a no."""

from collections import Counter
from typing import Any

import pytest

from rrr.core.events import Close, Command, Flow, Halted, Limits, Listing, Refused, Signal, Verb
from rrr.core.kernel import sent, step
from rrr.core.market import BPS, up
from rrr.core.orders import (
    Cancel,
    Cause,
    Kind,
    Order,
    Rejection,
    Report,
    Side,
    Stage,
    Status,
)
from rrr.core.pursuit import Outcome
from rrr.core.rules import Refusal
from rrr.core.state import EMPTY, NO_LANE, Halt, State
from tests.builders import (
    BTC,
    CAPITAL,
    HOUR,
    LAW,
    PRICE,
    START,
    candle,
    holding,
    instrument,
    law,
    report,
    session,
)

COIN = 10**8


class Talk:
    """The kernel alone; the test is the venue."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.at_ms = START + 10 * HOUR
        self.last: Order | Cancel | None = None
        self.fills_of = Counter[int]()

    def hear(self, event: Report | Signal | Close | Command) -> tuple[object, ...]:
        self.state, decisions = step(self.state, event)
        for decision in decisions:
            if isinstance(decision, Order | Cancel):
                self.last = decision
        return decisions

    def signal(self, conviction_bps: int) -> tuple[object, ...]:
        return self.hear(Signal(self.at_ms, 0, conviction_bps, 0))

    def close(self, price: int = PRICE) -> tuple[object, ...]:
        self.at_ms += HOUR
        return self.hear(Close(self.at_ms, self.at_ms - HOUR, (candle(price),), ()))

    def order(self) -> Order:
        assert isinstance(self.last, Order)
        return self.last

    def says(self, status: Status, of: Order, **changes: int) -> tuple[object, ...]:
        return self.hear(report(status, of, at_ms=self.at_ms, **changes))

    def fills(self, of: Order, quantity: int, price: int = PRICE) -> tuple[object, ...]:
        self.fills_of[of.sequence] += 1
        return self.fills_again(of, self.fills_of[of.sequence], quantity, price)

    def fills_again(
        self, of: Order, fill: int, quantity: int, price: int = PRICE
    ) -> tuple[object, ...]:
        """A fill of this number, whether it was told before or not."""
        notional = quantity * price // BTC.scale
        said = {"quantity": quantity, "price": price, "notional": notional, "fill": fill}
        return self.says(Status.FILLED, of, **said)

    @property
    def lane(self) -> Any:
        return self.state.lanes[0]


def flat(**changes: int) -> Talk:
    talk = Talk(session(under=law(**changes)).world.state)
    talk.close()
    return talk


def held(**changes: int) -> Talk:
    """A position whose stop rests, seen by a kernel whose venue is the test."""
    talk = Talk(holding(law(**changes)).world.state)
    talk.close()
    return talk


def test_a_signal_becomes_a_take_with_its_collar_and_its_cash_is_held() -> None:
    talk = flat()
    (order,) = talk.signal(10_000)
    assert isinstance(order, Order)
    assert (order.kind, order.side, order.cause) == (Kind.TAKE, Side.BUY, Cause.SIGNAL)
    assert order.price == PRICE + PRICE * LAW.collar_bps // BPS
    assert talk.state.account.held == talk.lane.hold > 0


def test_a_take_that_found_no_seller_is_given_up_and_its_cash_is_free() -> None:
    talk = flat()
    talk.signal(10_000)
    assert talk.says(Status.CANCELLED, talk.order()) == ()
    assert (talk.state.account.held, talk.lane.due, talk.lane.risk) == (0, 0, 0)


def test_what_a_partial_purchase_brought_is_protected_once_the_rest_is_given_up() -> None:
    talk = flat()
    talk.signal(10_000)
    bought = talk.order()
    assert talk.fills(bought, COIN) == ()
    (stop,) = talk.says(Status.CANCELLED, bought)
    assert isinstance(stop, Order)
    assert (stop.kind, stop.quantity) == (Kind.STOP, COIN)
    assert talk.state.account.held == 0


def test_fills_may_come_before_the_acknowledgement() -> None:
    talk = flat()
    talk.signal(10_000)
    bought = talk.order()
    (stop,) = talk.fills(bought, bought.quantity)
    talk.says(Status.ACCEPTED, bought)
    assert isinstance(stop, Order)
    assert stop.quantity == talk.lane.quantity == bought.quantity


def test_a_stop_rests_below_the_price_paid_on_its_tick() -> None:
    talk = flat()
    talk.signal(10_000)
    (stop,) = talk.fills(talk.order(), talk.order().quantity, PRICE + 99)
    assert isinstance(stop, Order)
    below = PRICE + 99 - up(PRICE + 99, LAW.stop_bps, BPS)
    assert talk.lane.stop_price == stop.price
    assert stop.price % BTC.tick == 0
    assert 0 <= below - stop.price < BTC.tick


def test_a_sale_first_cancels_the_stop_that_holds_its_coins() -> None:
    talk = held()
    stop = talk.lane.stop
    assert talk.signal(0) == (Cancel(talk.at_ms, 0, stop.sequence),)
    (sale,) = talk.says(Status.CANCELLED, stop)
    assert isinstance(sale, Order)
    assert (sale.side, sale.quantity) == (Side.SELL, stop.quantity)


def test_a_fill_that_crosses_a_cancel_is_booked_and_nothing_is_sold_twice() -> None:
    talk = held()
    stop = talk.lane.stop
    talk.signal(0)
    late = {"sequence": stop.sequence, "rejection": int(Rejection.UNKNOWN_ORDER)}
    assert talk.says(Status.REJECTED, stop, **late) == ()
    assert talk.lane.stop.stage == Stage.CANCELLING
    assert talk.fills(stop, stop.quantity) == ()
    assert (talk.lane.quantity, talk.lane.due, talk.lane.stop_price) == (0, 0, 0)


def test_a_stop_filled_in_parts_protects_what_remains() -> None:
    talk = held()
    stop = talk.lane.stop
    assert talk.fills(stop, stop.quantity - COIN) == ()
    assert talk.lane.stop.filled == stop.quantity - COIN
    (again,) = talk.says(Status.CANCELLED, stop)
    assert isinstance(again, Order)
    assert (again.kind, again.quantity) == (Kind.STOP, COIN)


def test_an_exit_that_found_no_buyer_is_tried_again_twice_as_wide() -> None:
    talk = held()
    talk.signal(0)
    talk.says(Status.CANCELLED, talk.lane.stop)
    for attempt in range(3):
        sale = talk.order()
        assert (sale.attempt, sale.side) == (attempt, Side.SELL)
        assert PRICE - sale.price == PRICE * (LAW.collar_bps << attempt) // BPS
        talk.says(Status.CANCELLED, sale)


def test_what_cannot_be_protected_is_sold_at_once() -> None:
    talk = flat()
    talk.signal(10_000)
    (stop,) = talk.fills(talk.order(), talk.order().quantity)
    assert isinstance(stop, Order)
    (sale,) = talk.says(Status.REJECTED, stop, rejection=int(Rejection.CAPACITY))
    assert isinstance(sale, Order)
    assert (sale.side, sale.quantity, sale.cause) == (Side.SELL, stop.quantity, Cause.UNPROTECTED)


def test_a_word_about_an_order_that_is_no_longer_ours_moves_nothing() -> None:
    talk = held()
    before = talk.state
    for status in (Status.ACCEPTED, Status.CANCELLED, Status.REJECTED):
        assert talk.says(status, talk.lane.stop, sequence=99) == ()
    assert talk.state == before


def test_a_fill_after_its_cancel_is_booked_and_protected() -> None:
    talk = flat()
    talk.signal(10_000)
    late = talk.order()
    talk.says(Status.CANCELLED, late)
    (stop,) = talk.fills(late, late.quantity)
    assert isinstance(stop, Order)
    assert (
        (stop.kind, stop.quantity) == (Kind.STOP, talk.lane.quantity) == (Kind.STOP, late.quantity)
    )


def test_a_rejected_purchase_is_not_asked_again() -> None:
    talk = flat()
    talk.signal(10_000)
    assert talk.says(Status.REJECTED, talk.order(), rejection=int(Rejection.INSUFFICIENT)) == ()
    assert (talk.lane.due, talk.state.account.held) == (0, 0)
    assert talk.close() == ()


def test_the_rest_of_a_reduction_that_no_venue_takes_is_given_up_for_a_stop() -> None:
    talk = held()
    talk.state, _ = step(talk.state, Limits(START, law(exposure_max_bps=3_000)))
    talk.signal(10_000)
    # What is left of the sale is worth less than the venue's minimum.
    (sale,) = talk.says(Status.CANCELLED, talk.lane.stop)
    assert isinstance(sale, Order)
    talk.fills(sale, sale.quantity - BTC.lot)
    (stop,) = talk.says(Status.CANCELLED, sale)
    assert isinstance(stop, Order)
    assert (stop.kind, stop.quantity) == (Kind.STOP, talk.lane.quantity)


def test_a_reduction_on_its_way_follows_a_new_lot_size() -> None:
    talk = held(volatility_target_ppm=1)
    talk.state, _ = step(talk.state, Limits(START, law(exposure_max_bps=3_000)))
    stop, coarse = talk.lane.stop, 7 * BTC.lot
    talk.signal(10_000)
    assert talk.lane.due < 0 != talk.lane.due % coarse
    talk.state, _ = step(talk.state, Listing(talk.at_ms, instrument(version=2, lot=coarse)))
    (sale,) = talk.says(Status.CANCELLED, stop)
    assert isinstance(sale, Order)
    assert sale.quantity % coarse == 0


def test_an_addition_never_lowers_the_stop() -> None:
    talk = held()
    first = talk.lane.stop_price
    talk.state, _ = step(talk.state, Limits(START, law(exposure_max_bps=8_000)))
    (more,) = talk.signal(10_000)
    assert isinstance(more, Order)
    talk.fills(more, more.quantity, PRICE // 2)
    assert talk.lane.stop_price == first


def test_a_lane_without_a_price_wishes_nothing() -> None:
    talk = Talk(session().world.state)
    assert talk.signal(10_000) == ()


def test_a_refusal_is_told_with_how_often_in_a_row() -> None:
    talk = flat(gross_max_bps=1)
    for times in (1, 2):
        (refused,) = talk.signal(10_000)
        assert refused == Refused(talk.at_ms, 0, Refusal.GROSS, times)
    assert talk.signal(0) == ()
    (refused,) = talk.signal(10_000)
    assert refused == Refused(talk.at_ms, 0, Refusal.GROSS, 1)


def test_a_person_halts_and_resumes() -> None:
    talk = flat()
    talk.state, told = step(talk.state, Command(talk.at_ms, int(Verb.HALT)))
    assert told == (Halted(talk.at_ms, int(Halt.OPERATOR)),)
    (refused,) = talk.signal(10_000)
    assert isinstance(refused, Refused)
    assert refused.refusal == Refusal.HALTED
    talk.state, told = step(talk.state, Command(talk.at_ms, int(Verb.RESUME)))
    assert told == (Halted(talk.at_ms, int(Halt.NONE)),)
    assert isinstance(talk.signal(10_000)[0], Order)


@pytest.mark.parametrize("accepted", [False, True])
def test_a_halt_calls_back_a_purchase_on_its_way_and_only_once(accepted: bool) -> None:
    talk = flat()
    talk.signal(10_000)
    bought = talk.order()
    if accepted:
        talk.says(Status.ACCEPTED, bought)
    halt = Command(talk.at_ms, int(Verb.HALT))
    stop = Halted(talk.at_ms, int(Halt.OPERATOR))
    talk.state, told = step(talk.state, halt)
    assert told == (stop, Cancel(talk.at_ms, 0, bought.sequence))
    assert talk.lane.order.stage == Stage.CANCELLING
    talk.state, told = step(talk.state, halt)
    assert told == (stop,)
    assert talk.says(Status.CANCELLED, bought) == ()
    assert (talk.lane.due, talk.lane.hold, talk.state.account.held) == (0, 0, 0)


def test_a_drawdown_calls_back_a_purchase_on_its_way() -> None:
    talk = held()
    talk.state, _ = step(talk.state, Limits(START, law(exposure_max_bps=8_000, drawdown_max_bps=1)))
    (more,) = talk.signal(10_000)
    assert isinstance(more, Order)
    told = talk.close(PRICE * 99 // 100)
    halted = Halted(talk.at_ms, int(Halt.DRAWDOWN))
    assert told == (halted, Cancel(talk.at_ms, 0, more.sequence))


def test_a_halt_leaves_stops_and_sales_alone() -> None:
    talk = held()
    halted = (Halted(talk.at_ms, int(Halt.OPERATOR)),)
    assert step(talk.state, Command(talk.at_ms, int(Verb.HALT)))[1] == halted
    talk.signal(0)
    talk.says(Status.CANCELLED, talk.lane.stop)
    assert talk.lane.order.side == Side.SELL
    assert step(talk.state, Command(talk.at_ms, int(Verb.HALT)))[1] == halted


def test_a_fresh_book_knows_nothing_until_it_is_told() -> None:
    state, told = step(EMPTY, Limits(START, LAW))
    state, _ = step(state, Listing(START, BTC))
    state, _ = step(state, Flow(START, CAPITAL))
    assert told == ()
    assert (state.law, state.instruments, state.lanes) == (LAW, (BTC,), (NO_LANE,))
    assert state.account.cash == state.account.invested == state.account.peak == CAPITAL


def test_a_new_version_changes_rules_and_never_the_unit() -> None:
    state = session().world.state
    coarser = instrument(version=2, tick=1_000)
    state, _ = step(state, Listing(START, coarser))
    assert state.instruments == (coarser,)
    assert len(state.lanes) == 1
    with pytest.raises(AssertionError, match="unit"):
        step(state, Listing(START, instrument(version=3, scale=1)))
    with pytest.raises(AssertionError, match="order"):
        step(state, Listing(START, instrument(id=2)))
    with pytest.raises(AssertionError, match="door"):
        step(state, Listing(START, instrument(id=64)))


def test_a_candle_closes_once() -> None:
    talk = flat()
    talk.at_ms -= HOUR
    with pytest.raises(AssertionError, match="once"):
        talk.close()


def test_an_outcome_sends_at_most_one_thing() -> None:
    order = flat().signal(10_000)[0]
    assert isinstance(order, Order)
    both = Outcome(session().account, NO_LANE, order, 7, Refusal.NONE)
    assert sent(both, 0, START) == (order,)
