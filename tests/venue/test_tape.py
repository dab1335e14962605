from itertools import pairwise

import pytest

from tests.venue.tape import (
    DAY_MS,
    HOUR_MS,
    LEVELS,
    LISTED_MS,
    MINUTE_MS,
    SLOT_MS,
    Candle,
    Print,
    Tape,
)
from tests.venue.venue_time import NOON_MS

TAPE = Tape(seed=1, more=2)


def test_the_same_seed_writes_the_same_tape_and_another_seed_another() -> None:
    def first(seed: int) -> list[Print]:
        return Tape(seed).prints("BTC/USD", NOON_MS, NOON_MS + HOUR_MS)

    assert first(1) == first(1) != first(2)


def test_instruments_have_nothing_in_common() -> None:
    moments = {
        symbol: {each.at_ms for each in TAPE.prints(symbol, NOON_MS, NOON_MS + HOUR_MS)}
        for symbol in ("BTC/USD", "ETH/USD")
    }
    assert len(moments["BTC/USD"] & moments["ETH/USD"]) < 3


def test_a_moment_is_the_same_whatever_was_asked_before() -> None:
    forwards, backwards = Tape(3), Tape(3)
    hours = range(NOON_MS, NOON_MS + 6 * HOUR_MS, HOUR_MS)
    early = [forwards.prints("SOL/USD", at, at + HOUR_MS) for at in hours]
    late = [backwards.prints("SOL/USD", at, at + HOUR_MS) for at in reversed(hours)]
    assert early == late[::-1]


def test_ids_count_every_print_since_the_listing() -> None:
    symbol, end = "ETH/USD", LISTED_MS + 3 * DAY_MS
    printed = Tape(1).prints(symbol, 0, end)
    assert [each.id for each in printed] == list(range(1, len(printed) + 1))
    assert TAPE.prints(symbol, end - DAY_MS, end)[-1] == printed[-1]


@pytest.mark.parametrize("symbol", TAPE.symbols)
def test_prints_are_in_order_and_lie_on_the_touch_of_their_moment(symbol: str) -> None:
    printed = TAPE.prints(symbol, NOON_MS, NOON_MS + HOUR_MS)
    assert printed == sorted(printed, key=lambda each: (each.at_ms, each.ordinal))
    for each in printed:
        touch = TAPE.touch(symbol, each.at_ms)
        assert each.price == (touch.ask if each.side == "buy" else touch.bid)
        assert each.quantity > 0


@pytest.mark.parametrize("timeframe_ms", [MINUTE_MS, 5 * MINUTE_MS, HOUR_MS, DAY_MS])
@pytest.mark.parametrize("symbol", ["BTC/USD", "OXT/USD"])
def test_candles_are_what_their_prints_make(symbol: str, timeframe_ms: int) -> None:
    """Also the last one, which is unfinished."""
    begin = NOON_MS - NOON_MS % DAY_MS - DAY_MS
    end = NOON_MS + 17 * MINUTE_MS + 31_234
    by_opening: dict[int, list[Print]] = {}
    for each in TAPE.prints(symbol, begin, end):
        by_opening.setdefault(each.at_ms - each.at_ms % timeframe_ms, []).append(each)
    expected = [_candle(opened, prints) for opened, prints in by_opening.items()]
    assert TAPE.candles(symbol, timeframe_ms, begin, end) == expected


def test_a_summary_is_one_candle_of_a_span() -> None:
    printed = TAPE.prints("BTC/USD", NOON_MS - DAY_MS, NOON_MS + 4_321)
    summary = TAPE.summary("BTC/USD", NOON_MS - DAY_MS, NOON_MS + 4_321)
    assert summary == _candle(0, printed)


def test_a_quiet_coin_has_minutes_without_a_candle_and_a_busy_one_hardly_any() -> None:
    def share(symbol: str) -> float:
        return len(TAPE.candles(symbol, MINUTE_MS, NOON_MS - DAY_MS, NOON_MS)) / (24 * 60)

    assert 0.2 < share("OXT/USD") < 0.5
    assert share("BTC/USD") > 0.98


@pytest.mark.parametrize("symbol", TAPE.symbols)
def test_a_depth_is_sorted_never_crossed_and_changes_by_a_few_levels(symbol: str) -> None:
    before = None
    for at in range(NOON_MS, NOON_MS + 60 * SLOT_MS, SLOT_MS):
        bids, asks = depth = TAPE.depth(symbol, at)
        assert len(bids) == len(asks) == LEVELS
        prices = [each.price for each in (*reversed(bids), *asks)]
        assert prices == sorted(set(prices))
        assert prices[0] > 0
        assert all(each.quantity > 0 for each in (*bids, *asks))
        if before is not None:
            assert len(set(bids) & set(before.bids)) > LEVELS // 2
        before = depth


def test_spans_that_touch_share_no_print() -> None:
    whole = TAPE.prints("BTC/USD", NOON_MS, NOON_MS + HOUR_MS)
    for each in whole[:20]:
        before = TAPE.prints("BTC/USD", NOON_MS, each.at_ms)
        assert before + TAPE.prints("BTC/USD", each.at_ms, NOON_MS + HOUR_MS) == whole


def test_nothing_was_printed_before_the_listing() -> None:
    assert TAPE.prints("BTC/USD", 0, LISTED_MS) == []
    assert TAPE.candles("BTC/USD", HOUR_MS, 0, LISTED_MS) == []


def test_prints_are_found_by_their_ids() -> None:
    printed = TAPE.prints("OXT/USD", NOON_MS - HOUR_MS, NOON_MS)
    for first in (0, 7):
        assert TAPE.prints_from("OXT/USD", printed[first].id, 5, NOON_MS) == printed[first:][:5]
    assert TAPE.prints_from("OXT/USD", printed[-2].id, 5, NOON_MS) == printed[-2:]
    assert TAPE.prints_from("OXT/USD", printed[-1].id + 1, 5, NOON_MS) == []
    assert (
        TAPE.prints_from("OXT/USD", 0, 2, NOON_MS)
        == TAPE.prints("OXT/USD", LISTED_MS, LISTED_MS + HOUR_MS)[:2]
    )


@pytest.mark.parametrize("timeframe_ms", [MINUTE_MS, HOUR_MS])
def test_filled_candles_leave_no_time_out_and_add_nothing_but_flat_ones(timeframe_ms: int) -> None:
    begin, end = NOON_MS - DAY_MS, NOON_MS + 12_345
    filled = TAPE.filled("OXT/USD", timeframe_ms, begin, end)
    assert [each.opened_at_ms for each in filled] == list(range(begin, end, timeframe_ms))
    traded = TAPE.candles("OXT/USD", timeframe_ms, begin, end)
    assert [each for each in filled if each.prints] == traded
    for before, each in pairwise(filled):
        assert each.prints or set(each[1:5]) == {before.close}


def test_last_prints_end_just_before_the_moment() -> None:
    printed = TAPE.prints("OXT/USD", NOON_MS - HOUR_MS, NOON_MS)
    assert TAPE.last_prints("OXT/USD", 5, NOON_MS) == printed[-5:]


def _candle(opened: int, prints: list[Print]) -> Candle:
    prices = [each.price for each in prints]
    volume = sum(each.quantity for each in prints)
    turnover = sum(each.price * each.quantity for each in prints)
    extremes = (max(prices), min(prices))
    return Candle(opened, prices[0], *extremes, prices[-1], volume, turnover, len(prints))
