"""Nothing that is done to the process makes its books wrong: tried many times, by the dice.

    scripts/storm kills --count 50 --seed 1     kill -9 at random moments, until it is finished
    scripts/storm starts --count 100            so many daemons at once want one home
    scripts/storm terms --count 200             SIGTERM in the middle of its work
    scripts/storm seeds --count 200             the same market twice, in fresh processes
    scripts/storm all                           each of them, at these counts

Markets are made up from the seed; --real takes the recorded candles for kills and terms. With zero
failures in n trials, the true rate is below 3/n (95 %).
"""

import argparse
import json
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from random import Random
from typing import Final

from rrr.core.errors import HomeHeld
from tests.storm.homes import House, Said, begun, ended, faults, kill, made, real, wait

HOURS: Final = 900
FILL: Final = re.compile(r"([0-9-]+ [0-9:]+) ([+-][0-9:]+)  (BUY|SELL) +\S+ (\S+) at ")
EVERY_DECISION: Final = "1000000"  # a human speed, and the highest: each fill is a line


@dataclass(slots=True)
class Tally:
    """What one storm came to."""

    storm: str
    seed: int
    tried: int = 0
    failures: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    def in_words(self) -> str:
        bound = f", so below {3 / self.tried:.1%}" if self.tried and not self.failures else ""
        words = [f"{self.storm}: {self.tried} tried, {len(self.failures)} failed{bound}"]
        words += [f"{name} {figure:g}" for name, figure in self.figures.items()]
        return " · ".join([*words, f"seed {self.seed}"]) + "".join(
            f"\n  FAILED {failure}" for failure in self.failures
        )


@dataclass(frozen=True, slots=True)
class Whole:
    """A life that nobody disturbed: what all others must come to."""

    says: Said
    state_hash: str
    life_s: float


def undisturbed(house: House) -> Whole:
    started_s = time.monotonic()
    process = house.start()
    begun(process)
    begun_s = time.monotonic()
    life = ended(process)
    assert life.code == 0, life.err
    assert begun_s > started_s
    return Whole(house.says(), str(house.state_hash()), time.monotonic() - begun_s)


def kills(folder: Path, seed: int, number: int, market: tuple[str, ...]) -> Tally:
    """Kill it while it starts and while it trades, and let it go on; on many homes if need be."""
    dice, tally = Random(seed), Tally("kills", seed)
    whole = undisturbed(House(folder / "whole", market))
    reach_s = max(2 * whole.life_s / number, 0.05)
    starting = 0
    for home in count(1):
        house = House(folder / f"home{home}", market)
        while house.state_hash() is None:
            process = house.start()
            if tally.tried == number:
                life = ended(process)
                tally.failures += [life.err[-500:]] if life.code else []
                break
            if dice.random() < 0.3:
                starting += 1
                over = wait(process, dice.uniform(0, 0.8))
            else:
                begun(process)
                over = wait(process, dice.uniform(0, reach_s))
            code = kill(process).code
            tally.tried += not over
            if over and code:
                tally.failures.append(f"it ended with {code} by itself")
                break
        tally.failures += faults(house, whole.says, whole.state_hash)
        if tally.tried == number or tally.failures:
            tally.figures = {"homes": home, "while starting": starting}
            tally.figures["rows"] = len(whole.says["journal"])
            return tally
    raise AssertionError("Homes never end.")


def starts(folder: Path, seed: int, number: int) -> Tally:
    """All at once; one trades, all others say who does; and its lock dies with it."""
    tally = Tally("starts", seed, number)
    house = House(folder / "home", made(folder / "market", seed, HOURS), speed="3600")
    processes = [house.start() for _ in range(number)]
    alive = set(processes)
    while len(alive) > 1:
        alive -= {process for process in alive if wait(process, 0.01)}
    for process in set(processes) - alive:
        end = ended(process)
        if end.code != HomeHeld.exit_code or end.told["error"] != "HomeHeld":
            tally.failures.append(f"one ended with {end.code}: {end.err[-500:]}")
    for process in alive:
        begun(process)
        tally.failures += [] if process.poll() is None else ["nobody trades"]
        kill(process)

    runs = house.ask("SELECT outcome FROM runs")
    tally.failures += [] if runs == [(None,)] else [f"runs: {runs}"]
    successor = house.start()
    begun(successor)
    successor.send_signal(signal.SIGTERM)
    end = ended(successor)
    tally.failures += [] if end.code == 0 else [f"a stale lock: {end.code} {end.err[-500:]}"]
    runs = house.ask("SELECT outcome FROM runs")
    tally.failures += [] if runs == [("died",), ("stopped",)] else [f"runs: {runs}"]
    tally.figures["traders at a time"] = 1 if not tally.failures else 2
    return tally


