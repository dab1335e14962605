"""What a round trip costs is said once: the word, the gate and a backtest all ask here.

A purchase that takes pays the taker's fee, half the spread and the slippage. One that rests pays
the maker's fee and what the price goes beyond it when it is filled, its adverse selection; that it
may wait in vain costs nothing here. A sale always takes, as the policy sells.
"""

from collections.abc import Sequence
from typing import Any

from .schema import Settings
from .sections import Costs


def round_trip_ppm(settings: Settings, symbols: Sequence[str]) -> int:
    """In and out of the dearest of these instruments, in ppm of its notional.

    >>> round_trip_ppm(Settings(), ["BTC-USD"])
    2300
    """
    assert symbols, "Somebody is traded."
    return max(bought_ppm(settings, one) + taken_ppm(settings.costs.of(one)) for one in symbols)


def bought_ppm(settings: Settings, symbol: str) -> int:
    """One purchase, as the policy makes it; below zero where a rebate pays for all."""
    costs = settings.costs.of(symbol)
    if settings.policy.entry == "maker":
        return costs.maker_fee_ppm + settings.gate.adverse_ppm
    return taken_ppm(costs)


def taken_ppm(costs: Costs) -> int:
    return costs.taker_fee_ppm + costs.half_spread_ppm + costs.slippage_ppm


def account_of(settings: Settings, symbols: Sequence[str]) -> dict[str, Any]:
    """All that a verdict depends on of an account, as JSON has it: costs, how it trades, its gate.

    The fall that halts a book is lifted where a verdict is made, and so is not of it.
    """
    names = ("maker_fee_ppm", "taker_fee_ppm", "half_spread_ppm", "slippage_ppm")
    costs = {one: settings.costs.of(one) for one in symbols}
    return {
        "costs": {one: {name: getattr(of, name) for name in names} for one, of in costs.items()},
        "policy": settings.policy.model_dump(mode="json"),
        "fills": settings.fills.model_dump(mode="json"),
        "abstain": settings.abstain.model_dump(mode="json", exclude={"expire_hours"}),
        "risk": settings.risk.model_dump(mode="json", exclude={"drawdown_max_bps"}),
        "gate": settings.gate.model_dump(mode="json"),
    }
