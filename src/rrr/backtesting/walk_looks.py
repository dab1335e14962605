"""Every set of a grid, looked at once: its days over all history, and over each training.

An anchored training is the beginning of the run over all history, day for day; a rolling one is a
run of its own, which begins flat. Only daily returns are kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rrr.backtesting import growth
from rrr.backtesting.grid import Grid
from rrr.backtesting.growth import F64, Daily
from rrr.backtesting.history import History
from rrr.backtesting.result import Result
from rrr.backtesting.walk_objectives import Objective
from rrr.backtesting.walk_windows import Window, alone, part
from rrr.neural_network.panel import I64
from rrr.neural_network.strategies.asked import asked
from rrr.neural_network.strategies.strategy import SILENT

Play = Callable[[History, I64], Result]  # one book's run of these opinions
Progress = Callable[[int, int], None]  # sets looked at, and all


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """What the sets showed, each by itself."""

    returns: F64  # (sets, days)
    train: F64  # (trainings, sets): scores
    test: F64  # (tests, sets)
    trained: Sequence[Sequence[F64]]  # of each training and set: its days


def looks_at(
    grid: Grid,
    history: History,
    play: Play,
    warm: int,
    trainings: Sequence[range],
    tests: Sequence[range],
    objective: Objective,
    progress: Progress,
) -> Looks:
    """`warm`: the candles that a book learns from before it buys."""
    symbols = [quoted.spec.symbol for quoted in history.quoted]
    found: list[Daily] = []
    trained: list[list[F64]] = [[] for _ in trainings]
    for done, strategy in enumerate(grid.strategies):
        progress(done, len(grid))
        told = asked(strategy, history.panel, symbols)
        days = days_of(play(history, told), history)
        for training, kept in zip(trainings, trained, strict=True):
            if training.start == history.begins:
                kept.append(part(days, history, training))
                continue
            own = alone(history, training, warm)
            result = play(own, told[:, training.stop - own.panel.times : training.stop])
            kept.append(days_of(result, own).returns)
        found.append(days)
    progress(len(grid), len(grid))
    return Looks(
        np.stack([days.returns for days in found]),
        np.array([[objective(returns) for returns in kept] for kept in trained]),
        np.array([[objective(part(d, history, test)) for d in found] for test in tests]),
        trained,
    )


def spoken(grid: Grid, history: History, windows: Sequence[Window], chosen: Sequence[int]) -> I64:
    """(instruments, times): in each test what the chosen set says, before them nothing."""
    symbols = [quoted.spec.symbol for quoted in history.quoted]
    told = np.full(history.panel.there.shape, SILENT)
    for number in sorted(set(chosen)):
        said = asked(grid.strategies[number], history.panel, symbols)
        for window, mine in zip(windows, chosen, strict=True):
            if mine == number:
                columns = slice(window.test.start, window.test.stop)
                told[:, columns] = said[:, columns]
    return told


def days_of(result: Result, history: History) -> Daily:
    """Nothing is paid in or out on the way."""
    begins_ms = int(history.panel.opened_at_ms[history.begins])
    paid_in = int(result.invested[0])
    return growth.daily(growth.path(result.at_ms, result.equity, paid_in, (), begins_ms))
