"""A trained network is a strategy among others: what it says here is what it says live.

It is `neural_network.model` that is asked, close by close, so there is no second way to ask it. Its
word depends on what trading costs: a parameter below zero is filled in from the settings.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np

from rrr.config import Settings
from rrr.config.round_trip import round_trip_ppm
from rrr.core.errors import ConfigError, NotFound
from rrr.core.events import Close
from rrr.core.market import Candle, Source

from .. import artefact
from ..abstaining import Terms
from ..artefact import Artefact
from ..model import WINDOW, Model
from ..panel import I64, NUMBERS, Panel
from ..terms import stated
from .strategy import SILENT, Strategy

CHUNK: Final = 4_096  # closes met at once: bounds memory, changes nothing
ASK: Final = -1  # of the settings


@dataclass(frozen=True)
class Neural(Strategy):
    """`rrr train` makes the folder; data/models has those of this home."""

    name: ClassVar[str] = "model"
    together: ClassVar[bool] = True

    folder: str = ""
    cost_ppm: int = ASK  # of a round trip in the dearest instrument
    margin_ppm: int = ASK
    hold_bps: int = ASK
    probability_min_bps: int = ASK

    def __post_init__(self) -> None:
        if not Path(self.folder, artefact.MANIFEST).is_file():
            raise NotFound(
                f"There is no model in {self.folder!r}." if self.folder else "Which model?",
                "Say model:folder=data/models/…; `rrr train` makes one.",
            )

    @property
    def window(self) -> int:
        return WINDOW

    @property
    def source(self) -> str:
        return f"{_artefact(self.folder).id:012x}"

    @property
    def terms(self) -> Terms:
        """Raise ConfigError where nobody filled them in."""
        asked = self.cost_ppm, self.margin_ppm, self.hold_bps, self.probability_min_bps
        if min(asked) < 0:
            raise ConfigError(
                f"{self.text} does not know what trading costs.",
                "Ask for it where there are settings; or say cost_ppm, margin_ppm, hold_bps and"
                " probability_min_bps.",
            )
        return stated(*asked)

    def convictions(self, panel: Panel) -> I64:
        """A network says the same whenever it is asked the same, of as many instruments."""
        model = copy(_model(self.folder, panel.instruments, panel.timeframe_ms, self.terms))
        told = np.full(panel.there.shape, SILENT)
        for first in range(0, panel.times, CHUNK):
            closes = _closes(panel.cut(first, first + CHUNK))
            for column, signals in enumerate(model.meet(closes), first):
                for signal in signals:
                    told[signal.instrument, column] = signal.conviction_bps
        return told


def filled(strategy: Strategy, settings: Settings, symbols: Sequence[str]) -> Strategy:
    """The same, and a model knows what the settings say of costs where it was not told."""
    if not isinstance(strategy, Neural):
        return strategy
    asked = settings.abstain
    usual: dict[str, Any] = {
        "cost_ppm": round_trip_ppm(settings, symbols),
        "margin_ppm": asked.margin_ppm,
        "hold_bps": asked.hold_bps,
        "probability_min_bps": asked.probability_min_bps,
    }
    missing = {name: value for name, value in usual.items() if getattr(strategy, name) < 0}
    return replace(strategy, **missing)


@cache
def _artefact(folder: str) -> Artefact:
    return artefact.load(Path(folder))


@cache
def _model(folder: str, instruments: int, timeframe_ms: int, terms: Terms) -> Model:
    """One that has met nothing; whoever asks takes a copy, which shares the network alone."""
    return Model(_artefact(folder), instruments, timeframe_ms, terms)


def _closes(panel: Panel) -> list[Close]:
    """Each time as the close that it was, also where nobody traded."""
    numbers = np.stack([getattr(panel, name) for name in NUMBERS])  # (numbers, instruments, times)
    rows = numbers.transpose(2, 1, 0).tolist()
    closes = []
    for opened_at_ms, row, there in zip(
        panel.opened_at_ms.tolist(), rows, panel.there.T.tolist(), strict=True
    ):
        candles = tuple(
            Candle._make([i, *row[i], int(Source.REPLAYED)]) for i, here in enumerate(there) if here
        )
        missing = tuple(i for i, here in enumerate(there) if not here)
        closes.append(Close(opened_at_ms + panel.timeframe_ms, opened_at_ms, candles, missing))
    return closes
