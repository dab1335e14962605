"""Sockets against a venue that fails in every way: each test is some minutes of a market."""

import asyncio

import pytest

from rrr.core.market import Source
from rrr.data_pipeline.exchange import Why
from rrr.data_pipeline.exchange_clock import LIMIT_MS
from tests.data_pipeline.live import VENUES, during, living
from tests.venue.faults import KINDS

EACH = pytest.mark.parametrize("name", VENUES)
FAULT_S = 90  # how long each lasts, and how long it is well afterwards


@pytest.mark.slow
@EACH
async def test_an_hour_of_every_fault_in_turn_costs_no_candle(name: str) -> None:
    faults = [
        during(kind, at := 180 + 2 * FAULT_S * number, at + FAULT_S, place)
        for number, (kind, place) in enumerate(
            [(kind, "rest") for kind in ("http_429", "http_500", "html", "truncated")]
            + [(kind, "socket") for kind, meaning in KINDS.items() if "socket" in meaning.meets]
        )
    ]
    async with living(name, 62, speed=240, faults=faults) as live:
        await live.listen()
    live.hold_against_the_tape()
    assert {Source.WEBSOCKET, Source.REST} <= live.sources
    assert {"stream_silent", "stream_recovered", "exchange_trouble"} <= set(live.told.names())


@EACH
async def test_what_the_socket_and_rest_both_say_is_the_sockets_with_its_touch(name: str) -> None:
    async with living(name, 6, past=3) as live:
        await live.listen()
        health = live.market.health()
    live.hold_against_the_tape()
    assert [one.past for one in live.arrivals] == [True] * 3 + [False] * 6
    assert Source.WEBSOCKET in live.sources
    for one in live.arrivals:
        for touch in one.touches:
            assert not one.past
            assert touch.at_ms == one.close.at_ms
            assert 0 < touch.bid < touch.ask
    assert any(one.touches for one in live.arrivals)
    assert health.offset is not None
    assert abs(health.offset.offset_ms) <= health.offset.uncertainty_ms + LIMIT_MS
    for pulse in health.pulses:
        assert pulse.streams.keys() >= {"touch"}
        assert pulse.data_age_ms is not None
        assert pulse.candle_age_ms is None or pulse.data_age_ms <= pulse.candle_age_ms


@EACH
async def test_while_rest_is_in_trouble_whole_streams_speak_for_it(name: str) -> None:
    faults = [during("http_500", 240, 540, "rest")]
    async with living(name, 11, faults=faults) as live:
        await live.listen()
    live.hold_against_the_tape()
    assert live.noted(Why.UNCONFIRMED)
    assert "exchange_recovered" in live.told.names()
    assert "candle_differs" not in live.told.names()


async def test_what_a_stream_lost_is_told_and_rest_believed() -> None:
    async with living("kraken", 12, faults=[during("lost", 60, 900)]) as live:
        await live.listen()
    live.hold_against_the_tape()
    told = [detail for name, _, detail in live.told if name == "candle_differs"]
    assert len(told) == len(live.noted(Why.DIFFERS))
    assert any(detail["rest"] != detail["socket"] is not None for detail in told)


@pytest.mark.parametrize("kind", ["silence", "half_open", "frozen_stamps"])
async def test_a_socket_that_carries_no_data_is_opened_again(kind: str) -> None:
    async with living("kraken", 12, faults=[during(kind, 120, 360, "socket")]) as live:
        await live.listen()
        log = await live.venue.log()
    live.hold_against_the_tape()
    names = live.told.names()
    assert "stream_silent" in names
    assert names[names.index("stream_silent") :].count("stream_recovered") > 0
    assert len({note["who"] for note in log["asked"] if note["outcome"] == "open"}) > 1


async def test_one_instrument_that_is_silent_alone_is_noticed() -> None:
    async with living("kraken", 8) as live:
        await live.venue.fault("silence", 300, symbol="BTC/USD", after=60)
        await live.listen()
    live.hold_against_the_tape()
    [_, words, detail], *_ = (one for one in live.told if one[0] == "stream_silent")
    assert "BTC-USD" in words
    assert all(stream.startswith("BTC-USD") for stream in detail["streams"])


async def test_a_venue_that_refuses_is_dialled_ever_more_rarely() -> None:
    async with living("kraken", 8, faults=[during("disconnect", 60, 400)]) as live:
        await live.listen()
        log = await live.venue.log()
    live.hold_against_the_tape()
    dialled = [note["at_ms"] for note in log["asked"] if note["outcome"] == "cut"]
    assert 3 < len(dialled) < 30
    assert live.told.names().count("stream_trouble") == 1


async def test_a_venue_whose_clock_is_ahead_is_told() -> None:
    async with living("kraken", 8, faults=[during("clock_offset", 30, 2_000)]) as live:
        await live.listen()
        offset = live.market.health().offset
    assert live.told.words("clock_offset")
    assert offset is not None
    assert abs(offset.offset_ms - KINDS["clock_offset"].amount) < LIMIT_MS + offset.uncertainty_ms


async def test_a_frame_that_cannot_be_read_does_not_deafen() -> None:
    async with living("kraken", 8, faults=[during("truncated", 120, 126, "socket")]) as live:
        await live.listen()
        listening = live.market._rounds.listening
    live.hold_against_the_tape()
    assert listening is not None
    assert listening.sockets.unreadable > 0
    assert Source.WEBSOCKET in {candle.source for candle in live.arrivals[-1].close.candles}


async def test_without_sockets_rest_is_asked_as_ever() -> None:
    async with living("kraken", 4, sockets=False) as live:
        await live.listen()
        health = live.market.health()
    live.hold_against_the_tape()
    assert live.sources == {Source.REST}
    assert {pulse.source for pulse in health.pulses} == {"rest"}
    assert not any(pulse.streams for pulse in health.pulses)
    assert live.market.title == "kraken, 1m candles by REST"


async def test_whoever_leaves_takes_the_sockets_along() -> None:
    async with living("kraken", 60) as live:
        listening = asyncio.create_task(live.listen())
        while not live.arrivals:
            await live.venue.wait(1)
        listening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await listening
        assert (await live.venue.log())["open"]
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not [task for task in others if "stream" in repr(task)]
    assert not any(name.startswith("stream_") for name in live.told.names())
