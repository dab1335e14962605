"""From what was not asked, or not answered, nobody concludes anything."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from rrr.core.orders import Kind
from rrr.trading.live.claims import Answer, Standing
from rrr.trading.live.inquiry import UNASKED, is_whole, troubles
from rrr.trading.live.outcomes import Outcome
from tests.builders import START
from tests.trading.live.dealing import dealing, desk, timeless

ALL = ("open_orders", "closed_orders", "trades", "ledger", "balances")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "live.db"


class Turns:
    """How often somebody waited for his turn."""

    def __init__(self) -> None:
        self.taken = 0

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[None]:
        self.taken += 1
        yield


@timeless
async def test_each_question_waits_for_its_turn_the_balances_last(path: Path) -> None:
    venue, turns = desk(), Turns()
    async with dealing(path, venue) as deal:
        venue.calls.clear()
        found = await deal.agent.inquiry.all(turns, START, START)
        assert tuple(venue.calls) == ALL
        assert turns.taken == len(ALL)
        assert is_whole(found)
        assert found.at_ms == venue.clock()
        assert not is_whole(UNASKED)


@pytest.mark.parametrize("question", ALL)
def test_one_that_fails_is_no_empty_list(path: Path, question: str) -> None:
    @timeless
    async def asked() -> None:
        venue = desk()
        async with dealing(path, venue) as deal:
            venue.down.add(question)
            found = await deal.agent.inquiry.all(Turns(), START, START)
            answers: tuple[Answer[Any], ...] = found[1:]
            whole = {name: answer.whole for name, answer in zip(ALL, answers, strict=True)}
            assert whole == {name: name != question for name in ALL}
            assert troubles(found) == ["RequestTimeout"]

    asked()


@timeless
async def test_one_order_is_found_by_either_name_and_speaks_for_no_other(path: Path) -> None:
    venue, turns = desk(), Turns()
    async with dealing(path, venue) as deal:
        await deal.hold()
        known = deal.agent.memory.known[2]
        for asked in (known, known._replace(venue_id="")):
            venue.calls.clear()
            found = await deal.agent.inquiry.one(turns, asked, int(Kind.STOP), START)
            assert not isinstance(found, Outcome)
            assert [one.sequence for one in found.open.items] == [2]
            assert found.open.items[0].standing == Standing.OPEN
            assert not is_whole(found)
            assert not found.open.whole
            assert venue.calls[-1] == ("find" if asked.venue_id else "look_up")
        venue.down |= {"find", "look_up"}
        assert isinstance(await deal.agent.inquiry.one(turns, known, 2, START), Outcome)


@timeless
async def test_trades_are_asked_for_only_where_an_order_says_that_it_has_more(path: Path) -> None:
    venue, turns = desk(), Turns()
    async with dealing(path, venue) as deal:
        await deal.hold()
        known = deal.agent.memory.known[2]
        venue.calls.clear()
        await deal.agent.inquiry.one(turns, known, 2, START)
        assert "trades" not in venue.calls
        (stop,) = venue.resting
        venue.fill(stop, stop.amount / 2, stop.price)
        found = await deal.agent.inquiry.one(turns, known, 2, START)
        assert not isinstance(found, Outcome)
        assert venue.calls[-1] == "trades"
        assert len(found.trades.items) == 2
