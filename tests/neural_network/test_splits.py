"""No candle is in a span that teaches and in one that judges, nor within an embargo of it."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from rrr.core.errors import ModelBroken
from rrr.neural_network.features import F32, WINDOW
from rrr.neural_network.labels import F64, LOOKBACK, Spans, embargo, labels, returns, sides
from rrr.neural_network.leaks import foresees, peeks, remembers, unsettled
from rrr.neural_network.splits import (
    FIRST,
    FOLDS,
    Rows,
    apart,
    combinatorial,
    paths,
    stretches,
    walk_forward,
)
from tests.neural_network.leaks import early_labels, leaky_features, leaky_labels
from tests.neural_network.markets import panel
from tests.neural_network.worlds import world


def fixed(rows: int, length: int) -> Spans:
    """One a candle, all as long."""
    begins = np.arange(rows)
    return Spans(begins, begins + length - 1)


@st.composite
def events(draw: st.DrawFn) -> Spans:
    """Spans of any lengths, a few very long; some begin together, some candles are in none."""
    dice = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = draw(st.integers(100, 300))
    longest = draw(st.integers(1, 25))
    begins = np.sort(dice.integers(-50, rows * 2, rows))
    rare = np.where(dice.random(rows) < 0.02, 8, 1)
    return Spans(begins, begins + dice.integers(0, longest, rows) * rare)


def reached(rows: Rows, spans: Spans, gap: int) -> Rows:
    """How many of the candles before each one are in a span of these rows, or within the gap."""
    low, high = int(spans.begins.min()), int(spans.ends.max()) + 1
    change = np.zeros(high - low + 2)
    np.add.at(change, np.maximum(spans.begins[rows] - gap, low) - low + 1, 1)
    np.add.at(change, np.minimum(spans.ends[rows] + gap + 1, high) - low + 1, -1)
    return np.cumsum(np.cumsum(change) > 0)


def touching(rows: Rows, judges: Rows, spans: Spans, gap: int) -> list[bool]:
    """The slow obvious twin: has a row's span a candle that a judge's has, or one too near."""
    low, before = int(spans.begins.min()), reached(judges, spans, gap)
    inside = before[spans.ends[rows] - low + 1] - before[spans.begins[rows] - low]
    met: list[bool] = (inside > 0).tolist()
    return met


def are_kept_apart(training: Rows, others: Rows, judges: Rows, spans: Spans, gap: int) -> None:
    """None of those that teach is near a judge, and none went without a reason."""
    assert not any(touching(training, judges, spans, gap))
    assert all(touching(np.setdiff1d(others, training), judges, spans, gap))
    assert np.isin(training, others).all()


@pytest.mark.slow
@settings(max_examples=1_000, deadline=None)
@given(events(), st.integers(0, 12), st.integers(1, 5), st.booleans())
def test_walking_forward_no_span_that_teaches_meets_one_that_judges(
    spans: Spans, gap: int, folds: int, rolling: bool
) -> None:
    try:
        walked = walk_forward(spans, gap, folds, rolling=rolling)
    except ModelBroken:
        reject()
    assert len(walked) == folds
    judged = np.concatenate([fold.test for fold in walked])
    assert judged.tolist() == list(range(judged[0], len(spans.begins)))
    for fold in walked:
        first = int(fold.training[0]) if rolling else 0
        before = np.arange(first, fold.test[0])
        known = before[~np.array(touching(before, fold.test, spans, gap), np.bool_)]
        assert len(fold.validation) == len(known) // 5 or rolling
        others = known[known < fold.validation[0]]
        are_kept_apart(fold.validation, known[len(others) :], fold.test, spans, gap)
        are_kept_apart(fold.training, others, fold.validation, spans, gap)
        assert not any(touching(fold.training, fold.test, spans, gap))


@pytest.mark.slow
@settings(max_examples=1_000, deadline=None)
@given(events(), st.integers(0, 12), st.integers(2, 5), st.data())
def test_combined_no_span_that_teaches_meets_one_that_judges(
    spans: Spans, gap: int, groups: int, data: st.DataObject
) -> None:
    judging = data.draw(st.integers(1, groups - 1))
    try:
        combined = combinatorial(spans, gap, groups, judging)
    except ModelBroken:
        reject()
    everyone = np.arange(len(spans.begins))
    for one in combined:
        judges = np.concatenate(one.tests)
        are_kept_apart(one.training, np.setdiff1d(everyone, judges), judges, spans, gap)
    ways = paths(combined)
    for way in ways:
        tests = [combined[n].tests[combined[n].groups.index(g)] for g, n in enumerate(way.tolist())]
        assert np.concatenate(tests).tolist() == everyone.tolist()
    used = [(n, g) for way in ways.tolist() for g, n in enumerate(way)]
    assert sorted(used) == [(n, g) for n, one in enumerate(combined) for g in one.groups]


@pytest.mark.parametrize(
    ("groups", "judging", "splits", "ways"), [(6, 2, 15, 5), (8, 2, 28, 7), (10, 2, 45, 9)]
)
def test_combinations_and_their_paths_are_as_many_as_the_book_says(
    groups: int, judging: int, splits: int, ways: int
) -> None:
    combined = combinatorial(fixed(1_000, 5), 5, groups, judging)
    assert len(combined) == splits == comb(groups, judging)
    assert paths(combined).shape == (ways, groups)
    assert paths(combined)[0].tolist() == [0, *range(groups - 1)]
    assert paths(combined)[-1, -2:].tolist() == [splits - 1] * 2
    assert ways == judging * splits // groups


@pytest.mark.parametrize(("gap", "length"), [(0, 1), (0, 37), (16, 37), (16, 1)])
def test_between_parts_of_equal_spans_lie_exactly_their_length_and_the_embargo(
    gap: int, length: int
) -> None:
    out = gap + length - 1  # rows
    for fold in walk_forward(fixed(3_000, length), gap):
        for part in fold:
            assert len(stretches(part)) == 1
        assert fold.training[0] == 0
        assert fold.validation[0] - fold.training[-1] == out + 1
        assert fold.test[0] - fold.validation[-1] == out + 1
    one = combinatorial(fixed(3_000, length), gap, 6, 2)[7]  # 1 and 4 judge
    assert one.groups == (1, 4)
    assert stretches(one.training) == (
        range(500 - out),
        range(1_000 + out, 2_000 - out),
        range(2_500 + out, 3_000),
    )


def test_tests_lie_side_by_side_and_a_rolling_training_forgets() -> None:
    spans = fixed(1_200, 5)
    walked, rolled = walk_forward(spans, 4), walk_forward(spans, 4, rolling=True)
    assert len(walked) == len(rolled) == FOLDS
    for number, (fold, short) in enumerate(zip(walked, rolled, strict=True)):
        assert stretches(fold.test) == (range((FIRST + number) * 100, (FIRST + number + 1) * 100),)
        assert short.test.tolist() == fold.test.tolist()
        assert (fold.training[0], short.training[0]) == (0, number * 100)
        assert len(short.training) + len(short.validation) == FIRST * 100 - 2 * 8


def test_a_long_span_is_left_out_wherever_it_began() -> None:
    spans = fixed(120, 1)
    spans.ends[3] = 115  # reaches into the last test
    last = walk_forward(spans, 0)[-1]
    assert 3 not in last.training
    assert {2, 4} < set(last.training.tolist())


def test_rows_that_begin_together_are_never_parted() -> None:
    begins = np.repeat(np.arange(100), 7)
    spans = Spans(begins, begins)
    for one in combinatorial(spans, 0, 6, 1):
        inside, outside = begins[one.tests[0]], begins[one.training]
        assert not set(inside.tolist()) & set(outside.tolist())
        assert len(inside) % 7 == 0


@pytest.mark.parametrize(
    ("spans", "said"),
    [
        (fixed(0, 1), "0 labels are too few to be cut into 12 parts"),
        (fixed(11, 1), "11 labels are too few"),
        (Spans(np.zeros(500, np.int64), np.ones(500, np.int64)), "500 labels are too few"),
        (fixed(12, 1), "of one part of the history none is left"),
        (fixed(240, 60), "of one part of the history none is left"),
    ],
)
def test_too_little_to_split_is_refused(spans: Spans, said: str) -> None:
    with pytest.raises(ModelBroken, match=said):
        walk_forward(spans, 0)


def test_what_reaches_over_everything_leaves_nobody_to_teach() -> None:
    with pytest.raises(ModelBroken, match="none is left"):
        combinatorial(fixed(60, 60), 0, 6, 2)


@pytest.mark.parametrize(("begins", "ends"), [([0, 2, 1], [9, 9, 9]), ([0, 1, 2], [0, 0, 2])])
def test_rows_out_of_order_and_spans_that_end_before_they_begin_are_no_rows(
    begins: list[int], ends: list[int]
) -> None:
    with pytest.raises(AssertionError):
        combinatorial(Spans(np.array(begins), np.array(ends)), 0, 3, 1)


def test_nobody_is_left_out_where_nobody_judges_nearby() -> None:
    spans, rows = fixed(100, 3), np.arange(50)
    assert apart(rows, np.arange(52, 60), spans, 0).tolist() == rows.tolist()
    assert apart(rows, np.arange(51, 60), spans, 0).tolist() == rows[:-1].tolist()
    assert apart(rows, rows[:0], spans, 9).tolist() == rows.tolist()


def test_labels_bring_the_spans_that_they_are_split_by() -> None:
    of, horizon = panel(1, 1_500, holes=0.002), 16
    for made in (returns(of, (1, 4, horizon)), sides(of, horizon)):
        spans = made.spans()
        assert (spans.begins == np.arange(of.times) - LOOKBACK).all()
        known = ~np.isnan(made.values)
        assert ((made.ends <= spans.ends) | ~known).all()
        for fold in walk_forward(spans, horizon):
            taught = made.ends[..., fold.training][known[..., fold.training]]
            assert taught.max() + horizon < spans.begins[fold.validation[0]]
            assert len(stretches(fold.training)) == 1 or made.values.ndim == 2
    whole = returns(world(1, 1_500), (horizon,)).spans()
    fold = walk_forward(Spans(*(part[LOOKBACK:-horizon] for part in whole)), 0)[0]
    assert fold.test[0] - fold.validation[-1] == embargo(horizon) + 1


def test_planted_leaks_are_found_in_features_and_labels() -> None:
    of = panel(1, 420, holes=0.02)
    assert len(peeks(leaky_features, of, WINDOW, 1, looks=5)) > 10
    assert len(unsettled(leaky_labels, of, 1, looks=5)) > 10
    assert len(unsettled(early_labels, of, 1, looks=5)) > 5


def test_opinions_that_look_far_ahead_are_found_and_honest_ones_are_not() -> None:
    horizon, of = 4, world(1, 4_000, memory=0.1)
    y = labels(of, horizon)
    moves = np.diff(np.log(of.close), axis=1, prepend=np.log(of.close[:, :1]))
    around = np.ones(129) / 129
    smooth = np.array([np.convolve(one, around, mode="same") for one in moves])
    assert foresees(smooth, y, horizon)
    assert not foresees(moves, y, horizon)
    behind = np.array([np.convolve(one, around)[: of.times] for one in moves])
    assert not foresees(behind, y, horizon)


def test_what_is_fitted_on_rows_that_judge_is_found() -> None:
    dice = np.random.default_rng(1)
    x, y = dice.normal(size=(3, 600, 5)).astype(np.float32), dice.normal(size=(3, 600))
    fold = walk_forward(fixed(600, 5), 5, folds=2)[0]
    judges = np.setdiff1d(np.arange(600), fold.training)

    def fit(x: F32, y: F64, scaled_on: Rows, taught: Rows) -> dict[str, F64]:
        seen = x[:, scaled_on].reshape(-1, 5).astype(np.float64)
        mean, size = seen.mean(axis=0), seen.std(axis=0)
        rows = (x[:, taught].reshape(-1, 5) - mean) / size
        weights = np.linalg.lstsq(rows, y[:, taught].reshape(-1), rcond=None)[0]
        return {"mean": mean, "size": size, "weights": weights}

    everyone = np.arange(600)
    assert not remembers(lambda x, y: fit(x, y, fold.training, fold.training), x, y, judges)
    assert len(remembers(lambda x, y: fit(x, y, everyone, fold.training), x, y, judges)) == 3
    more = np.append(fold.training, fold.validation[:1])
    found = remembers(lambda x, y: fit(x, y, fold.training, more), x, y, judges)
    assert found == ["weights knows rows that judge"]
