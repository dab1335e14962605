"""An interval that missed too often grows wider, whatever comes, live as in batch."""

import json
from collections import deque
from math import ceil, inf, isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrr.neural_network.conformal import (
    MISSES,
    RATE,
    SCORES_MAX,
    SCORES_MIN,
    Adapting,
    Conformal,
    Interval,
    ask,
    covered,
    step,
    walk,
)
from rrr.neural_network.labels import F64


def outcomes(seed: int, times: int) -> F64:
    return np.random.default_rng(seed).standard_t(5, times)


def begun(scores: int, alpha: float = MISSES) -> Conformal:
    return Conformal(alpha, tuple(map(float, range(1, scores + 1))))


@pytest.mark.parametrize("scores", [SCORES_MIN, 99, 500])
@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.5])
def test_it_reaches_as_far_as_the_score_of_its_rank(scores: int, alpha: float) -> None:
    rank = ceil((scores + 1) * (1 - alpha))
    assert ask(begun(scores, alpha), 7.0) == Interval(7.0, 7.0 - rank, 7.0 + rank)


def test_of_outcomes_that_do_not_change_the_rank_holds_its_share() -> None:
    """n + 1 scores are exchangeable: k ÷ (n + 1) of new ones are among the first k."""
    held = [
        ask(Conformal(0.1, tuple(np.abs(row[:-1]).tolist())), 0.0).high >= abs(row[-1])
        for row in outcomes(1, 40 * 5_000).reshape(-1, 40)
    ]
    assert np.mean(held) == pytest.approx(36 / 40, abs=0.01)


def test_with_too_few_scores_it_says_nothing_and_its_level_rests() -> None:
    state = Conformal()
    for outcome in outcomes(1, SCORES_MIN).tolist():
        asked = ask(state, 0.0)
        assert asked == Interval(0.0, -inf, inf)
        assert not asked.known
        state = step(state, asked, outcome)
    assert state.alpha == MISSES
    assert ask(state, 0.0).known


def test_a_level_that_no_score_is_rare_enough_for_has_no_interval() -> None:
    assert not ask(begun(SCORES_MIN, 0.03), 0.0).known
    assert not ask(begun(SCORES_MAX, -RATE), 0.0).known
    assert ask(begun(SCORES_MAX, 1.0), 0.0) == Interval(0.0, -1.0, 1.0)


@pytest.mark.parametrize("broken", [nan, inf, -inf])
def test_what_is_not_known_changes_nothing(broken: float) -> None:
    state = begun(100)
    assert step(state, ask(state, 0.0), broken) == state
    asked = ask(state, broken)
    assert isnan(asked.low)
    assert not asked.known
    assert step(state, asked, 1.0) == state


def test_a_miss_moves_the_level_down_and_a_hit_up() -> None:
    state = begun(100)
    asked = ask(state, 0.0)
    assert step(state, asked, asked.high).alpha == MISSES + RATE * MISSES
    assert step(state, asked, asked.high + 1).alpha == MISSES + RATE * (MISSES - 1)
    assert step(state, asked, asked.low - 1).alpha == MISSES + RATE * (MISSES - 1)


def test_only_the_last_scores_are_remembered() -> None:
    _, state = walk(Conformal(), np.zeros(2 * SCORES_MAX), outcomes(1, 2 * SCORES_MAX), 1)
    assert state.scores == tuple(np.abs(outcomes(1, 2 * SCORES_MAX))[-SCORES_MAX:].tolist())


@pytest.mark.parametrize("delay", [1, 4, 16])
def test_live_with_a_restart_after_each_candle_is_the_batch_bit_for_bit(delay: int) -> None:
    means, came = 0.1 * outcomes(1, 800), outcomes(2, 800)
    means[5], came[7], came[300:310] = nan, nan, nan
    batch, ended = walk(Conformal(), means, came, delay)
    state, waiting, live = Conformal(), deque[Interval](), list[Interval]()
    for at, mean in enumerate(means.tolist()):
        if at >= delay:
            state = step(state, waiting.popleft(), float(came[at - delay]))
        kept = json.loads(json.dumps(state))
        state = Conformal(kept[0], tuple(kept[1]))
        live.append(ask(state, mean))
        waiting.append(live[-1])
    for asked, outcome in zip(waiting, came[-delay:].tolist(), strict=True):
        state = step(state, asked, outcome)
    assert repr(live) == repr(batch)
    assert state == ended


@settings(deadline=None, derandomize=True)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=SCORES_MIN + 1, max_size=300),
    st.sampled_from([1, 4]),
)
def test_no_market_makes_it_miss_more_than_the_law_allows(came: list[float], delay: int) -> None:
    asked, _ = walk(begun(SCORES_MIN), np.zeros(len(came)), np.array(came), delay)
    missed = [not one.low <= outcome <= one.high for one, outcome in zip(asked, came, strict=True)]
    law = (MISSES + RATE * delay) / (RATE * len(came))
    assert np.mean(missed) <= MISSES + law + 1e-9


def test_a_market_that_always_grows_wilder_is_still_held() -> None:
    came = outcomes(3, 6_000) * 1.001 ** np.arange(6_000)
    asked, state = walk(Conformal(), np.zeros(6_000), came, 1)
    stays = Conformal(MISSES, tuple(np.abs(came[:SCORES_MAX]).tolist()))
    assert covered([ask(stays, 0.0)] * 6_000, came) < 0.5
    assert covered(asked, came) == pytest.approx(1 - MISSES, abs=0.01)
    assert state.alpha < MISSES


def test_outcomes_that_are_always_as_said_leave_a_level_that_can_come_back() -> None:
    _, state = walk(begun(SCORES_MAX), np.zeros(4_000), np.zeros(4_000), 1)
    assert state.alpha == 1
    asked, _ = walk(state, np.zeros(4_000), outcomes(1, 4_000), 1)
    assert covered(asked[1_000:], outcomes(1, 4_000)[1_000:]) == pytest.approx(0.9, abs=0.02)


def test_of_no_known_interval_no_coverage_is_told() -> None:
    assert isnan(covered([ask(Conformal(), 0.0)], np.zeros(1)))
    assert isnan(covered([ask(begun(50), 0.0)], np.array([nan])))


@pytest.mark.parametrize("seed", range(5))
def test_one_that_goes_on_says_what_the_functions_say(seed: int) -> None:
    dice = np.random.default_rng(seed)
    state = Conformal(0.1, tuple(np.abs(dice.normal(size=10 * seed)).round(1).tolist()))
    goes_on = Adapting(state)
    for mean, outcome in dice.normal(size=(1_200, 2)).round(1).tolist():
        mean = nan if dice.random() < 0.02 else mean
        outcome = nan if dice.random() < 0.02 else outcome
        asked = ask(state, mean)
        assert repr(goes_on.ask(mean)) == repr(asked)
        score, state = goes_on.step(asked, outcome), step(state, asked, outcome)
        assert goes_on.state == state
        assert isnan(score) or score == state.scores[-1]
    assert goes_on.ranked == sorted(state.scores)
