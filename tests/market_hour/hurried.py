"""Rrr as people start it, and all its clocks run so many times as fast as the world's.

    python tests/market_hour/hurried.py '{"start_ms": …, "begun": …, "speed": …, "slept": "FILE"}' …

The wall's clock and the monotonic one are a venue's market time, and the loop waits for it: each
sleep, each timeout, each look hurries, and not a line of what is tried knows of it. While the
process is stopped the monotonic clock stands, as it does in a machine that sleeps: `slept` holds
how many seconds that were. Threads wait for disks by the world's own clock.
"""

import json
import mmap
import os
import queue  # noqa: F401 (before its clock is another)
import selectors
import struct
import sys
import threading  # noqa: F401 (before its clock is another)
import time
from collections.abc import Callable
from typing import Any, Final

SLEPT: Final = struct.Struct("d")

_world_s: Final = time.monotonic  # as it was


def main() -> None:
    told, *arguments = sys.argv[1:]
    hurry(**json.loads(told))
    from rrr import cli

    sys.argv = ["rrr", *arguments]
    cli.run()


def hurry(start_ms: int, begun: float, speed: float, slept: str) -> None:
    """From here on `time` tells the market's, to whoever is imported after this."""
    slept_s = shared(slept)

    def wall_ns() -> int:
        return start_ms * 1_000_000 + int((_world_s() - begun) * speed * 1e9)

    def monotonic_ns() -> int:
        return int((_world_s() - slept_s()) * speed * 1e9)

    clocks: dict[str, Callable[[], float]] = {
        "time_ns": wall_ns,
        "time": lambda: wall_ns() / 1e9,
        "monotonic_ns": monotonic_ns,
        "monotonic": lambda: monotonic_ns() / 1e9,
    }
    for name, clock in clocks.items():
        setattr(time, name, clock)

    class Hurried(selectors.DefaultSelector):
        """Who waits so long in market time waits that much shorter in the world's."""

        def select(self, timeout: float | None = None) -> Any:
            return super().select(timeout and timeout / speed)

    setattr(selectors, "DefaultSelector", Hurried)  # noqa: B010


def shared(path: str) -> Callable[[], float]:
    """The seconds that whoever stops this process writes before it goes on."""
    descriptor = os.open(path, os.O_RDONLY)
    seen = mmap.mmap(descriptor, SLEPT.size, prot=mmap.PROT_READ)
    os.close(descriptor)

    def seconds() -> float:
        (found,) = SLEPT.unpack(seen)
        return float(found)

    return seconds


if __name__ == "__main__":
    main()
