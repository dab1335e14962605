"""One table says what a report makes of an order; a row for each surprise of the real world."""

from itertools import permutations
from random import Random
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrr.core.orders import (
    AFTER,
    NO_ORDER,
    SEEN_MAX,
    Kind,
    Order,
    Rejection,
    Report,
    Stage,
    Status,
    fresh,
    is_stop,
    over,
    rest_of,
    seen,
    told,
)
from tests.builders import order, report

WHOLE = order().quantity
PART = WHOLE // 4
ENDED = (Stage.FILLED, Stage.CANCELLED, Stage.REJECTED)


def at(stage: Stage, filled: int = 0) -> Order:
    return order(stage=int(stage), filled=filled, last_fill=1 if filled else 0, fills_seen=1)


def part(number: int, quantity: int = PART, of: Order | None = None) -> Report:
    return report(Status.FILLED, of or order(), quantity=quantity, fill=number)


SAME: Final = {"quantity": order().quantity, "price": order().price}


def word(status: Status, rejection: Rejection = Rejection.NONE) -> Report:
    same = SAME if status == Status.AMENDED else {}
    return report(status, order(), rejection=int(rejection), **same)


# The stage of an order, what the venue says, and the stage after it.
TABLE: list[tuple[Stage, Status, Stage]] = [
    (Stage.SENDING, Status.ACCEPTED, Stage.WORKING),
    (Stage.SENDING, Status.FILLED, Stage.WORKING),  # a fill before the acknowledgement
    (Stage.SENDING, Status.CANCELLED, Stage.CANCELLED),
    (Stage.SENDING, Status.REJECTED, Stage.REJECTED),
    (Stage.SENDING, Status.TRIGGERED, Stage.TRIGGERED),
    (Stage.SENDING, Status.UNKNOWN, Stage.UNKNOWN),
    (Stage.WORKING, Status.ACCEPTED, Stage.WORKING),  # a late acknowledgement
    (Stage.WORKING, Status.FILLED, Stage.WORKING),
    (Stage.WORKING, Status.CANCELLED, Stage.CANCELLED),
    (Stage.WORKING, Status.REJECTED, Stage.REJECTED),
    (Stage.WORKING, Status.TRIGGERED, Stage.TRIGGERED),
    (Stage.WORKING, Status.UNKNOWN, Stage.UNKNOWN),
    (Stage.CANCELLING, Status.ACCEPTED, Stage.CANCELLING),
    (Stage.CANCELLING, Status.FILLED, Stage.CANCELLING),  # a fill that crosses the cancel
    (Stage.CANCELLING, Status.CANCELLED, Stage.CANCELLED),
    (Stage.CANCELLING, Status.REJECTED, Stage.REJECTED),
    (Stage.CANCELLING, Status.TRIGGERED, Stage.CANCELLING),
    (Stage.CANCELLING, Status.UNKNOWN, Stage.CANCELLING),
    (Stage.UNKNOWN, Status.ACCEPTED, Stage.WORKING),  # whatever is said makes it known
    (Stage.UNKNOWN, Status.FILLED, Stage.WORKING),
    (Stage.UNKNOWN, Status.CANCELLED, Stage.CANCELLED),
    (Stage.UNKNOWN, Status.REJECTED, Stage.REJECTED),
    (Stage.UNKNOWN, Status.TRIGGERED, Stage.TRIGGERED),
    (Stage.UNKNOWN, Status.UNKNOWN, Stage.UNKNOWN),
    (Stage.TRIGGERED, Status.ACCEPTED, Stage.TRIGGERED),
    (Stage.TRIGGERED, Status.FILLED, Stage.TRIGGERED),
    (Stage.TRIGGERED, Status.CANCELLED, Stage.CANCELLED),
    (Stage.TRIGGERED, Status.REJECTED, Stage.REJECTED),
    (Stage.TRIGGERED, Status.TRIGGERED, Stage.TRIGGERED),
    (Stage.TRIGGERED, Status.UNKNOWN, Stage.UNKNOWN),
    (Stage.SENDING, Status.AMENDED, Stage.WORKING),
    (Stage.WORKING, Status.AMENDED, Stage.WORKING),  # by hand, or late
    (Stage.CANCELLING, Status.AMENDED, Stage.CANCELLING),
    (Stage.UNKNOWN, Status.AMENDED, Stage.WORKING),
    (Stage.TRIGGERED, Status.AMENDED, Stage.TRIGGERED),
    (Stage.AMENDING, Status.ACCEPTED, Stage.AMENDING),
    (Stage.AMENDING, Status.FILLED, Stage.AMENDING),
    (Stage.AMENDING, Status.CANCELLED, Stage.CANCELLED),
    (Stage.AMENDING, Status.REJECTED, Stage.REJECTED),
    (Stage.AMENDING, Status.TRIGGERED, Stage.TRIGGERED),
    (Stage.AMENDING, Status.UNKNOWN, Stage.AMENDING),
    (Stage.AMENDING, Status.AMENDED, Stage.WORKING),
    *((ended, status, ended) for ended in ENDED for status in Status),  # what is over stays over
]


