"""Money that comes and goes at a venue becomes a flow of the book, once; its fees are its own."""

from collections.abc import Iterator

import pytest

from rrr.core.events import Flow, Limits, Listing
from rrr.core.kernel import step
from rrr.core.state import EMPTY, State
from rrr.database.live import Notes, Outside
from rrr.database.sessions import Unit
from rrr.trading.live import claims
from rrr.trading.live.claims import FAILED, Answer, Claims, Leg, Movement, Reading
from rrr.trading.live.outcomes import Outcome
from rrr.trading.live.reconcile import reconciled
from rrr.trading.live.seen import Seen
from tests.builders import BTC, LAW, QUANTA
from tests.venue.process import Venue, started
from tests.venue.trading import COLLAR, TAKE, House


@pytest.fixture(scope="module", params=["kraken", "binance", "coinbase"])
def running(request: pytest.FixtureRequest) -> Iterator[Venue]:
    with started(request.param, speed=60, tier="none") as venue:
        yield venue


async def test_deposits_and_withdrawals_become_flows_once(house: House) -> None:
    quote, begin = house.pair.partition("/")[2], house.venue.clock_ms() - 1_000
    await house.send(TAKE, -COLLAR)  # which is a trade, and no movement
    before = await moved(house, begin)
    await house.venue.deposit(quote, "123.45678901")
    await house.venue.withdraw(quote, "20", "1.5")
    await house.venue.deposit("BTC", "0.25")
    fresh = [one for one in await moved(house, begin) if one not in before]
    assert sorted((one.currency, one.amount) for one in fresh) == [
        (0, -2_150_000_000),
        (0, 12_345_678_901),
        (1, 25_000_000),
    ]
    book = Seen(
        funded(),
        Notes((), frozenset(), frozenset(), (0, 0), frozenset(), 0),
        begin,
        dedicated=True,
        starting=False,
    )
    found = Claims(begin, FAILED, FAILED, FAILED, Answer(tuple(fresh), True), FAILED)
    settled = reconciled(book, found)
    assert [one.amount for one in settled.flows] == [12_345_678_901, -2_150_000_000]
    assert [(leg.currency, leg.aside) for leg in settled.foreign if leg.aside] == [(1, 25_000_000)]
    noted = frozenset((int(Outside.MOVEMENT), one.id) for one in fresh)
    again = book._replace(notes=book.notes._replace(foreign=noted))
    assert reconciled(again, found).nothing


@pytest.mark.parametrize("fault", ["half_open", "refuse", "html", "truncated", "http_500"])
async def test_a_ledger_that_failed_is_no_empty_one(house: House, fault: str) -> None:
    house.ccxt.timeout = 50
    await house.venue.fault(fault, where="read")
    assert isinstance(await house.wire.ledger(coins(house), 0), Outcome)
    assert isinstance(await house.wire.fees(), Outcome)


async def test_fees_are_of_the_accounts_own_tier(house: House) -> None:
    for taker, maker in ((2_600, 1_600), (750, 0)):
        await house.venue.fees(taker, maker)
        assert await house.wire.fees() == {house.pair: (taker, maker)}


async def test_what_moved_long_ago_is_found_in_another_window(house: House) -> None:
    begin = house.venue.clock_ms() - 400 * 86_400_000
    assert Leg(0, 5_000_000_000_000) in {
        Leg(one.currency, one.amount) for one in await moved(house, begin)
    }


async def moved(house: House, since_ms: int) -> list[Movement]:
    unit = Unit("v", "BTC-USD", "BTC", house.pair.partition("/")[2], 2, 8, 0, "")
    rows = await house.wire.ledger(coins(house), since_ms)
    assert isinstance(rows, list), rows
    answer = claims.movements(rows, Reading((unit,), lambda text: None))
    assert answer.whole, answer.troubles
    return list(answer.items)


def coins(house: House) -> list[str]:
    return house.pair.split("/")


def funded() -> State:
    state = EMPTY
    for event in (Limits(0, LAW), Listing(0, BTC), Flow(0, 1_000 * QUANTA)):
        state, _ = step(state, event)
    return state
