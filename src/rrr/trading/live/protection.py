"""How long a position stood without its stop, by why: nothing is a guess, all is what was known.

A position is bare while it could be protected and no stop is known to rest for it. Between a
purchase and its stop, while a stop gives way to an exit or to one of another size, it has to be;
at any other time it must not. Pure: the time comes with the state.
"""

from bisect import insort
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from rrr.core.market import Instrument, lots, sellable
from rrr.core.orders import Side, Stage, rest_of
from rrr.core.state import Lane, State

WINDOWS_MAX: Final = 10_000
RESTING: Final = (Stage.WORKING, Stage.TRIGGERED, Stage.AMENDING)


class Why(StrEnum):
    ENTRY = "entry"  # the first stop of a position is on its way
    EXIT = "exit"  # a sale is on its way, or the stop makes room for it
    CHANGE = "change"  # a stop gives way to one of another size
    BARE = "bare"  # neither: what must not be


@dataclass(slots=True)
class Protection:
    """`look` is told of every state that was adopted."""

    since_ms: dict[int, tuple[Why, int]] = field(default_factory=dict)
    guarded: set[int] = field(default_factory=set)  # positions that had a stop already
    windows: dict[Why, list[int]] = field(default_factory=lambda: {why: [] for why in Why})
    total_ms: dict[Why, int] = field(default_factory=lambda: dict.fromkeys(Why, 0))
    unfilled: int = 0  # stops that were triggered and had to be taken out
    _triggered: set[int] = field(default_factory=set)

    def look(self, state: State, at_ms: int) -> None:
        for i, lane in enumerate(state.lanes):
            if lane.quantity < state.instruments[i].lot:
                self.guarded.discard(i)
            if lane.stop.stage == Stage.TRIGGERED and lane.stop.sequence not in self._triggered:
                self._triggered.add(lane.stop.sequence)
                self.unfilled += 1
            why = self._why(i, lane, state.instruments[i])
            was = self.since_ms.get(i)
            if was is not None and (why is None or why != was[0]):
                self._end(i, at_ms)
            if why is None:
                if lane.stop.stage == Stage.WORKING:
                    self.guarded.add(i)
            elif i not in self.since_ms:
                self.since_ms[i] = (why, at_ms)

    def quantile_ms(self, why: Why, share: float) -> int:
        windows = self.windows[why]
        return windows[min(int(len(windows) * share), len(windows) - 1)] if windows else 0

    def so_far_ms(self, at_ms: int, *whys: Why) -> int:
        """All time that a position stood without its stop for one of these, until now."""
        now = sum(at_ms - since for why, since in self.since_ms.values() if why in whys)
        return sum(self.total_ms[why] for why in whys) + now

    def _why(self, i: int, lane: Lane, instrument: Instrument) -> Why | None:
        """None: it is flat, dust, or under its stop."""
        held = lots(instrument, lane.quantity)
        if not held or not sellable(instrument, lane.mark, held):
            return None
        if lane.stop.stage in RESTING and rest_of(lane.stop) >= held:
            return None
        if lane.due < 0 or (lane.order.kind and lane.order.side == Side.SELL):
            return Why.EXIT
        if lane.stop.kind and lane.stop.stage != Stage.UNKNOWN:
            return Why.CHANGE if i in self.guarded else Why.ENTRY
        return Why.BARE

    def _end(self, i: int, at_ms: int) -> None:
        why, since_ms = self.since_ms.pop(i)
        self.total_ms[why] += at_ms - since_ms
        if len(self.windows[why]) < WINDOWS_MAX:
            insort(self.windows[why], at_ms - since_ms)
