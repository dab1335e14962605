"""What a person types becomes one call, and every way to fail becomes its sentence and exit code.

Results go to standard output (with --json one object), everything else to standard error.
"""

import argparse
import asyncio
import json
import os
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from rrr import __version__
from rrr.core.errors import Different, NotArmed, NotFound, RRRError

if TYPE_CHECKING:
    from rrr.config import Home

SETTINGS = (
    ("market", "NAME", "where candles come from: replay"),
    ("replay", "PATH", "recorded candles: a parquet or CSV file, or a tree of them"),
    ("symbols", "LIST", "instruments such as BTC-USD,ETH-USD; none means all there are"),
    ("timeframe", "SPAN", "1m, 5m, 1h, 1d …"),
    ("from", "TIME", "the first candle opens at this UTC date or later"),
    ("to", "TIME", "candles that open at this UTC date or later are left out"),
    ("candles", "N", "stop after so many closing times"),
    ("capital", "AMOUNT", "the quote currency that a new session begins with"),
    ("speed", "N", "times real time, or max"),
    ("seed", "N", "where all randomness begins"),
    ("signals", "NAME", "who has the opinion: baseline"),
)
EPILOG = """commands:
  rrr [--mode paper] --replay PATH …   trade (no command means this)
  rrr status                           the books, and the daemon's pulse if it runs
  rrr replay [SESSION]                 make a session anew from its journal and compare
  rrr sessions                         all sessions, the last first
  rrr halt | resume [--reason TEXT]    no new risk; go on
  rrr config show                      every setting in force and where it comes from

Exit codes are in docs/exit-codes.md; settings in docs/settings.md."""


