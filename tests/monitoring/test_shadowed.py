"""A lead is told with how far chance would have brought it, or it is too early to say."""

import numpy as np
import pytest

from rrr.monitoring.shadowed import CLOSES_MIN, STRETCHES_MAX, interval, told

BESIDE = {
    "name": "random",
    "kind": "random",
    "folder": None,
    "ended_at_ms": None,
    "delay_closes": 240,
    "since_ms": 1,
    "closes": 1_200,
    "return_ratio": 0.01,
    "principal_return_ratio": 0.03,
    "fills": 12,
    "principal_fills": 1_234,
    "exposure_ratio": 0.25,
    "principal_exposure_ratio": 0.3,
    "gap_ratio": 0.02,
    "gap_low_ratio": -0.01,
    "gap_high_ratio": 0.05,
}


def test_few_closes_or_few_that_are_apart_say_nothing() -> None:
    noise = np.random.default_rng(1).normal(0, 0.01, CLOSES_MIN)
    assert interval(noise[:-1]) is None
    assert interval(noise) is not None
    assert interval(np.zeros(0)) is None
    trend = np.cumsum(np.random.default_rng(2).normal(0, 0.01, CLOSES_MIN))
    assert interval(trend) is None, "It remembers far too much to be so many observations."


@pytest.mark.parametrize("closes", [CLOSES_MIN, 3 * STRETCHES_MAX + 7])
def test_the_sum_lies_within_and_more_noise_is_wider(closes: int) -> None:
    noise = np.random.default_rng(3).normal(0.001, 0.01, closes)
    quiet, loud = interval(noise), interval(3 * noise)
    assert quiet is not None
    assert loud is not None
    assert quiet[0] < noise.sum() < quiet[1]
    assert loud == pytest.approx((3 * quiet[0], 3 * quiet[1]))


@pytest.mark.slow
def test_nine_of_ten_intervals_hold_the_truth() -> None:
    truth, closes = 0.0005, 400
    dice = np.random.default_rng(4)
    held = 0
    for _ in range(100):
        found = interval(dice.normal(truth, 0.01, closes))
        assert found is not None
        held += found[0] < truth * closes < found[1]
    assert abs(held - 90) <= 7.5, "Two and a half standard errors."


def test_the_same_books_are_told_the_same() -> None:
    noise = np.random.default_rng(5).normal(0, 0.01, 700)
    assert interval(noise) == interval(noise)


def test_in_words() -> None:
    ((name, text),) = told([BESIDE])
    assert name == "vs random"
    assert text.startswith("gap +2.00% (-1.00% to +5.00%); it made +1.00% with 12 fills")
    assert "yours +3.00% with 1,234, 30%" in text
    ((_, text),) = told([BESIDE | {"gap_low_ratio": None}])
    assert "too early to say after 1,200 closes" in text
    ((_, text),) = told([BESIDE | {"since_ms": None}])
    assert text.startswith("not heard yet, it speaks 240 closes late")
    ((_, text),) = told([BESIDE | {"kind": "model", "folder": "0123456789ab"}])
    assert "(0123456789ab, watched on paper: a test of plumbing)" in text
    ((_, text),) = told([BESIDE | {"ended_at_ms": 1}])
    assert text.endswith(", ended)")
