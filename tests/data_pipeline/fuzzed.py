"""No candle is made of a mutated number: what a venue says is spoilt a million times on its way.

    python -m tests.data_pipeline.fuzzed --messages 1000000 --seed 1

The venues of `tests.venue` speak, spoilt on the way (`fuzzed_mutants`), to the house as it is: ccxt
and ccxt.pro unmodified, sockets, intake, prints, rounds, REST. In three kinds of life:

nonsense  beside its words, and in their place, a venue talks nonsense, by socket and REST, and REST
          fails for minutes: every candle is the tape's own, what sockets brought whole is, and
          nobody is said not to have traded who did
lies      sockets say, lose, repeat and exchange whatever they like; REST is honest: every candle is
          the tape's own
anything  REST lies too: a candle keeps all laws of candles, and nobody crashes

In all of them: every closing time comes once, in order, with every instrument; touches are
possible; books, fed beside it, are the venue's or untradable, and never deeper than they may be.
"""

import argparse
import asyncio
import faulthandler
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import Final, TextIO

from rrr.core.errors import RRRError
from rrr.core.market import Candle
from rrr.data_pipeline.exchange import Exchange, Gap, Manner, Why, exchange
from rrr.data_pipeline.market import Arrival
from rrr.data_pipeline.prints import END
from tests.data_pipeline.exchanges import STEP_MS, Teller
from tests.data_pipeline.fuzzed_books import spoilt
from tests.data_pipeline.fuzzed_ether import Ether, Said, Spoiling
from tests.data_pipeline.fuzzed_mutants import Mutants
from tests.data_pipeline.live import VENUES, Live, numbers
from tests.venue.dialect import Dialect
from tests.venue.dialects import DIALECTS
from tests.venue.process import Venue
from tests.venue.tape import Tape
from tests.venue.venue_time import NOON_MS, VenueTime
from tests.venue.wire import Answer

KINDS: Final = ("nonsense", "lies", "anything")

_MINUTES: Final = 20  # of a life
_DENSITIES: Final = (0.0, 0.02, 0.1, 1.0, 12.0)  # mutants to a message, for a while
_WHILE_MS: Final = 120_000
_HANG_S: Final = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.data_pipeline.fuzzed")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    _say(f"seed {asked.seed}", sys.stdout)
    began, tried = time.monotonic(), Counter[str]()
    for tried in fuzzed(asked.messages, asked.seed):
        faulthandler.dump_traceback_later(_HANG_S, exit=True)  # nothing may hang
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        spent = f"{time.monotonic() - began:.0f} s, {peak_mb} MB at most"
        _say(f"{tried['messages']:,} messages, {spent}", sys.stderr)
    faulthandler.cancel_dump_traceback_later()
    _say(", ".join(f"{count:,} {name}" for name, count in tried.items()), sys.stdout)


def _say(words: str, where: TextIO) -> None:
    where.write(f"{words}\n")
    where.flush()


