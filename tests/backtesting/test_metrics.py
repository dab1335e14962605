"""What a run came to, figure by figure; what cannot be told says why."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import sqrt
from statistics import mean, median, stdev
from typing import Any, Final

import numpy as np
import pytest

from rrr.backtesting import hold
from rrr.backtesting.history import History
from rrr.backtesting.metrics import Metrics, measured
from rrr.backtesting.result import Result
from rrr.backtesting.trades import trades_of
from rrr.core.market import Source
from rrr.core.orders import Cause, Kind, Rejection, Report, Status
from rrr.core.rules import Refusal
from rrr.monitoring.summary import matched_hold
from tests.backtesting.runs import Fill, traded, written
from tests.builders import BTC, CAPITAL, HOUR, PRICE, QUANTA, START

DAY: Final = 24 * HOUR
COINS: Final = 20.0  # at 40,000: most of the capital


def of(run: tuple[Result, History], **more: Any) -> Metrics:
    return measured(*run, trades_of(*run), **more)


def swinging(days: int, seed: int = 3) -> tuple[Result, History]:
    """Bought on the first day and held, by daily closes."""
    random = np.random.Generator(np.random.Philox(seed))
    closes = np.rint(PRICE * np.cumprod(1 + random.normal(0.001, 0.02, days))).astype(np.int64)
    return written([Fill(24, COINS, PRICE)], closes, every_ms=DAY)


def test_yearly_figures_are_those_of_their_formulas() -> None:
    run = swinging(200)
    found, result = of(run), run[0]
    levels = [1.0, *(result.equity / CAPITAL).tolist()]
    returns = [after / before - 1 for before, after in pairwise(levels)]
    fall = max(1 - low / high for k, high in enumerate(levels) for low in levels[k:])
    total = levels[-1] - 1
    cagr = (1 + total) ** (365 / 200) - 1
    told = found.returns
    assert told.total_ratio == pytest.approx(total)
    assert told.cagr_ratio == pytest.approx(cagr)
    assert told.volatility_ratio == pytest.approx(stdev(found.daily.returns) * sqrt(365))
    assert found.daily.returns[1:].tolist() == pytest.approx(returns)
    mine = [0.0, *returns]  # the day on which it began had no close
    sharpe = mean(mine) / stdev(mine)
    assert told.sharpe_daily == pytest.approx(sharpe)
    assert told.sharpe == pytest.approx(sharpe * sqrt(365))
    downside = sqrt(mean(min(r, 0) ** 2 for r in mine))
    assert told.sortino == pytest.approx(mean(mine) / downside * sqrt(365))
    assert told.calmar == pytest.approx(cagr / fall)
    assert told.best_day_ratio == pytest.approx(max(mine))
    assert told.worst_day_ratio == pytest.approx(min(mine))
    assert told.days_won_ratio == sum(r > 0 for r in mine) / len(mine)
    assert found.drawdown.depth_ratio == pytest.approx(fall)
    assert found.span.days == 200


def test_the_interval_holds_the_ratio_and_narrows_with_time() -> None:
    short, long = of(swinging(100)).returns, of(swinging(1_000)).returns
    widths = []
    for told in (short, long):
        assert told.sharpe is not None and told.sharpe_low is not None
        assert told.sharpe_high is not None
        assert told.sharpe_low < told.sharpe < told.sharpe_high
        widths.append(told.sharpe_high - told.sharpe_low)
    assert widths[1] < widths[0] / 2.5


def test_more_trials_are_worth_less() -> None:
    run = swinging(400)
    once, often = of(run).returns, of(run, tried=200, variance=0.003).returns
    assert once.sharpe_deflated == once.sharpe_probability
    assert often.sharpe_probability == once.sharpe_probability
    assert often.sharpe_deflated is not None and once.sharpe_deflated is not None
    assert often.sharpe_deflated < once.sharpe_deflated - 0.1


@pytest.mark.parametrize(("days", "told"), [(89, False), (90, True)])
def test_nothing_is_made_yearly_of_less_than_90_days(days: int, told: bool) -> None:
    found = of(swinging(days))
    yearly = ("cagr_ratio", "volatility_ratio", "sharpe", "sharpe_low", "sharpe_high", "sortino")
    figures = [*(getattr(found.returns, name) for name in (*yearly, "calmar"))]
    figures.append(found.use.turnover_yearly_ratio)
    assert [figure is not None for figure in figures] == [told] * len(figures)
    assert found.returns.sharpe_daily is not None
    assert len(found.rolling.day) == max(len(found.daily.returns) - 89, 0)
    for name in () if told else yearly:
        assert (
            found.reasons[name]
            == f"nothing is made yearly of less than 90 days; these are {days}.0"
        )


def test_rolling_ratios_are_those_of_their_90_days() -> None:
    found = of(swinging(150))
    days = found.daily.returns.tolist()
    assert len(found.rolling.sharpe) == len(days) - 89
    for k, ratio in enumerate(found.rolling.sharpe):
        window = days[k : k + 90]
        assert ratio == pytest.approx(mean(window) / stdev(window) * sqrt(365))
    assert found.rolling.day.tolist() == found.daily.day[89:].tolist()


def test_round_trips_by_hand() -> None:
    gains = (800, -400, 400, 400, -1_200, 0)  # dollars a coin, before some 80 of fees
    fills = []
    for k, gain in enumerate(gains):
        cause = Cause.STOP if gain < 0 else Cause.SIGNAL
        fills.append(Fill(2 * k + 1, 1.0))
        fills.append(Fill(2 * k + 2, -1.0, PRICE + gain * 10_000, cause))
    fills.append(Fill(13, 1.0))
    run = written(fills, (PRICE,) * 20)
    trades, found = trades_of(*run), of(run)
    over = trades.pnl[~trades.open].tolist()
    won, lost = [p for p in over if p > 0], [p for p in over if p < 0]
    assert (len(won), len(lost)) == (3, 3)  # what gains nothing pays its fees
    counts, average = found.counts, found.average
    assert (counts.round_trips, counts.round_trips_won, counts.round_trips_open) == (6, 3, 1)
    assert (counts.streak_won, counts.streak_lost) == (2, 2)
    assert average.won_ratio == 0.5
    assert average.profit_factor == sum(won) / -sum(lost)
    assert average.expectancy == pytest.approx(mean(over))
    ratios = [p / (PRICE // 10**4 * QUANTA) for p in over]
    assert average.average_ratio == pytest.approx(mean(ratios))
    assert average.median_ratio == pytest.approx(median(ratios))
    assert (average.best_ratio, average.worst_ratio) == (max(ratios), min(ratios))
    assert average.held_ms_average == average.held_ms_longest == HOUR
    assert average.held_ms_median == average.held_ms_shortest == HOUR
    assert [(exit_.reason, exit_.round_trips) for exit_ in found.exits] == [
        ("signal", 4),
        ("stop", 2),
        ("open", 1),
    ]
    assert sum(exit_.pnl for exit_ in found.exits) == found.money.pnl
    assert found.exits[1].won_ratio == 0
    assert found.money.fees == trades.fees.sum()
    assert found.money.traded == run[0].column(Report, "notional").sum()


def test_a_streak_is_counted_in_the_order_of_the_ends() -> None:
    instruments = BTC, BTC._replace(id=1)
    fills = [
        *(Fill(1, 1.0), Fill(9, -1.0, PRICE * 2)),  # opens first, ends last, won
        *(Fill(2, 1.0, of=1), Fill(3, -1.0, PRICE // 2, of=1)),
        *(Fill(4, 1.0, of=1), Fill(5, -1.0, PRICE * 2, of=1)),
    ]
    found = of(written(fills, np.full((2, 10), PRICE), of=instruments))
    assert (found.counts.streak_won, found.counts.streak_lost) == (2, 1)


def test_exposure_turnover_and_time_in_the_market_by_hand() -> None:
    run = written([Fill(5, COINS), Fill(15, -COINS)], (PRICE,) * 20)
    found, result = of(run), run[0]
    worth, equity = result.worth[:, 0], result.equity
    assert found.use.in_market_ratio == 10 / 20
    assert found.use.exposure_ratio == pytest.approx(sum(worth / equity) / 20)
    assert found.use.turnover_ratio == pytest.approx(found.money.traded / mean(equity.tolist()))
    assert found.use.pnl_ratio == (equity[-1] - CAPITAL) / CAPITAL


def test_the_hold_is_that_of_a_session_and_its_parts_add_up() -> None:
    run = traded(2, 300)
    found = of(run)
    state = run[0].world.state
    assert found.use.matched_hold_ratio == matched_hold(state) != 0
    assert found.use.pnl_ratio is not None and found.use.matched_hold_ratio is not None
    assert found.use.difference_ratio == found.use.pnl_ratio - found.use.matched_hold_ratio
    parts = found.instruments
    assert sum(part.pnl for part in parts) == found.money.pnl
    assert sum(part.fees for part in parts) == found.money.fees
    assert sum(part.slippage for part in parts) == found.money.slippage
    assert sum(part.round_trips for part in parts) == found.counts.round_trips
    assert sum(part.round_trips_won for part in parts) == found.counts.round_trips_won
    assert sum(part.exposure_ratio for part in parts) == pytest.approx(found.use.exposure_ratio)
    # what a lane noted at each close, in whole basis points, and from its first signal on
    lane, closes = state.lanes[0], state.account.closes
    noted = lane.exposure_sum_bps / 10_000 / closes
    assert parts[0].exposure_ratio == pytest.approx(noted, abs=1e-4)


def test_the_curve_of_the_hold_begins_at_the_first_signal_and_ends_with_its_return() -> None:
    result, history = traded(2, 300)
    curve = hold.matched_curve(result, history)
    matched = matched_hold(result.world.state)
    assert curve[-1] == round(CAPITAL * (1 + matched))
    begun = min(lane.quiet for lane in result.world.state.lanes)
    assert curve[:begun].tolist() == [CAPITAL] * begun
    # a signal comes to a lane whose mark is this close: from here on it moves
    assert len(set(curve[begun : begun + 20].tolist())) == 20
    later = replace(
        result,
        **{name: getattr(result, name)[50:] for name in ("at_ms", "equity", "worth", "invested")},
    )
    assert hold.matched_curve(later, history).tolist() == curve[50:].tolist()


def test_the_market_is_told_beside() -> None:
    closes = np.array([[PRICE, PRICE * 2], [PRICE, PRICE * 4]])
    found = of(written([], closes, of=(BTC, BTC._replace(id=1))))
    assert [part.market_ratio for part in found.instruments] == [1, 3]
    assert found.use.market_ratio == 2


def test_an_instrument_without_a_candle_says_so() -> None:
    result, history = written([], np.full((2, 5), PRICE), of=(BTC, BTC._replace(id=1)))
    there = history.panel.there.copy()
    there[1] = False
    found = of((result, replace(history, panel=replace(history.panel, there=there))))
    assert found.instruments[1].market_ratio is None
    assert found.reasons["instruments.C1/USD.market_ratio"] == "it had no candle"
    assert found.use.market_ratio == 0


def test_deposits_and_withdrawals_are_no_returns() -> None:
    still = of(written([], (PRICE,) * 10, flows=[(3.5, CAPITAL), (6, -CAPITAL // 2)]))
    assert still.returns.total_ratio == 0
    assert still.money.pnl == 0
    assert still.money.capital == 2 * CAPITAL
    assert still.drawdown.depth_ratio == 0
    closes = (PRICE,) * 4 + (PRICE * 2,) * 6
    fills = [Fill(1, COINS, PRICE)]
    alone, with_more = of(written(fills, closes)), of(written(fills, closes, flows=[(7, CAPITAL)]))
    assert with_more.returns.total_ratio == pytest.approx(alone.returns.total_ratio)
    assert with_more.money.pnl == alone.money.pnl


def test_refusals_and_rejections_are_counted_by_reason() -> None:
    times = {(0, int(Refusal.CASH)): 2, (1, int(Refusal.CASH)): 5, (1, int(Refusal.STALE)): 9}
    instruments = BTC, BTC._replace(id=1)
    result, history = written(
        [Fill(1, 1.0)], np.full((2, 9), PRICE), of=instruments, refusals=times
    )
    rows = np.repeat(result.rows[-1:], 3, axis=0)
    place = 1 + Report._fields.index("rejection")
    rows[:, place] = (Rejection.COLLAR, Rejection.NO_PRICE, Rejection.COLLAR)
    rows[:, 1 + Report._fields.index("status")] = Status.CANCELLED
    rows[:, 1 + Report._fields.index("notional")] = 0
    found = of((replace(result, rows=np.concatenate([result.rows, rows])), history))
    assert list(found.refusals.items()) == [("stale", 9), ("cash", 7)]
    assert list(found.rejections.items()) == [("collar", 2), ("no_price", 1)]
    assert [part.refusals for part in found.instruments] == [2, 14]


def test_the_share_of_candles_that_nobody_traded_is_told() -> None:
    result, history = written([], (PRICE,) * 10)
    source, there = history.source.copy(), history.panel.there.copy()
    source[0, :4] = Source.SYNTHETIC, Source.BUILT, Source.BUILT, Source.SYNTHETIC
    there[0, 3] = False
    history = replace(history, source=source, panel=replace(history.panel, there=there))
    assert of((result, history)).span.synthetic_ratio == 3 / 9
    assert of((result, replace(history, begins=1))).span.synthetic_ratio == 2 / 8


def test_what_came_before_the_beginning_is_not_measured() -> None:
    run = written([Fill(6, 1.0), Fill(8, -1.0)], (PRICE,) * 10)
    found = of((run[0], replace(run[1], begins=4)))
    assert found.span.begins_ms == START + 4 * HOUR
    assert (found.span.closes, found.span.days) == (6, 6 / 24)
    assert found.use.in_market_ratio == 2 / 6


# runs that are hardly any
DEGENERATE: Final[dict[str, tuple[Sequence[Fill], int, int, int]]] = {
    # fills, closes, milliseconds of each, last price
    "no round trip": ((), 10, HOUR, PRICE),
    "no round trip in years": ((), 800, DAY, PRICE),
    "one close": ((), 1, HOUR, PRICE),
    "one day": ((Fill(1, 1.0), Fill(3, -1.0, PRICE - 400)), 10, HOUR, PRICE),
    "one open round trip": ((Fill(1, 1.0),), 10, HOUR, PRICE),
    "nothing lost": ((Fill(1, 1.0), Fill(30, -1.0, 2 * PRICE)), 120, DAY, PRICE),
    "all is lost": ((Fill(24, 24.9),), 120, DAY, 1),
}


@pytest.mark.parametrize("name", [*DEGENERATE, "a core's run"])
def test_every_figure_that_is_missing_says_why_and_no_other_does(name: str) -> None:
    if name in DEGENERATE:
        fills, closes, every_ms, last = DEGENERATE[name]
        found = of(written(fills, (PRICE,) * (closes - 1) + (last,), every_ms=every_ms))
    else:
        found = of(traded(4, 100))
    told = found.as_json()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    missing = {name for name, value in told.items() if value is None}
    assert missing == told["reasons"].keys()
    assert all(reason for reason in told["reasons"].values())


def test_ruin_is_the_whole_of_it() -> None:
    cost = 24 * PRICE // 10**4 * QUANTA
    spent = cost + cost // 1_000
    result, history = written([Fill(24, 24.0)], (PRICE,) * 99 + (1,), every_ms=DAY)
    equity = np.where(np.arange(100) == 99, 0, result.equity)
    found = of((replace(result, equity=equity), history))
    assert spent < CAPITAL
    assert found.returns.total_ratio == found.returns.cagr_ratio == -1
    assert found.returns.calmar == -1
    assert found.drawdown.depth_ratio == 1
    assert found.drawdown.recovered_ms is None


def test_json_tells_money_in_the_quote() -> None:
    found = of(written([Fill(1, 1.0), Fill(2, -1.0, PRICE + 10_000, kind=Kind.LIMIT)]))
    told = found.as_json()
    assert told["capital"] == CAPITAL / QUANTA
    assert told["pnl"] == found.money.pnl / QUANTA == told["instruments"][0]["pnl"]
    assert told["expectancy"] == told["exits"][0]["pnl"] == told["pnl"]
    assert told["drawdown_depth_ratio"] == round(found.drawdown.depth_ratio, 8)
