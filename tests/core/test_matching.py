"""The paper venue trusts nobody, and where a candle leaves two ways open the worse one happened."""

from typing import Any, NamedTuple

import pytest

from rrr.core import matching
from rrr.core.market import PPM, QUANTA_MAX, Candle, Instrument, cost, purchase, up, worth
from rrr.core.matching import NO_SHELF, Matched, Purse, Shelf
from rrr.core.orders import (
    NO_ORDER,
    NO_REPORT,
    Cancel,
    Kind,
    Order,
    Rejection,
    Report,
    Side,
    Status,
)
from tests.builders import BTC, CAPITAL, HOUR, PRICE, START, candle, instrument, order

COIN = 10**8
DEAR = 2 * PRICE  # a collar that nothing here reaches

BUY = order(price=DEAR)
SELL = order(side=int(Side.SELL), price=BTC.tick)
STOP = order(kind=int(Kind.STOP), side=int(Side.SELL), price=PRICE * 98 // 100)
FREE = instrument(half_spread_ppm=0, slippage_ppm=0, fee_taker_ppm=0)


class Venue(NamedTuple):
    purse: Purse = Purse(CAPITAL, 0)
    shelf: Shelf = NO_SHELF._replace(quantity=COIN)
    instrument: Instrument = BTC
    order: Order = BUY

    def submitted(self) -> Matched:
        return matching.submit(*self, START)


NO: list[tuple[str, Rejection, Venue]] = [
    ("more than the cash", Rejection.INSUFFICIENT, Venue(Purse(0, 0))),
    ("cash that is held", Rejection.INSUFFICIENT, Venue(Purse(CAPITAL, CAPITAL))),
    ("more than the coins", Rejection.INSUFFICIENT, Venue(shelf=NO_SHELF, order=SELL)),
    (
        "coins that a stop holds",
        Rejection.INSUFFICIENT,
        Venue(shelf=Shelf(COIN, 0, 0, NO_ORDER, STOP), order=SELL),
    ),
    (
        "coins that a sale takes",
        Rejection.INSUFFICIENT,
        Venue(shelf=Shelf(COIN, 0, 0, SELL, NO_ORDER), order=STOP),
    ),
    ("between ticks", Rejection.PRICE_GRID, Venue(order=BUY._replace(price=PRICE + 1))),
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
    ("a second take", Rejection.CAPACITY, Venue(shelf=Shelf(COIN, 0, 0, BUY, NO_ORDER))),
    (
        "a second stop",
        Rejection.CAPACITY,
        Venue(shelf=Shelf(COIN, 0, 0, NO_ORDER, STOP), order=STOP),
    ),
    (
        "more than 64 bits hold",
        Rejection.CAPACITY,
        Venue(order=BUY._replace(quantity=QUANTA_MAX // DEAR * BTC.scale)),
    ),
]


@pytest.mark.parametrize(("why", "rejection", "venue"), NO, ids=[row[0] for row in NO])
def test_what_is_wrong_is_rejected_and_moves_nothing(
    why: str, rejection: Rejection, venue: Venue
) -> None:
    matched = venue.submitted()
    assert (matched.report.status, matched.report.rejection) == (Status.REJECTED, rejection)
    assert (matched.purse, matched.shelf) == (venue.purse, venue.shelf)


def test_every_rejection_is_in_a_test_of_this_file() -> None:
    ends = {Rejection.COLLAR, Rejection.NO_PRICE}
    elsewhere = {Rejection.NONE, Rejection.UNKNOWN_ORDER, *ends}
    assert {row[1] for row in NO} | elsewhere == set(Rejection)


def test_a_purchase_holds_the_cash_that_its_collar_and_fee_may_take() -> None:
    matched = Venue().submitted()
    money = cost(BTC, DEAR, COIN)
    assert matched.report.status == Status.ACCEPTED
    assert matched.purse == Purse(CAPITAL, money + up(money, BTC.fee_taker_ppm, PPM))
    assert matched.shelf.held == matched.purse.held


def test_a_minimum_is_allowed_to_be_reached() -> None:
    least = instrument(quantity_min=COIN, notional_min=cost(BTC, DEAR, COIN))
    assert Venue(instrument=least).submitted().report.status == Status.ACCEPTED


def test_a_cancelled_order_gives_back_what_it_held() -> None:
    purse, shelf, _ = Venue().submitted()
    ended = matching.cancel(purse, shelf, Cancel(START, 0, BUY.sequence))
    assert ended.report.status == Status.CANCELLED
    assert (ended.purse, ended.shelf) == (Venue().purse, Venue().shelf)


def test_a_cancelled_stop_gives_back_its_coins() -> None:
    shelf = Venue(order=STOP).submitted().shelf
    ended = matching.cancel(Venue().purse, shelf, Cancel(START, 0, STOP.sequence))
    assert (ended.report.status, ended.shelf) == (Status.CANCELLED, Venue().shelf)


def test_who_cancels_too_late_is_told_so() -> None:
    late = matching.cancel(Purse(0, 0), NO_SHELF, Cancel(START, 3, 7))
    expected = NO_REPORT._replace(
        at_ms=START,
        instrument=3,
        sequence=7,
        status=int(Status.REJECTED),
        rejection=int(Rejection.UNKNOWN_ORDER),
    )
    assert late.report == expected


def opened(order: Order, at: int, of: Instrument = BTC) -> Matched:
    purse, shelf, _ = Venue(instrument=of, order=order).submitted()
    return matching.at_open(purse, shelf, of, candle(at), START)


def stopped(met: Candle, of: Instrument = BTC) -> Report:
    purse, shelf, _ = Venue(instrument=of, order=STOP).submitted()
    return matching.inside(purse, shelf, of, met, START + HOUR).report


@pytest.mark.parametrize("order", [BUY, SELL], ids=["buy", "sell"])
def test_a_take_pays_half_the_spread_the_slippage_and_the_worse_tick(order: Order) -> None:
    at = PRICE + 1
    worse = up(at, BTC.half_spread_ppm + BTC.slippage_ppm, PPM)
    price = opened(order, at).report.price
    assert price % BTC.tick == 0
    assert 0 <= order.side * (price - (at + order.side * worse)) < BTC.tick


def test_a_take_on_its_tick_without_spread_or_slippage_is_filled_where_the_candle_opened() -> None:
    assert opened(BUY, PRICE, FREE).report.price == PRICE
    assert opened(SELL, PRICE, FREE).report.price == PRICE


@pytest.mark.parametrize("order", [BUY, SELL], ids=["buy", "sell"])
def test_an_open_beyond_the_collar_ends_a_take_and_gives_everything_back(order: Order) -> None:
    at_collar = order._replace(price=PRICE)
    assert opened(at_collar, PRICE, FREE).report.status == Status.FILLED
    ended = opened(at_collar, PRICE + order.side * BTC.tick, FREE)
    assert (ended.report.status, ended.report.rejection) == (Status.CANCELLED, Rejection.COLLAR)
    assert (ended.purse, ended.shelf) == (Venue().purse, Venue().shelf)


def test_a_purchase_pays_a_fee_in_the_quote() -> None:
    matched = opened(BUY, PRICE)
    money = cost(BTC, matched.report.price, COIN)
    fee = up(money, BTC.fee_taker_ppm, PPM)
    assert matched.report[5:10] == (COIN, matched.report.price, money, fee, 0)
    assert matched.purse == Purse(CAPITAL - money - fee, 0)
    assert matched.shelf == NO_SHELF._replace(quantity=2 * COIN)


def test_a_purchase_may_pay_its_fee_in_the_base() -> None:
    matched = opened(BUY, PRICE, instrument(fee_in_base=1))
    fee = up(COIN, BTC.fee_taker_ppm, PPM)
    assert (matched.report.fee, matched.report.fee_grains) == (0, fee)
    assert matched.purse.cash == CAPITAL - matched.report.notional
    assert matched.shelf.quantity == 2 * COIN - fee


def test_a_sale_pays_its_fee_in_the_quote_whatever_a_purchase_does() -> None:
    for of in (BTC, instrument(fee_in_base=1)):
        matched = opened(SELL, PRICE, of)
        money = worth(of, matched.report.price, COIN)
        assert matched.report.fee == up(money, of.fee_taker_ppm, PPM)
        assert matched.purse.cash == CAPITAL + money - matched.report.fee
        assert matched.shelf.quantity == 0


def test_a_purchase_never_takes_more_than_it_held() -> None:
    edge = BUY._replace(price=PRICE)
    purse, _, _ = Venue(order=edge).submitted()
    matched = opened(edge, PRICE, FREE)
    assert CAPITAL - matched.purse.cash <= purse.held


def test_a_fee_that_rose_takes_no_cash_that_was_not_held_for_it() -> None:
    edge = BUY._replace(price=PRICE)
    old = instrument(half_spread_ppm=0, slippage_ppm=0)
    purse, shelf, _ = Venue(instrument=old, order=edge).submitted()
    assert purse.held == purchase(old, PRICE, COIN)
    dearer = old._replace(version=2, fee_taker_ppm=old.fee_taker_ppm + 1)
    ended = matching.at_open(purse, shelf, dearer, candle(PRICE), START)
    assert ended.report.status == Status.CANCELLED
    assert ended.report.rejection == Rejection.INSUFFICIENT
    assert (ended.purse, ended.shelf) == (Venue().purse, Venue().shelf)
    cheaper = matching.at_open(purse, shelf, dearer, candle(PRICE * 99 // 100), START)
    assert cheaper.report.status == Status.FILLED
    assert CAPITAL - cheaper.purse.cash <= purse.held


def test_a_purchase_whose_open_never_came_ends_and_gives_everything_back() -> None:
    purse, shelf, _ = Venue().submitted()
    ended = matching.at_no_open(purse, shelf, START)
    expected = (Status.CANCELLED, Rejection.NO_PRICE, BUY.sequence, 0)
    said = ended.report
    assert (said.status, said.rejection, said.sequence, said.quantity) == expected
    assert (ended.purse, ended.shelf) == (Venue().purse, Venue().shelf)


def test_a_sale_waits_for_an_open_that_comes_later() -> None:
    purse, shelf, _ = Venue(order=SELL).submitted()
    assert matching.at_no_open(purse, shelf, START) == Matched(purse, shelf, NO_REPORT)


STOPS: list[tuple[str, dict[str, Any], int]] = [
    ("not touched", {"low": STOP.price + 1}, 0),
    ("touched by the low", {"low": STOP.price}, STOP.price),
    ("passed inside", {"low": STOP.price // 2}, STOP.price),
    ("gapped over: filled at the open", {"open": PRICE // 2}, PRICE // 2),
    ("touched and recovered", {"low": STOP.price - 1, "close": 2 * PRICE}, STOP.price),
]


@pytest.mark.parametrize(("how", "moved", "price"), STOPS, ids=[row[0] for row in STOPS])
def test_a_stop(how: str, moved: dict[str, Any], price: int) -> None:
    report = stopped(candle(**({"open": PRICE} | moved)), FREE)
    assert report.price == price
    assert report.status == (Status.FILLED if price else 0)


def test_a_stop_slips_like_everything_that_takes() -> None:
    report = stopped(candle(open=PRICE, low=STOP.price))
    assert report.price < STOP.price
    assert report.price == matching.slip(STOP.price, Side.SELL, BTC, 0)


def test_nothing_is_ever_sold_below_one_tick() -> None:
    assert matching.slip(1, Side.SELL, BTC, 0) == BTC.tick


def test_where_nothing_waits_nothing_happens() -> None:
    venue = (Purse(CAPITAL, 0), NO_SHELF, BTC, candle(), START)
    assert matching.at_open(*venue) == matching.inside(*venue)
    assert matching.inside(*venue).report == NO_REPORT
    assert matching.at_no_open(*venue[:2], START) == matching.inside(*venue)
