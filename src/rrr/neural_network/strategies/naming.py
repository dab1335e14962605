"""A strategy is asked for in words: a name or a file, and what differs from its usual parameters.

`moving-average-cross` or `moving-average-cross:fast=10,slow=50`; of a file `mine/golden.py`, if it
defines one strategy, or `mine/golden.py:Golden:fast=20`. What a file defines runs in this process.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from hashlib import sha256
from importlib.abc import SourceLoader
from importlib.util import module_from_spec, spec_from_loader
from inspect import isabstract
from pathlib import Path
from types import ModuleType
from typing import Any, Final, get_type_hints

from rrr.core.errors import ConfigError, NotFound, StrategyBroken

from .asked import MEND, Blame, window_of
from .averages import MovingAverageCross
from .breakout import Breakout
from .champion import Champion
from .hold import Hold
from .neural import Neural
from .reversion import MeanReversion
from .strategy import USER_FILE, Strategy, fields_of
from .trend import Trend

BUILT_IN: Final[Mapping[str, type[Strategy]]] = {
    kind.name: kind
    for kind in (Breakout, Champion, Hold, MeanReversion, Neural, MovingAverageCross, Trend)
}
HOUSE: Final = ("baseline", "model")  # a trend of the settings, and the model that it trains
SHAPE: Final = "NAME:parameter=value,… or path/to/file.py:Class:parameter=value,…"
TRUTH: Final = {"true": True, "false": False}
KINDS: Final[Mapping[type, tuple[Callable[[str], object], str]]] = {
    int: (int, "a whole number"),
    float: (float, "a number"),
    bool: (lambda text: TRUTH[text.lower()], "true or false"),
    str: (str, "text"),
}


def named(text: str) -> Strategy:
    """The strategy that is meant. Raise NotFound, ConfigError or StrategyBroken."""
    where, *rest = text.strip().split(":")
    if where.endswith(".py"):
        if rest and "=" not in rest[0]:
            kind, rest = _class_of(where, rest[0]), rest[1:]
        else:
            kind = _class_of(where, "")
    else:
        kind = _built_in(where)
    if len(rest) > 1:
        raise ConfigError(f"{text!r} does not read as a strategy.", f"It is {SHAPE}.")
    values = _values(kind, rest[0] if rest else "")
    with Blame(f"{kind.name} cannot be made"):
        made = kind(**values)
    window_of(made)
    return made


def strategy_of(opinion: str) -> Strategy | None:
    """The strategy that the setting `signals` means; none where the house forms its own opinion."""
    return None if opinion in HOUSE else named(opinion)


def _built_in(name: str) -> type[Strategy]:
    if name not in BUILT_IN:
        raise NotFound(f"There is no strategy {name!r}.", f"There are {_nearest(name, BUILT_IN)}.")
    return BUILT_IN[name]


def _class_of(path: str, name: str) -> type[Strategy]:
    """A strategy that a file of a person defines; without a name, the only one."""
    module = _module(path)
    found = {
        each.__name__: each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Strategy)
        if each.__module__ == module.__name__ and not isabstract(each)
    }
    if not found:
        raise NotFound(
            f"{path} defines no strategy.",
            "One is a class made of Strategy, with `window` and `convictions`: docs/strategies.md.",
        )
    if name in found:
        return found[name]
    if not name and len(found) == 1:
        return next(iter(found.values()))
    said = f"{path} defines no strategy {name!r}" if name else f"{path} defines several strategies"
    raise NotFound(f"{said}.", f"Say which, as {path}:Class; it has {_nearest(name, found)}.")


class Content(SourceLoader):
    """What is run is what was read and hashed: no second look at the file, no cache beside it."""

    def __init__(self, path: Path, content: bytes) -> None:
        self.path, self.content = path, content

    def get_filename(self, fullname: str) -> str:
        return str(self.path)

    def get_data(self, path: str | bytes) -> bytes:  # its base class knows both kinds of a path
        return self.content


def _module(path: str) -> ModuleType:
    """The file as a module of its own, run once for each content that it has had."""
    try:
        place = Path(path).expanduser()
        content = place.read_bytes()
    except (OSError, ValueError, RuntimeError) as error:  # of the two last: nobody's home, no name
        why = (error.strerror or error) if isinstance(error, OSError) else error
        said = f"{path!r} cannot be read: {why}."
        raise NotFound(said, "Name a Python file that defines a strategy.") from error
    digest = sha256(content).hexdigest()
    name = f"rrr_strategy_{sha256(path.encode()).hexdigest()[:12]}_{digest[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_loader(name, Content(place, content))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    vars(module)[USER_FILE] = (path, digest)
    sys.modules[name] = module  # dataclasses look their module up while they are made
    try:
        with Blame(f"{path} cannot be run"):
            spec.loader.exec_module(module)
    except StrategyBroken:
        del sys.modules[name]
        raise
    return module


def _values(kind: type[Strategy], text: str) -> dict[str, object]:
    known = {one.name for one in fields_of(kind)}
    with Blame(f"{kind.name} has parameters that nobody can read"):
        types = get_type_hints(kind)
    values: dict[str, object] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = (word.strip() for word in part.partition("="))
        if not equals or name in values:
            said = "is given twice" if name in values else "is no parameter=value"
            raise ConfigError(f"{part!r} of {kind.name} {said}.", f"A strategy is {SHAPE}.")
        if name not in known:
            has = f"It has {_nearest(name, known)}." if known else "It has none."
            raise ConfigError(f"{kind.name} has no parameter {name!r}.", has)
        values[name] = _value(kind, name, types[name], value)
    return values


def _value(kind: type[Strategy], name: str, of: Any, text: str) -> object:
    """What was typed, as what is asked."""
    if of not in KINDS:
        said = f"{name} of {kind.name} is of a kind that cannot be typed: {of}."
        raise StrategyBroken(said, f"Parameters are int, float, bool or str. {MEND}")
    read, asked_for = KINDS[of]
    try:
        return read(text)
    except (ValueError, KeyError) as error:
        raise ConfigError(f"{name} of {kind.name} is {text!r}.", f"It is {asked_for}.") from error


def _nearest(wanted: str, names: Iterable[str]) -> str:
    """All names, what looks most like the wanted one first."""
    known = sorted(names)
    alike = get_close_matches(wanted, known, n=max(len(known), 1), cutoff=0.4)
    return ", ".join([*alike, *(name for name in known if name not in alike)])
