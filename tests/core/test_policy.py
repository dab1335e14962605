"""Policy only wishes: whole lots, long or flat, sized by how much the instrument moves."""

import pytest

from rrr.core import policy, rules
from rrr.core.market import BPS, PPM, Instrument, Source, cost, down, worth
from rrr.core.orders import Kind, Side
from rrr.core.rules import Refusal
from rrr.core.state import SWING_ONE, Account, Lane, Law, Sizing
from tests.builders import BTC, CAPITAL, LAW, PRICE, RICH, candle, instrument, lane, law, order

CALM = lane(volatility_ppm=10_000)
COIN = 10**8
LIMIT = rules.collar(LAW, BTC, PRICE, Side.BUY, 0)


def wish(
    conviction_bps: int,
    under: Law = LAW,
    mine: Account = RICH,
    here: Lane = CALM,
    of: Instrument = BTC,
) -> int:
    return policy.wish(under, mine, here, of, conviction_bps)


def test_full_conviction_moves_equity_by_the_volatility_aimed_for() -> None:
    aimed = law(volatility_target_ppm=1_000, exposure_max_bps=BPS)
    moved = down(cost(BTC, LIMIT, wish(10_000, aimed)), CALM.volatility_ppm, PPM)
    assert moved == pytest.approx(CAPITAL * 1_000 // PPM, rel=1e-3)


def test_twice_the_volatility_is_half_the_wish() -> None:
    aimed = law(volatility_target_ppm=1_000)
    wild = CALM._replace(volatility_ppm=20_000)
    assert abs(wish(10_000, aimed) - 2 * wish(10_000, aimed, here=wild)) <= 2 * BTC.lot


def test_a_wish_stops_at_the_exposure_cap_however_calm_the_market() -> None:
    still = CALM._replace(volatility_ppm=0)
    most = wish(10_000, here=still)
    assert cost(BTC, LIMIT, most) <= CAPITAL * LAW.exposure_max_bps // BPS
    assert cost(BTC, LIMIT, most + BTC.lot) > CAPITAL * LAW.exposure_max_bps // BPS


@pytest.mark.parametrize("collar_bps", [1, 100, 1_000, 10_000])
def test_what_is_wished_is_never_refused_for_its_size(collar_bps: int) -> None:
    for cap in ({"order_notional_max": CAPITAL // 7}, {"exposure_max_bps": 777}):
        wide = law(collar_bps=collar_bps, **cap)
        wanted = wish(10_000, wide)
        assert wanted > 0
        assert rules.refuse(wide, RICH, CALM, BTC, wanted, CALM.marked_at_ms) == Refusal.NONE
        more = rules.refuse(wide, RICH, CALM, BTC, wanted + BTC.lot, CALM.marked_at_ms)
        assert more in (Refusal.NOTIONAL_MAX, Refusal.EXPOSURE)


def test_a_full_conviction_may_be_a_share_of_equity_however_the_market_moves() -> None:
    shares = law(sizing=int(Sizing.EQUITY), exposure_max_bps=3_000)
    for volatility_ppm in (0, 10_000, 900_000):
        here = CALM._replace(volatility_ppm=volatility_ppm)
        for conviction, share in ((1_000, 1_000), (2_500, 2_500), (10_000, 3_000)):
            wanted = wish(conviction, shares, here=here)
            assert 0 <= CAPITAL * share // BPS - cost(BTC, LIMIT, wanted) < cost(BTC, LIMIT, 1_000)


def test_a_full_conviction_may_be_so_many_coins_whatever_they_cost() -> None:
    coins = law(sizing=int(Sizing.UNITS))
    of = instrument(unit=3 * COIN)
    for mark in (PRICE // 100, PRICE, 100 * PRICE):
        here = CALM._replace(mark=mark)
        assert wish(10_000, coins, here=here, of=of) == 3 * COIN
        assert wish(5_000, coins, here=here, of=of) == 3 * COIN // 2
        assert wish(0, coins, here=here, of=of) == 0


def test_a_wish_is_in_whole_lots() -> None:
    for conviction in range(1, 10_000, 997):
        assert wish(conviction) % BTC.lot == 0


@pytest.mark.parametrize("conviction", [-10_000, -1, 0, 299])
def test_too_little_conviction_or_the_wrong_direction_wishes_to_be_flat(conviction: int) -> None:
    assert wish(conviction, law(conviction_min_bps=300)) == 0


def test_inside_its_band_a_change_is_no_wish() -> None:
    wanted = wish(10_000)
    near = CALM._replace(quantity=wanted * 95 // 100 // BTC.lot * BTC.lot)
    assert wish(10_000, law(band_bps=1_000), here=near) == near.quantity
    assert wish(10_000, law(band_bps=100), here=near) == wanted


def test_nothing_is_reduced_by_less_than_a_venue_takes() -> None:
    wanted = wish(10_000)
    above = CALM._replace(quantity=wanted + 2 * BTC.lot)
    assert wish(10_000, here=above) == above.quantity


def test_a_reduction_that_leaves_too_little_for_its_stop_sells_all() -> None:
    rest = wish(10_000)
    above = CALM._replace(quantity=3 * rest, stop_price=PRICE * 90 // 100)
    money = worth(BTC, above.stop_price, rest)
    for rule, least in (("quantity_min", rest), ("notional_min", money)):
        assert wish(10_000, here=above, of=instrument(**{rule: least})) == rest
        assert wish(10_000, here=above, of=instrument(**{rule: least + 1})) == 0


def test_the_first_candle_teaches_no_movement() -> None:
    fresh = policy.learn(lane(candles=0, mark=0), candle())
    assert (fresh.candles, fresh.volatility_ppm, fresh.synthetic) == (1, 0, 0)
    assert policy.learn(lane(candles=0), candle(source=Source.SYNTHETIC)).synthetic == 1


def test_a_steady_movement_is_learnt_at_once_and_kept() -> None:
    learnt = lane(candles=1)
    for _ in range(200):
        moved = candle(learnt.mark * 101 // 100)
        learnt = policy.learn(learnt, moved)._replace(mark=moved.close)
    assert learnt.swing == pytest.approx(10_000 * SWING_ONE, rel=1e-3)
    assert learnt.volatility_ppm == pytest.approx(12_533, rel=1e-3)


def test_one_jump_counts_no_more_than_all_that_was_there() -> None:
    wild = policy.learn(lane(candles=1), candle(100 * PRICE))
    assert wild.swing == PPM * SWING_ONE


@pytest.mark.parametrize("source", list(Source))
def test_what_we_made_ourselves_is_marked(source: Source) -> None:
    made = source in (Source.SYNTHETIC, Source.BUILT)
    assert policy.learn(lane(), candle(source=source)).synthetic == made


def test_a_target_is_reached_by_a_close_alone_and_only_once() -> None:
    watched = lane(quantity=COIN, target_price=PRICE)
    assert policy.crossed(watched) == 1
    assert policy.crossed(watched._replace(mark=PRICE - 1)) == 0
    assert policy.crossed(watched._replace(target_price=0)) == 0
    assert policy.crossed(watched._replace(due=-COIN)) == 0
    assert policy.crossed(watched._replace(order=order(kind=int(Kind.TAKE)), due=COIN)) == 0
    assert policy.crossed(watched._replace(target=order(kind=int(Kind.LIMIT)))) == 0


def test_a_target_is_watched_while_more_is_being_bought_by_an_order_that_rests() -> None:
    adding = order(kind=int(Kind.LIMIT))
    watched = lane(quantity=COIN, target_price=PRICE, order=adding, due=adding.quantity)
    assert policy.crossed(watched) == 1
