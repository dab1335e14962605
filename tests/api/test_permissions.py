"""What a key may do is what the venue's answer proves: a row for each danger of each venue."""

import copy
from typing import Any

import pytest

from rrr.api.permissions import Allowed, allowed, question
from rrr.core.errors import NotArmed
from rrr.trading.live.spelling import SPEECHES

GOOD: dict[str, Any] = {
    "kraken": {
        "error": [],
        "result": {
            "api_key_name": "rrr",
            "permissions": ["query-funds", "query-open-trades", "modify-trades", "close-trades"],
            "ipAllowlist": ["192.0.2.7"],
        },
    },
    "coinbase": {"can_view": True, "can_trade": True, "can_transfer": False},
    "binance": {
        "ipRestrict": True,
        "enableReading": True,
        "enableWithdrawals": False,
        "enableInternalTransfer": False,
        "permitsUniversalTransfer": False,
        "enableSpotAndMarginTrading": True,
    },
    "bybit": {
        "retCode": 0,
        "result": {
            "readOnly": 0,
            "permissions": {"Spot": ["SpotTrade"], "Wallet": []},
            "ips": ["192.0.2.7"],
        },
    },
    "okx": {"code": "0", "data": [{"perm": "read_only,trade", "ip": "192.0.2.7"}]},
}


def changed(venue: str, *path: str | int, to: object) -> dict[str, Any]:
    answer = copy.deepcopy(GOOD[venue])
    place = answer
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return dict(answer)


def test_every_venue_that_is_traded_at_can_be_asked() -> None:
    assert set(GOOD) == set(SPEECHES)
    assert len({question(venue) for venue in SPEECHES}) == len(SPEECHES)
    with pytest.raises(NotArmed, match="Nobody has written down how gemini tells"):
        question("gemini")


@pytest.mark.parametrize("venue", GOOD)
def test_keys_that_only_trade_are_seen_as_such(venue: str) -> None:
    bound = None if venue == "coinbase" else True
    assert allowed(venue, GOOD[venue]) == Allowed(trades=True, withdraws=False, bound=bound)


WITHDRAW = [
    ("kraken", changed("kraken", "result", "permissions", to=["withdraw-funds"])),
    ("coinbase", changed("coinbase", "can_transfer", to=True)),
    ("binance", changed("binance", "enableWithdrawals", to=True)),
    ("binance", changed("binance", "enableInternalTransfer", to=True)),
    ("binance", changed("binance", "permitsUniversalTransfer", to=True)),
    ("bybit", changed("bybit", "result", "permissions", "Wallet", to=["Withdraw"])),
    ("bybit", changed("bybit", "result", "permissions", "Wallet", to=["AccountTransfer"])),
    ("okx", changed("okx", "data", 0, "perm", to="read_only, withdraw,trade")),
]


@pytest.mark.parametrize(("venue", "answer"), WITHDRAW)
def test_keys_that_move_money_are_seen(venue: str, answer: object) -> None:
    assert allowed(venue, answer).withdraws


@pytest.mark.parametrize(
    ("venue", "answer"),
    [
        ("kraken", changed("kraken", "result", "permissions", to=["query-funds"])),
        ("coinbase", changed("coinbase", "can_trade", to=False)),
        ("binance", changed("binance", "enableSpotAndMarginTrading", to=False)),
        ("bybit", changed("bybit", "result", "readOnly", to=1)),
        ("bybit", changed("bybit", "result", "permissions", "Spot", to=[])),
        ("okx", changed("okx", "data", 0, "perm", to="read_only")),
    ],
)
def test_keys_that_may_not_trade_are_seen(venue: str, answer: object) -> None:
    assert not allowed(venue, answer).trades


@pytest.mark.parametrize(
    ("venue", "answer"),
    [
        ("kraken", changed("kraken", "result", "ipAllowlist", to=[])),
        ("binance", changed("binance", "ipRestrict", to=False)),
        ("bybit", changed("bybit", "result", "ips", to=["*"])),
        ("bybit", changed("bybit", "result", "ips", to=[])),
        ("okx", changed("okx", "data", 0, "ip", to="")),
    ],
)
def test_keys_that_work_from_anywhere_are_seen(venue: str, answer: object) -> None:
    assert allowed(venue, answer).bound is False


def holes(answer: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place of an answer."""
    steps: list[str | int] = []
    if isinstance(answer, dict):
        steps = list(answer)
    elif isinstance(answer, list):
        steps = list(range(len(answer)))
    found = [(*path, step) for step in steps]
    return found + [hole for step in steps for hole in holes(answer[step], (*path, step))]


@pytest.mark.parametrize("venue", GOOD)
@pytest.mark.parametrize("wrong", [None, "false", 0, 1, "", {}, ["new-power"], "read,new_power"])
def test_no_answer_of_another_shape_proves_more_than_the_good_one(venue: str, wrong: Any) -> None:
    """Whatever stands in any place, it is refused, or says no more than it did."""
    for path in holes(GOOD[venue]):
        try:
            said = allowed(venue, changed(venue, *path, to=wrong))
        except NotArmed as error:
            assert "did not say what these keys may do" in error.what
            continue
        assert (
            said.withdraws
            or not said.trades
            or said._replace(bound=None) == allowed(venue, GOOD[venue])._replace(bound=None)
        )


@pytest.mark.parametrize("venue", GOOD)
@pytest.mark.parametrize("answer", [None, {}, [], "", "<html>", {"result": None}, {"data": []}])
def test_what_is_no_answer_is_refused(venue: str, answer: object) -> None:
    with pytest.raises(NotArmed):
        allowed(venue, answer)


@pytest.mark.parametrize(
    ("venue", "answer"),
    [
        ("kraken", changed("kraken", "result", "permissions", to=["modify-trades", "lend-funds"])),
        ("okx", changed("okx", "data", 0, "perm", to="read_only,trade,lend")),
        ("binance", changed("binance", "enableWithdrawals", to="false")),
        ("coinbase", changed("coinbase", "can_transfer", to=0)),
    ],
)
def test_a_word_that_nobody_wrote_down_is_refused(venue: str, answer: object) -> None:
    with pytest.raises(NotArmed, match="did not say"):
        allowed(venue, answer)
