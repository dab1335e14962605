"""All pieces of a training become its models: each with its files, its figures and its page.

The siblings of a full training share their folds and their table of ICs; one of them `serves`
where nobody has judged yet: the simplest that none of the others beat, fold by fold.
"""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from . import judging
from .asking import asked, served
from .evidence import Evidence, judge
from .features import FEATURES, WINDOW
from .folding import Parts, shown
from .job import Job, sources
from .judging import DECIMALS, rounded, shared
from .labels import F64, Split
from .report import report
from .study import Lessons
from .unfinished import Tensors

ROWS: Final = ("rows", "rows_effective")  # of evidence: what the holdout's say of no skill


@dataclass(frozen=True, slots=True)
class Studied:
    """What was learned: of each kind, of its twin; on the folds, and to serve."""

    given: Lessons
    parts: Split
    folds: tuple[Parts, ...]
    walked: Mapping[tuple[str, bool], Sequence[Tensors]]
    final: Mapping[tuple[str, bool], Tensors]
    taught: int  # labels


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model that is not written yet."""

    kind: str
    evidence: Evidence
    files: Mapping[str, bytes]
    manifest: Mapping[str, Any]


def bundles(done: Studied) -> list[Bundle]:
    """In the order of the kinds, the simplest first."""
    job, y = done.given.job, done.given.y
    means = {
        kind: [piece["means"].astype(np.float64) for piece in done.walked.get((kind, False), ())]
        for kind in job.kinds
    }
    table = judging.ic_table(means, job.panel, done.folds, job.horizon)
    may = shown(done.folds) if job.full else 0
    traded = {kind: table[kind][str(job.horizon)][:may] for kind in job.kinds}
    serves = judging.simplest_unbeaten(traded) if job.full else job.kinds[0]
    made, (training, recipes) = [], (job.recipe(), job.recipes())
    for kind in job.kinds:
        network = done.final[kind, False]["network"].tobytes()
        said = asked(served(network), done.given.x, done.parts.validation)
        truth = y[:, done.parts.validation]
        evidence = judge(said, truth, job.horizon)
        told: dict[str, Any] = {
            "recipe": recipes[kind],
            "training": training,
            "kind": kind,
            "full": job.full,
            "serves": kind == serves,
            "calibration": judging.calibration(
                said, truth, done.parts.validation, job.horizon, shared(evidence)
            ),
            "bps_per_unit": evidence.bps_per_unit,
        }
        figures = _figures(done, kind, said, truth, evidence)
        if job.full:
            figures |= {"ic": table}
            told |= {"folds": _folds(done, kind), "trials": len(job.kinds)}
        metrics = figures["evidence"]
        if job.full:  # what it showed last lies in the holdout
            metrics = {name: metrics[name] for name in ROWS} | _shown(told["folds"][:may])
        manifest = told | _common(job) | {"metrics": metrics, "folds_shown": may}
        page = report(job, done.parts, done.taught, evidence, manifest, figures)
        files = _files(done, kind, said, truth) | {
            "metrics.json": _json(figures),
            "report.txt": page.encode(),
        }
        made.append(Bundle(kind, evidence, files, manifest))
    return made


def _common(job: Job) -> dict[str, Any]:
    """What the siblings share."""
    panel = job.panel
    return {
        "market": job.market,
        "timeframe_ms": panel.timeframe_ms,
        "symbols": job.symbols,
        "seed": job.seed,
        "horizon": job.horizon,
        "settings": job.settings(),
        "sources": sources(),
        "data": {
            "digest": panel.digest(),
            "begins_ms": int(panel.opened_at_ms[0]),
            "ends_ms": int(panel.opened_at_ms[-1]) + panel.timeframe_ms,
        },
        "made_with": job.libraries()
        | {
            "python": platform.python_version(),
            "platform": f"{platform.system()} {platform.machine()}",
        },
        "proven": False,
    }


def _figures(done: Studied, kind: str, said: F64, truth: F64, evidence: Evidence) -> dict[str, Any]:
    rows, horizon = done.parts.validation, done.given.job.horizon
    figures: dict[str, Any] = {
        "evidence": rounded(asdict(evidence)),
        "labels_taught": done.taught,
        "coverage": judging.coverage(said, truth, rows, horizon),
        "curves": done.final[kind, False]["curves"].round(DECIMALS).tolist(),
    }
    if pieces := done.walked.get((kind, False), ()):
        may = shown(done.folds)
        falls = np.mean([piece["importance"] for piece in pieces[:may]], axis=0)
        figures["calibration_bins"] = judging.fold_bins(
            pieces[:may], done.given.y, done.folds[:may]
        )
        figures["importance"] = rounded(dict(zip(FEATURES, falls.tolist(), strict=True)))
        figures["importance_folds"] = [
            piece["importance"].round(DECIMALS).tolist() for piece in pieces
        ]
    return figures


def _folds(done: Studied, kind: str) -> list[dict[str, Any]]:
    """What each fold's model was, and what its test showed."""
    job, told = done.given.job, []
    closes = job.panel.opened_at_ms + job.panel.timeframe_ms
    pairs = zip(done.folds, done.walked[kind, False], done.walked[kind, True], strict=True)
    for parts, piece, twin in pairs:
        truth = done.given.y[:, parts.test]
        shown = judge(piece["means"].astype(np.float64), truth, job.horizon)
        slope, intercept, bps = piece["figures"].tolist()
        twin_slope, twin_intercept, twin_bps = twin["figures"].tolist()
        told.append(
            {
                "begins_ms": int(closes[parts.test[0] + WINDOW - 1]),
                "ends_ms": int(closes[parts.test[-1] + WINDOW - 1]),
                "slope": slope,
                "intercept": intercept,
                "bps_per_unit": bps,
                "ic": round(shown.ic, DECIMALS),
                "ic_error": round(shown.ic_error, DECIMALS),
                "rows": shown.rows,
                "twin": {
                    "slope": twin_slope,
                    "intercept": twin_intercept,
                    "bps_per_unit": twin_bps,
                },
            }
        )
    return told


