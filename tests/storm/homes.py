"""A home to knock over: a made-up market on the disk, and real daemons in processes of their own.

The market is small, trending and full of holes, so that a life of two seconds trades hundreds of
times. What a daemon left is read from its database, never from its memory.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from rrr.backtesting import parity
from rrr.database import sessions
from rrr.database.opening import PAPER, connect_read_only
from rrr.trading.engine.opening import core_hash

ROOT: Final = Path(__file__).parents[2]
RECORDED: Final = ROOT.parent / "shared" / "data" / "binance"  # where there are real candles
HOUR_MS: Final = 3_600_000
BEGINS_MS: Final = 473_400 * HOUR_MS  # 2024-01-02
SYMBOLS: Final = {"ADA-USD": 0.6, "BTC-USD": 60_000.0, "ETH-USD": 3_000.0}
LIVELY: Final = (
    *("--set", "trend.fast_candles=4", "--set", "trend.slow_candles=24"),
    *("--set", "policy.warmup_candles=10", "--set", "risk.cooldown_minutes=120"),
    *("--set", "policy.stop_bps=150", "--set", "policy.target_bps=300"),
    *("--set", "risk.drawdown_max_bps=9000", "--set", "risk.loss_24h_max_bps=5000"),
)

RRR: Final = ("-m", "rrr")

# What decided, what resulted: equal in two runs, whoever ran them, when, and how often they died.
SAYS: Final = {
    "journal": "number, kind, at_ms, core",
    "orders": "*",
    "fills": "*",
    "transfers": "*",
    "positions": "*",
    "equity": "*",
    "refusals": "*",
    "halts": "*",
}
Said = dict[str, list[tuple[Any, ...]]]


def made(folder: Path, seed: int = 1, hours: int = 900) -> tuple[str, ...]:
    """Write a market of three instruments, and the arguments that trade it."""
    dice = Random(seed)
    for symbol, price in SYMBOLS.items():
        place = folder / "made" / symbol
        place.mkdir(parents=True)
        (place / "1h.csv").write_text("".join(lines(dice, price, hours)), encoding="utf-8")
    return ("--replay", str(folder), "--timeframe", "1h", *LIVELY)


def lines(dice: Random, price: float, hours: int) -> Iterator[str]:
    """Trends of a few days, now and then a jump, an hour without a candle, or a long silence."""
    yield "ts,open,high,low,close,volume\n"
    decimals = 2 if price > 100 else 5
    drift, silent = 0.0, 0
    for hour in range(hours):
        if hour % 60 == 0:
            drift = dice.choice((-0.004, -0.002, 0.002, 0.004))
        first = price * (1 + (dice.uniform(-0.03, 0.03) if dice.random() < 0.03 else 0))
        price = first * (1 + drift + dice.gauss(0, 0.006))
        low, high = min(first, price) * 0.998, max(first, price) * 1.002
        if silent == 0 and dice.random() < 0.03:
            silent = dice.choice((1, 1, 1, 2, 40))
        if silent and hour:
            silent -= 1
            continue
        cells = (f"{cell:.{decimals}f}" for cell in (first, high, low, price))
        yield f"{BEGINS_MS + hour * HOUR_MS},{','.join(cells)},{dice.randint(1, 10**6) / 1000}\n"


def real() -> tuple[str, ...]:
    """The arguments that trade three months of recorded five-minute candles."""
    symbols = "BTC-USDT,ETH-USDT,SOL-USDT"
    return ("--replay", str(RECORDED), "--symbols", symbols, "--timeframe", "5m")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.out)
        return told


@dataclass(frozen=True, slots=True)
class House:
    """One home and its market; every start of it is the same command."""

    home: Path
    market: Sequence[str]
    speed: str = "max"

    def start(
        self, *driver: str, environment: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[str]":
        """A daemon of this checkout, or what drives one; a warning in it is an error."""
        trading = ("--mode", "paper", *self.market, "--speed", self.speed)
        return self._begin(driver or RRR, trading, environment or {})

    def run(self, *driver: str) -> Ended:
        return ended(self.start(*driver))

    def command(self, *words: str) -> Ended:
        """Another command of the house, on this home."""
        return ended(self._begin(RRR, words, {}))

    def _begin(
        self, driver: Sequence[str], words: Sequence[str], environment: Mapping[str, str]
    ) -> "subprocess.Popen[str]":
        path = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
        return subprocess.Popen(
            [sys.executable, "-W", "error", *driver, *words, "--home", str(self.home), "--json"],
            env={**os.environ, "PYTHONPATH": path, **environment},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def path(self) -> Path:
        return self.home / "data" / "paper.db"

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with closing(connect_read_only(self.path, PAPER)) as connection:
            yield connection

    def ask(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        with self.reading() as connection:
            return connection.execute(sql, parameters).fetchall()

    def says(self, session: int = 1) -> Said:
        """All that its principal came to, less what tells one life of a process from another."""
        return {
            table: self.ask(
                f"SELECT {columns} FROM {table} WHERE session = ? AND book = 0", session
            )
            for table, columns in SAYS.items()
        }

    def rows(self) -> int:
        """How far the journal goes; nowhere where no life came so far."""
        if not self.path.exists():
            return 0
        with closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)) as one:
            if not one.execute("SELECT 1 FROM sqlite_schema WHERE name = 'journal'").fetchone():
                return 0
            return int(one.execute("SELECT count(*) FROM journal").fetchone()[0])

    def state_hash(self, session: int = 1) -> str | None:
        """The hash that seals a session; None while it is not finished."""
        if not self.rows():
            return None
        found = self.ask("SELECT state_hash FROM sessions WHERE id = ?", session)
        return str(found[0][0]) if found and found[0][0] else None


def ended(process: "subprocess.Popen[str]") -> Ended:
    assert process.stdout is not None
    assert process.stderr is not None
    # `communicate` would lose what `begun` has read ahead; a summary fits the other pipe.
    with process:
        err, out = process.stderr.read(), process.stdout.read()
    return Ended(process.returncode, out, err)


def kill(process: "subprocess.Popen[str]") -> Ended:
    """As a power cut for this one process: nothing of it runs after this instant."""
    process.send_signal(signal.SIGKILL)
    return ended(process)


def wait(process: "subprocess.Popen[str]", seconds: float) -> bool:
    """Whether it ended by itself within so long."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def begun(process: "subprocess.Popen[str]", beginning: str = "session ") -> list[str]:
    """What it says until a line begins so, or it ends: by its session's name it trades."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith(beginning) or f"  {beginning}" in line:
            break
    return lines


def faults(house: House, expected: Said, state_hash: str) -> list[str]:
    """Where a knocked-over home differs from one that nobody touched; replay has the last word."""
    found = []
    if house.state_hash() != state_hash:
        found.append(f"state hash {house.state_hash()} is not {state_hash}")
    said = house.says()
    found += [f"{table} differs" for table, rows in expected.items() if said[table] != rows]
    with house.reading() as connection:
        verdict = parity.replayed(connection, sessions.named(connection, "paper-1"), core_hash())
    if not verdict.identical or verdict.left_out or verdict.rows != len(said["journal"]):
        found.append(f"replay: {parity.in_words(verdict)}")
    return found
