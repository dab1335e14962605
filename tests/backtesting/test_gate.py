"""Skill is promoted; luck, beta, leaks, late costs and what a simpler model does too are refused.

Worlds here are a sample; in full: `python -m tests.backtesting.gate_worlds --nulls 400 --seed 1`.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import nan, sqrt

import numpy as np
import pytest

from rrr.backtesting import gate_rules, sharpe
from rrr.backtesting.bootstrap import p_better, superior
from rrr.backtesting.gate import Case, Verdict, asked_of, in_words, judge, sees_through
from rrr.backtesting.gate_returns import Ledger, Record, candles_needed, hurdles, smallest_ratio
from rrr.backtesting.gate_rules import Calibration, Rules, Terms
from rrr.backtesting.growth import F64
from rrr.backtesting.sharpe import Moments
from rrr.backtesting.walk_overfitting import Overfitting, overfitting
from rrr.monitoring.blocks import block_length, drawn
from tests.backtesting import gate_worlds
from tests.backtesting.gate_worlds import SHARED

DAYS = 1_460
EARLY = 1_022  # before the holdout
MINUTE = Terms(60_000, 0, 12_000, 6_000, 250, 250, 0, 0.000_55, 60_000)
MONTH = MINUTE._replace(horizon_ms=30 * 86_400_000, maker_ratio=1, adverse_ppm=500)
RULES = Rules(draws=300)


def returns(seed: int, early: float, late: float | None = None) -> F64:
    """Days with these Sharpe ratios a year, before the holdout and in it, to the last digit."""
    made = np.random.Generator(np.random.Philox(seed)).standard_normal(DAYS)
    for part, yearly in ((made[:EARLY], early), (made[EARLY:], early if late is None else late)):
        part -= part.mean()
        part /= part.std(ddof=1)
        part += yearly / sqrt(365)
    return made * 0.004


def record(seed: int, early: float, late: float | None = None, turned: float = 0.0001) -> Record:
    """Beyond a hold that itself earned a ratio of 2 a year."""
    hold = returns(900, 2.0)
    net = returns(seed, early, late) + hold
    return Record(net, net - turned, hold)


def case(**changes: object) -> Case:
    good = Case(
        kind="network",
        record=record(1, 3.0),
        random=[record(seed, 0.0) for seed in range(10, 30)],
        always_long=record(2, -0.1),
        rivals={"champion": record(3, 0.2), "ridge": record(4, 0.5), "boosting": record(5, 0.4)},
        ledger=Ledger(33, 21, 0.25 / EARLY, 1),
        calibration=Calibration(0.01, 0.004, 0.95),
        leaks={"future": True, "streaming": True},
        terms=MONTH,
        candles_a_year=365.0,
    )
    return replace(good, **changes)  # type: ignore[arg-type]


def names(verdict: Verdict) -> list[str]:
    return [check.name for check in verdict.refusals]


def test_skill_is_promoted_and_the_page_says_so() -> None:
    verdict = judge(case(), RULES)
    assert verdict.passed, in_words(verdict)
    assert verdict.sharpe == pytest.approx(3.0, abs=0.01)
    assert verdict.months == 48
    assert verdict.months_left == 0
    assert in_words(verdict).startswith("Passed all of 18 rules.\n")
    assert json.loads(json.dumps(verdict.as_json()))["passed"] is True


REFUSALS: list[tuple[Callable[[], Case], list[str]]] = [
    (lambda: case(record=record(1, 1.2)),
     ["deflated Sharpe", "beats champion", "beats ridge", "beats boosting"]),
    (lambda: case(record=record(1, 3.0, 0.5)), ["holdout"]),
    (lambda: case(ledger=Ledger(33, 21, 3 / EARLY, 1)), ["deflated Sharpe"]),
    (lambda: case(ledger=Ledger(50_000, 21, 0.8 / EARLY, 1)), ["deflated Sharpe"]),
    (lambda: case(ledger=Ledger(33, 21, 0.25 / EARLY, 2_000)), ["holdout"]),
    (lambda: case(record=record(1, 3.0, turned=0.001)), ["twice the costs"]),
    (lambda: case(rivals={"champion": record(3, 0.2), "ridge": record(4, 3.1)}),
     ["beats ridge", "beats boosting"]),
    (lambda: case(kind="ridge", rivals={"champion": record(1, 3.0)}), ["beats champion"]),
    (lambda: case(random=[record(seed, 3.0) for seed in (6, 7)]), ["random entries"]),
    (lambda: case(random=[]), ["random entries"]),
    (lambda: case(always_long=record(6, 3.0)), ["always long"]),
    (lambda: case(leaks={"future": False, "streaming": True}), ["leak tests"]),
    (lambda: case(leaks={}), ["leak tests"]),
    (lambda: case(calibration=Calibration(0.03, 0.004, 0.95)), ["calibration error"]),
    (lambda: case(calibration=Calibration(0.01, 0.0, 0.95)), ["Brier skill"]),
    (lambda: case(calibration=Calibration(0.01, 0.1, 0.7)), ["calibration slope, least"]),
    (lambda: case(calibration=Calibration(0.01, 0.1, 1.3)), ["calibration slope, most"]),
    (lambda: case(calibration=Calibration(nan, 0.1, 1.0)), ["calibration error"]),
    (lambda: case(calibration=None),
     ["calibration error", "Brier skill", "calibration slope, least", "calibration slope, most"]),
    (lambda: case(terms=MINUTE), ["break-even IC"]),
    (lambda: case(terms=MONTH._replace(volatility=0.0)), ["break-even IC"]),
    (lambda: case(candles_a_year=8_760.0), ["days"]),
]  # fmt: skip


@pytest.mark.parametrize(("broken", "expected"), REFUSALS)
def test_what_is_missing_is_refused_by_its_own_rule(
    broken: Callable[[], Case], expected: list[str]
) -> None:
    verdict = judge(broken(), RULES)
    assert not verdict.passed
    assert names(verdict) == expected
    assert in_words(verdict).count("✗") == len(expected)


def test_a_deep_fall_is_refused() -> None:
    falling = record(1, 3.0)
    falling.net[:100] -= 0.006
    falling.net[EARLY - 100 : EARLY] += 0.006
    weak = dict.fromkeys(("champion", "ridge", "boosting"), record(3, -1.0))
    assert names(judge(case(record=falling, rivals=weak), RULES)) == ["drawdown"]


def test_who_only_holds_has_no_skill() -> None:
    """Without the matched hold, the same returns are promoted: beta is taken for skill."""
    hold = returns(900, 4.0)
    beta = Record(hold, hold, np.zeros(DAYS))
    asked = asked_of(DAYS, case().ledger, RULES)
    assert not sees_through(beta, asked)
    assert sees_through(replace(beta, hold=hold), asked)
    verdict = judge(case(record=replace(beta, hold=hold)), RULES)
    assert {"deflated Sharpe", "holdout", "twice the costs"} <= set(names(verdict))
    assert verdict.sharpe == 0
    assert verdict.months_left is None


@pytest.mark.parametrize(
    ("twin", "seen"),
    [
        (record(6, 3.0), False),
        (record(6, 5.0, 0.0), True),
        (record(6, 0.0, 9.0), True),
        (record(6, 3.0, turned=0.001), True),
    ],
)
def test_a_twin_meets_the_same_arithmetic(twin: Record, seen: bool) -> None:
    assert sees_through(twin, asked_of(DAYS, case().ledger, RULES)) == seen


@pytest.mark.parametrize("wrong", [nan, np.inf])
@pytest.mark.parametrize("whose", ["candidate", "boosting", "random 1"])
def test_returns_that_are_no_numbers_are_refused_by_name(wrong: float, whose: str) -> None:
    bad = case()
    bad.records()[whose].hold[7] = wrong
    verdict = judge(bad, RULES)
    assert names(verdict) == ["whole records"]
    assert whose in verdict.checks[0].words
    assert "Refused by 1 of 1" in in_words(verdict)


@pytest.mark.parametrize("times", [0, 1, 9])
def test_a_handful_of_candles_is_no_record(times: int) -> None:
    few = Record(*(part[:times] for part in (np.ones(DAYS), np.ones(DAYS), np.zeros(DAYS))))
    rivals = dict.fromkeys(case().rivals, few)
    verdict = judge(case(record=few, random=[few], always_long=few, rivals=rivals), RULES)
    assert names(verdict) == ["whole records"]


def test_who_never_trades_is_refused_and_told_the_power() -> None:
    still = Record(np.zeros(DAYS), np.zeros(DAYS), np.zeros(DAYS))
    verdict = judge(case(record=still), RULES)
    assert {"deflated Sharpe", "holdout", "minimum track record"} <= set(names(verdict))
    assert verdict.sharpe == 0
    assert verdict.sharpe_smallest is not None and 2 < verdict.sharpe_smallest < 4


def test_a_minute_of_a_taker_is_refused_with_the_arithmetic() -> None:
    check = gate_rules.horizon(MINUTE, RULES)
    assert check.figure == pytest.approx(1.2533 * 125 / 5.5, rel=1e-4)
    assert "a taker pays 125.0 bps a side and the price moves 5.5 bps in 1 minute" in check.words
    assert "1.25 × 125.0 ÷ 5.5 = 28.5" in check.words
    assert "which pays from 56 days on" in check.words


@pytest.mark.parametrize(
    ("side_bps", "move_bps", "expected"),
    [(10, 50, 0.25), (10, 100, 0.125), (10, 300, 0.042), (2, 50, 0.05), (2, 300, 0.008)],
)
def test_the_ic_that_breaks_even_is_that_of_the_table(
    side_bps: int, move_bps: int, expected: float
) -> None:
    terms = Terms(60_000, 0, side_bps * 100, 0, 0, 0, 0, move_bps / 10_000, 60_000)
    assert gate_rules.horizon(terms, RULES).figure == pytest.approx(expected, rel=0.05)


def test_the_vectors_are_those_of_the_papers() -> None:
    skewed = Moments(1_250, 2.5 / sqrt(250), -3.0, 10.0)
    assert sharpe.expected_best(100, 0.5 / 250) == pytest.approx(0.113172, abs=5e-7)
    assert sharpe.deflated(skewed, 100, 0.5 / 250) == pytest.approx(0.900397, abs=5e-7)
    assert sharpe.deflated(skewed, 46, 0.5 / 250) == pytest.approx(0.950502, abs=5e-7)
    normal = skewed._replace(skew=0.0, kurtosis=3.0)
    assert sharpe.deflated(normal, 88, 0.5 / 250) == pytest.approx(0.950491, abs=5e-7)
    monthly = Moments(24, 0.458, -2.448, 10.164)
    assert sharpe.probabilistic(monthly) == pytest.approx(0.91336, abs=5e-6)
    normal = Moments(24, 0.4575, 0.0, 3.0)  # 1.585 ÷ √12, of which the vector has four digits
    assert sharpe.probabilistic(normal) == pytest.approx(0.98158, abs=5e-6)
    for tried, best in ((10, 1.5746), (100, 2.5306), (1_000, 3.2551)):
        assert sharpe.expected_best(tried, 1.0) == pytest.approx(best, abs=5e-5)
    for in_a_year, needed in ((252, 688.2), (52, 147.1), (12, 38.88)):
        of = Moments(500, 2 / sqrt(in_a_year), 0.0, 3.0)
        assert sharpe.days_needed(of, 1 / sqrt(in_a_year)) == pytest.approx(needed, abs=0.05)


def test_the_hurdle_is_the_deflated_ratio() -> None:
    asked = asked_of(DAYS, Ledger(33, 21, 0.4 / EARLY, 1), RULES)
    early = record(1, 2.0).excess[:EARLY]
    of = sharpe.moments(early)
    assert of is not None
    of = of._replace(skew=min(of.skew, 0.0))
    assert asked.deflated.probability(early) == sharpe.deflated(of, 33, 0.4 / EARLY)
    assert (asked.deflated.candles, asked.held_out.candles) == (EARLY, DAYS - EARLY)
    assert asked.held_out.beyond == 0


@pytest.mark.parametrize(
    ("ledger", "variance"),
    [
        (Ledger(4, 0, 0.01 / EARLY, 1), 0.25 / EARLY),
        (Ledger(5, 0, 0.01 / EARLY, 1), 0.01 / EARLY),
        (Ledger(33, 21, 0.01 / EARLY, 1), 0.25 / EARLY),  # twelve alike, after 21 nobody knows
        (Ledger(22, 21, 0.9 / EARLY, 1), 0.9 / EARLY),
        (Ledger(33, 21, None, 1), 0.25 / EARLY),
    ],
)
def test_the_spread_of_few_known_trials_is_not_believed(ledger: Ledger, variance: float) -> None:
    """Failures of the prior have no ratios: no clones tried after them make them alike."""
    asked = asked_of(DAYS, ledger, RULES)
    assert asked.deflated.beyond == sharpe.expected_best(ledger.tried, variance)


def test_few_lucky_trades_are_luck() -> None:
    """Eight trades by dice, and twelve recipes alike: Mertens' skew let a twentieth pass."""
    asked = asked_of(20_000, Ledger(33, 21, 1e-9, 1), RULES)
    random = np.random.Generator(np.random.Philox(5))
    passed = 0
    for _ in range(400):
        made = np.zeros(20_000)
        made[random.choice(len(made), 8, replace=False)] = random.standard_normal(8)
        early, late = np.split(made, [asked.deflated.candles])
        probable = asked.deflated.probability(early), asked.held_out.probability(late)
        passed += (probable[0] or 0) >= 0.95 and (probable[1] or 0) >= 0.80
    assert passed <= 4


