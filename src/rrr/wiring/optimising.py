"""The best set of a grid is chosen on some days and judged on later ones.

Every set is a trial before the first is looked at. What is kept is the run of one book through all
tests, with the walk that led there (`backtesting.walk_forward`).
"""

import time
from dataclasses import dataclass, replace
from typing import Any, Final

from rrr.backtesting import montecarlo
from rrr.backtesting.grid import TRIALS, Grid, grid_of
from rrr.backtesting.walk_forward import Walk, optimised
from rrr.backtesting.walk_objectives import objective_of
from rrr.backtesting.walk_windows import Plan
from rrr.backtesting.walk_words import as_json, foretold, in_words
from rrr.config import Home, Loaded
from rrr.database.research import Run
from rrr.neural_network.strategies.asked import window_of
from rrr.wiring.backtest_found import NOT_ASKED, Found
from rrr.wiring.backtest_given import Given, given
from rrr.wiring.backtest_progress import Progress
from rrr.wiring.backtest_speed import compiles
from rrr.wiring.backtesting import CHOSEN, Asked, Counted, identity, kept, refuse_unwritable
from rrr.wiring.beginning import now_ms
from rrr.wiring.strategies import whole

WALK: Final = "walk"  # where a row keeps what led to it


@dataclass(frozen=True, slots=True)
class Choice:
    """What there is to choose from, and how."""

    grid: str  # in words
    plan: Plan
    trials: int = TRIALS  # the most sets that may be looked at


def optimise(home: Home, loaded: Loaded, choice: Choice, asked: Asked, progress: Progress) -> Run:
    """Choose, judge, and write down all of it."""
    began_s, at_ms = time.perf_counter(), now_ms()
    refuse_unwritable(asked)
    objective_of(choice.plan.objective)
    grid = grid_of(whole(choice.grid), choice.trials)
    of = of_grid(home, loaded, grid, progress)
    progress.terminal.plain(foretold(grid, of.history, choice.plan, of.family))
    home.prepare()
    walk = walked_through(home, of, grid, choice.plan, at_ms, asked.compiled, progress)
    progress.stage("statistics")
    how: dict[str, int] = {"draws": asked.draws, "seed": loaded.settings.seed}
    found = Found(
        walk.result,
        walk.trades,
        walk.metrics,
        walk.null,
        montecarlo.reshuffled(walk.result, walk.trades, **how) if asked.draws else NOT_ASKED,
        montecarlo.bootstrapped(walk.metrics.daily, **how) if asked.draws else NOT_ASKED,
        NOT_ASKED,
        walk.tried,
    )
    of = replace(of, history=walk.history, known=CHOSEN if choice.plan.in_sample else "")
    counted = Counted(walk.look, at_ms, began_s)
    told = as_json(walk) | {"page": in_words(walk)}
    return kept(home, of, asked, counted, found, progress, told)


def walked(
    home: Home, old: Run, loaded: Loaded, compiled: bool, progress: Progress
) -> dict[str, Any]:
    """All of a walk's row that a repetition must find again. Its looks count as what they are."""
    told = old.metrics[WALK]
    grid = grid_of(old.strategy, max(len(told["sets"]) + len(told["left_out"]), TRIALS))
    of = of_grid(home, loaded, grid, progress)
    walk = walked_through(home, of, grid, Plan(**told["plan"]), now_ms(), compiled, progress)
    return identity(replace(of, history=walk.history), walk.result) | {"strategy": grid.text}


def of_grid(home: Home, loaded: Loaded, grid: Grid, progress: Progress) -> Given:
    """Candles enough for each set of a grid."""
    return given(home, loaded, progress, max(grid.strategies, key=window_of))


def walked_through(
    home: Home,
    of: Given,
    grid: Grid,
    plan: Plan,
    at_ms: int,
    compiled: bool,
    progress: Progress,
) -> Walk:
    compiled = compiles(compiled, of.steps * len(grid), "optimising", progress)
    return optimised(
        home,
        grid,
        of.history,
        of.book,
        plan,
        family=of.family,
        settings=of.settings(),
        at_ms=at_ms,
        compiled=compiled,
        progress=progress.heard,
    )
