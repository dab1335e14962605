"""A round trip costs what the paper venue takes; the IC that pays is what a simulation needs."""

import json
from decimal import Decimal
from math import sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from rrr.backtesting.break_even import (
    HORIZONS,
    WAYS,
    YEAR,
    Traded,
    Way,
    break_even_ic,
    break_even_of_best,
    costs,
    measured,
    pays_from_days,
    round_trip,
    stated,
)
from rrr.config.venue_costs import profile, profiles
from rrr.core.errors import DataError, UsageError
from rrr.core.market import BPS, GRAINS_MAX, PPM, QUANTA_MAX, Candle, Instrument, worth
from rrr.core.matching import at_open, inside
from rrr.core.orders import NO_ORDER, Kind, Side, Status, TimeInForce
from rrr.core.shelf import NO_ASSUMPTIONS, NO_SHELF, Matched, Purse, begun, submit
from rrr.data_pipeline.instruments import Spec
from rrr.data_pipeline.market import Quoted
from rrr.neural_network.panel import Panel
from tests.builders import HOUR, LISTED, PRICE, QUANTA, START, candle, instrument

MONEY = Decimal(10_000)
FORECASTS = 2_000_000


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("listed", LISTED, ids=["BTC", "ETH/BTC", "SHIB", "PEPE"])
def test_a_round_trip_costs_what_the_paper_venue_takes(
    listed: tuple[Instrument, int], way: Way
) -> None:
    traded = listed[0]._replace(fee_maker_ppm=333, notional_min=0)
    middle = listed[1] - listed[1] % traded.tick
    quantity = 1_234 * traded.lot
    begin = Purse(QUANTA_MAX // 2, 0)

    bought = at_the_venue(begin, 0, traded, Side.BUY, middle, quantity, way.enters)
    sellable = bought.shelf.quantity - bought.shelf.quantity % traded.lot
    sold = at_the_venue(
        bought.purse, bought.shelf.quantity, traded, Side.SELL, middle, sellable, way.leaves
    )

    trip = round_trip(traded, middle, quantity, way)
    assert (bought.report.maker, sold.report.maker) == way
    kept = worth(traded, middle, sold.shelf.quantity)
    assert trip.cost == begin.cash - sold.purse.cash - kept
    assert trip.fees >= bought.report.fee + sold.report.fee
    assert trip.width >= 0


def at_the_venue(
    purse: Purse,
    held: int,
    traded: Instrument,
    side: Side,
    middle: int,
    quantity: int,
    rests: int,
) -> Matched:
    """One order, filled by a candle: it takes from one that stands still, or is gone through."""
    worst = middle if rests else middle + side * (middle // 10 - middle // 10 % traded.tick)
    order = NO_ORDER._replace(
        sequence=1,
        kind=int(Kind.LIMIT if rests else Kind.TAKE),
        side=int(side),
        quantity=quantity,
        price=worst,
        time_in_force=int(TimeInForce.GTC if rests else TimeInForce.IOC),
        post_only=rests,
        at_ms=START,
    )
    shelf = begun(NO_SHELF._replace(quantity=held), traded, NO_ASSUMPTIONS, GRAINS_MAX)
    accepted = submit(purse, shelf, traded, order, middle, START)
    assert accepted.report.status == Status.ACCEPTED
    still = candle(middle)
    through = still._replace(low=middle - traded.tick, high=middle + traded.tick)
    matched = at_open(
        accepted.purse, accepted.shelf, traded, NO_ASSUMPTIONS, still, START, START + HOUR
    )
    if rests:
        assert matched.report.status == 0, "It rests."
        matched = meet(matched, traded, through)
    assert (matched.report.status, matched.report.quantity) == (Status.FILLED, quantity)
    return matched


def meet(matched: Matched, traded: Instrument, met: Candle) -> Matched:
    return inside(matched.purse, matched.shelf, traded, NO_ASSUMPTIONS, met, START, START + HOUR)


def test_takers_pay_two_fees_two_half_spreads_and_two_slippages() -> None:
    traded = instrument(tick=1, fee_taker_ppm=6_000, half_spread_ppm=50, slippage_ppm=100)
    trip = round_trip(traded, PRICE, 10**8, WAYS["taker-taker"])
    assert trip.notional == PRICE * 10**8 // traded.scale
    assert trip.width == trip.notional * 2 * 150 // PPM
    # The dearer purchase and the cheaper sale pay their fees on what they cost and bring.
    dearer, cheaper = PPM + 150, PPM - 150
    assert trip.fees == trip.notional * 6_000 * (dearer + cheaper) // PPM**2


def test_a_maker_pays_his_fee_and_no_spread_and_a_rebate_is_a_gain() -> None:
    wide = instrument(fee_maker_ppm=-20, half_spread_ppm=5_000, slippage_ppm=5_000)
    trip = round_trip(wide, PRICE, 10**8, WAYS["maker-maker"])
    assert trip.width == 0
    assert trip.cost == -2 * 20 * trip.notional // PPM
    assert break_even_ic(trip.bps, move_bps=100) == 0


def test_a_middle_between_two_ticks_is_rounded_against_us_at_both_ends() -> None:
    coarse = instrument(tick=1_000, fee_maker_ppm=0)
    trip = round_trip(coarse, PRICE + 500, 10**8, WAYS["maker-maker"])
    assert trip.cost == 1_000 * 10**8 // coarse.scale


def test_a_fee_in_coins_costs_what_the_same_fee_in_money_costs() -> None:
    fees = {"fee_taker_ppm": 1_000, "lot": 1, "quantity_min": 1, "half_spread_ppm": 0}
    money = round_trip(instrument(**fees, slippage_ppm=0), PRICE, 10**8, WAYS["taker-taker"])
    coins = instrument(**fees, slippage_ppm=0, fee_in_base=1)
    trip = round_trip(coins, PRICE, 10**8, WAYS["taker-taker"])
    # What was taken in coins is not sold again, and pays no fee for it.
    assert money.cost - trip.cost == money.notional // 1_000 // 1_000


# ── The formulas, against chance ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("tails", ["normal", "fat"])
@pytest.mark.parametrize("share", [0.9, 1.0, 1.1])
def test_a_sign_trader_breaks_even_at_this_ic_and_at_no_other(tails: str, share: float) -> None:
    trip, move = 30e-4, 2e-2
    ic = share * break_even_ic(trip * BPS, move * BPS)
    forecast, returns = drawn(ic, move, tails)
    # Long or flat, beyond the matched hold; and long or short, which trades twice as much.
    for position in (forecast > 0, np.sign(forecast)):
        sought = position - position.mean()
        turnover = np.abs(np.diff(position, prepend=position[:1]))
        assert sign_of_mean(sought * returns - turnover * trip / 2) == round(10 * (share - 1))


@pytest.mark.parametrize("share", [0.9, 1.0, 1.1])
def test_who_trades_the_best_tenth_breaks_even_at_that_ic(share: float) -> None:
    trip, move = 30e-4, 2e-2
    forecast, returns = drawn(share * break_even_of_best(trip * BPS, move * BPS, 0.1), move, "fat")
    best = forecast > np.quantile(forecast, 0.9)
    assert sign_of_mean((returns - trip)[best]) == round(10 * (share - 1))


def drawn(ic: float, move: float, tails: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Forecasts, and returns that correlate with them so much; the rest is noise."""
    chance = np.random.default_rng(7)
    forecast = chance.standard_normal(FORECASTS)
    noise = chance.standard_normal(FORECASTS)
    if tails == "fat":
        noise = chance.standard_t(5, FORECASTS) / sqrt(5 / 3)
    return forecast, move * (ic * forecast + sqrt(1 - ic * ic) * noise)


def sign_of_mean(gains: NDArray[np.float64]) -> int:
    """0 where chance could be all of it: four standard errors are none of ours."""
    error = float(gains.std()) / sqrt(len(gains))
    return 0 if abs(float(gains.mean())) < 4 * error else int(np.sign(gains.mean()))


@pytest.mark.parametrize(
    ("side_bps", "move_bps", "known"),
    [
        # BTC at 65 % a year, a day and a week.
        *((125, 6_500 / sqrt(365), 0.46), (125, 6_500 * sqrt(7 / 365), 0.17)),
        *((65, 6_500 / sqrt(365), 0.24), (65, 6_500 * sqrt(7 / 365), 0.09)),
        # An hour, four hours and a day at 0.5, 1 and 3 %.
        *((10, 50, 0.25), (10, 100, 0.125), (10, 300, 0.042)),
        *((2, 50, 0.05), (2, 100, 0.025), (2, 300, 0.008)),
    ],
)
def test_the_figures_that_the_design_stands_on(
    side_bps: float, move_bps: float, known: float
) -> None:
    assert break_even_ic(2 * side_bps, move_bps) == pytest.approx(known, abs=0.006)


def test_a_horizon_of_so_many_days_needs_that_ic() -> None:
    days = pays_from_days(30, 6_600, 0.05)
    move = 6_600 * sqrt(days / 365)
    assert break_even_ic(30, move) == pytest.approx(0.05)


# ── How far a price moves ────────────────────────────────────────────────────────────────────────


def test_a_stated_volatility_grows_with_the_root_of_time() -> None:
    traded = stated("BTC-USD", 6_000)
    assert traded.yearly_bps == pytest.approx(6_000)
    assert traded.moves_bps["4h"] == pytest.approx(2 * traded.moves_bps["1h"])


def test_a_history_tells_how_far_its_prices_move() -> None:
    hourly_bps = 50.0
    [walk] = measured(*history(walked(hourly_bps, 60_000), HOUR))
    for horizon, move in walk.moves_bps.items():
        expected = hourly_bps * sqrt(HORIZONS[horizon] / HOUR)
        assert move == pytest.approx(expected, rel=0.06), horizon
    assert walk.price == int(walked(hourly_bps, 60_000)[-1])
    assert walk.basis == "measured, 60,000 candles"


def test_what_trends_moves_farther_than_the_root_of_time() -> None:
    steps = np.random.default_rng(5).standard_normal(6_000).cumsum()
    smooth = np.convolve(steps, np.ones(24) / 24, "valid")
    [trending] = measured(*history(np.exp(smooth / 100) * PRICE, HOUR))
    assert trending.moves_bps["1d"] > 2 * sqrt(24) * trending.moves_bps["1h"]


def test_horizons_too_long_for_a_history_are_scaled_from_the_longest_that_is_not() -> None:
    [short] = measured(*history(walked(50, 24 * 40), HOUR))
    assert short.moves_bps["1w"] == pytest.approx(sqrt(7) * short.moves_bps["1d"])
    assert short.moves_bps["5m"] == pytest.approx(short.moves_bps["1h"] / sqrt(12))


def test_holes_are_not_moves() -> None:
    closes = walked(50, 5_000)
    whole = measured(*history(closes, HOUR))[0].moves_bps["1h"]
    closes[::50] = 0
    [holed] = measured(*history(closes, HOUR))
    assert holed.moves_bps["1h"] == pytest.approx(whole, rel=0.05)


@pytest.mark.parametrize("closes", [[], [PRICE], [PRICE] * 30, [PRICE] * 500, [0] * 500])
def test_what_does_not_tell_how_far_it_moves_is_refused(closes: list[float]) -> None:
    with pytest.raises(DataError, match="BTC-USD has too few candles, or too still ones"):
        measured(*history(np.array(closes), HOUR))


def walked(step_bps: float, candles: int) -> NDArray[np.float64]:
    steps = np.random.default_rng(3).standard_normal(candles) * step_bps / BPS
    closes: NDArray[np.float64] = PRICE * np.exp(steps.cumsum() - steps.cumsum().mean())
    return closes


def history(closes: NDArray[np.float64], timeframe_ms: int) -> tuple[Panel, list[Quoted]]:
    """One instrument; where its close is 0 there is a hole."""
    prices = closes.astype(np.int64)[None, :]
    times = START + np.arange(len(closes), dtype=np.int64) * timeframe_ms
    volume = np.zeros_like(prices)
    panel = Panel(prices, prices, prices, prices, volume, prices > 0, times, timeframe_ms)
    spec = Spec("coinbase", "BTC-USD", "BTC", "USD", 4, 8, 100, 1_000, 1_000, 10 * QUANTA, False)
    return panel, [Quoted(spec, "made here")]


# ── All of it ────────────────────────────────────────────────────────────────────────────────────


def test_everything_that_is_found_is_json_and_names_what_no_model_reaches() -> None:
    found = costs(profiles(), [stated("BTC-USD"), stated("WIF-USD", 15_000)], MONEY)
    assert json.loads(json.dumps(found)) == found
    for told, given in zip(found["profiles"], profiles(), strict=True):
        assert told["profile"] == given.name
        assert (told["checked_on"], told["sources"]) == (
            given.schedule.checked_on.isoformat(),
            list(given.schedule.sources),
        )
        for one in told["instruments"]:
            trips = [way["bps"] for way in one["ways"]]
            assert trips == sorted(trips, reverse=True), "Who rests pays less."
            for way in one["ways"]:
                assert list(way["break_even_ic"]) == list(HORIZONS)
                beyond = [h for h, ic in way["break_even_ic"].items() if ic > 0.1]
                assert way["beyond_honest"] == beyond
                parts = Decimal(way["fees"]) + Decimal(way["width"])
                assert abs(parts - Decimal(way["cost"])) <= Decimal("0.01")


def test_the_same_money_costs_the_same_in_every_unit() -> None:
    """Scales are how we count; only ticks and lots may tell in what."""
    [fine] = costs([profile("coinbase")], [stated("BTC-USD")], MONEY)["profiles"]
    [listed] = costs([profile("coinbase")], [real()], MONEY)["profiles"]
    for one, other in zip(fine["instruments"], listed["instruments"], strict=True):
        for way, same in zip(one["ways"], other["ways"], strict=True):
            assert way["bps"] == pytest.approx(same["bps"], abs=0.02)


def test_a_profile_replaces_what_the_instrument_said_of_costs() -> None:
    dear = real()
    charged = dear.instrument._replace(fee_taker_ppm=90_000, slippage_ppm=90_000)
    found = costs([profile("kraken")], [dear], MONEY)
    other = Traded(dear.symbol, charged, dear.price, dear.moves_bps, dear.basis)
    assert costs([profile("kraken")], [other], MONEY) == found


def test_a_venue_that_takes_its_fee_in_coins_is_charged_so() -> None:
    [told] = costs([profile("binance")], [stated("BTC-USD")], MONEY)["profiles"]
    rests = told["instruments"][0]["ways"][-1]
    first = MONEY * Decimal("0.001")
    assert Decimal(rests["fees"]) == first + (MONEY - first) * Decimal("0.001")


@pytest.mark.parametrize("notional", ["0.0000001", "0", "5", "100000000000"])
def test_what_no_venue_takes_is_refused(notional: str) -> None:
    with pytest.raises(UsageError, match="is less than a venue takes for BTC-USD, or more than"):
        costs([profile("kraken")], [real()], Decimal(notional))


def real() -> Traded:
    """BTC with Coinbase's steps, at 40,000."""
    moves = {horizon: 6_600 * sqrt(ms / YEAR) for horizon, ms in HORIZONS.items()}
    return Traded("BTC-USD", instrument(), PRICE, moves, "stated")
