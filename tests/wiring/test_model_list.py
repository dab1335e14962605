"""Whatever lies among the models, a person sees each of them, and what to do about it."""

import json
from hashlib import sha256
from pathlib import Path

from rrr.config import Home
from rrr.neural_network import registry
from rrr.neural_network.artefact import MANIFEST, SEAL
from rrr.wiring import model_list, promoting
from tests.neural_network.markets import trained


def table(home: Home) -> dict[str, list[str]]:
    """The rows of the models, in columns."""
    lines = model_list.in_words(model_list.listed(home)).splitlines()
    return {line.split()[0]: line.split("  ") for line in lines[1:] if "  " in line}


def test_a_model_of_any_kind_is_a_row(tmp_path: Path) -> None:
    home, models = Home.at(tmp_path), tmp_path / "data" / "models"
    whole, damaged, old, judged = (trained(models, content) for content in (b"1", b"2", b"3", b"4"))
    registry.promote(models, damaged.name, 1, "a person's word")
    (damaged.folder / "model.onnx").write_bytes(b"another")
    content = json.dumps({"format": 1, "files": {}}).encode()
    (old.folder / MANIFEST).write_bytes(content)
    (old.folder / SEAL).write_text(f"{sha256(content).hexdigest()}  {MANIFEST}\n")
    registry.judged(models, judged.name, b'{"passed": true}', "", "")
    (models / "verdicts" / f"{judged.name}.json").write_bytes(b'{"passed": True}')

    said = {name: " ".join(row) for name, row in table(home).items()}
    assert "candidate" in said[whole.name]
    assert "champion, damaged" in said[damaged.name]
    assert "another version" in said[old.name]
    assert "damaged" in said[judged.name]
    shown = model_list.one_in_words(model_list.of_one(home, judged.name[:8]))
    assert f"`rrr models gate {judged.name}` judges it anew" in shown
    promoting.retire(home, damaged.name, "")
    assert registry.standing(models, damaged.name).state == "retired"


def test_what_a_foreign_model_says_steers_no_terminal(tmp_path: Path) -> None:
    files = {"report.txt": b"one\n\x1b[2Jtwo"}
    made = trained(tmp_path / "data" / "models", b"a network", files)
    shown = model_list.one_in_words(model_list.of_one(Home.at(tmp_path), made.name))
    assert "\x1b" not in shown
    assert "one\n" in shown
