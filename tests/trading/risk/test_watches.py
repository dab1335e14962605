"""Each watch, just within its limit and just beyond."""

from typing import Any

import pytest

from rrr.trading.risk.watches import Alarm, Limits, Seen, Watch, alarms

LIMITS = Limits(stale_s=15.0, lag_ms=2_000, memory_mb=1_500, disk_mb=500)
WELL = Seen({"BTC-USD": 1.0, "ETH-USD": 2.0}, lag_ms=3, memory_mb=150, disk_mb=50_000)
SILENT = {"BTC-USD": 15.1, "ETH-USD": 90.0}
WRONG = WELL._replace(
    ages_s=SILENT, lag_ms=2_001, memory_mb=1_501, disk_mb=499, apart_s=9, jumped_s=-7
)


def seen(**changes: Any) -> list[Alarm]:
    return list(alarms(LIMITS, WELL._replace(**changes)))


WITHIN: list[dict[str, Any]] = [
    {},
    {"ages_s": {"BTC-USD": 15.0, "ETH-USD": 15.0}},
    {"ages_s": {"BTC-USD": 1.0, "ETH-USD": 1e9}},  # one alone is the law's
    {"ages_s": {}},
    {"lag_ms": 2_000},
    {"memory_mb": 1_500},
    {"disk_mb": 500},
    {"jumped_s": 0.0},
    {"apart_s": -5.0},
]

# (changes, watch, what is said of it)
BEYOND: list[tuple[dict[str, Any], Watch, tuple[str, ...]]] = [
    ({"ages_s": SILENT}, Watch.STALE, ("no candle for 16 s (limit 15 s)", "has a network")),
    ({"ages_s": {"BTC-USD": 7200.0}}, Watch.STALE, ("7,200 s",)),
    ({"lag_ms": 2_000.1}, Watch.LAG, ("2,001 ms late (limit 2,000 ms)", "see what else runs")),
    ({"memory_mb": 1_500.1}, Watch.MEMORY, ("1,501 MB", "(limit 1,500 MB)", "restart the daemon")),
    ({"disk_mb": 499.9}, Watch.DISK, ("499 MB are free (limit 500 MB)", "make room")),
    ({"disk_mb": 0.0}, Watch.DISK, ("0 MB are free",)),
    ({"apart_s": -5.1}, Watch.APART, ("differs by -5.1 s (limit 5 s)", "synchronise")),
    ({"jumped_s": 3_600.0}, Watch.CLOCK, ("jumped by +3,600 s", "keep it awake")),
    ({"jumped_s": -6.0}, Watch.CLOCK, ("jumped by -6 s",)),
]


@pytest.mark.parametrize("changes", WITHIN)
def test_what_is_within_its_limit_is_well(changes: dict[str, Any]) -> None:
    assert seen(**changes) == []


@pytest.mark.parametrize(("changes", "watch", "said"), BEYOND)
def test_what_is_beyond_its_limit_alarms_with_its_figure_and_what_to_do(
    changes: dict[str, Any], watch: Watch, said: tuple[str, ...]
) -> None:
    (alarm,) = seen(**changes)
    assert alarm.watch == watch
    assert all(words in alarm.text for words in said)


def test_every_watch_has_a_row() -> None:
    assert {watch for _, watch, _ in BEYOND} == set(Watch)


def test_all_that_is_wrong_is_said_in_one_order() -> None:
    found = list(alarms(LIMITS, WRONG))
    assert [alarm.watch for alarm in found] == list(Watch)
    assert not any(";" in alarm.text for alarm in found), "It stands between two reasons."


def test_a_market_that_waits_for_us_is_never_stale() -> None:
    limits = LIMITS._replace(stale_s=None)
    assert list(alarms(limits, WELL._replace(ages_s={"BTC-USD": 1e9}))) == []
