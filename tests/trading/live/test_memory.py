"""What the seam knows is what the next process will find, to the row."""

from pathlib import Path

import pytest

from rrr.database.live import Progress
from rrr.trading.live import memory
from rrr.trading.live.memory import Memory
from tests.builders import START
from tests.trading.live.dealing import Deal, dealing, desk, timeless
from tests.trading.live.desk import Fate


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "live.db"


async def recalled(deal: Deal) -> Memory:
    here = deal.agent.memory
    return await deal.db.write(lambda c: memory.recalled(c, here.key, here.venue, 2))


def sorted_out(one: Memory) -> dict[str, object]:
    """An order is itself however many zeros stand beside it."""
    said = {name: getattr(one, name) for name in Memory.__slots__}
    return said | {"aside": {c: amount for c, amount in one.aside.items() if amount}}


@timeless
async def test_the_next_process_knows_what_this_one_knew(path: Path) -> None:
    venue = desk(cash="1000001")
    async with dealing(path, venue) as deal:
        await deal.hold()
        venue.fates += [Fate.LANDS, Fate.UNHEARD]
        await deal.close(0)
        await deal.rest()
        one = venue.stranger("buy", "1")
        venue.fill(one, one.amount)
        await deal.lookout.all()
        here = deal.agent.memory
        assert len(here.known) == 3
        assert here.touched == {0}
        assert here.slack > 0
        assert sorted_out(await recalled(deal)) == sorted_out(here)
        await deal.deliver(deal.live.release(0, ""))
        assert (await recalled(deal)).touched == here.touched == set()


@timeless
async def test_an_order_is_forgotten_long_after_its_end_and_never_before(path: Path) -> None:
    async with dealing(path, desk()) as deal:
        await deal.hold()
        here = deal.agent.memory
        ended, rests = here.known.values()
        assert (ended.progress, rests.progress) == (Progress.ENDED, Progress.PLACED)
        here.known[1] = ended._replace(settled_at_ms=START)
        here.forget(START)
        assert set(here.known) == {1, 2}
        here.forget(START + 1)
        assert set(here.known) == {2}
        here.forget(START * 2)
        assert here.open == [rests]


@timeless
async def test_a_trade_is_remembered_when_its_order_is_forgotten(path: Path) -> None:
    async with dealing(path, desk()) as deal:
        await deal.hold()
        held = deal.lane.quantity
        deal.agent.memory.known.pop(1)
        await deal.lookout.all()
        assert deal.lane.quantity == held
        assert deal.agent.frozen == ()
