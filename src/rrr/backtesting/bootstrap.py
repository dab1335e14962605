"""Two records of the same candles are compared on the same draws of them.

The draws are those of `blocks` (Politis and Romano, 1994), one block length for all that is
compared: the longest that any of it asks for. A draw is how often each candle came, so that a
thousand of them are one product of matrices. `p_better` shifts the differences of Sharpe ratios to
a null of none; `superior` is Hansen, "A Test for Superior Predictive Ability" (2005), recentred
consistently, against standing still. Both count what was seen (Phipson and Smyth, 2010).
"""

from collections.abc import Iterator
from math import log, sqrt
from typing import Final

import numpy as np

from rrr.backtesting.nulls import CELLS, DRAWS
from rrr.backtesting.sharpe import STILL
from rrr.monitoring.blocks import F64, block_length, drawn


def p_better(mine: F64, theirs: F64, *, draws: int = DRAWS, seed: int = 1) -> F64:
    """The p-value of each "mine is no better": `mine` (times,), `theirs` (rivals, times).

    Leverage decides nothing: what is compared are Sharpe ratios. Of the same record it is 1.
    """
    rows = np.vstack([mine[None, :], theirs])
    paces = rows / np.maximum(rows.std(axis=1, keepdims=True), STILL)
    block = max((block_length(one) for one in paces[0] - paces[1:]), default=1.0)
    shown = _ratios(rows.mean(axis=1)[None, :], (rows**2).mean(axis=1)[None, :])
    gap = shown[:, :1] - shown[:, 1:]
    beyond = np.zeros(len(theirs))
    for often in _often(rows.shape[1], block, draws, seed):
        ratios = _ratios(often @ rows.T, often @ (rows**2).T)
        beyond += (ratios[:, :1] - ratios[:, 1:] - gap >= gap - CLOSE).sum(axis=0)
    return (1 + beyond) / (1 + draws)


def superior(returns: F64, *, draws: int = DRAWS, seed: int = 1) -> float:
    """The p-value of "none of these earns anything", of returns (sets, times)."""
    moving = returns[returns.std(axis=1) >= STILL]
    times = returns.shape[1]
    if not len(moving) or times < 3:
        return 1.0
    block = max(block_length(one) for one in moving)
    earned = moving.mean(axis=1)
    drawn_means = np.concatenate(
        [often @ moving.T for often in _often(times, block, draws, seed)]
    )  # (draws, sets)
    wide = np.maximum(sqrt(times) * (drawn_means - earned).std(axis=0), STILL)
    apart = sqrt(times) * earned / wide
    centre = np.where(apart >= -sqrt(2 * log(log(times))), earned, 0.0)
    null = np.maximum((sqrt(times) * (drawn_means - centre) / wide).max(axis=1), 0.0)
    seen = max(0.0, float(apart.max()))
    return float((1 + (null >= seen).sum()) / (1 + draws))


CLOSE: Final = 1e-12  # of two ratios that differ by rounding only


def _often(times: int, block: float, draws: int, seed: int) -> Iterator[F64]:
    """The share that each candle has in each draw, (some draws, times), until all are made."""
    random = np.random.Generator(np.random.Philox(seed))
    portion = max(CELLS // times, 1)
    for done in range(0, draws, portion):
        rows = min(portion, draws - done)
        places = drawn(random, rows, times, block) + times * np.arange(rows)[:, None]
        counts = np.bincount(places.ravel(), minlength=rows * times)
        yield counts.reshape(rows, times) / times


def _ratios(mean: F64, square: F64) -> F64:
    """Sharpe ratios of a candle; 0 where nothing moved."""
    deviation = np.sqrt(np.maximum(square - mean**2, 0.0))
    moves = deviation >= STILL
    return np.where(moves, mean / np.where(moves, deviation, 1.0), 0.0)
