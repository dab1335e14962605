"""What happened, once, in words for a person and figures for a program.

A note goes to one log, and aloud to the terminal. Whoever tells it knows no clock but the market's.
"""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

LOGS: Final = ("system", "trading", "audit")
NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Level(IntEnum):
    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


class Note(NamedTuple):
    log: str  # one of LOGS
    name: str  # fill, refused, halted, heartbeat …
    text: str  # without time, without SYNTHETIC
    at_ms: int | None = None  # the market's time; None where only the wall's matters
    detail: Mapping[str, Any] = NOTHING
    level: Level = Level.INFO
    aloud: bool = True