def run() -> NoReturn:
    """The console script."""
    try:
        code = command(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read us has left: nobody is there to be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def command(arguments: Sequence[str]) -> int:
    """Do what was asked; the exit code is the answer."""
    if not __debug__:
        raise SystemExit("rrr: Its laws are assertions: run python without -O.")
    options = parser(arguments).parse_args(arguments)
    try:
        return int(options.do(options))
    except RRRError as error:
        return failed(error, options.json)
    except ExceptionGroup as group:
        ours, others = group.split(RRRError)
        if ours is None or others is not None:
            raise
        return failed(leaf(ours), options.json)


def leaf(group: ExceptionGroup[RRRError]) -> RRRError:
    """The first of what failed together."""
    error = group.exceptions[0]
    return leaf(error) if isinstance(error, ExceptionGroup) else error


def failed(error: RRRError, as_json: bool) -> int:
    print(f"rrr: {error.what}\n     {error.advice}", file=sys.stderr)
    if as_json:
        kind = type(error).__name__
        print(json.dumps({"error": kind, "what": error.what, "advice": error.advice}))
    return error.exit_code


def parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """One parser for trading, one for each command; a first word that is no option names it."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--home", type=Path, metavar="DIR", help="the folder of data, logs …")
    shared.add_argument("--json", action="store_true", help="one object on standard output")
    if not arguments or arguments[0].startswith("-"):
        return trading(shared)
    whole = argparse.ArgumentParser("rrr", epilog=EPILOG, formatter_class=RAW)
    commands = whole.add_subparsers(title="commands", required=True, metavar="command")
    asked = commands.add_parser("replay", parents=[shared], help="prove a session")
    asked.add_argument("session", nargs="?", help="its name; the last one if none is given")
    book_of(asked)
    asked.set_defaults(do=replay)
    asked = commands.add_parser("status", parents=[shared], help="the books and the pulse")
    asked.add_argument("session", nargs="?", help="its name; the last one if none is given")
    book_of(asked)
    asked.set_defaults(do=status)
    asked = commands.add_parser("sessions", parents=[shared], help="all sessions")
    book_of(asked)
    asked.set_defaults(do=list_sessions)
    for verb in ("halt", "resume"):
        asked = commands.add_parser(verb, parents=[shared], help=f"{verb} the running daemon")
        asked.add_argument("--reason", default="", help="for the journal")
        asked.set_defaults(do=tell_daemon, verb=verb)
    asked = commands.add_parser("config", parents=[shared], help="settings in force")
    asked.add_argument("what", choices=["show"])
    configured(asked)
    asked.set_defaults(do=show_config)
    return whole


RAW = argparse.RawDescriptionHelpFormatter


def trading(shared: argparse.ArgumentParser) -> argparse.ArgumentParser:
    one = argparse.ArgumentParser("rrr", parents=[shared], epilog=EPILOG, formatter_class=RAW)
    one.add_argument("--version", action="version", version=f"rrr {__version__}")
    one.add_argument("--mode", choices=["paper", "live"], default="paper")
    one.add_argument("--dry-run", action="store_true", help="another name of --mode paper")
    one.add_argument("--new", action="store_true", help="a new session, even if one is unfinished")
    configured(one)
    one.set_defaults(do=trade)
    return one


def configured(one: argparse.ArgumentParser) -> None:
    """The options that are settings."""
    one.add_argument("--config", type=Path, metavar="FILE", help="config/trading_config.yml")
    for name, value, meaning in SETTINGS:
        one.add_argument(f"--{name}", metavar=value, help=meaning, dest=f"set_{name}")
    one.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="any other setting"
    )


def book_of(one: argparse.ArgumentParser) -> None:
    one.add_argument("--mode", choices=["paper", "live"], default="paper", help="whose database")


def trade(options: argparse.Namespace) -> int:
    """Trade until the market ends or somebody stops us."""
    if options.mode == "live" and not options.dry_run:
        raise NotArmed(
            "Live trading is not possible yet: there is no venue that carries orders to an"
            " exchange, no armed keys, no model that passed its gate.",
            "Use --mode paper.",
        )
    from rrr.main import trade as live_through_it

    home = home_of(options)
    home.prepare()
    loaded = load(options, home)
    say = (lambda line: print(line, file=sys.stderr, flush=True)) if options.json else say_aloud
    told, words = asyncio.run(live_through_it(home, loaded, new=options.new, say=say))
    print(json.dumps(told) if options.json else f"\n{words}", flush=True)
    return 0


def say_aloud(line: str) -> None:
    print(line, flush=True)


def replay(options: argparse.Namespace) -> int:
    """Make a session anew and say whether it is identical."""
    from rrr.backtesting import parity
    from rrr.database import sessions
    from rrr.trading.engine.opening import core_hash

    with reading(options) as connection:
        session = sessions.named(connection, options.session)
        verdict = parity.replayed(connection, session, core_hash())
    print(
        json.dumps(parity.as_json(session, verdict)) if options.json else parity.in_words(verdict)
    )
    return 0 if verdict.identical else Different.exit_code


def status(options: argparse.Namespace) -> int:
    """The last session's books, and the live figures of the daemon where one runs."""
    from rrr.api import controls, views
    from rrr.database.holder import is_held

    with reading(options) as connection:
        found = views.status(connection, options.session)
    home = home_of(options)
    found["running"] = is_held(home.data)
    found["live"] = controls.ask(home.root, "status") if found["running"] else None
    print(json.dumps(found) if options.json else views.in_words(found))
    return 0


def list_sessions(options: argparse.Namespace) -> int:
    from rrr.api import views

    with reading(options) as connection:
        found = views.sessions_of(connection)
    print(json.dumps({"sessions": found}) if options.json else views.sessions_in_words(found))
    return 0


def tell_daemon(options: argparse.Namespace) -> int:
    """Send a command to the daemon of this home."""
    from rrr.api import controls

    said = controls.ask(home_of(options).root, options.verb, reason=options.reason)
    print(json.dumps(said) if options.json else said["said"])
    return 0


def show_config(options: argparse.Namespace) -> int:
    from rrr.config import show, show_json

    loaded = load(options, home_of(options))
    print(json.dumps(show_json(loaded)) if options.json else show(loaded))
    return 0


def home_of(options: argparse.Namespace) -> "Home":
    from rrr.config import Home

    return Home.at(options.home)


def load(options: argparse.Namespace, home: "Home") -> Any:
    from rrr.config import load as read
    from rrr.core.errors import UsageError

    overrides: dict[str, object] = {name: getattr(options, f"set_{name}") for name, *_ in SETTINGS}
    for pair in options.set:
        name, found, value = pair.partition("=")
        if not found:
            raise UsageError(f"--set {pair} says no value.", "Write it as --set NAME=VALUE.")
        overrides[name] = value
    return read(home, options.config, overrides)


@contextmanager
def reading(options: argparse.Namespace) -> Iterator[sqlite3.Connection]:
    """The database of a home, to look at."""
    from rrr.database.client import database_path
    from rrr.database.opening import MODES, connect_read_only

    path = database_path(options.mode, home_of(options).root)
    if not path.exists():
        raise NotFound(f"There is no {path}.", "Trade first: rrr --mode paper …")
    with closing(connect_read_only(path, MODES[options.mode])) as connection:
        yield connection
