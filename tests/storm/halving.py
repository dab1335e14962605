"""All after a candle that rose, a little after the first that fell, none after the second: no
sense, and many entries, sales of a part, and exits."""

from dataclasses import dataclass

import numpy as np

from rrr.neural_network.strategies import FLAT, FULL, I64, Panel, Strategy, earlier

LITTLE = FULL // 200  # of equity, where a storm may hold twice as much


@dataclass(frozen=True)
class Halving(Strategy):
    """Of three candles."""

    @property
    def window(self) -> int:
        return 3

    def convictions(self, panel: Panel) -> I64:
        rises = panel.close >= earlier(panel.close)
        rose = earlier(panel.close) >= earlier(panel.close, 2)
        return np.where(rises, FULL, np.where(rose, LITTLE, FLAT))
