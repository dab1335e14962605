"""What only a clock on the wall can see: memory, free space, and how late the loop is.

Each look costs microseconds. A loop that was frozen shows as lag; a machine that was asleep shows
as a jump of the wall's clock against the one that stands still meanwhile.
"""

import asyncio
import os
import resource
import struct
import sys
import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, Final

from rrr.core.errors import StorageFailed

EVERY_S: Final = 0.1
KEPT: Final = 600  # looks: a minute
SECOND: Final = 10  # looks
JUMP_S: Final = 5.0
MB: Final = 1_000_000

# <sys/resource.h> of macOS: the 8th figure is ri_phys_footprint.
RUSAGE_INFO_V0: Final = 0
RUSAGE_INFO: Final = struct.Struct("16x 10Q")


def memory_mb() -> float:
    """What this process alone makes the machine hold, swapped and compressed included.

    The mapped database is none of it: the system takes those pages back whenever it likes.
    Where nobody says so much, the most that was ever resident.
    """
    try:
        return (_footprint() if sys.platform == "darwin" else _anonymous()) / MB
    except (OSError, AttributeError, KeyError):
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most * (1 if sys.platform == "darwin" else 1024) / MB


def free_mb(path: Path) -> float:
    """What a drive still takes from us. Raise StorageFailed where it is gone."""
    try:
        found = os.statvfs(path)
    except OSError as error:
        raise StorageFailed(
            f"{path} cannot be looked at: {error.strerror}.",
            "See that its drive is there, then start again: nothing is lost.",
        ) from error
    return found.f_bavail * found.f_frsize / MB


class LoopLag:
    """How late the loop was over the last minute: each figure stands for a tenth of a second.

    A loop that was frozen would have been late at every look that it missed: these count too, or a
    quantile would not see what a person sees.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.clock, self.wall = clock, wall
        self.late_ms: deque[float] = deque(maxlen=KEPT)
        self.jumped_s = 0.0  # the wall's clock, since it was last asked

    async def run(self, stop: asyncio.Event) -> None:
        """Look, until somebody stops us."""
        while not stop.is_set():
            began, began_wall = self.clock(), self.wall()
            await asyncio.sleep(EVERY_S)
            self.woke(self.clock() - began, self.wall() - began_wall)

    def woke(self, slept_s: float, slept_wall_s: float) -> None:
        late_s = max(slept_s - EVERY_S, 0.0)
        missed = min(int(late_s / EVERY_S), KEPT - 1)
        self.late_ms.extend((late_s - n * EVERY_S) * 1000 for n in range(missed, -1, -1))
        if abs(slept_wall_s - slept_s) > JUMP_S:
            self.jumped_s += slept_wall_s - slept_s

    def take_jump_s(self) -> float:
        """How far the wall's clock jumped since the last time somebody asked."""
        jumped_s, self.jumped_s = self.jumped_s, 0.0
        return jumped_s

    @property
    def max_ms(self) -> float:
        return max(self.late_ms, default=0.0)

    @property
    def now_ms(self) -> float:
        """The most of the last second."""
        return max(islice(reversed(self.late_ms), SECOND), default=0.0)

    def quantile_ms(self, share: float) -> float:
        """
        >>> lag = LoopLag()
        >>> lag.late_ms.extend(range(100))
        >>> lag.quantile_ms(0.5), lag.quantile_ms(0.99)
        (50, 99)
        """
        found = sorted(self.late_ms)
        return found[min(int(len(found) * share), len(found) - 1)] if found else 0.0


def _anonymous(status: Path = Path("/proc/self/status")) -> int:
    """Linux: what no file backs."""
    lines = (line.split() for line in status.read_text().splitlines() if line.endswith(" kB"))
    kib = {name: int(number) for name, number, _ in lines}
    return (kib["RssAnon:"] + kib["VmSwap:"]) * 1024


def _footprint(library: Any = None) -> int:
    """macOS: the figure that Activity Monitor shows; its getrusage only knows a peak."""
    import ctypes

    told = ctypes.create_string_buffer(RUSAGE_INFO.size)
    library = library or ctypes.CDLL(None)
    if library.proc_pid_rusage(os.getpid(), RUSAGE_INFO_V0, told) != 0:
        raise OSError("proc_pid_rusage does not say.")
    footprint: int = RUSAGE_INFO.unpack(told.raw)[7]
    return footprint
