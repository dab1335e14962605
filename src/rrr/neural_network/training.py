"""Training never disturbs what serves: a child process makes the model, and this one only listens.

The child works on one thread at low priority, in a folder that is swept whatever happens; a whole
model is renamed into its place or nothing is. What stands for the same recipe is not made
again. The child ends with its parent, when it is cancelled, or at the bounds of its job; how it
ended is told in words. Torch never enters this process.
"""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

import rrr
from rrr.core.errors import HomeUnusable, ModelBroken, StorageFailed

from . import train_child, unfinished
from .artefact import Artefact, find, set_aside, sweep
from .features import STEPS, WINDOW
from .job import ROWS_MIN, Job, needed
from .train_child import Progress, Refusal

__all__ = ["Job", "Progress", "family", "needed", "run", "train"]

LINE_BYTES_MAX: Final = 4096  # of progress
TAIL_BYTES: Final = 4096  # of what the child complained of
LIBRARIES: Final = (("torch", "torch"), ("onnx", "onnx"))
OF_FULL: Final = (("sklearn", "scikit-learn"), ("threadpoolctl", "threadpoolctl"))
SERVES: Final = "What serves stays as it was; `rrr train` tries again."
ONE_THREAD: Final = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


def run(job: Job, models: Path, told: Callable[[Progress], None]) -> Artefact:
    """For the command line."""
    return asyncio.run(train(job, models, told))


async def train(
    job: Job,
    models: Path,
    told: Callable[[Progress], None],
    *,
    stop: asyncio.Event | None = None,
) -> Artefact:
    """The model of this job that serves, the one that is there or a new one; its siblings lie
    beside it. Stopped, it is cancelled, and a full training goes on when it is begun again.
    """
    kept = await asyncio.to_thread(family, job, models)
    if kept is None:
        _possible(job)
        with _desk(models) as desk:
            await asyncio.to_thread(unfinished.sweep, models, job.recipe(), desk)
            await asyncio.to_thread(_laid, job, desk)
            await _made(job, desk, told, stop)
        kept = await asyncio.to_thread(family, job, models)
    if kept is None:
        raise ModelBroken("Training ended well and left no model.", SERVES)
    return next(each for each in kept if each.manifest["serves"])


def family(job: Job, models: Path) -> tuple[Artefact, ...] | None:
    """All models of this job, the simplest first, if all are there; damaged ones are set aside."""
    found = [_kept(models, recipe) for recipe in job.recipes().values()]
    whole = tuple(each for each in found if each is not None)
    return whole if len(whole) == len(found) else None


def _kept(models: Path, recipe: str) -> Artefact | None:
    try:
        return find(models, recipe)
    except ModelBroken:
        set_aside(models / recipe[:12])
        return None


def _possible(job: Job) -> None:
    libraries = LIBRARIES if not job.full else (*LIBRARIES, *OF_FULL)
    for library, package in libraries:
        if find_spec(library) is None:
            raise ModelBroken(
                f"Training needs {package}, which is not installed.",
                "scripts/start installs it, or pip install 'rrr[train]'.",
            )
    most = int(job.panel.there.sum(axis=1).max(initial=0))
    least = needed(job.horizon, job.folds)
    if most < least:
        full = "; --quick needs far less, and proves nothing" if job.full else ""
        raise ModelBroken(
            f"{least:,} candles an instrument are needed to train on, {most:,} are there "
            f"(a feature looks back on {WINDOW}, the network on {STEPS} of them, and {ROWS_MIN} "
            "teach and judge; the rest keeps these apart).",
            f"Give it a longer history{full}; the baseline needs far less.",
        )
    if _still(job):
        raise ModelBroken(
            "No price ever moves in this history: there is nothing to learn.",
            "See that the candles are those of a market.",
        )


def _still(job: Job) -> bool:
    close, there = job.panel.close, job.panel.there
    return all((close[one, here] == close[one, here][0]).all() for one, here in enumerate(there))


