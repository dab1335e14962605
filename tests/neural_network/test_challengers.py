"""What is simpler learns the same lessons each time, and may serve where nothing beats it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rrr.core.errors import ModelBroken
from rrr.neural_network.asking import served
from rrr.neural_network.challengers import (
    LAGS,
    PENALTIES,
    PLACES,
    Challenger,
    boosting,
    inputs,
    ridge,
)
from rrr.neural_network.evidence import correlation
from rrr.neural_network.features import F32, FEATURES, STEPS
from rrr.neural_network.graph import Scaling, door
from rrr.neural_network.labels import F64, Split
from rrr.neural_network.trees import ensemble, forest_of
from tests.neural_network.planted import NULL_IC, WORLDS, lessons, market
from tests.neural_network.worlds import needs_onnx

SKLEARN = "boosting needs scikit-learn, which is not installed: rrr[train]"
ROWS = 100_000
UP = np.float32(np.inf)

Maker = Callable[[F32, F64, Split], Challenger]


def by_ridge(x: F32, y: F64, parts: Split) -> Challenger:
    needs_onnx()
    return ridge(x, y, parts, horizon=1)


def by_boosting(x: F32, y: F64, parts: Split) -> Challenger:
    needs_onnx()
    pytest.importorskip("sklearn", reason=SKLEARN)
    return boosting(x, y, parts, seed=1)


EACH = pytest.mark.parametrize("make", [by_ridge, by_boosting])


def taught(name: str = "memory", seed: int = 1, times: int = 2_000) -> tuple[F32, F64, Split]:
    world = WORLDS[name]
    x, y, _, parts = lessons(world, market(world, seed, times, instruments=4))
    return x, y, parts


def windows(x: F32, rows: range) -> F32:
    """(instruments · rows, STEPS, features)"""
    made = np.stack([x[:, row + 1 - STEPS : row + 1] for row in rows], axis=1)
    return made.reshape(-1, STEPS, x.shape[-1])


def spoken(network: bytes, x: F32, rows: range) -> F64:
    """(instruments, rows)"""
    return served(network)(windows(x, rows)).reshape(len(x), -1).astype(np.float64)


def capture(make: Maker, name: str) -> float:
    world = WORLDS[name]
    x, y, oracle, parts = lessons(world, market(world, 7))
    rows = parts.validation
    said = spoken(make(x, y, parts).network, x, rows)
    return correlation(said, y[:, rows]) / (correlation(oracle[:, rows], y[:, rows]) or 1)


@pytest.mark.parametrize("lag", [0, *LAGS])
def test_the_graph_takes_from_a_window_what_was_taken_from_the_rows(lag: int) -> None:
    x, y, parts = taught()
    y[:, lag:] = x[:, : x.shape[1] - lag, FEATURES.index("volume")]
    said = spoken(by_ridge(x, y, parts).network, x, parts.validation)
    assert correlation(said, y[:, parts.validation]) > 0.999


def test_ridge_is_its_formula() -> None:
    x, y, parts = taught()
    made = by_ridge(x, y, parts)
    known = parts.training
    z = np.concatenate(inputs(Scaling.fitted(x[:, : known.stop]).of(x), known)).astype(np.float64)
    labels = np.concatenate(y[:, known.start : known.stop])
    twin = np.linalg.solve(
        z.T @ z + len(z) * made.settings["penalty"] * np.eye(len(PLACES)),
        z.T @ (labels - labels.mean()),
    )
    said = spoken(made.network, x, known[:200])
    seen = inputs(Scaling.fitted(x[:, : known.stop]).of(x), known[:200])
    assert said == pytest.approx((seen - z.mean(axis=0)) @ twin, abs=1e-6)
    assert np.abs(said).max() > 0.01


def test_ridge_trusts_its_inputs_where_they_say_all_and_doubts_them_where_they_say_nothing() -> (
    None
):
    x, y, parts = taught("null")
    assert by_ridge(x, y, parts).settings["penalty"] > 0.1
    y[...] = x[:, :, 0]
    assert by_ridge(x, y, parts).settings["penalty"] == PENALTIES[0]


@EACH
def test_the_same_lessons_give_the_same_bytes(make: Maker) -> None:
    x, y, parts = taught(times=1_000)
    made = make(x, y, parts).network
    assert make(x.copy(), y.copy(), parts).network == made
    x[:, parts.training[-1]] *= 1.5
    assert make(x, y, parts).network != made


@EACH
def test_nothing_of_the_rows_that_judge_or_of_the_embargo_is_in_what_was_learned(
    make: Maker,
) -> None:
    x, y, parts = taught(times=1_000)
    made = make(x, y, parts).network
    x[:, parts.training.stop :], y[:, parts.training.stop :] = 1e6, -1e6
    assert make(x, y, parts).network == made


@EACH
def test_what_has_no_label_teaches_nothing(make: Maker) -> None:
    x, y, parts = taught(times=1_000)
    y[0, parts.training.start : 400] = np.nan
    made = make(x, y, parts)
    said = served(made.network)(windows(x, parts.validation))
    assert np.isfinite(said).all()
    assert said.std() > 0


@EACH
def test_where_no_label_is_known_nothing_is_learned(make: Maker) -> None:
    x, y, parts = taught(times=1_000)
    y[...] = np.nan
    with pytest.raises(ModelBroken, match="not one has a label"):
        make(x, y, parts)


@EACH
def test_an_opinion_has_the_same_bits_alone_and_among_thousands(make: Maker) -> None:
    x, y, parts = taught()
    answers = served(make(x, y, parts).network)
    many = windows(x, parts.validation)
    together = answers(many)
    for size in (1, 3, 8, 50, 200, 1_000):
        apart = np.concatenate([answers(many[k : k + size]) for k in range(0, 1_000, size)])
        assert apart[:1_000].tobytes() == together[: len(apart[:1_000])].tobytes(), size


@EACH
@pytest.mark.parametrize("nonsense", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_answered_by_none(make: Maker, nonsense: float) -> None:
    x, y, parts = taught(times=1_000)
    seen = windows(x, parts.validation[:2])
    answers = served(make(x, y, parts).network)
    for number in range(len(FEATURES)):
        wrong = seen.copy()
        wrong[0, -1, number] = nonsense
        said = answers(wrong)
        assert not np.isfinite(said[0]), FEATURES[number]
        assert said[1:].tobytes() == answers(seen)[1:].tobytes()


@EACH
def test_a_drift_that_all_candles_share_is_no_opinion(make: Maker) -> None:
    x, y, parts = taught(times=1_000)
    still = served(make(x, y, parts).network)(windows(x, parts.training))
    drifted = served(make(x, y + 2, parts).network)(windows(x, parts.training))
    assert abs(still.mean()) < 1e-5
    assert drifted == pytest.approx(still, abs=1e-3)


@EACH
def test_a_feature_that_never_moved_is_not_listened_to(make: Maker) -> None:
    x, y, parts = taught()
    hole = FEATURES.index("hole")
    answers = served(make(x, y, parts).network)
    seen = windows(x, parts.validation[:50])
    before = answers(seen)
    seen[:, :, hole] = 1
    assert answers(seen).tobytes() == before.tobytes()


def test_trees_take_each_row_the_same_way_in_the_graph_as_in_the_library() -> None:
    """Also where a row stands on a threshold, or as near to it as a single can.

    Leaves say whole numbers, whose sums are exact in singles too: another way is another sum.
    """
    dice = np.random.default_rng(2)
    many = dice.normal(size=(ROWS // 10, 12)).astype(np.float32)
    grower = grown(many, np.sin(many[:, 0] * 3.0) * many[:, 1] + many[:, 2])
    forest = forest_of(grower)
    rows = dice.normal(size=(ROWS, many.shape[1])).astype(np.float32)
    for number in range(many.shape[1]):
        on = forest.threshold[~forest.leaf & (forest.feature == number)]
        assert len(on) > 20
        near = np.concatenate([on, np.nextafter(on, UP), np.nextafter(on, -UP)])
        rows[: ROWS // 2, number] = dice.choice(near, ROWS // 2)
    assert forested(grower, 12)(rows) == pytest.approx(doubles(grower, rows), rel=1e-5, abs=1e-5)
    for (tree,) in grower._predictors:
        tree.nodes["value"] = dice.integers(-(2**15), 2**15, len(tree.nodes))
    grower._baseline_prediction[...] = 0
    assert (forested(grower, 12)(rows) == doubles(grower, rows)).all()


def test_a_threshold_between_two_singles_parts_them_in_the_graph_too() -> None:
    """The library cuts halfway, in doubles: rounded to the nearest, half of the cuts would err."""
    low = np.float32(1) + np.arange(64, dtype=np.float32) / 64
    low = np.where(np.arange(64) % 2, low, np.nextafter(low, UP))  # even and odd in the last bit
    pairs = np.stack([low, np.nextafter(low, UP)], axis=1).reshape(-1, 1)
    rows, labels = np.repeat(pairs, 9, axis=0), np.tile(np.repeat([-1.0, 1.0], 9), 64)
    grower = grown(rows, labels)
    assert forested(grower, 1)(rows) == pytest.approx(doubles(grower, rows), abs=1e-6)
    assert np.abs(doubles(grower, rows) - labels).max() < 0.5, "It parts them."


@pytest.mark.parametrize(
    ("name", "ic"),
    [
        ("memory", 0.10),
        ("momentum", 0.13),  # a trend that is planted feeds itself
        ("leader", 0.15 * (7 / 8) ** 0.5),
        ("volume", 0.15),
        ("regime", 0.20),
        ("null", 0),
    ],
)
def test_who_knows_what_was_planted_has_the_skill_that_was_planted(name: str, ic: float) -> None:
    made = lessons(WORLDS[name], market(WORLDS[name], 5))
    rows = np.s_[:, : made.parts.validation.stop]
    assert correlation(made.oracle[rows], made.y[rows]) == pytest.approx(ic, abs=0.025)


@EACH
def test_what_is_planted_in_the_last_row_is_found(make: Maker) -> None:
    assert capture(make, "memory") > 0.65
    assert abs(capture(make, "null")) <= NULL_IC


def test_only_trees_find_what_takes_two_features_at_once() -> None:
    assert capture(by_boosting, "volume") > 0.35
    assert abs(capture(by_ridge, "volume")) < 0.25


def grown(x: F32, y: F64 | F32) -> Any:
    """A grower of the library, fitted closely."""
    needs_onnx()
    ensembles = pytest.importorskip("sklearn.ensemble", reason=SKLEARN)
    grower = ensembles.HistGradientBoostingRegressor(
        max_iter=100, max_leaf_nodes=31, min_samples_leaf=5, early_stopping=False, random_state=1
    )
    with one_thread():
        return grower.fit(x, y)


def doubles(grower: Any, rows: F32) -> F64:
    """What the library says itself."""
    with one_thread():
        said: F64 = grower.predict(rows)
    return said


def one_thread() -> Any:
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)


def forested(grower: Any, width: int) -> Callable[[F32], F32]:
    """Rows of so many inputs to opinions, by a graph whose windows begin with them."""
    from onnx import helper

    nodes = [
        helper.make_node("Reshape", ["x", "wide"], ["all"]),
        helper.make_node("Gather", ["all", "places"], ["seen"], axis=1),
        ensemble(forest_of(grower), "seen", "units"),
        helper.make_node("Reshape", ["units", "flat"], ["y"]),
    ]
    held = {
        "wide": np.array([-1, STEPS * len(FEATURES)]),
        "places": np.arange(width),
        "flat": np.array([-1]),
    }
    answers = served(door(nodes, held))

    def asked(rows: F32) -> F32:
        said = []
        for first in range(0, len(rows), 10_000):
            part = rows[first : first + 10_000]
            seen = np.zeros((len(part), STEPS, len(FEATURES)), np.float32)
            seen[:, 0, :width] = part
            said.append(answers(seen))
        return np.concatenate(said)

    return asked
