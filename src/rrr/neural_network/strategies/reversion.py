"""Buys what fell far below its average, in its own usual ranges, and sells it back at the average.

Between the two it is silent: what is held stays held, as large as it was bought.
"""

from dataclasses import dataclass

import numpy as np

from ..panel import I64, Panel
from .rolling import earlier, exact, over
from .strategy import FLAT, FULL, SILENT, Strategy


@dataclass(frozen=True)
class MeanReversion(Strategy):
    """Keltner's channel with Wilder's true range, both plain averages over the same candles."""

    candles: int = 20
    depth_percent: int = 200  # of the average true range, below the average close

    def __post_init__(self) -> None:
        sound = self.candles >= 1 and self.depth_percent >= 0
        self.require(sound, "candles is at least 1, and depth_percent not below 0")

    @property
    def window(self) -> int:
        return self.candles + 1

    def convictions(self, panel: Panel) -> I64:
        before = earlier(panel.close)
        true_range = np.maximum(panel.high, before) - np.minimum(panel.low, before)
        most = self.candles * max(self.depth_percent, 100)
        close = exact(panel.close, most)
        below = over(close, self.candles) - close * self.candles
        reach = over(exact(true_range, most), self.candles) * self.depth_percent
        return np.select([below <= 0, below * 100 > reach], [FLAT, FULL], SILENT)
