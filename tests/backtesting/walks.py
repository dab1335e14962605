"""Markets whose truth is known, for whoever wants to choose on them, and the book that trades.

A candle is six hours, a day has four. Nothing costs anything unless it is told to, and no stop is
ever near, so that what a market does not give cannot be earned.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from rrr.backtesting.book import Book
from rrr.backtesting.grid import Grid, grid_of
from rrr.backtesting.growth import DAY_MS
from rrr.backtesting.history import History
from rrr.backtesting.walk_forward import Walk, optimised
from rrr.backtesting.walk_windows import Plan
from rrr.config import Home, load, show_json
from rrr.core.shelf import NO_ASSUMPTIONS
from rrr.core.state import Sizing
from rrr.neural_network.panel import I64
from tests.backtesting.runs import of_closes
from tests.builders import BTC, CAPITAL, HOUR, PRICE, law

QUARTER: Final = 6 * HOUR  # of a day
A_DAY: Final = 4  # candles
FAMILY: Final = "replay C0-USD 6h"
SLOTS: Final = """
from dataclasses import dataclass

import numpy as np

from rrr.neural_network.strategies import FLAT, FULL, I64, Panel, Strategy


@dataclass(frozen=True)
class Slot(Strategy):
    '''Long through one quarter of each day.'''

    slot: int = 0
    idle: int = 1  # candles that its window is longer than it needs

    @property
    def window(self) -> int:
        return self.idle

    def convictions(self, panel: Panel) -> I64:
        if self.slot == 99:
            raise ArithmeticError('there is no such quarter')
        coming = panel.opened_at_ms // panel.timeframe_ms + 1
        told = np.where(coming % 4 == self.slot, FULL, FLAT)
        return np.broadcast_to(told, panel.there.shape)
"""


def noise(days: int, seed: int, *, edge: float = 0.0, slot: int = 0, of: int = 1) -> History:
    """A random walk; one quarter of each day rises by `edge` beside it."""
    random = np.random.Generator(np.random.Philox(seed))
    moves = random.normal(0, 0.01, (of, days * A_DAY))
    moves[:, slot::A_DAY] += edge
    prices: I64 = np.rint(PRICE / 100 * np.cumprod(1 + moves, axis=1)).astype(np.int64) * 100
    return from_midnight(of_closes(prices, QUARTER))


def from_midnight(history: History) -> History:
    """The same candles, the first at the beginning of a UTC day."""
    panel = history.panel
    late = panel.opened_at_ms[0] % DAY_MS
    return replace(history, panel=replace(panel, opened_at_ms=panel.opened_at_ms - late))


def book(of: int = 1, *, cost_ppm: int = 0, **changes: int) -> Book:
    under = {"sizing": int(Sizing.EQUITY), "stop_bps": 9_000, "target_bps": 100_000} | changes
    one = BTC._replace(fee_taker_ppm=cost_ppm, half_spread_ppm=0, slippage_ppm=0)
    instruments = [one._replace(id=number) for number in range(of)]
    return Book(law(**under), instruments, NO_ASSUMPTIONS, CAPITAL)


def slots(folder: Path, words: str = "slot=0..3") -> Grid:
    file = folder / "slots.py"
    file.write_text(SLOTS, encoding="utf-8")
    return grid_of(f"{file}:{words}")


def home_in(folder: Path) -> Home:
    (folder / "data").mkdir(parents=True, exist_ok=True)
    return Home(folder)


def walked(
    folder: Path,
    grid: Grid,
    history: History,
    plan: Plan | None = None,
    terms: Book | None = None,
    **more: Any,
) -> Walk:
    home = home_in(folder)
    settings = show_json(load(home, environ={}))
    told: dict[str, Any] = {"family": FAMILY, "settings": settings, "at_ms": 5, "compiled": False}
    terms = terms or book(history.panel.instruments)
    return optimised(home, grid, history, terms, plan or Plan(), **told | more)
