"""Nothing is done before the account is known; nothing is believed that was asked too early."""

import asyncio
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from rrr.core.errors import NotArmed
from rrr.database.live import Outside
from rrr.trading.live.gate import Rank
from rrr.trading.live.lookout import UNREAD_MAX
from rrr.trading.live.seen import Why
from tests.builders import CAPITAL, QUANTA
from tests.trading.live.dealing import LIVELY, Deal, dealing, desk, opening, terms, timeless
from tests.trading.live.desk import Fate, sides

TIED = "SELECT currency, ours, aside, theirs FROM tie_outs ORDER BY at_ms, currency"
ASIDE = "SELECT kind, instrument, aside, flow FROM quarantine WHERE kind <> 'beginning'"
FLOWS = "SELECT count(*) FROM journal WHERE kind = 7"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "live.db"


def why(deal: Deal) -> set[int]:
    return {one.why for one in deal.agent.frozen}


@timeless
@pytest.mark.parametrize("question", ["open_orders", "closed_orders", "trades", "balances"])
async def test_a_start_asks_again_until_all_is_answered_and_sends_nothing_before(
    path: Path, question: str
) -> None:
    venue = desk()
    async with opening(path, venue) as deal:
        venue.down.add(question)
        begun = asyncio.ensure_future(deal.live.begin(deal.db, deal.engine))
        await asyncio.sleep(600)
        assert not begun.done()
        assert venue.calls.count(question) > 5
        assert deal.facts == ["account_unread"]
        venue.down.clear()
        await begun
        assert deal.facts == ["account_unread", "reconciled"]
        assert venue.sent == []


@timeless
async def test_a_ledger_that_cannot_be_read_holds_up_three_starts_and_no_more(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue) as deal:
        await deal.hold()
    venue.down.add("ledger")
    venue.calls.clear()
    async with opening(path, venue) as deal:
        await deal.live.begin(deal.db, deal.engine)
        assert venue.calls.count("ledger") == 1 + UNREAD_MAX


@timeless
async def test_too_little_money_is_refused_by_name(path: Path) -> None:
    async with opening(path, desk(cash="999999.99")) as deal:
        with pytest.raises(NotArmed, match=r"holds 999999.99 USD, .* begin with 1000000\."):
            await deal.live.begin(deal.db, deal.engine)
        assert deal.ask(TIED) == []


@timeless
async def test_the_first_look_is_tied_out_and_what_was_there_before_is_aside(path: Path) -> None:
    venue = desk(cash="1000005")
    venue.balance["BTC"] = Decimal("0.25")
    more, quarter = 5 * QUANTA, 25_000_000
    first = [(0, CAPITAL, more, CAPITAL + more), (1, 0, quarter, quarter)]
    async with dealing(path, venue) as deal:
        assert deal.ask(TIED) == first
        assert deal.agent.frozen == ()
        await deal.hold()
        assert [one.amount for one in venue.resting] == [Decimal(deal.lane.quantity) / 10**8]
    async with dealing(path, venue) as deal:
        held = deal.lane.quantity
        assert deal.ask(TIED)[2:][1] == (1, held, quarter, held + quarter)


@timeless
async def test_books_are_tied_out_each_day(path: Path) -> None:
    async with dealing(path, desk()) as deal:
        deal.agent.memory.tied_at_ms -= 86_400_000
        await asyncio.sleep(1)
        await deal.lookout.all()
        assert len(deal.ask(TIED)) == 4
        await deal.lookout.all()
        assert len(deal.ask(TIED)) == 4


@timeless
async def test_a_stop_that_is_filled_between_two_looks_is_found_and_booked_once(
    path: Path,
) -> None:
    venue = desk()
    async with dealing(path, venue) as deal:
        await deal.hold()
        (stop,) = venue.resting
        venue.fill(stop, stop.amount, stop.price)
        await deal.until(lambda: not deal.lane.quantity)
        await deal.rest()
        assert deal.ask("SELECT count(*) FROM fills") == [(2,)]
        assert sides(venue) == ["buy", "stop"]


@timeless
async def test_an_open_list_from_before_an_end_brings_no_order_back(path: Path) -> None:
    """A glance saw the stop; it was filled, and booked, before the glance was settled."""
    venue = desk()
    async with dealing(path, venue) as deal:
        await deal.hold()
        seen = await deal.agent.inquiry.open(partial(deal.agent.gate.turn, Rank.QUESTION))
        (stop,) = venue.resting
        venue.fill(stop, stop.amount, stop.price)
        await deal.lookout.all()
        assert deal.lane.quantity == 0
        settled = await deal.agent.settle(seen)
        assert settled.reports == ()
        assert not deal.lane.stop.kind


@timeless
async def test_a_list_that_lacks_an_order_proves_nothing(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue) as deal:
        await deal.hold()
        (stop,) = venue.resting
        venue.hidden.add(stop.client_id)
        begun_ms = venue.clock()
        await deal.until(lambda: deal.lookout.attended)
        await asyncio.sleep(30)
        assert deal.lane.stop.kind
        venue.hidden.clear()
        await deal.rest()
        assert venue.clock() - begun_ms < deal.lookout.patience.span_ms
        assert sides(venue) == ["buy", "stop"]
        assert deal.lane.stop.kind


