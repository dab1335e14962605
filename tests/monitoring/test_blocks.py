"""A block is as long as the past remembers, and every moment of it is as likely to come again."""

from math import ceil, log10, sqrt

import numpy as np
import pytest

from rrr.monitoring.blocks import block_length, drawn


def generator(seed: int = 7) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def remembering(
    share: float, n: int, seed: int = 7
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Each value is this share of the one before it, and chance."""
    chance = generator(seed).normal(size=n)
    values = np.zeros(n)
    for k in range(1, n):
        values[k] = share * values[k - 1] + chance[k]
    return values


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_the_mean_block_is_the_one_that_theory_has_for_such_a_memory(share: float) -> None:
    """Of an AR(1), G = Σ|k|γ(k) and g = Σγ(k) have closed forms: b = (G² ÷ g² · n)^(1/3)."""
    n = 50_000
    bias = 2 * share / (1 - share) ** 2 / (1 - share**2)
    density = 1 / (1 - share) ** 2
    theory = (bias / density) ** (2 / 3) * n ** (1 / 3)
    assert block_length(remembering(share, n)) == pytest.approx(theory, rel=0.2)


@pytest.mark.parametrize("share", [-0.5, 0.0, 0.5, 0.9])
@pytest.mark.parametrize("n", [40, 500])
def test_the_mean_block_is_that_of_the_paper_step_by_step(share: float, n: int) -> None:
    """Politis and White (2004), 3.2, with the constant of 2009."""
    values = remembering(share, n)
    mean = sum(values) / n

    def gamma(k: int) -> float:
        return float(sum((values[t] - mean) * (values[t + k] - mean) for t in range(n - k))) / n

    near = 2 * sqrt(log10(n) / n)
    lags = ceil(sqrt(n)) + 5
    rho = [abs(gamma(k) / gamma(0)) for k in range(lags + 1)]
    last = next(m for m in range(lags) if max(rho[m + 1 : m + 6]) < near)
    width = min(2 * max(last, 1), lags)
    lam = [1 if 2 * k <= width else 2 * (1 - k / width) for k in range(width + 1)]
    bias = sum(2 * lam[k] * k * gamma(k) for k in range(1, width + 1))
    density = gamma(0) + sum(2 * lam[k] * gamma(k) for k in range(1, width + 1))
    block = (2 * bias**2 / (2 * density**2)) ** (1 / 3) * n ** (1 / 3)
    expected = max(min(block, ceil(min(3 * sqrt(n), n / 3))), 1)
    assert block_length(values) == pytest.approx(expected)


def test_what_remembers_nothing_needs_hardly_a_block() -> None:
    lengths = [block_length(remembering(0.0, 2_000, seed)) for seed in range(10)]
    assert max(lengths) < 5


def test_a_longer_memory_makes_longer_blocks() -> None:
    lengths = [block_length(remembering(share, 5_000)) for share in (0.1, 0.4, 0.7, 0.95)]
    assert lengths == sorted(lengths)
    assert lengths[-1] > 50


def test_no_block_is_longer_than_the_past_allows() -> None:
    n = 300
    assert block_length(np.arange(float(n))) <= np.ceil(min(3 * np.sqrt(n), n / 3))


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0, 3.0], [5.0] * 100])
def test_what_never_moves_or_hardly_was_has_blocks_of_one(values: list[float]) -> None:
    assert block_length(np.array(values)) == 1


def test_a_swing_to_and_fro_is_a_number() -> None:
    values = np.tile([1.0, -1.0], 200)
    assert 1 <= block_length(values) <= np.ceil(3 * np.sqrt(400))


@pytest.mark.parametrize("block", [1.0, 5.0, 40.0])
def test_blocks_have_the_mean_length_that_was_asked_for(block: float) -> None:
    places = drawn(generator(), 400, 1_000, block)
    on = np.diff(places, axis=1) % 1_000 == 1
    ends = (~on).mean()
    by_chance = 1 / 1_000  # a new block begins where the last one would have gone on
    assert ends == pytest.approx((1 / block) * (1 - by_chance), rel=0.05)


def test_every_place_is_as_likely_at_every_time() -> None:
    places = drawn(generator(), 20_000, 10, 4.0)
    for column in places.T:
        counts = np.bincount(column, minlength=10)
        assert np.abs(counts - 2_000).max() < 5 * np.sqrt(2_000)


def test_a_block_goes_on_from_the_end_to_the_beginning() -> None:
    places = drawn(generator(), 50, 20, 1e12)
    assert (np.diff(places, axis=1) % 20 == 1).all()
    assert len(np.unique(places[:, 0])) > 10


def test_the_same_seed_draws_the_same() -> None:
    first, again = drawn(generator(3), 5, 50, 7.0), drawn(generator(3), 5, 50, 7.0)
    other = drawn(generator(4), 5, 50, 7.0)
    assert (first == again).all()
    assert (first != other).any()
