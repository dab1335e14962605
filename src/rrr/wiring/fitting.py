"""What real fills cost is remembered by whoever may write the live database, and by nobody else.

The daemon that holds the home writes, told through its socket; without one the command writes, and
holds the home meanwhile. Where neither can, the owner is told.
"""

import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any, Final

from rrr.api import controls
from rrr.config import Home
from rrr.core.errors import HomeHeld, Unavailable
from rrr.database import live_fits, sessions
from rrr.database.client import Client, database_path
from rrr.database.holder import held, is_held
from rrr.database.migrate import MIGRATIONS
from rrr.database.opening import LIVE, open_to_write, plain, told
from rrr.database.sessions import PRINCIPAL

VERB: Final = "fit"
TABLE: Final = "groups"  # as long as there are instruments, and soon made again from the fills


def remembered(home: Home, found: Mapping[str, Any]) -> dict[str, Any]:
    """Let a comparison be remembered; where it is not, why."""
    kept = {name: value for name, value in found.items() if name != TABLE}
    try:
        if is_held(home.data):
            controls.ask(home.root, VERB, session=found["session"], figures=kept)
        else:
            _write(home, found["session"], kept)
    except (Unavailable, HomeHeld) as error:
        return {
            "done": False,
            "said": f"It is not remembered, and the ramp does not count it: {error}",
        }
    return {"done": True, "said": "It is remembered: the ramp of live trading counts it."}


async def remember_for(db: Client, asked: Mapping[str, Any], at_ms: int) -> dict[str, Any]:
    """What the daemon does when it is told of a comparison."""
    name, figures = asked.get("session"), asked.get("figures")
    if not isinstance(name, str) or not isinstance(figures, dict):
        raise Unavailable("A comparison has a session and figures.", "Make one: rrr costs --fit.")

    def write(connection: sqlite3.Connection) -> int:
        return _remember(connection, name, figures, at_ms)

    return {"round_trips": await db.write(write)}


def _write(home: Home, name: str, figures: Mapping[str, Any]) -> None:
    path = database_path("live", home.root)
    with (
        held(home.data, {"doing": "rrr costs --fit"}),
        told(path),
        closing(open_to_write(path, LIVE, MIGRATIONS, plain)) as connection,
    ):
        connection.execute("BEGIN IMMEDIATE")
        _remember(connection, name, figures, round(time.time() * 1_000))
        connection.execute("COMMIT")


def _remember(
    connection: sqlite3.Connection, name: str, figures: Mapping[str, Any], at_ms: int
) -> int:
    """No comparison has seen more round trips than are booked."""
    key = (sessions.named(connection, name).id, PRINCIPAL)
    counted, booked = figures.get("round_trips"), live_fits.round_trips(connection, key)
    if type(counted) is not int or not 0 <= counted <= booked:
        raise Unavailable(
            f"It counted {counted} round trips, and {booked} are booked.", "Make it again."
        )
    live_fits.remember(connection, key, at_ms, counted, figures)
    return counted
