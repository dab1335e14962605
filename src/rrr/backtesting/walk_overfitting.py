"""Whoever takes the best of many gets what was lucky: how much of it was luck is counted.

Combinatorially symmetric cross-validation (Bailey, Borwein, López de Prado and Zhu, "The
Probability of Backtest Overfitting", 2015): the days are cut into blocks; of every choice of half
of them the best set by Sharpe ratio is taken, and looked up among all sets in the other half.
λ = ln(ω ÷ (1 − ω)), ω = its rank ÷ (sets + 1); the probability is the share of λ ≤ 0. Near ½ there
was nothing to choose: all sets are noise, or all are equally good, which it does not tell apart.
"""

from itertools import combinations
from typing import Final, NamedTuple

import numpy as np

from rrr.backtesting.growth import F64
from rrr.backtesting.nulls import CELLS
from rrr.backtesting.sharpe import STILL
from rrr.neural_network.panel import I64, Mask

BLOCKS: Final = 16  # 12,870 choices of half of them
BLOCK_DAYS_MIN: Final = 5
BLOCKS_MIN: Final = 6


class Overfitting(NamedTuple):
    probability: float  # that the best of one half is below the median of the other
    loss_ratio: float  # of the choices: those whose best lost in the other half
    blocks: int
    splits: int


def overfitting(returns: F64, blocks: int = BLOCKS) -> Overfitting | str:
    """Of daily returns, (sets, days); a sentence where there are too few."""
    sets, days = returns.shape
    blocks = min(blocks, days // BLOCK_DAYS_MIN // 2 * 2)
    if blocks < BLOCKS_MIN:
        return f"it takes {BLOCKS_MIN * BLOCK_DAYS_MIN} days to split, and these are {days}"
    if sets < 2:
        return "one set is no choice"
    halves = np.array(list(combinations(range(blocks), blocks // 2)))
    taken = np.zeros((len(halves), blocks), np.bool_)
    np.put_along_axis(taken, halves, True, axis=1)
    edges = np.linspace(0, days, blocks + 1).astype(np.int64)
    cut = _Cut(
        np.diff(edges),
        np.add.reduceat(returns, edges[:-1], axis=1),
        np.add.reduceat(returns**2, edges[:-1], axis=1),
    )
    portions = np.array_split(taken, -(-len(taken) * sets // CELLS))
    shown, share = (
        np.concatenate(found)
        for found in zip(*(_looked_up(cut, one) for one in portions), strict=True)
    )
    below, lost = float((share <= 0.5).mean()), float((shown < 0).mean())
    return Overfitting(below, lost, blocks, len(taken))


class _Cut(NamedTuple):
    lengths: I64  # (blocks,): days
    sums: F64  # (sets, blocks): of returns
    squares: F64


def _looked_up(cut: _Cut, taken: Mask) -> tuple[F64, F64]:
    """Of each choice of blocks: what its best showed in the others, and its ω there."""
    best = _ratios(cut, taken).argmax(axis=1)[:, None]
    others = _ratios(cut, ~taken)
    shown = np.take_along_axis(others, best, axis=1)
    rank = (others < shown).sum(axis=1) + ((others == shown).sum(axis=1) + 1) / 2
    return shown[:, 0], rank / (others.shape[1] + 1)


def _ratios(cut: _Cut, taken: Mask) -> F64:
    """Sharpe ratios of a day over these blocks, (choices, sets); 0 where nothing moved."""
    weight = taken.astype(np.float64)
    n = (taken @ cut.lengths)[:, None]
    mean = weight @ cut.sums.T / n
    deviation = np.sqrt(np.maximum(weight @ cut.squares.T / n - mean**2, 0) * n / (n - 1))
    moves = deviation >= STILL
    return np.where(moves, mean / np.where(moves, deviation, 1.0), 0.0)
