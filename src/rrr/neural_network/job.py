"""What a training depends on is said before it begins, and its hash, the recipe, names the model.

Two jobs of one recipe give the same bytes on one machine: the candles, the settings, the seed, the
sources that make features, labels and models, and the libraries that reckon are all in it; no
clock, no path and no limit of time or memory is. A quick training makes one network; a full one
makes a model of each kind, siblings, each named by the training and its kind.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np

from .features import STEPS, WINDOW
from .folding import candles_needed
from .labels import HORIZON, embargo
from .panel import Panel

TORCH: Final = "2.13.0"  # as pyproject.toml pins them
SKLEARN: Final = "1.9.1"
ONNX: Final = "1.23.2"
SOURCES: Final = (
    *("panel", "features", "labels", "splits", "folding", "job", "evidence", "calibration"),
    *("conformal", "drift", "asking", "graph", "network", "trees", "challengers", "study"),
    *("unfinished", "judging", "course", "report", "bundle", "train_child"),
)
ROWS_MIN: Final = 500  # times with a label that an instrument gives, below which nothing is learned
KINDS: Final = ("ridge", "boosting", "network")  # the simplest first
FOLDS: Final = 8
NETS: Final = 3
SETTINGS: Final = (
    *("symbols", "market", "seed", "horizon", "epochs", "patience", "folds", "nets"),
)
BOUNDS: Final = ("seconds_max", "memory_mb_max")
PANEL: Final = "panel.npz"
ABOUT: Final = "job.json"


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """Candles to learn from, and how."""

    panel: Panel
    symbols: tuple[str, ...]  # canonical order, one per instrument of the panel
    market: str
    seed: int = 1
    horizon: int = HORIZON  # candles that an opinion looks ahead
    epochs: int = 8
    patience: int = 0  # epochs that are no better before it stops; 0: it does not stop
    folds: int = 0  # 0: a quick training, one network that nothing stands beside
    nets: int = 1  # that differ in their seed; their mean is the opinion
    seconds_max: int = (
        1_800  # bounds decide whether a model comes, not which: no part of the recipe
    )
    memory_mb_max: int = 2_048

    def __post_init__(self) -> None:
        assert len(self.symbols) == self.panel.instruments, "Each instrument has its symbol."
        assert min(self.horizon, self.epochs, self.nets, self.seconds_max, self.memory_mb_max) > 0
        assert min(self.patience, self.folds) >= 0

    @property
    def full(self) -> bool:
        return self.folds > 0

    @property
    def kinds(self) -> tuple[str, ...]:
        return KINDS if self.full else KINDS[-1:]

    def recipe(self) -> str:
        """Of the training."""
        about = {
            "panel": self.panel.digest(),
            "settings": self.settings(),
            "sources": sources(),
            "libraries": self.libraries(),
        }
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()

    def recipes(self) -> dict[str, str]:
        """Of each kind of model that it makes."""
        training = self.recipe()
        if not self.full:
            return dict.fromkeys(self.kinds, training)
        return {k: hashlib.sha256(f"{training}{k}".encode()).hexdigest() for k in self.kinds}

    def settings(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in SETTINGS}

    def libraries(self) -> dict[str, str]:
        """Those that reckon, and what they are reckoned with."""
        needed = {"torch": TORCH, "onnx": ONNX} | ({"scikit-learn": SKLEARN} if self.full else {})
        return {name: _version(name, pinned) for name, pinned in needed.items()} | {
            "numpy": np.__version__
        }

    def save(self, folder: Path) -> None:
        about = {name: getattr(self, name) for name in (*SETTINGS, *BOUNDS)}
        (folder / ABOUT).write_text(json.dumps(about), encoding="utf-8")
        self.panel.save(folder / PANEL)

    @classmethod
    def load(cls, folder: Path) -> "Job":
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        return cls(Panel.load(folder / PANEL), **about | {"symbols": tuple(about["symbols"])})


def needed(horizon: int = HORIZON, folds: int = 0) -> int:
    """Candles that some instrument must have.

    >>> needed(horizon=4), needed(horizon=4, folds=8)
    (702, 2026)
    """
    if folds:
        return candles_needed(horizon, folds, ROWS_MIN)
    return WINDOW + STEPS - 2 + embargo(horizon) + horizon + ROWS_MIN


@cache
def sources() -> dict[str, str]:
    """The sha256 of each file that decides what is made."""
    here = Path(__file__).parent
    return {
        name: hashlib.sha256((here / f"{name}.py").read_bytes()).hexdigest() for name in SOURCES
    }


def _version(library: str, pinned: str) -> str:
    """The installed one; where it is not installed models can still be found by the pinned one."""
    try:
        return metadata.version(library).partition("+")[0]
    except metadata.PackageNotFoundError:
        return pinned
