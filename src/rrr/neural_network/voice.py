"""Who has the opinion: the baseline or a model, and the house cannot tell them apart.

Closes go in, the oldest first, and signals come out. A voice remembers what it has met; warmed with
the last `window` closes, where no candle is missing, it says what it would have said anyway.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from rrr.core.events import Close, Signal


class Voice(Protocol):
    """One opinion per instrument and closing time, once enough is known."""

    @property
    def model(self) -> int:
        """The id that its signals carry; 0 is the baseline."""

    @property
    def name(self) -> str:
        """For people: "baseline", "model 3f2a91c04b1d"."""

    @property
    def window(self) -> int:
        """The closes it needs to know."""

    def meet(self, closes: Sequence[Close]) -> list[list[Signal]]:
        """For each close its signals, instruments in canonical order."""

    def warm(self, closes: Iterable[Close]) -> None:
        """Remember closes without a word."""
