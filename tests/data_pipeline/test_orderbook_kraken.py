"""Recorded books match every checksum of theirs; a message that is lost or wrong is found out."""

import gzip
import json
from collections.abc import Iterable, Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrr.data_pipeline.orderbook import NO_SNAPSHOT
from rrr.data_pipeline.orderbook_kraken import Decimals, KrakenBook

RECORDING: Final = (
    Path(__file__).parents[2].parent / "shared/data/fixtures/kraken/cryptofeed_recording.jsonl.gz"
)
UNITS: Final = Decimals(3, 9)
PAIR: Final = Decimals(1, 8)

real = pytest.mark.skipif(not RECORDING.is_file(), reason="the shared recordings are not here")

# The example of Kraken's guide to the checksum of version 2.
ASKS: Final = """45285.2 0.00100000, 45286.4 1.54571953, 45286.6 1.54571109, 45289.6 1.54560911,
45290.2 0.15890660, 45291.8 1.54553491, 45294.7 0.04454749, 45296.1 0.35380000,
45297.5 0.09945542, 45299.5 0.18772827"""
BIDS: Final = """45283.5 0.10000000, 45283.4 1.54582015, 45282.1 0.10000000, 45281.0 0.10000000,
45280.3 1.54592586, 45279.0 0.07990000, 45277.6 0.03310103, 45277.5 0.30000000,
45277.3 1.54602737, 45276.6 0.15445238"""
CHECKSUM: Final = 3310070434


def rows(text: str) -> list[dict[str, float]]:
    pairs = [each.split() for each in text.split(",")]
    return [{"price": float(price), "qty": float(quantity)} for price, quantity in pairs]


def said(kind: str, **data: object) -> dict[str, Any]:
    """As JSON brings it: numbers without their last zeros."""
    return {"channel": "book", "type": kind, "data": [{"symbol": "BTC/USD", **data}]}


def snapshot(**data: object) -> dict[str, Any]:
    return said("snapshot", **{"bids": rows(BIDS), "asks": rows(ASKS), "checksum": CHECKSUM} | data)


def opened() -> KrakenBook:
    book = KrakenBook("BTC/USD", 10, UNITS, PAIR)
    assert book.take(snapshot())
    return book


