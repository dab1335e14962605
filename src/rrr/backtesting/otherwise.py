"""History goes on in another way after some time; who knew it before is found, and by which candle.

A change leaves every candle up to a time alone and makes others of those after it: other numbers,
another order, fewer of them, none at all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rrr.core.errors import StrategyBroken
from rrr.neural_network.panel import NUMBERS, Panel

Answer = NDArray[Any]  # (instruments, times) or (instruments, times, features)
Ask = Callable[[Panel], Answer]
Change = Callable[[Panel, int, np.random.Generator], Panel]

COLUMNS: Final = (*NUMBERS, "there")
SPREAD: Final = 0.1  # of the logarithm of a number's factor
SHIFT: Final = 0.5  # of all of them together


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """An answer that what came after it moved."""

    place: tuple[int, ...]  # instrument, time, and feature
    before: Any
    after: Any
    by: int | None = None  # the time of the candle with which it moves, and before which it stays
    whose: int | None = None  # the instrument of that candle, where one is enough
    columns: tuple[str, ...] = ()  # of it, each of which is enough


def moved(
    ask: Ask, panel: Panel, until: int, change: Change, dice: np.random.Generator
) -> Moved | None:
    """What was said up to a time and changed with what came after it; the earliest of it."""
    told, later = ask(panel), change(panel, until, dice)
    other = ask(later)
    place = differs(told, other, until)
    if place is None:
        return None
    found = Moved(place, told[place], other[place])
    if later.times < panel.times:
        return found

    def moves(mixed: Panel) -> bool:
        try:
            return differs(told, ask(mixed), until) is not None
        except StrategyBroken:  # such a candle cannot be, and is asked for to learn, not to blame
            return False

    stands, falls = until, panel.times - 1
    while falls - stands > 1:
        middle = (stands + falls) // 2
        if moves(_mixed(panel, later, slice(until + 1, middle + 1))):
            falls = middle
        else:
            stands = middle
    almost, one = _mixed(panel, later, slice(until + 1, falls)), slice(falls, falls + 1)
    for whose in range(panel.instruments):
        if moves(_mixed(almost, later, one, whose)):
            alone = (n for n in COLUMNS if moves(_mixed(almost, later, one, whose, (n,))))
            return replace(found, by=falls, whose=whose, columns=tuple(alone))
    return replace(found, by=falls)


def differs(told: Answer, other: Answer, until: int) -> tuple[int, ...] | None:
    """Where the first answer up to a time stands that is another."""
    changed = told[:, : until + 1] != other[:, : until + 1]
    if not changed.any():
        return None
    time = int(changed.any(axis=tuple(a for a in range(changed.ndim) if a != 1)).argmax())
    number, *rest = np.argwhere(changed[:, time])[0].tolist()
    return number, time, *rest


def moving(panel: Panel, until: int, dice: np.random.Generator) -> Panel:
    """Other prices, other volumes, each by itself and all higher or lower."""
    after = np.s_[:, until + 1 :]
    columns = {name: getattr(panel, name).copy() for name in NUMBERS}
    shift = dice.normal(0, SHIFT, (2, 1, 1))
    price, volume = np.exp(dice.normal(shift, SPREAD, (2, *panel.there[after].shape)))
    for name, column in columns.items():
        factor = volume if name == "volume" else price
        column[after] = np.maximum(np.rint(column[after] * factor), 1) * panel.there[after]
    return replace(panel, **columns)


def shuffling(panel: Panel, until: int, dice: np.random.Generator) -> Panel:
    """The same candles in another order."""
    order = np.arange(panel.times)
    dice.shuffle(order[until + 1 :])
    return replace(panel, **{name: getattr(panel, name)[:, order] for name in COLUMNS})


def emptying(panel: Panel, until: int, dice: np.random.Generator) -> Panel:
    """Every other candle is missing."""
    gone = np.zeros(panel.there.shape, np.bool_)
    gone[:, until + 1 :] = dice.random(gone[:, until + 1 :].shape) < 0.5
    columns: dict[str, Any] = {name: np.where(gone, 0, getattr(panel, name)) for name in NUMBERS}
    return replace(panel, **columns, there=panel.there & ~gone)


def ending(panel: Panel, until: int, dice: np.random.Generator) -> Panel:
    """Nothing came after it."""
    return panel.cut(0, until + 1)


def _mixed(
    panel: Panel,
    later: Panel,
    times: slice,
    whose: int | slice = slice(None),
    names: Sequence[str] = COLUMNS,
) -> Panel:
    """The panel, with these times of the other one."""
    columns: dict[str, Any] = {name: getattr(panel, name).copy() for name in names}
    for name, column in columns.items():
        column[whose, times] = getattr(later, name)[whose, times]
    return replace(panel, **columns)
