"""How far the venue's clock is from ours is measured with every answer, and told beyond a limit.

What enters are the stamps of answers; they bound the offset, they do not guess it. A clock of this
machine that was set, or slept through a while, is noticed: what was measured before is forgotten.
"""

from collections.abc import Callable
from typing import Final

from rrr.data_pipeline.exchange_troubles import Told, lasted
from rrr.data_pipeline.venue_clock import Jump, Jumps, Kind, Offset, Sample, VenueClock

LIMIT_MS: Final = 1_000  # beyond it a person should look

_KEPT_MS: Final = 1_000  # clocks do not drift apart within; an answer changes it at once
_SAMPLES: Final = 16  # a new majority is soon found


class Clocks:
    """Of one exchange and this machine."""

    def __init__(
        self,
        name: str,
        clock_ms: Callable[[], int],
        monotonic_ms: Callable[[], int],
        told: Told,
    ) -> None:
        self._name, self._clock_ms, self._monotonic_ms = name, clock_ms, monotonic_ms
        self._told = told
        self._venue = VenueClock(samples_max=_SAMPLES)
        self._jumps = Jumps()
        self._apart = False
        self._ahead_ms, self._until_ms = 0, -1  # what is added, and how long that is not reckoned

    def now_ms(self) -> int:
        return self._clock_ms()

    def venue_ms(self) -> int:
        """Now, by the venue's clock, as far as that is known."""
        now_ms = self._clock_ms()
        if not self._until_ms - _KEPT_MS <= now_ms < self._until_ms:
            offset = self._venue.offset(now_ms)
            self._ahead_ms = offset.offset_ms if offset else 0
            self._until_ms = now_ms + _KEPT_MS
        return now_ms + self._ahead_ms

    def offset(self) -> Offset | None:
        return self._venue.offset(self._clock_ms())

    def answered(self, sent_ms: int, venue_ms: int, resolution_ms: int) -> None:
        """The venue wrote this stamp after we asked, and before now."""
        self._until_ms = -1
        self._venue.take(Sample(sent_ms, self._clock_ms(), venue_ms, resolution_ms))
        offset = self.offset()
        if offset is not None:
            self._judge(offset)

    def look(self) -> Jump | None:
        """Whether the clock of this machine was set, or stood still, since the last look."""
        jump = self._jumps.look(self._clock_ms(), self._monotonic_ms())
        if jump is None or jump.kind is not Kind.STEP:
            return None  # Who merely looks rarely has not slept.
        self._venue.forget()
        self._until_ms = -1
        way = "forwards" if jump.jumped_ms > 0 else "backwards"
        words = f"the clock of this machine jumped {way} by {lasted(abs(jump.jumped_ms))}"
        self._told("clock_jumped", words, {"jumped_ms": jump.jumped_ms})
        return jump

    def _judge(self, offset: Offset) -> None:
        """Only what is certain counts: the least that the clocks are apart."""
        apart = offset.least_ms > (LIMIT_MS // 2 if self._apart else LIMIT_MS)
        if apart == self._apart:
            return
        self._apart = apart
        detail = {
            "exchange": self._name,
            "offset_ms": offset.offset_ms,
            "uncertainty_ms": offset.uncertainty_ms,
        }
        far = f"{abs(offset.offset_ms) / 1000:.1f} s ± {offset.uncertainty_ms / 1000:.1f} s"
        if apart:
            ahead = "behind" if offset.offset_ms > 0 else "ahead of"
            words = f"the clock of this machine is {ahead} that of {self._name} by {far}"
            self._told("clock_offset", words, detail)
        else:
            words = f"the clock of this machine agrees with that of {self._name} again"
            self._told("clock_agrees", words, detail)
