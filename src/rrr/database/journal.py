"""Every event that entered the core and every decision that left it is a row, chained to the last.

Two hashes. `trace` folds the core columns: what decided and what resulted; a digest seals it with
the state once a UTC day, and "identical" means equal traces. `chain` folds trace and edge columns
row by row: tamper evidence of one journal, never compared between runs.
"""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import msgspec

from rrr.core.errors import JournalBroken
from rrr.core.events import (
    Adopted,
    Assumed,
    Close,
    Command,
    Decision,
    Depth,
    Detail,
    Event,
    Flow,
    Halted,
    Limits,
    Listing,
    Print,
    Refused,
    Signal,
    Touch,
)
from rrr.core.orders import Amend, Cancel, Order, Report
from rrr.core.state import State

DAY_MS: Final = 86_400_000
KINDS: Final[dict[type, int]] = {
    Limits: 1,
    Listing: 2,
    Flow: 3,
    Close: 4,
    Signal: 5,
    Report: 6,
    Command: 7,
    Touch: 8,
    Adopted: 9,
    Assumed: 10,
    Order: 11,
    Cancel: 12,
    Refused: 13,
    Halted: 14,
    Detail: 15,
    Print: 16,
    Depth: 17,
    Amend: 18,
}
OUTSIDE: Final = frozenset(
    {1, 2, 3, 4, 5, 7, 8, 9, 10, 15, 16, 17}
)  # what no venue and no core can make by itself
REPORT: Final = 6
DIGEST: Final = 21
INTEGERS: Final = b"0123456789-,[]"  # all that the core's records are written with
NAMES: Final = {kind: what.__name__.lower() for what, kind in KINDS.items()} | {DIGEST: "digest"}

encode: Final = msgspec.json.Encoder().encode
_DECODERS: Final[dict[int, msgspec.json.Decoder[Any]]] = {
    kind: msgspec.json.Decoder(what) for what, kind in KINDS.items()
}
_PREFIX: Final = {kind: bytes((kind,)) for kind in (*KINDS.values(), DIGEST)}


class Head(NamedTuple):
    """Where a book's journal stands: what the next row continues."""

    number: int
    trace: bytes
    chain: bytes
    at_ms: int  # of the last row


class Row(NamedTuple):
    """One row, as the table has it, less session and book."""

    number: int
    kind: int
    at_ms: int
    core: str
    run: int
    arrived_at_ms: int
    note: str
    chain: bytes


def beginning(key: str) -> Head:
    """The head of an empty journal. Its chain is the session's own; its trace is everybody's."""
    return Head(0, bytes(32), blake2b(key.encode(), digest_size=32).digest(), 0)


class Pen:
    """Writes one book's rows, and knows where they end."""

    def __init__(self, head: Head, run: int = 0) -> None:
        self.head = head
        self.run = run  # the life of the process that writes

    def write(
        self, record: Iterable[Event | Decision], arrived_at_ms: int, note: str = ""
    ) -> list[Row]:
        """Turn what one event from outside caused into rows. The note is the first row's."""
        rows, at_ms = [], self.head.at_ms
        for item in record:
            if not isinstance(item, Order):
                at_ms = item.at_ms  # an order leaves when the event before it enters
            if is_row(item):
                rows.append(self._row(KINDS[type(item)], at_ms, encode(item), arrived_at_ms, note))
                note = ""
        return rows

    def turn(self, at_ms: int, state: State, arrived_at_ms: int) -> list[Row]:
        """Seal the day that ended, if one did: its digest holds the trace and the state."""
        if self.head.at_ms == 0 or day(at_ms) == day(self.head.at_ms):
            return []
        return [self.seal(state, arrived_at_ms)]

    def seal(self, state: State, arrived_at_ms: int) -> Row:
        digest = state_hash(self.head.trace, state)
        core = msgspec.json.encode((self.head.at_ms, digest))
        return self._row(DIGEST, self.head.at_ms, core, arrived_at_ms, "")

    def _row(self, kind: int, at_ms: int, core: bytes, arrived_at_ms: int, note: str) -> Row:
        assert kind == DIGEST or not core.translate(None, INTEGERS), "No float decides anything."
        trace = traced(self.head.trace, kind, core)
        chain = chained(self.head.chain, trace, at_ms, self.run, arrived_at_ms, note)
        self.head = Head(self.head.number + 1, trace, chain, at_ms)
        return Row(
            self.head.number, kind, at_ms, core.decode(), self.run, arrived_at_ms, note, chain
        )


def is_row(item: Event | Decision) -> bool:
    """A refusal that repeats the one before it is a count, held in the state, and not a row."""
    return not isinstance(item, Refused) or item.times == 1


def day(at_ms: int) -> int:
    """The UTC day that a closing time ends in: midnight belongs to the day before."""
    return (at_ms - 1) // DAY_MS


def traced(trace: bytes, kind: int, core: bytes) -> bytes:
    return blake2b(trace + _PREFIX[kind] + core, digest_size=32).digest()


def chained(
    chain: bytes, trace: bytes, at_ms: int, run: int, arrived_at_ms: int, note: str
) -> bytes:
    edge = b"%d,%d,%d," % (at_ms, run, arrived_at_ms)
    return blake2b(chain + trace + edge + note.encode(), digest_size=32).digest()


def state_hash(trace: bytes, state: State) -> str:
    """What two identical runs have in common: all that happened, and what it led to."""
    return blake2b(trace + encode(state), digest_size=32).hexdigest()


def decode(row: Row) -> Event | Decision:
    """Raise JournalBroken where a row does not say what its kind says."""
    try:
        item: Event | Decision = _DECODERS[row.kind].decode(row.core)
    except (KeyError, msgspec.MsgspecError) as error:
        raise JournalBroken(
            f"Row {row.number} of the journal cannot be read ({error}).", RESTORE
        ) from error
    return item


def verified(head: Head, rows: Iterable[Row]) -> Iterator[tuple[Head, Row]]:
    """Walk the chain from a head; every row with the head that it leaves."""
    for row in rows:
        if row.number != head.number + 1:
            raise JournalBroken(
                f"The journal goes from row {head.number} to row {row.number}: rows are missing.",
                RESTORE,
            )
        if row.kind not in _PREFIX:
            raise JournalBroken(f"Row {row.number} of the journal has an unknown kind.", RESTORE)
        trace = traced(head.trace, row.kind, row.core.encode())
        chain = chained(head.chain, trace, row.at_ms, row.run, row.arrived_at_ms, row.note)
        if chain != row.chain:
            raise JournalBroken(
                f"Row {row.number} of the journal was changed after it was written:"
                " its hash does not match.",
                RESTORE,
            )
        head = Head(row.number, trace, chain, row.at_ms)
        yield head, row


def walked(head: Head, rows: Iterable[Row]) -> Head:
    """The head after these rows; only their chain is looked at."""
    for after, _ in verified(head, rows):
        head = after
    return head


RESTORE: Final = (
    "Restore the database from a backup; to go on without this session, start with --new"
    " (the damaged rows stay for you to look at)."
)
