"""The baseline's opinion of many candles at once, equal to `baseline.Trend` in every bit."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rrr.core.market import BPS, PPM

from ..panel import I64, Panel
from .rolling import earlier, exact, over
from .strategy import Strategy

STEP: Final = 1_000  # PPM is two such steps: a long division that 64 bits hold


@dataclass(frozen=True)
class Trend(Strategy):
    """How far the fast average stands above the slow one, in mean absolute candle moves."""

    fast: int = 48  # candles
    slow: int = 240  # candles
    full_swings: int = 4  # mean moves apart, at full conviction

    def __post_init__(self) -> None:
        sound = 1 <= self.fast < self.slow and self.full_swings >= 1
        self.require(sound, "fast is at least 1 and below slow, full_swings at least 1")

    @property
    def window(self) -> int:
        return self.slow + 1

    def convictions(self, panel: Panel) -> I64:
        close = exact(panel.close, max(self.fast * self.slow * STEP, PPM))
        before = np.maximum(earlier(close), 1)
        moves: NDArray[Any] = abs(close - before) * PPM // before
        moves = exact(moves, self.slow * self.full_swings)
        full = np.maximum(over(moves, self.slow) * self.full_swings // self.slow, 1)
        slow = over(close, self.slow) * self.fast
        apart = _ppm(over(close, self.fast) * self.slow - slow, np.maximum(slow, 1))
        convictions: I64 = np.clip(apart * BPS // full, -BPS, BPS).astype(np.int64)
        return convictions


def _ppm(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[Any]:
    """`part * PPM // whole`, with no product on the way that is a million times as large."""
    thousands, rest = part // whole, part % whole
    for _ in range(2):
        thousands, rest = thousands * STEP + rest * STEP // whole, rest * STEP % whole
    return np.asarray(thousands)
