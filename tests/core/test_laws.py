"""What holds after every event of every history, however the market moves and whoever decides.

The histories are random: gaps, holes, jumps, flows, halts, laws, fees, ticks and minimums, every
kind of order and every assumption of the venue. More of them:
`python -m tests.core.test_laws --examples 10000 --seed 1`.
"""

import argparse
from fractions import Fraction
from random import Random
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrr.core import ledger, policy
from rrr.core.events import Close, Decision, Event, Flow, Halted, Listing, Refused, Signal, Touch
from rrr.core.kernel import step
from rrr.core.ledger import QUOTE, Place
from rrr.core.market import BPS, PPM, bid, lots, sellable, worth
from rrr.core.orders import (
    Amend,
    Cancel,
    Cause,
    Kind,
    Order,
    Rejection,
    Report,
    Side,
    Stage,
    Status,
    TimeInForce,
    is_stop,
    rest_of,
)
from rrr.core.rules import MINUTE_MS, Refusal
from rrr.core.shelf import NO_ASSUMPTIONS, Assumptions
from rrr.core.state import EMPTY, Account, Halt, Law, State
from tests.builders import CAPITAL, LAW, LISTED, Listed, Session, history, leaves
from tests.core.worlds import assumptions, beginning, disturbed, laws, markets, seeds

pytestmark = pytest.mark.slow

Balances = dict[tuple[int, int], int]
ENDS: Final = (
    *(Rejection.NONE, Rejection.COLLAR, Rejection.NO_PRICE, Rejection.LIQUIDITY),
    *(Rejection.POST_ONLY, Rejection.EXPIRED, Rejection.PARTNER, Rejection.INSUFFICIENT),
)
LAWS: Final = settings(max_examples=50, deadline=None, derandomize=True)


@LAWS
@given(seeds, laws, assumptions, markets)
def test_all_laws_hold_over_any_history(
    seed: int, under: Law, assumed: Assumptions, on: tuple[Listed, ...]
) -> None:
    play(seed, under, on, 40, assumed)


def play(
    seed: int,
    under: Law,
    on: tuple[Listed, ...],
    n: int,
    assumed: Assumptions = NO_ASSUMPTIONS,
) -> Session:
    """A whole history, watched after each event from outside."""
    now, posted = Session(), Balances()
    for event in (*beginning(under, assumed, on), *disturbed(seed, n, on)):
        before = now.world.state
        watch(before, now.meet(covered(event, before.account)), now, posted)
    return now


