"""What a person types becomes one call, and every way to fail becomes its sentence and exit code.

Results go to standard output (with --json one object), everything else to standard error. Whoever
stops reading either stops nothing.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from rrr import __version__
from rrr.core.errors import (
    Different,
    HomeUnusable,
    NotArmed,
    RRRError,
    StorageFailed,
    Unavailable,
    UsageError,
)

if TYPE_CHECKING:
    from rrr.config import Home, Loaded

MODE: dict[str, Any] = {"choices": ["paper", "live"], "default": "paper"}
MARKET = (
    ("market", "NAME", "where candles come from: replay"),
    ("replay", "PATH", "recorded candles: one parquet or CSV file, or a tree"),
    ("symbols", "LIST", "BTC-USD,ETH-USD …; or else all there are"),
    ("timeframe", "SPAN", "of one candle: 1m, 5m, 1d …; or else 1h"),
    ("from", "TIME", "the first candle opens at this UTC date or later"),
    ("to", "TIME", "no candle opens at this UTC date or later"),
    ("candles", "N", "end after so many closing times"),
)
SESSION = (
    ("capital", "AMOUNT", "of the quote currency, at the beginning"),
    ("speed", "N", "times real time; or else max"),
    ("seed", "N", "where all randomness begins"),
    ("signals", "NAME", "who has the opinion: baseline"),
)
EPILOG = """A run that was stopped or killed goes on when the same command is given again.
Every setting is explained in docs/settings.md, every exit code in docs/exit-codes.md."""


def run() -> NoReturn:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal may lack a sign
    try:
        code: int | str | None = command(sys.argv[1:])
    except SystemExit as asked:  # for help
        code = asked.code
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        raise
    say("", sys.stdout, end="")
    sys.exit(code)


def command(arguments: Sequence[str]) -> int:
    """Do what was asked; the exit code is the answer."""
    try:
        if not __debug__:
            raise UsageError(
                "The laws of the house are assertions, and this Python leaves them out.",
                "Run it without -O, and without PYTHONOPTIMIZE.",
            )
        options = parsed(arguments)
        return int(options.do(options))
    except RRRError as error:
        return failed(error, "--json" in arguments)
    except ExceptionGroup as group:
        ours, others = group.split(RRRError)
        if ours is None or others is not None:
            raise
        return failed(leaf(ours), "--json" in arguments)


def leaf(group: ExceptionGroup[RRRError]) -> RRRError:
    """The first of what failed together."""
    error = group.exceptions[0]
    return leaf(error) if isinstance(error, ExceptionGroup) else error


def failed(error: RRRError, as_json: bool) -> int:
    say(f"rrr: {error.what}\n     {error.advice}", sys.stderr)
    if as_json:
        kind = type(error).__name__
        say(json.dumps({"error": kind, "what": error.what, "advice": error.advice}), sys.stdout)
    return error.exit_code


def say(line: str, file: TextIO | None, end: str = "\n") -> OSError | None:
    """Print, whoever listens: one that has left, or has no room, hears nothing from then on."""
    try:
        print(line, file=file, flush=True, end=end)
    except OSError as error:
        if file is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), file.fileno())
        return error
    return None


def tell(options: argparse.Namespace, found: Any, words: Callable[[], str]) -> None:
    """Print the result that was asked for. Raise StorageFailed where it found no room."""
    error = say(json.dumps(found) if options.json else words(), sys.stdout)
    if error is not None and not isinstance(error, BrokenPipeError):
        raise StorageFailed(
            f"Standard output cannot be written: {error.strerror}.", "Send it somewhere else."
        ) from error


class Parser(argparse.ArgumentParser):
    """Takes no half of a name for the whole, and fails as all of the house does."""

    def __init__(self, prog: str, about: str | None = None, **more: Any) -> None:
        layout = argparse.RawDescriptionHelpFormatter
        super().__init__(
            prog, description=about, formatter_class=layout, allow_abbrev=False, **more
        )

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}.", f"Ask: {self.prog} --help.")

    def read(self, arguments: Sequence[str], known: argparse.Namespace) -> argparse.Namespace:
        """The options. Raise UsageError for a word that means nothing here."""
        options, unknown = self.parse_known_args(arguments, known)
        if not unknown:
            return options
        word, names = unknown[0], re.findall(r"--[a-z-]+", self.format_help())
        advice = nearest(word, names, self.prog)
        if word in COMMANDS:
            advice = f"The command stands before its options: rrr {word} …"
        raise UsageError(f"{word!r} means nothing to `{self.prog}`.", advice)


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """What is asked. The first word names a command; --home and --json may stand anywhere."""
    shared = Parser("rrr", add_help=False)
    shared.add_argument("--home", type=folder, metavar="DIR", help="the folder of data, logs …")
    shared.add_argument("--json", action="store_true", help="one object on standard output")
    known, rest = shared.parse_known_args(arguments)
    if not rest or rest[0].startswith("-"):
        return trading(shared).read(rest, known)
    if rest[0] not in COMMANDS:
        raise UsageError(f"rrr has no command {rest[0]!r}.", nearest(rest[0], [*COMMANDS], "rrr"))
    return commanded(rest[0], shared).read(rest[1:], known)


def nearest(word: str, names: Sequence[str], prog: str) -> str:
    """
    >>> nearest("--sym", ["--symbols", "--seed"], "rrr")
    'Did you mean --symbols? Ask: rrr --help.'
    """
    from difflib import get_close_matches

    near = get_close_matches(word.partition("=")[0], sorted(set(names)), n=1)
    return "".join(f"Did you mean {name}? " for name in near) + f"Ask: {prog} --help."


def folder(name: str) -> Path:
    if not name or "\0" in name:
        raise argparse.ArgumentTypeError("it names no folder")
    return Path(name)


def trading(shared: Parser) -> Parser:
    one = Parser(
        "rrr",
        f"Trade on paper over recorded candles, and look at what was traded.\n\n{OVERVIEW}",
        usage="rrr [--mode paper] --replay PATH [option …]\n       rrr COMMAND [option …]",
        parents=[shared],
        epilog=EPILOG,
    )
    one.add_argument("--version", action="version", version=f"rrr {__version__}")
    session = configured(one)
    session.add_argument("--new", action="store_true", help="begin anew, even if one is unfinished")
    session.add_argument("--mode", **MODE, help="live says what it lacks")
    session.add_argument("--dry-run", action="store_true", help="another name of --mode paper")
    one.set_defaults(do=trade)
    return one


def commanded(name: str, shared: Parser) -> Parser:
    """The parser of one command."""
    meaning, do = COMMANDS[name]
    one = Parser(f"rrr {name}", f"{meaning[0].upper()}{meaning[1:]}.", parents=[shared])
    one.set_defaults(do=do, verb=name)
    match name:
        case "halt" | "resume":
            one.add_argument("--reason", default="", metavar="TEXT", help="for the journal")
        case "config":
            one.add_argument(
                "what", nargs="?", choices=["show"], metavar="show", help="may be left out"
            )
            configured(one)
        case _:
            one.add_argument("--mode", **MODE, help="whose database")
    if name in ("status", "replay"):
        one.add_argument("session", nargs="?", metavar="SESSION", help="by name; or else the last")
    return one


def configured(one: Parser) -> Any:
    """Add the options that are settings; the group of those that describe a session."""
    one.add_argument("--config", type=Path, metavar="FILE", help="another trading_config.yml")
    one.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="any other setting"
    )
    market, session = one.add_argument_group("the market"), one.add_argument_group("the session")
    for group, settings in ((market, MARKET), (session, SESSION)):
        for name, value, meaning in settings:
            group.add_argument(f"--{name}", metavar=value, help=meaning, dest=f"set_{name}")
    return session


def trade(options: argparse.Namespace) -> int:
    """Trade until the market ends or somebody stops us."""
    if options.mode == "live" and not options.dry_run:
        raise NotArmed(
            "Live trading is not possible yet: there is no venue that carries orders to an"
            " exchange, no armed keys, no model that passed its gate.",
            "Use --mode paper.",
        )
    from rrr.main import session

    home = home_of(options)
    loaded = load(options, home)

    def aloud(line: str) -> None:
        say(line, sys.stderr if options.json else sys.stdout)

    told, words = asyncio.run(session(home, loaded, new=options.new, say=aloud))
    tell(options, told, lambda: f"\n{words}")
    return 0


def replay(options: argparse.Namespace) -> int:
    """Make a session anew and say whether it is identical."""
    from rrr.backtesting import parity
    from rrr.database import sessions
    from rrr.trading.engine.opening import core_hash

    with reading(options) as connection:
        session = sessions.named(connection, options.session)
        verdict = parity.replayed(connection, session, core_hash())
    tell(options, parity.as_json(session, verdict), lambda: parity.in_words(verdict))
    return 0 if verdict.identical else Different.exit_code


def status(options: argparse.Namespace) -> int:
    """The last session's books, and the live figures of the daemon where one runs."""
    from rrr.api import controls, views
    from rrr.database.holder import is_held

    home = home_of(options)
    with reading(options) as connection:
        found = views.status(connection, options.session, is_held(home.data))
    found["live"] = None
    if found["running"]:
        # About to begin or to end, it may not answer: the books are as true without its pulse.
        with suppress(Unavailable):
            found["live"] = controls.ask(home.root, "status")
    tell(options, found, lambda: views.in_words(found))
    return 0


