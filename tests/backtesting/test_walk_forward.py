"""On a market whose truth is known, choosing finds it, or shows that it found nothing."""

from dataclasses import replace
from functools import partial
from math import prod
from pathlib import Path
from statistics import fmean, median, variance
from typing import Final

import pytest

from rrr.backtesting import records, sharpe
from rrr.backtesting.grid import Grid
from rrr.backtesting.history import History
from rrr.backtesting.nulls import Null
from rrr.backtesting.runner import run
from rrr.backtesting.walk_looks import Looks, days_of, looks_at, spoken
from rrr.backtesting.walk_objectives import daily_sharpe, total
from rrr.backtesting.walk_overfitting import Overfitting
from rrr.backtesting.walk_steps import lesson
from rrr.backtesting.walk_windows import Plan, Window, alone, onward, windows_of
from rrr.core.errors import StrategyBroken, UsageError
from rrr.core.events import Flow
from rrr.core.orders import Order
from rrr.neural_network.strategies.asked import asked
from rrr.neural_network.strategies.strategy import SILENT
from tests.backtesting.walks import A_DAY, FAMILY, book, home_in, noise, slots, walked
from tests.database.researching import ask

SHORT: Final = Plan(windows=3)


def test_an_edge_that_is_there_is_found_and_lasts(tmp_path: Path) -> None:
    walk = walked(tmp_path, slots(tmp_path), noise(140, 1, edge=0.004, slot=2), Plan(windows=4))
    learned = lesson(walk.steps)
    assert [walk.grid.chosen(step.chosen) for step in walk.steps] == [{"slot": "2"}] * 4
    assert walk.onward.chosen == walk.hindsight.number == 2
    assert (learned.changes, learned.distinct) == (0, 1)
    assert learned.kept_ratio is not None and learned.kept_ratio > 0.7
    assert learned.rank_ratio > 0.9
    assert isinstance(walk.overfitting, Overfitting) and walk.overfitting.probability < 0.01
    assert walk.metrics.returns.sharpe_deflated is not None
    assert walk.metrics.returns.sharpe_deflated > 0.95
    assert walk.metrics.use.difference_ratio is not None and walk.metrics.use.difference_ratio > 0
    assert isinstance(walk.null, Null) and walk.null.percentile_ratio > 0.7


@pytest.mark.slow
def test_a_choice_among_noise_looks_good_in_training_only(tmp_path: Path) -> None:
    walks = [
        walked(tmp_path / str(seed), slots(tmp_path), noise(100, seed), SHORT) for seed in range(8)
    ]
    learned = [lesson(walk.steps) for walk in walks]
    train = fmean(one.train_daily_ratio for one in learned)
    test = fmean(one.test_daily_ratio for one in learned)
    assert train > 3e-4 and test < train / 3
    assert fmean(one.rank_ratio for one in learned) < 0.6
    agreed = [one.agreement for one in learned if one.agreement is not None]
    assert abs(fmean(agreed)) < 0.3
    deflated = [walk.metrics.returns.sharpe_deflated for walk in walks]
    assert all(one is not None and one < 0.95 for one in deflated)


def looked(grid: Grid, history: History, plan: Plan, warm: int = 0) -> tuple[list[range], Looks]:
    windows = windows_of(history, plan, 5)
    trainings = [*(window.train for window in windows), onward(history, plan, windows)]
    play = partial(run, book=book(), compiled=False)
    tests = [window.test for window in windows]
    told: list[tuple[int, int]] = []
    looks = looks_at(
        grid, history, play, warm, trainings, tests, total, lambda *done: told.append(done)
    )
    assert told == [(done, len(grid)) for done in range(len(grid) + 1)]
    return trainings, looks


def test_an_anchored_training_is_the_run_that_would_have_ended_with_it(tmp_path: Path) -> None:
    grid, history = slots(tmp_path, "slot=1,3"), replace(noise(100, 3), begins=2 * A_DAY)
    trainings, looks = looked(grid, history, SHORT)
    for training, trained, scores in zip(trainings, looks.trained, looks.train, strict=True):
        ended = alone(history, training, 2 * A_DAY)
        for strategy, returns, score in zip(grid.strategies, trained, scores, strict=True):
            result = run(ended, asked(strategy, ended.panel), book(), compiled=False)
            assert returns.tolist() == days_of(result, ended).returns.tolist()
            assert score == total(returns)


