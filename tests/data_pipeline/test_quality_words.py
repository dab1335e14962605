from dataclasses import fields

import numpy as np

from rrr.data_pipeline.quality import Report, disagreements, examined
from rrr.data_pipeline.quality_words import ODD, WRONG, disagreements_in_words, in_words
from rrr.data_pipeline.resample import resampled
from rrr.data_pipeline.store_series import Series
from tests.data_pipeline.store_builders import DAY, FIRST, HOUR, MINUTE, series, with_value

HEAD = "kraken BTC-USD 1m: 90 candles, 2024-01-01 00:00 UTC to 2024-01-01 01:29 UTC (rest 90)"


def broken() -> Series:
    """Something of each kind of finding."""
    given = series((*range(200), 199, 198, 300, *range(500, 900)))
    for name, place, value in (
        ("close", 20, 0.0),
        ("high", 40, 90_000.0),
        ("volume", 60, 0.0),
        ("volume", 200, 7.0),
    ):
        given = with_value(given, name, place, value)
    for place in range(300, 330):
        for name in ("open", "high", "low", "close"):
            given = with_value(given, name, place, 42_000.0)
    for name in ("open", "high", "low", "close", "volume"):
        given = with_value(given, name, 500, getattr(given, name)[499])
    stamps = given.ts.copy()
    stamps[202] += 1
    return Series(**{f.name: getattr(given, f.name) for f in fields(given)} | {"ts": stamps})


def test_nothing_odd_is_said_in_two_lines() -> None:
    assert in_words(examined(series(90))) == [HEAD, "  nothing odd"]


def test_no_candle_is_said_in_one() -> None:
    assert in_words(examined(series(0))) == ["kraken BTC-USD 1m: no candle"]


def test_every_finding_has_its_line() -> None:
    begin = FIRST + 400 * MINUTE
    report = examined(broken(), [(begin, begin + 3 * MINUTE)])
    findings = [f.name for f in fields(Report)][5:-1]
    empty = [name for name in findings if not getattr(report, name)]
    assert empty == []
    _, *lines = in_words(report)
    assert len(lines) == len(findings)
    wrong = ("impossible", "off the grid", "out of order", "said twice")
    for line in lines:
        assert line.startswith(f"  {WRONG if any(word in line for word in wrong) else ODD} ")
    assert "  ! impossible candles: 1: 2024-01-01 00:20 UTC its close is not positive" in lines
    assert "  ! said twice, unlike: 1: 2024-01-01 03:19 UTC" in lines
    silence = "nobody traded, as the venue confirms: 3 candles: 2024-01-01 06:40 UTC × 3"
    assert f"  · {silence}" in lines
    assert "  · without volume: 1 candle: 2024-01-01 01:00 UTC × 1" in lines


def test_gaps_are_told_with_the_longest_first() -> None:
    _, line = in_words(examined(series((0, 2, 6, 8, 10))))
    assert line == (
        "  · gaps: 4, 6 candles missing (54.545%): 2024-01-01 00:03 UTC × 3;"
        " 2024-01-01 00:01 UTC × 1; 2024-01-01 00:07 UTC × 1; 1 more"
    )


def test_disagreements_are_counted_by_value_and_by_candle() -> None:
    fine = series(48, HOUR)
    coarse = resampled(fine, DAY).series
    high, low = float(coarse.high[1]), float(coarse.low[1])
    assert disagreements_in_words(disagreements(fine, coarse))[1:] == ["  they agree"]
    unlike = with_value(with_value(coarse, "high", 1, high + 1), "low", 1, low - 1)
    assert disagreements_in_words(disagreements(fine, unlike)) == [
        "kraken BTC-USD 1d against kraken BTC-USD 1h: 2 candles compared (2 whole, 0 with holes)",
        f"  ! 2 values of 1 candle disagree: 2024-01-02 00:00 UTC high {high + 1:.15g},"
        f" made {high:.15g}; 2024-01-02 00:00 UTC low {low - 1:.15g}, made {low:.15g}",
    ]
    fine = series(72, HOUR)
    holed = resampled(fine, DAY).series.taken(np.array([0, 2]))
    _, line = disagreements_in_words(disagreements(fine, holed))
    assert line == "  ! longer candles missing: 1: 2024-01-02 00:00 UTC"
