"""No minute, wherever it begins, holds more weight than the venue allows; exits have a reserve.

Tokens flow into a bucket. What it holds at most and what flows in within a minute are together the
venue's limit. Only exits may spend the last of it. A venue that asks for a pause has it from
everybody, exits too: whoever goes on asking is banned, and then no exit gets through at all.
"""

from typing import Final

MINUTE_MS: Final = 60_000

_PAUSE_MS_MAX: Final = 60_000
_DOUBLINGS_MAX: Final = 20


class Budget:
    """What may still be asked of a venue. Times are monotonic."""

    def __init__(self, per_minute: int, *, burst: int, reserve: int) -> None:
        """`burst`: the most at once; `reserve`: the part of it that only exits may use."""
        assert 0 <= reserve < burst < per_minute
        self._per_minute, self._burst, self._reserve = per_minute, burst, reserve
        self._parts = burst * MINUTE_MS  # of a token: so many milliseconds of one a minute
        self._at_ms = 0
        self._paused_until_ms = 0

    def wait_ms(self, weight: int, now_ms: int, *, is_exit: bool = False) -> int:
        """Spend so much, if that may be now: 0. Otherwise nothing is spent: come again then."""
        kept = 0 if is_exit else self._reserve
        assert 0 < weight <= self._burst - kept, "It would wait for ever: ask for less at once."
        self._flow(now_ms)
        lacking = (weight + kept) * MINUTE_MS - self._parts
        wait_ms = max(-(-lacking // self._rate), self.paused_ms(self._at_ms))
        if wait_ms == 0:
            self._parts -= weight * MINUTE_MS
        return wait_ms

    def left(self, now_ms: int) -> int:
        """Whole tokens, the reserve among them; none while the venue wants a pause."""
        self._flow(now_ms)
        return 0 if self.paused_ms(self._at_ms) else self._parts // MINUTE_MS

    def paused_ms(self, now_ms: int) -> int:
        """How much longer nothing may be asked at all."""
        return max(self._paused_until_ms - now_ms, 0)

    def counted(self, used: int, now_ms: int) -> None:
        """The venue says how much of this minute is used: others ask from this address too."""
        self._flow(now_ms)
        self._parts = min(self._parts, max(self._per_minute - used, 0) * MINUTE_MS)

    def pause(self, until_ms: int, now_ms: int) -> None:
        """It answered 429, or 418: nothing until then, and afterwards the reserve at most."""
        self._flow(now_ms)
        self._paused_until_ms = max(until_ms, self._paused_until_ms)
        self._parts = min(self._parts, self._reserve * MINUTE_MS)

    @property
    def _rate(self) -> int:
        """Parts in a millisecond."""
        return self._per_minute - self._burst

    def _flow(self, now_ms: int) -> None:
        passed_ms = max(now_ms - self._at_ms, 0)
        self._parts = min(self._parts + passed_ms * self._rate, self._burst * MINUTE_MS)
        self._at_ms = max(now_ms, self._at_ms)


def backoff_ms(tries: int, chance: float, longest_ms: int = _PAUSE_MS_MAX) -> int:
    """After so many tries: twice as long each time, bounded, and not all machines at once.

    `chance` is a random number from 0 to 1.

    >>> backoff_ms(1, 0.0), backoff_ms(1, 1.0), backoff_ms(4, 1.0), backoff_ms(99, 1.0)
    (500, 1000, 8000, 60000)
    """
    assert tries > 0
    assert 0 <= chance <= 1
    pause_ms = min(1_000 << min(tries - 1, _DOUBLINGS_MAX), longest_ms)
    return int(pause_ms * (1 + chance) / 2)
