"""A stream is heard at all three venues, lost and found again; whatever it says, nothing raises."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from rrr.trading.live.hints import ANSWER_S, KEEP_ALIVE_MS, PAUSE_S_MAX, READERS, STEADY_S, hints
from tests.trading.live.wires import Ether, instance
from tests.venue.process import Venue, started
from tests.venue.trading import FAR, LIMIT, House, housed

SPEED: Final = 120


@pytest.fixture(scope="module", params=sorted(READERS))
def running(request: pytest.FixtureRequest) -> Iterator[Venue]:
    with started(request.param, speed=SPEED, tier="none") as venue:
        yield venue


@dataclass(slots=True)
class Ears:
    """What the stream made of it, and whoever waits for it."""

    house: House
    patience_s: float = 10.0  # of the world: the venue is a process that may be slow
    missed: asyncio.Event = field(default_factory=asyncio.Event)
    moved: list[str] = field(default_factory=list)
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    troubles: list[dict[str, Any]] = field(default_factory=list)
    stirred: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.told]

    def heard(self, reason: str) -> None:
        self.moved.append(reason)
        self.stirred.set()

    def tell(self, name: str, words: str, detail: dict[str, Any]) -> None:
        assert self.house.venue.name in words
        self.told.append((name, detail))
        self.stirred.set()

    async def wait(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.stirred.set()
        if seconds == ANSWER_S:
            await asyncio.sleep(self.patience_s)
        else:
            await self.house.venue.wait(seconds)

    async def until(self, so: Callable[[], object]) -> None:
        while not so():
            self.stirred.clear()
            await self.stirred.wait()

    async def hint(self) -> None:
        """Something happens there, and is heard of."""
        before = self.moved.count("the venue said so")
        await self.house.venue.foreign(self.house.pair, "buy", "0.001")
        await self.until(lambda: self.moved.count("the venue said so") > before)

    async def opened(self) -> None:
        await self.until(lambda: "the stream was opened" in self.moved)


@asynccontextmanager
async def listening(
    venue: Venue, fault: str = "", amount: int = 5, **changes: Any
) -> AsyncIterator[Ears]:
    await venue.heal()
    await venue.deposit(venue.symbols[0].partition("/")[2], "5000")
    async with housed(venue) as house:
        ears = Ears(house, patience_s=0.2 if fault == "half_open" else 10.0)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: ears.troubles.append(context))
        for name, value in changes.items():
            setattr(house.ccxt, name, value)
        if fault:
            await venue.fault(fault, where="socket", amount=amount)
        task = asyncio.create_task(
            hints(house.ccxt, ears.heard, ears.tell, ears.wait, lambda: 0.0, ears.missed)
        )
        try:
            yield ears
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.wait({task})
            await venue.heal()
            await venue.cancel()
        assert task.cancelled()
        while (await venue.log())["open"]:  # it leaves no connection
            pass
        gc.collect()
        assert ears.troubles == []


async def test_whatever_becomes_of_an_order_is_hinted(running: Venue) -> None:
    async with listening(running) as ears:
        await ears.opened()
        assert all(each.keepAlive <= KEEP_ALIVE_MS for each in ears.house.ccxt.clients.values())
        await ears.hint()
        before = len(ears.moved)
        outcome, named = await ears.house.send(LIMIT, FAR)
        await ears.until(lambda: len(ears.moved) > before)
        before = len(ears.moved)
        await ears.house.wire.cancel(ears.house.cancelling(named, outcome.venue_id))
        await ears.until(lambda: len(ears.moved) > before)
        assert ears.told == []


async def test_what_comes_in_one_burst_is_heard_to_its_end(running: Venue) -> None:
    """ccxt itself wakes whoever watches once, and drops what comes before he watches again."""
    async with listening(running) as ears:
        await ears.opened()
        await running.fault("late", where="socket", amount=60_000)
        before = ears.moved.count("the venue said so")
        for _ in range(5):
            await running.foreign(ears.house.pair, "buy", "0.001")
        await ears.until(lambda: ears.moved.count("the venue said so") >= before + 5)


async def test_binance_says_that_money_came(running: Venue) -> None:
    if running.name != "binance":
        pytest.skip("Of the others the stream of orders says no balances.")
    async with listening(running) as ears:
        await ears.opened()
        before = len(ears.moved)
        await running.deposit("USDT", "1")
        await ears.until(lambda: len(ears.moved) > before)


@pytest.mark.parametrize(
    "fault",
    [
        "refuse",
        "disconnect",
        "html",
        "http_429",
        "http_500",
        "maintenance",
        "half_open",
        "truncated",
    ],
)
async def test_a_stream_that_cannot_be_had_is_told_once_and_tried_again(
    running: Venue, fault: str
) -> None:
    async with listening(running, fault) as ears:
        await ears.until(lambda: len([s for s in ears.pauses if s < ANSWER_S]) >= 2)
        assert ears.names == ["hints_lost"]
        await running.heal()
        ears.patience_s = 10.0
        await ears.until(lambda: ears.told[1:])
        assert ears.names == ["hints_lost", "hints_back"]
        await ears.hint()


async def test_a_stream_that_is_cut_is_opened_again_and_what_it_missed_is_asked_for(
    running: Venue,
) -> None:
    async with listening(running) as ears:
        await ears.opened()
        await running.fault("disconnect", where="socket")
        await ears.until(lambda: ears.names == ["hints_lost"])
        await running.heal()
        await ears.until(lambda: ears.moved.count("the stream was opened") == 2)
        await ears.hint()
        await ears.until(lambda: ears.names == ["hints_lost", "hints_back"])


async def test_a_connection_that_falls_dead_is_noticed_by_its_pings(running: Venue) -> None:
    """And one that lives is not, though the clock of whoever signs is the venue's."""
    async with listening(running, streaming={"keepAlive": 20, "maxPingPongMisses": 5.0}) as ears:
        await ears.opened()
        await running.wait(100)
        assert ears.told == []
        await running.fault("half_open", where="socket")
        await ears.until(lambda: ears.names == ["hints_lost"])
        assert ears.told[0][1]["why"] == "RequestTimeout"


