"""A figure of a model's page is taken from its files or from what was played, and never made anew.

Forecasts arrive cut to what may be seen; labels are reckoned of the same candles, so that no label
reaches beyond them.
"""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Final

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
from rrr.core.errors import ModelBroken
from rrr.core.market import BPS
from rrr.neural_network import judging
from rrr.neural_network.artefact import NEW, Artefact
from rrr.neural_network.calibration import Calibration, Platt, probabilities
from rrr.neural_network.labels import labels

NORMAL: Final = Platt(1.702, 0.0)  # a logit so steep is the normal distribution, within 1 %


class _Metrics(msgspec.Struct, frozen=True):
    """What a page shows of them; a model made by other hands may say less."""

    ic: dict[str, dict[int, list[float]]] = {}
    curves: list[list[tuple[float, float]]] = []  # of each network: loss and IC of each epoch
    importance: dict[str, float] = {}
    importance_folds: list[list[float]] = []


def folds_of(of: Artefact) -> list[Fold]:
    return [Fold(int(one["begins_ms"]), int(one["ends_ms"])) for one in of.manifest["folds"]]


def lessons(siblings: Mapping[str, Artefact], *, shown: bool) -> list[Lesson] | Why:
    """Of what serves; the rows that it was watched on reach into the holdout."""
    found = []
    for kind, of in siblings.items():
        asked = of.manifest.get("settings", {})
        patience, epochs = asked.get("patience", 0), asked.get("epochs", 0)
        for number, curve in enumerate(_metrics(of).curves, 1):
            loss, ic = (list(column) for column in zip(*curve, strict=True))
            kept = len(curve) - patience * (len(curve) < epochs)
            found.append(Lesson(kind, number, loss, ic if shown else [], kept))
    return found or "Nothing here learned in epochs."


def skills(siblings: Mapping[str, Artefact], seen: Sequence[int]) -> list[Skill]:
    """Errors of other horizons are the traded one's: they grow with the root of the horizon."""
    found = []
    for kind, of in siblings.items():
        folds = of.manifest["folds"]
        traded = {of.horizon: [float(fold["ic"]) for fold in folds]}
        for ahead, ics in (traded | _metrics(of).ic.get(kind, {})).items():
            wider = sqrt(ahead / of.horizon)
            found += [
                Skill(kind, ahead, fold, ics[fold], wider * folds[fold]["ic_error"])
                for fold in seen
            ]
    return found


def weighed(
    siblings: Mapping[str, Artefact], seen: Sequence[int]
) -> dict[str, list[Weighed]] | Why:
    found = {}
    for kind, of in siblings.items():
        told = _metrics(of)
        if not (told.importance_folds and seen):
            return "It was not kept fold by fold, and all folds together hold the holdout."
        falls = np.array(told.importance_folds)[list(seen)]
        error = falls.std(axis=0, ddof=1) / sqrt(len(falls)) if len(falls) > 1 else falls[0] * 0
        rows = zip(told.importance, falls.mean(axis=0).tolist(), error.tolist(), strict=True)
        found[kind] = [Weighed(*row) for row in rows]
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


def _metrics(of: Artefact) -> _Metrics:
    """Its bytes were compared with their hash when it was read."""
    path = of.folder / "metrics.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Metrics)
    except (OSError, msgspec.MsgspecError) as error:
        raise ModelBroken(f"{path} cannot be read: {error}.", NEW) from error
