"""Who leaves the market goes first, and a question never takes the last place."""

import asyncio

from rrr.trading.live.gate import ROOM, Gate, Rank
from tests.trading.live.dealing import timeless


async def come(gate: Gate, rank: Rank, inside: list[str], name: str, leave: asyncio.Event) -> None:
    async with gate.turn(rank):
        inside.append(name)
        await leave.wait()


class Crowd:
    """So many wait at a gate, and are let out one by one."""

    def __init__(self) -> None:
        self.gate, self.inside = Gate(), list[str]()
        self.leave: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def comes(self, rank: Rank, *names: str) -> None:
        for name in names:
            self.leave[name] = asyncio.Event()
            one = come(self.gate, rank, self.inside, name, self.leave[name])
            self.tasks[name] = asyncio.create_task(one)
        await asyncio.sleep(0.1)

    async def goes(self, *names: str) -> None:
        for name in names:
            self.leave[name].set()
        await asyncio.sleep(0.1)

    async def home(self) -> None:
        await self.goes(*self.leave)
        await asyncio.wait(self.tasks.values())
        assert not self.gate._inside
        assert not self.gate._waiting


@timeless
async def test_an_exit_overtakes_entries_and_questions() -> None:
    crowd = Crowd()
    await crowd.comes(Rank.ENTRY, *"1234")
    await crowd.comes(Rank.QUESTION, "q")
    await crowd.comes(Rank.ENTRY, "5")
    await crowd.comes(Rank.EXIT, "a", "b")
    assert crowd.inside == list("1234")
    await crowd.goes("1", "2")
    assert crowd.inside == list("1234ab")
    await crowd.goes("3", "4")
    assert crowd.inside == list("1234ab5q")
    await crowd.home()


@timeless
async def test_questions_that_hang_leave_room_for_orders() -> None:
    crowd = Crowd()
    await crowd.comes(Rank.QUESTION, *"pqrst")
    assert crowd.inside == ["p"]
    await crowd.comes(Rank.ENTRY, *"1234")
    assert len(crowd.inside) == ROOM
    assert crowd.inside == list("p123")
    await crowd.home()


@timeless
async def test_who_gives_up_keeps_nobodys_place() -> None:
    crowd = Crowd()
    await crowd.comes(Rank.ENTRY, *"1234")
    await crowd.comes(Rank.EXIT, "a", "b")
    crowd.tasks["a"].cancel()
    await crowd.goes("1")
    assert crowd.inside == list("1234b")
    crowd.tasks["2"].cancel()
    await crowd.comes(Rank.ENTRY, "5")
    assert crowd.inside == list("1234b5")
    await crowd.home()


@timeless
async def test_who_gives_up_just_as_he_is_let_in_gives_the_place_back() -> None:
    crowd = Crowd()
    await crowd.comes(Rank.ENTRY, *"1234")
    await crowd.comes(Rank.EXIT, "a")
    crowd.gate._leave(Rank.ENTRY)
    crowd.tasks["a"].cancel()
    await asyncio.sleep(0.1)
    assert len(crowd.gate._inside) == ROOM - 1
    crowd.gate._inside.append(Rank.ENTRY)
    await crowd.home()
