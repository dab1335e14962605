"""The same recipe on markets that might have been says how far the run could have gone.

Each is made of this history's candles in blocks (`backtesting.rechained`), asked anew and run anew.
What was learned or chosen from these candles knows some of each of them.
"""

import numpy as np

from rrr.backtesting import growth
from rrr.backtesting.growth import DAY_MS, F64, Daily
from rrr.backtesting.history import History
from rrr.backtesting.montecarlo import Played, memory, played
from rrr.backtesting.performance import DAYS_MIN, short
from rrr.backtesting.rechained import moves, worlds
from rrr.backtesting.result import Result
from rrr.backtesting.runner import run
from rrr.neural_network.strategies.asked import asked
from rrr.wiring.backtest_given import Given
from rrr.wiring.backtest_progress import Progress
from rrr.wiring.backtest_speed import compiles


def rechained(
    given: Given, days: Daily, draws: int, seed: int, compiled: bool, progress: Progress
) -> Played:
    """The run among so many of its kind, each on another history."""
    compiled = compiles(compiled, given.steps * draws, "other candles", progress)
    returns = np.zeros((draws, len(days.returns)))
    for row, other in enumerate(worlds(given.history, draws, seed=seed)):
        convictions = asked(given.strategy, other.panel, given.symbols)
        made = of_days(run(other, convictions, given.book, compiled=compiled), other)
        returns[row, : len(made)] = made[: returns.shape[1]]
        progress.heard(row + 1, draws)
    panel = given.history.panel
    block = round(memory(moves(panel).mean(axis=0)) * panel.timeframe_ms / DAY_MS)
    taken = iter(returns)

    def portion(rows: int) -> F64:
        return np.array([next(taken) for _ in range(rows)])

    why = short(len(days.returns)) if len(days.returns) < DAYS_MIN else ""
    return played(days.returns, portion, draws, max(block, 1), why)


def of_days(result: Result, history: History) -> F64:
    """What each UTC day returned."""
    begins_ms = int(history.panel.opened_at_ms[history.begins])
    path = growth.path(result.at_ms, result.equity, int(result.invested[0]), (), begins_ms)
    return growth.daily(path).returns
