"""Only what a venue has surely refused is rejected; whatever else can happen is UNKNOWN."""

import asyncio
import json
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from ccxt.base import errors

from rrr.core.orders import Rejection
from rrr.trading.live.ids import client_id
from rrr.trading.live.outcomes import (
    CLASSES,
    STATED,
    WORDS_MAX,
    Heard,
    Kind,
    Outcome,
    judged,
    missing,
)
from rrr.trading.live.spelling import Request, Verb, cancelled, spelled
from tests.trading.live.wires import LIMIT, RULES, TAG, TAKE, VENUES, Answer, wire

FIXTURES: Final = Path(__file__).parents[4] / "shared" / "data" / "fixtures"

SEND: Final = Request(Verb.SEND, "create_order", (), {}, ("id",), "x")
FIND: Final = SEND._replace(verb=Verb.FIND)
REFUSAL: Final = Heard(1, [(400, '{"code": 1}')])


def of_tree(tree: dict[str, Any]) -> list[str]:
    return [name for each, below in tree.items() for name in (each, *of_tree(below))]


TREE: Final = of_tree(errors.error_hierarchy)
DEFINITE: Final = {name for name in TREE if CLASSES[name]}


def test_every_class_of_ccxt_is_in_the_table_and_nothing_else_is() -> None:
    classes = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
    assert set(CLASSES) == set(TREE) == classes
    assert set(CLASSES) >= STATED
    assert len(TREE) == 41


def test_few_classes_are_sure_and_they_are_these() -> None:
    assert {
        *("AuthenticationError", "PermissionDenied", "AccountNotEnabled", "AccountSuspended"),
        *("BadSymbol", "MarketClosed", "RestrictedLocation", "InsufficientFunds"),
        *("InvalidOrder", "OrderImmediatelyFillable", "OrderNotFillable", "ContractUnavailable"),
        *("DDoSProtection", "RateLimitExceeded", "InvalidNonce"),
    } == DEFINITE


@pytest.mark.parametrize("name", TREE)
def test_a_class_of_ccxt_is_rejected_only_if_the_table_says_so(name: str) -> None:
    outcome = judged(getattr(errors, name)("said"), SEND, REFUSAL)
    assert (outcome.kind is Kind.REJECTED) == (name in DEFINITE)
    assert outcome.rejection == CLASSES[name]


@pytest.mark.parametrize("name", TREE)
def test_a_subclass_that_nobody_has_looked_at_is_unknown(name: str) -> None:
    made = type("Made", (getattr(errors, name),), {})
    disguised = type(name, (getattr(errors, name),), {})
    assert judged(made("said"), SEND, REFUSAL).kind is Kind.UNKNOWN
    assert judged(disguised("said"), SEND, REFUSAL).kind is Kind.UNKNOWN


@pytest.mark.parametrize("name", TREE)
@pytest.mark.parametrize("status", [500, 502, 503, 504, 520])
def test_a_failing_server_proves_nothing_whatever_it_says(name: str, status: int) -> None:
    heard = Heard(1, [(status, '{"code": -2010}')])
    assert judged(getattr(errors, name)("said"), SEND, heard).kind is Kind.UNKNOWN


@pytest.mark.parametrize("name", TREE)
def test_an_error_without_an_answer_proves_nothing_once_it_has_left(name: str) -> None:
    for heard in (Heard(1), Heard(1, [(200, "<html>")]), Heard(1, [(200, '{"a":')])):
        assert judged(getattr(errors, name)("said"), SEND, heard).kind is Kind.UNKNOWN


@pytest.mark.parametrize("name", TREE)
def test_what_never_left_cannot_have_landed(name: str) -> None:
    assert judged(getattr(errors, name)("said"), SEND, Heard()).kind is Kind.REJECTED


@pytest.mark.parametrize(
    "error",
    [
        asyncio.CancelledError(),
        OSError("broken"),
        ConnectionResetError(),
        TimeoutError(),
        TypeError("'NoneType'"),
        KeyboardInterrupt(),
        ValueError(),
    ],
)
def test_an_error_that_is_not_ccxts_is_unknown(error: BaseException) -> None:
    assert judged(error, SEND, REFUSAL).kind is Kind.UNKNOWN
    assert judged(error, SEND, Heard()).kind is Kind.UNKNOWN


DUPLICATES: Final = {
    "kraken": (200, '{"error":["EOrder:Duplicate order"]}'),
    "binance": (400, '{"code":-2010,"msg":"Duplicate order sent."}'),
    "coinbase": (
        200,
        '{"success":false,"error_response":{"error":"DUPLICATE_CLIENT_ORDER_ID","message":"dup"}}',
    ),
    "bybit": (200, '{"retCode":170141,"retMsg":"Duplicate clientOrderId","result":{}}'),
    "okx": (
        200,
        '{"code":"1","data":[{"ordId":"","sCode":"51016","sMsg":"Client order ID already exists"}],'
        '"msg":""}',
    ),
}