def _shown(folds: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The mean IC of these tests, and its error."""
    errors = [each["ic_error"] for each in folds]
    mean, error = np.mean([each["ic"] for each in folds]), np.linalg.norm(errors) / len(folds)
    return {"ic": round(float(mean), DECIMALS), "ic_error": round(float(error), DECIMALS)}


def _files(done: Studied, kind: str, said: F64, truth: F64) -> dict[str, bytes]:
    from safetensors.numpy import save

    job, made = done.given.job, done.final[kind, False]
    twin_kind = kind if job.full else "ridge"
    weights = {name: each for name, each in made.items() if name not in ("network", "curves")}
    usual = judging.drift(done.given.x, job.panel.there, done.parts.training)
    files = {
        "model.onnx": made["network"].tobytes(),
        "twin.onnx": done.final[twin_kind, True]["network"].tobytes(),
        "weights.safetensors": save(weights),
        "conformal.json": _json(judging.conformal(said, truth)),
        "drift.json": _json(usual),
    }
    if job.full:
        files["folds.safetensors"] = save(_walk(done, kind))
    return files


def _walk(done: Studied, kind: str) -> dict[str, NDArray[Any]]:
    """All that was said of the tests, on the grid of the job's panel."""
    panel = done.given.job.panel
    means, twins = (np.full(panel.there.shape, np.nan, np.float32) for _ in range(2))
    fold = np.full(panel.times, -1, np.int8)
    for number, parts in enumerate(done.folds):
        times = slice(parts.test.start + WINDOW - 1, parts.test.stop + WINDOW - 1)
        means[:, times] = done.walked[kind, False][number]["means"]
        twins[:, times] = done.walked[kind, True][number]["means"]
        fold[times] = number
    return {"means": means, "twin_means": twins, "fold": fold}


def _json(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said, sort_keys=True, indent=1, allow_nan=False).encode() + b"\n"
