"""How a venue speaks of its books, and how it is asked for one anew: a class for each venue.

ccxt spells a subscription. It has no word for the end of one that works while others last, so that
stands here; and under which key ccxt notes it, because what it does not know of it asks for again.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, urlsplit

from rrr.data_pipeline.instruments import Spec
from rrr.data_pipeline.orderbook import NO_SNAPSHOT, Book
from rrr.data_pipeline.orderbook_binance import BinanceBook
from rrr.data_pipeline.orderbook_coinbase import CoinbaseBooks, Units
from rrr.data_pipeline.orderbook_kraken import SUMMED, Decimals, KrakenBook

_NUMBER: Final = re.compile(r'"sequence_num":\s*(\d{1,18})\b')


@dataclass(frozen=True, slots=True)
class Wanted:
    """An instrument whose book is kept."""

    index: int
    symbol: str  # the house's
    pair: str  # ccxt's
    spec: Spec
    market: Mapping[str, Any]  # what ccxt knows of it

    @property
    def id(self) -> str:
        """The venue's own name."""
        return str(self.market["id"])


class Dialect(ABC):
    """The books of one client, by pair."""

    mark: ClassVar[str]  # a frame without it is of no book
    asked: ClassVar[str] = "\0"  # nor is the answer to a request without it
    limit: ClassVar[int | None] = None  # how many levels ccxt subscribes to; None: what is usual
    answers: ClassVar[int] = 0  # how many a request brings; 0: a subscription brings a snapshot
    books: Mapping[str, Book]

    @abstractmethod
    def take(self, message: Any) -> frozenset[str] | None:
        """Of which pairs it was; None: it is no message of a book."""

    def passed(self, text: str) -> None:
        """A frame of no book, on a connection that may bring books too."""
        return

    def take_answer(self, url: str, answer: object) -> str | None:
        """Of which pair it was, if it is a snapshot."""
        return None

    @abstractmethod
    def stamp_ms(self, message: Any) -> int | None:
        """When the venue said it, if it says that."""

    def ended(self, pairs: Iterable[str]) -> None:
        """The connection of these."""
        for pair in pairs:
            self.books[pair].lose(NO_SNAPSHOT)

    @abstractmethod
    def key(self, pair: str) -> str:
        """By which ccxt knows that it has subscribed."""

    def farewell(self, one: Wanted) -> dict[str, Any]:
        """What ends a subscription."""
        raise AssertionError("A request brings its snapshot.")


class Kraken(Dialect):
    """A checksum covers ten levels, so ten are asked for: what lies beyond is proven by nothing."""

    mark, limit = '"book"', SUMMED

    def __init__(self, wanted: Sequence[Wanted], depth: int) -> None:
        self._dialects = {
            one.pair: KrakenBook(
                one.pair, SUMMED, Decimals(one.spec.points, one.spec.grains), _written(one.market)
            )
            for one in wanted
        }
        self.books = {pair: each.book for pair, each in self._dialects.items()}

    def take(self, message: Any) -> frozenset[str] | None:
        taken = frozenset(pair for pair in _pairs(message) if self._took(pair, message))
        return taken or None

    def _took(self, pair: str, message: object) -> bool:
        return pair in self._dialects and self._dialects[pair].take(message)

    def stamp_ms(self, message: Any) -> int | None:
        said = next(each for each in message["data"] if isinstance(each, dict))
        return _moment_ms(said.get("timestamp"))

    def key(self, pair: str) -> str:
        return f"orderbook@{pair}"

    def farewell(self, one: Wanted) -> dict[str, Any]:
        about = {"channel": "book", "symbol": [one.pair], "depth": self.limit}
        return {"method": "unsubscribe", "params": about}


