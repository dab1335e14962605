"""Whole numbers do what their floats would, and chance at a place needs no place before it."""

from typing import Final

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rrr.data_pipeline.simulated_numbers import (
    DEVIATION,
    OCTAVE,
    OCTAVES_MAX,
    bell,
    below,
    power,
    ratio,
    scaled,
    trailing,
    words,
)

ONE: Final = 1 << 28
FAR: Final = 200_000
WHOLE: Final = words(7, "a stream", 0, FAR)


@given(first=st.integers(0, FAR - 1), places=st.integers(1, 100))
def test_words_are_the_same_from_wherever_one_begins(first: int, places: int) -> None:
    end = min(first + places, FAR)
    assert (words(7, "a stream", first, end) == WHOLE[:, first:end]).all()


def test_seed_and_stream_each_decide() -> None:
    one = words(7, "a stream", 0, 1_000)
    for other in (words(8, "a stream", 0, 1_000), words(7, "another", 0, 1_000)):
        assert not (one == other).any()


def test_a_bell_has_its_mean_and_its_deviation() -> None:
    for word in WHOLE:
        drawn = bell(word)
        assert abs(drawn.mean()) < 4 * DEVIATION / FAR**0.5
        assert abs(drawn.std() / DEVIATION - 1) < 0.01


def test_numbers_below_an_end_are_equally_many() -> None:
    counts = np.bincount(below(WHOLE[0], 10))
    assert len(counts) == 10
    assert (abs(counts - FAR / 10) < 5 * (FAR / 10) ** 0.5).all()


@given(st.integers(-OCTAVES_MAX * OCTAVE, OCTAVES_MAX * OCTAVE))
def test_a_power_is_near_the_true_one_and_never_falls(level: int) -> None:
    here, above = power(np.array([level, level + 1])).tolist()
    assert abs(here / ONE / 2 ** (level / OCTAVE) - 1) < 1.3e-7
    assert here <= above


@given(st.integers(-(2**62), 2**62))
def test_no_level_leaves_the_range_of_powers(level: int) -> None:
    assert ONE >> OCTAVES_MAX <= power(np.array([level]))[0] <= ONE << OCTAVES_MAX


def test_ratios_and_prices_are_powers() -> None:
    octaves = np.array([-65_536, 0, 65_536, 131_072])
    assert ratio(octaves).tolist() == [2**15, 2**16, 2**17, 2**18]
    assert scaled(1_000, octaves << 16).tolist() == [500, 1_000, 2_000, 4_000]


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=50), st.integers(1, 20))
def test_trailing_sums_are_sums(values: list[int], length: int) -> None:
    expected = [sum(values[max(n + 1 - length, 0) : n + 1]) for n in range(len(values))]
    assert trailing(np.array(values), length).tolist() == expected
