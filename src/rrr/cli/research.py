"""Commands about the past: each runs or reads, prints the result, and answers its exit code."""

import argparse
import sys

from rrr.core.errors import Different, StrategyBroken, UsageError

from .commands import home_of, load, looking, reading
from .speaking import tell


def backtest(options: argparse.Namespace) -> int:
    """Run a strategy over a history, and write down all of it."""
    from rrr.wiring.backtest_progress import Progress
    from rrr.wiring.backtest_words import as_json, in_words
    from rrr.wiring.backtesting import Asked, backtest

    home, progress = home_of(options), Progress(sys.stderr)
    asked = Asked(
        options.typed,
        options.in_sample,
        not options.interpreted,
        options.trades,
        options.report,
        options.null,
        options.monte_carlo,
    )
    with progress.shows():
        run = backtest(home, load(options, home, past=True), asked, progress)
    tell(options, as_json(run, home), lambda: in_words(run, home))
    return 0


def optimise(options: argparse.Namespace) -> int:
    """Choose the parameters of a strategy on some days, and judge the choice on later ones."""
    from rrr.backtesting.walk_windows import Plan
    from rrr.wiring.backtest_progress import Progress
    from rrr.wiring.backtest_words import as_json, in_words
    from rrr.wiring.backtesting import Asked
    from rrr.wiring.optimising import Choice, optimise

    home, progress = home_of(options), Progress(sys.stderr)
    plan = Plan(
        options.windows,
        options.train_days,
        options.rolling,
        options.embargo,
        options.objective,
        options.in_sample,
    )
    choice = Choice(options.strategy, plan, options.trials)
    asked = Asked(
        options.typed,
        options.in_sample,
        not options.interpreted,
        options.trades,
        options.report,
        options.null,
    )
    with progress.shows():
        run = optimise(home, load(options, home, past=True), choice, asked, progress)
    tell(options, as_json(run, home), lambda: in_words(run, home))
    return 0


def reproduce(options: argparse.Namespace) -> int:
    """Make a run anew from its row alone, and say whether it is identical."""
    from rrr.backtesting import records
    from rrr.wiring.backtest_progress import Progress
    from rrr.wiring.reproducing import again

    progress = Progress(sys.stderr)
    with progress.shows():
        found = again(home_of(options), options.run, not options.interpreted, progress)
    told = records.difference_as_json(found)
    tell(options, told, lambda: records.difference_in_words(found))
    return 0 if found.identical else Different.exit_code


def list_runs(options: argparse.Namespace) -> int:
    """The last runs, or all of one."""
    from rrr.backtesting import records

    home = home_of(options)
    if options.run is None:
        runs = records.latest(home, options.lines)
        told = {"runs": records.runs_as_json(runs)}
        tell(options, told, lambda: records.runs_in_words(runs))
        return 0
    from rrr.wiring.backtest_words import as_json, in_words

    run = records.recalled(home, options.run)
    tell(options, as_json(run, home), lambda: in_words(run, home))
    return 0


def parity(options: argparse.Namespace) -> int:
    """Trade the same candles by a backtest and on paper, and say whether the journals are equal."""
    from rrr.main import session
    from rrr.wiring.backtest_progress import Progress
    from rrr.wiring.certifying import certify

    home, progress = home_of(options), Progress(sys.stderr)
    with progress.shows():
        found = certify(home, load(options, home), session, progress)
    tell(options, found.as_json(), found.in_words)
    return 0 if found.identical else Different.exit_code


def check_lookahead(options: argparse.Namespace) -> int:
    """Whether a strategy knows what it cannot know."""
    from rrr.backtesting import lookahead
    from rrr.wiring.backtest_given import seen
    from rrr.wiring.backtest_progress import Progress

    home, progress = home_of(options), Progress(sys.stderr)
    options.set_signals = options.strategy
    loaded = load(options, home, past=True)
    with progress.shows():
        progress.stage("loading")
        strategy, history = seen(home, loaded, progress)
        progress.stage(f"asking {strategy.title}")
        seed = loaded.settings.seed
        found = lookahead.check(strategy, history, seed=seed, tries=options.tries)
    tell(options, lookahead.as_json(found), lambda: lookahead.words(found))
    return 0 if found.sound else StrategyBroken.exit_code


def costs(options: argparse.Namespace) -> int:
    """What a round trip costs, and how good a forecast must be to pay for it."""
    if options.fit:
        return fit(options)
    if options.mode or options.session:
        raise UsageError("--mode and --session are of --fit.", "Leave them out, or say --fit.")
    from rrr.backtesting.break_even import costs
    from rrr.backtesting.break_even_words import costs_in_words
    from rrr.config.venue_costs import profiles
    from rrr.wiring.costing import traded

    home = home_of(options)
    loaded = load(options, home, past=True)
    of = traded(home, loaded, options.volatility)
    found = costs(profiles(options.venue, home.config), of, options.notional)
    tell(options, found, lambda: costs_in_words(found))
    return 0


def fit(options: argparse.Namespace) -> int:
    """What fills cost, beside what paper assumed; of live books it is remembered."""
    from rrr.backtesting.fit import fitted
    from rrr.backtesting.fit_words import fit_in_words
    from rrr.database import sessions
    from rrr.wiring.fitting import remembered

    if options.venue:
        raise UsageError(
            f"--fit asks fills and no profile, and {options.venue} is there.", "Leave one out."
        )
    options.mode = options.mode or "live"
    with reading(options) as connection:
        found = fitted(connection, sessions.named(connection, options.session))
    if options.mode == "live":
        found["remembered"] = remembered(home_of(options), found)
    tell(options, found, lambda: fit_in_words(found))
    return 0


def export(options: argparse.Namespace) -> int:
    """Fills, parcels and gains of a session, as files that tie to its ledger."""
    from rrr.api import export as exports
    from rrr.database import sessions

    with looking(options) as connection:
        session = sessions.named(connection, options.session)
        about = exports.export(
            connection,
            session,
            options.folder,
            options.method,
            options.reporting,
            options.rates,
            options.force,
        )
    tell(options, about, lambda: exports.export_in_words(about))
    return 0


RESEARCH = {
    "backtest": ("run a strategy over a history", backtest),
    "optimise": ("choose parameters, and judge the choice on later days", optimise),
    "runs": ("all runs, the last first; or all of one", list_runs),
    "reproduce": ("make a run anew from its row, and compare", reproduce),
    "parity": ("trade candles as a backtest and on paper, and compare", parity),
    "check-lookahead": ("whether a strategy knows the future", check_lookahead),
    "costs": ("what trading costs, and what forecast pays for it", costs),
}
EXPORT = ("fills, parcels and gains of a session as CSV", export)
