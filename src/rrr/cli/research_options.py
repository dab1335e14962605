"""The options of commands about the past."""

import argparse
from decimal import Decimal, InvalidOperation
from math import isfinite
from pathlib import Path
from typing import Any, Final

from .options import MODE, configured, number

RUN: Final = (
    ("capital", "AMOUNT", "of the quote currency, at the beginning"),
    ("seed", "N", "where all randomness begins"),
)
SEED: Final = RUN[1:]
INTERPRETED: Final = "run the core as Python: slow, and the same"
DRAWS_MAX: Final = 100_000
VOLATILITY_MAX: Final = 10_000.0  # percent a year


def add(name: str, one: argparse.ArgumentParser) -> None:
    """The options of one of these commands."""
    match name:
        case "backtest":
            backtest(one)
        case "optimise":
            optimise(one)
        case "runs":
            one.add_argument("run", nargs="?", metavar="RUN", help="all of this one")
            one.add_argument(
                "--lines", "-n", type=number(1_000_000), default=20, metavar="N", help="or else 20"
            )
        case "reproduce":
            one.add_argument("run", nargs="?", metavar="RUN", help="or else the last")
            one.add_argument("--interpreted", action="store_true", help=INTERPRETED)
        case "parity":
            parity(one)
        case "check-lookahead":
            one.add_argument("strategy", metavar="STRATEGY", help="a name, or path/to/file.py")
            past(one, SEED)
            one.add_argument(
                "--tries",
                type=number(10_000, least=1),
                default=100,
                metavar="N",
                help="futures to try, or else 100",
            )
        case "costs":
            costs(one)
        case "export":
            export(one)


def parity(one: argparse.ArgumentParser) -> None:
    strategy(past(one, RUN))


def strategy(group: Any) -> None:
    group.add_argument(
        "--strategy",
        metavar="NAME",
        dest="set_signals",
        help="NAME:parameter=value,… or a file; or else baseline",
    )


def backtest(one: argparse.ArgumentParser) -> None:
    group = past(one, RUN)
    strategy(group)
    group.add_argument(
        "--detail",
        metavar="SPAN",
        dest="set_fills.detail",
        help="of finer candles, to look into each one",
    )
    group.add_argument(
        "--in-sample", action="store_true", help="it knows these candles: say so on every page"
    )
    group.add_argument("--interpreted", action="store_true", help=INTERPRETED)
    results(one).add_argument(
        "--monte-carlo",
        type=number(DRAWS_MAX),
        default=0,
        metavar="N",
        help="run it on so many histories made of these candles too",
    )


def optimise(one: argparse.ArgumentParser) -> None:
    one.add_argument("strategy", metavar="GRID", help="NAME:parameter=5..30/5,other=20,50,100")
    group = past(one, RUN)
    days, whole = number(100_000, least=1), number(100_000)
    for name, value, read, usual, meaning in (
        ("windows", "N", number(1_000, least=1), 8, "tests, or else 8"),
        ("train-days", "N", days, 0, "of the first training; or else as long as four tests"),
        ("embargo", "N", whole, None, "candles between a training and its test"),
        ("objective", "NAME", str, "probability", "what the best is best at, or else probability"),
        ("trials", "N", number(100_000, least=2), 500, "the most sets of a grid, or else 500"),
    ):
        group.add_argument(f"--{name}", type=read, default=usual, metavar=value, help=meaning)
    group.add_argument("--rolling", action="store_true", help="trainings are as long as the first")
    group.add_argument(
        "--in-sample", action="store_true", help="choose and judge on the same candles"
    )
    group.add_argument("--interpreted", action="store_true", help=INTERPRETED)
    results(one)


def results(one: argparse.ArgumentParser) -> Any:
    """The options of what a run leaves."""
    out = one.add_argument_group("what comes of it")
    out.add_argument(
        "--null",
        type=number(DRAWS_MAX),
        default=1_000,
        metavar="N",
        help="comparisons with chance, or else 1000; 0: none",
    )
    out.add_argument(
        "--trades", type=Path, metavar="PATH", help="of the trade list: .csv or .parquet"
    )
    out.add_argument("--report", type=Path, metavar="PATH", help="of the report: one HTML file")
    return out


def costs(one: argparse.ArgumentParser) -> None:
    one.add_argument("venue", nargs="?", metavar="VENUE[:TIER]", help="or else all, a line each")
    one.add_argument(
        "--notional",
        type=amount,
        default=Decimal(10_000),
        metavar="AMOUNT",
        help="of each purchase, or else 10000",
    )
    one.add_argument(
        "--volatility",
        type=percent,
        metavar="PERCENT",
        help="a year; or else as a market that is named moved, or 66",
    )
    past(one, SEED)
    fit = one.add_argument_group("what fills cost")
    fit.add_argument("--fit", action="store_true", help="compare fills with what paper assumed")
    fit.add_argument("--mode", choices=MODE["choices"], help="whose database, or else live")
    fit.add_argument("--session", metavar="SESSION", help="by name; or else the last")


def export(one: argparse.ArgumentParser) -> None:
    one.add_argument("folder", type=Path, metavar="FOLDER", help="where the files go")
    one.add_argument("--session", metavar="SESSION", help="by name; or else the last")
    one.add_argument("--mode", **MODE, help="whose database")
    one.add_argument("--method", default="fifo", metavar="NAME", help="fifo or hifo")
    one.add_argument("--reporting", metavar="CURRENCY", help="or else that of the books")
    one.add_argument("--rates", type=Path, metavar="FILE", help="a CSV of date,rate for that")
    one.add_argument("--force", action="store_true", help="replace what is there")


def past(one: argparse.ArgumentParser, run: Any) -> Any:
    """The options of a market that is over already; the group of those of the run."""
    market, group = configured(one, "the run", run)
    market.add_argument(
        "--timerange",
        metavar="FROM-TO",
        help="both at once, such as 20230101-20240101",
    )
    return group


def amount(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount") from error
    if not value.is_finite() or value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount above 0")
    return value


def percent(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from error
    if not isfinite(value) or not 0 < value <= VOLATILITY_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is not above 0 and at most {VOLATILITY_MAX:g}")
    return value
