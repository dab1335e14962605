"""The first round trips are small, until they are many and what they cost was looked at.

The ramp's cap holds until so many round trips are booked *and* `rrr costs --fit` compared at least
so many of them with what paper assumes. Real costs are known before real size is risked.
"""

from typing import NamedTuple


class Caps(NamedTuple):
    """Of what one order may buy, in quanta."""

    ramp_notional_max: int
    order_notional_max: int
    ramp_round_trips: int


def order_notional_max(caps: Caps, round_trips: int, fitted: bool) -> int:
    """What one order may buy now; `fitted`: a comparison saw at least `ramp_round_trips`.

    >>> caps = Caps(ramp_notional_max=5, order_notional_max=100, ramp_round_trips=30)
    >>> [order_notional_max(caps, *at) for at in ((29, True), (30, False), (30, True))]
    [5, 5, 100]
    """
    assert caps.ramp_notional_max <= caps.order_notional_max, "Settings are checked at the door."
    climbed = round_trips >= caps.ramp_round_trips and fitted
    return caps.order_notional_max if climbed else caps.ramp_notional_max
