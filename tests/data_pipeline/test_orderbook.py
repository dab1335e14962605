"""A book rebuilt from changes is the full book, as far as it shows; else it says why it is not."""

from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrr.core.events import Depth, Level, Touch
from rrr.data_pipeline.orderbook import NO_SNAPSHOT, Book, Diff, levels

MIDDLE: Final = 50  # bids below, asks above: these laws are about depth, not about crossing
SHOWN: Final = 3

lawful = settings(deadline=None, derandomize=True, max_examples=200)

Full = dict[int, int]  # price to quantity, of one side


def sided(low: int, high: int) -> st.SearchStrategy[Full]:
    return st.dictionaries(st.integers(low, high), st.integers(1, 9), max_size=12)


def changes(low: int, high: int) -> st.SearchStrategy[list[Level]]:
    return st.lists(st.builds(Level, st.integers(low, high), st.integers(0, 2)), max_size=4)


bids, asks = sided(1, MIDDLE - 1), sided(MIDDLE, 2 * MIDDLE)
diffs = st.lists(st.builds(Diff, changes(1, MIDDLE - 1), changes(MIDDLE, 2 * MIDDLE)), max_size=12)


def best(full: Full, count: int, *, high: bool) -> tuple[Level, ...]:
    return tuple(Level(price, full[price]) for price in sorted(full, reverse=high)[:count])


def change(full: Full, said: list[Level]) -> None:
    for price, quantity in said:
        full[price] = quantity
        if not quantity:
            del full[price]


def shown(book: Book) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    return book.bids(), book.asks()


@lawful
@given(bids, asks, diffs, st.integers(SHOWN, 6), st.integers(0, 6))
def test_a_book_rebuilt_from_all_changes_is_the_full_book_or_says_that_it_is_too_thin(
    bids: Full, asks: Full, said: list[Diff], kept: int, limit: int
) -> None:
    cut = limit or None
    book = Book(SHOWN, kept=kept)
    book.apply_snapshot(
        best(bids, 99, high=True)[:cut], best(asks, 99, high=False)[:cut], limit=limit
    )
    for diff in (Diff(), *said):
        change(bids, list(diff.bids))
        change(asks, list(diff.asks))
        book.apply(diff)
        if book.untradable:
            assert "are known by now" in book.untradable
            assert shown(book) == ((), ())
        else:
            assert shown(book) == (best(bids, SHOWN, high=True), best(asks, SHOWN, high=False))


@lawful
@given(bids, asks, diffs)
def test_a_complete_book_that_memory_has_room_for_is_never_too_thin(
    bids: Full, asks: Full, said: list[Diff]
) -> None:
    book = Book(SHOWN, kept=60)
    book.apply_snapshot(best(bids, 99, high=True), best(asks, 99, high=False))
    for diff in said:
        change(bids, list(diff.bids))
        change(asks, list(diff.asks))
        book.apply(diff)
    assert book.untradable == ""
    assert shown(book) == (best(bids, SHOWN, high=True), best(asks, SHOWN, high=False))


@lawful
@given(bids, asks, diffs)
def test_a_window_that_the_venue_keeps_is_followed(
    bids: Full, asks: Full, said: list[Diff]
) -> None:
    """The venue sends what changes inside its window, and what enters it."""
    book = Book(SHOWN)
    book.apply_snapshot(best(bids, SHOWN, high=True), best(asks, SHOWN, high=False))
    for diff in said:
        sent: list[list[Level]] = []
        for full, each, high in ((bids, diff.bids, True), (asks, diff.asks, False)):
            before = dict(best(full, SHOWN, high=high))
            change(full, list(each))
            after = dict(best(full, SHOWN, high=high))
            gone = [Level(price, 0) for price in before if price not in full]
            sent.append(gone + [Level(*new) for new in after.items() if new not in before.items()])
        book.apply(Diff(*sent))
        assert shown(book) == (best(bids, SHOWN, high=True), best(asks, SHOWN, high=False))


