"""A training that is killed again and again ends in the bytes of one that nobody killed.

`python -m tests.neural_network.kills --kills 20 --seed 1` makes a full training in the child
process, kills it with SIGKILL after a random number of the lines that it tells, begins it again
until so many are dead, lets the last one end, and compares the sha256 of every file with that of a
training that ran through. What served before must stand untouched at every death.
"""

import hashlib
import signal
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from rrr.neural_network import train_child
from rrr.neural_network.artefact import load, sweep
from rrr.neural_network.course import Course
from rrr.neural_network.job import Job, needed
from rrr.neural_network.training import run
from tests.neural_network.worlds import world

FOLDS = 2


@dataclass(frozen=True, slots=True)
class Lives:
    killed: int
    ended: int  # children that came to their end before their death did
    pieces: int  # that the last one found


def main(arguments: Sequence[str]) -> int:
    """1 if a byte differs."""
    parser = ArgumentParser(prog="python -m tests.neural_network.kills")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    with TemporaryDirectory() as folder:
        straight, crooked = Path(folder) / "straight", Path(folder) / "crooked"
        job = small(asked.seed)
        run(job, straight, lambda _: None)
        lives = killed(job, crooked, asked.kills, asked.seed)
        same = hashes(straight) == hashes(crooked)
    sys.stdout.write(
        f"seed {asked.seed}: {lives.killed} killed, {lives.ended} ended before, the last found "
        f"{lives.pieces} pieces; {'every file is the same' if same else 'FILES DIFFER'}\n"
    )
    return 0 if same else 1


def small(seed: int) -> Job:
    panel = world(seed, needed(4, FOLDS) + 60, 2, 0.2)
    return Job(panel, ("A-USD", "B-USD"), "simulated", seed, epochs=1, folds=FOLDS, nets=2)


def killed(job: Job, models: Path, kills: int, seed: int) -> Lives:
    """Kill so many children of this job, then let it end; a model that served stays as it was."""
    models.mkdir()
    quick = Job(job.panel, job.symbols, job.market, epochs=1)
    (serving,) = train_child.train(quick, models, Course(1, 0, lambda _: None))
    before, dice, dead, ended = hashes(serving.folder), Random(seed), 0, 0
    while dead < kills:
        died = _dies(job, models, dice.randint(1, 24))
        dead, ended = dead + died, ended + (not died)
        assert hashes(serving.folder) == before and load(serving.folder) == serving
        if not died:  # its models are whole: begin anew
            for recipe in job.recipes().values():
                _remove(models / recipe[:12])
    pieces = sum(1 for _ in models.glob(".unfinished-*/*.safetensors"))
    run(job, models, lambda _: None)
    _remove(serving.folder)
    return Lives(dead, ended, pieces)


def hashes(folder: Path) -> dict[str, str]:
    """The sha256 of every file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }


def _dies(job: Job, models: Path, lines: int) -> bool:
    """Whether the child still lived after it told so many lines."""
    desk = models / f".partial-{99_999_999}-job"
    desk.mkdir()
    job.save(desk)
    child = subprocess.Popen(
        [sys.executable, "-m", train_child.__name__, desk],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout is not None
        for _ in range(lines):
            child.stdout.readline()
        child.kill()
    sweep(models)
    return child.returncode == -signal.SIGKILL


def _remove(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