def test_a_rolling_training_is_a_run_that_begins_flat_and_warm(tmp_path: Path) -> None:
    grid, history = slots(tmp_path, "slot=1,3"), noise(100, 3)
    trainings, looks = looked(grid, history, Plan(3, rolling=True), warm=7)
    assert trainings[0].start == 0 < trainings[1].start
    for training, trained in zip(trainings, looks.trained, strict=True):
        own = alone(history, training, 7)
        for strategy, returns in zip(grid.strategies, trained, strict=True):
            result = run(own, asked(strategy, own.panel), book(), compiled=False)
            assert returns.tolist() == days_of(result, own).returns.tolist()
            assert len(returns) == -(-len(training) // A_DAY)


def test_in_each_test_the_chosen_set_speaks_and_before_them_nobody(tmp_path: Path) -> None:
    grid, history = slots(tmp_path), noise(40, 1, of=2)
    windows = [Window(range(0), range(80, 120)), Window(range(0), range(120, 160))]
    told = spoken(grid, history, windows, [3, 1])
    assert (told[:, :80] == SILENT).all()
    for number, columns in ((3, slice(80, 120)), (1, slice(120, 160))):
        said = asked(grid.strategies[number], history.panel)
        assert told[:, columns].tolist() == said[:, columns].tolist()


def test_the_result_is_one_book_through_all_tests(tmp_path: Path) -> None:
    history, grid = noise(100, 5), slots(tmp_path)
    walk = walked(tmp_path, grid, history, SHORT)
    chosen = [step.chosen for step in walk.steps]
    windows = [step.window for step in walk.steps]
    begins = windows[0].test.start
    again = run(
        replace(history, begins=begins),
        spoken(grid, history, windows, chosen),
        book(),
        compiled=False,
    )
    assert walk.result.digest == again.digest
    assert walk.history.begins == begins
    assert len(walk.result.column(Flow, "amount")) == 1
    assert walk.result.column(Order, "at_ms").min() > history.panel.opened_at_ms[begins]
    assert [step.test.days for step in walk.steps] == [len(w.test) // A_DAY for w in windows]
    grown = prod(1 + step.test.total_ratio for step in walk.steps) - 1
    assert walk.metrics.returns.total_ratio == pytest.approx(grown)


def test_a_step_tells_its_gap_its_neighbours_and_its_place(tmp_path: Path) -> None:
    history, grid = noise(100, 6), slots(tmp_path)
    plan = replace(SHORT, objective="return", embargo_candles=5)
    walk = walked(tmp_path, grid, history, plan)
    _, looks = looked(grid, history, plan)
    for k, step in enumerate(walk.steps):
        scores = looks.train[k]
        assert scores[step.chosen] == scores.max() == step.score == step.train.total_ratio
        assert step.neighbours == median(scores[grid.neighbours(step.chosen)])
        worse = sum(looks.test[k] < looks.test[k][step.chosen])
        assert step.rank_ratio == worse / 3
    learned = lesson(walk.steps)
    for side in ("train", "test"):
        daily = [(getattr(step, side).daily_ratio, step.test.days) for step in walk.steps]
        mean = sum(ratio * days for ratio, days in daily) / sum(days for _, days in daily)
        assert getattr(learned, f"{side}_daily_ratio") == pytest.approx(mean)
    hindsight = walk.hindsight
    tests = looks.returns[:, -len(walk.metrics.daily.returns) :]
    best = max(range(4), key=lambda number: total(tests[number]))
    assert (hindsight.number, hindsight.shown.total_ratio) == (best, total(tests[best]))
    of = sharpe.moments(tests[best])
    assert of is not None
    spread = variance(daily_sharpe(returns) for returns in tests)
    assert hindsight.deflated == pytest.approx(sharpe.deflated(of, 4, spread))


def test_every_set_counts_before_it_is_looked_at(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    grid = slots(tmp_path, "slot=1,2,99")
    with pytest.raises(StrategyBroken, match="no such quarter"):
        walked(tmp_path, grid, noise(100, 1), SHORT)
    rows = ask(records.path_of(home), "SELECT family, recipe, outcome FROM trials")
    assert len(rows) == len({recipe for _, recipe, _ in rows}) == 4
    assert all(family == FAMILY and "no such quarter" in outcome for family, _, outcome in rows)


def test_what_every_set_showed_is_kept_and_deflates_the_result(tmp_path: Path) -> None:
    home, grid, history = home_in(tmp_path), slots(tmp_path), noise(100, 2)
    walk = walked(tmp_path, grid, history, SHORT)
    _, looks = looked(grid, history, SHORT)
    known = [daily_sharpe(returns) for returns in looks.returns]
    rows = ask(records.path_of(home), "SELECT json_extract(outcome, '$.sharpe') FROM trials")
    assert [sharpe for (sharpe,) in rows] == [None, *known]
    assert walk.look.name == "walk-forward-1"
    mine = walk.metrics.returns.sharpe_daily
    assert mine is not None
    assert walk.tried.recipes == 5
    assert walk.tried.variance == pytest.approx(variance([*known, mine]))
    of = sharpe.moments(walk.metrics.daily.returns)
    assert of is not None
    assert walk.metrics.returns.sharpe_deflated == sharpe.deflated(of, *walk.tried)
    again = walked(tmp_path, grid, history, replace(SHORT, objective="return"))
    assert (again.look.name, again.tried.recipes) == ("walk-forward-6", 6)


def test_what_is_too_short_is_never_looked_at(tmp_path: Path) -> None:
    for plan in (Plan(windows=99), Plan(objective="luck")):
        with pytest.raises(UsageError):
            walked(tmp_path, slots(tmp_path), noise(40, 1), plan)
    assert not records.path_of(home_in(tmp_path)).exists()


def test_in_sample_is_chosen_and_judged_on_all(tmp_path: Path) -> None:
    history, grid = noise(40, 4), slots(tmp_path)
    walk = walked(tmp_path, grid, history, Plan(in_sample=True))
    (step,) = walk.steps
    assert walk.look.name == "in-sample-1" and walk.embargo == 0
    assert step.window.train == step.window.test == range(160)
    assert step.chosen == walk.hindsight.number == walk.onward.chosen
    assert step.train == step.test
    best = run(history, asked(grid.strategies[step.chosen], history.panel), book(), compiled=False)
    assert walk.result.digest == best.digest


def test_the_lesson_of_a_training_that_showed_nothing_is_no_share(tmp_path: Path) -> None:
    walk = walked(tmp_path, slots(tmp_path), noise(100, 1), SHORT, book(cost_ppm=10_000))
    learned = lesson(walk.steps)
    assert learned.train_daily_ratio < 0 and learned.kept_ratio is None
