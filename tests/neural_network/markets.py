"""Markets, networks and models to test opinions with: small, seeded, with holes."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rrr.core.events import Close
from rrr.core.market import Candle, Source
from rrr.neural_network.artefact import NETWORK, Artefact, Scope, write
from rrr.neural_network.features import CLIP, FEATURES, STEPS
from rrr.neural_network.learned import CONFORMAL, DRIFT
from rrr.neural_network.panel import Panel, panel_of
from tests.builders import HOUR, START

SYMBOLS = ("BTC-USD", "ETH-USD", "SOL-USD")


def closes(seed: int, times: int, instruments: int = 3, holes: float = 0.01) -> list[Close]:
    """Fat-tailed walks, volumes of every size, and now and then no candle."""
    dice = np.random.default_rng(seed)
    shape = instruments, times
    spread = 0.003 * (1 + np.arange(instruments) % 4)[:, None]
    last = np.exp(np.cumsum(spread * dice.standard_t(4, shape), axis=1))
    close = np.rint(last * dice.integers(10**4, 10**9, (instruments, 1))).astype(np.int64) + 2
    first = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
    reach = 1 + dice.random((2, *shape)) * spread / 2
    high = np.rint(np.maximum(first, close) * reach[0]).astype(np.int64)
    low = np.rint(np.minimum(first, close) / reach[1]).astype(np.int64)
    volume = np.rint(np.exp(dice.normal(15, 2, shape))).astype(np.int64)
    there = dice.random(shape) >= holes
    made = []
    for time in range(times):
        opened = START + time * HOUR
        here = np.flatnonzero(there[:, time]).tolist()
        numbers = np.stack([first, high, low, close, volume])[:, :, time]
        candles = tuple(
            Candle._make([one, *numbers[:, one].tolist(), int(Source.REPLAYED)]) for one in here
        )
        missing = tuple(one for one in range(instruments) if one not in here)
        made.append(Close(opened + HOUR, opened, candles, missing))
    return made


def panel(seed: int, times: int, instruments: int = 3, holes: float = 0.01) -> Panel:
    return panel_of(closes(seed, times, instruments, holes), instruments, HOUR)


def network(seed: int = 0, hidden: int = 8) -> bytes:
    """A recurrent network of random weights; a function of every number that it sees."""
    onnx = pytest.importorskip("onnx", reason="networks are made with onnx: rrr[train]")
    dice, make = np.random.default_rng(seed), onnx.helper

    def weights(name: str, *shape: int) -> Any:
        return onnx.numpy_helper.from_array((dice.normal(size=shape) / 4).astype("f4"), name)

    known = [
        weights("W", 1, 3 * hidden, len(FEATURES)),
        weights("R", 1, 3 * hidden, hidden),
        weights("B", 1, 6 * hidden),
        weights("head", hidden, 1),
        onnx.numpy_helper.from_array(np.array([0]), "first"),
        onnx.numpy_helper.from_array(np.array([1]), "second"),
    ]
    nodes = [
        make.make_node("Transpose", ["x"], ["steps"], perm=[1, 0, 2]),
        make.make_node(
            "GRU", ["steps", "W", "R", "B"], ["", "h"], hidden_size=hidden, linear_before_reset=1
        ),
        make.make_node("Squeeze", ["h", "first"], ["last"]),
        make.make_node("MatMul", ["last", "head"], ["opinion"]),
        make.make_node("Squeeze", ["opinion", "second"], ["y"]),
    ]
    return graph(nodes, known)


def graph(nodes: list[Any], known: list[Any]) -> bytes:
    """The bytes of a network from `x` to `y`."""
    onnx = pytest.importorskip("onnx", reason="networks are made with onnx: rrr[train]")
    make, number = onnx.helper, onnx.TensorProto.FLOAT
    x = make.make_tensor_value_info("x", number, ["n", STEPS, len(FEATURES)])
    y = make.make_tensor_value_info("y", number, ["n"])
    made = make.make_graph(nodes, "network", [x], [y], known)
    opset = [make.make_opsetid("", 17)]
    content: bytes = make.make_model(made, opset_imports=opset, ir_version=8).SerializeToString()
    return content


def manifest(recipe: str = "a" * 64, **changes: Any) -> dict[str, Any]:
    """What a training says of its model."""
    return {
        "recipe": recipe,
        "market": "simulated",
        "timeframe_ms": HOUR,
        "symbols": list(SYMBOLS),
        "seed": 1,
        "data": {"digest": "d" * 64, "begins_ms": START, "ends_ms": START + 9 * HOUR},
        "kind": "network",
        "training": "b" * 64,
        "full": False,
        "horizon": 4,
        "calibration": {"slope": 2.0, "intercept": 0.0},
        "bps_per_unit": 20_000.0,
        "proven": False,
    } | changes


def scope(**changes: Any) -> Scope:
    return Scope("simulated", HOUR, SYMBOLS)._replace(**changes)


def known(symbols: int = len(SYMBOLS), **changes: Any) -> dict[str, bytes]:
    """What a training knew of its own figures; `features` are distributed as nobody knows."""
    scores = [[0.01 * n for n in range(1, 101)]] * symbols
    bounds = {"low": [-CLIP] * len(FEATURES), "high": [CLIP] * len(FEATURES)}
    drift = {"times": 100, "features": [None] * len(FEATURES), **bounds} | changes
    conformal = {"alpha": 0.1, "scores": scores}
    return {CONFORMAL: json.dumps(conformal).encode(), DRIFT: json.dumps(drift).encode()}


def trained(
    models: Path, content: bytes, files: dict[str, bytes] | None = None, **changes: Any
) -> Artefact:
    """A model whose recipe is what is said of it."""
    said = manifest(**changes)
    held = {NETWORK: content, **known(len(said["symbols"])), **(files or {})}
    recipe = hashlib.sha256(repr((sorted(said.items()), sorted(held.items()))).encode()).hexdigest()
    return write(models, recipe[:12], held, said | {"recipe": recipe})
