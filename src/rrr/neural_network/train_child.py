"""Training is a process of its own: it takes what the market's house leaves over, and dies with it.

`python -m rrr.neural_network.train_child FOLDER` reads the job in the folder, tells its progress in
lines of JSON, and leaves a whole artefact beside the folder, or nothing. It is done at low
priority on one thread; when its standard input ends, or its memory passes the job's bound, it ends.
"""

import json
import os
import resource
import select
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from rrr.core.errors import ModelBroken, RRRError

from .artefact import Artefact, write
from .evidence import judge
from .features import F32, STEPS, WINDOW, features
from .graph import graph
from .job import ROWS_MIN, Job, needed
from .labels import F64, VALIDATION_PERCENT, Split, labels, split
from .report import report

NICE: Final = 10
LOOK_S: Final = 0.2  # between two looks at the memory
APART: Final = 1e-5  # of a label's unit: what two reckonings of one network may differ by
DECIMALS: Final = 6  # of a figure for people


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    phase: str  # reading, learning, judging, writing
    epoch: int
    epochs: int
    validation_ic: float | None
    seconds: float


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """An error for a person, on its way to the parent."""

    what: str
    advice: str


def main(folder: Path) -> int:
    begun = time.monotonic()
    os.nice(NICE)
    job = Job.load(folder)
    _bound_cpu(job.seconds_max)
    threading.Thread(target=_watch, args=(job.memory_mb_max,), daemon=True).start()

    def tell(phase: str, epoch: int = 0, ic: float | None = None) -> None:
        _say(Progress(phase, epoch, job.epochs, ic, round(time.monotonic() - begun, 1)))

    try:
        train(job, folder.parent, tell)
    except RRRError as error:
        _say(Refusal(error.what, error.advice))
        return error.exit_code
    return 0


def train(job: Job, models: Path, tell: Callable[..., None]) -> Artefact:
    """Learn, judge what was learned by the very graph that will serve, and put it in its place."""
    tell("reading")
    x, y = features(job.panel), labels(job.panel, job.horizon)[:, WINDOW - 1 :]
    parts = split(range(STEPS - 1, x.shape[1] - job.horizon), job.horizon)
    taught = _enough(y, parts, job.horizon)
    from .network import asked, learn

    trained = learn(
        x,
        y,
        parts,
        job.seed,
        job.epochs,
        lambda epoch, seen: tell("learning", epoch, seen.validation_ic),
    )
    tell("judging", job.epochs, trained.curve[-1].validation_ic)
    network = graph(trained.weights, *trained.scaling)
    opinions = asked(_served(network), x, parts.validation)
    _agree(opinions, trained.opinions)
    evidence = judge(opinions, y[:, parts.validation], job.horizon)
    tell("writing", job.epochs, evidence.ic)
    metrics = {
        "evidence": {name: round(value, DECIMALS) for name, value in asdict(evidence).items()},
        "labels_taught": taught,
        "curve": [[round(figure, DECIMALS) for figure in epoch] for epoch in trained.curve],
    }
    files = {
        "model.onnx": network,
        "metrics.json": json.dumps(metrics, sort_keys=True, indent=1).encode() + b"\n",
        "report.txt": report(job, parts, taught, trained.curve, evidence).encode(),
    }
    recipe, panel = job.recipe(), job.panel
    manifest = {
        "recipe": recipe,
        "market": job.market,
        "timeframe_ms": panel.timeframe_ms,
        "symbols": job.symbols,
        "seed": job.seed,
        "horizon": job.horizon,
        "data": {
            "digest": panel.digest(),
            "begins_ms": int(panel.opened_at_ms[0]),
            "ends_ms": int(panel.opened_at_ms[-1]) + panel.timeframe_ms,
        },
        "metrics": metrics["evidence"],
        "bps_per_unit": evidence.bps_per_unit,
        "made_with": {name: metadata.version(name) for name in ("torch", "onnx", "numpy")},
        "proven": False,
    }
    return write(models, recipe[:12], files, manifest)


def _enough(y: F64, parts: Split, horizon: int) -> int:
    """How many labels teach; holes may have left too few of them."""
    taught, judged = (int((~np.isnan(y[:, part])).sum()) for part in parts)
    least = ROWS_MIN * (100 - VALIDATION_PERCENT) // 100, ROWS_MIN * VALIDATION_PERCENT // 100
    if taught < least[0] or judged < least[1]:
        raise ModelBroken(
            f"Too many candles are missing to train on: {taught:,} labels to learn from and "
            f"{judged:,} to judge by are left, {least[0]:,} and {least[1]:,} are needed.",
            f"Give it a history with fewer holes, at least {needed(horizon):,} candles in a row.",
        )
    return taught


def _served(network: bytes) -> Callable[[F32], F32]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])

    def answers(windows: F32) -> F32:
        said: F32 = session.run(["y"], {"x": windows})[0]
        return said

    return answers


def _agree(served: F64, learned: F64) -> None:
    apart = float(np.abs(served - learned).max())
    if not apart <= APART:
        raise ModelBroken(
            f"The network says one thing in torch and another in onnxruntime, {apart:.1g} apart.",
            "Install the versions that this program names: scripts/start does.",
        )


def _bound_cpu(seconds: int) -> None:
    """A parent that hangs cannot count the time: the system does."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = seconds if hard == resource.RLIM_INFINITY else min(seconds, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _watch(memory_mb_max: int) -> None:
    """End this process when its parent is gone, or when it has taken too much."""
    try:
        while not select.select([0], [], [], LOOK_S)[0] or os.read(0, 1):
            if _memory_mb() > memory_mb_max:
                _say(
                    Refusal(
                        f"Training took more than {memory_mb_max:,} MB of memory.",
                        "Train on fewer instruments or a shorter history.",
                    )
                )
                break
    finally:
        os._exit(ModelBroken.exit_code)


def _memory_mb() -> int:
    """What it holds; not what `ru_maxrss` says on Linux, where a child inherits its parent's."""
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() >> 20


def _say(said: Progress | Refusal) -> None:
    """One line, at once and undivided, whichever thread says it."""
    os.write(1, msgspec.json.encode(said) + b"\n")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
