"""Who asks too often is refused: counters that rise with each call and fall with time."""

from collections import defaultdict
from typing import Final, NamedTuple


class Tier(NamedTuple):
    """Counts are in thousandths; a second lets so much of them go."""

    calls: int
    calls_fall: int
    orders: int  # for each instrument
    orders_fall: int


TIERS: Final = {
    "starter": Tier(15_000, 330, 60_000, 1_000),
    "intermediate": Tier(20_000, 500, 125_000, 2_340),
    "pro": Tier(20_000, 1_000, 180_000, 3_750),
    "none": Tier(10**12, 0, 10**12, 0),
}

# What cancelling and amending costs more, for an order younger than so many seconds.
_CANCELLED: Final = ((5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1))
_AMENDED: Final = ((5, 3), (10, 2), (15, 1))


class Rates:
    def __init__(self, tier: Tier) -> None:
        self._tier = tier
        self._counts: dict[tuple[str, str], tuple[int, int]] = defaultdict(lambda: (0, 0))

    def call(self, key: str, cost: int, now_ms: int) -> bool:
        """Whether it is still within the limit."""
        tier = self._tier
        return self._counted((key, ""), 1_000 * cost, tier.calls, tier.calls_fall, now_ms)

    def order(self, key: str, symbol: str, cost: int, now_ms: int) -> bool:
        tier = self._tier
        return self._counted((key, symbol), 1_000 * cost, tier.orders, tier.orders_fall, now_ms)

    def _counted(self, what: tuple[str, str], cost: int, most: int, fall: int, now_ms: int) -> bool:
        count, at_ms = self._counts[what]
        count = max(count - (now_ms - at_ms) * fall // 1_000, 0) + cost
        if count > most:
            return False
        self._counts[what] = count, now_ms
        return True


def cancelling(age_ms: int) -> int:
    """
    >>> cancelling(4_999), cancelling(5_000), cancelling(300_000)
    (8, 6, 0)
    """
    return next((cost for seconds, cost in _CANCELLED if age_ms < 1_000 * seconds), 0)


def amending(age_ms: int) -> int:
    """
    >>> amending(0), amending(15_000)
    (4, 1)
    """
    return 1 + next((cost for seconds, cost in _AMENDED if age_ms < 1_000 * seconds), 0)
