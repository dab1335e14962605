"""Imports only go down, and the core decides with integers alone."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.source import PACKAGE, ROOT, Module, core, imports, mutant, references

# (where, what it imports): each goes up, to a neighbour, or out of the pure core.
FORBIDDEN_IMPORTS = [
    ("rrr.core", "rrr.config"),
    ("rrr.core", "rrr.database"),
    ("rrr.core", "time"),
    ("rrr.core", "numpy"),
    ("rrr.database", "rrr.config"),
    ("rrr.config", "rrr.monitoring"),
    ("rrr.data_pipeline", "rrr.neural_network"),
    ("rrr.trading.engine", "rrr.data_pipeline"),
    ("rrr.monitoring", "rrr.main"),
    ("rrr.backtesting", "rrr.api"),
]

# Unordered, unseeded or unequal between two runs or machines, or simply not an integer.
BANNED_IN_CORE = {
    *("float", "complex", "set", "frozenset", "hash", "id", "open", "print", "input"),
    *("eval", "exec", "globals", "__import__"),
}

IMPURE = [
    "half = 0.5",
    "def half(price: int) -> int: return price / 2",
    "price = 100\nprice /= 2",
    "tenth = 10 ** -1",
    "def value(text: str) -> float: ...",
    "price = float('1')",
    "key = hash(('BTC', 1))",
    "seen = set()",
    "for coin in {'BTC', 'ETH'}: pass",
    "coins = [coin for coin in {letter for letter in 'ab'}]",
    "import uuid",
    "from datetime import datetime",
    "from math import floor",
    "import random as r",
    "from ..database import client",
    "from ... import numpy",
    "async def decide() -> None: ...",
    "counter = 0\ndef count() -> None:\n    global counter",
]

PURE = [
    "def half(price: int) -> int: return price // 2",
    "ONE = 10 ** 8",
    "def known(coin: str) -> bool: return coin in {'BTC', 'ETH'}",
    "from typing import NamedTuple",
    "from enum import IntEnum",
    "from . import ledger",
    "from .market import Candle",
    "from rrr.core.market import Candle",
]


def test_every_import_goes_down_and_never_to_a_neighbour() -> None:
    answer = lint_imports(ROOT)
    assert answer.returncode == 0, answer.stdout


def test_each_forbidden_import_is_refused_by_name(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "src" / "rrr", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for place, target in FORBIDDEN_IMPORTS:
        folder = tmp_path / "src" / Path(*place.split("."))
        (folder / f"mutant_{target.replace('.', '_')}.py").write_text(f"import {target}\n")

    answer = lint_imports(tmp_path)

    assert answer.returncode == 1, answer.stdout
    said = " ".join(answer.stdout.split())
    for place, target in FORBIDDEN_IMPORTS:
        importer = f"{place}.mutant_{target.replace('.', '_')}"
        assert f"{importer} -> {target} " in said, f"{importer} got through:\n{answer.stdout}"


@pytest.mark.parametrize("module", core(), ids=lambda module: module.name)
def test_the_core_is_pure(module: Module) -> None:
    assert list(impurities(module)) == []


@pytest.mark.parametrize("text", IMPURE)
def test_what_is_impure_is_seen(text: str) -> None:
    assert list(impurities(mutant(text)))


@pytest.mark.parametrize("text", PURE)
def test_what_is_pure_is_let_through(text: str) -> None:
    assert list(impurities(mutant(text))) == []


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """The linter of this environment, on the package in that folder and no other."""
    command = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [command, "--no-cache", "--no-logo"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "src"), "COLUMNS": "500"},
        capture_output=True,
        text=True,
        check=False,
    )


def impurities(module: Module) -> Iterator[str]:
    for line, name in imports(module):
        if not name.startswith(("typing.", "enum.", "rrr.core.")):
            yield f"{line}: imports {name}"
    for line, name in references(module):
        if name in BANNED_IN_CORE:
            yield f"{line}: uses {name}"

    tested = {
        id(node.comparators[0])
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn)
    }
    for node in ast.walk(module.tree):
        match node:
            case ast.Constant(value=float() | complex()):
                yield f"{node.lineno}: a number that is no integer"
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                yield f"{node.lineno}: a true division"
            case ast.BinOp(op=ast.Pow(), right=ast.UnaryOp(op=ast.USub())):
                yield f"{node.lineno}: a negative power"
            case ast.Set() | ast.SetComp() if id(node) not in tested:
                yield f"{node.lineno}: a set has no order"
            case ast.Global() | ast.AsyncFunctionDef() | ast.Await() | ast.Yield():
                yield f"{node.lineno}: state of its own"