def fuzzed(messages: int, seed: int, minutes: int = _MINUTES) -> Iterator[Counter[str]]:
    """What was tried so far, life after life of so many minutes."""
    tried, number = Counter[str](), 0
    while tried["messages"] < messages:
        kind, name = KINDS[number // len(VENUES) % len(KINDS)], VENUES[number % len(VENUES)]
        life = _Life(name, kind, seed * 1_000_003 + number, minutes)
        tried += asyncio.run(life.live())
        number += 1
        yield tried


@cache
def venue_of(name: str) -> tuple[Tape, Dialect]:
    kind, quote = DIALECTS[name]
    tape = Tape(1, quote)
    return tape, kind(tape)


class _Life:
    """One start of the house, at some hour of the tape."""

    def __init__(self, name: str, kind: str, seed: int, minutes: int) -> None:
        self.tried = Counter[str]()
        self._name, self._kind, self._minutes = name, kind, minutes
        self._chance = random.Random(seed)
        self._mutants = Mutants(name, self._chance)
        self._tape, self._dialect = venue_of(name)
        start_ms = NOON_MS + self._chance.randrange(24 * 3_600_000)
        spoiling = Spoiling(self._frames, self._answer, lambda: self._chance.random() < 0.002)
        self._ether = Ether(self._dialect, start_ms, spoiling)
        self._opened = False
        self._told = Teller()
        self._seen = dict[str, list[str]]()  # what was said lately
        self._down_ms = 0  # REST is in trouble until then
        self._while_ms, self._density = 0, 0.0

    async def live(self) -> Counter[str]:
        playing = asyncio.create_task(self._ether.play())
        try:
            await self._listen()
        except RRRError:
            assert self._kind == "anything", "Who begins honestly opens."
            self.tried["refused to open"] += 1
        finally:
            playing.cancel()
            with suppress(asyncio.CancelledError):
                await playing
        begin_ms, minutes = self._ether.clock_ms(), -(-self._minutes // 2)
        self.tried += spoilt(self._name, self._tape, self._dialect, self._chance, begin_ms, minutes)
        self.tried["messages"] += self._ether.messages + self.tried["book messages"]
        return self.tried

    async def _listen(self) -> None:
        ether = self._ether
        manner = Manner(
            ether.wait,
            rate_limited=False,
            sockets=True,
            silence_ms=60_000,
            monotonic_ms=ether.clock_ms,
            chance=self._chance.random,
            dressed=ether.dress,
        )
        symbols = [symbol.replace("/", "-") for symbol in self._tape.symbols]
        async with exchange(
            self._name,
            symbols,
            "1m",
            candles=self._minutes,
            past=0,
            address="http://venue",
            clock_ms=ether.clock_ms,
            told=self._told,
            manner=manner,
        ) as market:
            self._opened = True
            place = Venue(self._name, "", self._tape, VenueTime(NOON_MS, 1, 0))
            laws = _Laws(Live(place, market, self._told), self._kind)
            async for arrival in market.arrivals(0):
                laws.hold(arrival)
            self.tried["lives"] += 1
            self.tried += laws.counted
            self.tried += self._counted(market)

    def _counted(self, market: Exchange) -> Counter[str]:
        listening = market._rounds.listening
        assert listening is not None
        refused = sum(intake.refused for intake in listening.intakes)
        return Counter({"unreadable": listening.sockets.unreadable, "refused numbers": refused})

    def _frames(self, said: str) -> list[Said]:
        """What is heard instead of it."""
        lately = self._seen.setdefault(said[:24], [])
        lately.append(said)
        del lately[:-20]
        others = self._others()
        if self._kind == "nonsense":
            heard: list[Said] = [self._mutants.nonsense(said) for _ in range(others)]
        else:
            heard = [self._mutants.anything(self._chance.choice(lately)) for _ in range(others)]
        self.tried["mutated"] += others
        if self._kind == "nonsense" and self._density and self._chance.random() < 0.05:
            heard.append(self._mutants.noticed(said))
        elif self._kind == "nonsense" or self._chance.random() < 0.8:
            heard.insert(self._chance.randrange(len(heard) + 1), said)
        return heard

    def _others(self) -> int:
        now_ms = self._ether.clock_ms()
        if now_ms >= self._while_ms:
            self._while_ms = now_ms + self._chance.randrange(_WHILE_MS)
            self._density = self._chance.choice(_DENSITIES)
        return int(2 * self._density * self._chance.random() + self._chance.random())

    def _answer(self, answer: Answer, now_ms: int) -> Answer:
        if self._kind == "lies" or (self._kind == "nonsense" and not self._opened):
            return answer
        if self._kind == "anything":
            lied = self._chance.random() < (0.3 if self._opened else 0.02)
            self.tried["answers spoilt"] += lied
            return self._mutants.any_answer(answer) if lied else answer
        if now_ms >= self._down_ms and self._chance.random() < 0.05:
            self._down_ms = now_ms + self._chance.randrange(300_000)
        failing = now_ms < self._down_ms or self._chance.random() < 0.2
        self.tried["answers spoilt"] += failing
        return self._mutants.senseless(answer) if failing else answer


class _Laws:
    """What every arrival is held to."""

    def __init__(self, live: Live, kind: str) -> None:
        self.counted = Counter[str]()
        self._live, self._kind = live, kind
        self._next_ms = live.market.begins_ms

    def hold(self, arrival: Arrival) -> None:
        close = arrival.close
        assert close.opened_at_ms == self._next_ms, "Each once, in order."
        self._next_ms += STEP_MS
        there = [candle.instrument for candle in close.candles]
        assert sorted([*there, *close.missing]) == list(range(len(self._live.market.instruments)))
        assert close.at_ms <= self._live.market._clock_ms(), "Not of the future."
        for candle in close.candles:
            self._hold_candle(candle, close.opened_at_ms)
        for touch in arrival.touches:
            assert touch.at_ms == close.at_ms
            assert 0 < touch.bid < touch.ask < END
            assert 0 <= touch.bid_quantity < END > touch.ask_quantity >= 0
        self.counted["missing"] += len(close.missing)
        for gap in arrival.gaps:
            self._hold_gap(gap)
        if self._kind == "nonsense":
            self._hold_words(close.opened_at_ms)

    def _hold_gap(self, gap: Gap) -> None:
        self.counted[gap.why.value] += 1
        if self._kind != "anything" and gap.why is Why.NO_TRADES:
            index = [one.spec.symbol for one in self._live.market.instruments].index(gap.symbol)
            assert not self._live.traded(index, gap.opened_at_ms), gap

    def _hold_words(self, opened_at_ms: int) -> None:
        """What its sockets brought whole is so, whatever else they brought."""
        listening = self._live.market._rounds.listening
        assert listening is not None
        for intake in listening.intakes:
            said = intake.said(opened_at_ms)
            if said.whole and said.closed:
                self.counted["whole by socket"] += 1
                truth = self._live.truth(intake.index, opened_at_ms)
                if said.candle is None:
                    assert not self._live.traded(intake.index, opened_at_ms), intake.symbol
                else:
                    assert numbers(said.candle) == truth, (said, truth)

    def _hold_candle(self, candle: Candle, opened_at_ms: int) -> None:
        self.counted["candles"] += 1
        assert all(type(number) is int for number in numbers(candle))
        assert 0 < candle.low <= min(candle.open, candle.close)
        assert max(candle.open, candle.close) <= candle.high < END
        assert 0 <= candle.volume < END
        if self._kind != "anything":
            truth = self._live.truth(candle.instrument, opened_at_ms)
            assert numbers(candle) == truth, (candle, truth, opened_at_ms)


if __name__ == "__main__":
    main()
