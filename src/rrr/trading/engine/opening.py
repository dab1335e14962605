"""Start-up is recovery: a session that was not finished goes on from its last committed row.

What a person changed meanwhile enters as events: new limits, new rules of an instrument. What would
change the history itself (capital, seed, candles) names another session.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from rrr import core
from rrr.core.events import Assumed, Event, Flow, Limits, Listing
from rrr.core.market import Instrument
from rrr.core.shelf import Assumptions
from rrr.core.state import Law
from rrr.database import sessions
from rrr.database.client import Client
from rrr.database.sessions import Life, Session, Unit, key_of
from rrr.trading.engine import far, paper
from rrr.trading.engine.engine import Engine, Moment
from rrr.trading.engine.venue import Paper, Venue


@dataclass(frozen=True, slots=True)
class Terms:
    """What a session is to be, and what it is to know before its first close."""

    about: Mapping[str, Any]  # its key: what decides its history
    units: Sequence[Unit]
    law: Law
    assumed: Assumptions
    instruments: Sequence[Instrument]
    capital: int  # quanta
    at_ms: int  # when the market's time begins
    ends_at_ms: int | None  # its last close, if it has one; a session that met it is finished


async def opened(
    db: Client, terms: Terms, life: Life, venue: Venue, clock: Callable[[], int], *, new: bool
) -> Engine:
    """The engine of the session that these terms name, ready for its next close."""
    key, hashed = key_of(terms.about), core_hash()

    def session_of(connection: sqlite3.Connection) -> tuple[Session, bool]:
        if not new and (found := sessions.unfinished(connection, key)) is not None:
            return found, True
        return sessions.create(connection, key, terms.units, clock()), False

    session, goes_on = await db.write(session_of)
    engine = Engine(db, session, venue, hashed, clock)
    if goes_on:
        await engine.recover()
    await engine.begin(life)
    if events := changes(engine, terms):
        await engine.take([Moment(events)])
    return engine


async def accompanied(principal: Engine, book: int) -> Engine:
    """The engine of a shadow, on paper, as its journal left it and in the principal's life."""
    of = principal
    engine = Engine(of.db, of.session, Paper(), of.core_hash, of.clock, book)
    await engine.recover()
    await engine.accompany(of.pen.run)
    return engine


def changes(engine: Engine, terms: Terms) -> list[Event]:
    """What the book must be told: everything at first, later what is not as it was."""
    state, at_ms = engine.state, engine.head.at_ms or terms.at_ms
    events: list[Event] = []
    if state.law != terms.law:
        events.append(Limits(at_ms, terms.law))
    if engine.world.assumed != terms.assumed or not state.instruments:
        events.append(Assumed(at_ms, terms.assumed))
    for wanted in terms.instruments:
        known = state.instruments[wanted.id] if wanted.id < len(state.instruments) else None
        if known is None:
            events.append(Listing(at_ms, wanted))
        elif known != wanted._replace(version=known.version):
            events.append(Listing(at_ms, wanted._replace(version=known.version + 1)))
    if state.account.invested == 0:
        events.append(Flow(at_ms, terms.capital))
    return events


def core_hash() -> str:
    """The hash of all that decides: the core's sources, and what wires it to a venue."""
    digest = blake2b(digest_size=16)
    files = sorted(Path(core.__path__[0]).glob("*.py"))
    for file in (*files, Path(paper.__file__), Path(far.__file__)):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
