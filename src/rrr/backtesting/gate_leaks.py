"""The pipeline that made the model is tested for leaks on the very candles that it learned from.

Features, labels, splits and each kind's own fit are the program's, not copies: a sample of times is
looked at in some seconds. What cannot be looked at is a leak. The five are those of SIGNALS §6C.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np

from rrr.backtesting.gate_folds import Folds
from rrr.core.errors import ModelBroken
from rrr.neural_network import study
from rrr.neural_network.asking import Answers, asked, served
from rrr.neural_network.features import F32, STEPS, WINDOW, features
from rrr.neural_network.folding import parted
from rrr.neural_network.job import Job
from rrr.neural_network.labels import F64, embargo, labels, returns
from rrr.neural_network.leaks import Rows, foresees, peeks, remembered, remembers, unsettled
from rrr.neural_network.panel import NUMBERS, Panel
from rrr.neural_network.splits import FIRST
from rrr.neural_network.study import Lessons

INSTRUMENTS: Final = 4
SHORT: Final = 420  # candles that futures are tried on
ROWS: Final = 90  # of a part of the sample that is learned from, beside what keeps parts apart
LOOKS: Final = 8
FOLDS: Final = 2
APART: Final = 1e-6  # of a label's unit: what a batch may differ from one alone


@dataclass(frozen=True, slots=True, eq=False)
class Pipeline:
    """All that a model came from."""

    panel: Panel
    folds: Folds
    kind: str
    network: bytes
    seed: int


def leaks(of: Pipeline) -> dict[str, list[str]]:
    """Of each test what it found; nothing found is nothing said."""
    tests: dict[str, Callable[[Pipeline], list[str]]] = {
        "future perturbation": _future,
        "streaming is batch": _streaming,
        "labels shifted": _shifted,
        "spans apart": _apart,
        "tests poisoned": poisoned,
    }
    return {name: test(of) for name, test in tests.items()}


def _future(of: Pipeline) -> list[str]:
    short = _sample(of.panel, SHORT, of.seed)
    horizon = of.folds.horizon

    def made(panel: Panel) -> Rows:
        return features(panel)

    return peeks(made, short, WINDOW, of.seed, LOOKS) + unsettled(
        partial(returns, horizons=(horizon,)), short, of.seed, LOOKS
    )


def _streaming(of: Pipeline) -> list[str]:
    short = _sample(of.panel, SHORT, of.seed)
    found = remembered(features, short, WINDOW, of.seed, LOOKS)
    x, answers = features(short), served(of.network)
    rows = range(STEPS - 1, x.shape[1])
    together = asked(answers, x, rows)
    apart = max(_alone(answers, x, together, row) for row in rows[:: len(rows) // LOOKS])
    if not apart <= APART:
        found.append(f"asked alone, the model's answers are {apart:.1g} apart")
    return found


def _alone(answers: Answers, x: F32, together: F64, row: int) -> float:
    each = [asked(answers, x[i : i + 1], range(row, row + 1))[0, 0] for i in range(len(x))]
    return float(np.abs(np.array(each) - together[:, row - (STEPS - 1)]).max())


def _shifted(of: Pipeline) -> list[str]:
    horizon = of.folds.horizon
    return foresees(of.folds.means, labels(of.panel, horizon), horizon)


def _apart(of: Pipeline) -> list[str]:
    """No span of labels of a test meets one of the rows before it; the file's tests are these."""
    folds, panel = of.folds, of.panel
    spans = returns(panel, (folds.horizon,)).spans()
    found = []
    for number, parts in enumerate(parted(panel, folds.horizon, len(folds.platts))):
        known, test = (
            np.arange(part.start, part.stop) + WINDOW - 1
            for part in (
                range(parts.training.start, max(parts.training.stop, parts.validation.stop)),
                parts.test,
            )
        )
        if spans.ends[known].max() >= spans.begins[test].min():
            found.append(f"fold {number} learned from candles of its test")
        if parts.training.stop and parts.validation.start < parts.training.stop:
            found.append(f"fold {number} is calibrated on what it learned from")
        if not (folds.fold[test] == number).all():
            found.append(f"fold {number} judged other times than its test")
    return found


def poisoned(of: Pipeline) -> list[str]:
    horizon = of.folds.horizon
    part = ROWS + 3 * embargo(horizon)
    least = WINDOW + STEPS + horizon + part * (FIRST + FOLDS)
    sample = _sample(of.panel, least, of.seed)
    try:
        parts = parted(sample, horizon, FOLDS)[0]
    except ModelBroken as error:
        return [f"a sample of {sample.times:,} candles cannot be learned from: {error.what}"]
    symbols = tuple(map(str, range(sample.instruments)))
    job = Job(sample, symbols, "sample", of.seed, horizon, epochs=1, folds=FOLDS)

    def fit(x: F32, y: F64) -> dict[str, Rows]:
        given = Lessons(x, y, job)
        final = study.final(of.kind, given, parts.split, False, _unheard)
        walked = study.walked(of.kind, given, parts, False, _unheard)
        return {"the model": final["network"], "its calibration": walked["figures"]}

    y = labels(sample, horizon)[:, WINDOW - 1 :]
    return remembers(fit, features(sample), y, parts.test)


def _unheard(_epoch: int, _ic: float) -> None:
    """Nobody waits for a sample."""


def _sample(panel: Panel, times: int, seed: int) -> Panel:
    """The leader and those with most candles, over a stretch whose place chance says."""
    times = min(times, panel.times)
    first = int(np.random.default_rng(seed).integers(0, panel.times - times + 1))
    cut = panel.cut(first, first + times)
    candles = cut.there.sum(axis=1)
    candles[panel.leader] = times + 1
    most = np.sort(np.argsort(-candles, kind="stable")[:INSTRUMENTS])
    columns = {name: getattr(cut, name)[most] for name in (*NUMBERS, "there")}
    return replace(cut, **columns, leader=most.tolist().index(panel.leader))
