"""A trained network's opinion is a function of the last `WINDOW` closes; floats end at this door.

However the closes come, one by one or many at once, live or remembered, the signals are the same:
features have the same bits, the network is asked once for each closing time, always with all
instruments, and `word` weighs what it answers. Who is watched also tells all that it knew, and
what became of what it said; where its `belief` ends by that, it wishes to be flat. Inference is
onnxruntime's, on one thread; torch never enters this process.
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from itertools import repeat
from math import nan
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rrr.core.errors import ModelBroken
from rrr.core.events import Close, Signal

from .abstaining import Belief, Opinion, Reason, Terms
from .artefact import NETWORK, NEW, Artefact
from .calibration import probabilities
from .conformal import Interval
from .features import F32, F64, FEATURES, STEPS, features, unit_returns
from .features import WINDOW as LOOKBACK
from .panel import I64, Mask, Panel, leader_of, panel_of
from .strategies.strategy import SILENT
from .watch import Memory, Shown, Watch
from .word import REASONS, weighed

WINDOW: Final = LOOKBACK + STEPS - 1  # closes behind one opinion
HOLES_MAX: Final = 8  # of them without a candle
OUTSIDE_MAX: Final = 0.1  # of the features, beyond which nothing is said
FOR_EVER: Final = Belief()


class Model:
    """One opinion per instrument and closing time, where the last `WINDOW` closes are known."""

    def __init__(
        self,
        artefact: Artefact,
        instruments: int,
        timeframe_ms: int,
        terms: Terms,
        belief: Belief = FOR_EVER,
        *,
        watched: bool = False,
    ) -> None:
        self.model: Final = artefact.id
        self.name: Final = f"model {artefact.id:012x}"
        self.artefact, self.terms, self.belief = artefact, terms, belief
        self.abstained: Final[Counter[Reason]] = Counter()
        self.disbelieved = Reason.NONE  # why it wished to be flat at the last close
        self.told: list[tuple[Close, list[Opinion]]] = []  # of the last closes, if it is watched
        leader = leader_of(artefact.scope.symbols)
        self.known = self.nothing = panel_of((), instruments, timeframe_ms, leader)
        learned = len(artefact.scope.symbols), artefact.scope.timeframe_ms
        if learned != (instruments, timeframe_ms):
            raise ModelBroken(
                f"The model in {artefact.folder} was made for {learned[0]} instruments and candles "
                f"of {learned[1] // 1000} s, these are {instruments} and {timeframe_ms // 1000} s.",
                NEW,
            )
        self.watch: Final = Watch(artefact.learned, artefact.horizon) if watched else None
        self.low, self.high = np.array(artefact.learned.low), np.array(artefact.learned.high)
        self.network: Final = Network(artefact, instruments)

    @property
    def window(self) -> int:
        return WINDOW if self.watch is None else WINDOW + self.watch.reach

    def meet(self, closes: Sequence[Close]) -> list[list[Signal]]:
        """For each close its signals, instruments in canonical order."""
        self.told = []
        heard: list[list[Signal]] = []
        for run in self._runs(closes):
            panel = self._remember(run)
            rows = features(panel)
            thought = self._thought(run, panel, rows)
            for place, close in enumerate(run):
                heard.append(self._said(close, place, panel, rows, thought))
        return heard

    def warm(self, closes: Iterable[Close]) -> None:
        """Remember closes without a word; what they settle is told."""
        self.told = []
        for run in self._runs(deque(closes, self.window)):
            panel = self._remember(run)
            if self.watch is None:
                continue
            rows = features(panel)
            for close in run:
                scores = self.watch.show(_shown(close, panel, rows))
                if not all(map(np.isnan, scores)):
                    self.told.append((close, [_past(*one) for one in enumerate(scores)]))

    def thought(self, closes: Sequence[Close]) -> "Thought":
        """What the closes alone make of the last of them; nothing of it is remembered."""
        *before, last = self._runs(closes)[-1]
        panel = self._panel([*before, last]).cut(-WINDOW)
        return self._thought([last], panel, features(panel))

    def recall(self, memory: Memory) -> None:
        """What was written of its watch; the closes up to there are to follow as warmth."""
        assert self.watch is not None, "Only who is watched has a memory beside the closes."
        self.watch.recall(memory)

    def _runs(self, closes: Iterable[Close]) -> list[list[Close]]:
        """The closes, cut at silences behind which nothing matters."""
        runs: list[list[Close]] = []
        for close in closes:
            if not runs or self._silent(runs[-1][-1].opened_at_ms, close):
                runs.append([])
            runs[-1].append(close)
        return runs

    def _silent(self, since_ms: int, close: Close) -> bool:
        return close.opened_at_ms - since_ms > WINDOW * self.known.timeframe_ms

    def _remember(self, run: list[Close]) -> Panel:
        """All that the opinions at these closes depend on."""
        if self.known.times and self._silent(int(self.known.opened_at_ms[-1]), run[0]):
            self.known = self.nothing
        new = self._panel(run)
        panel = self.known.then(new)
        self.known = panel.cut(-WINDOW)
        return panel.cut(-(new.times + WINDOW - 1))

    def _panel(self, closes: Sequence[Close]) -> Panel:
        known = self.known
        return panel_of(closes, known.instruments, known.timeframe_ms, known.leader)

    def _thought(self, run: Sequence[Close], panel: Panel, rows: F32) -> "Thought":
        """What the closes alone make of it: live and in a backtest these are the same bits."""
        places = np.array([_place(close, panel) for close in run])
        firsts, lasts = places + 1 - WINDOW, places + 1 - LOOKBACK
        known = np.zeros((panel.instruments, panel.times + 1), np.int64)
        np.cumsum(panel.there, axis=1, out=known[:, 1:])
        unknown = WINDOW - (known[:, places + 1] - known[:, np.maximum(firsts, 0)])
        here = panel.there[:, places]
        heard = here & (unknown <= HOLES_MAX) & (firsts >= 0)
        means, units, outside = (np.full(here.shape, nan) for _ in range(3))
        for at, first in enumerate(firsts.tolist()):
            if heard[:, at].any():
                answer = self.network.asked(rows[:, first : first + STEPS])
                means[:, at] = np.where(heard[:, at], answer, nan)
        if (seen := lasts >= 0).any():
            units[:, seen] = unit_returns(panel, self.artefact.horizon)[:, lasts[seen]]
            last = rows[:, lasts[seen]]
            outside[:, seen] = ((last < self.low) | (last > self.high)).mean(axis=2)
        likely, terms = probabilities(self.artefact.platt, means), self.terms
        bps = self.artefact.bps_per_unit
        words, why = weighed(means, likely, units, terms.cost_return, bps, terms.limits)
        for reason, wrong in (
            (Reason.OUT_OF_RANGE, heard & (outside > OUTSIDE_MAX)),
            (Reason.UNKNOWN, ~heard),
            (Reason.ABSENT, ~here),
        ):
            words, why = np.where(wrong, SILENT, words), np.where(wrong, _NUMBER[reason], why)
        return Thought(here, means, likely, units, outside, unknown, words, why)

    def _said(
        self, close: Close, place: int, panel: Panel, rows: F32, thought: "Thought"
    ) -> list[Signal]:
        """What is said at one close, once it is known what became of what was said before."""
        words, why, here = (one[:, place] for one in (thought.words, thought.why, thought.here))
        scores = [] if self.watch is None else self.watch.show(_shown(close, panel, rows))
        self.disbelieved = self._ended(close)
        if self.disbelieved:
            words = np.where(here, 0, SILENT)
            why = np.where(here, _NUMBER[self.disbelieved], why)
        reasons = [REASONS[number] for number in why.tolist()]
        self.abstained.update(filter(None, reasons))
        if self.watch is not None:
            self._tell(close, place, panel, thought, words.tolist(), reasons, scores)
        return [
            Signal(close.at_ms, instrument, conviction, self.model)
            for instrument, conviction in enumerate(words.tolist())
            if conviction != SILENT
        ]

    def _ended(self, close: Close) -> Reason:
        if close.at_ms - self.artefact.ends_ms > self.belief.expired_ms_max:
            return Reason.EXPIRED
        drifts = self.belief.heeds_drift and self.watch is not None and self.watch.drifted
        return Reason.DRIFTED if drifts else Reason.NONE

    def _tell(
        self,
        close: Close,
        place: int,
        panel: Panel,
        thought: "Thought",
        words: list[int],
        reasons: list[Reason],
        scores: list[float],
    ) -> None:
        watch = self.watch
        assert watch is not None
        means, likely, units, outside, unknown = (
            one[:, place].tolist()
            for one in (thought.means, thought.probabilities, thought.units)
            + (thought.outside, thought.unknown)
        )
        ages = _ages(close, panel)
        asked = watch.ask(means, units)
        age_ms, far = close.at_ms - self.artefact.ends_ms, watch.furthest
        columns = (
            *(range(len(words)), words, reasons, means, likely),
            *([one.low for one in asked], [one.high for one in asked]),
            *([one.alpha for one in watch.intervals], units, repeat(self.terms.cost_return)),
            *(outside, unknown, ages, repeat(age_ms), repeat(far.psi), repeat(far.psi_max)),
            *(repeat(far.feature), repeat(watch.worse), scores),
        )
        self.told.append((close, list(map(Opinion._make, zip(*columns, strict=False)))))


class Thought(NamedTuple):
    """Of the closes of a run, each (instruments, closes)."""

    here: Mask
    means: F64
    probabilities: F64
    units: F64
    outside: F64
    unknown: I64
    words: I64
    why: NDArray[np.int8]


_NUMBER: Final = {reason: number for number, reason in enumerate(REASONS)}


class Network:
    """The very bytes that were trained, proven to run at this number of instruments."""

    def __init__(self, artefact: Artefact, instruments: int) -> None:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as state

        kinds = (kind for kind in vars(state).values() if isinstance(kind, type))
        failures = tuple(kind for kind in kinds if issubclass(kind, Exception))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 4
        try:
            self.session = onnxruntime.InferenceSession(
                artefact.network, options, providers=["CPUExecutionProvider"]
            )
            answers = self.asked(np.zeros((instruments, STEPS, len(FEATURES)), np.float32))
        except failures + (ValueError,) as error:
            raise _unusable(artefact, f"cannot be run: {str(error).rstrip('.')}") from error
        if answers.shape != (instruments,) or answers.dtype != np.float32:
            raise _unusable(artefact, f"answers {answers.shape} to {instruments} instruments")

    def asked(self, rows: F32) -> F32:
        """(instruments, STEPS, features) to (instruments,)."""
        answers: F32 = self.session.run(["y"], {"x": np.ascontiguousarray(rows)})[0]
        return answers


def _place(close: Close, panel: Panel) -> int:
    return (close.opened_at_ms - int(panel.opened_at_ms[0])) // panel.timeframe_ms


def _shown(close: Close, panel: Panel, rows: F32) -> Shown:
    place = _place(close, panel)
    last = place + 1 - LOOKBACK
    return Shown(
        close.opened_at_ms // panel.timeframe_ms,
        panel.there[:, place],
        panel.open[:, place],
        panel.close[:, place],
        rows[:, last] if last >= 0 else None,
    )


def _ages(close: Close, panel: Panel) -> list[int]:
    """Of the last candle of each instrument, in ms; -1 where none is known."""
    place = _place(close, panel)
    there = panel.there[:, place::-1]
    ages = np.where(there.any(axis=1), there.argmax(axis=1) * panel.timeframe_ms, -1)
    told: list[int] = ages.tolist()
    return told


def _past(instrument: int, score: float) -> Opinion:
    """What a close settled that nobody could have acted on."""
    asked = Interval(nan, nan, nan)
    return Opinion(
        *(instrument, SILENT, Reason.PAST, asked.mean, nan, asked.low, asked.high, nan, nan, nan),
        *(nan, 0, 0, 0, nan, nan, "", False, score),
    )


def _unusable(artefact: Artefact, how: str) -> ModelBroken:
    return ModelBroken(f"{NETWORK} of the model in {artefact.folder} {how}.", NEW)
