"""The trained network as an ONNX graph, made node by node: the same weights are the same bytes.

`x` (n, STEPS, features) is scaled, a GRU reads it from a state of zeros, and its last state says
`y` (n,) in units of the label. Torch keeps the gates of a GRU in the order reset, update, new, ONNX
as update, reset, hidden; `linear_before_reset` is how torch reckons.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .features import F32, FEATURES, STEPS

OPSET: Final = 17
IR_VERSION: Final = 8


def graph(weights: Mapping[str, F32], mean: F32, factor: F32) -> bytes:
    """The bytes of a model; weights as torch names them."""
    from onnx import TensorProto, checker, helper, numpy_helper

    hidden = weights["gru.weight_hh_l0"].shape[1]
    constants = {
        "mean": mean,
        "factor": factor,
        "w": _gates(weights["gru.weight_ih_l0"])[np.newaxis],
        "r": _gates(weights["gru.weight_hh_l0"])[np.newaxis],
        "b": np.concatenate([_gates(weights[f"gru.bias_{side}_l0"]) for side in ("ih", "hh")])[
            np.newaxis
        ],
        "head": weights["head.weight"].T,
        "head_bias": weights["head.bias"],
        "first": np.array([0], np.int64),
        "flat": np.array([-1], np.int64),
    }
    nodes = [
        helper.make_node("Sub", ["x", "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "factor"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["steps"], perm=[1, 0, 2]),
        helper.make_node(
            "GRU",
            ["steps", "w", "r", "b"],
            ["", "states"],
            hidden_size=hidden,
            linear_before_reset=1,
        ),
        helper.make_node("Squeeze", ["states", "first"], ["state"]),
        helper.make_node("Gemm", ["state", "head", "head_bias"], ["units"]),
        helper.make_node("Reshape", ["units", "flat"], ["y"]),
    ]
    made = helper.make_model(
        helper.make_graph(
            nodes,
            "opinion",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", STEPS, len(FEATURES)])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])],
            [numpy_helper.from_array(np.ascontiguousarray(v), k) for k, v in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="rrr",
    )
    checker.check_model(made)
    content: bytes = made.SerializeToString(deterministic=True)
    return content


def _gates(stacked: F32) -> NDArray[np.float32]:
    reset, update, new = np.split(stacked, 3)
    return np.concatenate([update, reset, new])
