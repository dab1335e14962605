"""What was finished is not made again: a piece of a training is whole or not there."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from rrr.core.errors import StorageFailed
from rrr.neural_network.unfinished import DAYS, Tensors, Unfinished, sweep

RECIPE = "ab" * 32
PIECE = {"means": np.arange(6, dtype=np.float32).reshape(2, 3), "figures": np.array([0.5, np.nan])}


def made() -> Tensors:
    return PIECE


def never() -> Tensors:
    raise AssertionError("It was made before.")


def kept(models: Path) -> Unfinished:
    return Unfinished(models, RECIPE, True)


def same(one: Tensors, other: Tensors) -> bool:
    return {n: t.tobytes() for n, t in one.items()} == {n: t.tobytes() for n, t in other.items()}


def test_what_was_kept_comes_back_with_its_bytes(tmp_path: Path) -> None:
    assert not kept(tmp_path).has("fold1-ridge")
    assert same(kept(tmp_path).piece("fold1-ridge", made), PIECE)
    assert kept(tmp_path).has("fold1-ridge")
    assert same(kept(tmp_path).piece("fold1-ridge", never), PIECE)


def test_one_piece_is_not_taken_for_another_whose_name_begins_alike(tmp_path: Path) -> None:
    kept(tmp_path).piece("fold1-ridge-twin", made)
    assert not kept(tmp_path).has("fold1-ridge")
    assert not kept(tmp_path).has("fold1")


def test_a_flipped_byte_is_made_anew(tmp_path: Path) -> None:
    kept(tmp_path).piece("final-network", made)
    (path,) = (tmp_path / f".unfinished-{RECIPE[:12]}").iterdir()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert not kept(tmp_path).has("final-network")
    assert same(kept(tmp_path).piece("final-network", made), PIECE)


def test_a_quick_training_keeps_nothing(tmp_path: Path) -> None:
    quick = Unfinished(tmp_path, RECIPE, False)
    assert same(quick.piece("final-network", made), PIECE)
    quick.clear()
    assert list(tmp_path.iterdir()) == []


def test_once_done_nothing_is_left(tmp_path: Path) -> None:
    kept(tmp_path).piece("final-network", made)
    kept(tmp_path).clear()
    assert list(tmp_path.iterdir()) == []


def test_who_ends_the_same_training_first_takes_nothing_from_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda file: kept(tmp_path).clear())
    assert same(kept(tmp_path).piece("final-network", made), PIECE)
    monkeypatch.undo()
    kept(tmp_path).piece("final-network", made)
    gone = tmp_path / f".unfinished-{RECIPE[:12]}" / "final-network-gone.safetensors"
    monkeypatch.setattr(Path, "glob", lambda folder, pattern: iter([gone]))
    assert not kept(tmp_path).has("final-network")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / f".unfinished-{RECIPE[:12]}").write_text("a file")
    with pytest.raises(StorageFailed, match=r"unfinished-abab.* cannot be written"):
        kept(tmp_path).piece("final-network", made)


def test_only_other_trainings_that_nobody_touched_for_days_are_swept(tmp_path: Path) -> None:
    long_ago = time.time() - DAYS * 86_400 - 60
    for name, at in ((RECIPE, long_ago), ("cd" * 32, long_ago), ("ef" * 32, time.time())):
        folder = tmp_path / f".unfinished-{name[:12]}"
        folder.mkdir()
        os.utime(folder, (at, at))
    sweep(tmp_path, RECIPE, desk=tmp_path)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [f".unfinished-{RECIPE[:12]}", ".unfinished-efefefefefef"]
