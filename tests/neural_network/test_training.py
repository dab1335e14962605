"""Training never disturbs what serves: a child makes the model, and this one only listens."""

import asyncio
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

import rrr
from rrr.core.errors import ModelBroken, StorageFailed
from rrr.neural_network import train_child
from rrr.neural_network.artefact import Artefact, load, sweep
from rrr.neural_network.course import Course
from rrr.neural_network.job import Job
from rrr.neural_network.training import Progress, needed, run, train
from tests.neural_network.worlds import needs_onnx, needs_torch, world

SYMBOLS = ("A-USD", "B-USD", "C-USD")
ENDLESS = 10**6  # epochs
NOBODY = 99_999_999  # no process has this number
PATIENCE_S = 120  # after which a process that should have ended is taken for one that does not

CHILD = train_child.__name__
PARENT = """
import sys
from pathlib import Path
from rrr.neural_network.course import Course
from rrr.neural_network.job import Job
from rrr.neural_network.training import run
run(Job.load(Path(sys.argv[1])), Path(sys.argv[2]), lambda said: print(said.phase, flush=True))
"""


def job(times: int = 1_000, **changes: Any) -> Job:
    return replace(Job(world(1, times, 3), SYMBOLS, "simulated", epochs=2), **changes)


def silent(_: Progress) -> None:
    """Nobody listens."""


def course(folds: int = 0) -> Course:
    return Course(2, folds, silent)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    needs_torch()
    needs_onnx()
    return tmp_path / "models"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artefact, list[Progress]]:
    needs_torch()
    needs_onnx()
    told: list[Progress] = []
    return run(job(), tmp_path_factory.mktemp("trained") / "models", told.append), told


def entries(models: Path) -> list[str]:
    return sorted(path.name for path in models.iterdir()) if models.exists() else []


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
def test_a_training_tells_its_progress_and_leaves_a_whole_model_and_nothing_else(
    trained: tuple[Artefact, list[Progress]],
) -> None:
    artefact, told = trained
    assert entries(artefact.folder.parent) == [artefact.name]
    assert load(artefact.folder) == artefact
    assert [(said.phase, said.epoch) for said in told] == [
        ("reading", 0),
        ("learning", 1),
        ("learning", 2),
        ("judging", 2),
        ("writing", 2),
    ]
    assert {said.epochs for said in told} == {2}
    assert [said.share for said in told] == sorted(said.share for said in told)
    assert told[-1].validation_ic == pytest.approx(artefact.manifest["metrics"]["ic"], abs=1e-6)


@pytest.mark.slow
def test_the_manifest_says_what_it_was_made_from_and_that_nothing_is_proven(
    trained: tuple[Artefact, list[Progress]],
) -> None:
    artefact, asked = trained[0], job()
    said, panel = artefact.manifest, asked.panel
    assert said["recipe"] == asked.recipe()
    assert artefact.name == asked.recipe()[:12]
    assert (said["market"], tuple(said["symbols"])) == ("simulated", SYMBOLS)
    assert (said["seed"], said["proven"]) == (1, False)
    assert said["data"]["digest"] == panel.digest()
    assert said["data"]["ends_ms"] == int(panel.opened_at_ms[-1]) + panel.timeframe_ms


@pytest.mark.slow
def test_the_report_is_a_page_for_a_person(trained: tuple[Artefact, list[Progress]]) -> None:
    artefact = trained[0]
    page = (artefact.folder / "report.txt").read_text(encoding="utf-8")
    metrics = json.loads((artefact.folder / "metrics.json").read_text(encoding="utf-8"))
    for said in ("UNPROVEN", "A-USD, B-USD, C-USD", job().panel.digest(), "of 1 h"):
        assert said in page
    assert f"{metrics['evidence']['ic']:+.4f} ± {metrics['evidence']['ic_error']:.4f}" in page
    assert f"{metrics['labels_taught']:,} labels" in page
    assert [len(curve) for curve in metrics["curves"]] == [2], "One of each network."
    assert all(len(line) <= 100 for line in page.splitlines())


@pytest.mark.slow
def test_another_process_makes_the_same_bytes_of_every_file(
    trained: tuple[Artefact, list[Progress]], models: Path
) -> None:
    again = run(job(seconds_max=999), models, silent)
    assert content(again.folder) == content(trained[0].folder)
    assert again.id == trained[0].id


