"""Results go to standard output, all else to standard error, and no secret to either.

Who stops reading stops nothing.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, TextIO, cast

from rrr.core.errors import RRRError, StorageFailed
from rrr.secrecy import hushed


class Discreet:
    """A stream through which no secret leaves, whoever writes to it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @classmethod
    def around(cls, stream: TextIO | None) -> TextIO | None:
        """Who was started without a stream has none."""
        return None if stream is None else cast(TextIO, cls(stream))

    def write(self, text: str) -> int:
        self._stream.write(hushed(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def failed(error: RRRError, as_json: bool) -> int:
    say(f"rrr: {shown(error.what)}\n     {shown(error.advice)}", sys.stderr)
    if as_json:
        kind = type(error).__name__
        say(json.dumps({"error": kind, "what": error.what, "advice": error.advice}), sys.stdout)
    return error.exit_code


def shown(text: str) -> str:
    """Whoever wrote a part of it, its lines are lines and nothing of it steers a terminal."""
    from rrr.monitoring.words import printable

    return "\n".join(map(printable, text.split("\n")))


def say(line: str, file: TextIO | None, end: str = "\n") -> OSError | None:
    """Print, whoever listens: one that has left, or has no room, hears nothing from then on."""
    try:
        print(hushed(line), file=file, flush=True, end=end)
    except OSError as error:
        if file is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), file.fileno())
        return error
    return None


def tell(options: argparse.Namespace, found: Any, words: Callable[[], str]) -> None:
    """Print the result that was asked for. Raise StorageFailed where it found no room."""
    error = say(json.dumps(found) if options.json else words(), sys.stdout)
    if error is not None and not isinstance(error, BrokenPipeError):
        raise StorageFailed(
            f"Standard output cannot be written: {error.strerror}.", "Send it somewhere else."
        ) from error
