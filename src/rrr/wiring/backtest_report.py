"""A run becomes a page: columns that are drawn, and the figures that the terminal printed."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from rrr.backtesting import growth, hold
from rrr.backtesting.growth import DAY_MS
from rrr.backtesting.metrics import Metrics
from rrr.backtesting.montecarlo import SHARES, Played
from rrr.backtesting.nulls import Null
from rrr.backtesting.performance import DAYS_MIN, short
from rrr.backtesting.report import model
from rrr.backtesting.report.model import (
    Curve,
    Fan,
    Figure,
    Month,
    Report,
    Section,
    Series,
    Traded,
    Trips,
    Why,
)
from rrr.backtesting.report.page import page
from rrr.backtesting.trades import Trades
from rrr.core.events import Flow
from rrr.core.orders import Cause, Side
from rrr.database.research import Run
from rrr.monitoring.words import count, stamp
from rrr.wiring.backtest_believe import believe
from rrr.wiring.backtest_figures import headline, sections
from rrr.wiring.backtest_found import Found
from rrr.wiring.backtest_given import Given
from rrr.wiring.backtest_numbers import Numbers
from rrr.wiring.backtest_tables import tables
from rrr.wiring.backtest_words import changed

FANS: Final = {
    "reshuffled": ("Round trips in another order", "round trip"),
    "bootstrapped": ("Days drawn again", "day"),
    "rechained": ("Other histories of these candles", "day"),
}


def written(run: Run, of: Given, found: Found) -> str:
    """The page of a run."""
    return page(report_of(run, of, found))


def report_of(run: Run, of: Given, found: Found) -> Report:
    numbers, metrics, told = Numbers(run), found.metrics, run.metrics
    fans = {title: _fan(getattr(found, name), step) for name, (title, step) in FANS.items()}
    if not run.metrics["rechained"]:
        fans.pop(FANS["rechained"][0])  # nobody asked for it
    return Report(
        walk=told["walk"]["page"] if "walk" in told else "",
        name=run.name,
        strategy=run.strategy if "walk" in told else of.strategy.title,
        market=told["about"]["title"],
        timeframe=of.timeframe,
        timeframe_ms=of.history.panel.timeframe_ms,
        span=f"{stamp(told['begins_ms'])} to {stamp(told['ends_ms'])}",
        quote=told["about"]["quote"],
        synthetic=run.synthetic,
        in_sample=told["about"]["in_sample"],
        notes=told["about"]["notes"],
        headline=_titled(headline(numbers)),
        believe=_titled(believe(numbers)),
        origin=_origin(run),
        settings=changed(run),
        curve=_curve(found, of),
        traded=_traded(of),
        trips=_trips(found.trades),
        trade_list=run.trades_path or "",
        months=_months(metrics),
        daily=metrics.daily.returns,
        rolling=_rolling(metrics),
        null=_null(found.null),
        fans=fans,
        sections=[Section(_title(one.title), _titled(one.figures)) for one in sections(numbers)],
        tables=[
            one._replace(title=_title(one.title), columns=[*map(_title, one.columns)])
            for one in tables(numbers)
        ],
    )


def _curve(found: Found, of: Given) -> Curve:
    result, path = found.result, found.metrics.path
    lived = result.at_ms > path.at_ms[0]
    equity = result.equity[lived]
    columns = (result.column(Flow, name).tolist() for name in ("at_ms", "amount"))
    return Curve(
        at_ms=result.at_ms[lived],
        equity=equity,
        hold=hold.matched_curve(result, of.history)[lived],
        drawdown=growth.below_peak(path)[1:],
        exposure=result.worth[lived].sum(axis=1) / np.maximum(equity, 1),
        flows=[
            model.Flow(at_ms, amount)
            for at_ms, amount in zip(*columns, strict=True)
            if at_ms > path.at_ms[0]
        ],
    )


def _traded(of: Given) -> list[Traded]:
    """The candles that may be traded on, of each instrument."""
    panel = of.history.panel.cut(of.history.begins)
    return [
        Traded(
            one.spec.symbol,
            one.spec.points,
            one.spec.grains,
            panel.opened_at_ms[panel.there[i]],
            open=panel.open[i][panel.there[i]],
            high=panel.high[i][panel.there[i]],
            low=panel.low[i][panel.there[i]],
            close=panel.close[i][panel.there[i]],
        )
        for i, one in enumerate(of.history.quoted)
    ]


def _trips(trades: Trades) -> Trips:
    causes = {int(cause): cause.name.lower() for cause in Cause} | {int(Cause.NONE): "open"}
    return Trips(
        instrument=trades.instrument,
        side=np.full(len(trades), int(Side.BUY), np.int64),
        opened_ms=trades.opened_ms,
        closed_ms=trades.closed_ms,
        quantity=trades.quantity,
        entry=trades.entry_price,
        exit=trades.exit_price,
        fees=trades.fees,
        pnl=trades.pnl,
        ratio=trades.ratio,
        reason=[causes[cause] for cause in trades.reason.tolist()],
        open=trades.open,
    )


def _months(metrics: Metrics) -> list[Month]:
    months = [Month(int(name[:4]), int(name[5:]), ratio) for name, ratio in metrics.months]
    return months + [Month(int(name), 0, ratio) for name, ratio in metrics.years]


def _rolling(metrics: Metrics) -> Series | Why:
    found = metrics.rolling
    if not len(found.day):
        return _sentence(short(metrics.span.days))
    return Series((found.day + 1) * DAY_MS, found.sharpe, f"{DAYS_MIN} days")


def _null(null: Null | str) -> model.Null | Why:
    if isinstance(null, str):
        return _sentence(null)
    note = f"{len(null.ratios):,} times the same round trips at other times"
    return model.Null(null.ratios, null.run_ratio, note)


def _fan(played: Played | str, step: str) -> Fan | Why:
    if isinstance(played, str):
        return _sentence(played)
    note = f"{played.draws:,} draws; the bands hold 50 % and 90 % of them"
    if played.block:
        note += f"; in blocks of {count(played.block, 'day')} on average"
    return Fan(played.steps, step, SHARES, played.bands, played.run, note)


def _origin(run: Run) -> list[Figure]:
    return [
        Figure("Digest of the run", run.digest),
        Figure("Data", run.data_digest),
        Figure("Core", run.core_hash),
        Figure("Strategy", run.strategy_hash, run.strategy),
        Figure("Seed", str(run.seed)),
        Figure("Version", run.version),
        Figure("Command", run.command),
    ]


def _titled(figures: Sequence[Figure]) -> list[Figure]:
    return [one._replace(name=_title(one.name)) for one in figures]


def _title(name: str) -> str:
    return name[:1].upper() + name[1:]


def _sentence(why: str) -> Why:
    return f"{_title(why)}."
