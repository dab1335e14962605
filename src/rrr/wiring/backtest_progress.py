"""How far a run is shows on one line of a terminal, and nowhere else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO

from rrr.monitoring.terminal import Terminal

CELLS: Final = 30


class Progress:
    """A stage at a time: its name, and a line that fills where it tells how far it is."""

    def __init__(self, stream: TextIO) -> None:
        self.terminal = Terminal(stream, synthetic=False)
        self.name = ""
        self.shown = ""

    @contextmanager
    def shows(self) -> Iterator[None]:
        """What is drawn here is gone at the end, however that comes."""
        try:
            yield
        finally:
            self.terminal.status(None)

    def stage(self, name: str, first: str = "") -> None:
        """Begin a stage, with a word of what comes first."""
        self.name = name
        self._draw(first or name)

    def heard(self, done: int, of: int) -> None:
        """So much of the stage is done."""
        share = min(done / of, 1.0) if of else 1.0
        self._draw(f"{self.name:<14}{picture(share)} {share:>4.0%}  of {of:,}")

    def _draw(self, text: str) -> None:
        if text != self.shown:
            self.shown = text
            self.terminal.status(text)


def picture(share: float) -> str:
    """
    >>> picture(0.5)
    '━━━━━━━━━━━━━━━───────────────'
    """
    full = round(share * CELLS)
    return "━" * full + "─" * (CELLS - full)