@pytest.mark.slow
def test_what_was_made_is_not_made_again_and_what_is_damaged_is_set_aside(
    trained: tuple[Artefact, list[Progress]], models: Path
) -> None:
    shutil.copytree(trained[0].folder, models / trained[0].name)
    told: list[Progress] = []
    first = run(job(), models, told.append)
    assert told == []
    (first.folder / "model.onnx").write_bytes(b"spoiled")
    assert run(job(), models, told.append) == first
    assert told
    assert set(entries(models)) == {first.name, f"damaged-{first.name}"}


def test_too_little_history_says_how_much_is_needed_and_how_much_is_there(models: Path) -> None:
    with pytest.raises(ModelBroken, match=rf"{needed()} candles .* {needed() - 1} are there"):
        run(job(needed() - 1), models, silent)
    assert entries(models) == []


def test_exactly_as_much_as_is_needed_is_enough(models: Path) -> None:
    (made,) = train_child.train(job(needed()), models, course())
    assert made.manifest["recipe"] == job(needed()).recipe()


def test_a_history_of_holes_says_what_is_left(models: Path) -> None:
    asked = job(3 * needed())
    asked.panel.there[:, ::3] = False
    with pytest.raises(ModelBroken, match="Too many candles are missing"):
        run(asked, models, silent)
    assert entries(models) == []