@contextmanager
def _desk(models: Path) -> Iterator[Path]:
    """A folder beside the models for the time of one training."""
    try:
        models.mkdir(parents=True, exist_ok=True)
        sweep(models)
        folder = TemporaryDirectory(
            prefix=f".partial-{os.getpid()}-job-", dir=models, ignore_cleanup_errors=True
        )
    except OSError as error:
        raise _unwritten(models, error) from error
    try:
        with folder as desk:
            yield Path(desk)
    finally:
        sweep(models)


def _laid(job: Job, desk: Path) -> None:
    try:
        job.save(desk)
    except OSError as error:
        raise _unwritten(desk.parent, error) from error


def _unwritten(models: Path, error: OSError) -> StorageFailed:
    return StorageFailed(
        f"{models} cannot be written: {error.strerror}.",
        "See that there is space and that the folder is yours, then train again.",
    )


async def _made(
    job: Job, desk: Path, told: Callable[[Progress], None], stop: asyncio.Event | None
) -> None:
    """Let the child do it; whatever ends this also ends the child."""
    child = await _born(desk)
    assert child.stdin is not None and child.stdout is not None and child.stderr is not None
    stopped = asyncio.ensure_future((stop or asyncio.Event()).wait())
    stopped.add_done_callback(lambda _: _kill(child))
    complaints = asyncio.ensure_future(_tail(child.stderr))
    try:
        async with asyncio.timeout(job.seconds_max):
            refusal = await _heard(child.stdout, told)
            await child.wait()
    except TimeoutError as error:
        raise ModelBroken(f"Training took more than {job.seconds_max:,} s.", SERVES) from error
    finally:
        told_to_stop = stopped.done()
        stopped.cancel()
        _kill(child)
        child.stdin.close()
        await _tail(child.stdout)  # its end is not seen while words of it lie unread
        await child.wait()
        tail = await complaints
    if child.returncode == 0:
        return
    if told_to_stop:
        raise asyncio.CancelledError("Training was told to stop.")
    raise _failure(child.returncode or 0, refusal, tail)


async def _born(desk: Path) -> Process:
    """Spawned, never forked; in a process group of its own; its input is the thread it hangs by."""
    sources = str(Path(rrr.__file__).parents[1])
    paths = [sources, *filter(None, [os.environ.get("PYTHONPATH")])]
    try:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", train_child.__name__, desk),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            limit=LINE_BYTES_MAX,
            process_group=0,
            env=os.environ | ONE_THREAD | {"PYTHONPATH": os.pathsep.join(paths)},
        )
    except OSError as error:  # no memory, too many processes
        raise ModelBroken(f"No training can begin here: {error.strerror}.", SERVES) from error


async def _heard(stdout: asyncio.StreamReader, told: Callable[[Progress], None]) -> Refusal | None:
    """Pass progress on until the child has nothing more to say."""
    refusal = None
    while said := await _line(stdout):
        match said:
            case Progress():
                told(said)
            case Refusal():
                refusal = said
    return refusal


async def _line(stdout: asyncio.StreamReader) -> Progress | Refusal | None:
    line = b""
    try:
        line = await stdout.readline()
        return msgspec.json.decode(line, type=Progress | Refusal) if line else None
    except ValueError as error:  # also msgspec's, and a line that does not end
        raise ModelBroken(f"Training says what is no progress: {line[:80]!r}.", SERVES) from error


async def _tail(stderr: asyncio.StreamReader) -> str:
    tail = b""
    while piece := await stderr.read(TAIL_BYTES):
        tail = (tail + piece)[-TAIL_BYTES:]
    return tail.decode(errors="replace").strip()


def _failure(
    code: int, refusal: Refusal | None, tail: str
) -> ModelBroken | StorageFailed | HomeUnusable:
    """What a person is told; what the child complained of is its note."""
    if refusal is not None:
        kinds = {kind.exit_code: kind for kind in (StorageFailed, HomeUnusable)}
        return kinds.get(code, ModelBroken)(refusal.what, refusal.advice)
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"failed with code {code}"
    last = tail.rpartition("\n")[2]
    failure = ModelBroken(f"Training {how}{last and ': '}{last.rstrip('.')}.", SERVES)
    failure.add_note(tail)
    return failure


def _kill(child: Process) -> None:
    if child.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
