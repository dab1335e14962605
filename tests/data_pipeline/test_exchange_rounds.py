"""What was given up is looked up later: whether anybody traded, REST knows once it answers."""

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from rrr.core.market import Candle, Source
from rrr.data_pipeline.exchange import (
    GRACE_MS,
    Exchange,
    Gap,
    Manner,
    Why,
    exchange,
)
from rrr.data_pipeline.exchange_reader import Reader
from rrr.data_pipeline.exchange_rounds import SPEAK_MS, Listening, Rounds
from rrr.data_pipeline.exchange_troubles import Troubles
from rrr.data_pipeline.instruments import Spec
from rrr.data_pipeline.intake import Intake
from rrr.data_pipeline.market import Arrival
from rrr.data_pipeline.stream import Sockets
from tests.data_pipeline.exchanges import NOON_MS, START_MS, Teller, opened
from tests.data_pipeline.loopback import Loopback, Row, Time, right, says, walk


async def met(market: Exchange, server: Loopback) -> list[Arrival]:
    """ETH is not answered for at the first close, and is at all others."""
    server.faults.extend([right, *[says(503)] * 99])
    arrivals = []
    async for arrival in market.arrivals(0):
        arrivals.append(arrival)
        server.faults.clear()
    return arrivals


@pytest.mark.parametrize("name", ["kraken", "coinbase"])
@pytest.mark.parametrize("traded", [True, False])
async def test_of_a_gap_that_nobody_traded_the_ledger_says_so_later(
    name: str, traded: bool
) -> None:
    def candle(symbol: str, at: int) -> Row | None:
        return walk(symbol, at) if traded or symbol == "BTC-USD" or at != NOON_MS else None

    clock, told = Time(START_MS), Teller()
    with Loopback(clock, candle) as server:
        async with opened(
            server, clock, name, ["BTC-USD", "ETH-USD"], told=told, candles=3
        ) as market:
            arrivals = await met(market, server)
    assert [one.close.missing for one in arrivals] == [(1,), (), ()]
    known_later = () if traded else (Gap("ETH-USD", NOON_MS, Why.NO_TRADES),)
    assert [one.gaps for one in arrivals] == [(Gap("ETH-USD", NOON_MS, Why.GAP),), known_later, ()]
    assert not any(one.silent for one in arrivals), "It was not known at its time."
    assert told.names().count("late_candle") == int(traded)


async def test_without_sockets_too_a_clock_that_is_set_is_noticed() -> None:
    clock, steady, told = Time(START_MS), Time(0), Teller()

    async def wait(seconds: float) -> None:
        await clock.wait(seconds)
        steady.at_ms += int(seconds * 1000)

    with Loopback(clock) as server:
        async with exchange(
            "kraken",
            ["BTC-USD"],
            "1m",
            candles=3,
            past=0,
            address=server.address,
            clock_ms=clock,
            told=told,
            manner=Manner(wait, rate_limited=False, monotonic_ms=steady),
        ) as market:
            async for _ in market.arrivals(0):
                clock.at_ms += 90_000 * ("clock_jumped" not in told.names())
    assert told.words("clock_jumped") == ["the clock of this machine jumped forwards by 1 min 30 s"]


STEP_MS = 60_000
BTC = Spec("kraken", "C-USD", "C", "USD", 2, 8, 1, 1, 1, 1, inferred=False)


class Asked:
    """An instrument that REST takes three seconds to tell of; its socket has said all of it."""

    def __init__(self, index: int, clock: Time, asked: list[int]) -> None:
        self.index, self.symbol, self.client = (
            index,
            f"C{index}-USD",
            SimpleNamespace(step_ms=STEP_MS),
        )
        self.known_at, self.known = NOON_MS - STEP_MS, None
        self.refused: dict[int, str] = {}
        self.unconfirmed: dict[int, Candle | None] = {}
        self.given_up: set[int] = set()
        self.quiet: list[int] = []
        self.answer: dict[int, Candle] | None = None  # instead of a candle
        self.intake = Intake(index, self.symbol, "C/USD", BTC, STEP_MS)
        self.intake.resumed(NOON_MS - 1)
        self._clock, self._asked = clock, asked

    def says(self, at: int) -> None:
        self.intake.rows([[at, 1.0, 2.0, 1.0, 2.0, 5.0]], at + STEP_MS - 1)
        self.intake.rows([[at + STEP_MS, 2.0, 2.0, 2.0, 2.0, 1.0]], at + STEP_MS + 10)

    async def candles(self, begin: int, end: int) -> dict[int, Candle]:
        await self._clock.wait(3)
        self._asked.append(self.index)
        self.known_at = begin
        whole = Candle(self.index, 100, 200, 100, 200, 5 * 10**8, Source.REST)
        return {begin: whole} if self.answer is None else self.answer

    def tell_differs(self, at: int, rest: Candle | None, said: Candle | None) -> None:
        raise AssertionError("Nothing differs.")


async def test_where_rest_is_too_slow_for_all_whole_streams_speak() -> None:
    clock, asked, gaps = Time(NOON_MS + STEP_MS + 10), list[int](), list[Gap]()
    some = [Asked(index, clock, asked) for index in range(20)]
    readers = cast(list[Reader], some)
    troubles = Troubles("kraken", clock, Teller())
    rounds = Rounds(readers, troubles, clock, Manner(clock.wait, monotonic_ms=clock))
    sockets = SimpleNamespace(news=asyncio.Event(), quiet=None, deaf=None)
    rounds.listening = Listening(cast(Sockets, sockets), [one.intake for one in some])
    for minute in range(2):
        begin = NOON_MS + minute * STEP_MS
        clock.at_ms = max(clock.at_ms, begin + STEP_MS + 10)
        for one in some:
            one.says(begin)
        found, noted = await rounds.columns(begin, begin + STEP_MS)
        gaps += noted
        assert clock() <= begin + STEP_MS + GRACE_MS + SPEAK_MS + 3_000
        assert all(column.keys() == {begin} for column in found)
        confirmed = len(asked)
        assert len(gaps) == 20 * (minute + 1) - confirmed
    assert {gap.why for gap in gaps} == {Why.UNCONFIRMED}
    assert len(set(asked)) == len(asked), "Who waits for longest is asked first."


async def test_what_is_refused_neither_differs_nor_proves_a_silence() -> None:
    clock, told, proofs = Time(NOON_MS + STEP_MS + 10), Teller(), list[str]()
    loud, mute = Asked(0, clock, []), Asked(1, clock, [])
    for one in (loud, mute):
        one.answer, one.refused = {}, {NOON_MS: "its close is no number"}
    loud.says(NOON_MS)
    sockets = SimpleNamespace(news=asyncio.Event(), quiet=proofs.append, deaf=None)
    readers = cast(list[Reader], [loud, mute])
    manner = Manner(clock.wait, monotonic_ms=clock)
    rounds = Rounds(readers, Troubles("kraken", clock, told), clock, manner)
    rounds.listening = Listening(cast(Sockets, sockets), [loud.intake, mute.intake])
    found, gaps = await rounds.columns(NOON_MS, NOON_MS + STEP_MS)
    assert found == [{}, {}]
    assert gaps == [Gap(one.symbol, NOON_MS, Why.REFUSED) for one in (loud, mute)]
    assert (told, proofs) == ([], [])
