"""A message that is missing from a connection takes all its books, whatever it was about."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from rrr.core.events import Level
from rrr.data_pipeline.orderbook import NO_SNAPSHOT
from rrr.data_pipeline.orderbook_coinbase import CoinbaseBooks, Units

FIXTURES: Final = Path(__file__).parents[2].parent / "shared/data/fixtures/coinbase/nautilus"
real = pytest.mark.skipif(not FIXTURES.is_dir(), reason="the shared messages are not here")

BTC: Final = "BTC-USD"
ETH: Final = "ETH-USD"


def message(number: int, kind: str, *updates: tuple[str, str, str], name: str = BTC) -> Any:
    words = ("side", "price_level", "new_quantity")
    said = [dict(zip(words, update, strict=True)) for update in updates]
    event = {"type": kind, "product_id": name, "updates": said}
    return {"channel": "l2_data", "sequence_num": number, "events": [event]}


def heartbeat(number: int) -> dict[str, Any]:
    return {"channel": "heartbeats", "sequence_num": number, "events": [{"heartbeat_counter": 1}]}


def opened() -> CoinbaseBooks:
    books = CoinbaseBooks({BTC: Units(2, 2), ETH: Units(2, 2)}, 5)
    for number, name in enumerate((BTC, ETH)):
        said = message(number, "snapshot", ("bid", "9", "1"), ("offer", "11", "2"), name=name)
        assert books.take(said) == {name}
    return books


def reasons(books: CoinbaseBooks) -> set[str]:
    return {book.untradable for book in books.books.values()}


def test_updates_follow_a_snapshot() -> None:
    books = opened()
    said = ("bid", "9", "0"), ("bid", "8.5", "3"), ("offer", "11.00", "1.25")
    assert books.take(message(2, "update", *said)) == {BTC}
    assert books.books[BTC].bids() == (Level(850, 300),)
    assert books.books[BTC].asks() == (Level(1100, 125),)
    assert reasons(books) == {""}


def test_a_gap_takes_every_book_until_its_own_snapshot() -> None:
    books = opened()
    books.take(message(2, "update"))
    books.take(heartbeat(5))
    assert reasons(books) == {"messages 3 to 4 are missing"}
    books.take(message(6, "update", ("bid", "9", "4")))
    books.take(message(7, "snapshot", ("bid", "9", "4")))
    assert books.books[BTC].bids() == (Level(900, 400),)
    assert books.books[ETH].untradable == "messages 3 to 4 are missing"


def test_while_no_book_can_be_traded_on_any_number_is_a_beginning() -> None:
    books = opened()
    books.take(message(1_000, "update"))
    assert books.take(message(3, "snapshot", ("bid", "9", "4"))) == {BTC}
    assert books.books[BTC].untradable == ""
    assert books.take(message(4, "update", ("bid", "9", "5"))) == {BTC}
    assert books.books[BTC].bids() == (Level(900, 500),)


def test_a_number_older_than_the_beginning_is_none_that_was_seen_and_proves_nothing() -> None:
    books = opened()
    books.take(message(1_000, "update"))
    books.take(message(1_001, "snapshot", ("bid", "9", "4")))
    assert books.passed(1_001) is False
    assert books.books[BTC].untradable == ""
    assert books.passed(4) is True
    assert books.books[BTC].untradable == "message 4 came after 1001"


def test_other_channels_count_and_change_no_book() -> None:
    books = opened()
    assert books.take(heartbeat(2)) == frozenset()
    assert books.take(message(3, "update", ("bid", "9", "4"))) == {BTC}


def test_what_comes_twice_changes_nothing() -> None:
    books = opened()
    books.take(message(2, "update", ("bid", "9", "4")))
    books.take(message(3, "update", ("bid", "9", "5")))
    assert books.take(message(2, "update", ("bid", "9", "4"))) == frozenset()
    assert books.books[BTC].bids() == (Level(900, 500),)


def test_another_connection_numbers_anew_and_has_no_books_yet() -> None:
    books = opened()
    books.reconnected()
    assert reasons(books) == {NO_SNAPSHOT}
    assert books.take(message(0, "snapshot", ("bid", "9", "1"))) == {BTC}
    assert books.books[BTC].untradable == ""


@pytest.mark.parametrize(
    "wrong",
    [
        *(None, [], {}, {"sequence_num": 2}, {"channel": "l2_data"}),
        *({"channel": "l2_data", "sequence_num": n} for n in (None, "2", 2.0, -1, 10**18)),
    ],
)
def test_what_cannot_be_read_is_missed_by_the_next(wrong: object) -> None:
    books = opened()
    assert books.take(wrong) == frozenset()
    books.take(heartbeat(2))
    assert reasons(books) == {""}
    books.take(heartbeat(4))
    assert reasons(books) == {"messages 3 to 3 are missing"}


@pytest.mark.parametrize(
    ("update", "reason"),
    [
        (("x", "9", "1"), "a level is on neither side"),
        (([], "9", "1"), "a level is on neither side"),
        (("bid", "x", "1"), "a price is no number"),
        (("bid", "9", "-1"), "a quantity is negative"),
        (("bid", "12", "1"), "it is crossed: a bid at 1200, an ask at 1100"),
    ],
)
def test_an_update_that_cannot_be_takes_its_book_alone(update: Any, reason: str) -> None:
    books = opened()
    books.take(message(2, "update", update))
    assert books.books[BTC].untradable == reason
    assert books.books[ETH].untradable == ""


@pytest.mark.parametrize("events", [None, [None], [{"product_id": BTC}], [{"product_id": "X"}]])
def test_events_of_another_shape_change_no_book(events: object) -> None:
    books = opened()
    assert books.take(message(2, "update") | {"events": events}) == frozenset()


@real
def test_the_shared_messages_are_understood() -> None:
    books = CoinbaseBooks({BTC: Units(4, 8)}, 10)
    for name in ("snapshot", "update"):
        assert books.take(json.loads((FIXTURES / f"ws_l2_data_{name}.json").read_text())) == {BTC}
    book = books.books[BTC]
    assert book.bids()[0] == Level(689_000_000, 2 * 10**8)
    assert book.asks()[0].price == 689_015_000
