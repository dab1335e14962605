"""Touches, prints and depths fill orders where they are believed: a row a rule."""

from dataclasses import dataclass
from typing import Any

import pytest

from rrr.core.events import Command, Decision, Depth, Event, Level, Listing, Print, Touch, Verb
from rrr.core.market import BPS, PPM, Instrument, half_spread, up
from rrr.core.orders import Cause, Kind, Rejection, Report, Side, Stage
from rrr.core.shelf import Assumptions
from rrr.core.state import Law, Sizing
from tests.builders import HOUR, LIQUID, PRICE, START, Session, candle, instrument, law, session

COIN = 10**8
QUARTER, HALF = COIN // 4, COIN // 2
LESS = ("LIQUIDITY", 0, 0)
LATE = 250
SEEN = Assumptions(latency_ms=LATE, participation_ppm=0, touch_share_ppm=0, by_touch=1)
SHARED = SEEN._replace(participation_ppm=500_000)
ONE = instrument(half_spread_ppm=0, slippage_ppm=0, fee_taker_ppm=0, notional_min=0, unit=COIN)
SLIPS = ONE._replace(slippage_ppm=100)
TICK = ONE.tick
LOWER, HIGHER = PRICE * 999 // 1_000, PRICE * 1_001 // 1_000
COLLAR = PRICE * 101 // 100
STOPS = PRICE * 98 // 100  # a purchase at the ask that is one tick above has its stop here
NOW = START + HOUR  # of the first close, and of the signal

PLAIN = law(sizing=int(Sizing.UNITS), exposure_max_bps=BPS, gross_max_bps=BPS)
WHOLE = PLAIN._replace(fill_or_kill=1)
BARE = PLAIN._replace(collar_bps=0)
RESTS = PLAIN._replace(entry_maker=1, maker_offset_bps=10, patience_ms=HOUR)
Told = list[Event | Decision]
Words = list[tuple[str, int, int]]


def asks(*levels: tuple[int, int]) -> Depth:
    return Depth(0, 0, (), tuple(Level(*one) for one in levels))


