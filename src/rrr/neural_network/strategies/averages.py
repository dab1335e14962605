"""Long while the fast average of closes stands above the slow one; flat while it does not.

Sums of whole numbers are compared crosswise, so a tie is a tie, and is no reason to be long.
"""

from dataclasses import dataclass

import numpy as np

from ..panel import I64, Panel
from .rolling import exact, over
from .strategy import FLAT, FULL, Strategy


@dataclass(frozen=True)
class MovingAverageCross(Strategy):
    """Two simple averages: Brock, Lakonishok and LeBaron, Journal of Finance 47 (1992)."""

    fast: int = 10  # candles
    slow: int = 50  # candles

    def __post_init__(self) -> None:
        self.require(1 <= self.fast < self.slow, "fast is at least 1, and below slow")

    @property
    def window(self) -> int:
        return self.slow

    def convictions(self, panel: Panel) -> I64:
        close = exact(panel.close, self.fast * self.slow)
        above = over(close, self.fast) * self.slow > over(close, self.slow) * self.fast
        return np.where(above, FULL, FLAT)
