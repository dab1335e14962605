"""A verified book enters between its close and its touch, so that who takes walks down it."""

from pathlib import Path

import pytest

from rrr.core.errors import UsageError
from rrr.core.events import Close, Decision, Depth, Event, Level, Touch
from rrr.core.market import BPS
from rrr.core.orders import Report
from rrr.core.shelf import Assumptions
from rrr.core.state import Sizing
from rrr.data_pipeline.books import touch_of
from rrr.data_pipeline.market import Arrival
from rrr.data_pipeline.simulated import BEGINS_MS
from tests.builders import HOUR, PRICE, START, candle, instrument, law, session
from tests.wiring.daemons import said
from tests.wiring.rooms import housed

COIN = 10**8
QUARTER, TICK = COIN // 4, instrument().tick
LATER = START + 2 * HOUR
DEEP = Depth(
    LATER,
    0,
    (Level(PRICE - TICK, COIN),),
    (Level(PRICE, QUARTER), Level(PRICE + TICK, QUARTER)),
)


@pytest.mark.parametrize("past", [True, False])
async def test_a_depth_enters_after_its_close_and_before_its_touch(
    tmp_path: Path, past: bool
) -> None:
    at_ms = BEGINS_MS + HOUR
    depth = DEEP._replace(at_ms=at_ms)
    close = Close(at_ms, BEGINS_MS, (), (0, 1, 2))
    async with housed(tmp_path, speed="max") as house:
        arrival = Arrival(close, (touch_of(depth),), past, depths=(depth,))
        [moment] = await house.opinions.meet([arrival])
    assert moment.events[:3] == (close, depth, touch_of(depth))


@pytest.mark.slow
def test_depth_of_a_venue_whose_books_nobody_can_verify_is_a_mistake_of_the_user(
    tmp_path: Path,
) -> None:
    ended = said(tmp_path, "--mode", "paper", "--market", "bitstamp", "--depth-levels", "5")
    assert ended.code == UsageError.exit_code
    assert "There is no verified order book for bitstamp." in ended.err


def fills(*seen: Depth | Touch) -> list[tuple[int, int]]:
    """What a purchase of one coin gets of what is seen at one moment."""
    under = law(sizing=int(Sizing.UNITS), exposure_max_bps=BPS, gross_max_bps=BPS)
    of = instrument(half_spread_ppm=0, slippage_ppm=0, fee_taker_ppm=0, notional_min=0, unit=COIN)
    new = session(of, under=under, assumed=Assumptions(250, 0, 0, by_touch=1))
    new.close(candle(PRICE))
    new.signal(BPS)
    told: list[Event | Decision] = [one for event in seen for one in new.meet(event)]
    return [(one.price, one.quantity) for one in told if isinstance(one, Report) and one.quantity]


def test_who_takes_walks_down_the_depth_and_finds_no_more_at_its_touch() -> None:
    both = [(level.price, level.quantity) for level in DEEP.asks]
    assert fills(DEEP, touch_of(DEEP)) == fills(DEEP) == both
    assert fills(touch_of(DEEP), DEEP) == both[:1], "Behind its touch it would come too late."
