"""A stop that is changed where it rests protects all the while, whatever becomes of words."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from rrr.core.events import Command, Verb
from rrr.core.orders import Rejection, Stage
from rrr.core.state import Sizing
from rrr.trading.engine.opening import Terms
from rrr.trading.live import outcomes
from rrr.trading.live.outcomes import Outcome
from rrr.trading.live.protection import Why
from tests.trading.live.dealing import LIVELY, Deal, dealing, desk, terms, timeless
from tests.trading.live.desk import Fate, sides

STATES = "SELECT state, quantity FROM order_states WHERE state LIKE 'amend%' ORDER BY number"
QUANTITIES = """SELECT l.quantity, o.quantity
    FROM live_orders l JOIN orders o USING (session, book, sequence) WHERE kind = 'stop'"""
COIN = 10**8
REFUSED = Outcome(outcomes.Kind.REJECTED, Rejection.TERMS, "edit_order: EOrder:Invalid")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "live.db"


def amending() -> Terms:
    """Half of a conviction holds half."""
    return terms(law=LIVELY._replace(stop_amends=1, sizing=int(Sizing.EQUITY), band_bps=0))


def agrees(deal: Deal) -> bool:
    """The book's stop is the venue's, and sells what is held."""
    (there,) = deal.desk.resting
    stop = deal.lane.stop
    theirs = int(there.amount * COIN), int(there.price * 10_000)
    same = (stop.quantity, stop.price) == theirs
    return same and stop.stage == Stage.WORKING and stop.quantity == deal.lane.quantity


@timeless
async def test_a_part_is_sold_while_the_rest_stays_under_its_stop(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue, amending()) as deal:
        await deal.hold()
        whole = deal.lane.quantity
        await deal.close(5_000)
        await deal.rest()
        assert sides(venue) == ["buy", "stop", "amend", "sell"]
        assert venue.cancels == []
        assert 0 < deal.lane.quantity < whole
        assert agrees(deal)
        assert deal.ask(STATES) == [
            ("amending", deal.lane.quantity),
            ("amended", deal.lane.quantity),
        ]
        assert deal.ask(QUANTITIES) == [(deal.lane.quantity,) * 2]


@timeless
async def test_a_purchase_that_fills_in_parts_is_never_bare_again(path: Path) -> None:
    venue, wanted = desk(), amending()
    patient = wanted.law._replace(entry_maker=1)
    async with dealing(path, venue, terms(law=patient)) as deal:
        await deal.close()
        await deal.close(10_000)
        await deal.until(lambda: venue.resting)
        (bought,) = venue.resting
        venue.fill(bought, Decimal("0.1"), bought.price)
        await deal.until(lambda: len(venue.resting) == 2)
        venue.fill(bought, Decimal("0.2"), bought.price)
        await deal.until(lambda: deal.lane.stop.quantity == 3 * COIN // 10)
        assert [one.amount for one in venue.placed if one.trigger] == [Decimal("0.3")]
        assert venue.cancels == []
        assert len(deal.agent.protection.windows[Why.CHANGE]) == 1
        assert not deal.agent.protection.windows[Why.BARE]


@timeless
async def test_a_refused_amendment_is_a_cancel_and_a_new_stop(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue, amending()) as deal:
        await deal.hold()
        venue.fates += [REFUSED]
        await deal.close(5_000)
        await deal.rest()
        assert sides(venue) == ["buy", "stop", "amend", "sell", "stop"]
        assert len(venue.cancels) == 1
        assert agrees(deal)


@pytest.mark.parametrize("fate", [Fate.UNHEARD, Fate.LOST])
def test_silence_is_looked_into_and_never_said_again(path: Path, fate: Fate) -> None:
    @timeless
    async def said() -> None:
        venue = desk()
        async with dealing(path, venue, amending()) as deal:
            await deal.hold()
            whole = deal.lane.quantity
            venue.fates += [fate]
            await deal.close(5_000)
            await deal.until(lambda: deal.lane.quantity < whole)
            await deal.rest()
            assert sides(venue).count("amend") == 1
            assert bool(venue.cancels) == (fate is Fate.LOST)
            assert agrees(deal)

    said()


@timeless
async def test_one_that_lands_after_all_is_undone(path: Path) -> None:
    """It was given up, and the position is another by then."""
    venue = desk()
    async with dealing(path, venue, amending()) as deal:
        await deal.hold()
        venue.fates += [Fate.LATE]
        venue.held["cancel"] = asyncio.Event()
        await deal.close(5_000)
        await deal.until(lambda: deal.lane.stop.stage == Stage.CANCELLING)
        venue.arrive()
        venue.held.pop("cancel").set()
        await deal.rest()
        assert agrees(deal)


@timeless
async def test_what_a_hand_changed_is_changed_back(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue, amending()) as deal:
        await deal.hold()
        (there,) = venue.resting
        there.amount /= 2
        deal.lookout.look_at_all()
        await deal.until(lambda: sides(venue)[-1] == "amend")
        await deal.rest()
        assert agrees(deal)
        assert venue.cancels == []


@timeless
async def test_an_answer_from_before_it_is_not_believed(path: Path) -> None:
    """A replica shows the stop as it was; the book has its confirmation."""
    venue = desk()
    async with dealing(path, venue, amending()) as deal:
        await deal.hold()
        (there,) = venue.resting
        old = there.amount
        await deal.close(5_000)
        await deal.rest()
        new, there.amount = there.amount, old
        await deal.lookout.all()
        there.amount = new
        await deal.rest()
        assert sides(venue).count("amend") == 1
        assert agrees(deal)


@pytest.mark.parametrize("landed", [True, False])
def test_who_dies_over_an_amendment_finds_what_became_of_it(path: Path, landed: bool) -> None:
    @timeless
    async def said() -> None:
        venue = desk()
        async with dealing(path, venue, amending()) as deal:
            await deal.hold()
            whole = deal.lane.quantity
            venue.held["send"] = asyncio.Event()
            await deal.close(5_000)
            await deal.until(lambda: sides(venue)[-1] == "amend")
            if landed:
                venue.late.append(venue.sent[-1])
                venue.arrive()
            assert deal.lane.stop.stage == Stage.AMENDING
        venue.held.clear()
        async with dealing(path, venue, amending()) as deal:
            await deal.until(lambda: deal.lane.quantity < whole)
            await deal.rest()
            assert sides(venue)[3:] == (["sell"] if landed else ["sell", "stop"])
            assert agrees(deal)

    said()


@timeless
async def test_a_panic_waits_for_no_answer(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue, amending()) as deal:
        await deal.hold()
        venue.fates += [Fate.LOST]
        await deal.close(5_000)
        await deal.until(lambda: sides(venue)[-1] == "amend")
        await deal.meet(Command(deal.engine.head.at_ms, int(Verb.PANIC)))
        await deal.until(lambda: not deal.lane.quantity)
        await deal.rest()
        assert venue.resting == []
        assert venue.balance["BTC"] == 0


@timeless
async def test_a_stop_that_fills_before_it_is_changed_has_the_last_word(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue, amending()) as deal:
        await deal.hold()
        (stop,) = venue.resting
        venue.held["send"] = asyncio.Event()
        await deal.close(5_000)
        await deal.until(lambda: sides(venue)[-1] == "amend")
        venue.fill(stop, stop.amount, stop.price)
        venue.held.pop("send").set()
        await deal.until(lambda: not deal.lane.quantity)
        await deal.rest()
        assert sides(venue) == ["buy", "stop", "amend"]
        assert not deal.lane.stop.kind
        assert deal.lane.due == 0


@pytest.mark.parametrize("part", ["0.7", "1"])
def test_less_than_is_filled_already_is_no_leave_to_sell(path: Path, part: str) -> None:
    """The stop has sold a part that nobody heard of; the venue says yes, and ends the rest."""

    @timeless
    async def said() -> None:
        venue = desk()
        async with dealing(path, venue, amending()) as deal:
            await deal.hold()
            (stop,) = venue.resting
            wished = stop.amount / 2 if part == "1" else stop.amount * Decimal(part)
            venue.fill(stop, wished.quantize(Decimal("0.0001")), stop.price)
            await deal.close(5_000)
            await deal.rest()
            await deal.close(5_000)
            await deal.rest()
            assert deal.lane.quantity == venue.balance["BTC"] * COIN
            assert sum(one.amount - one.filled for one in venue.resting) == venue.balance["BTC"]
            assert not deal.agent.frozen

    said()


@timeless
async def test_a_refused_sale_of_a_part_is_asked_for_again_by_itself(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue, amending()) as deal:
        await deal.hold()
        whole = deal.lane.quantity
        venue.held["send"] = asyncio.Event()
        await deal.close(5_000)
        await deal.until(lambda: sides(venue)[-1] == "amend")
        venue.fates += [Fate.LANDS, REFUSED]
        venue.held.pop("send").set()
        await deal.until(lambda: deal.lane.quantity < whole)
        await deal.rest()
        assert sides(venue) == ["buy", "stop", "amend", "sell", "sell"]
        assert agrees(deal)


@timeless
async def test_a_slow_yes_is_overtaken_by_a_look_and_by_the_next_amendment(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue, amending()) as deal:
        await deal.hold()
        venue.held["send"] = asyncio.Event()
        await deal.close(5_000)
        await deal.until(lambda: sides(venue)[-1] == "amend")
        venue.late.append(venue.sent[-1])
        venue.arrive()
        slow = venue.held.pop("send")
        deal.lookout.look_at_all()
        await deal.until(lambda: deal.lane.quantity == venue.resting[0].amount * COIN)
        venue.fates += [REFUSED]
        await deal.close(2_500)
        await deal.until(lambda: sides(venue).count("amend") == 2)
        await deal.spend(asyncio.sleep(1))
        slow.set()
        await deal.rest()
        assert agrees(deal)


@timeless
async def test_a_stop_that_fills_whole_between_two_questions_leaves_nothing_behind(
    path: Path,
) -> None:
    """What was asked before the amendment is answered after the stop has filled all of it."""
    venue = desk()
    async with dealing(path, venue, amending()) as deal:
        await deal.hold()
        (stop,) = venue.resting
        venue.held["closed_orders"] = asyncio.Event()
        deal.lookout.look_at_all()
        await deal.until(lambda: venue.calls[-1] == "closed_orders")
        venue.held["find"] = asyncio.Event()
        await deal.close(5_000)
        await deal.until(
            lambda: sides(venue)[-1] == "amend" and stop.amount * COIN < deal.lane.quantity
        )
        venue.fill(stop, stop.amount, stop.price)
        venue.held.pop("closed_orders").set()
        await deal.spend(asyncio.sleep(1))
        venue.held.pop("find").set()
        await deal.until(lambda: deal.lane.quantity == venue.balance["BTC"] * COIN)
        await deal.rest()
        held = sum(one.amount - one.filled for one in venue.resting)
        assert held == venue.balance["BTC"]
        assert not deal.agent.frozen
