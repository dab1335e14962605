"""What a training showed is plain figures; where one is kept back or unknown, a sentence says why.

Whoever fills it decides what may be seen. Until the gate has looked at it, the last part of the
walk-forward is the holdout: the page refuses to be drawn with a figure of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from rrr.backtesting.gate import Verdict
from rrr.backtesting.report.model import F64, Figure, Why
from rrr.neural_network.panel import I64

Kind: TypeAlias = str  # "ridge", "boosting", "network": the simplest first


class Lesson(NamedTuple):
    """One learning, epoch by epoch."""

    kind: Kind
    seed: int
    loss: Sequence[float]
    ic: Sequence[float]  # on rows that it does not learn from; empty: not told, or kept back
    kept: int  # the epoch whose weights serve, from 1


class Fold(NamedTuple):
    begins_ms: int  # closing times of its test
    ends_ms: int


class Skill(NamedTuple):
    kind: Kind
    horizon: int  # candles
    fold: int  # its place among the folds
    ic: float
    error: float | None  # one standard error


class Bin(NamedTuple):
    """One tenth of all opinions."""

    said: float  # mean probability of a rise
    came: float  # how often it rose
    error: float  # one standard error of `came`, by the rows that count
    rows: int


class Calibrated(NamedTuple):
    kind: Kind
    bins: Sequence[Bin]
    before: Sequence[Bin]  # before Platt; empty: not known
    words: str


class Charged(NamedTuple):
    kind: Kind
    multiple: float  # of the account's costs
    sharpe: float | None  # of a year, after costs; None: it never moved
    turnover: float  # of equity, a year


class Weighed(NamedTuple):
    feature: str
    fall: float  # of the IC, when it is permuted in blocks of time
    error: float  # 0: not known


class Grown(NamedTuple):
    """What 1 became."""

    name: str
    class_: str  # a kind, "champion", "hold"
    worth: F64  # (times,)


@dataclass(frozen=True, slots=True, eq=False)
class Equity:
    at_ms: I64  # (times,)
    grown: Sequence[Grown]
    twins: F64 | None  # (3, times): 5 %, 50 % and 95 % of its random twins
    note: str


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    name: str  # of the training: its first twelve digits
    title: str
    market: str
    timeframe: str
    symbols: Sequence[str]
    synthetic: bool
    headline: Sequence[Figure]
    words: Sequence[Figure]  # what a person reads first
    horizon: int  # candles: what is traded
    served: Kind
    lessons: Sequence[Lesson] | Why
    folds: Sequence[Fold]
    held_out_ms: int  # when the holdout begins
    shown: bool  # the gate has looked at the holdout
    skills: Sequence[Skill] | Why
    calibrated: Sequence[Calibrated] | Why
    charged: Sequence[Charged] | Why
    weighed: Mapping[Kind, Sequence[Weighed]] | Why
    equity: Equity | Why
    verdict: Verdict | None  # None: the gate was not asked
    origin: Sequence[Figure]  # recipe, digests, versions, seed

    @property
    def span_ms(self) -> tuple[int, int]:
        """Of all tests."""
        return self.folds[0].begins_ms, self.folds[-1].ends_ms

    def kept_back(self, fold: int) -> bool:
        """Whether it reaches into the holdout that nobody has looked at."""
        return not self.shown and self.folds[fold].ends_ms > self.held_out_ms
