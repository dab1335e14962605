"""Where the venue changes a stop, what is held stays under it while it grows and shrinks."""

from collections.abc import Iterable

import pytest

from rrr.core import shelf
from rrr.core.events import Command, Listing, Refused, Verb
from rrr.core.market import PPM
from rrr.core.orders import (
    Amend,
    Cancel,
    Kind,
    Order,
    Rejection,
    Report,
    Side,
    Stage,
    Status,
    amended,
    told,
)
from rrr.core.shelf import Assumptions, Shelf
from rrr.core.state import Law, Sizing
from tests.builders import LIQUID, PRICE, START, Session, candle, holding, instrument, law, report
from tests.core.test_kernel import Talk
from tests.core.venue import COIN, COINS, FREE, STOP, STOP_LIMIT, TARGET

AMENDS = law(stop_amends=1, sizing=int(Sizing.UNITS), exposure_max_bps=10_000, band_bps=0)
UNITS = instrument(half_spread_ppm=0, slippage_ppm=0, fee_taker_ppm=0, unit=2 * COIN)
HALF = Assumptions(latency_ms=0, participation_ppm=PPM // 2, touch_share_ppm=0, by_touch=0)


def held(under: Law = AMENDS) -> Session:
    """Two coins under their stop."""
    new = holding(under, UNITS)
    assert (new.lane.quantity, new.lane.stop.quantity) == (2 * COIN, 2 * COIN)
    return new


def said(record: Iterable[object]) -> list[str]:
    """What left, and what the venue answered, in order."""
    words = {Amend: "amend", Cancel: "cancel"}
    found = []
    for one in record:
        match one:
            case Order():
                found.append("stop" if one.kind in (Kind.STOP, Kind.STOP_LIMIT) else "sale")
            case Report():
                found.append(Status(one.status).name)
            case Amend() | Cancel():
                found.append(words[type(one)])
    return found


def test_an_addition_raises_the_stop_where_it_rests() -> None:
    new = held()
    stop = new.lane.stop
    new.meet(Listing(new.at_ms, UNITS._replace(version=2, unit=3 * COIN)))
    new.signal(10_000)
    record = new.close(candle(PRICE * 1005 // 1000))
    amends = [one for one in record if isinstance(one, Amend)]
    assert amends == [Amend(new.at_ms - 3_600_000, 0, stop.sequence, 3 * COIN, new.lane.stop_price)]
    assert amends[0].price > stop.price
    assert said(record)[:3] == ["FILLED", "amend", "AMENDED"]
    now = new.lane.stop
    assert (now.sequence, now.quantity, now.stage) == (stop.sequence, 3 * COIN, Stage.WORKING)
    assert new.world.shelves[0].stop.price == now.price == new.lane.stop_price


def test_a_part_is_sold_from_under_a_stop_that_keeps_the_rest() -> None:
    new = held()
    stop = new.lane.stop
    record = new.signal(5_000)
    assert said(record) == ["amend", "AMENDED", "sale", "ACCEPTED"]
    assert new.lane.stop == amended(stop, COIN, stop.price)
    assert said(new.close(candle(PRICE))) == ["FILLED"]
    assert new.lane.quantity == new.lane.stop.quantity == COIN


def test_an_exit_that_fills_in_parts_leaves_the_stop_of_the_rest_alone() -> None:
    new = holding(AMENDS, UNITS, assumed=HALF)
    new.signal(5_000)
    record = new.close(candle(PRICE, volume=COIN))
    assert said(record)[0] == "FILLED"
    assert not any(isinstance(one, Amend | Cancel) for one in record)
    new.close(candle(PRICE, volume=LIQUID))
    assert new.lane.quantity == new.lane.stop.quantity == COIN


@pytest.mark.parametrize("word", ["signal", "panic"])
def test_whoever_leaves_altogether_cancels(word: str) -> None:
    new = held()
    record = new.signal(0) if word == "signal" else new.meet(Command(new.at_ms, Verb.PANIC))
    assert said(record) == ["cancel", "CANCELLED", "sale", "ACCEPTED"]


def test_a_rest_that_no_venue_takes_is_under_no_stop_while_the_other_part_is_sold() -> None:
    new = held()
    least = UNITS._replace(version=2, quantity_min=COIN + COIN // 2, lot=COIN // 2)
    new.meet(Listing(new.at_ms, least))
    assert said(new.signal(2_500))[:2] == ["cancel", "CANCELLED"]


def test_a_stop_that_follows_is_sent_anew() -> None:
    new = held(AMENDS._replace(trail_bps=200))
    assert said(new.signal(5_000))[:2] == ["cancel", "CANCELLED"]


def test_where_it_is_not_done_a_stop_is_cancelled_and_sent_anew() -> None:
    new = held(AMENDS._replace(stop_amends=0))
    assert said(new.signal(5_000)) == ["cancel", "CANCELLED", "sale", "ACCEPTED"]
    assert said(new.close(candle(PRICE))) == ["FILLED", "stop", "ACCEPTED"]


def test_a_limit_keeps_its_distance_from_the_trigger() -> None:
    new = held(AMENDS._replace(stop_limit_bps=50))
    stop = new.lane.stop
    assert stop.kind == Kind.STOP_LIMIT
    new.meet(Listing(new.at_ms, UNITS._replace(version=2, unit=3 * COIN)))
    new.signal(10_000)
    new.close(candle(PRICE * 1005 // 1000))
    now = new.lane.stop
    assert now.price - now.limit == stop.price - stop.limit > 0
    assert new.world.shelves[0].stop.limit == now.limit


def test_the_stop_that_was_amended_sells_all_of_it() -> None:
    new = held()
    new.signal(5_000)
    new.close(candle(PRICE))
    record = new.close(candle(PRICE // 2))
    (sold,) = [one for one in record if isinstance(one, Report) and one.status == Status.FILLED]
    assert (sold.quantity, sold.sequence) == (COIN, 2)
    assert (new.lane.quantity, new.lane.stop.kind) == (0, 0)


def asked() -> tuple[Talk, Order]:
    """The kernel alone has asked for half of the stop; the venue has not answered."""
    talk = Talk(held().world.state)
    talk.signal(5_000)
    stop = talk.state.lanes[0].stop
    assert (stop.stage, stop.quantity) == (Stage.AMENDING, 2 * COIN)
    return talk, stop


def test_nothing_is_sold_before_the_venue_has_answered() -> None:
    talk, stop = asked()
    assert talk.close() == ()
    assert [type(one) for one in talk.signal(0)] == [Refused]
    assert talk.says(Status.UNKNOWN, stop) == ()
    (sale,) = talk.says(Status.AMENDED, stop, quantity=COIN, price=stop.price)
    assert isinstance(sale, Order)
    assert (sale.side, sale.quantity) == (Side.SELL, COIN)


def test_what_is_not_amended_is_cancelled_and_nobody_asks_twice() -> None:
    talk, stop = asked()
    refused = {"quantity": stop.quantity, "price": stop.price, "rejection": int(Rejection.TERMS)}
    assert talk.says(Status.AMENDED, stop, **refused) == (Cancel(talk.at_ms, 0, stop.sequence),)


def test_a_full_exit_waits_for_no_amendment() -> None:
    talk, stop = asked()
    assert talk.hear(Command(talk.at_ms, Verb.PANIC))[-1] == Cancel(talk.at_ms, 0, stop.sequence)
    assert talk.says(Status.AMENDED, stop, quantity=COIN, price=stop.price) == ()
    now = talk.state.lanes[0].stop
    assert (now.stage, now.quantity) == (Stage.CANCELLING, COIN)
    (sale,) = talk.says(Status.CANCELLED, stop)
    assert isinstance(sale, Order)
    assert sale.quantity == 2 * COIN


def test_a_stop_that_is_not_there_any_more_has_its_last_word_to_come() -> None:
    talk, stop = asked()
    assert talk.says(Status.REJECTED, stop, rejection=int(Rejection.UNKNOWN_ORDER)) == ()
    assert talk.state.lanes[0].stop == stop
    talk.fills(stop, 2 * COIN)
    assert talk.state.lanes[0].quantity == 0
    assert talk.state.lanes[0].due == 0


def test_a_stop_that_has_begun_to_sell_is_not_amended() -> None:
    new = holding(AMENDS, UNITS, assumed=HALF)
    stop = new.lane.stop
    new.close(candle(stop.price, open=PRICE, volume=COIN))
    assert new.lane.stop.filled
    assert "amend" not in said(new.signal(1_000))


def test_nothing_is_bought_while_an_amendment_is_on_its_way() -> None:
    talk, _ = asked()
    talk.state = talk.state._replace(
        instruments=(talk.state.instruments[0]._replace(unit=4 * COIN),)
    )
    talk.signal(10_000)
    assert talk.state.lanes[0].due < 0


NO: list[tuple[str, Rejection, Shelf, dict[str, int]]] = [
    ("more than the coins", Rejection.REDUCE_ONLY, COINS, {"quantity": COIN + 1}),
    (
        "coins that a sale takes",
        Rejection.REDUCE_ONLY,
        COINS._replace(order=STOP._replace(sequence=9, quantity=COIN // 2)),
        {"quantity": COIN},
    ),
    ("off the tick", Rejection.PRICE_GRID, COINS, {"price": STOP.price + 1}),
    ("no price", Rejection.PRICE_GRID, COINS, {"price": 0}),
    ("off the lot", Rejection.QUANTITY_GRID, COINS, {"quantity": COIN // 2 + 1}),
    ("nothing", Rejection.QUANTITY_GRID, COINS, {"quantity": 0}),
    ("too little", Rejection.BELOW_MINIMUM, COINS, {"quantity": 10_000}),
    ("more than fits", Rejection.CAPACITY, COINS, {"quantity": 10_000 << 46}),
]
STRICT = FREE._replace(lot=10_000, tick=100, quantity_min=20_000)


@pytest.mark.parametrize(("what", "why", "there", "wish"), NO)
def test_the_venue_says_what_the_stop_still_is(
    what: str, why: Rejection, there: Shelf, wish: dict[str, int]
) -> None:
    stop = STOP._replace(quantity=COIN // 2, stage=int(Stage.WORKING))
    there = there._replace(stop=stop)
    wanted = {"quantity": stop.quantity, "price": stop.price} | wish
    of = STRICT if what != "more than the coins" else STRICT._replace(lot=1)
    purse = shelf.Purse(0, 0)
    matched = shelf.amend(purse, there, of, Amend(START, 0, stop.sequence, **wanted))
    word = matched.report
    assert (word.status, word.rejection) == (Status.AMENDED, why), what
    assert (word.quantity, word.price) == (stop.quantity, stop.price)
    assert matched.shelf == there


def test_the_venue_amends_no_stop_that_is_triggered_or_gone() -> None:
    gone = shelf.amend(shelf.Purse(0, 0), COINS, FREE, Amend(START, 0, 7, COIN, PRICE))
    assert (gone.report.status, gone.report.rejection) == (
        Status.REJECTED,
        Rejection.UNKNOWN_ORDER,
    )
    assert gone.report.sequence == 7
    hit = COINS._replace(stop=STOP_LIMIT._replace(stage=int(Stage.TRIGGERED)))
    wanted = Amend(START, 0, STOP_LIMIT.sequence, COIN // 2, STOP_LIMIT.price)
    assert shelf.amend(shelf.Purse(0, 0), hit, FREE, wanted).report.rejection == Rejection.TERMS


def test_the_target_beside_it_promises_the_same_coins() -> None:
    both = COINS._replace(
        stop=STOP._replace(quantity=COIN // 2), target=TARGET._replace(quantity=COIN // 2)
    )
    wanted = Amend(START, 0, STOP.sequence, COIN, STOP.price)
    alone = shelf.amend(shelf.Purse(0, 0), both, FREE, wanted)
    assert alone.report.rejection == Rejection.NONE
    assert alone.shelf.stop.quantity == COIN


def test_an_order_is_what_the_venue_says_that_it_is_now() -> None:
    stop = STOP_LIMIT._replace(stage=int(Stage.AMENDING))
    word = report(Status.AMENDED, stop, quantity=COIN // 2, price=stop.price + 500)
    now = told(stop, word)
    assert (now.quantity, now.price, now.limit) == (COIN // 2, stop.price + 500, stop.limit + 500)
    assert (now.stage, now.attempt) == (Stage.WORKING, 0)
    refused = told(stop, word._replace(quantity=stop.quantity, price=stop.price, rejection=14))
    assert refused == stop._replace(stage=int(Stage.WORKING), attempt=1)