class Coinbase(Dialect):
    """Its numbers run through all frames of a connection."""

    mark = '"l2_data"'

    def __init__(self, wanted: Sequence[Wanted], depth: int) -> None:
        units = {one.id: Units(one.spec.points, one.spec.grains) for one in wanted}
        self._dialect = CoinbaseBooks(units, depth)
        self._pairs = {one.id: one.pair for one in wanted}
        self.books = {one.pair: self._dialect.books[one.id] for one in wanted}

    def take(self, message: Any) -> frozenset[str] | None:
        pairs = frozenset(self._pairs[name] for name in self._dialect.take(message))
        return pairs if isinstance(message, dict) and message.get("channel") == "l2_data" else None

    def passed(self, text: str) -> None:
        if found := _NUMBER.search(text):
            self._dialect.passed(int(found[1]))

    def stamp_ms(self, message: Any) -> int | None:
        return _moment_ms(message.get("timestamp"))

    def ended(self, pairs: Iterable[str]) -> None:
        """There is but one."""
        self._dialect.reconnected()

    def key(self, pair: str) -> str:
        return f"level2::{pair}"

    def farewell(self, one: Wanted) -> dict[str, Any]:
        return {"type": "unsubscribe", "product_ids": [one.id], "channel": "level2"}


class Binance(Dialect):
    """The socket says what changes; of what, REST does."""

    mark, asked, answers = '"depthUpdate"', "/depth?", 1_000

    def __init__(self, wanted: Sequence[Wanted], depth: int) -> None:
        self._dialects = {
            one.id: BinanceBook(one.id, depth, one.spec.points, one.spec.grains) for one in wanted
        }
        self._pairs = {one.id: one.pair for one in wanted}
        self.books = {one.pair: self._dialects[one.id].book for one in wanted}

    def take(self, message: Any) -> frozenset[str] | None:
        said = _said(message)
        found = self._dialects.get(str(said.get("s")))
        if found is None or not found.take(message):
            return None
        return frozenset({self._pairs[str(said["s"])]})

    def take_answer(self, url: str, answer: object) -> str | None:
        asked = parse_qs(urlsplit(url).query)
        name, limit = asked.get("symbol", [""])[0], asked.get("limit", ["100"])[0]
        if name not in self._dialects or not limit.isdecimal():
            return None
        return self._pairs[name] if self._dialects[name].take_snapshot(answer, int(limit)) else None

    def stamp_ms(self, message: Any) -> int | None:
        at_ms = _said(message).get("E")
        return at_ms if type(at_ms) is int else None

    def key(self, pair: str) -> str:
        return f"orderbook::{pair}"


DIALECTS: Final[Mapping[str, Callable[[Sequence[Wanted], int], Dialect]]] = {
    "binance": Binance,
    "coinbase": Coinbase,
    "kraken": Kraken,
}


def _written(market: Mapping[str, Any]) -> Decimals:
    """With how many decimals Kraken writes; ccxt's own figures are coarser at times."""
    said = (str(market["info"].get(f"{name}_decimals")) for name in ("pair", "lot"))
    return Decimals(*(int(text) if text.isdecimal() else 0 for text in said))


def _pairs(message: Any) -> set[str]:
    """
    >>> _pairs({"channel": "book", "data": [{"symbol": "BTC/USD"}, {"symbol": None}]})
    {'BTC/USD'}
    """
    match message:
        case {"channel": "book", "data": list(data)}:
            said = (each.get("symbol") for each in data if isinstance(each, dict))
            return {pair for pair in said if isinstance(pair, str)}
    return set()


def _said(message: Any) -> Mapping[str, Any]:
    match message:
        case {"stream": str(), "data": dict(said)} | ({"e": "depthUpdate"} as said):
            return dict(said)
    return {}


def _moment_ms(text: object) -> int | None:
    """
    >>> _moment_ms("2023-10-06T17:35:55.440295Z"), _moment_ms("1970-01-01T00:00:00Z"), _moment_ms(7)
    (1696613755440, 0, None)
    """
    try:
        return int(datetime.fromisoformat(str(text)).timestamp() * 1_000)
    except (ValueError, OverflowError):
        return None
