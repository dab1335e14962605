"""A command reaches whoever trades; and where nobody does, a panic still sells.

Halts, resumes, releases and panics go to the daemon that holds the home. Real money that an
unfinished live session left at its venue needs none: it is sold by this process.
"""

import argparse
import asyncio
import sys
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from rrr.core.errors import NotFound, Unavailable, UsageError

from .commands import home_of, load
from .speaking import say, tell

if TYPE_CHECKING:
    from rrr.config import Home
    from rrr.database.sessions import Session

# What was said to the last daemon of a session, wherever it was said.
GIVEN = """SELECT name, value FROM settings WHERE origin <> 'default' AND run =
    (SELECT max(s.run) FROM settings s JOIN runs r ON r.id = s.run WHERE r.session = ?)"""


def tell_daemon(options: argparse.Namespace) -> int:
    """Send a command to the daemon of this home."""
    from rrr.api import controls

    said = controls.ask(home_of(options).root, options.verb, reason=options.reason)
    tell(options, said, lambda: str(said["said"]))
    return 0


def release(options: argparse.Namespace) -> int:
    """Let an instrument be bought again, once a person has looked at what froze it."""
    from rrr.api import controls
    from rrr.database.holder import is_held

    home = home_of(options)
    if not is_held(home.data):
        raise Unavailable(
            f"No daemon answers for {home.root}, and only one that trades can release.",
            "Start it: rrr --mode live … It looks at the venue again by itself.",
        )
    symbol = options.instrument.strip().upper().replace("/", "-")
    said = controls.ask(home.root, "release", instrument=symbol, reason=options.reason)
    tell(options, said, lambda: str(said["said"]))
    return 0


def panic(options: argparse.Namespace) -> int:
    """Sell everything and halt, by the daemon, or without one; a person is asked once."""
    from rrr.database.holder import is_held

    home = home_of(options)
    left = None if options.mode == "paper" else stranded(options, home)
    runs = is_held(home.data)
    if runs and left is not None:
        refuse_the_other(home, left)
    meant = "Everything is sold at the next price, and the book is halted."
    if not runs and left is not None:
        meant = (
            f"No daemon runs. Every order of {left.name} at {left.market} is cancelled, all that"
            " it holds is sold there now, for real money, and the book is halted."
        )
    if not options.yes and not is_meant(meant):
        return 0
    if not runs and left is not None:
        return panic_alone(options, home)
    try:
        return tell_daemon(options)
    except Unavailable as error:
        if left is None or not isinstance(error.__cause__, OSError | ValueError):
            raise
        raise Unavailable(
            f"A daemon holds {home.root} and does not answer.",
            "End it (rrr doctor names its pid, kill -9 ends it), then say rrr panic again.",
        ) from error


def panic_alone(options: argparse.Namespace, home: "Home") -> int:
    from rrr import main

    stream = sys.stderr if options.json else sys.stdout
    alone = main.panic_alone(home, load(options, home), options.reason, stream)
    told, words = asyncio.run(alone)
    tell(options, told, lambda: f"\n{words}")
    return 0


def is_meant(what: str) -> bool:
    """Whether the person who is there types yes. Raise UsageError where nobody is."""
    if not sys.stdin.isatty():
        raise UsageError("A panic asks once, and nobody is here.", "Say rrr panic --yes.")
    say(what, sys.stderr)
    say("Type yes to do it: ", sys.stderr, end="")
    if sys.stdin.readline().strip().lower() == "yes":
        return True
    say("Nothing was done.", sys.stderr)
    return False


def refuse_the_other(home: "Home", left: "Session") -> None:
    """Raise Unavailable where who would be told to sell is a daemon on paper."""
    from rrr.database.holder import holder

    if "mode paper" in (holder(home.data) or ""):
        raise Unavailable(
            f"A daemon on paper holds {home.root}, and {left.name} at {left.market} is unfinished.",
            "Stop that daemon, then say rrr panic again; or rrr panic --mode paper to panic it.",
        )


def stranded(options: argparse.Namespace, home: "Home") -> "Session | None":
    """The last live session, if it is unfinished.

    The options that nobody gives now are then those that its daemon had: the same venue, network
    and keys are meant.
    """
    from rrr.config.schema import FIELDS
    from rrr.database import sessions
    from rrr.database.client import database_path
    from rrr.database.opening import LIVE, connect_read_only, told

    path, last = database_path("live", home.root), None
    # No file, an empty one, and one without a session are nothing to sell.
    with suppress(NotFound), closing(connect_read_only(path, LIVE)) as connection, told(path):
        last = sessions.named(connection, None)
        for name, value in connection.execute(GIVEN, (last.id,)):
            if name in FIELDS and getattr(options, f"set_{name}", None) is None:
                setattr(options, f"set_{name}", value)
    return None if last is None or last.finished else last


TELLING = {
    "halt": ("tell the daemon: no new risk", tell_daemon),
    "resume": ("tell the daemon: go on", tell_daemon),
    "panic": ("sell everything, and halt; with the daemon or without", panic),
    "release": ("tell the daemon: an instrument may be bought again", release),
}
