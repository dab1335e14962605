"""A report is plain data: columns, figures and sentences; it knows no metric and draws nothing.

Whoever fills it decides what a figure is called and how it is written; the page decides where it
stands. Where something cannot be said, a sentence stands in its place and says why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rrr.neural_network.panel import I64, Mask

F64: TypeAlias = NDArray[np.float64]
Why: TypeAlias = str  # the sentence in the place of what cannot be shown


class Figure(NamedTuple):
    name: str
    value: str
    note: str = ""
    wary: bool = False  # marked as something to be careful about


class Section(NamedTuple):
    title: str
    figures: Sequence[Figure]


class Table(NamedTuple):
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


class Setting(NamedTuple):
    name: str
    value: str
    default: str


class Month(NamedTuple):
    year: int
    month: int  # from 1; 0: the whole year
    ratio: float


class Flow(NamedTuple):
    at_ms: int
    amount: int  # quanta; a withdrawal is negative


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Columns over the closes, the oldest first."""

    at_ms: I64
    equity: I64  # quanta
    hold: I64 | None  # quanta: what the exposure-matched hold would have been worth
    drawdown: F64  # share of the peak, from 0
    exposure: F64  # share of the equity
    flows: Sequence[Flow] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Traded:
    """An instrument's candles, the oldest first; where there was none, none stands."""

    symbol: str
    price_decimals: int  # of a point
    quantity_decimals: int  # of a grain
    opened_at_ms: I64
    open: I64  # points, as the next three
    high: I64
    low: I64
    close: I64


@dataclass(frozen=True, slots=True, eq=False)
class Trips:
    """The trade list as columns, in the order in which they were opened."""

    instrument: I64  # its place in `Report.traded`
    side: I64  # 1: long, -1: short
    opened_ms: I64
    closed_ms: I64
    quantity: I64  # grains
    entry: F64  # points, as the next
    exit: F64
    fees: I64  # quanta, as the next
    pnl: I64
    ratio: F64  # what it brought, as a share of what was put in
    reason: Sequence[str]  # why it ended
    open: Mask  # still held when the run ended: its exit is the last mark


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    at_ms: I64
    value: F64  # NaN: not yet known
    window: str  # "90 days"


@dataclass(frozen=True, slots=True, eq=False)
class Null:
    """What chance brought with as many trades, and where the run stands among it."""

    ratios: F64  # one return for each random run
    mine: float
    note: str


@dataclass(frozen=True, slots=True, eq=False)
class Fan:
    """Quantiles of what the run might have become. 1.0 is the equity it began with."""

    steps: I64  # (n,)
    step: str  # what is counted: "round trip", "day"
    shares: Sequence[float]  # (q,), rising: 0.05, 0.5, 0.95; an odd number of them
    bands: F64  # (q, n)
    mine: F64 | None  # (n,)
    note: str


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    name: str  # of the run: `rrr reproduce NAME`
    strategy: str
    market: str
    timeframe: str
    timeframe_ms: int
    span: str  # "2019-01-01 00:00Z to 2024-01-01 00:00Z"
    quote: str
    synthetic: bool
    in_sample: Why  # empty: the strategy had not seen these candles before
    notes: Sequence[str]  # gaps and what else the history has
    headline: Sequence[Figure]
    believe: Sequence[Figure]  # costs, trials, percentile in the null, interval of Sharpe, days
    origin: Sequence[Figure]  # digests, hashes, seed, version
    settings: Sequence[Setting]  # only those that are not as they come
    curve: Curve
    traded: Sequence[Traded]
    trips: Trips
    trade_list: str  # path of all trips; empty: none was written
    months: Sequence[Month]
    daily: F64  # returns of UTC days
    rolling: Series | Why
    null: Null | Why
    fans: Mapping[str, Fan | Why]  # by its title
    sections: Sequence[Section]
    tables: Sequence[Table]  # per instrument, exit reasons, refusals
    walk: str = ""  # how its parameters were chosen, as a terminal shows it; empty: they were not
