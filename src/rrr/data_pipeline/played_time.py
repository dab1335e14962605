"""Time passes only when it is let: each who sleeps wakes at his own, and acts before it goes on.

For whoever stands in place of the network, so that what happens depends on no clock and no machine.
"""

import asyncio
import heapq
from itertools import count
from typing import Any

TURNS = 40  # of the loop, until everybody who can act has acted


class PlayedTime:
    """A clock, and a way to wait by it."""

    def __init__(self, at_ms: int, turns: int = TURNS) -> None:
        self.headers: dict[str, str] = {}  # of a session: what is always said
        self._now_ms, self._turns = at_ms, turns
        self._numbers = count()
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []

    def clock_ms(self) -> int:
        return self._now_ms

    async def wait(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        due_ms = self._now_ms + max(int(seconds * 1000), 1)
        heapq.heappush(self._sleepers, (due_ms, next(self._numbers), future))
        await future

    def dress(self, ccxt: Any) -> None:
        """Make it ask and hear us. It pings by the clock on the wall: that is over."""
        ccxt.session, ccxt.own_session = self, False
        ccxt.streaming = {**(ccxt.streaming or {}), "keepAlive": 0}

    async def until(self, at_ms: int) -> None:
        """Wake those who sleep, each at its time."""
        await self.settle()
        while self._sleepers and self._sleepers[0][0] <= at_ms:
            due_ms, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                self._now_ms = max(due_ms, self._now_ms)
                future.set_result(None)
                await self.settle()
        self._now_ms = max(at_ms, self._now_ms)

    async def settle(self) -> None:
        """Until everybody who can act now has acted."""
        for _ in range(self._turns):
            await asyncio.sleep(0)
