"""Coins that somebody took leave the book, and what comes late is called back."""

from decimal import Decimal
from pathlib import Path

import pytest

from rrr.core.ledger import equity
from rrr.core.orders import Kind, Rejection, Status
from rrr.database.live import Progress
from rrr.trading.live import outcomes
from rrr.trading.live.outcomes import Outcome
from tests.trading.live.dealing import Deal, dealing, desk, timeless
from tests.trading.live.desk import Fate, sides

FILLS = "SELECT side, quantity, fee FROM fills ORDER BY number"
FLOWS = "SELECT sum(flow) FROM quarantine WHERE id LIKE 'hand %'"
NO_FUNDS = Outcome(outcomes.Kind.REJECTED, Rejection.INSUFFICIENT, "EOrder:Insufficient funds")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "live.db"


def held(deal: Deal) -> Decimal:
    return Decimal(deal.lane.quantity) / 10**8


def drawdown(deal: Deal) -> float:
    account = deal.engine.state.account
    return 1 - equity(account) / account.peak


@timeless
@pytest.mark.parametrize("how", ["sold", "withdrawn"])
async def test_what_a_hand_took_leaves_as_a_flow_and_is_no_drawdown(path: Path, how: str) -> None:
    venue = desk()
    async with dealing(path, venue) as deal:
        await deal.hold()
        before, quantity = equity(deal.engine.state.account), held(deal)
        fall = drawdown(deal)
        (stop,) = venue.resting
        stop.status = "canceled"
        if how == "sold":
            venue.fill(venue.stranger("sell", str(quantity)), quantity)
        else:
            venue.move("withdrawal", f"-{quantity}", "BTC")
        venue.fates.extend([NO_FUNDS] * 50)
        await deal.until(lambda: not deal.lane.quantity)
        sent = len(venue.sent)
        account = deal.engine.state.account
        (flow,) = deal.ask(FLOWS)[0]
        assert flow < 0
        assert before - equity(account) == -flow
        assert drawdown(deal) == pytest.approx(fall, rel=0.01)  # it was measured at a close
        assert deal.ask(FILLS)[-1][0::2] == (-1, 0)
        await deal.lookout.all()
        assert deal.agent.memory.aside[1] == 0
        released = deal.live.release(0, "it was me")
        await deal.deliver(released)
        await deal.lookout.all()
        assert deal.agent.frozen == ()
        assert len(venue.sent) == sent


@timeless
async def test_an_order_that_lands_after_it_was_given_up_is_called_back(path: Path) -> None:
    venue = desk()
    venue.depth = Decimal(0)
    async with dealing(path, venue) as deal:
        await deal.close()
        venue.fates.append(Fate.LATE)
        await deal.close(10_000)
        await deal.until(lambda: not deal.lane.order.kind)
        assert "order_not_placed" in deal.facts
        (late,) = venue.late
        venue.arrive()
        one = next(each for each in venue.placed if each.client_id == late.client_id)
        one.status = "open"  # as if it rested
        await deal.until(lambda: one.status == "canceled")
        await deal.rest()
        assert sides(venue).count("buy") == 1


@timeless
async def test_a_refused_exit_asks_for_no_worse_a_price(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue) as deal:
        await deal.hold()
        venue.fates.extend([NO_FUNDS] * 6)
        (stop,) = venue.resting
        stop.status = "canceled"
        await deal.until(lambda: sides(venue).count("sell") >= 6)
        asked = {r.arguments[4] for r in venue.sent if r.arguments[2] == "sell" and r.arguments[4]}
        assert len(asked) == 1
        await deal.until(lambda: not deal.lane.quantity)


@timeless
async def test_a_purchase_that_rests_buys_no_more_once_its_instrument_is_frozen(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue) as deal:
        known = deal.agent.memory
        await deal.close()
        venue.stranger("buy", "0.5")
        await deal.lookout.all()
        assert deal.agent.wall.frozen
        await deal.close(10_000)
        await deal.rest()
        (order,) = known.known.values()
        assert order.progress == Progress.REJECTED
        assert venue.sent == []
        report = deal.ask("SELECT core FROM journal WHERE kind = 6")[-1][0]
        assert f"{int(Status.REJECTED)}," in report
        assert deal.lane.order.kind == Kind.NONE