@timeless
async def test_a_stop_that_is_gone_is_missed_looked_for_and_replaced(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue) as deal:
        await deal.hold()
        venue.placed.pop()
        begun_ms = venue.clock()
        await deal.until(lambda: venue.resting)
        assert venue.clock() - begun_ms >= deal.lookout.patience.span_ms
        assert sides(venue) == ["buy", "stop", "stop"]


@timeless
async def test_balances_that_differ_freeze_and_thaw_by_themselves(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue) as deal:
        venue.balance["USD"] -= 1
        await deal.lookout.all()
        assert why(deal) == {Why.BALANCE}
        (one,) = deal.agent.frozen
        assert (one.ours, one.theirs) == (CAPITAL, CAPITAL - QUANTA)
        await deal.close()
        await deal.close(10_000)
        await deal.rest()
        assert venue.sent == []
        venue.balance["USD"] += 1
        await deal.lookout.all()
        assert deal.agent.frozen == ()
        assert deal.facts[-1] == "thawed"
        await deal.close(10_000)
        await deal.rest()
        assert sides(venue) == ["buy", "stop"]


@timeless
async def test_what_is_frozen_may_be_sold(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue) as deal:
        await deal.hold()
        venue.balance["USD"] -= 1
        await deal.lookout.all()
        await deal.close(0)
        await deal.rest()
        assert sides(venue) == ["buy", "stop", "sell"]
        assert deal.lane.quantity == 0


@pytest.mark.parametrize("moves", ["still", "no more"])
def test_balances_are_not_believed_if_orders_moved_while_they_were_asked_for(
    path: Path, moves: str
) -> None:
    @timeless
    async def asked_too_early() -> None:
        venue = desk()
        async with dealing(path, venue) as deal:
            await deal.close()
            deal.agent.memory.tied_at_ms = 0
            venue.held["balances"] = asyncio.Event()
            asked = asyncio.ensure_future(deal.lookout.all())
            await deal.until(lambda: venue.calls[-1] == "balances")
            if moves == "still":
                venue.held["find"] = asyncio.Event()
            await deal.close(10_000)
            await deal.until(lambda: venue.resting or "find" in venue.calls)
            await asyncio.sleep(1)
            assert bool(deal.lookout.attended) == (moves == "still")
            venue.held.pop("balances").set()
            assert (await asked).tied == ()
            assert "frozen" not in deal.facts
            for event in venue.held.values():
                event.set()
            await deal.until(lambda: deal.agent.memory.tied_at_ms)
            assert "frozen" not in deal.facts

    asked_too_early()


@timeless
async def test_a_strangers_order_is_shown_and_freezes_until_a_person_releases(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue) as deal:
        one = venue.stranger("buy", "1")
        await deal.lookout.all()
        assert why(deal) == {Why.FOREIGN}
        assert deal.ask(ASIDE) == [("order", 0, 0, 0)]
        venue.fill(one, one.amount)
        await deal.lookout.all()
        assert deal.lane.quantity == 0, "What is another's is never the book's."
        assert {row[0] for row in deal.ask(ASIDE)} == {"order", "trade"}
        await deal.close()
        await deal.close(10_000)
        await deal.rest()
        assert venue.sent == []
        await deal.deliver(deal.live.release(0, "I bought it"))
        await deal.lookout.all()
        assert deal.agent.frozen == ()
        await deal.close(10_000)
        await deal.rest()
        assert deal.lane.quantity == int(venue.balance["BTC"] * 10**8) - 10**8


@timeless
async def test_a_withdrawal_is_a_flow_and_no_loss(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue, dedicated=True) as deal:
        await deal.close()
        venue.move("withdrawal", "-400000")
        await deal.lookout.all()
        account = deal.engine.state.account
        assert account.cash == account.peak == CAPITAL - 400_000 * QUANTA
        assert deal.agent.frozen == ()
        assert [row[0] for row in deal.ask(ASIDE)] == [Outside.MOVEMENT.name.lower()]


@timeless
async def test_whoever_stops_it_is_heard_even_as_a_price_hints(path: Path) -> None:
    async with dealing(path, desk()) as deal:
        looking = asyncio.ensure_future(deal.lookout.run())
        await asyncio.sleep(0.01)
        deal.agent.poke()
        await asyncio.sleep(0)
        looking.cancel()
        await asyncio.wait([looking])
        assert looking.cancelled()


@timeless
async def test_a_strangers_trade_is_never_a_fill_of_ours(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue) as deal:
        await deal.hold()
        held = deal.lane.quantity
        one = venue.stranger("sell", "0.5")
        venue.fill(one, one.amount)
        await deal.lookout.all()
        assert deal.lane.quantity == held
        assert deal.ask("SELECT count(*) FROM fills") == [(1,)]
        assert ("trade", 0, -50_000_000, 0) in deal.ask(ASIDE)
        assert why(deal) == {Why.TAKEN, Why.FOREIGN}


@timeless
async def test_an_order_that_is_watched_already_is_called_back_all_the_same(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue, terms(law=LIVELY._replace(entry_maker=1))) as deal:
        await deal.close()
        venue.fates += [Fate.UNHEARD]
        venue.down |= {"find", "look_up", "open_orders"}
        await deal.close(10_000)
        await deal.until(lambda: deal.lookout.attended)
        deal.lookout.attend(deal.lane.order.sequence, recall=True)
        venue.down.clear()
        await deal.rest()
        assert venue.resting == []
