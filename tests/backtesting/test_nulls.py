"""Chance has the same trades at other times; whoever timed well stands above it."""

import json
from math import prod
from typing import Final

import numpy as np
import pytest

from rrr.backtesting.history import History
from rrr.backtesting.nulls import Null, equity_before, random_entries
from rrr.backtesting.result import Result
from rrr.backtesting.trades import trades_of
from rrr.neural_network.panel import I64
from tests.backtesting.runs import Fill, traded, written
from tests.builders import BTC, HOUR, PRICE, START

COINS: Final = 5.0
FREE: Final = BTC._replace(fee_taker_ppm=0, half_spread_ppm=0, slippage_ppm=0)


def against_chance(run: tuple[Result, History], draws: int = 10_000, seed: int = 1) -> Null:
    found = random_entries(*run, trades_of(*run), draws=draws, seed=seed)
    assert isinstance(found, Null)
    return found


def walk(times: int, seed: int, drift: float = 0.0) -> I64:
    random = np.random.Generator(np.random.Philox(seed))
    prices = np.rint(PRICE * np.cumprod(1 + random.normal(drift, 0.01, times)))
    closes: I64 = prices.astype(np.int64)
    return closes


def timed(closes: I64, begins: list[int], length: int) -> tuple[Result, History]:
    """Bought at these opens, each time for so many candles."""
    fills = []
    for begin in begins:
        fills.append(Fill(begin, COINS, int(closes[begin - 1])))
        fills.append(Fill(begin + length, -COINS, int(closes[begin + length - 1])))
    return written(fills, closes, of=(FREE,))


def test_every_null_is_the_run_moved_as_a_whole() -> None:
    """All distances but the nearest, one by one, trip by trip."""
    run = result, history = written(
        [
            *(Fill(2, 3.0, PRICE), Fill(5, -3.0, PRICE + 5_000)),
            *(Fill(3, 9.0, PRICE, of=1), Fill(4, 5.0, PRICE, of=1), Fill(9, -14.0, PRICE, of=1)),
            *(Fill(10, 2.0, PRICE), Fill(11, -2.0, PRICE - 900)),
        ],
        np.stack([walk(15, 1), walk(15, 2)]),
        of=(BTC, BTC._replace(id=1)),
    )
    trades = trades_of(result, history)
    places, begins_ms = 15, START
    expected = []
    apart = 3  # a quarter of 15 candles: the longest round trip lasts six
    for distance in range(apart, places - apart + 1):
        grown = 1.0
        for k in range(len(trades)):
            i = int(trades.instrument[k])
            opens = [*history.panel.open[i].tolist(), int(history.panel.close[i, -1])]
            begin = (int(trades.opened_ms[k]) - begins_ms) // HOUR
            length = (int(trades.closed_ms[k]) - int(trades.opened_ms[k])) // HOUR
            candles = [(begin + distance + step) % places for step in range(length)]
            gross = prod(opens[candle + 1] / opens[candle] for candle in candles) - 1
            held = [
                result.worth[c, i] / result.equity[c]
                for c, at_ms in enumerate(result.at_ms)
                if trades.opened_ms[k] < at_ms < trades.closed_ms[k]
            ]
            before = int(result.equity[begin - 1])
            share = sum(held) / len(held) if held else trades.notional[k] / before
            cost = (trades.fees[k] + trades.slippage[k]) / before
            grown *= 1 + share * gross - cost
        expected.append(grown - 1)
    found = against_chance(run)
    assert found.ratios == pytest.approx(sorted(expected))
    made = trades.pnl / equity_before(result, trades)
    assert found.run_ratio == pytest.approx(np.prod(1 + made) - 1)
    assert found.mean_ratio == pytest.approx(np.mean(expected))


def test_who_knows_the_future_beats_chance() -> None:
    closes = walk(400, 5)
    moves = closes[4:] / closes[:-4] - 1
    best = np.argsort(-moves)[:40].tolist()
    begins: list[int] = []
    for place in best:
        if all(abs(place + 1 - begin) > 5 for begin in begins):
            begins.append(place + 1)
    found = against_chance(timed(closes, sorted(begins), 4))
    assert found.percentile_ratio == 1
    assert found.p_value == 1 / (1 + len(found.ratios))
    assert found.run_ratio > found.high_ratio > found.mean_ratio > found.low_ratio


