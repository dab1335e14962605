"""A venue that says by itself that something of ours moved is asked at once, and never believed.

One subscription to our orders is held open on a ccxt.pro instance whose sockets are ours. ccxt
dials, signs and answers pings; what is said is heard before it, for it drops what comes between
two calls, does not tell that a subscription was refused, and is deaf after what it cannot read.
Each message about an order, a fill or a balance is a hint, and so is each new connection: nobody
knows what went unheard before it. A stream that is cut, refused, unreadable or without an answer is
told once, and opened again after pauses that grow, are bounded and never the same. Silence looks
like a calm day: whoever learns from REST what no hint said sets `missed`.
"""

import asyncio
import json
import zlib
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum, auto
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from rrr.trading.live.asking import at
from rrr.trading.live.wire import MISREAD

ANSWER_S: Final = 45.0  # the most that a subscription takes
STEADY_S: Final = 60.0  # a connection that lasted so long is a good one
PAUSE_S_MAX: Final = 60.0
PAUSE_ASKED_S_MAX: Final = 300.0
KEEP_ALIVE_MS: Final = (
    10_000  # between two pings; of Binance's streams ccxt's own are minutes apart
)

UNSAID: Final = "REST knew what it did not say"

Moved = Callable[[str], None]
Told = Callable[[str, str, dict[str, Any]], None]
Wait = Callable[[float], Awaitable[None]]


class Word(Enum):
    HINT = auto()
    OPENED = auto()  # the subscription stands
    REFUSED = auto()  # or is no more
    OTHER = auto()


async def hints(
    ccxt: Any,
    moved: Moved,
    told: Told,
    wait: Wait,
    chance: Callable[[], float],
    missed: asyncio.Event,
) -> None:
    """Until it is cancelled: `moved` may be called at any time, and may be called in vain."""
    venue, make, tries, lost, deaf = str(ccxt.id), ccxt.client, 0, False, False
    try:
        while True:
            line = Line(ccxt, make, moved, missed)
            try:
                await _first(wait(ANSWER_S), line.opened, line.ended)
                if not line.opened.done():
                    line.end("no answer")
                await _first(wait(STEADY_S), line.ended)
                if deaf:  # that it stands proves nothing of it
                    await _any(line.heard, line.ended)
                if not line.ended.done():
                    if lost:
                        words = f"{venue} says again what becomes of our orders"
                        told("hints_back", words, {"exchange": venue, "tries": tries})
                    tries, lost, deaf = 0, False, False
                why = await line.ended
            finally:
                line.hang_up()
            if not lost:
                words = f"{venue} no longer says what becomes of our orders ({why}); REST is asked"
                told("hints_lost", words, {"exchange": venue, "why": why})
            tries, lost, deaf = tries + 1, True, deaf or why == UNSAID
            await wait(max(pause_s(tries, chance()), line.asked_s))
    finally:
        ccxt.client = make


def pause_s(tries: int, chance: float) -> float:
    """
    >>> pause_s(1, 0.0), pause_s(1, 1.0), pause_s(4, 1.0), pause_s(9_999, 1.0)
    (0.5, 1.0, 8.0, 60.0)
    """
    return float(min(PAUSE_S_MAX, 2.0 ** min(tries - 1, 10)) * (1 + chance) / 2)


