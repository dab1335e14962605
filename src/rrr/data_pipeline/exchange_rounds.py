"""REST says what closed; sockets say when to ask, and speak for it where it does not answer.

As soon as something later was heard of an instrument REST is asked: where both say the same, that
is settled. Where they differ REST is asked again at the watermark, and believed. Where it is in
trouble, or cannot be asked for all in time, a candle that its stream brought whole is taken after a
bounded patience, and compared when REST has answered. What has no candle has a reason.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, NamedTuple

from rrr.core.market import Candle, Source
from rrr.data_pipeline.exchange_client import Manner
from rrr.data_pipeline.exchange_gaps import Gap, Why
from rrr.data_pipeline.exchange_reader import Reader
from rrr.data_pipeline.exchange_troubles import Trouble, Troubles, pause_s
from rrr.data_pipeline.intake import SURELY_MS, Intake, Said
from rrr.data_pipeline.stream import Sockets

GRACE_MS: Final = 5_000  # from a closing time to its watermark
SPEAK_MS: Final = 10_000  # from the watermark: then whole streams speak for REST
PATIENCE_MS: Final = 30_000  # with those in trouble, once another has answered: two tries more

_LOOK_MS: Final = 1_000

Column = dict[int, Candle]  # by opening time


class Listening(NamedTuple):
    """What is heard beside REST."""

    sockets: Sockets
    intakes: Sequence[Intake]  # of the readers, in their order


class Rounds:
    """One instrument after the other is asked, until all are settled."""

    def __init__(
        self,
        readers: Sequence[Reader],
        troubles: Troubles,
        clock_ms: Callable[[], int],
        manner: Manner,
    ) -> None:
        self.listening: Listening | None = None
        self._readers, self._troubles = readers, troubles
        self._clock_ms, self._wait = clock_ms, manner.wait
        self._chance = manner.chance
        self._monotonic_ms = manner.monotonic_ms
        self._ask_ms = 0  # REST wants a pause until then, by a clock that nobody sets

    async def columns(self, begin: int, end: int) -> tuple[list[Column], list[Gap]]:
        """What each instrument has: asked until it answers, or until others have waited enough.

        And why it has no more; by opening time, those first of which it is known only now.
        """
        # Where not all can be asked in time, whoever waits for longest is asked first.
        order = sorted(self._readers, key=lambda reader: reader.known_at)
        one = _Round(begin, end, deque(order), [{} for _ in self._readers])
        while one.pending:
            now_ms = self._clock_ms()
            if self.listening and now_ms < one.watermark_ms:
                await self._early(one, self.listening)
                continue
            if self.listening:
                in_trouble = one.tries > 0 or self._pause_ms() > 0
                one.troubled = one.troubled or in_trouble
                self._speak_for(one, self.listening, now_ms)
                over = in_trouble and one.patience_is_over(now_ms + self._pause_ms())
                if not one.pending or over:
                    break
            if self.listening and self._pause_ms():
                await self._news_or(min(self._pause_ms(), _LOOK_MS), self.listening)
                continue
            reader = one.pending[0]
            try:
                found = await reader.candles(begin, end)
            except Trouble as trouble:
                self._troubles.met(trouble, reader.symbol)
                if self.listening is None and one.patience_is_over(self._clock_ms()):
                    break
                await self._met(one, trouble)
            else:
                one.tries = 0
                one.settle(reader.index, self._settled(reader, found, one), self._clock_ms())
        for reader in one.pending:
            times = range(begin, end, reader.client.step_ms)
            one.note(reader.symbol, times, Why.GAP)
            reader.given_up.update(times)
        if not one.pending and not (one.spoken_for and one.troubled):
            self._troubles.over()
        return one.columns, sorted(one.gaps, key=lambda gap: gap.opened_at_ms)

    async def _met(self, one: "_Round", trouble: Trouble) -> None:
        one.tries += 1
        one.pending.rotate(-1)
        seconds = max(trouble.pause_s, pause_s(one.tries, self._chance()))
        if self.listening is None:
            await self._wait(seconds)
        else:
            self._ask_ms = self._monotonic_ms() + int(seconds * 1000)

    def _pause_ms(self) -> int:
        return max(self._ask_ms - self._monotonic_ms(), 0)

    async def _early(self, one: "_Round", listening: Listening) -> None:
        """Ask for one that is said to have closed, or wait until something is said."""
        now_ms = self._clock_ms()
        for reader in one.pending:
            said = listening.intakes[reader.index].said(one.begin)
            if not said.whole or not said.closed or reader.index in one.asked:
                continue
            if one.end - one.begin != reader.client.step_ms or now_ms < one.end or self._pause_ms():
                continue
            one.asked.add(reader.index)
            before = reader.known_at, reader.known
            try:
                found = await reader.candles(one.begin, one.end)
            except Trouble as trouble:
                if trouble.pause_s:
                    self._troubles.met(trouble, reader.symbol)
                self._ask_ms = self._monotonic_ms() + int(trouble.pause_s * 1000)
                return
            if not _agree(found.get(one.begin), said):
                reader.known_at, reader.known = before
                return
            one.pending.remove(reader)
            one.settle(reader.index, self._settled(reader, found, one), self._clock_ms())
            return
        await self._news_or(one.watermark_ms - now_ms, listening)

    def _speak_for(self, one: "_Round", listening: Listening, now_ms: int) -> None:
        """What sockets brought whole is taken where REST is in trouble for long, or too slow."""
        if now_ms < one.watermark_ms + SPEAK_MS:
            return
        # Of a quiet coin nothing later is heard; but of the others, by the same way, is.
        newest_ms = max(intake.newest_ms for intake in listening.intakes)
        over = newest_ms >= one.end + SURELY_MS
        for reader in list(one.pending):
            intake, step_ms = listening.intakes[reader.index], reader.client.step_ms
            times = range(one.begin, one.end, step_ms)
            said = {at: intake.said(at, over=over) for at in times}
            if not all(each.whole and (each.closed or over) for each in said.values()):
                continue
            for at, each in said.items():
                reader.unconfirmed[at] = each.candle
                one.note(reader.symbol, [at], Why.UNCONFIRMED if each.candle else Why.NO_TRADES)
            candles = {at: each.candle for at, each in said.items() if each.candle}
            one.pending.remove(reader)
            one.spoken_for = True
            one.settle(reader.index, candles, one.end + one.end - one.begin - PATIENCE_MS)

    def _settled(self, reader: Reader, found: Column, one: "_Round") -> Column:
        """REST's candles, with what the socket said of them."""
        one.note(reader.symbol, reader.quiet, Why.NO_TRADES)
        reader.given_up, reader.quiet = set(), []
        settled = {}
        for at in range(one.begin, one.end, reader.client.step_ms):
            candle = found.get(at)
            if candle is None and at in reader.refused:
                one.note(reader.symbol, [at], Why.REFUSED)
                continue  # REST knows nothing: it can neither differ nor prove a silence.
            said = Said()
            if self.listening:
                said = self.listening.intakes[reader.index].said(at, over=True)
            if candle is not None:
                settled[at] = _confirmed(candle, said)
            if said.whole and said.closed and not _agree(candle, said):
                reader.tell_differs(at, candle, said.candle)
                one.note(reader.symbol, [at], Why.DIFFERS)
            elif candle is None:
                one.note(reader.symbol, [at], _why(said))
            if self.listening and said.candle is None:
                self._judge_silence(reader.symbol, at, candle, said, self.listening.sockets)
        return settled

    def _judge_silence(
        self, symbol: str, at: int, candle: Candle | None, said: Said, sockets: Sockets
    ) -> None:
        """REST knows whether a stream that said nothing had something to say."""
        if candle is None or candle.volume == 0:
            sockets.quiet(symbol)
        elif said.whole and said.closed:
            sockets.deaf(symbol, at)

    async def _news_or(self, left_ms: int, listening: Listening) -> None:
        listening.sockets.news.clear()
        await _either(self._wait(left_ms / 1000), listening.sockets.news.wait())


