"""A life with real money begins with what the last one left, small, and halted where it crashes."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from rrr.core.errors import NotArmed
from rrr.core.market import BPS, QUANTA
from rrr.core.orders import Rejection
from rrr.core.state import Halt
from rrr.database import live_fits
from rrr.wiring.live_terms import lawful
from rrr.wiring.trading_live import CRASHES_MS
from tests.builders import CAPITAL
from tests.trading.live.dealing import LIVELY, Deal, dealing, desk, opening, terms, timeless
from tests.trading.live.desk import Fate, sides

SMALL = 1_000  # of the ramp, in dollars
RAMP = {"live.ramp_notional_max": str(SMALL), "live.ramp_round_trips": "1"}
REASONS = "SELECT reason FROM halts"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "live.db"


async def turned(deal: Deal) -> None:
    """One round trip."""
    await deal.hold()
    await deal.close(0)
    await deal.rest()
    assert deal.lane.quantity == 0


async def loop(path: Path, starts: int, apart_s: float = 0) -> Deal:
    """So many lives that come to no end."""
    venue = desk()
    for _ in range(starts):
        async with dealing(path, venue, settings={"live.crash_starts_max": "3"}) as deal:
            await asyncio.sleep(apart_s)
    return deal


@timeless
async def test_whoever_dies_and_dies_again_opens_nothing(path: Path) -> None:
    deal = await loop(path, starts=3)
    assert deal.engine.state.account.halted == Halt.NONE
    venue = deal.desk
    async with dealing(path, venue, settings={"live.crash_starts_max": "3"}) as deal:
        assert deal.engine.state.account.halted == Halt.OPERATOR
        assert deal.facts[:1] == ["crash_loop"]
        await deal.close()
        await deal.close(10_000)
        await deal.rest()
        assert venue.sent == []


@timeless
async def test_starts_that_are_long_ago_are_no_loop(path: Path) -> None:
    deal = await loop(path, starts=4, apart_s=CRASHES_MS / 3_000)
    assert deal.engine.state.account.halted == Halt.NONE


@timeless
async def test_a_start_that_was_refused_is_no_crash(path: Path) -> None:
    venue = desk(cash="1")
    for _ in range(6):
        async with opening(path, venue, settings={"live.crash_starts_max": "3"}) as deal:
            with pytest.raises(NotArmed):
                await deal.live.begin(deal.db, deal.engine)
    assert deal.engine.state.account.halted == Halt.NONE


@timeless
async def test_another_book_with_coins_is_never_left_alone(path: Path) -> None:
    venue, other = desk(), terms(seed=2)
    async with dealing(path, venue) as deal:
        await deal.hold()
        take_over = deal.live.take_over
        await take_over(deal.db, terms(), new=False)
        with pytest.raises(NotArmed, match=r"live-1 is another book, with 1 open order and"):
            await take_over(deal.db, other, new=False)
        with pytest.raises(NotArmed):
            await take_over(deal.db, terms(), new=True)
        await deal.close(0)
        await deal.rest()
        await take_over(deal.db, other, new=False)
        await take_over(deal.db, terms(), new=True)


@timeless
async def test_another_book_with_an_order_that_nobody_knows_of_is_never_left_alone(
    path: Path,
) -> None:
    venue = desk()
    async with dealing(path, venue) as deal:
        await deal.close()
        venue.fates += [Fate.LOST]
        await deal.close(10_000)
        await deal.until(lambda: "order_unknown" in deal.facts)
        with pytest.raises(NotArmed, match="1 open order and 0"):
            await deal.live.take_over(deal.db, terms(seed=2), new=False)


@timeless
async def test_the_ramp_binds_until_real_costs_were_looked_at_and_ends_by_an_event(
    path: Path,
) -> None:
    venue, small = desk(), SMALL * QUANTA
    under = LIVELY._replace(order_notional_max=small, exposure_max_bps=small * BPS // CAPITAL)
    async with dealing(path, venue, terms(law=under), settings=RAMP, law=LIVELY) as deal:
        assert lawful(deal.live.settings, LIVELY, small, climbed=False) == under
        await turned(deal)
        notional = venue.placed[0].amount * venue.price
        assert SMALL / 2 < notional <= SMALL
        await asyncio.sleep(130)
        assert deal.live.round_trips == 1
        assert deal.engine.state.law == under, "Nobody has compared its costs yet."
        assert deal.agent.wall.caps.order_notional_max == small
        key = (deal.engine.session.id, 0)
        await deal.db.write(
            partial(live_fits.remember, key=key, at_ms=1, round_trips=1, figures={})
        )
        await deal.until(lambda: deal.engine.state.law == LIVELY)
        assert deal.agent.wall.caps.order_notional_max == CAPITAL
        assert deal.ask("SELECT note FROM journal WHERE note = 'the ramp'") == [("the ramp",)]


@timeless
async def test_the_ramps_wall_binds_even_if_the_law_does_not(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue, settings=RAMP) as deal:
        await deal.close()
        await deal.close(10_000)
        await deal.rest()
        assert venue.sent == []
        said = "SELECT rejection FROM order_states WHERE state = 'rejected'"
        assert deal.ask(said) == [(Rejection.CAP,)]


@timeless
async def test_what_was_bought_today_counts_after_a_restart(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue) as deal:
        await turned(deal)
        bought = deal.agent.wall.day_notional(venue.clock())
        assert bought > 0
    async with dealing(path, venue) as deal:
        assert deal.agent.wall.day_notional(venue.clock()) == bought
        deal.agent.wall.caps = deal.agent.wall.caps._replace(day_notional_max=bought * 3 // 2)
        await deal.close(10_000)
        await deal.rest()
        assert sides(venue) == ["buy", "stop", "sell"]


@timeless
async def test_who_stops_lets_what_is_under_way_arrive_for_a_while(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue) as deal:
        await deal.hold()
        begun_ms = venue.clock()
        await deal.live.rest()
        assert venue.clock() == begun_ms, "Nothing moves."
        venue.held["send"] = asyncio.Event()
        await deal.close(0)
        await deal.live.rest()
        assert venue.clock() - begun_ms == pytest.approx(5_000, abs=10)
