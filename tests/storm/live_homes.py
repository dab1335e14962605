"""A home armed for a loopback venue, and daemons that trade there until somebody kills them.

Their clocks run with the venue's market time. What a life says goes to a file, which outlives it;
what it did is read from the venue's ledger and from its database, never from its memory.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.market_hour.hurried import SLEPT
from tests.storm.homes import ROOT
from tests.storm.live_judge import Caps
from tests.venue.keys import TRADER
from tests.venue.process import Venue, started

HURRIED: Final = (str(ROOT / "tests" / "market_hour" / "hurried.py"),)
HALVING: Final = str(ROOT / "tests" / "storm" / "halving.py")
RECONCILED: Final = "reconciled"  # it says so, and trades from then on

CAPITAL: Final = 20_000
COINS: Final = 3
QUANTA: Final = 10**8
CAPS: Final = Caps(
    orders_per_minute=16,
    order_notional=1_000 * QUANTA,
    day_notional=1_000_000 * QUANTA,
    ramp_notional=200 * QUANTA,
    ramp_round_trips=10,
)
WITHOUT_ENTRIES: Final = (
    *("--set", "risk.order_notional_max=1", "--set", "risk.exposure_max_bps=1"),
)

_LOOK_S: Final = 0.01  # apart


@dataclass(frozen=True, slots=True)
class Life:
    """One process, from its beginning to whatever ended it."""

    process: "subprocess.Popen[bytes]"
    said: Path
    begun_s: float = field(default_factory=time.monotonic)

    def hears(self, word: str, within_s: float) -> float | None:
        """The seconds from its beginning until it says so; None: it ended, or never did."""
        while (after_s := time.monotonic() - self.begun_s) < within_s:
            if word in self.told:
                return after_s
            if self.process.poll() is not None:
                return None
            time.sleep(_LOOK_S)
        return None

    def lives(self, seconds: float) -> bool:
        """Whether it still does after so long."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def kill(self) -> int:
        self.process.kill()
        return self.process.wait()

    def stop(self, patience_s: float = 60) -> int:
        """As whoever sends SIGTERM; one that does not listen is killed."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.returncode if not self.lives(patience_s) else self.kill()

    @property
    def told(self) -> str:
        return self.said.read_text("utf-8", "replace")


@dataclass(slots=True)
class Place:
    """A venue that may die, and comes back where it was; beside it the home of a daemon."""

    folder: Path
    name: str
    seed: int
    speed: float
    lives: int = 0
    venue: Venue = field(init=False)
    _stack: ExitStack = field(default_factory=ExitStack)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def database(self) -> Path:
        return self.home / "data" / "live.db"

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger"

    def open(self, again: Venue | None = None) -> None:
        options: dict[str, Any] = {
            "seed": self.seed,
            "speed": self.speed,
            "ledger": self.ledger,
            "tier": "none",
            "again": again,
        }
        self.venue = self._stack.enter_context(started(self.name, **options))

    def close(self) -> None:
        self._stack.close()

    def die(self) -> None:
        """The venue is killed, and started again on its ledger."""
        dead = self.venue
        dead.kill()
        self._stack.close()
        self.open(dead)

    def begin(self, *driver: str, more: Sequence[str] = ()) -> Life:
        """A daemon of this checkout, or what drives one; a warning in it is an error."""
        self.lives += 1
        self._date()
        said = self.folder / f"said{self.lives}"
        clock = {
            "start_ms": self.venue.time.start_ms,
            "begun": self.venue.time.begun,
            "speed": self.speed,
            "slept": str(self.folder / "slept"),
        }
        words = ["--mode", "live", "--market", self.name, "--address", self.venue.address]
        words += ["--confirm", self.name, "--home", str(self.home), "--json", *more]
        path = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
        with said.open("wb") as told:
            process = subprocess.Popen(
                [sys.executable, "-W", "error", *(driver or HURRIED), json.dumps(clock), *words],
                env={**os.environ, "PYTHONPATH": path},
                cwd=ROOT,
                stdout=told,
                stderr=subprocess.STDOUT,
            )
        return Life(process, said)

    def _date(self) -> None:
        """What was written here was written in the market's time, or the doctor finds it ill."""
        now_s = self.venue.clock_ms() / 1_000
        for file in self.home.rglob("*"):
            os.utime(file, (now_s, now_s))


@contextmanager
def armed(folder: Path, name: str, seed: int = 1, speed: float = 60) -> Iterator[Place]:
    """A venue with money in its account, and a home that lacks nothing to trade it."""
    folder.mkdir(parents=True, exist_ok=True)
    place = Place(folder, name, seed, speed)
    (folder / "slept").write_bytes(SLEPT.pack(0.0))
    place.open()
    try:
        quote = place.venue.symbols[0].partition("/")[2]
        asyncio.run(place.venue.deposit(quote, str(2 * CAPITAL)))
        arm(place)
        yield place
    finally:
        place.close()


def arm(place: Place) -> None:
    """Write its settings and the keys that the loopback knows."""
    config = place.home / "config"
    folder = config / "api_keys"
    config.mkdir(parents=True)
    folder.mkdir(mode=0o700)
    keys = folder / f"{place.name}.toml"
    keys.touch(mode=0o600)
    keys.write_text(f'key = "{TRADER.key}"\nsecret = "{TRADER.secret}"\n', "utf-8")
    symbols = [symbol.replace("/", "-") for symbol in place.venue.symbols[:COINS]]
    said = json.dumps(settings(place.name, symbols))  # which is YAML
    (config / "trading_config.yml").write_text(said, "utf-8")


def settings(venue: str, symbols: Sequence[str]) -> dict[str, Any]:
    """It changes its mind at most closes, and trades as often as its caps let it."""
    return {
        "symbols": symbols,
        "timeframe": "1m",
        "signals": HALVING,
        "capital": CAPITAL,
        "policy": {
            "warmup_candles": 3,
            "conviction_min_bps": 10,
            "sizing": "equity",
            "band_bps": 1,
            "stop_bps": 20,  # near enough to be met
            "target_bps": 40,
            "stop_limit_bps": 200 if venue == "coinbase" else 0,
        },
        "risk": {
            "cooldown_minutes": 0,
            "exposure_max_bps": 400,
            "orders_per_minute_max": CAPS.orders_per_minute,
            "order_notional_max": CAPS.order_notional // QUANTA,
            "loss_24h_max_bps": 10_000,
            "drawdown_max_bps": 10_000,
            "book_volatility_max_bps": 100_000,
        },
        "guard": {"lag_max_ms": 60_000},  # a hurried machine is always late
        "shadows": {"enabled": False},  # figures of one book are compared
        "live": {
            "enabled": True,
            "venue": venue,
            "instruments": symbols,
            "unbound_keys": True,
            "unproven_strategy": HALVING,
            "crash_starts_max": 10_000,  # for that is what a storm is
            "orders_per_minute_max": CAPS.orders_per_minute,
            "order_notional_max": CAPS.order_notional // QUANTA,
            "day_notional_max": CAPS.day_notional // QUANTA,
            "ramp_notional_max": CAPS.ramp_notional // QUANTA,
            "ramp_round_trips": CAPS.ramp_round_trips,
        },
    }
