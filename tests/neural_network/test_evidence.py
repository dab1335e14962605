"""A model's word weighs what it showed on candles it never learned from, less the error of that."""

import numpy as np
import pytest

from rrr.core.market import BPS
from rrr.neural_network.evidence import FULL_IC, LOUD, Evidence, judge
from rrr.neural_network.labels import F64

TIMES = 4_000


def opinions(seed: int, labels: F64, skill: float) -> F64:
    """Luck, with as much of the truth in it as gives about this correlation."""
    return skill * labels + np.random.default_rng(seed).normal(size=labels.shape)


def independent(seed: int, instruments: int = 4) -> F64:
    return np.random.default_rng(seed).normal(size=(instruments, TIMES))


def judged(skill: float, horizon: int = 1) -> Evidence:
    labels = independent(1)
    return judge(opinions(2, labels, skill), labels, horizon)


def test_who_showed_much_speaks_at_full_weight_and_nine_of_ten_times_below_full_conviction() -> (
    None
):
    labels = independent(1)
    said = opinions(2, labels, 0.2)
    evidence = judge(said, labels, 1)
    assert evidence.weight_ratio == 1
    assert (np.abs(said) * evidence.bps_per_unit < BPS).mean() == pytest.approx(LOUD, abs=1e-3)


@pytest.mark.parametrize("skill", [0.0, -0.2])
def test_who_showed_nothing_or_the_opposite_has_no_opinion(skill: float) -> None:
    assert judged(skill).bps_per_unit == 0


def test_only_what_is_beyond_the_error_weighs() -> None:
    evidence = judged(0.04)
    assert 0 < evidence.weight_ratio < 1
    assert evidence.weight_ratio == (evidence.ic - evidence.ic_error) / FULL_IC


@pytest.mark.parametrize("horizon", [1, 4, 16])
def test_labels_that_share_candles_count_once(horizon: int) -> None:
    evidence = judged(0.1, horizon)
    assert evidence.rows == 4 * TIMES
    assert evidence.rows_effective == pytest.approx(4 * TIMES / horizon, rel=0.05)
    assert evidence.ic_error == evidence.rows_effective**-0.5


def test_instruments_that_move_as_one_count_once() -> None:
    labels = np.repeat(independent(1, 1), 4, axis=0)
    assert judge(opinions(2, labels, 0.1), labels, 1).rows_effective == pytest.approx(TIMES)


def test_the_error_is_the_spread_of_the_ic_of_those_who_know_nothing() -> None:
    """Labels overlap, instruments move together, and the opinions, which know nothing, persist."""
    ics, errors = [], []
    for seed in range(200):
        dice = np.random.default_rng(seed)
        horizon, common = 4, 0.7
        luck = common * dice.normal(size=(1, 1_003)) + 0.7 * dice.normal(size=(3, 1_003))
        labels = np.lib.stride_tricks.sliding_window_view(luck, horizon, axis=1).sum(axis=-1)
        said = np.repeat(np.repeat(dice.normal(size=(1, 100)), 10, axis=1), 3, axis=0)
        evidence = judge(said, labels, horizon)
        ics.append(evidence.ic)
        errors.append(evidence.ic_error)
    assert np.std(ics) == pytest.approx(np.mean(errors), rel=0.15)


def test_what_has_no_label_is_not_judged() -> None:
    labels = independent(1)
    said = opinions(2, labels, 0.1)
    holed, spoiled = labels.copy(), said.copy()
    holed[:, ::3], spoiled[:, ::3] = np.nan, 1e6
    kept = np.arange(TIMES) % 3 > 0
    assert judge(spoiled, holed, 1) == judge(said[:, kept], labels[:, kept], 1)


def test_a_network_that_says_one_thing_of_everything_has_said_nothing() -> None:
    labels = independent(1)
    for answer in (0.0, 0.3):
        evidence = judge(np.full_like(labels, answer), labels, 1)
        assert (evidence.ic, evidence.bps_per_unit) == (0, 0)
