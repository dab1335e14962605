"""Ridge, trees and networks learn from the very same rows; whoever was stopped goes on."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load

from rrr.neural_network import artefact as artefacts
from rrr.neural_network.asking import asked, served
from rrr.neural_network.calibration import Platt
from rrr.neural_network.course import Course, Progress
from rrr.neural_network.evidence import correlation
from rrr.neural_network.features import F32, FEATURES, WINDOW, features
from rrr.neural_network.folding import parted
from rrr.neural_network.job import KINDS, Job, needed
from rrr.neural_network.labels import labels
from rrr.neural_network.study import importance, platt_of
from rrr.neural_network.train_child import train
from tests.neural_network.worlds import needs_onnx, needs_torch, world

SYMBOLS = ("A-USD", "B-USD")
FOLDS = 2
JOB = Job(world(3, needed(4, FOLDS) + 60, 2, 0.2), SYMBOLS, "simulated", folds=FOLDS, nets=2)


class Died(Exception):
    """What a kill is to whoever runs in this process."""


def trained(job: Job, models: Path, say: Callable[[Progress], None] = lambda _: None) -> None:
    needs_torch()
    needs_onnx()
    pytest.importorskip("sklearn", reason="boosting needs scikit-learn: rrr[train]")
    train(job, models, Course(job.epochs, job.folds, say))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Progress]]:
    """The models of a training that nobody stopped, and what it told."""
    models, told = tmp_path_factory.mktemp("full") / "models", list[Progress]()
    trained(replace(JOB, epochs=1), models, told.append)
    return models, told


def content(models: Path) -> dict[str, bytes]:
    return {str(p.relative_to(models)): p.read_bytes() for p in models.rglob("*") if p.is_file()}


@pytest.mark.slow
def test_a_full_training_leaves_three_siblings_of_which_one_serves(
    whole: tuple[Path, list[Progress]],
) -> None:
    job, (models, told) = replace(JOB, epochs=1), whole
    recipes = job.recipes()
    made = {kind: artefacts.load(models / recipe[:12]) for kind, recipe in recipes.items()}
    assert sorted(path.name for path in models.iterdir()) == sorted(
        r[:12] for r in recipes.values()
    )
    said = {kind: one.manifest for kind, one in made.items()}
    assert [each["kind"] for each in said.values()] == list(KINDS)
    assert {each["training"] for each in said.values()} == {job.recipe()}
    assert sum(each["serves"] for each in said.values()) == 1
    assert all(each["full"] and each["trials"] == len(KINDS) for each in said.values())
    known = {"rows", "rows_effective", "ic", "ic_error"}
    assert all(set(each["metrics"]) == known for each in said.values()), "The rest is the gate's."
    assert [each.share for each in told] == sorted(each.share for each in told)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_said_of_the_tests_lies_on_the_grid_of_the_panel(
    kind: str, whole: tuple[Path, list[Progress]]
) -> None:
    job = replace(JOB, epochs=1)
    folder = whole[0] / job.recipes()[kind][:12]
    walked = load((folder / "folds.safetensors").read_bytes())
    said = artefacts.load(folder).manifest
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    means, twins, fold = walked["means"], walked["twin_means"], walked["fold"]
    assert means.shape == twins.shape == job.panel.there.shape
    assert (np.isfinite(means).all(axis=0) == (fold >= 0)).all()
    assert not (means[:, fold >= 0] == twins[:, fold >= 0]).any()
    y, folds = labels(job.panel, job.horizon), parted(job.panel, job.horizon, FOLDS)
    closes = job.panel.opened_at_ms + job.panel.timeframe_ms
    for number, (parts, told) in enumerate(zip(folds, said["folds"], strict=True)):
        times = np.flatnonzero(fold == number)
        assert (times == np.array(parts.test) + WINDOW - 1).all()
        assert (told["begins_ms"], told["ends_ms"]) == tuple(closes[times[[0, -1]]].tolist())
        ic = correlation(means[:, times].astype(np.float64), y[:, times])
        assert told["ic"] == pytest.approx(ic, abs=1e-6)
        assert metrics["ic"][kind]["4"][number] == told["ic"]
    assert set(metrics["importance"]) == set(FEATURES)
    assert sum(rows for *_, rows in metrics["calibration_bins"]) > 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_weights_and_both_graphs_of_each_kind_are_kept(
    kind: str, whole: tuple[Path, list[Progress]]
) -> None:
    folder = whole[0] / replace(JOB, epochs=1).recipes()[kind][:12]
    assert load((folder / "weights.safetensors").read_bytes())["mean"].ndim == 1
    x = features(JOB.panel)
    rows = range(x.shape[1] - 40, x.shape[1])
    model, twin = (
        asked(served((folder / name).read_bytes()), x, rows) for name in ("model.onnx", "twin.onnx")
    )
    assert np.isfinite(model).all() and np.isfinite(twin).all()
    assert not (model == twin).all()


@pytest.mark.slow
def test_stopped_anywhere_and_begun_again_it_ends_in_the_same_bytes(
    whole: tuple[Path, list[Progress]], tmp_path: Path
) -> None:
    (models, told), job = whole, replace(JOB, epochs=1)
    for lives_until in (2, 7, 9):  # so many times it told of its progress
        said: list[Progress] = []

        def say(now: Progress, said: list[Progress] = said, last: int = lives_until) -> None:
            said.append(now)
            if len(said) == last:
                raise Died

        with pytest.raises(Died):
            trained(job, tmp_path, say)
        assert {path.name for path in tmp_path.iterdir()} <= {f".unfinished-{job.recipe()[:12]}"}
    again: list[Progress] = []
    trained(job, tmp_path, again.append)
    assert len(again) < len(told) * 2 // 3, "What was finished is not made again."
    assert content(tmp_path) == content(models)


@pytest.mark.slow
def test_an_instrument_that_appears_late_and_gaps_teach_what_is_known(tmp_path: Path) -> None:
    panel = world(4, needed(4, FOLDS) + 400, 2)
    panel.there[1, :700] = panel.there[0, 300:320] = panel.there[:, 900:903] = False
    for prices in (panel.open, panel.high, panel.low, panel.close, panel.volume):
        prices[~panel.there] = 0
    job = Job(panel, SYMBOLS, "simulated", epochs=1, folds=FOLDS)
    trained(job, tmp_path)
    for recipe in job.recipes().values():
        made = artefacts.load(tmp_path / recipe[:12])
        assert np.isfinite([fold["ic"] for fold in made.manifest["folds"]]).all()


@pytest.mark.slow
def test_one_instrument_alone_is_learned_from(tmp_path: Path) -> None:
    job = Job(world(4, needed(4, 1), 1), SYMBOLS[:1], "simulated", epochs=1, folds=1)
    trained(job, tmp_path)
    assert len(list(tmp_path.iterdir())) == len(KINDS)


def test_importance_is_what_is_lost_without_a_feature() -> None:
    x = features(world(5, 1_500, 2))
    y = x[:, :, FEATURES.index("volume")].astype(np.float64)

    def answers(windows: F32) -> F32:
        return windows[:, -1, FEATURES.index("volume")]

    falls = importance(answers, x, y, range(200, 1_200), 1)
    assert falls[FEATURES.index("volume")] > 0.8
    assert np.abs(np.delete(falls, FEATURES.index("volume"))).max() == 0


def test_where_nothing_can_be_told_a_probability_is_a_half() -> None:
    assert platt_of(np.zeros((1, 5)), np.ones((1, 5))) == Platt(0.0, 0.0)
