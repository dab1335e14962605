"""The true offset is always inside the bounds, and clocks that part are seen to."""

from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrr.data_pipeline.venue_clock import (
    SAMPLES_MAX,
    Jump,
    Jumps,
    Kind,
    Offset,
    Sample,
    VenueClock,
)

NOW: Final = 1_700_000_000_000


def reply(
    offset_us: int, sent_us: int, there_us: int, back_us: int, resolution_ms: int = 1
) -> Sample:
    """What a venue whose clock is so far ahead would have answered; stamps are cut."""
    wrote_ms = (sent_us + there_us + offset_us) // 1000
    received_us = sent_us + there_us + back_us
    cut_ms = wrote_ms - wrote_ms % resolution_ms
    return Sample(sent_us // 1000, received_us // 1000, cut_ms, resolution_ms)


delays = st.integers(0, 3_000_000)
replies = st.tuples(st.integers(0, 600), delays, delays, st.sampled_from([1, 1000]))


@settings(deadline=None, derandomize=True)
@given(
    st.integers(-(10**9), 10**9),
    st.integers(-100, 100),
    st.lists(replies, min_size=1, max_size=2 * SAMPLES_MAX),
)
def test_the_true_offset_is_within_the_bounds_however_slow_and_askew_the_replies_and_the_drift(
    offset_us: int, drift_ppm: int, said: list[tuple[int, int, int, int]]
) -> None:
    clock = VenueClock()
    now_us = NOW * 1000
    for pause_s, there_us, back_us, resolution_ms in said:
        now_us += pause_s * 1_000_000
        offset_us += pause_s * drift_ppm
        assert clock.take(reply(offset_us, now_us, there_us, back_us, resolution_ms))
        now_us += there_us + back_us
        offset_us += (there_us + back_us) * drift_ppm // 1_000_000
    found = clock.offset(now_us // 1000)
    assert found is not None
    # Within one reply the clocks part by no more than the microseconds that a cut stamp hides.
    assert abs(found.offset_ms * 1000 - offset_us) <= found.uncertainty_ms * 1000 + 1_000


def test_a_quick_reply_says_more_than_many_slow_ones() -> None:
    clock = VenueClock()
    for number in range(5):
        clock.take(reply(250_000, (NOW + 10_000 * number) * 1000, 900_000, 100_000))
    slow = clock.offset(NOW + 50_000)
    clock.take(reply(250_000, (NOW + 50_000) * 1000, 2_000, 3_000))
    quick = clock.offset(NOW + 50_010)
    assert slow is not None
    assert quick is not None
    assert quick.uncertainty_ms < 10 < slow.uncertainty_ms
    assert abs(quick.offset_ms - 250) <= quick.uncertainty_ms


def test_of_replies_that_are_askew_on_both_sides_the_bounds_are_what_they_share() -> None:
    clock = VenueClock()
    clock.take(Sample(NOW, NOW + 1_000, NOW + 1_000))  # at most 1,001 ahead, at least -1
    clock.take(Sample(NOW, NOW + 1_000, NOW))  # at most 1 ahead
    assert clock.offset(NOW + 1_000) == Offset(0, 1, 0)


def test_bounds_widen_with_age() -> None:
    clock = VenueClock(drift_ppm=100)
    clock.take(Sample(NOW, NOW, NOW))
    young, old = clock.offset(NOW), clock.offset(NOW + 3_600_000)
    assert young is not None
    assert old is not None
    assert old.uncertainty_ms - young.uncertainty_ms == 360
    assert (young.age_ms, old.age_ms) == (0, 3_600_000)


def test_one_liar_is_outvoted_and_does_not_count_as_news() -> None:
    clock = VenueClock()
    for number in range(3):
        clock.take(Sample(NOW + number, NOW + number + 10, NOW + number + 5))
    clock.take(Sample(NOW + 100, NOW + 110, NOW + 90_000))
    found = clock.offset(NOW + 110)
    assert found is not None
    assert abs(found.offset_ms) <= found.uncertainty_ms < 10
    assert found.age_ms == 98


def test_a_venue_whose_stamps_stand_still_says_nothing() -> None:
    clock = VenueClock()
    for number in range(4):
        clock.take(Sample(NOW + 10_000 * number, NOW + 10_000 * number + 10, NOW))
    assert clock.offset(NOW + 40_000) is None


def test_nobody_knows_before_the_first_reply_nor_after_the_clock_was_set() -> None:
    clock = VenueClock()
    assert clock.offset(NOW) is None
    clock.take(Sample(NOW, NOW, NOW))
    clock.forget()
    assert clock.offset(NOW) is None


def test_a_reply_that_came_before_its_question_is_none() -> None:
    clock = VenueClock()
    assert not clock.take(Sample(NOW, NOW - 1, NOW))
    assert not clock.take(Sample(NOW, NOW, NOW, resolution_ms=0))
    assert clock.offset(NOW) is None


@pytest.mark.parametrize(
    ("wall_ms", "monotonic_ms", "jump"),
    [
        (1_000, 1_000, None),
        (5_000, 5_000, None),
        (6_000, 1_000, None),
        (6_001, 1_000, Jump(Kind.STEP, 5_001)),
        (-4_001, 1_000, Jump(Kind.STEP, -5_001)),
        (3_600_000, 20, Jump(Kind.STEP, 3_599_980)),
        (5_001, 5_001, Jump(Kind.PAUSE, 5_001)),
        (60_000, 58_000, Jump(Kind.PAUSE, 58_000)),
    ],
)
def test_two_clocks_that_do_not_move_together_or_stand_still_are_a_jump(
    wall_ms: int, monotonic_ms: int, jump: Jump | None
) -> None:
    jumps = Jumps()
    assert jumps.look(NOW, 500) is None
    assert jumps.look(NOW + wall_ms, 500 + monotonic_ms) == jump
    assert jumps.look(NOW + wall_ms + 1_000, 500 + monotonic_ms + 1_000) is None