def test_each_look_at_the_holdout_raises_it() -> None:
    beyond = [hurdles(DAYS, Ledger(33, 21, None, n), 0.3, 0.95, 0.8)[1].beyond for n in (1, 2, 9)]
    assert beyond[0] == 0 and beyond == sorted(set(beyond))


@pytest.mark.parametrize("ledger", [Ledger(1, 0, None, 1), Ledger(33, 21, 0.3 / EARLY, 4)])
def test_the_smallest_ratio_is_seen_as_often_as_it_says(ledger: Ledger) -> None:
    asked = asked_of(DAYS, ledger, RULES)
    ratio = smallest_ratio(asked, Moments(DAYS, 0.0, 0.0, 3.0), 0.8)
    random = np.random.Generator(np.random.Philox(3))
    runs, seen = 1_000, 0
    for made in random.standard_normal((runs, DAYS)) + ratio:
        early, late = asked.deflated.probability(made[:EARLY]), made[EARLY:]
        assert early is not None
        seen += early >= 0.95 and (asked.held_out.probability(late) or 0) >= 0.8
    assert seen / runs == pytest.approx(0.8, abs=3 * sqrt(0.8 * 0.2 / runs))


def test_a_record_as_long_as_is_said_takes_its_hurdles_and_no_shorter_one() -> None:
    asked = asked_of(DAYS, Ledger(33, 21, 0.3 / EARLY, 3), RULES)
    shown = Moments(DAYS, 1.3 / sqrt(365), -0.4, 5.0)
    needed = candles_needed(shown, asked)
    assert needed is not None and needed > DAYS
    sure = [
        sharpe.probabilistic(_long(shown, needed * h.candles / DAYS), h.beyond) - h.confidence
        for h in asked
    ]
    assert min(sure) == pytest.approx(0, abs=1e-9)
    assert candles_needed(shown._replace(sharpe=asked.deflated.beyond), asked) is None


