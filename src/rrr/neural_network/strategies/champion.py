"""The boring champion holds them all, the calm ones more, looks once a week, and pays as a maker.

Any model must beat it, net. Conviction is shared equally among the instruments that trade; `policy`
makes of it equal volatility, and what is left is cash. Meant for BTC, ETH and SOL.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final, Literal

import numpy as np

from ..panel import I64, Panel
from .rolling import over
from .strategy import FULL, SILENT, Strategy

DAY_MS: Final = 86_400_000
THURSDAY: Final = 3  # days since a Monday, of 1970-01-01


@dataclass(frozen=True)
class Champion(Strategy):
    """Volatility-targeted, weekly, maker-first: Moreira and Muir, Journal of Finance 72 (2017)."""

    entry: ClassVar[Literal["take", "maker"]] = "maker"
    together: ClassVar[bool] = True
    usual: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "policy.stop_bps": "3000",
            "policy.target_bps": "100000",
            "policy.conviction_min_bps": "1",  # of fifty coins each has a fiftieth
        }
    )

    weekday: int = 1  # the UTC day on which it looks: 1 is Monday, 7 Sunday
    traded: int = 64  # candles within which an instrument that trades has one

    def __post_init__(self) -> None:
        sound = 1 <= self.weekday <= 7 and self.traded >= 1
        self.require(sound, "weekday is 1 (Monday) to 7, traded at least 1")

    @property
    def window(self) -> int:
        return self.traded

    def convictions(self, panel: Panel) -> I64:
        trading = (over(panel.there.astype(np.int64), self.traded) > 0).sum(axis=0)
        days = (panel.opened_at_ms + panel.timeframe_ms) // DAY_MS
        looks = (days + THURSDAY) % 7 + 1 == self.weekday
        shared = np.where(looks, FULL // np.maximum(trading, 1), SILENT)
        return np.broadcast_to(shared, panel.there.shape)
