"""A dialect knows one venue's words: it answers requests and speaks in sessions, without I/O."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from tests.venue.matching import Exchange
from tests.venue.tape import Tape
from tests.venue.wire import Answer, Asked


class Frame(NamedTuple):
    """A message of a socket; what is of no symbol (an acknowledgement, a heartbeat) is no data."""

    body: Any
    symbol: str | None = None
    channel: str = ""


@dataclass(slots=True)
class Subscription:
    channel: str
    symbol: str
    since_ms: int  # what was before has been said
    detail: int = 0  # an interval, a depth
    state: Any = None  # what was said last, where the next is a difference
    name: str = ""  # as it was asked for


class Session(Protocol):
    """One connection's side of the talk."""

    subscriptions: dict[Any, Subscription]

    def greeting(self, now_ms: int) -> Iterator[Frame]: ...

    def heard(self, message: Any, now_ms: int) -> Iterator[Frame]:
        """The replies to what a client says."""

    def news(self, now_ms: int) -> Iterator[Frame]:
        """What happened since the last time, and a heartbeat where it is due."""

    def spoilt(self, frame: Frame) -> Frame:
        """With a wrong proof, if it has one."""


class Dialect(Protocol):
    tape: Tape

    def answer(self, path: str, query: Mapping[str, str], now_ms: int) -> Answer: ...

    def trouble(self, kind: str, amount: int, path: str, now_ms: int) -> Answer:
        """How the venue says http_429, http_418, http_500 or maintenance."""

    def symbol_in(self, path: str, query: Mapping[str, str]) -> str | None:
        """Of which instrument somebody asks, if of one."""

    def session(self, number: int, path: str, now_ms: int) -> Session: ...


class Desk(Protocol):
    """Where one trades: what is somebody's own."""

    exchange: Exchange

    def place(self, method: str, path: str) -> str | None:
        """Which faults meet a request, "trade" or "read"; None: it is for the dialect."""

    def symbol_in(self, asked: Asked) -> str | None: ...

    def admit(self, asked: Asked, now_ms: int) -> Answer | None:
        """The refusal of who may not ask."""

    def do(self, asked: Asked, now_ms: int) -> Answer: ...

    def duplicate(self) -> Answer:
        """How an order is refused whose client id is taken."""

    def session(self, number: int, path: str, now_ms: int) -> Session | None:
        """None: the connection is for the dialect."""
