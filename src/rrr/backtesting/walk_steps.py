"""What was shown in training, beside what came of it: the gap is the lesson."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, variance
from typing import NamedTuple

import numpy as np

from rrr.backtesting import sharpe
from rrr.backtesting.grid import Grid
from rrr.backtesting.growth import F64, Daily
from rrr.backtesting.history import History
from rrr.backtesting.walk_looks import Looks
from rrr.backtesting.walk_objectives import Objective, daily_sharpe, total
from rrr.backtesting.walk_windows import Window, part


class Shown(NamedTuple):
    """What some days showed."""

    days: int
    total_ratio: float
    daily_ratio: float  # the mean of the days
    sharpe_daily: float


class Step(NamedTuple):
    """One window: what its training chose, and how that went on."""

    window: Window
    chosen: int  # of the grid
    score: float  # in training
    neighbours: float | None  # the median score of the sets one step beside it
    train: Shown
    test: Shown  # of the one book
    rank_ratio: float  # of the grid, each set by itself: how many did worse in the test
    agreement: float | None  # rank correlation of the sets' scores in training and in the test


class Onward(NamedTuple):
    """What the last training chooses, which ends with history: nobody has judged it yet."""

    chosen: int  # of the grid
    score: float


class Hindsight(NamedTuple):
    """The set that would have been the best of the tests, had anybody known."""

    number: int  # of the grid
    shown: Shown
    probability: float | None  # that its true Sharpe ratio is above zero
    deflated: float | None  # that it is above the best of as many worthless sets


class Lesson(NamedTuple):
    """What all steps together say of choosing; tests weigh by their days."""

    train_daily_ratio: float  # of the chosen, in training
    test_daily_ratio: float
    kept_ratio: float | None  # of what training showed, what the tests did; None: it showed no gain
    changes: int  # steps that chose another set than the one before
    distinct: int
    rank_ratio: float  # the mean over the steps; ½ is chance
    agreement: float | None  # the mean over those that have one; 0 is chance


def steps_of(
    grid: Grid,
    history: History,
    windows: Sequence[Window],
    chosen: Sequence[int],
    looks: Looks,
    days: Daily,
) -> tuple[Step, ...]:
    """`days`: of the one book that went through all tests."""
    return tuple(
        Step(
            window=window,
            chosen=number,
            score=float(looks.train[k, number]),
            neighbours=_beside(grid, looks.train[k], number),
            train=_shown(looks.trained[k][number]),
            test=_shown(part(days, history, window.test)),
            rank_ratio=_rank(looks.test[k], number),
            agreement=_agreement(looks.train[k], looks.test[k]),
        )
        for k, (window, number) in enumerate(zip(windows, chosen, strict=True))
    )


def hindsight_of(returns: F64, objective: Objective) -> Hindsight:
    number = int(np.argmax([objective(one) for one in returns]))
    of, spread = sharpe.moments(returns[number]), variance(map(daily_sharpe, returns))
    return Hindsight(
        number,
        _shown(returns[number]),
        None if of is None else sharpe.probabilistic(of),
        None if of is None else sharpe.deflated(of, len(returns), spread),
    )


def lesson(steps: Sequence[Step]) -> Lesson:
    days = [step.test.days for step in steps]
    train, test = (
        float(np.average([figures.daily_ratio for figures in side], weights=days))
        for side in ([step.train for step in steps], [step.test for step in steps])
    )
    chosen = [step.chosen for step in steps]
    agreed = [step.agreement for step in steps if step.agreement is not None]
    return Lesson(
        train,
        test,
        test / train if train > 0 else None,
        sum(a != b for a, b in pairwise(chosen)),
        len(set(chosen)),
        fmean(step.rank_ratio for step in steps),
        fmean(agreed) if agreed else None,
    )


def _shown(returns: F64) -> Shown:
    return Shown(len(returns), total(returns), float(returns.mean()), daily_sharpe(returns))


def _beside(grid: Grid, scores: F64, number: int) -> float | None:
    beside = grid.neighbours(number)
    return float(np.median(scores[beside])) if beside else None


def _rank(scores: F64, number: int) -> float:
    """The share of the others that scored less; ties count half.

    >>> _rank(np.array([1.0, 2.0, 2.0, 3.0]), 1)
    0.5
    """
    below, alike = (scores < scores[number]).sum(), (scores == scores[number]).sum() - 1
    return float((below + alike / 2) / (len(scores) - 1))


def _agreement(train: F64, test: F64) -> float | None:
    """Spearman's; None where all sets did the same.

    >>> _agreement(np.array([1.0, 2.0, 9.0]), np.array([0.1, 0.2, 0.3]))
    1.0
    """
    a, b = (_ranks(scores) for scores in (train, test))
    if not a.any() or not b.any():
        return None
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def _ranks(values: F64) -> F64:
    """From their mean; ties share theirs."""
    _, which, times = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(times) - (times - 1) / 2)[which]
    centred: F64 = ranks - ranks.mean()
    return centred
