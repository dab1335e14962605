"""Binance keeps no ledger: what moved is put together, whole, or it is no answer."""

import json
from typing import Final

import pytest

from rrr.trading.live.outcomes import Kind, Outcome
from tests.trading.live.test_wire import NOTHING_MOVED, SINCE
from tests.trading.live.wires import wire

DAY: Final = 86_400_000


async def test_binances_moves_are_asked_for_in_windows_that_it_serves() -> None:
    answers = ["[]"] * 4 + [NOTHING_MOVED[2]] * 4 + [NOTHING_MOVED[3]] * 2
    wires, ether = wire("binance", *((200, each) for each in answers))
    wires._ccxt.milliseconds = lambda: SINCE + 90 * DAY
    assert await wires.ledger(["USD"], SINCE) == []
    begin, asked = SINCE - 7 * DAY, [(s.path.rpartition("/")[2], s.said) for s in ether.sent]
    assert [place for place, _ in asked] == [
        *("hisrec", "hisrec", "history", "history"),
        *("tradeFlow",) * 4,
        *("dribblet",) * 2,
    ]
    windows = [(int(said["startTime"]), int(said.get("endTime", 0))) for _, said in asked]
    long = [(begin, begin + 90 * DAY - 1), (begin + 90 * DAY, 0)]
    assert windows[:4] + windows[8:] == long * 3
    assert [start for start, _ in windows[4:8]] == [begin + 30 * DAY * n for n in range(4)]
    assert all(end - start < 30 * DAY for start, end in windows[4:8])


def deposited(first: int, count: int) -> str:
    rows = [{"id": str(n), "coin": "USD", "status": 1} for n in range(first, first + count)]
    return json.dumps(rows)


async def test_deposits_are_followed_to_their_end() -> None:
    pages = [deposited(0, 1_000), deposited(1_000, 7), *NOTHING_MOVED[1:]]
    wires, ether = wire("binance", *((200, each) for each in pages))
    wires._ccxt.milliseconds = lambda: SINCE
    found = await wires.ledger(["USD"], SINCE)
    assert isinstance(found, list)
    assert len({row["id"] for row in found}) == 1_007
    assert [sent.said.get("offset") for sent in ether.sent[:3]] == [None, "1000", None]


@pytest.mark.parametrize(
    "answers",
    [
        (deposited(0, 1_000), "{}"),
        ("[]", deposited(0, 1_000), "<html>"),
        ("[]", "[]", '{"list":[],"moreData":true}', NOTHING_MOVED[3]),
        ("[]", "[]", '{"list":[]}', NOTHING_MOVED[3]),
        ("[]", "[]", NOTHING_MOVED[2], '{"total":1}'),
    ],
)
async def test_moves_that_were_not_told_to_their_end_are_no_answer(answers: tuple[str]) -> None:
    wires, _ = wire("binance", *((200, each) for each in answers))
    wires._ccxt.milliseconds = lambda: SINCE
    outcome = await wires.ledger(["USD"], SINCE)
    assert isinstance(outcome, Outcome)
    assert outcome.kind is Kind.UNKNOWN


async def test_a_conversion_is_what_was_given_and_what_was_got() -> None:
    told = {"orderId": 9, "fromAsset": "USD", "fromAmount": "5", "toAsset": "BTC"}
    told |= {"toAmount": "0.0001", "createTime": SINCE}
    rows = [told | {"orderStatus": status} for status in ("SUCCESS", "FAIL", "PROCESS")]
    wires, _ = wire(
        "binance",
        (200, "[]"),
        (200, "[]"),
        (200, json.dumps({"list": rows, "moreData": False})),
        (200, NOTHING_MOVED[3]),
    )
    wires._ccxt.milliseconds = lambda: SINCE
    found = await wires.ledger(["USD"], SINCE)
    assert isinstance(found, list)
    legs = [(row["currency"], row["amount"], row["direction"], row["status"]) for row in found]
    assert legs[:2] == [("USD", 5.0, "out", "ok"), ("BTC", 0.0001, "in", "ok")]
    assert [row["status"] for row in found[2:]] == ["failed", "failed", "pending", "pending"]
    assert {(row["type"], row["id"], row["timestamp"]) for row in found} == {
        ("conversion", "9", SINCE)
    }


async def test_swept_dust_became_bnb() -> None:
    swept = {"transId": 4, "fromAsset": "BTC", "amount": "0.00002", "operateTime": SINCE}
    swept |= {"transferedAmount": "0.003", "serviceChargeAmount": "0.0001"}
    for many in (1, 100):
        dust = {"total": 1, "userAssetDribblets": [{"userAssetDribbletDetails": [swept] * many}]}
        wires, _ = wire(
            "binance", *((200, each) for each in (*NOTHING_MOVED[:3], json.dumps(dust)))
        )
        wires._ccxt.milliseconds = lambda: SINCE
        wires._ccxt.currencies |= {"BNB": {"id": "BNB", "code": "BNB"}}
        found = await wires.ledger(["BTC"], SINCE)
        if many == 100:  # it tells no more than these
            assert isinstance(found, Outcome)
            continue
        assert isinstance(found, list)
        assert [(row["id"], row["currency"], row["amount"], row["direction"]) for row in found] == [
            ("4 BTC", "BTC", "0.00002", "out"),
            ("4 BTC", "BNB", "0.003", "in"),
        ]
