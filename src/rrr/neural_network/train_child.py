"""Training is a process of its own: it takes what the market's house leaves over, and dies with it.

`python -m rrr.neural_network.train_child FOLDER` reads the job in the folder, tells its progress in
lines of JSON, and leaves whole artefacts beside the folder, or none. It is done at low priority on
one thread; when its standard input ends, or its memory passes the job's bound, it ends. A full
training keeps each piece that it finished, and begun again goes on from there.
"""

import os
import resource
import select
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np

from rrr.core.errors import ModelBroken, RRRError

from . import study
from .artefact import Artefact, write
from .bundle import Studied, bundles
from .course import Course, Progress
from .features import WINDOW, features
from .folding import Parts, parted, rows_of
from .job import ROWS_MIN, Job, needed
from .labels import F64, VALIDATION_PERCENT, Split, labels, split
from .study import Lessons
from .unfinished import Tensors, Unfinished

__all__ = ["Progress", "Refusal", "main", "train"]

NICE: Final = 10
LOOK_S: Final = 0.2  # between two looks at the memory
WORK: Final = {"ridge": 3e-6, "boosting": 3e-5, "network": 2e-6}  # of a label: about its seconds
EPOCH: Final = 0.5  # of a network, whatever it learns: its steps are about as many


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """An error for a person, on its way to the parent."""

    what: str
    advice: str


def main(folder: Path) -> int:
    os.nice(NICE)
    job = Job.load(folder)
    _bound_cpu(job.seconds_max)
    threading.Thread(target=_watch, args=(job.memory_mb_max,), daemon=True).start()
    try:
        train(job, folder.parent, Course(job.epochs, job.folds, _say))
    except RRRError as error:
        _say(Refusal(error.what, error.advice))
        return error.exit_code
    return 0


def train(job: Job, models: Path, course: Course) -> tuple[Artefact, ...]:
    """Learn, judge what was learned by the very graphs that will serve, and put them in place."""
    course.tell("reading")
    recipe = job.recipe()
    kept = Unfinished(models, recipe, job.full)
    given = Lessons(features(job.panel), labels(job.panel, job.horizon)[:, WINDOW - 1 :], job)
    parts = split(rows_of(job.panel, job.horizon), job.horizon)
    folds = parted(job.panel, job.horizon, job.folds) if job.full else ()
    for fold in folds:
        _enough(given.y, fold.split, job)
    taught = _enough(given.y, parts, job)
    done = _studied(given, parts, folds, taught, course, kept)
    course.all_learned()
    made = bundles(done)
    course.ic = next(each.evidence.ic for each in made if each.manifest["serves"])
    course.tell("writing")
    written = [
        write(models, each.manifest["recipe"][:12], each.files, each.manifest) for each in made
    ]
    kept.clear()
    return tuple(written)


class Piece(NamedTuple):
    name: str
    kind: str
    twin: bool
    fold: int  # from 1 on; 0 is the model that serves
    work: float


def _studied(
    given: Lessons,
    parts: Split,
    folds: tuple[Parts, ...],
    taught: int,
    course: Course,
    kept: Unfinished,
) -> Studied:
    """Each piece, found or made."""
    pieces = _pieces(given.job, parts, folds)
    found = frozenset(piece.name for piece in pieces if kept.has(piece.name))
    course.plan({piece.name: piece.work for piece in pieces}, found)
    made: dict[Piece, Tensors] = {}
    for piece in pieces:
        if piece.name not in found:
            course.begin(piece.name, piece.kind, piece.fold)
        rows = folds[piece.fold - 1] if piece.fold else parts
        made[piece] = kept.piece(piece.name, partial(_learn, given, piece, rows, course))
        if piece.name not in found:
            course.end()
    walked: dict[tuple[str, bool], list[Tensors]] = {}
    for piece, tensors in made.items():
        if piece.fold:
            walked.setdefault((piece.kind, piece.twin), []).append(tensors)
    final = {(piece.kind, piece.twin): made[piece] for piece in pieces if not piece.fold}
    return Studied(given, parts, folds, walked, final, taught)


def _learn(given: Lessons, piece: Piece, rows: Parts | Split, course: Course) -> Tensors:
    if isinstance(rows, Parts):
        return study.walked(piece.kind, given, rows, piece.twin, course.learned)
    # Whoever waits for a quick training is told of its model, and not of the model's twin.
    told = course.learned if given.job.full or not piece.twin else _unheard
    return study.final(piece.kind, given, rows, piece.twin, told)


def _pieces(job: Job, parts: Split, folds: tuple[Parts, ...]) -> list[Piece]:
    """Fold by fold, then what serves; a quick training's twin is ridge, which takes no time."""
    kinds = [(kind, twin) for kind in job.kinds for twin in (False, True)]
    if not job.full:
        kinds = [(job.kinds[0], False), ("ridge", True)]
    looks = {"network": job.epochs * job.nets}
    every: list[tuple[int, Parts | Split]] = [*enumerate(folds, 1), (0, parts)]
    return [
        Piece(
            f"fold{number}-{kind}{'-twin' * twin}" if number else f"final-{kind}{'-twin' * twin}",
            kind,
            twin,
            number,
            len(rows.training) * len(job.symbols) * WORK[kind] * looks.get(kind, 1)
            + EPOCH * looks.get(kind, 0),
        )
        for number, rows in every
        for kind, twin in kinds
    ]


def _unheard(epoch: int, ic: float) -> None:
    """Nobody listens."""


def _enough(y: F64, parts: Split, job: Job) -> int:
    """How many labels teach; holes may have left too few of them."""
    taught, judged = (int((~np.isnan(y[:, part])).sum()) for part in parts)
    least = ROWS_MIN * (100 - VALIDATION_PERCENT) // 100, ROWS_MIN * VALIDATION_PERCENT // 100
    if job.full:  # the first of the folds is the shortest
        least = least[0] // 2, least[1] // 2
    if taught < least[0] or judged < least[1]:
        raise ModelBroken(
            f"Too many candles are missing to train on: {taught:,} labels to learn from and "
            f"{judged:,} to judge by are left, {least[0]:,} and {least[1]:,} are needed.",
            "Give it a history with fewer holes, at least "
            f"{needed(job.horizon, job.folds):,} candles in a row.",
        )
    return taught


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
