"""The simulated world is a function of place, stays inside 64 bits, and can be learned."""

from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rrr.data_pipeline import simulated_world
from rrr.data_pipeline.simulated import COINS
from rrr.data_pipeline.simulated_world import (
    DAY_MS,
    HOUR_MS,
    SLOT,
    SLOTS_MAX,
    Coin,
    Columns,
    Regime,
    columns,
)

F64 = NDArray[np.float64]

BTC: Final = COINS["BTC-USD"]
FIRST: Final = 473_352  # the hours from 1970 to 2024
SAMPLE: Final = 40_000
NORMAL: Final = 32  # returns that say what is usual, as a learner would see it
COST: Final = 0.0012  # of one side: fee and half a spread


@cache
def sample(symbol: str, seed: int = 1) -> Columns:
    return columns(seed, COINS[symbol], HOUR_MS, FIRST, FIRST + SAMPLE)


def returns(made: Columns) -> F64:
    """From close to close, one for each candle."""
    closes = np.log(made.close.astype(np.float64))
    return np.diff(closes, prepend=closes[0])


def mean(values: F64, length: int) -> F64:
    """Of the last `length` values; zero before there are so many."""
    sums = np.cumsum(np.concatenate([[0.0], values]))
    return np.concatenate([np.zeros(length - 1), (sums[length:] - sums[:-length]) / length])


def correlation(one: F64, other: F64) -> float:
    return float(np.corrcoef(one, other)[0, 1])


@given(
    first=st.integers(FIRST, FIRST + SAMPLE - 1),
    places=st.integers(1, 3_000),
    coin=st.sampled_from(list(COINS.values())),
)
def test_a_span_is_the_same_made_alone(first: int, places: int, coin: Coin) -> None:
    end = min(first + places, FIRST + SAMPLE)
    alone, whole = columns(1, coin, HOUR_MS, first, end), sample(coin.symbol)
    for made, expected in zip(alone, whole, strict=True):
        assert (made == expected[first - FIRST : end - FIRST]).all()


