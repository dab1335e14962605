"""Histories in which everything happens, as columns; and all that a run leaves, to be compared.

Holes, gaps, jumps, candles that we made, volumes of nothing, touches that nobody believes, finer
candles that contradict the coarse ones, money that comes and goes; laws, assumptions, instruments
and capitals drawn at random.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

import numpy as np
from hypothesis import strategies as st

from rrr.backtesting.book import Book
from rrr.backtesting.history import History
from rrr.backtesting.runner import run
from rrr.core.events import Close, Flow, Signal
from rrr.core.market import QUANTA_MAX
from rrr.core.shelf import Assumptions
from rrr.core.state import Law
from rrr.data_pipeline.instruments import Spec
from rrr.data_pipeline.market import Quoted
from rrr.neural_network.panel import I64, Panel, panel_of
from rrr.neural_network.strategies.strategy import SILENT
from tests.builders import CAPITAL, HOUR, QUANTA, START, Listed, touches
from tests.builders import history as events
from tests.core.worlds import assumptions, finer, laws, listed, numbered, seeds

PARTS: Final = 4  # finer candles in one
STEPS: Final = (HOUR // 4, HOUR, HOUR, 24 * HOUR, 96 * HOUR)
CAPITALS: Final = (100 * QUANTA, CAPITAL, CAPITAL, QUANTA_MAX // 2)


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """All that a run is given."""

    history: History
    convictions: I64
    book: Book
    flows: Sequence[Flow] = ()

    def outcome(self, *, compiled: bool) -> Any:
        """All that it leaves; of a law that was broken, which one."""
        try:
            result = run(
                self.history, self.convictions, self.book, flows=self.flows, compiled=compiled
            )
        except AssertionError as error:
            return str(error)
        columns = (result.rows, result.at_ms, result.equity, result.worth, result.invested)
        told = [column.tolist() for column in columns]
        return *told, result.world, result.digests, result.refusals


@st.composite
def cases(draw: st.DrawFn, closes: int = 60) -> Case:
    on = numbered(draw(st.lists(listed, min_size=1, max_size=5)))
    capital, law = draw(st.sampled_from(CAPITALS)), draw(laws)
    if capital > CAPITAL:
        law = law._replace(order_notional_max=QUANTA_MAX)
    assumed = draw(assumptions)._replace(by_touch=0)
    return case(draw(seeds), draw(st.integers(1, closes)), on, law, assumed, capital)


def case(
    seed: int, n: int, on: tuple[Listed, ...], law: Law, assumed: Assumptions, capital: int
) -> Case:
    """A run over so many closing times."""
    random = Random(seed)
    every_ms = random.choice(STEPS)
    met = list(events(seed, n, on, every_ms))
    closes = [one for one in met if isinstance(one, Close)]
    panel = panel_of(closes, len(on), every_ms)
    shape = panel.there.shape
    source, bid, ask, convictions = (np.zeros(shape, np.int64) for _ in range(4))
    convictions[:] = SILENT
    for event in met:
        column = (event.at_ms - START) // every_ms - 1
        if isinstance(event, Signal):
            convictions[event.instrument, column] = event.conviction_bps
        elif isinstance(event, Close):
            for candle in event.candles:
                source[candle.instrument, column] = candle.source
            for seen in touches(random, event) if seed % 2 else ():
                bid[seen.instrument, column], ask[seen.instrument, column] = seen.bid, seen.ask
    history = History(
        panel=panel,
        source=source,
        bid=bid,
        ask=ask,
        begins=random.choice([0, 0, random.randrange(n)]),
        quoted=[Quoted(spec(one), "made up") for one in on],
        detail=detail(random, closes, panel) if random.random() < 0.4 else None,
        synthetic=random.random() < 0.2,
        title="made up",
        about={},
        notes=(),
        digest="",
    )
    gap = random.choice([0, 0, random.randrange(n)])
    first = random.randrange(n - gap)
    panel.there[:, first : first + gap] = False
    book = Book(law, [one.instrument for one in on], assumed, capital)
    return Case(without_what_is_not_there(history), convictions, book, flows(random, n, every_ms))


def spec(one: Listed) -> Spec:
    symbol, of = f"C{one.instrument.id}-USD", one.instrument
    least = of.quantity_min, of.notional_min
    return Spec("made up", symbol, symbol[:-4], "USD", 4, 8, of.tick, of.lot, *least, False)


def without_what_is_not_there(history: History) -> History:
    there = history.panel.there
    return replace(history, bid=history.bid * there, ask=history.ask * there)


def detail(random: Random, closes: Sequence[Close], panel: Panel) -> Panel:
    """Finer candles of most candles; some of them tell another story."""
    step_ms = panel.timeframe_ms // PARTS
    found: list[Close] = []
    for close in closes:
        for part in range(PARTS):
            opened = close.opened_at_ms + part * step_ms
            inner = (finer(random, one, part, PARTS) for one in close.candles)
            kept = tuple(one for one in inner if random.random() < 0.9)
            found.append(Close(opened + step_ms, opened, kept, ()))
    return panel_of(found, panel.instruments, step_ms)


def flows(random: Random, n: int, every_ms: int) -> list[Flow]:
    """Deposits and withdrawals, at closing times, between them, before all and after all."""
    found = []
    for _ in range(random.choice([0, 0, 1, 4])):
        at_ms = START + random.randrange(-1, n + 2) * every_ms + random.choice([0, 0, 1, -1])
        found.append(Flow(at_ms, random.choice([CAPITAL // 10, QUANTA, -QUANTA, -CAPITAL // 50])))
    return found
