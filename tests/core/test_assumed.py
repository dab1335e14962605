"""What is assumed of fills that never happened: our share of a volume, lateness, mere touches."""

import pytest

from rrr.core.market import GRAINS_MAX, PPM, Candle, lots
from rrr.core.orders import Order, Rejection, Side, Stage, TimeInForce
from rrr.core.shelf import NO_ASSUMPTIONS, Assumptions
from tests.builders import HOUR, PRICE, START, candle
from tests.core.venue import (
    BUY,
    CLOSES,
    COIN,
    DEAR,
    FREE,
    HIGHER,
    LIMIT,
    LOWER,
    RESTS,
    SELL,
    STOP,
    STOP_LIMIT,
    TENTH,
    Met,
    Venue,
    going_on,
    met,
)

IOC, FOK = int(TimeInForce.IOC), int(TimeInForce.FOK)
SMALL = candle(PRICE, volume=5 * COIN, low=STOP.price)  # of which half a coin may be ours
NONE = candle(PRICE, volume=0, low=STOP.price)
SHARES: list[tuple[str, Order, Candle, list[tuple[str, int]]]] = [
    (
        "a take fills in part, and its rest is over",
        BUY,
        SMALL,
        [("fill", COIN // 2), ("LIQUIDITY", 0)],
    ),
    ("a limit fills in part, and its rest works on", LIMIT, SMALL, [("fill", COIN // 2)]),
    (
        "an IOC limit fills in part, and its rest is over",
        LIMIT._replace(time_in_force=IOC),
        SMALL,
        [("fill", COIN // 2), ("LIQUIDITY", 0)],
    ),
    ("a FOK fills whole or not at all", BUY._replace(time_in_force=FOK), SMALL, [("LIQUIDITY", 0)]),
    (
        "a FOK is filled whole",
        BUY._replace(time_in_force=FOK, quantity=COIN // 2),
        SMALL,
        [("fill", COIN // 2)],
    ),
    (
        "an exit fills in part, and its rest is over",
        SELL,
        SMALL,
        [("fill", COIN // 2), ("LIQUIDITY", 0)],
    ),
    ("a stop fills in part, and its rest stays triggered", STOP, SMALL, [("fill", COIN // 2)]),
    ("a stop-limit fills in part", STOP_LIMIT, SMALL, [("fill", COIN // 2)]),
    ("without volume a purchase is over", BUY, NONE, [("LIQUIDITY", 0)]),
    ("without volume a limit waits", LIMIT, NONE, []),
    ("without volume an exit waits", SELL, NONE, []),
    ("without volume a stop is only triggered", STOP, NONE, [("NONE", 0)]),
]


@pytest.mark.parametrize(("how", "order", "candle", "said"), SHARES, ids=[row[0] for row in SHARES])
def test_nobody_exchanges_more_than_his_share_of_the_volume(
    how: str, order: Order, candle: Candle, said: list[tuple[str, int]]
) -> None:
    after = met(candle, order, assumed=TENTH)
    assert [
        ("fill", one.quantity) if one.quantity else (Rejection(one.rejection).name, 0)
        for one in after.said
    ] == said


def test_what_waited_for_volume_is_filled_when_it_comes() -> None:
    for wanted, price in ((SELL, HIGHER), (LIMIT, LIMIT.price), (STOP, HIGHER)):
        waits = met(NONE, wanted, assumed=TENTH)
        later = candle(HIGHER, low=LOWER, volume=10**12)
        assert going_on(waits, later, assumed=TENTH, opened=CLOSES).words[-1] == ("fill", price)


def test_the_share_of_a_candle_is_one_for_all_orders() -> None:
    both = met(SMALL, STOP, LIMIT, assumed=TENTH)
    assert [(one.sequence, one.quantity) for one in both.said] == [
        (LIMIT.sequence, COIN // 2),
        (STOP.sequence, 0),
    ]
    assert both.shelf.stop.stage == Stage.TRIGGERED


LATE: list[tuple[str, int, float]] = [
    ("at once", 0, 0.0),
    ("a hundredth of the candle late: a tenth of the way", HOUR // 100, 0.1),
    ("a quarter late: half the way", HOUR // 4, 0.5),
    ("just before the end: nearly all the way", HOUR - 1, 1.0),
]


@pytest.mark.parametrize("wanted", [BUY._replace(price=2 * DEAR), SELL], ids=["buy", "sell"])
@pytest.mark.parametrize(("how", "late_ms", "way"), LATE, ids=[row[0] for row in LATE])
def test_who_comes_late_pays_the_root_of_it_of_what_the_candle_moved_against_him(
    how: str, late_ms: int, way: float, wanted: Order
) -> None:
    moved = PRICE // 10
    wide = candle(PRICE, low=PRICE - moved, high=PRICE + 2 * moved)
    assumed = NO_ASSUMPTIONS._replace(latency_ms=late_ms)
    ((_, price),) = met(wide, wanted, assumed=assumed).words
    against = 2 * moved if wanted.side == Side.BUY else moved
    assert price == pytest.approx(PRICE + wanted.side * way * against, abs=FREE.tick + moved / 500)


def test_an_order_later_than_a_candle_meets_the_next_one() -> None:
    for late_ms, candles in ((HOUR - 1, 1), (HOUR, 2), (5 * HOUR // 2, 3)):
        assumed, now = NO_ASSUMPTIONS._replace(latency_ms=late_ms), None
        for k in range(candles):
            at = PRICE + k * 10**6
            if now is None:
                now = met(candle(at), BUY, assumed=assumed)
            else:
                now = going_on(now, candle(at), assumed=assumed, opened=START + k * HOUR)
            assert len(now.said) == (k == candles - 1)
        assert now is not None
        assert now.words == [("fill", at)]


def test_an_order_that_was_on_its_way_over_a_gap_meets_the_open() -> None:
    assumed = NO_ASSUMPTIONS._replace(latency_ms=HOUR // 2)
    purse, here, _ = Venue(order=BUY, instrument=FREE).submitted()
    wide = candle(PRICE, high=HIGHER)
    gap = going_on(Met(purse, here, []), wide, assumed=assumed, opened=START + 3 * HOUR)
    assert gap.words == [("fill", PRICE)]


def test_stops_and_what_rests_are_never_too_late() -> None:
    assumed = NO_ASSUMPTIONS._replace(latency_ms=10 * HOUR)
    assert met(candle(STOP.price, open=PRICE), STOP, assumed=assumed).words == [
        ("fill", STOP.price)
    ]
    resting = met(candle(PRICE), LIMIT._replace(price=LOWER))
    assert going_on(resting, candle(1_000), assumed=assumed, opened=CLOSES).words == [
        ("fill", LOWER)
    ]


@pytest.mark.parametrize("share_ppm", [0, 1, 300_000, PPM])
def test_where_its_price_is_only_touched_a_stated_share_is_filled_once(share_ppm: int) -> None:
    assumed = NO_ASSUMPTIONS._replace(touch_share_ppm=share_ppm)
    wanted = lots(FREE, COIN * share_ppm // PPM)
    for one, low, high in (
        (LIMIT._replace(price=LOWER), LOWER, PRICE),
        (RESTS._replace(price=HIGHER), PRICE, HIGHER),
    ):
        after = met(candle(PRICE, low=low, high=high), one, assumed=assumed)
        assert [report.quantity for report in after.said] == ([wanted] if wanted else [])
        if wanted:
            assert (after.said[0].price, after.said[0].maker) == (one.price, 1)
            assert after.shelf.room in (0, GRAINS_MAX)


def late(minutes: int) -> Assumptions:
    return NO_ASSUMPTIONS._replace(latency_ms=minutes * HOUR // 60)


DIP = candle(PRICE, low=LOWER, volume=1000 * COIN)  # and back to where it began
WAITS = LIMIT._replace(price=PRICE * 995 // 1000)


@pytest.mark.parametrize(
    ("minutes", "fills"), [(0, True), (1, True), (30, True), (50, False), (59, False)]
)
def test_who_comes_late_rests_for_what_is_left_of_the_candle(minutes: int, fills: bool) -> None:
    after = met(DIP, WAITS, assumed=late(minutes))
    assert after.words == ([("fill", WAITS.price)] if fills else [])
    again = going_on(after, DIP, FREE, late(minutes), START + HOUR)
    assert (not fills) == (len(again.said) > len(after.said)), "In the next it was there all along."


def test_lateness_never_lets_a_post_only_order_rest_that_would_have_taken() -> None:
    """It arrives somewhere inside, and where it would have taken is where it arrives."""
    rises = candle(PRICE, high=HIGHER, low=LOWER, volume=1000 * COIN)
    wanted = LIMIT._replace(price=PRICE * 999 // 1000, post_only=1)
    for minutes in (1, 20, 40, 59):
        assert met(rises, wanted, assumed=late(minutes)).words == [("POST_ONLY", 0)]
    dull = candle(PRICE, high=HIGHER, low=PRICE, volume=1000 * COIN)
    assert met(dull, wanted, assumed=late(59)).words == []
