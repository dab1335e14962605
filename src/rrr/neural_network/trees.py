"""A forest is the same in the library that grew it and in the graph that serves: row by row.

Gradient boosting with histograms (Ke et al., "LightGBM", 2017), as scikit-learn has it; this file
alone knows scikit-learn. Its thresholds are doubles, a graph's are single: each is rounded down to
the next single, and then `x <= threshold` says the same of every single `x`. A forest is grown on
one thread to its full number of trees; no row decides when to stop.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .features import F32
from .graph import Node
from .labels import F64
from .panel import I64, Mask

TREES: Final = 100
RATE: Final = 0.05
LEAVES_MAX: Final = 15  # of a tree
ROWS_MIN: Final = 100  # of a leaf, which also holds at least a hundredth of all rows
PENALTY: Final = 10.0  # rows of nothing that each leaf is thought to hold besides


class Forest(NamedTuple):
    """All nodes of all trees; a leaf says `value`, the sum of leaves and `bias` is the opinion."""

    tree: I64
    node: I64  # its number in its tree; 0 is the root
    leaf: Mask
    feature: I64
    threshold: F32  # a row that is not above it goes left
    left: I64
    right: I64
    value: F32
    bias: float

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {name: np.asarray(column) for name, column in self._asdict().items()}


def grow(x: F32, y: F64, seed: int) -> Forest:
    """Learn from (rows, inputs) and (rows,); the mean opinion on these rows is none."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    grower = HistGradientBoostingRegressor(
        learning_rate=RATE,
        max_iter=TREES,
        max_leaf_nodes=LEAVES_MAX,
        min_samples_leaf=max(ROWS_MIN, len(x) // 100),
        l2_regularization=PENALTY,
        early_stopping=False,
        random_state=seed,
    )
    with threadpool_limits(1):
        grower.fit(x, y)
        mean = float(grower.predict(x).mean())
    return forest_of(grower, -mean)


def forest_of(grower: Any, shift: float = 0.0) -> Forest:
    """The forest of a fitted grower, whose every opinion is shifted by so much."""
    trees = [one.nodes for (one,) in grower._predictors]
    nodes = np.concatenate(trees)
    sizes = [len(tree) for tree in trees]
    return Forest(
        np.repeat(np.arange(len(trees)), sizes),
        np.concatenate([np.arange(size) for size in sizes]),
        nodes["is_leaf"].astype(np.bool_),
        nodes["feature_idx"].astype(np.int64),
        _down(nodes["num_threshold"]),
        nodes["left"].astype(np.int64),
        nodes["right"].astype(np.int64),
        nodes["value"].astype(np.float32),
        float(grower._baseline_prediction.item()) + shift,
    )


def ensemble(forest: Forest, inputs: str, output: str) -> Node:
    """The node from `inputs` (n, inputs) to `output` (n, 1)."""
    from onnx import helper

    leaf = forest.leaf
    return helper.make_node(
        "TreeEnsembleRegressor",
        [inputs],
        [output],
        domain="ai.onnx.ml",
        n_targets=1,
        aggregate_function="SUM",
        post_transform="NONE",
        base_values=[forest.bias],
        nodes_treeids=forest.tree.tolist(),
        nodes_nodeids=forest.node.tolist(),
        nodes_modes=["LEAF" if ends else "BRANCH_LEQ" for ends in leaf.tolist()],
        nodes_featureids=np.where(leaf, 0, forest.feature).tolist(),
        nodes_values=np.where(leaf, 0, forest.threshold).tolist(),
        nodes_truenodeids=np.where(leaf, 0, forest.left).tolist(),
        nodes_falsenodeids=np.where(leaf, 0, forest.right).tolist(),
        target_treeids=forest.tree[leaf].tolist(),
        target_nodeids=forest.node[leaf].tolist(),
        target_ids=[0] * int(leaf.sum()),
        target_weights=forest.value[leaf].tolist(),
    )


def _down(thresholds: F64) -> NDArray[np.float32]:
    """The largest single that is not above each."""
    single = thresholds.astype(np.float32)
    return np.where(single > thresholds, np.nextafter(single, np.float32(-np.inf)), single)