@pytest.mark.parametrize(("stage", "status", "after"), TABLE)
def test_a_word_of_the_venue(stage: Stage, status: Status, after: Stage) -> None:
    said = part(1) if status == Status.FILLED else word(status)
    heard = told(at(stage), said)
    assert Stage(heard.stage) is after
    assert heard.filled == (PART if status == Status.FILLED else 0)
    assert heard._replace(stage=0, filled=0, last_fill=0, fills_seen=0) == order()._replace(stage=0)


def test_every_stage_hears_every_word() -> None:
    assert {(was, status) for was, status, _ in TABLE} == {
        (was, status) for was in Stage if was != Stage.NONE for status in Status
    }
    assert len(AFTER) == len(Stage)


@pytest.mark.parametrize("stage", [one for one in Stage if one not in (Stage.NONE, *ENDED)])
def test_the_last_part_ends_an_order_whatever_it_was_thought_to_be(stage: Stage) -> None:
    almost = at(stage, WHOLE - PART)
    assert Stage(told(almost, part(2)).stage) is Stage.FILLED
    assert Stage(told(almost, part(2, PART - 1)).stage) is not Stage.FILLED


@pytest.mark.parametrize("stage", list(Stage))
def test_a_cancel_that_was_refused_leaves_an_order_as_it_is(stage: Stage) -> None:
    """It is filled already, and the fill is on its way."""
    was = at(stage, PART)
    late = word(Status.REJECTED, Rejection.UNKNOWN_ORDER)
    assert told(was, late) == was
    assert told(told(was, late), part(2)).filled == 2 * PART


@pytest.mark.parametrize("stage", list(Stage))
def test_a_fill_that_is_told_twice_is_noted_once(stage: Stage) -> None:
    once = told(at(stage), part(1))
    assert told(once, part(1)) == once
    assert told(told(once, part(2)), part(1)).filled == 2 * PART


