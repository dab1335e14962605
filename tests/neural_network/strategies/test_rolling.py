"""What moves along a window is exact, and knows nothing of what came before the window."""

from collections.abc import Callable
from random import Random

import numpy as np
import pytest

from rrr.neural_network.strategies import I64, earlier, exact, highest, lowest, over

Roll = Callable[[I64, int], I64]
TWINS: list[tuple[Roll, Callable[[list[int]], int]]] = [(over, sum), (highest, max), (lowest, min)]


@pytest.mark.parametrize(("roll", "twin"), TWINS)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 16, 17, 200])
def test_each_value_is_that_of_the_last_n_alone(
    roll: Roll, twin: Callable[[list[int]], int], n: int
) -> None:
    dice = Random(n)
    values = [[dice.randrange(-(10**6), 10**6) for _ in range(100)] for _ in range(3)]
    told = roll(np.array(values), n)
    for row, answers in zip(values, told.tolist(), strict=True):
        assert answers == [twin(row[max(t + 1 - n, 0) : t + 1]) for t in range(100)]


def test_a_running_sum_may_wrap_and_what_is_left_is_right() -> None:
    values = np.full(8, 1 << 62)
    assert over(values, 1).tolist() == [1 << 62] * 8


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_what_stood_earlier_never_comes_around_from_the_end(n: int) -> None:
    values = np.arange(10, 15)
    assert earlier(values, n).tolist() == [10 + max(t - n, 0) for t in range(5)]


@pytest.mark.parametrize("roll", [over, highest, lowest, earlier])
def test_what_is_given_stays_as_it_was(roll: Roll) -> None:
    values = np.arange(10)
    values.flags.writeable = False
    roll(values, 3)
    assert roll(values[:0], 3).tolist() == []


def test_numbers_that_64_bits_would_cut_are_counted_without_end() -> None:
    values = np.array([1 << 50, 3])
    assert exact(values, 1 << 11) is values
    assert (exact(values, 1 << 20) * (1 << 20)).tolist() == [1 << 70, 3 << 20]
