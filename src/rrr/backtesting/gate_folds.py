"""What a full training said of candles that it never learned from is read once, and must fit them.

`folds.safetensors` holds the means of all tests of the walk-forward, (instruments, times of the
panel), NaN where none is; the manifest says of each fold how its forecasts became probabilities and
basis points, fitted before its test. Opinions leave: what the account's own word makes of them.
"""

import hashlib
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rrr.backtesting.growth import F64
from rrr.core.errors import ModelBroken
from rrr.neural_network import word
from rrr.neural_network.abstaining import Terms
from rrr.neural_network.artefact import Artefact
from rrr.neural_network.calibration import Calibration, Platt, judge, probabilities
from rrr.neural_network.features import WINDOW, unit_returns
from rrr.neural_network.labels import labels
from rrr.neural_network.panel import I64, Panel
from rrr.neural_network.strategies.strategy import SILENT

FILE: Final = "folds.safetensors"
FULL: Final = "`rrr train` without --quick makes models that can be judged."


@dataclass(frozen=True, slots=True, eq=False)
class Folds:
    means: F64  # (instruments, times), NaN outside all tests
    fold: NDArray[np.int8]  # (times,); -1 outside
    platts: tuple[Platt, ...]
    bps_per_unit: tuple[float, ...]
    horizon: int

    @property
    def begins(self) -> int:
        """The first time of a test."""
        return int(np.flatnonzero(self.fold >= 0)[0])

    @property
    def ends(self) -> int:
        return int(np.flatnonzero(self.fold >= 0)[-1]) + 1

    def cut(self) -> "Folds":
        """Up to the end of the last test."""
        return replace(self, means=self.means[:, : self.ends], fold=self.fold[: self.ends])


def folds_of(artefact: Artefact, panel: Panel) -> Folds:
    """Raise ModelBroken where there are none, or they are not of these candles."""
    manifest = artefact.manifest
    if not manifest.get("full") or FILE not in manifest["files"]:
        raise ModelBroken(
            f"{artefact.name} was made by a quick training: nothing judged it out of sample.",
            FULL,
        )
    content = (artefact.folder / FILE).read_bytes()
    if hashlib.sha256(content).hexdigest() != manifest["files"][FILE]:
        raise _broken(artefact, "is not what was trained")
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        held = load(content)
        means, fold = held["means"].astype(np.float64), held["fold"].astype(np.int8)
        said = [_said(one) for one in manifest["folds"]]
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise _broken(artefact, f"cannot be read: {error}") from error
    if means.shape != panel.there.shape or fold.shape != (panel.times,):
        raise _broken(artefact, f"has {means.shape}, and the candles are {panel.there.shape}")
    if not said or fold.max(initial=-1) != len(said) - 1 or np.isfinite(means[:, fold < 0]).any():
        raise _broken(artefact, f"does not hold the {len(said)} folds of its manifest")
    platts, scales = zip(*said, strict=True)
    return Folds(means, fold, platts, scales, int(manifest["horizon"]))


def opinions(folds: Folds, panel: Panel, asks: Terms) -> I64:
    """(instruments, times) of basis points; SILENT outside all tests and where nothing is known."""
    units = np.full(panel.there.shape, np.nan)
    units[:, WINDOW - 1 :] = unit_returns(panel, folds.horizon)
    said: I64 = word.convictions(
        folds.means, chances(folds), units, asks.cost_return, _scales(folds), asks.limits
    )
    return np.where(panel.there & (folds.fold >= 0), said, SILENT)


def chances(folds: Folds) -> F64:
    """(instruments, times): the probability of a rise that each fold's own calibration says."""
    said = np.full(folds.means.shape, np.nan)
    for number, platt in enumerate(folds.platts):
        mine = folds.fold == number
        said[:, mine] = probabilities(platt, folds.means[:, mine])
    return said


def calibrated(folds: Folds, panel: Panel, shared: float = 1.0) -> Calibration | str:
    """What these probabilities were worth, out of sample."""
    return judge(chances(folds), labels(panel, folds.horizon), shared)


def _scales(folds: Folds) -> F64:
    """(times,)"""
    return np.where(folds.fold >= 0, np.array(folds.bps_per_unit)[folds.fold], 0.0)


def _said(one: dict[str, Any]) -> tuple[Platt, float]:
    return Platt(float(one["slope"]), float(one["intercept"])), float(one["bps_per_unit"])


def _broken(artefact: Artefact, how: str) -> ModelBroken:
    return ModelBroken(f"{FILE} of the model in {artefact.folder} {how}.", FULL)
