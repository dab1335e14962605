"""Coinbase's account through our wire and through ccxt; test_trading_faults meets its faults."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import pytest

from rrr.core.orders import Rejection, TimeInForce
from rrr.trading.live import outcomes
from rrr.trading.live.spelling import Request
from tests.trading.live.wires import AMOUNT, STOP_LIMIT
from tests.venue.keys import READER, TRADER, WITHDRAWER, Key
from tests.venue.process import Venue, started
from tests.venue.talking import traded
from tests.venue.trading import COLLAR, FAR, LIMIT, TAKE, House, housed, only

CONFIRMED: Final = outcomes.Kind.CONFIRMED
REJECTED: Final = outcomes.Kind.REJECTED


@pytest.fixture(scope="module")
def running() -> Iterator[Venue]:
    with started("coinbase", speed=10) as venue:
        yield venue


async def test_a_take_pays_its_fee_in_money_and_is_in_every_list(house: House) -> None:
    before, begin = await house.venue.ledger(), house.venue.clock_ms()
    outcome, named = await house.send(TAKE, -COLLAR)
    assert outcome.kind is CONFIRMED
    row = only(await house.look_up(named))
    assert (row["id"], row["status"], row["filled"]) == (outcome.venue_id, "closed", 0.0123)
    trades = await house.wire.trades(begin - 1_000)
    assert isinstance(trades, list)
    mine = [each for each in trades if each["order"] == outcome.venue_id]
    assert {(each["fee"]["currency"], each["takerOrMaker"]) for each in mine} == {("USD", "taker")}
    after = await house.venue.ledger()
    assert _held(after, "BTC") - _held(before, "BTC") == Decimal(AMOUNT).scaleb(-8)
    fees = sum(Decimal(each["info"]["commission"]) for each in mine)
    spent = _held(before, "USD") - _held(after, "USD")
    assert fees == pytest.approx((spent - fees) * Decimal("0.012"), abs=Decimal("1e-6"))
    assert not any(after["sums"].values())
    rows = await house.wire.ledger(["USD"], begin - 1_000)
    assert isinstance(rows, list)
    moved = [Decimal(each["info"]["amount"]["amount"]) for each in rows[-len(mine) :]]
    assert -spent == sum(moved)


async def test_a_limit_is_amended_in_its_place_and_cancelled_by_its_id(house: House) -> None:
    outcome, named = await house.send(LIMIT, FAR, post_only=1)
    row = only(await house.look_up(named))
    assert (row["status"], row["postOnly"]) == ("open", True)
    order, _, _ = house.order(LIMIT, FAR + 100)
    request = house.amending(named, order)
    assert isinstance(request, Request)
    assert (await house.wire.amend(request)).kind is CONFIRMED
    row = only(await house.look_up(named))
    assert (row["id"], row["price"]) == (outcome.venue_id, order.price / 10_000)
    assert (await house.wire.cancel(house.cancelling(named))).kind is CONFIRMED
    assert only(await house.look_up(named))["status"] == "canceled"
    again = await house.wire.cancel(house.cancelling(named))
    assert (again.kind, again.rejection) == (REJECTED, Rejection.UNKNOWN_ORDER)


async def test_a_stop_limit_waits_below_the_market_and_holds_the_coins(house: House) -> None:
    _, named = await house.send(STOP_LIMIT, -FAR)
    row = only(await house.look_up(named))
    assert (row["status"], row["info"]["trigger_status"]) == ("open", "STOP_PENDING")
    assert row["info"]["order_configuration"]["stop_limit_stop_limit_gtc"]["stop_direction"] == (
        "STOP_DIRECTION_STOP_DOWN"
    )
    assert _held(await house.venue.ledger(), "BTC", "held") == Decimal(AMOUNT).scaleb(-8)


async def test_a_sale_by_its_trigger_price_alone_is_a_stop_upwards(house: House) -> None:
    """As FACTS has it: what was meant to protect would be sold at once, or never."""
    price = house.venue.tape.touch(house.pair, house.venue.clock_ms()).bid / 10
    create = house.ccxt.create_order
    with pytest.raises(_base(), match="STOP_PRICE"):
        await create(house.pair, "limit", "sell", 0.01, price * 0.8, {"triggerPrice": price * 0.9})


async def test_a_name_that_was_used_is_answered_with_its_first_order(house: House) -> None:
    _, request, named = house.order(LIMIT, FAR)
    first = await house.wire.send(request)
    assert (await house.wire.cancel(house.cancelling(named, first.venue_id))).kind is CONFIRMED
    assert await house.wire.send(request) == first
    assert only(await house.look_up(named))["status"] == "canceled"
    assert [each["what"] for each in await house.received(named)] == ["order"]


async def test_what_is_good_till_a_date_is_told_so(house: House) -> None:
    expires_ms = house.venue.clock_ms() + 3_600_000
    gtd = LIMIT._replace(time_in_force=int(TimeInForce.GTD), expires_ms=expires_ms)
    _, named = await house.send(gtd, FAR)
    row = only(await house.look_up(named))
    assert row["info"]["time_in_force"] == "GOOD_UNTIL_DATE_TIME"
    (entry,) = await house.received(named)
    assert entry["expires_ms"] == expires_ms


async def test_lists_go_on_by_their_cursor(house: House) -> None:
    sent = [(await house.send(TAKE, FAR))[0].venue_id for _ in range(5)]
    found, params = [], dict[str, Any]()
    while params.get("cursor") != "":
        page = await house.ccxt.v3PrivateGetBrokerageOrdersHistoricalBatch({"limit": 2} | params)
        found += [each["order_id"] for each in page["orders"]]
        params = {"cursor": page["cursor"]}
    assert found[:5] == sent[::-1]
    assert len(found) == len(set(found))


REFUSED: Final = [
    ({"base_size": "100", "limit_price": "90000"}, "INSUFFICIENT_FUND"),
    ({"base_size": "0.001", "limit_price": "50000.05"}, "INVALID_LIMIT_PRICE"),
    ({"base_size": "0.0000000001", "limit_price": "50000"}, "INVALID_SIZE_PRECISION"),
    ({"base_size": "0.00001", "limit_price": "50000"}, "INVALID_QUOTE_SIZE_TOO_SMALL"),
    ({"base_size": "0.001", "limit_price": "900000", "post_only": True}, "POST_ONLY"),
    ({"quote_size": "100"}, "UNSUPPORTED_ORDER_CONFIGURATION"),
]


@pytest.mark.parametrize(("terms", "words"), REFUSED, ids=[row[1] for row in REFUSED])
async def test_what_cannot_be_is_refused_in_its_words(
    house: House, terms: dict[str, Any], words: str
) -> None:
    order = {"product_id": "BTC-USD", "side": "BUY", "client_order_id": words}
    with pytest.raises(_base()) as refused:
        await house.ccxt.v3PrivatePostBrokerageOrders(
            order | {"order_configuration": {"limit_limit_gtc": terms}}
        )
    assert words in str(refused.value)


async def test_a_key_may_what_it_may_and_says_so(house: House) -> None:
    told = []
    for key in (TRADER, WITHDRAWER, READER):
        async with housed(house.venue, key=key) as other:
            said = await other.ccxt.v3PrivateGetBrokerageKeyPermissions()
            told.append((said["can_view"], said["can_trade"], said["can_transfer"]))
    assert told == [(True, True, False), (True, True, True), (True, False, False)]
    async with housed(house.venue, key=READER) as reader:
        outcome, named = await reader.send(LIMIT, FAR)
    assert outcome.kind is not CONFIRMED
    assert await house.received(named) == []


async def test_wrong_signatures_strangers_and_other_times_are_refused(house: House) -> None:
    assert "401" in await _refusal(house.venue, TRADER._replace(secret="another"), 0)
    assert "401" in await _refusal(house.venue, TRADER._replace(key="nobody"), 0)
    for off_ms in (3_600_000, -3_600_000):
        assert "401" in await _refusal(house.venue, TRADER, off_ms)
    assert await _refusal(house.venue, TRADER, 0) == ""


async def _refusal(venue: Venue, key: Key, off_ms: int) -> str:
    async with traded(venue, key) as exchange:
        exchange.milliseconds = lambda: venue.clock_ms() + off_ms
        try:
            await exchange.v3PrivateGetBrokerageAccounts()
        except _base() as refused:
            return str(refused)
    return ""


def _held(told: dict[str, Any], coin: str, what: str = "balances") -> Decimal:
    return Decimal(told[what].get(coin, "0"))


def _base() -> type[Exception]:
    import ccxt

    found: type[Exception] = ccxt.BaseError
    return found
