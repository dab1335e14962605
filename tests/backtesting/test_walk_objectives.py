"""Each objective is its formula, and orders what never traded between gain and loss."""

from itertools import accumulate
from math import prod, sqrt
from statistics import NormalDist, mean, pstdev, stdev

import numpy as np
import pytest

from rrr.backtesting.walk_objectives import OBJECTIVES, SHALLOW, objective_of
from rrr.core.errors import UsageError

RETURNS = [0.02, -0.01, 0.005, 0.0, -0.03, 0.04, 0.01]


def of(name: str, returns: list[float]) -> float:
    return objective_of(name)(np.array(returns))


def test_each_is_its_formula() -> None:
    levels = list(accumulate(RETURNS, lambda level, r: level * (1 + r), initial=1.0))
    depth = max(1 - low / high for k, high in enumerate(levels) for low in levels[k:])
    total = prod(1 + r for r in RETURNS) - 1
    ratio = mean(RETURNS) / stdev(RETURNS)
    apart = [(r - mean(RETURNS)) / pstdev(RETURNS) for r in RETURNS]
    skew, kurtosis = mean(a**3 for a in apart), mean(a**4 for a in apart)
    error = sqrt((1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2) / (len(RETURNS) - 1))
    assert of("return", RETURNS) == pytest.approx(total)
    assert of("return-over-drawdown", RETURNS) == pytest.approx(total / depth)
    assert of("sharpe", RETURNS) == pytest.approx(ratio)
    assert of("probability", RETURNS) == pytest.approx(NormalDist().cdf(ratio / error))
    fall = sqrt(mean(min(r, 0) ** 2 for r in RETURNS))
    assert of("sortino", RETURNS) == pytest.approx(mean(RETURNS) / fall)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_who_never_traded_stands_between_gain_and_loss(name: str) -> None:
    losing = [-r for r in RETURNS]
    assert of(name, losing) < of(name, [0.0] * 7) < of(name, RETURNS)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_no_day_that_lost_is_a_figure_and_not_infinite(name: str) -> None:
    rising = [0.01, 0.02, 0.01]
    assert of(name, [0.0, 0.0, 0.0]) < of(name, rising) < 1 / SHALLOW**2


def test_an_unknown_objective_is_told_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean sharpe") as raised:
        objective_of("sharp")
    assert all(name in raised.value.advice for name in OBJECTIVES)
