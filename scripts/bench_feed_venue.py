"""A venue that never stops talking: its frames are ready before anybody asks for them.

    python scripts/bench_feed_venue.py kraken --instruments 50 --speed 0

Every instrument trades ten times a second, and its touch moves ten times, in a pattern of a minute
that anybody can recompute. REST and the words of each venue are those of `tests.venue`. It tells
its market's time in the last bytes of a file; with a speed of 0 that time passes as quickly as
frames are taken, so that whoever listens sets the pace.
"""

import argparse
import asyncio
import json
import mmap
import struct
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.venue.dialect import Dialect, Session  # noqa: E402
from tests.venue.dialects import DIALECTS  # noqa: E402
from tests.venue.tape import Candle, Coin, Print, Tape, Touch  # noqa: E402
from tests.venue.wire import http_date, text  # noqa: E402

MINUTE_MS: Final = 60_000
START_MS: Final = 1_704_110_400_000 + 20_000  # soon after a closing time
STEP_MS: Final = 50  # a print, then a touch, then a print
TURNS: Final = 2 * STEP_MS
READY_MS: Final = 20_000  # of frames that are made before the first is sent

Talk = tuple[Any, Session]  # a socket, and who speaks there

_A_MINUTE: Final = MINUTE_MS // TURNS
_STAMP: Final = struct.Struct("<q")