class Venue:
    """Keeps a book of its own, in text, and says what Kraken would."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.sides: dict[str, dict[int, int]] = {"bids": {}, "asks": {}}

    def said(self, kind: str, changed: dict[str, list[tuple[int, int]]]) -> dict[str, Any]:
        for name, each in changed.items():
            side = self.sides[name]
            side.update(each)
            for price in [price for price, quantity in side.items() if not quantity]:
                del side[price]
            for price in self.best(name)[self.depth :]:
                del side[price]
        best = [(name, price) for name in ("asks", "bids") for price in self.best(name)[:10]]
        text = "".join(
            f"{price / 10:.1f}".replace(".", "").lstrip("0")
            + f"{self.sides[name][price] / 10**8:.8f}".replace(".", "").lstrip("0")
            for name, price in best
        )
        levels = {
            name: [{"price": price / 10, "qty": quantity / 10**8} for price, quantity in each]
            for name, each in changed.items()
        }
        return said(kind, **levels, checksum=crc32(text.encode()))

    def best(self, name: str) -> list[int]:
        return sorted(self.sides[name], reverse=name == "bids")


def sided(low: int, high: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    quantities = st.one_of(st.just(0), st.integers(1, 10**9))
    return st.lists(st.tuples(st.integers(low, high), quantities), max_size=4)


turns = st.lists(st.fixed_dictionaries({"bids": sided(1, 99), "asks": sided(100, 200)}), max_size=9)
full = {
    name: [(price, price) for price in range(*span)]
    for name, span in {"bids": (80, 100), "asks": (100, 120)}.items()
}


@settings(deadline=None, derandomize=True)
@given(turns, st.sampled_from([10, 25]))
def test_every_checksum_of_a_venue_is_ours(
    turns: list[dict[str, list[tuple[int, int]]]], depth: int
) -> None:
    venue, ours = Venue(depth), KrakenBook("BTC/USD", depth, UNITS, PAIR)
    ours.take(venue.said("snapshot", full))
    for changed in turns:
        ours.take(venue.said("update", changed))
        assert ours.book.untradable == ""
        prices = [level.price // 100 for level in ours.book.bids()]
        assert prices == venue.best("bids")


@settings(deadline=None, derandomize=True)
@given(st.integers(90, 99), st.integers(1, 10**9))
def test_a_message_that_is_lost_is_found_out_by_the_next(price: int, quantity: int) -> None:
    venue, ours = Venue(10), KrakenBook("BTC/USD", 10, UNITS, PAIR)
    ours.take(venue.said("snapshot", full))
    venue.said("update", {"bids": [(price, quantity + 100)], "asks": []})
    ours.take(venue.said("update", {"bids": [], "asks": [(101, 7)]}))
    assert ours.book.untradable.startswith("its checksum is ")
    assert ours.book.touch(0, 0) is None
    ours.take(venue.said("snapshot", full))
    assert ours.book.untradable == ""


def test_the_example_of_the_guide_has_its_checksum() -> None:
    book = opened().book
    touch = book.touch(0, 0)
    assert book.untradable == ""
    assert touch is not None
    assert (touch.bid, touch.ask) == (45_283_500, 45_285_200)
    assert touch.bid_quantity == 10**8


def test_a_wrong_checksum_is_not_believed() -> None:
    book = KrakenBook("BTC/USD", 10, UNITS, PAIR)
    assert book.take(snapshot(checksum=CHECKSUM + 1))
    assert book.book.untradable == f"its checksum is {CHECKSUM}, and not the venue's"


@pytest.mark.parametrize("checksum", [None, "x", -1, [CHECKSUM]])
def test_an_update_without_its_checksum_is_not_believed(checksum: object) -> None:
    book = opened()
    book.take(said("update", bids=[], asks=[], checksum=checksum))
    assert book.book.untradable


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        "book",
        {"channel": "heartbeat"},
        {"channel": "book", "type": "update", "data": []},
        {"channel": "book", "type": "update", "data": [{"symbol": "ETH/USD", "bids": []}]},
        [1, {"a": []}, "book-10", "ETH/USD"],
        [1, {"a": []}, "trade", "BTC/USD"],
    ],
)
def test_what_is_no_message_of_this_book_changes_nothing(message: object) -> None:
    book = opened()
    before = book.book.bids()
    assert book.take(message) is False
    assert (book.book.untradable, book.book.bids()) == ("", before)


def test_fuzzed_messages_leave_a_book_that_is_the_venues_or_untradable() -> None:
    """Each part of a good message is broken in turn, in each way."""
    broken: list[object] = [
        None,
        True,
        -1,
        0,
        float("nan"),
        10**400,
        "x",
        [],
        {},
        [[]],
        "1e5",
        1e300,
    ]
    message = said("update", bids=[{"price": 45283.5, "qty": 0.1}], asks=[], checksum=CHECKSUM)
    opened_bids = opened().book.bids()
    for path in paths(message):
        for wrong in broken:
            book, changed = opened(), deepcopy(message)
            put(changed, path, wrong)
            book.take(changed)
            assert book.book.untradable or book.book.bids() == opened_bids, (path, wrong)


def paths(value: object) -> Iterator[tuple[Any, ...]]:
    """To all that is inside, the containers too."""
    inner: Iterable[tuple[Any, object]] = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for key, each in inner:
        yield (key,)
        yield from ((key, *path) for path in paths(each))


def put(value: Any, path: tuple[Any, ...], wrong: object) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = wrong


@cache
def recorded() -> tuple[list[Any], ...]:
    with gzip.open(RECORDING, "rt") as lines:
        told = [json.loads(line) for line in lines]
    frames = [json.loads(each["raw"]) for each in told if each["kind"] == "ws_recv"]
    return tuple(f for f in frames if isinstance(f, list) and str(f[-2]).startswith("book"))


def listening() -> dict[str, KrakenBook]:
    units = Decimals(9, 8)
    return {m[-1]: KrakenBook(m[-1], 1000, units, Decimals(0, 0)) for m in recorded()}


@real
def test_recorded_books_match_every_checksum() -> None:
    books, checksums = listening(), 0
    for message in recorded():
        ours = books[message[-1]]
        assert ours.take(message)
        assert ours.book.untradable == ""
        checksums += any("c" in part for part in message[1:-2])
    assert len(books) == 10
    assert checksums == len(recorded()) - len(books)


@real
def test_of_a_recording_with_a_change_left_out_the_book_is_lost_at_the_next_message() -> None:
    books, seen = listening(), dict.fromkeys(listening(), 0)
    lost = {}
    for number, message in enumerate(recorded()):
        pair = message[-1]
        seen[pair] += 1
        if seen[pair] == 2 and touches_the_best(books[pair], message):
            lost[pair] = number
            continue
        books[pair].take(message)
    assert lost
    assert all(books[pair].book.untradable.startswith("its checksum") for pair in lost)
    assert all(books[pair].book.untradable in ("", NO_SNAPSHOT) for pair in books.keys() - lost)


def touches_the_best(ours: KrakenBook, message: list[Any]) -> bool:
    trial = deepcopy(ours)
    before = trial.book.bids(10), trial.book.asks(10)
    trial.take(message)
    return (trial.book.bids(10), trial.book.asks(10)) != before
