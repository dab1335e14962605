"""What is written has happened, and is on the disk before anybody hears of it.

JSON lines that only grow, numbered from one. Started again with the same file, a venue goes on
where it was killed; a line torn by its death was never told to anybody, and is cut off.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


class Ledger:
    def __init__(self, path: Path | None) -> None:
        """Without a path it is kept in memory alone."""
        self.entries: list[Entry] = []
        self._file: int | None = None
        if path is not None:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            written = path.read_bytes()
            whole = written[: written.rfind(b"\n") + 1]
            os.truncate(self._file, len(whole))
            self.entries = [json.loads(line) for line in whole.splitlines()]

    def write(self, entries: Iterable[Entry]) -> None:
        """In one piece."""
        fresh = [{"n": n, **each} for n, each in enumerate(entries, len(self.entries) + 1)]
        if self._file is not None and fresh:
            lines = "".join(json.dumps(each) + "\n" for each in fresh).encode()
            assert os.write(self._file, lines) == len(lines), "the disk is full"
            os.fsync(self._file)
        self.entries += fresh
