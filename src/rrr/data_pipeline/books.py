"""What is shown of an order book is verified and of this moment; anything else is not shown.

Each frame of a socket and each answer is looked at before anybody else reads it. One of a book is
decoded once, here, and concerns nobody else: ccxt spells the subscriptions and never sees what they
bring. A book whose proof fails, that is crossed, or of which nothing new was said for half a minute
says why it cannot be traded on, until there is a snapshot. All times are the venue's.
"""

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import takewhile
from typing import Final, NamedTuple

from rrr.core.errors import UsageError
from rrr.core.events import Depth, Level, Touch
from rrr.data_pipeline.books_dialects import DIALECTS, Wanted
from rrr.data_pipeline.instruments import price_end
from rrr.data_pipeline.intake import TOUCH_AGE_MS_MAX
from rrr.data_pipeline.orderbook import Book

STALE: Final = f"nothing new was said of it for {TOUCH_AGE_MS_MAX // 1000} s"


class News(NamedTuple):
    """What a frame was about."""

    pairs: frozenset[str] = frozenset()  # of which it says something new
    ours: bool = False  # it is of a book, and nobody else's


NOTHING: Final = News()


def refuse_depth(name: str, levels: int, sockets: bool) -> None:
    """Raise UsageError where depth is wanted of a venue whose books nobody here can verify."""
    if levels and (name not in DIALECTS or not sockets):
        raise UsageError(
            f"There is no verified order book for {name}.",
            f"Choose {', '.join(sorted(DIALECTS))}, or leave depth_levels at 0.",
        )


class Books:
    """Of all instruments of one client; up to `depth` levels a side are shown, if proven."""

    def __init__(
        self, name: str, wanted: Sequence[Wanted], depth: int, venue_ms: Callable[[], int]
    ) -> None:
        self.wanted = {one.pair: one for one in wanted}
        self.dialect = DIALECTS[name](wanted, depth)
        self.depth = min(depth, self.dialect.limit or depth)
        self._venue_ms = venue_ms
        self._said_ms = dict.fromkeys(self.wanted, -1)
        self._places: dict[str, str] = {}  # by which connection each is heard

    def frame(self, url: str, text: str) -> News:
        """Cheap where it is of no book."""
        dialect = self.dialect
        if dialect.mark not in text:
            dialect.passed(text)
            return NOTHING
        message = _decoded(text)
        if message is None:
            self._lose(url, "a message of it cannot be read")
            return News(ours=True)
        pairs = dialect.take(message)
        if pairs is None:
            return NOTHING
        now_ms = self._venue_ms()
        said_ms = min(dialect.stamp_ms(message) or now_ms, now_ms)
        news = frozenset(pair for pair in pairs if said_ms > self._said_ms[pair])
        for pair in pairs:
            self._places[pair] = url
            self._said_ms[pair] = max(said_ms, self._said_ms[pair])
        return News(news, ours=True)

    def answered(self, url: str, body: str) -> None:
        """An answer to a request; now and then that of a snapshot."""
        if self.dialect.asked not in url:
            return
        pair = self.dialect.take_answer(url, _decoded(body))
        if pair is not None:
            self._said_ms[pair] = self._venue_ms()

    def ended(self, url: str) -> None:
        """A connection: what it has brought has no continuation."""
        gone = [pair for pair, place in self._places.items() if place == url]
        for pair in gone:
            del self._places[pair]
        if gone:
            self.dialect.ended(gone)

    def heard(self, pair: str) -> bool:
        """Whether anything was, on a connection that stands."""
        return pair in self._places

    def snapshots(self, pair: str) -> int:
        """How many there were of it so far."""
        return self._book(pair).snapshots

    def untradable(self, pair: str) -> str:
        """Why; empty: it can be traded on."""
        why = self._book(pair).untradable
        if not why and self._venue_ms() - self._said_ms[pair] > TOUCH_AGE_MS_MAX:
            return STALE
        return why

    def seen(self, pair: str, at_ms: int) -> Depth | None:
        """The book of now, to enter with a close; None: it cannot be traded on, or is one-sided."""
        if self.untradable(pair):
            return None
        one, end = self.wanted[pair], price_end(self.wanted[pair].spec)
        deep = self._book(pair).deep(at_ms, one.index)
        bids, asks = (_fitting(side[: self.depth], end) for side in (deep.bids, deep.asks))
        return Depth(at_ms, one.index, bids, asks) if bids and asks else None

    def _book(self, pair: str) -> Book:
        return self.dialect.books[pair]

    def _lose(self, url: str, why: str) -> None:
        for pair, place in self._places.items():
            if place == url:
                self._book(pair).lose(why)


def touch_of(depth: Depth) -> Touch:
    """Its best levels."""
    bid, ask = depth.bids[0], depth.asks[0]
    return Touch(depth.at_ms, depth.instrument, bid.price, ask.price, bid.quantity, ask.quantity)


def _fitting(side: tuple[Level, ...], end: int) -> tuple[Level, ...]:
    return tuple(takewhile(lambda level: level.price < end, side))


def _decoded(text: str) -> object:
    """Each number as it is written; None where it cannot be read: no message, no answer is that."""
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None
