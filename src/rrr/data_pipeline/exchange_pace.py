"""An exchange is asked no faster than it allows: by request and by message, exits before all else.

ccxt knows what a request weighs there, and asks here before it sends one. A pause that the exchange
wants is kept by everybody, and whoever asks meanwhile is told how long. Subscriptions are messages:
they wait their turn, one after the other, and no more are wanted than it serves.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Final, NamedTuple

from rrr.data_pipeline.budget import MINUTE_MS, Budget
from rrr.data_pipeline.exchange_troubles import Trouble

BAN_S: Final = 120.0  # after a 418 that names no time: the shortest that Binance gives

is_exit: ContextVar[bool] = ContextVar("is_exit", default=False)  # may spend the reserve

_PARTS: Final = 1_000  # of a weight: ccxt has broken ones
_BURST: Final = 12  # of a minute's weight so much may come at once: what five seconds bring
_RESERVE: Final = 4  # of that, so much is for exits
_NAP_S: Final = 5.0  # whoever waits for room sees a pause within


class Serving(NamedTuple):
    """What an exchange allows a connection, as it says itself."""

    message_ms: int = 500  # from one message of ours to the next
    streams_max: int = 100
    used: tuple[str, int] | None = None  # a header that tells the weight of this minute, of so much


# developers.binance.com: 5 messages a second, 1,024 streams a connection, 6,000 of weight a minute.
# docs.cdp.coinbase.com: 8 messages a second without keys. docs.kraken.com names no number.
_SERVING: Final[Mapping[str, Serving]] = {
    "binance": Serving(300, 1_000, ("x-mbx-used-weight-1m", 6_000)),
    "coinbase": Serving(200, 1_000),
    "kraken": Serving(200, 1_000),
}


def serving(name: str) -> Serving:
    return _SERVING.get(name, Serving())


class Requests:
    """Stands in for ccxt's own limiter, which knows no reserve and follows a clock that may jump.

    `rate_limit_ms` is ccxt's: what a request of weight one costs. `burst`: what may come at once
    where the exchange says so, in weights; 0: what five seconds bring.
    """

    def __init__(
        self,
        name: str,
        rate_limit_ms: float,
        monotonic_ms: Callable[[], int],
        wait: Callable[[float], Awaitable[object]],
        *,
        burst: int = 0,
    ) -> None:
        self._per_minute = max(int(MINUTE_MS * _PARTS / rate_limit_ms), 4 * _BURST)
        self._burst = self._per_minute // _BURST
        if burst:  # that comes on top of a minute's
            self._burst = burst * _PARTS
            self._per_minute += self._burst
        self._reserve = self._burst // _RESERVE
        self._budget = Budget(self._per_minute, burst=self._burst, reserve=self._reserve)
        self._used = serving(name).used
        self._monotonic_ms, self._wait = monotonic_ms, wait

    async def turn(self, weight: float | None = None) -> None:
        """Until a request of this weight may be sent. Raise Trouble while a pause is wanted."""
        leaving = is_exit.get()
        most = self._burst if leaving else self._burst - self._reserve
        parts = min(max(int((1.0 if weight is None else weight) * _PARTS), 1), most)
        while True:
            now_ms = self._monotonic_ms()
            if left_s := self._budget.paused_ms(now_ms) / 1000:
                words = f"asked for a pause, of which {left_s:.0f} s are left"
                raise Trouble("too many requests", words, left_s)
            wait_ms = self._budget.wait_ms(parts, now_ms, is_exit=leaving)
            if wait_ms == 0:
                return
            await self._wait(min(wait_ms / 1000, _NAP_S))

    def answered(self, headers: Mapping[str, str]) -> None:
        """The exchange may say how much of its minute is used: others ask from here too."""
        if self._used is None:
            return
        header, most = self._used
        said = next((text for name, text in headers.items() if name.lower() == header), "")
        if said.isascii() and said.isdecimal():
            used = min(int(said[:9]), most) * self._per_minute // most
            self._budget.counted(used, self._monotonic_ms())

    def pause(self, seconds: float) -> None:
        now_ms = self._monotonic_ms()
        self._budget.pause(now_ms + int(seconds * 1000), now_ms)

    def left(self) -> float:
        """What may still be asked at once, in ccxt's weights; the reserve among it."""
        return self._budget.left(self._monotonic_ms()) / _PARTS


class Messages:
    """Stands in for ccxt's limiter of a connection: one pace for all connections."""

    def __init__(
        self,
        name: str,
        monotonic_ms: Callable[[], int],
        wait: Callable[[float], Awaitable[object]],
    ) -> None:
        self._every_ms = serving(name).message_ms
        self._monotonic_ms, self._wait = monotonic_ms, wait
        self._next_ms = 0
        self._turn = asyncio.Lock()

    async def turn(
        self, weight: float | None = None, *, over: Callable[[], bool] = lambda: False
    ) -> None:
        """Until a message may be sent, in the order in which they came; at once if it is over."""
        async with self._turn:
            while not over() and (left_ms := self._next_ms - self._monotonic_ms()) > 0:
                await self._wait(left_ms / 1000)
            if not over():
                self._next_ms = self._monotonic_ms() + self._every_ms
