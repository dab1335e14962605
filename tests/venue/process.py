"""A venue that a test starts, asks for its time, and breaks as it likes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, ParamSpec
from urllib.request import Request, urlopen

from tests.venue.dialects import DIALECTS
from tests.venue.faults import Fault
from tests.venue.tape import Tape
from tests.venue.venue_time import NOON_MS, VenueTime

How = ParamSpec("How")

ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Venue:
    name: str
    address: str
    tape: Tape
    time: VenueTime
    pid: int = 0

    @property
    def socket_address(self) -> str:
        return self.address.replace("http", "ws", 1)

    @property
    def symbols(self) -> tuple[str, ...]:
        return self.tape.symbols

    def clock_ms(self) -> int:
        """The market's time, which is the clock of whoever trades there."""
        return self.time.now_ms()

    async def wait(self, seconds: float) -> None:
        """So long in market time."""
        await asyncio.sleep(self.time.world_s(seconds * 1_000))

    async def until(self, at_ms: int) -> None:
        await self.wait(max(at_ms - self.clock_ms(), 0) / 1_000)

    async def fault(
        self,
        kind: str | Fault,
        seconds: float = 10**9,
        symbol: str | None = None,
        amount: int | None = None,
        where: str | None = None,
        after: float = 0,
    ) -> Fault:
        """From now on, or `after` so many market seconds; for so long."""
        if isinstance(kind, Fault):
            fault = kind
        else:
            begin = self.clock_ms() + int(after * 1_000)
            end = begin + int(seconds * 1_000)
            fault = Fault(kind, begin, end, symbol, amount, where)
        await self._control("POST", "fault", fault.written())
        return fault

    async def heal(self) -> None:
        await self._control("DELETE", "fault")

    async def log(self) -> dict[str, Any]:
        """`asked`: who asked what, when, and what came of it; `sent`: messages; `open`: sockets."""
        return await self._control("GET", "log")

    async def deposit(self, coin: str, amount: str) -> str:
        return str((await self._control("POST", "deposit", {"coin": coin, "amount": amount}))["id"])

    async def withdraw(self, coin: str, amount: str, fee: str = "0") -> str:
        said = {"coin": coin, "amount": amount, "fee": fee}
        return str((await self._control("POST", "withdraw", said))["id"])

    async def foreign(self, symbol: str, side: str, quantity: str, **more: str) -> str:
        """An order by the owner's own hand: kind, price, trigger, client_id."""
        said = {"symbol": symbol, "side": side, "quantity": quantity, **more}
        return str((await self._control("POST", "order", said))["id"])

    async def cancel(self, id: str | None = None) -> None:
        """By the owner's own hand: one, or all."""
        await self._control("POST", "cancel", {} if id is None else {"id": id})

    async def fees(self, taker_ppm: int, maker_ppm: int) -> None:
        await self._control("POST", "fees", {"taker_ppm": taker_ppm, "maker_ppm": maker_ppm})

    async def ledger(self) -> dict[str, Any]:
        """`entries`: all that happened; `balances` and `held`, by coin; `sums`: all zero."""
        return await self._control("GET", "ledger")

    def kill(self) -> None:
        """At once, whatever it does: start another with the same ledger, port and time."""
        os.kill(self.pid, signal.SIGKILL)

    def wire(self, exchange: Any) -> Any:
        """An exchange of ccxt speaks to this venue: its addresses are moved, nothing else."""
        exchange.urls["api"] = self._moved(exchange.urls["api"])
        return exchange

    def _moved(self, urls: Any) -> Any:
        if isinstance(urls, dict):
            return {name: self._moved(url) for name, url in urls.items()}
        if not isinstance(urls, str):
            return urls
        scheme, _, rest = urls.partition("://")
        if scheme in ("ws", "wss"):
            # The host stays in the path: ccxt knows Binance's spot by the /stream in its address.
            return f"{self.socket_address}/{rest}"
        return "/".join(filter(None, (self.address, rest.partition("/")[2])))

    async def _control(self, method: str, what: str, body: Any = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.address}/control/{what}", data, method=method)
        found: dict[str, Any] = await asyncio.to_thread(_asked, request)
        return found


@contextmanager
def started(
    name: str,
    *,
    seed: int = 1,
    speed: float = 600,
    faults: Sequence[Fault] = (),
    instruments: int = 0,
    start_ms: int = NOON_MS,
    ledger: Path | None = None,
    tier: str = "pro",
    again: Venue | None = None,
) -> Iterator[Venue]:
    """For several tests to share: outside of any loop. `again`: in the place of one that died."""
    with TemporaryDirectory() as folder:
        written = Path(folder) / "faults.json"
        written.write_text(json.dumps([fault.written() for fault in faults]), "utf-8")
        options: dict[str, object] = {
            "--venue": name,
            "--seed": seed,
            "--speed": speed,
            "--start": start_ms,
            "--instruments": instruments,
            "--faults": written,
            "--tier": tier,
        }
        if ledger:
            options["--ledger"] = ledger
        if again:
            options["--port"] = again.address.rpartition(":")[2]
            options["--begun"] = again.time.begun
        command = [sys.executable, "-m", "tests.venue"]
        command += [str(part) for option in options.items() for part in option]
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        with process:
            assert process.stdin is not None
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, "the venue has not started"
            said = json.loads(line)
            time = VenueTime(said["start_ms"], speed, said["begun"])
            tape = Tape(seed, DIALECTS[name][1], instruments)
            try:
                yield Venue(name, said["address"], tape, time, process.pid)
            finally:
                process.stdin.close()
                process.wait()


def _in_a_loop(
    start: Callable[How, AbstractContextManager[Venue]],
) -> Callable[How, AbstractAsyncContextManager[Venue]]:
    @asynccontextmanager
    async def beside(*given: How.args, **named: How.kwargs) -> AsyncIterator[Venue]:
        manager = start(*given, **named)
        venue = await asyncio.to_thread(manager.__enter__)
        try:
            yield venue
        finally:
            await asyncio.to_thread(manager.__exit__, None, None, None)

    return beside


loopback = _in_a_loop(started)


def _asked(request: Request) -> dict[str, Any]:
    with urlopen(request) as answer:  # only ever 127.0.0.1
        found: dict[str, Any] = json.loads(answer.read())
        return found
