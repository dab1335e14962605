"""Candles drawn in blocks and chained into a market that never was, for a strategy to be run on.

A candle is kept as what it did to the close before it: its open, high, low and close as shares of
that. All instruments share the blocks (see `blocks`), so that what moves together still does, and a
hole comes with its time. Blocks are as long as the market's moves, or their sizes, remember.
Prices stay whole ticks, at least one; every product is done in the one order, so that a seed makes
the same market on every machine.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np

from rrr.backtesting.growth import F64
from rrr.backtesting.history import History
from rrr.backtesting.hold import known
from rrr.backtesting.montecarlo import memory
from rrr.monitoring.blocks import drawn
from rrr.neural_network.panel import I64, Panel

PRICE_MAX: Final = 1 << 53  # points: beyond, not every price is a float


def worlds(history: History, draws: int, *, seed: int = 1) -> Iterator[History]:
    """So many other histories; the first are the same however many are asked for.

    Touches and candles of a finer timeframe belong to the market that was, and are left out.
    """
    block = memory(moves(history.panel).mean(axis=0))
    ticks = np.array([quoted.spec.tick for quoted in history.quoted], np.int64)
    none = np.broadcast_to(np.int64(0), history.bid.shape)
    for draw in range(draws):
        random = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, draw])))
        places = drawn(random, 1, history.panel.times, block)[0]
        panel = rechained(history.panel, ticks, places)
        made = {"seed": seed, "draw": draw, "block": block, "of": history.digest}
        yield replace(
            history,
            panel=panel,
            source=history.source[:, places],
            bid=none,
            ask=none,
            detail=None,
            synthetic=True,
            title=f"{history.title}, drawn anew in blocks of {block} candles (seed {seed}.{draw})",
            about={**history.about, "rechained": made},
            digest=hashlib.sha256(f"{made} {panel.digest()}".encode()).hexdigest(),
        )


def rechained(panel: Panel, ticks: I64, places: I64) -> Panel:
    """The candles of these places, one after the other, from where the first price was."""
    made: dict[str, Any] = {
        name: np.zeros_like(panel.open) for name in ("open", "high", "low", "close")
    }
    there = panel.there[:, places]
    for i in range(panel.instruments):
        if not panel.there[i].any():
            continue
        before = _before(panel, i)
        known_at = there[i]
        close = np.where(known_at, (panel.close[i] / before)[places], 1.0)
        level = np.cumprod(np.append(float(before[panel.there[i].argmax()]), close))
        for name, column in made.items():
            share = (getattr(panel, name)[i] / before)[places]
            price = np.rint(level[:-1] * share / ticks[i])
            price = np.clip(price, 1, PRICE_MAX // ticks[i]).astype(np.int64) * ticks[i]
            column[i] = np.where(known_at, price, 0)
    return replace(panel, **made, volume=panel.volume[:, places], there=there)


def moves(panel: Panel) -> F64:
    """Returns from close to close, (instruments, times); nothing where no candle is."""
    shares = [
        panel.close[i] / np.maximum(_before(panel, i), 1) - 1 for i in range(len(panel.there))
    ]
    return np.where(panel.there, np.array(shares), 0.0)


def _before(panel: Panel, i: int) -> I64:
    """The last close before each time; before the first candle, its open."""
    opened = panel.open[i, panel.there[i].argmax()]
    return np.append(opened, known(panel, i)[:-1])
