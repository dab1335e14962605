"""What a model showed is told in figures, each of rows that it never learned from.

Calibration is fitted on the first half of the last part and judged on the second. Over the folds
each test is told by the model, and with the calibration, that was made before it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from .calibration import BINS, Platt, fit, judge, probabilities
from .conformal import MISSES, SCORES_MAX, Conformal, ask, covered
from .drift import usual
from .evidence import Evidence, correlation
from .features import F32, FEATURES, WINDOW
from .folding import Parts, halves
from .labels import F64, returns
from .panel import Mask, Panel
from .unfinished import Tensors

HORIZONS: Final = (1, 4, 16, 64)  # besides the traded one
DRIFT_TIMES: Final = 500  # that a look at drift takes together
DECIMALS: Final = 6  # of a figure for people
TIMES_BEATEN: Final = 1.415  # standard errors: one in ten by luck, of eight folds (Student's t)


def calibration(said: F64, labels: F64, rows: range, horizon: int, shared: float) -> dict[str, Any]:
    """Of opinions (instruments, rows): how they become probabilities, and what these are worth."""
    first, second = (slice(h.start, h.stop) for h in halves(range(len(rows)), horizon))
    platt = fit(said[:, first], labels[:, first])
    if isinstance(platt, str):
        return _nothing(platt)
    if platt.slope == 0:
        return _nothing("turned around, its opinions would have been right more often")
    worth = judge(probabilities(platt, said[:, second]), labels[:, second], shared)
    if isinstance(worth, str):
        return _nothing(worth)
    figures = worth._asdict()
    figures["logit_slope"] = figures.pop("slope")
    figures["logit_slope_error"] = figures.pop("slope_error")
    return rounded(figures) | platt._asdict()


def conformal(said: F64, labels: F64) -> dict[str, Any]:
    """The last scores of each instrument, and what ACI begins with."""
    scores = [
        [round(miss, DECIMALS) for miss in np.abs(y - m)[np.isfinite(y - m)][-SCORES_MAX:].tolist()]
        for m, y in zip(said, labels, strict=True)
    ]
    return {"alpha": MISSES, "scores": scores}


def coverage(said: F64, labels: F64, rows: range, horizon: int) -> float | None:
    """Of intervals by the first half's scores, the share that held in the second; None of none."""
    first, second = (slice(h.start, h.stop) for h in halves(range(len(rows)), horizon))
    held = conformal(said[:, first], labels[:, first])["scores"]
    shares = [
        covered([ask(Conformal(MISSES, tuple(scores)), m) for m in means.tolist()], truth)
        for scores, means, truth in zip(held, said[:, second], labels[:, second], strict=True)
    ]
    known = [share for share in shares if np.isfinite(share)]
    return round(float(np.mean(known)), DECIMALS) if known else None


def drift(x: F32, there: Mask, training: range) -> dict[str, Any]:
    """How each feature was distributed where a candle was; of rows of features."""
    rows = slice(training.start, training.stop)
    known = there[:, WINDOW - 1 :][:, rows]
    features, low, high = [], [], []
    for number in range(len(FEATURES)):
        values = np.where(known, x[:, rows, number], np.nan).astype(np.float64)
        learned = usual(values, DRIFT_TIMES)
        features.append(learned and learned._asdict())
        low.append(float(np.nanmin(values)) if known.any() else 0.0)
        high.append(float(np.nanmax(values)) if known.any() else 0.0)
    return {"times": DRIFT_TIMES, "features": features, "low": low, "high": high}


def ic_table(
    means: Mapping[str, Sequence[F64]], panel: Panel, folds: Sequence[Parts], horizon: int
) -> dict[str, dict[str, list[float]]]:
    """{kind: {horizon: [per fold]}}; all but the traded one only show how fast skill fades."""
    horizons = sorted({*HORIZONS, horizon})
    labels = returns(panel, horizons).values[:, :, WINDOW - 1 :]
    return {
        kind: {
            str(ahead): [
                round(correlation(said, labels[number][:, parts.test]), DECIMALS)
                for said, parts in zip(told, folds, strict=True)
            ]
            for number, ahead in enumerate(horizons)
        }
        for kind, told in means.items()
    }


def bins(probability: F64, labels: F64) -> list[list[float]]:
    """[p that was said, share that came true, rows] of ten bins of equal mass."""
    known = np.isfinite(probability) & np.isfinite(labels) & (labels != 0)
    p, rose = probability[known], labels[known] > 0
    order = np.argsort(p, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    return [
        [round(float(p[a].mean()), DECIMALS), round(float(rose[a].mean()), DECIMALS), len(a)]
        for a in parts
    ]


def fold_bins(pieces: Sequence[Tensors], y: F64, folds: Sequence[Parts]) -> list[list[float]]:
    """Over all tests, each by the calibration made before it."""
    said = [
        probabilities(Platt(*each["figures"][:2].tolist()), each["means"].astype(np.float64))
        for each in pieces
    ]
    truth = [y[:, parts.test] for parts in folds]
    return bins(np.concatenate(said, axis=1), np.concatenate(truth, axis=1))


def simplest_unbeaten(ics: Mapping[str, Sequence[float]]) -> str:
    """Of kinds, the simplest first: the first that none after it beats, fold by fold."""
    kinds = list(ics)
    for number, kind in enumerate(kinds):
        gains = [np.subtract(ics[other], ics[kind]) for other in kinds[number + 1 :]]
        if not any(_beats(gain) for gain in gains):
            return kind
    return kinds[-1]


def rounded(figures: Mapping[str, float | None]) -> dict[str, float | None]:
    return {n: None if f is None else round(f, DECIMALS) for n, f in figures.items()}


def shared(evidence: Evidence) -> float:
    """Rows that say as much as one independent."""
    return evidence.rows / max(evidence.rows_effective, 1.0)


def _beats(gain: F64) -> bool:
    if len(gain) < 2:
        return False
    return bool(gain.mean() > TIMES_BEATEN * gain.std(ddof=1) / np.sqrt(len(gain)))


def _nothing(why: str) -> dict[str, Any]:
    return {"slope": 0.0, "intercept": 0.0, "why": why}
