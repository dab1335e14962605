"""A note becomes one line, whatever it says, and no secret is in it.

These are the processors of structlog: odd values become plain ones, secrets become stars, and what
is left is rendered twice, for a person and for a program. Signs that would break a line, steer a
terminal or turn its text around are escaped in both.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, MutableMapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from numbers import Integral, Real
from typing import Any, Final

from rrr.monitoring.notes import Level
from rrr.secrecy import Secrets, hushed_within

Fields = MutableMapping[str, Any]

DEPTH_MAX: Final = 8
TEXT_MAX: Final = 4000  # characters for a person; the program gets all
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Controls, line ends of Unicode, and marks that turn the direction of writing.
UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
PLAIN: Final = frozenset((str, int, bool, type(None)))
encode: Final = json.JSONEncoder(ensure_ascii=False).encode


def plain(_logger: object, _method: str, fields: Fields) -> Fields:
    """What JSON knows, of whatever was said."""
    return {**fields, "text": f"{fields['text']}", "detail": plainly(fields["detail"])}


class Redaction:
    """Puts stars where one of these secrets stands, or one that was read since."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = Secrets(secrets)

    def __call__(self, _logger: object, _method: str, fields: Fields) -> Fields:
        shown = {name: fields[name] for name in ("text", "detail")}
        return {**fields, **hushed_within(self._secrets.within(shown))}


class Rendering:
    """The last processor: what it returns is what `Pair.append` is called with."""

    def __init__(self, market_clock: bool) -> None:
        self._market_clock = market_clock

    def __call__(
        self, _logger: object, _method: str, fields: Fields
    ) -> tuple[tuple[str, str], dict[str, Any]]:
        return (self.human(fields), machine(fields)), {}

    def human(self, fields: Fields) -> str:
        parts = [utc(fields["wall_ms"], " ")]
        if fields["synthetic"]:
            parts.append("SYNTHETIC")
        if self._market_clock and fields["at_ms"] is not None:
            parts.append(f"market {utc(fields['at_ms'], ' ', 'minutes')}")
        if fields["level"] > Level.INFO:
            parts.append(Level(fields["level"]).name)
        text = fields["text"]
        if len(text) > TEXT_MAX:
            text = f"{text[:TEXT_MAX]} … and {len(text) - TEXT_MAX:,} more characters"
        return UNSAFE.sub(_escaped, "  ".join([*parts, text]))


def machine(fields: Fields) -> str:
    """One JSON object."""
    told: dict[str, Any] = {"ts": utc(fields["wall_ms"])}
    if fields["at_ms"] is not None:
        told["at"] = utc(fields["at_ms"])
    told |= {"level": Level(fields["level"]).name.lower(), "log": fields["log"]}
    told |= {"event": fields["event"], "text": fields["text"]}
    if fields["synthetic"]:
        told["synthetic"] = True
    if fields["detail"]:
        told["detail"] = fields["detail"]
    return UNSAFE.sub(lambda sign: f"\\u{ord(sign[0]):04x}", encode(told))


def plainly(value: object, depth: int = DEPTH_MAX) -> Any:
    """
    >>> plainly({7: (b"raw", math.nan), "level": Level.INFO, "wrong": ValueError("so")})
    {'7': ['raw', 'nan'], 'level': 'INFO', 'wrong': 'ValueError: so'}
    """
    if type(value) in PLAIN:
        return value
    match value:
        case Enum():
            return value.name
        case str():
            return str(value)
        case Integral():
            return int(value)
        case Real():
            return float(value) if math.isfinite(value) else str(value)
        case bytes() | bytearray():
            return value.decode("utf-8", "backslashreplace")
        case Mapping() | list() | tuple() | set() | frozenset() if depth == 0:
            return "…"  # it may even hold itself
        case tuple() if hasattr(value, "_asdict"):
            return plainly(value._asdict(), depth)
        case Mapping():
            return {str(plainly(k)): plainly(v, depth - 1) for k, v in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plainly(each, depth - 1) for each in value]
        case BaseException():
            return f"{type(value).__name__}: {value}"
    return str(value)


@lru_cache(16)  # what happens together has the same time
def utc(at_ms: int, between: str = "T", to: str = "milliseconds") -> str:
    """
    >>> utc(1_704_067_200_123), utc(1_704_067_200_123, " ", "minutes")
    ('2024-01-01T00:00:00.123Z', '2024-01-01 00:00Z')
    """
    return (EPOCH + timedelta(milliseconds=at_ms)).isoformat(between, to)[:-6] + "Z"


def _escaped(sign: re.Match[str]) -> str:
    return sign[0].encode("unicode_escape").decode("ascii")
