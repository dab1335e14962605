"""The last wall before the wire: what no cap allows never leaves, whatever was decided before it.

The law of the core asks for no more than these; they are counted anew from what was really sent, by
the clock on the wall, and outlive the process. A sale passes always: an exit is never held back.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from rrr.core.market import Instrument, cost
from rrr.core.orders import Kind, Order, Rejection, Side, TimeInForce
from rrr.trading.live.spelling import Refused

MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000


class Caps(NamedTuple):
    """Of purchases; notionals in quanta, at the worst price that an order accepts."""

    orders_per_minute_max: int
    order_notional_max: int
    day_notional_max: int  # of any 24 hours
    instruments: frozenset[int]  # that may be bought


class Bought(NamedTuple):
    at_ms: int
    notional: int


@dataclass(slots=True)
class Wall:
    caps: Caps
    frozen: dict[int, str] = field(default_factory=dict)  # instrument: why it may only be reduced
    bought: deque[Bought] = field(default_factory=deque)  # of 24 hours, the oldest first

    def recall(self, bought: Iterable[Bought]) -> None:
        """What an earlier life of the process sent."""
        self.bought.extend(sorted(bought))

    def day_notional(self, at_ms: int) -> int:
        while self.bought and self.bought[0].at_ms <= at_ms - DAY_MS:
            self.bought.popleft()
        return sum(one.notional for one in self.bought)

    def meet(self, order: Order, instrument: Instrument, at_ms: int) -> Refused | None:
        """Refuse an order, or count it as sent."""
        if order.side == Side.SELL:
            return None
        notional = cost(instrument, order.price, order.quantity)
        refused = self._refused(order, notional, at_ms)
        if refused is None:
            self.bought.append(Bought(at_ms, notional))
        return refused

    def _refused(self, order: Order, notional: int, at_ms: int) -> Refused | None:
        caps, i = self.caps, order.instrument
        if i in self.frozen:
            return Refused(Rejection.FROZEN, self.frozen[i])
        if i not in caps.instruments:
            return Refused(Rejection.CAP, "live.instruments does not hold it")
        if order.kind == Kind.LIMIT and order.time_in_force == TimeInForce.GTC:
            return Refused(Rejection.TERMS, "what rests must end by itself, if nobody is there")
        if notional > caps.order_notional_max:
            return Refused(Rejection.CAP, "live.order_notional_max, or the ramp's")
        if self.day_notional(at_ms) + notional > caps.day_notional_max:
            return Refused(Rejection.CAP, "live.day_notional_max")
        recent = sum(one.at_ms > at_ms - MINUTE_MS for one in self.bought)
        if recent >= caps.orders_per_minute_max:
            return Refused(Rejection.CAP, "live.orders_per_minute_max")
        return None
