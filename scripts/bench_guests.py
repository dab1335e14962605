"""A peer lives in an environment of its own, at pinned versions, and is asked by files.

Environments are kept in the user's cache; one that was not made to its end is made again.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from bench_candles import Candles
from bench_figures import LAUNCH, megabytes
from bench_terms import CASH, FEE_PPM

from rrr.neural_network.panel import NUMBERS

SCRIPTS: Final = Path(__file__).resolve().parent
DONE: Final = "ready"
LAST_LINES: Final = 3

COMPILED: Final = ("numba==0.68.1", "numpy==2.4.6", "pandas==3.1.1")
PLAIN: Final = ("numpy==2.4.6", "pandas==3.1.1")
PINS: Final[Mapping[str, Sequence[str]]] = {
    "vectorbt": ("vectorbt==1.2.0", "vectorbt-rust==1.2.0", *COMPILED),
    "backtesting": ("backtesting==0.6.6", *PLAIN),
    "nautilus": ("nautilus_trader==1.221.0", "numpy==2.4.6", "pandas==2.3.3"),
    "backtrader": ("backtrader==1.9.78.123", "numpy==2.4.6"),
    "freqtrade": ("freqtrade==2026.9", *PLAIN),
    "hftbacktest": ("hftbacktest==2.4.4", "numba==0.68.1", "numpy==2.2.6", "pandas==3.1.1"),
}
# Each is a module in `peers`, and an engine where it has two.
PEERS: Final[Mapping[str, tuple[str, str]]] = {
    "vectorbt": ("vectorbt", "numba"),
    "vectorbt-rust": ("vectorbt", "rust"),
    "hftbacktest": ("hftbacktest", ""),
    "backtesting": ("backtesting", ""),
    "nautilus": ("nautilus", ""),
    "freqtrade": ("freqtrade", ""),
    "backtrader": ("backtrader", ""),
}


class Guest(NamedTuple):
    """A peer that is installed."""

    name: str
    module: str
    engine: str
    python: Path


@dataclass(frozen=True, slots=True)
class Case:
    """What is traded."""

    candles: Candles
    fast: int
    slow: int
    rounds: int = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What a peer told: a fill is time, side, price, quantity and fee."""

    version: str
    load_s: Sequence[float]
    trade_s: Sequence[float]
    fills: Sequence[tuple[int, int, float, float, float]]
    equity: float
    spread: float
    peak_mb: float


class NotInstallable(Exception):
    """This peer cannot be had on this machine, and why."""


def invited(names: Sequence[str]) -> tuple[list[Guest], dict[str, str]]:
    """Those that could be installed, and of the others what prevented it."""
    guests, absent = [], {}
    for name in names:
        module, engine = PEERS[name]
        try:
            guests.append(Guest(name, module, engine, environment(module)))
        except NotInstallable as why:
            absent[name] = str(why)
    return guests, absent


def installed(names: Sequence[str]) -> list[Guest]:
    """Those that an earlier `scripts/bench peers` left here."""
    places = {name: folder_of(PEERS[name][0]) for name in names}
    return [
        Guest(name, *PEERS[name], python_in(place))
        for name, place in places.items()
        if (place / DONE).exists()
    ]


def ask(guest: Guest, case: Case, folder: Path) -> Answer:
    """Let it trade, in a process of its own."""
    errand, answer = folder / "errand.npz", folder / "answer.json"
    write(case, errand)
    answer.unlink(missing_ok=True)
    words = [guest.python, "-W", "ignore", "-m", f"peers.{guest.module}", errand, answer]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", LAUNCH, *map(str, words), guest.engine],
        cwd=SCRIPTS,
        env=clean,
        capture_output=True,
        text=True,
    )
    if not answer.exists():
        raise SystemExit(f"bench: {guest.name} did not answer.\n{done.stderr[-2000:]}")
    told = json.loads(answer.read_text(encoding="utf-8"))
    return Answer(**told, peak_mb=megabytes(json.loads(done.stdout.splitlines()[-1])[2]))


def write(case: Case, path: Path) -> None:
    panel, candles = case.candles.panel, case.candles
    alone = panel.instruments == 1
    names = NUMBERS if alone else ("open", "close")
    columns = {name: getattr(panel, name)[0 if alone else slice(None)] for name in names}
    np.savez(
        path,
        **columns,
        opened_at_ms=panel.opened_at_ms,
        timeframe_ms=panel.timeframe_ms,
        decimals=candles.decimals,
        lots=candles.lots,
        fast=case.fast,
        slow=case.slow,
        fee_ppm=FEE_PPM,
        cash=CASH,
        rounds=case.rounds,
    )


def environment(module: str) -> Path:
    """The interpreter that has this peer; it is installed where it is not yet."""
    folder = folder_of(module)
    if not (folder / DONE).exists():
        shutil.rmtree(folder, ignore_errors=True)
        print(f"bench: installing {' '.join(PINS[module])}", file=sys.stderr)
        for step in steps(folder, PINS[module]):
            done = subprocess.run(step, capture_output=True, text=True)
            if done.returncode != 0:
                last = [line for line in done.stderr.splitlines() if line.strip()][-LAST_LINES:]
                raise NotInstallable(" ".join(last))
        (folder / DONE).touch()
    return python_in(folder)


def steps(folder: Path, pins: Sequence[str]) -> Sequence[Sequence[str | Path]]:
    """By uv where there is one, or else by pip, which takes minutes."""
    python = python_in(folder)
    here = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    if uv := shutil.which("uv", path=here):
        return (
            (uv, "venv", "--quiet", "--python", sys.executable, folder),
            (uv, "pip", "install", "--quiet", "--python", python, *pins),
        )
    return (
        (sys.executable, "-m", "venv", folder),
        (python, "-m", "pip", "install", "--quiet", *pins),
    )


def folder_of(module: str) -> Path:
    """Other pins, or another Python, are another environment."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rrr" / "peers"
    made_of = f"{sys.version} {PINS[module]}"
    return cache / f"{module}-{sha256(made_of.encode()).hexdigest()[:8]}"


def python_in(folder: Path) -> Path:
    return folder / "bin" / "python"
