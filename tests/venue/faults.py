"""What goes wrong is written down: a kind, from when until when in market time, and for whom.

A fault of a symbol leaves the others alone. `where` says whom it meets, the socket or REST, if not
both that its kind can meet. `amount` is milliseconds, seconds or a count, as KINDS says. Of REST,
"trade" is what moves an order and "read" what looks at the account; only those meet TRADING.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, NamedTuple, Self


class Meaning(NamedTuple):
    meets: frozenset[str]
    amount: int  # where none is given
    words: str


_SOCKET: Final = frozenset({"socket"})
_BOTH: Final = frozenset({"socket", "rest"})

KINDS: Final = {
    "silence": Meaning(_SOCKET, 0, "answers pings and subscriptions, carries no data"),
    "disconnect": Meaning(_SOCKET, 0, "every connection is cut, and every new one"),
    "half_open": Meaning(_BOTH, 0, "is accepted and never says anything, not even pong"),
    "refuse": Meaning(_BOTH, 0, "the connection is cut before anything is said"),
    "frozen_stamps": Meaning(_SOCKET, 0, "what was said last is said again and again"),
    "lost": Meaning(_SOCKET, 3, "each `amount`-th message of data is missing"),
    "duplicated": Meaning(_SOCKET, 0, "each message of data comes twice"),
    "reordered": Meaning(_SOCKET, 0, "of two messages of data the later one comes first"),
    "late": Meaning(_SOCKET, 20_000, "data come `amount` ms after they were due"),
    "bad_checksum": Meaning(_SOCKET, 0, "what proves a book (checksum, update id) is wrong"),
    "http_429": Meaning(_BOTH, 30, "too many requests: come back in `amount` s"),
    "http_418": Meaning(_BOTH, 120, "banned for `amount` s"),
    "http_500": Meaning(_BOTH, 0, "an error of theirs"),
    "html": Meaning(_BOTH, 0, "200, and a page for people"),
    "maintenance": Meaning(_BOTH, 0, "says so, and nothing else"),
    "clock_offset": Meaning(_BOTH, 7_000, "their clock is `amount` ms ahead, and all they do"),
    "truncated": Meaning(_BOTH, 0, "the second half of a message is missing"),
}

_TRADE: Final = frozenset({"trade"})
_READ: Final = frozenset({"read"})
_MARKET: Final = frozenset({"market"})

# With `where="trade"`, http_500, html, half_open and refuse meet what is then not done, and
# truncated the answer to what is.
TRADING: Final = {
    "reply_dropped": Meaning(_TRADE, 0, "it is done, and cut off before a word is said"),
    "reply_hangs": Meaning(_TRADE, 0, "it is done, and never answered"),
    "reply_late": Meaning(_TRADE, 5_000, "it is done, and answered `amount` ms later"),
    "reply_html": Meaning(_TRADE, 0, "it is done: 200, and a page for people"),
    "reply_empty": Meaning(_TRADE, 0, "it is done: 200, and {}"),
    "reply_500": Meaning(_TRADE, 502, "it is done, and the status is `amount`"),
    "reply_duplicate": Meaning(_TRADE, 0, "it is done, and refused as a duplicate"),
    "accepted_late": Meaning(_TRADE, 20_000, "it is never answered, and done `amount` ms later"),
    "partial": Meaning(_TRADE, 50, "no more than `amount` per cent of an order is filled"),
    "cancel_race": Meaning(_TRADE, 0, "what is to be cancelled is filled a moment before"),
    "stale": Meaning(_READ, 10_000, "reads see the account as it was `amount` ms ago"),
    "balance_lag": Meaning(_READ, 10_000, "so do those of balances, and no others"),
    "empty_pages": Meaning(_READ, 0, "lists are empty"),
    "halted": Meaning(_MARKET, 0, "orders are cancelled, not taken and not filled"),
    "delisted": Meaning(_MARKET, 0, "the instrument is not there"),
}

_OF_REST: Final = ("trade", "read")


@dataclass(frozen=True, slots=True)
class Fault:
    """In a file of faults, times before the tape begins count from the start."""

    kind: str
    from_ms: int
    until_ms: int
    symbol: str | None = None
    amount: int | None = None
    where: str | None = None

    def __post_init__(self) -> None:
        assert self.kind in _ALL, f"{self.kind!r} is none of {', '.join(_ALL)}"
        assert self.from_ms <= self.until_ms, "a fault ends after it begins"
        assert self.where is None or _in(self.where, _ALL[self.kind].meets), self.where

    @classmethod
    def read(cls, written: dict[str, Any]) -> Self:
        return cls(**written)

    def written(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def size(self) -> int:
        return _ALL[self.kind].amount if self.amount is None else self.amount


class Faults:
    def __init__(self, faults: Iterable[Fault], start_ms: int) -> None:
        self._start_ms = start_ms
        self._faults: list[Fault] = []
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        if fault.until_ms < self._start_ms:
            fault = replace(
                fault,
                from_ms=fault.from_ms + self._start_ms,
                until_ms=fault.until_ms + self._start_ms,
            )
        self._faults.append(fault)

    def clear(self) -> None:
        self._faults.clear()

    def now(self, kind: str, where: str, at_ms: int, symbol: str | None = None) -> Fault | None:
        """The first one of the kind; one of a symbol meets only what is known to be of it."""
        for fault in self._faults:
            if (
                fault.kind == kind
                and fault.from_ms <= at_ms < fault.until_ms
                and _in(where, {fault.where} if fault.where else _ALL[kind].meets)
                and (fault.symbol is None or fault.symbol == symbol)
            ):
                return fault
        return None

    def offset_ms(self, at_ms: int) -> int:
        fault = self.now("clock_offset", "rest", at_ms)
        return fault.size if fault else 0


def _in(where: str, places: AbstractSet[str]) -> bool:
    return where in places or (where in _OF_REST and "rest" in places)


_ALL: Final = KINDS | TRADING
