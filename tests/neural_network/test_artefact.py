"""A model is a folder that is whole or not there, and every byte is the one that was trained."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import pytest

from rrr.core.errors import HomeUnusable, ModelBroken
from rrr.neural_network.artefact import (
    FILE_BYTES_MAX,
    FILES_MAX,
    MANIFEST,
    MANIFEST_BYTES_MAX,
    NEEDED,
    NETWORK,
    SEAL,
    Artefact,
    clear,
    find,
    foreign,
    load,
    set_aside,
    sweep,
    write,
)
from rrr.neural_network.features import FEATURES, FEATURES_VERSION, STEPS, WINDOW
from tests.neural_network.markets import known, manifest, scope, trained

RECIPE = "0123456789ab" + "c" * 52
FILES = {NETWORK: b"a network", "report.txt": b"unproven", "metrics.json": b"{}", **known()}

NEEDED_FILES = dict.fromkeys(NEEDED, "x")

WRITER = """
import sys
from pathlib import Path
from rrr.neural_network.artefact import write
print("begun", flush=True)
while True:
    for n in range(9):
        recipe = f"{n:012x}" + "0" * 52
        files = {"model.onnx": bytes(2_000_000), "report.txt": b"unproven"} | KNOWN
        write(Path(sys.argv[1]), recipe[:12], files, MANIFEST | {"recipe": recipe})
