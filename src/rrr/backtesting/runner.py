"""One book over one history, compiled or interpreted: the same rows, the same digests.

Interpreted, it is paper trading's own wiring, event by event. Compiled, the histories stream
through `loops` in stretches, state in and state out, so that memory does not grow with them.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from rrr.core.events import Flow
from rrr.neural_network.panel import I64

from .book import Book
from .history import History, closing
from .ledgers import Ledger
from .result import Result
from .stretches import Stretch

CANDLES: Final = 1 << 16  # of one stretch: 4 MiB of lines
Progress = Callable[[int, int], None]  # closes done, and all


def run(
    history: History,
    convictions: I64,
    book: Book,
    *,
    flows: Sequence[Flow] = (),
    compiled: bool = True,
    digests: bool = True,
    progress: Progress | None = None,
    folder: Path | None = None,
) -> Result:
    """Trade these opinions (instruments, times; basis points or SILENT) with this book.

    Nothing is traded on before the column `history.begins`. A flow enters before the first close
    after it, or after the close of its own time. What touches fill is always interpreted. What was
    compiled is kept in `folder`. Trials by the hundred do without digests.
    """
    assert convictions.shape == history.panel.there.shape, "One opinion a candle, or silence."
    columns = np.flatnonzero(closing(history))
    closes = history.panel.opened_at_ms[columns] + history.panel.timeframe_ms
    ledger = Ledger(book, history, columns, digests=digests)
    ends = sorted({int(np.searchsorted(closes, flow.at_ms, side="right")) for flow in flows})
    waiting = sorted(flows, key=lambda flow: flow.at_ms)
    compiled = compiled and not book.assumptions.by_touch
    first, size = 0, max(CANDLES // len(book.instruments), 1)
    while first < len(columns):
        end = min([e for e in ends if e > first] + [first + size, len(columns)])
        while waiting and waiting[0].at_ms < closes[first]:
            ledger.flow(waiting.pop(0), late=False)
        stretch = Stretch(history, convictions, columns, first, end)
        if compiled:
            ledger.compiled(stretch, folder)
        else:
            ledger.interpreted(stretch)
        while waiting and waiting[0].at_ms == closes[end - 1]:
            ledger.flow(waiting.pop(0), late=True)
        first = end
        if progress is not None:
            progress(first, len(columns))
    return ledger.result()
