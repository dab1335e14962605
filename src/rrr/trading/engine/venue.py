"""The seam: what stands between a decision and its fill, and the only thing a mode exchanges.

A venue that is far away sends what `carry` is given and answers later with `Report` events of its
own. The paper venue is in the room: it has answered before `advance` returns.
"""

import sqlite3
from collections.abc import Callable
from typing import Final, Protocol

from rrr.core.events import Event
from rrr.core.state import State
from rrr.database import journal
from rrr.trading.engine import far, paper
from rrr.trading.engine.paper import Record, World

Work = Callable[[sqlite3.Connection], None]
Advance = Callable[[World, Event, Record], World]

# By the mode of a session: who speaks for the venue, and which rows nobody here can make.
SPEAKERS: Final[dict[str, tuple[Advance, frozenset[int]]]] = {
    "paper": (paper.advance, journal.OUTSIDE),
    "live": (far.advance, far.OUTSIDE),
}


class Venue(Protocol):
    @property
    def mode(self) -> str:
        """A key of `SPEAKERS`."""

    def intend(self, record: Record) -> Work | None:
        """What must be on the disk, in the commit of a record's rows, before it is carried."""

    async def carry(self, record: Record, state: State) -> None:
        """Send the orders and cancels of a record, which left this state.

        Its rows are on the disk already.
        """


class Paper:
    """`core.matching`, in the same process: nothing leaves."""

    mode = "paper"

    def intend(self, record: Record) -> Work | None:
        return None

    async def carry(self, record: Record, state: State) -> None:
        return None
