"""What the arithmetic alone costs: two compiled loops without an engine.

`bare` is a moving-average cross as anybody writes it: two running sums, one coin, a fee, the equity
at each close, a list of fills; no order, no rule, no stop. `same` is every number that the core
reckons under `bench_terms.everything` for one instrument, in its order and its rounding, without
orders, reports, records or rows: its equities are ours, bit for bit, or the figure is worth
nothing.
"""

from collections import namedtuple
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np

from rrr.backtesting.book import Book
from rrr.backtesting.history import History
from rrr.core import market
from rrr.core.market import BPS, PPM
from rrr.core.rules import HOUR_MS
from rrr.core.state import HOURS, SWING_CANDLES, SWING_ONE, Law
from rrr.neural_network.panel import I64
from rrr.neural_network.strategies.strategy import SILENT

MINUTE_MS: Final = 60_000


# To numba the law itself is an address in our tables.
Limits = namedtuple("Limits", Law._fields)  # type: ignore[misc]


class Costs(NamedTuple):
    """What the instrument and the venue add to each fill."""

    fee_ppm: int
    half_ppm: int
    slip_ppm: int
    latency_ms: int


class Bare(NamedTuple):
    fills: I64  # (fills, 3): candle, side, points
    equity: Any  # (candles,)


def bare(opened: I64, close: I64, fast: int, slow: int, fee: float, cash: float) -> Bare:
    fills, equity = np.empty((len(close), 3), np.int64), np.empty(len(close))
    n = compiled().bare(opened, close, fast, slow, fee, cash, fills, equity)
    return Bare(fills[:n], equity)


def same(history: History, convictions: I64, book: Book) -> I64:
    """Equity at each close."""
    panel, one = history.panel, book.instruments[0]
    costs = Costs(
        one.fee_taker_ppm, one.half_spread_ppm, one.slippage_ppm, book.assumptions.latency_ms
    )
    equity = np.empty(panel.times, np.int64)
    prices = panel.open[0], panel.high[0], panel.low[0], panel.close[0]
    at_ms = panel.opened_at_ms, panel.timeframe_ms
    terms = Limits._make(book.law), costs, one.scale, book.capital
    compiled().same(*at_ms, *prices, convictions[0], *terms, equity)
    return equity


class Loops(NamedTuple):
    bare: Callable[..., int]
    same: Callable[..., None]


@cache
def compiled() -> Loops:
    from numba import njit
    from numba.extending import register_jitable

    for function in (market.up, market.down, market.root, market.share_ppm):
        register_jitable(forceinline=True)(function)
    return Loops(njit(_bare), njit(_same))


def _bare(
    opened: Any, close: Any, fast: int, slow: int, fee: float, cash: float, fills: Any, equity: Any
) -> int:
    quick = calm = n = 0
    held = wanted = False
    for i in range(len(close)):
        if wanted != held:
            side = 1 if wanted else -1
            cash -= side * opened[i] + fee * opened[i]
            fills[n, 0], fills[n, 1], fills[n, 2] = i, side, opened[i]
            n, held = n + 1, wanted
        quick += close[i]
        calm += close[i]
        if i >= fast:
            quick -= close[i - fast]
        if i >= slow:
            calm -= close[i - slow]
        wanted = i >= slow - 1 and quick * slow > calm * fast
        equity[i] = cash + close[i] if held else cash
    return n


def _same(
    opened_ms: Any,
    every_ms: int,
    opens: Any,
    highs: Any,
    lows: Any,
    closes: Any,
    convictions: Any,
    law: Law,
    costs: Costs,
    scale: int,
    cash: int,
    equities: Any,
) -> None:
    worst_ppm = costs.half_ppm + costs.slip_ppm
    held = due = stop = target = mark = worth = swing = volatility = 0
    peak = drawdown = exposure = hour = cooled_ms = 0
    hours = np.zeros(HOURS, np.int64)
    recent = np.zeros(32, np.int64)
    for i in range(len(closes)):
        begins_ms = opened_ms[i]
        at_ms = begins_ms + every_ms
        if due != 0:  # what was sent at the last close meets the open, a little late
            side = 1 if due > 0 else -1
            worst = highs[i] if side > 0 else lows[i]
            late = market.root(market.share_ppm(costs.latency_ms, every_ms) * PPM)
            price = opens[i] + side * market.up(abs(worst - opens[i]), late, PPM)
            price += side * market.up(price, worst_ppm, PPM)
            quantity = abs(due)
            if side > 0:
                money = market.up(quantity, price, scale)
                below = price - market.up(price, law.stop_bps, BPS)
                stop = max(stop, below)
                target = price + market.up(price, law.target_bps, BPS)
            else:
                money = market.down(quantity, price, scale)
            cash -= side * money + market.up(money, costs.fee_ppm, PPM)
            held, due = held + due, 0
            if held == 0:
                stop = target = 0
        if held > 0 and lows[i] <= stop:
            first = min(opens[i], stop)
            price = first - market.up(first, worst_ppm, PPM)
            money = market.down(held, price, scale)
            cash += money - market.up(money, costs.fee_ppm, PPM)
            held = stop = target = 0
            cooled_ms = at_ms + law.cooldown_ms
        close = closes[i]
        if i > 0:
            move = market.share_ppm(min(abs(close - mark), mark), mark)
            swing += (move * SWING_ONE - swing) // min(i, SWING_CANDLES)
            volatility = swing * 12_533 // (10_000 * SWING_ONE)
        mark = close
        bid = max(mark - market.up(mark, costs.half_ppm, PPM), 1)
        worth = market.down(held, bid, scale)
        risk = market.up(worth, volatility, PPM)
        if held > 0 and mark >= target:
            due = -held
        equity = cash + worth
        if at_ms // HOUR_MS != hour:
            for k in range(HOURS - 1):
                hours[k] = hours[k + 1]
            hours[HOURS - 1] = equity
            hour = at_ms // HOUR_MS
        peak = max(peak, equity)
        if peak > equity:
            drawdown = max(drawdown, market.share_ppm(peak - equity, peak))
        if worth:
            exposure += market.share_ppm(min(worth, equity), equity) * BPS // PPM
        equities[i] = equity
        conviction = convictions[i]
        if conviction == SILENT or due != 0:
            continue
        limit = mark + market.up(mark, law.collar_bps, BPS)
        wished = 0
        if conviction >= law.conviction_min_bps:
            share = conviction * law.volatility_target_ppm // max(volatility, 1)
            budget = market.down(equity, min(share, law.exposure_max_bps), BPS)
            budget = min(budget, worth + law.order_notional_max)
            wished = market.down(budget, scale, limit)
            if abs(wished - held) < market.down(max(wished, held), law.band_bps, BPS):
                wished = held
        change = wished - held
        if change > 0:
            best = hours.max()
            money = market.up(change, limit, scale)
            fee = market.up(money, costs.fee_ppm, PPM)
            refused = best - equity > market.down(best, law.loss_24h_max_bps, BPS)
            refused |= i + 1 < law.warmup_candles or at_ms < cooled_ms
            refused |= money > law.order_notional_max
            refused |= worth + money > market.down(equity, law.exposure_max_bps, BPS)
            refused |= worth + money > market.down(equity, law.gross_max_bps, BPS)
            risk += market.up(money, volatility, PPM)
            refused |= risk > market.down(equity, law.book_volatility_max_ppm, PPM)
            refused |= money + fee > cash
            refused |= at_ms - recent[32 - law.orders_per_minute_max] < MINUTE_MS
            if refused:
                change = 0
            else:
                for k in range(31):
                    recent[k] = recent[k + 1]
                recent[31] = at_ms
        due = change