@pytest.mark.parametrize("library", ["torch", "onnx", "sklearn"])
def test_without_its_libraries_it_says_how_to_get_them(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in ("torch", "onnx", "sklearn", "threadpoolctl"):
        monkeypatch.setitem(sys.modules, each, sys)
    monkeypatch.setitem(sys.modules, library, None)
    package = {"sklearn": "scikit-learn"}.get(library, library)
    with pytest.raises(ModelBroken, match=rf"needs {package}.*scripts/start .*rrr\[train\]"):
        run(job(folds=2), tmp_path, silent)


def test_prices_that_never_move_are_refused(models: Path) -> None:
    still = job()
    for prices in (still.panel.open, still.panel.high, still.panel.low, still.panel.close):
        prices[...] = 10**8
    with pytest.raises(ModelBroken, match="No price ever moves"):
        run(still, models, silent)
    assert entries(models) == []


def test_a_folder_that_cannot_be_written_is_named(models: Path) -> None:
    models.write_text("a file")
    with pytest.raises(StorageFailed, match=r"models cannot be written"):
        run(job(), models, silent)


def test_too_much_memory_ends_it(models: Path) -> None:
    """However much the parent itself holds."""
    held = np.ones(400 << 20, np.uint8)
    with pytest.raises(ModelBroken, match="more than 100 MB of memory"):
        run(job(epochs=ENDLESS, memory_mb_max=100), models, silent)
    assert entries(models) == [] and held.any()


def test_too_much_time_ends_it(models: Path) -> None:
    with pytest.raises(ModelBroken, match="more than 1 s"):
        run(job(epochs=ENDLESS, seconds_max=1), models, silent)
    assert entries(models) == []


async def test_to_be_cancelled_ends_the_child(models: Path) -> None:
    children: list[int] = []
    begun = asyncio.Event()

    def told(_: Progress) -> None:
        children.extend(offspring(os.getpid()))
        begun.set()

    work = asyncio.create_task(train(job(epochs=ENDLESS), models, told))
    await begun.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert children and offspring(os.getpid()) == []
    assert entries(models) == []


async def test_to_be_told_to_stop_is_to_be_cancelled(models: Path) -> None:
    stop = asyncio.Event()
    with pytest.raises(asyncio.CancelledError):
        await train(job(epochs=ENDLESS), models, lambda _: stop.set(), stop=stop)
    assert offspring(os.getpid()) == []
    assert entries(models) == []


@pytest.mark.parametrize("failure", [ZeroDivisionError, ValueError])
async def test_who_listens_and_fails_leaves_no_child_not_even_one_that_hangs(
    failure: type[Exception], models: Path
) -> None:
    def told(_: Progress) -> None:
        for child in offspring(os.getpid()):
            os.kill(child, signal.SIGSTOP)
        raise failure

    with pytest.raises(failure):
        await train(job(epochs=ENDLESS), models, told)
    assert offspring(os.getpid()) == []
    assert entries(models) == []


def test_a_child_whose_input_ends_ends(models: Path) -> None:
    models.mkdir()
    desk = models / f".partial-{NOBODY}-job"
    desk.mkdir()
    job(epochs=ENDLESS).save(desk)
    child = subprocess.Popen(
        [sys.executable, "-m", CHILD, desk],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    assert child.wait(PATIENCE_S) == ModelBroken.exit_code


@pytest.mark.parametrize("said", ["nonsense", "x" * 100_000, '{"type":"progress"}'])
def test_a_child_that_says_what_is_no_progress_is_not_believed(
    said: str, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mumbler = tmp_path / "mumbler.py"
    mumbler.write_text(f"print({said!r}, flush=True)\nimport sys\nsys.stdin.read()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(train_child, "__name__", "mumbler")
    with pytest.raises(ModelBroken, match="what is no progress"):
        run(job(), models, silent)
    assert entries(models) == []


def test_a_child_that_is_killed_is_told_of_and_its_folders_are_swept(models: Path) -> None:
    def told(_: Progress) -> None:
        for child in offspring(os.getpid()):
            os.kill(child, signal.SIGKILL)

    with pytest.raises(ModelBroken, match="killed by SIGKILL"):
        run(job(epochs=ENDLESS), models, told)
    assert entries(models) == []


def test_a_child_that_fails_is_quoted(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rrr.neural_network.job.ABOUT", "elsewhere.json")
    with pytest.raises(
        ModelBroken, match=r"failed with code 1: FileNotFoundError.*job\.json"
    ) as told:
        run(job(), models, silent)
    assert "Traceback" in told.value.__notes__[0]
    assert entries(models) == []


@pytest.mark.slow
def test_the_child_dies_with_its_parent(models: Path, tmp_path: Path) -> None:
    job(epochs=ENDLESS).save(tmp_path)
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, tmp_path, models],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        assert "learning\n" in iter(parent.stdout.readline, "")
        (child,) = offspring(parent.pid)
        parent.kill()
    assert ends(child)
    assert all(name.startswith(".partial-") for name in entries(models))
    sweep(models)
    assert entries(models) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_moment_it_leaves_nothing_new_or_a_whole_model(
    seed: int, models: Path, trained: tuple[Artefact, list[Progress]]
) -> None:
    """The last moments, in which it writes, are seen by the folder that appears."""
    serving, dice = trained[0], Random(seed)
    models.mkdir()
    (models / serving.name).symlink_to(serving.folder)
    desk = models / f".partial-{NOBODY}-job"
    desk.mkdir()
    asked = job(seed=2 + seed)
    asked.save(desk)
    child = subprocess.Popen(
        [sys.executable, "-m", CHILD, desk],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout is not None
        for _ in range(5 if seed % 2 else dice.randint(1, 5)):
            child.stdout.readline()
        if seed % 2:
            written = dice.randint(0, 5)
            for partial in appearing(models, child):
                if len(entries(partial)) >= written:
                    break
        child.kill()
    sweep(models)
    assert {serving.name} <= set(entries(models)) <= {serving.name, asked.recipe()[:12]}
    assert all(load(models / name) for name in entries(models))
    assert load(serving.folder) == serving


def test_the_parent_never_imports_torch() -> None:
    asks = "import rrr.neural_network.training, sys; print({'torch', 'onnx'} & sys.modules.keys())"
    said = subprocess.run(
        [sys.executable, "-c", asks], env=environment(), capture_output=True, text=True, check=True
    )
    assert said.stdout == "set()\n"


def test_a_panel_without_candles_is_too_little_history(models: Path) -> None:
    nothing = world(1, 10, 3).cut(0, 0)
    assert not np.asarray(nothing.there).size
    with pytest.raises(ModelBroken, match="0 are there"):
        run(replace(job(), panel=nothing), models, silent)


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(Path(rrr.__file__).parents[1])}


def offspring(parent: int) -> list[int]:
    """The training children of a process, those that are no more left out."""
    said = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,stat=,args="],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = (line.split(maxsplit=3) for line in said.stdout.splitlines())
    return [
        int(row[0])
        for row in rows
        if int(row[1]) == parent and not row[2].startswith("Z") and CHILD in row[3]
    ]


def ends(pid: int) -> bool:
    """Wait for a process that is not ours to end."""
    if sys.platform == "darwin":
        queue = select.kqueue()
        end = select.kevent(pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
        try:
            return bool(queue.control([end], 1, PATIENCE_S))
        except ProcessLookupError:
            return True
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    return bool(select.select([watched], [], [], PATIENCE_S)[0])


def appearing(models: Path, child: "subprocess.Popen[str]") -> Iterator[Path]:
    """The folder in which the child writes, looked at again and again until it is no more."""
    while child.poll() is None:
        yield from models.glob(f".partial-{child.pid}-*")
