"""The seam: what stands between a decision and its fill, and the only thing a mode exchanges.

A venue that is far away sends what `carry` is given and answers later with `Report` events of its
own. The paper venue is in the room: it has answered before `advance` returns.
"""

from typing import Protocol

from rrr.core.events import Event
from rrr.trading.engine import paper
from rrr.trading.engine.paper import Record, World


class Venue(Protocol):
    def advance(self, world: World, event: Event, record: Record) -> World:
        """Let the kernel meet an event; `record` grows by all that entered and left. Pure."""

    async def carry(self, record: Record) -> None:
        """Send the orders and cancels of a record. Its rows are on the disk already."""


class Paper:
    """`core.matching`, in the same process: nothing leaves."""

    def advance(self, world: World, event: Event, record: Record) -> World:
        return paper.advance(world, event, record)

    async def carry(self, record: Record) -> None:
        return None
