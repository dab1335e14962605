"""A probability is what came true as often as it was said; where none can be told, none is."""

import numpy as np
import pytest

from rrr.neural_network.calibration import (
    ROWS_MIN,
    Calibration,
    Platt,
    _line,
    fit,
    judge,
    probabilities,
)
from rrr.neural_network.labels import F64

ROWS = 20_000


def opinions(seed: int = 1, rows: int = ROWS) -> F64:
    return 0.1 * np.random.default_rng(seed).standard_t(5, rows)


def came(said: F64, slope: float, seed: int = 2, intercept: float = 0.0) -> F64:
    """Labels that rise as often as a logistic of this slope says."""
    dice = np.random.default_rng(seed)
    rises = dice.random(said.shape) < probabilities(Platt(slope, intercept), said)
    return np.where(rises, 1.0, -1.0) * (0.1 + dice.random(said.shape))


def fitted(said: F64, labels: F64, *, level: bool = False) -> Platt:
    platt = fit(said, labels, level=level)
    assert isinstance(platt, Platt), platt
    return platt


def judged(p: F64, labels: F64, shared: float = 1.0) -> Calibration:
    worth = judge(p, labels, shared)
    assert isinstance(worth, Calibration), worth
    return worth


@pytest.mark.parametrize("slope", [0.5, 3.0, 20.0])
def test_the_slope_that_was_planted_is_found_within_its_error(slope: float) -> None:
    said = opinions()
    labels = came(said, slope)
    error = _line(said, (labels > 0).astype(np.float64)).slope_error
    assert abs(fitted(said, labels).slope - slope) < 3 * error


def skewed(rows: int) -> F64:
    return np.random.default_rng(1).exponential(size=rows)


@pytest.mark.parametrize(("said", "slope"), [(opinions(), 3.0), (skewed(ROWS), 1.5)])
def test_newton_ends_where_the_likelihood_is_flat(said: F64, slope: float) -> None:
    labels = came(said, slope, intercept=-3.0)
    platt = fitted(said, labels, level=True)
    rises, falls = (labels > 0).sum(), (labels < 0).sum()
    target = np.where(labels > 0, (rises + 1) / (rises + 2), 1 / (falls + 2))
    miss = probabilities(platt, said) - target
    assert abs(miss.mean()) < 1e-11
    assert abs((miss * said).mean()) < 1e-11


def test_the_error_of_the_slope_is_its_spread_over_many_markets() -> None:
    said = skewed(1_000)
    markets = [came(said, 1.5, seed, intercept=-3.0) for seed in range(200)]
    lines = [_line(said, (labels > 0).astype(np.float64)) for labels in markets]
    spread = np.std([line.slope for line in lines])
    assert spread == pytest.approx(np.mean([line.slope_error for line in lines]), rel=0.15)


def test_the_error_of_the_slope_is_that_of_fisher() -> None:
    said = skewed(ROWS)
    labels = came(said, 1.5, intercept=-3.0)
    p = probabilities(fitted(said, labels, level=True), said)
    design = np.stack([said, np.ones(ROWS)])
    expected = np.sqrt(np.linalg.inv(design * (p * (1 - p)) @ design.T)[0, 0])
    assert _line(said, (labels > 0).astype(np.float64)).slope_error == pytest.approx(expected)


def test_a_rising_market_is_no_skill() -> None:
    said = opinions()
    labels = came(said, 3.0, intercept=0.4)
    assert probabilities(fitted(said, labels), np.zeros(1)) == 0.5
    asked = probabilities(fitted(said, labels, level=True), np.zeros(1))
    assert asked == pytest.approx(1 / (1 + np.exp(-0.4)), abs=0.01)


def test_an_opinion_that_is_right_when_turned_around_has_shown_nothing() -> None:
    said = opinions()
    labels = came(-said, 3.0, intercept=0.4)
    assert fitted(said, labels) == Platt(0.0, 0.0)
    level = probabilities(fitted(said, labels, level=True), said)
    assert level == pytest.approx((labels > 0).mean(), abs=1e-3)


def test_the_unit_of_opinions_does_not_matter() -> None:
    said = opinions()
    labels = came(said, 3.0)
    p = probabilities(fitted(said, labels), said)
    for unit in (1e-4, 1e6):
        assert probabilities(fitted(said * unit, labels), said * unit) == pytest.approx(p, abs=1e-9)


