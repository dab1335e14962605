"""Each fault of trading, met by our wire: what the venue did, what it said, and what we make of it.

Whether an order landed is asked of the venue's own ledger, which no fault reaches.
"""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from rrr.core.orders import Rejection
from rrr.trading.live import outcomes
from rrr.trading.live.outcomes import Outcome
from rrr.trading.live.spelling import Request
from tests.venue.faults import KINDS, TRADING
from tests.venue.process import Venue, started
from tests.venue.talking import traded
from tests.venue.trading import COLLAR, FAR, LIMIT, TAKE, House, only

CONFIRMED: Final = outcomes.Kind.CONFIRMED
UNKNOWN: Final = outcomes.Kind.UNKNOWN
REJECTED: Final = outcomes.Kind.REJECTED

SPEED: Final = 60
HANGS_MS: Final = 400  # of the world: who waits longer gives up


@pytest.fixture(scope="module", params=["kraken", "binance", "coinbase"])
def running(request: pytest.FixtureRequest) -> Iterator[Venue]:
    with started(request.param, speed=SPEED, tier="none") as venue:
        yield venue


# What is met, what our wire makes of it, and whether it was done.
ANSWERS: Final = [
    ("reply_dropped", UNKNOWN, True),
    ("reply_hangs", UNKNOWN, True),
    ("reply_html", UNKNOWN, True),
    ("reply_empty", UNKNOWN, True),
    ("reply_500", UNKNOWN, True),
    ("reply_duplicate", UNKNOWN, True),
    ("truncated", UNKNOWN, True),
    ("http_500", UNKNOWN, False),
    ("maintenance", UNKNOWN, False),
    ("html", UNKNOWN, False),
    ("refuse", UNKNOWN, False),
    ("half_open", UNKNOWN, False),
    ("http_429", REJECTED, False),
]


@pytest.mark.parametrize(("fault", "kind", "landed"), ANSWERS, ids=[row[0] for row in ANSWERS])
async def test_what_is_said_of_an_order_and_what_was_done(
    house: House, fault: str, kind: outcomes.Kind, landed: bool
) -> None:
    for order, off in ((TAKE, FAR), (LIMIT, FAR), (house.stop, -FAR)):
        await house.venue.fault(fault, where="trade")
        if fault in ("reply_hangs", "half_open"):
            house.ccxt.timeout = HANGS_MS if landed else 50
        outcome, named = await house.send(order, off)
        assert outcome.kind is kind, outcome
        assert len(await house.received(named)) == landed
        await house.venue.heal()
        house.ccxt.timeout = 10_000
        rows = await house.look_up(named)
        assert isinstance(rows, list)
        assert len(rows) == landed


@pytest.mark.parametrize("fault", ["reply_dropped", "reply_500", "http_500"])
async def test_a_cancel_and_an_amendment_meet_the_same(house: House, fault: str) -> None:
    _, named = await house.send(LIMIT, FAR)
    order, _, _ = house.order(LIMIT, FAR + 10)
    amends = house.amending(named, order)
    await house.venue.fault(fault, where="trade")
    if isinstance(amends, Request):
        assert (await house.wire.amend(amends)).kind is UNKNOWN
    assert (await house.wire.cancel(house.cancelling(named))).kind is UNKNOWN
    await house.venue.heal()
    row = only(await house.look_up(named))
    assert row["status"] == ("open" if fault == "http_500" else "canceled")


async def test_an_order_lands_after_its_sender_gave_up(house: House) -> None:
    late = await house.venue.fault("accepted_late", where="trade", amount=SPEED * 500)
    house.ccxt.timeout = HANGS_MS
    outcome, named = await house.send(LIMIT, FAR)
    assert outcome.kind is UNKNOWN
    house.ccxt.timeout = 10_000
    await house.venue.heal()
    while not (there := await house.received(named)):
        pass
    sent_ms = late.from_ms
    assert there[0]["at_ms"] - sent_ms >= late.size
    assert only(await house.look_up(named))["status"] == "open"


async def test_no_more_than_a_part_is_filled(house: House) -> None:
    await house.venue.fault("partial", where="trade", amount=40)
    _, named = await house.send(TAKE, -COLLAR)
    row = only(await house.look_up(named))
    assert row["status"] in ("canceled", "expired")
    assert (row["filled"], row["amount"]) == (0.00492, 0.0123)


