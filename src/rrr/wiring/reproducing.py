"""A run is made anew from its row alone: the same, or what changed since has a name."""

from dataclasses import replace

from rrr.backtesting import records
from rrr.backtesting.records import Difference
from rrr.config import Home
from rrr.config.choosing import restored
from rrr.neural_network.strategies.naming import named
from rrr.wiring.backtest_given import given
from rrr.wiring.backtest_progress import Progress
from rrr.wiring.backtesting import identity, ran
from rrr.wiring.optimising import WALK, walked


def again(home: Home, name: str | None, compiled: bool, progress: Progress) -> Difference:
    """Only a walk looks, and counts its looks, once more: no other run is a new one."""
    old = records.recalled(home, name)
    loaded = restored(old.settings, home)
    if WALK in old.metrics:
        new = walked(home, old, loaded, compiled, progress)
    else:
        of = given(home, loaded, progress, named(old.strategy))
        new = identity(of, ran(of, of.opinions(), compiled, progress))
    return records.difference(old, replace(old, **new))
