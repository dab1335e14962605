"""A model's word weighs what it showed on candles it never learned from, less the error of that.

The IC is the correlation of opinions with labels. Labels of neighbouring times share candles, and
instruments move together: n rows say as much as n / (horizon · crowd) independent ones, and the
error of the IC is one over the root of that.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rrr.core.market import BPS

from .labels import F64

FULL_IC: Final = 0.05  # beyond its error: good for hourly candles, and worth full conviction
STILL: Final = 1e-6  # units of the label: a network that never says more has said nothing
LOUD: Final = 0.9  # the share of opinions that stay below full conviction


@dataclass(frozen=True, slots=True)
class Evidence:
    rows: int
    rows_effective: float
    ic: float
    ic_error: float
    weight_ratio: float  # of full conviction that it earned
    bps_per_unit: float


def judge(opinions: F64, labels: F64, horizon: int) -> Evidence:
    """Both (instruments, times), NaN where there is no label."""
    known = ~np.isnan(labels)
    rows = int(known.sum())
    effective = rows / (horizon * _crowd(labels, known))
    ic, error = correlation(opinions, labels), float(1 / np.sqrt(max(effective, 1)))
    weight = float(np.clip((ic - error) / FULL_IC, 0, 1))
    loud = max(float(np.quantile(np.abs(opinions[known]), LOUD)), STILL)
    return Evidence(rows, effective, ic, error, weight, weight * BPS / loud)


def correlation(opinions: F64, labels: F64) -> float:
    """Over the known labels; nothing where opinions or labels never move.

    >>> correlation(np.array([1.0, 2.0, 3.0, 7.0]), np.array([2.0, 4.0, 6.0, np.nan]))
    1.0
    >>> correlation(np.array([1.0, 1.0]), np.array([2.0, 4.0]))
    0.0
    """
    known = ~np.isnan(labels)
    a, b = opinions[known], labels[known]
    if len(a) < 2 or min(a.std(), b.std()) < STILL:
        return 0.0
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def _crowd(labels: F64, known: NDArray[np.bool_]) -> float:
    """How many instruments move as one: 1 when none does, all of them when all do."""
    many = len(labels)
    if many < 2:
        return 1.0
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    filled = np.where(known, labels, 0.0)
    apart = np.where(known, filled - filled.sum(axis=1, keepdims=True) / count, 0.0)
    spread = np.sqrt(np.maximum((apart**2).sum(axis=1), 1e-12))
    alike = (apart @ apart.T) / np.outer(spread, spread)
    return max(1.0, 1 + (float(alike.sum()) - float(np.trace(alike))) / many)
