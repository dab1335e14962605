"""What is drawn is what happened: fewer points where there are too many, and never a softer one.

Makes the data that `charts.js` draws. Candles that are too many are joined into longer ones (first
open, highest high, lowest low, last close); of a curve's bucket the first, the lowest, the highest
and the deepest close stay; a histogram's zero is an edge, so that no gain stands among losses.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from rrr.backtesting.report.model import F64, Curve, Fan, Null, Report, Series, Traded, Trips
from rrr.backtesting.report.packing import on_grid, pack, rising, unit_of
from rrr.core.market import QUANTA
from rrr.monitoring.words import money
from rrr.neural_network.panel import I64

CANDLES_BYTES_MAX: Final = 2_000_000
CANDLES_MAX: Final = 250_000
TOGETHER: Final = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 240)
POINTS_MAX: Final = 45_000
MARKS_MAX: Final = 20_000
STEPS_MAX: Final = 1_000
BINS_MAX: Final = 48


def data(report: Report, bins: Mapping[str, Any]) -> dict[str, Any]:
    """All charts of a page, ready for JSON."""
    return {
        "quote": report.quote,
        "curve": _curve(report.curve, report.timeframe_ms),
        "rolling": _series(report.rolling) if isinstance(report.rolling, Series) else None,
        "traded": _candles(report),
        "trips": _trips(report.trips),
        "histograms": bins,
        "fans": [_fan(one) if isinstance(one, Fan) else None for one in report.fans.values()],
    }


def histograms(report: Report) -> dict[str, dict[str, Any]]:
    """By the chart's name; what has no value has no histogram."""
    null = report.null if isinstance(report.null, Null) else None
    values = {
        "returns": report.trips.ratio[~report.trips.open],
        "days": report.daily,
        "null": null.ratios if null else np.zeros(0),
    }
    found = {name: histogram(column) for name, column in values.items() if column.size}
    if null and "null" in found:
        found["null"]["mine"] = float(null.mine)
    return found


def histogram(values: F64) -> dict[str, Any]:
    """Counts in steps of a round width (Freedman and Diaconis 1981); the first and the last step
    also hold the half per cent that lies beyond them.

    >>> histogram(np.array([-0.02, 0.01, 0.011, 0.03]))["counts"]
    [1, 2, 1]
    """
    low, quarter, three, high = np.quantile(values, [0.005, 0.25, 0.75, 0.995])
    wished = max(2 * (three - quarter) / len(values) ** (1 / 3), (high - low) / (BINS_MAX - 2))
    width = round_step(wished) if wished > 0 else 0.01
    first, last = np.floor(low / width), max(np.floor(high / width), np.floor(low / width))
    place = np.floor(values / width)
    inside = (np.clip(place, first, last) - first).astype(np.int64)
    counts = np.bincount(inside, minlength=int(last - first) + 1)
    return {
        "width": width,
        "first": int(first),
        "counts": counts.tolist(),
        "below": int((place < first).sum()),
        "above": int((place > last).sum()),
        "quantiles": [float(q) for q in np.quantile(values, [0.05, 0.5, 0.95])],
        "mean": float(values.mean()),
    }


def round_step(wished: float) -> float:
    """1, 2 or 5 times a power of ten, not below what is wished.

    >>> round_step(0.0034), round_step(0.1), round_step(61)
    (0.005, 0.1, 100.0)
    """
    power = int(np.floor(np.log10(wished)))
    steps = (float(f"{digit}e{power + more}") for more in (0, 1) for digit in (1, 2, 5))
    return next(step for step in steps if step >= wished * (1 - 1e-9))


def rounded(amounts: I64, part: int) -> I64:
    """Parts of it, a half to the even one, as `money` writes it.

    >>> rounded(np.array([149, 150, 250, -150]), 100).tolist()
    [1, 2, 2, -2]
    """
    whole, rest = np.divmod(amounts, part)
    up = (2 * rest > part) | ((2 * rest == part) & (whole % 2 == 1))
    return np.asarray(whole + up, np.int64)


