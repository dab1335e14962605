"""What holds after every event of every history, however the market moves and whoever decides.

The histories are random: gaps, holes, jumps, flows, halts, laws, fees, ticks and minimums.
More of them: `python -m tests.core.test_laws --examples 10000 --seed 1`.
"""

import argparse
from collections.abc import Iterator
from fractions import Fraction
from random import Random
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrr.core import ledger, policy
from rrr.core.events import (
    Close,
    Command,
    Decision,
    Event,
    Flow,
    Halted,
    Limits,
    Listing,
    Refused,
    Signal,
    Touch,
    Verb,
)
from rrr.core.kernel import step
from rrr.core.ledger import QUOTE, Place
from rrr.core.market import BPS, PPM, bid, lots, sellable, worth
from rrr.core.orders import Cancel, Cause, Kind, Order, Rejection, Report, Side, Status
from rrr.core.rules import MINUTE_MS, Refusal
from rrr.core.state import EMPTY, Account, Halt, Law, State
from tests.builders import CAPITAL, LAW, LISTED, Listed, Session, eventful, history, leaves

pytestmark = pytest.mark.slow

Balances = dict[tuple[int, int], int]
LAWS: Final = settings(max_examples=100, deadline=None, derandomize=True)

seeds = st.integers(0, 2**32)
laws = st.builds(
    LAW._replace,
    volatility_target_ppm=st.sampled_from([500, 5_000, 50_000]),
    band_bps=st.sampled_from([0, 500, 2_500]),
    warmup_candles=st.sampled_from([0, 3]),
    collar_bps=st.sampled_from([40, 100, 1_000]),
    stop_bps=st.sampled_from([1, 50, 300, 9_999]),
    target_bps=st.sampled_from([1, 200, 100_000]),
    exposure_max_bps=st.sampled_from([500, 4_000, 10_000]),
    gross_max_bps=st.sampled_from([500, 9_000, 10_000]),
    book_volatility_max_ppm=st.sampled_from([1_000, 20_000, 1_000_000]),
    orders_per_minute_max=st.integers(1, 32),
    order_notional_max=st.sampled_from([CAPITAL // 100, CAPITAL]),
    loss_24h_max_bps=st.sampled_from([50, 600, 10_000]),
    drawdown_max_bps=st.sampled_from([200, 2_500, 10_000]),
    cooldown_ms=st.sampled_from([0, 10_000_000]),
    synthetic_may_open=st.integers(0, 1),
)
listed = st.builds(
    lambda of, **changes: of._replace(instrument=of.instrument._replace(**changes)),
    st.sampled_from(LISTED),
    tick=st.sampled_from([1, 100, 1_000]),
    lot=st.sampled_from([1, 1_000, 10**6]),
    quantity_min=st.sampled_from([0, 1, 10**7]),
    notional_min=st.sampled_from([0, 10**9, 10**11]),
    fee_taker_ppm=st.sampled_from([-100, 0, 1_000, 10_000]),
    half_spread_ppm=st.sampled_from([0, 50, 5_000]),
    slippage_ppm=st.sampled_from([0, 100, 5_000]),
    fee_in_base=st.integers(0, 1),
).map(lambda of: of if of.instrument.fee_taker_ppm >= 0 else in_quote(of))


def in_quote(of: Listed) -> Listed:
    return of._replace(instrument=of.instrument._replace(fee_in_base=0))


def numbered(markets: list[Listed]) -> tuple[Listed, ...]:
    return tuple(
        of._replace(instrument=of.instrument._replace(id=i)) for i, of in enumerate(markets)
    )


markets = st.lists(listed, min_size=1, max_size=4).map(numbered)


@LAWS
@given(seeds, laws, markets)
def test_all_laws_hold_over_any_history(seed: int, under: Law, on: tuple[Listed, ...]) -> None:
    play(seed, under, on, 40)


def play(seed: int, under: Law, on: tuple[Listed, ...], n: int) -> Session:
    """A whole history, watched after each event from outside."""
    now, posted = Session(), Balances()
    events: list[Event] = [Limits(0, under), *(Listing(0, one.instrument) for one in on)]
    for event in (*events, Flow(0, CAPITAL), *disturbed(seed, n, on)):
        before = now.world.state
        watch(before, now.meet(covered(event, before.account)), now, posted)
    return now


def covered(event: Event, mine: Account) -> Event:
    """A withdrawal says in basis points how much of the free cash it takes."""
    if not isinstance(event, Flow) or event.amount > 0:
        return event
    return Flow(event.at_ms, (mine.cash - mine.held) * event.amount // BPS)


def disturbed(seed: int, n: int, on: tuple[Listed, ...]) -> Iterator[Event]:
    """A history in which money moves, and a person and the guard halt, flee and resume."""
    random = Random(seed)
    verbs = [*Verb, Verb.RESUME, Verb.RESUME]
    for event in eventful(seed, history(seed, n, on)):
        yield event
        match event, random.random():
            case Close(), chance if chance < 0.05:
                yield Flow(event.at_ms, random.choice([CAPITAL // 10, -2_500, -9_000]))
            case Close(), chance if chance < 0.1:
                yield Command(event.at_ms, int(random.choice(verbs)))
            case Signal(), chance if chance < 0.02:
                yield Command(event.at_ms, int(random.choice(verbs)))


def watch(before: State, told: list[Event | Decision], now: Session, posted: Balances) -> None:
    everything_is_an_integer(told, now)
    kernel_and_venue_agree(now)
    the_account_is_the_sum_of_its_lanes(now.world.state)
    every_currency_sums_to_zero(told, now, posted)
    every_position_is_protected(now)
    nothing_is_kept_in_a_panic(now)
    a_touch_decides_nothing(told)
    every_order_is_legal(before, told, now)
    no_purchase_is_filled_while_halted_or_above_its_cap(before, told)


def everything_is_an_integer(told: list[Event | Decision], now: Session) -> None:
    for leaf in leaves((told, now.world)):
        assert isinstance(leaf, int), leaf
        assert not isinstance(leaf, bool)
        assert -(2**63) <= leaf < 2**63


def kernel_and_venue_agree(now: Session) -> None:
    mine, purse = now.account, now.world.purse
    assert mine.cash == purse.cash
    assert mine.held == purse.held
    for lane, shelf in zip(now.world.state.lanes, now.world.shelves, strict=True):
        assert lane.quantity == shelf.quantity
        assert (lane.hold, lane.half_spread) == (shelf.held, shelf.half_spread)
        for ours, theirs in ((lane.take, shelf.take), (lane.stop, shelf.stop)):
            assert ours[:8] == theirs[:8]


def the_account_is_the_sum_of_its_lanes(state: State) -> None:
    mine = state.account
    assert mine.held == sum(lane.hold for lane in state.lanes)
    assert mine.worth == sum(lane.worth for lane in state.lanes)
    assert mine.risk == sum(lane.risk for lane in state.lanes)
    assert 0 <= mine.held <= mine.cash
    assert mine.peak >= max(ledger.equity(mine), 0)
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
    """A stop rests for all of it, or a sale is on its way."""
    state = now.world.state
    for lane, of in zip(state.lanes, state.instruments, strict=True):
        held = lots(of, lane.quantity)
        leaving = lane.take.kind == Kind.TAKE and lane.take.side == Side.SELL
        if sellable(of, lane.mark, held) and not leaving:
            assert lane.stop.kind == Kind.STOP
            assert lane.stop.quantity == held
            assert lane.stop.price > 0


def nothing_is_kept_in_a_panic(now: Session) -> None:
    """All that can be sold is being sold."""
    state = now.world.state
    if state.account.halted != Halt.PANIC:
        return
    for lane, of in zip(state.lanes, state.instruments, strict=True):
        assert lane.take.side != Side.BUY
        assert lane.take.side == Side.SELL or not sellable(of, lane.mark, lots(of, lane.quantity))


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


def no_purchase_is_filled_while_halted_or_above_its_cap(
    before: State, told: list[Event | Decision]
) -> None:
    halted = before.account.halted
    for one in told:
        if isinstance(one, Halted):
            halted = one.halt
        elif isinstance(one, Report) and one.status == Status.FILLED and one.side == Side.BUY:
            assert halted == Halt.NONE
            assert one.notional <= before.law.order_notional_max


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
    assert money + money * of.fee_taker_ppm / PPM <= mine.cash - mine.held
    assert Fraction(bought.quantity * lane.mark, of.scale) >= of.notional_min
    assert bought.quantity >= of.quantity_min
    assert asked.at_ms >= lane.cooldown_until_ms
    assert lane.candles >= under.warmup_candles
    assert under.synthetic_may_open or not lane.synthetic
    worst = max(mine.hours) - total
    assert worst <= Fraction(max(mine.hours) * under.loss_24h_max_bps, BPS)


@LAWS
@given(seeds, laws, markets)
def test_the_events_of_a_record_rebuild_its_state_and_its_decisions(
    seed: int, under: Law, on: tuple[Listed, ...]
) -> None:
    played = play(seed, under, on, 20)
    state, decided = EMPTY, list[Decision]()
    for one in played.record:
        if isinstance(one, Event):
            state, decisions = step(state, one)
            decided.extend(decisions)
    assert state == played.world.state
    assert decided == [one for one in played.record if isinstance(one, Decision)]


@settings(LAWS, max_examples=40)
@given(seeds, laws)
def test_a_venue_refuses_nothing_that_the_kernel_sends(seed: int, under: Law) -> None:
    """Sizes are always legal: a rejection here would be an order that should not have been sent."""
    for one in play(seed, under, tuple(in_quote(of) for of in LISTED), 40).record:
        if isinstance(one, Report):
            assert one.status != Status.REJECTED
            assert one.rejection in (Rejection.NONE, Rejection.COLLAR, Rejection.NO_PRICE)


@settings(LAWS, max_examples=15)
@given(seeds, st.integers(1, 5), laws)
def test_a_mad_strategy_cannot_spend_more_than_the_law(seed: int, rate: int, under: Law) -> None:
    """It turns round ten times a candle, and its convictions are no convictions."""
    random, second = Random(seed), 1_000
    now = Session()
    now.meet(Limits(0, under._replace(orders_per_minute_max=rate)))
    now.meet(*(Listing(0, one.instrument) for one in LISTED), Flow(0, CAPITAL))
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
    record = [one for seed in range(12) for one in play(seed, under, LISTED, 100).record]
    fills = [one for one in record if isinstance(one, Report) and one.status == Status.FILLED]
    assert len(fills) > 500
    causes = {one.cause for one in record if isinstance(one, Order)}
    assert causes >= {Cause.SIGNAL, Cause.STOP, Cause.TARGET, Cause.PANIC}
    assert {one.halt for one in record if isinstance(one, Halted)} == set(Halt)
    assert any(one.fee_grains for one in fills)
    assert any(isinstance(one, Cancel) for one in record)
    assert {one.rejection for one in record if isinstance(one, Report)} >= {
        *(Rejection.NONE, Rejection.COLLAR, Rejection.NO_PRICE),
    }
    assert any(isinstance(one, Order) and one.attempt > 3 for one in record)
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
    @given(seeds, laws, markets)
    def all_laws(seed: int, under: Law, on: tuple[Listed, ...]) -> None:
        for one in play(seed ^ asked.seed, under, on, 100).record:
            said["orders"] += isinstance(one, Order)
            said["fills"] += isinstance(one, Report) and one.status == Status.FILLED
            said["refusals"] += isinstance(one, Refused)

    all_laws()
    print(f"{asked.examples} histories, {said}: every law held.")  # noqa: T201
