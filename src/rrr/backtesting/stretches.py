"""A stretch of a history: as events for the interpreter, as lines of memory for the compiler."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rrr.core.events import Close, Detail, Event, Signal, Touch
from rrr.core.market import Candle
from rrr.neural_network.panel import I64, NUMBERS, Panel

from .desk import SILENT, WORDS
from .history import History

NOTHING = np.zeros((0, WORDS), np.int64)


class Moment(NamedTuple):
    """What enters at one closing time, in order."""

    details: tuple[Detail, ...]
    close: Close
    touches: tuple[Touch, ...]
    signals: tuple[Signal, ...]

    @property
    def events(self) -> tuple[Event, ...]:
        return (*self.details, self.close, *self.touches, *self.signals)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Columns `columns[first:end]`, which are closing times, of a history and its opinions."""

    history: History
    convictions: I64
    columns: I64
    first: int
    end: int

    @property
    def mine(self) -> I64:
        mine: I64 = self.columns[self.first : self.end]
        return mine

    @property
    def opened(self) -> I64:
        return self.history.panel.opened_at_ms[self.mine]

    @property
    def finer(self) -> int:
        """Candles of the finer timeframe in one; 0: there are none."""
        detail, panel = self.history.detail, self.history.panel
        return panel.timeframe_ms // detail.timeframe_ms if detail is not None else 0

    @property
    def silenced(self) -> I64:
        """The opinions, of which nobody hears those before the history begins."""
        told = self.convictions[:, self.mine]
        return np.where(self.mine >= self.history.begins, told, SILENT)

    def fine_columns(self) -> I64:
        columns = self.mine[:, None] * self.finer + np.arange(self.finer)
        return columns.ravel()

    def moments(self) -> Iterator[Moment]:
        """As events: what `trading.engine.paper` meets."""
        history, every_ms = self.history, self.history.panel.timeframe_ms
        coarse = _rows(history.panel, history.source, self.mine)
        fine: list[list[Candle]] = []
        if history.detail is not None:
            ours = self.fine_columns()
            source = np.broadcast_to(history.source[:, :1], history.detail.there.shape)
            fine = _rows(history.detail, source, ours)
            fine_ms, finer_ms = history.detail.opened_at_ms[ours], history.detail.timeframe_ms
        seen = bool(history.bid.any())
        bids, asks = (
            (history.bid[:, self.mine].T, history.ask[:, self.mine].T) if seen else ((), ())
        )
        told, m = self.silenced.T.tolist(), history.panel.instruments
        for place, opened_ms in enumerate(self.opened.tolist()):
            at_ms, candles = opened_ms + every_ms, tuple(coarse[place])
            here = {candle.instrument for candle in candles}
            inner = range(place * self.finer, (place + 1) * self.finer)
            details = tuple(
                Detail(int(fine_ms[j]) + finer_ms, int(fine_ms[j]), tuple(fine[j]))
                for j in inner
                if fine[j]
            )
            missing = () if len(here) == m else tuple(k for k in range(m) if k not in here)
            touches = tuple(
                Touch(at_ms, k, int(bids[place][k]), int(asks[place][k]))
                for k in range(m if seen else 0)
                if bids[place][k]
            )
            signals = tuple(
                Signal(at_ms, k, bps, 0)
                for k, bps in enumerate(told[place])
                if bps != SILENT and k in here
            )
            yield Moment(details, Close(at_ms, opened_ms, candles, missing), touches, signals)


def _rows(panel: Panel, source: I64, columns: I64) -> list[list[Candle]]:
    """The candles that are there, column by column."""
    first, high, low, last, volume = (
        getattr(panel, name)[:, columns].T.tolist() for name in NUMBERS
    )
    made, there = source[:, columns].T.tolist(), panel.there[:, columns].T.tolist()
    return [
        [
            Candle(k, first[t][k], high[t][k], low[t][k], last[t][k], volume[t][k], made[t][k])
            for k, yes in enumerate(there[t])
            if yes
        ]
        for t in range(len(columns))
    ]
