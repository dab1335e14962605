"""Planted leaks, which the ways to find one must find.

`python -m tests.neural_network.leaks --markets 20` looks at this program's own features and labels,
and at the planted ones.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from rrr.neural_network.features import F32, WINDOW, features
from rrr.neural_network.labels import Labels, returns, sides
from rrr.neural_network.leaks import LOOKS, peeks, unsettled
from rrr.neural_network.panel import Panel
from tests.neural_network.markets import panel as market


def leaky_features(panel: Panel) -> F32:
    """As features, but the first of them knows a little of the next return."""
    made = features(panel)
    made[:, :-1, 0] += np.float32(0.1) * made[:, 1:, 0]
    return made


def leaky_labels(panel: Panel) -> Labels:
    """As returns, but in a unit of the whole history."""
    made = returns(panel, (1, 4, 16))
    return replace(made, values=made.values / panel.close.mean())


def early_labels(panel: Panel) -> Labels:
    """As sides, but said to be settled a candle before the last that they wait for."""
    made = sides(panel, 16)
    return replace(made, ends=np.maximum(made.ends - 1, np.arange(panel.times)))


def main() -> None:
    parser = argparse.ArgumentParser(description="Look for leaks in features and labels.")
    parser.add_argument("--markets", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    seeds = range(asked.seed, asked.seed + asked.markets)
    looked: dict[str, Callable[[Panel, int], list[str]]] = {
        "features": lambda panel, seed: peeks(features, panel, WINDOW, seed),
        "returns": lambda panel, seed: unsettled(lambda p: returns(p, (1, 4, 16)), panel, seed),
        "sides": lambda panel, seed: unsettled(lambda p: sides(p, 16), panel, seed),
        "planted: the next return": lambda panel, seed: peeks(leaky_features, panel, WINDOW, seed),
        "planted: a unit of the future": lambda panel, seed: unsettled(leaky_labels, panel, seed),
        "planted: settled too early": lambda panel, seed: unsettled(early_labels, panel, seed),
    }
    for name, look in looked.items():
        found = [bool(look(market(seed, 420, holes=0.02), seed)) for seed in seeds]
        print(  # noqa: T201
            f"{name}: leaks in {sum(found)} of {len(found)} markets, seeds {seeds[0]} to "
            f"{seeds[-1]}, {LOOKS} times each, 4 futures each"
        )


if __name__ == "__main__":
    main()
