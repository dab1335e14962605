"""The paper venue trusts nobody, and moves cash and coins only as its reports say."""

import pytest

from rrr.core import shelf
from rrr.core.market import (
    GRAINS_MAX,
    PPM,
    QUANTA_MAX,
    Instrument,
    cost,
    down,
    lots,
    purchase,
    up,
    worth,
)
from rrr.core.orders import NO_REPORT, Cancel, Kind, Order, Rejection, Side, Status, TimeInForce
from rrr.core.shelf import NO_ASSUMPTIONS, NO_SHELF, Matched, Purse
from tests.builders import BTC, CAPITAL, HOUR, PRICE, START, instrument, order
from tests.core.venue import (
    BUY,
    COIN,
    COINS,
    DEAR,
    LIMIT,
    MARKET,
    RESTS,
    SELL,
    STOP,
    STOP_LIMIT,
    TARGET,
    TRAILING,
    Venue,
)

GTC, IOC, FOK, GTD = (int(one) for one in TimeInForce)


def market(**changes: int) -> Venue:
    return Venue(order=MARKET._replace(**changes))


def limit(**changes: int) -> Venue:
    return Venue(order=LIMIT._replace(**changes))


STRANGERS = COINS._replace(
    stop=STOP._replace(sequence=9, quantity=COIN // 2), target=TARGET._replace(quantity=COIN // 2)
)

NO: list[tuple[str, Rejection, Venue]] = [
    ("more than the cash", Rejection.INSUFFICIENT, Venue(Purse(0, 0))),
    ("cash that is held", Rejection.INSUFFICIENT, Venue(Purse(CAPITAL, CAPITAL))),
    ("more than the coins", Rejection.INSUFFICIENT, Venue(shelf=NO_SHELF, order=SELL)),
    (
        "coins that a stop holds",
        Rejection.INSUFFICIENT,
        Venue(shelf=COINS._replace(stop=STOP), order=SELL),
    ),
    (
        "coins that a sale takes",
        Rejection.INSUFFICIENT,
        Venue(shelf=COINS._replace(order=SELL), order=STOP),
    ),
    (
        "coins that a target holds whose stop is gone",
        Rejection.INSUFFICIENT,
        Venue(shelf=COINS._replace(target=TARGET), order=STOP._replace(sequence=9)),
    ),
    (
        "coins of a stop and of a target that is not its partner",
        Rejection.INSUFFICIENT,
        Venue(shelf=STRANGERS, order=SELL._replace(quantity=COIN // 2)),
    ),
    (
        "to reduce more than there is",
        Rejection.REDUCE_ONLY,
        Venue(shelf=NO_SHELF, order=SELL._replace(reduce_only=1)),
    ),
    ("to reduce by a purchase", Rejection.REDUCE_ONLY, Venue(order=BUY._replace(reduce_only=1))),
    ("between ticks", Rejection.PRICE_GRID, Venue(order=BUY._replace(price=PRICE + 1))),
    (
        "a limit between ticks",
        Rejection.PRICE_GRID,
        Venue(order=STOP_LIMIT._replace(limit=PRICE // 2 + 1)),
    ),
    ("at no price", Rejection.PRICE_GRID, Venue(order=SELL._replace(price=0))),
    ("between lots", Rejection.QUANTITY_GRID, Venue(order=BUY._replace(quantity=COIN + 1))),
    ("nothing", Rejection.QUANTITY_GRID, Venue(order=BUY._replace(quantity=0))),
    (
        "too small a quantity",
        Rejection.BELOW_MINIMUM,
        Venue(instrument=instrument(quantity_min=2 * COIN)),
    ),
    (
        "too small a notional",
        Rejection.BELOW_MINIMUM,
        Venue(instrument=instrument(notional_min=CAPITAL)),
    ),
    ("a second take", Rejection.CAPACITY, Venue(shelf=COINS._replace(order=BUY))),
    (
        "a limit beside a take",
        Rejection.CAPACITY,
        Venue(shelf=COINS._replace(order=BUY), order=LIMIT),
    ),
    ("a second stop", Rejection.CAPACITY, Venue(shelf=COINS._replace(stop=STOP), order=TRAILING)),
    (
        "a second target",
        Rejection.CAPACITY,
        Venue(shelf=COINS._replace(stop=STOP, target=TARGET), order=TARGET),
    ),
    (
        "more than 64 bits hold",
        Rejection.CAPACITY,
        Venue(order=BUY._replace(quantity=QUANTA_MAX // DEAR * BTC.scale)),
    ),
    ("what has expired", Rejection.EXPIRED, limit(time_in_force=GTD, expires_ms=START)),
    ("to rest where it takes", Rejection.POST_ONLY, limit(post_only=1, price=PRICE + PRICE // 100)),
    ("no kind", Rejection.TERMS, Venue(order=BUY._replace(kind=0))),
    ("an unheard-of kind", Rejection.TERMS, Venue(order=BUY._replace(kind=99, time_in_force=GTC))),
    ("a take that stays", Rejection.TERMS, Venue(order=BUY._replace(time_in_force=GTC))),
    (
        "a take for a day",
        Rejection.TERMS,
        Venue(order=BUY._replace(time_in_force=GTD, expires_ms=START + 1)),
    ),
    ("a take that rests", Rejection.TERMS, Venue(order=BUY._replace(post_only=1))),
    ("a take with a partner", Rejection.TERMS, Venue(order=SELL._replace(partner=7))),
    ("a market order that stays", Rejection.TERMS, market(time_in_force=GTC)),
    ("a market order that rests", Rejection.TERMS, market(post_only=1)),
    ("a limit that rests at once or never", Rejection.TERMS, limit(post_only=1, time_in_force=IOC)),
    ("a limit that rests whole or never", Rejection.TERMS, limit(post_only=1, time_in_force=FOK)),
    ("a purchase with a partner", Rejection.TERMS, limit(partner=7)),
    ("a stop that buys", Rejection.TERMS, Venue(order=STOP._replace(side=int(Side.BUY)))),
    ("a stop at once or never", Rejection.TERMS, Venue(order=STOP._replace(time_in_force=IOC))),
    ("a stop whole or never", Rejection.TERMS, Venue(order=STOP._replace(time_in_force=FOK))),
    (
        "a stop for a day",
        Rejection.TERMS,
        Venue(order=STOP._replace(time_in_force=GTD, expires_ms=START + 1)),
    ),
    ("a stop that is a maker", Rejection.TERMS, Venue(order=STOP._replace(post_only=1))),
    ("a stop with a partner", Rejection.TERMS, Venue(order=STOP._replace(partner=8))),
    ("a stop-limit without a limit", Rejection.TERMS, Venue(order=STOP_LIMIT._replace(limit=0))),
    (
        "a stop-limit above its trigger",
        Rejection.TERMS,
        Venue(order=STOP_LIMIT._replace(limit=PRICE)),
    ),
    (
        "a trailing stop that does not trail",
        Rejection.TERMS,
        Venue(order=TRAILING._replace(trail=0)),
    ),
]

YES: list[tuple[str, Venue]] = [
    *(
        (f"a take {TimeInForce(one).name}", Venue(order=BUY._replace(time_in_force=one)))
        for one in (IOC, FOK)
    ),
    *((f"a market order {TimeInForce(one).name}", market(time_in_force=one)) for one in (IOC, FOK)),
    *((f"a limit {TimeInForce(one).name}", limit(time_in_force=one)) for one in (GTC, IOC, FOK)),
    ("a limit for a day", limit(time_in_force=GTD, expires_ms=START + 1)),
    ("a limit that only rests", limit(post_only=1)),
    (
        "a limit that only rests for a day",
        limit(post_only=1, time_in_force=GTD, expires_ms=START + HOUR),
    ),
    ("to rest before there is a price", limit(post_only=1, price=DEAR)._replace(last=0)),
    ("a stop", Venue(order=STOP)),
    ("a stop-limit", Venue(order=STOP_LIMIT)),
    ("a stop-limit at its trigger", Venue(order=STOP_LIMIT._replace(limit=STOP.price))),
    ("a trailing stop", Venue(order=TRAILING)),
    ("a sale that only reduces", Venue(order=SELL._replace(reduce_only=1))),
    ("a sale that rests alone", Venue(order=RESTS)),
    ("the same coins to both legs of an OCO", Venue(shelf=COINS._replace(stop=STOP), order=TARGET)),
    ("a purchase beside an OCO", Venue(shelf=COINS._replace(stop=STOP, target=TARGET))),
]


@pytest.mark.parametrize(("why", "rejection", "venue"), NO, ids=[row[0] for row in NO])
def test_what_is_wrong_is_rejected_and_moves_nothing(
    why: str, rejection: Rejection, venue: Venue
) -> None:
    matched = venue.submitted()
    assert (matched.report.status, Rejection(matched.report.rejection)) == (
        Status.REJECTED,
        rejection,
    )
    assert (matched.purse, matched.shelf) == (venue.purse, venue.shelf)


@pytest.mark.parametrize(("what", "venue"), YES, ids=[row[0] for row in YES])
def test_what_a_venue_knows_is_accepted_and_stands_in_its_place(what: str, venue: Venue) -> None:
    purse, after, report = venue.submitted()
    assert (report.status, report.rejection) == (Status.ACCEPTED, Rejection.NONE)
    places = [one for one in (after.order, after.stop, after.target) if one == venue.order]
    assert len(places) == 1
    buys = venue.order.side == Side.BUY
    needs = purchase(BTC, venue.order.price, venue.order.quantity) if buys else 0
    assert (purse.cash, purse.held, after.held) == (CAPITAL, needs, needs)


def test_every_rejection_is_in_a_test_of_this_file_or_ends_an_order() -> None:
    ends = {Rejection.COLLAR, Rejection.NO_PRICE, Rejection.LIQUIDITY, Rejection.PARTNER}
    afar = {Rejection.CAP, Rejection.FROZEN}  # live's own
    elsewhere = {Rejection.NONE, Rejection.UNKNOWN_ORDER, *ends, *afar}
    assert {row[1] for row in NO} | elsewhere == set(Rejection)


def test_an_order_that_rests_crosses_where_the_other_side_stands() -> None:
    half = up(PRICE, BTC.half_spread_ppm, PPM)
    for touched, ask in ((0, PRICE + half), (50_000, PRICE + 50_000)):
        here = COINS._replace(half_spread=touched)
        below, at = (limit(post_only=1, price=price) for price in (ask - BTC.tick, ask))
        assert below._replace(shelf=here).submitted().report.status == Status.ACCEPTED
        assert at._replace(shelf=here).submitted().report.rejection == Rejection.POST_ONLY
    sale = RESTS._replace(post_only=1, price=PRICE - half)
    assert Venue(order=sale).submitted().report.rejection == Rejection.POST_ONLY
    above = sale._replace(price=sale.price + BTC.tick)
    assert Venue(order=above).submitted().report.status == Status.ACCEPTED


@pytest.mark.parametrize("dearer", ["fee_maker_ppm", "fee_taker_ppm"])
def test_a_purchase_holds_the_cash_that_its_collar_and_the_dearer_fee_may_take(dearer: str) -> None:
    of = instrument(fee_maker_ppm=10, fee_taker_ppm=10)._replace(**{dearer: 7_777})
    matched = Venue(instrument=of).submitted()
    money = cost(of, DEAR, COIN)
    assert matched.purse == Purse(CAPITAL, money + up(money, 7_777, PPM))
    assert matched.shelf.held == matched.purse.held


def test_a_minimum_is_allowed_to_be_reached() -> None:
    least = instrument(quantity_min=COIN, notional_min=cost(BTC, DEAR, COIN))
    assert Venue(instrument=least).submitted().report.status == Status.ACCEPTED


@pytest.mark.parametrize("wanted", [BUY, LIMIT, STOP, STOP_LIMIT, TRAILING, RESTS])
def test_a_cancelled_order_gives_back_what_it_held(wanted: Order) -> None:
    purse, held, _ = Venue(order=wanted).submitted()
    ended = shelf.cancel(purse, held, Cancel(START, 0, wanted.sequence))
    assert (ended.report.status, ended.report.rejection) == (Status.CANCELLED, Rejection.NONE)
    assert (ended.purse, ended.shelf) == (Venue().purse, Venue().shelf)


def test_a_cancelled_target_leaves_its_stop() -> None:
    both = COINS._replace(stop=STOP, target=TARGET)
    ended = shelf.cancel(Venue().purse, both, Cancel(START, 0, TARGET.sequence))
    assert ended.shelf == COINS._replace(stop=STOP)


def test_who_cancels_too_late_is_told_so() -> None:
    late = shelf.cancel(Purse(0, 0), NO_SHELF, Cancel(START, 3, 7))
    assert late.report == NO_REPORT._replace(
        at_ms=START,
        instrument=3,
        sequence=7,
        status=int(Status.REJECTED),
        rejection=int(Rejection.UNKNOWN_ORDER),
    )


SOLD = [("nothing yet", 0, 0), ("a little", 0, COIN // 4), ("half by each", COIN // 4, COIN // 4)]


@pytest.mark.parametrize(("how", "stopped", "reached"), SOLD, ids=[row[0] for row in SOLD])
def test_what_fills_one_leg_of_an_oco_ends_the_other(how: str, stopped: int, reached: int) -> None:
    stop, target = STOP._replace(filled=stopped), TARGET._replace(filled=reached)
    here = NO_SHELF._replace(quantity=COIN - stopped - reached, stop=stop, target=target)
    ended = shelf.uncovered(Purse(0, 0), here, START)
    if not stopped and not reached:
        assert ended.report == NO_REPORT
        return
    assert (ended.report.status, ended.report.rejection) == (Status.CANCELLED, Rejection.PARTNER)
    assert ended.shelf.stop.kind == 0
    again = shelf.uncovered(Purse(0, 0), ended.shelf, START)
    assert again.report.rejection == (Rejection.PARTNER if stopped else Rejection.NONE)


def test_the_leg_that_did_not_sell_ends_when_the_stop_did() -> None:
    here = NO_SHELF._replace(quantity=COIN // 2, target=TARGET)
    stop = STOP._replace(filled=COIN // 2)
    ended = shelf.uncovered(Purse(0, 0), here._replace(stop=stop), START)
    assert (ended.report.sequence, ended.shelf.stop) == (TARGET.sequence, stop)


def filled(wanted: Order, room: int, of: Instrument = BTC, price: int = PRICE) -> Matched:
    purse, after, _ = Venue(order=wanted, instrument=of).submitted()
    return shelf.exchanged(purse, after._replace(room=room), of, wanted, price, START, 0)


@pytest.mark.parametrize("wanted", [BUY, SELL])
def test_a_part_is_filled_and_the_rest_works_on(wanted: Order) -> None:
    part = COIN // 4
    matched = filled(wanted, part)
    assert (matched.report.quantity, matched.report.fill, matched.shelf.room) == (part, 1, 0)
    assert matched.shelf.order == wanted._replace(filled=part, last_fill=1)
    more = matched.shelf._replace(room=COIN)
    whole = shelf.exchanged(matched.purse, more, BTC, more.order, PRICE, START, 1)
    assert (whole.report.quantity, whole.report.fill) == (COIN - part, 2)
    assert whole.shelf.order.kind == 0
    assert whole.purse.held == whole.shelf.held == 0


def test_where_there_is_no_room_nothing_is_exchanged() -> None:
    assert filled(BUY, 0).report == NO_REPORT


def test_the_rest_of_a_purchase_holds_what_the_rest_may_take() -> None:
    part = COIN // 4
    matched = filled(BUY, part)
    assert matched.purse.held == matched.shelf.held == purchase(BTC, DEAR, COIN - part)


def test_parts_that_round_up_never_hold_more_than_there_is() -> None:
    """Each part of a purchase is rounded up by itself: three may cost more than the whole."""
    of = instrument(scale=7, fee_taker_ppm=0, tick=1, lot=1, notional_min=0, quantity_min=1)
    wanted = order(kind=int(Kind.LIMIT), price=1_000, quantity=100)
    just_enough = Purse(cost(of, 1_000, 100), 0)
    purse, here, _ = shelf.submit(just_enough, NO_SHELF, of, wanted, 0, START)
    for part in (33, 33):
        here = here._replace(room=part)
        assert not shelf.unpaid(here, of, here.order, 1_000)
        purse, here, _ = shelf.exchanged(purse, here, of, here.order, 1_000, START, 1)
        assert purse.held == here.held == min(purse.cash, cost(of, 1_000, 100 - here.order.filled))
    assert purse.cash == cost(of, 1_000, 34) - 2
    assert shelf.unpaid(here._replace(room=34), of, here.order, 1_000)
    assert not shelf.unpaid(here._replace(room=33), of, here.order, 1_000)


def test_a_purchase_pays_a_fee_in_the_quote() -> None:
    matched = filled(BUY, GRAINS_MAX)
    money = cost(BTC, PRICE, COIN)
    fee = up(money, BTC.fee_taker_ppm, PPM)
    assert matched.report[5:10] == (COIN, PRICE, money, fee, 0)
    assert matched.purse == Purse(CAPITAL - money - fee, 0)
    assert matched.shelf.quantity == 2 * COIN


def test_a_purchase_may_pay_its_fee_in_the_base() -> None:
    matched = filled(BUY, GRAINS_MAX, instrument(fee_in_base=1))
    fee = up(COIN, BTC.fee_taker_ppm, PPM)
    assert (matched.report.fee, matched.report.fee_grains) == (0, fee)
    assert matched.purse.cash == CAPITAL - matched.report.notional
    assert matched.shelf.quantity == 2 * COIN - fee


def test_a_sale_pays_its_fee_in_the_quote_whatever_a_purchase_does() -> None:
    for of in (BTC, instrument(fee_in_base=1)):
        matched = filled(SELL, GRAINS_MAX, of)
        money = worth(of, PRICE, COIN)
        assert matched.report.fee == up(money, of.fee_taker_ppm, PPM)
        assert matched.purse.cash == CAPITAL + money - matched.report.fee
        assert matched.shelf.quantity == 0


@pytest.mark.parametrize(("maker", "ppm"), [(0, 1_000), (1, -250)])
def test_who_rests_pays_the_makers_fee_and_may_get_a_rebate(maker: int, ppm: int) -> None:
    of = instrument(fee_maker_ppm=-250)
    purse, here, _ = Venue(order=RESTS, instrument=of).submitted()
    ready = here._replace(room=GRAINS_MAX)
    report = shelf.exchanged(purse, ready, of, RESTS, DEAR, START, maker).report
    assert (report.fee, report.maker) == (up(worth(of, DEAR, COIN), ppm, PPM), maker)


def test_a_share_of_a_volume_may_be_ours_in_whole_lots() -> None:
    for volume in (0, BTC.lot, 123_456_789, 10**16):
        assumed = NO_ASSUMPTIONS._replace(participation_ppm=50_000)
        room = shelf.begun(NO_SHELF, BTC, assumed, volume).room
        assert room == lots(BTC, down(volume, 50_000, PPM))
        assert shelf.begun(NO_SHELF, BTC, NO_ASSUMPTIONS, volume).room == GRAINS_MAX


def test_nothing_is_ever_sold_below_one_tick() -> None:
    assert shelf.slip(1, Side.SELL, BTC, 0) == BTC.tick
