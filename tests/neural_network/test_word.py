"""What a forecast is worth is a row of this table, wherever in an array it stands."""

from math import inf, nan

import numpy as np
import pytest

from rrr.core.market import BPS
from rrr.neural_network.abstaining import Limits, Reason
from rrr.neural_network.strategies import SILENT
from rrr.neural_network.word import REASONS, convictions, weighed

LIMITS = Limits(margin_return=0.001, hold_ratio=0.25, probability_min=0.55)
COST, UNIT, PER_UNIT = 0.003, 0.01, 10_000.0  # it must promise more than 0.4 of a unit to open

ROWS = [
    # (mean, probability, unit return, conviction, reason)
    (0.5, 0.55, UNIT, 5_000, Reason.NONE),
    (0.41, 0.99, UNIT, 4_100, Reason.NONE),
    (9.0, 0.99, UNIT, BPS, Reason.NONE),
    (-9.0, 0.01, UNIT, -BPS, Reason.NONE),
    (-0.01, 0.9, UNIT, -100, Reason.NONE),
    (0.0, 0.9, UNIT, 0, Reason.NONE),
    (0.5, 0.54, UNIT, SILENT, Reason.UNSURE),
    (0.39, 0.99, UNIT, SILENT, Reason.HOLDS),
    (0.5, 0.99, 0.008, SILENT, Reason.HOLDS),
    (0.08, 0.99, UNIT, SILENT, Reason.HOLDS),
    (0.07, 0.99, UNIT, 0, Reason.COSTS),
    (0.5, 0.99, 1e-7, 0, Reason.COSTS),
    (nan, 0.9, UNIT, SILENT, Reason.NONSENSE),
    (inf, 0.9, UNIT, SILENT, Reason.NONSENSE),
    (-inf, 0.9, UNIT, SILENT, Reason.NONSENSE),
    (0.5, nan, UNIT, SILENT, Reason.NONSENSE),
    (0.5, 1.01, UNIT, SILENT, Reason.NONSENSE),
    (0.5, -0.01, UNIT, SILENT, Reason.NONSENSE),
    (0.5, 0.9, nan, SILENT, Reason.NONSENSE),
    (0.5, 0.9, 0.0, SILENT, Reason.NONSENSE),
    (-0.5, 0.9, -UNIT, SILENT, Reason.NONSENSE),
]


@pytest.mark.parametrize(("mean", "probability", "unit", "conviction", "reason"), ROWS)
def test_each_forecast_has_its_word_and_its_reason(
    mean: float, probability: float, unit: float, conviction: int, reason: Reason
) -> None:
    about = np.array([mean]), np.array([probability]), np.array([unit]), COST, PER_UNIT, LIMITS
    words, reasons = weighed(*about)
    assert (words.tolist(), [REASONS[n] for n in reasons]) == ([conviction], [reason])
    assert convictions(*about).tolist() == [conviction]
    assert words.dtype == np.int64


def test_the_same_forecast_has_the_same_word_in_any_array() -> None:
    dice = np.random.default_rng(1)
    means, likely = dice.normal(0, 0.5, (16, 999)), dice.uniform(0.4, 0.7, (16, 999))
    units = dice.uniform(0.001, 0.02, (16, 999))
    whole = convictions(means, likely, units, COST, PER_UNIT, LIMITS)
    for column in range(0, 999, 50):
        one = np.s_[:, column : column + 1]
        alone = convictions(means[one], likely[one], units[one], COST, PER_UNIT, LIMITS)
        assert (alone == whole[one]).all()
    assert {SILENT, 0} < set(whole.ravel().tolist())


def test_a_fold_may_have_its_own_loudness() -> None:
    means, likely, units = (np.full((1, 3), one) for one in (0.5, 0.9, UNIT))
    loud = np.array([0.0, 10_000.0, 1e12])
    assert convictions(means, likely, units, COST, loud, LIMITS).tolist() == [[0, 5_000, BPS]]


def test_noise_around_a_threshold_neither_opens_nor_closes() -> None:
    means = np.array([0.5, 0.39, 0.41, 0.3, 0.42, 0.09, 0.07])
    about = np.full(7, 0.9), np.full(7, UNIT), COST, PER_UNIT, LIMITS
    words = convictions(means, *about).tolist()
    assert words == [5_000, SILENT, 4_100, SILENT, 4_200, SILENT, 0]
