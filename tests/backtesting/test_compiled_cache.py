"""What was compiled is found again by the next process, and by none whose rules are others."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

import rrr
from rrr.backtesting.compiled import code_hash, is_cold, usual_folder
from rrr.backtesting.runner import run
from tests.backtesting.test_compiled import ASSUMED, LAWS, dull_no_more

pytestmark = pytest.mark.slow

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = Path(rrr.__file__).parent
RUNS: Final = """
import json, sys
from rrr.backtesting.compiled import code_hash, is_cold, loops_compiled
from tests.backtesting.test_compiled_cache import digest

cold = is_cold()
told = {"compiled": digest(True), "interpreted": digest(False), "cold": cold}
stats = loops_compiled().start.stats
told |= {"found": sum(stats.cache_hits.values()), "made": sum(stats.cache_misses.values())}
print(json.dumps(told | {"folder": stats.cache_path, "hash": code_hash()}))
"""


def digest(compiled: bool) -> str:
    of = dull_no_more(1, LAWS[0], ASSUMED[1])
    return run(of.history, of.convictions, of.book, flows=of.flows, compiled=compiled).digest


LOOKS: Final = """
import json
from rrr.backtesting.compiled import code_hash, is_cold, loops_compiled

cold = is_cold()
folder = loops_compiled().start.stats.cache_path
print(json.dumps({"cold": cold, "folder": folder, "hash": code_hash()}))
"""


def elsewhere(program: str, source: Path = PACKAGE) -> dict[str, Any]:
    """What a program says in a fresh process that has the package of this folder."""
    path = os.pathsep.join(map(str, (source.parent, ROOT)))
    said = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        check=True,
        text=True,
    )
    told: dict[str, Any] = json.loads(said.stdout)
    return told


def test_a_fresh_process_finds_what_another_compiled() -> None:
    mine = digest(True)
    found = elsewhere(RUNS)
    assert (found["found"], found["made"], found["cold"]) == (1, 0, False)
    assert found["compiled"] == found["interpreted"] == mine
    assert Path(found["folder"]).is_relative_to(usual_folder() / code_hash())
    assert not is_cold()


def test_one_changed_character_of_the_core_compiles_anew(tmp_path: Path) -> None:
    copy = shutil.copytree(PACKAGE, tmp_path / "rrr", ignore=shutil.ignore_patterns("__pycache__"))
    file = copy / "core" / "shelf.py"
    rules = file.read_text(encoding="utf-8")
    assert rules.count("price + side * worse") == 1
    file.write_text(rules.replace("price + side * worse", "price - side * worse"), "utf-8")

    found = elsewhere(LOOKS, copy)
    assert found["cold"] and found["hash"] != code_hash()
    assert Path(found["folder"]).is_relative_to(usual_folder() / found["hash"])
    shutil.rmtree(Path(found["folder"]).parent)
