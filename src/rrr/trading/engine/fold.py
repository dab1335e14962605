"""State is the fold of the journal: what came from outside is met again, all else must follow.

Rows that the core and the paper venue make by themselves (reports, decisions, digests) are made
anew and compared with those written. Recovery and `rrr replay` are this one walk; only what they do
with a difference differs.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rrr.core.events import Decision, Event
from rrr.database.journal import (
    DIGEST,
    KINDS,
    NAMES,
    OUTSIDE,
    Head,
    Row,
    decode,
    encode,
    is_row,
    state_hash,
    verified,
)
from rrr.trading.engine.paper import Record, World
from rrr.trading.engine.venue import Advance

Made = tuple[int, str]  # kind and core of a row


class Difference(NamedTuple):
    """The first row that is not what the core makes of what came before."""

    number: int
    kind: str
    fields: Mapping[str, tuple[Any, Any]]  # name: what was recorded, what was made now


@dataclass(slots=True)
class Fold:
    """A walk along one journal, from a head and the world that belonged to it."""

    advance: Advance
    world: World
    head: Head
    outside: frozenset[int] = OUTSIDE
    rows: int = 0
    sealed: str = ""  # the digest, while it is the last row
    difference: Difference | None = None
    expected: deque[Made] = field(default_factory=deque)  # after the last event from outside
    early: list[Row] = field(default_factory=list)  # reports before the close that causes them

    @property
    def state_hash(self) -> str:
        """The seal of a finished session, or what it would be here."""
        return self.sealed or state_hash(self.head.trace, self.world.state)

    def walk(self, rows: Iterable[Row]) -> "Fold":
        """Meet every row; stop at the first difference. Raise JournalBroken where the chain is."""
        for head, row in verified(self.head, rows):
            self._meet(row)
            if self.difference is not None:
                return self
            self.head = head
            self.rows += 1
        for kind, core in self.expected:
            self._differ(self.head.number + 1, kind, None, core)
        for row in self.early:
            self._differ(row.number, row.kind, row.core, None)
        return self

    def _meet(self, row: Row) -> None:
        self.sealed = ""
        if self.expected:
            self._compare(row, self.expected.popleft())
        elif row.kind == DIGEST:
            self.sealed = state_hash(self.head.trace, self.world.state)
            self._compare(row, (DIGEST, f'[{self.head.at_ms},"{self.sealed}"]'))
        elif row.kind in self.outside:
            self._follow(row)
        else:
            self.early.append(row)

    def _follow(self, row: Row) -> None:
        """Meet what came from outside, and compare what went before it with what it causes."""
        event = decode(row)
        record: Record = []
        self.world = self.advance(self.world, event, record)  # type: ignore[arg-type]
        # What came from outside is as it was written: another version may write it otherwise.
        made = deque(
            (KINDS[type(item)], row.core if item is event else encode(item).decode())
            for item in record
            if is_row(item)
        )
        for written in (*self.early, row):
            if self.difference is None:
                self._compare(written, made.popleft() if made else None)
        self.early, self.expected = [], made

    def _compare(self, row: Row, made: Made | None) -> None:
        if made != (row.kind, row.core):
            same_kind = made is not None and made[0] == row.kind
            self._differ(row.number, row.kind, row.core, made[1] if made and same_kind else None)

    def _differ(self, number: int, kind: int, recorded: str | None, made: str | None) -> None:
        if self.difference is None:
            self.difference = Difference(number, NAMES[kind], fields(kind, recorded, made))


def fields(kind: int, recorded: str | None, made: str | None) -> dict[str, tuple[Any, Any]]:
    """Where two versions of a row differ, by the names of the core's fields."""
    if recorded is None or made is None or kind == DIGEST:
        return {"row": (recorded, made)}
    old, new = _plain(kind, recorded), _plain(kind, made)
    apart = {name: (old[name], new[name]) for name in old if old[name] != new[name]}
    return apart or {"row": (recorded, made)}


def _plain(kind: int, core: str) -> dict[str, Any]:
    item: Event | Decision = decode(Row(0, kind, 0, core, 0, 0, "", b""))
    return item._asdict()