def list_sessions(options: argparse.Namespace) -> int:
    from rrr.api import views

    with reading(options) as connection:
        found = views.sessions_of(connection)
    tell(options, {"sessions": found}, lambda: views.sessions_in_words(found))
    return 0


def tell_daemon(options: argparse.Namespace) -> int:
    """Send a command to the daemon of this home."""
    from rrr.api import controls

    said = controls.ask(home_of(options).root, options.verb, reason=options.reason)
    tell(options, said, lambda: str(said["said"]))
    return 0


def show_config(options: argparse.Namespace) -> int:
    from rrr.config import show, show_json

    loaded = load(options, home_of(options))
    tell(options, show_json(loaded), lambda: show(loaded))
    return 0


def home_of(options: argparse.Namespace) -> "Home":
    from rrr.config import Home

    return Home.at(options.home)


def load(options: argparse.Namespace, home: "Home") -> "Loaded":
    from rrr.config import load as read

    overrides: dict[str, object] = {
        name: getattr(options, f"set_{name}") for name, *_ in (*MARKET, *SESSION)
    }
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
    from rrr.database.opening import MODES, connect_read_only, told

    path = database_path(options.mode, home_of(options).root)
    try:
        connection = connect_read_only(path, MODES[options.mode])
        with closing(connection), told(path):
            connection.execute("BEGIN")  # one moment of the database, while a daemon goes on
            yield connection
    except OSError as error:
        raise HomeUnusable(
            f"{error.filename or path} cannot be read: {error.strerror}.",
            "It must belong to this user; or name another home with --home.",
        ) from error


COMMANDS = {
    "status": ("the books, and the daemon's pulse if it runs", status),
    "sessions": ("all sessions, the last first", list_sessions),
    "replay": ("make a session anew from its journal, and compare", replay),
    "halt": ("tell the daemon: no new risk", tell_daemon),
    "resume": ("tell the daemon: go on", tell_daemon),
    "config": ("every setting in force, and where it comes from", show_config),
}
OVERVIEW = "\n".join(
    f"  {usage:<28}{meaning}"
    for usage, meaning in (
        ("rrr --replay PATH …", "trade (no command means this)"),
        ("rrr status [SESSION]", COMMANDS["status"][0]),
        ("rrr sessions", COMMANDS["sessions"][0]),
        ("rrr replay [SESSION]", COMMANDS["replay"][0]),
        ("rrr halt [--reason TEXT]", COMMANDS["halt"][0]),
        ("rrr resume [--reason TEXT]", COMMANDS["resume"][0]),
        ("rrr config show", COMMANDS["config"][0]),
        ("rrr COMMAND --help", "the options of a command"),
    )
)
