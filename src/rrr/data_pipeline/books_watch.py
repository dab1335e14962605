"""A book that was lost is asked for anew, ever more rarely, until it is one again.

Each book is watched by whoever follows its subscription. Where a request brings a snapshot, it is
requested; elsewhere the subscription is ended and asked for again on the same connection, and the
connection itself is ended only where that brings nothing. A loss is told once, and once when all
has been well for a while.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from rrr.data_pipeline.books import Books
from rrr.data_pipeline.books_dialects import Wanted
from rrr.data_pipeline.budget import backoff_ms
from rrr.data_pipeline.exchange_client import Client, Manner
from rrr.data_pipeline.exchange_troubles import Told, Trouble, lasted
from rrr.data_pipeline.orderbook import NO_SNAPSHOT

LOOK_S: Final = 1.0
PAUSE_MS_MAX: Final = 60_000
WELL_MS: Final = 60_000  # one that was well for so long is

_FIRST_MS: Final = 30_000  # a subscription may have to wait for its turn
_ANSWER_MS: Final = 5_000  # what was asked for is on its way for so long
_IN_VAIN: Final = 4  # subscriptions without a snapshot: the connection is at fault, or nobody is


@dataclass(slots=True)
class _Case:
    """How it stands with one book."""

    begun_ms: int = 0  # when this subscription was
    ask_ms: int = 0  # not before
    tries: int = 0
    snapshots: int = 0  # that there were when the first was tried
    well_ms: int | None = None  # since when


class Watch:
    """Over all books of one client."""

    def __init__(
        self,
        client: Client,
        books: Books,
        manner: Manner,
        told: Told,
    ) -> None:
        self._client, self._ccxt, self._books = client, client.ccxt, books
        self._now_ms = manner.monotonic_ms
        self._wait, self._chance, self._told = manner.wait, manner.chance, told
        self._cases = {pair: _Case() for pair in books.wanted}
        self._lost: dict[str, str] = {}  # what was told
        self._lost_ms = self._looked_ms = 0
        self._well_ms: int | None = None
        if books.dialect.answers:
            self._ccxt.fetch_order_book_snapshot = _nothing  # We ask, and ever more rarely.

    async def follow(self, pair: str) -> None:
        """Keep one subscribed to, until its connection ends: that is raised."""
        one, case = self._books.wanted[pair], self._cases[pair]
        case.begun_ms, case.well_ms = self._now_ms(), None
        while True:
            wanted, anew = self._ccxt.watch_order_book(pair, self._books.dialect.limit), False
            subscribed = asyncio.ensure_future(wanted)
            try:
                while not subscribed.done() and not (anew := await self._ends(one, case)):
                    await self._a_moment(subscribed)
                if subscribed.done():
                    subscribed.result()
            finally:
                subscribed.cancel()
                await asyncio.gather(subscribed, return_exceptions=True)
            if anew:
                await self._unsubscribe(one)

    async def _ends(self, one: Wanted, case: _Case) -> bool:
        """Look, and ask where that is due; whether the subscription must be another."""
        now_ms, why = self._now_ms(), self._books.untradable(one.pair)
        self._tell(now_ms)
        if not why:
            case.well_ms = now_ms if case.well_ms is None else case.well_ms
            if now_ms - case.well_ms >= WELL_MS:
                case.tries = 0
            return False
        case.well_ms = None
        made, answers = self._connection(one.pair), self._books.dialect.answers
        if made is None or now_ms < case.ask_ms or self._begins(one, case, why, now_ms):
            return False
        case.snapshots = self._books.snapshots(one.pair) if case.tries == 0 else case.snapshots
        case.tries += 1
        case.ask_ms = now_ms + _ANSWER_MS + backoff_ms(case.tries, self._chance(), PAUSE_MS_MAX)
        if answers:
            await self._request(one, case, answers)
            return False
        if case.tries == _IN_VAIN and self._books.snapshots(one.pair) == case.snapshots:
            from ccxt.base.errors import NetworkError

            made.on_error(NetworkError(f"brings no book of {one.pair}"))
            return False
        return True

    def _begins(self, one: Wanted, case: _Case, why: str, now_ms: int) -> bool:
        """What a subscription brings first is waited for; a request needs one that is heard."""
        heard = self._books.dialect.answers and self._books.heard(one.pair)
        return why == NO_SNAPSHOT and now_ms < case.begun_ms + _FIRST_MS and not heard

    async def _request(self, one: Wanted, case: _Case, levels: int) -> None:
        try:
            await self._client.book(one.pair, levels)
        except Trouble as trouble:
            case.ask_ms = max(case.ask_ms, self._now_ms() + int(trouble.pause_s * 1_000))

    async def _unsubscribe(self, one: Wanted) -> None:
        """ccxt asks for what it does not know that it has."""
        made = self._connection(one.pair)
        if made is None:
            raise ConnectionError("It has just ended.")
        del made.subscriptions[self._books.dialect.key(one.pair)]
        if self._ccxt.enableRateLimit:
            await made.throttle(1)
        await made.send(self._books.dialect.farewell(one))

    async def _a_moment(self, subscribed: asyncio.Future[Any]) -> None:
        moment = asyncio.ensure_future(self._wait(LOOK_S))
        try:
            await asyncio.wait([subscribed, moment], return_when=asyncio.FIRST_COMPLETED)
        finally:
            moment.cancel()

    def _connection(self, pair: str) -> Any:
        """The one that it was subscribed to on, if that is open."""
        key = self._books.dialect.key(pair)
        there = (self._ccxt.clients or {}).values()
        return next(
            (each for each in there if each.isConnected and key in each.subscriptions), None
        )

    def _tell(self, now_ms: int) -> None:
        """Once for all books, whoever looks first."""
        if now_ms < self._looked_ms + int(LOOK_S * 1_000):
            return
        self._looked_ms = now_ms
        lost = {pair: self._books.untradable(pair) for pair in self._cases}
        lost = {pair: why for pair, why in lost.items() if why}
        known = {
            pair: why
            for pair, why in lost.items()
            if pair not in self._lost and (why != NO_SNAPSHOT or self._cases[pair].tries > 1)
        }
        if known:
            self._lost_ms = self._lost_ms if self._lost else now_ms
            self._lost |= known
            self._tell_lost(known)
        self._well_ms = None if lost else now_ms if self._well_ms is None else self._well_ms
        if self._lost and self._well_ms is not None and now_ms - self._well_ms >= WELL_MS:
            self._tell_well(self._well_ms - self._lost_ms)

    def _tell_lost(self, lost: dict[str, str]) -> None:
        symbols = [self._books.wanted[pair].symbol for pair in lost]
        why, more = next(iter(lost.values())), f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        words = f"{self._client.name}'s book of {symbols[0]}{more} cannot be traded on"
        detail = {"exchange": self._client.name, "symbols": symbols, "why": why}
        self._told("book_untradable", f"{words}: {why}; it is asked for anew", detail)

    def _tell_well(self, lasted_ms: int) -> None:
        symbols = [self._books.wanted[pair].symbol for pair in self._lost]
        self._lost = {}
        words = f"{self._client.name}'s books can be traded on again, after {lasted(lasted_ms)}"
        detail = {"exchange": self._client.name, "symbols": symbols, "lasted_ms": lasted_ms}
        self._told("book_recovered", words, detail)


async def _nothing(*_: object) -> None:
    """What ccxt would ask for by itself, again and again."""
