"""A watch compares one figure with its limit, and says in words what is wrong and what to do.

Pure: what was seen enters, alarms leave, in the order of `Watch`. The law of `core.rules` holds for
every order; these watch what no order can see. One instrument that is silent among others is the
law's: its orders are refused. Where all are silent nobody decides any more, and only a clock on the
wall can tell.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from math import ceil, floor
from typing import Final, NamedTuple

APART_MAX_S: Final = 5.0


class Watch(StrEnum):
    STALE = "stale data"
    LAG = "loop lag"
    MEMORY = "memory"
    DISK = "disk"
    APART = "clock of the exchange"
    CLOCK = "clock"


class Limits(NamedTuple):
    stale_s: float | None  # of the last candle; None: the market waits for us, not we for it
    lag_ms: float
    memory_mb: float
    disk_mb: float


class Seen(NamedTuple):
    """One look at the clock on the wall."""

    ages_s: Mapping[str, float]  # of each instrument's last candle
    lag_ms: float
    memory_mb: float
    disk_mb: float
    jumped_s: float = 0.0
    apart_s: float = 0.0  # of this clock and an exchange's, at least so much


class Alarm(NamedTuple):
    watch: Watch
    text: str


def alarms(limits: Limits, seen: Seen) -> Iterator[Alarm]:
    """All that is wrong. A figure that is its limit is well; no text shows one that seems so."""
    freshest_s = min(seen.ages_s.values(), default=0.0)
    if limits.stale_s is not None and freshest_s > limits.stale_s:
        yield Alarm(
            Watch.STALE,
            f"no candle for {ceil(freshest_s):,} s (limit {limits.stale_s:,.0f} s): the market is"
            " silent or out of reach, see whether this machine has a network",
        )
    if seen.lag_ms > limits.lag_ms:
        yield Alarm(
            Watch.LAG,
            f"decisions came {ceil(seen.lag_ms):,} ms late (limit {limits.lag_ms:,.0f} ms): the"
            " machine is overloaded, see what else runs on it",
        )
    if seen.memory_mb > limits.memory_mb:
        yield Alarm(
            Watch.MEMORY,
            f"{ceil(seen.memory_mb):,} MB of memory are in use (limit {limits.memory_mb:,.0f} MB):"
            " restart the daemon, it goes on where it was, or raise guard.memory_max_mb",
        )
    if seen.disk_mb < limits.disk_mb:
        yield Alarm(
            Watch.DISK,
            f"{floor(seen.disk_mb):,} MB are free (limit {limits.disk_mb:,.0f} MB): make room on"
            " the drive of the home",
        )
    if abs(seen.apart_s) > APART_MAX_S:
        yield Alarm(
            Watch.APART,
            f"the exchange's clock differs by {seen.apart_s:+,.1f} s (limit {APART_MAX_S:g} s):"
            " synchronise the clock of this machine",
        )
    if seen.jumped_s:
        yield Alarm(
            Watch.CLOCK,
            f"the clock jumped by {seen.jumped_s:+,.0f} s: the machine slept or its time was set,"
            " keep it awake and its clock synchronised",
        )
