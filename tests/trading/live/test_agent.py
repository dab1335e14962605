"""What was decided leaves once, after its rows; what became of it is the venue's word alone."""

import asyncio
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from rrr.core.events import Command, Verb
from rrr.core.orders import Rejection
from rrr.database.live import Progress
from rrr.trading.live import outcomes
from rrr.trading.live.gate import Rank
from rrr.trading.live.outcomes import Outcome
from rrr.trading.live.protection import Why
from rrr.trading.live.spelling import Request
from tests.trading.live.dealing import CAPS, LIVELY, Deal, dealing, desk, terms, timeless
from tests.trading.live.desk import Fate, sides

WRITTEN = """SELECT l.state, o.stage
    FROM live_orders l JOIN orders o USING (session, book, sequence) WHERE client_id = ?"""
STATES = "SELECT state FROM live_orders ORDER BY sequence"
REJECTED = "SELECT rejection FROM order_states WHERE state = 'rejected' ORDER BY number"
BOOKED = """SELECT (SELECT count(*) FROM fills), (SELECT count(*) FROM live_trades),
    (SELECT sum(side * quantity) FROM fills)"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "live.db"


def refused(words: str, rejection: Rejection = Rejection.TERMS) -> Outcome:
    return Outcome(outcomes.Kind.REJECTED, rejection, f"create_order: {words}")


def is_so(deal: Deal, conviction_bps: int) -> bool:
    """Whether the venue has what was wished for."""
    return bool(coins(deal)) == bool(conviction_bps)


def coins(deal: Deal) -> int:
    """What the venue says that we have, in grains."""
    return int(deal.desk.balance.get("BTC", Decimal(0)) * 10**8)


@timeless
async def test_intent_and_sending_are_on_the_disk_before_the_wire_is_called(path: Path) -> None:
    venue, met = desk(), list[list[tuple[str, str]]]()
    async with dealing(path, venue) as deal:

        def look(request: Request) -> None:
            met.append(deal.ask(WRITTEN, request.client_id))

        venue.watch = look
        await deal.hold()
        await deal.close(0)
        await deal.rest()
        assert sides(venue) == ["buy", "stop", "sell"]
        assert met == [[("sending", "sending")]] * 3
        assert deal.ask(STATES) == [("ended",)] * 3
        assert deal.lane.quantity == coins(deal) == 0


@timeless
async def test_what_the_wall_refuses_never_leaves_and_is_told(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue) as deal:
        deal.agent.wall.caps = CAPS._replace(day_notional_max=1)
        await deal.close()
        await deal.close(10_000)
        await deal.rest()
        assert venue.sent == []
        assert not deal.lane.order.kind
        assert deal.ask("SELECT state, sending_at_ms FROM live_orders") == [("rejected", 0)]
        assert deal.ask(REJECTED) == [(Rejection.CAP,)]


@timeless
async def test_a_sale_passes_the_wall_whatever_it_says(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue) as deal:
        await deal.hold()
        deal.agent.wall.caps = CAPS._replace(instruments=frozenset(), day_notional_max=0)
        deal.agent.wall.frozen = {0: "books and venue differ"}
        await deal.close(0)
        await deal.rest()
        assert sides(venue)[-1] == "sell"
        assert coins(deal) == 0


@timeless
async def test_a_question_that_hangs_holds_up_no_sale(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue) as deal:
        await deal.hold()
        venue.held = {name: asyncio.Event() for name in ("open_orders", "closed_orders", "ledger")}
        await deal.until(lambda: deal.agent.gate._inside == [Rank.QUESTION])
        await deal.close(0)
        await deal.until(lambda: coins(deal) == 0)
        assert deal.agent.gate._inside.count(Rank.QUESTION) == 1
        for event in venue.held.values():
            event.set()


@timeless
async def test_an_order_whose_answer_was_lost_is_found_and_never_sent_again(path: Path) -> None:
    venue = desk()
    venue.fates += [Fate.UNHEARD, Fate.UNHEARD]
    async with dealing(path, venue) as deal:
        await deal.hold()
        assert deal.facts.count("order_unknown") == 2
        assert sides(venue) == ["buy", "stop"]
        assert deal.lane.quantity == coins(deal)
        assert deal.ask(STATES) == [("ended",), ("placed",)]


@timeless
async def test_an_order_that_is_not_there_is_over_after_the_protocol_and_never_sent_again(
    path: Path,
) -> None:
    venue = desk()
    venue.fates += [Fate.LOST]
    async with dealing(path, venue) as deal:
        await deal.close()
        begun_ms = venue.clock()
        await deal.close(10_000)
        await deal.until(lambda: "order_not_placed" in deal.facts)
        assert venue.clock() - begun_ms >= deal.lookout.patience.span_ms
        assert len(venue.sent) == 1
        assert deal.ask(STATES) == [("ended",)]
        await deal.close(10_000)
        await deal.rest()
        assert len({request.client_id for request in venue.sent}) == len(venue.sent) == 3


@timeless
async def test_an_order_that_lands_late_is_found(path: Path) -> None:
    venue = desk()
    venue.fates += [Fate.LATE]
    async with dealing(path, venue) as deal:
        await deal.close()
        await deal.close(10_000)
        await asyncio.sleep(40)
        assert deal.agent.memory.known[1].progress == Progress.UNKNOWN
        venue.arrive()
        await deal.rest()
        assert deal.lane.quantity == coins(deal) > 0
        assert sides(venue) == ["buy", "stop"]


@timeless
async def test_a_query_that_failed_is_no_miss(path: Path) -> None:
    venue = desk()
    venue.fates += [Fate.LOST]
    async with dealing(path, venue) as deal:
        await deal.close()
        await deal.close(10_000)
        venue.down.add("closed_orders")
        await asyncio.sleep(600)
        assert deal.agent.memory.known[1].progress == Progress.UNKNOWN
        assert "order_not_placed" not in deal.facts
        venue.down.clear()
        await deal.until(lambda: "order_not_placed" in deal.facts)


@timeless
async def test_whoever_may_not_sell_asks_again_by_itself(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue) as deal:
        await deal.hold()
        venue.fates += [refused("InsufficientFunds", Rejection.INSUFFICIENT)] * 3
        await deal.close(0)
        begun_ms = venue.clock()
        await deal.until(lambda: coins(deal) == 0)
        await deal.rest()
        assert sides(venue) == ["buy", "stop", *["sell"] * 4]
        assert 7_000 <= venue.clock() - begun_ms < 8_000, "After one second, two and four."
        assert len({request.client_id for request in venue.sent}) == 6
        assert deal.agent.refusals == {}


@timeless
async def test_what_cannot_be_protected_is_sold_at_once(path: Path) -> None:
    venue = desk()
    venue.fates += [Fate.LANDS, refused("InvalidOrder")]
    async with dealing(path, venue) as deal:
        await deal.close()
        await deal.close(10_000)
        await deal.rest()
        assert sides(venue) == ["buy", "stop", "sell"]
        assert coins(deal) == deal.lane.quantity == 0


@timeless
async def test_a_cancel_waits_for_the_acknowledgement_of_what_it_cancels(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue) as deal:
        await deal.close()
        venue.held["send"] = asyncio.Event()
        await deal.close(10_000)
        await deal.until(lambda: venue.sent)
        await deal.meet(Command(deal.engine.head.at_ms, int(Verb.HALT)))
        await asyncio.sleep(30)
        assert venue.cancels == []
        venue.held["send"].set()
        await deal.rest()
        assert len(venue.cancels) == 1
        assert venue.cancels[0].arguments[0] == venue.placed[0].id
        assert venue.calls.index("cancel") > venue.calls.index("send")


@timeless
async def test_a_fill_is_booked_once_however_often_it_is_told(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue) as deal:
        await deal.hold()
        (stop,) = venue.resting
        venue.fill(stop, Decimal(1), stop.price)
        for _ in range(3):
            await deal.lookout.all()
        assert deal.ask(BOOKED) == [(2, 2, coins(deal))]
        assert deal.agent.frozen == ()
        await deal.rest()
    async with dealing(path, venue) as deal:
        assert deal.ask(BOOKED) == [(2, 2, coins(deal))]
        assert sides(venue)[:2] == ["buy", "stop"]
        assert deal.agent.frozen == ()


@timeless
async def test_a_purchase_in_parts_has_a_stop_of_all_that_is_held(path: Path) -> None:
    venue = desk()
    venue.depth = Decimal("1.5")
    async with dealing(path, venue) as deal:
        await deal.hold()
        assert deal.lane.quantity == coins(deal) == 150_000_000
        assert [one.amount for one in venue.resting] == [venue.depth]
        (stop,) = venue.resting
        venue.fill(stop, Decimal("0.5"), stop.price)
        await deal.until(lambda: deal.lane.quantity == 100_000_000)
        await deal.rest()
        held = sum(one.amount - one.filled for one in venue.resting)
        assert held == 1, "What is left of it is still under a stop."


@pytest.mark.parametrize(
    ("words", "buys", "sells"),
    [("InvalidNonce: EAPI:Invalid nonce", 2, 2), ("RateLimitExceeded", 1, 2), ("NoSense", 1, 1)],
)
def test_only_a_passing_refusal_is_said_again_under_the_same_name(
    path: Path, words: str, buys: int, sells: int
) -> None:
    @timeless
    async def said() -> None:
        venue = desk()
        async with dealing(path, venue) as deal:
            await deal.close()
            for conviction_bps, times in ((10_000, buys), (0, sells)):
                venue.fates += [refused(words)]
                first = len(venue.sent)
                await deal.close(conviction_bps)
                await deal.rest()
                if not deal.lane.quantity and conviction_bps:
                    await deal.hold()
                await deal.until(partial(is_so, deal, conviction_bps))
                named = [request.client_id for request in venue.sent[first:]]
                assert named.count(named[0]) == times

    said()


@timeless
async def test_who_dies_while_it_sends_looks_the_order_up_and_sends_nothing_again(
    path: Path,
) -> None:
    venue = desk()
    async with dealing(path, venue) as deal:
        await deal.close()
        venue.held["send"] = asyncio.Event()
        await deal.close(10_000)
        await deal.until(lambda: venue.sent)
        assert deal.ask(STATES) == [("sending",)]
    venue.held.clear()
    async with dealing(path, venue) as deal:
        assert deal.ask(STATES) == [("unknown",)]
        await deal.until(lambda: "order_not_placed" in deal.facts)
        assert len(venue.sent) == 1
        assert not deal.lane.order.kind


@timeless
async def test_who_dies_before_the_answer_finds_what_was_filled_and_protects_it(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue) as deal:
        await deal.close()
        venue.fates += [Fate.UNHEARD]
        venue.down |= {"look_up", "closed_orders"}
        await deal.close(10_000)
        await deal.until(lambda: "order_unknown" in deal.facts)
        assert deal.lane.quantity == 0
    venue.down.clear()
    async with dealing(path, venue) as deal:
        assert deal.lane.quantity == coins(deal) > 0
        await deal.rest()
        assert sides(venue) == ["buy", "stop"]


@timeless
async def test_what_was_never_sent_is_over_at_the_next_start(path: Path) -> None:
    """Decided and written, and dead before anybody carried it."""
    venue = desk()
    async with dealing(path, venue) as deal:
        await deal.close()
        deal.agent.outbox = asyncio.Queue()  # which nobody empties
        await deal.close(10_000)
        assert deal.ask(STATES) == [("sending",)]
    async with dealing(path, venue) as deal:
        await deal.until(lambda: not deal.lane.order.kind)
        assert venue.sent == []


@timeless
async def test_a_look_up_that_failed_is_tried_again(path: Path) -> None:
    venue = desk()
    async with dealing(path, venue) as deal:
        await deal.close()
        venue.fates += [Fate.UNHEARD]
        venue.down |= {"look_up", "open_orders", "closed_orders", "trades"}
        await deal.close(10_000)
        await asyncio.sleep(100)
        assert venue.calls.count("look_up") > 5
        assert deal.lane.order.kind
        venue.down.clear()
        await deal.until(lambda: deal.lane.quantity == coins(deal) > 0)
        await deal.rest()
        assert sides(venue) == ["buy", "stop"]


@timeless
async def test_a_purchase_that_fills_later_has_its_stop_replaced_by_one_of_its_size(
    path: Path,
) -> None:
    venue = desk()
    async with dealing(path, venue, terms(law=LIVELY._replace(entry_maker=1))) as deal:
        await deal.close()
        await deal.close(10_000)
        await deal.until(lambda: venue.resting)
        (bought,) = venue.resting
        venue.fill(bought, Decimal(1), bought.price)
        await deal.until(lambda: len(venue.resting) == 2)
        venue.fill(bought, Decimal(2), bought.price)
        await deal.until(lambda: deal.lane.quantity == 3 * 10**8)
        await deal.until(lambda: any(one.amount == 3 for one in venue.resting))
        assert [one.amount for one in venue.placed if one.trigger] == [1, 3]
        assert len(deal.agent.protection.windows[Why.CHANGE]) == 1
