"""What a training depends on is said before it begins, and its hash, the recipe, names the model.

Two jobs of one recipe give the same bytes on one machine: the candles, the settings, the seed, the
sources that make features, labels and network, and the libraries that reckon are all in it; no
clock, no path and no limit of time or memory is.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

import numpy as np

from .features import STEPS, WINDOW
from .labels import HORIZON, embargo
from .panel import Panel

TORCH: Final = "2.13.0"  # the one that pyproject.toml pins
SOURCES: Final = (
    *("panel", "features", "labels", "job", "network", "graph", "evidence", "report"),
    "train_child",
)
ROWS_MIN: Final = 500  # times with a label that an instrument gives, below which nothing is learned
SETTINGS: Final = ("symbols", "market", "seed", "horizon", "epochs")
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
    seconds_max: int = (
        1_800  # bounds decide whether a model comes, not which: no part of the recipe
    )
    memory_mb_max: int = 2_048

    def __post_init__(self) -> None:
        assert len(self.symbols) == self.panel.instruments, "Each instrument has its symbol."
        assert min(self.horizon, self.epochs, self.seconds_max, self.memory_mb_max) > 0

    def recipe(self) -> str:
        about = {
            "panel": self.panel.digest(),
            "settings": {name: getattr(self, name) for name in SETTINGS},
            "sources": _sources(),
            "torch": _version("torch", TORCH),
            "numpy": np.__version__,
        }
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()

    def save(self, folder: Path) -> None:
        about = {name: getattr(self, name) for name in (*SETTINGS, *BOUNDS)}
        (folder / ABOUT).write_text(json.dumps(about), encoding="utf-8")
        self.panel.save(folder / PANEL)

    @classmethod
    def load(cls, folder: Path) -> "Job":
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        return cls(Panel.load(folder / PANEL), **about | {"symbols": tuple(about["symbols"])})


def needed(horizon: int = HORIZON) -> int:
    """Candles that some instrument must have.

    >>> needed(horizon=4)
    702
    """
    return WINDOW + STEPS - 2 + embargo(horizon) + horizon + ROWS_MIN


@cache
def _sources() -> dict[str, str]:
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
