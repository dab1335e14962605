"""A run is counted before it is looked at, and becomes a row when everything of it is written.

Candles, strategy and settings are gathered; the look goes into the trial ledger; the run is run and
reckoned; its trade list and its report are put in their places; last of all the row is written.
Whoever stops it in between leaves the look, and nothing else.
"""

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from rrr import __version__
from rrr.backtesting import gate_ledger, records, trade_list
from rrr.backtesting.nulls import DRAWS
from rrr.backtesting.records import Look
from rrr.backtesting.result import Result
from rrr.backtesting.runner import run
from rrr.config import Home, Loaded
from rrr.core.errors import UsageError
from rrr.database.research import Run
from rrr.neural_network.panel import I64
from rrr.trading.engine.opening import core_hash
from rrr.wiring.backtest_found import Found, found
from rrr.wiring.backtest_given import Given, given
from rrr.wiring.backtest_progress import Progress
from rrr.wiring.backtest_report import written
from rrr.wiring.backtest_speed import compiles
from rrr.wiring.backtest_worlds import rechained
from rrr.wiring.beginning import clean, now_ms
from rrr.wiring.strategies import learned_from

KIND: Final = "backtest"
PAGES: Final = (".html", ".htm")
CHOSEN: Final = "Its settings were chosen on these very candles."


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person wants of a run beside its settings."""

    command: str = ""  # as it was typed
    in_sample: bool = False
    compiled: bool = True
    trades: Path | None = None  # instead of the usual place
    report: Path | None = None
    draws: int = DRAWS  # of chance, for each comparison
    worlds: int = 0  # other histories to run it on


@dataclass(frozen=True, slots=True)
class Counted:
    """A look that stands in the trial ledger, and when it began."""

    look: Look
    at_ms: int
    began_s: float


def backtest(home: Home, loaded: Loaded, asked: Asked, progress: Progress) -> Run:
    """Run it, and write down all of it."""
    began_s, at_ms = time.perf_counter(), now_ms()
    refuse_unwritable(asked)
    of = given(home, loaded, progress)
    of = replace(of, known=in_sample(of, asked))
    progress.stage("asking")
    opinions = of.opinions()
    home.prepare()
    recipe = records.recipe_of(of.strategy, of.settings())
    [look] = records.begun(home, KIND, of.family, [recipe], at_ms)
    if learned_from(of.strategy, of.history):
        gate_ledger.seen(home, of.family, [recipe], at_ms)
    result = ran(of, opinions, asked.compiled, progress)
    told = reckoned(of, result, asked, progress)
    tried = records.tried(home, of.family, recipe, told.metrics.returns.sharpe_daily)
    return kept(home, of, asked, Counted(look, at_ms, began_s), told.deflated(tried), progress)


def kept(
    home: Home,
    of: Given,
    asked: Asked,
    counted: Counted,
    found: Found,
    progress: Progress,
    walk: Mapping[str, Any] | None = None,
) -> Run:
    """Put its files in their places, and last of all its row; or nothing of it."""
    name = counted.look.name
    with placing(home, name) as folder:
        trades = (asked.trades or folder / "trades.csv").absolute()
        report = (asked.report or folder / "report.html").absolute()
        sharpe = found.metrics.returns.sharpe_daily
        row = Run(
            trial=counted.look.trial,
            name=name,
            parent=None,
            at_ms=counted.at_ms,
            family=of.family,
            command=clean(asked.command),
            in_sample=bool(of.known),
            synthetic=of.history.synthetic,
            candles=of.candles,
            seconds=round(time.perf_counter() - counted.began_s, 3),
            trades_path=from_home(home, trades),
            report_path=from_home(home, report),
            sharpe=sharpe,
            metrics=found.as_json() | {"about": of.about()} | ({"walk": walk} if walk else {}),
            **identity(of, found.result) | ({"strategy": walk["strategy"]} if walk else {}),
        )
        progress.stage("report")
        page = written(row, of, found)
        trade_list.write(trades, found.trades, [one.spec for one in of.history.quoted])
        trade_list.put(report, page.encode())
        records.remember(home, [row])
    return row


def identity(of: Given, result: Result) -> dict[str, Any]:
    """All of a row that a repetition must find again."""
    return {
        "strategy": of.strategy.text,
        "settings": of.settings(),
        "history": of.history.about,
        "data_digest": of.history.digest,
        "core_hash": core_hash(),
        "strategy_hash": records.strategy_hash(of.strategy),
        "seed": of.loaded.settings.seed,
        "version": __version__,
        "digest": result.digest,
        "days": records.dated(result.digests),
    }


def in_sample(of: Given, asked: Asked) -> str:
    """Why the result says nothing new; nothing if it may. Raise UsageError for who did not know."""
    learned = learned_from(of.strategy, of.history)
    if learned and not asked.in_sample:
        raise UsageError(
            f"{learned} It would be asked what it was told.",
            "Begin later with --from; or say --in-sample, and every page will say so too.",
        )
    return learned or (CHOSEN if asked.in_sample else "")


def refuse_unwritable(asked: Asked) -> None:
    """Before anything begins: files that cannot be written, or were meant to stay as they are."""
    trade_list.refuse_unknown(asked.trades or Path("trades.csv"))
    if asked.report is not None and asked.report.suffix not in PAGES:
        raise UsageError(f"{asked.report} is no name of a report.", "Let it end in .html.")
    for path in filter(None, (asked.trades, asked.report)):
        trade_list.refuse_unwritable(path)


def ran(of: Given, opinions: I64, compiled: bool, progress: Progress) -> Result:
    compiled = compiles(compiled, of.steps, "running", progress)
    return run(of.history, opinions, of.book, compiled=compiled, progress=progress.heard)


def reckoned(of: Given, result: Result, asked: Asked, progress: Progress) -> Found:
    progress.stage("statistics")
    seed = of.loaded.settings.seed
    told = found(result, of.history, draws=asked.draws, seed=seed)
    if not asked.worlds:
        return told
    days = told.metrics.daily
    others = rechained(of, days, asked.worlds, seed, asked.compiled, progress)
    return replace(told, rechained=others)


@contextmanager
def placing(home: Home, name: str) -> Iterator[Path]:
    """The folder of a run's files, which is gone again unless the block ends well."""
    folder = home.data / "backtests" / name
    with ExitStack() as undo:
        undo.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder
        undo.pop_all()


def from_home(home: Home, path: Path) -> str:
    """A path as a row keeps it: it stays true when the home is moved."""
    return str(path.relative_to(home.root) if path.is_relative_to(home.root) else path)
