"""An interval that missed too often grows wider, until it holds what it promises.

Adaptive conformal inference (Gibbs and Candès, 2021), one state for each instrument and horizon: a
score is |outcome − mean|, the interval reaches as far as the ⌈(n+1)(1−α)⌉-th smallest of the last
`SCORES_MAX` scores, and each outcome moves α by γ (target − missed), to 1 at most. Whatever the
market does, and however late outcomes come, of T the share that is missed is above the target by at
most (α₁ + γ · delay) ÷ (γT).

Who is asked with too few scores says ±∞, and α rests; what is not finite changes nothing. `ask` and
`step` are functions of the state alone, so that live, restart and batch have the same bits.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from math import ceil, inf, isfinite, nan
from typing import Final, NamedTuple

import numpy as np

from .labels import F64

MISSES: Final = 0.1  # the share of outcomes that may be outside: the target of α
RATE: Final = 0.005  # γ
SCORES_MAX: Final = 500
SCORES_MIN: Final = 30


class Interval(NamedTuple):
    """In units of the label; NaN where the mean is no number."""

    mean: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether it says anything."""
        return isfinite(self.low) and isfinite(self.high)


class Conformal(NamedTuple):
    alpha: float = MISSES  # below 0 nothing is outside
    scores: tuple[float, ...] = ()  # the oldest first


def ask(state: Conformal, mean: float) -> Interval:
    """
    >>> ask(Conformal(0.1, tuple(map(float, range(40)))), 0.5)
    Interval(mean=0.5, low=-35.5, high=36.5)
    """
    if not isfinite(mean):
        return Interval(nan, nan, nan)
    reach = _reach(sorted(state.scores), state.alpha)
    return Interval(mean, mean - reach, mean + reach)


def step(state: Conformal, asked: Interval, outcome: float) -> Conformal:
    """The state that knows how this interval ended."""
    if not (isfinite(outcome) and isfinite(asked.mean)):
        return state
    alpha, scores = state
    if len(scores) >= SCORES_MIN:
        missed = not asked.low <= outcome <= asked.high
        alpha = min(alpha + RATE * (MISSES - missed), 1.0)
    return Conformal(alpha, (*scores, abs(outcome - asked.mean))[-SCORES_MAX:])


class Adapting:
    """One that goes on: what `ask` and `step` say, with its scores kept in order."""

    def __init__(self, state: Conformal) -> None:
        self.alpha = state.alpha
        self.scores: Final = deque(state.scores, SCORES_MAX)
        self.ranked: Final = sorted(self.scores)

    @property
    def state(self) -> Conformal:
        return Conformal(self.alpha, tuple(self.scores))

    def ask(self, mean: float) -> Interval:
        if not isfinite(mean):
            return Interval(nan, nan, nan)
        reach = _reach(self.ranked, self.alpha)
        return Interval(mean, mean - reach, mean + reach)

    def step(self, asked: Interval, outcome: float) -> float:
        """The score; NaN where nothing is learned."""
        if not (isfinite(outcome) and isfinite(asked.mean)):
            return nan
        if len(self.scores) >= SCORES_MIN:
            missed = not asked.low <= outcome <= asked.high
            self.alpha = min(self.alpha + RATE * (MISSES - missed), 1.0)
        if len(self.scores) == SCORES_MAX:
            del self.ranked[bisect_left(self.ranked, self.scores[0])]
        score = abs(outcome - asked.mean)
        self.scores.append(score)
        insort(self.ranked, score)
        return score


def walk(
    state: Conformal, means: F64, outcomes: F64, delay: int
) -> tuple[list[Interval], Conformal]:
    """The interval of each mean (times,), and the state once all outcomes are known.

    The outcome of a question is known before the question `delay` later is asked.
    """
    assert delay > 0 and means.shape == outcomes.shape
    asked: list[Interval] = []
    waiting: deque[tuple[Interval, float]] = deque()
    for mean, outcome in zip(means.tolist(), outcomes.tolist(), strict=True):
        if len(waiting) == delay:
            state = step(state, *waiting.popleft())
        asked.append(ask(state, mean))
        waiting.append((asked[-1], outcome))
    for question in waiting:
        state = step(state, *question)
    return asked, state


def covered(asked: list[Interval], outcomes: F64) -> float:
    """The share of outcomes inside, of those that an interval was known for; NaN of none."""
    inside = [
        one.low <= outcome <= one.high
        for one, outcome in zip(asked, outcomes.tolist(), strict=True)
        if one.known and isfinite(outcome)
    ]
    return float(np.mean(inside)) if inside else nan


def _reach(ranked: Sequence[float], alpha: float) -> float:
    many = len(ranked)
    rank = max(ceil((many + 1) * (1 - alpha)), 1)
    return ranked[rank - 1] if SCORES_MIN <= many >= rank else inf
