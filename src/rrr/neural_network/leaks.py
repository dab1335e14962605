"""Whoever knows what comes later gives himself away: ways to make him.

Each takes a function as it is (features, labels, a fit, the opinions of a whole pipeline) and says
where it leaks; nothing said is nothing found. Futures are moved, shuffled, emptied and cut off, and
everything that was known before must keep its very bits.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .evidence import judge
from .features import F32
from .labels import F64, LOOKBACK, Labels
from .panel import NUMBERS, Panel

Rows: TypeAlias = NDArray[Any]
Make: TypeAlias = Callable[[Panel], Rows]  # (instruments, times - window + 1, ...)
Fit: TypeAlias = Callable[[F32, F64], Mapping[str, Rows]]  # what it keeps, by name
Columns: TypeAlias = dict[str, Rows]
Dice: TypeAlias = np.random.Generator

LOOKS: Final = 50
FAR: Final = 10  # horizons
ERRORS: Final = 3.0
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


def remembered(make: Make, panel: Panel, window: int, seed: int, looks: int = LOOKS) -> list[str]:
    """Where a row made of its window alone has other bits than the same one of the whole."""
    told, dice = make(panel), np.random.default_rng(seed)
    return [
        f"the row at {t} knows more than its window"
        for t in dice.integers(window - 1, panel.times, looks).tolist()
        if not _same(make(panel.cut(t + 1 - window, t + 1))[:, -1], told[:, t + 1 - window])
    ]


def foresees(opinions: F64, labels: F64, horizon: int) -> list[str]:
    """Whether opinions (instruments, times) tell labels ten horizons later than their own.

    An opinion that is no number is none.
    """
    by = FAR * horizon
    said = opinions[:, :-by]
    later = np.where(np.isfinite(said), labels[:, by:], np.nan)
    if not np.isfinite(later).any():
        return [f"no label {by} candles after an opinion is known"]
    seen = judge(np.nan_to_num(said), later, horizon)
    if abs(seen.ic) <= ERRORS * seen.ic_error:
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
