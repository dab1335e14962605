"""A Sharpe ratio's interval is as wide as its luck, and the best of many trials is worth less."""

from math import sqrt

import numpy as np
import pytest

from rrr.backtesting import sharpe
from rrr.backtesting.sharpe import Moments

YEARLY = sqrt(250)


def skewed(years: float) -> Moments:
    """Of the deflated Sharpe ratio's paper: annual 2.5 on 1,250 days."""
    return Moments(1_250, years / YEARLY, -3.0, 10.0)


# recomputed from Bailey and López de Prado (2014), where they stand with four digits
@pytest.mark.parametrize(
    ("of", "tried", "expected"),
    [
        (skewed(2.5), 100, 0.900397),
        (skewed(2.5), 46, 0.950502),
        (Moments(1_250, 2.5 / YEARLY, 0.0, 3.0), 88, 0.950491),
    ],
)
def test_the_deflated_ratio_is_that_of_its_paper(of: Moments, tried: int, expected: float) -> None:
    assert sharpe.deflated(of, tried, 0.5 / 250) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (Moments(24, 0.458, -2.448, 10.164), 0.913),
        (Moments(24, 1.585 / sqrt(12), 0.0, 3.0), 0.982),
    ],
)
def test_the_probabilistic_ratio_is_that_of_its_paper(of: Moments, expected: float) -> None:
    assert sharpe.probabilistic(of) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize(("in_a_year", "days"), [(252, 688.2), (52, 147.1), (12, 38.88)])
def test_the_shortest_record_is_that_of_its_paper(in_a_year: int, days: float) -> None:
    of = Moments(500, 2 / sqrt(in_a_year), 0.0, 3.0)
    assert sharpe.days_needed(of, 1 / sqrt(in_a_year)) == pytest.approx(days, rel=1e-3)


def test_one_trial_deflates_nothing_and_each_more_does() -> None:
    of = Moments(500, 0.08, 0.0, 3.0)
    assert sharpe.deflated(of, 1, None) == sharpe.probabilistic(of)
    found = [sharpe.deflated(of, tried, 1 / 500) for tried in (1, 2, 5, 50, 5_000)]
    assert found == sorted(found, reverse=True)


def test_of_few_trials_the_spread_is_not_believed_when_it_is_small() -> None:
    of = Moments(500, 0.08, 0.0, 3.0)
    assert sharpe.deflated(of, 4, 0.0) == sharpe.deflated(of, 4, None)
    assert sharpe.deflated(of, 4, 0.0) == sharpe.deflated(of, 4, 0.25 / 500)
    assert sharpe.deflated(of, 5, 0.0) == sharpe.probabilistic(of)
    assert sharpe.deflated(of, 5, None) == sharpe.deflated(of, 5, 0.25 / 500)


def test_of_normal_returns_the_error_is_lo_s() -> None:
    of = Moments(1_000, 0.1, 0.0, 3.0)
    assert sharpe.error(of) == pytest.approx(sqrt((1 + 0.1**2 / 2) / 999))


@pytest.mark.parametrize("shape", ["normal", "skewed"])
def test_the_interval_holds_the_true_ratio_as_often_as_it_says(shape: str) -> None:
    random = np.random.Generator(np.random.Philox(7))
    runs, days = 2_000, 365
    if shape == "normal":
        returns = random.normal(0.1, 1.0, (runs, days))
        true = 0.1
    else:
        returns = 2.5 - random.exponential(2.0, (runs, days))  # falls are larger than gains
        true = 0.5 / 2
    held = 0
    for row in returns:
        of = sharpe.moments(row)
        assert of is not None
        low, high = sharpe.interval(of)
        held += low < true < high
    assert held / runs == pytest.approx(0.95, abs=3 * sqrt(0.05 * 0.95 / runs))


def test_the_best_of_many_worthless_trials_shows_what_is_expected_of_it() -> None:
    random = np.random.Generator(np.random.Philox(7))
    best = random.normal(0.0, 0.05, (4_000, 50)).max(axis=1)
    assert sharpe.expected_best(50, 0.05**2) == pytest.approx(best.mean(), rel=0.02)


@pytest.mark.parametrize("returns", [[], [0.1], [0.1, 0.1, 0.1], [0.0] * 50])
def test_what_does_not_move_has_no_ratio(returns: list[float]) -> None:
    assert sharpe.moments(np.array(returns)) is None


def test_two_values_that_leave_no_doubt_do_not_divide_by_it() -> None:
    of = Moments(10, 2.0, 1.0, 2.0)  # the spread of the estimate is nothing
    assert sharpe.error(of) > 0
    assert sharpe.probabilistic(of) == 1


def test_no_record_tells_a_ratio_from_a_better_one() -> None:
    assert sharpe.days_needed(Moments(100, 0.1, 0.0, 3.0), 0.1) is None
