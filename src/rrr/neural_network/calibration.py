"""A probability is what came true as often as it was said, on candles nobody learned from.

Platt's scaling (1999) makes one of an opinion: p = 1 ÷ (1 + e^−(slope · opinion + intercept)), with
his smoothed targets, fitted to the signs of labels by Newton's method with halved steps (Lin, Lin
and Weng, "A note on Platt's probabilistic outputs", 2007). How the market drifted meanwhile is no
skill: the intercept is kept only where it is asked for, and no opinion is a half. An opinion that
was right when turned around has shown nothing: its slope is 0. A row counts where opinion and label
are finite and the label is not 0. What cannot be told is the sentence that says why.
"""

from math import exp, log, sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .evidence import STILL
from .labels import F64

ROWS_MIN: Final = 30
BINS: Final = 10
LOGIT_MAX: Final = 30.0
NEWTON_MAX: Final = 25
HALVINGS_MAX: Final = 40
FLAT: Final = 1e-12  # a gradient for each row, beyond which floats tell nothing


class Platt(NamedTuple):
    slope: float  # of the logit over the opinion, never negative
    intercept: float


class Calibration(NamedTuple):
    """What probabilities were worth."""

    rows: int
    ece: float  # mean |said − came true| of ten bins of equal mass
    ece_noise: float  # what a perfect one would show of as many rows
    brier_skill: float  # 1 − Brier ÷ that of whoever always says these rows' own share of rises
    slope: (
        float | None
    )  # of outcomes over the logit of p: 1 is right, below is too loud (Cox, 1958)
    slope_error: float | None  # none where every probability is the same


def fit(opinions: F64, labels: F64, *, level: bool = False) -> Platt | str:
    """With its intercept where the `level` is asked for."""
    said, rose = _known(opinions, labels)
    if why := _untold(rose):
        return why
    if said.std() < STILL:
        return "every opinion is the same"
    line = _line(said, rose)
    intercept = line.intercept if line.slope > 0 else _logit(float(_targets(rose).mean()))
    return Platt(max(line.slope, 0.0), intercept if level else 0.0)


def probabilities(platt: Platt, opinions: F64) -> F64:
    """Of a rise; NaN of an opinion that is not finite. The same bits wherever it stands.

    >>> probabilities(Platt(2.0, 0.0), np.array([0.0, 0.1, np.nan])).round(4)
    array([0.5   , 0.5498,    nan])
    """
    said = np.where(np.isfinite(opinions), opinions, np.nan)
    logits = np.clip(platt.slope * said + platt.intercept, -LOGIT_MAX, LOGIT_MAX)
    # One element at a time: how arrays are cut for a processor's vectors may change a last bit.
    powers = np.fromiter(map(exp, (-logits).ravel().tolist()), np.float64, logits.size)
    p: F64 = 1 / (1 + powers.reshape(logits.shape))
    return p


def judge(probabilities: F64, labels: F64, shared: float = 1.0) -> Calibration | str:
    """`shared` rows say as much as one independent (`Evidence.rows` ÷ `rows_effective`)."""
    p, rose = _known(probabilities, labels)
    if why := _untold(rose):
        return why
    assert 0 <= p.min() <= p.max() <= 1, "These are probabilities."
    place = np.searchsorted(np.sort(p), p) * BINS // len(p)
    apart = np.bincount(place, p - rose, BINS)
    spread = np.sqrt(np.bincount(place, p * (1 - p), BINS) * shared)
    often = rose.mean()
    logits = np.log(p.clip(1e-12, 1 - 1e-12)) - np.log((1 - p).clip(1e-12, 1 - 1e-12))
    line = _line(logits, rose) if logits.std() > STILL else None
    return Calibration(
        len(p),
        float(np.abs(apart).sum() / len(p)),
        float(spread.sum() / len(p)) * sqrt(2 / np.pi),
        float(1 - ((p - rose) ** 2).mean() / (often * (1 - often))),
        line and line.slope,
        line and line.slope_error * sqrt(shared),
    )


class _Line(NamedTuple):
    slope: float
    intercept: float
    slope_error: float


def _known(said: F64, labels: F64) -> tuple[F64, F64]:
    """What was said, and 1 where the label rose, else 0."""
    known: NDArray[np.bool_] = np.isfinite(said) & np.isfinite(labels) & (labels != 0)
    return said[known].astype(np.float64), (labels[known] > 0).astype(np.float64)


def _untold(rose: F64) -> str:
    if len(rose) < ROWS_MIN:
        return f"{len(rose)} outcomes are known, {ROWS_MIN} are needed"
    return "every outcome has the same sign" if rose.min() == rose.max() else ""


def _line(x: F64, rose: F64) -> _Line:
    """The likeliest line of the logit over x."""
    mean, spread, target = x.mean(), x.std(), _targets(rose)
    z = (x - mean) / spread
    slope, level = 0.0, _logit(float(target.mean()))
    loss = _loss(slope * z + level, target)
    for _ in range(NEWTON_MAX):
        miss = _logistic(slope * z + level) - target
        down = (miss * z).sum(), miss.sum()
        if max(map(abs, down)) <= FLAT * len(z):
            break
        (steep, mixed, wide), whole = _curvature(z, slope, level)
        to = (wide * down[0] - mixed * down[1]) / whole, (steep * down[1] - mixed * down[0]) / whole
        for halving in range(HALVINGS_MAX):
            tried = slope - to[0] / 2**halving, level - to[1] / 2**halving
            # The loss of many rows has fewer digits than its gradient: as low will do.
            if (new := _loss(tried[0] * z + tried[1], target)) <= loss + FLAT * len(z):
                break
        else:
            break
        (slope, level), loss = tried, new
    (_, _, wide), whole = _curvature(z, slope, level)
    slope, error = slope / spread, sqrt(wide / whole) / spread
    return _Line(float(slope), float(level - slope * mean), float(error))


def _curvature(z: F64, slope: float, level: float) -> tuple[tuple[float, float, float], float]:
    """The second derivatives of the loss, and their determinant."""
    p = _logistic(slope * z + level)
    weight = p * (1 - p) + 1e-12
    steep, mixed, wide = (weight * z * z).sum(), (weight * z).sum(), weight.sum()
    return (steep, mixed, wide), steep * wide - mixed**2


def _targets(rose: F64) -> F64:
    """Not quite 1 and 0: nobody is certain of what so many rows have shown."""
    rises = rose.sum()
    falls = len(rose) - rises
    targets: F64 = np.where(rose > 0, (rises + 1) / (rises + 2), 1 / (falls + 2))
    return targets


def _loss(logits: F64, target: F64) -> float:
    return float((np.logaddexp(0, logits) - target * logits).sum())


def _logistic(logits: F64) -> F64:
    p: F64 = 1 / (1 + np.exp(-np.clip(logits, -LOGIT_MAX, LOGIT_MAX)))
    return p


def _logit(p: float) -> float:
    return log(p / (1 - p))
