"""What was traded, by instrument, by exit, and what was refused: a table each."""

from collections.abc import Mapping
from typing import Any

from rrr.backtesting.report.model import Table
from rrr.core.orders import Rejection
from rrr.core.rules import Refusal
from rrr.monitoring.words import REFUSALS, REJECTIONS
from rrr.wiring.backtest_numbers import NONE, Numbers, share, signed


def tables(of: Numbers) -> list[Table]:
    """Those that have a row."""
    refusals = {name: REFUSALS[Refusal[name.upper()]] for name in of.told["refusals"]}
    rejections = {name: REJECTIONS[Rejection[name.upper()]] for name in of.told["rejections"]}
    found = [
        _instruments(of),
        _exits(of),
        _reasons("our own rules said no", "refused", of.told["refusals"], refusals),
        _reasons("the venue said no, or let it end", "rejected", of.told["rejections"], rejections),
    ]
    return [table for table in found if table.rows]


def _instruments(of: Numbers) -> Table:
    rows = [_part(of, one) for one in of.told["instruments"]]
    if len(rows) > 1:
        rows.append(_whole(of))
    heads = ("instrument", "trips", "won", f"P&L {of.quote}", "return", "costs", "exposure")
    return Table("by instrument", [*heads, "hold", "beyond", "market", "refused"], rows)


def _exits(of: Numbers) -> Table:
    rows = [
        [
            one["reason"],
            f"{one['round_trips']:,}",
            share(one["won_ratio"]),
            of.amount(one["pnl"], "+"),
            signed(one["average_ratio"]),
        ]
        for one in of.told["exits"]
    ]
    return Table("by exit", ["ended by", "trips", "won", f"P&L {of.quote}", "average"], rows)


def _reasons(title: str, what: str, times: Mapping[str, int], words: Mapping[str, str]) -> Table:
    rows = [[name, f"{number:,}", words[name]] for name, number in times.items()]
    return Table(title, [what, "times", "why"], rows)


def _part(of: Numbers, one: dict[str, Any]) -> list[str]:
    trips = one["round_trips"]
    market = one["market_ratio"]
    return [
        one["symbol"],
        f"{trips:,}",
        share(one["round_trips_won"] / trips) if trips else NONE,
        of.short(one["pnl"], "+"),
        share(one["pnl_ratio"], "+"),
        of.short(one["fees"] + one["slippage"]),
        share(one["exposure_ratio"]),
        share(one["matched_hold_ratio"], "+"),
        share(one["difference_ratio"], "+"),
        NONE if market is None else share(market, "+"),
        f"{one['refusals']:,}",
    ]


def _whole(of: Numbers) -> list[str]:
    told = of.told
    return [
        "all",
        f"{told['round_trips']:,}",
        NONE if told["won_ratio"] is None else share(told["won_ratio"]),
        of.short(told["pnl"], "+"),
        share(told["pnl_ratio"], "+"),
        of.short(told["fees"] + told["slippage"]),
        share(told["exposure_ratio"]),
        share(told["matched_hold_ratio"], "+"),
        share(told["difference_ratio"], "+"),
        NONE if told["market_ratio"] is None else share(told["market_ratio"], "+"),
        f"{sum(told['refusals'].values()):,}",
    ]
