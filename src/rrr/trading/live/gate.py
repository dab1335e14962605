"""Who sells or cancels goes first; whoever only asks never takes the last place.

So many requests may be under way at once. A question that hangs keeps one place of them, and the
others stay for orders.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from heapq import heappop, heappush
from itertools import count
from typing import Final

ROOM: Final = 4
QUESTIONS: Final = 1  # of the room


class Rank(IntEnum):
    EXIT = 0
    ENTRY = 1
    QUESTION = 2


@dataclass(slots=True)
class Gate:
    room: int = ROOM
    questions: int = QUESTIONS
    _waiting: list[tuple[int, int, asyncio.Future[None]]] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=count)
    _inside: list[Rank] = field(default_factory=list)

    @asynccontextmanager
    async def turn(self, rank: Rank) -> AsyncIterator[None]:
        """Wait for a place, in the order of ranks and then of arrival; keep it for the block."""
        came: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heappush(self._waiting, (rank, next(self._numbers), came))
        self._open()
        try:
            await came
        except asyncio.CancelledError:
            if came.done() and not came.cancelled():
                self._leave(rank)
            raise
        try:
            yield
        finally:
            self._leave(rank)

    def _leave(self, rank: Rank) -> None:
        self._inside.remove(rank)
        self._open()

    def _open(self) -> None:
        """Let in whoever may enter: nobody overtakes a better rank."""
        while self._waiting and len(self._inside) < self.room:
            rank, _, came = self._waiting[0]
            if rank == Rank.QUESTION and self._inside.count(Rank.QUESTION) >= self.questions:
                return
            heappop(self._waiting)
            if not came.done():
                self._inside.append(Rank(rank))
                came.set_result(None)