class _Round:
    """How far a round has come."""

    def __init__(self, begin: int, end: int, pending: deque[Reader], columns: list[Column]) -> None:
        self.begin, self.end, self.pending, self.columns = begin, end, pending, columns
        self.gaps: list[Gap] = []
        self.watermark_ms = end + GRACE_MS
        self.asked: set[int] = set()  # before the watermark
        self.tries = 0
        self.troubled = False  # REST was, at some time
        self.spoken_for = False  # a socket spoke where REST did not, or not in time
        self.patient_until_ms: int | None = None

    def note(self, symbol: str, times: Iterable[int], why: Why) -> None:
        self.gaps += [Gap(symbol, at, why) for at in times]

    def settle(self, index: int, column: Column, patient_from_ms: int) -> None:
        """The others have a little time left: where REST answers nobody, until the next close."""
        self.columns[index] = column
        if self.pending and self.pending[0].index == index:
            self.pending.popleft()
        until_ms = max(patient_from_ms, self.watermark_ms) + PATIENCE_MS
        self.patient_until_ms = min(until_ms, self.patient_until_ms or until_ms)

    def patience_is_over(self, now_ms: int) -> bool:
        return self.patient_until_ms is not None and now_ms >= self.patient_until_ms


def _why(said: Said) -> Why:
    """Of what REST has no candle: nobody traded, unless a socket heard that somebody did."""
    return Why.GAP if said.candle is not None and said.candle.volume else Why.NO_TRADES


def _agree(candle: Candle | None, said: Said) -> bool:
    """A candle without volume, none at all, and silence are the same: nobody traded."""
    if candle is None or said.candle is None:
        there = candle or said.candle
        return there is None or there.volume == 0
    return candle[:-1] == said.candle[:-1]


def _confirmed(candle: Candle, said: Said) -> Candle:
    same = said.whole and said.candle is not None and candle[:-1] == said.candle[:-1]
    return candle._replace(source=Source.WEBSOCKET) if same else candle


async def _either(first: Awaitable[object], second: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(each) for each in (first, second)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
