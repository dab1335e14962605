"""Candles to have opinions on: written down by hand, or drawn with holes and long silences."""

from collections.abc import Sequence
from random import Random

import numpy as np

from rrr.core.events import Close
from rrr.neural_network.panel import I64, Panel
from rrr.neural_network.strategies import Strategy
from rrr.neural_network.strategies.asked import asked
from tests.builders import HOUR, START
from tests.neural_network.markets import closes


def panel_from(
    close: Sequence[int], high: Sequence[int] | None = None, low: Sequence[int] | None = None
) -> Panel:
    """One instrument, an hour a candle."""
    made = np.array([close])
    there, opened = np.ones(made.shape, np.bool_), START + HOUR * np.arange(len(close))
    highs, lows = (
        made if high is None else np.array([high]),
        made if low is None else np.array([low]),
    )
    return Panel(made, highs, lows, made, made * 0 + 1, there, opened, HOUR)


def said(strategy: Strategy, panel: Panel) -> list[int]:
    """All that it says of one instrument."""
    (told,) = asked(strategy, panel).tolist()
    assert isinstance(told, list)
    return told


def holey(seed: int, times: int, instruments: int = 3) -> list[Close]:
    """Closes with holes, some of which last as long as a window and longer."""
    dice, made = Random(seed), closes(seed, times, instruments, holes=0.05)
    silent: dict[int, int] = {}
    kept = []
    for close in made:
        silent = {one: left - 1 for one, left in silent.items() if left > 1}
        if dice.random() < 0.01:
            silent[dice.randrange(instruments)] = dice.choice((3, 30, 90))
        here = tuple(one for one in close.candles if one.instrument not in silent)
        missing = tuple(sorted({*close.missing, *silent}))
        kept.append(close._replace(candles=here, missing=missing))
    begins, ends = times // 2, times // 2 + 70  # nobody trades at all, and no close tells of it
    return [close for n, close in enumerate(kept) if close.candles and not begins <= n < ends]


def columns(panel: Panel, number: int) -> list[tuple[int, int, int, int]]:
    """The place, high, low and close of each candle that an instrument has."""
    at = np.flatnonzero(panel.there[number])
    rows: list[I64] = [at, *(getattr(panel, name)[number, at] for name in ("high", "low", "close"))]
    return list(zip(*(row.tolist() for row in rows), strict=True))