def _long(shown: Moments, candles: float) -> Moments:
    """Of as many candles as are said, and not whole ones."""
    return shown._replace(days=candles)  # type: ignore[arg-type]


def test_the_months_that_are_left_are_told() -> None:
    verdict = judge(case(record=record(1, 1.2)), RULES)
    assert "deflated Sharpe" in names(verdict)
    assert verdict.months_left is not None and verdict.months_left > 1
    assert f"{verdict.months_left:.0f} more months to a verdict" in in_words(verdict)


def test_what_is_only_reported_decides_nothing() -> None:
    trials = np.stack([record(seed, 0.0).excess for seed in range(40, 52)])
    verdict = judge(case(trials=trials), RULES)
    assert verdict.passed
    assert set(verdict.reported) == {"PBO", "SPA p", "random entries beaten"}
    assert isinstance(pbo := verdict.reported["PBO"], float) and pbo > 0.2
    assert isinstance(spa := verdict.reported["SPA p"], float) and spa > 0.05
    assert "never decides" in in_words(verdict)


def test_many_that_are_equally_good_look_overfit_so_that_this_may_not_decide() -> None:
    """The vectors are 0.52 ± 0.19 of noise and 0.60 of forty good ones: one and the same."""
    random = np.random.Generator(np.random.Philox(4))
    good = [overfitting(random.normal(0.2, 1.0, (40, 800)), 8) for _ in range(20)]
    found = [one.probability for one in good if isinstance(one, Overfitting)]
    assert len(found) == 20
    assert np.mean(found) == pytest.approx(0.52, abs=3 * 0.19 / sqrt(20))


