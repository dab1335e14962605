from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from rrr.core.errors import UsageError
from rrr.core.market import Source
from rrr.data_pipeline.recorded import find, read
from rrr.data_pipeline.resample import Partial, resampled
from rrr.data_pipeline.store_series import Decimals, Series, decimals_of, sound
from tests.data_pipeline.store_builders import (
    DAY,
    FIRST,
    HOUR,
    MINUTE,
    SHARED,
    flat_at,
    rows,
    series,
)

FIVE = 5 * MINUTE


def test_five_make_one() -> None:
    fine = series(10)
    made = resampled(fine, FIVE)
    assert made.partial == ()
    for at, one in enumerate(rows(made.series)):
        part = fine.taken(slice(5 * at, 5 * at + 5))
        volume = sum(Decimal(f"{each:.2f}") for each in part.volume)
        assert one == (
            FIRST + at * FIVE,
            part.open[0],
            part.high.max(),
            part.low.min(),
            part.close[-1],
            float(volume),
            Source.BUILT,
        )
    assert made.series.name == "kraken BTC-USD 5m"
    assert made.series.origin == ("made of 1m candles", "kraken rest")


def test_a_group_with_a_hole_is_not_made_and_is_named() -> None:
    made = resampled(series([0, 1, 2, 4, *range(5, 15), 23]), FIVE)
    assert made.series.ts.tolist() == [FIRST + FIVE, FIRST + 2 * FIVE]
    assert made.partial == (Partial(FIRST, 4, 5), Partial(FIRST + 4 * FIVE, 1, 5))


def test_a_part_that_nobody_traded_is_not_missing() -> None:
    fine = series([0, 1, 2, 4, *range(5, 10), 14, 15])
    silent = [(FIRST + 3 * MINUTE, FIRST + 4 * MINUTE), (FIRST + 10 * MINUTE, FIRST + 13 * MINUTE)]
    made = resampled(fine, FIVE, silent)
    assert made.series.ts.tolist() == [FIRST, FIRST + FIVE]
    assert made.series.close[0] == fine.close[3]
    assert made.partial == (Partial(FIRST + 2 * FIVE, 4, 5), Partial(FIRST + 3 * FIVE, 1, 5))


@pytest.mark.parametrize("place", range(5))
def test_a_part_that_was_drawn_has_no_price_of_its_own(place: int) -> None:
    fine = flat_at(series(10), place, 99_999.0)
    one, other = rows(resampled(fine, FIVE).series)
    traded = fine.taken(np.delete(np.arange(5), place))
    assert one[1:5] == (traded.open[0], traded.high.max(), traded.low.min(), traded.close[-1])
    assert other == rows(resampled(series(10), FIVE).series)[1]


def test_where_nobody_traded_at_all_the_longer_candle_is_drawn_too() -> None:
    fine = series(5)
    for place in range(5):
        fine = flat_at(fine, place, 42_000.0)
    assert rows(resampled(fine, FIVE).series) == [
        (FIRST, *[42_000.0] * 4, 0.0, Source.BUILT),
    ]


def test_what_begins_or_ends_inside_a_group_is_not_made() -> None:
    made = resampled(series(range(3, 17)), FIVE)
    assert made.series.ts.tolist() == [FIRST + FIVE, FIRST + 2 * FIVE]
    assert [partial.at_ms for partial in made.partial] == [FIRST, FIRST + 3 * FIVE]


def test_weeks_begin_on_mondays() -> None:
    made = resampled(series(range(-3, 18), DAY), 7 * DAY)
    assert made.series.ts.tolist() == [FIRST, FIRST + 7 * DAY]


def test_one_synthetic_part_makes_it_synthetic() -> None:
    sources = np.array([Source.REST] * 7 + [Source.SYNTHETIC] + [Source.REST] * 2, np.int8)
    made = resampled(series(10, source=sources), FIVE)
    assert made.series.source.tolist() == [Source.BUILT, Source.SYNTHETIC]


def test_nothing_makes_nothing() -> None:
    made = resampled(series(0), HOUR)
    assert (len(made.series), made.series.timeframe_ms, made.partial) == (0, HOUR, ())


@pytest.mark.parametrize(
    ("step_ms", "longer", "words"),
    [
        (HOUR, MINUTE, "1h candles make no 1m candles. They make 2h, 4h"),
        (HOUR, HOUR, "1h candles make no 1h"),
        (3 * MINUTE, FIVE, "3m candles make no 5m candles. They make 15m"),
        (7 * DAY, 14 * DAY // 3, "They make none."),
    ],
)
def test_what_cannot_be_made_is_refused_with_what_can(
    step_ms: int, longer: int, words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        resampled(series(3, step_ms), longer)
    assert words in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(some.lists(some.integers(0, 10**12), min_size=5, max_size=5), some.integers(0, 8))
def test_volumes_are_added_as_decimals(volumes: list[int], decimals: int) -> None:
    floats = np.array([volume / 10**decimals for volume in volumes])
    fine = series(5, volume=floats, decimals=Decimals(2, decimals))
    [volume] = resampled(fine, FIVE).series.volume
    assert volume == float(Fraction(sum(volumes), 10**decimals))


@settings(max_examples=60, deadline=None)
@given(some.sets(some.integers(0, 500), max_size=400))
def test_by_way_of_quarters_the_hours_are_the_same(places: set[int]) -> None:
    fine = series(sorted(places))
    by_quarters = resampled(resampled(fine, 15 * MINUTE).series, HOUR).series
    at_once = sound(resampled(fine, HOUR).series)
    assert rows(by_quarters) == rows(at_once)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared market data is not here")
@pytest.mark.parametrize("symbol", ["BTC-USDT", "SHIB-USDT"])
@pytest.mark.parametrize("longer", ["15m", "1h", "4h", "1d"])
def test_real_candles_make_the_venues_own(symbol: str, longer: str) -> None:
    fine, coarse = (recorded(symbol, name) for name in ("5m", longer))
    made = resampled(fine, coarse.timeframe_ms)
    assert made.partial == ()
    for name in ("ts", "open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(made.series, name), getattr(coarse, name)), name


def recorded(symbol: str, timeframe: str) -> Series:
    [found] = find(SHARED / "binance", [symbol], timeframe)
    one = read(found)
    figures = (one.open, one.high, one.low, one.close)
    return Series(
        found.venue,
        symbol,
        found.timeframe_ms,
        one.opened_at_ms,
        *figures,
        volume=one.volume,
        source=np.full(len(one.open), Source.REPLAYED, np.int8),
        decimals=decimals_of(figures, one.volume),
    )