def test_how_moves_are_cut_into_blocks_is_never_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = columns(2, BTC, HOUR_MS, FIRST, FIRST + 2_000)
    monkeypatch.setattr(simulated_world, "BLOCK", 301)
    simulated_world._block.cache_clear()
    other = columns(2, BTC, HOUR_MS, FIRST, FIRST + 2_000)
    simulated_world._block.cache_clear()
    assert all((one == two).all() for one, two in zip(whole, other, strict=True))


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**63 - 1),
    coin=st.sampled_from(list(COINS.values())),
    timeframe_ms=st.sampled_from([60_000, HOUR_MS, DAY_MS]),
    year=st.integers(2005, 2200),
)
def test_every_candle_is_one_a_venue_could_show(
    seed: int, coin: Coin, timeframe_ms: int, year: int
) -> None:
    first = (year - 1970) * 365 * DAY_MS // timeframe_ms
    made = columns(seed, coin, timeframe_ms, first, first + 500)
    prices = np.stack(made[:4])
    assert (prices % coin.tick == 0).all()
    assert (prices > coin.price * 10**coin.points // 17).all()
    assert (prices < coin.price * 10**coin.points * 17).all()
    assert (made.low == prices.min(axis=0)).all()
    assert (made.high == prices.max(axis=0)).all()
    assert (made.volume > 0).all()
    assert (made.volume % coin.lot == 0).all()
    assert (made.volume < 1 << 60).all()
    assert (made.bid > 0).all()
    assert (made.bid % coin.tick == 0).all()
    assert (made.ask % coin.tick == 0).all()
    assert (made.bid < made.ask).all()
    assert (made.bid <= made.close).all()
    assert (made.close <= made.ask).all()


def test_moves_of_two_coins_belong_together_and_differ() -> None:
    found = np.corrcoef([returns(sample(symbol)) for symbol in COINS])
    apart = found[np.triu_indices(len(COINS), 1)]
    assert (apart > 0.4).all()
    assert (apart < 0.8).all()


@pytest.mark.parametrize("symbol", COINS)
def test_returns_cluster_and_have_heavy_tails(symbol: str) -> None:
    moved = returns(sample(symbol))
    size = abs(moved)
    assert 5 < float((moved**4).mean() / (moved**2).mean() ** 2) < 20
    assert correlation(size[:-1], size[1:]) > 0.2
    assert correlation(size[:-96], size[96:]) > 0.03
    assert abs(correlation(moved[:-1], moved[1:])) < 0.05
    assert correlation(sample(symbol).volume.astype(np.float64), size) > 0.5


def test_spreads_widen_where_it_is_lively() -> None:
    made = sample("BTC-USD")
    spread = (made.ask - made.bid) / made.close
    usual = mean(returns(made) ** 2, NORMAL) ** 0.5
    lively = usual > np.quantile(usual, 0.9)
    assert spread[lively].mean() > 1.5 * spread[~lively].mean()


def test_some_opens_are_not_the_close_before_and_some_candles_are_missing() -> None:
    for symbol in COINS:
        made = sample(symbol)
        assert 0.2 < float((made.open[1:] != made.close[:-1]).mean()) < 0.3
        assert 1 / 4_000 < float((~made.there).mean()) < 1 / 1_000


def test_candles_reach_as_far_as_a_path_inside_them_does() -> None:
    made = sample("BTC-USD")
    reach = float((made.high - made.low).mean() / abs(made.close - made.open).mean())
    assert 1.4 < reach < 2.0  # a random walk of eight steps: about 1.5; endlessly many: 2


@pytest.mark.parametrize("symbol", COINS)
@pytest.mark.parametrize("timeframe_ms", [HOUR_MS, DAY_MS])
def test_prices_stay_in_reach_for_decades_and_never_stand(symbol: str, timeframe_ms: int) -> None:
    first = FIRST * HOUR_MS // timeframe_ms
    coin, candles = COINS[symbol], 30 * 365 * DAY_MS // timeframe_ms
    made = columns(5, coin, timeframe_ms, first, first + candles)
    assert (made.low > coin.price * 10**coin.points // 10).all()
    assert (made.high < coin.price * 10**coin.points * 10).all()
    assert (np.diff(made.close) == 0).mean() < 0.05


def test_volatility_grows_with_the_root_of_time() -> None:
    def deviation(hours: int) -> float:
        first = FIRST // hours
        made = columns(1, BTC, hours * HOUR_MS, first, first + 20_000)
        return float(returns(made).std())

    assert deviation(4) / deviation(1) == pytest.approx(2, rel=0.15)


def test_regimes_last_days_to_weeks_and_are_mostly_shared() -> None:
    regime = sample("BTC-USD").regime
    changes = np.flatnonzero(np.diff(regime))
    lengths = [later - earlier for earlier, later in pairwise(changes.tolist())]
    assert min(lengths) >= SLOT // 2
    assert 7 * 24 < np.mean(lengths) < 28 * 24
    assert np.quantile(lengths, 0.75) < SLOT * SLOTS_MAX
    assert min(np.bincount(regime)) > SAMPLE / 6
    for symbol in COINS:
        assert (sample(symbol).regime == regime).mean() > 0.6


def test_regimes_show_in_past_returns() -> None:
    """The variance of a day's moves over that of 24 single ones: 1 where nothing is remembered."""
    ratios = {}
    for regime in Regime:
        apart, alike = 0.0, 0.0
        for symbol in COINS:
            made, moved = sample(symbol), returns(sample(symbol))
            inside = mean((made.regime == regime).astype(np.float64), 48) > 0.999
            apart += float((mean(moved, 24)[inside] ** 2).sum()) * 24
            alike += float((mean(moved**2, 24)[inside]).sum())
        ratios[regime] = apart / alike
    assert ratios[Regime.TREND] > 1.7
    assert 0.8 < ratios[Regime.NOISE] < 1.25
    assert ratios[Regime.REVERSION] < 0.6


def test_a_plain_learner_is_right_a_little_more_often_than_not() -> None:
    """Ridge on past returns alone, learned on the first 60 %, judged on the last 39 %."""
    cut, seen = int(SAMPLE * 0.6), {symbol: known(sample(symbol)) for symbol in COINS}
    learn, judge = slice(500, cut), slice(cut + 400, SAMPLE - 1)
    x = np.concatenate([rows[learn] for rows, _ in seen.values()])
    y = np.concatenate([label[learn] for _, label in seen.values()])
    weights = np.linalg.solve(x.T @ x + 1_000 * np.eye(x.shape[1]), x.T @ y)
    forecast = np.concatenate([rows[judge] @ weights for rows, _ in seen.values()])
    came = np.concatenate([label[judge] for _, label in seen.values()])
    regime = np.concatenate([np.roll(sample(s).regime, -1)[judge] for s in COINS])

    assert 0.03 < correlation(forecast, came) < 0.15
    skill = {r: correlation(forecast[regime == r], came[regime == r]) for r in Regime}
    assert skill[Regime.TREND] > 0.05
    assert skill[Regime.REVERSION] > 0.05
    assert abs(skill[Regime.NOISE]) < 0.03


def known(made: Columns) -> tuple[F64, F64]:
    """What past closes say, and the next candle's return from its open: both in usual moves."""
    moved = returns(made)
    usual = mean(moved**2, NORMAL) ** 0.5 + 1e-9
    sums = [mean(moved, n) * n**0.5 / usual for n in (1, 2, 4, 8, 16, 32)]
    pulse = np.clip(moved / usual, -6, 6)
    turning = mean(pulse * np.roll(pulse, 1), 48)
    going = np.clip(mean(mean(moved, 8) ** 2, 96) * 8 / (mean(moved**2, 96) + 1e-12), 0, 5) - 1
    rows = np.stack([*sums, *(s * turning for s in sums), *(s * going for s in sums)], axis=1)
    came = np.log(np.roll(made.close, -1) / np.roll(made.open, -1))
    return rows, np.clip(came / usual, -6, 6)


@pytest.mark.parametrize("symbol", COINS)
def test_who_knows_the_regime_earns_more_than_it_costs(symbol: str) -> None:
    """Long or flat, decided at a close, traded at the next open."""
    made = sample(symbol)
    moved, regime = returns(made), np.roll(made.regime, -1)
    pulse = moved / (mean(moved**2, NORMAL) ** 0.5 + 1e-9)
    level = np.cumsum(pulse)
    on, back = mean(pulse, 32) * 32**0.5, mean(level, 8) - level
    hope = np.select([regime == Regime.TREND, regime == Regime.REVERSION], [on, back], 0.0)
    held, position = np.zeros(SAMPLE), 0.0
    for n in range(500, SAMPLE):
        if hope[n] > 1:
            position = 1.0
        elif hope[n] <= 0:
            position = 0.0
        held[n] = position
    opens = np.log(made.open.astype(np.float64))
    gained = float((held[:-2] * (opens[2:] - opens[1:-1])).sum())
    paid = float(abs(np.diff(held)).sum()) * COST
    assert gained > 2 * paid > 0
    assert gained - paid > 2 * abs(opens[-1] - opens[500])