class Line:
    """One life of the stream, from the first dial to its end."""

    def __init__(
        self, ccxt: Any, make: Callable[[str], Any], moved: Moved, missed: asyncio.Event
    ) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.heard: asyncio.Future[None] = loop.create_future()
        self._why: asyncio.Future[str] = loop.create_future()
        self._ccxt, self._make, self._moved = ccxt, make, moved
        self._read = READERS.get(ccxt.id)
        self._dressed: list[Any] = []
        self._closing: list[asyncio.Task[None]] = []
        ccxt.client = self._client
        (getattr(ccxt, "ws_dial_backoff", None) or {}).clear()  # pauses are ours
        self.ended = asyncio.create_task(self._life(missed))

    @property
    def asked_s(self) -> float:
        """The pause that a refused handshake asked for, as far as anybody can mean it."""
        asked = [made.last_retry_after or 0.0 for made in self._dressed]
        return max((min(s, PAUSE_ASKED_S_MAX) for s in asked if s > 0), default=0.0)

    @property
    def _over(self) -> bool:
        return self._why.done() or self.ended.done()

    def end(self, why: str) -> None:
        if not self._why.done():
            self._why.set_result(why)

    def hang_up(self) -> None:
        self.ended.cancel()
        for made in self._dressed:
            if self._ccxt.clients.get(made.url) is made:
                del self._ccxt.clients[made.url]
            self._close(made)

    async def _life(self, missed: asyncio.Event) -> str:
        """Why it ended."""
        following = asyncio.create_task(self._follow())
        unsaid = asyncio.create_task(self._unsaid(missed))
        try:
            await _any(self._why, following, unsaid)
            if self._why.done():
                return self._why.result()
            return following.result() if following.done() else UNSAID
        finally:
            following.cancel()
            unsaid.cancel()

    async def _follow(self) -> str:
        """Why ccxt gave it up."""
        from ccxt.base.errors import BaseError

        if self._read is None:
            return "nobody here reads its stream"
        try:
            while True:
                await self._ccxt.watch_orders()
        except (BaseError, OSError, EOFError, zlib.error, *MISREAD) as error:
            return type(error).__name__
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return "closed"  # by ccxt, with all that it waited for

    async def _unsaid(self, missed: asyncio.Event) -> None:
        """What was missed before it stood does not count."""
        await asyncio.wait({self.opened})
        missed.clear()
        await missed.wait()

    def _client(self, url: str) -> Any:
        """ccxt's own, with our ear at it."""
        made = self._make(url)
        if made not in self._dressed:
            self._dressed.append(made)
            made.keepAlive = min(made.keepAlive, KEEP_ALIVE_MS)
            made.handle_text_or_binary_message = partial(
                self._frame, made, made.handle_text_or_binary_message
            )
            made.future = partial(_looked_after, made.future)
            made.on_connected_callback = partial(self._connected, made.on_connected_callback)
        return made

    def _connected(self, connected: Callable[[Any], None], made: Any) -> None:
        """Who hung up while it was dialled, hangs up now."""
        connected(made)
        if self._over:
            self._close(made)

    def _close(self, made: Any) -> None:
        self._closing.append(asyncio.create_task(made.close()))

    def _frame(self, made: Any, parse: Callable[[Any], None], data: Any) -> None:
        from ccxt.base.errors import BaseError

        if self._over or self._read is None:
            return
        made.lastPong = type(self._ccxt).milliseconds()  # who speaks, lives
        try:
            word = self._read(json.loads(data))
            if word in (Word.OPENED, Word.OTHER):
                parse(data)
        except (BaseError, *MISREAD) as error:
            self._moved("something unreadable was said")
            self.end(f"unreadable: {type(error).__name__}")
            return
        self._take(word)

    def _take(self, word: Word) -> None:
        if word is Word.REFUSED:
            self.end("refused")
        if word is Word.HINT and not self.heard.done():
            self.heard.set_result(None)
        if word in (Word.HINT, Word.OPENED):
            if not self.opened.done():
                self.opened.set_result(None)
            self._moved("the venue said so" if word is Word.HINT else "the stream was opened")


async def _first(pause: Awaitable[object], *others: asyncio.Future[Any]) -> None:
    """Until the pause is over, or one of the others is done."""
    timer = asyncio.ensure_future(pause)
    try:
        await _any(timer, *others)
    finally:
        timer.cancel()


async def _any(*futures: asyncio.Future[Any]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


def _looked_after(make: Callable[[str], asyncio.Future[Any]], name: str) -> asyncio.Future[Any]:
    """Of some that ccxt makes nobody ever looks at the error."""
    future = make(name)
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future


def _of_kraken(said: Any) -> Word:
    if at(said, ("channel",)) == "executions":
        return Word.HINT
    if at(said, ("method",)) != "subscribe":
        return Word.OTHER
    return Word.OPENED if at(said, ("success",)) is True else Word.REFUSED


def _of_binance(said: Any) -> Word:
    event = at(said, ("event", "e"))
    if event in ("eventStreamTerminated", "serverShutdown") or at(said, ("error",)):
        return Word.REFUSED
    if event is not None:
        return Word.HINT
    opened = at(said, ("result", "subscriptionId")) is not None
    return Word.OPENED if opened else Word.OTHER


def _of_coinbase(said: Any) -> Word:
    if at(said, ("channel",)) == "user":
        return Word.HINT
    if at(said, ("type",)) == "error":
        return Word.REFUSED
    subscribed = at(said, ("events", 0, "subscriptions", "user")) is not None
    return Word.OPENED if subscribed else Word.OTHER


READERS: Final[Mapping[str, Callable[[Any], Word]]] = MappingProxyType(
    {"kraken": _of_kraken, "binance": _of_binance, "coinbase": _of_coinbase}
)
