"""A row is a candle, says nothing, or is refused by its place.

What says nothing (no price at all, or the same again) is left out and counted; what contradicts
itself or another row ends the import. Whatever the order of the file, candles leave oldest first.
"""

from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rrr.data_pipeline.recorded_files import timeframe_name
from rrr.data_pipeline.recorded_rows import PRICES, VALUES, Rows, first, utc, within_reason
from rrr.data_pipeline.store_series import ORDERED, VALUE_END, off_grid

Places: TypeAlias = NDArray[np.intp]


def sane(rows: Rows) -> tuple[Rows, Places]:
    """The rows that say something, and which of the given ones they are."""
    empty = np.all([np.isnan(rows.values[name]) for name in PRICES], axis=0)
    kept = np.flatnonzero(~empty)
    said = taken(rows, kept)
    if count := int(empty.sum()):
        word = f"{count:,} row{'s' * (count > 1)} without prices left out"
        said = replace(
            said, notes=(*said.notes, f"{word}, the first in {rows.at(first(empty) or 0)}")
        )
    _possible(said)
    if len(kept):
        within_reason(said)
    return said, kept


def in_order(rows: Rows, step_ms: int, shift_ms: int) -> tuple[Rows, Places]:
    """By opening time: on its grid, each once."""
    opened = rows.opened_at_ms - shift_ms
    odd = first(off_grid(opened, step_ms))
    if odd is not None:
        stamp, asked = int(rows.opened_at_ms[odd]), timeframe_name(step_ms)
        raise rows.refusal(odd, f"{utc(stamp)} is off the grid of {asked} candles")
    order = np.argsort(opened, kind="stable")
    rows = replace(taken(rows, order), opened_at_ms=opened[order], notes=_told(rows, opened))
    repeats = np.flatnonzero(np.diff(rows.opened_at_ms) == 0)
    _agree(rows, repeats)
    kept = np.delete(np.arange(len(order)), repeats + 1)
    if count := len(repeats):
        word = f"{count:,} row{'s' * (count > 1)} that repeat{'s' * (count == 1)} another left out"
        note = f"{word}, the first in {rows.at(int(repeats[0]) + 1)}"
        rows = replace(rows, notes=(*rows.notes, note))
    return taken(rows, kept), order[kept]


def taken(rows: Rows, places: Places) -> Rows:
    if len(places) == len(rows.places) and (np.diff(places) == 1).all():
        return rows
    return replace(
        rows,
        places=rows.places[places],
        opened_at_ms=rows.opened_at_ms[places],
        values={name: value[places] for name, value in rows.values.items()},
    )


def _possible(rows: Rows) -> None:
    """The first row that no market made is refused, whichever way it is wrong."""
    wrongs: list[tuple[int, str]] = []
    for name in VALUES:
        value = rows.values[name]
        least = value <= 0 if name in PRICES else value < 0
        for mask, why in (
            (~np.isfinite(value), "which is no number"),
            (least, "which no market has"),
            (value >= VALUE_END, "which no book can count"),
        ):
            if len(value) and (index := first(mask)) is not None:
                wrongs.append((index, f"{name} is {value[index]:.15g}, {why}"))
    for upper, lower in ORDERED:
        above, below = rows.values[upper], rows.values[lower]
        if len(above) and (index := first(above < below)) is not None:
            words = f"{upper} {above[index]:.15g} is below {lower} {below[index]:.15g}"
            wrongs.append((index, words))
    if wrongs:
        raise rows.refusal(*min(wrongs, key=lambda wrong: wrong[0]))


def _told(rows: Rows, opened: NDArray[np.int64]) -> tuple[str, ...]:
    """Newest first is as clear as oldest first; any other order is said."""
    steps = np.diff(opened)
    down, up = np.count_nonzero(steps < 0), np.count_nonzero(steps > 0)
    if not down:
        return rows.notes
    if not up:
        return (*rows.notes, "newest first: read backwards")
    late = first(steps < 0 if down <= up else steps > 0)
    assert late is not None, "Some steps go each way."
    return (*rows.notes, f"out of order, first in {rows.at(late + 1)}: sorted")


def _agree(rows: Rows, repeats: Places) -> None:
    """Two rows of one time say the same, or the later of them is refused."""
    unlike = np.zeros(len(repeats), np.bool_)
    for value in rows.values.values():
        unlike |= value[repeats] != value[repeats + 1]
    if not unlike.any():
        return
    index = int(repeats[unlike][0])
    here, there = sorted((index, index + 1), key=lambda row: int(rows.places[row]))
    said = ", ".join(
        f"{name} {value[here]:.15g} or {value[there]:.15g}"
        for name, value in rows.values.items()
        if value[here] != value[there]
    )
    stamp = utc(int(rows.opened_at_ms[index]))
    raise rows.refusal(there, f"it contradicts {rows.at(here)} of the same {stamp}: {said}")
