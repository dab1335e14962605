"""What a person types becomes one call, and every way to fail becomes its sentence and exit code.

Results go to standard output (with --json one object), everything else to standard error. Whoever
stops reading either stops nothing.
"""

import os
import shlex
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from rrr.core.errors import RRRError, UsageError

from .parsing import parsed
from .speaking import Discreet, failed, say

__all__ = ["command", "run"]


def run() -> NoReturn:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal may lack a sign
    # Tracebacks and what libraries print leave this way too.
    sys.stdout, sys.stderr = Discreet.around(sys.stdout), Discreet.around(sys.stderr)
    try:
        code: int | str | None = command(sys.argv[1:])
    except SystemExit as asked:  # for help
        code = asked.code
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        raise
    say("", sys.stdout, end="")
    sys.exit(code)


def command(arguments: Sequence[str]) -> int:
    """Do what was asked; the exit code is the answer."""
    try:
        if not __debug__:
            raise UsageError(
                "The laws of the house are assertions, and this Python leaves them out.",
                "Run it without -O, and without PYTHONOPTIMIZE.",
            )
        options = parsed(arguments)
        options.typed = shlex.join(["rrr", *arguments])
        return int(options.do(options))
    except RRRError as error:
        return failed(error, "--json" in arguments)
    except ExceptionGroup as group:
        ours, others = group.split(RRRError)
        if ours is None or others is not None:
            raise
        return failed(leaf(ours), "--json" in arguments)


def leaf(group: ExceptionGroup[RRRError]) -> RRRError:
    """The first of what failed together."""
    error = group.exceptions[0]
    return leaf(error) if isinstance(error, ExceptionGroup) else error
