"""Full trainings made by hand on the simulated market: what they foresee is known to the digit."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from rrr.data_pipeline.simulated import simulated
from rrr.neural_network.artefact import NETWORK, Artefact, write
from rrr.neural_network.calibration import Platt, fit
from rrr.neural_network.features import WINDOW
from rrr.neural_network.folding import parted
from rrr.neural_network.labels import F64, labels
from rrr.neural_network.panel import Panel, panel_of
from tests.neural_network.markets import known, manifest, network

COINS: Final = ("BTC-USD", "ETH-USD", "SOL-USD")
CANDLES: Final = 4_700
HORIZON: Final = 4
FOLDS: Final = 4
SEED: Final = 1
CHEAP: Final = (
    *("--symbols", ",".join(COINS), "--market", "simulated"),
    *("--set", "costs.taker_fee_ppm=100", "--set", "gate.random_twins=40"),
)


def candles(times: int = CANDLES) -> Panel:
    market = simulated(COINS, "1h", SEED)
    return panel_of(market.history(times), len(COINS), market.timeframe_ms)


def training(
    models: Path, panel: Panel, skills: Mapping[str, float], seed: int = 1, **more: Any
) -> dict[str, Artefact]:
    """Siblings whose opinions are so much of the label, and else chance."""
    truth, made = labels(panel, HORIZON), {}
    for number, (kind, skill) in enumerate(skills.items()):
        dice = np.random.default_rng((seed, number))
        luck = dice.standard_normal(truth.shape)
        said = np.where(np.isnan(truth), 0.0, truth)
        made[kind] = one(models, panel, kind, skill * said + (1 - skill) * luck, truth, **more)
    return made


def one(models: Path, panel: Panel, kind: str, opinions: F64, truth: F64, **more: Any) -> Artefact:
    from safetensors.numpy import save

    parts = parted(panel, HORIZON, FOLDS)
    means = np.full(panel.there.shape, np.nan, np.float32)
    fold = np.full(panel.times, -1, np.int8)
    closes, told = panel.opened_at_ms + panel.timeframe_ms, []
    platt = fit(opinions, truth)
    platt = platt if isinstance(platt, Platt) else Platt(0.0, 0.0)
    for number, part in enumerate(parts):
        times = slice(part.test.start + WINDOW - 1, part.test.stop + WINDOW - 1)
        means[:, times], fold[times] = opinions[:, times], number
        figures = {"slope": platt.slope, "intercept": platt.intercept, "bps_per_unit": 20_000.0}
        spans = {"begins_ms": int(closes[times][0]), "ends_ms": int(closes[times][-1])}
        told.append({**spans, **figures, "ic": 0.02, "ic_error": 0.01, "rows": means.size})
    data = {
        "digest": panel.digest(),
        "begins_ms": int(panel.opened_at_ms[0]),
        "ends_ms": int(closes[-1]),
    }
    recipe = f"{int.from_bytes(kind.encode()[:4]):08x}{more.pop('recipe', '0000'):0>4}"
    said = manifest(
        recipe.ljust(64, "0"),
        symbols=list(COINS),
        kind=kind,
        full=True,
        data=data,
        folds=told,
        trials=3,
        serves=kind == "ridge",
        settings={"horizon": HORIZON, "patience": 0, "epochs": 8},
        metrics={"rows": means.size, "rows_effective": means.size / HORIZON, "ic": 0.02},
        made_with={"torch": "2.13.0"},
        **more,
    )
    files = {
        NETWORK: network(),
        **known(len(COINS)),
        "folds.safetensors": save({"means": means, "twin_means": means, "fold": fold}),
        "metrics.json": json.dumps({"ic": {kind: {str(HORIZON): [0.02] * FOLDS}}}).encode(),
        "report.txt": f"Made by hand: {kind}.\n".encode(),
    }
    return write(models, recipe, files, said)
