"""Orders stay small until enough round trips are booked and somebody looked at what they cost."""

from typing import Final

import pytest

from rrr.trading.live.ramp import Caps, order_notional_max

CAPS: Final = Caps(ramp_notional_max=10, order_notional_max=1_000, ramp_round_trips=30)


@pytest.mark.parametrize(
    ("round_trips", "fitted", "most"),
    [
        (0, False, CAPS.ramp_notional_max),
        (0, True, CAPS.ramp_notional_max),
        (29, True, CAPS.ramp_notional_max),
        (30, False, CAPS.ramp_notional_max),
        (10_000, False, CAPS.ramp_notional_max),
        (30, True, CAPS.order_notional_max),
        (31, True, CAPS.order_notional_max),
    ],
)
def test_both_conditions_open_it_and_neither_alone(
    round_trips: int, fitted: bool, most: int
) -> None:
    assert order_notional_max(CAPS, round_trips, fitted) == most


def test_a_ramp_above_the_cap_is_no_ramp() -> None:
    with pytest.raises(AssertionError, match="at the door"):
        order_notional_max(CAPS._replace(ramp_notional_max=1_001), 0, False)
