"""Questions: an answer counts only if all of it came; a list is empty only if the venue says so."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from rrr.core.orders import Kind as Sort
from rrr.core.orders import Rejection
from rrr.trading.live.ids import client_id
from rrr.trading.live.outcomes import Kind, Outcome
from rrr.trading.live.spelling import Request, cancelled, spelled
from rrr.trading.live.wire import PAGES_MAX, Wire
from tests.trading.live.wires import (
    EXIT,
    LIMIT,
    PAIR,
    PROVEN,
    RULES,
    TAG,
    TAKE,
    VENUES,
    Answer,
    Ether,
    instance,
    wire,
)

SINCE: Final = 1_700_000_000_000

Asked = Callable[[Wire], Awaitable[Any]]

QUESTIONS: Final[dict[str, Asked]] = {
    "look up": lambda wires: wires.look_up(PAIR, Sort.LIMIT, of(wires.venue), SINCE),
    "look up a stop": lambda wires: wires.look_up(PAIR, Sort.STOP, of(wires.venue), SINCE),
    "open orders": lambda wires: wires.open_orders(),
    "closed orders": lambda wires: wires.closed_orders(SINCE),
    "trades": lambda wires: wires.trades(SINCE),
    "balances": lambda wires: wires.balances(),
    "ledger": lambda wires: wires.ledger(["USD"], SINCE),
    "fees": lambda wires: wires.fees(),
}

FAILURES: Final[dict[str, Answer]] = {
    "hangs": TimeoutError(),
    "reset": ConnectionResetError(),
    "HTML": (200, "<html>"),
    "nothing": (200, ""),
    "an empty object": (200, "{}"),
    "null": (200, "null"),
    "truncated": (200, '{"error":[],"result":{"open":{'),
    "truncated list": (200, "["),
    "another shape": (200, '{"error":[],"retCode":0,"code":"0","result":7,"data":7,"orders":7}'),
    "an object without its list": (200, '{"error":[],"retCode":0,"code":"0","result":{}}'),
    "refused": (400, '{"code":-1003,"msg":"Too many","error":["EAPI:Rate limit exceeded"]}'),
    "failing": (503, "{}"),
    "no keys": (401, '{"error":["EAPI:Invalid key"],"code":-2015}'),
    "not found, of another kind": (404, "<html>404</html>"),
}


def of(venue: str) -> str:
    return client_id(venue, TAG, 7)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("how", FAILURES)
async def test_a_failed_question_is_never_an_empty_list(
    venue: str, question: str, how: str
) -> None:
    if (venue, question, how) == ("kraken", "balances", "an object without its list"):
        pytest.skip("Of Kraken, whose object of balances is empty, this is the whole answer.")
    wires, _ = wire(venue, FAILURES[how])
    outcome = await QUESTIONS[question](wires)
    assert isinstance(outcome, Outcome), outcome
    assert outcome.kind is not Kind.CONFIRMED


EMPTY: Final = {
    "kraken": '{"error":[],"result":{"open":{},"closed":{},"trades":{},"ledger":{},"count":0}}',
    "coinbase": '{"orders":[],"fills":[],"accounts":[],"data":[],"cursor":"","has_next":false}',
    "binance": "[]",
    "bybit": '{"retCode":0,"result":{"list":[],"nextPageCursor":""}}',
    "okx": '{"code":"0","data":[],"msg":""}',
}


# Deposits, withdrawals, conversions and dust of a few days.
NOTHING_MOVED: Final = (
    *("[]", "[]", '{"list":[],"moreData":false}', '{"total":0,"userAssetDribblets":[]}'),
)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("question", ["open orders", "closed orders", "trades", "ledger"])
async def test_a_whole_answer_may_be_empty(venue: str, question: str) -> None:
    answers = NOTHING_MOVED if (venue, question) == ("binance", "ledger") else [EMPTY[venue]]
    wires, ether = wire(venue, *((200, each) for each in answers))
    wires._ccxt.milliseconds = lambda: SINCE
    found = await QUESTIONS[question](wires)
    assert found == []
    assert all(sent.signed for sent in ether.sent)


# (venue, question): where it is asked, and what is said first.
ASKED: Final[dict[tuple[str, str], list[tuple[str, dict[str, Any]]]]] = {
    ("kraken", "look up"): [
        ("OpenOrders", {"cl_ord_id": of("kraken")}),
        ("ClosedOrders", {"cl_ord_id": of("kraken")}),
    ],
    ("kraken", "open orders"): [("OpenOrders", {})],
    ("kraken", "closed orders"): [("ClosedOrders", {"start": "1699999999"})],
    ("kraken", "trades"): [("TradesHistory", {"start": "1699999999"})],
    ("kraken", "balances"): [("BalanceEx", {})],
    ("kraken", "ledger"): [("Ledgers", {"start": "1699999999"})],
    ("coinbase", "look up"): [
        (
            "batch",
            {"product_id": "BTC-USD", "limit": "1000", "start_date": "2023-11-14T22:13:20.000Z"},
        )
    ],
    ("coinbase", "open orders"): [("batch", {"order_status": "OPEN", "limit": "1000"})],
    ("coinbase", "closed orders"): [
        ("batch", {"limit": "1000", "start_date": "2023-11-14T22:13:20.000Z"})
    ],
    ("coinbase", "trades"): [
        ("fills", {"limit": "250", "start_sequence_timestamp": "2023-11-14T22:13:20.000Z"})
    ],
    ("coinbase", "balances"): [("accounts", {"limit": "250"})],
    ("coinbase", "ledger"): [("accounts", {"limit": "250"})],  # it has none, so no ledger
    ("binance", "look up"): [("order", {"symbol": "BTC-USD", "origClientOrderId": of("binance")})],
    ("binance", "open orders"): [("openOrders", {"symbol": "BTC-USD"})],
    ("binance", "closed orders"): [
        ("allOrders", {"symbol": "BTC-USD", "startTime": str(SINCE), "limit": "1000"})
    ],
    ("binance", "trades"): [
        ("myTrades", {"symbol": "BTC-USD", "startTime": str(SINCE), "limit": "1000"})
    ],
    ("binance", "balances"): [("account", {})],
    ("bybit", "look up"): [
        ("realtime", {"symbol": "BTC-USD", "category": "spot", "orderLinkId": of("bybit")}),
        ("history", {"symbol": "BTC-USD", "category": "spot", "orderLinkId": of("bybit")}),
    ],
    ("bybit", "look up a stop"): [
        (
            where,
            {
                "symbol": "BTC-USD",
                "category": "spot",
                "orderLinkId": of("bybit"),
                "orderFilter": "tpslOrder",
            },
        )
        for where in ("realtime", "history")
    ],
    ("okx", "look up"): [("order", {"instId": "BTC-USD", "clOrdId": of("okx")})],
    ("okx", "look up a stop"): [("order-algo", {"instId": "BTC-USD", "algoClOrdId": of("okx")})],
}


@pytest.mark.parametrize(("venue", "question"), ASKED)
async def test_a_question_reaches_the_wire_as_the_table_says(venue: str, question: str) -> None:
    wires, ether = wire(venue, (200, EMPTY[venue]))
    await QUESTIONS[question](wires)
    asked = [(sent.path.rpartition("/")[2], sent.said) for sent in ether.sent]
    assert asked == ASKED[venue, question]


def order(venue: str, name: str) -> str:
    """An order of this name, as the venue tells of it to whoever asks for it."""
    match venue:
        case "kraken":
            told: Any = {"open": {"V": {"status": "open", "cl_ord_id": name, "vol": "1"}}}
            return json.dumps({"error": [], "result": told | {"closed": {}}})
        case "coinbase":
            orders = [{"order_id": str(n), "client_order_id": f"other {n}"} for n in range(3)]
            orders.append({"order_id": "V", "client_order_id": name})
            return json.dumps({"orders": orders, "has_next": False, "cursor": ""})
        case "binance":
            return json.dumps({"orderId": 1, "clientOrderId": name, "status": "NEW"})
        case "bybit":
            listed = [{"orderId": "V", "orderLinkId": name, "symbol": "BTC-USD"}]
            return json.dumps({"retCode": 0, "result": {"list": listed}})
    listed = [{"ordId": "V", "clOrdId": name, "instId": "BTC-USD"}]
    return json.dumps({"code": "0", "data": listed})


@pytest.mark.parametrize("venue", VENUES)
async def test_a_look_up_finds_the_order_of_this_name(venue: str) -> None:
    wires, _ = wire(venue, (200, order(venue, of(venue))))
    found = await QUESTIONS["look up"](wires)
    assert isinstance(found, list)
    assert [row["clientOrderId"] for row in found] == [of(venue)]


@pytest.mark.parametrize("venue", [venue for venue in VENUES if venue != "coinbase"])
async def test_another_order_than_was_asked_for_by_name_proves_nothing(venue: str) -> None:
    wires, _ = wire(venue, (200, order(venue, "somebody")))
    assert (await QUESTIONS["look up"](wires)).kind is Kind.UNKNOWN


MISSING: Final[dict[str, list[Answer]]] = {
    "kraken": [(200, EMPTY["kraken"])],
    "coinbase": [(200, order("coinbase", "somebody"))],
    "binance": [(400, '{"code":-2013,"msg":"Order does not exist."}')],
    "bybit": [(200, EMPTY["bybit"])],
    "okx": [(200, '{"code":"51603","data":[],"msg":"Order does not exist"}')],
}


@pytest.mark.parametrize("venue", VENUES)
async def test_an_order_is_missing_only_when_every_question_was_answered(venue: str) -> None:
    wires, ether = wire(venue, *MISSING[venue])
    assert await QUESTIONS["look up"](wires) == []
    if len(ether.sent) > 1:
        wires, _ = wire(venue, *MISSING[venue], (503, "{}"))
        assert (await QUESTIONS["look up"](wires)).kind is Kind.UNKNOWN


def pages(venue: str) -> tuple[list[str], list[dict[str, Any]]]:
    """Pages of trades, and what tells each from the first."""
    match venue:
        case "kraken":
            made = {str(n): {"time": SINCE / 1000 + n, "pair": "BTC-USD"} for n in range(50)}
            first = {"error": [], "result": {"trades": made, "count": 101}}
            last = {"error": [], "result": {"trades": {"last": made["7"]}, "count": 101}}
            texts = [json.dumps(first), json.dumps(first), json.dumps(last)]
            return texts, [{}, {"ofs": "50"}, {"ofs": "100"}]
        case "coinbase":
            row = {"trade_id": "1", "product_id": "BTC-USD", "trade_time": "2024-01-01T00:00:00Z"}
            texts = [json.dumps({"fills": [row], "cursor": cursor}) for cursor in ("next", "")]
            return texts, [{}, {"cursor": "next"}]
    many = [{"id": n, "symbol": "BTC-USD", "time": SINCE + n} for n in range(1_000)]
    return [json.dumps(many), json.dumps(many[:1])], [{}, {"fromId": "1000"}]


@pytest.mark.parametrize("venue", PROVEN)
async def test_every_page_is_read(venue: str) -> None:
    texts, differences = pages(venue)
    wires, ether = wire(venue, *((200, text) for text in texts))
    found = await wires.trades(SINCE)
    assert isinstance(found, list)
    assert len(found) == {"kraken": 101, "coinbase": 2, "binance": 1_001}[venue]
    for sent, difference in zip(ether.sent, differences, strict=True):
        for name in ("ofs", "cursor", "fromId"):
            assert sent.said.get(name) == difference.get(name)
    if venue == "binance":
        assert "startTime" not in ether.sent[1].said


@pytest.mark.parametrize("venue", PROVEN)
async def test_a_page_that_fails_fails_the_whole(venue: str) -> None:
    texts, _ = pages(venue)
    wires, _ = wire(venue, (200, texts[0]), (502, "bad"))
    assert isinstance(await wires.trades(SINCE), Outcome)


@pytest.mark.parametrize("venue", PROVEN)
async def test_pages_without_an_end_are_a_failed_question(venue: str) -> None:
    texts, _ = pages(venue)
    wires, ether = wire(venue, (200, texts[0]))
    outcome = await wires.trades(SINCE)
    assert isinstance(outcome, Outcome)
    assert len(ether.sent) <= PAGES_MAX


async def test_a_full_page_of_a_venue_that_nobody_follows_is_no_answer() -> None:
    full = [{"tradeId": str(n), "instId": "BTC-USD", "ts": str(SINCE)} for n in range(100)]
    wires, _ = wire("okx", (200, json.dumps({"code": "0", "data": full})))
    assert isinstance(await wires.trades(SINCE), Outcome)


async def test_rows_that_ccxt_leaves_out_are_not_left_out_in_silence() -> None:
    ours = {"order_id": "V", "client_order_id": of("coinbase"), "product_id": "ETH-USD"}
    wires, _ = wire("coinbase", (200, json.dumps({"orders": [ours], "has_next": False})))
    outcome = await QUESTIONS["look up"](wires)
    assert isinstance(outcome, Outcome)
    assert "left rows out" in outcome.words


async def test_coinbases_ledger_is_read_no_further_back_than_was_asked() -> None:
    entry = {"id": "1", "created_at": "2023-01-01T00:00:00Z", "type": "trade"}
    page = {"data": [entry], "pagination": {"next_starting_after": "1"}}
    account = {"uuid": "1", "currency": "USD", "type": "ACCOUNT_TYPE_FIAT", "name": "USD Wallet"}
    there = {"accounts": [account], "has_next": False}
    wires, ether = wire("coinbase", (200, json.dumps(there)), (200, json.dumps(page)))
    assert isinstance(await wires.ledger(["USD", "BTC"], SINCE), list)
    assert [sent.path.rpartition("/")[2] for sent in ether.sent] == ["accounts", "transactions"]


FEES: Final = {
    "kraken": '{"error":[],"result":{"fees":{"BTC-USD":{"fee":"%s"}},'
    '"fees_maker":{"BTC-USD":{"fee":"%s"}}}}',
    "coinbase": '{"fee_tier":{"taker_fee_rate":"%s","maker_fee_rate":"%s"}}',
    "binance": '[{"symbol":"BTC-USD","takerCommission":"%s","makerCommission":"%s"}]',
}


@pytest.mark.parametrize("venue", PROVEN)
async def test_fees_are_whole_millionths_rounded_against_us(venue: str) -> None:
    of_kraken = venue == "kraken"  # which tells them in per cent
    said = ("0.0712501", "-0.0012501") if of_kraken else ("0.000712501", "-0.000012501")
    wires, ether = wire(venue, (200, FEES[venue] % said))
    assert await wires.fees() == {PAIR: (713, -12)}
    assert all(sent.signed for sent in ether.sent)


@pytest.mark.parametrize("venue", PROVEN)
@pytest.mark.parametrize("rate", ["", "nan", "Infinity", "120", "none"])
async def test_fees_that_cannot_be_are_no_answer(venue: str, rate: str) -> None:
    wires, _ = wire(venue, (200, FEES[venue] % ("0.1", rate)))
    outcome = await wires.fees()
    assert isinstance(outcome, Outcome)
    assert outcome.kind is Kind.UNKNOWN


async def test_old_orders_that_ended_lately_are_told_at_kraken() -> None:
    """ccxt's own filter leaves out what was sent before the moment that it is given."""
    old = {"status": "closed", "opentm": 1.0, "closetm": SINCE / 1000 + 1, "vol": "1"}
    closed = {"error": [], "result": {"closed": {"V": old}}}
    wires, _ = wire("kraken", (200, json.dumps(closed)))
    found = await wires.closed_orders(SINCE)
    assert isinstance(found, list)
    assert [row["id"] for row in found] == ["V"]


