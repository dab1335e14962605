"""A small run as a report, made of integers and a seed; whoever needs another says what differs."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any, Final

import numpy as np

from rrr.backtesting.report.model import (
    Curve,
    Fan,
    Figure,
    Flow,
    Month,
    Null,
    Report,
    Section,
    Series,
    Setting,
    Table,
    Traded,
    Trips,
)
from rrr.neural_network.panel import I64

HOUR: Final = 3_600_000
START: Final = 473_352 * HOUR  # 2024-01-01
TICK: Final = 100  # points
QUANTA: Final = 10**8


def report(candles: int = 240, trips: int = 12, symbols: Sequence[str] = ("BTC/USD",)) -> Report:
    traded = [walk(symbol, candles, seed) for seed, symbol in enumerate(symbols)]
    return Report(
        name="amber-falcon-7",
        strategy="moving-average-cross:fast=10,slow=50",
        market="replay",
        timeframe="1h",
        timeframe_ms=HOUR,
        span="2024-01-01 00:00Z to 2024-01-11 00:00Z",
        quote="USD",
        synthetic=False,
        in_sample="",
        notes=["BTC/USD: 3 candles are missing"],
        headline=[Figure("Return", "+12.34 %", "matched hold +14.20 %")],
        believe=[Figure("Trials", "41", "chance alone reaches as much", wary=True)],
        origin=[Figure("data", "ab" * 32), Figure("code", "cd" * 32), Figure("seed", "7")],
        settings=[Setting("fills.latency_ms", "0", "250")],
        curve=curve(traded[0]),
        traded=traded,
        trips=round_trips(traded, trips),
        trade_list="data/runs/amber-falcon-7.csv",
        months=[Month(2024, 1, -0.0312), Month(2024, 2, 0.08), Month(2024, 0, 0.0463)],
        daily=np.array([0.01, -0.02, 0.0, 0.004, 0.03]),
        rolling=Series(START + np.arange(1, 9) * 24 * HOUR, np.linspace(-1, 2, 8), "90 days"),
        null=Null(np.linspace(-0.1, 0.1, 101), 0.16, "101 random runs"),
        fans={"Bootstrap": fan(), "Reshuffled": "There are too few round trips."},
        sections=[Section("Risk", [Figure("Volatility", "-1.20 %", "of days")])],
        tables=[Table("Refusals", ["Reason", "How often"], [["CASH", "12"], ["GROSS", "3"]])],
    )


def empty() -> Report:
    """A run in which nothing was there to show."""
    nothing = report(candles=0, trips=0)
    return replace(
        nothing,
        traded=[],
        headline=[],
        believe=[],
        settings=[],
        notes=[],
        months=[],
        daily=np.zeros(0),
        rolling="The run is shorter than 90 days.",
        null="There is no round trip to move.",
        fans={},
        sections=[],
        tables=[],
    )


def walk(symbol: str, candles: int, seed: int = 0, **other: Any) -> Traded:
    """Prices in ticks that wander; every candle is possible."""
    rng = np.random.Generator(np.random.Philox(seed))
    close = 40_000 + np.cumsum(rng.integers(-40, 41, candles))
    before = np.concatenate([[40_000], close[:-1]])[:candles] + rng.integers(-3, 4, candles)
    wick = rng.integers(0, 30, (2, candles))
    numbers = {
        "open": before * TICK,
        "high": (np.maximum(before, close) + wick[0]) * TICK,
        "low": (np.minimum(before, close) - wick[1]) * TICK,
        "close": close * TICK,
    }
    at = START + np.arange(candles) * HOUR
    return Traded(symbol, 4, 8, at, **numbers | other)


def curve(one: Traded, **other: Any) -> Curve:
    closes = len(one.close)
    equity = 10_000 * QUANTA + (one.close - one.close[:1].sum()) * 10_000
    peak = np.maximum.accumulate(equity) if closes else equity
    columns: dict[str, Any] = {
        "at_ms": one.opened_at_ms + HOUR,
        "equity": equity,
        "hold": 10_000 * QUANTA + (equity - 10_000 * QUANTA) // 2,
        "drawdown": 1 - equity / peak,
        "exposure": np.where(np.arange(closes) % 50 < 25, 0.4, 0.0),
        "flows": [Flow(START + 30 * HOUR, 500 * QUANTA)],
    }
    return Curve(**columns | other)


def round_trips(traded: Sequence[Traded], count: int) -> Trips:
    random = Random(count)
    rows = []
    for number in range(count):
        place = number % len(traded)
        one = traded[place]
        first = random.randrange(len(one.open) - 8)
        last = first + random.randrange(1, 8)
        rows.append((int(one.opened_at_ms[first]), place, first, last, random.randrange(1, 10**9)))
    rows.sort()
    at, of, begins, ends, quantity = np.array(rows, np.int64).reshape(-1, 5).T
    entry, exit_ = (_prices(traded, of, which) for which in (begins, ends))
    fees = quantity * 3
    pnl = ((exit_ - entry) * quantity // 10_000).astype(np.int64) - fees
    return Trips(
        instrument=of,
        side=np.ones(count, np.int64),
        opened_ms=at,
        closed_ms=at + (ends - begins) * HOUR,
        quantity=quantity,
        entry=entry,
        exit=exit_,
        fees=fees,
        pnl=pnl,
        ratio=exit_ / entry - 1,
        reason=["stop" if number % 3 else "signal" for number in range(count)],
        open=np.arange(count) == count - 1,
    )


def fan() -> Fan:
    steps = np.arange(30)
    spread = np.array([-2, -1, 0, 1, 2])[:, None]
    return Fan(steps, "day", (0.05, 0.25, 0.5, 0.75, 0.95), 1 + spread * steps / 100, None, "days")


def _prices(traded: Sequence[Traded], place: I64, which: I64) -> Any:
    pairs = zip(place.tolist(), which.tolist(), strict=True)
    return np.array([float(traded[one].open[at]) for one, at in pairs])
