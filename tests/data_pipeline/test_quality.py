from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from rrr.core.errors import UsageError
from rrr.core.market import Source
from rrr.data_pipeline.quality import (
    FLAT,
    Disagreement,
    Report,
    Wrong,
    disagreements,
    examined,
)
from rrr.data_pipeline.resample import resampled
from rrr.data_pipeline.store_series import Series, Span
from tests.data_pipeline.store_builders import FIRST, HOUR, MINUTE, flat_at, series, with_value

FINDINGS = (
    *("gaps", "silent", "duplicates", "contradictions", "disorder", "off_grid", "impossible"),
    *("spikes", "zero_volume", "flat_runs", "copies"),
)


def at(place: int) -> int:
    return FIRST + place * MINUTE


def span(begin: int, end: int) -> Span:
    return Span(at(begin), at(end), end - begin)


def found(report: Report) -> dict[str, Any]:
    return {name: got for name in FINDINGS if (got := getattr(report, name))}


def wandering(candles: int, seed: int = 1, step: float = 0.001) -> Series:
    """A market that walks, with wild days: twenty times as wild after a third of the time."""
    dice = np.random.default_rng(seed)
    wild = np.where(np.arange(candles) // max(candles // 3, 1) == 1, 20 * step, step)
    close = 42_000 * np.exp(np.cumsum(dice.standard_normal(candles) * wild))
    opened = np.concatenate((close[:1], close[:-1]))
    away = np.exp(np.abs(dice.standard_normal((2, candles))) * wild)
    high, low = np.maximum(opened, close) * away[0], np.minimum(opened, close) / away[1]
    return series(candles, open=opened, high=high, low=low, close=close)


def test_ordinary_candles_are_not_odd() -> None:
    report = examined(series(3_000))
    assert found(report) == {}
    assert report.sound
    assert (report.candles, report.first_ms, report.last_ms) == (3_000, FIRST, at(2_999))
    assert report.sources == ((Source.REST, 3_000),)


def test_no_candle_is_nothing_to_find() -> None:
    assert found(examined(series(0))) == {}


def test_gaps_have_begin_end_and_length() -> None:
    report = examined(series((0, 1, 4, 5, 9)))
    assert found(report) == {"gaps": (span(2, 4), span(6, 9))}
    assert report.missing == 5 and report.sound


def test_what_is_said_twice_is_told_from_what_contradicts() -> None:
    given = with_value(series((0, 1, 1, 2, 3, 3)), "volume", 5, 7.0)
    report = examined(given)
    assert found(report) == {"duplicates": (at(1),), "contradictions": (at(3),)}
    assert not report.sound


def test_disorder_is_named_and_hides_nothing_else() -> None:
    report = examined(series((0, 3, 1, 2, 5)))
    assert found(report) == {"disorder": (at(1), at(2)), "gaps": (span(4, 5),)}
    assert not report.sound


def test_a_stamp_off_the_grid_is_named_and_is_no_candle() -> None:
    stamps = series(4).ts.copy()
    stamps[2] += 1
    assert found(examined(series(4, ts=stamps))) == {
        "off_grid": (at(2) + 1,),
        "gaps": (span(2, 3),),
    }


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("close", float("nan"), "its close is no number"),
        ("high", float("inf"), "its high is no number"),
        ("open", 0.0, "its open is not positive"),
        ("low", -3.0, "its low is not positive"),
        ("volume", -1.0, "its volume is negative"),
        ("high", 41_000.0, "its high is below its low"),
        ("low", 42_100.0, "its high is below its low"),
        ("close", 43_000.0, "its high is below its close"),
    ],
)
def test_an_impossible_candle_says_why(name: str, value: float, why: str) -> None:
    report = examined(with_value(series(200), name, 7, value))
    assert found(report) == {"impossible": (Wrong(at(7), why),)}
    assert not report.sound


def test_a_wild_day_is_no_spike() -> None:
    for seed in range(5):
        assert found(examined(wandering(9_000, seed))) == {}


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.1, 3.0])
def test_a_close_that_goes_out_and_back_is_a_spike(factor: float) -> None:
    calm = wandering(900)
    given = with_value(calm, "close", 100, calm.close[100] * factor)
    given = with_value(given, "high", 100, max(given.close[100], calm.high[100]))
    given = with_value(given, "low", 100, min(given.close[100], calm.low[100]))
    [spike] = examined(given).spikes
    assert spike.at_ms == at(100)
    assert spike.ratio == pytest.approx(factor, rel=0.01)


