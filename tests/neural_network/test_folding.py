"""What is judged on a test was learned before it, and calibrated between: rows of three parts."""

from itertools import pairwise

import numpy as np
import pytest

from rrr.core.errors import ModelBroken
from rrr.neural_network.features import STEPS, WINDOW
from rrr.neural_network.folding import (
    candles_needed,
    deranged,
    early,
    halves,
    parted,
    rows_of,
    shuffled,
)
from rrr.neural_network.labels import embargo, labels, returns
from tests.neural_network.worlds import world

HORIZONS = pytest.mark.parametrize("horizon", [1, 4, 24])


@HORIZONS
def test_each_row_after_the_first_training_is_in_one_test_and_tests_follow_each_other(
    horizon: int,
) -> None:
    panel = world(1, 3_000, 2)
    folds = parted(panel, horizon, 8)
    tests = [row for parts in folds for row in parts.test]
    assert len(folds) == 8
    assert tests == list(range(tests[0], rows_of(panel, horizon).stop))
    assert all(a.training.stop < b.training.stop for a, b in pairwise(folds))


@HORIZONS
def test_no_span_of_a_part_meets_one_of_a_later_part_nor_comes_nearer_than_a_horizon(
    horizon: int,
) -> None:
    panel = world(2, 3_000, 2)
    panel.there[0, 700:705] = panel.there[:, 1_500:1_540] = False
    spans = returns(panel, (horizon,)).spans()
    for parts in parted(panel, horizon, 4):
        for before, after in pairwise(parts):
            ends = spans.ends[[row + WINDOW - 1 for row in before]].max()
            begins = spans.begins[[row + WINDOW - 1 for row in after]].min()
            assert begins - ends > horizon


def test_too_few_rows_for_so_many_folds_are_refused() -> None:
    with pytest.raises(ModelBroken, match=r"too few|none is left"):
        parted(world(1, 200, 1), 4, 8)


def test_the_rows_see_whole_windows_and_have_time_for_their_labels() -> None:
    panel = world(1, 400, 1)
    rows = rows_of(panel, 4)
    assert rows == range(STEPS - 1, 400 - WINDOW + 1 - 4)
    assert np.isfinite(labels(panel, 4)[:, WINDOW - 1 :][:, rows]).all()
    assert len(rows_of(world(1, 50, 1), 4)) == 0


@HORIZONS
@pytest.mark.parametrize("many", [40, 100, 1_000])
def test_halves_are_as_far_apart_as_there_is_room_for(horizon: int, many: int) -> None:
    first, second = halves(range(7, 7 + many), horizon)
    assert (first[0], second[-1], len(first)) == (7, 6 + many, len(second))
    assert second[0] - first[-1] > min(embargo(horizon), many // 3)


def test_what_tells_when_to_stop_is_the_last_of_what_teaches() -> None:
    inner, look = early(range(31, 1_031), 4)
    assert (inner.start, look.stop, len(look)) == (31, 1_031, 200)
    assert look.start - inner.stop == embargo(4)
    with pytest.raises(ModelBroken, match=r"patience_epochs to 0"):
        early(range(100), 24)


def test_a_twin_has_the_labels_of_the_training_in_other_places_and_no_other_label() -> None:
    y = np.random.default_rng(1).normal(size=(3, 900))
    twin = shuffled(y, range(31, 700), 4, 1)
    assert (twin[:, :31] == y[:, :31]).all() and (twin[:, 700:] == y[:, 700:]).all()
    assert (np.sort(twin, axis=1) == np.sort(y, axis=1)).all()
    assert not (twin[:, 31:700] == y[:, 31:700]).any()
    at = {label: place for place, label in enumerate(y[0].tolist())}
    moved = [at[label] for label in twin[0].tolist()]
    assert twin[1].tolist() == y[1, moved].tolist(), "What came together stays together."
    assert sum(b == a + 1 for a, b in pairwise(moved[31:700])) > 650, "In blocks."


def test_a_twin_has_no_lesson_more_where_labels_are_missing() -> None:
    y = np.random.default_rng(1).normal(size=(2, 900))
    y[1, :400] = np.nan
    twin = shuffled(y, range(0, 900), 4, 1)
    assert (np.isnan(twin) >= np.isnan(y)).all()
    assert np.isfinite(twin[1]).any()


@pytest.mark.parametrize("seed", range(20))
def test_no_block_stays_where_it_was(seed: int) -> None:
    numbers = np.arange(640)
    moved = deranged(numbers, 64, seed)
    assert sorted(moved.tolist()) == numbers.tolist()
    assert not (moved == numbers).any()


@HORIZONS
def test_as_many_candles_as_are_needed_are_enough_for_all_folds(horizon: int) -> None:
    many = candles_needed(horizon, 8, 500)
    assert len(parted(world(1, many, 1), horizon, 8)) == 8


def test_a_hole_just_before_a_test_leaves_a_part_without_gaps_and_takes_little_of_it() -> None:
    """A time without labels has a short span, and is left where its neighbours are not."""
    panel = world(1, 3_000, 2)
    whole = parted(panel, 24, 4)[1]
    test = whole.test.start + WINDOW - 1
    panel.there[:, test - 50 : test - 42] = False
    parts = parted(panel, 24, 4)[1]
    assert parts.test == whole.test
    assert len(whole.validation) - len(parts.validation) < 40
    spans = returns(panel, (24,)).spans()
    known = [row + WINDOW - 1 for row in parts.validation]
    assert spans.begins[test] - spans.ends[known].max() > 24
