"""A book is the venue's own or untradable, however its messages are spoilt; and never too deep."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any, Final, NamedTuple

from rrr.data_pipeline.orderbook import Book
from rrr.data_pipeline.orderbook_binance import BinanceBook
from rrr.data_pipeline.orderbook_coinbase import CoinbaseBooks, Units
from rrr.data_pipeline.orderbook_kraken import Decimals, KrakenBook
from tests.data_pipeline.fuzzed_ether import TICK_MS, Said
from tests.data_pipeline.fuzzed_mutants import Mutants
from tests.venue.dialect import Dialect, Frame, Session
from tests.venue.tape import GRAINS, Tape
from tests.venue.wire import text

DEPTH: Final = 10

_KEPT: Final = 25
_LOST_MS: Final = 20_000  # for so long a book that was lost stays so


class Reading(NamedTuple):
    """A venue's book as the house reads it, and how it begins."""

    book: Book
    take: Callable[[Any], object]
    begin: Callable[[int], Session]  # by the venue's time


def spoilt(
    name: str, tape: Tape, dialect: Dialect, chance: random.Random, begin_ms: int, minutes: int
) -> Counter[str]:
    """Nonsense in the first half, anything in the second."""
    tried, mutants = Counter[str](), Mutants(f"{name}'s book", chance)
    symbol = chance.choice(tape.symbols)
    reading = _reading(name, symbol, tape, dialect)
    session, lost_ms = reading.begin(begin_ms), begin_ms
    end_ms = begin_ms + minutes * 60_000
    for now_ms in range(begin_ms + TICK_MS, end_ms, TICK_MS):
        lies = now_ms > (begin_ms + end_ms) // 2
        for frame in filter(lambda frame: frame.symbol, session.news(now_ms)):
            said = text(frame.body)
            for each in _between(said, mutants, chance, lies=lies):
                tried["book messages"] += 1
                _take(reading, each)
                _hold(reading.book)
                known = not lies or name == "kraken"  # whose checksum sees every lie
                if each is said and known and not reading.book.untradable:
                    tried["books held against the tape"] += 1
                    truth = tape.depth(symbol, now_ms)
                    for ours, theirs in zip(_sides(reading.book), truth, strict=True):
                        assert list(ours) == list(theirs[:DEPTH]), (name, symbol, now_ms)
        if not reading.book.untradable:
            lost_ms = now_ms
        elif now_ms - lost_ms > _LOST_MS:
            tried["books lost"] += 1
            session, lost_ms = reading.begin(now_ms), now_ms
    return tried


def _between(said: str, mutants: Mutants, chance: random.Random, *, lies: bool) -> list[Said]:
    spoil = mutants.anything if lies else mutants.nonsense
    heard = [spoil(said) for _ in range(chance.choice((0, 0, 0, 1, 8)))]
    if not lies or chance.random() < 0.9:
        heard.insert(chance.randrange(len(heard) + 1), said)
    return heard


def _sides(book: Book) -> Iterator[list[tuple[int, int]]]:
    for side in (book.bids(), book.asks()):
        yield [(level.price, level.quantity) for level in side]


def _take(reading: Reading, said: Said) -> None:
    try:
        message = json.loads(said, parse_float=Decimal)
    except (ValueError, RecursionError):
        return
    reading.take(message)


def _hold(book: Book) -> None:
    for side in (book._bids, book._asks):
        assert len(side) == len(side._quantities) <= _KEPT
    bids, asks = book.bids(), book.asks()
    if book.untradable:
        assert not bids
        assert not asks
    assert all(level.price > 0 and level.quantity > 0 for level in (*bids, *asks))
    assert [level.price for level in bids] == sorted({b.price for b in bids}, reverse=True)
    assert [level.price for level in asks] == sorted({a.price for a in asks})
    assert not bids or not asks or bids[0].price < asks[0].price


def _reading(name: str, symbol: str, tape: Tape, dialect: Dialect) -> Reading:
    points = tape.coin(symbol).decimals
    made = {"kraken": _kraken, "coinbase": _coinbase, "binance": _binance}
    return made[name](symbol, points, dialect)


def _kraken(symbol: str, points: int, dialect: Dialect) -> Reading:
    decimals = Decimals(points, GRAINS)
    kraken = KrakenBook(symbol, DEPTH, decimals, decimals)
    details = {"channel": "book", "symbol": [symbol], "depth": DEPTH}

    def begin(now_ms: int) -> Session:
        session = dialect.session(1, "/v2", now_ms)
        _all(kraken.take, session.heard({"method": "subscribe", "params": details}, now_ms))
        return session

    return Reading(kraken.book, kraken.take, begin)


def _coinbase(symbol: str, points: int, dialect: Dialect) -> Reading:
    product = symbol.replace("/", "-")
    books = CoinbaseBooks({product: Units(points, GRAINS)}, DEPTH, kept=_KEPT)
    asked = {"type": "subscribe", "channel": "level2", "product_ids": [product]}

    def begin(now_ms: int) -> Session:
        session = dialect.session(1, "/", now_ms)
        books.reconnected()
        _all(books.take, session.heard(asked, now_ms))
        _all(books.take, session.news(now_ms))
        return session

    return Reading(books.books[product], books.take, begin)


def _binance(symbol: str, points: int, dialect: Dialect) -> Reading:
    id = symbol.replace("/", "")
    binance = BinanceBook(id, DEPTH, points, GRAINS, kept=_KEPT)

    def begin(now_ms: int) -> Session:
        snapshot = dialect.answer("/api/v3/depth", {"symbol": id, "limit": "1000"}, now_ms)
        binance.take_snapshot(json.loads(snapshot.body), 1_000)
        return dialect.session(1, f"/ws/{id.lower()}@depth", now_ms)

    return Reading(binance.book, binance.take, begin)


def _all(take: Callable[[Any], object], frames: Iterable[Frame]) -> None:
    for frame in frames:
        take(json.loads(text(frame.body), parse_float=Decimal))
