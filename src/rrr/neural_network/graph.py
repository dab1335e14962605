"""What was trained as an ONNX graph, made node by node: the same weights are the same bytes.

Every graph has one door: `x` (n, STEPS, features) goes in, `y` (n,) in units of the label comes
out. A network's `x` is scaled, each GRU reads it from a state of zeros, its last state has an
opinion, and the mean of these is `y`. Torch keeps the gates of a GRU in the order reset, update,
new, ONNX as update, reset, hidden; `linear_before_reset` is how torch reckons.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .features import F32, FEATURES, STEPS

OPSET: Final = 17
OPSET_TREES: Final = 3  # of ai.onnx.ml
IR_VERSION: Final = 8
STILL: Final = 1e-6  # a feature that moves less than this is not listened to

Node: TypeAlias = Any  # onnx has no types


class Scaling(NamedTuple):
    """What a graph does first."""

    mean: F32
    factor: F32

    @classmethod
    def fitted(cls, x: F32) -> "Scaling":
        """To (instruments, rows, features) that teach, and to nothing else."""
        mean, spread = x.mean(axis=(0, 1), dtype=np.float64), x.std(axis=(0, 1), dtype=np.float64)
        factor = np.where(spread > STILL, 1 / np.maximum(spread, STILL), 0)
        return cls(mean.astype(np.float32), factor.astype(np.float32))

    def of(self, x: F32) -> F32:
        return (x - self.mean) * self.factor


def graph(networks: Sequence[Mapping[str, F32]], mean: F32, factor: F32) -> bytes:
    """The bytes of a model; weights of each network as torch names them."""
    from onnx import helper

    constants: dict[str, NDArray[Any]] = {
        "mean": mean,
        "factor": factor,
        "first": np.array([0], np.int64),
        "flat": np.array([-1], np.int64),
    }
    nodes = [
        helper.make_node("Sub", ["x", "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "factor"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["steps"], perm=[1, 0, 2]),
    ]
    for number, weights in enumerate(networks):
        read, held = _network(weights, f"_{number}")
        nodes, constants = nodes + read, constants | held
    opinions = [f"units_{number}" for number in range(len(networks))]
    nodes += [
        helper.make_node("Mean", opinions, ["units"]),
        helper.make_node("Reshape", ["units", "flat"], ["y"]),
    ]
    return door(nodes, constants)


def door(nodes: Sequence[Node], constants: Mapping[str, NDArray[Any]]) -> bytes:
    """The bytes of nodes that make `y` of `x`."""
    from onnx import TensorProto, checker, helper, numpy_helper

    made = helper.make_model(
        helper.make_graph(
            nodes,
            "opinion",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", STEPS, len(FEATURES)])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])],
            [numpy_helper.from_array(np.ascontiguousarray(v), k) for k, v in constants.items()],
        ),
        opset_imports=[
            helper.make_opsetid("", OPSET),
            helper.make_opsetid("ai.onnx.ml", OPSET_TREES),
        ],
        ir_version=IR_VERSION,
        producer_name="rrr",
    )
    checker.check_model(made)
    content: bytes = made.SerializeToString(deterministic=True)
    return content


def _network(weights: Mapping[str, F32], mark: str) -> tuple[list[Node], dict[str, NDArray[Any]]]:
    """Nodes from `steps` to the network's own `units`, and what they hold."""
    from onnx import helper

    hidden = weights["gru.weight_hh_l0"].shape[1]
    bias = np.concatenate([_gates(weights[f"gru.bias_{side}_l0"]) for side in ("ih", "hh")])
    held = {
        "w": _gates(weights["gru.weight_ih_l0"])[np.newaxis],
        "r": _gates(weights["gru.weight_hh_l0"])[np.newaxis],
        "b": bias[np.newaxis],
        "head": weights["head.weight"].T,
        "head_bias": weights["head.bias"],
    }
    w, r, b, head, head_bias, states, state, units = (
        name + mark for name in (*held, "states", "state", "units")
    )
    nodes = [
        helper.make_node(
            "GRU", ["steps", w, r, b], ["", states], hidden_size=hidden, linear_before_reset=1
        ),
        helper.make_node("Squeeze", [states, "first"], [state]),
        helper.make_node("Gemm", [state, head, head_bias], [units]),
    ]
    return nodes, {name + mark: weight for name, weight in held.items()}


def _gates(stacked: F32) -> NDArray[np.float32]:
    reset, update, new = np.split(stacked, 3)
    return np.concatenate([update, reset, new])
