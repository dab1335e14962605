"""Who halts the book, who may end it, and how a panic ends: flat."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrr.core.events import Assumed, Close, Command, Event, Halted, Refused, Signal, Verb
from rrr.core.kernel import step
from rrr.core.market import lots, sellable
from rrr.core.orders import Cancel, Cause, Kind, Order, Rejection, Side, Stage, Status
from rrr.core.rules import Refusal
from rrr.core.shelf import NO_ASSUMPTIONS, Assumptions
from rrr.core.state import Halt, Law
from tests.builders import (
    BTC,
    HOUR,
    PRICE,
    START,
    Listed,
    Session,
    candle,
    history,
    holding,
    law,
    session,
)
from tests.core.test_kernel import Talk, flat, held
from tests.core.test_laws import LAWS, play
from tests.core.worlds import assumptions, laws, markets, seeds

COIN = 10**8

# who has halted, who speaks now, and whose halt it is then
SPOKEN: list[tuple[Halt, Verb, Halt]] = [
    *((was, Verb.HALT, Halt.OPERATOR) for was in Halt if was != Halt.PANIC),
    (Halt.PANIC, Verb.HALT, Halt.PANIC),
    *((was, Verb.PANIC, Halt.PANIC) for was in Halt),
    (Halt.NONE, Verb.GUARD, Halt.GUARD),
    *((was, Verb.GUARD, was) for was in Halt if was != Halt.NONE),
    (Halt.GUARD, Verb.RELEASE, Halt.NONE),
    *((was, Verb.RELEASE, was) for was in Halt if was != Halt.GUARD),
    *((was, Verb.RESUME, Halt.NONE) for was in Halt),
]


@pytest.mark.parametrize(("was", "verb", "then"), SPOKEN)
def test_whose_halt_it_is(was: Halt, verb: Verb, then: Halt) -> None:
    state = session().world.state
    state = state._replace(account=state.account._replace(halted=int(was)))
    after, told = step(state, Command(START, int(verb)))
    assert after.account.halted == then
    silent = was == then and verb in (Verb.GUARD, Verb.RELEASE)
    assert told == (() if silent else (Halted(START, int(then)),))


def test_every_verb_is_spoken_to_every_halt() -> None:
    assert {(was, verb) for was, verb, _ in SPOKEN} == {(h, v) for h in Halt for v in Verb}


def test_a_word_that_no_verb_means_is_a_broken_law() -> None:
    with pytest.raises(ValueError, match="99"):
        step(session().world.state, Command(START, 99))


def test_the_guard_calls_back_a_purchase_on_its_way() -> None:
    talk = flat()
    talk.signal(10_000)
    bought = talk.order()
    assert command(talk, Verb.GUARD) == (
        Halted(talk.at_ms, int(Halt.GUARD)),
        Cancel(talk.at_ms, 0, bought.sequence),
    )
    (refused,) = flat_and_guarded().signal(10_000)
    assert isinstance(refused, Refused)
    assert refused.refusal == Refusal.HALTED


def test_a_release_keeps_the_peak_and_the_day_and_a_resume_begins_them_anew() -> None:
    fallen = holding(law(stop_bps=9_000))
    fallen.close(candle(PRICE * 9 // 10))
    before = fallen.account
    fallen.meet(Command(fallen.at_ms, int(Verb.GUARD)), Command(fallen.at_ms, int(Verb.RELEASE)))
    assert fallen.account == before
    fallen.meet(Command(fallen.at_ms, int(Verb.RESUME)))
    assert fallen.account.peak < before.peak
    assert max(fallen.account.memory.hours) < max(before.memory.hours)


def test_a_drawdown_while_the_guard_halts_outlasts_its_release() -> None:
    fallen = holding(law(stop_bps=9_000, drawdown_max_bps=100))
    fallen.meet(Command(fallen.at_ms, int(Verb.GUARD)))
    told = fallen.close(candle(PRICE * 9 // 10))
    assert told[-1] == Halted(fallen.at_ms, int(Halt.DRAWDOWN))
    release = Command(fallen.at_ms, int(Verb.RELEASE))
    assert fallen.meet(release) == [release]
    assert fallen.account.halted == Halt.DRAWDOWN


def test_a_panic_sells_what_is_held_once_its_stop_is_cancelled() -> None:
    talk = held()
    stop = talk.lane.stop
    assert command(talk, Verb.PANIC) == (
        Halted(talk.at_ms, int(Halt.PANIC)),
        Cancel(talk.at_ms, 0, stop.sequence),
    )
    (sale,) = talk.says(Status.CANCELLED, stop)
    assert isinstance(sale, Order)
    assert (sale.kind, sale.side, sale.quantity) == (Kind.TAKE, Side.SELL, stop.quantity)
    assert (sale.cause, sale.attempt) == (Cause.PANIC, 0)


def test_a_second_panic_asks_for_nothing_twice() -> None:
    talk = held()
    stop = talk.lane.stop
    again = (Halted(talk.at_ms, int(Halt.PANIC)),)
    command(talk, Verb.PANIC)
    assert command(talk, Verb.PANIC) == again
    talk.says(Status.CANCELLED, stop)
    assert command(talk, Verb.PANIC) == again


def test_a_reduction_on_its_way_is_finished_and_the_rest_follows() -> None:
    talk = held()
    stop = talk.lane.stop
    talk.state = talk.state._replace(law=law(exposure_max_bps=3_000))
    talk.signal(10_000)
    (sale,) = talk.says(Status.CANCELLED, stop)
    assert isinstance(sale, Order)
    assert sale.quantity < stop.quantity
    assert command(talk, Verb.PANIC) == (Halted(talk.at_ms, int(Halt.PANIC)),)
    (rest,) = talk.fills(sale, sale.quantity)
    assert isinstance(rest, Order)
    assert rest.quantity == talk.lane.quantity == stop.quantity - sale.quantity
    assert (rest.cause, rest.attempt) == (Cause.PANIC, 0)


def test_a_reduction_whose_stop_is_being_cancelled_becomes_all() -> None:
    talk = held()
    stop = talk.lane.stop
    talk.state = talk.state._replace(law=law(exposure_max_bps=3_000))
    talk.signal(10_000)
    command(talk, Verb.PANIC)
    (sale,) = talk.says(Status.CANCELLED, stop)
    assert isinstance(sale, Order)
    assert (sale.quantity, sale.cause) == (stop.quantity, Cause.PANIC)


def test_an_exit_that_found_no_buyer_goes_on_as_wide_as_it_was() -> None:
    talk = held()
    talk.signal(0)
    talk.says(Status.CANCELLED, talk.lane.stop)
    for attempt in range(4):
        sale = talk.order()
        assert sale.attempt == attempt
        if attempt == 2:
            command(talk, Verb.PANIC)
        talk.says(Status.CANCELLED, sale)
    assert talk.order().cause == Cause.PANIC


def test_a_purchase_that_could_not_be_called_back_is_sold_again() -> None:
    talk = flat()
    talk.signal(10_000)
    bought = talk.order()
    command(talk, Verb.PANIC)
    assert talk.says(Status.REJECTED, bought, rejection=int(Rejection.UNKNOWN_ORDER)) == ()
    assert talk.fills(bought, COIN) == ()
    (sale,) = talk.fills(bought, bought.quantity - COIN)
    assert isinstance(sale, Order)
    assert (sale.side, sale.quantity, sale.cause) == (Side.SELL, bought.quantity, Cause.PANIC)


def test_a_fill_after_its_cancel_is_sold_again() -> None:
    talk = flat()
    talk.signal(10_000)
    bought = talk.order()
    command(talk, Verb.PANIC)
    assert talk.says(Status.CANCELLED, bought) == ()
    (sale,) = talk.fills(bought, bought.quantity)
    assert isinstance(sale, Order)
    assert (sale.side, sale.quantity) == (Side.SELL, bought.quantity)


def test_a_sale_that_the_venue_rejects_is_asked_again_at_the_next_close() -> None:
    talk = held()
    command(talk, Verb.PANIC)
    talk.says(Status.CANCELLED, talk.lane.stop)
    assert talk.says(Status.REJECTED, talk.order(), rejection=int(Rejection.CAPACITY)) == ()
    (sale,) = talk.close()
    assert isinstance(sale, Order)
    assert (sale.side, sale.quantity, sale.attempt) == (Side.SELL, talk.lane.quantity, 0)


def test_what_no_venue_buys_stays_under_its_stop() -> None:
    talk = held()
    stop, dear = talk.lane.stop, BTC._replace(version=2, quantity_min=talk.lane.quantity + 1)
    talk.state = talk.state._replace(instruments=(dear,))
    assert command(talk, Verb.PANIC) == (Halted(talk.at_ms, int(Halt.PANIC)),)
    assert talk.lane.stop == stop
    assert talk.lane.stop.stage == Stage.WORKING


def test_a_flight_that_was_resumed_ends_flat_and_may_then_buy_again() -> None:
    fled = holding()
    fled.meet(Command(fled.at_ms, int(Verb.PANIC)), Command(fled.at_ms, int(Verb.RESUME)))
    assert fled.lane.order.side == Side.SELL
    fled.close(candle(PRICE))
    assert fled.lane.quantity == 0
    (bought,) = [one for one in fled.signal(10_000) if isinstance(one, Order)]
    assert bought.side == Side.BUY


@pytest.mark.slow
@settings(LAWS, max_examples=40)
@given(seeds, laws, assumptions, markets, st.integers(0, 40))
def test_whatever_works_a_panic_ends_flat_and_stays_flat(
    seed: int, under: Law, assumed: Assumptions, on: tuple[Listed, ...], n: int
) -> None:
    """However hard it was to fill an order before: from now on there is somebody who buys."""
    fled = play(seed, under, on, n, assumed)
    known, now_ms = len(fled.record), START + n * HOUR
    fled.meet(Assumed(now_ms, NO_ASSUMPTIONS), Command(now_ms, int(Verb.PANIC)))
    for event in later(seed + 1, n, 8, on):
        if isinstance(event, Close):
            fled.meet(event)
    still = tuple(candle(lane.mark or 1, of=i) for i, lane in enumerate(fled.world.state.lanes))
    opened = START + (n + 8) * HOUR
    fled.meet(Close(opened + HOUR, opened, still, ()))
    assert is_flat(fled)
    # Whatever is wished, nothing opens: dust that becomes worth a sale is sold, and that is all.
    for event in later(seed + 2, n + 9, 10, on):
        if isinstance(event, Signal):
            event = event._replace(model=fled.account.model)
        fled.meet(event)
    orders = [one for one in fled.record[known:] if isinstance(one, Order)]
    kind = Kind.TAKE if under.collar_bps else Kind.MARKET
    assert {(one.kind, one.side, one.cause) for one in orders} <= {(kind, Side.SELL, Cause.PANIC)}
    fled.meet(Close(START + (n + 20) * HOUR, START + (n + 19) * HOUR, still, ()))
    assert is_flat(fled)


def is_flat(now: Session) -> bool:
    """Nothing is held that a venue would buy, and nothing is on its way."""
    state = now.world.state
    return not any(
        lane.order.kind or sellable(of, lane.mark, lots(of, lane.quantity))
        for lane, of in zip(state.lanes, state.instruments, strict=True)
    )


def later(seed: int, hours: int, n: int, on: tuple[Listed, ...]) -> list[Event]:
    """Another history, so many hours later."""
    events: list[Event] = []
    for event in history(seed, n, on):
        at_ms = event.at_ms + hours * HOUR
        if isinstance(event, Close):
            event = event._replace(opened_at_ms=event.opened_at_ms + hours * HOUR)
        events.append(event._replace(at_ms=at_ms))
    return events


def command(talk: Talk, verb: Verb) -> tuple[object, ...]:
    talk.state, told = step(talk.state, Command(talk.at_ms, int(verb)))
    return told


def flat_and_guarded() -> Talk:
    talk = flat()
    command(talk, Verb.GUARD)
    return talk
