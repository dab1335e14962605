"""What a sequence trades, and the terms that its book may have.

Terms under which stops are amended stand there twice, for more can happen under them.
"""

from typing import Final

from rrr.core.state import Sizing
from tests.builders import BTC, LAW, QUANTA

MINUTE: Final = 60_000
CAPITAL: Final = 100_000 * QUANTA
LISTED: Final = (
    BTC._replace(notional_min=QUANTA),
    BTC._replace(id=1, tick=1_000, lot=10**5, quantity_min=10**6, fee_in_base=1),
)
CALM: Final = LAW._replace(
    order_notional_max=CAPITAL // 4,
    orders_per_minute_max=32,
    exposure_max_bps=6_000,
    patience_ms=3 * MINUTE,
)
AMENDS: Final = CALM._replace(stop_amends=1, sizing=int(Sizing.EQUITY))
AMENDING: Final = (
    AMENDS,
    AMENDS._replace(entry_maker=1, maker_offset_bps=10),
    AMENDS._replace(stop_limit_bps=30, target_rests=1, target_bps=100),
)
LAWS: Final = (
    CALM,
    CALM._replace(target_rests=1, target_bps=100, cooldown_ms=3 * MINUTE),
    CALM._replace(entry_maker=1, maker_offset_bps=10, target_rests=1),
    CALM._replace(entry_maker=1, trail_bps=150, chase=0),
    CALM._replace(stop_limit_bps=50, band_bps=500, drawdown_max_bps=300),
    CALM._replace(fill_or_kill=1, stop_limit_bps=30, target_rests=1, target_bps=50),
    *AMENDING,
    *AMENDING,
)
