"""The baseline's opinion is a function of the last `slow` candles, and of nothing else.

Trend: how far the fast average of closes stands above the slow one, in mean absolute candle moves.
`policy` sizes it by volatility. Running sums of integers are exact, so that an opinion formed from
one candle more equals one formed from the whole window anew.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from rrr.core.events import Close, Signal
from rrr.core.market import BPS, PPM


class Trend:
    """One opinion per instrument and closing time, once `slow` candles are known."""

    model: Final = 0
    name: Final = "baseline"

    def __init__(self, fast_candles: int, slow_candles: int, full_swings: int) -> None:
        assert 0 < fast_candles < slow_candles
        self.window: Final = slow_candles + 1
        self.fast, self.slow, self.full_swings = fast_candles, slow_candles, full_swings
        self.windows: dict[int, Window] = {}

    def meet(self, closes: Sequence[Close]) -> list[list[Signal]]:
        """For each close its signals, instruments in canonical order."""
        return [self._opinion(close) for close in closes]

    def warm(self, closes: Iterable[Close]) -> None:
        """Remember closes without a word."""
        for close in closes:
            self._opinion(close)

    def _opinion(self, close: Close) -> list[Signal]:
        signals = []
        for candle in close.candles:
            window = self.windows.get(candle.instrument)
            if window is None:
                window = self.windows[candle.instrument] = Window(self.fast, self.slow)
            window.add(candle.close)
            if window.full:
                conviction = window.conviction_bps(self.full_swings)
                signals.append(Signal(close.at_ms, candle.instrument, conviction, self.model))
        return signals


class Window:
    """The last closes of one instrument, with the sums that the averages need."""

    def __init__(self, fast: int, slow: int) -> None:
        self.fast, self.slow = fast, slow
        self.closes: deque[int] = deque()
        self.moves: deque[int] = deque()
        self.fast_sum = self.slow_sum = self.moves_sum = 0

    @property
    def full(self) -> bool:
        return len(self.moves) == self.slow

    def add(self, close: int) -> None:
        if self.closes:
            move = abs(close - self.closes[-1]) * PPM // self.closes[-1]
            self.moves.append(move)
            self.moves_sum += move
            if len(self.moves) > self.slow:
                self.moves_sum -= self.moves.popleft()
        self.closes.append(close)
        self.slow_sum += close
        self.fast_sum += close
        if len(self.closes) > self.fast:
            self.fast_sum -= self.closes[-self.fast - 1]
        if len(self.closes) > self.slow:
            self.slow_sum -= self.closes.popleft()

    def conviction_bps(self, full_swings: int) -> int:
        """10,000 when the averages stand `full_swings` mean moves apart, linear between."""
        apart = self.fast_sum * self.slow - self.slow_sum * self.fast
        apart_ppm = apart * PPM // (self.slow_sum * self.fast)
        full = max(self.moves_sum * full_swings // self.slow, 1)
        return max(-BPS, min(BPS, apart_ppm * BPS // full))
