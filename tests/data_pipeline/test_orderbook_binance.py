"""A recorded book agrees with the recorded touches; a gap of update ids is never read over."""

import gzip
import json
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrr.core.events import Level
from rrr.data_pipeline.orderbook import NO_SNAPSHOT
from rrr.data_pipeline.orderbook_binance import WAITING_MAX, BinanceBook

RECORDING: Final = (
    Path(__file__).parents[2].parent / "shared/data/fixtures/binance/cryptofeed_recording.jsonl.gz"
)
real = pytest.mark.skipif(not RECORDING.is_file(), reason="the shared recordings are not here")


def change(first: int, last: int, bids: object = (), asks: object = ()) -> dict[str, Any]:
    return {"e": "depthUpdate", "s": "BTCUSDT", "U": first, "u": last, "b": bids, "a": asks}


def answer(last: int, quantity: int = 1) -> dict[str, Any]:
    return {"lastUpdateId": last, "bids": [["9", str(quantity)]], "asks": [["11", "1"]]}


def waiting(*messages: dict[str, Any]) -> BinanceBook:
    book = BinanceBook("BTCUSDT", 5, 0, 0)
    for message in messages:
        assert book.take(message)
    return book


def opened() -> BinanceBook:
    book = waiting()
    assert book.take_snapshot(answer(10), limit=100)
    return book


def test_changes_wait_for_the_snapshot_and_those_that_it_contains_are_dropped() -> None:
    book = waiting(change(8, 10, [["8", "7"]]), change(11, 12, [["9", "3"]]))
    assert book.book.untradable == NO_SNAPSHOT
    assert book.take_snapshot(answer(10), limit=100)
    assert book.book.bids() == (Level(9, 3),)
    assert book.update_id == 12


def test_a_snapshot_may_fall_into_the_middle_of_a_change() -> None:
    assert waiting(change(8, 12, [["9", "3"]])).take_snapshot(answer(10), limit=100)


def test_a_snapshot_that_is_older_than_the_changes_is_refused_and_a_newer_one_is_not() -> None:
    book = waiting(change(12, 13, [["9", "3"]]))
    assert not book.take_snapshot(answer(10), limit=100)
    assert book.book.untradable == "the snapshot is older than the changes: another is needed"
    assert book.take_snapshot(answer(11), limit=100)
    assert book.book.bids() == (Level(9, 3),)


def test_a_gap_is_named_and_the_book_waits_for_a_snapshot() -> None:
    book = opened()
    book.take(change(11, 11))
    book.take(change(13, 14, [["9", "3"]]))
    assert book.book.untradable == "updates 12 to 12 are missing"
    book.take(change(15, 15))
    assert book.take_snapshot(answer(12), limit=100)
    assert (book.update_id, book.book.bids()) == (15, (Level(9, 3),))


def test_what_comes_twice_changes_nothing() -> None:
    book = opened()
    book.take(change(11, 12, [["9", "3"]]))
    book.take(change(13, 13, [["9", "4"]]))
    book.take(change(11, 12, [["9", "3"]]))
    assert (book.book.untradable, book.book.bids()) == ("", (Level(9, 4),))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (change(12, 11), "a change has impossible update ids"),
        (change(11, 10**15), "a change has impossible update ids"),
        (change(11, 11) | {"U": None}, "a change has no update ids"),
        (change(11, 11, None), "its levels have another shape"),
        (change(11, 11, [["NaN", "1"]]), "a price is no number"),
        (change(11, 11, [["-1", "1"]]), "a price is negative"),
        (change(11, 11, [["0", "1"]]), "the bid of 1 at a price of 0 is impossible"),
        (change(11, 11, [["11", "1"]]), "it is crossed: a bid at 11, an ask at 11"),
    ],
)
def test_a_change_that_cannot_be_ends_the_book_with_its_reason(
    message: dict[str, Any], reason: str
) -> None:
    book = opened()
    book.take(message)
    assert book.book.untradable == reason
    assert book.take_snapshot(answer(20), limit=100)


@pytest.mark.parametrize("wrong", [None, [], {}, {"lastUpdateId": "1"}, answer(1) | {"bids": 1}])
def test_an_answer_of_another_shape_is_no_snapshot(wrong: object) -> None:
    book = opened()
    assert not book.take_snapshot(wrong, limit=100)
    assert "another shape" in book.book.untradable


@pytest.mark.parametrize(
    "message", [None, {}, {"stream": "x", "data": 1}, change(1, 2) | {"s": "ETHUSDT"}]
)
def test_what_is_no_change_of_this_book_changes_nothing(message: object) -> None:
    assert not opened().take(message)


def test_what_waits_is_bounded() -> None:
    book = waiting(*(change(number, number) for number in range(1, WAITING_MAX + 50)))
    assert not book.take_snapshot(answer(10), limit=100)
    assert book.take_snapshot(answer(WAITING_MAX), limit=100)


@settings(deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 8), st.integers(0, 3)), min_size=1),
    st.data(),
)
def test_whenever_the_snapshot_comes_and_whatever_comes_twice_the_book_is_the_venues(
    turns: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    truth, told, update_id = [{9: 1}], [], 100
    for width, price, quantity in turns:
        message = change(update_id + 1, update_id + width, [[str(price), str(quantity)]])
        update_id += width
        told.append(message)
        truth.append({k: v for k, v in {**truth[-1], price: quantity}.items() if v})
    at = data.draw(st.integers(0, len(turns)))
    sent = [each for message in told for each in [message] * data.draw(st.integers(1, 2))]
    asked = data.draw(st.integers(0, len(sent)))
    book = waiting(*sent[:asked])
    snapshot = {
        "lastUpdateId": told[at - 1]["u"] if at else 100,
        "bids": [[str(price), str(quantity)] for price, quantity in truth[at].items()],
        "asks": [],
    }
    assert book.take_snapshot(snapshot, limit=100)
    for message in sent[asked:]:
        book.take(message)
    untold = book.book.untradable
    assert untold == "" or at < len(turns)
    if not untold and book.update_id == update_id:
        best = sorted(truth[-1].items(), reverse=True)[:5]
        assert book.book.bids() == tuple(Level(*each) for each in best)
    else:
        assert untold


@real
def test_a_recorded_book_has_the_recorded_touches() -> None:
    books = {s: BinanceBook(s, 20, 8, 8) for s in ("NKNUSDT", "BLZETH", "LRCBTC", "RUNEEUR")}
    touches: dict[tuple[str, int], tuple[float, float]] = {}
    agreed = 0
    with gzip.open(RECORDING, "rt") as lines:
        for line in map(json.loads, lines):
            if line["kind"] == "http" and "depth?" in line["url"]:
                symbol = line["url"].partition("symbol=")[2].partition("&")[0]
                assert books[symbol].take_snapshot(json.loads(line["raw"]), limit=1000)
            if line["kind"] != "ws_recv":
                continue
            message = json.loads(line["raw"])
            said = message["data"]
            book = books[said["s"]]
            if "bookTicker" in message["stream"]:
                touches[said["s"], said["u"]] = float(said["b"]), float(said["a"])
            elif book.take(message) and (said["s"], book.update_id) in touches:
                touch = book.book.touch(0, 0)
                assert touch is not None
                ours = touch.bid / 10**8, touch.ask / 10**8
                assert ours == touches[said["s"], book.update_id]
                agreed += 1
    assert all(book.book.untradable == "" for book in books.values())
    assert agreed > 10