async def test_a_fill_wins_the_race_with_a_cancel(house: House) -> None:
    _, named = await house.send(LIMIT, FAR)
    await house.venue.fault("cancel_race", where="trade")
    outcome = await house.wire.cancel(house.cancelling(named))
    assert (outcome.kind, outcome.rejection) == (REJECTED, Rejection.UNKNOWN_ORDER)
    row = only(await house.look_up(named))
    assert (row["status"], row["filled"]) == ("closed", 0.0123)


async def test_a_stale_replica_does_not_know_yet(house: House) -> None:
    before = await _total(house)
    await house.venue.fault("stale", amount=10**8)
    _, named = await house.send(TAKE, -COLLAR)
    assert await house.look_up(named) == []
    assert await house.wire.trades(0) == []
    await house.venue.heal()
    assert only(await house.look_up(named))["status"] == "closed"
    assert await _total(house) != before


async def test_balances_lag_alone(house: House) -> None:
    before = await _total(house)
    await house.venue.wait(10)
    await house.venue.fault("balance_lag", amount=9_000)
    _, named = await house.send(TAKE, -COLLAR)
    while await _total(house) == before:
        assert only(await house.look_up(named))["status"] == "closed"
    (order,) = [each for each in await house.received(named) if each["what"] == "order"]
    assert house.venue.clock_ms() >= order["at_ms"] + 9_000


async def test_pages_are_empty_that_should_not_be(house: House) -> None:
    _, named = await house.send(LIMIT, FAR)
    await house.venue.fault("empty_pages")
    assert await house.wire.open_orders() == []
    assert await house.wire.closed_orders(0) == []
    assert await house.wire.trades(0) == []
    await house.venue.heal()
    assert only(await house.look_up(named))["status"] == "open"


async def test_a_halted_instrument_takes_no_order_and_lets_go_of_those_it_has(
    house: House,
) -> None:
    _, resting = await house.send(LIMIT, FAR)
    await house.venue.fault("halted", symbol=house.pair)
    outcome, _ = await house.send(LIMIT, FAR)
    assert outcome.kind is REJECTED
    assert (await house.ccxt.load_markets(True))[house.pair]["active"] is False
    assert (await house.wire.cancel(house.cancelling(resting))).kind is CONFIRMED


async def test_a_delisted_instrument_is_not_there(house: House) -> None:
    await house.venue.fault("delisted", symbol=house.pair)
    outcome, named = await house.send(LIMIT, FAR)
    assert outcome.kind is not CONFIRMED
    assert [each["what"] for each in await house.received(named)] == ["refused"]
    async with traded(house.venue) as anybody:
        assert house.pair not in await anybody.load_markets()


async def test_a_fault_of_trading_leaves_readers_and_the_public_alone(house: House) -> None:
    await house.venue.fault("http_500", where="trade")
    assert isinstance(await house.wire.balances(), dict)
    assert await house.ccxt.fetch_time()
    await house.venue.heal()
    await house.venue.fault("http_500", where="read")
    assert isinstance(await house.wire.balances(), Outcome)
    assert (await house.send(LIMIT, FAR))[0].kind is CONFIRMED


async def test_a_fault_of_an_instrument_leaves_the_orders_of_others_alone(house: House) -> None:
    await house.venue.fault("reply_500", symbol=house.venue.symbols[1])
    assert (await house.send(LIMIT, FAR))[0].kind is CONFIRMED
    await house.venue.fault("reply_500", symbol=house.pair)
    assert (await house.send(LIMIT, FAR))[0].kind is UNKNOWN


def test_every_fault_of_trading_is_met_here() -> None:
    met = {row[0] for row in ANSWERS} | {
        *("accepted_late", "reply_late", "partial", "cancel_race", "stale", "balance_lag"),
        *("empty_pages", "halted", "delisted"),
    }
    assert TRADING.keys() <= met
    assert not KINDS.keys() & TRADING.keys()
    assert all(
        each.words and each.meets <= {"trade", "read", "market"} for each in TRADING.values()
    )


async def _total(house: House) -> Any:
    balances = await house.wire.balances()
    assert isinstance(balances, dict), balances
    return balances["total"]
