"""Where a candle leaves two ways open the worse one happened: a row a rule."""

from typing import Any

import pytest

from rrr.core import matching, shelf
from rrr.core.market import PPM, purchase, up
from rrr.core.orders import NO_REPORT, Kind, Order, Rejection, Side, Stage, Status, TimeInForce
from rrr.core.shelf import Matched, Purse
from tests.builders import BTC, CAPITAL, HOUR, PRICE, START, candle, instrument
from tests.core.venue import (
    BUY,
    CLOSES,
    COIN,
    COINS,
    DEAR,
    FREE,
    HIGHER,
    LIMIT,
    LOWER,
    MARKET,
    RESTS,
    SELL,
    STOP,
    STOP_LIMIT,
    TARGET,
    TENTH,
    TRAILING,
    Met,
    Venue,
    going_on,
    met,
)

GAPPED = STOP_LIMIT.limit - 100
GTC, IOC, FOK, GTD = (int(one) for one in TimeInForce)
SLIPPED = up(PRICE, BTC.half_spread_ppm + BTC.slippage_ppm, PPM)


@pytest.mark.parametrize("order", [BUY, SELL], ids=["buy", "sell"])
def test_a_take_pays_half_the_spread_the_slippage_and_the_worse_tick(order: Order) -> None:
    at = PRICE + 1
    worse = up(at, BTC.half_spread_ppm + BTC.slippage_ppm, PPM)
    ((_, price),) = met(candle(at), order, of=BTC).words
    assert price % BTC.tick == 0
    assert 0 <= order.side * (price - (at + order.side * worse)) < BTC.tick


@pytest.mark.parametrize("order", [BUY, SELL], ids=["buy", "sell"])
def test_an_open_beyond_the_collar_ends_a_take_and_gives_everything_back(order: Order) -> None:
    at_collar = order._replace(price=PRICE)
    assert met(candle(PRICE), at_collar).words == [("fill", PRICE)]
    ended = met(candle(PRICE + order.side * FREE.tick), at_collar)
    assert ended.words == [("COLLAR", 0)]
    assert (ended.purse, ended.shelf.quantity) == (Purse(CAPITAL, 0), COIN)
    assert shelf.works(ended.shelf) == 0


def test_a_purchase_never_takes_more_than_it_held() -> None:
    edge = BUY._replace(price=PRICE)
    purse, _, _ = Venue(order=edge).submitted()
    assert CAPITAL - met(candle(PRICE), edge).purse.cash <= purse.held


# What a fill may cost when the fee rose by one ppm while an order worked.
ROSE = [("it takes", BUY._replace(price=PRICE)), ("it rests", LIMIT._replace(post_only=1))]


