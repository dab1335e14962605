"""Every cap is a wall, to the quantum and the millisecond; a sale meets none."""

from typing import Any

import pytest

from rrr.core.market import QUANTA, cost
from rrr.core.orders import Kind, Order, Rejection, Side, TimeInForce
from rrr.trading.live.spelling import Refused
from rrr.trading.live.walls import DAY_MS, MINUTE_MS, Bought, Caps, Wall
from tests.builders import BTC, START, order

EACH = cost(BTC, order().price, order().quantity)
CAPS = Caps(3, EACH, 10 * EACH, frozenset({0}))
RESTS = {"kind": Kind.LIMIT, "time_in_force": int(TimeInForce.GTC)}


def wall(**changes: Any) -> Wall:
    return Wall(CAPS._replace(**changes))


def meet(one: Wall, wanted: Order, at_ms: int = START) -> Refused | None:
    return one.meet(wanted, BTC, at_ms)


@pytest.mark.parametrize(
    ("met", "wanted", "rejection", "words"),
    [
        (wall(), order(instrument=1), Rejection.CAP, "live.instruments"),
        (wall(), order(**RESTS), Rejection.TERMS, "nobody is there"),
        (wall(order_notional_max=EACH - 1), order(), Rejection.CAP, "live.order_notional_max"),
        (wall(day_notional_max=EACH - 1), order(), Rejection.CAP, "live.day_notional_max"),
        (wall(orders_per_minute_max=0), order(), Rejection.CAP, "live.orders_per_minute_max"),
        (Wall(CAPS, {0: "books differ"}), order(), Rejection.FROZEN, "books differ"),
    ],
)
def test_each_wall_holds_a_purchase_by_name_and_counts_nothing(
    met: Wall, wanted: Order, rejection: Rejection, words: str
) -> None:
    refused = meet(met, wanted)
    assert refused is not None
    assert refused.rejection is rejection
    assert words in refused.words
    assert not met.bought
    assert meet(met, wanted._replace(side=int(Side.SELL))) is None
    assert not met.bought, "A sale uses up nothing."


def test_what_is_within_every_cap_passes_and_counts() -> None:
    met = wall()
    assert meet(met, order()) is None
    assert met.day_notional(START) == EACH
    assert meet(met, order(kind=Kind.LIMIT, time_in_force=int(TimeInForce.GTD))) is None


def test_a_minute_holds_so_many_wherever_it_begins() -> None:
    met = wall()
    passed = [at for at in range(0, 4 * MINUTE_MS, 500) if meet(met, order(), START + at) is None]
    for begin in passed:
        assert sum(begin <= at < begin + MINUTE_MS for at in passed) <= CAPS.orders_per_minute_max
    assert len(passed) == min(4 * CAPS.orders_per_minute_max, 10)


def test_a_day_is_any_24_hours_and_outlives_a_process() -> None:
    met = wall(orders_per_minute_max=32)
    for hour in range(10):
        assert meet(met, order(), START + hour) is None
    again = Wall(met.caps)
    again.recall(reversed(met.bought))
    for one in (met, again):
        assert meet(one, order(), START + DAY_MS - 1) is not None
        assert meet(one, order(), START + DAY_MS) is None
        assert meet(one, order(), START + DAY_MS) is not None


def test_what_an_earlier_life_bought_in_this_minute_counts() -> None:
    met = wall()
    met.recall([Bought(START - 1, QUANTA)] * 3)
    assert meet(met, order()) is not None
    assert meet(met, order(), START + MINUTE_MS) is None