async def test_exits_are_marked_while_they_are_on_their_way() -> None:
    marks: list[str] = []

    @contextmanager
    def marked() -> Iterator[None]:
        marks.append("exit")
        yield
        marks.append("over")

    ether = Ether()
    wires = Wire(instance("kraken", ether), [PAIR], marked)
    for said, expected in (
        (spelled("kraken", TAKE, RULES, "x"), []),
        (spelled("kraken", EXIT, RULES, "x"), ["exit", "over"]),
        (cancelled("kraken", LIMIT, RULES, "x", ""), ["exit", "over"]),
    ):
        assert isinstance(said, Request)
        marks.clear()
        await (wires.send if said.method == "create_order" else wires.cancel)(said)
        assert marks == expected
    assert len(ether.sent) == 3


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("coarse", ["lot", "tick"])
async def test_what_ccxt_would_round_in_silence_is_never_sent(venue: str, coarse: str) -> None:
    """The venue's rules have become coarser than those that the order was made by."""
    said = spelled(venue, TAKE, RULES, of(venue))
    assert isinstance(said, Request)
    changed = RULES.instrument._replace(**{coarse: 10**7})
    ether = Ether()
    wires = Wire(instance(venue, ether, RULES._replace(instrument=changed)), [PAIR])
    outcome = await wires.send(said)
    grid = Rejection.QUANTITY_GRID if coarse == "lot" else Rejection.PRICE_GRID
    assert (outcome.kind, outcome.rejection) == (Kind.REJECTED, grid)
    assert ether.sent == []


async def test_two_calls_at_once_hear_only_their_own_answers() -> None:
    accepted = '{"error":[],"result":{"txid":["V-1"]}}'
    wires, _ = wire("kraken", (200, accepted), (200, "{}"))
    said = spelled("kraken", TAKE, RULES, of("kraken"))
    assert isinstance(said, Request)
    first, second = await asyncio.gather(wires.send(said), wires.send(said))
    assert (first.kind, second.kind) == (Kind.CONFIRMED, Kind.UNKNOWN)