def test_who_buys_whenever_it_falls_is_not_saved_by_a_rising_market() -> None:
    """Beta is in the nulls too."""
    closes = walk(600, 6, drift=0.01)
    moves = closes[4:] / closes[:-4] - 1
    begins = [k + 1 for k in range(0, 590, 6) if moves[k] < np.median(moves)]
    found = against_chance(timed(closes, begins, 4))
    assert found.run_ratio > 0
    assert found.percentile_ratio < 0.05


@pytest.mark.parametrize("drift", [0.0, 0.003])
def test_chance_is_beaten_as_often_as_chance_would(drift: float) -> None:
    """Runs that time nothing stand anywhere among their nulls."""
    places = []
    for seed in range(200):
        random = np.random.Generator(np.random.Philox(1_000 + seed))
        begins = (np.arange(12) * 20 + 1 + random.integers(0, 12, 12)).tolist()
        run = timed(walk(250, seed, drift), begins, 6)
        places.append(against_chance(run, draws=199, seed=seed).percentile_ratio)
    shares = np.array(places)
    assert 0.02 <= (shares > 0.95).mean() <= 0.09
    assert 0.02 <= (shares < 0.05).mean() <= 0.09
    assert shares.mean() == pytest.approx(0.5, abs=0.06)


def test_instruments_that_move_as_one_are_moved_together() -> None:
    """Two halves of one position are as wild as the whole of it."""
    closes = walk(300, 8)
    begins = list(range(10, 290, 20))
    whole = against_chance(timed(closes, begins, 8))
    halves = []
    for begin in begins:
        for i in (0, 1):
            halves.append(Fill(begin, COINS / 2, int(closes[begin - 1]), of=i))
            halves.append(Fill(begin + 8, -COINS / 2, int(closes[begin + 7]), of=i))
    two = FREE, FREE._replace(id=1)
    split = against_chance(written(halves, np.stack([closes, closes]), of=two))
    assert split.ratios.std() == pytest.approx(whole.ratios.std(), rel=0.01)


def test_costs_are_paid_wherever_it_happens() -> None:
    flat = np.full(50, PRICE)
    fills = [Fill(3, COINS), Fill(6, -COINS)]
    run = written(fills, flat)
    found, trades = against_chance(run), trades_of(*run)
    share = trades.fees[0] / equity_before(run[0], trades)[0]
    assert found.ratios == pytest.approx(-share)
    assert found.run_ratio == pytest.approx(-share)
    assert found.percentile_ratio == pytest.approx(0.5, abs=0.5)


def test_ties_count_half() -> None:
    found = against_chance(timed(np.full(50, PRICE), [3, 9], 3))
    assert found.run_ratio == 0
    assert found.ratios.tolist() == [0] * 45  # as far apart as a round trip is long
    assert found.percentile_ratio == 0.5
    assert found.p_value == 1


def test_a_seed_decides_which_places_and_none_comes_twice() -> None:
    run = timed(walk(2_000, 3), list(range(10, 1_900, 50)), 20)
    first, again, other = (against_chance(run, 300, seed) for seed in (1, 1, 2))
    assert (first.ratios == again.ratios).all()
    assert (first.ratios != other.ratios).any()
    every = against_chance(run)
    assert len(every.ratios) == 1_961
    assert np.isin(first.ratios.round(12), every.ratios.round(12)).all()
    assert len(np.unique(first.ratios)) == 300


def test_work_in_portions_is_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    run = traded(1, 200)
    whole = against_chance(run, 100)
    monkeypatch.setattr("rrr.backtesting.nulls.CELLS", 128)
    assert against_chance(run, 100).ratios == pytest.approx(whole.ratios)


def test_a_core_s_run_with_holes_stands_somewhere_and_its_json_is_plain() -> None:
    found = against_chance(traded(1, 200), 50)
    told = found.as_json()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["null_draws"] == 50
    assert 0 <= told["null_percentile_ratio"] <= 1


def test_where_nothing_can_be_moved_a_sentence_says_so() -> None:
    run = written([])
    assert random_entries(*run, trades_of(*run)) == "there is no round trip to move"
    run = written([Fill(0, 1.0)], (PRICE,))
    assert random_entries(*run, trades_of(*run)) == "there is no other candle to move to"
