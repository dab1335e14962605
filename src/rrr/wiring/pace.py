"""Market time on the wall: at speed N a candle comes N times as fast as life brought it."""

import asyncio
import time

BEHIND_S = 5.0  # a machine that slept does not rush after what it missed


class Pace:
    """`max` waits for nothing, and neither does a market that is as slow as life itself."""

    def __init__(self, speed: float | str, *, real: bool) -> None:
        self.free = speed == "max" or real
        self.speed = 1.0 if isinstance(speed, str) else speed
        self.begin: tuple[int, float] | None = None

    async def until(self, at_ms: int) -> None:
        """Until this market time has come."""
        if self.free:
            return
        delay_s = self.delay_s(at_ms)
        if delay_s < -BEHIND_S:
            self.begin = (at_ms, time.monotonic())
        await asyncio.sleep(max(delay_s, 0.0))

    def delay_s(self, at_ms: int) -> float:
        """Seconds from now until this market time."""
        if self.begin is None:
            self.begin = (at_ms, time.monotonic())
        began_ms, began_s = self.begin
        return began_s + (at_ms - began_ms) / 1000 / self.speed - time.monotonic()
