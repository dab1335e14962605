"""Whoever is no better than his own trades at other times has timed nothing.

All round trips move together by one random distance, around the end of the history: a circular
shift (Politis and Romano, 1992; for trading, Aronson, "Evidence-Based Technical Analysis", 2006).
Lengths, instruments, mean exposures and costs stay, and stay beside each other: were each moved by
itself, instruments that fall together would make chance look tamer than it is. A round trip goes
from open to open, its result is a share of equity, and results compound. Nulls have no stops: where
prices jump and stops are still filled at their trigger, the run looks better by that much. The
p-value counts the run among its nulls (Phipson and Smyth, 2010).
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from rrr.backtesting.history import History
from rrr.backtesting.hold import known
from rrr.backtesting.result import Result
from rrr.backtesting.trades import F64, Trades
from rrr.neural_network.panel import I64

DRAWS: Final = 1_000
CELLS: Final = 1 << 21  # of one portion of the work
RUIN: Final = -1 + 1e-12  # a share of equity; nothing is lost twice


@dataclass(frozen=True, slots=True, eq=False)
class Null:
    ratios: F64  # (draws,): the return of each null, rising
    run_ratio: float  # of the run, by the same sum
    mean_ratio: float
    low_ratio: float  # 5 % were below
    high_ratio: float  # 95 % were
    percentile_ratio: float  # the share of nulls below the run; ties count half
    p_value: float  # the probability of doing as well by chance

    def as_json(self) -> dict[str, Any]:
        names = [name for name in self.__slots__ if name != "ratios"]
        told = {f"null_{name}": round(getattr(self, name), 8) for name in names}
        return told | {"null_draws": len(self.ratios)}


def random_entries(
    result: Result, history: History, trades: Trades, *, draws: int = DRAWS, seed: int = 1
) -> Null | str:
    """The run among its nulls; a sentence where there is nothing to move.

    A history with fewer other places than `draws` gives each of them once. No place is nearer than
    the longest round trip lasted, or a quarter of the history.
    """
    panel = history.panel
    places = panel.times - history.begins
    if not len(trades):
        return "there is no round trip to move"
    if places < 2:
        return "there is no other candle to move to"
    random = np.random.Generator(np.random.Philox(seed))
    begins_ms = int(panel.opened_at_ms[history.begins])
    begins = (trades.opened_ms - begins_ms) // panel.timeframe_ms
    length = np.maximum(-(-(trades.closed_ms - trades.opened_ms) // panel.timeframe_ms), 1)
    # A few candles earlier, an entry catches the very move that led to it: that is no chance.
    apart = max(1, min(int(length.max()), places // 4))
    distances = random.permutation(np.arange(apart, places - apart + 1))[:draws]
    share, cost, made = _shares(result, trades)
    prices = [_prices(history, i) for i in range(panel.instruments)]

    grown = np.zeros(len(distances))
    for i in np.unique(trades.instrument).tolist():
        mine = np.flatnonzero(trades.instrument == i)
        for part in np.array_split(mine, -(-len(mine) * len(distances) // CELLS)):
            moved = (begins[part] + distances[:, None]) % places  # (draws, round trips)
            gross = _moves(prices[i], moved, length[part])
            net = np.maximum(share[part] * gross - cost[part], RUIN)
            grown += np.log1p(net).sum(axis=1)
    run = float(np.expm1(np.log1p(np.maximum(made, RUIN)).sum()))
    return _placed(np.sort(np.expm1(grown)), run)


def equity_before(result: Result, trades: Trades) -> F64:
    """Quanta at the last close before each round trip began."""
    first = np.searchsorted(result.at_ms, trades.opened_ms, side="right")
    equity = np.append(result.equity[:1], result.equity)[first]
    return np.maximum(equity, 1).astype(np.float64)


def _shares(result: Result, trades: Trades) -> tuple[F64, F64, F64]:
    """Of equity when each began: its mean worth while it lasted, its costs, what it made."""
    first = np.searchsorted(result.at_ms, trades.opened_ms, side="right")
    last = np.searchsorted(result.at_ms, trades.closed_ms)  # closes from `first` on, to before it
    before = equity_before(result, trades)
    share = trades.notional / before  # of what no close saw
    for i in np.unique(trades.instrument).tolist():
        mine = (trades.instrument == i) & (last > first)
        exposure = result.worth[:, i] / np.maximum(result.equity, 1)
        sums = np.append(0.0, np.cumsum(exposure))
        share[mine] = ((sums[last] - sums[first]) / np.maximum(last - first, 1))[mine]
    return share, (trades.fees + trades.slippage) / before, trades.pnl / before


def _prices(history: History, i: int) -> F64:
    """The open of each candle that may be traded on, then the last close; of a hole, what is known.

    (times + 1,)
    """
    panel = history.panel
    closes = known(panel, i)
    opens = np.where(panel.there[i], panel.open[i], np.append(closes[:1], closes[:-1]))
    return np.append(opens[history.begins :], closes[-1]).astype(np.float64)


def _moves(prices: F64, begins: I64, length: I64) -> F64:
    """What a holder of so many candles made; past the end it goes on at the beginning."""
    times = len(prices) - 1
    ends = begins + length
    around = ends > times
    whole = prices[-1] / prices[0]
    back = np.where(around, ends - times, ends)
    return prices[back] / prices[begins] * np.where(around, whole, 1.0) - 1


def _placed(nulls: F64, run: float) -> Null:
    low, high = np.quantile(nulls, (0.05, 0.95)).tolist()
    below = np.searchsorted(nulls, run, side="left")
    not_above = np.searchsorted(nulls, run, side="right")
    return Null(
        nulls,
        run,
        float(nulls.mean()),
        low,
        high,
        float((below + not_above) / 2 / len(nulls)),
        float((1 + len(nulls) - below) / (1 + len(nulls))),
    )
