"""Every fault of a venue in turn, in an order that a seed decides, with a pause after each.

Those after which a socket must be dialled again take turns with those that it outlives, so that
each finds it well. The machine sleeps last.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

from tests.venue.faults import KINDS, Fault

SLEEP: Final = "suspend"  # of the machine, and no fault of the venue
SILENT: Final = ("silence", "half_open", "frozen_stamps")

LEAST_MS: Final = 45_000
QUIET_MS: Final = 60_000  # before the first
LAST_MS: Final = 120_000  # after the last
_CUT_MS: Final = 4_000  # who is cut off meets what a new connection meets

_REST: Final = (
    *("http_429", "http_418", "http_500", "html", "truncated", "maintenance", "refuse"),
    "half_open",
)
_OUTLIVED: Final = ("lost", "duplicated", "reordered", "bad_checksum")
_DIALLED: Final = ("http_429", "http_418", "http_500", "html")  # they meet only who comes anew
_PAUSE: Final = 3  # parts of the time; so long is it well after each, and longer …
_DIALLING: Final = 14  # … where a socket is opened again: two faults at once are another proof
_USUAL: Final = 7  # parts
_LONGER: Final = 11  # all connections are silent for longer than is usual
_MAJORITY: Final = 21  # until most of the last answers say it
_ALONE: Final = (
    21  # a coin that is traded every ten seconds is silent for minutes before it is told
)


class Kind(NamedTuple):
    name: str
    where: str
    symbol: str | None = None


_BANNED: Final = Kind("http_418", "rest")  # nobody asks for two minutes


@dataclass(frozen=True, slots=True)
class Trial:
    """One fault, and all that it takes for it to bite."""

    kind: str
    where: str  # rest, socket, both; machine
    begins_ms: int
    ends_ms: int
    symbol: str | None = None

    @property
    def name(self) -> str:
        return " ".join(filter(None, (self.kind, f"({self.where})", self.symbol)))

    def faults(self) -> Iterator[Fault]:
        if self.kind == SLEEP:
            return
        where = None if self.where == "both" else self.where
        yield Fault(self.kind, self.begins_ms, self.ends_ms, self.symbol, where=where)
        if self.where == "socket" and self.kind in _DIALLED:
            yield Fault("disconnect", self.begins_ms, self.begins_ms + _CUT_MS, where="socket")


def timetable(kinds: Sequence[Kind], begin_ms: int, end_ms: int, sleep_ms: int) -> list[Trial]:
    """Each is followed by a pause; most faults are equally long."""
    at_ms, until_ms = begin_ms + QUIET_MS, end_ms - LAST_MS - 2 * sleep_ms
    part_ms = (until_ms - at_ms) // max(sum(_parts(kind) + _pause(kind) for kind in kinds), 1)
    assert not kinds or _USUAL * part_ms >= LEAST_MS, "Each lasts most of a minute."
    trials = []
    for kind in kinds:
        ends_ms = at_ms + _parts(kind) * part_ms
        trials.append(Trial(kind.name, kind.where, at_ms, ends_ms, kind.symbol))
        at_ms = ends_ms + _pause(kind) * part_ms
    if sleep_ms:
        trials.append(Trial(SLEEP, "machine", until_ms, until_ms + sleep_ms))
    return trials


def every(seed: int, symbol: str) -> list[Kind]:
    """All kinds, in turn; `symbol` is the one that is once silent alone."""
    dice = Random(seed)
    outlived = [Kind(name, "rest") for name in _REST]
    outlived += [*(Kind(name, "socket") for name in _OUTLIVED), Kind("clock_offset", "both")]
    dialled = [
        Kind(name, "socket")
        for name, meaning in KINDS.items()
        if "socket" in meaning.meets and name not in (*_OUTLIVED, "clock_offset")
    ]
    dialled.append(Kind("silence", "socket", symbol))
    dice.shuffle(outlived)
    dice.shuffle(dialled)
    both = [each for pair in zip(outlived, dialled, strict=False) for each in pair]
    return [*both, *outlived[len(dialled) :], *dialled[len(outlived) :]]


def _parts(kind: Kind) -> int:
    """What takes longer to be known lasts longer."""
    if kind.symbol is not None:
        return _ALONE
    if kind.where == "socket" and kind.name in SILENT:
        return _LONGER
    return _MAJORITY if kind.name == "clock_offset" else _USUAL


def _pause(kind: Kind) -> int:
    if kind == _BANNED:
        return _DIALLING
    return _PAUSE if kind.where == "rest" or kind.name in _OUTLIVED else _DIALLING