def covered(event: Event, mine: Account) -> Event:
    """A withdrawal says in basis points how much of the free cash it takes."""
    if not isinstance(event, Flow) or event.amount > 0:
        return event
    return Flow(event.at_ms, int(mine.cash - mine.held) * event.amount // BPS)


def watch(before: State, told: list[Event | Decision], now: Session, posted: Balances) -> None:
    everything_is_an_integer(told, now)
    kernel_and_venue_agree(now)
    nothing_is_negative(now)
    the_account_is_the_sum_of_its_lanes(now.world.state)
    every_currency_sums_to_zero(told, now, posted)
    every_position_is_protected(now)
    nothing_is_kept_in_a_panic(now)
    a_close_knows_its_peak(told, now.account)
    a_touch_decides_nothing(told)
    every_order_is_legal(before, told, now)
    no_purchase_is_filled_that_may_not_be(before, told)


def everything_is_an_integer(told: list[Event | Decision], now: Session) -> None:
    for leaf in leaves((told, now.world)):
        assert isinstance(leaf, int), leaf
        assert not isinstance(leaf, bool)
        assert -(2**63) <= leaf < 2**63


def kernel_and_venue_agree(now: Session) -> None:
    """No order leaks: what works here works there, and nobody waits for an answer."""
    mine, purse = now.account, now.world.purse
    assert mine.cash == purse.cash
    assert mine.held == purse.held
    for lane, shelf in zip(now.world.state.lanes, now.world.shelves, strict=True):
        assert lane.quantity == shelf.quantity
        assert (lane.hold, lane.half_spread) == (shelf.held, shelf.half_spread)
        for ours, theirs in (
            (lane.order, shelf.order),
            (lane.stop, shelf.stop),
            (lane.target, shelf.target),
        ):
            assert as_sent(ours) == as_sent(theirs)
            assert ours.stage in (Stage.NONE, Stage.WORKING, Stage.TRIGGERED)
        if lane.stop.kind == Kind.TRAILING:
            assert lane.stop.price <= shelf.stop.price
        if lane.target.kind:
            assert (lane.target.partner, lane.target.filled) == (lane.stop.sequence, 0)


def as_sent(order: Order) -> Order:
    """Without what each side keeps for itself: how far it is and since when, where a trailing stop
    stands now, and which fills were booked by their numbers."""
    price = 0 if order.kind == Kind.TRAILING else order.price
    return order._replace(stage=0, price=price, at_ms=0, fills_seen=0)


def nothing_is_negative(now: Session) -> None:
    assert 0 <= now.world.purse.held <= now.world.purse.cash
    for lane, shelf in zip(now.world.state.lanes, now.world.shelves, strict=True):
        assert min(shelf.quantity, shelf.held, shelf.room, lane.hold, lane.stop_price) >= 0
        for order in (shelf.order, shelf.stop, shelf.target):
            assert 0 <= order.filled <= order.quantity
        promised = max(rest_of(shelf.stop), rest_of(shelf.target))
        assert promised <= shelf.quantity


def the_account_is_the_sum_of_its_lanes(state: State) -> None:
    mine = state.account
    assert mine.held == sum(lane.hold for lane in state.lanes)
    assert mine.worth == sum(lane.worth for lane in state.lanes)
    assert mine.risk == sum(lane.risk for lane in state.lanes)
    assert 0 <= mine.held <= mine.cash
    for lane, of in zip(state.lanes, state.instruments, strict=True):
        assert lane.quantity >= 0
        price = bid(of, lane.mark, lane.half_spread)
        assert lane.worth == worth(of, price, lane.quantity)


def every_currency_sums_to_zero(
    told: list[Event | Decision], now: Session, posted: Balances
) -> None:
    for one in told:
        if isinstance(one, Flow):
            move(posted, Place.FLOWS, Place.CASH, QUOTE, one.amount)
        elif isinstance(one, Report) and one.status == Status.FILLED:
            for moved in ledger.transfers(one):
                move(posted, *moved)
    assert posted.get((Place.CASH, QUOTE), 0) == now.account.cash
    assert posted.get((Place.FLOWS, QUOTE), 0) == -now.account.invested
    for i, lane in enumerate(now.world.state.lanes):
        assert posted.get((Place.POSITION, 1 + i), 0) == lane.quantity
    for currency in range(1 + len(now.world.state.lanes)):
        assert sum(amount for (_, one), amount in posted.items() if one == currency) == 0


def move(posted: Balances, source: int, target: int, currency: int, amount: int) -> None:
    posted[source, currency] = posted.get((source, currency), 0) - amount
    posted[target, currency] = posted.get((target, currency), 0) + amount


def every_position_is_protected(now: Session) -> None:
    """A stop rests for all of it, or a sale is on its way. Dust that a finer lot made worth a sale
    waits for a purchase that is on its way."""
    state = now.world.state
    for i, (lane, of) in enumerate(zip(state.lanes, state.instruments, strict=True)):
        held = lots(of, lane.quantity)
        leaves, dust = lane.order.side == Side.SELL, lane.stop_price == 0 and lane.order.kind
        if leaves or dust or not has_closed(now, i):
            continue
        if sellable(of, lane.mark, held):
            assert is_stop(lane.stop.kind)
            assert 0 <= lane.quantity - rest_of(lane.stop) < of.lot
            assert lane.stop.price > 0


def has_closed(now: Session, i: int) -> bool:
    """Whether a candle closed since the rules of this instrument changed, which decides nothing."""
    for one in reversed(now.record):
        if isinstance(one, Close) and any(candle.instrument == i for candle in one.candles):
            return True
        if isinstance(one, Listing) and one.instrument.id == i:
            return False
    return True


def nothing_is_kept_in_a_panic(now: Session) -> None:
    """All that can be sold is being sold."""
    state = now.world.state
    if state.account.halted != Halt.PANIC:
        return
    for i, (lane, of) in enumerate(zip(state.lanes, state.instruments, strict=True)):
        assert lane.order.side != Side.BUY
        kept = lane.order.side != Side.SELL and sellable(of, lane.mark, lots(of, lane.quantity))
        assert not kept or not has_closed(now, i)


def a_close_knows_its_peak(told: list[Event | Decision], mine: Account) -> None:
    if any(isinstance(one, Close) for one in told):
        assert mine.peak >= max(ledger.equity(mine), 0)


def a_touch_decides_nothing(told: list[Event | Decision]) -> None:
    assert not isinstance(told[0], Touch) or len(told) == 1


def every_order_is_legal(before: State, told: list[Event | Decision], now: Session) -> None:
    sequence = before.account.sequence
    for one in told:
        if isinstance(one, Order):
            assert one.sequence == sequence + 1, "No name is given twice, and none is left out."
            sequence = one.sequence
            of = before.instruments[one.instrument]
            assert one.price > 0 == one.price % of.tick
            assert one.quantity > 0 == one.quantity % of.lot
            if one.side == Side.BUY:
                signal = told[0]
                assert isinstance(signal, Signal), "Only a signal adds risk."
                within_caps(before, one, signal)
        elif isinstance(one, Refused):
            asked = told[0]
            assert isinstance(asked, Signal)
            lane, of = before.lanes[one.instrument], before.instruments[one.instrument]
            wanted = policy.wish(before.law, before.account, lane, of, asked.conviction_bps)
            reduces = wanted < lots(of, lane.quantity)
            assert one.refusal == Refusal.PENDING or not reduces
    assert now.account.sequence == sequence


def no_purchase_is_filled_that_may_not_be(before: State, told: list[Event | Decision]) -> None:
    halted, hit = before.account.halted, set[int]()
    for one in told:
        if isinstance(one, Halted):
            halted = one.halt
        elif isinstance(one, Report) and one.status == Status.FILLED:
            stop = before.lanes[one.instrument].stop
            if one.side == Side.BUY:
                assert halted == Halt.NONE
                assert one.notional <= before.law.order_notional_max or not before.law.collar_bps
                assert one.instrument not in hit, "No purchase is filled in a cool-down."
            elif before.law.cooldown_ms and one.sequence == stop.sequence:
                hit.add(one.instrument)


def within_caps(before: State, bought: Order, asked: Signal) -> None:
    """Every cap again, at the worst price that the order accepts, in exact fractions."""
    under, mine, lane = before.law, before.account, before.lanes[bought.instrument]
    of = before.instruments[bought.instrument]
    money = Fraction(bought.quantity * bought.price, of.scale)
    total = mine.cash + sum(one.worth for one in before.lanes)
    assert mine.halted == Halt.NONE
    assert money <= under.order_notional_max
    assert lane.worth + money <= Fraction(total * under.exposure_max_bps, BPS)
    gross = sum(one.worth + one.hold for one in before.lanes) + money
    assert gross <= Fraction(total * under.gross_max_bps, BPS)
    risk = sum(one.risk for one in before.lanes) + money * lane.volatility_ppm / PPM
    assert risk <= Fraction(total * under.book_volatility_max_ppm, PPM)
    fee_ppm = max(of.fee_maker_ppm, of.fee_taker_ppm)
    assert money + money * fee_ppm / PPM <= mine.cash - mine.held
    assert Fraction(bought.quantity * lane.mark, of.scale) >= of.notional_min
    assert bought.quantity >= of.quantity_min
    assert asked.at_ms >= lane.cooldown_until_ms
    assert lane.candles >= under.warmup_candles
    assert under.synthetic_may_open or not lane.synthetic
    worst = max(mine.memory.hours) - total
    assert worst <= Fraction(max(mine.memory.hours) * under.loss_24h_max_bps, BPS)


@LAWS
@given(seeds, laws, assumptions, markets)
def test_the_events_of_a_record_rebuild_its_state_and_its_decisions(
    seed: int, under: Law, assumed: Assumptions, on: tuple[Listed, ...]
) -> None:
    played = play(seed, under, on, 20, assumed)
    state, decided = EMPTY, list[Decision]()
    for one in played.record:
        if isinstance(one, Event):
            state, decisions = step(state, one)
            decided.extend(decisions)
    assert state == played.world.state
    assert decided == [one for one in played.record if isinstance(one, Decision)]


@settings(LAWS, max_examples=25)
@given(seeds, laws, assumptions)
def test_a_venue_refuses_nothing_that_the_kernel_sends(
    seed: int, under: Law, assumed: Assumptions
) -> None:
    """Sizes are always legal: a rejection here would be an order that should not have been sent."""
    for one in play(seed, under, LISTED, 40, assumed).record:
        if isinstance(one, Report):
            assert one.status != Status.REJECTED or one.rejection == Rejection.POST_ONLY
            assert one.rejection in ENDS


@settings(LAWS, max_examples=15)
@given(seeds, st.integers(1, 5), laws, assumptions)
def test_a_mad_strategy_cannot_spend_more_than_the_law(
    seed: int, rate: int, under: Law, assumed: Assumptions
) -> None:
    """It turns round ten times a candle, and its convictions are no convictions."""
    random, second = Random(seed), 1_000
    now = Session()
    now.meet(*beginning(under._replace(orders_per_minute_max=rate), assumed, LISTED))
    approved: list[int] = []
    posted: Balances = {(Place.FLOWS, QUOTE): -CAPITAL, (Place.CASH, QUOTE): CAPITAL}
    for event in history(seed, 40, every_ms=second):
        if not isinstance(event, Close):
            continue
        watch(now.world.state, now.meet(event), now, posted)
        for _ in range(10):
            wild = random.choice([10_000, -10_000, 10**9, -(10**9), random.randrange(10**6)])
            of = random.randrange(len(LISTED))
            before = now.world.state
            told = now.meet(Signal(event.at_ms, of, wild, 0))
            watch(before, told, now, posted)
            approved += [event.at_ms for one in told if bought(one)]
    for start in approved:
        assert sum(start <= at_ms < start + MINUTE_MS for at_ms in approved) <= rate


def bought(one: Event | Decision) -> bool:
    return isinstance(one, Order) and one.side == Side.BUY


def test_the_histories_are_not_dull() -> None:
    """Every word that an order, a report and a refusal can say is said in some of them."""
    under = LAW._replace(
        cooldown_ms=10_000_000, warmup_candles=3, loss_24h_max_bps=300, drawdown_max_bps=400
    )
    patient = LAW._replace(entry_maker=1, maker_offset_bps=10, target_rests=1, exposure_max_bps=800)
    record = [
        one
        for seed in range(4)
        for how, assumed in (
            (under, NO_ASSUMPTIONS),
            (under._replace(collar_bps=0, stop_limit_bps=20), Assumptions(250, 0, 0, 1)),
            (patient._replace(fill_or_kill=1), Assumptions(250, 100_000, PPM, 0)),
            (patient._replace(trail_bps=100), Assumptions(0, 1_000, 0, 1)),
            (under._replace(stop_amends=1, stop_limit_bps=50), Assumptions(0, 100_000, 0, 0)),
        )
        for one in play(seed, how, LISTED, 80, assumed).record
    ]
    fills = [one for one in record if isinstance(one, Report) and one.status == Status.FILLED]
    assert len(fills) > 300
    assert {one.maker for one in fills} == {0, 1}
    assert max(one.fill for one in fills) > 2
    assert any(one.fee_grains for one in fills)
    orders = [one for one in record if isinstance(one, Order)]
    assert {one.kind for one in orders} == {*Kind} - {Kind.NONE}
    assert {one.time_in_force for one in orders} == {*TimeInForce}
    assert {one.cause for one in orders} >= {Cause.SIGNAL, Cause.STOP, Cause.TARGET, Cause.PANIC}
    assert any(one.attempt > 3 for one in orders)
    assert {one.halt for one in record if isinstance(one, Halted)} == set(Halt)
    assert any(isinstance(one, Cancel) for one in record)
    assert any(isinstance(one, Amend) for one in record)
    reports = [one for one in record if isinstance(one, Report)]
    assert {one.rejection for one in reports} >= {*ENDS}
    assert {one.status for one in reports} >= {*Status} - {Status.REJECTED, Status.UNKNOWN}
    refusals = {one.refusal for one in record if isinstance(one, Refused)}
    assert refusals >= {
        *(Refusal.PENDING, Refusal.HALTED, Refusal.LOSS_24H, Refusal.SYNTHETIC),
        *(Refusal.WARMUP, Refusal.COOLDOWN, Refusal.GROSS),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    said = {"orders": 0, "fills": 0, "refusals": 0}

    @settings(max_examples=asked.examples, deadline=None, database=None)
    @given(seeds, laws, assumptions, markets)
    def all_laws(seed: int, under: Law, assumed: Assumptions, on: tuple[Listed, ...]) -> None:
        for one in play(seed ^ asked.seed, under, on, 100, assumed).record:
            said["orders"] += isinstance(one, Order)
            said["fills"] += isinstance(one, Report) and one.status == Status.FILLED
            said["refusals"] += isinstance(one, Refused)

    all_laws()
    print(f"{asked.examples} histories, {said}: every law held.")  # noqa: T201