def test_a_p_value_is_what_drawing_by_hand_finds() -> None:
    random = np.random.Generator(np.random.Philox(5))
    mine, theirs = random.normal(0.02, 1, 300), random.normal(0.0, 2, (1, 300))
    p = p_better(mine, theirs, draws=50, seed=9)

    def ratio(of: F64) -> float:
        return float(of.mean() / of.std())

    difference = mine / mine.std() - theirs[0] / theirs[0].std()
    dice = np.random.Generator(np.random.Philox(9))
    gap, beyond = ratio(mine) - ratio(theirs[0]), 0
    for places in drawn(dice, 50, 300, block_length(difference)):
        beyond += ratio(mine[places]) - ratio(theirs[0][places]) - gap >= gap
    assert p.tolist() == [(1 + beyond) / 51]


def test_leverage_makes_nobody_better_and_nobody_beats_himself() -> None:
    mine = returns(1, 1.0)
    assert p_better(mine, np.stack([mine, 3 * mine]), draws=99).tolist() == [1, 1]
    assert p_better(mine, np.zeros((1, DAYS)), draws=99)[0] < 0.1
    assert p_better(np.zeros(DAYS), mine[None, :], draws=99)[0] > 0.9


def test_equals_are_told_apart_as_rarely_as_p_says() -> None:
    """Half of each record is common to both, and days remember."""
    random = np.random.Generator(np.random.Philox(2))
    runs, found = 300, 0
    for _ in range(runs):
        luck = random.standard_normal((3, 300))
        luck[:, 1:] += 0.2 * luck[:, :-1]
        found += p_better(luck[0] + luck[2], luck[1:2] + luck[2], draws=99)[0] < 0.10
    assert found / runs == pytest.approx(0.10, abs=3 * sqrt(0.1 * 0.9 / runs))


