"""Whoever knows what comes later gives himself away: four ways to make him.

Each takes a function as it is (features, labels, a fit, the opinions of a whole pipeline) and says
where it leaks; nothing said is nothing found. `python -m tests.neural_network.leaks --markets 20`
looks at this program's own features and labels, and at planted leaks, which it must find.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rrr.neural_network.evidence import judge
from rrr.neural_network.features import F32, WINDOW, features
from rrr.neural_network.labels import F64, LOOKBACK, Labels, returns, sides
from rrr.neural_network.panel import NUMBERS, Panel
from tests.neural_network.markets import panel as market

Rows: TypeAlias = NDArray[Any]
Make: TypeAlias = Callable[[Panel], Rows]  # (instruments, times - window + 1, ...)
Fit: TypeAlias = Callable[[F32, F64], Mapping[str, Rows]]  # what it keeps, by name
Columns: TypeAlias = dict[str, Rows]
Dice: TypeAlias = np.random.Generator

LOOKS: Final = 50
FAR: Final = 10  # horizons
POISON: Final = 1e6


def peeks(make: Make, panel: Panel, window: int, seed: int, looks: int = LOOKS) -> list[str]:
    """Where rows up to a time are not the same bits under another future, or none."""
    told, found = make(panel), []
    for t, name, other in _futures(panel, window - 1, seed, looks):
        rows = t + 2 - window
        if not _same(make(other)[:, :rows], told[:, :rows]):
            found.append(f"candles after {t}, {name}, change rows up to it")
    return found


def unsettled(
    make: Callable[[Panel], Labels], panel: Panel, seed: int, looks: int = LOOKS
) -> list[str]:
    """Where a label, its end or its weight changed after the candle that is said to settle it."""

    def settled(labels: Labels, t: int) -> list[Rows]:
        done = labels.ends[..., : t + 1] <= t
        parts = labels.values, labels.ends, labels.uniqueness()
        return [done, *(part[..., : t + 1][done] for part in parts)]

    told, found = make(panel), []
    for t, name, other in _futures(panel, LOOKBACK, seed, looks):
        if not all(map(_same, settled(make(other), t), settled(told, t))):
            found.append(f"candles after {t}, {name}, change a label settled by then")
    return found


def foresees(opinions: F64, labels: F64, horizon: int) -> list[str]:
    """Whether opinions (instruments, times) tell labels ten horizons later than their own."""
    by = FAR * horizon
    seen = judge(opinions[:, :-by], labels[:, by:], horizon)
    if abs(seen.ic) <= 3 * seen.ic_error:
        return []
    return [f"the IC with labels {by} candles later is {seen.ic:.3f} ± {seen.ic_error:.3f}"]


def remembers(fit: Fit, x: F32, y: F64, judges: range | Rows) -> list[str]:
    """What a fit keeps of rows (axis 1 of both) that it must not learn from."""
    poisoned_x, poisoned_y = x.copy(), y.copy()
    poisoned_x[:, judges] = POISON
    poisoned_y[:, judges] = POISON
    clean, other = fit(x, y), fit(poisoned_x, poisoned_y)
    assert clean.keys() == other.keys()
    return [
        f"{name} knows rows that judge" for name in clean if not _same(clean[name], other[name])
    ]


def moved(columns: Columns, dice: Dice) -> None:
    factor = np.exp(dice.normal(0, 0.1, columns["there"].shape))
    for name in NUMBERS:
        columns[name][:] = np.rint(columns[name] * factor) + columns["there"]


def shuffled(columns: Columns, dice: Dice) -> None:
    order = dice.permutation(columns["there"].shape[1])
    for column in columns.values():
        column[:] = column[:, order]


def emptied(columns: Columns, dice: Dice) -> None:
    gone = dice.random(columns["there"].shape) < 0.5
    for column in columns.values():
        column[gone] = 0


def _futures(panel: Panel, first: int, seed: int, looks: int) -> list[tuple[int, str, Panel]]:
    """Random times, and panels that are the same up to there."""
    dice = np.random.default_rng(seed)
    made = []
    for t in dice.integers(first, panel.times - 2, looks).tolist():
        for change in (moved, shuffled, emptied):
            columns = {name: getattr(panel, name).copy() for name in (*NUMBERS, "there")}
            change({name: column[:, t + 1 :] for name, column in columns.items()}, dice)
            made.append((t, change.__name__, replace(panel, **columns)))
        made.append((t, "cut off", panel.cut(0, t + 1)))
    return made


def _same(one: Rows, other: Rows) -> bool:
    """Bit by bit, NaN too."""
    return one.shape == other.shape and one.tobytes() == other.tobytes()


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
