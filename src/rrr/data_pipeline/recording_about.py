"""A recording begins with how the exchange was asked: as it was said, or it is no recording.

Whoever replays it asks in the same way. Each value is checked, because files can be edited.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from rrr.data_pipeline.recorded_files import TIMEFRAMES
from rrr.data_pipeline.recording import wrong


class About(NamedTuple):
    exchange: str
    symbols: tuple[str, ...]
    timeframe: str
    candles: int | None
    past: int
    address: str | None
    sockets: bool
    timeout_ms: int
    seed: int
    depth_levels: int = 0


def about_of(text: str, file: Path) -> About:
    """Raise DataError for what nobody can have asked."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise wrong(file, 1, f"about is {text!r:.60}") from error
    if not isinstance(said, dict):
        raise wrong(file, 1, f"about is {text!r:.60}")
    said = {**About._field_defaults, **said}
    for name, is_right in _RIGHT.items():
        if name not in said:
            raise wrong(file, 1, f"it says no {name}")
        if not is_right(said[name]):
            raise wrong(file, 1, f"{name} is {said[name]!r:.60}")
    known = {name: said[name] for name in About._fields}
    return About(**known | {"symbols": tuple(said["symbols"])})


def _between(least: int, most: int) -> Callable[[Any], bool]:
    return lambda said: type(said) is int and least <= said <= most


def _is_text(said: Any) -> bool:
    return isinstance(said, str)


_RIGHT: Final[Mapping[str, Callable[[Any], bool]]] = {
    "exchange": _is_text,
    "symbols": lambda said: isinstance(said, list) and all(map(_is_text, said)),
    "timeframe": lambda said: _is_text(said) and said in TIMEFRAMES,
    "candles": lambda said: said is None or _between(1, 10**9)(said),
    "past": _between(0, 100_000),
    "address": lambda said: said is None or _is_text(said),
    "sockets": lambda said: isinstance(said, bool),
    "timeout_ms": _between(1, 86_400_000),
    "seed": _between(0, 2**63 - 1),
    "depth_levels": _between(0, 25),
}