@lawful
@given(bids, asks, diffs, st.integers(SHOWN, 6))
def test_memory_is_bounded_by_what_is_kept(
    bids: Full, asks: Full, said: list[Diff], kept: int
) -> None:
    for book in (Book(SHOWN, kept=kept), Book(kept)):
        book.apply_snapshot(best(bids, 99, high=True), best(asks, 99, high=False))
        for diff in said:
            book.apply(diff)
            assert max(len(book.bids(99)), len(book.asks(99))) <= kept


def small() -> Book:
    book = Book(2)
    book.apply_snapshot([Level(99, 1), Level(98, 2)], [Level(101, 3), Level(102, 4)])
    return book


@pytest.mark.parametrize(
    ("diff", "reason"),
    [
        (Diff([Level(101, 1)]), "it is crossed: a bid at 101, an ask at 101"),
        (Diff([], [Level(98, 1)]), "it is crossed: a bid at 99, an ask at 98"),
        (Diff([Level(0, 1)]), "the bid of 1 at a price of 0 is impossible"),
        (Diff([Level(-1, 1)]), "the bid of 1 at a price of -1 is impossible"),
        (Diff([], [Level(101, -2)]), "the ask of -2 at a price of 101 is impossible"),
    ],
)
def test_a_book_that_cannot_be_shows_nothing_until_the_next_snapshot(
    diff: Diff, reason: str
) -> None:
    book = small()
    book.apply(diff)
    assert book.untradable == reason
    book.apply(Diff([Level(97, 1)], [Level(103, 1)]))
    assert shown(book) == ((), ())
    assert book.touch(0, 0) is None
    book.apply_snapshot([Level(99, 1)], [Level(101, 1)])
    assert book.untradable == ""
    assert book.touch(5, 2) == Touch(5, 2, 99, 101, 1, 1)


def test_a_message_that_crosses_on_its_way_is_judged_at_its_end() -> None:
    book = small()
    book.apply(Diff([Level(101, 1)], [Level(101, 0)]))
    assert book.untradable == ""
    assert book.deep(0, 0) == Depth(0, 0, (Level(101, 1), Level(99, 1)), (Level(102, 4),))


def test_a_new_book_waits_for_its_snapshot() -> None:
    book = Book(2)
    book.apply(Diff([Level(99, 1)]))
    assert (book.untradable, book.bids()) == (NO_SNAPSHOT, ())


def test_a_snapshot_that_says_two_things_of_a_price_is_refused() -> None:
    book = Book(2)
    book.apply_snapshot([Level(99, 1), Level(99, 2)], [])
    assert book.untradable == "the snapshot has two bids at 99"


def test_a_side_that_is_empty_has_no_touch_and_is_no_fault() -> None:
    book = Book(2)
    book.apply_snapshot([], [Level(99, 1)])
    assert (book.untradable, book.touch(0, 0)) == ("", None)


def test_who_asks_ten_billion_is_in_the_book_and_not_in_what_leaves_it() -> None:
    joke = levels([("9999999997.00000", "0.001")], 12, 8)
    assert isinstance(joke, tuple)
    book = Book(3)
    book.apply_snapshot([Level(1, 1)], [Level(5, 1), *joke])
    assert book.deep(0, 0).asks == (Level(5, 1),)
    assert len(book.asks()) == 2
    book.apply(Diff([], [Level(5, 0)]))
    assert (book.untradable, book.touch(0, 0)) == ("", None)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (None, "its levels have another shape"),
        ("12", "its levels have another shape"),
        ([["1"]], "a level has another shape"),
        ([{"price": 1}], "a level has another shape"),
        ([None], "a level has another shape"),
        ([["x", "1"]], "a price is no number"),
        ([[float("inf"), "1"]], "a price is no number"),
        ([["1.001", "1"]], "a price has more than 2 decimals"),
        ([["1", "-1"]], "a quantity is negative"),
        ([["1", True]], "a quantity is no number"),
    ],
)
def test_rows_that_are_no_levels_say_why(rows: object, reason: str) -> None:
    assert levels(rows, 2, 4) == reason