@pytest.mark.parametrize(("name", "factor"), [("high", 1.2), ("low", 0.8)])
def test_a_wick_far_out_is_a_spike(name: str, factor: float) -> None:
    calm = wandering(900)
    value = float(getattr(calm, name)[50] * factor)
    [spike] = examined(with_value(calm, name, 50, value)).spikes
    assert spike.at_ms == at(50)
    assert spike.ratio == pytest.approx(factor, rel=0.01)


def test_a_move_that_stays_is_no_spike() -> None:
    calm = wandering(900)
    halved = {
        name: np.where(np.arange(900) < 100, 1, 0.5) * getattr(calm, name)
        for name in ("open", "high", "low", "close")
    }
    assert examined(replace(calm, **halved)).spikes == ()


def test_a_move_across_a_gap_is_no_spike() -> None:
    calm = wandering(900)
    given = calm
    for name in ("open", "high", "low", "close"):
        given = with_value(given, name, 100, 2 * calm.high[100])
    alone = given.taken(np.delete(np.arange(900), [99, 101]))
    assert examined(given).spikes and not examined(alone).spikes


def test_times_without_volume_are_stretches() -> None:
    volume = series(20).volume.copy()
    volume[[3, 4, 5, 9]] = 0
    assert found(examined(series(20, volume=volume))) == {"zero_volume": (span(3, 6), span(9, 10))}


def test_a_price_that_stands_still_for_long_is_named() -> None:
    given = series(60)
    price = given.close[20]
    still = slice(21, 21 + FLAT)
    for name in ("open", "high", "low", "close"):
        column = getattr(given, name).copy()
        column[still] = price
        given = replace(given, **{name: column})
    assert found(examined(given)) == {"flat_runs": (span(21, 21 + FLAT),)}
    shorter = given.taken(np.delete(np.arange(60), 25))
    assert "flat_runs" not in found(examined(shorter))


def test_candles_of_one_price_each_do_not_stand_still() -> None:
    close = series(60).close
    assert found(examined(series(60, open=close, high=close, low=close))) == {}


def test_a_candle_said_again_as_the_next_one_is_a_copy() -> None:
    given = series(20)
    for name in ("open", "high", "low", "close", "volume"):
        for place in (7, 8):
            given = with_value(given, name, place, getattr(given, name)[6])
    assert found(examined(given)) == {"copies": (span(7, 9),)}


@settings(max_examples=40, deadline=None)
@given(some.integers(0, 2**32))
def test_however_broken_it_is_something_is_said_and_nothing_raised(seed: int) -> None:
    dice = Random(seed)
    given = series(sorted(dice.choices(range(300), k=200)))
    for _ in range(dice.randrange(20)):
        name = dice.choice(["open", "high", "low", "close", "volume"])
        bad = dice.choice([float("nan"), float("inf"), -float("inf"), -1.0, 0.0, 5e-324, 1e308])
        given = with_value(given, name, dice.randrange(len(given)), bad)
    stamps = given.ts.copy()
    stamps[dice.randrange(200)] = dice.choice([0, -1, 2**62, -(2**62), FIRST])
    report = examined(replace(given, ts=stamps))
    assert not report.sound
    assert report.candles == 200


def test_a_time_without_trades_is_no_gap() -> None:
    given = series([*range(10), *range(13, 20), *range(25, 30)])
    silent = [(at(8), at(11)), (at(12), at(13)), (at(24), at(99))]
    assert found(examined(given, silent)) == {
        "gaps": (span(11, 12), span(20, 24)),
        "silent": (span(10, 11), span(12, 13), span(24, 25)),
    }
    assert examined(given, silent).missing == 5
    assert found(examined(series(0), silent)) == {}


