"""A session in which everything happens: touches, models that take over, a guard, a panic.

Its moments are those of a daemon: what was seen before a close, the close with its touches, a
takeover, the signals; or a command.
"""

import sqlite3
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from rrr.core.events import Adopted, Close, Command, Event, Touch, Verb
from rrr.core.shelf import NO_ASSUMPTIONS, Assumptions
from rrr.database import sessions
from rrr.trading.engine.engine import Moment
from rrr.trading.engine.venue import Work
from tests.builders import LAW, eventful, history
from tests.core.worlds import between
from tests.storm.lives import living, terms

CLOSES: Final = 160
SEED: Final = 3
UNDER: Final = LAW._replace(stop_amends=1)
MET: Final = "SELECT count(*) FROM journal WHERE session = ? AND kind IN (4, 7)"


def moments(seed: int = SEED, closes: int = CLOSES) -> list[Moment]:
    found: list[list[Event]] = []
    dice, told, luck = Random(seed), list[Moment](), Random(seed + 1)
    for event in eventful(seed, history(seed, closes)):
        if isinstance(event, Close):
            before = between(luck, event)
            found.append([one for one in before if not isinstance(one, Touch)])
        found[-1].append(event)
    verbs = [*Verb, Verb.RESUME, Verb.RESUME]
    for together in found:
        told.append(Moment(tuple(together), also=known(together)))
        if dice.random() < 0.12:
            verb = dice.choice(verbs)
            command = Command(together[-1].at_ms, int(verb))
            told.append(Moment((command,), f"somebody says {verb.name.lower()}"))
    return told


def known(events: list[Event]) -> Work | None:
    """What the takeover of a moment writes beside it."""
    for event in events:
        if isinstance(event, Adopted) and event.model:
            return partial(know, event.model)
    return None


def know(model: int, connection: sqlite3.Connection) -> None:
    sessions.know_model(connection, model, f"model {model:012x}", 7, '{"proven": false}')


async def lived(
    path: Path,
    until: int | None = None,
    seed: int = SEED,
    assumed: Assumptions = NO_ASSUMPTIONS,
) -> str:
    """Go on to this moment, the last if none is named; the state hash there."""
    async with living(path, terms(seed, law=UNDER, assumed=assumed)) as engine:
        ((done,),) = await engine.db.read(MET, (engine.session.id,))
        left = moments(seed)[done:until]
        for first in range(0, len(left), 16):
            await engine.take(left[first : first + 16])
        return engine.state_hash
