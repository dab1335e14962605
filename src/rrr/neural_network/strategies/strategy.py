"""A strategy sees closed candles and says how convinced it is; it knows no orders and no money.

One opinion is a function of the last `window` candles and of nothing else: so the whole of history
and the last few candles of a live market give the same one. Usually it is asked for one instrument
at a time, of the candles that exist, one after the other: holes are the house's business. One that
compares instruments is asked for all `together`, on the even grid of time, holes and all.
"""

import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final, Literal

from rrr.core.errors import ConfigError
from rrr.core.market import BPS

from ..panel import I64, Panel

FULL: Final = BPS  # as convinced as one can be: long
FLAT: Final = 0
SILENT: Final = -32_768  # no opinion now: what is held stays held
USER_FILE: Final = "__rrr_strategy__"  # where a module keeps the path and sha256 it was read from


class Strategy(ABC):
    """Its parameters are the fields of a frozen dataclass; its opinions, basis points."""

    name: ClassVar[str]  # by which people ask for it; of itself, that of its class
    entry: ClassVar[Literal["take", "maker"]] = "take"  # how its purchases are made
    together: ClassVar[bool] = False  # whether it compares instruments
    usual: ClassVar[Mapping[str, str]] = MappingProxyType({})  # settings `policy.…` it is made for

    @property
    @abstractmethod
    def window(self) -> int:
        """Candles behind one opinion, the last one included."""

    @abstractmethod
    def convictions(self, panel: Panel) -> I64:
        """(instruments, times): -10,000 to 10,000, or SILENT. The panel can only be read.

        What the first `window - 1` columns say is not listened to.
        """

    @property
    def text(self) -> str:
        """The words that `naming.named` reads: name and every parameter."""
        return self._words(_file_of(self)[0])

    @property
    def source(self) -> str:
        """The sha256 of what it was read from; nothing of those that come with the house."""
        return _file_of(self)[1]

    @property
    def title(self) -> str:
        """For people, wherever its file lies; no two strategies that differ share one."""
        words = self._words(Path(_file_of(self)[0]).name)
        return f"{words} @{self.source[:12]}" if self.source else words

    def require(self, sound: bool, rule: str) -> None:
        """For `__post_init__`. Raise ConfigError where parameters make no sense together."""
        if not sound:
            raise ConfigError(
                f"{self.text} makes no sense: {rule}.", "Ask for it with other parameters."
            )

    def _words(self, file: str) -> str:
        name = f"{file}:{type(self).__name__}" if file else self.name
        values = ",".join(f"{name}={value}" for name, value in parameters(self).items())
        return f"{name}:{values}" if values else name

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if "name" not in cls.__dict__:
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()
        assert all(name.startswith("policy.") for name in cls.usual), "No strategy widens a limit."


def identity(strategy: Strategy) -> int:
    """Who it is in a journal: 48 bits of its title and source, never 0, which is the baseline."""
    digest = sha256(f"strategy 1 {strategy.title}\n{strategy.source}".encode()).digest()
    return int.from_bytes(digest[:6], "big") or 1


def parameters(strategy: Strategy) -> dict[str, str]:
    """Each field as a person would write it."""
    found = fields_of(type(strategy))
    return {one.name: _written(getattr(strategy, one.name)) for one in found}


def fields_of(kind: type[Strategy]) -> "list[Field[Any]]":
    """What can be said of it: a class that is no dataclass has no parameters."""
    return [one for one in fields(kind) if one.init] if is_dataclass(kind) else []


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _file_of(strategy: Strategy) -> tuple[str, str]:
    """Its path, as it was asked for, and the sha256 of what was there; empty if built in."""
    found: tuple[str, str] = getattr(
        sys.modules.get(type(strategy).__module__), USER_FILE, ("", "")
    )
    return found
