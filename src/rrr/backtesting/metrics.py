"""The figures of a run. What cannot be told is None, and says why.

Returns are time-weighted; money is in quanta here and in the quote's unit in JSON. Exposure is the
worth of all positions ÷ equity, over the closes. Turnover is all that was bought and sold ÷ the
mean equity. The matched hold is that of a session's summary (`monitoring.summary`); the difference
to it is P&L ÷ deposits, less what the same exposure would have brought without skill.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from rrr.backtesting import growth, outcomes, performance
from rrr.backtesting.growth import DAY_MS, Daily, Drawdown, Path
from rrr.backtesting.history import History
from rrr.backtesting.outcomes import Average, Counts, Exit, Part
from rrr.backtesting.performance import YEAR_DAYS, Returns, Rolling, Told
from rrr.backtesting.result import Result
from rrr.backtesting.trades import Trades
from rrr.core.events import Flow
from rrr.core.market import BPS, QUANTA, Source
from rrr.core.orders import Rejection, Report
from rrr.core.rules import Refusal
from rrr.neural_network.panel import Mask

MADE: Final = (Source.BUILT, Source.SYNTHETIC)
MONEY: Final = ("capital", "equity", "pnl", "fees", "slippage", "traded", "expectancy")


class Span(NamedTuple):
    begins_ms: int
    ends_ms: int
    days: float
    closes: int
    synthetic_ratio: float  # of the candles: those that nobody traded


class Money(NamedTuple):
    capital: int  # all deposits
    equity: int
    pnl: int
    fees: int
    slippage: int
    traded: int  # bought and sold


class Use(NamedTuple):
    """How the money was at work, and what holding would have brought."""

    pnl_ratio: float | None  # of all deposits
    exposure_ratio: float | None
    in_market_ratio: float | None  # of the closes: those at which more than dust was held
    turnover_ratio: float | None
    turnover_yearly_ratio: float | None
    matched_hold_ratio: float | None
    difference_ratio: float | None
    market_ratio: float | None  # of the instruments, equally weighted


@dataclass(frozen=True, slots=True, eq=False)
class Metrics:
    span: Span
    money: Money
    returns: Returns
    drawdown: Drawdown
    use: Use
    counts: Counts
    average: Average
    instruments: tuple[Part, ...]
    exits: tuple[Exit, ...]
    refusals: Mapping[str, int]  # by reason, the most frequent first
    rejections: Mapping[str, int]
    months: tuple[tuple[str, float], ...]  # ("2024-01", return)
    years: tuple[tuple[str, float], ...]
    rolling: Rolling
    daily: Daily
    path: Path
    reasons: Mapping[str, str]  # why a figure, by its name in JSON, is None

    def as_json(self) -> dict[str, Any]:
        """Money in the quote currency, everything else as it is; no NaN."""
        fall = {f"drawdown_{name}": value for name, value in _plain(self.drawdown).items()}
        return {
            **_plain(self.span),
            **_plain(self.money),
            **_plain(self.returns),
            **fall,
            **_plain(self.use),
            **_plain(self.counts),
            **_plain(self.average),
            "instruments": [_plain(part) for part in self.instruments],
            "exits": [_plain(exit_) for exit_ in self.exits],
            "refusals": dict(self.refusals),
            "rejections": dict(self.rejections),
            "months": {name: round(ratio, 8) for name, ratio in self.months},
            "years": {name: round(ratio, 8) for name, ratio in self.years},
            "reasons": dict(self.reasons),
        }


def measured(
    result: Result,
    history: History,
    trades: Trades,
    *,
    tried: int = 1,
    variance: float | None = None,
) -> Metrics:
    """`tried`: trials of the family so far; `variance`: of their daily Sharpe ratios."""
    assert len(result.at_ms), "A run has a close."
    begins_ms = int(history.panel.opened_at_ms[history.begins])
    lived = result.at_ms > begins_ms
    path = _path(result, begins_ms)
    days, fall = growth.daily(path), growth.drawdown(path)
    span, money = _span(history, path), _money(result, trades)
    parts = outcomes.parts(result, history, trades, lived, money.capital)
    reasons: dict[str, str] = {}
    returns = performance.figures(path, days, fall, tried, variance)
    use = _use(result, lived, span, money, parts)
    if fall.recovered_ms is None:
        never = "the peak was not reached again" if fall.depth_ratio else "equity never fell"
        reasons["drawdown_recovered_ms"] = never
    for part in parts:
        if part.market_ratio is None:
            reasons[f"instruments.{part.symbol}.market_ratio"] = outcomes.NO_CANDLE
    return Metrics(
        span=span,
        money=money,
        returns=Returns(**_known(returns, reasons)),
        drawdown=fall,
        use=Use(**_known(use, reasons)),
        counts=outcomes.counts(trades),
        average=Average(**_known(outcomes.figures(trades), reasons)),
        instruments=parts,
        exits=outcomes.exits(trades),
        refusals=_refusals(result),
        rejections=_rejections(result),
        months=tuple(growth.calendar(days, "M")),
        years=tuple(growth.calendar(days, "Y")),
        rolling=performance.rolling(days),
        daily=days,
        path=path,
        reasons=reasons,
    )


def _path(result: Result, begins_ms: int) -> Path:
    columns = zip(result.column(Flow, "at_ms"), result.column(Flow, "amount"), strict=True)
    flows = [Flow(int(at_ms), int(amount)) for at_ms, amount in columns]
    return growth.path(result.at_ms, result.equity, int(result.invested[0]), flows, begins_ms)


def _span(history: History, path: Path) -> Span:
    begins_ms, ends_ms = int(path.at_ms[0]), int(path.at_ms[-1])
    there = history.panel.there[:, history.begins :]
    made = np.isin(history.source[:, history.begins :], MADE) & there
    return Span(
        begins_ms,
        ends_ms,
        (ends_ms - begins_ms) / DAY_MS,
        len(path.at_ms) - 1,
        float(made.sum() / max(there.sum(), 1)),
    )


def _money(result: Result, trades: Trades) -> Money:
    equity, invested = int(result.equity[-1]), int(result.invested[-1])
    return Money(
        capital=int(np.maximum(np.diff(result.invested, prepend=0), 0).sum()),
        equity=equity,
        pnl=equity - invested,
        fees=int(trades.fees.sum()),
        slippage=int(trades.slippage.sum()),
        traded=int(result.column(Report, "notional").sum()),
    )


def _use(
    result: Result, lived: Mask, span: Span, money: Money, parts: tuple[Part, ...]
) -> dict[str, Told]:
    equity = np.maximum(result.equity[lived], 1)
    worth = result.worth[lived].sum(axis=1)
    turnover = money.traded / float(equity.mean())
    matched = sum(part.matched_hold_ratio for part in parts)
    markets = [part.market_ratio for part in parts if part.market_ratio is not None]
    yearly: Told = turnover * YEAR_DAYS / span.days
    if span.days < performance.DAYS_MIN:
        yearly = performance.short(span.days)
    return {
        "pnl_ratio": money.pnl / money.capital,
        "exposure_ratio": float((worth / equity).mean()),
        "in_market_ratio": float((worth * BPS >= equity).mean()),
        "turnover_ratio": turnover,
        "turnover_yearly_ratio": yearly,
        "matched_hold_ratio": matched,
        "difference_ratio": money.pnl / money.capital - matched,
        "market_ratio": sum(markets) / len(markets) if markets else outcomes.NO_CANDLE,
    }


def _refusals(result: Result) -> dict[str, int]:
    """By reason, of all instruments."""
    times: dict[str, int] = {}
    for (_, refusal), count in result.refusals.items():
        name = Refusal(refusal).name.lower()
        times[name] = times.get(name, 0) + count
    return dict(sorted(times.items(), key=lambda item: (-item[1], item[0])))


def _rejections(result: Result) -> dict[str, int]:
    """What the venue said no to, or ended by itself."""
    said = result.column(Report, "rejection")
    reasons, times = np.unique(said[said > 0], return_counts=True)
    names = [Rejection(reason).name.lower() for reason in reasons.tolist()]
    pairs = zip(names, times.tolist(), strict=True)
    return dict(sorted(pairs, key=lambda item: (-item[1], item[0])))


def _known(told: Mapping[str, Told], reasons: dict[str, str]) -> dict[str, float | None]:
    """The figures; what is none of them leaves its reason."""
    reasons |= {name: value for name, value in told.items() if isinstance(value, str)}
    return {name: None if isinstance(value, str) else value for name, value in told.items()}


def _plain(record: NamedTuple) -> dict[str, Any]:
    return {name: _figure(name, value) for name, value in record._asdict().items()}


def _figure(name: str, value: Any) -> Any:
    if value is not None and name in MONEY:
        return value / QUANTA
    return round(value, 8) if isinstance(value, float) else value
