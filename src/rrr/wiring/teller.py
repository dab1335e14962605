"""What happened is told once: to the log that it belongs to, and aloud to whoever watches.

Before the home is ours nothing is written into it: early notes wait for the logs.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any, TextIO

from rrr.config import Home, Loaded
from rrr.monitoring.logs import Logs
from rrr.monitoring.notes import Level, Note
from rrr.monitoring.terminal import Terminal


class Teller:
    """The terminal and the logs of one session."""

    def __init__(self, stream: TextIO | None, loaded: Loaded) -> None:
        self.synthetic = loaded.settings.source == "simulated"
        self.loaded = loaded
        self.home: Path = Path()
        self.terminal = Terminal(stream or _nobody(), synthetic=self.synthetic)
        self.logs: Logs | None = None
        self.early: list[Note] = []
        self.facts: list[Note] = []  # of the world outside: they become rows too

    def note(self, note: Note) -> None:
        self.terminal.note(note)
        if self.logs is None:
            self.early.append(note)
        else:
            self.logs.note(note)

    def notes(self, notes: Iterable[Note]) -> None:
        for note in notes:
            self.note(note)

    def fact(self, name: str, text: str, detail: Mapping[str, Any]) -> None:
        """What a market tells of its troubles."""
        note = Note("system", name, text, detail=detail, level=Level.WARNING)
        self.facts.append(note)
        self.note(note)

    def plain(self, text: str) -> None:
        """Words for the terminal that no log needs."""
        self.terminal.plain(text)

    @contextmanager
    def logging(self, home: Home) -> Iterator[None]:
        """Write the logs of this home until the block ends."""
        settings, loop = self.loaded.settings, asyncio.get_running_loop()
        self.home = home.root

        def trouble(note: Note) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self.terminal.note, note)

        with Logs(
            home.logs,
            on_trouble=trouble,
            synthetic=self.synthetic,
            market_clock=not settings.real,
            secrets=[secret.get_secret_value() for secret in self.loaded.secrets.values()],
            rotate_mb=settings.logs.rotate_mb,
            kept=settings.logs.kept,
        ) as self.logs:
            early, self.early = self.early, []
            for note in early:
                self.logs.note(note)
            try:
                yield
            finally:
                self.terminal.status(None)


def _nobody() -> TextIO:
    """Who was started without a standard output tells it to a stream that is closed."""
    stream = StringIO()
    stream.close()
    return stream
