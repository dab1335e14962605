"""One world and a venue whose words come late, twice and in any order: no word breaks a law.

The engine's world is driven through `far.advance` with closes, signals, touches, flows, commands
and new limits; what leaves travels on a wire that delays, turns around and loses. The venue fills
in parts, before it acknowledges and after it cancels, triggers stops that do not fill, refuses
orders, cancels and amendments; nobody answers, and later an order is found, or is surely not there,
and a stop is what a look shows. After each step `sequence_laws` hold, and at the end all is told
and every lane is settled.

    python -m tests.trading.live.sequences --examples 5000 --steps 50 --seed 1

A step is a seed of its own, so that a sequence that fails is shortened by leaving steps out.
"""

import argparse
import sys
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

from rrr.core.events import Flow, Limits, Listing
from tests.builders import PRICE, START
from tests.trading.live.late_venue import LateVenue
from tests.trading.live.seam import Seam
from tests.trading.live.seam_terms import CAPITAL, LAWS, LISTED
from tests.trading.live.sequence_laws import all_is_settled

ROUNDS: Final = 60  # of closes in which a lane must come to rest
TALK: Final = 500  # words of one round


def begun(seed: int) -> Seam:
    """A book with its money, two instruments, and their first candle."""
    dice = Random(seed)
    venue = LateVenue(LISTED, [PRICE, PRICE // 2], CAPITAL, [0, 0])
    new = Seam(venue)
    new.meet(Limits(START, dice.choice(LAWS)))
    for of in LISTED:
        new.meet(Listing(START, of))
    new.meet(Flow(START, CAPITAL))
    new.close(dice)
    new.signal(dice)
    return new


def played(steps: Sequence[int]) -> Seam:
    """One sequence: the first number begins it, each other one is a step."""
    new = begun(steps[0])
    for seed in steps[1:]:
        new.step(seed)
    quieten(new, Random(steps[0]))
    return new


def quieten(seam: Seam, dice: Random) -> None:
    """All faults end: all is told, and the market stands still until every lane has settled."""
    seam.moody = False
    for _ in range(ROUNDS):
        speak(seam, dice)
        seam.close(dice)
        seam.look()
    speak(seam, dice)
    assert not seam.moving
    all_is_settled(seam.state, seam.venue, seam.tally)


def speak(seam: Seam, dice: Random) -> None:
    """Until nobody has anything to say."""
    for _ in range(TALK):
        if seam.wire:
            seam.arrive(dice)
        elif seam.standing:
            seam.outlast(dice)
        elif seam.stops:
            seam.look_at(dice)
        elif seam.venue.words:
            seam.tell(dice)
        elif seam.refused:
            seam.again(dice)
        elif seam.tally.unknown:
            seam.look_up(dice)
        elif seam.called_back:
            seam.recall(dice)
        elif any(map(seam.is_free, seam.moving)):
            seam.tell_flow(dice)
        elif triggered := [one for one in seam.resting if one.triggered]:
            seam.venue.happen(triggered[0], dice, seam.moody)
        else:
            return
        seam.look()
    raise AssertionError("They never stop speaking.")


def sequences(examples: int, steps: int, seed: int) -> Iterator[list[int]]:
    for example in range(examples):
        dice = Random(f"{seed} {example}")
        yield [dice.getrandbits(32) for _ in range(steps + 1)]


def broken(steps: Sequence[int], told: Counter[str] | None = None) -> str:
    """The law that a sequence breaks; nothing if none, and what was told in it is counted."""
    try:
        new = played(steps)
    except AssertionError as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{last.name}: {str(error) or last.line}"
    if told is not None:
        told.update(new.told)
    return ""


def shortened(steps: list[int]) -> list[int]:
    """As few of these steps as still break the same law."""
    law, width = broken(steps), len(steps) // 2
    while width:
        first = 1
        while first < len(steps):
            fewer = steps[:first] + steps[first + width :]
            if broken(fewer) == law:
                steps = fewer
            else:
                first += width
        width //= 2
    return steps


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--examples", type=int, default=5_000)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    told, found = Counter[str](), 0
    for number, steps in enumerate(sequences(asked.examples, asked.steps, asked.seed)):
        if law := broken(steps, told):
            found += 1
            short = shortened(steps)
            print(f"example {number}: {law}; {len(short) - 1} steps: {short}")  # noqa: T201
    for word, times in sorted(told.items()):
        print(f"{times:10,} {word}")  # noqa: T201
    what = f"{asked.examples:,} sequences of {asked.steps} steps, seed {asked.seed}"
    print(f"{what}: {found} violations.")  # noqa: T201
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
