"""What became of what was said is known a horizon later, and only then; then belief may change.

One watch is of one model in one book. At each close it is first shown the candles: what was said
`horizon` closes ago has its outcome, and its score goes to the interval of its instrument (ACI)
and, once in a horizon, so that no two share a candle, with all others' to ADWIN. Then the features
of late are compared with those of training, now and then. Its memory is a function of the closes
and of what was said: from rows, closes and a line of state it is built anew, bit for bit.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, log, nan
from typing import Final, NamedTuple

import msgspec
import numpy as np

from . import drift
from .conformal import Adapting, Conformal, Interval
from .drift import PSI_MAX
from .features import F32, FEATURES
from .labels import CUT
from .learned import Learned
from .panel import I64, Mask

LOOKS: Final = 8  # at what goes in, while all of it is replaced
NOWHERE: Final = 1 << 62
FAR: Final = 2.0  # of many features one is always a little beyond the worst of its training


class Furthest(NamedTuple):
    """The feature that is furthest from its training, of what it may be."""

    psi: float = 0.0
    psi_max: float = PSI_MAX
    feature: str = ""

    @property
    def drifted(self) -> bool:
        return self.psi > self.psi_max


class State(NamedTuple):
    """What cannot be made of rows and closes."""

    slot: int  # of the last close that it was shown: its opening time ÷ timeframe
    began: int  # the slot at which it first asked
    alphas: tuple[float, ...]
    losses: drift.Window
    worse: bool
    furthest: Furthest


class Shown(NamedTuple):
    """The candles of one close, of all instruments."""

    slot: int
    here: Mask
    open: I64
    close: I64
    row: F32 | None  # (instruments, features); none where no window is known


@dataclass(slots=True)
class Question:
    """What was said at one close, and is not settled yet."""

    slot: int
    units: Sequence[float]
    asked: Sequence[Interval]
    entry: Sequence[int] | None = None  # the opens of the next close


class Memory(NamedTuple):
    """What was written of a watch."""

    state: State
    scores: Sequence[Sequence[float]]  # of each instrument, since it began
    questions: Sequence[Question]


class Watch:
    def __init__(self, learned: Learned, horizon: int) -> None:
        self.learned, self.horizon = learned, horizon
        self.every: Final = max(learned.times // LOOKS, 1)
        self.intervals = [Adapting(one) for one in learned.conformal]
        self.losses, self.worse, self.furthest = drift.Window(), False, Furthest()
        self.rows: Final[deque[F32]] = deque(maxlen=learned.times)
        self.questions: Final[deque[Question]] = deque()
        self.recalled: dict[int, Question] = {}
        self.since: I64 = np.full(len(learned.conformal), NOWHERE)
        self.slot, self.began = -1, NOWHERE

    @property
    def reach(self) -> int:
        """The closes, beside a model's window, that it is made of."""
        return max(self.learned.times, self.horizon + 1)

    @property
    def drifted(self) -> str:
        """What changed; empty while nothing did."""
        if self.worse:
            return "its losses rose"
        return f"{self.furthest.feature} drifted" if self.furthest.drifted else ""

    @property
    def state(self) -> State:
        alphas = tuple(one.alpha for one in self.intervals)
        return State(self.slot, self.began, alphas, self.losses, self.worse, self.furthest)

    def recall(self, memory: Memory) -> None:
        """Go on where it was written; the closes up to there are shown again after this."""
        state = memory.state
        self.losses, self.worse, self.furthest = state.losses, state.worse, state.furthest
        self.intervals = [
            Adapting(Conformal(alpha, (*begun.scores, *scores)))
            for alpha, begun, scores in zip(
                state.alphas, self.learned.conformal, memory.scores, strict=True
            )
        ]
        self.recalled = {one.slot: one for one in memory.questions}
        self.began = state.began

    def show(self, shown: Shown) -> list[float]:
        """Settle what this close settles; the score of each instrument, NaN where there is none."""
        before = self.since if shown.slot == self.slot + 1 else NOWHERE
        self.since = np.where(shown.here, np.minimum(before, shown.slot), NOWHERE)
        self.slot = shown.slot
        if self.questions and self.questions[-1].slot == shown.slot - 1:
            self.questions[-1].entry = shown.open.tolist()
        scores = self._settle(shown)
        if shown.row is None:
            self.rows.clear()  # what lies behind a long silence is not of late
        else:
            self.rows.append(np.where(shown.here[:, None], shown.row, np.float32(nan)))
        if shown.slot % self.every == 0:
            self._look()
        if (question := self.recalled.pop(shown.slot, None)) is not None:
            self.questions.append(question)
        return scores

    def ask(self, means: Sequence[float], units: Sequence[float]) -> list[Interval]:
        """The intervals of what is said at the close that was shown last."""
        self.began = min(self.began, self.slot)
        asked = [one.ask(mean) for one, mean in zip(self.intervals, means, strict=True)]
        self.questions.append(Question(self.slot, units, asked))
        return asked

    def _settle(self, shown: Shown) -> list[float]:
        unknown = [nan] * len(self.intervals)
        while self.questions and self.questions[0].slot < shown.slot - self.horizon:
            self.questions.popleft()
        if not self.questions or self.questions[0].slot != shown.slot - self.horizon:
            return unknown
        question = self.questions.popleft()
        if question.entry is None:
            return unknown
        whole = (self.since <= question.slot + 1).tolist()
        outcomes = [
            max(-CUT, min(CUT, log(close / entry) / unit)) if known and unit > 0 else nan
            for known, close, entry, unit in zip(
                whole, shown.close.tolist(), question.entry, question.units, strict=True
            )
        ]
        told = list(zip(self.intervals, question.asked, outcomes, strict=True))
        scores = [one.step(asked, outcome) for one, asked, outcome in told]
        if shown.slot % self.horizon == 0:
            losses = [drift.miss(asked.mean, outcome) for _, asked, outcome in told]
            if known := [loss for loss in losses if isfinite(loss)]:
                self.losses, change = drift.meet(self.losses, sum(known) / len(known))
                self.worse = self.worse or (change is not None and change.worse)
        return scores

    def _look(self) -> None:
        if len(self.rows) < self.learned.times:
            return
        late, furthest = np.stack(self.rows).astype(np.float64), Furthest()
        for number, usual in enumerate(self.learned.features):
            if usual is None or (psi := drift.psi(usual, late[..., number])) is None:
                continue
            found = Furthest(psi, FAR * usual.psi_max, FEATURES[number])
            if not furthest.feature or found.psi * furthest.psi_max > furthest.psi * found.psi_max:
                furthest = found
        self.furthest = furthest


def written(state: State) -> str:
    """
    >>> read(written(State(1, 0, (0.1,), drift.Window(), False, Furthest()))).alphas
    (0.1,)
    """
    return msgspec.json.encode(state).decode()


def read(text: str) -> State:
    """Raise ValueError where it is none."""
    return msgspec.json.decode(text, type=State)
