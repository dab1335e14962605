"""The baseline's opinion is a function of the last candles, and of nothing else."""

from random import Random

import pytest

from rrr.core.events import Close
from rrr.core.market import BPS, PPM
from rrr.neural_network.baseline import Trend
from rrr.neural_network.voice import Voice
from tests.builders import HOUR, START, candle, history

FAST, SLOW, FULL = 3, 10, 4


def closes(seed: int, number: int) -> list[Close]:
    return [event for event in history(seed, number) if isinstance(event, Close)]


def line(prices: list[int]) -> list[Close]:
    return [
        Close(START + n * HOUR, START + n * HOUR - HOUR, (candle(price),), ())
        for n, price in enumerate(prices, 1)
    ]


def conviction(prices: list[int]) -> int:
    """The obvious twin: averages made anew from the whole window."""
    last = prices[-SLOW:]
    moves = [
        abs(now - before) * PPM // before
        for before, now in zip(prices[-SLOW - 1 : -1], prices[-SLOW:], strict=True)
    ]
    fast, slow = sum(last[-FAST:]) * SLOW, sum(last) * FAST
    apart_ppm = (fast - slow) * PPM // slow
    full = max(sum(moves) * FULL // SLOW, 1)
    return max(-BPS, min(BPS, apart_ppm * BPS // full))


@pytest.mark.parametrize("seed", range(5))
def test_running_sums_equal_the_whole_window_made_anew(seed: int) -> None:
    dice, trend = Random(seed), Trend(FAST, SLOW, FULL)
    prices = [10_000_000]
    for _ in range(200):
        prices.append(max(prices[-1] + dice.randint(-200_000, 200_000), 1_000))
    for n, close in enumerate(line(prices), 1):
        told = [signal.conviction_bps for signal in trend.meet([close])[0]]
        assert told == ([conviction(prices[:n])] if n > SLOW else [])


@pytest.mark.parametrize("seed", range(5))
def test_who_was_warmed_with_the_last_candles_of_each_instrument_has_the_same_opinion(
    seed: int,
) -> None:
    whole, warmed = Trend(FAST, SLOW, FULL), Trend(FAST, SLOW, FULL)
    past, coming = closes(seed, 200)[:150], closes(seed, 200)[150:]
    whole.meet(past)
    held = len(past)
    while any(
        sum(c.instrument == i for close in past[held:] for c in close.candles) <= SLOW
        for i in whole.windows
    ):
        held -= 1
    warmed.warm(past[held:])
    assert whole.meet(coming) == warmed.meet(coming)


def test_a_straight_rise_is_full_conviction_and_a_straight_fall_its_opposite() -> None:
    trend = Trend(5, 40, 4)
    rise = trend.meet(line([10**6 + n * 10**4 for n in range(60)]))
    assert rise[-1][0].conviction_bps == BPS
    trend = Trend(5, 40, 4)
    fall = trend.meet(line([10**7 - n * 10**4 for n in range(60)]))
    assert fall[-1][0].conviction_bps == -BPS


def test_a_market_that_stands_still_has_no_opinion() -> None:
    trend = Trend(FAST, SLOW, FULL)
    told = [signal for signals in trend.meet(line([10**6] * 30)) for signal in signals]
    assert {signal.conviction_bps for signal in told} == {0}
    assert {signal.model for signal in told} == {0}


def test_signals_come_in_canonical_order_at_the_close() -> None:
    trend = Trend(FAST, SLOW, FULL)
    for close in closes(1, 60):
        (told,) = trend.meet([close])
        numbers = [signal.instrument for signal in told]
        assert numbers == sorted(numbers)
        assert all(signal.at_ms == close.at_ms for signal in told)


@pytest.mark.parametrize("seed", range(3))
def test_signals_are_the_same_however_the_closes_come(seed: int) -> None:
    told = closes(seed, 100)
    one_by_one, at_once = Trend(FAST, SLOW, FULL), Trend(FAST, SLOW, FULL)
    assert [s for close in told for s in one_by_one.meet([close])] == at_once.meet(told)


def test_the_baseline_is_the_voice_without_a_model() -> None:
    voice: Voice = Trend(FAST, SLOW, FULL)
    assert (voice.model, voice.name) == (0, "baseline")
    spoken = [len(signals) for signals in voice.meet(line([10**6] * voice.window))]
    assert spoken == [0] * SLOW + [1]


@pytest.mark.parametrize(("fast", "slow"), [(0, 3), (3, 3), (4, 3)])
def test_the_slow_average_is_the_longer_one(fast: int, slow: int) -> None:
    with pytest.raises(AssertionError):
        Trend(fast, slow, FULL)
