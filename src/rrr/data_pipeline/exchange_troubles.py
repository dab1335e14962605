"""A trouble is told once when it begins and once when it is over, however often it is met."""

import random
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from rrr.data_pipeline.recorded_rows import utc

Told: TypeAlias = Callable[[str, str, dict[str, Any]], None]

PAUSE_S_MAX: Final = 60.0


class Trouble(Exception):
    """Why an exchange did not answer: a phrase that follows its name."""

    def __init__(self, kind: str, words: str, pause_s: float = 0.0) -> None:
        super().__init__(words)
        self.kind, self.words, self.pause_s = kind, words, pause_s


class Troubles:
    """The kinds of trouble that have begun and are not over."""

    def __init__(self, name: str, clock_ms: Callable[[], int], told: Told) -> None:
        self._name, self._clock_ms, self._told = name, clock_ms, told
        self._begun: dict[str, int] = {}

    def met(self, trouble: Trouble, symbol: str) -> None:
        if trouble.kind in self._begun:
            return
        self._begun[trouble.kind] = self._clock_ms()
        detail = {"exchange": self._name, "kind": trouble.kind, "symbol": symbol}
        self._told("exchange_trouble", f"{self._name} {trouble.words}; it is asked again", detail)

    def over(self) -> None:
        if not self._begun:
            return
        lasted_ms = max(self._clock_ms() - min(self._begun.values()), 0)
        detail = {"exchange": self._name, "kinds": sorted(self._begun), "lasted_ms": lasted_ms}
        words = f"{self._name} answers again, after {lasted(lasted_ms)}"
        self._begun.clear()
        self._told("exchange_recovered", words, detail)


def forgotten(opened_at_ms: int) -> Trouble:
    return Trouble("nonsense", f"no longer has the candle of {utc(opened_at_ms)}")


def pause_s(tries: int, chance: float | None = None) -> float:
    """Twice as long each time, never more than a minute, and not all machines at once."""
    longest = min(PAUSE_S_MAX, 2.0 ** min(tries - 1, 10))
    return longest * (1 + (random.random() if chance is None else chance)) / 2


def lasted(duration_ms: int) -> str:
    """
    >>> lasted(1_400), lasted(200_000), lasted(7_500_000)
    ('1 s', '3 min 20 s', '2 h 5 min')
    """
    seconds = duration_ms // 1000
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