@dataclass(slots=True)
class Prices:
    """A session that sees prices between its closes, each a while after the last."""

    now: Session
    at_ms: int

    def touch(self, bid: int = PRICE - TICK, ask: int = PRICE + TICK, **sizes: int) -> Words:
        return self.saw(Touch(0, 0, bid, ask, **sizes))

    def print(self, price: int, quantity: int = LIQUID) -> Words:
        return self.saw(Print(0, 0, price, quantity))

    def depth(self, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> Words:
        sides = (tuple(Level(*one) for one in side) for side in (bids, asks))
        return self.saw(Depth(0, 0, *sides))

    def saw(self, event: Touch | Print | Depth, after_ms: int = LATE) -> Words:
        """What the venue said when it saw this, acknowledgements left out."""
        self.at_ms += after_ms
        return words(self.now.meet(event._replace(at_ms=self.at_ms)))


def words(told: Told) -> Words:
    said = [one for one in told if isinstance(one, Report) and (one.quantity or one.rejection)]
    return [
        ("fill", one.price, one.quantity) if one.quantity else (Rejection(one.rejection).name, 0, 0)
        for one in said
    ]


def wishing(under: Law = PLAIN, of: Instrument = ONE, assumed: Assumptions = SEEN) -> Prices:
    """A purchase of one coin is on its way."""
    new = session(of, under=under, assumed=assumed)
    new.close(candle(PRICE))
    new.signal(BPS)
    assert new.lane.order.quantity == COIN
    return Prices(new, NOW)


def holding(under: Law = PLAIN, of: Instrument = ONE, assumed: Assumptions = SEEN) -> Prices:
    """One coin was bought for `PRICE`, and its stop rests."""
    here = wishing(under._replace(entry_maker=0), of, assumed)
    assert here.touch(PRICE - 2 * TICK, PRICE, ask_quantity=LIQUID) == [("fill", PRICE, COIN)]
    return here


# The law, what the venue sees, and what becomes of a purchase on its way.
TAKES: list[tuple[str, Law, Assumptions, Any, Words]] = [
    ("it pays the ask", PLAIN, SEEN, Touch(0, 0, LOWER, HIGHER), [("fill", HIGHER, COIN)]),
    ("a crossed touch is not believed", PLAIN, SEEN, Touch(0, 0, HIGHER, LOWER), []),
    (
        "no more than stands there",
        PLAIN,
        SEEN,
        Touch(0, 0, LOWER, HIGHER, 0, HALF),
        [("fill", HIGHER, HALF), LESS],
    ),
    (
        "no more than our share of it",
        PLAIN,
        SHARED,
        Touch(0, 0, LOWER, HIGHER, 0, COIN),
        [("fill", HIGHER, HALF), LESS],
    ),
    (
        "what stands at the bid is for sellers",
        PLAIN,
        SEEN,
        Touch(0, 0, LOWER, HIGHER, 1, LIQUID),
        [("fill", HIGHER, COIN)],
    ),
    ("whole or not at all", WHOLE, SEEN, Touch(0, 0, LOWER, HIGHER, 0, COIN - 1_000), [LESS]),
    ("whole", WHOLE, SEEN, Touch(0, 0, LOWER, HIGHER, 0, COIN), [("fill", HIGHER, COIN)]),
    (
        "beyond its collar it is over",
        PLAIN,
        SEEN,
        Touch(0, 0, COLLAR, COLLAR + 2 * TICK),
        [("COLLAR", 0, 0)],
    ),
    (
        "a bare order has no collar",
        BARE,
        SEEN,
        Touch(0, 0, COLLAR, COLLAR + 2 * TICK),
        [("fill", COLLAR + 2 * TICK, COIN)],
    ),
    ("a print fills no taker", PLAIN, SEEN, Print(0, 0, PRICE, LIQUID), []),
    (
        "it walks down the depth",
        PLAIN,
        SEEN,
        asks((PRICE, QUARTER), (HIGHER, COIN)),
        [("fill", PRICE, QUARTER), ("fill", HIGHER, COIN - QUARTER)],
    ),
    (
        "to its collar",
        PLAIN,
        SEEN,
        asks((COLLAR, QUARTER), (COLLAR + TICK, COIN)),
        [("fill", COLLAR, QUARTER), LESS],
    ),
    (
        "our share of each level",
        PLAIN,
        SHARED,
        asks((PRICE, COIN), (HIGHER, HALF)),
        [("fill", PRICE, HALF), ("fill", HIGHER, QUARTER), LESS],
    ),
    ("nobody sells", PLAIN, SEEN, Depth(0, 0, (Level(PRICE, LIQUID),), ()), [LESS]),
    (
        "the depth has less than the whole",
        WHOLE,
        SEEN,
        asks((PRICE, QUARTER), (COLLAR + TICK, COIN)),
        [LESS],
    ),
    (
        "the depth has the whole",
        WHOLE,
        SEEN,
        asks((PRICE, QUARTER), (COLLAR, COIN)),
        [("fill", PRICE, QUARTER), ("fill", COLLAR, COIN - QUARTER)],
    ),
    (
        "our share is less than the whole",
        WHOLE,
        SHARED,
        asks((PRICE, COIN), (HIGHER, HALF)),
        [LESS],
    ),
    (
        "a bare order walks on",
        BARE,
        SEEN,
        asks((PRICE, HALF), (COLLAR + TICK, COIN)),
        [("fill", PRICE, HALF), ("fill", COLLAR + TICK, HALF)],
    ),
    ("as far as its cash goes", BARE, SEEN, asks((2 * PRICE, LIQUID)), [("INSUFFICIENT", 0, 0)]),
]


@pytest.mark.parametrize(
    ("how", "under", "assumed", "event", "said"), TAKES, ids=[r[0] for r in TAKES]
)
def test_a_purchase_that_takes(
    how: str, under: Law, assumed: Assumptions, event: Any, said: Words
) -> None:
    here = wishing(under, assumed=assumed)
    assert here.saw(event) == said
    assert here.now.world.purse.held == here.now.account.held == here.now.lane.hold


@pytest.mark.parametrize("event", [Touch(0, 0, LOWER, HIGHER), asks((PRICE, COIN))])
def test_nothing_meets_an_order_that_has_not_arrived(event: Any) -> None:
    here = wishing()
    assert here.saw(event, after_ms=LATE - 1) == []
    assert here.saw(event, after_ms=1)[0][0] == "fill"


def test_candles_fill_nothing_where_touches_do() -> None:
    here = wishing()
    assert words(here.now.close(candle(PRICE, low=1, high=3 * PRICE))) == []
    held = holding()
    assert words(held.now.close(candle(PRICE, low=1, high=PRICE))) == []
    assert held.now.lane.stop.stage == Stage.WORKING


def test_slippage_comes_on_top_of_the_ask_and_the_bid() -> None:
    here = wishing(of=SLIPS)
    middle = LOWER + half_spread(LOWER, HIGHER)
    ((_, bought, _),) = here.touch(LOWER, HIGHER)
    assert 0 <= bought - (HIGHER + up(middle, SLIPS.slippage_ppm, PPM)) < TICK
    here.now.signal(0)
    ((_, sold, _),) = here.touch(LOWER, HIGHER)
    assert 0 <= LOWER - up(middle, SLIPS.slippage_ppm, PPM) - sold < TICK


RESTING: list[tuple[str, Assumptions, Any, Words]] = [
    ("the ask goes through", SEEN, Touch(0, 0, LOWER, -TICK), [("fill", 0, COIN)]),
    ("the ask touches it", SEEN, Touch(0, 0, LOWER, 0), []),
    ("the ask stays above", SEEN, Touch(0, 0, LOWER, TICK), []),
    (
        "the ask touches it, and a share fills",
        SEEN._replace(touch_share_ppm=250_000),
        Touch(0, 0, LOWER, 0),
        [("fill", 0, QUARTER)],
    ),
    ("less stands there", SEEN, Touch(0, 0, LOWER, -TICK, 0, QUARTER), [("fill", 0, QUARTER)]),
    ("a print goes through", SEEN, Print(0, 0, -TICK, 1), [("fill", 0, COIN)]),
    ("a print touches it", SEEN, Print(0, 0, 0, LIQUID), []),
    (
        "a print touches it, and a share fills",
        SEEN._replace(touch_share_ppm=250_000),
        Print(0, 0, 0, LIQUID),
        [("fill", 0, QUARTER)],
    ),
    ("our share of what was exchanged", SHARED, Print(0, 0, -TICK, HALF), [("fill", 0, QUARTER)]),
    ("the depth fills nobody who rests", SEEN, asks((LOWER, COIN)), []),
]


@pytest.mark.parametrize(("how", "assumed", "event", "said"), RESTING, ids=[r[0] for r in RESTING])
def test_a_purchase_that_rests(how: str, assumed: Assumptions, event: Any, said: Words) -> None:
    """Prices and fills of a row are told from where the order stands."""
    here = wishing(RESTS, assumed=assumed)
    at = here.now.lane.order.price
    assert here.touch() == []
    if isinstance(event, Touch):
        event = event._replace(bid=at - 10 * TICK, ask=at + event.ask)
    elif isinstance(event, Print):
        event = event._replace(price=at + event.price)
    assert here.saw(event) == [(word, at + price, quantity) for word, price, quantity in said]
    assert {one.maker for one in here.now.record if isinstance(one, Report) and one.quantity} <= {1}


@pytest.mark.parametrize(
    "event", [Touch(0, 0, LOWER - 9 * TICK, LOWER), asks((LOWER, COIN))], ids=["touch", "depth"]
)
def test_a_purchase_that_would_take_when_it_arrives_does_not_rest(event: Any) -> None:
    here = wishing(RESTS)
    assert here.now.lane.order.price > LOWER - PRICE // 1_000
    below = here.now.lane.order.price - TICK
    if isinstance(event, Touch):
        event = event._replace(bid=below - TICK, ask=below)
    else:
        event = event._replace(asks=(Level(below, COIN),))
    assert here.saw(event) == [("POST_ONLY", 0, 0)]


@pytest.mark.parametrize(
    "event",
    [Touch(0, 0, 0, 0), Print(0, 0, 0, LIQUID), Depth(0, 0, (), ())],
    ids=["touch", "print", "depth"],
)
def test_what_has_expired_is_not_filled(event: Any) -> None:
    here = wishing(RESTS)
    at = here.now.lane.order.price - TICK
    here.touch()
    if isinstance(event, Touch):
        event = event._replace(bid=at - TICK, ask=at)
    elif isinstance(event, Print):
        event = event._replace(price=at)
    assert here.saw(event, after_ms=HOUR - LATE) == [("EXPIRED", 0, 0)]


STOPPED: list[tuple[str, Law, Any, Words]] = [
    ("the bid stays above", PLAIN, Touch(0, 0, STOPS + TICK, PRICE), []),
    ("the bid touches it, and pays", PLAIN, Touch(0, 0, STOPS, PRICE), [("fill", STOPS, COIN)]),
    (
        "the bid gaps through it, and pays",
        PLAIN,
        Touch(0, 0, STOPS - PRICE // 100, STOPS),
        [("fill", STOPS - PRICE // 100, COIN)],
    ),
    ("the ask alone goes through", PLAIN, Touch(0, 0, STOPS + TICK, STOPS + 2 * TICK), []),
    (
        "a print goes through it",
        PLAIN,
        Print(0, 0, STOPS - PRICE // 100, LIQUID),
        [("fill", STOPS - PRICE // 100 - TICK, COIN)],
    ),
    ("a print stays above", PLAIN, Print(0, 0, STOPS + TICK, LIQUID), []),
    ("the depth triggers nothing", PLAIN, Depth(0, 0, (Level(1, LIQUID),), ()), []),
    (
        "a stop-limit fills down to its limit",
        PLAIN._replace(stop_limit_bps=100),
        Touch(0, 0, STOPS * 99 // 100, PRICE),
        [("fill", STOPS * 99 // 100, COIN)],
    ),
]


@pytest.mark.parametrize(("how", "under", "event", "said"), STOPPED, ids=[r[0] for r in STOPPED])
def test_a_stop(how: str, under: Law, event: Any, said: Words) -> None:
    here = holding(under, ONE._replace(half_spread_ppm=5_000))
    assert (here.now.lane.stop.price, here.now.lane.half_spread) == (STOPS, TICK)
    assert here.saw(event) == said


def test_a_stop_that_the_bid_fills_in_part_sells_its_rest_to_the_next() -> None:
    here = holding()
    fallen, further = STOPS - TICK, STOPS - 50 * TICK
    assert here.touch(fallen, PRICE, bid_quantity=QUARTER) == [("fill", fallen, QUARTER)]
    assert here.now.world.shelves[0].stop.stage == Stage.TRIGGERED
    assert here.touch(further, PRICE) == [("fill", further, COIN - QUARTER)]
    assert here.now.lane.quantity == 0


def test_a_trailing_stop_follows_the_bid_and_is_never_lowered() -> None:
    here = holding(PLAIN._replace(trail_bps=100))
    trail = here.now.lane.trail
    for bid, stands in ((HIGHER, HIGHER), (PRICE, HIGHER), (2 * PRICE, 2 * PRICE)):
        assert here.touch(bid, bid + TICK) == []
        assert here.now.world.shelves[0].stop.price == stands - trail
    assert here.touch(PRICE, PRICE + TICK) == [("fill", PRICE, COIN)]


def test_a_stop_limit_that_a_gap_left_behind_escalates_into_a_sale() -> None:
    here = holding(PLAIN._replace(stop_limit_bps=100, collar_bps=10))
    gap = PRICE * 90 // 100
    assert here.touch(gap, PRICE) == []
    sale = here.now.lane.order
    assert (sale.kind, sale.side, sale.cause, sale.attempt) == (Kind.TAKE, Side.SELL, Cause.STOP, 0)
    assert here.now.lane.stop.kind == Kind.NONE
    over = here.touch(gap, PRICE)
    assert over[0] == ("COLLAR", 0, 0)
    for _ in range(12):
        over += here.touch(gap, PRICE)
    assert over[-1] == ("fill", gap, COIN)


def test_a_target_that_rests_is_filled_by_a_bid_that_goes_through_and_ends_its_stop() -> None:
    here = holding(PLAIN._replace(target_rests=1, target_bps=200))
    at = here.now.lane.target.price
    assert at == PRICE * 102 // 100
    assert here.touch(PRICE, PRICE + TICK) == []
    assert here.touch(at, at + TICK) == []
    assert here.touch(at + TICK, at + 2 * TICK) == [("fill", at, COIN), ("PARTNER", 0, 0)]
    assert here.now.lane.quantity == here.now.world.shelves[0].quantity == 0


@pytest.mark.parametrize("quantity", [QUARTER, HALF])
def test_a_target_filled_in_part_leaves_the_rest_under_a_stop_and_a_target(quantity: int) -> None:
    here = holding(PLAIN._replace(target_rests=1, target_bps=200))
    at = here.now.lane.target.price
    here.touch()
    said = here.touch(at + TICK, at + 2 * TICK, bid_quantity=quantity)
    assert said == [("fill", at, quantity), ("PARTNER", 0, 0)]
    lane = here.now.lane
    assert lane.stop.quantity == lane.target.quantity == lane.quantity == COIN - quantity
    assert (lane.stop.price, lane.target.price) == (STOPS, at)


def test_a_panic_while_a_purchase_rests_ends_flat() -> None:
    here = wishing(RESTS)
    here.touch()
    at = here.now.lane.order.price
    here.touch(at - 2 * TICK, at - TICK, ask_quantity=QUARTER)
    assert here.now.lane.quantity == QUARTER
    here.now.meet(Command(here.at_ms, int(Verb.PANIC)))
    assert here.touch(at - 2 * TICK, at - TICK) == [("fill", at - 2 * TICK, QUARTER)]
    assert (here.now.lane.quantity, here.now.account.held) == (0, 0)


@pytest.mark.parametrize("cooldown_ms", [0, HOUR])
def test_after_a_stop_no_purchase_is_filled_in_the_cool_down(cooldown_ms: int) -> None:
    """Both sides of a touch are met, each with its own quantity: sellers first."""
    here = holding(PLAIN._replace(cooldown_ms=cooldown_ms))
    here.now.meet(Listing(here.at_ms, ONE._replace(version=2, unit=2 * COIN)))
    here.now.signal(BPS)
    assert here.now.lane.order.quantity == COIN
    said = here.touch(STOPS, STOPS + TICK, bid_quantity=HALF, ask_quantity=QUARTER)
    bought = [("fill", STOPS + TICK, QUARTER), LESS]
    assert said == [("fill", STOPS, HALF), *(() if cooldown_ms else bought)]
    assert here.now.lane.order.kind == Kind.NONE
