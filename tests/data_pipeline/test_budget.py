"""No minute holds more than the venue allows; an exit finds its reserve; a ban is obeyed by all."""

from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrr.data_pipeline.budget import MINUTE_MS, Budget, backoff_ms

PER_MINUTE: Final = 100
BURST: Final = 40
RESERVE: Final = 10
START: Final = 10**9


def budget() -> Budget:
    return Budget(PER_MINUTE, burst=BURST, reserve=RESERVE)


questions = st.lists(
    st.tuples(st.integers(0, 5_000), st.integers(1, BURST - RESERVE), st.booleans()), max_size=60
)


@settings(deadline=None, derandomize=True)
@given(questions)
def test_no_minute_wherever_it_begins_holds_more_than_allowed(
    questions: list[tuple[int, int, bool]],
) -> None:
    ours, now_ms = budget(), START
    spent: list[tuple[int, int]] = []
    for passed_ms, weight, is_exit in questions:
        now_ms += passed_ms
        if ours.wait_ms(weight, now_ms, is_exit=is_exit) == 0:
            spent.append((now_ms, weight))
    for begin, _ in spent:
        inside = [weight for at_ms, weight in spent if begin <= at_ms <= begin + MINUTE_MS]
        assert sum(inside) <= PER_MINUTE


@settings(deadline=None, derandomize=True)
@given(questions)
def test_after_the_time_that_it_names_the_same_question_is_granted_and_not_before(
    questions: list[tuple[int, int, bool]],
) -> None:
    ours, now_ms = budget(), START
    for passed_ms, weight, is_exit in questions:
        now_ms += passed_ms
        wait_ms = ours.wait_ms(weight, now_ms, is_exit=is_exit)
        if wait_ms:
            assert ours.wait_ms(weight, now_ms + wait_ms - 1, is_exit=is_exit) == 1
            now_ms += wait_ms
            assert ours.wait_ms(weight, now_ms, is_exit=is_exit) == 0


@settings(deadline=None, derandomize=True)
@given(questions)
def test_whatever_the_others_spent_an_exit_as_large_as_the_reserve_goes_at_once(
    questions: list[tuple[int, int, bool]],
) -> None:
    ours, now_ms = budget(), START
    for passed_ms, weight, _ in questions:
        now_ms += passed_ms
        ours.wait_ms(weight, now_ms)
    assert ours.wait_ms(RESERVE, now_ms, is_exit=True) == 0


@pytest.mark.parametrize("is_exit", [False, True])
def test_a_pause_is_obeyed_by_everybody(is_exit: bool) -> None:
    ours = budget()
    ours.pause(START + 30_000, START)
    assert ours.wait_ms(1, START, is_exit=is_exit) == 30_000
    assert ours.wait_ms(1, START + 29_999, is_exit=is_exit) == 1
    assert ours.left(START + 29_999) == 0
    assert ours.wait_ms(1, START + 30_000, is_exit=is_exit) == 0


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    ours = budget()
    ours.pause(START + 30_000, START)
    ours.pause(START + 1_000, START)
    assert ours.wait_ms(1, START + 1_000) == 29_000


def test_after_a_refusal_exits_have_their_reserve_and_others_wait_for_more() -> None:
    ours = budget()
    ours.pause(START + 1, START)
    assert ours.wait_ms(1, START + 1) == MINUTE_MS // (PER_MINUTE - BURST) - 1
    assert ours.wait_ms(RESERVE, START + 1, is_exit=True) == 0


def test_what_the_venue_counted_counts() -> None:
    ours = budget()
    ours.counted(PER_MINUTE - 15, START)
    assert ours.left(START) == 15
    ours.counted(0, START)
    assert ours.left(START) == 15
    ours.counted(PER_MINUTE + 7, START)
    assert ours.left(START) == 0


def test_a_clock_that_goes_back_brings_nothing() -> None:
    ours = budget()
    assert ours.wait_ms(BURST - RESERVE, START) == 0
    assert ours.left(START - MINUTE_MS) == RESERVE
    assert ours.left(START) == RESERVE


@settings(derandomize=True)
@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_pause_between_tries_is_bounded_and_never_short(tries: int, chance: float) -> None:
    pause_ms = backoff_ms(tries, chance, longest_ms=20_000)
    whole_ms = min(1_000 * 2 ** (tries - 1), 20_000)
    assert whole_ms // 2 <= pause_ms <= whole_ms