class Metronome(Tape):
    """A tape in which everything is a pattern: it costs next to nothing, at any time."""

    def __init__(self, quote: str, instruments: int) -> None:
        super().__init__(1, quote)
        names = [f"M{number:02}" for number in range(instruments)]
        self.coins = {
            f"{name}/{quote}": Coin(name, 20_000 + 7_919 * n, 3, Decimal(600), 10**8, 4)
            for n, name in enumerate(names)
        }
        steps = [(turn * 7_919) % 211 - (turn * 104_729) % 97 for turn in range(_A_MINUTE)]
        self._steps = steps
        self._highs = [max(steps[: turn + 1]) for turn in range(_A_MINUTE)]
        self._lows = [min(steps[: turn + 1]) for turn in range(_A_MINUTE)]
        sizes = [10**6 + (turn * 7_919) % 10**6 for turn in range(_A_MINUTE)]
        self._sizes = sizes
        self._sums = [sum(sizes[: turn + 1]) for turn in range(_A_MINUTE)]

    def prints(self, symbol: str, begin: int, end: int) -> list[Print]:
        coin = self.coin(symbol)
        return [self._print(coin, turn) for turn in range(-(-begin // TURNS), -(-end // TURNS))]

    def last_prints(self, symbol: str, count: int, end: int) -> list[Print]:
        return self.prints(symbol, end - count * TURNS, end)

    def candles(self, symbol: str, timeframe_ms: int, begin: int, end: int) -> list[Candle]:
        assert timeframe_ms == MINUTE_MS, "It knows minutes."
        coin, first = self.coin(symbol), begin + -begin % MINUTE_MS
        return [self._candle(coin, opened, end) for opened in range(first, end, MINUTE_MS)]

    filled = candles

    def summary(self, symbol: str, begin: int, end: int) -> Candle | None:
        return self._candle(self.coin(symbol), end - end % MINUTE_MS, end)

    def touch(self, symbol: str, at_ms: int) -> Touch:
        coin, turn = self.coin(symbol), (at_ms + STEP_MS) // TURNS
        bid = self._price(coin, turn) - 1
        return Touch(bid, 10**8 + turn % 10**6, bid + 2, 10**8)

    def _print(self, coin: Coin, turn: int) -> Print:
        side = ("buy", "sell")[turn % 2]
        size = self._sizes[turn % _A_MINUTE]
        return Print(turn * TURNS, self._price(coin, turn), size, side, turn, 0)

    def _price(self, coin: Coin, turn: int) -> int:
        return coin.price + self._steps[turn % _A_MINUTE] + turn // _A_MINUTE % 1_009

    def _candle(self, coin: Coin, opened_at_ms: int, end: int) -> Candle:
        last = min(max(-(-(end - opened_at_ms) // TURNS), 1), _A_MINUTE) - 1
        base = coin.price + opened_at_ms // MINUTE_MS % 1_009
        prices = (self._steps[0], self._highs[last], self._lows[last], self._steps[last])
        volume = self._sums[last]
        turnover = volume * (base + self._steps[last])
        opened, high, low, closed = (base + price for price in prices)
        return Candle(opened_at_ms, opened, high, low, closed, volume, turnover, last + 1)


def dialect_of(name: str, instruments: int) -> Dialect:
    kind, quote = DIALECTS[name]
    return kind(Metronome(quote, instruments))


def frames(session: Session, begin_ms: int, end_ms: int) -> Iterator[tuple[int, list[str]]]:
    """What is said at each step of the market's time."""
    for at_ms in range(begin_ms, end_ms, STEP_MS):
        yield at_ms, [text(frame.body) for frame in session.news(at_ms)]


class Clock:
    """The market's time, for two processes: the venue writes it, whoever listens reads it."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _STAMP.size)

    @staticmethod
    def made(path: Path) -> "Clock":
        path.write_bytes(_STAMP.pack(START_MS))
        return Clock(path)

    def __call__(self) -> int:
        return int(_STAMP.unpack_from(self._map)[0])

    def set(self, at_ms: int) -> None:
        _STAMP.pack_into(self._map, 0, at_ms)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("venue", choices=tuple(DIALECTS))
    parser.add_argument("--instruments", type=int, default=50)
    parser.add_argument("--speed", type=float, default=0)
    parser.add_argument("--clock", type=Path, required=True)
    given = parser.parse_args()
    asyncio.run(serve(given.venue, given.instruments, given.speed, Clock(given.clock)))


async def serve(name: str, instruments: int, speed: float, clock: Clock) -> None:
    """Until standard input ends."""
    from aiohttp import web

    dialect = dialect_of(name, instruments)
    talks, speaking = list[Talk](), list[asyncio.Task[None]]()

    async def asked(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await talk(request)
        answer = dialect.answer(request.path, dict(request.query), clock())
        headers = {"Date": http_date(clock()), **answer.headers}
        kind = answer.kind
        return web.Response(
            text=answer.body, status=answer.status, headers=headers, content_type=kind
        )

    async def talk(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        session = dialect.session(1, request.path, clock())
        talks.append((socket, session))
        async for message in socket:
            for frame in session.heard(json.loads(message.data), clock()):
                await socket.send_str(text(frame.body))
            asked_for = sum(len(each.subscriptions) for _, each in talks)
            if not speaking and asked_for >= 2 * instruments:
                waiting.cancel()
                speaking.append(asyncio.create_task(speak(talks, clock, speed)))
        return socket

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", asked)
    waiting = asyncio.create_task(idle(clock))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


async def idle(clock: Clock) -> None:
    """Until somebody wants to hear something, time passes as it does."""
    while True:
        await asyncio.sleep(STEP_MS / 1_000)
        clock.set(clock() + 20 * STEP_MS)  # they need not hurry, but neither must we wait


async def speak(talks: list[Talk], clock: Clock, speed: float) -> None:
    begin_ms = clock()
    ready_ms = begin_ms + (STEP_MS if speed else READY_MS)
    ready = [list(frames(session, begin_ms + STEP_MS, ready_ms)) for _, session in talks]
    later = [frames(session, ready_ms, 1 << 62) for _, session in talks]
    begun = time.monotonic()
    for steps in chain(zip(*ready, strict=True), zip(*later, strict=True)):
        at_ms = steps[0][0]
        if speed:
            due_s = begun + (at_ms - begin_ms) / 1_000 / speed
            await asyncio.sleep(max(due_s - time.monotonic(), 0))
        clock.set(at_ms)
        for (socket, _), (_, said) in zip(talks, steps, strict=True):
            for each in said:
                await socket.send_str(each)


if __name__ == "__main__":
    main()