SAID: list[tuple[str, list[Report], Stage, int]] = [
    (
        "as it should be",
        [word(Status.ACCEPTED), part(1), part(2, WHOLE - PART)],
        Stage.FILLED,
        WHOLE,
    ),
    (
        "filled before it is acknowledged",
        [part(1, WHOLE), word(Status.ACCEPTED)],
        Stage.FILLED,
        WHOLE,
    ),
    (
        "acknowledged between two fills",
        [part(1), word(Status.ACCEPTED), part(2, WHOLE - PART)],
        Stage.FILLED,
        WHOLE,
    ),
    (
        "filled after its cancel",
        [word(Status.ACCEPTED), word(Status.CANCELLED), part(1)],
        Stage.CANCELLED,
        PART,
    ),
    (
        "filled whole after its cancel",
        [word(Status.CANCELLED), part(1, WHOLE)],
        Stage.FILLED,
        WHOLE,
    ),
    (
        "cancelled after a part",
        [word(Status.ACCEPTED), part(1), word(Status.CANCELLED)],
        Stage.CANCELLED,
        PART,
    ),
    ("cancelled twice", [word(Status.CANCELLED), word(Status.CANCELLED)], Stage.CANCELLED, 0),
    ("rejected, then filled all the same", [word(Status.REJECTED), part(1)], Stage.REJECTED, PART),
    (
        "acknowledged after its end",
        [word(Status.CANCELLED), word(Status.ACCEPTED)],
        Stage.CANCELLED,
        0,
    ),
    (
        "nobody answered, and it works",
        [word(Status.UNKNOWN), word(Status.ACCEPTED)],
        Stage.WORKING,
        0,
    ),
    (
        "nobody answered, and it was filled",
        [word(Status.UNKNOWN), part(1, WHOLE)],
        Stage.FILLED,
        WHOLE,
    ),
    (
        "nobody answered, and it never arrived",
        [word(Status.UNKNOWN), word(Status.REJECTED)],
        Stage.REJECTED,
        0,
    ),
    (
        "nobody answered twice, and it is over",
        [word(Status.UNKNOWN)] * 2 + [word(Status.CANCELLED)],
        Stage.CANCELLED,
        0,
    ),
    (
        "a stop that is triggered and fills in parts",
        [word(Status.ACCEPTED), word(Status.TRIGGERED), part(1), part(2, WHOLE - PART)],
        Stage.FILLED,
        WHOLE,
    ),
    (
        "a stop that fills before it is said to be triggered",
        [part(1), word(Status.TRIGGERED)],
        Stage.TRIGGERED,
        PART,
    ),
    (
        "the fill of a refused cancel",
        [word(Status.REJECTED, Rejection.UNKNOWN_ORDER), part(1, WHOLE)],
        Stage.FILLED,
        WHOLE,
    ),
]


@pytest.mark.parametrize(("how", "said", "stage", "filled"), SAID, ids=[row[0] for row in SAID])
def test_what_the_world_says(how: str, said: list[Report], stage: Stage, filled: int) -> None:
    now = at(Stage.SENDING)
    for one in said:
        now = told(now, one)
    assert (Stage(now.stage), now.filled) == (stage, filled)
    assert over(now) == (stage in ENDED)


def test_fills_in_any_order_however_often_told_come_to_the_same() -> None:
    parts = [part(number, PART) for number in (1, 2, 3, 4)]
    dice = Random(1)
    for shuffled in permutations(parts):
        now = at(Stage.WORKING)
        for one in shuffled:
            now = told(now, one)
            now = told(now, dice.choice(shuffled[: shuffled.index(one) + 1]))
        assert (now.filled, rest_of(now), Stage(now.stage)) == (WHOLE, 0, Stage.FILLED)


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 200), max_size=80))
def test_a_number_is_new_once_and_what_lies_too_far_back_was_booked(numbers: list[int]) -> None:
    last, window, known = 0, 0, set[int]()
    for number in numbers:
        too_old = last - number >= SEEN_MAX
        assert fresh(last, window, number) == (number not in known and not too_old)
        if fresh(last, window, number):
            window = seen(last, window, number)
            last, known = max(last, number), known | {number}
        assert 0 <= window < 1 << SEEN_MAX


def test_a_fill_without_a_number_is_a_broken_law() -> None:
    with pytest.raises(AssertionError, match="numbers"):
        fresh(0, 0, 0)


def test_what_is_a_stop() -> None:
    assert [kind.name for kind in Kind if is_stop(kind)] == ["STOP", "STOP_LIMIT", "TRAILING"]
    assert not is_stop(NO_ORDER.kind)
