"""Acknowledged means on disk: the power may go at any write or sync of any file.

The suite cuts a few hundred times. The full run, its seed printed and enough to repeat it:

    python -m tests.storm.test_power --cuts 2000 --seed 1
"""

import argparse
import asyncio
import hashlib
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random

import pytest

from rrr.core.errors import RRRError, StorageFailed
from rrr.database.client import Client
from rrr.database.opening import PAPER, open_to_write, plain
from tests.storm.lossy import Drive

pytestmark = pytest.mark.slow

STEPS = {
    "0001_word.sql": "CREATE TABLE word (number INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;",
    "0002_index.sql": "CREATE INDEX word_text ON word (text); ANALYZE;",
}


@dataclass(frozen=True, slots=True)
class Cut:
    """What the power left, and the last word that the client had promised by then."""

    files: dict[str, bytes]
    promised: int


@dataclass(frozen=True, slots=True)
class Found:
    """What start-up made of one cut."""

    lost: int
    broken: str


class Life:
    """One seeded life of a file on a lossy drive: two sessions, a cut noted at every boundary."""

    def __init__(self, folder: Path, seed: int, *, durable: bool = True, lying: bool = False):
        self.folder, self.dice, self.durable = folder, Random(seed), durable
        self.luck = Random(-seed)
        self.drive = Drive(f"lossy{seed}", self.note)
        self.drive.lying = lying
        self.cuts: list[Cut] = []
        self.promised = 0

    def note(self) -> None:
        self.cuts.append(Cut(self.drive.survivors(self.luck), self.promised))

    async def live(self) -> list[Cut]:
        for _ in range(2):
            async with self.opened() as db:
                # So short a life would never meet a checkpoint.
                await db.write(lambda c: c.execute("PRAGMA wal_autocheckpoint = 12"))
                for _ in range(8):
                    await self.speak(db)
        self.note()
        self.drive.unregister()
        return self.cuts

    def opened(self) -> Client:
        return Client.open(
            self.folder / "paper.db",
            application_id=PAPER,
            migrations=steps(self.folder),
            connector=self.drive.connector,
        )

    async def speak(self, db: Client) -> None:
        """Some words at once, some durable, some failing; all are answered before the next."""
        fates = [
            self.dice.choice(("durable", "lazy", "raise")) for _ in range(self.dice.randint(1, 4))
        ]
        answers = await asyncio.gather(
            *(db.write(say(fate == "raise"), self.durable and fate == "durable") for fate in fates),
            return_exceptions=True,
        )
        for fate, answer in zip(fates, answers, strict=True):
            assert isinstance(answer, KeyError if fate == "raise" else int), answer
            if fate == "durable" and isinstance(answer, int):
                self.promised = max(self.promised, answer)


def say(raising: bool) -> Callable[[sqlite3.Connection], int]:
    def work(connection: sqlite3.Connection) -> int:
        number = len(connection.execute("SELECT number FROM word").fetchall()) + 1
        connection.execute("INSERT INTO word VALUES (?, ?)", (number, text(number)))
        if raising:
            raise KeyError(number)
        return number

    return work


def text(number: int) -> str:
    """A function of the number, from a few bytes to several pages."""
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    return digest * (1 + int(digest[:2], 16) // 3)


def found(cut: Cut, folder: Path) -> Found:
    """Start on what is left, as the daemon would: the words must be the first ones, unbroken."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        for file, data in cut.files.items():
            (Path(name) / file).write_bytes(data)
        path = Path(name) / "paper.db"
        try:
            with closing(open_to_write(path, PAPER, steps(folder), plain)) as connection:
                check = connection.execute("PRAGMA integrity_check").fetchall()
                words = connection.execute("SELECT * FROM word ORDER BY number").fetchall()
        except (RRRError, sqlite3.DatabaseError) as error:
            return Found(lost=cut.promised, broken=str(error))
    expected = [(number, text(number)) for number in range(1, len(words) + 1)]
    broken = "" if check == [("ok",)] and words == expected else f"{check} {len(words)} words"
    return Found(max(0, cut.promised - len(words)), broken)


def steps(folder: Path) -> Path:
    made = folder / "steps"
    if not made.exists():
        made.mkdir()
        for name, script in STEPS.items():
            (made / name).write_text(script)
    return made


async def storm(
    folder: Path, seed: int, every: int = 1, *, durable: bool = True, lying: bool = False
) -> Counter[str]:
    """One life, and a start from every cut of it (or each third): what was wrong with them."""
    home = folder / f"life{seed}"
    home.mkdir()
    cuts = (await Life(home, seed, durable=durable, lying=lying).live())[::-every]
    results = [found(cut, home) for cut in cuts]
    return Counter(
        cuts=len(cuts),
        promised=cuts[0].promised,
        losing=sum(result.lost > 0 for result in results),
        broken=sum(result.broken != "" for result in results),
    )


@pytest.mark.parametrize("seed", [1, 2])
async def test_no_power_cut_takes_an_acknowledged_write(tmp_path: Path, seed: int) -> None:
    tally = await storm(tmp_path, seed, every=3)
    assert tally["cuts"] > 100
    assert tally["promised"] > 10
    assert (tally["losing"], tally["broken"]) == (0, 0)


async def test_mutant_a_client_that_commits_lazily_is_caught(tmp_path: Path) -> None:
    tally = await storm(tmp_path, 1, every=5, durable=False)
    assert tally["losing"] > 0
    assert tally["broken"] == 0, "A lazy commit may be lost; it never breaks the file."


async def test_mutant_a_drive_that_only_says_it_synced_is_caught(tmp_path: Path) -> None:
    tally = await storm(tmp_path, 1, every=20, lying=True)
    assert tally["losing"] > 0


async def test_a_sync_that_fails_answers_all_and_poisons_the_client(tmp_path: Path) -> None:
    life = Life(tmp_path, 3)
    db = await life.opened()
    await db.write(say(False))
    life.drive.broken = True
    answers = await asyncio.gather(
        db.write(say(False)), db.write(say(False), False), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [StorageFailed, StorageFailed]
    life.drive.broken = False
    with pytest.raises(StorageFailed, match="cannot be read or written"):
        await db.write(say(False))
    await db.close()
    left = found(Cut(life.drive.survivors(Random(0)), promised=1), tmp_path)
    assert left == Found(lost=0, broken="")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--cuts", type=int, default=2_000)
    arguments.add_argument("--seed", type=int, default=1)
    asked = arguments.parse_args()
    total: Counter[str] = Counter()
    for seed in count(asked.seed):
        with tempfile.TemporaryDirectory(prefix="power_") as folder:
            total.update(asyncio.run(storm(Path(folder), seed)))
        sys.stdout.write(f"to seed {seed}: {dict(total)}\n")
        if total["cuts"] >= asked.cuts:
            break
    sys.exit(1 if total["losing"] or total["broken"] else 0)


if __name__ == "__main__":
    main()