"""


def made(models: Path, **changes: Any) -> Artefact:
    return write(models, RECIPE[:12], FILES, manifest(RECIPE, **changes))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def forged(folder: Path, content: bytes) -> None:
    """A manifest that no training wrote, and its seal."""
    (folder / MANIFEST).write_bytes(content)
    (folder / SEAL).write_text(f"{sha256(content).hexdigest()}  {MANIFEST}\n")


def said(folder: Path, **changes: Any) -> bytes:
    return json.dumps(json.loads((folder / MANIFEST).read_bytes()) | changes).encode()


def test_what_was_written_is_read(tmp_path: Path) -> None:
    artefact = made(tmp_path)
    assert artefact == load(tmp_path / RECIPE[:12]) == find(tmp_path, RECIPE)
    assert (artefact.name, artefact.network) == (RECIPE[:12], b"a network")
    assert (artefact.scope, artefact.bps_per_unit) == (scope(), manifest()["bps_per_unit"])
    assert names(artefact.folder) == sorted([*FILES, MANIFEST, SEAL])
    assert names(tmp_path) == [RECIPE[:12]]


def test_the_manifest_hashes_each_file_and_knows_the_features(tmp_path: Path) -> None:
    told = made(tmp_path).manifest
    assert told["files"] == {name: sha256(held).hexdigest() for name, held in FILES.items()}
    assert (told["features"], told["features_version"]) == (list(FEATURES), FEATURES_VERSION)
    assert (told["window"], told["steps"], told["proven"]) == (WINDOW, STEPS, False)


def test_the_same_training_has_the_same_bytes_and_id_wherever_and_whenever(tmp_path: Path) -> None:
    one, other = made(tmp_path / "a"), made(tmp_path / "b")
    os.utime(other.folder / MANIFEST, (0, 0))
    assert (
        one.id == other.id == int(sha256((one.folder / MANIFEST).read_bytes()).hexdigest()[:12], 16)
    )
    assert one.id == load(other.folder).id
    assert made(tmp_path / "c", seed=2).id != one.id


def test_a_whole_model_stays_as_it_is_when_its_recipe_is_made_again(tmp_path: Path) -> None:
    first = made(tmp_path)
    again = write(tmp_path, RECIPE[:12], FILES | {NETWORK: b"other"}, manifest(RECIPE))
    assert again == first
    assert names(tmp_path) == [RECIPE[:12]]


def test_a_damaged_model_gives_its_place_to_a_new_one(tmp_path: Path) -> None:
    folder = made(tmp_path).folder
    (folder / NETWORK).write_bytes(b"a netwerk")
    assert made(tmp_path).network == b"a network"
    assert (tmp_path / f"damaged-{folder.name}" / NETWORK).read_bytes() == b"a netwerk"


@pytest.mark.parametrize("name", [*FILES, MANIFEST, SEAL])
def test_no_byte_of_any_file_can_change_unseen(tmp_path: Path, name: str) -> None:
    artefact = made(tmp_path)
    path, dice = artefact.folder / name, Random(name)
    whole = path.read_bytes()
    for content in (whole[:-1], whole + b"\n", b"", *(flipped(whole, dice) for _ in range(20))):
        path.write_bytes(content)
        with pytest.raises(ModelBroken, match="`rrr train` makes a new one") as caught:
            load(artefact.folder)
        named = MANIFEST if name == SEAL else name
        assert caught.value.what.startswith(f"{named} of the model in {artefact.folder} is not")
        assert caught.value.exit_code == 79
    path.write_bytes(whole)
    assert load(artefact.folder) == artefact


def test_the_seal_is_what_sha256sum_checks_and_who_the_model_is(tmp_path: Path) -> None:
    artefact = made(tmp_path)
    hashed, name = (artefact.folder / SEAL).read_text().split()
    assert sha256((artefact.folder / name).read_bytes()).hexdigest() == hashed
    assert artefact.id == int(hashed[:12], 16)


def flipped(content: bytes, dice: Random) -> bytes:
    at = dice.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << dice.randrange(8)]) + content[at + 1 :]


@pytest.mark.parametrize("name", [*FILES, MANIFEST, SEAL])
def test_what_is_no_plain_file_is_refused(tmp_path: Path, name: str) -> None:
    path = made(tmp_path).folder / name
    held = path.read_bytes()
    path.unlink()
    with pytest.raises(ModelBroken, match=f"{name} .* is missing"):
        load(path.parent)
    (tmp_path / "elsewhere").write_bytes(held)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelBroken, match="no plain file"):
        load(path.parent)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ModelBroken, match="no plain file"):
        load(path.parent)
    path.unlink()
    with path.open("wb") as file:
        file.truncate((FILE_BYTES_MAX if name in FILES else MANIFEST_BYTES_MAX) + 1)
    with pytest.raises(ModelBroken, match="has more than"):
        load(path.parent)


@pytest.mark.parametrize(
    "changes",
    [
        {"files": {}},
        {"files": NEEDED_FILES | {"../../secret.txt": "x"}},
        {"files": NEEDED_FILES | {"/etc/passwd": "x"}},
        {"files": NEEDED_FILES | {MANIFEST: "x"}},
        {"files": NEEDED_FILES | {SEAL: "x"}},
        {"files": NEEDED_FILES | {".hidden": "x"}},
        {"files": NEEDED_FILES | {"two\n.txt": "x"}},
        {"files": NEEDED_FILES | {"a.txt\n": "x"}},
        {"files": NEEDED_FILES | {f"f{n}.txt": "x" for n in range(FILES_MAX)}},
        {"files": [NETWORK]},
        {"bps_per_unit": -1},
        {"bps_per_unit": 1e300},
        {"bps_per_unit": float("nan")},
        {"bps_per_unit": "1"},
        {"symbols": "BTC-USD"},
        {"data": None},
        {"format": 1},
        {"kind": "oracle"},
        {"training": "../../../../x" + "b" * 51},
        {"training": "b" * 64 + "\n"},
        {"metrics": {"ic": "high"}},
        {"made_with": ["torch"]},
        {"folds": [{"begins_ms": "long ago"}]},
        {"horizon": 0},
        {"calibration": None},
        {"calibration": {"slope": -1.0, "intercept": 0.0}},
        {"calibration": {"slope": 1.0, "intercept": 31.0}},
        {"steps": STEPS + 1},
        {"features": list(FEATURES[::-1])},
    ],
)
def test_a_manifest_that_no_training_writes_is_refused(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    folder = made(tmp_path).folder
    forged(folder, said(folder, **changes))
    with pytest.raises(ModelBroken, match=MANIFEST):
        load(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"format":"\xff"}',
        b'{"format":' + b"9" * 5000 + b"}",
        b'{"format":' + b"[" * 200_000,
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: bytes) -> None:
    folder = made(tmp_path).folder
    forged(folder, content)
    with pytest.raises(ModelBroken, match="cannot be read"):
        load(folder)


def test_a_network_that_keeps_weights_outside_itself_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="networks are made with onnx: rrr[train]")
    tensor = onnx.TensorProto(name="W", data_type=onnx.TensorProto.FLOAT, dims=[1])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    outside = onnx.helper.make_model(onnx.helper.make_graph([], "g", [], [], [tensor]))
    with pytest.raises(ModelBroken, match="outside itself"):
        trained(tmp_path, outside.SerializeToString())


def test_a_recipe_that_only_begins_like_another_is_not_it(tmp_path: Path) -> None:
    made(tmp_path)
    assert find(tmp_path, RECIPE[:12] + "d" * 52) is None
    assert find(tmp_path, "f" * 64) is None


def test_a_model_of_another_version_is_left_in_peace(tmp_path: Path) -> None:
    folder = made(tmp_path).folder
    forged(folder, said(folder, features_version=FEATURES_VERSION + 1))
    with pytest.raises(ModelBroken, match="other features"):
        load(folder)
    old = {"format": 1, "files": {}, "market": "simulated", "features": ["return_1"]}
    forged(trained(tmp_path, b"another").folder, json.dumps(old).encode())
    assert clear(tmp_path) == []
    assert all(foreign(path) for path in tmp_path.iterdir())


def test_damaged_models_are_set_aside_with_a_word_and_whole_ones_stay(tmp_path: Path) -> None:
    whole, damaged = made(tmp_path), trained(tmp_path, b"another")
    (damaged.folder / NETWORK).write_bytes(b"anither")
    (told,) = clear(tmp_path)
    assert NETWORK in told.what
    assert f"damaged-{damaged.name}" in told.advice
    assert find(tmp_path, RECIPE) == whole
    assert clear(tmp_path) == []


def test_of_a_damaged_model_only_the_last_is_kept(tmp_path: Path) -> None:
    for content in (b"first", b"last"):
        (made(tmp_path).folder / NETWORK).write_bytes(content)
        aside = set_aside(tmp_path / RECIPE[:12])
    assert names(tmp_path) == [aside.name]
    assert (aside / NETWORK).read_bytes() == b"last"


def test_what_the_dead_left_unfinished_is_swept_and_what_the_living_do_is_not(
    tmp_path: Path,
) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for pid in (dead.pid, os.getpid(), "nobody"):
        (tmp_path / f".partial-{pid}-{RECIPE[:12]}").mkdir()
    whole = made(tmp_path / "models").folder
    sweep(tmp_path)
    sweep(tmp_path / "models")
    assert [path.name for path in tmp_path.glob(".partial-*")] == [
        f".partial-{os.getpid()}-{RECIPE[:12]}"
    ]
    assert whole.is_dir()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("no folder")
    with pytest.raises(HomeUnusable, match="models cannot be written"):
        made(tmp_path / "models")


@pytest.mark.parametrize("moment", [1, 20, 50, 100, 200])
def test_a_writer_killed_at_any_moment_leaves_whole_models_only(
    tmp_path: Path, moment: int
) -> None:
    text = f"MANIFEST = {manifest()!r}\nKNOWN = {known()!r}\n{WRITER}"
    writer = subprocess.Popen(
        [sys.executable, "-c", text, str(tmp_path)], stdout=subprocess.PIPE, env=os.environ
    )
    with writer:
        assert writer.stdout
        try:
            assert writer.stdout.readline() == b"begun\n"
            seen = 0
            while seen < moment:
                with suppress(FileNotFoundError):  # it is renamed while we look
                    seen += any(tmp_path.glob(".partial-*/*"))
        finally:
            writer.send_signal(signal.SIGKILL)
    sweep(tmp_path)
    assert all(load(folder).network == bytes(2_000_000) for folder in tmp_path.iterdir())
