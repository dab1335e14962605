"""Each moment of a position without its stop is counted, under the name of its reason."""

from pathlib import Path

import pytest

from rrr.core.orders import NO_ORDER, Kind, Order, Side, Stage
from rrr.core.state import Lane, State
from rrr.trading.live.protection import Protection, Why
from tests.builders import BTC, LAW, RICH, lane, order
from tests.trading.live.dealing import dealing, desk, timeless

COIN = 10**8


def stop(stage: Stage, **changes: int) -> Order:
    kind, side = int(Kind.STOP), int(Side.SELL)
    return order(kind=kind, side=side, sequence=2, stage=int(stage), quantity=COIN, **changes)


def state(of: Lane) -> State:
    return State(LAW, RICH, (BTC,), (of,))


HELD = lane(quantity=COIN)
SALE = order(side=int(Side.SELL), sequence=3)
FLAT, DUST = lane(), lane(quantity=BTC.lot - 1)
UNDER = HELD._replace(stop=stop(Stage.WORKING))


@pytest.mark.parametrize(
    ("bare", "why"),
    [
        (FLAT, None),
        (DUST, None),
        (UNDER, None),
        (HELD._replace(stop=stop(Stage.TRIGGERED)), None),
        (HELD, Why.BARE),
        (HELD._replace(stop=stop(Stage.UNKNOWN)), Why.BARE),
        (HELD._replace(stop=stop(Stage.SENDING)), Why.ENTRY),
        (HELD._replace(order=SALE), Why.EXIT),
        (HELD._replace(due=-COIN, stop=stop(Stage.CANCELLING)), Why.EXIT),
    ],
)
def test_a_position_is_bare_for_one_reason_or_for_none(bare: Lane, why: Why | None) -> None:
    protection = Protection()
    protection.look(state(bare), 1_000)
    assert [found for found, _ in protection.since_ms.values()] == ([why] if why else [])
    protection.look(state(FLAT), 1_250)
    assert protection.since_ms == {}
    for each in Why:
        assert protection.windows[each] == ([250] if each is why else [])


def test_a_stop_that_gives_way_to_another_is_a_change() -> None:
    protection = Protection()
    for at_ms, one in ((0, UNDER), (5, HELD._replace(stop=stop(Stage.CANCELLING))), (25, UNDER)):
        protection.look(state(one), at_ms)
    assert protection.windows[Why.CHANGE] == [20]
    for at_ms, one in ((30, FLAT), (40, HELD._replace(stop=stop(Stage.SENDING))), (47, UNDER)):
        protection.look(state(one), at_ms)
    assert protection.windows[Why.ENTRY] == [7], "What is bought anew was never guarded."


def test_what_stands_bare_counts_until_now() -> None:
    protection = Protection()
    protection.look(state(HELD), 100)
    assert protection.so_far_ms(350, Why.BARE) == 250
    protection.look(state(UNDER), 400)
    protection.look(state(HELD), 500)
    assert protection.so_far_ms(501, Why.BARE) == 301
    assert protection.quantile_ms(Why.BARE, 0.99) == 300
    assert protection.quantile_ms(Why.EXIT, 0.99) == 0


def test_a_stop_that_was_triggered_and_does_not_fill_is_counted_once() -> None:
    protection = Protection()
    for at_ms in range(3):
        protection.look(state(HELD._replace(stop=stop(Stage.TRIGGERED))), at_ms)
    protection.look(state(HELD._replace(stop=NO_ORDER, order=SALE)), 3)
    assert protection.unfilled == 1


@timeless
async def test_a_round_trip_stands_bare_only_as_it_begins_and_as_it_ends(tmp_path: Path) -> None:
    venue = desk()
    async with dealing(tmp_path / "live.db", venue) as deal:
        await deal.hold()
        await deal.close(0)
        await deal.rest()
        found = deal.agent.protection
        assert {why: len(found.windows[why]) for why in Why} == {
            Why.ENTRY: 1,
            Why.EXIT: 1,
            Why.CHANGE: 0,
            Why.BARE: 0,
        }
        assert found.so_far_ms(venue.clock(), Why.BARE) == 0
        told = deal.live.told(deal.engine.state, deal.agent.units)
        assert told["unprotected_s"] == 0
        assert told["unprotected_now"] == []