async def test_what_cannot_be_read_is_a_hint_and_the_end_of_that_stream(running: Venue) -> None:
    async with listening(running) as ears:
        await ears.opened()
        await running.fault("truncated", where="socket")
        await running.foreign(ears.house.pair, "buy", "0.001")
        await ears.until(lambda: ears.names == ["hints_lost"])
        assert "something unreadable was said" in ears.moved
        assert ears.told[0][1]["why"] == "unreadable: JSONDecodeError"
        await running.heal()
        await ears.until(lambda: ears.names == ["hints_lost", "hints_back"])


async def test_keys_that_are_refused_are_told_once(running: Venue) -> None:
    async with listening(running, secret="YW5vdGhlcjEy") as ears:
        await ears.until(lambda: len([s for s in ears.pauses if s < ANSWER_S]) >= 3)
        assert ears.names == ["hints_lost"]
        why = "ExchangeError" if running.name == "kraken" else "refused"
        assert ears.told[0][1] == {"exchange": running.name, "why": why}


async def test_silence_is_told_by_who_knew_better_and_ends_with_a_word(running: Venue) -> None:
    async with listening(running) as ears:
        await ears.opened()
        await running.fault("silence", where="socket")
        await running.foreign(ears.house.pair, "buy", "0.001")
        ears.missed.set()
        await ears.until(lambda: ears.names == ["hints_lost"])
        steady = ears.pauses.count(STEADY_S)
        await ears.until(lambda: ears.pauses.count(STEADY_S) > steady)
        await running.wait(2 * STEADY_S)
        assert ears.names == ["hints_lost"]
        await running.heal()
        await ears.hint()
        await ears.until(lambda: ears.names == ["hints_lost", "hints_back"])


async def test_a_venue_that_wants_a_pause_has_it(running: Venue) -> None:
    async with listening(running, "http_429", 100) as ears:
        await ears.until(lambda: 100.0 in ears.pauses)
        assert ears.names == ["hints_lost"]


async def test_a_subscription_that_kraken_refuses_is_told(running: Venue) -> None:
    """Of such an answer ccxt says nothing, and waits for ever."""
    if running.name != "kraken":
        pytest.skip("Of the others ccxt says it.")

    async def token(params: dict[str, Any]) -> dict[str, Any]:
        return {"result": {"token": "found in the street", "expires": 900}}

    async with listening(running, privatePostGetWebSocketsToken=token) as ears:
        await ears.until(lambda: ears.names == ["hints_lost"])
        assert ears.told[0][1]["why"] == "refused"


async def test_whoever_stops_listening_leaves_ccxt_as_it_was(running: Venue) -> None:
    async with listening(running) as ears:
        await ears.opened()
        assert (await running.log())["open"]
    assert ears.house.ccxt.client.__func__ is type(ears.house.ccxt).client


async def test_nobody_reads_a_stream_that_nobody_has_seen() -> None:
    told: list[str] = []
    pauses: list[float] = []
    enough = asyncio.Event()

    async def wait(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) > 50:
            enough.set()
        await asyncio.sleep(0)

    task = asyncio.create_task(
        hints(
            instance("okx", Ether()),
            lambda reason: None,
            lambda name, words, detail: told.append(words),
            wait,
            lambda: 1.0,
            asyncio.Event(),
        )
    )
    await enough.wait()
    task.cancel()
    assert max(pauses) == PAUSE_S_MAX
    assert told == [
        "okx no longer says what becomes of our orders"
        " (nobody here reads its stream); REST is asked"
    ]