def thinned(curve: Curve) -> I64:
    """The places of the closes that are drawn."""
    closes = len(curve.at_ms)
    if closes <= POINTS_MAX:
        return np.arange(closes)
    per = -(-4 * closes // POINTS_MAX)
    begins = np.arange(0, closes - per + 1, per)
    equity, drawdown = (
        column[: len(begins) * per].reshape(-1, per) for column in (curve.equity, curve.drawdown)
    )
    chosen = [equity.argmin(1), equity.argmax(1), drawdown.argmax(1)]
    rest = np.arange(len(begins) * per, closes)
    return np.unique(np.concatenate([begins, *(begins + place for place in chosen), rest]))


def joined(one: Traded, step_ms: int) -> Traded:
    """Several candles as one, on the grid of the longer timeframe."""
    place = one.opened_at_ms // step_ms
    begins = np.flatnonzero(np.diff(place, prepend=-1))
    if not begins.size:
        return one
    ends = np.append(begins[1:], len(place)) - 1
    return replace(
        one,
        opened_at_ms=place[begins] * step_ms,
        open=one.open[begins],
        high=np.maximum.reduceat(one.high, begins),
        low=np.minimum.reduceat(one.low, begins),
        close=one.close[ends],
    )


def _curve(curve: Curve, timeframe_ms: int) -> dict[str, Any]:
    kept = thinned(curve)
    most = int(np.abs(curve.equity).max(initial=1))
    decimals = 2 if most >= 1_000 * QUANTA else min(16 - len(str(most)), 8)
    part = 10 ** (8 - decimals)
    return {
        "at": on_grid(curve.at_ms[kept], timeframe_ms),
        "begins": int(curve.at_ms[0]) if curve.at_ms.size else 0,
        "step": timeframe_ms,
        "decimals": decimals,
        "equity": rising(rounded(curve.equity[kept], part)),
        "hold": None if curve.hold is None else rising(rounded(curve.hold[kept], part)),
        "drawdown": rising(_whole(curve.drawdown[kept], 10_000)),
        "exposure": rising(_whole(curve.exposure[kept], 10_000)),
        "flows": [[flow.at_ms, money(flow.amount, "+")] for flow in curve.flows],
        "drawn": len(kept),
        "closes": len(curve.at_ms),
    }


def _candles(report: Report) -> list[dict[str, Any]]:
    """All of them, or as few longer ones as the page can carry."""
    candles, together = sum(len(one.open) for one in report.traded), 0
    wished = max(1, -(-candles // CANDLES_MAX))
    while together < wished:
        together = next((round for round in TOGETHER if round >= wished), wished)
        step = together * report.timeframe_ms
        packed = [packed_candles(joined(one, step), step) for one in report.traded]
        wished = together * -(-sum(len(one["columns"]) for one in packed) // CANDLES_BYTES_MAX)
    return [one | {"joined": together, "every": report.timeframe} for one in packed]


def packed_candles(one: Traded, step_ms: int) -> dict[str, Any]:
    """A candle is where it opens after the last close, its body, and its two wicks."""
    unit = unit_of([one.open, one.high, one.low, one.close], one.price_decimals)
    opens, high, low, close = (
        column // unit["divide"] for column in (one.open, one.high, one.low, one.close)
    )
    before = np.concatenate([[0], close[:-1]])[: len(close)]
    wicks = high - np.maximum(opens, close), np.minimum(opens, close) - low
    columns = np.column_stack([opens - before, close - opens, *wicks])
    return {
        "symbol": one.symbol,
        "unit": unit["unit"],
        "decimals": unit["decimals"],
        "scale": 10.0**one.price_decimals,
        "points": one.price_decimals,
        "at": on_grid(one.opened_at_ms, step_ms),
        "begins": int(one.opened_at_ms[0]) if one.opened_at_ms.size else 0,
        "step": step_ms,
        "columns": pack(columns.reshape(-1)),
    }


def _trips(trips: Trips) -> dict[str, Any]:
    """The first of them: a mark says its prices, its return and why it ended."""
    first = slice(0, MARKS_MAX)
    opened, lasted = trips.opened_ms[first], (trips.closed_ms - trips.opened_ms)[first]
    tick = int(np.gcd(np.gcd.reduce(opened), np.gcd.reduce(lasted))) if opened.size else 1
    reasons = sorted(set(trips.reason[first]))
    numbered = {reason: number for number, reason in enumerate(reasons)}
    return {
        "tick": tick or 1,
        "instrument": pack(trips.instrument[first]),
        "side": pack(trips.side[first]),
        "opened": rising(opened // (tick or 1)),
        "lasted": pack(lasted // (tick or 1)),
        "entry": rising(_whole(trips.entry[first])),
        "exit": rising(_whole(trips.exit[first])),
        "ratio": pack(_whole(trips.ratio[first], 10_000)),
        "open": pack(trips.open[first].astype(np.int64)),
        "reason": pack(np.array([numbered[one] for one in trips.reason[first]], np.int64)),
        "reasons": reasons,
    }


def _series(series: Series) -> dict[str, Any]:
    known = np.isfinite(series.value)
    return {
        "at": rising(series.at_ms[known] // 1000),
        "value": rising(_whole(series.value[known], 1_000)),
        "window": series.window,
    }


def _fan(fan: Fan) -> dict[str, Any]:
    kept = evenly(len(fan.steps), STEPS_MAX)
    return {
        "step": fan.step,
        "steps": rising(fan.steps[kept]),
        "shares": [float(share) for share in fan.shares],
        "bands": [rising(_whole(band[kept], 10_000)) for band in fan.bands],
        "mine": None if fan.mine is None else rising(_whole(fan.mine[kept], 10_000)),
    }


def evenly(count: int, most: int) -> I64:
    """So many places at most, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def _whole(values: F64, parts: int = 1) -> I64:
    return np.rint(values * parts).astype(np.int64)