@pytest.mark.parametrize("spoiled", [np.nan, np.inf, -np.inf])
def test_what_is_not_known_does_not_count(spoiled: float) -> None:
    said = opinions()
    labels = came(said, 3.0)
    unsaid, unknown = said.copy(), labels.copy()
    unsaid[::5], unknown[::7], unknown[::11] = spoiled, spoiled, 0.0
    rows = np.arange(ROWS)
    kept = (rows % 5 > 0) & (rows % 7 > 0) & (rows % 11 > 0)
    platt = fitted(unsaid, unknown)
    assert platt == fitted(said[kept], labels[kept])
    p = probabilities(platt, unsaid)
    assert np.isnan(p[::5]).all()
    assert judged(p, unknown) == judged(p[kept], labels[kept])


@pytest.mark.parametrize(
    ("said", "labels", "why"),
    [
        (opinions(rows=ROWS_MIN - 1), np.ones(ROWS_MIN - 1), "29 outcomes are known"),
        (opinions(), np.full(ROWS, np.nan), "0 outcomes are known"),
        (opinions(rows=50), np.ones(50), "every outcome has the same sign"),
        (opinions(rows=50), -np.ones(50), "every outcome has the same sign"),
        (np.full(ROWS, 0.3), came(opinions(), 3.0), "every opinion is the same"),
    ],
)
def test_what_cannot_be_fitted_is_said_and_not_invented(said: F64, labels: F64, why: str) -> None:
    told = fit(said, labels)
    assert isinstance(told, str)
    assert why in told
    if "opinion" not in why:
        assert judge(probabilities(Platt(1.0, 0.0), said), labels) == told


def test_who_is_always_right_is_still_not_certain() -> None:
    said = np.where(np.arange(60) % 2, 1.0, -1.0)
    p = probabilities(fitted(said, said), said)
    assert p.max() == pytest.approx(31 / 32)
    assert 0 < p.min() < p.max() < 1


def test_one_by_one_and_all_at_once_have_the_same_bits() -> None:
    platt, said = Platt(1.7, 0.01), opinions()
    alone = [probabilities(platt, said[at : at + 1])[0] for at in range(2_000)]
    assert alone == probabilities(platt, said)[:2_000].tolist()


def test_the_largest_opinions_warn_of_nothing() -> None:
    p = probabilities(Platt(5.0, 0.0), np.array([-1e300, 1e300, np.inf]))
    assert 0 < p[0] < 1e-12
    assert 1 - 1e-12 < p[1] < 1
    assert np.isnan(p[2])


def test_ece_is_the_mean_of_ten_bins_of_equal_mass() -> None:
    p, labels = np.linspace(0.2, 0.8, 1_000), came(opinions(rows=1_000), 3.0)
    bins = np.array_split(p - (labels > 0), 10)
    gaps = [abs(one.mean()) for one in bins]
    assert judged(p, labels).ece == pytest.approx(np.mean(gaps), abs=1e-12)


def test_what_is_as_often_true_as_it_is_said_shows_the_noise_and_no_more() -> None:
    said = opinions()
    p = probabilities(Platt(3.0, 0.0), said)
    worth = [judged(p, came(said, 3.0, seed)) for seed in range(50)]
    assert np.mean([one.ece for one in worth]) == pytest.approx(worth[0].ece_noise, rel=0.1)
    assert np.mean([one.slope for one in worth if one.slope]) == pytest.approx(1, abs=0.02)


def test_who_is_too_loud_has_a_slope_below_one_and_no_skill() -> None:
    said = opinions()
    labels = came(said, 3.0)
    loud = judged(probabilities(Platt(30.0, 0.0), said), labels)
    right = judged(probabilities(Platt(3.0, 0.0), said), labels)
    assert loud.slope == pytest.approx(0.1, abs=0.02)
    assert loud.ece > 5 * right.ece
    assert loud.brier_skill < 0 < right.brier_skill


def test_skill_is_over_whoever_says_how_often_these_very_rows_rose() -> None:
    labels = came(opinions(), 0.0, intercept=1.0)
    often = judged(np.full(ROWS, (labels > 0).mean()), labels)
    assert often.brier_skill == pytest.approx(0, abs=1e-12)
    assert (often.slope, often.slope_error) == (None, None)
    assert judged(np.full(ROWS, 0.5), labels).brier_skill < 0


def test_rows_that_share_what_they_say_are_fewer() -> None:
    said = opinions()
    p, labels = probabilities(Platt(3.0, 0.0), said), came(said, 3.0)
    alone, together = judged(p, labels), judged(p, labels, shared=4.0)
    assert alone.slope_error
    assert together.slope_error == 2 * alone.slope_error
    assert together.ece_noise == pytest.approx(2 * alone.ece_noise)
    assert (together.ece, together.slope) == (alone.ece, alone.slope)
