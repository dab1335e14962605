"""A feature is a function of the last `WINDOW` candles, and of nothing else: no past, no future."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from math import sqrt
from random import Random
from typing import Any

import numpy as np
import pytest

from rrr.core.market import QUANTA_MAX
from rrr.neural_network.features import BLOCK, CLIP, F32, FEATURES, WINDOW, features
from rrr.neural_network.panel import NUMBERS, Panel
from tests.neural_network.markets import panel

MARKET = [name.startswith(("market_", "leader_")) for name in FEATURES]
OWN = [not of_all for of_all in MARKET]
Make = Callable[[Panel], F32]


def same(one: F32, other: F32) -> bool:
    return one.shape == other.shape and one.tobytes() == other.tobytes()


def blind_to_the_future(make: Make, of: Panel, seed: int) -> bool:
    """Whether rows up to t stay, bit by bit, whatever happens to the candles after it."""
    dice, told = np.random.default_rng(seed), make(of)
    for t in dice.integers(WINDOW, of.times - 2, 50).tolist():
        rows = told[:, : t + 2 - WINDOW]
        for change in (moved, shuffled, emptied):
            if not same(
                make(changed(of, slice(t + 1, None), change, dice))[:, : t + 2 - WINDOW], rows
            ):
                return False
        if not same(make(of.cut(0, t + 1)), rows):
            return False
    return True


def changed(of: Panel, times: slice, change: Any, dice: Any) -> Panel:
    columns = {name: getattr(of, name).copy() for name in (*NUMBERS, "there")}
    change({name: column[:, times] for name, column in columns.items()}, dice)
    return replace(of, **columns)


def moved(columns: dict[str, Any], dice: Any) -> None:
    factor = np.exp(dice.normal(0, 0.1, columns["there"].shape))
    for name in NUMBERS:
        columns[name][:] = np.rint(columns[name] * factor) + columns["there"]


def shuffled(columns: dict[str, Any], dice: Any) -> None:
    order = dice.permutation(columns["there"].shape[1])
    for column in columns.values():
        column[:] = column[:, order]


def emptied(columns: dict[str, Any], dice: Any) -> None:
    gone = dice.random(columns["there"].shape) < 0.5
    for column in columns.values():
        column[gone] = 0


@pytest.mark.parametrize("seed", range(3))
def test_no_row_knows_anything_of_what_comes_after_it(seed: int) -> None:
    assert blind_to_the_future(features, panel(seed, 420, holes=0.02), seed)


def test_a_feature_that_knows_the_next_return_is_caught() -> None:
    def leaky(of: Panel) -> F32:
        made = features(of)
        made[:, :-1, 0] = made[:, 1:, 0] + np.float32(0.5) * made[:, :-1, 3]
        return made

    assert not blind_to_the_future(leaky, panel(1, 420), 1)


@pytest.mark.parametrize("seed", range(20))
def test_a_row_has_the_same_bits_made_alone_in_a_few_or_in_all(seed: int) -> None:
    dice = Random(seed)
    whole = panel(seed, dice.randint(WINDOW, 600), dice.randint(1, 9), holes=0.05)
    told = features(whole)
    for _ in range(20):
        first = dice.randrange(whole.times + 1 - WINDOW)
        last = first + WINDOW + dice.choice([0, 0, 1, 7, 10**6])
        part = features(whole.cut(first, last))
        assert same(part, told[:, first : first + part.shape[1]])


def test_where_a_long_time_is_cut_into_blocks_leaves_no_trace() -> None:
    whole = panel(7, BLOCK + WINDOW + 300, 2)
    told = features(whole)
    for first in (0, BLOCK - 1, BLOCK, BLOCK + 1, BLOCK + 300):
        assert same(features(whole.cut(first, first + WINDOW)), told[:, first : first + 1])


def test_of_the_other_instruments_only_the_markets_columns_know() -> None:
    whole = panel(3, 300, 5)
    alone = replace(whole, **{name: getattr(whole, name)[2:3] for name in (*NUMBERS, "there")})
    together, by_itself = features(whole)[2:3], features(alone)
    assert same(by_itself[..., OWN], together[..., OWN])
    assert (by_itself[..., MARKET] != together[..., MARKET]).all(axis=(0, 1)).sum() > 4


def test_what_is_older_than_the_window_is_forgotten_and_the_oldest_inside_is_not() -> None:
    whole, dice = panel(4, WINDOW + 40), np.random.default_rng(4)
    told = features(whole)
    older = changed(whole, slice(0, 40), moved, dice)
    assert same(features(older)[:, -1:], told[:, -1:])
    newer = changed(whole, slice(40, 41), emptied, np.random.default_rng(1))
    assert not same(features(newer)[:, -1:], told[:, -1:])


def test_times_with_too_little_behind_them_have_no_row() -> None:
    for times, rows in ((0, 0), (1, 0), (WINDOW - 1, 0), (WINDOW, 1), (WINDOW + 5, 6)):
        assert features(panel(1, 300).cut(0, times)).shape == (3, rows, len(FEATURES))


def twin(of: Panel, one: int, t: int) -> dict[str, float]:
    """The obvious twin: each number made anew from its definition, for a panel without holes."""
    price: list[int] = of.close[one, : t + 1].tolist()
    moves = [0.0] + [2 * (b - a) / (b + a) for a, b in pairwise(price)]

    def size(n: int, at: int = t) -> float:
        return sqrt(sum(move**2 for move in moves[at + 1 - n : at + 1]) / n)

    def average(n: int) -> float:
        levels = [sum(moves[: at + 1]) for at in range(t + 1 - n, t + 1)]
        return sum(levels) / n

    def kept(lag: int, n: int) -> float:
        times = range(t + 1 - n, t + 1)
        pairs = (moves[k] / size(32, k) * moves[k - lag] / size(32, k - lag) for k in times)
        return sum(pairs) / sqrt(n)

    high, low, volume = (column[one, : t + 1].tolist() for column in (of.high, of.low, of.volume))
    spans = [2 * (h - lo) / (h + lo) for h, lo in zip(high, low, strict=True)]
    bits = [number.bit_length() for number in (v + 1 for v in volume)]
    levels = [b + (v + 1) / 2 ** (b - 1) for b, v in zip(bits, volume, strict=True)][-48:]
    mean = sum(levels) / 48
    spread = sqrt(sum(level**2 for level in levels) / 48 - mean**2)
    long = [sum(moves[k - 7 : k + 1]) for k in range(t - 95, t + 1)]
    return {
        **{f"return_{n}": sum(moves[-n:]) / size(32) / sqrt(n) for n in (1, 2, 4, 8, 16, 32)},
        **{
            f"momentum_{fast}_{slow}": 2 * (average(fast) - average(slow)) / size(32) / sqrt(slow)
            for fast, slow in ((4, 16), (8, 32), (24, 96))
        },
        "volatility_8_32": size(8) / size(32) - 1,
        "volatility_32_96": size(32) / size(96) - 1,
        "range": spans[-1] / (sum(spans[-32:]) / 32) - 1,
        "close_in_range": (2 * price[-1] - high[-1] - low[-1]) / (high[-1] - low[-1]),
        "volume": (levels[-1] - mean) / spread,
        **{f"lag_{lag}_{n}": kept(lag, n) for lag, n in ((1, 48), (1, 96), (4, 96))},
        "variance_ratio": 2 * (sum(m**2 for m in long) / (8 * 96 * size(96) ** 2) - 1),
        "hole": 0.0,
    }


def test_every_own_feature_is_what_its_name_says() -> None:
    whole = panel(5, 400, holes=0)
    told = features(whole)
    for one, t in ((0, WINDOW - 1), (1, 200), (2, 399)):
        expected = twin(whole, one, t)
        assert sorted(expected) == sorted(np.array(FEATURES)[OWN])
        row = dict(zip(FEATURES, told[one, t + 1 - WINDOW].tolist(), strict=True))
        for name, number in expected.items():
            assert row[name] == pytest.approx(max(-CLIP, min(CLIP, number)), abs=0.01), name


def test_of_the_market_every_instrument_is_told_the_same() -> None:
    whole = panel(6, 300, 4, holes=0)
    told = dict(zip(FEATURES, np.moveaxis(features(whole), -1, 0), strict=True))
    mean = told["return_1"].mean(axis=0)
    regime = told["market_lag_1_48"][0]
    for one in range(4):
        assert told["market_return_1"][one] == pytest.approx(mean, abs=0.002)
        turn = regime / (1 + abs(regime)) * told["return_1"][one]
        assert told["market_turn"][one] == pytest.approx(turn, abs=0.01)
    pooled = sum(told["lag_4_96"]) / sqrt(4)
    assert told["market_lag_4_96"][0] == pytest.approx(np.clip(pooled, -CLIP, CLIP), abs=0.01)


def test_a_move_over_a_hole_is_no_move_and_is_told_as_a_hole() -> None:
    whole, gone = panel(8, WINDOW + 10, holes=0), WINDOW + 3
    there = whole.there.copy()
    there[1, gone] = False
    told = dict(zip(FEATURES, features(replace(whole, there=there))[1].T, strict=True))
    rows = np.arange(gone - 2, gone + 4) - WINDOW + 1
    assert told["hole"][rows].tolist() == [0, 0, 1, 1, 0, 0]
    for name in ("return_1", "market_turn"):
        assert (told[name][rows] != 0).tolist() == [True, True, False, False, True, True]
    for name in ("range", "close_in_range", "volume"):
        assert (told[name][rows] != 0).tolist() == [True, True, False, True, True, True]


def test_numbers_where_no_candle_is_decide_nothing() -> None:
    whole, dice = panel(9, 300, holes=0.1), np.random.default_rng(9)
    noise = dice.integers(-5, 10**9, whole.there.shape) * ~whole.there
    filled = {name: getattr(whole, name) + noise for name in NUMBERS}
    assert same(features(replace(whole, **filled)), features(whole))


@pytest.mark.parametrize("scale", [2, 10, 1000])
def test_the_unit_of_a_price_decides_nothing(scale: int) -> None:
    whole = panel(10, 300)
    prices = {name: getattr(whole, name) * scale for name in NUMBERS[:4]}
    assert same(features(replace(whole, **prices)), features(whole))


@pytest.mark.parametrize("price", [1, QUANTA_MAX - 1])
@pytest.mark.parametrize("jump", [False, True])
@pytest.mark.parametrize("volume", [0, 2**63 - 1])
def test_the_ends_of_all_numbers_give_numbers(price: int, jump: bool, volume: int) -> None:
    whole = panel(11, WINDOW + 60)
    prices = np.where(np.arange(whole.times) % 2 * jump, QUANTA_MAX - price, price)
    columns: dict[str, Any] = dict.fromkeys(NUMBERS[:4], whole.there * prices)
    columns["volume"] = whole.there * np.int64(volume)
    told = features(replace(whole, **columns))
    assert np.isfinite(told).all()
    assert (abs(told) <= CLIP).all()
