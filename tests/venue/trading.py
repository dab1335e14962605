"""A house and a person at the loopback: our wire, and orders at its touch."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from rrr.core.orders import Kind, Order, TimeInForce
from rrr.trading.live.ids import client_id
from rrr.trading.live.outcomes import Outcome
from rrr.trading.live.spelling import Refused, Request, amended, cancelled, speech, spelled
from rrr.trading.live.wire import Wire
from tests.trading.live.wires import BUY, RULES, SELL, STOP_LIMIT, TAG
from tests.venue.keys import TRADER, Key
from tests.venue.process import Venue
from tests.venue.talking import traded

TAKE: Final = BUY._replace(kind=int(Kind.TAKE), time_in_force=int(TimeInForce.IOC))
LIMIT: Final = BUY._replace(kind=int(Kind.LIMIT))
STOP: Final = SELL._replace(kind=int(Kind.STOP))

FAR: Final = 100_000  # points of the tape: nothing comes there
COLLAR: Final = 2_000  # the touch does not wander so far while an order is on its way
POINTS: Final = 1_000  # of the wire's, in one of the tape's


class House:
    """It numbers its orders, and prices them by the touch."""

    def __init__(self, venue: Venue, ccxt: Any, first: int) -> None:
        self.venue = venue
        self.ccxt = ccxt
        self.pair = venue.symbols[0]
        self.rules = RULES._replace(pair=self.pair)
        self.wire = Wire(ccxt, [self.pair])
        # Coinbase has no other stops.
        self.stop = STOP_LIMIT if venue.name == "coinbase" else STOP
        self._number = first
        self._ids: dict[str, str] = {}  # where it can be spoken of by the venue's name only

    def order(self, order: Order, off: int = 0, **changes: int) -> tuple[Order, Request, str]:
        """So far off the touch, in points of the tape; below it what buys."""
        self._number += 1
        touch = self.venue.tape.touch(self.pair, self.venue.clock_ms())
        price = (touch.ask - off if order.side > 0 else touch.bid + off) * POINTS
        named = client_id(self.venue.name, TAG, self._number)
        limit = price - POINTS if order.limit else 0
        order = order._replace(sequence=self._number, price=price, limit=limit, **changes)
        request = spelled(self.venue.name, order, self.rules, named)
        assert isinstance(request, Request), request
        return order, request, named

    def amending(self, named: str, order: Order) -> Request | Refused:
        return amended(self.venue.name, order, self.rules, named, self._ids.get(named, ""))

    def cancelling(self, named: str, venue_id: str = "") -> Request:
        known = venue_id or self._ids.get(named, "")
        request = cancelled(self.venue.name, LIMIT, self.rules, named, known)
        assert isinstance(request, Request), request
        return request

    async def send(self, order: Order, off: int = 0, **changes: int) -> tuple[Outcome, str]:
        _, request, named = self.order(order, off, **changes)
        outcome = await self.wire.send(request)
        if outcome.venue_id and not speech(self.venue.name).cancels_by_client_id:
            self._ids[named] = outcome.venue_id
        return outcome, named

    async def look_up(self, named: str) -> list[dict[str, Any]] | Outcome:
        return await self.wire.look_up(self.pair, 0, named, 0)

    async def received(self, named: str) -> list[dict[str, Any]]:
        """What the venue's own ledger has of it."""
        entries = (await self.venue.ledger())["entries"]
        return [each for each in entries if each.get("client_id") == named]


@asynccontextmanager
async def housed(venue: Venue, first: int = 0, key: Key = TRADER) -> AsyncIterator[House]:
    async with traded(venue, key) as ccxt:
        # Who signs with a time, signs with the venue's.
        ccxt.milliseconds = venue.clock_ms
        ccxt.seconds = lambda: venue.clock_ms() // 1_000
        ccxt.options["recvWindow"] = 60_000
        await ccxt.load_markets()
        yield House(venue, ccxt, first)


def only(rows: Any) -> dict[str, Any]:
    assert isinstance(rows, list), rows
    (row,) = rows
    assert isinstance(row, dict)
    return row