@pytest.mark.parametrize("place", [60, 90, 119])
def test_what_one_timeframe_draws_and_the_other_does_not_is_no_disagreement(place: int) -> None:
    """Kraken's candles are there, flat; those of its prints are not."""
    drawn = flat_at(series(180), place, 99_999.0)
    built = drawn.taken(np.delete(np.arange(180), place))
    silent = [(at(place), at(place + 1))]
    coarse = resampled(built, HOUR, silent).series
    assert len(coarse) == 3
    for fine in (drawn, built):
        told = disagreements(fine, coarse, silent)
        assert (told.whole, told.partial, told.unlike, told.absent) == (3, 0, (), ())


def test_an_hour_that_nobody_traded_may_be_drawn_in_either_or_in_none() -> None:
    drawn = series(180)
    for place in range(60, 120):
        drawn = flat_at(drawn, place, 42_000.0)
    coarse = resampled(drawn, HOUR).series
    built = drawn.taken(np.r_[:60, 120:180])
    silent = [(at(60), at(120))]
    for fine in (drawn, built):
        for other in (coarse, flat_at(coarse, 1, 7.0), coarse.taken(np.array([0, 2]))):
            told = disagreements(fine, other, silent)
            assert (told.unlike, told.absent) == ((), ())
    traded = with_value(flat_at(coarse, 1, 7.0), "volume", 1, 3.0)
    assert "volume" in [one.column for one in disagreements(drawn, traded).unlike]


def test_confirmed_silence_lets_candles_be_compared_in_full() -> None:
    whole = series(180)
    coarse = resampled(whole, HOUR).series
    fine = whole.taken(np.delete(np.arange(180), 70))
    assert disagreements(fine, coarse).unlike == ()
    told = disagreements(fine, coarse, [(at(70), at(71))])
    assert (told.whole, [one.column for one in told.unlike]) == (3, ["volume"])


def test_timeframes_that_agree_are_compared_in_full() -> None:
    fine = series(180)
    told = disagreements(fine, resampled(fine, HOUR).series)
    assert (told.whole, told.partial, told.unlike, told.absent) == (3, 0, (), ())
    assert (told.fine, told.coarse) == ("kraken BTC-USD 1m", "kraken BTC-USD 1h")


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume"])
def test_each_value_may_disagree(name: str) -> None:
    fine = series(180)
    coarse = resampled(fine, HOUR).series
    made = float(getattr(coarse, name)[1])
    told = disagreements(fine, with_value(coarse, name, 1, made * 1.03))
    assert told.unlike == (Disagreement(at(60), name, made * 1.03, made),)


def test_rounded_volumes_and_noisy_floats_do_not_disagree() -> None:
    fine = series(180)
    coarse = with_value(resampled(fine, HOUR).series, "volume", 1, 0.0)
    nearly = resampled(fine, HOUR).series
    nearly = with_value(nearly, "volume", 1, nearly.volume[1] + 0.02)
    nearly = with_value(nearly, "close", 0, np.nextafter(nearly.close[0], 1e9))
    assert disagreements(fine, nearly).unlike == ()
    assert [one.column for one in disagreements(fine, coarse).unlike] == ["volume"]


def test_holes_excuse_only_what_they_could_have_held() -> None:
    whole = series(180)
    coarse = resampled(whole, HOUR).series
    fine = whole.taken(np.delete(np.arange(180), [70, 75]))
    assert disagreements(fine, coarse).unlike == ()
    for name, factor in (("high", 0.99), ("low", 1.01), ("volume", 0.5)):
        value = float(getattr(coarse, name)[1]) * factor
        told = disagreements(fine, with_value(coarse, name, 1, value))
        assert (told.whole, told.partial) == (2, 1)
        assert [one.column for one in told.unlike] == [name]


def test_a_longer_candle_that_is_not_there_is_named() -> None:
    fine = series(240)
    coarse = resampled(fine, HOUR).series
    assert disagreements(fine, coarse.taken(np.array([0, 2, 3]))).absent == (at(60),)
    # What lies outside was never asked for.
    assert disagreements(fine, coarse.taken(np.array([1, 2]))).absent == ()
    assert disagreements(fine, coarse.taken(slice(0))).absent == ()


def test_two_instruments_are_not_compared() -> None:
    with pytest.raises(UsageError, match="two instruments"):
        disagreements(series(60), series(1, HOUR, symbol="ETH-USD"))
