"""What a person types is one command with its options, or a sentence about what it should be."""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from rrr import __version__
from rrr.core.errors import UsageError

from . import data as data_commands
from . import models as model_commands
from . import research_options
from .commands import COMMANDS as DAEMON
from .commands import trade
from .data import DATA
from .models import MODELS
from .options import MODE, configured
from .research import EXPORT, RESEARCH
from .speaking import say
from .telling import TELLING

COMMANDS = {**DAEMON, **TELLING, "export": EXPORT, **RESEARCH, **DATA, **MODELS}
GROUPS = ("data", "models")
LOGS = ("trading", "system", "audit")
SESSION = (
    ("capital", "AMOUNT", "of the quote currency, at the beginning"),
    ("speed", "N", "times real time, or max"),
    ("seed", "N", "where all randomness begins"),
    ("signals", "NAME", "who has the opinion: model, baseline, a strategy"),
)
LINES_MAX = 1_000_000
EPILOG = """A run that was stopped or killed goes on when the same command is given again.
Every setting is explained in docs/settings.md, every exit code in docs/exit-codes.md."""


class Parser(argparse.ArgumentParser):
    """Takes no half of a name for the whole, and fails as all of the house does."""

    def __init__(self, prog: str, about: str | None = None, **more: Any) -> None:
        layout = argparse.RawDescriptionHelpFormatter
        super().__init__(
            prog, description=about, formatter_class=layout, allow_abbrev=False, **more
        )

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}.", f"Ask: {self.prog} --help.")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Older versions of Python end with a traceback where nobody reads the help."""
        if message:
            say(message, file or sys.stderr, end="")

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
    if rest[0] in GROUPS and (len(rest) == 1 or rest[1].startswith("-")):
        return grouped(rest[0], shared).read(rest[1:], known)
    words = 2 if rest[0] in GROUPS else 1
    name = " ".join(rest[:words])
    if name not in COMMANDS:
        raise UsageError(f"rrr has no command {name!r}.", nearest(name, [*COMMANDS], "rrr"))
    return commanded(name, shared).read(rest[words:], known)


def nearest(word: str, names: Sequence[str], prog: str) -> str:
    """
    >>> nearest("--sym", ["--symbols", "--seed"], "rrr")
    'Did you mean --symbols? Ask: rrr --help.'
    """
    from difflib import get_close_matches

    near = get_close_matches(word.partition("=")[0], sorted(set(names)), n=1)
    return "".join(f"Did you mean {name}? " for name in near) + f"Ask: {prog} --help."


def lines(number: str) -> int:
    if not number.isdecimal() or int(number) > LINES_MAX:
        raise argparse.ArgumentTypeError(f"{number!r} is no number of lines up to {LINES_MAX:,}")
    return int(number)


def folder(name: str) -> Path:
    if not name or "\0" in name:
        raise argparse.ArgumentTypeError("it names no folder")
    return Path(name)


def trading(shared: Parser) -> Parser:
    one = Parser(
        "rrr",
        f"Trade on paper, and look at what was traded and why.\n\n{OVERVIEW}",
        usage="rrr [--mode paper] [option …]\n       rrr COMMAND [option …]",
        parents=[shared],
        epilog=EPILOG,
    )
    one.add_argument("--version", action="version", version=f"rrr {__version__}")
    _, session = configured(one, "the session", SESSION)
    session.add_argument("--new", action="store_true", help="begin anew, even if one is unfinished")
    session.add_argument(
        "--record",
        action="store_const",
        const="true",
        dest="set_record",
        help="keep all that an exchange says; --market replay --replay FOLDER hears it again",
    )
    session.add_argument(
        "--depth-levels",
        metavar="N",
        dest="set_depth_levels",
        help="keep verified order books so deep; or else none",
    )
    session.add_argument("--mode", **MODE, help="live says what it lacks")
    session.add_argument(
        "--sandbox",
        action="store_const",
        const="true",
        dest="set_live.sandbox",
        help="live at the venue's test network, where it has one",
    )
    session.add_argument(
        "--confirm", metavar="VENUE", default="", help="live: real money is meant, and this venue"
    )
    session.add_argument("--dry-run", action="store_true", help="another name of --mode paper")
    one.set_defaults(do=trade)
    return one