@pytest.mark.parametrize("venue", VENUES)
async def test_a_duplicate_name_means_that_the_first_one_landed(venue: str) -> None:
    outcome = await sent(venue, DUPLICATES[venue])
    assert outcome.kind is Kind.UNKNOWN


def kraken_said(what: str) -> Answer:
    return 200, json.dumps({"error": [what]})


# What venues say, as it comes through unmodified ccxt: UNKNOWN where the rejection is None.
SAID: Final[list[tuple[str, Answer, Rejection | None]]] = [
    ("kraken", kraken_said("EOrder:Insufficient funds"), Rejection.INSUFFICIENT),
    ("kraken", kraken_said("EOrder:Invalid price"), Rejection.PRICE_GRID),
    ("kraken", kraken_said("EGeneral:Invalid arguments:volume"), Rejection.QUANTITY_GRID),
    (
        "kraken",
        kraken_said("EGeneral:Invalid arguments:volume minimum not met"),
        Rejection.BELOW_MINIMUM,
    ),
    ("kraken", kraken_said("EOrder:Order minimum not met"), Rejection.BELOW_MINIMUM),
    ("kraken", kraken_said("EOrder:Post only order"), Rejection.POST_ONLY),
    ("kraken", kraken_said("EOrder:Orders limit exceeded"), Rejection.CAPACITY),
    ("kraken", kraken_said("EAPI:Rate limit exceeded"), Rejection.CAPACITY),
    ("kraken", kraken_said("EAPI:Invalid nonce"), Rejection.TERMS),
    ("kraken", kraken_said("EGeneral:Permission denied"), Rejection.TERMS),
    ("kraken", kraken_said("EService:Market in cancel_only mode"), Rejection.NO_PRICE),
    ("kraken", kraken_said("EQuery:Unknown asset pair"), Rejection.NO_PRICE),
    ("kraken", kraken_said("EService:Unavailable"), None),
    ("kraken", kraken_said("EService:Busy"), None),
    ("kraken", kraken_said("EGeneral:Internal error"), None),
    ("kraken", kraken_said("EWhatever:New"), None),
    ("kraken", (200, '{"error":[],"result":{"descr":{}}}'), None),
    ("binance", (400, '{"code":-1013,"msg":"Filter failure: LOT_SIZE"}'), Rejection.QUANTITY_GRID),
    ("binance", (400, '{"code":-1013,"msg":"Filter failure: NOTIONAL"}'), Rejection.BELOW_MINIMUM),
    (
        "binance",
        (400, '{"code":-1013,"msg":"Filter failure: PRICE_FILTER"}'),
        Rejection.PRICE_GRID,
    ),
    (
        "binance",
        (400, '{"code":-2010,"msg":"Order would immediately match and take."}'),
        Rejection.POST_ONLY,
    ),
    (
        "binance",
        (400, '{"code":-2010,"msg":"Stop price would trigger immediately."}'),
        Rejection.TERMS,
    ),
    ("binance", (400, '{"code":-1006,"msg":"An unexpected response"}'), None),
    ("binance", (400, '{"code":-1007,"msg":"Timeout waiting for response"}'), None),
    ("binance", (503, '{"code":-1000,"msg":"Unknown error"}'), None),
    ("binance", (200, '{"symbol":"BTC-USD"}'), None),
    (
        "coinbase",
        (
            200,
            '{"success":false,"error_response":{"error":"INSUFFICIENT_FUND","message":"no"}}',
        ),
        Rejection.INSUFFICIENT,
    ),
    (
        "coinbase",
        (
            200,
            '{"success":false,"error_response":{"error":"INVALID_LIMIT_PRICE_POST_ONLY",'
            '"message":"Post only"}}',
        ),
        Rejection.POST_ONLY,
    ),
    (
        "coinbase",
        (
            200,
            '{"success":false,"error_response":{"error":"UNSUPPORTED_ORDER_CONFIGURATION",'
            '"message":"source is not enabled for trading"}}',
        ),
        Rejection.TERMS,
    ),
    (
        "coinbase",
        (
            200,
            '{"success":false,"error_response":{"error":"UNKNOWN_FAILURE_REASON","message":"?"}}',
        ),
        None,
    ),
    ("coinbase", (200, '{"success":false}'), None),
    ("coinbase", (401, "Unauthorized"), None),
    ("coinbase", (500, '{"error":"internal","message":"internal error"}'), None),
    (
        "bybit",
        (200, '{"retCode":170131,"retMsg":"Balance insufficient","result":{}}'),
        Rejection.INSUFFICIENT,
    ),
    ("bybit", (200, '{"retCode":10016,"retMsg":"Server error","result":{}}'), None),
    (
        "okx",
        (
            200,
            '{"code":"1","data":[{"ordId":"","sCode":"51008","sMsg":"Insufficient balance"}],'
            '"msg":""}',
        ),
        Rejection.INSUFFICIENT,
    ),
    ("okx", (200, '{"code":"50004","data":[],"msg":"Endpoint request timeout"}'), None),
]


