"""The guard halts when a watch alarms, and takes its own halt back once all has long been well.

| halted by it | alarms              | then                                       |
|--------------|---------------------|--------------------------------------------|
| no           | none                | nothing                                    |
| no           | at once             | halt, naming all of them                   |
| no           | may be one bad look | halt at the `LOOKS`-th look in a row       |
| yes          | another one         | say it too, once in a halt                 |
| yes          | any                 | the calm begins anew                       |
| yes          | none                | release, `CALM_S` after the last alarm     |
| resumed      | what was said       | nothing before a calm: a person knows it   |

Pure: it is told what was seen and when, and answers what to do.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

from rrr.trading.risk.watches import Alarm, Limits, Seen, Watch, alarms

CALM_S: Final = 30.0
LOOKS: Final = 3  # of those whose single look may lie
MAY_LIE: Final = frozenset({Watch.LAG, Watch.MEMORY})


class Do(IntEnum):
    NOTHING = 0
    HALT = 1
    SAY = 2  # it is halted already; one more reason
    RELEASE = 3


class Verdict(NamedTuple):
    do: Do
    reason: str = ""


@dataclass(slots=True)
class Guard:
    """Looks once a second; `halted`: the book is under an earlier halt of the guard."""

    limits: Limits
    halted: bool = False
    alarmed_s: float | None = None  # its last look that was not well
    looks: Counter[Watch] = field(default_factory=Counter)  # in a row, up to the last one
    said: set[Watch] = field(default_factory=set)  # since the last calm

    def judge(self, seen: Seen, now_s: float) -> Verdict:
        """What to do about what was seen; `now_s` never goes back."""
        found = tuple(alarms(self.limits, seen))
        self.looks = Counter({watch: self.looks[watch] + 1 for watch, _ in found})
        if found or self.alarmed_s is None:
            self.alarmed_s = now_s
        if sure := [one for one in found if self._is_sure(one)]:
            return self._alarmed(sure)
        if now_s - self.alarmed_s >= CALM_S:
            return self._calm()
        return Verdict(Do.NOTHING)

    def resumed(self) -> None:
        """A person took the halt back, knowing what was said: only something else halts anew."""
        self.halted = False

    def _is_sure(self, alarm: Alarm) -> bool:
        return alarm.watch not in MAY_LIE or self.looks[alarm.watch] >= LOOKS

    def _alarmed(self, sure: list[Alarm]) -> Verdict:
        new = [text for watch, text in sure if watch not in self.said]
        if not new:
            return Verdict(Do.NOTHING)
        self.said.update(watch for watch, _ in sure)
        do = Do.SAY if self.halted else Do.HALT
        self.halted = True
        return Verdict(do, "; ".join(new))

    def _calm(self) -> Verdict:
        was = ", ".join(sorted(self.said)) or "whatever it was before this start"
        self.said.clear()
        if not self.halted:
            return Verdict(Do.NOTHING)
        self.halted = False
        return Verdict(Do.RELEASE, f"all has been well for {CALM_S:.0f} s: {was} is over")
