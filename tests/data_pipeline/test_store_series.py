import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as some

from rrr.data_pipeline.store_series import Span, decimals_of, missing, rounded
from tests.data_pipeline.store_builders import DAY, FIRST, MINUTE, rows, series


@settings(max_examples=80, deadline=None)
@given(some.lists(some.integers(1, 10**11), min_size=1), some.integers(0, 8))
def test_decimals_survive_the_noise_of_floats(numbers: list[int], decimals: int) -> None:
    exact = np.array([number / 10**decimals for number in numbers])
    noisy = exact * (1 + 2 * np.finfo(np.float64).eps)
    assert np.array_equal(rounded(noisy, decimals), exact)
    used = decimals_of([noisy], exact)
    assert used.price == used.volume <= decimals


def test_floats_too_large_to_be_rounded_stay_as_they_are() -> None:
    values = np.array([1e300, 2.0**60, 123456789012345.6])
    assert np.array_equal(rounded(values, 15), values)


@settings(max_examples=80, deadline=None)
@given(some.sets(some.integers(0, 60)), some.integers(-9, 70), some.integers(-9, 70))
def test_what_is_missing_and_what_is_there_make_the_span(
    places: set[int], begin: int, end: int
) -> None:
    stamps = FIRST + MINUTE * np.array(sorted(places), np.int64)
    spans = missing(stamps, MINUTE, FIRST + begin * MINUTE, FIRST + end * MINUTE)
    absent = [
        (at - FIRST) // MINUTE for one in spans for at in range(one.begin_ms, one.end_ms, MINUTE)
    ]
    assert absent == [place for place in range(begin, end) if place not in places]
    assert len(absent) == sum(one.candles for one in spans)


def test_weeks_are_missing_from_monday_to_monday() -> None:
    thursday = FIRST + 3 * DAY
    assert missing(np.zeros(0, np.int64), 7 * DAY, thursday, thursday + 14 * DAY) == (
        Span(FIRST + 7 * DAY, FIRST + 21 * DAY, 2),
    )


def test_a_part_of_a_series_is_its_candles() -> None:
    whole = series(9)
    assert rows(whole.between(FIRST + MINUTE, FIRST + 3 * MINUTE)) == rows(series((1, 2)))
    assert rows(whole.between(None, FIRST)) == [] == rows(whole.between(FIRST + 9 * MINUTE, None))
