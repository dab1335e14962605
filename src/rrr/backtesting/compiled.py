"""The core's very functions, handed to numba from outside; the core never hears of it.

What is compiled is kept in a folder named by the hash of all it was made of: numba's own cache
looks at the file of the entry function only, and would go on with yesterday's rules.
"""

import inspect
import os
import sys
from collections.abc import Callable
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from rrr import core
from rrr.core import (
    arms,
    ledger,
    market,
    matching,
    orders,
    policy,
    pursuit,
    rules,
    shelf,
    state,
)

from . import desk, loops

# What is rare.
CALLED = frozenset(("happens", "stopped", "struck", "touched", "day_over", "pursue"))
# What holds all of `happens` and goes into `start` whole: optimised there, and not before.
SWALLOWED = frozenset(("fills", "closes", "signals", "run"))


class Loops(NamedTuple):
    start: Callable[..., tuple[int, int, int]]
    gather: Callable[..., None]


def usual_folder() -> Path:
    """Where a program keeps what it can make again (XDG base directories)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rrr" / "compiled"


def code_hash() -> str:
    """Of all that decides what is compiled, and of the place and time by which numba finds it."""
    digest = blake2b(digest_size=8)
    digest.update(f"{version('numba')} {version('llvmlite')} {sys.version}".encode())
    here = Path(__file__).parent
    for entry in ("loops.py", "desk.py"):
        digest.update(f"{here / entry} {(here / entry).stat().st_mtime_ns}".encode())
    ours = ("loops", "desk", "flat", "speak", "boxes", "tables", "compiled")
    files = [*Path(core.__path__[0]).glob("*.py"), *(here / f"{name}.py" for name in ours)]
    for file in sorted(files):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def loops_compiled(folder: Path | None = None) -> Loops:
    """The compiled loops, one for a process: the first folder named is the one they are kept in."""
    return _MADE[0] if _MADE else _made(folder or usual_folder())


_MADE: list[Loops] = []


def is_cold(folder: Path | None = None) -> bool:
    """Whether they must be compiled first: half a minute, once a version."""
    return not any(((folder or usual_folder()) / code_hash()).rglob("loops.start*.nbi"))


def _made(folder: Path) -> Loops:
    import numba
    from numba.extending import register_jitable

    from . import speak

    for module in (
        market,
        orders,
        state,
        policy,
        rules,
        shelf,
        matching,
        ledger,
        arms,
        pursuit,
        desk,
        loops,
    ):
        for name, function in list(vars(module).items()):
            if inspect.isfunction(function) and function.__module__ == module.__name__:
                register_jitable(forceinline=name not in CALLED)(function)
    speak.optimise_all_but(SWALLOWED)
    numba.config.CACHE_DIR = str(folder / code_hash())  # asked for by what follows
    _MADE.append(Loops(numba.njit(loops.start, cache=True), numba.njit(desk.gather, cache=True)))
    return _MADE[0]
