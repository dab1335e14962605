"""Fewer points never hide what happened: no peak, no trough, no loss among the gains."""

from dataclasses import replace
from decimal import Decimal
from math import floor, inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrr.backtesting.report import charts
from rrr.backtesting.report.charts import data, evenly, histogram, histograms, joined, thinned
from rrr.monitoring.words import money
from tests.backtesting.report import made
from tests.backtesting.report.made import HOUR
from tests.backtesting.report.test_packing import times, unpacked

RATIOS = st.lists(st.floats(-0.9, 5).map(lambda ratio: round(ratio, 4)), min_size=1, max_size=300)


@given(RATIOS)
def test_a_histogram_counts_every_value_once_and_no_gain_among_losses(ratios: list[float]) -> None:
    bins = histogram(np.array(ratios))
    assert sum(bins["counts"]) == len(ratios)
    assert len(bins["counts"]) <= charts.BINS_MAX
    edges = [(bins["first"] + place) * bins["width"] for place in range(len(bins["counts"]) + 1)]
    losing = sum(
        count for count, edge in zip(bins["counts"], edges[1:], strict=True) if edge <= 1e-12
    )
    if edges[0] < 0 < edges[-1]:
        assert losing == sum(ratio < 0 for ratio in ratios)


@given(RATIOS)
def test_what_lies_beyond_a_histogram_is_counted_at_its_ends(ratios: list[float]) -> None:
    bins = histogram(np.array(ratios))
    places = [floor(ratio / bins["width"]) for ratio in ratios]
    assert bins["below"] == sum(place < bins["first"] for place in places)
    assert bins["above"] == sum(place >= bins["first"] + len(bins["counts"]) for place in places)
    assert bins["below"] + bins["above"] <= 0.01 * len(ratios) + 2


def test_an_open_round_trip_has_no_return_yet() -> None:
    report = made.report(trips=12)
    counted = histograms(report)["returns"]["counts"]
    assert sum(counted) == 12 - int(report.trips.open.sum())


@pytest.mark.parametrize("together", [1, 3, 24, 1000])
def test_a_longer_candle_is_all_of_its_shorter_ones(together: int) -> None:
    whole = made.walk("A", 500)
    some = np.flatnonzero(np.arange(500) % 11)
    short = replace(
        whole,
        **{n: getattr(whole, n)[some] for n in ("opened_at_ms", "open", "high", "low", "close")},
    )
    long = joined(short, together * HOUR)

    expected: dict[int, list[int]] = {}
    rows = zip(*(c.tolist() for c in (short.open, short.high, short.low, short.close)), strict=True)
    for at, (opens, high, low, close) in zip(short.opened_at_ms.tolist(), rows, strict=True):
        opened = at // (together * HOUR) * together * HOUR
        row = expected.setdefault(opened, [opens, 0, 1 << 60, 0])
        row[1:] = [max(row[1], high), min(row[2], low), close]
    columns = (long.open, long.high, long.low, long.close)
    found = zip(*(column.tolist() for column in columns), strict=True)
    assert dict(zip(long.opened_at_ms.tolist(), map(list, found), strict=True)) == expected


def test_a_thinned_curve_keeps_its_ends_its_extremes_and_its_deepest_fall() -> None:
    fall = np.zeros(200_000)
    fall[123_457] = 0.5  # of a peak within its bucket: not where the equity is lowest
    curve = made.curve(made.walk("A", 200_000, seed=3), drawdown=fall)
    kept = thinned(curve)
    assert len(kept) <= charts.POINTS_MAX + 100
    assert (kept[0], kept[-1]) == (0, 199_999)
    assert {curve.equity.min(), curve.equity.max()} <= set(curve.equity[kept].tolist())
    assert curve.drawdown[kept].max() == curve.drawdown.max()


def test_a_curve_that_fits_is_drawn_whole() -> None:
    assert thinned(made.curve(made.walk("A", 300))).tolist() == list(range(300))


def test_equity_is_sent_to_the_cent() -> None:
    one = made.walk("A", 500)
    half = np.arange(500) * 500_000
    curve = made.curve(one, equity=10_000 * made.QUANTA + half)
    report = replace(made.report(), curve=curve)
    sent = data(report, {})["curve"]
    cents = np.cumsum(unpacked(sent["equity"])).tolist()
    written = [money(quanta) for quanta in report.curve.equity.tolist()]
    assert [f"{Decimal(one).scaleb(-2):,.2f}" for one in cents] == written
    assert sent["decimals"] == 2
    assert times(sent["at"], sent["begins"], sent["step"]) == report.curve.at_ms.tolist()


def test_a_small_equity_keeps_its_figures() -> None:
    one = made.walk("A", 5)
    small = replace(made.report(), curve=made.curve(one, equity=np.full(5, 12_345_678), hold=None))
    sent = data(small, {})["curve"]
    assert (sent["decimals"], unpacked(sent["equity"])[0]) == (8, 12_345_678)


def test_candles_that_are_too_many_are_joined_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report = made.report(candles=1_000)
    assert data(report, {})["traded"][0]["joined"] == 1
    monkeypatch.setattr(charts, "CANDLES_MAX", 300)
    assert data(report, {})["traded"][0]["joined"] == 4
    monkeypatch.setattr(charts, "CANDLES_BYTES_MAX", 500)
    few = data(report, {})["traded"][0]
    assert len(few["columns"]) <= 500
    assert few["step"] == few["joined"] * HOUR
    assert few["every"] == "1h"


def test_a_fan_of_many_steps_keeps_its_first_and_its_last() -> None:
    assert evenly(5, 10).tolist() == [0, 1, 2, 3, 4]
    many = evenly(123_456, 100)
    assert (len(many), many[0], many[-1]) == (100, 0, 123_455)


def test_a_round_step_is_never_below_the_wish() -> None:
    wishes = [10.0**power * digit for power in range(-6, 6) for digit in (1, 1.3, 2, 4.9, 5, 7)]
    for wished in wishes:
        step = charts.round_step(wished)
        assert wished * (1 - 1e-6) <= step <= 2.5 * wished
    with pytest.raises(OverflowError):
        charts.round_step(inf)
