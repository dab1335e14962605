"""The venue's clock is known within bounds that a reply proves, and never better than that.

A reply says: the venue wrote this stamp after we asked and before we heard. That bounds how far its
clock is ahead of ours; bounds grow with age, since clocks drift, and what most of the recent ones
share is the answer. Fewer than that in agreement: nobody knows. A machine that slept, or whose
clock was set, is seen by two clocks that no longer move together; what was known is then forgotten.
"""

from collections import deque
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

SAMPLES_MAX = 32
DRIFT_PPM = 100  # of both clocks together, at their worst
JUMP_MS = 5_000


class Sample(NamedTuple):
    """Times of this machine around a request, and what the venue wrote meanwhile."""

    sent_ms: int
    received_ms: int
    venue_ms: int
    resolution_ms: int = 1  # 1000: it writes whole seconds, cut


class Offset(NamedTuple):
    """What to add to a time of this machine to have the venue's."""

    offset_ms: int
    uncertainty_ms: int  # it is off by no more than this
    age_ms: int  # of the newest reply that agrees

    @property
    def least_ms(self) -> int:
        """How far the clocks are apart for certain."""
        return max(abs(self.offset_ms) - self.uncertainty_ms, 0)


class VenueClock:
    """Samples in, an offset out."""

    def __init__(self, *, drift_ppm: int = DRIFT_PPM, samples_max: int = SAMPLES_MAX) -> None:
        self._drift_ppm = drift_ppm
        self._samples: deque[Sample] = deque(maxlen=samples_max)

    def take(self, sample: Sample) -> bool:
        """False: no reply can be like that (a clock was set between question and answer)."""
        if sample.received_ms < sample.sent_ms or sample.resolution_ms < 1:
            return False
        self._samples.append(sample)
        return True

    def offset(self, now_ms: int) -> Offset | None:
        """None: no reply yet, or no majority of them can be true together."""
        bounds = [self._bounds(sample, now_ms) for sample in self._samples]
        shared = _shared(bounds)
        if shared is None:
            return None
        low, high = shared
        middle = (low + high) // 2
        age_ms = min(
            now_ms - sample.received_ms
            for sample, (lowest, highest) in zip(self._samples, bounds, strict=True)
            if lowest <= middle <= highest
        )
        return Offset(middle, high - middle, max(age_ms, 0))

    def forget(self) -> None:
        """The machine's clock was set: what was heard before says nothing of it now."""
        self._samples.clear()

    def _bounds(self, sample: Sample, now_ms: int) -> tuple[int, int]:
        aged_ms = max(now_ms - sample.received_ms, 0)
        drift_ms = -(-aged_ms * self._drift_ppm // 1_000_000)
        low = sample.venue_ms - sample.received_ms - 1  # our stamps are cut too
        high = sample.venue_ms + sample.resolution_ms - sample.sent_ms
        return low - drift_ms, high + drift_ms


class Kind(StrEnum):
    STEP = "the clock was set, or the machine slept"
    PAUSE = "the machine slept, or stood still"


class Jump(NamedTuple):
    kind: Kind
    jumped_ms: int  # forwards, or backwards if negative


class Jumps:
    """Looks at the wall clock and the monotonic one together, often; see `JUMP_MS`."""

    def __init__(self, limit_ms: int = JUMP_MS) -> None:
        self._limit_ms = limit_ms
        self._seen: tuple[int, int] | None = None

    def look(self, wall_ms: int, monotonic_ms: int) -> Jump | None:
        """What happened since the last look: looks are to come far oftener than the limit."""
        seen, self._seen = self._seen, (wall_ms, monotonic_ms)
        if seen is None:
            return None
        passed_ms = monotonic_ms - seen[1]
        apart_ms = wall_ms - seen[0] - passed_ms
        if abs(apart_ms) > self._limit_ms:
            return Jump(Kind.STEP, apart_ms)
        if passed_ms > self._limit_ms:
            return Jump(Kind.PAUSE, passed_ms)
        return None


def _shared(bounds: list[tuple[int, int]]) -> tuple[int, int] | None:
    """What the most of them share, if that is more than half: Marzullo's algorithm.

    >>> _shared([(8, 12), (11, 13), (14, 15)])
    (11, 12)
    """
    edges = sorted([(low, 0) for low, _ in bounds] + [(high, 1) for _, high in bounds])
    agreeing, most, best = 0, len(bounds) // 2, None
    for (edge, is_end), (following, _) in pairwise(edges):
        agreeing += -1 if is_end else 1
        if agreeing > most:
            most, best = agreeing, (edge, following)
    return best
