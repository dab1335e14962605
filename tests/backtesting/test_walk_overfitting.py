"""Choosing among noise is found out, and so is a set that really was better."""

from itertools import combinations, pairwise
from statistics import mean, stdev

import numpy as np
import pytest

from rrr.backtesting.growth import F64
from rrr.backtesting.walk_overfitting import BLOCKS, Overfitting, overfitting


def returns(seed: int, sets: int, days: int, edge: float = 0.0) -> F64:
    made = np.random.Generator(np.random.Philox(seed)).normal(0, 0.01, (sets, days))
    made[sets // 2] += edge
    return made


def found(values: F64, blocks: int = BLOCKS) -> Overfitting:
    answer = overfitting(values, blocks)
    assert isinstance(answer, Overfitting)
    return answer


def slowly(values: F64, blocks: int) -> tuple[float, float]:
    """Half by half, set by set, as the paper tells it."""
    sets, days = values.shape
    edges = np.linspace(0, days, blocks + 1).astype(int).tolist()
    block = [list(range(a, b)) for a, b in pairwise(edges)]
    overfit, lost = [], []
    for half in combinations(range(blocks), blocks // 2):
        mine = [day for b in half for day in block[b]]
        rest = [day for b in range(blocks) if b not in half for day in block[b]]
        inside, outside = (
            [mean(row[days].tolist()) / stdev(row[days].tolist()) for row in values]
            for days in (mine, rest)
        )
        shown = outside[inside.index(max(inside))]
        rank = 1 + sum(other < shown for other in outside)
        omega = rank / (sets + 1)
        overfit.append(np.log(omega / (1 - omega)) <= 1e-12)
        lost.append(shown < 0)
    return float(np.mean(overfit)), float(np.mean(lost))


@pytest.mark.parametrize(("sets", "days", "edge"), [(6, 61, 0.0), (5, 40, 0.0), (2, 33, 0.002)])
def test_it_is_what_splitting_by_hand_finds(sets: int, days: int, edge: float) -> None:
    values = returns(days, sets, days, edge)
    answer = found(values, 6)
    assert (answer.probability, answer.loss_ratio) == pytest.approx(slowly(values, 6))
    assert (answer.blocks, answer.splits) == (6, 20)


def test_noise_is_a_coin_and_a_winner_is_none() -> None:
    """The vectors of Bailey and others: forty sets, 800 days, eight blocks."""
    noise = [found(returns(seed, 40, 800), 8).probability for seed in range(40)]
    assert mean(noise) == pytest.approx(0.5, abs=0.08)
    assert all(found(returns(seed, 40, 800, 0.003), 8).probability == 0 for seed in range(10))


def test_a_large_grid_is_worked_off_in_portions() -> None:
    values = returns(3, 200, 200)
    assert found(values).splits == 12_870
    order = np.random.Generator(np.random.Philox(1)).permutation(200)
    assert found(values[order]) == found(values)


def test_sets_that_never_moved_are_no_winners() -> None:
    values = returns(4, 5, 60, 0.01)
    values[:2] = 0
    assert found(values).probability == 0


def test_too_little_to_split_is_said() -> None:
    assert overfitting(returns(1, 4, 29)) == "it takes 30 days to split, and these are 29"
    assert found(returns(1, 4, 30)).blocks == 6
    assert overfitting(returns(1, 1, 90)) == "one set is no choice"
