"""A strategy speaks in a session as it does of a history: of the same candles it says the same.

The last `window` candles are remembered and no more: of each instrument apart, or of all together,
as the strategy looks at them. Many closes at once are one question.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np

from rrr.core.events import Close, Signal

from ..panel import I64, NUMBERS, Panel, panel_of
from .asked import asked, window_of
from .strategy import SILENT, Strategy


class StrategyVoice:
    """One opinion per instrument and closing time, where the strategy has one."""

    def __init__(
        self,
        strategy: Strategy,
        model_id: int,
        instruments: int,
        timeframe_ms: int,
        symbols: Sequence[str] = (),
    ) -> None:
        assert model_id != 0, "0 is the baseline."
        memory = Together if strategy.together else Apart
        self.model: Final = model_id
        self.name: Final = strategy.title
        self.window: Final = window_of(strategy)
        self.memory: Final = memory(strategy, instruments, timeframe_ms, symbols)

    def meet(self, closes: Sequence[Close]) -> list[list[Signal]]:
        """For each close its signals, instruments in canonical order."""
        told = self.memory.answers(closes)
        return [
            [
                Signal(close.at_ms, number, conviction, self.model)
                for number, conviction in enumerate(convictions)
                if conviction != SILENT
            ]
            for close, convictions in zip(closes, told.tolist(), strict=True)
        ]

    def warm(self, closes: Iterable[Close]) -> None:
        """Remember closes without a word."""
        self.memory.met(list(closes))


class Apart:
    """The last candles of each instrument, however long ago they were."""

    def __init__(
        self, strategy: Strategy, instruments: int, timeframe_ms: int, symbols: Sequence[str]
    ) -> None:
        self.strategy, self.timeframe_ms = strategy, timeframe_ms
        self.symbols = symbols or [f"instrument {number}" for number in range(instruments)]
        self.before: Final = window_of(strategy) - 1  # candles behind the present one
        self.known: list[I64] = [np.zeros((6, 0), np.int64)] * instruments

    def answers(self, closes: Sequence[Close]) -> I64:
        """(closes, instruments)"""
        told = np.full((len(closes), len(self.known)), SILENT)
        fresh = self._fresh(closes)
        for number, panel in enumerate(self._panels(fresh)):
            if here := [place for place, _ in fresh[number]]:
                answer = asked(self.strategy, panel, self.symbols[number : number + 1])
                told[here, number] = answer[0, -len(here) :]
        return told

    def met(self, closes: Sequence[Close]) -> None:
        self._panels([rows[-self.before - 1 :] for rows in self._fresh(closes)])

    def _fresh(self, closes: Sequence[Close]) -> list[list[tuple[int, list[int]]]]:
        """Of each instrument the closes that have a candle of it, and its time and numbers."""
        fresh: list[list[tuple[int, list[int]]]] = [[] for _ in self.known]
        for place, close in enumerate(closes):
            for candle in close.candles:
                fresh[candle.instrument].append((place, [close.opened_at_ms, *candle[1:6]]))
        return fresh

    def _panels(self, fresh: Sequence[Sequence[tuple[int, list[int]]]]) -> list[Panel]:
        """Of each instrument what was known and what is new, which is known from now on."""
        panels = []
        for number, rows in enumerate(fresh):
            new = np.array([row for _, row in rows], np.int64).reshape(-1, 6).T
            known = np.concatenate([self.known[number], new], axis=1)
            self.known[number] = known[:, max(known.shape[1] - self.before, 0) :]
            numbers = dict(zip(NUMBERS, known[1:, None], strict=True))
            there = np.ones((1, known.shape[1]), np.bool_)
            panels.append(
                Panel(**numbers, there=there, opened_at_ms=known[0], timeframe_ms=self.timeframe_ms)
            )
        return panels


class Together:
    """The last times of all instruments, on the grid, with the holes in it."""

    def __init__(
        self, strategy: Strategy, instruments: int, timeframe_ms: int, symbols: Sequence[str]
    ) -> None:
        self.strategy, self.symbols = strategy, symbols
        self.window: Final = window_of(strategy)
        self.known = panel_of((), instruments, timeframe_ms)

    def answers(self, closes: Sequence[Close]) -> I64:
        """(closes, instruments)"""
        told = np.full((len(closes), self.known.instruments), SILENT)
        first = 0
        for run in self._runs(closes):
            panel = self._panel(run)
            opened = np.array([close.opened_at_ms for close in run])
            columns = (opened - panel.opened_at_ms[0]) // panel.timeframe_ms
            told[first : first + len(run)] = asked(self.strategy, panel, self.symbols)[:, columns].T
            first += len(run)
        return told

    def met(self, closes: Sequence[Close]) -> None:
        for run in self._runs(closes[-self.window :]):
            self._panel(run)

    def _runs(self, closes: Sequence[Close]) -> list[Sequence[Close]]:
        """The closes, cut at silences behind which nothing matters."""
        far = self.window * self.known.timeframe_ms
        cuts = [
            place
            for place, (before, close) in enumerate(pairwise(closes), 1)
            if close.opened_at_ms - before.opened_at_ms > far
        ]
        ends = [0, *cuts, len(closes)]
        return [closes[first:end] for first, end in pairwise(ends) if first < end]

    def _panel(self, run: Sequence[Close]) -> Panel:
        """What was known and what is new, which is known from now on."""
        new = panel_of(run, self.known.instruments, self.known.timeframe_ms)
        known, step = self.known, self.known.timeframe_ms
        if known.times and new.opened_at_ms[0] - known.opened_at_ms[-1] > self.window * step:
            known = self._silence(int(new.opened_at_ms[0]))
        panel = known.then(new)
        self.known = panel.cut(max(panel.times - self.window, 0))
        return panel

    def _silence(self, until_ms: int) -> Panel:
        """A window in which nobody traded."""
        step, shape = self.known.timeframe_ms, (self.known.instruments, self.window)
        opened = np.arange(until_ms - self.window * step, until_ms, step, dtype=np.int64)
        numbers: dict[str, Any] = {name: np.zeros(shape, np.int64) for name in NUMBERS}
        there = np.zeros(shape, np.bool_)
        return Panel(**numbers, there=there, opened_at_ms=opened, timeframe_ms=step)
