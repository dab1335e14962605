"""One function a command: it does what was asked, prints the result, and answers its exit code."""

import argparse
import asyncio
import os
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

from rrr.core.errors import (
    Different,
    HomeUnusable,
    NotFound,
    Unavailable,
    UsageError,
)

from .speaking import say, tell

if TYPE_CHECKING:
    from rrr.config import Home, Loaded
    from rrr.database.sessions import Session


def trade(options: argparse.Namespace) -> int:
    """Trade until the market ends or somebody stops us."""
    home = home_of(options)
    loaded = load(options, home)
    keys = None
    if options.mode == "live" and not options.dry_run:
        from .armed import armed

        keys = armed(options, home, loaded.settings, replays)
    elif getattr(options, "set_live.sandbox") or options.confirm:
        raise UsageError(
            "--sandbox and --confirm are of live trading, and this is paper.",
            "Leave them out, or say --mode live.",
        )
    from rrr.main import session

    stream = sys.stderr if options.json else sys.stdout
    told, words = asyncio.run(session(home, loaded, new=options.new, stream=stream, keys=keys))
    tell(options, told, lambda: f"\n{words}")
    return 0


def train(options: argparse.Namespace) -> int:
    """Train models on the history before the market begins."""
    from rrr.wiring.learning import train_now

    home, full = home_of(options), not options.quick
    found = asyncio.run(train_now(home, load(options, home), sys.stderr, full=full))
    pictures = f"\nIn pictures: {found['pictures']}\n" if found["pictures"] else ""
    tell(options, found, lambda: f"{found['report']}{pictures}")
    return 0


def replay(options: argparse.Namespace) -> int:
    """Make a session anew and say whether it is identical."""
    from rrr.backtesting import parity
    from rrr.database import sessions
    from rrr.trading.engine.opening import core_hash

    with reading(options) as connection:
        session = sessions.named(connection, options.session)
        verdict = parity.replayed(connection, session, core_hash())
        beside = parity.shadows_replayed(connection, session, core_hash())
    found = parity.as_json(session, verdict) | {"shadows": parity.shadows_as_json(beside)}
    tell(options, found, lambda: parity.in_words(verdict) + parity.shadows_in_words(beside))
    same = all(one.identical for one in (verdict, *beside.values()))
    return 0 if same else Different.exit_code


def status(options: argparse.Namespace) -> int:
    """The last session's books, and the live figures of the daemon where one runs."""
    from rrr.api import controls, views
    from rrr.database.holder import is_held

    home = home_of(options)
    with reading(options) as connection:
        found = views.status(connection, options.session, is_held(home.data))
        found |= {"live": None, "seam": None}
        if options.mode == "live":
            from rrr.api import views_live
            from rrr.database import sessions

            session = sessions.named(connection, options.session)
            found["seam"] = views_live.seam(connection, session)
    if found["running"]:
        # About to begin or to end, it may not answer: the books are as true without its pulse.
        with suppress(Unavailable):
            found["live"] = controls.ask(home.root, "status")
    tell(options, found, lambda: views.in_words(found, coloured()))
    return 0


def coloured() -> bool:
    from rrr.monitoring.terminal import wants_colour

    return wants_colour(sys.stdout is not None and sys.stdout.isatty(), os.environ)


def list_sessions(options: argparse.Namespace) -> int:
    from rrr.api import views

    with reading(options) as connection:
        found = views.sessions_of(connection)
    tell(options, {"sessions": found}, lambda: views.sessions_in_words(found))
    return 0


def why(options: argparse.Namespace) -> int:
    """What the last signal of an instrument led to, and which rule said no."""
    from rrr.api import why as reasons
    from rrr.database import sessions
    from rrr.trading.engine.opening import core_hash

    at_ms = moment_of(options.at)
    with reading(options) as connection:
        session = sessions.named(connection, options.session)
        found = reasons.why(connection, session, options.instrument, at_ms, core_hash())
    tell(options, found, lambda: reasons.why_in_words(found))
    return 0


def explain(options: argparse.Namespace) -> int:
    """Make the last opinions anew from what was stored, and say whether they are the same."""
    from rrr.api import explaining
    from rrr.database import sessions
    from rrr.trading.engine.opening import core_hash

    at_ms, models = moment_of(options.at), home_of(options).data / "models"
    symbols = [options.instrument] if options.instrument else []
    with reading(options) as connection:
        session = sessions.named(connection, options.session)
        about = connection, session, symbols, at_ms, models
        found = explaining.explain(*about, core_hash())
    tell(options, found, lambda: explaining.explain_in_words(found))
    return 0 if found["identical"] else Different.exit_code


