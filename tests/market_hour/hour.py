"""One life of the whole program at a venue that fails: the real command line, home and database.

What is known of it afterwards is what it left: its database, its logs, how it ended, and what it
made the machine hold meanwhile.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.market_hour.hurried import SLEPT
from tests.market_hour.timetable import SLEEP, Kind, Trial, every, timetable
from tests.storm.homes import ROOT, House
from tests.venue.process import Venue, loopback

MINUTE_MS: Final = 60_000
HERE: Final = Path(__file__).parent
SETTINGS: Final = (
    *("--depth-levels", "10"),
    *("--timeframe", "1m", "--signals", f"{HERE / 'lively.py'}"),
    *("--set", "policy.warmup_candles=3", "--set", "policy.sizing=equity"),
    *("--set", "policy.band_bps=1", "--set", "risk.cooldown_minutes=0"),
    *("--set", "risk.exposure_max_bps=2000", "--set", "risk.orders_per_minute_max=16"),
    *("--set", "risk.loss_24h_max_bps=10000", "--set", "risk.drawdown_max_bps=10000"),
    *("--set", "risk.book_volatility_max_bps=100000", "--set", "costs.taker_fee_ppm=0"),
    *("--set", "guard.lag_max_ms=60000"),  # a hurried machine is always late
)

_EVERY_S: Final = 0.5  # the process is looked at
_PATIENCE_MS: Final = 10 * MINUTE_MS  # with one that should have ended
_GREETED_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Asked:
    venue: str = "kraken"
    seed: int = 1
    speed: float = 60.0
    minutes: int = 76
    sleep_minutes: int = 2
    kinds: Sequence[Kind] | None = None  # none: every one, as the seed says
    record: bool = False


@dataclass(slots=True)
class Hour:
    """What came of it."""

    asked: Asked
    house: House
    venue: Venue
    trials: list[Trial] = field(default_factory=list)  # none: it never traded
    memory_mb: list[tuple[int, float]] = field(default_factory=list)  # at this market time
    code: int | None = None  # None: it never ended, and was killed
    said: str = ""


async def lived(asked: Asked, home: Path) -> Hour:
    async with loopback(asked.venue, seed=asked.seed, speed=asked.speed) as venue:
        hour = Hour(asked, House(home, ()), venue)
        slept, said = home.with_suffix(".slept"), home.with_suffix(".said")
        slept.write_bytes(SLEPT.pack(0.0))
        process = await asyncio.to_thread(_begun, asked, venue, home, slept, said)
        try:
            if await _greeted(process, said):
                await _watched(hour, process, slept)
            hour.code = process.poll()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        hour.said = said.read_text("utf-8")
        return hour


def _begun(
    asked: Asked, venue: Venue, home: Path, slept: Path, said: Path
) -> "subprocess.Popen[bytes]":
    clock = {
        "start_ms": venue.time.start_ms,
        "begun": venue.time.begun,
        "speed": venue.time.speed,
        "slept": str(slept),
    }
    words = ["--mode", "paper", "--market", asked.venue, "--address", venue.address, *SETTINGS]
    words += ["--symbols", ",".join(symbol.replace("/", "-") for symbol in venue.symbols)]
    words += ["--candles", str(asked.minutes), "--home", str(home), "--json"]
    words += ["--record"] if asked.record else []
    driver = [sys.executable, "-W", "error", str(HERE / "hurried.py"), json.dumps(clock)]
    path = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    with said.open("wb") as told:
        return subprocess.Popen(
            [*driver, *words],
            env={**os.environ, "PYTHONPATH": path},
            cwd=ROOT,
            stdout=told,
            stderr=subprocess.STDOUT,
        )


async def _greeted(process: "subprocess.Popen[bytes]", said: Path) -> bool:
    """Whether it trades."""
    ends = time.monotonic() + _GREETED_S
    while process.poll() is None and time.monotonic() < ends:
        if "  session " in said.read_text("utf-8"):
            return True
        await asyncio.sleep(0.05)
    return False


async def _watched(hour: Hour, process: "subprocess.Popen[bytes]", slept: Path) -> None:
    asked, venue = hour.asked, hour.venue
    begin_ms = venue.clock_ms()
    end_ms = begin_ms - begin_ms % MINUTE_MS + asked.minutes * MINUTE_MS
    kinds = every(asked.seed, venue.symbols[0]) if asked.kinds is None else asked.kinds
    hour.trials = timetable(kinds, begin_ms, end_ms, asked.sleep_minutes * MINUTE_MS)
    for trial in hour.trials:
        for fault in trial.faults():
            await venue.fault(fault)
    sleeps = [trial for trial in hour.trials if trial.kind == SLEEP]
    while process.poll() is None and venue.clock_ms() < end_ms + _PATIENCE_MS:
        if sleeps and venue.clock_ms() >= sleeps[0].begins_ms:
            await _slept(process, venue, sleeps.pop(), slept)
        if held := held_mb(process.pid):  # nothing of one that has just ended
            hour.memory_mb.append((venue.clock_ms(), held))
        left_ms = sleeps[0].begins_ms - venue.clock_ms() if sleeps else 1 << 62
        await asyncio.sleep(min(_EVERY_S, max(venue.time.world_s(left_ms), 0)))


async def _slept(
    process: "subprocess.Popen[bytes]", venue: Venue, trial: Trial, slept: Path
) -> None:
    """Stop it whole: its clock on the wall goes on, and its monotonic one stands."""
    process.send_signal(signal.SIGSTOP)
    _, status = await asyncio.to_thread(os.waitpid, process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status), "It ended before it could sleep."
    begun = time.monotonic()
    await venue.until(trial.ends_ms)
    with slept.open("r+b") as file:
        file.write(SLEPT.pack(time.monotonic() - begun))
    process.send_signal(signal.SIGCONT)


def held_mb(pid: int) -> float:
    """What no file backs, where the system says so; else all that is resident."""
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        words = status.read_text("utf-8").split()
        return int(words[words.index("RssAnon:") + 1]) / 1e3 if "RssAnon:" in words else 0.0
    shown = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=False)
    return int(shown.stdout or b"0") / 1e3
