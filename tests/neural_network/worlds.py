"""Markets with a known truth, and trainings on them: small, seeded, in this process."""

import numpy as np
import pytest

from rrr.neural_network.features import F32, STEPS, WINDOW, features
from rrr.neural_network.labels import F64, Split, labels, split
from rrr.neural_network.panel import Panel
from tests.builders import HOUR, START

TORCH = "training needs torch, which is not installed: rrr[train]"
ONNX = "a network's graph is made with onnx, which is not installed: rrr[train]"


def world(seed: int, times: int, instruments: int = 4, memory: float = 0.0) -> Panel:
    """Each return is `memory` of the one before, and luck, half of it common to all."""
    dice = np.random.default_rng(seed)
    luck = dice.standard_t(5, (instruments, times)) + dice.standard_t(5, (1, times))
    returns = luck * 0.003
    for time in range(1, times):
        returns[:, time] += memory * returns[:, time - 1]
    close = np.rint(10**8 * np.exp(np.cumsum(returns, axis=1))).astype(np.int64)
    first = np.concatenate([np.full((instruments, 1), 10**8), close[:, :-1]], axis=1)
    reach = 1 + np.abs(dice.normal(0, 0.002, (2, instruments, times)))
    high = np.rint(np.maximum(first, close) * reach[0]).astype(np.int64)
    low = np.rint(np.minimum(first, close) / reach[1]).astype(np.int64)
    volume = np.rint(np.exp(dice.normal(15, 1, close.shape))).astype(np.int64)
    opened = START + np.arange(times) * HOUR
    there = np.ones(close.shape, np.bool_)
    return Panel(first, high, low, close, volume, there, opened, HOUR)


def lessons(panel: Panel, horizon: int) -> tuple[F32, F64, Split]:
    x, y = features(panel), labels(panel, horizon)[:, WINDOW - 1 :]
    return x, y, split(range(STEPS - 1, x.shape[1] - horizon), horizon)


def needs_torch() -> None:
    pytest.importorskip("torch", reason=TORCH)


def needs_onnx() -> None:
    pytest.importorskip("onnx", reason=ONNX)
