"""The same round trips in another order, the same days in other blocks: how lucky was this one?"""

import json
from itertools import permutations
from math import sqrt

import numpy as np
import pytest

from rrr.backtesting.growth import F64, Daily
from rrr.backtesting.montecarlo import (
    SHARES,
    STEPS_MAX,
    Interval,
    Played,
    bootstrapped,
    memory,
    reshuffled,
)
from rrr.backtesting.nulls import equity_before
from rrr.backtesting.trades import trades_of
from tests.backtesting.runs import Fill, traded, written
from tests.builders import PRICE


def days(returns: F64) -> Daily:
    return Daily(np.arange(len(returns)), returns)


def normal(n: int, seed: int = 7, mean: float = 0.001) -> Daily:
    return days(np.random.Generator(np.random.Philox(seed)).normal(mean, 0.02, n))


def played(found: Played | str) -> Played:
    assert isinstance(found, Played)
    return found


def deepest(returns: F64) -> float:
    levels = np.append(1.0, np.cumprod(1 + returns)).tolist()
    return max(float(1 - low / high) for k, high in enumerate(levels) for low in levels[k:])


def test_an_order_moves_the_drawdown_and_not_the_return() -> None:
    fills = []
    for k, price in enumerate((PRICE * 2, PRICE // 2, PRICE * 5 // 4, PRICE * 3 // 4)):
        fills += [Fill(2 * k + 1, 5.0), Fill(2 * k + 2, -5.0, price)]
    result, history = written(fills)
    trades = trades_of(result, history)
    found = played(reshuffled(result, trades, draws=2_000))
    made = trades.pnl / equity_before(result, trades)
    total = np.prod(1 + made) - 1
    assert found.total_ratio == pytest.approx((total,) * 4)
    assert found.sharpe == "the order of round trips does not change it"
    assert found.drawdown_ratio.run == pytest.approx(deepest(made))
    depths = [deepest(np.array(order)) for order in permutations(made)]
    assert found.drawdown_ratio.high == pytest.approx(max(depths))
    assert found.drawdown_ratio.low == pytest.approx(min(depths))
    deeper = np.mean([depth > deepest(made) + 1e-12 for depth in depths])
    assert found.deeper_ratio == pytest.approx(deeper, abs=0.05)
    assert found.block == 0
    assert found.steps.tolist() == [0, 1, 2, 3, 4]


def test_the_product_of_what_the_round_trips_made_is_nearly_the_run_s_return() -> None:
    result, history = traded(2, 200)
    found = played(reshuffled(result, trades_of(result, history), draws=10))
    assert found.total_ratio.run == pytest.approx(result.equity[-1] / result.equity[0] - 1, abs=0.1)


def test_the_days_themselves_are_one_of_their_draws() -> None:
    run = normal(365)
    found = played(bootstrapped(run))
    returns = run.returns
    sharpe = returns.mean() / returns.std(ddof=1) * sqrt(365)
    assert isinstance(found.sharpe, Interval)
    assert found.total_ratio.run == pytest.approx(np.prod(1 + returns) - 1)
    assert found.sharpe.run == pytest.approx(sharpe)
    assert found.drawdown_ratio.run == pytest.approx(deepest(returns))
    for interval in (found.total_ratio, found.drawdown_ratio, found.sharpe):
        assert interval.low < interval.median < interval.high
    assert found.sharpe.low < found.sharpe.run < found.sharpe.high


def test_of_days_without_memory_the_spread_is_that_of_theory() -> None:
    run = normal(1_000)
    found = played(bootstrapped(run, draws=4_000))
    assert isinstance(found.sharpe, Interval)
    error = sqrt((1 + (found.sharpe.run**2 / 365) / 2) / 999 * 365)
    assert (found.sharpe.high - found.sharpe.low) / (2 * 1.645) == pytest.approx(error, rel=0.1)


def test_days_that_go_on_as_they_began_go_further() -> None:
    """Blocks keep a trend; single days would lose it."""
    chance = normal(1_000, mean=0.0).returns
    trending = np.zeros(1_000)
    for k in range(1, 1_000):
        trending[k] = 0.8 * trending[k - 1] + chance[k] * 0.6  # as wide as before
    alone, together = (played(bootstrapped(days(r))).total_ratio for r in (chance, trending))
    assert memory(trending) > 2 * memory(chance)
    wide = np.log1p(together.high) - np.log1p(together.low)
    assert wide > 2 * (np.log1p(alone.high) - np.log1p(alone.low))


def test_calm_and_wild_times_stay_together_though_returns_forget() -> None:
    random = np.random.Generator(np.random.Philox(7))
    wild = np.where(np.arange(1_000) // 50 % 2, 0.03, 0.005)
    assert memory(random.normal(size=1_000) * wild) > 10


def test_the_fan_widens_around_the_run_and_its_bands_never_cross() -> None:
    run = normal(800)
    found = played(bootstrapped(run))
    assert found.bands.shape == (len(SHARES), len(found.steps))
    assert len(found.steps) == STEPS_MAX + 1
    assert (found.steps[0], found.steps[-1]) == (0, 800)
    assert (np.diff(found.bands, axis=0) >= 0).all()
    assert found.bands[:, 0].tolist() == [1] * len(SHARES)
    assert found.run[-1] == pytest.approx(1 + found.total_ratio.run)
    assert found.bands[-1, -1] == pytest.approx(1 + found.total_ratio.high)
    wide = found.bands[-1] - found.bands[0]
    assert wide[-1] > wide[len(wide) // 4] > wide[1] > 0


def test_the_same_seed_plays_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    run = normal(300)
    first, again, other = (played(bootstrapped(run, seed=seed)) for seed in (1, 1, 2))
    assert first.total_ratio == again.total_ratio
    assert first.total_ratio != other.total_ratio
    monkeypatch.setattr("rrr.backtesting.montecarlo.CELLS", 1_000)
    parts = played(bootstrapped(run, seed=1))
    assert parts.drawdown_ratio.median == pytest.approx(first.drawdown_ratio.median, rel=0.1)


def test_of_less_than_90_days_no_yearly_ratio_is_told() -> None:
    found = played(bootstrapped(normal(89)))
    assert found.sharpe == "nothing is made yearly of less than 90 days; these are 89.0"
    told = found.as_json()
    assert told["sharpe"] is None
    assert told["reasons"] == {"sharpe": found.sharpe}
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert played(bootstrapped(normal(90))).as_json()["reasons"] == {}


@pytest.mark.parametrize("returns", [[0.0] * 200, [0.0, -1.0] * 50, [-1.0] + [0.0] * 99])
def test_what_stands_still_and_what_is_ruined_are_numbers_too(returns: list[float]) -> None:
    found = played(bootstrapped(days(np.array(returns)), draws=50))
    json.dumps(found.as_json(), allow_nan=False)
    assert np.isfinite(found.bands).all()


def test_where_too_little_happened_a_sentence_says_so() -> None:
    assert isinstance(bootstrapped(normal(1)), str)
    result, history = written([Fill(1, 1.0)])
    trades = trades_of(result, history)
    assert reshuffled(result, trades) == "one round trip has no other order"
