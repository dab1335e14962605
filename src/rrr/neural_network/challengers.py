"""What is simpler learns the same lessons each time, and may serve where nothing beats it.

Ridge (Hoerl and Kennard, 1970) and boosted trees see the last row whole: its features look back by
themselves. Of the two rows before they see only what is told of one candle; the averages repeat
the rest, and each input more is noise. Rows, labels and scaling are the network's, so is the door
of the graph, and as with the network what all labels had in common is drift: the mean opinion is
none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rrr.core.errors import ModelBroken

from .features import F32, FEATURES, STEPS
from .graph import Node, Scaling, door
from .labels import F64, Split, split
from .trees import TREES, ensemble, grow

LAGS: Final = (1, 2)
OF_ONE_CANDLE: Final = (
    *(
        "return_1",
        "range",
        "close_in_range",
        "volume",
        "market_return_1",
        "leader_return_1",
        "hole",
    ),
)
PLACES: Final = (  # rows back, number of the feature
    *((0, number) for number in range(len(FEATURES))),
    *((lag, FEATURES.index(name)) for lag in LAGS for name in OF_ONE_CANDLE),
)
PENALTIES: Final = tuple(10.0 ** (half / 2) for half in range(-6, 3))  # in variances of an input


@dataclass(frozen=True, slots=True)
class Challenger:
    name: str
    network: bytes  # ONNX, `x` (n, STEPS, features) to `y` (n,)
    settings: dict[str, float]
    weights: dict[str, NDArray[Any]]


def ridge(x: F32, y: F64, parts: Split, horizon: int) -> Challenger:
    """w = (Z'Z/n + λ)⁻¹ Z'y/n; λ is chosen by the last rows that teach, from those before them."""
    from onnx import helper

    scaling = Scaling.fitted(x[:, : parts.training.stop])
    early, late = (_lessons(x, y, rows, scaling) for rows in split(parts.training, horizon))
    weighed = zip(_weights(early, PENALTIES), PENALTIES, strict=True)
    penalty = min((_miss(weights, late), each) for weights, each in weighed)[1]
    taught = _lessons(x, y, parts.training, scaling)
    (weights,) = _weights(taught, [penalty])
    held = {
        "weights": weights.astype(np.float32)[:, np.newaxis],
        "bias": np.array([-taught.inputs.mean(axis=0) @ weights], np.float32),
    }
    line = [helper.make_node("Gemm", ["seen", "weights", "bias"], ["units"])]
    network = _graph(line, scaling, held)
    return Challenger("ridge", network, {"penalty": penalty}, held | _seen(scaling)._asdict())


def boosting(x: F32, y: F64, parts: Split, seed: int) -> Challenger:
    from onnx import helper

    scaling = Scaling.fitted(x[:, : parts.training.stop])
    forest = grow(*_lessons(x, y, parts.training, scaling), seed)
    # Trees would say a number of what is none: nothing times it is none either.
    nodes = [
        ensemble(forest, "seen", "grown"),
        helper.make_node("Mul", ["seen", "nothing"], ["clear"]),
        helper.make_node("ReduceSum", ["clear", "inputs"], ["cleared"]),
        helper.make_node("Add", ["grown", "cleared"], ["units"]),
    ]
    held: dict[str, NDArray[Any]] = {
        "nothing": np.array(0, np.float32),
        "inputs": np.array([1], np.int64),
    }
    network, kept = _graph(nodes, scaling, held), _seen(scaling)._asdict()
    return Challenger("boosting", network, {"trees": TREES}, forest.arrays() | kept)


def inputs(x: F32, rows: range) -> F32:
    """(instruments, rows, inputs): what is seen of the `STEPS` rows that end with each of these."""
    columns = [x[:, rows.start - back : rows.stop - back, number] for back, number in PLACES]
    return np.stack(columns, axis=-1)


class _Lessons(NamedTuple):
    inputs: F32  # (lessons, inputs), scaled
    labels: F64  # (lessons,), around their mean


def _lessons(x: F32, y: F64, rows: range, scaling: Scaling) -> _Lessons:
    """Of these rows of all instruments, where the label is known; ModelBroken if it nowhere is."""
    labels = y[:, rows.start : rows.stop]
    known = ~np.isnan(labels)
    if not known.any():
        raise ModelBroken(
            f"Of {len(rows):,} closing times that are to teach, not one has a label.",
            "Give it a history with fewer holes.",
        )
    seen = _seen(scaling).of(inputs(x, rows)[known])
    return _Lessons(seen, labels[known] - labels[known].mean())


def _seen(scaling: Scaling) -> Scaling:
    """Of the inputs."""
    numbers = [number for _, number in PLACES]
    return Scaling(scaling.mean[numbers], scaling.factor[numbers])


def _weights(taught: _Lessons, penalties: Sequence[float]) -> Iterator[F64]:
    z = taught.inputs.astype(np.float64)
    common, towards = z.T @ z / len(z), z.T @ taught.labels / len(z)
    for penalty in penalties:
        yield np.linalg.solve(common + penalty * np.eye(len(common)), towards).astype(np.float64)


def _miss(weights: F64, judged: _Lessons) -> float:
    return float(((judged.inputs @ weights - judged.labels) ** 2).mean())


def _graph(opinion: Sequence[Node], scaling: Scaling, held: dict[str, NDArray[Any]]) -> bytes:
    """Around the nodes that make `units` of what is `seen`."""
    from onnx import helper

    row = STEPS * len(FEATURES)
    nodes = [
        helper.make_node("Reshape", ["x", "wide"], ["all"]),
        helper.make_node("Gather", ["all", "places"], ["picked"], axis=1),
        helper.make_node("Sub", ["picked", "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "factor"], ["seen"]),
        *opinion,
        helper.make_node("Reshape", ["units", "flat"], ["y"]),
    ]
    places = [row - (back + 1) * len(FEATURES) + number for back, number in PLACES]
    numbers = {"wide": [-1, row], "places": places, "flat": [-1]}
    shapes = {name: np.array(each, np.int64) for name, each in numbers.items()}
    return door(nodes, held | shapes | _seen(scaling)._asdict())
