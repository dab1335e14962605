"""What a run came to is computed once, as plain figures that a row can keep and a page can show.

Everything that `--json` tells, the terminal says and the report draws comes from here. What is a
statistic has its interval beside it, or the sentence that says why there is none.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from rrr.backtesting import montecarlo, nulls, sharpe
from rrr.backtesting.history import History
from rrr.backtesting.metrics import Metrics, measured
from rrr.backtesting.montecarlo import Played
from rrr.backtesting.nulls import Null
from rrr.backtesting.records import Tried
from rrr.backtesting.result import Result
from rrr.backtesting.trades import Trades, trades_of
from rrr.core.events import Halted
from rrr.core.state import Halt

Told = dict[str, Any]

NOT_ASKED: Final = "nobody asked for it"
ALONE: Final = Tried(1, None)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A run with all that was reckoned of it."""

    result: Result
    trades: Trades
    metrics: Metrics
    null: Null | str
    reshuffled: Played | str
    bootstrapped: Played | str
    rechained: Played | str
    tried: Tried = ALONE

    def deflated(self, tried: Tried) -> "Found":
        """The same, judged by all that was tried."""
        of, metrics = sharpe.moments(self.metrics.daily.returns), self.metrics
        if of is not None:
            share = sharpe.deflated(of, tried.recipes, tried.variance)
            returns = metrics.returns._replace(sharpe_deflated=share)
            metrics = replace(metrics, returns=returns)
        return replace(self, metrics=metrics, tried=tried)

    def as_json(self) -> Told:
        told: Told = self.metrics.as_json()
        reasons = dict(told.pop("reasons"))
        if isinstance(self.null, Null):
            told |= self.null.as_json()
        else:
            reasons["null"] = self.null
        for name in ("reshuffled", "bootstrapped", "rechained"):
            played: Played | str = getattr(self, name)
            told[name] = None if isinstance(played, str) else played.as_json()
            if isinstance(played, str):
                reasons[name] = played
        halts = [{"at_ms": at_ms, "halt": halt} for at_ms, halt in halted(self.result)]
        trials = {"recipes": self.tried.recipes, "sharpe_daily_variance": self.tried.variance}
        return told | {"halts": halts, "trials": trials, "reasons": reasons}


def found(
    result: Result, history: History, *, draws: int, seed: int, rechained: Played | str = NOT_ASKED
) -> Found:
    """Everything that one run tells by itself; `draws` of chance for each comparison with it."""
    trades = trades_of(result, history)
    metrics = measured(result, history, trades)
    how: dict[str, int] = {"draws": draws, "seed": seed}
    return Found(
        result,
        trades,
        metrics,
        nulls.random_entries(result, history, trades, **how) if draws else NOT_ASKED,
        montecarlo.reshuffled(result, trades, **how) if draws else NOT_ASKED,
        montecarlo.bootstrapped(metrics.daily, **how) if draws else NOT_ASKED,
        rechained,
    )


def halted(result: Result) -> Iterator[tuple[int, str]]:
    """When the book took no new risk any more, and why."""
    columns = (result.column(Halted, name).tolist() for name in ("at_ms", "halt"))
    for at_ms, halt in zip(*columns, strict=True):
        yield at_ms, Halt(halt).name.lower()