@pytest.mark.parametrize(("how", "edge"), ROSE, ids=[row[0] for row in ROSE])
def test_a_fee_that_rose_takes_no_cash_that_was_not_held_for_it(how: str, edge: Order) -> None:
    old = instrument(half_spread_ppm=1, slippage_ppm=0, fee_maker_ppm=1_000, tick=1)
    edge = edge._replace(price=PRICE - PRICE // 100)
    purse, here, _ = Venue(instrument=old, order=edge).submitted()
    assert purse.held == purchase(old, edge.price, COIN)
    dearer = old._replace(version=2, fee_taker_ppm=1_001, fee_maker_ppm=1_001)
    falls = candle(edge.price - 401, low=edge.price // 2)
    if edge.post_only:
        falls = candle(PRICE, low=edge.price // 2)
        ended = going_on(Met(purse, here, []), falls, dearer)
    else:
        ended = going_on(Met(purse, here, []), candle(edge.price - 401), dearer)
    assert ended.words == [("INSUFFICIENT", 0)]
    assert (ended.purse, ended.shelf.quantity) == (Purse(CAPITAL, 0), COIN)
    assert going_on(Met(purse, here, []), falls, old).said[0].quantity == COIN


def test_a_purchase_whose_open_never_came_ends_and_gives_everything_back() -> None:
    purse, here, _ = Venue().submitted()
    ended = matching.at_no_open(purse, here, START)
    assert (ended.report.status, ended.report.rejection) == (Status.CANCELLED, Rejection.NO_PRICE)
    assert (ended.purse, ended.shelf) == (Venue().purse, Venue().shelf)


WAITS = [SELL, LIMIT, RESTS, LIMIT._replace(time_in_force=GTD, expires_ms=START + 1)]


@pytest.mark.parametrize("order", WAITS)
def test_what_need_not_be_filled_at_once_waits_for_an_open_that_comes_later(order: Order) -> None:
    purse, here, _ = Venue(order=order).submitted()
    assert matching.at_no_open(purse, here, START) == Matched(purse, here, NO_REPORT)


def test_a_candle_that_never_came_ends_what_has_expired() -> None:
    purse, here, _ = Venue(
        order=LIMIT._replace(time_in_force=GTD, expires_ms=START + 1)
    ).submitted()
    ended = matching.at_no_open(purse, here, START + 1)
    assert ended.report.rejection == Rejection.EXPIRED


# An order, how the candle moved, and what became of it; the market stands at `PRICE`.
KINDS: list[tuple[str, Order, dict[str, Any], list[tuple[str, int]]]] = [
    ("a take is filled at the open", BUY, {"high": HIGHER}, [("fill", PRICE)]),
    (
        "a market order has no collar",
        MARKET._replace(price=LOWER),
        {"low": LOWER},
        [("INSUFFICIENT", 0)],
    ),
    (
        "a bare sale takes what it gets",
        SELL._replace(kind=int(Kind.MARKET), price=PRICE),
        {"close": LOWER, "open": LOWER},
        [("fill", LOWER)],
    ),
    ("a limit takes where it stands at the open", LIMIT, {}, [("fill", PRICE)]),
    ("a limit takes at a better price than its own", LIMIT, {"open": LOWER}, [("fill", LOWER)]),
    (
        "a limit rests and is traded through",
        LIMIT._replace(price=LOWER),
        {"low": LOWER - 1},
        [("fill", LOWER)],
    ),
    ("a limit that is only touched is not filled", LIMIT._replace(price=LOWER), {"low": LOWER}, []),
    (
        "a limit that is not touched is not filled",
        LIMIT._replace(price=LOWER),
        {"low": LOWER + 1},
        [],
    ),
    (
        "a sale rests and is traded through",
        RESTS._replace(price=HIGHER),
        {"high": HIGHER + 1},
        [("fill", HIGHER)],
    ),
    (
        "a sale that is only touched is not filled",
        RESTS._replace(price=HIGHER),
        {"high": HIGHER},
        [],
    ),
    (
        "an IOC limit beyond the market is over",
        LIMIT._replace(price=LOWER, time_in_force=IOC),
        {"low": LOWER // 2},
        [("COLLAR", 0)],
    ),
    (
        "a FOK limit beyond the market is over",
        LIMIT._replace(price=LOWER, time_in_force=FOK),
        {"low": LOWER // 2},
        [("COLLAR", 0)],
    ),
    (
        "a GTD limit is filled while its time lasts",
        LIMIT._replace(price=LOWER, time_in_force=GTD, expires_ms=CLOSES),
        {"low": LOWER // 2},
        [("fill", LOWER)],
    ),
    (
        "a GTD limit that ends inside is over before it",
        LIMIT._replace(price=LOWER, time_in_force=GTD, expires_ms=CLOSES - 1),
        {"low": LOWER // 2},
        [("EXPIRED", 0)],
    ),
    (
        "a maker that would take is over",
        LIMIT._replace(price=LOWER, post_only=1),
        {"open": LOWER - 1},
        [("POST_ONLY", 0)],
    ),
    (
        "a maker at the touch would take",
        LIMIT._replace(price=LOWER, post_only=1),
        {"open": LOWER},
        [("POST_ONLY", 0)],
    ),
    (
        "a maker rests and is traded through",
        LIMIT._replace(price=LOWER, post_only=1),
        {"low": LOWER - 1},
        [("fill", LOWER)],
    ),
    ("a stop is not touched", STOP, {"low": STOP.price + 1}, []),
    ("a stop is touched by the low", STOP, {"low": STOP.price}, [("fill", STOP.price)]),
    ("a stop is passed inside", STOP, {"low": STOP.price // 2}, [("fill", STOP.price)]),
    (
        "a stop is gapped over: filled at the open",
        STOP,
        {"open": PRICE // 2},
        [("fill", PRICE // 2)],
    ),
    (
        "a stop is touched and the price recovers",
        STOP,
        {"low": STOP.price - 1, "close": 2 * PRICE},
        [("fill", STOP.price)],
    ),
    ("a stop-limit fills like a stop", STOP_LIMIT, {"low": STOP.price}, [("fill", STOP.price)]),
    (
        "a stop-limit fills down to its limit",
        STOP_LIMIT,
        {"open": STOP_LIMIT.limit},
        [("fill", STOP_LIMIT.limit)],
    ),
    (
        "a gap beyond its limit only triggers it",
        STOP_LIMIT,
        {"open": GAPPED, "close": GAPPED, "high": PRICE},
        [("NONE", 0)],
    ),
    (
        "once triggered it is a limit",
        STOP_LIMIT,
        {"open": GAPPED, "close": STOP_LIMIT.limit + 1},
        [("NONE", 0), ("fill", STOP_LIMIT.limit)],
    ),
    (
        "a trailing stop is hit before it is raised",
        TRAILING,
        {"low": STOP.price, "high": 2 * PRICE},
        [("fill", STOP.price)],
    ),
    (
        "a trailing stop is raised, then hit",
        TRAILING,
        {"low": STOP.price + 1, "high": 2 * PRICE},
        [("fill", 2 * PRICE - TRAILING.trail)],
    ),
    ("a trailing stop is gapped over", TRAILING, {"open": PRICE // 2}, [("fill", PRICE // 2)]),
]


@pytest.mark.parametrize(("how", "order", "moved", "words"), KINDS, ids=[row[0] for row in KINDS])
def test_a_kind_of_order(
    how: str, order: Order, moved: dict[str, Any], words: list[tuple[str, int]]
) -> None:
    order = order._replace(at_ms=START)
    assert met(candle(**({"close": PRICE, "open": PRICE} | moved)), order).words == words


def test_every_kind_and_every_time_in_force_has_its_row() -> None:
    assert {row[1].kind for row in KINDS} == {*Kind} - {Kind.NONE}
    assert {row[1].time_in_force for row in KINDS} == {*TimeInForce}


def test_who_takes_pays_the_spread_and_who_rests_does_not() -> None:
    resting = LIMIT._replace(price=LOWER, post_only=1)
    taken, rested, stopped = (
        met(candle(PRICE, low=low), one, of=instrument(fee_maker_ppm=0)).said[0]
        for one, low in ((BUY, PRICE), (resting, LOWER - 1), (STOP, STOP.price))
    )
    assert (taken.price, taken.maker, taken.fee > 0) == (PRICE + SLIPPED, 0, True)
    assert (rested.price, rested.maker, rested.fee) == (LOWER, 1, 0)
    assert stopped.price == shelf.slip(STOP.price, Side.SELL, BTC, 0)
    assert stopped.maker == 0


def test_what_rests_fills_at_the_open_of_a_later_candle_only_at_its_own_price() -> None:
    resting = met(candle(PRICE), LIMIT._replace(price=LOWER))
    assert resting.shelf.order.stage == Stage.WORKING
    later = going_on(resting, candle(LOWER // 2), opened=CLOSES)
    assert later.words == [("fill", LOWER)]


def test_a_raised_stop_stays_raised_on_its_tick_and_is_never_lowered() -> None:
    odd = TRAILING._replace(trail=12_345)
    raised = met(candle(PRICE, high=PRICE + 77, low=PRICE - 1), odd).shelf.stop.price
    assert raised == (PRICE + 77 - odd.trail) // FREE.tick * FREE.tick
    still = met(candle(odd.price + 1), odd).shelf.stop.price
    assert still == odd.price


def test_a_trailing_stop_follows_no_price_from_before_it_stood() -> None:
    inside = TRAILING._replace(at_ms=CLOSES)
    high = candle(PRICE, high=2 * PRICE, low=STOP.price + 1)
    before = met(high, inside)
    assert before.words == []
    assert going_on(before, high, opened=CLOSES).words == [("fill", 2 * PRICE - inside.trail)]


STOPPED_FIRST = [
    ("both are touched", {"low": STOP.price, "high": 2 * DEAR}, ["fill", "PARTNER"]),
    ("the target alone", {"high": DEAR + 1}, ["fill", "PARTNER"]),
    (
        "it opens beyond the target and falls to the stop",
        {"open": 2 * DEAR, "low": STOP.price},
        ["fill", "PARTNER"],
    ),
    ("neither", {}, []),
]


@pytest.mark.parametrize(("how", "moved", "words"), STOPPED_FIRST)
def test_where_one_candle_touches_stop_and_target_the_worse_happened(
    how: str, moved: dict[str, int], words: list[str]
) -> None:
    stop, target = STOP._replace(at_ms=START - HOUR), TARGET._replace(at_ms=START - HOUR)
    rested = met(candle(PRICE), stop, target)
    after = going_on(rested, candle(**({"close": PRICE} | moved)), opened=CLOSES)
    assert [word for word, _ in after.words] == words
    if words:
        first = STOP if "low" in moved else TARGET
        assert [one.sequence for one in after.said] == [
            first.sequence,
            TARGET.sequence if first is STOP else STOP.sequence,
        ]
        assert after.shelf.quantity == 0


def test_a_target_that_arrives_where_its_price_is_met_takes() -> None:
    assert met(candle(3 * PRICE), STOP, TARGET).words == [("fill", 3 * PRICE), ("PARTNER", 0)]


def test_coins_that_a_triggered_stop_sold_at_the_open_are_not_sold_again() -> None:
    half = candle(STOP.price, volume=5 * COIN)
    partly = met(half, STOP, assumed=TENTH)
    assert (partly.said[0].quantity, partly.shelf.stop.stage) == (COIN // 2, Stage.TRIGGERED)
    target = TARGET._replace(quantity=COIN // 2, at_ms=CLOSES)
    purse, here, report = shelf.submit(partly.purse, partly.shelf, FREE, target, PRICE, CLOSES)
    assert report.status == Status.ACCEPTED
    gapped = going_on(Met(purse, here, []), candle(3 * PRICE), assumed=TENTH, opened=CLOSES)
    assert gapped.words == [("fill", 3 * PRICE), ("PARTNER", 0)]
    assert (gapped.shelf.quantity, gapped.said[0].sequence) == (0, STOP.sequence)


def test_where_nothing_waits_nothing_happens() -> None:
    nothing = met(candle(PRICE, low=1, high=3 * PRICE))
    assert (nothing.said, nothing.purse, nothing.shelf.quantity) == ([], Purse(CAPITAL, 0), COIN)
    assert matching.at_no_open(nothing.purse, COINS, START) == Matched(
        nothing.purse, COINS, NO_REPORT
    )


STIRS = [
    ("nothing works", (), {}, 0),
    ("a stop is out of reach", (STOP,), {"low": STOP.price + 1}, 0),
    ("a stop is touched", (STOP,), {"low": STOP.price}, 1),
    ("a trailing stop may be raised", (TRAILING,), {}, 1),
    ("an order waits", (BUY,), {}, 1),
    ("a target arrives", (STOP, TARGET), {}, 1),
]


@pytest.mark.parametrize(("how", "orders", "moved", "expected"), STIRS, ids=[r[0] for r in STIRS])
def test_a_candle_that_comes_near_nothing_stirs_nothing(
    how: str, orders: tuple[Order, ...], moved: dict[str, int], expected: int
) -> None:
    purse, here = Purse(CAPITAL, 0), COINS
    for one in orders:
        purse, here, _ = shelf.submit(purse, here, FREE, one, PRICE, START)
    moves = candle(PRICE, **moved)
    assert matching.stirs(here, moves) == expected
    if not expected:
        assert going_on(Met(purse, here, []), moves).said == []


def test_a_target_that_rests_stirs_when_it_is_touched() -> None:
    rests = COINS._replace(stop=STOP, target=TARGET._replace(stage=int(Stage.WORKING)))
    for high, stirs in ((DEAR - 1, 0), (DEAR, 1)):
        assert matching.stirs(rests, candle(PRICE, high=high)) == stirs


def test_the_best_price_is_followed_on_its_tick_and_never_below_one() -> None:
    assert matching.followed(FREE, 1, 10_000) == 9_900
    assert matching.followed(FREE, 10_000, 10_000) == FREE.tick


def test_a_high_from_before_its_trigger_fills_no_stop_limit() -> None:
    dear = instrument(half_spread_ppm=0, slippage_ppm=10_000)
    falls = candle(PRICE // 2, open=PRICE, high=2 * PRICE)
    triggered = met(falls, STOP_LIMIT._replace(limit=STOP.price), of=dear)
    assert triggered.words == [("NONE", 0)]
    again = going_on(triggered, candle(PRICE // 2, high=PRICE), dear, opened=CLOSES)
    assert again.words[-1] == ("fill", STOP.price)
