"""Equal digests, equal histories: of every number and every unit, on any machine.

Files are not asked where their candles came from: the same candles from CSV and from parquet have
one digest. Each row of numbers is hashed alone, so that many are hashed at once.
"""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from rrr.backtesting.history_columns import Columns
from rrr.data_pipeline.instruments import Spec
from rrr.neural_network.panel import NUMBERS, Panel


def digest_of(
    columns: Columns, specs: Sequence[Spec], detail: Panel | None, synthetic: bool
) -> str:
    panel = columns.panel
    head = {
        "history": 1,
        "begins": columns.begins,
        "grids": [_grid(each) for each in (panel, detail) if each is not None],
        "specs": [asdict(spec) for spec in specs],
        "synthetic": synthetic,
        "touches": bool(columns.bid.any()),
    }
    total = sha256(json.dumps(head, sort_keys=True).encode())
    rows = [*_rows(panel), *columns.source.astype(np.int8)]
    if head["touches"]:
        rows += [*columns.bid, *columns.ask]
    if detail is not None:
        rows += _rows(detail)
    with ThreadPoolExecutor() as hashers:
        for digest in hashers.map(_hashed, rows):
            total.update(digest)
    return total.hexdigest()


def _grid(panel: Panel) -> list[int]:
    first = int(panel.opened_at_ms[0])
    return [panel.instruments, panel.times, first, panel.timeframe_ms]


def _rows(panel: Panel) -> Iterator[NDArray[np.generic]]:
    for name in (*NUMBERS, "there"):
        yield from getattr(panel, name)


def _hashed(row: NDArray[np.generic]) -> bytes:
    little = row.astype(row.dtype.newbyteorder("<"), order="C", copy=False)
    return sha256(little.data).digest()
