"""What the desks of all venues have in common: an account, seen as the faults let it be seen."""

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from tests.venue.accounts import Account
from tests.venue.faults import Faults
from tests.venue.matching import Exchange
from tests.venue.refusals import No, Refused
from tests.venue.wire import units

Desk = TypeVar("Desk")
Words = TypeVar("Words")
Rows = TypeVar("Rows", list[Any], dict[str, Any])


class Method(NamedTuple, Generic[Desk, Words]):
    do: Callable[[Desk, Words, int], Any]
    needs: str  # a permission
    trades: bool = False

    @property
    def place(self) -> str:
        """Where its faults are."""
        return "trade" if self.trades else "read"


class Clerk:
    """Where one is served."""

    def __init__(self, exchange: Exchange, faults: Faults) -> None:
        self.exchange = exchange
        self._faults = faults

    def _account(self, now_ms: int, lag: str = "stale") -> Account:
        """As whoever reads sees it: now, or as it was."""
        self.exchange.advance(now_ms)
        for kind in dict.fromkeys((lag, "stale")):
            if stale := self._faults.now(kind, "read", now_ms):
                return self.exchange.then(now_ms - stale.size)
        return self.exchange.account

    def _shown(self, rows: Rows, now_ms: int) -> Rows:
        return type(rows)() if self._faults.now("empty_pages", "read", now_ms) else rows


def exact(written: str | None, decimals: int, why: No, otherwise: int = 0) -> int:
    """A number that is not negative, in units; refused for this reason where it is none."""
    try:
        found = otherwise if written is None else units(written, decimals)
    except ValueError as wrong:
        raise Refused(why) from wrong
    if found < 0:
        raise Refused(why)
    return found
