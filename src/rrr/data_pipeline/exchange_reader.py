"""What an exchange says of one instrument is checked before anybody believes it.

An answer must still hold the newest candle that is known: one that does not is a trouble, and not a
time without trades. Of closing times that are over, what comes late or changes is told; so is what
a socket said otherwise.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from rrr.core.errors import Unavailable
from rrr.core.market import Candle
from rrr.data_pipeline.exchange_candles import Read, plausible, read
from rrr.data_pipeline.exchange_client import Client
from rrr.data_pipeline.exchange_instruments import Chosen, spec
from rrr.data_pipeline.exchange_troubles import Told, forgotten
from rrr.data_pipeline.market import Quoted
from rrr.data_pipeline.recorded_rows import utc


@dataclass(slots=True)
class Reader:
    """One instrument; made by `open_reader`."""

    index: int
    symbol: str
    pair: str
    quoted: Quoted
    client: Client
    clock_ms: Callable[[], int]
    told: Told
    shelf: dict[int, Candle]  # of the span that was read first
    shelf_begin: int
    shelf_end: int
    known_at: int  # when the newest candle opened
    known: Candle
    refused: dict[int, str] = field(default_factory=dict)  # what was last read, and why not taken
    unconfirmed: dict[int, Candle | None] = field(
        default_factory=dict
    )  # a socket's, not yet REST's
    given_up: set[int] = field(default_factory=set)  # closed without it, and nobody knew why
    quiet: list[int] = field(default_factory=list)  # of these: where REST says now, nobody traded

    async def candles(self, begin: int, end: int) -> dict[int, Candle]:
        """By opening time: those that open from `begin` on and close by `end`."""
        if self.shelf_begin <= begin and end <= self.shelf_end:
            return {at: candle for at, candle in self.shelf.items() if begin <= at < end}
        follows = self.known_at < begin
        near = follows and end - self.known_at < self.client.page * self.client.step_ms
        since = self.known_at if near else begin
        rows = await self.client.rows(self.pair, since, end)
        found = read(rows, self.index, self.quoted.spec, self.client.step_ms, since, end)
        self._expect(self.known_at if near else max(self.shelf), found, since, end)
        self._tell_refused(found, begin)
        if follows:
            compared = self._compare(found, begin, near=near)
            self.quiet = sorted(self._untraded(found)) if near else []
            self._tell_late(found, begin, compared)
            self.known_at = max(found.candles, default=self.known_at)
            self.known = found.candles.get(self.known_at, self.known)
        return {at: candle for at, candle in found.candles.items() if at >= begin}

    def _expect(self, known_at: int, found: Read, begin: int, end: int) -> None:
        """A candle that is withdrawn is one in the end: if the exchange insists for a timeframe."""
        there = known_at in found.candles or known_at in found.refused
        long_ago = self.clock_ms() >= end + self.client.step_ms
        insisted = known_at == self.known_at and long_ago and bool(found.candles)
        if begin <= known_at < end and not there and not insisted:
            raise forgotten(known_at)

    def _tell_refused(self, found: Read, begin: int) -> None:
        for at, why in found.refused.items():
            if at >= begin and self.refused.get(at) != why:
                self._tell("bad_candle", at, f"is refused: {why}")
        self.refused = found.refused

    def _compare(self, found: Read, begin: int, *, near: bool) -> Collection[int]:
        """What a socket said while REST was in trouble: now it answers."""
        said, self.unconfirmed = self.unconfirmed, {}
        for at, candle in said.items() if near else ():
            rest = found.candles.get(at)
            nobody_traded = (rest is None or rest.volume == 0) and candle is None
            same = rest is not None and candle is not None and rest[:-1] == candle[:-1]
            if at < begin and not same and not nobody_traded:
                self.tell_differs(at, rest, candle)
        return said.keys()

    def _untraded(self, found: Read) -> Iterator[int]:
        for at in self.given_up - found.refused.keys():
            candle = found.candles.get(at)
            if candle is None or candle.volume == 0:
                yield at

    def _tell_late(self, found: Read, begin: int, compared: Collection[int]) -> None:
        for at, candle in found.candles.items():
            if self.known_at < at < begin and at not in compared:
                self._tell("late_candle", at, "came late; nothing is decided upon it")
            elif at == self.known_at and candle != self.known:
                self._tell("corrected_candle", at, "was corrected; nothing is decided again")

    def tell_differs(self, at: int, rest: Candle | None, said: Candle | None) -> None:
        numbers = [list(each[1:-1]) if each else None for each in (rest, said)]
        words = "is not what its socket said of it"
        self._tell("candle_differs", at, words, rest=numbers[0], socket=numbers[1])

    def _tell(self, name: str, at: int, words: str, **more: object) -> None:
        detail = {"exchange": self.client.name, "symbol": self.symbol, "opened_at_ms": at, **more}
        self.told(name, f"the candle of {self.symbol} of {utc(at)} {words}", detail)


async def open_reader(
    client: Client,
    index: int,
    chosen: Chosen,
    span: tuple[int, int],
    clock_ms: Callable[[], int],
    told: Told,
) -> Reader:
    """Read the first candles: they say in which units the instrument fits."""
    begin, end = span
    rows = await client.rows(chosen.pair, begin, end)
    plain = [row for row in rows if plausible(row)]
    if not plain:
        raise _nothing(client, chosen, span, *(["its numbers make no sense"] if rows else []))
    made, notes = spec(client.name, chosen, client.tick_sizes, plain)
    found = read(rows, index, made, client.step_ms, begin, end)
    if not found.candles:
        raise _nothing(client, chosen, span, *found.refused.values())
    known_at, known = max(found.candles.items())
    reader = Reader(
        index=index,
        symbol=chosen.symbol,
        pair=chosen.pair,
        quoted=Quoted(made, "rest", notes),
        client=client,
        clock_ms=clock_ms,
        told=told,
        shelf=found.candles,
        shelf_begin=begin,
        shelf_end=end,
        known_at=known_at,
        known=known,
    )
    reader._tell_refused(found, begin)
    return reader


def _nothing(client: Client, chosen: Chosen, span: tuple[int, int], *why: str) -> Unavailable:
    reason = f" that can be used: {why[0]}" if why else ""
    return Unavailable(
        f"{client.name} gives no {client.timeframe} candle of {chosen.symbol} from {utc(span[0])}"
        f" to {utc(span[1])}{reason}.",
        "Choose another instrument with --symbols, or another timeframe.",
    )
