"""Kraken's account through our wire and through ccxt, and what it refuses, in its own words."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from rrr.core.orders import Rejection
from rrr.trading.live import outcomes
from rrr.trading.live.spelling import Request, amended
from tests.trading.live.wires import AMOUNT, PAIR, RULES
from tests.venue.keys import READER, TRADER, WITHDRAWER
from tests.venue.process import ROOT, Venue, loopback, started
from tests.venue.rates import TIERS, Rates
from tests.venue.talking import talk, traded
from tests.venue.trading import COLLAR, FAR, LIMIT, POINTS, STOP, TAKE, House, housed, only

CONFIRMED: Final = outcomes.Kind.CONFIRMED
REJECTED: Final = outcomes.Kind.REJECTED

RECORDED: Final = ROOT.parent / "shared" / "data" / "fixtures" / "kraken" / "errors.json"


@pytest.fixture(scope="module")
def running() -> Iterator[Venue]:
    with started("kraken", speed=60, tier="none") as venue:
        yield venue


async def test_a_take_is_filled_at_the_touch_and_found_by_its_name(house: House) -> None:
    before = await house.venue.ledger()
    outcome, named = await house.send(TAKE, -COLLAR)
    assert (outcome.kind, outcome.rejection) == (CONFIRMED, Rejection.NONE)
    row = only(await house.look_up(named))
    assert (row["id"], row["status"], row["filled"]) == (outcome.venue_id, "closed", 0.0123)
    trades = await house.wire.trades(house.venue.clock_ms() - 60_000)
    assert isinstance(trades, list)
    mine = [each for each in trades if each["order"] == outcome.venue_id]
    assert sum(Decimal(str(each["amount"])) for each in mine) == Decimal("0.0123")
    assert {each["takerOrMaker"] for each in mine} == {"taker"}
    spent = sum(Decimal(each["info"]["cost"]) + Decimal(each["info"]["fee"]) for each in mine)
    after = await house.venue.ledger()
    assert _usd(before) - _usd(after) == spent
    balances = await house.wire.balances()
    assert isinstance(balances, dict)
    assert Decimal(balances["info"]["result"]["ZUSD"]["balance"]) == _usd(after)


async def test_a_limit_rests_holds_its_money_and_is_cancelled_by_either_name(house: House) -> None:
    for by_venue_id in (True, False):
        outcome, named = await house.send(LIMIT, FAR, post_only=1)
        row = only(await house.look_up(named))
        assert (row["status"], row["postOnly"], row["filled"]) == ("open", True, 0.0)
        held = Decimal((await house.venue.ledger())["held"]["USD"])
        assert held == _held(row["price"], row["amount"])
        request = house.cancelling(named, outcome.venue_id * by_venue_id)
        assert (await house.wire.cancel(request)).kind is CONFIRMED
        assert only(await house.look_up(named))["status"] == "canceled"
        again = await house.wire.cancel(request)
        assert (again.kind, again.rejection) == (REJECTED, Rejection.UNKNOWN_ORDER)


async def test_a_stop_holds_the_coins_and_is_amended_in_its_place(house: House) -> None:
    outcome, named = await house.send(STOP, -FAR)
    assert Decimal((await house.venue.ledger())["held"]["BTC"]) == Decimal("0.0123")
    order, _, _ = house.order(STOP, -FAR - 100, quantity=AMOUNT // 2 // 10_000 * 10_000)
    request = amended("kraken", order, RULES, named, "")
    assert isinstance(request, Request)
    assert (await house.wire.amend(request)).kind is CONFIRMED
    row = only(await house.look_up(named))
    assert (row["id"], row["status"], row["amount"]) == (outcome.venue_id, "open", 0.0061)
    assert row["stopLossPrice"] == order.price / POINTS / 10


async def test_every_list_is_read_to_its_end(house: House) -> None:
    begin = house.venue.clock_ms()
    sent = [await house.send(TAKE, FAR) for _ in range(60)]
    closed = await house.wire.closed_orders(begin)
    assert isinstance(closed, list)
    ids = [each["id"] for each in closed]
    assert {outcome.venue_id for outcome, _ in sent} <= set(ids)
    assert {each["status"] for each in closed} == {"canceled"}


async def test_a_deposit_a_withdrawal_and_a_fee_are_in_its_ledger(house: House) -> None:
    begin = house.venue.clock_ms()
    ids = [await house.venue.deposit("USD", "12.5"), await house.venue.withdraw("BTC", "0.25")]
    rows = await house.wire.ledger(["USD", "BTC"], begin)
    assert isinstance(rows, list)
    moved = {row["referenceId"]: row for row in rows}
    assert [(moved[id]["direction"], moved[id]["amount"]) for id in ids] == [
        ("in", 12.5),
        ("out", 0.25),
    ]
    entries = (await house.venue.ledger())["entries"]
    assert [entry["id"] for entry in entries[-2:]] == ids


async def test_an_order_by_hand_is_a_stranger_in_the_lists(house: House) -> None:
    id = await house.venue.foreign(PAIR, "buy", "0.001", price="20000")
    rows = await house.wire.open_orders()
    (row,) = [each for each in rows if isinstance(each, dict) and each["id"] == id]
    assert (row["clientOrderId"], row["side"], row["price"]) == ("0", "buy", 20_000.0)
    sold = await house.venue.foreign(PAIR, "sell", "0.001")
    assert (await house.ccxt.fetch_order(sold))["status"] == "closed"


async def test_every_kind_of_order_is_described_as_ccxt_reads_it(house: House) -> None:
    market = PAIR
    price = house.venue.tape.touch(market, house.venue.clock_ms()).bid / 10
    low, high = round(price * 0.9, 1), round(price * 1.1, 1)
    create = house.ccxt.create_order
    for type, params, expected in (
        ("market", {"stopLossPrice": low}, {"stopLossPrice": low, "price": None}),
        ("limit", {"stopLossPrice": low}, {"stopLossPrice": low, "price": low}),
        ("market", {"takeProfitPrice": high}, {"takeProfitPrice": high, "price": None}),
        ("market", {"trailingAmount": "500"}, {"type": "trailing-stop"}),
    ):
        made = await create(market, type, "sell", 0.001, low, params)
        found = await house.ccxt.fetch_order(made["id"])
        assert {name: found[name] for name in expected} == expected
        assert (found["status"], made["side"], made["amount"]) == ("open", "sell", 0.001)
    count = (await house.ccxt.cancel_all_orders())[0]["info"]["result"]["count"]
    assert count == 4


async def test_what_is_only_validated_is_not_there(house: House) -> None:
    _, request, named = house.order(LIMIT, FAR)
    params = {**request.params, "validate": "true"}
    answer = await house.ccxt.create_order(*request.arguments, params=params)
    assert (answer["id"], answer["side"]) == (None, "buy")
    assert await house.look_up(named) == []


async def test_the_fee_tier_is_the_accounts_own(house: House) -> None:
    await house.venue.fees(2_400, 1_400)
    fee = await house.ccxt.fetch_trading_fee(PAIR)
    assert (fee["taker"], fee["maker"]) == (0.0024, 0.0014)
    outcome, _ = await house.send(TAKE, -COLLAR)
    order = await house.ccxt.fetch_order(outcome.venue_id)
    assert float(order["fee"]["cost"]) == pytest.approx(order["cost"] * 0.0024, abs=1e-4)
    await house.venue.fees(4_000, 2_500)


async def test_the_dead_mans_switch_is_heard_and_told(house: House) -> None:
    _, named = await house.send(STOP, -FAR)
    assert (await house.ccxt.cancel_all_orders_after(60_000))["result"]["triggerTime"] != "0"
    assert (await house.ccxt.cancel_all_orders_after(0))["result"]["triggerTime"] == "0"
    await house.ccxt.cancel_all_orders_after(1_000)
    while (await house.ccxt.fetch_open_orders(None, None, None, {"clientOrderId": named})) != []:
        pass
    assert only(await house.look_up(named))["info"]["reason"] == "Cancel all orders after"


REFUSALS: Final = [
    ("limit", "100", "1", {}, "EOrder:Insufficient funds"),
    ("limit", "0.001", "50000.05", {}, "EOrder:Invalid price"),
    ("limit", "0.00001", "50000", {}, "EGeneral:Invalid arguments:volume minimum not met"),
    ("limit", "0.00005", "9000", {}, "EOrder:Cost minimum not met"),
    ("limit", "0.001", "9000000", {"oflags": "post"}, "EOrder:Post only order"),
    ("limit", "0.001", "50000", {"pair": "NOUSD"}, "EQuery:Unknown asset pair"),
    ("limit", "0.001", "50000", {"timeinforce": "GTD"}, "EGeneral:Invalid arguments"),
    ("dance", "0.001", "50000", {}, "EGeneral:Invalid arguments"),
    ("limit", "0.001", "50000", {"cl_ord_id": "longer than eighteen"}, "EGeneral:Invalid"),
    ("limit", "0.001", "50000", {"leverage": "2"}, "EGeneral:Invalid arguments"),
]


@pytest.mark.parametrize(("type", "volume", "price", "more", "words"), REFUSALS)
async def test_what_cannot_be_is_refused_in_its_words(
    house: House, type: str, volume: str, price: str, more: dict[str, str], words: str
) -> None:
    price = "900000" if words.endswith("funds") else price
    said = {"pair": "XBTUSD", "type": "buy", "ordertype": type, "volume": volume, "price": price}
    with pytest.raises(_base()) as refused:
        await house.ccxt.privatePostAddOrder(said | more)
    assert words in str(refused.value)


async def test_an_open_orders_name_is_taken_until_it_ends(house: House) -> None:
    _, request, named = house.order(LIMIT, FAR)
    assert (await house.wire.send(request)).kind is CONFIRMED
    assert (await house.wire.send(request)).kind is outcomes.Kind.UNKNOWN
    await house.ccxt.cancel_order("", None, {"clientOrderId": named})
    assert (await house.wire.send(request)).kind is CONFIRMED
    assert [each["what"] for each in await house.received(named)] == ["order", "refused", "order"]
    await house.ccxt.cancel_order("", None, {"clientOrderId": named})
    assert await house.wire.open_orders() == []


async def test_wrong_signatures_old_nonces_and_strangers_are_refused(house: House) -> None:
    for key, words in (
        (TRADER._replace(secret=READER.secret), "EAPI:Invalid signature"),
        (TRADER._replace(key="nobody"), "EAPI:Invalid key"),
    ):
        async with traded(house.venue, key) as exchange:
            with pytest.raises(_base(), match=words):
                await exchange.privatePostBalance()
    house.ccxt.incrementing_nonce = lambda: 1
    with pytest.raises(_base(), match="EAPI:Invalid nonce"):
        await house.ccxt.privatePostBalance()
    del house.ccxt.incrementing_nonce


async def test_a_key_may_what_it_may_and_says_so(house: House) -> None:
    async with traded(house.venue, READER) as reader, traded(house.venue, WITHDRAWER) as owner:
        assert "BTC" in await reader.fetch_balance()
        with pytest.raises(_base(), match="EGeneral:Permission denied"):
            await reader.cancel_all_orders()
        for exchange, may in ((reader, False), (owner, True), (house.ccxt, False)):
            told = (await exchange.privatePostGetApiKeyInfo())["result"]["permissions"]
            assert ("withdraw-funds" in told) is may


def test_it_refuses_as_it_was_recorded() -> None:
    if not RECORDED.exists():
        pytest.skip("the recorded answers of venues are not beside this checkout")
    from tests.venue.kraken_words import REFUSALS as ours

    said = {json.loads(each["body"])["error"][0] for each in json.loads(RECORDED.read_text())}
    assert {each for each in said if each.startswith("EOrder")} <= set(ours.values())


async def test_who_asks_or_orders_too_often_is_told_so() -> None:
    async with loopback("kraken", speed=1, tier="starter") as venue, housed(venue) as house:
        await venue.deposit("USD", "1000")
        with pytest.raises(_base(), match="EAPI:Rate limit exceeded"):
            for _ in range(16):
                await house.ccxt.fetch_balance()
        said = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "30000"}
        with pytest.raises(_base(), match="EOrder:Rate limit exceeded"):
            for _ in range(100):
                await house.ccxt.privatePostAddOrder(said | {"volume": "0.001", "validate": "true"})


def test_counters_fall_with_time_and_each_instrument_has_its_own() -> None:
    rates = Rates(TIERS["starter"])
    assert [rates.call("key", 5, 0) for _ in range(4)] == [True, True, True, False]
    assert not rates.call("key", 5, 15_000)
    assert rates.call("key", 5, 16_000)
    assert rates.order("key", PAIR, 60, 0)
    assert not rates.order("key", PAIR, 1, 999)
    assert rates.order("key", "ETH/USD", 1, 999)
    assert rates.order("key", PAIR, 1, 1_000)


async def test_the_stream_tells_orders_trades_and_balances(house: House) -> None:
    exchange = house.ccxt
    exchange.newUpdates = True
    watching = [
        asyncio.create_task(each)
        for each in (exchange.watch_my_trades(PAIR), exchange.watch_balance())
    ]
    orders = exchange.watch_orders(PAIR)
    outcome, _ = await house.send(LIMIT, FAR)
    while not [row for row in await orders if row["id"] == outcome.venue_id]:
        orders = exchange.watch_orders(PAIR)
    taken, _ = await house.send(TAKE, -COLLAR)
    trades = await watching[0]
    while not [row for row in trades if row["order"] == taken.venue_id]:
        trades = await exchange.watch_my_trades(PAIR)
    (told,) = [row for row in trades if row["order"] == taken.venue_id][:1]
    assert told["id"] in {row["id"] for row in await exchange.fetch_my_trades()}
    assert (await watching[1])["USD"]["total"] > 0


async def test_the_stream_tells_a_fill_before_the_acknowledgement(house: House) -> None:
    token = (await house.ccxt.privatePostGetWebSocketsToken())["result"]["token"]
    async with talk(house.venue, "/ws-auth.kraken.com/v2") as client:
        await client.say(method="subscribe", params={"channel": "executions", "token": token})
        await house.venue.fault("reply_late", where="trade", amount=20_000)
        _, request, named = house.order(TAKE, -COLLAR)
        sending = asyncio.create_task(house.wire.send(request))
        told: list[dict[str, Any]] = []
        while not [row for row in told if row.get("cl_ord_id") == named and "exec_id" in row]:
            said = await client.hear()
            told += said.get("data", []) if said.get("channel") == "executions" else []
        assert not sending.done()
        assert (await sending).kind is CONFIRMED
    await house.venue.heal()


async def test_who_has_no_token_is_told_nothing(running: Venue) -> None:
    async with talk(running, "/ws-auth.kraken.com/v2") as client:
        params = {"channel": "executions", "token": "found in the street"}
        await client.say(method="subscribe", params=params, req_id=1)
        while (said := await client.hear()).get("req_id") != 1:
            pass
    assert (said["success"], said["error"]) == (False, "ESession:Invalid session")


async def test_what_it_said_is_true_after_a_kill(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    with started("kraken", speed=60, ledger=ledger) as venue:
        async with housed(venue) as house:
            await venue.deposit("USD", "5000")
            taken, bought = await house.send(TAKE, -COLLAR)
            rests, resting = await house.send(STOP, -FAR)
            assert {taken.kind, rests.kind} == {CONFIRMED}
            told = await venue.ledger()
            venue.kill()
            async with _again(venue, ledger) as risen:
                assert risen.address == venue.address
                assert await risen.ledger() == told
                assert only(await house.look_up(bought))["id"] == taken.venue_id
                assert only(await house.look_up(resting))["status"] == "open"
                assert not any(told["sums"].values())
                more, _ = await house.send(TAKE, -COLLAR)
                assert more.venue_id not in (taken.venue_id, rests.venue_id)


async def test_a_kill_in_the_midst_loses_and_doubles_nothing_that_was_confirmed(
    tmp_path: Path,
) -> None:
    ledger = tmp_path / "ledger.jsonl"
    with started("kraken", speed=60, tier="none", ledger=ledger) as venue:
        async with housed(venue) as house:
            await venue.deposit("USD", "90000")
            orders = [house.order(LIMIT, FAR) for _ in range(40)]
            sending = [asyncio.create_task(house.wire.send(request)) for _, request, _ in orders]
            await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
            venue.kill()
            said = await asyncio.gather(*sending)
            async with _again(venue, ledger):
                for (_, _, named), outcome in zip(orders, said, strict=True):
                    there = [each["id"] for each in await house.received(named)]
                    if outcome.kind is CONFIRMED:
                        assert there == [outcome.venue_id]
                    else:
                        assert len(there) <= (outcome.kind is outcomes.Kind.UNKNOWN)
    assert CONFIRMED in {outcome.kind for outcome in said}


@asynccontextmanager
async def _again(venue: Venue, ledger: Path) -> AsyncIterator[Venue]:
    async with loopback("kraken", speed=60, ledger=ledger, again=venue) as risen:
        yield risen


def _base() -> type[Exception]:
    import ccxt

    found: type[Exception] = ccxt.BaseError
    return found


def _usd(told: dict[str, Any]) -> Decimal:
    return Decimal(told["balances"]["USD"])


def _held(price: float, amount: float) -> Decimal:
    cost = Decimal(str(price)) * Decimal(str(amount))
    cost -= cost % Decimal("0.00001")
    fee = cost * Decimal("0.004")
    return cost + fee - fee % Decimal("0.00001")
