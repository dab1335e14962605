"""A daemon that trades is killed again and again, and the venue's own ledger says what it cost.

    scripts/storm live-kills --count 50 --points 60 --venue kraken --seed 1

`--count` deaths at random moments, a third while it starts; `--points` deaths at named ones, by
turns. The venue lives on, but one time in ten it dies as well. Now and then, and at the end, a last
life opens nothing, reconciles and ends well; then the books are judged.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Final

from rrr.core.errors import Unavailable
from tests.storm import live_doomed
from tests.storm.homes import ROOT
from tests.storm.live_homes import CAPS, RECONCILED, WITHOUT_ENTRIES, Life, Place, armed
from tests.storm.live_judge import LAWS, Judgement, in_doubt, judged, read, written
from tests.storm.storms import Tally
from tests.venue.dialects import DIALECTS
from tests.venue.ledger import Entry

DOOMED: Final = str(ROOT / "tests" / "storm" / "live_doomed.py")
STARTING: Final = 1 / 3  # die before they have reconciled
VENUE_TOO: Final = 0.1
START_S: Final = 2.0  # about what a start takes
LIFE_S: Final = 6.0  # the longest that one trades
PATIENCE_S: Final = 60.0
LAST_LIVES: Final = 8
STARTS: Final = 5
TOLD_MAX: Final = 1_500


@dataclass(frozen=True, slots=True)
class Asked:
    venue: str = "kraken"
    count: int = 20
    points: int = 30
    seed: int = 1
    speed: float = 60
    every: int = 25  # deaths between two judgements


@dataclass(slots=True)
class Storm:
    asked: Asked
    place: Place
    tally: Tally
    dice: Random
    reconciled_s: list[float] = field(default_factory=list)
    sums: Counter[str] = field(default_factory=Counter)
    verdict: Judgement | None = None

    def blow(self) -> Tally:
        for n, death in enumerate(self._deaths(), 1):
            if not death:
                continue
            self.tally.tried += 1
            if self.dice.random() < VENUE_TOO:
                self.sums["venue died"] += 1
                self.place.die()
            if n % self.asked.every == 0:
                self._judge()
            if self.tally.failures:
                break
        if not self.tally.failures:
            self._judge()
        self.tally.figures |= self._figures()
        return self.tally

    def _deaths(self) -> Iterator[bool]:
        """Both sorts, shuffled; each answers whether it was one."""
        turns = [None] * self.asked.count
        named = [(name, n) for name, point in live_doomed.POINTS.items() for n in point.times]
        self.dice.shuffle(named)
        all_of_them = [*turns, *islice(cycle(named), self.asked.points)]
        self.dice.shuffle(all_of_them)
        for each in all_of_them:
            yield self._killed() if each is None else self._doomed(*each)

    def _killed(self) -> bool:
        if self.dice.random() < STARTING:
            self.sums["while starting"] += 1
            life = self.place.begin()
            over = not life.lives(self.dice.uniform(0, START_S))
        else:
            life = self._begun()
            over = not life.lives(self.dice.uniform(0, LIFE_S))
        return self._ended_by(life, life.kill(), -9, over)

    def _doomed(self, name: str, times: int) -> bool:
        life = self.place.begin(DOOMED, name, str(times))
        if life.lives(START_S + 2 * LIFE_S):
            self.sums[f"never came to: {name}, {times}"] += 1
            return self._ended_by(life, life.kill(), -9, over=False)
        self.sums["named points"] += 1
        return self._ended_by(life, life.process.returncode, live_doomed.DIED, over=True)

    def _begun(self, *more: str) -> Life:
        """One that has reconciled; who finds that nobody answers in time begins once more."""
        for _ in range(STARTS):
            life = self.place.begin(more=more)
            seconds = life.hears(RECONCILED, PATIENCE_S)
            if seconds is not None:
                self.reconciled_s.append(seconds)
                return life
            if life.process.poll() != Unavailable.exit_code:
                break
            self.sums["nobody answered in time"] += 1
        self.tally.failures.append(f"it never reconciled: {life.told[-TOLD_MAX:]}")
        return life

    def _ended_by(self, life: Life, code: int, expected: int, over: bool) -> bool:
        """Whether it died as it should, and not by itself."""
        if over and code == Unavailable.exit_code:
            self.sums["nobody answered in time"] += 1
            return False
        if over and code != expected:
            self.tally.failures.append(f"it ended with {code}: {life.told[-TOLD_MAX:]}")
            return False
        return True

    def _judge(self) -> None:
        """Once nothing has moved since its last life began."""
        place = self.place
        for _ in range(LAST_LIVES):
            began_ms = place.venue.clock_ms()
            life = self._begun(*WITHOUT_ENTRIES)
            self._settled(life)
            code = life.stop(PATIENCE_S)
            if code:
                self.tally.failures.append(f"the last life: {code}: {life.told[-TOLD_MAX:]}")
            if self.tally.failures:
                return
            asyncio.run(place.venue.ledger())  # what happened until now is written
            entries = written(place.ledger)
            if not any(_moves(each) and each["at_ms"] >= began_ms for each in entries):
                break
        else:
            self.tally.failures.append("its last lives never came to rest")
            return
        caps = CAPS._replace(way_ms=int(self.asked.speed * 1_000))
        self.verdict = verdict = judged(entries, read(place.database), caps)
        self.tally.failures += verdict.faults

    def _settled(self, life: Life) -> None:
        """A look-up of what nobody answered takes its time."""
        ends_s = time.monotonic() + PATIENCE_S
        while life.lives(60 / self.asked.speed) and in_doubt(self.place.database):
            if time.monotonic() > ends_s:
                self.tally.failures.append(f"it settles nothing: {life.told[-TOLD_MAX:]}")
                return

    def _figures(self) -> dict[str, float]:
        figures: dict[str, float] = dict(self.sums)
        if self.verdict is not None:
            figures |= {law: len(getattr(self.verdict, law)) for law in LAWS}
            figures["equity difference"] = self.verdict.equity_difference
            figures |= {"orders": self.verdict.orders, "fills": self.verdict.fills}
        ordered = sorted(self.reconciled_s)
        for name, part in (("p50", 0.5), ("p95", 0.95), ("max", 1.0)):
            if ordered:
                at = min(int(part * len(ordered)), len(ordered) - 1)
                figures[f"{name} s to reconciled"] = round(ordered[at], 3)
        return figures


def _moves(entry: Entry) -> bool:
    return entry["what"] not in ("armed", "refused")


def kills(folder: Path, asked: Asked) -> Tally:
    tally = Tally(f"live-kills at {asked.venue}", asked.seed)
    with armed(folder, asked.venue, asked.seed, asked.speed) as place:
        return Storm(asked, place, tally, Random(asked.seed)).blow()


def main() -> None:
    usual = Asked()
    parser = argparse.ArgumentParser(
        "storm live-kills",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("storm", choices=["live-kills"])
    parser.add_argument("--venue", choices=tuple(DIALECTS), default=usual.venue)
    parser.add_argument("--count", type=int, default=usual.count)
    parser.add_argument("--points", type=int, default=usual.points)
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--speed", type=float, default=usual.speed, help="of the market")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="and what all left there")
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    given = parser.parse_args()
    asked = Asked(given.venue, given.count, given.points, given.seed, given.speed)
    with tempfile.TemporaryDirectory(prefix="storm_") as folder:
        tally = kills(given.keep or Path(folder) / "place", asked)
    said = json.dumps(asdict(tally)) if given.json else tally.in_words()
    sys.stdout.write(f"{said}\n")
    sys.exit(1 if tally.failures else 0)


if __name__ == "__main__":
    main()