@pytest.mark.parametrize(("venue", "answer", "rejection"), SAID)
async def test_what_a_venue_says_is_a_rejection_only_if_it_surely_is(
    venue: str, answer: Answer, rejection: Rejection | None
) -> None:
    outcome = await sent(venue, answer)
    expected = Kind.UNKNOWN if rejection is None else Kind.REJECTED
    assert (outcome.kind, outcome.rejection) == (expected, rejection or Rejection.NONE), outcome


BROKEN: Final[dict[str, Answer]] = {
    "hangs": TimeoutError(),
    "reset": ConnectionResetError(),
    "closed": aiohttp.ServerDisconnectedError(),
    "truncated on the way": aiohttp.ClientPayloadError(),
    "no way there": aiohttp.ClientConnectionError(),
    "truncated": (200, '{"error":[],"result":{"txid":["O'),
    "truncated list": (200, '[{"orderId":12'),
    "HTML": (200, "<html><title>Just a moment</title></html>"),
    "nothing": (200, ""),
    "an empty object": (200, "{}"),
    "an empty list": (200, "[]"),
    "null": (200, "null"),
    "a number": (200, "7"),
    "forbidden HTML": (403, "<html>Cloudflare</html>"),
    "bad gateway": (502, "<html>502</html>"),
    "gateway timeout": (504, "{}"),
    "overloaded": (503, '{"code":-1003,"msg":"Unknown error"}'),
    "another shape": (200, '{"result":7,"data":7,"success":7,"error":7}'),
    "deep": (200, "[" * 100_000),
}


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("how", BROKEN)
async def test_what_breaks_on_the_way_is_unknown(venue: str, how: str) -> None:
    assert (await sent(venue, BROKEN[how])).kind is Kind.UNKNOWN
    assert (await called_back(venue, BROKEN[how])).kind is Kind.UNKNOWN


@pytest.mark.parametrize("venue", VENUES)
async def test_a_cancelled_task_stays_cancelled_and_its_order_unknown(venue: str) -> None:
    with pytest.raises(asyncio.CancelledError):
        await sent(venue, asyncio.CancelledError())


ACCEPTED: Final = {
    "kraken": '{"error":[],"result":{"descr":{"order":"buy 0.1 BTCUSD @ limit 1"},"txid":["V-1"]}}',
    "binance": '{"symbol":"BTC-USD","orderId":1,"clientOrderId":"x","status":"NEW"}',
    "coinbase": '{"success":true,"success_response":{"order_id":"V-1","product_id":"BTC-USD"}}',
    "bybit": '{"retCode":0,"retMsg":"OK","result":{"orderId":"V-1","orderLinkId":"x"}}',
    "okx": '{"code":"0","data":[{"ordId":"V-1","clOrdId":"x","sCode":"0"}],"msg":""}',
}


@pytest.mark.parametrize("venue", VENUES)
async def test_an_answer_with_the_venues_id_confirms(venue: str) -> None:
    outcome = await sent(venue, (200, ACCEPTED[venue]))
    assert outcome == Outcome(Kind.CONFIRMED, venue_id="1" if venue == "binance" else "V-1")


CALLED_BACK: Final = {
    "kraken": '{"error":[],"result":{"count":1}}',
    "binance": '{"symbol":"BTC-USD","orderId":1,"status":"CANCELED"}',
    "coinbase": '{"results":[{"success":true,"order_id":"V"}]}',
    "bybit": '{"retCode":0,"retMsg":"OK","result":{"orderId":"V"}}',
    "okx": '{"code":"0","data":[{"ordId":"V","sCode":"0"}],"msg":""}',
}
GONE: Final[dict[str, Answer]] = {
    "kraken": kraken_said("EOrder:Unknown order"),
    "binance": (400, '{"code":-2011,"msg":"Unknown order sent."}'),
    "coinbase": (
        200,
        '{"results":[{"success":false,"failure_reason":"UNKNOWN_CANCEL_ORDER","order_id":"V"}]}',
    ),
    "bybit": (200, '{"retCode":170213,"retMsg":"Order does not exist.","result":{}}'),
    "okx": (
        200,
        '{"code":"1","data":[{"ordId":"V","sCode":"51400","sMsg":"Cancellation failed"}],"msg":""}',
    ),
}


