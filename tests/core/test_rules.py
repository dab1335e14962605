"""One row for each refusal, and whoever breaks two rules is told the first."""

from itertools import combinations
from typing import Any, NamedTuple

import pytest

from rrr.core import rules
from rrr.core.market import BPS, QUANTA_MAX, Instrument, cost, down, purchase
from rrr.core.orders import Side
from rrr.core.rules import MINUTE_MS, Refusal
from rrr.core.state import HOURS, RECENT, Account, Halt, Lane, Law, Memory
from tests.builders import (
    BTC,
    CAPITAL,
    HOUR,
    LAW,
    PRICE,
    RICH,
    START,
    account,
    lane,
    law,
    order,
)

COIN = 10**8
LIMIT = rules.collar(LAW, BTC, PRICE, Side.BUY, 0)
MONEY = cost(BTC, LIMIT, COIN)
STOPPED = cost(BTC, PRICE * (BPS - LAW.stop_bps) // BPS, COIN)
CALM = lane(volatility_ppm=10_000)


class Case(NamedTuple):
    """A purchase of one coin that nobody forbids."""

    law: Law = LAW._replace(warmup_candles=2, gross_max_bps=3 * BPS, loss_24h_max_bps=9_000)
    account: Account = RICH
    lane: Lane = CALM
    instrument: Instrument = BTC
    change: int = COIN
    at_ms: int = START

    def but(self, part: str, **changes: Any) -> "Case":
        kept = {name: changes.pop(name) for name in Memory._fields if name in changes}
        if kept:
            changes["memory"] = self.account.memory._replace(**kept)
        return self._replace(**{part: getattr(self, part)._replace(**changes)})


FINE = Case()
TOO_MUCH = (QUANTA_MAX // PRICE + 1) * BTC.scale

BROKEN: list[tuple[Refusal, str, dict[str, Any]]] = [
    (Refusal.PENDING, "lane", {"order": order()}),
    (Refusal.HALTED, "account", {"halted": int(Halt.OPERATOR)}),
    (Refusal.LOSS_24H, "account", {"hours": (0,) * 5 + (11 * CAPITAL,) + (0,) * (HOURS - 6)}),
    (Refusal.SYNTHETIC, "lane", {"synthetic": 1}),
    (Refusal.STALE, "lane", {"marked_at_ms": START - FINE.law.stale_ms - 1}),
    (Refusal.WARMUP, "lane", {"candles": FINE.law.warmup_candles - 1}),
    (Refusal.COOLDOWN, "lane", {"cooldown_until_ms": START + 1}),
    (Refusal.CAPACITY, "lane", {"quantity": TOO_MUCH}),
    (Refusal.QUANTITY_MIN, "instrument", {"quantity_min": COIN + 1}),
    (Refusal.NOTIONAL_MIN, "instrument", {"notional_min": STOPPED + 1}),
    (Refusal.NOTIONAL_MAX, "law", {"order_notional_max": MONEY - 1}),
    (Refusal.EXPOSURE, "law", {"exposure_max_bps": MONEY * BPS // CAPITAL - 1}),
    (Refusal.GROSS, "law", {"gross_max_bps": MONEY * BPS // CAPITAL - 1}),
    (Refusal.BOOK_VOLATILITY, "law", {"book_volatility_max_ppm": 1}),
    (Refusal.CASH, "account", {"held": CAPITAL - MONEY}),
    (Refusal.ORDER_RATE, "account", {"recent": (START - MINUTE_MS + 1,) * RECENT}),
]

# At the limit itself nothing is broken yet.
ALLOWED: list[tuple[str, dict[str, Any]]] = [
    ("lane", {"synthetic": 0}),
    ("lane", {"marked_at_ms": START - FINE.law.stale_ms}),
    ("lane", {"candles": FINE.law.warmup_candles}),
    ("lane", {"cooldown_until_ms": START}),
    ("instrument", {"quantity_min": COIN}),
    ("instrument", {"notional_min": STOPPED}),
    ("law", {"order_notional_max": MONEY}),
    ("law", {"exposure_max_bps": MONEY * BPS // CAPITAL}),
    ("law", {"gross_max_bps": MONEY * BPS // CAPITAL}),
    ("law", {"book_volatility_max_ppm": 10_000 * MONEY // CAPITAL}),
    ("account", {"recent": (START - MINUTE_MS,) * RECENT}),
]


def judge(case: Case) -> Refusal:
    return Refusal(rules.refuse(*case))


def test_what_breaks_no_rule_is_not_refused() -> None:
    assert judge(FINE) is Refusal.NONE


@pytest.mark.parametrize(("refusal", "part", "changes"), BROKEN, ids=[r[0].name for r in BROKEN])
def test_each_rule_has_its_refusal(refusal: Refusal, part: str, changes: dict[str, Any]) -> None:
    assert judge(FINE.but(part, **changes)) is refusal


def test_the_table_has_every_refusal_in_the_order_of_precedence() -> None:
    assert [Refusal.NONE, *(row[0] for row in BROKEN)] == list(Refusal)


def test_of_two_broken_rules_the_first_names_the_refusal() -> None:
    for first, second in combinations(BROKEN, 2):
        case = FINE.but(second[1], **second[2]).but(first[1], **first[2])
        assert judge(case) is first[0], second[0]


def test_of_all_broken_rules_from_one_on_that_one_names_the_refusal() -> None:
    case = FINE
    for refusal, part, changes in reversed(BROKEN):
        case = case.but(part, **changes)
        assert judge(case) is refusal


@pytest.mark.parametrize(("part", "changes"), ALLOWED, ids=lambda value: str(value))
def test_a_limit_is_allowed_to_be_reached(part: str, changes: dict[str, Any]) -> None:
    assert judge(FINE.but(part, **changes)) is Refusal.NONE


@pytest.mark.parametrize(
    ("refusal", "short", "changes"),
    [
        (Refusal.EXPOSURE, 5, {"exposure_max_bps": 1_000}),
        (Refusal.GROSS, 5, {"gross_max_bps": 1_000}),
        (Refusal.BOOK_VOLATILITY, 500, {"book_volatility_max_ppm": 1_000}),
    ],
    ids=lambda value: value.name if isinstance(value, Refusal) else "",
)
def test_a_limit_between_two_quanta_is_the_lower_one(
    refusal: Refusal, short: int, changes: dict[str, int]
) -> None:
    half_a_quantum_short = 10 * MONEY - short
    case = FINE.but("law", **changes)
    assert judge(case.but("account", cash=10 * MONEY)) is Refusal.NONE
    assert judge(case.but("account", cash=half_a_quantum_short)) is refusal


@pytest.mark.parametrize("collar_bps", [1, 500, 5_000])
def test_every_cap_is_judged_at_the_worst_price_that_the_order_accepts(collar_bps: int) -> None:
    wide = FINE.but("law", collar_bps=collar_bps)
    money = cost(BTC, rules.collar(wide.law, BTC, PRICE, Side.BUY, 0), COIN)
    assert money == cost(BTC, PRICE, COIN) * (BPS + collar_bps) // BPS
    rich = wide.but("account", cash=10 * money)
    for refusal, cap, most in (
        (Refusal.NOTIONAL_MAX, "order_notional_max", money),
        (Refusal.EXPOSURE, "exposure_max_bps", BPS // 10),
        (Refusal.GROSS, "gross_max_bps", BPS // 10),
        (Refusal.BOOK_VOLATILITY, "book_volatility_max_ppm", CALM.volatility_ppm // 10),
    ):
        assert judge(rich.but("law", **{cap: most})) is Refusal.NONE
        assert judge(rich.but("law", **{cap: most - 1})) is refusal


def test_cash_is_enough_when_it_pays_the_collar_and_the_fee() -> None:
    needed = purchase(BTC, LIMIT, COIN)
    assert judge(FINE.but("account", held=CAPITAL - needed)) is Refusal.NONE
    assert judge(FINE.but("account", held=CAPITAL - needed + 1)) is Refusal.CASH


def test_a_purchase_that_rests_is_judged_by_the_stop_below_where_it_rests() -> None:
    least = FINE.but("instrument", notional_min=STOPPED)
    assert judge(least) is Refusal.NONE
    assert judge(least.but("law", maker_offset_bps=1)) is Refusal.NONE
    patient = least.but("law", maker_offset_bps=1, entry_maker=1)
    assert judge(patient) is Refusal.NOTIONAL_MIN
    assert judge(patient.but("law", maker_offset_bps=0)) is Refusal.NONE


@pytest.mark.parametrize("dearer", ["fee_maker_ppm", "fee_taker_ppm"])
def test_what_the_dearer_fee_in_the_base_leaves_must_be_sellable(dearer: str) -> None:
    charged = FINE.but("instrument", fee_in_base=1, fee_maker_ppm=0, fee_taker_ppm=0)
    dear = charged.but("instrument", **{dearer: 10_000})
    left = COIN * 99 // 100
    assert judge(dear.but("instrument", quantity_min=left)) is Refusal.NONE
    assert judge(dear.but("instrument", quantity_min=left + 1)) is Refusal.QUANTITY_MIN


def test_approved_but_unfilled_grains_are_pending_too() -> None:
    assert judge(FINE.but("lane", due=COIN)) is Refusal.PENDING


@pytest.mark.parametrize("row", BROKEN, ids=[r[0].name for r in BROKEN])
def test_a_reduction_only_ever_waits(row: tuple[Refusal, str, dict[str, Any]]) -> None:
    refusal, part, changes = row
    expected = Refusal.PENDING if refusal is Refusal.PENDING else Refusal.NONE
    assert judge(FINE.but(part, **changes)._replace(change=-COIN)) is expected


def test_a_law_may_allow_what_we_made_ourselves_to_open() -> None:
    made = FINE.but("lane", synthetic=1)
    assert judge(made.but("law", synthetic_may_open=1)) is Refusal.NONE


def test_the_collar_lies_on_the_worse_side_of_its_tick() -> None:
    odd = PRICE + 1
    width = 1 + odd * 100 // BPS
    buy = rules.collar(law(collar_bps=100), BTC, odd, Side.BUY, 0)
    sell = rules.collar(law(collar_bps=100), BTC, odd, Side.SELL, 0)
    assert buy % BTC.tick == sell % BTC.tick == 0
    assert 0 <= buy - (odd + width) < BTC.tick
    assert 0 <= odd - width - sell < BTC.tick


def test_an_exit_that_failed_asks_for_twice_as_much_and_at_last_for_anything() -> None:
    narrow = law(collar_bps=50)
    asked = [rules.collar(narrow, BTC, PRICE, Side.SELL, attempt) for attempt in range(9)]
    assert [PRICE - price for price in asked[:8]] == [
        PRICE * (50 << attempt) // BPS for attempt in range(8)
    ]
    assert asked[8] == BTC.tick


@pytest.mark.parametrize("bps", [0, 1, 10, 39])
def test_the_narrowest_collar_asks_for_anything_at_last(bps: int) -> None:
    assert rules.collar(law(collar_bps=bps), BTC, PRICE, Side.SELL, 1_000) == BTC.tick


def test_the_loss_is_measured_from_the_best_hour_of_the_last_day() -> None:
    limit = law(loss_24h_max_bps=600)
    worst = CAPITAL - CAPITAL * 600 // BPS
    assert not rules.lost(limit, account(cash=worst))
    assert rules.lost(limit, account(cash=worst - 1))


def test_a_day_later_the_loss_is_forgotten_hour_by_hour() -> None:
    limit = law(loss_24h_max_bps=600)
    poor = account(cash=CAPITAL // 2, hour=START // HOUR)
    for k in range(1, HOURS):
        poor = rules.watch(limit, poor, START + k * HOUR)
        assert rules.lost(limit, poor)
    assert not rules.lost(limit, rules.watch(limit, poor, START + HOURS * HOUR))


def test_what_was_24_hours_ago_counts_and_what_was_25_hours_ago_does_not() -> None:
    limit = law(loss_24h_max_bps=600)
    rich = account(hours=(0,) * (HOURS - 1) + (CAPITAL,), hour=START // HOUR)
    fallen = rules.watch(limit, rich._replace(cash=CAPITAL * 80 // 100), START + HOUR)
    assert rules.lost(limit, rules.watch(limit, fallen, START + 24 * HOUR))
    assert not rules.lost(limit, rules.watch(limit, fallen, START + 25 * HOUR))


@pytest.mark.parametrize("later", [1, 2, 3, 24, 25, 1_000])
def test_in_hours_that_nobody_saw_equity_was_as_before(later: int) -> None:
    seen = account(hours=tuple(range(HOURS)), hour=START // HOUR, cash=CAPITAL)
    unseen = (HOURS - 1,) * (later - 1)
    watched = rules.watch(law(), seen, START + later * HOUR)
    if later < HOURS:
        assert watched.memory.hours == (*seen.memory.hours, *unseen, CAPITAL)[-HOURS:]
    else:
        assert watched.memory.hours == (HOURS - 1,) * (HOURS - 1) + (CAPITAL,)
    assert watched.hour == START // HOUR + later


def test_the_best_hour_does_not_end_at_midnight() -> None:
    limit = law(loss_24h_max_bps=600)
    midnight = START // (24 * HOUR) * 24 * HOUR
    rich = rules.watch(limit, account(hour=midnight // HOUR - 1), midnight)
    assert rules.lost(limit, rich._replace(cash=CAPITAL // 2))


def test_a_drawdown_beyond_the_law_halts_and_is_remembered() -> None:
    limit = law(drawdown_max_bps=1_000)
    edge = account(cash=down(CAPITAL, 9_000, BPS))
    assert rules.watch(limit, edge, START).halted == Halt.NONE
    fallen = rules.watch(limit, edge._replace(cash=edge.cash - 1), START)
    assert fallen.halted == Halt.DRAWDOWN
    assert abs(fallen.drawdown_ppm_max - 100_000) <= 1
    assert fallen.peak == CAPITAL


def test_whoever_resumes_starts_to_measure_anew() -> None:
    fallen = account(cash=CAPITAL // 2, halted=int(Halt.DRAWDOWN))
    resumed = rules.resume(fallen)
    assert (resumed.halted, resumed.peak) == (Halt.NONE, CAPITAL // 2)
    assert not rules.lost(law(loss_24h_max_bps=1), resumed)
    assert rules.watch(law(drawdown_max_bps=1), resumed, START).halted == Halt.NONE


def test_a_halt_outlives_a_recovery() -> None:
    halted = account(halted=int(Halt.DRAWDOWN))
    assert rules.watch(law(), halted, START).halted == Halt.DRAWDOWN


def test_a_withdrawal_from_the_peak_is_no_drawdown_and_no_loss() -> None:
    left = rules.flowed(account(cash=CAPITAL // 4), CAPITAL // 4 - CAPITAL)
    strict = law(drawdown_max_bps=1, loss_24h_max_bps=1)
    assert rules.watch(strict, left, START).halted == Halt.NONE
    assert not rules.lost(strict, left)


def test_a_deposit_is_no_profit() -> None:
    richer = rules.flowed(account(cash=2 * CAPITAL), CAPITAL)
    assert richer.peak == 2 * CAPITAL
    assert max(richer.memory.hours) == 2 * CAPITAL


@pytest.mark.parametrize("amount", [-CAPITAL // 2, CAPITAL])
def test_a_flow_in_the_middle_of_a_drawdown_leaves_the_drawdown_as_it_was(amount: int) -> None:
    fallen = account(cash=CAPITAL * 85 // 100)
    moved = rules.flowed(fallen._replace(cash=fallen.cash + amount), amount)
    before, after = (rules.watch(law(), one, START).drawdown_ppm_max for one in (fallen, moved))
    assert abs(after - before) <= 1


def test_no_minute_wherever_it_starts_holds_more_orders_than_the_law() -> None:
    limit = law(orders_per_minute_max=3)
    times: list[int] = []
    now = account()
    for at_ms in range(START, START + 5 * MINUTE_MS, 700):
        if judge(FINE._replace(law=limit, account=now, at_ms=at_ms)) is Refusal.NONE:
            now = rules.approved(now, at_ms)
            times.append(at_ms)
    assert len(times) == 15
    for start in times:
        assert sum(start <= at_ms < start + MINUTE_MS for at_ms in times) <= 3


def test_refusals_of_one_reason_are_counted_and_another_reason_starts_anew() -> None:
    refused = lane()
    for refusal in (Refusal.CASH, Refusal.CASH, Refusal.STALE):
        refused = rules.remember(refused, refusal)
    assert (refused.refusal, refused.refused) == (Refusal.STALE, 1)
    assert rules.remember(refused, Refusal.NONE).refused == 0
