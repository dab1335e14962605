"""Candles as columns of whole numbers on an even grid of time; a hole stays a hole.

Rows are instruments in canonical order, columns are opening times, one timeframe apart from the
first close to the last. Where no candle is `there`, all its numbers are 0 and nobody fills them.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rrr.core.events import Close

I64: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]

NUMBERS: Final = ("open", "high", "low", "close", "volume")
COLUMNS: Final = (*NUMBERS, "there", "opened_at_ms")
ABOUT: Final = ("timeframe_ms", "leader")
LEADER: Final = "BTC"


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    open: I64  # (instruments, times), as all before `opened_at_ms`; prices in points
    high: I64
    low: I64
    close: I64
    volume: I64  # grains
    there: Mask
    opened_at_ms: I64  # (times,)
    timeframe_ms: int
    leader: int = 0  # the instrument that others may follow; no part of the candles

    @property
    def instruments(self) -> int:
        return len(self.there)

    @property
    def times(self) -> int:
        return len(self.opened_at_ms)

    def cut(self, first: int, last: int | None = None) -> "Panel":
        """The times of a slice, without a copy."""
        return self._made({name: getattr(self, name)[..., first:last] for name in COLUMNS})

    def then(self, later: "Panel") -> "Panel":
        """Both, one after the other, with the hole between them."""
        if not self.times or not later.times:
            return self if self.times else later
        ends, begins = int(self.opened_at_ms[-1]) + self.timeframe_ms, int(later.opened_at_ms[0])
        assert ends <= begins, "The later panel begins after this one."
        hole = _blank(self.instruments, ends, begins, self.timeframe_ms, self.leader)
        parts = (self, hole, later)
        return self._made(
            {name: np.concatenate([getattr(p, name) for p in parts], axis=-1) for name in COLUMNS}
        )

    def digest(self) -> str:
        """The sha256 of all it holds, the same on every machine."""
        total = hashlib.sha256(f"panel 1 {self.there.shape} {self.timeframe_ms}\n".encode())
        for name in COLUMNS:
            total.update(getattr(self, name).astype("<i8").tobytes())
        return total.hexdigest()

    def save(self, path: Path) -> None:
        """Columns only: no pickle."""
        with path.open("wb") as file:
            np.savez(file, **{name: getattr(self, name) for name in (*COLUMNS, *ABOUT)})

    @classmethod
    def load(cls, path: Path) -> "Panel":
        with np.load(path, allow_pickle=False) as kept:
            return cls(*(kept[name] for name in COLUMNS), *(int(kept[name]) for name in ABOUT))

    def _made(self, columns: dict[str, Any]) -> "Panel":
        return Panel(**columns, timeframe_ms=self.timeframe_ms, leader=self.leader)


def leader_of(symbols: Sequence[str]) -> int:
    """Which of them the others may follow.

    >>> leader_of(["ADA-USD", "BTC-USD", "ETH-USD"]), leader_of(["ADA-USD", "ETH-USD"])
    (1, 0)
    """
    bases = [symbol.partition("-")[0] for symbol in symbols]
    return bases.index(LEADER) if LEADER in bases else 0


def panel_of(
    closes: Iterable[Close], instruments: int, timeframe_ms: int, leader: int = 0
) -> Panel:
    """The closes, the oldest first, on their grid."""
    closes = list(closes)
    if not closes:
        return _blank(instruments, 0, 0, timeframe_ms, leader)
    begins, ends = closes[0].opened_at_ms, closes[-1].opened_at_ms + timeframe_ms
    panel = _blank(instruments, begins, ends, timeframe_ms, leader)
    rows = np.fromiter(
        chain.from_iterable(
            (close.opened_at_ms, *one) for close in closes for one in close.candles
        ),
        np.int64,
    ).reshape(-1, 8)
    at, off = np.divmod(rows[:, 0] - begins, timeframe_ms)
    assert not off.any(), "A candle opens on the grid of its timeframe."
    assert (np.diff([close.opened_at_ms for close in closes]) > 0).all(), "The oldest come first."
    place = rows[:, 1], at
    for number, name in enumerate(NUMBERS, 2):
        getattr(panel, name)[place] = rows[:, number]
    panel.there[place] = True
    return panel


def _blank(instruments: int, begins_ms: int, ends_ms: int, timeframe_ms: int, leader: int) -> Panel:
    """All holes, opening from `begins_ms` to before `ends_ms`."""
    opened = np.arange(begins_ms, ends_ms, timeframe_ms, dtype=np.int64)
    shape = instruments, len(opened)
    numbers: dict[str, Any] = {name: np.zeros(shape, np.int64) for name in NUMBERS}
    there = np.zeros(shape, np.bool_)
    return Panel(
        **numbers, there=there, opened_at_ms=opened, timeframe_ms=timeframe_ms, leader=leader
    )
