"""A figure has one name, and beside it what to make of it.

The terminal prints these, the report shows them.
"""

from collections.abc import Iterator

from rrr.backtesting.report.model import Figure, Section
from rrr.core.market import BPS
from rrr.monitoring.words import span, stamp
from rrr.wiring.backtest_numbers import Numbers


def headline(of: Numbers) -> list[Figure]:
    told = of.told
    trips = f"{told['round_trips']:,}"
    return [
        Figure("return", of.ratio("total_ratio"), of.paid("pnl", "+")),
        Figure("matched hold", of.ratio("matched_hold_ratio"), "the same exposure, no skill"),
        Figure("Sharpe", of.number("sharpe"), of.interval() or of.reason("sharpe")),
        Figure("drawdown", of.ratio("drawdown_depth_ratio", ""), "at most"),
        Figure("round trips", trips, of.won()),
    ]


def sections(of: Numbers) -> list[Section]:
    return [
        Section("returns", list(_returns(of))),
        Section("risk", list(_risk(of))),
        Section("use", list(_use(of))),
        Section("round trips", list(_round_trips(of))),
    ]


def _returns(of: Numbers) -> Iterator[Figure]:
    told = of.told
    paid = f"{of.paid('pnl', '+')} on {of.amount(told['capital'])}"
    yield Figure("return", of.ratio("total_ratio"), f"time-weighted; {paid}")
    yield Figure("a year", of.ratio("cagr_ratio"), of.reason("cagr_ratio") or "CAGR")
    alone = "the exposure that it had on average, held without skill or costs"
    yield Figure("matched hold", of.ratio("matched_hold_ratio"), alone)
    yield Figure("difference", of.ratio("difference_ratio"), "what the decisions added to it")
    yield Figure("market", of.ratio("market_ratio"), "its instruments, equally weighted")
    days = f"best {of.ratio('best_day_ratio')}, worst {of.ratio('worst_day_ratio')}"
    yield Figure("days won", of.ratio("days_won_ratio", ""), days)


def _risk(of: Numbers) -> Iterator[Figure]:
    told = of.told
    fell = f"{stamp(told['drawdown_peak_ms'])} to {stamp(told['drawdown_trough_ms'])}"
    back = told["drawdown_recovered_ms"]
    made_good = f"made good {stamp(back)}" if back else of.reason("drawdown_recovered_ms")
    deep = told["drawdown_depth_ratio"] > 0
    note = f"{fell}, {made_good}" if deep else made_good
    yield Figure("drawdown", of.ratio("drawdown_depth_ratio", ""), note)
    if deep:
        longest = span(told["drawdown_longest_ms"] / 1000)
        yield Figure("below a peak", longest, "the longest time")
    if told["volatility_ratio"] is not None:
        yield Figure("volatility", of.ratio("volatility_ratio", ""), "a year")
        yield Figure("Sharpe", of.number("sharpe"), of.interval() or of.reason("sharpe"))
        yield Figure("Sortino", of.number("sortino"), of.reason("sortino"))
        yield Figure("Calmar", of.number("calmar"), of.reason("calmar"))


def _use(of: Numbers) -> Iterator[Figure]:
    told = of.told
    note = f"of equity on average; something was held at {of.ratio('in_market_ratio', '')}"
    yield Figure("exposure", of.ratio("exposure_ratio", ""), f"{note} of the closes")
    yearly = told["turnover_yearly_ratio"]
    note = "times the mean equity, bought and sold"
    note += "" if yearly is None else f"; {yearly:,.1f} a year"
    yield Figure("turnover", f"{told['turnover_ratio']:,.1f}", note)
    for name in ("fees", "slippage"):
        part = f"; {told[name] / told['traded'] * BPS:.1f} bps of it" if told["traded"] else ""
        traded = f"{of.quote}, of {of.amount(told['traded'])} bought and sold{part}"
        yield Figure(name, of.amount(told[name]), traded)


def _round_trips(of: Numbers) -> Iterator[Figure]:
    told = of.told
    trips = told["round_trips"]
    yield Figure("round trips", f"{trips:,}", of.won())
    if not trips:
        return
    factor, reason = of.number("profit_factor"), of.reason("profit_factor")
    yield Figure("profit factor", factor, reason or "what was won ÷ what was lost")
    middle = f"each {of.ratio('average_ratio')} on average, {of.ratio('median_ratio')} the"
    ends = f"best {of.ratio('best_ratio')}, worst {of.ratio('worst_ratio')}"
    paid = of.amount(told["expectancy"], "+")
    yield Figure("expectancy", paid, f"{of.quote}; {middle} median; {ends}")
    held = [span(told[f"held_ms_{name}"] / 1000) for name in ("average", "median", "longest")]
    yield Figure("held", held[0], f"on average; {held[1]} the median, {held[2]} the longest")
    streaks = f"{told['streak_won']:,} won and {told['streak_lost']:,} lost in a row, at most"
    yield Figure("streaks", f"{told['streak_won']} / {told['streak_lost']}", streaks)
