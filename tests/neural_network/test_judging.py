"""What a model showed is told in figures, each of rows that it never learned from."""

from dataclasses import replace

import numpy as np
import pytest

from rrr.neural_network import judging
from rrr.neural_network.conformal import SCORES_MAX
from rrr.neural_network.evidence import correlation
from rrr.neural_network.features import FEATURES, WINDOW, features
from rrr.neural_network.folding import halves, parted
from rrr.neural_network.labels import F64, labels
from tests.neural_network.worlds import world

ROWS = range(0, 4_000)


def told(seed: int, strength: float) -> tuple[F64, F64]:
    """Opinions, and labels that follow them so much: (2, rows) each."""
    dice = np.random.default_rng(seed)
    opinions = dice.normal(size=(2, len(ROWS)))
    return opinions, strength * opinions + dice.normal(size=opinions.shape)


def test_probabilities_are_fitted_on_the_first_half_and_judged_on_the_second() -> None:
    said, truth = told(1, 0.5)
    found = judging.calibration(said, truth, ROWS, 4, 1.0)
    assert found["rows"] == 2 * len(halves(ROWS, 4)[1])
    assert found["ece"] < 3 * found["ece_noise"]
    assert found["brier_skill"] > 0
    assert found["logit_slope"] == pytest.approx(1, abs=0.15)
    turned = truth.copy()
    turned[:, 2_000:] *= -1
    worse = judging.calibration(said, turned, ROWS, 4, 1.0)
    assert (worse["slope"], worse["intercept"]) == (found["slope"], found["intercept"])
    assert worse["brier_skill"] < 0 < found["brier_skill"]


@pytest.mark.parametrize("strength", [-0.5, 0.0])
def test_opinions_that_showed_nothing_say_why_and_are_a_half(strength: float) -> None:
    said, truth = told(1, strength)
    said = said * (strength != 0)
    found = judging.calibration(said, truth, ROWS, 4, 1.0)
    assert (found["slope"], found["intercept"]) == (0, 0)
    assert found["why"]


def test_scores_are_the_last_misses_of_each_instrument_and_cover_as_promised() -> None:
    said, truth = told(2, 0.5)
    truth[0, -3:] = np.nan
    kept = judging.conformal(said, truth)
    assert kept["alpha"] == 0.1
    assert [len(scores) for scores in kept["scores"]] == [SCORES_MAX, SCORES_MAX]
    assert kept["scores"][0][-1] == pytest.approx(abs(truth[0, -4] - said[0, -4]), abs=1e-6)
    assert judging.coverage(said, truth, ROWS, 4) == pytest.approx(0.9, abs=0.03)
    assert judging.coverage(said * np.nan, truth, ROWS, 4) is None


def test_bins_hold_all_rows_in_equal_masses_and_rise_with_what_came_true() -> None:
    said, truth = told(3, 1.0)
    found = judging.bins(1 / (1 + np.exp(-said)), truth)
    assert sum(rows for *_, rows in found) == said.size
    assert {rows for *_, rows in found} == {said.size // 10}
    assert [p for p, *_ in found] == sorted(p for p, *_ in found)
    assert found[0][1] < 0.2 < 0.8 < found[-1][1]


def test_drift_is_of_candles_that_are_there() -> None:
    panel = world(1, 1_200, 3)
    late = replace(panel, there=panel.there.copy())
    late.there[2, :600] = False
    x = features(late)
    rows = range(31, 900)
    found = judging.drift(x, late.there, rows)
    known = late.there[:, WINDOW - 1 :][:, rows.start : rows.stop]
    assert len(found["features"]) == len(found["low"]) == len(found["high"]) == len(FEATURES)
    for number, name in enumerate(FEATURES):
        values = x[:, rows.start : rows.stop, number][known]
        assert found["low"][number] == values.min(), name
        assert found["high"][number] == values.max(), name
        assert found["features"][number]["edges"][4] == pytest.approx(np.median(values)), name


def test_the_table_of_ics_is_of_each_fold_and_each_horizon() -> None:
    panel = world(1, 2_500, 2)
    folds = parted(panel, 8, 4)
    y = labels(panel, 8)[:, WINDOW - 1 :]
    oracle = [y[:, parts.test] for parts in folds]
    found = judging.ic_table({"ridge": oracle}, panel, folds, 8)
    assert list(found["ridge"]) == ["1", "4", "8", "16", "64"]
    assert found["ridge"]["8"] == [1.0] * 4
    last = labels(panel, 16)[:, WINDOW - 1 :][:, folds[-1].test]
    assert found["ridge"]["16"][-1] == pytest.approx(correlation(oracle[-1], last), abs=1e-6)


@pytest.mark.parametrize(
    ("ridge", "boosting", "network", "serves"),
    [
        ([0.02] * 8, [0.02] * 8, [0.02] * 8, "ridge"),
        ([0.02] * 8, [0.01, 0.04] * 4, [-0.05, 0.08] * 4, "ridge"),
        ([0.02] * 8, [0.01] * 8, [0.05, 0.04] * 4, "network"),
        ([0.02] * 8, [0.04, 0.05] * 4, [0.04, 0.05] * 4, "boosting"),
        ([0.02], [0.9], [0.9], "ridge"),
    ],
)
def test_the_simplest_that_none_beats_fold_by_fold_serves(
    ridge: list[float], boosting: list[float], network: list[float], serves: str
) -> None:
    ics = {"ridge": ridge, "boosting": boosting, "network": network}
    assert judging.simplest_unbeaten(ics) == serves
