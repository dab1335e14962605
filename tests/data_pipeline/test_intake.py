from typing import Any

import pytest

from rrr.core.events import Touch
from rrr.core.market import Candle, Source
from rrr.data_pipeline.instruments import Spec
from rrr.data_pipeline.intake import SURELY_MS, TOUCH_AGE_MS_MAX, Intake, Said
from tests.data_pipeline.exchanges import NOON_MS, STEP_MS

BTC = Spec("kraken", "BTC-USD", "BTC", "USD", 2, 8, 10, 1, 5_000, 0, inferred=False)
NEXT_MS = NOON_MS + STEP_MS


def row(opened_at_ms: int = NOON_MS, volume: Any = 1.5, close: Any = 101.5) -> list[Any]:
    return [opened_at_ms, 100.0, 102.0, 99.5, close, volume]


def candle(volume: str = "1.5", close: str = "101.5", source: Source = Source.WEBSOCKET) -> Candle:
    prices = [int(float(text) * 10**BTC.points) for text in ("100", "102", "99.5", close)]
    return Candle._make([0, *prices, int(float(volume) * 10**BTC.grains), source])


def intake() -> Intake:
    return Intake(0, "BTC-USD", "BTC/USD", BTC, STEP_MS)


def listening(since_ms: int = NOON_MS - 1) -> Intake:
    made = intake()
    made.resumed(since_ms)
    return made


def trade(at_ms: int, price: float, number: int, amount: float = 0.5) -> dict[str, object]:
    return {"timestamp": at_ms, "price": price, "amount": amount, "id": str(number)}


def test_a_candle_is_the_last_word_on_it_and_closed_when_something_later_is_heard() -> None:
    made = listening()
    assert made.rows([row(volume=1.0)], NOON_MS + 1)
    assert made.rows([row()], NOON_MS + 2)
    assert made.said(NOON_MS) == Said(candle(), whole=True, closed=False)
    assert made.rows([row(NEXT_MS)], NEXT_MS + 1)
    assert made.said(NOON_MS) == Said(candle(), whole=True, closed=True)


def test_what_is_said_twice_or_out_of_order_is_no_news() -> None:
    made = listening()
    assert made.rows([row()], NOON_MS + 1)
    assert not made.rows([row()], NOON_MS + 2)
    assert not made.rows([row(volume=1.0, close=100.0)], NOON_MS + 3)
    assert made.said(NOON_MS).candle == candle()
    assert made.news_ms == NOON_MS + 1


@pytest.mark.parametrize(("heard_ms", "whole"), [(NOON_MS + 40_000, True), (None, False)])
def test_whoever_comes_later_misses_nothing_of_a_candle_that_is_said_again(
    heard_ms: int | None, whole: bool
) -> None:
    made = listening()
    made.rows([row(volume=1.0)], NOON_MS + 1)
    made.broken(NOON_MS + 10_000)
    assert not made.said(NOON_MS).whole
    made.resumed(NOON_MS + 30_000)
    if heard_ms is not None:
        made.rows([row()], heard_ms)
    assert made.said(NOON_MS).whole is whole


def test_silence_is_whole_only_if_it_was_listened_to_from_the_beginning() -> None:
    assert listening().said(NOON_MS) == Said(None, whole=True)
    assert listening(NOON_MS + 1).said(NOON_MS) == Said()
    assert intake().said(NOON_MS) == Said()


def test_a_stamp_from_the_future_closes_nothing() -> None:
    made = listening()
    made.rows([row(), row(NOON_MS + 1_000 * STEP_MS)], NOON_MS + 1)
    assert not made.said(NOON_MS).closed
    assert made.refused == 1


@pytest.mark.parametrize(
    "nonsense",
    [
        None,
        "row",
        [],
        row()[:5],
        ["now", *row()[1:]],
        row(-STEP_MS),
        [True, 1, 1, 1, 1, 1],
        row(volume=float("nan")),
        row(close="many"),
        row(close=float("inf")),
        row(close=-1.0),
        row(close=1_000.0),
        row(volume=None),
        row(close=0.123456789),
    ],
)
def test_nonsense_makes_no_candle(nonsense: Any) -> None:
    made = listening()
    made.rows([nonsense], NOON_MS + 1)
    assert made.said(NOON_MS).candle is None


@pytest.mark.parametrize("nonsense", [row(close=99.123456789), row(NOON_MS + 1)])
def test_nonsense_neither_passes_for_silence_nor_stands_in_the_way(nonsense: Any) -> None:
    made = listening()
    made.rows([nonsense], NOON_MS + 1)
    assert made.refused == 1
    assert not made.said(NOON_MS).whole
    made.rows([row()], NOON_MS + 2)
    assert made.said(NOON_MS) == Said(candle(), whole=True)


def test_after_nonsense_a_candle_is_whole_when_it_was_said_again() -> None:
    made = listening()
    made.rows([row(volume=1.0)], NOON_MS + 1)
    made.rows([row(volume=float("nan"))], NOON_MS + 2)
    assert not made.said(NOON_MS).whole
    made.rows([row()], NOON_MS + 3)
    assert made.said(NOON_MS) == Said(candle(), whole=True)


