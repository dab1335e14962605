"""An interval holds what it says that it holds, however few, and whatever moves together."""

from math import sqrt
from random import Random
from statistics import mean, stdev
from typing import Final

import pytest

from rrr.backtesting.fit_numbers import MANY, POWER, estimated, student

DRAWS: Final = 1_000


@pytest.mark.parametrize(
    ("free", "t"),  # of the tables: 0.975
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (7, 2.3646), (29, 2.0452), (120, 1.9799)],
)
def test_students_t_is_that_of_the_tables(free: int, t: float) -> None:
    assert student(0.975, free) == pytest.approx(t, abs=6e-5)


@pytest.mark.parametrize("free", [MANY - 1, MANY])
def test_many_degrees_of_freedom_are_nearly_normal(free: int) -> None:
    assert student(0.975, free) == pytest.approx(student(0.975, MANY + 1), abs=3e-3)


def test_nothing_has_no_estimate_and_one_moment_no_interval() -> None:
    assert estimated([]) is None
    found = estimated([(1, 5.0), (1, 7.0)])
    assert found is not None
    assert (found.mean, found.moments, found.low, found.shows) == (6.0, 1, None, None)


def test_where_each_moment_is_one_it_is_the_plain_interval_of_a_mean() -> None:
    figures = [Random(3).gauss(10, 4) for _ in range(12)]
    found = estimated(list(enumerate(figures)))
    wide = student(0.975, 11) * stdev(figures) / sqrt(12)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((mean(figures) - wide, mean(figures) + wide))


def test_what_moves_together_tells_no_more_than_once() -> None:
    figures = [(moment, Random(moment).gauss(0, 1)) for moment in range(9)]
    once, thrice = estimated(figures), estimated(figures * 3)
    assert once is not None and thrice is not None
    assert (thrice.low, thrice.high, thrice.shows) == pytest.approx(
        (once.low, once.high, once.shows)
    )


def test_the_ninth_of_ten_is_the_first_that_nine_in_ten_do_not_exceed() -> None:
    found = estimated([(k, float(k)) for k in range(1, 21)])
    assert found is not None
    assert (found.median, found.p90) == (10.5, 18.0)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Moments of one to three takes that share most of their noise: seed 11."""
    random, held = Random(11), 0
    for _ in range(DRAWS):
        values = []
        for moment in range(10):
            common = random.gauss(0, 1)
            values += [(moment, common + random.gauss(0, 0.3)) for _ in range(1 + moment % 3)]
        found = estimated(values)
        assert found is not None and found.low is not None and found.high is not None
        held += found.low <= 0 <= found.high
    assert 0.92 <= held / DRAWS <= 0.98


def test_a_difference_that_should_show_shows_as_often_as_it_says() -> None:
    random, seen, stated = Random(12), 0, 0.0
    least = (student(0.975, 29) + student(POWER, 29)) / sqrt(30)
    for _ in range(DRAWS):
        found = estimated([(k, random.gauss(least, 1)) for k in range(30)])
        assert found is not None and found.low is not None and found.shows is not None
        seen += found.low > 0
        stated += found.shows / DRAWS
    assert seen / DRAWS == pytest.approx(POWER, abs=0.03)
    assert stated == pytest.approx(least, rel=0.02)
