"""What was chosen is judged on days that nobody chose by; what was chosen by proves nothing.

Each training picks one set of the grid, which then speaks through the test that follows. The result
is the run of *one book* through all tests: who has the opinion changes at each edge, and nothing
else does; positions, limits and halts go on, as they do live. Every set is counted as a trial
before the first is looked at, and the walk itself as one more.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from rrr.backtesting import records, sharpe
from rrr.backtesting.book import Book
from rrr.backtesting.grid import Grid
from rrr.backtesting.growth import F64
from rrr.backtesting.history import History
from rrr.backtesting.metrics import Metrics, measured
from rrr.backtesting.nulls import Null, random_entries
from rrr.backtesting.records import Look, Tried
from rrr.backtesting.result import Result
from rrr.backtesting.runner import run
from rrr.backtesting.trades import Trades, trades_of
from rrr.backtesting.walk_looks import Looks, Progress, days_of, looks_at, spoken
from rrr.backtesting.walk_objectives import objective_of
from rrr.backtesting.walk_overfitting import Overfitting, overfitting
from rrr.backtesting.walk_steps import Hindsight, Onward, Step, hindsight_of, steps_of
from rrr.backtesting.walk_windows import Plan, embargo_of, onward, windows_of
from rrr.core.errors import RRRError
from rrr.database.sessions import key_of
from rrr.home import Home

WALK: Final = "walk-forward"
IN_SAMPLE: Final = "in-sample"

Told = Mapping[str, Mapping[str, Any]]  # settings, as `config.show_json` tells them


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """A choice, and what it was worth. `result` ran on `history`, which begins with the tests."""

    look: Look  # its own trial, and its name
    recipe: str
    grid: Grid
    plan: Plan
    embargo: int  # candles
    steps: tuple[Step, ...]
    onward: Onward
    hindsight: Hindsight
    overfitting: Overfitting | str
    tried: Tried  # in the family, until now
    result: Result
    history: History
    trades: Trades
    metrics: Metrics
    null: Null | str


def optimised(
    home: Home,
    grid: Grid,
    history: History,
    book: Book,
    plan: Plan,
    *,
    family: str,
    settings: Told,
    at_ms: int,
    compiled: bool = True,
    folder: Path | None = None,
    progress: Progress = lambda done, of: None,
) -> Walk:
    """Choose and judge. The run is yet to be kept."""
    objective = objective_of(plan.objective)
    embargo = 0 if plan.in_sample else embargo_of(grid.strategies, plan)
    windows = windows_of(history, plan, embargo)
    trainings = [*(window.train for window in windows), onward(history, plan, windows)]
    tests = [window.test for window in windows]
    play = partial(run, book=book, compiled=compiled, folder=folder)
    warm = book.law.warmup_candles
    trial = partial(play, digests=False)
    look = partial(looks_at, grid, history, trial, warm, trainings, tests, objective, progress)
    recipe, own, looks = _counted(home, family, grid, plan, settings, at_ms, look)

    *chosen, last = looks.train.argmax(axis=1).tolist()
    tested = replace(history, begins=tests[0].start)
    result = play(tested, spoken(grid, history, windows, chosen))
    trades, days = trades_of(result, tested), days_of(result, tested)
    tried = records.tried(home, family, recipe, _sharpe(days.returns))
    return Walk(
        look=own,
        recipe=recipe,
        grid=grid,
        plan=plan,
        embargo=embargo,
        steps=steps_of(grid, history, windows, chosen, looks, days),
        onward=Onward(last, float(looks.train[-1, last])),
        hindsight=hindsight_of(looks.returns[:, -len(days.returns) :], objective),
        overfitting=overfitting(looks.returns),
        tried=tried,
        result=result,
        history=tested,
        trades=trades,
        metrics=measured(result, tested, trades, tried=tried.recipes, variance=tried.variance),
        null=random_entries(result, tested, trades, seed=int(settings["seed"]["value"])),
    )


def _counted(
    home: Home,
    family: str,
    grid: Grid,
    plan: Plan,
    settings: Told,
    at_ms: int,
    look: Callable[[], Looks],
) -> tuple[str, Look, Looks]:
    """Note every trial, look, and note what each showed, or that none could be looked at."""
    recipes = [records.recipe_of(strategy, settings) for strategy in grid.strategies]
    recipe = key_of(json.loads(recipes[0]) | {"strategy": grid.text, "plan": asdict(plan)})
    kind = IN_SAMPLE if plan.in_sample else WALK
    own, *others = records.begun(home, kind, family, [recipe, *recipes], at_ms)
    try:
        looks = look()
    except RRRError as error:
        records.concluded(home, {one.trial: {"error": error.what} for one in (own, *others)})
        raise
    outcomes = ({"sharpe": _sharpe(returns), "days": len(returns)} for returns in looks.returns)
    trials = [one.trial for one in others]
    records.concluded(home, dict(zip(trials, outcomes, strict=True)))
    return recipe, own, looks


def _sharpe(returns: F64) -> float | None:
    of = sharpe.moments(returns)
    return None if of is None else of.sharpe
