"""A book that was lost comes back by itself, on the connection that there is, and it is told."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from rrr.core.errors import UsageError
from rrr.core.events import Depth
from rrr.data_pipeline.books import News, touch_of
from rrr.data_pipeline.intake import TOUCH_AGE_MS_MAX
from rrr.data_pipeline.orderbook import NO_SNAPSHOT
from rrr.data_pipeline.recording_replay import replayed
from tests.data_pipeline.booked import LEVELS, truth
from tests.data_pipeline.exchanges import STEP_MS, Teller, opened
from tests.data_pipeline.live import CALM, VENUES, Live, during, living
from tests.data_pipeline.loopback import Loopback, Time
from tests.venue.tape import SLOT_MS

EACH = pytest.mark.parametrize("name", VENUES)
LOSING = ("bad_checksum", "lost", "reordered", "silence", "frozen_stamps", "truncated")
TOLD = {"book_untradable", "book_recovered"}


def states(live: Live) -> set[str | None]:
    return {pulse.book for pulse in live.market.health().pulses}


async def until(live: Live, what: Callable[[], bool]) -> None:
    while not what():
        await live.venue.wait(1)


def is_the_tapes(live: Live, depth: Depth, until_ms: int, back_ms: int) -> bool:
    """At some moment of these."""
    books = live.market._books
    assert books is not None
    [one] = (one for one in books.wanted.values() if one.index == depth.instrument)
    seen = range(until_ms, until_ms - back_ms, -SLOT_MS)
    found = (truth(live.venue.tape, one, depth.at_ms, at, LEVELS) for at in seen)
    return any(each == depth for each in found)


def watched(live: Live) -> Counter[bool]:
    """From now on: whether what is shown after each frame is the tape's; it is counted."""
    books, counted = live.market._books, Counter[bool]()
    assert books is not None
    frame = books.frame

    def spied(url: str, text: str) -> News:
        news = frame(url, text)
        now_ms = live.venue.clock_ms()
        for pair in books.wanted if news.ours else ():
            depth = books.seen(pair, now_ms)
            if depth is not None:
                back_ms = TOUCH_AGE_MS_MAX + 5 * SLOT_MS
                counted[is_the_tapes(live, depth, now_ms, back_ms)] += 1
        return news

    books.frame = spied  # type: ignore[method-assign]
    return counted


def connected(live: Live) -> list[Any]:
    clients = live.market._client.ccxt.clients or {}
    return [each for each in clients.values() if each.isConnected]


def sockets(log: dict[str, Any]) -> int:
    return sum(note["outcome"] == "open" for note in log["asked"])


@pytest.mark.slow
@EACH
async def test_a_close_brings_the_book_and_a_lost_one_is_asked_for_anew(name: str) -> None:
    async with living(name, 1, speed=CALM, depth_levels=LEVELS) as live:
        shown = watched(live)
        await until(live, lambda: states(live) == {""})
        await live.listen()
        [arrival] = live.arrivals
        now_ms = live.venue.clock_ms()
        seen = now_ms - arrival.close.at_ms + 10 * SLOT_MS
        assert all(is_the_tapes(live, depth, now_ms, seen) for depth in arrival.depths)
        touches = {touch.instrument: touch for touch in arrival.touches}
        for depth in arrival.depths:
            assert depth.at_ms == arrival.close.at_ms
            assert touches[depth.instrument] == touch_of(depth)
        assert arrival.depths

        await until(live, lambda: states(live) == {""})
        before = sockets(await live.venue.log())
        await live.venue.fault("bad_checksum")
        await until(live, lambda: "" not in states(live) and bool(TOLD & {*live.told.names()}))
        await live.venue.heal()
        await until(live, lambda: states(live) == {""})
        assert sockets(await live.venue.log()) == before, "No connection was ended for it."
        await until(live, lambda: live.told.names()[-1:] == ["book_recovered"])

        await live.venue.fault("disconnect")
        await until(live, lambda: not connected(live))
        assert states(live) == {NO_SNAPSHOT}, "What was brought has no continuation."
        await live.venue.heal()
        await until(live, lambda: states(live) == {""})
    assert shown[True] > 100
    assert not shown[False]
    told = [detail for kind, _, detail in live.told if kind == "book_untradable"]
    assert all(detail["exchange"] == name and detail["why"] for detail in told)


@EACH
@pytest.mark.parametrize("kind", LOSING)
async def test_under_each_fault_no_wrong_book_is_shown_and_it_recovers(
    name: str, kind: str
) -> None:
    faults = [during(kind, 60, 180, "socket")]
    async with living(name, 7, speed=90, faults=faults, depth_levels=LEVELS) as live:
        shown = watched(live)
        await live.listen()
        assert states(live) == {""}
    live.hold_against_the_tape()
    assert shown[True] > 100
    assert not shown[False]
    if (name, kind) != ("kraken", "reordered"):  # messages of different books overtake each other
        assert {*live.told.names()} >= TOLD
    assert len(live.arrivals[-1].depths) == len(live.arrivals[-1].close.candles) > 0


async def test_a_snapshot_that_is_refused_is_asked_for_ever_more_rarely() -> None:
    faults = [during("bad_checksum", 60, 90), during("http_429", 60, 240, "rest")]
    async with living("binance", 8, speed=90, faults=faults, depth_levels=LEVELS) as live:
        await live.listen()
        log = await live.venue.log()
    live.hold_against_the_tape()
    refused = [
        note["at_ms"]
        for note in log["asked"]
        if "/depth?symbol=BTCUSDT" in note["asked"] and note["outcome"] == "429"
    ]
    assert 1 <= len(refused) <= 6
    assert {*live.told.names()} >= TOLD


@EACH
async def test_a_recording_brings_the_same_books(name: str, tmp_path: Any) -> None:
    async with living(name, 4, speed=90, record=tmp_path, depth_levels=LEVELS) as live:
        await live.listen()
    async with replayed(tmp_path, Teller(), timeout_ms=10**7) as market:
        again = [arrival async for arrival in market.arrivals(0)]
    assert any(one.depths for one in again)
    for one, lived in zip(again, live.arrivals, strict=False):
        for depth in one.depths:
            assert is_the_tapes(live, depth, one.close.at_ms + STEP_MS, 2 * STEP_MS)
        assert {touch.instrument for touch in one.touches} >= {d.instrument for d in one.depths}
        assert one.close.at_ms == lived.close.at_ms


async def test_without_levels_nobody_keeps_a_book() -> None:
    with Loopback() as server:
        async with opened(server, Time(server.clock_ms())) as market:
            assert {pulse.book for pulse in market.health().pulses} == {None}


async def test_depth_of_a_venue_without_a_dialect_is_refused_before_anything_is_asked() -> None:
    from rrr.data_pipeline.exchange import Manner, exchange

    market = exchange(
        "bitstamp",
        ["BTC-USD"],
        "1m",
        candles=1,
        past=0,
        address="http://127.0.0.1:9",
        clock_ms=lambda: 0,
        told=Teller(),
        manner=Manner(sockets=True),
        depth_levels=5,
    )
    with pytest.raises(UsageError, match="no verified order book for bitstamp"):
        await market.__aenter__()
