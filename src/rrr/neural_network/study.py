"""Ridge, trees and networks learn from the very same rows, and so does the twin of each.

A *piece* is what is learned at once: on one fold, for its tests, or on all but the last part, to
serve. It is a function of the job alone, so whoever was stopped makes the same one again. A twin
differs from its model in the order of its labels, and in nothing else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rrr.core.errors import ModelBroken

from .asking import Answers, asked, served, thin
from .calibration import Platt, fit
from .challengers import boosting, ridge
from .evidence import correlation, judge
from .features import F32, FEATURES, STEPS
from .folding import Parts, deranged, early, shuffled
from .graph import graph
from .job import Job
from .labels import F64, Split
from .unfinished import Tensors

APART: Final = 1e-5  # of a label's unit: what two reckonings of one network may differ by
GLANCE: Final = 2048  # windows that tell what a feature was worth
BLOCK: Final = 64  # rows that stay together when a feature is permuted

Told = Callable[[int, float], None]


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    x: F32  # (instruments, rows, features)
    y: F64  # (instruments, rows), NaN where not known
    job: Job

    def twin(self, rows: range) -> "Lessons":
        return replace(self, y=shuffled(self.y, rows, self.job.horizon, self.job.seed))


def walked(kind: str, given: Lessons, parts: Parts, twin: bool, told: Told) -> Tensors:
    """A fold: what was said of the test, and how it is calibrated by what lies before."""
    learned = given.twin(parts.training) if twin else given
    answers = served(_learned(kind, learned, Split(parts.training, range(0)), told)["network"])
    x, y = given.x, given.y
    before, truth = asked(answers, x, parts.validation), y[:, parts.validation]
    platt = platt_of(before, truth)
    bps = judge(before, truth, given.job.horizon).bps_per_unit
    nothing = np.zeros(len(FEATURES))
    return {
        "means": asked(answers, x, parts.test).astype(np.float32),
        "figures": np.array([platt.slope, platt.intercept, bps]),
        "importance": nothing if twin else importance(answers, x, y, parts.test, given.job.seed),
    }


def final(kind: str, given: Lessons, parts: Split, twin: bool, told: Told) -> Tensors:
    """A model that serves, or its twin: `network` is its graph, the others are its weights."""
    learned = given.twin(parts.training) if twin else given
    made = _learned(kind, learned, parts, told)
    network = np.frombuffer(made["network"], np.uint8)
    return {**made["weights"], "network": network, "curves": np.array(made["curves"])}


def platt_of(opinions: F64, labels: F64) -> Platt:
    """One that says nothing where nothing can be told."""
    fitted = fit(opinions, labels)
    return fitted if isinstance(fitted, Platt) else Platt(0.0, 0.0)


def importance(answers: Answers, x: F32, y: F64, rows: range, seed: int) -> F64:
    """(features,): how far the IC falls when a feature comes from other times (Breiman, 2001)."""
    slab = x[:, rows.start - (STEPS - 1) : rows.stop]
    looked = thin(range(STEPS - 1, slab.shape[1]), len(x), GLANCE)
    truth = y[:, rows][:, :: looked.step]
    whole = correlation(asked(answers, slab, looked), truth)
    moved = deranged(np.arange(slab.shape[1]), BLOCK, seed)
    falls = []
    for number in range(len(FEATURES)):
        other = slab.copy()
        other[:, :, number] = slab[:, moved, number]
        falls.append(whole - correlation(asked(answers, other, looked), truth))
    return np.array(falls)


def _learned(kind: str, given: Lessons, parts: Split, told: Told) -> Mapping[str, Any]:
    """The graph's bytes, the weights by name, and a curve for each network."""
    x, y, job = given.x, given.y, given.job
    if kind != "network":
        simple = (
            ridge(x, y, parts, job.horizon) if kind == "ridge" else boosting(x, y, parts, job.seed)
        )
        return {"network": simple.network, "weights": simple.weights, "curves": []}
    from .network import learn

    lessons = early(parts.training, job.horizon) if job.patience else parts
    trained = learn(x, y, lessons, job.seed, job.epochs, told, job.nets, job.patience)
    network = graph(trained.weights, *trained.scaling)
    _agree(asked(served(network), x, trained.looked), trained.opinions)
    weights: dict[str, NDArray[Any]] = {
        f"{number}.{name}": weight
        for number, net in enumerate(trained.weights)
        for name, weight in net.items()
    }
    kept = weights | trained.scaling._asdict()
    return {"network": network, "weights": kept, "curves": trained.curves}


def _agree(seen: F64, learned: F64) -> None:
    apart = float(np.abs(seen - learned).max(initial=0.0))
    if not apart <= APART:
        raise ModelBroken(
            f"The network says one thing in torch and another in onnxruntime, {apart:.1g} apart.",
            "Install the versions that this program names: scripts/start does.",
        )
