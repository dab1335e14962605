"""A stream is silent when it says nothing for far longer than it usually does, and not before.

Only data counts: a socket that answers pings and carries none is silent. A stamp that stands still
is no news either. What the venue says of a stream by another way (no trades since, says the ticker)
counts as hearing it, so that a quiet coin is no dead socket. If all is silent it is the connection;
if something still speaks it is the subscription of whatever does not.
"""

from collections import deque
from math import ceil
from typing import Final, NamedTuple

_GAPS: Final = 64  # how many recent ones say what is usual
_GAPS_MIN: Final = 8  # with fewer nobody knows


class Patience(NamedTuple):
    """How long a stream may be silent: a multiple of its longer gaps, within bounds."""

    least_ms: int = 10_000
    unknown_ms: int = 60_000  # before it is known what is usual
    most_ms: int = 300_000
    factor: int = 5
    quantile: float = 0.95


class Stream(NamedTuple):
    instrument: str
    name: str  # prints, candles, touch, book: what was subscribed to


class Verdict(NamedTuple):
    """What is silent, for how long, and what its limit was."""

    stream: Stream | None  # None: all of the connection
    silent_ms: int
    limit_ms: int


class Silence:
    """The streams of one connection."""

    def __init__(self, patience: Patience = Patience()) -> None:  # noqa: B008
        self._patience = patience
        self._pulses: dict[Stream, _Pulse] = {}
        self._all = _Pulse(patience, 0)

    def expect(self, stream: Stream, at_ms: int) -> None:
        """It was subscribed to, or again: its silence begins now, its habits are remembered."""
        if not self._pulses:
            self._all.begin(at_ms)
        if stream in self._pulses:
            self._pulses[stream].begin(at_ms)
        else:
            self._pulses[stream] = _Pulse(self._patience, at_ms)

    def reconnected(self, at_ms: int) -> None:
        """All silence begins now."""
        for pulse in (self._all, *self._pulses.values()):
            pulse.begin(at_ms)

    def forget(self, stream: Stream) -> None:
        """Nothing is expected of it any more."""
        self._pulses.pop(stream, None)

    def heard(self, stream: Stream, at_ms: int, stamp_ms: int | None = None) -> bool:
        """Data came; False: of a stream nobody expects, or stamped no later than what came before.

        `stamp_ms` is the venue's own time of it, where it says one.
        """
        pulse = self._pulses.get(stream)
        if pulse is None or not pulse.news(stamp_ms):
            return False
        pulse.beat(at_ms)
        self._all.beat(at_ms)
        return True

    def quiet(self, stream: Stream, at_ms: int) -> None:
        """The venue says, by another way, that there was nothing to say on this stream."""
        pulse = self._pulses.get(stream)
        if pulse is not None:
            pulse.known(at_ms)

    def age_ms(self, instrument: str, now_ms: int) -> int | None:
        """Since anything was known of an instrument; None: none of its streams is expected.

        Unlike silence it does not begin anew with a subscription.
        """
        ages = [
            pulse.age_ms(now_ms)
            for stream, pulse in self._pulses.items()
            if stream.instrument == instrument
        ]
        return min(ages, default=None)

    def verdicts(self, now_ms: int) -> list[Verdict]:
        """What is silent: the connection alone, or streams in the order of their names."""
        if not self._pulses:
            return []
        silent = [
            Verdict(stream, pulse.silent_ms(now_ms), pulse.limit_ms)
            for stream, pulse in sorted(self._pulses.items())
            if pulse.silent_ms(now_ms) > pulse.limit_ms
        ]
        all_ms = self._all.silent_ms(now_ms)
        if all_ms > self._all.limit_ms:
            return [Verdict(None, all_ms, self._all.limit_ms)]
        if len(silent) == len(self._pulses):
            silent_ms = min(verdict.silent_ms for verdict in silent)
            return [Verdict(None, silent_ms, min(verdict.limit_ms for verdict in silent))]
        return silent


class _Pulse:
    """When something was last heard, and how long it is usually not."""

    __slots__ = (
        "_began_ms",
        "_gaps",
        "_heard_ms",
        "_known_ms",
        "_patience",
        "_stamp_ms",
        "limit_ms",
    )

    def __init__(self, patience: Patience, at_ms: int) -> None:
        self._patience = patience
        self._heard_ms = self._known_ms = at_ms  # data; data, or that there was none
        self._gaps: deque[int] = deque(maxlen=_GAPS)
        self.limit_ms = patience.unknown_ms
        self.begin(at_ms)

    def begin(self, at_ms: int) -> None:
        """Silence begins anew, and nothing is learned from the time before."""
        self._began_ms = at_ms
        self._stamp_ms = -1

    def news(self, stamp_ms: int | None) -> bool:
        if stamp_ms is not None:
            if stamp_ms <= self._stamp_ms:
                return False
            self._stamp_ms = stamp_ms
        return True

    def known(self, at_ms: int) -> None:
        self._known_ms = max(at_ms, self._known_ms)

    def beat(self, at_ms: int) -> None:
        # A gap beyond the limit teaches no more than the limit: an outage is not usual, but what
        # happens again and again becomes so, step by step.
        gap_ms = max(at_ms - max(self._heard_ms, self._began_ms), 0)
        self._gaps.append(min(gap_ms, self.limit_ms))
        self._heard_ms = max(at_ms, self._heard_ms)
        self.known(at_ms)
        if len(self._gaps) >= _GAPS_MIN:
            patience = self._patience
            usual = sorted(self._gaps)[ceil(patience.quantile * len(self._gaps)) - 1]
            self.limit_ms = min(max(patience.factor * usual, patience.least_ms), patience.most_ms)

    def age_ms(self, now_ms: int) -> int:
        return max(now_ms - self._known_ms, 0)

    def silent_ms(self, now_ms: int) -> int:
        return max(now_ms - max(self._known_ms, self._began_ms), 0)
