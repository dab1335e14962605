"""Buys after a candle that rose and sells after one that fell: no sense, and many entries."""

from dataclasses import dataclass

import numpy as np

from rrr.neural_network.strategies import FLAT, FULL, I64, Panel, Strategy, earlier


@dataclass(frozen=True)
class Lively(Strategy):
    """Of two candles."""

    @property
    def window(self) -> int:
        return 2

    def convictions(self, panel: Panel) -> I64:
        return np.where(panel.close >= earlier(panel.close), FULL, FLAT)
