"""What a training depends on is said before it begins; its hash, the recipe, names the model."""

import hashlib
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rrr.neural_network import job as module
from rrr.neural_network.features import STEPS
from rrr.neural_network.features import WINDOW as LOOKBACK
from rrr.neural_network.folding import parted
from rrr.neural_network.job import KINDS, ONNX, ROWS_MIN, SKLEARN, SOURCES, TORCH, Job, needed
from rrr.neural_network.labels import embargo, labels
from tests.house.source import ROOT, imports, modules
from tests.neural_network.worlds import world

SYMBOLS = ("A-USD", "B-USD", "C-USD", "D-USD")
JOB = Job(world(1, 200), SYMBOLS, "simulated")


@pytest.mark.parametrize(
    "change",
    [
        {"panel": world(2, 200)},
        {"symbols": ("A-USD", "B-USD", "C-USD", "E-USD")},
        {"market": "kraken"},
        {"seed": 2},
        {"horizon": 5},
        {"epochs": 9},
        {"patience": 3},
        {"folds": 8},
        {"nets": 3},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_decides_the_bytes_is_in_the_recipe(change: dict[str, Any]) -> None:
    assert replace(JOB, **change).recipe() != JOB.recipe()


def test_bounds_of_time_and_memory_are_not() -> None:
    assert replace(JOB, seconds_max=1, memory_mb_max=1).recipe() == JOB.recipe()


def test_a_job_that_was_laid_down_is_the_job_that_is_taken_up(tmp_path: Path) -> None:
    job = replace(JOB, seed=7, horizon=2, epochs=3, folds=4, seconds_max=9, memory_mb_max=99)
    job.save(tmp_path)
    taken = Job.load(tmp_path)
    assert taken.recipe() == job.recipe()
    assert (taken.seconds_max, taken.memory_mb_max) == (9, 99)


def test_every_file_of_this_room_that_the_training_child_imports_is_in_the_recipe() -> None:
    """Only how an artefact is kept may change without making another model."""
    room = {module.name: module for module in modules() if module.within("neural_network")}
    reached, waiting = set(), ["rrr.neural_network.train_child"]
    while waiting:
        name = waiting.pop()
        if name in room and name not in reached:
            reached.add(name)
            for _, thing in imports(room[name]):
                waiting += [thing, thing.rpartition(".")[0]]
    names = {name.rpartition(".")[2] for name in reached - {"rrr.neural_network"}}
    assert names - {"artefact", "learned"} == set(SOURCES)


def test_the_recipe_names_the_torch_that_is_installed_or_else_the_one_that_would_be() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = project["project"]["optional-dependencies"]["train"]
    assert {f"torch=={TORCH}", f"onnx=={ONNX}", f"scikit-learn=={SKLEARN}"} <= set(asked)
    assert module._version("no-such-library", TORCH) == TORCH


def test_a_quick_training_is_its_one_model_and_a_full_one_names_three() -> None:
    assert JOB.recipes() == {"network": JOB.recipe()}
    full = replace(JOB, folds=8)
    assert tuple(full.recipes()) == KINDS
    assert len({full.recipe(), *full.recipes().values()}) == 1 + len(KINDS)
    ridge = hashlib.sha256(f"{full.recipe()}ridge".encode()).hexdigest()
    assert full.recipes()["ridge"] == ridge


@pytest.mark.parametrize("horizon", [1, 4, 16])
@pytest.mark.parametrize("folds", [2, 8])
def test_what_a_full_training_needs_is_enough_for_its_first_fold(horizon: int, folds: int) -> None:
    panel = world(1, needed(horizon, folds), 1)
    y = labels(panel, horizon)[:, LOOKBACK - 1 :]
    first = parted(panel, horizon, folds)[0]
    assert np.isfinite(y[:, first.training]).sum() >= ROWS_MIN * 4 // 10
    assert np.isfinite(y[:, first.validation]).sum() >= ROWS_MIN // 10


@pytest.mark.parametrize("horizon", [1, 4, 16])
def test_what_is_needed_leaves_as_many_rows_as_are_asked_for(horizon: int) -> None:
    rows = needed(horizon) - (LOOKBACK - 1) - (STEPS - 1) - horizon
    assert rows == ROWS_MIN + embargo(horizon)
