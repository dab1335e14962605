"""A model is asked in training as it is asked when it serves: by windows, through its own graph.

Whoever judges what was learned, of whatever kind, does it through this door; torch is not needed
for it.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .features import F32, STEPS
from .labels import F64

WINDOWS: Final = 4096  # asked at once

Answers: TypeAlias = Callable[[F32], F32]  # (n, STEPS, features) to (n,)


def served(network: bytes) -> Answers:
    """The bytes of a graph by onnxruntime, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])

    def answers(windows: F32) -> F32:
        said: F32 = session.run(["y"], {"x": windows})[0]
        return said

    return answers


def asked(answers: Answers, x: F32, rows: range) -> F64:
    """What it says at these rows of (instruments, rows, features): (instruments, rows)"""
    if not rows:
        return np.empty((len(x), 0))
    windows = sliding_window_view(x, STEPS, axis=1).swapaxes(2, 3)
    at = np.array(rows) - (STEPS - 1)
    said = [
        answers(np.ascontiguousarray(windows[number, at[first : first + WINDOWS]]))
        for number in range(len(x))
        for first in range(0, len(at), WINDOWS)
    ]
    return np.concatenate(said).reshape(len(x), len(rows)).astype(np.float64)


def thin(rows: range, instruments: int, windows: int) -> range:
    """Some of the rows, evenly, where there are more than so many windows.

    >>> thin(range(100), 2, 40)
    range(0, 100, 5)
    """
    return rows[:: -(-len(rows) * instruments // windows) or 1]
