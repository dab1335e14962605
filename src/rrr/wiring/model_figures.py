"""A figure of a model's page is taken from its files or from what was played, and never made anew.

Forecasts arrive cut to what may be seen; labels are reckoned of the same candles, so that no label
reaches beyond them.
"""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any, Final

import msgspec
import numpy as np

from rrr.backtesting.cost_curve import cost_curve
from rrr.backtesting.gate_case import Bench, Shown
from rrr.backtesting.gate_folds import Folds, calibrated, chances
from rrr.backtesting.gate_returns import Record
from rrr.backtesting.growth import F64
from rrr.backtesting.history import closing
from rrr.backtesting.report.learned_figures import (
    Bin,
    Calibrated,
    Charged,
    Equity,
    Fold,
    Grown,
    Lesson,
    Skill,
    Weighed,
)
from rrr.backtesting.report.model import Why
from rrr.core.market import BPS
from rrr.neural_network import judging
from rrr.neural_network.artefact import Artefact
from rrr.neural_network.calibration import Calibration, Platt, probabilities
from rrr.neural_network.labels import labels

NORMAL: Final = Platt(1.702, 0.0)  # a logit so steep is the normal distribution, within 1 %


def folds_of(of: Artefact) -> list[Fold]:
    return [Fold(int(one["begins_ms"]), int(one["ends_ms"])) for one in of.manifest["folds"]]


def lessons(siblings: Mapping[str, Artefact], *, shown: bool) -> list[Lesson]:
    """Of what serves; the rows that it was watched on reach into the holdout."""
    found = []
    for kind, of in siblings.items():
        patience = int(of.manifest["settings"]["patience"])
        epochs = int(of.manifest["settings"]["epochs"])
        for number, curve in enumerate(_metrics(of).get("curves", ()), 1):
            loss, ic = (list(column) for column in zip(*curve, strict=True))
            stopped = len(curve) - patience if patience and len(curve) < epochs else len(curve)
            found.append(Lesson(kind, number, loss, ic if shown else [], stopped))
    return found


def skills(siblings: Mapping[str, Artefact], seen: Sequence[int]) -> list[Skill]:
    """Errors of other horizons are the traded one's: they grow with the root of the horizon."""
    found = []
    for kind, of in siblings.items():
        folds, traded = of.manifest["folds"], of.horizon
        for ahead, ics in _metrics(of)["ic"][kind].items():
            wider = sqrt(int(ahead) / traded)
            found += [
                Skill(kind, int(ahead), fold, ics[fold], wider * folds[fold]["ic_error"])
                for fold in seen
            ]
    return found


def weighed(
    siblings: Mapping[str, Artefact], seen: Sequence[int]
) -> dict[str, list[Weighed]] | Why:
    found = {}
    for kind, of in siblings.items():
        by_fold = _metrics(of).get("importance_folds")
        if by_fold is None:
            return "These models were made before importance was kept fold by fold."
        names = list(_metrics(of)["importance"])
        falls = np.array(by_fold)[list(seen)]
        error = falls.std(axis=0, ddof=1) / sqrt(len(falls)) if len(falls) > 1 else falls[0] * 0
        found[kind] = [
            Weighed(*one)
            for one in zip(names, falls.mean(axis=0).tolist(), error.tolist(), strict=True)
        ]
    return found


def calibration(
    siblings: Mapping[str, Artefact], folds: Mapping[str, Folds], bench: Bench
) -> list[Calibrated]:
    """Over all tests that may be seen, each by what was fitted before it."""
    panel, found = bench.history.panel, []
    for kind, one in folds.items():
        told = siblings[kind].manifest["metrics"]
        shared = float(told["rows"]) / max(float(told["rows_effective"]), 1.0)
        truth = labels(panel, one.horizon)
        after, before = chances(one), probabilities(NORMAL, one.means)
        worth = calibrated(one, panel, shared)
        bins = _bins(after, truth, shared), _bins(before, truth, shared)
        found.append(Calibrated(kind, *bins, worth if isinstance(worth, str) else _said(worth)))
    return found


def charges(folds: Mapping[str, Folds], bench: Bench) -> list[Charged]:
    return [Charged(kind, *each) for kind, one in folds.items() for each in cost_curve(bench, one)]


def equity(bench: Bench, seen: Shown, kind: str, random: Sequence[Record]) -> Equity:
    """What 1 became of each kind, of the champion, of this kind's hold and of its random twins."""
    history = bench.history
    columns = np.flatnonzero(closing(history))
    columns = columns[columns >= history.begins]
    mine = seen.kinds[kind]
    grown = [Grown(name, name, _worth(one.net)) for name, one in seen.kinds.items()]
    grown.append(Grown("boring champion", "champion", _worth(seen.boring.net)))
    grown.append(Grown(f"hold of the {kind}'s exposure", "hold", _worth(mine.hold)))
    twins = None
    if random:
        worths = np.stack([_worth(one.net) for one in random])
        twins = np.quantile(worths, [0.05, 0.5, 0.95], axis=0)
    trip = f"{bench.asks.cost_return * BPS:.0f} bps a round trip of the dearest instrument"
    note = (
        f"After the account's own costs, {trip}; the hold pays none. A twin says the {kind}'s own "
        f"opinions at another time: {len(random)} of them."
    )
    at_ms = history.panel.opened_at_ms[columns] + history.panel.timeframe_ms
    return Equity(at_ms, grown, twins, note)


def _said(worth: Calibration) -> str:
    return (
        f"off by {worth.ece:.3f} on average, where noise alone makes {worth.ece_noise:.3f};"
        f" Brier skill {worth.brier_skill:+.4f}"
    )


def _bins(probability: F64, truth: F64, shared: float) -> list[Bin]:
    return [
        Bin(said, came, sqrt(max(came * (1 - came), 0.0) * shared / rows), int(rows))
        for said, came, rows in judging.bins(probability, truth)
    ]


def _worth(net: F64) -> F64:
    grown: F64 = np.cumprod(1 + np.maximum(net, -1))
    return grown


def _metrics(of: Artefact) -> dict[str, Any]:
    """Its bytes were compared with their hash when it was read."""
    held = (of.folder / "metrics.json").read_bytes()
    return msgspec.json.decode(held, type=dict[str, Any])
