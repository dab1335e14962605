import numpy as np
import pytest

from rrr.data_pipeline.coverage import OUTSIDE, block, coverage, labels, percent, picture
from tests.data_pipeline.store_builders import DAY, FIRST, HOUR, MINUTE, series


def test_days_are_whole_partly_there_or_empty() -> None:
    shown = coverage(series([*range(24), *range(24, 36), *range(72, 96)], HOUR))
    assert shown.unit == "D"
    assert labels(shown) == ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"]
    assert shown.shares.tolist() == [1.0, 0.5, 0.0, 1.0]
    assert (shown.candles, shown.expected) == (60, 96)
    assert picture(shown) == [
        "kraken BTC-USD 1h: 62.50 % of 96 candles",
        "         1234567890123456789012345678901",
        "2024-01  █▄·█",
    ]


def test_what_lies_before_the_first_and_after_the_last_is_not_missing() -> None:
    shown = coverage(series(range(12, 60), HOUR))
    assert shown.shares.tolist() == [1.0, 1.0, 1.0]
    assert percent(shown) == "100.00 %"


def test_a_long_history_is_drawn_in_months() -> None:
    days = np.array([*range(31), *range(60, 91), *range(366, 397)])
    assert picture(coverage(series(days, DAY))) == [
        "kraken BTC-USD 1d: 23.42 % of 397 candles",
        "         J F M A M J J A S O N D",
        "2024     █ · █ · · · · · · · · ·",
        "2025     █",
    ]


def test_one_missing_minute_is_seen_and_never_rounded_away() -> None:
    year = 366 * 24 * 60
    given = series(np.delete(np.arange(year), 45_000))
    shown = coverage(given)
    assert picture(shown)[2] == "2024     █ ▇ █ █ █ █ █ █ █ █ █ █"
    assert percent(shown) == "99.99 %"


@pytest.mark.parametrize("unit", ["D", "M"])
def test_a_cell_in_which_no_candle_opens_lies_outside(unit: str) -> None:
    shown = coverage(series(9, 7 * DAY), unit)
    assert shown.shares.max() == 1.0
    assert set(shown.shares.tolist()) == ({1.0, OUTSIDE} if unit == "D" else {1.0})
    assert (shown.candles, shown.expected) == (9, 9)


def test_disorder_repetition_and_strays_do_not_count() -> None:
    stamps = FIRST + np.array([0, 3, 3, 1, 4]) * MINUTE + np.array([0, 0, 0, 0, 7])
    shown = coverage(series(5, ts=stamps))
    assert (shown.candles, shown.expected) == (3, 4)


def test_no_candle_has_a_picture_too() -> None:
    assert picture(coverage(series(0))) == ["kraken BTC-USD 1m: 0.00 % of 0 candles"]


def test_more_is_never_a_lower_block() -> None:
    shares = np.linspace(0, 1, 1_000)
    order = "·▁▂▃▄▅▆▇█"
    drawn = [order.index(block(share)) for share in shares.tolist()]
    assert drawn == sorted(drawn)
    assert set(drawn) == set(range(9))
    assert [block(share) for share in (1e-9, 1 - 1e-9)] == ["▁", "▇"]


def test_a_time_without_trades_lacks_nothing() -> None:
    given = series([*range(24), *range(72, 80), *range(95, 120)], HOUR)
    silent = [(FIRST, FIRST + 80 * HOUR), (FIRST + 200 * HOUR, FIRST + 900 * HOUR)]
    assert picture(coverage(given, silent=silent))[2] == "2024-01  ███▃█"
    assert percent(coverage(given, silent=silent)) == "87.50 %"
