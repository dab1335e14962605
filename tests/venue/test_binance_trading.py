"""Binance's account through our wire and through ccxt; test_trading_faults meets its faults."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import pytest

from rrr.core.orders import Rejection
from rrr.trading.live import outcomes
from tests.trading.live.wires import AMOUNT
from tests.venue.binance_words import REFUSALS
from tests.venue.keys import READER, TRADER, WITHDRAWER, Key
from tests.venue.process import ROOT, Venue, started
from tests.venue.talking import traded
from tests.venue.trading import COLLAR, FAR, LIMIT, STOP, TAKE, House, housed, only

CONFIRMED: Final = outcomes.Kind.CONFIRMED
REJECTED: Final = outcomes.Kind.REJECTED
RECORDED: Final = ROOT.parent / "shared" / "data" / "fixtures" / "binance" / "errors.json"


@pytest.fixture(scope="module")
def running() -> Iterator[Venue]:
    with started("binance", speed=10) as venue:
        yield venue


async def test_what_is_bought_pays_its_fee_in_coins(house: House) -> None:
    before = await house.venue.ledger()
    outcome, named = await house.send(TAKE, -COLLAR)
    assert outcome.kind is CONFIRMED
    row = only(await house.look_up(named))
    assert (row["id"], row["status"], row["filled"]) == (outcome.venue_id, "closed", 0.0123)
    trades = await house.wire.trades(0)
    assert isinstance(trades, list)
    mine = [each for each in trades if each["order"] == outcome.venue_id]
    assert {each["fee"]["currency"] for each in mine} == {"BTC"}
    fees = sum(Decimal(each["info"]["commission"]) for each in mine)
    after = await house.venue.ledger()
    assert _held(after, "BTC") - _held(before, "BTC") == Decimal(AMOUNT).scaleb(-8) - fees
    spent = sum(Decimal(each["info"]["quoteQty"]) for each in mine)
    assert _held(before, "USDT") - _held(after, "USDT") == spent
    assert not any(after["sums"].values())
    balances = await house.wire.balances()
    assert isinstance(balances, dict)
    assert Decimal(str(balances["total"]["BTC"])) == _held(after, "BTC")


async def test_what_is_sold_pays_its_fee_in_money(house: House) -> None:
    id = await house.venue.foreign(house.pair, "sell", "0.01")
    sold = await house.ccxt.fetch_my_trades(house.pair, params={"orderId": id})
    assert {(each["order"], each["side"], each["fee"]["currency"]) for each in sold} == {
        (id, "sell", "USDT")
    }


async def test_a_limit_rests_and_is_cancelled_by_its_name(house: House) -> None:
    _, named = await house.send(LIMIT, FAR, post_only=1)
    row = only(await house.look_up(named))
    assert (row["status"], row["postOnly"], row["clientOrderId"]) == ("open", True, named)
    assert (await house.wire.cancel(house.cancelling(named))).kind is CONFIRMED
    assert only(await house.look_up(named))["status"] == "canceled"
    again = await house.wire.cancel(house.cancelling(named))
    assert (again.kind, again.rejection) == (REJECTED, Rejection.UNKNOWN_ORDER)
    assert await house.look_up(f"{named[:-1]}x") == []


async def test_a_stop_rests_unless_its_price_is_reached(house: House) -> None:
    _, named = await house.send(STOP, -FAR)
    row = only(await house.look_up(named))
    assert (row["status"], row["info"]["isWorking"]) == ("open", False)
    outcome, late = await house.send(STOP, FAR)
    assert (outcome.kind, outcome.rejection) == (REJECTED, Rejection.TERMS)
    assert await house.look_up(late) == []


async def test_what_is_immediate_expires(house: House) -> None:
    _, named = await house.send(TAKE, FAR)
    row = only(await house.look_up(named))
    assert (row["status"], row["filled"]) == ("expired", 0.0)


async def test_lists_go_on_from_an_id(house: House) -> None:
    ids = [await house.venue.foreign(house.pair, "buy", "0.001") for _ in range(3)]
    page = await house.ccxt.fetch_orders(house.pair, None, 2, {"orderId": ids[1]})
    assert [each["id"] for each in page] == ids[1:]
    trades = await house.ccxt.fetch_my_trades(house.pair, None, 1_000)
    last = int(trades[-1]["id"])
    (one,) = await house.ccxt.fetch_my_trades(house.pair, None, 5, {"fromId": last})
    assert one["id"] == str(last)


REFUSED: Final = [
    ({"quantity": "100", "price": "60000"}, "insufficient balance"),
    ({"quantity": "0.001", "price": "60000.05"}, "PRICE_FILTER"),
    ({"quantity": "0.00001", "price": "60000"}, "NOTIONAL"),
    ({"quantity": "0.000000001", "price": "60000"}, "LOT_SIZE"),
    ({"price": "900000", "type": "LIMIT_MAKER"}, "Order would immediately match and take"),
    ({"price": "60000", "symbol": "NOUSDT"}, "Invalid symbol"),
    ({"price": "60000", "type": "DANCE"}, "-1106"),
]


@pytest.mark.parametrize(("said", "words"), REFUSED, ids=[row[1] for row in REFUSED])
async def test_what_cannot_be_is_refused_in_its_words(
    house: House, said: dict[str, str], words: str
) -> None:
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    with pytest.raises(_base()) as refused:
        await house.ccxt.privatePostOrder(order | {"quantity": "0.001"} | said)
    assert words in house.ccxt.last_http_response
    assert refused.type is not _base()


async def test_wrong_signatures_strangers_and_other_times_are_refused(house: House) -> None:
    assert "-1022" in await _refusal(house.venue, TRADER._replace(secret="another"), 0)
    assert "-2015" in await _refusal(house.venue, TRADER._replace(key="nobody"), 0)
    for off_ms in (3_600_000, -3_600_000):
        assert "-1021" in await _refusal(house.venue, TRADER, off_ms)
    assert await _refusal(house.venue, TRADER, 0) == ""


async def test_a_key_may_what_it_may_and_says_so(house: House) -> None:
    told = {}
    for key in (TRADER, WITHDRAWER, READER):
        async with housed(house.venue, key=key) as other:
            told[key.name] = await other.ccxt.sapiGetAccountApiRestrictions()
    assert [each["enableWithdrawals"] for each in told.values()] == [False, True, False]
    assert told["reader"]["enableSpotAndMarginTrading"] is False
    async with housed(house.venue, key=READER) as reader:
        outcome, named = await reader.send(LIMIT, FAR)
    assert outcome.kind is REJECTED
    assert await house.received(named) == []


async def test_the_fee_tier_is_the_accounts_own(house: House) -> None:
    await house.venue.fees(750, 250)
    fee = await house.ccxt.fetch_trading_fee(house.pair)
    assert (fee["taker"], fee["maker"]) == (0.00075, 0.00025)
    await house.venue.fees(1_000, 1_000)


def test_it_refuses_as_it_was_recorded() -> None:
    if not RECORDED.exists():
        pytest.skip("the recorded answers of venues are not beside this checkout")
    said = [json.loads(each["body"]) for each in json.loads(RECORDED.read_text())]
    recorded = {(each["code"], each["msg"]) for each in said if each["code"] in (-2010, -2011)}
    assert recorded
    assert recorded <= set(REFUSALS.values())


async def _refusal(venue: Venue, key: Key, off_ms: int) -> str:
    async with traded(venue, key) as exchange:
        exchange.milliseconds = lambda: venue.clock_ms() + off_ms
        try:
            await exchange.privateGetAccount()
        except _base() as refused:
            return str(refused)
    return ""


def _held(told: dict[str, Any], coin: str) -> Decimal:
    return Decimal(told["balances"].get(coin, "0"))


def _base() -> type[Exception]:
    import ccxt

    found: type[Exception] = ccxt.BaseError
    return found
