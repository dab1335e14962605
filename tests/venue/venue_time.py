"""Market time runs `speed` times as fast as the world's, from a start that somebody chose.

Both processes of this machine know it: they read the same monotonic clock.
"""

import time
from dataclasses import dataclass
from typing import Final

SPEED_MAX: Final = 3_600
NOON_MS: Final = 1_704_110_400_000  # 2024-01-01 12:00 UTC


@dataclass(frozen=True, slots=True)
class VenueTime:
    start_ms: int
    speed: float
    begun: float  # by the monotonic clock, in seconds

    @classmethod
    def begin(cls, start_ms: int, speed: float) -> "VenueTime":
        assert 0 < speed <= SPEED_MAX, f"a speed of {speed} is none from 1 to {SPEED_MAX}"
        return cls(start_ms, speed, time.monotonic())

    def now_ms(self) -> int:
        return self.start_ms + int((time.monotonic() - self.begun) * self.speed * 1_000)

    def world_s(self, market_ms: float) -> float:
        """How long that is by the clock on the wall."""
        return market_ms / 1_000 / self.speed