def test_prints_become_a_candle_when_they_have_settled() -> None:
    made = intake()
    made.build()
    made.resumed(NOON_MS - 1)
    prices = (100.0, 102.0, 99.5)
    made.prints([trade(NOON_MS + n, p, n) for n, p in enumerate(prices)], NOON_MS + 9)
    made.prints([trade(NEXT_MS, 101.0, 9)], NEXT_MS)
    assert made.said(NOON_MS) == Said()
    made.prints([trade(NEXT_MS - 1, 101.5, 8)], NEXT_MS + 100)
    made.prints([trade(NEXT_MS + 500, 101.0, 10)], NEXT_MS + 500)
    expected = candle(volume="2.0", source=Source.BUILT)
    assert made.said(NOON_MS) == Said(expected, whole=True, closed=True)


def test_a_print_that_comes_after_its_candle_was_asked_for_leaves_it_in_doubt() -> None:
    made = intake()
    made.build()
    made.resumed(NOON_MS - 1)
    made.prints([trade(NOON_MS + 1, 100.0, 1)], NOON_MS + 1)
    made.touched(ticker(), NEXT_MS + 900, NEXT_MS + 900)
    assert made.said(NOON_MS).whole
    made.prints([trade(NEXT_MS - 1, 101.5, 2)], NEXT_MS + 1_000)
    assert not made.said(NOON_MS).whole
    made.prints([trade(NEXT_MS + 1, 101.5, 3)], NEXT_MS + 1_000)
    assert made.said(NEXT_MS, over=True).whole


def test_a_print_that_makes_no_sense_leaves_its_time_in_doubt() -> None:
    made = intake()
    made.build()
    made.resumed(NOON_MS - 1)
    made.prints([trade(NOON_MS + 1, float("nan"), 1)], NOON_MS + 1)
    made.prints([trade(NEXT_MS + 500, 101.0, 10)], NEXT_MS + 500)
    assert not made.said(NOON_MS).whole
    assert made.refused == 1


def ticker(bid: Any = 100.0, ask: Any = 100.5) -> dict[str, Any]:
    return {"bid": bid, "ask": ask, "bidVolume": 2.0, "askVolume": None}


def test_of_touches_the_last_word_counts_and_the_others_are_counted() -> None:
    made = listening()
    for n in range(4):
        assert made.touched(ticker(bid=100.0 - n), NOON_MS + n, None)
    point, grain = 10**BTC.points, 10**BTC.grains
    expected = Touch(NEXT_MS, 0, 97 * point, 100 * point + point // 2, 2 * grain, 0)
    assert made.touch(NEXT_MS, NOON_MS + 10) == expected
    assert made.conflated == 3
    made.touched(ticker(), NOON_MS + 20, None)
    assert made.conflated == 3


def test_an_old_touch_is_none() -> None:
    made = listening()
    made.touched(ticker(), NOON_MS, None)
    assert made.touch(NEXT_MS, NOON_MS + TOUCH_AGE_MS_MAX) is not None
    assert made.touch(NEXT_MS, NOON_MS + TOUCH_AGE_MS_MAX + 1) is None
    made.touched(ticker(), NOON_MS + TOUCH_AGE_MS_MAX, NOON_MS - 1)
    assert made.touch(NEXT_MS, NOON_MS + TOUCH_AGE_MS_MAX) is None


def test_the_same_word_again_is_no_news_whenever_it_comes() -> None:
    made = listening()
    assert made.touched(ticker(), NOON_MS, NOON_MS)
    assert not made.touched(ticker(), NOON_MS + 1_000, NOON_MS)
    assert made.touched(ticker(), NOON_MS + 2_000, NOON_MS + 2_000)


@pytest.mark.parametrize(
    "nonsense",
    [
        ticker(bid=None),
        ticker(bid=0.0),
        ticker(bid=-1.0),
        ticker(bid=float("nan")),
        ticker(ask=float("inf")),
        ticker(bid=100.5),
        ticker(bid=101.0),
        ticker(bid="much"),
    ],
)
def test_a_touch_that_cannot_be_is_refused_and_the_one_before_it_gone(
    nonsense: dict[str, Any],
) -> None:
    made = listening()
    made.touched(ticker(), NOON_MS, None)
    assert not made.touched(nonsense, NOON_MS + 1, None)
    assert made.touch(NEXT_MS, NOON_MS + 2) is None
    assert made.refused == 1


def test_a_touch_that_says_when_it_was_closes_a_quiet_candle() -> None:
    made = listening()
    made.touched(ticker(), NEXT_MS + 1, NEXT_MS)
    assert made.said(NOON_MS) == Said(None, whole=True, closed=True)


def test_a_touch_that_does_not_say_when_it_was_closes_it_later() -> None:
    made = listening()
    made.touched(ticker(), NEXT_MS + SURELY_MS - 1, None)
    assert not made.said(NOON_MS).closed
    made.touched(ticker(bid=99.0), NEXT_MS + SURELY_MS, None)
    assert made.said(NOON_MS).closed


def test_what_is_forgotten_is_not_silence() -> None:
    made = listening()
    for n in range(1_000):
        made.rows([row(NOON_MS + n * STEP_MS)], NOON_MS + n * STEP_MS)
    assert made.said(NOON_MS) == Said()
    assert made.said(NOON_MS + 998 * STEP_MS).candle is not None
    assert len(made._rows) == len(made._rows_ms) < 50
