"""A market is where closes come from: recorded, simulated or real, the house does not know which.

Nothing here paces or acts. A market brings every closing time once, in order; what closed before
anybody could have acted on it is `past`: learned from, never traded on.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from rrr.core.events import Close, Depth, Touch
from rrr.data_pipeline.exchange_gaps import Gap
from rrr.data_pipeline.exchange_health import Health
from rrr.data_pipeline.instruments import Spec


class Arrival(NamedTuple):
    """One closing time, with the touches that were seen at it, and the order books.

    A depth enters before its touch, so that who takes walks down what is there; what he did not
    get there is not there at the touch a second time.
    """

    close: Close
    touches: tuple[Touch, ...] = ()
    past: bool = False
    silent: tuple[int, ...] = ()  # of the missing ones: those of which we know that nobody traded
    late: bool = False  # known too late to open anything
    depths: tuple[Depth, ...] = ()
    gaps: tuple[Gap, ...] = ()  # of this time, and what is known now of earlier ones


@dataclass(frozen=True, slots=True)
class Quoted:
    """An instrument as a market gives it."""

    spec: Spec
    source: str  # what its candles are: a file's hash, "simulated 1", "rest"
    notes: tuple[str, ...] = ()  # what a person should know of it


class Market(Protocol):
    """Where closes come from."""

    @property
    def name(self) -> str:
        """replay, simulated, or the id of an exchange."""

    @property
    def title(self) -> str:
        """For the greeting: "replay of 26,208 closing times"."""

    @property
    def synthetic(self) -> bool:
        """Whether nobody traded these candles: every line says so."""

    @property
    def instruments(self) -> Sequence[Quoted]:
        """In canonical order: by symbol."""

    @property
    def timeframe_ms(self) -> int: ...

    @property
    def opens_ms(self) -> int:
        """No candle that it brings opens earlier, past ones included."""

    @property
    def begins_ms(self) -> int:
        """The opening time of the first candle that may be traded on."""

    @property
    def ends_ms(self) -> int | None:
        """The last closing time, if there is one."""

    @property
    def about(self) -> Mapping[str, Any]:
        """What decides its history: part of the session's key."""

    def history(self, candles: int) -> list[Close]:
        """Up to so many closes before `begins_ms`, the oldest first. May block."""

    def arrivals(self, after_ms: int) -> AsyncIterator[Arrival]:
        """Every closing time after this one, in order, as soon as it is known."""

    def health(self) -> Health | None:
        """How fresh is what is known of each instrument; None: nobody listens to anything."""
