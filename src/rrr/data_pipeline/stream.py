"""Sockets are hints: nobody waits for what they say, and what they fail to say is noticed.

A task for each subscription brings what it hears to the intake of its instrument. A connection
that ended is opened again after a pause that grows, is bounded and never the same. One that answers
pings and carries no data is ended by us. Whatever happens meanwhile, no interval that a break falls
into is called whole.
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import Any, Final

from rrr.data_pipeline.books import Books
from rrr.data_pipeline.books_watch import Watch
from rrr.data_pipeline.budget import backoff_ms
from rrr.data_pipeline.exchange_client import MISREAD, PAUSE_ASKED_S_MAX, Client, Manner, is_endless
from rrr.data_pipeline.exchange_pace import Messages, serving
from rrr.data_pipeline.exchange_troubles import Told, lasted
from rrr.data_pipeline.intake import Intake
from rrr.data_pipeline.silence import Patience, Silence, Stream, Verdict

PAUSE_MS_MAX: Final = 60_000
STEADY_MS: Final = 60_000  # a connection that lasted so long is a good one
LOOK_S: Final = 1.0

# Of a coin that is traded every few minutes nobody knows by the clock whether it is silent: what
# its stream should have said, REST knows with the next candle.
_UNKNOWN_MS: Final = 180_000
_SILENCE_MS_MAX: Final = 3_600_000
_LATE_MS: Final = 5_000
_DEAF_MS: Final = 60_000  # after a stream alone was silent, and twice as long each time
_DEAF_MS_MAX: Final = 3_600_000

Take = Callable[[Any], bool]


@dataclass(slots=True, eq=False)
class Following:
    """One subscription."""

    intake: Intake
    stream: Stream
    watch: Callable[[], Awaitable[Any]]
    take: Take
    up: bool = False
    failed: int = 0  # how often it was refused in a row
    deaf: int = 0  # and how often it was silent alone
    spared_until_ms: int = 0

    @property
    def of_candles(self) -> bool:
        return self.stream.name in ("candles", "prints")


class Sockets:
    """All subscriptions of one client."""

    def __init__(
        self,
        client: Client,
        intakes: Sequence[Intake],
        manner: Manner,
        told: Told,
        books: Books | None = None,
    ) -> None:
        assert client.clocks is not None, "Made with a clock."
        self.news = asyncio.Event()  # a candle is said to have closed
        self.unreadable = 0
        self.ended = 0  # connections
        self._client, self._clocks, self._ccxt = client, client.clocks, client.ccxt
        self._now_ms, self._told = manner.monotonic_ms, told  # pauses outlast a clock that is set
        self._wait, self._chance = manner.wait, manner.chance
        self._silence = Silence(Patience(manner.silence_ms, _UNKNOWN_MS, _SILENCE_MS_MAX))
        self._books = books
        self._watch = Watch(client, books, manner, told) if books else None
        self._following = self._planned([self._wanted(intake) for intake in intakes])
        self._streams = {one.symbol: list[Following]() for one in intakes}
        for each in self._following:
            self._streams[each.intake.symbol].append(each)
        self._booked = {e.intake.pair: e for e in self._following if e.stream.name == "book"}
        self._messages = Messages(client.name, manner.monotonic_ms, manner.wait)
        self._tries = 0
        self._dial_ms = 0  # not before
        self._ended_ms = -STEADY_MS
        self._down_ms: int | None = None  # since when, if that was told
        self._leaving = False
        self._dress()

    async def run(self) -> None:
        """Until it is cancelled."""
        tasks = [asyncio.create_task(self._follow(each)) for each in self._following]
        try:
            await self._watch_over(tasks)
        finally:
            self._leaving = True
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def up(self, symbol: str) -> dict[str, bool]:
        """Which of its streams carry data."""
        return {each.stream.name: each.up for each in self._streams[symbol]}

    def quiet(self, symbol: str) -> None:
        """REST says that nobody traded it."""
        for each in self._streams[symbol]:
            self._silence.quiet(each.stream, self._now_ms())

    def deaf(self, symbol: str, opened_at_ms: int) -> None:
        """REST says what its stream did not: that is ended and opened again."""
        now_ms, silent_ms = self._now_ms(), self._clocks.venue_ms() - opened_at_ms
        mine = [each for each in self._streams[symbol] if each.of_candles and each.up]
        if mine and now_ms >= mine[0].spared_until_ms:
            heard_nothing = Verdict(mine[0].stream, silent_ms, 0)
            self._end([heard_nothing], now_ms)

    def _planned(self, wanted: Sequence[Sequence[Following]]) -> list[Following]:
        """Everybody's candles first, then everybody's touch; no more than the exchange serves."""
        streams = [each for ranked in zip_longest(*wanted) for each in ranked if each is not None]
        most = serving(self._client.name).streams_max
        if left := streams[most:]:
            names = ", ".join(f"{each.intake.symbol} {each.stream.name}" for each in left[:5])
            more = f" and {len(left) - 5} more" if len(left) > 5 else ""
            words = (
                f"{self._client.name} serves {most} streams at once: not heard are {names}{more}"
            )
            detail = {"exchange": self._client.name, "wanted": len(streams), "most": most}
            self._told("streams_planned", f"{words}; REST is asked", detail)
        return streams[:most]

    def _wanted(self, intake: Intake) -> list[Following]:
        """Its candles, or the prints that make them, its touch and book: as ccxt has them."""
        ccxt, has, pair = self._ccxt, self._ccxt.has, intake.pair
        found = []

        def add(name: str, watch: Callable[[], Awaitable[Any]], take: Take) -> None:
            found.append(Following(intake, Stream(intake.symbol, name), watch, take))

        def rows(said: Any) -> bool:
            return intake.rows(said, self._clocks.venue_ms())

        def prints(said: Any) -> bool:
            return intake.prints(said, self._clocks.venue_ms())

        def touch(said: Any) -> bool:
            ticker = said.get(pair, said)
            return intake.touched(ticker, self._clocks.venue_ms(), self._stamp(ticker))

        if has.get("watchOHLCV") is True:
            add("candles", lambda: ccxt.watch_ohlcv(pair, self._client.timeframe), rows)
        elif has.get("watchTrades") is True:
            intake.build()
            add("prints", lambda: ccxt.watch_trades(pair), prints)
        if has.get("watchBidsAsks") is True:
            # ccxt changes what it is given, and even what it gives itself.
            add("touch", lambda: ccxt.watch_bids_asks([pair], {}), touch)
        elif has.get("watchTicker") is True:
            add("touch", lambda: ccxt.watch_ticker(pair), touch)
        if self._watch is not None:
            add("book", partial(self._watch.follow, pair), lambda said: False)
        return found

    def _stamp(self, ticker: Any) -> int | None:
        """When the venue said so: ccxt drops it at times."""
        said = ticker.get("timestamp") or (ticker.get("info") or {}).get("timestamp")
        stamp = self._ccxt.parse8601(said) if isinstance(said, str) else said
        return stamp if isinstance(stamp, int) else None

    async def _follow(self, each: Following) -> None:
        from ccxt.base.errors import BaseError

        while True:
            while (left_ms := self._dial_ms - self._now_ms()) > 0:
                await self._wait(left_ms / 1000)
            if not each.up:
                self._silence.expect(each.stream, self._now_ms())
            ended = self.ended
            try:
                said = await each.watch()
                if ended == self.ended:  # else it is of a connection that is no more
                    self._heard(each, said)
            except (BaseError, OSError, EOFError, zlib.error, *MISREAD) as error:
                if ended == self.ended:
                    await self._failed(each, error)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise  # else ccxt has closed what we listened to
                await self._wait(LOOK_S)

    async def _failed(self, each: Following, error: Exception) -> None:
        """The connection stands, but this subscription does not."""
        self._down(each)
        if each.failed == 0:
            words = f"{self._client.name} does not speak of the {each.stream.name} of"
            detail = {
                "exchange": self._client.name,
                "why": f"{type(error).__name__}: {error}"[:200],
            }
            self._told("stream_refused", f"{words} {each.intake.symbol}; REST is asked", detail)
        each.failed += 1
        self._silence.forget(each.stream)
        await self._wait(backoff_ms(each.failed, self._chance(), _DEAF_MS_MAX) / 1000)

    def _heard(self, each: Following, said: Any) -> None:
        now_ms, before = self._now_ms(), each.intake.opened_at_ms
        if not each.up:
            each.up = True
            if each.of_candles:
                each.intake.resumed(self._clocks.venue_ms())
        if not each.take(said):
            return
        each.deaf = each.failed = 0
        self._silence.heard(each.stream, now_ms)
        if each.stream.name == "touch":
            # The venue speaks of it: whether nobody traded meanwhile, REST will say; see `deaf`.
            for other in self._streams[each.intake.symbol]:
                if other is not each and other.up:
                    self._silence.quiet(other.stream, now_ms)
        if each.intake.opened_at_ms != before:
            self.news.set()

    async def _watch_over(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        late = False
        while True:
            before_ms = self._now_ms()
            await self._wait(LOOK_S)
            now_ms = self._now_ms()
            late = not late and now_ms - before_ms > _LATE_MS
            for task in tasks:
                if task.done():
                    task.result()  # a mistake of ours: nobody goes on without this stream
            if self._clocks.look() is not None:
                self._broken("the clock jumped")
                self._hang_up("is of another time")
            self._steady(now_ms)
            if late:
                continue  # It was we who did not listen: what came meanwhile is heard first.
            verdicts = [each for each in self._silence.verdicts(now_ms) if self._counts(each)]
            if verdicts and now_ms >= self._dial_ms and self._connected():
                self._end(verdicts, now_ms)

    def _counts(self, verdict: Verdict) -> bool:
        """One that is opened again in vain, alone, costs the others their connection: rarely."""
        now_ms = self._now_ms()
        alone = [each for each in self._following if each.stream == verdict.stream]
        return all(now_ms >= each.spared_until_ms for each in alone)

    def _end(self, verdicts: Sequence[Verdict], now_ms: int) -> None:
        """Of connections that are open: who is dialling has a time limit of its own."""
        silent = {verdict.stream for verdict in verdicts}
        for each in self._following:
            if each.stream in silent:
                each.spared_until_ms = now_ms + min(_DEAF_MS << min(each.deaf, 10), _DEAF_MS_MAX)
                each.deaf += 1
        self._silence.reconnected(now_ms)
        if self._down_ms is None:
            self._down_ms = now_ms
            self._tell_silent(verdicts)
        self._hang_up("carries no data")

    def _hang_up(self, why: str) -> None:
        from ccxt.base.errors import NetworkError

        for client in self._connected():
            client.on_error(NetworkError(why))

    def _connected(self) -> list[Any]:
        return [each for each in (self._ccxt.clients or {}).values() if each.isConnected]

    def _tell_silent(self, verdicts: Sequence[Verdict]) -> None:
        first = verdicts[0]
        what = f"{first.stream.name} of {first.stream.instrument}" if first.stream else "socket"
        more = f" and {len(verdicts) - 1} more" if len(verdicts) > 1 else ""
        words = f"{self._client.name}'s {what}{more} carried no data for {lasted(first.silent_ms)}"
        detail = {
            "exchange": self._client.name,
            "streams": [" ".join(verdict.stream) for verdict in verdicts if verdict.stream],
            "silent_ms": first.silent_ms,
            "limit_ms": first.limit_ms,
        }
        self._told("stream_silent", f"{words}; it is opened again", detail)

    def _broken(self, why: str) -> None:
        now_ms = self._now_ms()
        for each in self._following:
            self._down(each)
        if now_ms >= self._dial_ms:
            self._tries += 1
            self._dial_ms = now_ms + backoff_ms(self._tries, self._chance(), PAUSE_MS_MAX)
        self._ended_ms = now_ms
        if self._down_ms is None:
            self._down_ms = now_ms
            words = f"{self._client.name}'s socket ended ({why}); REST is asked, it is opened again"
            self._told("stream_trouble", words, {"exchange": self._client.name, "why": why})

    def _down(self, each: Following) -> None:
        each.up = False
        if each.stream.name == "touch":
            each.intake.blind()
        elif each.of_candles:
            each.intake.broken(self._clocks.venue_ms())

    def _steady(self, now_ms: int) -> None:
        unsteady = now_ms - self._ended_ms < STEADY_MS
        if unsteady or not all(each.up or each.failed for each in self._following):
            return
        self._tries = 0
        if self._down_ms is not None:
            lasted_ms, self._down_ms = self._ended_ms - self._down_ms, None
            detail = {"exchange": self._client.name, "lasted_ms": lasted_ms, "ended": self.ended}
            self._told("stream_recovered", f"{self._client.name}'s socket is steady again", detail)

    def _dress(self) -> None:
        """See each frame before ccxt does, and how each connection begins and ends."""
        ccxt = self._ccxt
        make, on_connected = ccxt.client, ccxt.on_connected
        on_error, on_close = ccxt.on_error, ccxt.on_close

        def client(url: str) -> Any:
            made = make(url)
            if not getattr(made, "dressed", False):
                made.dressed, made.ended = True, False
                made.throttle = partial(self._messages.turn, over=lambda: made.ended)
                parse = made.handle_text_or_binary_message
                made.handle_text_or_binary_message = partial(self._frame, made, parse)
            return made

        def ended(said: Callable[[Any, Any], None], made: Any, why: Any) -> None:
            made.last_retry_after = asked_s = _pause_of(made)
            said(made, why)
            if not self._leaving:
                self._ended(made, why, asked_s)

        def connected(made: Any, *more: Any) -> None:
            on_connected(made, *more)
            self._silence.reconnected(self._now_ms())

        ccxt.client, ccxt.on_connected = client, connected
        ccxt.on_error, ccxt.on_close = partial(ended, on_error), partial(ended, on_close)

    def _frame(self, made: Any, parse: Callable[[Any], None], data: Any) -> None:
        """What cannot be read is dropped: left to itself, ccxt would never listen again."""
        from ccxt.base.errors import BaseError

        text = data if isinstance(data, str) else bytes(data).decode(errors="replace")
        if self._client.recorder is not None:
            self._client.recorder.heard(made.url, text)
        try:
            if is_endless(text):
                raise ValueError("A number beyond all bounds.")
            if self._books is None or not self._is_of_a_book(self._books, made, text):
                parse(data)
        except (BaseError, *MISREAD):
            self.unreadable += 1
            venue_ms = self._clocks.venue_ms()
            for each in self._following:
                if each.up and each.of_candles:
                    each.intake.broken(venue_ms)
                    each.intake.resumed(venue_ms)

    def _is_of_a_book(self, books: Books, made: Any, text: str) -> bool:
        """Then it is nobody else's; what comes after a connection's end has no continuation."""
        if made.ended:
            return False
        news = books.frame(made.url, text)
        for pair in news.pairs & self._booked.keys():
            each = self._booked[pair]
            each.up, each.deaf, each.failed = True, 0, 0
            self._silence.heard(each.stream, self._now_ms())
        return news.ours

    def _ended(self, made: Any, why: Any, asked_s: float) -> None:
        if made.ended:
            return  # It ends with an error and is then closed: once is enough.
        made.ended = True
        self.ended += 1
        if self._books is not None:
            self._books.ended(made.url)
        if self._client.recorder is not None:
            self._client.recorder.cut(made.url, str(why))
        self._broken(f"{type(why).__name__}" if isinstance(why, Exception) else f"code {why}")
        # Pauses are ours; only what the venue asked for is longer.
        self._dial_ms = max(self._dial_ms, self._now_ms() + int(asked_s * 1000))
        with suppress(AttributeError, KeyError):
            del self._ccxt.ws_dial_backoff[made.url]


def _pause_of(made: Any) -> float:
    """Seconds that the handshake asked for, as far as anybody can mean them."""
    asked_s = getattr(made, "last_retry_after", None) or 0.0
    return min(max(asked_s, 0.0), PAUSE_ASKED_S_MAX) if asked_s == asked_s else 0.0
