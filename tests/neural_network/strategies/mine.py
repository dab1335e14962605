"""Strategies of a person: one that is right, and one of each way in which they go wrong."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rrr.neural_network.strategies import FLAT, FULL, I64, Panel, Strategy, over


@dataclass(frozen=True)
class Above(Strategy):
    """Long while the close stands above its average; right."""

    candles: int = 20

    @property
    def window(self) -> int:
        return self.candles

    def convictions(self, panel: Panel) -> I64:
        above = panel.close * self.candles > over(panel.close, self.candles)
        return np.where(above, FULL, FLAT)


class Clairvoyant(Above):
    """The usual slip of whoever shifts the wrong way: the next close decides."""

    def convictions(self, panel: Panel) -> I64:
        coming = np.concatenate([panel.close[:, 1:], panel.close[:, -1:]], axis=1)
        return np.where(coming > panel.close, FULL, FLAT)


class Range(Above):
    """Knows the highest high of the whole panel, and so the future too."""

    def convictions(self, panel: Panel) -> I64:
        return np.where(panel.close * 20 > panel.high.max(axis=1, keepdims=True) * 19, FULL, FLAT)


class Elephant(Above):
    """An exponential average that begins with the first candle and never forgets it."""

    def convictions(self, panel: Panel) -> I64:
        average, told = panel.close[:, 0] * 1.0, []
        for column in range(panel.times):
            average = average + (panel.close[:, column] - average) / 200
            told.append(np.rint(average % 1 * FULL))
        return np.stack(told, axis=1).astype(np.int64)


class Vandal(Above):
    """Writes into what it should read."""

    def convictions(self, panel: Panel) -> I64:
        panel.close[:, 0] = 1
        return super().convictions(panel)


class Gambler(Above):
    """Throws dice."""

    def convictions(self, panel: Panel) -> I64:
        return np.random.default_rng().integers(0, FULL, panel.there.shape)


class Divider(Above):
    """Cannot live with a close that is even and like the one before."""

    def convictions(self, panel: Panel) -> I64:
        told = super().convictions(panel)
        for column in range(1, panel.times):
            if panel.close[0, column] % 64 == 0:
                told[0, column] = 1 // int(panel.close[0, column] % 64)
        return told


class Vague(Above):
    """Says what is no number where it has nothing to say, in the way of other libraries."""

    def convictions(self, panel: Panel) -> I64:
        told = super().convictions(panel).astype(np.float64)
        told[panel.close % 64 == 0] = np.nan
        return told  # type: ignore[return-value]


class Leader(Above):
    """Compares instruments, and says so; each is judged by the next close of the first."""

    together: ClassVar[bool] = True

    def convictions(self, panel: Panel) -> I64:
        coming = np.concatenate([panel.close[:1, 1:], panel.close[:1, -1:]], axis=1)
        return np.broadcast_to(np.where(coming > panel.close[:1], FULL, FLAT), panel.there.shape)