def grouped(group: str, shared: Parser) -> Parser:
    """Of several commands of one beginning, which there are."""
    lines = [line for line in OVERVIEW.split("\n") if line.startswith(f"  rrr {group} ")]
    usage = f"rrr {group} VERB …"
    one = Parser(f"rrr {group}", "\n".join(lines), usage=usage, parents=[shared])
    verbs = ", ".join(name.split()[1] for name in COMMANDS if name.startswith(f"{group} "))

    def unsaid(options: argparse.Namespace) -> int:
        raise UsageError(f"`rrr {group}` wants a verb: {verbs}.", f"Ask: rrr {group} --help.")

    one.set_defaults(do=unsaid)
    return one


def commanded(name: str, shared: Parser) -> Parser:
    """The parser of one command."""
    meaning, do = COMMANDS[name]
    one = Parser(f"rrr {name}", f"{meaning[0].upper()}{meaning[1:]}.", parents=[shared])
    one.set_defaults(do=do, verb=name)
    match name:
        case "halt" | "resume" | "release":
            one.add_argument("--reason", default="", metavar="TEXT", help="for the journal")
        case "panic":
            one.add_argument("--reason", default="", metavar="TEXT", help="for the journal")
            one.add_argument(
                "--mode", choices=MODE["choices"], help="or else whatever is there to be sold"
            )
            configured(one, "the session, where no daemon runs", SESSION)
        case "config":
            one.add_argument(
                "what", nargs="?", choices=["show"], metavar="show", help="may be left out"
            )
            configured(one, "the session", SESSION)
        case "train":
            one.add_argument(
                "--quick", action="store_true", help="one network, as a first start makes it"
            )
            configured(one, "the session", SESSION)
        case name if name in RESEARCH or name == "export":
            research_options.add(name, one)
        case name if name in DATA:
            data_commands.add(name, one)
        case name if name in MODELS:
            model_commands.add(name, one)
        case "logs":
            one.add_argument(
                "log", nargs="?", choices=LOGS, default=LOGS[0], help=f"or else {LOGS[0]}"
            )
            one.add_argument("--follow", "-f", action="store_true", help="go on with each new line")
            one.add_argument(
                "--lines", "-n", type=lines, default=20, metavar="N", help="or else 20"
            )
        case _:
            one.add_argument("--mode", **MODE, help="whose database")
    match name:
        case "status" | "replay":
            one.add_argument("session", nargs="?", metavar="SESSION", help="or else the last")
        case "why" | "explain":
            many = "?" if name == "explain" else None
            one.add_argument("instrument", nargs=many, metavar="INSTRUMENT", help="such as BTC-USD")
            one.add_argument("--at", metavar="TIME", help="UTC; or else now")
            one.add_argument("--session", metavar="SESSION", help="by name; or else the last")
        case "doctor":
            one.add_argument("--config", type=Path, metavar="FILE", help="another file of settings")
        case "panic":
            one.add_argument("--yes", action="store_true", help="do not ask")
        case "release":
            one.add_argument("instrument", metavar="INSTRUMENT", help="such as BTC-USD")
    return one


USAGES = {
    "status": "status [SESSION]",
    "why": "why INSTRUMENT [--at TIME]",
    "explain": "explain [INSTRUMENT] [--at TIME]",
    "logs": "logs [trading|system|audit] [-f]",
    "replay": "replay [SESSION]",
    "train": "train [--quick] [option …]",
    "halt": "halt [--reason TEXT]",
    "resume": "resume [--reason TEXT]",
    "panic": "panic [--reason TEXT]",
    "release": "release INSTRUMENT [--reason TEXT]",
    "config": "config show",
    "export": "export FOLDER [--session SESSION]",
    "backtest": "backtest [--strategy NAME] [option …]",
    "optimise": "optimise GRID [option …]",
    "runs": "runs [RUN]",
    "reproduce": "reproduce [RUN]",
    "parity": "parity [--strategy NAME] [option …]",
    "check-lookahead": "check-lookahead STRATEGY",
    "costs": "costs [VENUE[:TIER]]",
    "data download": "data download --market NAME --from DAY",
    "data import": "data import FILE …",
    "data check": "data check [VENUE/SYMBOL …]",
    "data resample": "data resample TIMEFRAME",
    "models show": "models show MODEL",
    "models gate": "models gate MODEL [option …]",
    "models promote": "models promote MODEL [--paper]",
    "models shadow": "models shadow MODEL",
    "models retire": "models retire MODEL",
}
OVERVIEW = "\n".join(
    f"  {usage:<42}{meaning}"
    for usage, meaning in (
        ("rrr [option …]", "trade (no command means this)"),
        *((f"rrr {USAGES.get(name, name)}", meaning) for name, (meaning, _) in COMMANDS.items()),
        ("rrr COMMAND --help", "the options of a command"),
    )
)
