"""Long once a close is higher than the highest of the candles before it, until one is too low.

Between the two it is silent: what is held stays held, as large as it was bought.
"""

from dataclasses import dataclass

import numpy as np

from ..panel import I64, Panel
from .rolling import earlier, highest, lowest
from .strategy import FLAT, FULL, SILENT, Strategy


@dataclass(frozen=True)
class Breakout(Strategy):
    """Donchian's channel, as in the Turtles' System 2: Faith, Original Turtle Rules (2003)."""

    entry_candles: int = 55  # a close above their highest high is bought
    exit_candles: int = 20  # a close below their lowest low is sold

    def __post_init__(self) -> None:
        least = min(self.entry_candles, self.exit_candles)
        self.require(least >= 1, "entry_candles and exit_candles are at least 1")

    @property
    def window(self) -> int:
        return max(self.entry_candles, self.exit_candles) + 1

    def convictions(self, panel: Panel) -> I64:
        above = panel.close > earlier(highest(panel.high, self.entry_candles))
        below = panel.close < earlier(lowest(panel.low, self.exit_candles))
        return np.select([below, above], [FLAT, FULL], SILENT)
