"""A backtest is an upper bound: this is what stands between it and the future.

Costs, chance, the error of the Sharpe ratio, everything else that was tried, and what else could
have come of the same. What one should be careful about is marked.
"""

from collections.abc import Iterator
from typing import Final

from rrr.backtesting.report.model import Figure
from rrr.core.orders import Rejection
from rrr.core.rules import Refusal
from rrr.monitoring.words import REFUSALS, REJECTIONS, count, stamp
from rrr.wiring.backtest_numbers import NONE, Numbers, share, signed, whole, within

CHANCE: Final = 0.05  # what chance does as often is no skill shown
SURE: Final = 0.95
NO_WISH: Final = "no opinion was strong enough to buy"
HALTS: Final = {"drawdown": "the fall from its peak was larger than `risk.drawdown_max_bps`"}


def believe(of: Numbers) -> list[Figure]:
    """What stands between this and the future."""
    return [
        *_warnings(of),
        _costs(of),
        _hold(of),
        _chance(of),
        _sharpe(of),
        _trials(of),
        *_otherwise(of),
    ]


def _warnings(of: Numbers) -> Iterator[Figure]:
    run = of.run
    if run.synthetic:
        words = "nobody traded these candles: they show that the machine works, no more"
        yield Figure("market", "SYNTHETIC", words, wary=True)
    if run.in_sample:
        yield Figure("sample", "IN SAMPLE", of.told["about"]["in_sample"], wary=True)
    if not of.told["traded"]:
        yield Figure("trades", "NONE", _why_none(of), wary=True)
    for one in of.told["halts"]:
        if one["halt"] != "none":
            since = f"since {stamp(one['at_ms'])} nothing was opened"
            why = HALTS.get(one["halt"], "it was told to take no new risk")
            yield Figure("halt", one["halt"], f"{since}: {why}", wary=True)


def _why_none(of: Numbers) -> str:
    """What stood in the way most often: a rule, or the venue."""
    refused, rejected = of.told["refusals"], of.told["rejections"]
    if not refused and not rejected:
        return NO_WISH
    reason, times = next(iter(refused.items()), ("", 0))
    other, often = next(iter(rejected.items()), ("", 0))
    if often > times:
        return f"what was ordered was rejected: {REJECTIONS[Rejection[other.upper()]]}"
    return f"what was wished for was refused: {words_of(reason)}"


def words_of(reason: str) -> str:
    """Of the refusal that stood in the way most often."""
    return REFUSALS[Refusal[reason.upper()]]


def _costs(of: Numbers) -> Figure:
    told = of.told
    spent = told["fees"] + told["slippage"]
    note = f"of all deposits: fees {of.amount(told['fees'])}, slippage"
    note += f" {of.amount(told['slippage'])} {of.quote}"
    before = told["pnl"] + spent
    if told["pnl"] <= 0 < before:
        note += f"; before them it made {of.amount(before, '+')}"
    return Figure("costs", share(spent / told["capital"]), note, wary=told["pnl"] <= 0 < before)


def _hold(of: Numbers) -> Figure:
    difference = of.told["difference_ratio"]
    note = f"beyond the exposure-matched hold, which made {of.ratio('matched_hold_ratio')}"
    return Figure("difference", signed(difference), note, wary=difference <= 0)


def _chance(of: Numbers) -> Figure:
    told = of.told
    if "null_draws" not in told:
        return Figure("chance", NONE, of.reason("null"), wary=True)
    better = f"better than {whole(told['null_percentile_ratio'])}"
    note = f"of {told['null_draws']:,} runs that entered at random as often, of which 90 % made"
    note += f" {signed(told['null_low_ratio'])} to {signed(told['null_high_ratio'])};"
    note += f" p = {told['null_p_value']:.3f}"
    return Figure("chance", better, note, wary=told["null_p_value"] > CHANCE)


def _sharpe(of: Numbers) -> Figure:
    told = of.told
    if told["sharpe"] is None:
        return Figure("Sharpe", NONE, of.reason("sharpe"), wary=True)
    needed, note = told["sharpe_days_needed"], of.interval()
    if needed is not None and needed > of.days:
        note += f"; {needed:,.0f} days would tell it from zero, these are {of.days:,.0f}"
    return Figure("Sharpe", of.number("sharpe"), note, wary=told["sharpe_low"] <= 0)


def _trials(of: Numbers) -> Figure:
    tried, deflated = of.told["trials"]["recipes"], of.told["sharpe_deflated"]
    value = count(tried, "recipe")
    note = f"tried on {of.run.family}"
    if deflated is None:
        return Figure("trials", value, note)
    note += "; this one's Sharpe is above"
    best = "zero" if tried < 2 else "the best of as many worthless ones"
    note += f" {best} with a probability of {whole(deflated)}"
    return Figure("trials", value, note, wary=deflated < SURE)


def _otherwise(of: Numbers) -> Iterator[Figure]:
    """What else could have come of it: 90 % of the draws."""
    if not of.told["traded"]:
        return
    order, days, candles = (of.told[name] for name in ("reshuffled", "bootstrapped", "rechained"))
    if order is not None:
        note = "drawdown, the same round trips in another order"
        yield Figure("other order", within(order["drawdown_ratio"], ""), note)
    if days is not None:
        note = f"return, the same days drawn again; {whole(days['lost_ratio'])} lost money"
        yield Figure("other days", within(days["total_ratio"]), note, days["lost_ratio"] > CHANCE)
    if candles is not None:
        lost = candles["lost_ratio"]
        note = f"return on {candles['draws']:,} other histories of these candles;"
        note += f" {whole(lost)} lost money"
        yield Figure("other candles", within(candles["total_ratio"]), note, lost > CHANCE)
