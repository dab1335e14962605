"""Unmodified ccxt asks with signed requests, and nothing that it says, or is told, is repeated."""

import json
import time
from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from rrr.api.account import Account, has_sandbox
from rrr.config.keys import Keys
from rrr.core.errors import NotArmed, RRRError, Unavailable
from rrr.trading.live.spelling import SPEECHES
from tests.api.test_permissions import GOOD
from tests.trading.live.wires import Answer, Ether

PATHS = {
    "kraken": ("POST", "/0/private/GetApiKeyInfo"),
    "coinbase": ("GET", "/api/v3/brokerage/key_permissions"),
    "binance": ("GET", "/sapi/v1/account/apiRestrictions"),
    "bybit": ("GET", "/v5/user/query-api"),
    "okx": ("GET", "/api/v5/account/config"),
}

SECRET = b64encode(b"c4n4ry-secret" * 5).decode()[:88]  # as Coinbase gives them


def keys_for(venue: str, network: str = "live", signs: str = SECRET) -> Keys:
    key, secret, word = SecretStr("c4n4ry-key-9f8e7d"), SecretStr(signs), SecretStr("c4n4ry-word")
    return Keys(venue, network, "config/api_keys", key, secret, word)


def account(ether: Ether) -> Account:
    def dressed(ccxt: Any) -> None:
        ccxt.own_session, ccxt.session = False, ether.session()
        ccxt.logger.disabled = True  # it warns of sessions that nobody closes, and ours is none

    return Account(dressed=dressed)


def said(answer: object, status: int = 200) -> Answer:
    return status, answer if isinstance(answer, str) else json.dumps(answer)


@pytest.mark.parametrize("venue", SPEECHES)
def test_the_venue_is_asked_once_signed_and_its_words_are_understood(venue: str) -> None:
    bearers = []

    class Noted(Ether):
        def heard(self, method: str, url: str, data: Any, headers: dict[str, str]) -> Answer:
            bearers.append(headers.get("Authorization", ""))
            return super().heard(method, url, data, headers)

    ether = Noted([said(GOOD[venue])])
    found = account(ether).allowed(keys_for(venue))
    assert (found.trades, found.withdraws) == (True, False)
    (sent,) = ether.sent
    assert (sent.method, sent.path) == PATHS[venue]
    assert sent.signed or bearers[0].startswith("Bearer ey")


# (venue, what comes back, the error, its words)
REFUSED: list[tuple[str, Answer, type[RRRError], str]] = [
    ("kraken", said({"error": ["EAPI:Invalid key"]}), NotArmed, "does not take the keys"),
    ("kraken", said({"error": ["EGeneral:Permission denied"]}), NotArmed, "does not let these"),
    ("binance", said({"code": -2015, "msg": "c4n4ry"}, 401), NotArmed, "does not take the keys"),
    ("binance", said({"code": -2014, "msg": "c4n4ry"}, 401), NotArmed, "does not take the keys"),
    ("coinbase", said("c4n4ry-key-9f8e7d", 401), NotArmed, "does not take the keys"),
    ("bybit", said({"retCode": 10003, "retMsg": "c4n4ry"}), NotArmed, "does not take the keys"),
    ("okx", said({"code": "50113", "msg": "c4n4ry"}, 401), NotArmed, "does not take the keys"),
    ("kraken", said("<html>", 502), Unavailable, "did not answer (ExchangeNotAvailable)"),
    ("kraken", said("<html>"), NotArmed, "did not say what these keys may do"),
    ("kraken", said({"error": [], "result": {}}), NotArmed, "did not say what these keys may do"),
    ("binance", TimeoutError(), Unavailable, "did not answer (RequestTimeout)"),
]


@pytest.mark.parametrize(("venue", "answer", "kind", "words"), REFUSED)
def test_every_failure_is_a_refusal_without_a_word_of_ccxt(
    venue: str, answer: Answer, kind: type[RRRError], words: str
) -> None:
    with pytest.raises(kind) as caught:
        account(Ether([answer])).allowed(keys_for(venue))
    error = caught.value
    assert words in error.what
    assert "c4n4ry" not in str(error)
    assert error.__cause__ is None and error.__context__ is None


@pytest.mark.parametrize("venue", ["kraken", "coinbase"])
def test_a_signsthat_signs_nothing_is_wrong_and_nothing_leaves(venue: str) -> None:
    ether = Ether([said(GOOD[venue])])
    with pytest.raises(NotArmed, match="Nothing can be signed with the secret"):
        account(ether).allowed(keys_for(venue, signs="c4n4ry="))
    assert ether.sent == []


@pytest.mark.parametrize(("off_ms", "least_ms"), [(0, 0), (60_000, 58_000), (-60_000, 58_000)])
def test_the_least_that_the_clocks_are_apart_is_told(off_ms: int, least_ms: int) -> None:
    class Clock(Ether):
        def heard(self, *asked: Any) -> Answer:
            return said({"serverTime": time.time_ns() // 1_000_000 + off_ms})

    assert least_ms <= account(Clock()).apart_ms(keys_for("binance")) <= abs(off_ms)


def test_a_venue_that_tells_whole_seconds_is_not_blamed_for_them() -> None:
    second = time.time_ns() // 1_000_000_000
    answer = said({"error": [], "result": {"unixtime": second, "rfc1123": ""}})
    assert account(Ether([answer])).apart_ms(keys_for("kraken")) == 0


def test_the_test_network_is_another_address() -> None:
    hosts = []

    class Noted(Ether):
        def heard(self, method: str, url: str, *more: Any) -> Answer:
            hosts.append(url.split("/")[2])
            return super().heard(method, url, *more)

    for network in ("live", "sandbox"):
        account(Noted([said(GOOD["bybit"])])).allowed(keys_for("bybit", network))
    assert hosts == ["api.bybit.com", "api-testnet.bybit.com"]


def test_keys_leave_for_another_address_where_one_is_set() -> None:
    urls = []

    class Noted(Ether):
        def heard(self, method: str, url: str, *more: Any) -> Answer:
            urls.append(url)
            return super().heard(method, url, *more)

    for venue in SPEECHES:
        there = replace(account(Noted([said(GOOD[venue])])), address="http://127.0.0.1:8080")
        there.allowed(keys_for(venue))
    asked = [url.partition("?")[0] for url in urls]
    assert asked == [f"http://127.0.0.1:8080{path}" for _, path in PATHS.values()]


def test_ccxt_has_test_networks_of_three() -> None:
    assert [venue for venue in SPEECHES if has_sandbox(venue)] == ["binance", "bybit", "okx"]