@pytest.mark.parametrize("venue", VENUES)
async def test_a_cancel_is_confirmed_or_finds_the_order_gone(venue: str) -> None:
    confirmed = await called_back(venue, (200, CALLED_BACK[venue]))
    assert confirmed.kind is Kind.CONFIRMED
    gone = await called_back(venue, GONE[venue])
    assert (gone.kind, gone.rejection) == (Kind.REJECTED, Rejection.UNKNOWN_ORDER)


async def test_a_cancel_that_cancelled_nothing_is_not_confirmed() -> None:
    none = await called_back("kraken", (200, '{"error":[],"result":{"count":0}}'))
    assert none.kind is Kind.UNKNOWN


async def test_an_old_answer_does_not_reject_a_cancel_that_nobody_answered() -> None:
    """ccxt looks for Kraken's words in the last answer of all, whosever it was."""
    wires, _ = wire("kraken", GONE["kraken"], TimeoutError())
    said = cancelled("kraken", LIMIT, RULES, client_id("kraken", TAG, 7), "V")
    assert isinstance(said, Request)
    assert (await wires.cancel(said)).rejection == Rejection.UNKNOWN_ORDER
    assert (await wires.cancel(said)).kind is Kind.UNKNOWN


def test_an_order_is_missing_only_if_the_venue_says_so_by_name() -> None:
    assert missing(errors.OrderNotFound(), FIND, REFUSAL)
    assert not missing(errors.OrderNotFound(), FIND._replace(verb=Verb.LIST), REFUSAL)
    assert not missing(errors.OrderNotFound(), FIND, Heard(1))
    assert not missing(errors.OrderNotFound(), FIND, Heard(2, REFUSAL.answers))
    assert not missing(errors.OrderNotFound(), FIND, Heard(1, [(503, "{}")]))
    assert not missing(errors.OrderNotFound(), FIND, Heard(1, [(404, "<html>")]))
    assert not missing(errors.InvalidOrder(), FIND, REFUSAL)
    assert not missing(type("OrderNotFound", (errors.OrderNotFound,), {})(), FIND, REFUSAL)


def test_an_answer_to_what_left_before_says_nothing_of_what_left_last() -> None:
    heard = Heard(2, REFUSAL.answers)
    assert judged(errors.InsufficientFunds(), SEND, heard).kind is Kind.UNKNOWN
    assert not heard.whole(SEND)


async def test_a_refusal_that_brings_the_id_of_an_order_is_none() -> None:
    both = '{"error":["EOrder:Insufficient funds"],"result":{"txid":["V-1"]}}'
    assert (await sent("kraken", (200, both))).kind is Kind.UNKNOWN


async def test_words_for_a_person_hold_no_address_and_no_signature() -> None:
    outcome = await sent("binance", (502, "bad"))
    assert "BTC" not in outcome.words
    assert "signature" not in outcome.words
    assert "://" not in outcome.words
    assert len(outcome.words) <= WORDS_MAX


def recorded() -> list[dict[str, Any]]:
    files = sorted(FIXTURES.glob("*/errors.json"))
    return [row for file in files for row in json.loads(file.read_text())]


async def test_recorded_refusals_are_judged_as_what_they_were() -> None:
    """A 503 and a stale clock stand among them: one proves nothing, the other was never heard."""
    rows = recorded()
    if not rows:
        pytest.skip("There are no recorded errors: ../shared/data/fixtures is not here.")
    judgements = {
        (row["body"], row["http_status"]): await sent(
            row["exchange"], (row["http_status"], row["body"])
        )
        for row in rows
    }
    for (body, status), outcome in judgements.items():
        unsure = status >= 500 or "nknown order" in body or "does not exist" in body
        assert (outcome.kind is Kind.UNKNOWN) == unsure, (body, outcome)
    assert sum(outcome.kind is Kind.UNKNOWN for outcome in judgements.values()) >= 6


async def sent(venue: str, answer: Answer) -> Outcome:
    wires, _ = wire(venue, answer)
    said = spelled(venue, TAKE, RULES, client_id(venue, TAG, 7))
    assert isinstance(said, Request)
    return await wires.send(said)


async def called_back(venue: str, answer: Answer) -> Outcome:
    wires, _ = wire(venue, answer)
    said = cancelled(venue, LIMIT, RULES, client_id(venue, TAG, 7), "V")
    assert isinstance(said, Request)
    return await wires.cancel(said)
