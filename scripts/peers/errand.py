"""A peer trades one file of candles, and tells every fill, its equity and its time.

It runs in an environment of its own, knows nothing of us, and is asked by

    python -m peers.NAME ERRAND ANSWER [ENGINE]

Long one coin while the fast simple average of closes stands above the slow one, else flat: a market
order at the next open, a fee on both sides. Each peer computes the averages its own way.
"""

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

BUY, SELL = 1, -1
FIGURES = ("open", "high", "low", "close", "volume")


class Errand(NamedTuple):
    opened_at_ms: Any  # (candles,)
    open: Any  # as all before `timeframe_ms`; of several instruments, (instruments, candles)
    high: Any
    low: Any
    close: Any
    volume: Any
    timeframe_ms: int
    decimals: int  # of prices
    fast: int
    slow: int
    fee: float  # of the notional
    cash: float
    rounds: int
    engine: str


class Fill(NamedTuple):
    at_ms: int  # the open of its candle
    side: int
    price: float
    quantity: float
    fee: float


class Told(NamedTuple):
    fills: list[Fill]
    equity: float  # at the last close
    spread: float = 0  # what a purchase must cost above the open, where a peer cannot do without


def carry_out(
    package: str,
    load: Callable[[Errand], Any],
    trade: Callable[[Any], Any],
    tell: Callable[[Errand, Any], Told],
) -> None:
    """Load and trade as often as asked, then tell of the last time."""
    asked, answer, *engine = sys.argv[1:]
    errand = read(Path(asked), engine[0] if engine else "")
    loads, trades, traded = [], [], None
    for _ in range(errand.rounds):
        traded = None
        began = time.perf_counter()
        loaded = load(errand)
        ready = time.perf_counter()
        traded = trade(loaded)
        loads.append(ready - began)
        trades.append(time.perf_counter() - ready)
    told = tell(errand, traded)
    about = {"version": version(package), "load_s": loads, "trade_s": trades}
    Path(answer).write_text(json.dumps(about | told._asdict()), encoding="utf-8")


def read(path: Path, engine: str) -> Errand:
    """Prices are whole points in the file: each becomes the one float that stands next to it."""
    with np.load(path, allow_pickle=False) as file:
        points, grains = (10 ** int(file[name]) for name in ("decimals", "lots"))
        scales = dict.fromkeys(FIGURES, points) | {"volume": grains}
        columns = {name: file[name] / scale for name, scale in scales.items() if name in file}
        whole = {name: int(file[name]) for name in ("timeframe_ms", "decimals", "fast", "slow")}
        return Errand(
            opened_at_ms=file["opened_at_ms"],
            **dict.fromkeys(FIGURES) | columns,
            **whole,
            fee=int(file["fee_ppm"]) / 1_000_000,
            cash=float(file["cash"]),
            rounds=int(file["rounds"]),
            engine=engine,
        )
