"""A venue on this machine, listened to as the house does, and held against the venue's own tape.

Its market time hurries, and a busy machine cannot keep up: `HURRIED=1 pytest tests/data_pipeline`.
"""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from rrr.core.market import Candle, Source
from rrr.data_pipeline.exchange import Exchange, Gap, Manner, Why, exchange
from rrr.data_pipeline.market import Arrival
from tests.data_pipeline.exchanges import STEP_MS, Teller
from tests.venue.faults import Fault
from tests.venue.process import Venue, loopback

SILENCE_MS = 60_000  # of a hurried market: no time at all for a machine that is busy
CALM = 20  # so fast a busy machine keeps up with
VENUES = ("kraken", "coinbase", "binance")


@dataclass
class Live:
    """What came of it."""

    venue: Venue
    market: Exchange
    told: Teller
    arrivals: list[Arrival] = field(default_factory=list)

    async def listen(self) -> None:
        """To the end."""
        async for arrival in self.market.arrivals(0):
            self.arrivals.append(arrival)

    @property
    def sources(self) -> set[Source]:
        return {Source(candle.source) for one in self.arrivals for candle in one.close.candles}

    def noted(self, why: Why) -> list[Gap]:
        """What came with the arrivals; once."""
        gaps = [gap for one in self.arrivals for gap in one.gaps]
        assert len(set(gaps)) == len(gaps)
        return [gap for gap in gaps if gap.why is why]

    def hold_against_the_tape(self) -> None:
        """Nothing twice, nothing out of order, nothing made up, nothing missing that was traded."""
        opened = [one.close.opened_at_ms for one in self.arrivals]
        assert opened == list(range(opened[0], opened[-1] + 1, STEP_MS))
        for one in self.arrivals:
            close = one.close
            seen = [candle.instrument for candle in close.candles]
            assert sorted([*seen, *close.missing]) == list(range(len(self.market.instruments)))
            for candle in close.candles:
                assert numbers(candle) == self.truth(candle.instrument, close.opened_at_ms)
            for index in close.missing:
                assert not self.traded(index, close.opened_at_ms)

    def traded(self, index: int, opened_at_ms: int) -> bool:
        symbol = self.market.instruments[index].spec.symbol
        return bool(self.venue.tape.prints(symbol, opened_at_ms, opened_at_ms + STEP_MS))

    def truth(self, index: int, opened_at_ms: int) -> tuple[int, ...]:
        """A time without prints is flat, where the venue serves it."""
        spec, tape = self.market.instruments[index].spec, self.venue.tape
        points = 10 ** (spec.points - tape.coin(spec.symbol).decimals)
        grains, past = divmod(10**spec.grains, 10**8)
        assert not past
        if not self.traded(index, opened_at_ms):
            price = tape.last_prints(spec.symbol, 1, opened_at_ms)[0].price * points
            return price, price, price, price, 0
        [one] = tape.candles(spec.symbol, STEP_MS, opened_at_ms, opened_at_ms + STEP_MS)
        return *(price * points for price in one[1:5]), one.volume * grains


def numbers(candle: Candle) -> tuple[int, ...]:
    return candle[1:-1]


@asynccontextmanager
async def living(
    name: str,
    minutes: int,
    *,
    speed: float = 150,
    faults: Sequence[Fault] = (),
    past: int = 0,
    record: Path | None = None,
    sockets: bool = True,
    depth_levels: int = 0,
) -> AsyncIterator[Live]:
    """All instruments of a venue; the times of its faults count from when it is listened to."""
    if speed > CALM and "HURRIED" not in os.environ:
        pytest.skip("a hurried market wants an idle machine: HURRIED=1")
    told = Teller()
    async with loopback(name, speed=speed) as venue:
        manner = Manner(
            venue.wait,
            timeout_ms=5_000,
            rate_limited=False,
            sockets=sockets,
            silence_ms=SILENCE_MS,
            monotonic_ms=venue.clock_ms,
        )
        async with exchange(
            name,
            [symbol.replace("/", "-") for symbol in venue.symbols],
            "1m",
            candles=minutes,
            past=past,
            address=venue.address,
            clock_ms=venue.clock_ms,
            told=told,
            manner=manner,
            record=record,
            depth_levels=depth_levels,
        ) as market:
            now_ms = venue.clock_ms()
            for fault in faults:
                begin_ms, until_ms = fault.from_ms + now_ms, fault.until_ms + now_ms
                await venue.fault(replace(fault, from_ms=begin_ms, until_ms=until_ms))
            yield Live(venue, market, told)


def during(kind: str, begin_s: int, end_s: int, where: str | None = None) -> Fault:
    return Fault(kind, begin_s * 1_000, end_s * 1_000, where=where)