def moment_of(given: str | None) -> int | None:
    """UTC milliseconds of what a person typed; a moment without a zone is UTC."""
    if given is None:
        return None
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(given)
    except ValueError as error:
        raise UsageError(
            f"--at {given} is no time.", "Write it as 2024-01-31 or 2024-01-31T12:00Z."
        ) from error
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def doctor(options: argparse.Namespace) -> int:
    """Examine the house, room by room."""
    from rrr.api import doctor as doctors

    found = doctors.doctor(home_of(options), options.mode, replays, settings=options.config)
    told = doctors.as_json(found)
    tell(options, told, lambda: doctors.doctor_in_words(found))
    return 0 if told["ok"] else 1


def replays(connection: sqlite3.Connection, session: "Session") -> bool:
    """Whether a session, made anew from its journal, is identical."""
    from rrr.backtesting import parity
    from rrr.trading.engine.opening import core_hash

    return parity.replayed(connection, session, core_hash()).identical


def logs(options: argparse.Namespace) -> int:
    """The last lines of a log, and with -f each new one."""
    from rrr.api import tailing

    home, stopped = home_of(options), False

    def hint(text: str) -> None:
        say(text, sys.stderr)

    about = (home.logs, options.log, options.lines)
    found = tailing.tail(*about, as_json=options.json, say=hint)
    if options.follow:
        found = tailing.follow(*about, lambda: stopped, as_json=options.json, say=hint)
    try:
        for line in found:
            if say(line, sys.stdout) is not None:
                break
    except KeyboardInterrupt:
        stopped = True
    return 0


def show_config(options: argparse.Namespace) -> int:
    from rrr.config import show, show_json

    loaded = load(options, home_of(options))
    tell(options, show_json(loaded), lambda: show(loaded))
    return 0


def home_of(options: argparse.Namespace) -> "Home":
    from rrr.config import Home

    return Home.at(options.home)


def load(options: argparse.Namespace, home: "Home", *, past: bool = False) -> "Loaded":
    """The settings in force, as a strategy that is asked for is made for them."""
    from rrr.config import load as read

    overrides: dict[str, object] = {
        name.removeprefix("set_"): value
        for name, value in vars(options).items()
        if name.startswith("set_")
    }
    if getattr(options, "timerange", None):
        overrides |= span(options)
    for pair in options.set:
        name, found, value = pair.partition("=")
        if not found:
            raise UsageError(f"--set {pair} says no value.", "Write it as --set NAME=VALUE.")
        overrides[name] = value
    loaded = read(home, options.config, overrides, past=past)
    if loaded.settings.signals in (None, "baseline", "model"):
        return loaded
    from rrr.wiring.strategies import as_usual

    return as_usual(loaded)


def span(options: argparse.Namespace) -> dict[str, object]:
    """What --timerange says: 20230101-20240101, 20230101- or -20240101."""
    given = re.fullmatch(r"(\d{8})?-(\d{8})?", options.timerange)
    if given is None or not any(given.groups()):
        raise UsageError(
            f"--timerange {options.timerange} is no span.",
            "Write it as 20230101-20240101; either date may be left out.",
        )
    if options.set_from or options.set_to:
        raise UsageError(
            "--timerange is --from and --to in one, and one of them is there as well.",
            "Leave it or them out.",
        )
    return dict(zip(("from", "to"), given.groups(), strict=True))


@contextmanager
def reading(options: argparse.Namespace) -> Iterator[sqlite3.Connection]:
    """One moment of the database of a home, while a daemon goes on."""
    with looking(options) as connection:
        connection.execute("BEGIN")
        yield connection


@contextmanager
def looking(options: argparse.Namespace) -> Iterator[sqlite3.Connection]:
    """The database of a home, to look at."""
    from rrr.database.client import database_path
    from rrr.database.opening import MODES, connect_read_only, told

    path = database_path(options.mode, home_of(options).root)
    if options.mode == "live" and not path.exists():
        raise NotFound(
            f"There is no database {path}: nothing was traded live here.",
            "What that needs, rrr --mode live says.",
        )
    try:
        connection = connect_read_only(path, MODES[options.mode])
        with closing(connection), told(path):
            yield connection
    except OSError as error:
        raise HomeUnusable(
            f"{error.filename or path} cannot be read: {error.strerror}.",
            "It must belong to this user; or name another home with --home.",
        ) from error


COMMANDS = {
    "status": ("the books, and the daemon's pulse if it runs", status),
    "why": ("why it is held or flat: signal, wish, rules", why),
    "explain": ("make an opinion anew from what was stored, and compare", explain),
    "logs": ("the last lines of a log; -f goes on", logs),
    "sessions": ("all sessions, the last first", list_sessions),
    "replay": ("make a session anew from its journal, and compare", replay),
    "train": ("train models on the history before the market begins", train),
    "doctor": ("examine the house, and say what to do", doctor),
    "config": ("every setting in force, and where it comes from", show_config),
}
