"""The tests are all of history after the first training, once; no training touches its own."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rrr.backtesting.growth import DAY_MS, Daily
from rrr.backtesting.history import History
from rrr.backtesting.walk_windows import (
    SHARE,
    TEST_DAYS_MIN,
    TRAIN_DAYS_MIN,
    Plan,
    alone,
    embargo_of,
    onward,
    part,
    windows_of,
)
from rrr.core.errors import UsageError
from rrr.neural_network.labels import HORIZON
from rrr.neural_network.panel import I64
from rrr.neural_network.strategies.naming import named
from tests.backtesting.histories import detailed, minutes
from tests.backtesting.runs import of_closes
from tests.backtesting.walks import A_DAY, from_midnight, noise
from tests.builders import HOUR, PRICE


def still(days: int, every_ms: int = 6 * HOUR, begins: int = 0) -> History:
    prices = np.full((1, days * DAY_MS // every_ms), PRICE)
    return from_midnight(of_closes(prices, every_ms, begins))


@settings(max_examples=60)
@given(
    days=st.integers(40, 900),
    windows=st.integers(1, 12),
    embargo=st.integers(0, 60),
    rolling=st.booleans(),
    begins=st.integers(0, 30),
    train_days=st.sampled_from([0, 30, 77]),
    hours=st.sampled_from([4, 6, 12, 24]),
    late=st.integers(0, 5),
)
def test_windows_tile_the_span_and_no_training_meets_its_test(
    days: int,
    windows: int,
    embargo: int,
    rolling: bool,
    begins: int,
    train_days: int,
    hours: int,
    late: int,
) -> None:
    history = still(days, hours * HOUR, begins)
    history = replace(history, panel=history.panel.cut(0, history.panel.times - late))
    plan = Plan(windows=windows, rolling=rolling, train_days=train_days)
    try:
        found = windows_of(history, plan, embargo)
    except UsageError:
        assume(False)
        raise
    opened = history.panel.opened_at_ms
    tested = [column for window in found for column in window.test]
    assert tested == list(range(found[0].test.start, history.panel.times))
    assert len(found) == windows
    for train, test in found:
        assert test.start - train.stop >= embargo
        assert opened[test.start] % DAY_MS == 0
        assert len(set(opened[test.start : test.stop] // DAY_MS)) >= TEST_DAYS_MIN
        assert len(set(opened[train.start : train.stop] // DAY_MS)) >= TRAIN_DAYS_MIN
        assert rolling or train.start == begins
        assert not rolling or train.start >= begins
    for before, after in pairwise(found):
        assert after.train.stop > before.train.stop
        assert not rolling or abs(len(after.train) - len(found[0].train)) <= DAY_MS // HOUR // hours
    if train_days:
        first = opened[found[0].train.start : found[0].train.stop] // DAY_MS
        assert len(set(first)) == train_days
    last = onward(history, plan, found)
    assert last.stop == history.panel.times
    assert last.start >= begins and len(last) >= len(found[0].train)


def test_the_first_training_is_as_long_as_four_tests() -> None:
    train, test = windows_of(still(360), Plan(windows=8), 0)[0]
    assert (len(train), len(test)) == (120 * A_DAY, 30 * A_DAY)
    assert len(train) == SHARE * len(test)


def test_an_embargo_is_taken_from_the_training_in_whole_days() -> None:
    plan = Plan(windows=8)
    windows = windows_of(still(363), plan, 2 * A_DAY + 1)
    assert [test.start - train.stop for train, test in windows] == [3 * A_DAY] * 8
    assert len(windows[0].train) == 120 * A_DAY


def test_the_embargo_is_the_longest_window_and_what_a_label_reaches() -> None:
    cross = [named(f"moving-average-cross:fast=5,slow={slow}") for slow in (50, 80, 20)]
    assert embargo_of(cross, Plan()) == 80 + HORIZON
    assert embargo_of(cross, Plan(embargo_candles=7)) == 7
    assert embargo_of(cross, Plan(embargo_candles=0)) == 0


def test_in_sample_there_is_one_window_that_is_both() -> None:
    history = still(3, begins=4)
    (window,) = windows_of(history, Plan(in_sample=True), 99)
    assert window.train == window.test == range(4, 12)


@pytest.mark.parametrize(
    ("days", "plan", "embargo", "said"),
    [
        (1, Plan(), 0, "1 day: 8 tests"),
        (69, Plan(windows=8), 0, "take 70"),
        (72, Plan(windows=8), 9, "an embargo of 3, take 73"),
        (900, Plan(windows=0), 0, "0 tests"),
        (900, Plan(train_days=29), 0, "29 days of training"),
        (900, Plan(train_days=900), 0, "take 940"),
    ],
)
def test_too_short_a_history_is_told_what_it_would_take(
    days: int, plan: Plan, embargo: int, said: str
) -> None:
    with pytest.raises(UsageError) as raised:
        windows_of(still(days), plan, embargo)
    assert said in str(raised.value)


def test_a_training_in_a_hole_is_named() -> None:
    history = still(140)
    history.panel.there[:, 160 : 160 + 60 * A_DAY] = False
    assert len(windows_of(history, Plan(windows=4), 0)) == 4
    with pytest.raises(UsageError, match="no candle in the training of 30 days from 20"):
        windows_of(history, Plan(windows=4, train_days=30, rolling=True), 0)


def test_the_least_that_is_asked_is_enough() -> None:
    assert len(windows_of(still(70), Plan(windows=8), 0)) == 8
    assert len(windows_of(still(35), Plan(windows=1), 0)) == 1


def test_a_part_is_the_days_of_its_columns() -> None:
    history = noise(50, 1)
    first = int(history.panel.opened_at_ms[0]) // DAY_MS
    days = Daily(np.arange(first, first + 50), np.arange(50) / 100)
    columns = range(7 * A_DAY, 12 * A_DAY)
    assert part(days, history, columns).tolist() == [0.07, 0.08, 0.09, 0.1, 0.11]


def test_alone_a_stretch_keeps_its_candles_and_what_warms_them() -> None:
    history = noise(50, 1, of=2)
    source: I64 = np.arange(2 * 200).reshape(2, 200)
    cut = alone(replace(history, source=source), range(40, 60), 15)
    assert cut.begins == 15 and cut.panel.times == 35
    assert cut.panel.close.tolist() == history.panel.close[:, 25:60].tolist()
    assert cut.source.tolist() == source[:, 25:60].tolist()
    assert alone(history, range(10, 60), 15).begins == 10


def test_alone_a_stretch_keeps_its_finer_candles(tmp_path: Path) -> None:
    history = detailed(tmp_path, minutes(range(600)))
    cut = alone(history, range(4, 7), 2)
    assert history.detail is not None and cut.detail is not None
    assert cut.detail.opened_at_ms.tolist() == history.detail.opened_at_ms[120:420].tolist()
    assert cut.detail.opened_at_ms[0] == cut.panel.opened_at_ms[0]
