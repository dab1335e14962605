"""Lives of an engine in this process, on a real file: quick to make, and easy to spoil.

The market is `builders.history`, the clock counts. `spoil` changes a file behind everybody's back,
as a wrong program or a bad drive would.
"""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from itertools import count
from pathlib import Path
from typing import Any, Final

from rrr.backtesting import parity
from rrr.backtesting.parity import Verdict
from rrr.core.events import Close
from rrr.core.market import Instrument
from rrr.core.shelf import NO_ASSUMPTIONS, Assumptions
from rrr.core.state import Law
from rrr.database import sessions
from rrr.database.client import Client
from rrr.database.opening import PAPER, connect_read_only
from rrr.database.sessions import Life, Session, Unit
from rrr.trading.engine import opening
from rrr.trading.engine.engine import Engine, Moment
from rrr.trading.engine.opening import Terms, opened
from rrr.trading.engine.venue import Paper, Venue
from tests.builders import CAPITAL, HOUR, LAW, LISTED, START, history

INSTRUMENTS: Final = tuple(listed.instrument for listed in LISTED)
NAMES: Final = ("BTC", "ETH", "SHIB", "PEPE")
LIFE: Final = Life(1, "test", [("seed", "1", "default")], [("data", {"note": "made up"})])
CLOSES: Final = 200


def moments(seed: int = 1, closes: int = CLOSES) -> list[Moment]:
    """A made market: every close, and the signals after it."""
    events: list[list[Any]] = []
    for event in history(seed, closes):
        if isinstance(event, Close):
            events.append([])
        events[-1].append(event)
    return [Moment(tuple(together)) for together in events]


def terms(
    seed: int = 1,
    law: Law = LAW,
    instruments: Sequence[Instrument] = INSTRUMENTS,
    assumed: Assumptions = NO_ASSUMPTIONS,
) -> Terms:
    units = [Unit("made", f"{name}-USD", name, "USD", 4, 8, 0, "made up") for name in NAMES]
    about = {"mode": "paper", "market": "replay", "signals": "baseline", "seed": seed}
    ends_at_ms = START + CLOSES * HOUR
    return Terms(about, units, law, assumed, instruments, CAPITAL, START, ends_at_ms)


@asynccontextmanager
async def living(
    path: Path, wanted: Terms | None = None, venue: Venue | None = None
) -> AsyncIterator[Engine]:
    """An engine that goes on where the last one on this file ended, however that was."""
    clock = count(1).__next__
    async with Client.open(path, application_id=PAPER) as db:
        yield await opened(db, wanted or terms(), LIFE, venue or Paper(), clock, new=False)


async def lived(
    path: Path, seed: int = 1, until: int | None = None, wanted: Terms | None = None
) -> str:
    """Go on to this close, the last if none is named; the state hash there."""
    async with living(path, wanted or terms(seed)) as engine:
        done = engine.state.account.closes
        left = moments(seed)[done:until]
        for first in range(0, len(left), 16):
            await engine.take(left[first : first + 16])
        return engine.state_hash


def spoil(path: Path, *statements: str) -> None:
    """Change the file as it never should be; each statement must change something."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount > 0, statement


def ask(path: Path, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    with closing(connect_read_only(path, PAPER)) as connection:
        return connection.execute(sql, parameters).fetchall()


def session_of(path: Path) -> Session:
    with closing(connect_read_only(path, PAPER)) as connection:
        return sessions.named(connection, None)


def replayed(path: Path, core_hash: str | None = None) -> Verdict:
    """What `rrr replay` makes of the last session."""
    with closing(connect_read_only(path, PAPER)) as connection:
        session = sessions.named(connection, None)
        return parity.replayed(connection, session, core_hash or opening.core_hash())