def test_none_of_many_worthless_sets_is_superior_and_one_good_one_is() -> None:
    random = np.random.Generator(np.random.Philox(6))
    p = [superior(random.standard_normal((12, 300)), draws=99) for _ in range(100)]
    assert np.mean([one < 0.05 for one in p]) <= 0.12
    sets = random.standard_normal((12, 300))
    sets[3] += 0.3
    assert superior(sets, draws=99) < 0.05
    assert superior(np.zeros((2, 50))) == 1


def test_sets_that_are_much_worse_change_nothing() -> None:
    """Consistent recentring: they are no part of the null. Turned around, they remember as long."""
    sets = np.random.Generator(np.random.Philox(8)).standard_normal((6, 300)) + 0.05
    p = superior(sets, draws=199)
    assert 0.01 < p < 0.9
    assert superior(np.vstack([sets, sets[:, ::-1] - 5.0]), draws=199) == p


@pytest.mark.parametrize("name", gate_worlds.NULLS)
def test_of_twenty_nulls_none_is_promoted(name: str) -> None:
    run = partial(gate_worlds.researcher, gate_worlds.NULLS[name])
    assert gate_worlds.counted(4, 7, run)["gate"] == 0


def test_in_a_rising_market_the_matched_hold_tells_chance_from_skill() -> None:
    found = gate_worlds.counted(10, 1, gate_worlds.RISERS["bull"])
    assert found["alone"] >= 6
    assert found["beyond hold"] == found["gate"] == 0


@pytest.mark.slow
def test_skill_is_seen_about_as_often_as_was_measured() -> None:
    found = gate_worlds.counted(30, 1, gate_worlds.SKILLS["φ=.10 at .03σ"])
    assert found["DSR, holdout"] >= 24


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason=gate_worlds.ABSENT)
def test_on_real_perpetuals_random_entries_pass_alone_and_not_beyond_the_hold() -> None:
    table = gate_worlds.real(SHARED)["perpetuals"]
    assert table.shape[0] == 16
    run = partial(gate_worlds.gambler, gate_worlds.as_they_were(table))
    found = gate_worlds.counted(10, 1, run)
    assert found["alone"] >= 5
    assert found["beyond hold"] == found["gate"] == 0
