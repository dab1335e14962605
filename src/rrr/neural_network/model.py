"""A trained network's opinion is a function of the last `WINDOW` closes; floats end at this door.

However the closes come, one by one or many at once, live or remembered, the signals are the same:
features have the same bits, and the network is asked once for each closing time, always with all
instruments. What it cannot say of an instrument it does not say, and `abstained` counts why.
Inference is onnxruntime's, on one thread; torch never enters this process.
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from rrr.core.errors import ModelBroken
from rrr.core.events import Close, Signal
from rrr.core.market import BPS

from .artefact import NETWORK, NEW, Artefact
from .features import F32, FEATURES, STEPS, features
from .features import WINDOW as LOOKBACK
from .panel import Panel, panel_of

WINDOW: Final = LOOKBACK + STEPS - 1  # closes behind one opinion
HOLES_MAX: Final = 8  # of them without a candle

ABSENT: Final = "no candle at this close"
UNKNOWN: Final = f"more than {HOLES_MAX} of the last {WINDOW} candles are not known"
NONSENSE: Final = "the network's answer is not a number"


class Model:
    """One opinion per instrument and closing time, where the last `WINDOW` closes are known."""

    window: Final = WINDOW

    def __init__(self, artefact: Artefact, instruments: int, timeframe_ms: int) -> None:
        self.model: Final = artefact.id
        self.name: Final = f"model {artefact.id:012x}"
        self.bps_per_unit: Final = artefact.bps_per_unit
        self.abstained: Final[Counter[str]] = Counter()
        self.known = self.nothing = panel_of((), instruments, timeframe_ms)
        learned = len(artefact.scope.symbols), artefact.scope.timeframe_ms
        if learned != (instruments, timeframe_ms):
            raise ModelBroken(
                f"The model in {artefact.folder} was made for {learned[0]} instruments and candles "
                f"of {learned[1] // 1000} s, these are {instruments} and {timeframe_ms // 1000} s.",
                NEW,
            )
        self.network: Final = Network(artefact, instruments)

    def meet(self, closes: Sequence[Close]) -> list[list[Signal]]:
        """For each close its signals, instruments in canonical order."""
        told = []
        for run in self._runs(closes):
            panel = self._remember(run)
            rows = features(panel)
            told += [self._opinion(close, panel, rows) for close in run]
        return told

    def warm(self, closes: Iterable[Close]) -> None:
        """Remember closes without a word."""
        for run in self._runs(deque(closes, WINDOW)):
            self._remember(run)

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
        new = panel_of(run, self.known.instruments, self.known.timeframe_ms)
        panel = self.known.then(new)
        self.known = panel.cut(-WINDOW)
        return panel.cut(-(new.times + WINDOW - 1))

    def _opinion(self, close: Close, panel: Panel, rows: F32) -> list[Signal]:
        at = (close.opened_at_ms - int(panel.opened_at_ms[0])) // panel.timeframe_ms
        first = at + 1 - WINDOW
        here = panel.there[:, at]
        whole = panel.there[:, max(first, 0) : at + 1].sum(axis=1) >= WINDOW - HOLES_MAX
        heard = here & whole if first >= 0 else here & False
        self.abstained[ABSENT] += int((~here).sum())
        self.abstained[UNKNOWN] += int((here & ~heard).sum())
        if not heard.any():
            return []
        answers = self.network.asked(rows[:, first : first + STEPS]).astype(np.float64)
        clear = np.isfinite(answers)
        self.abstained[NONSENSE] += int((heard & ~clear).sum())
        convictions = np.rint(np.where(clear, answers, 0) * self.bps_per_unit).clip(-BPS, BPS)
        return [
            Signal(close.at_ms, instrument, int(convictions[instrument]), self.model)
            for instrument in np.flatnonzero(heard & clear).tolist()
        ]


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


def _unusable(artefact: Artefact, how: str) -> ModelBroken:
    return ModelBroken(f"{NETWORK} of the model in {artefact.folder} {how}.", NEW)