def terms(folder: Path, seed: int, number: int, market: tuple[str, ...]) -> Tally:
    """Stop it in the middle: it ends well, soon, with all that it said on the disk; and goes on."""
    dice, tally = Random(seed), Tally("terms", seed)
    whole = undisturbed(House(folder / "whole", market, EVERY_DECISION))
    stops_s: list[float] = []
    late = told = 0
    for home in count(1):
        house, announced = House(folder / f"home{home}", market, EVERY_DECISION), 0
        while house.state_hash() is None:
            process = house.start()
            said = begun(process)
            wait(process, dice.uniform(0, max(whole.life_s / 8, 0.3)))
            asked_s = time.monotonic()
            process.send_signal(signal.SIGTERM)
            life = ended(process)
            # One that has finished meanwhile may be past all handlers.
            if over := house.state_hash() is not None:
                late += 1
            else:
                stops_s.append(time.monotonic() - asked_s)
            fills = list(announcements("".join(said) + life.err))
            announced += len(fills)
            if life.code and not over:
                tally.failures.append(f"ended with {life.code}: {life.err[-500:]}")
                break
            known = set(house.ask("SELECT at_utc, side, symbol FROM recent_fills"))
            tally.failures += [f"{fill} is not on the disk" for fill in fills if fill not in known]
        tally.tried = len(stops_s)
        if announced != len(house.says()["fills"]):
            tally.failures.append(f"announced {announced} fills of {len(house.says()['fills'])}")
        told += announced
        tally.failures += faults(house, whole.says, whole.state_hash)
        if tally.tried >= number or tally.failures:
            tally.figures = {"homes": home, "after its end": late, "fills told": told}
            tally.figures |= percentiles(stops_s)
            return tally
    raise AssertionError("Homes never end.")


def announcements(lines: str) -> Iterator[tuple[str, str, str]]:
    """The fills that were told: when, side, symbol."""
    for at, offset, side, symbol in FILL.findall(lines):
        at_utc = datetime.fromisoformat(f"{at}{offset}").astimezone(UTC)
        yield f"{at_utc:%Y-%m-%d %H:%M:%S}", side.lower(), symbol


def percentiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    at = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {
        f"{name} stop s": round(ordered[min(int(part * len(ordered)), len(ordered) - 1)], 4)
        for name, part in at.items()
    }


def seeds(folder: Path, seed: int, number: int) -> Tally:
    """Two processes that share nothing but the market come to the same; other markets do not."""
    tally, hashes = Tally("seeds", seed, number), set()
    for each in range(seed, seed + number):
        market = (*made(folder / f"market{each}", each, HOURS // 2), "--seed", str(each))
        homes = [House(folder / f"{twin}{each}", market) for twin in ("one", "other")]
        lives = [
            house.start(environment={"PYTHONHASHSEED": str(n), "TZ": zone})
            for n, (house, zone) in enumerate(zip(homes, ("UTC", "Asia/Tokyo"), strict=True), 1)
        ]
        codes = [ended(life).code for life in lives]
        first = homes[0].state_hash()
        hashes.add(first)
        if codes != [0, 0] or first is None:
            tally.failures.append(f"seed {each}: ended with {codes}")
        else:
            wrong = faults(homes[1], homes[0].says(), first)
            tally.failures += [f"seed {each}: {fault}" for fault in wrong]
    tally.figures["different hashes"] = len(hashes)
    if len(hashes) < number:
        tally.failures.append("two markets led to one hash: it hides something")
    return tally


COUNTS: Final = {"kills": 50, "starts": 100, "terms": 200, "seeds": 200}


def main() -> None:
    arguments = argparse.ArgumentParser(
        "storm", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("storm", choices=[*COUNTS, "all"])
    arguments.add_argument("--count", type=int, help="how many; see above")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--real", action="store_true", help="recorded candles, not made ones")
    arguments.add_argument("--json", action="store_true", help="one object on standard output")
    asked = arguments.parse_args()
    tallies = []
    for name in COUNTS if asked.storm == "all" else [asked.storm]:
        with tempfile.TemporaryDirectory(prefix="storm_") as folder:
            tallies.append(blow(name, Path(folder), asked.seed, asked.count, asked.real))
        words = tallies[-1].in_words()
        (sys.stderr if asked.json else sys.stdout).write(f"{words}\n")
    if asked.json:
        sys.stdout.write(json.dumps([asdict(tally) for tally in tallies]) + "\n")
    sys.exit(1 if any(tally.failures for tally in tallies) else 0)


def blow(name: str, folder: Path, seed: int, number: int | None, recorded: bool) -> Tally:
    number = number or COUNTS[name]
    alone: dict[str, Callable[[Path, int, int], Tally]] = {"starts": starts, "seeds": seeds}
    if name in alone:
        return alone[name](folder, seed, number)
    market = real() if recorded else made(folder / "market", seed, HOURS)
    return (kills if name == "kills" else terms)(folder, seed, number, market)


if __name__ == "__main__":
    os.environ.pop("RRR_HOME", None)
    main()
