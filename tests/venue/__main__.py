"""A venue in a process of its own: `python -m tests.venue --venue kraken --seed 1 --speed 60`.

It says where it is in one line of JSON, and ends when its stdin does, or on SIGTERM. With a ledger
it may be killed: another of the same ledger, port and beginning goes on where it was.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

from tests.venue.dialects import DIALECTS, desk
from tests.venue.faults import Fault, Faults
from tests.venue.ledger import Ledger
from tests.venue.rates import TIERS
from tests.venue.server import Server
from tests.venue.tape import Tape
from tests.venue.venue_time import NOON_MS, VenueTime


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.venue")
    parser.add_argument("--venue", choices=tuple(DIALECTS), default="kraken")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--start", type=int, default=NOON_MS, help="UTC milliseconds")
    parser.add_argument("--instruments", type=int, default=0, help="so many more")
    parser.add_argument("--faults", type=Path)
    parser.add_argument("--ledger", type=Path, help="what happened is written there, and read")
    parser.add_argument("--tier", choices=tuple(TIERS), default="pro", help="how often one may ask")
    parser.add_argument("--port", type=int, default=0, help="the one it had, to come back")
    parser.add_argument("--begun", type=float, help="when the market's time began, to go on in it")
    given = parser.parse_args()
    faults = json.loads(given.faults.read_text("utf-8")) if given.faults else []
    time = VenueTime.begin(given.start, given.speed)
    if given.begun is not None:
        time = replace(time, begun=given.begun)
    make, quote = DIALECTS[given.venue]
    dialect = make(Tape(given.seed, quote, given.instruments))
    told = Faults(map(Fault.read, faults), given.start)
    trades = desk(dialect, Ledger(given.ledger), told, TIERS[given.tier])
    asyncio.run(serve(Server(dialect, time, told, trades), time, given.port))


async def serve(server: Server, time: VenueTime, port: int) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    threading.Thread(target=_watch_stdin, args=(loop, ended), daemon=True).start()
    runner, address = await server.start(port)
    said = {"address": address, "begun": time.begun, "start_ms": time.start_ms}
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
    await ended.wait()
    await runner.cleanup()
    # Whatever still hangs was told to.
    sys.stdout.flush()
    os._exit(0)


def _watch_stdin(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    while sys.stdin.buffer.read(4_096):
        pass
    loop.call_soon_threadsafe(ended.set)


if __name__ == "__main__":
    main()
