"""A source is read to its end: each thing it gives knows its line, and so does each mistake.

What enters is a file, a `.env`, an environment, a command line; what leaves is text under dotted
names. Whether a value is good is not asked here, only whether its name is one of the schema's.
"""

import errno
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from rrr.core.errors import ConfigError, NotFound

from .schema import FIELDS, SECTIONS

if TYPE_CHECKING:
    from yaml import MappingNode, MarkedYAMLError, Node

PREFIX: Final = "RRR__"
SECRET: Final = re.compile(
    r"RRR_SECRET_\w+|(\w+_)?(API_?KEY|SECRET|PRIVATE_KEY|PASSPHRASE|PASSWORD|TOKEN)", re.IGNORECASE
)
BYTES_MAX: Final = 1 << 20
DEPTH_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Place:
    name: str
    path: Path | None = None
    line: int = 0

    @property
    def origin(self) -> str:
        return f"{self.name} line {self.line}" if self.line else self.name

    def __str__(self) -> str:
        return self.origin if self.path is None else f"{self.path} line {self.line}"


@dataclass(frozen=True, slots=True)
class Given:
    label: str  # the name as this source spells it
    value: object
    place: Place
    origin: str
    items: tuple[Place, ...] = ()  # where each item of a list stands


@dataclass(frozen=True, slots=True)
class Problem:
    place: Place
    sentence: str

    def __str__(self) -> str:
        line = f"{self.place}: {self.sentence}"
        return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in line)


@dataclass(frozen=True, slots=True)
class Source:
    given: dict[str, Given] = field(default_factory=dict)
    secrets: dict[str, tuple[SecretStr, str]] = field(default_factory=dict)  # with their origin
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, place: Place, sentence: str) -> None:
        self.problems.append(Problem(place, sentence))


def read_yaml(path: Path) -> Source:
    source, content = Source(), _content(path)
    import yaml

    try:
        _refuse_cleverness(source, content, path)
        root = None if source.problems else yaml.compose(content, Loader=_loader())
    except yaml.MarkedYAMLError as error:
        source.wrong(_at(path, error), f"this is not YAML: {error.problem}{_since(error)}.")
    except yaml.reader.ReaderError as error:
        line = content.encode()[: error.position].count(b"\n") + 1
        source.wrong(Place(path.name, path, line), "a character stands here that nobody can see.")
    else:
        if isinstance(root, yaml.MappingNode):
            _walk(source, root, path, {})
        elif root is not None and _plain(root) is not None:
            source.wrong(_at(path, root), "a setting is a line like `seed: 1`.")
    return source


def read_dotenv(path: Path) -> Source:
    source, content, lines = Source(), _content(path), dict[str, int]()
    from dotenv.parser import parse_stream

    for binding in parse_stream(StringIO(content)):
        original, name, value = binding.original.string, binding.key, binding.value
        blank = original[: len(original) - len(original.lstrip())].count("\n")
        place = Place(path.name, path, binding.original.line + blank)
        if binding.error or (name is not None and value is None):
            source.wrong(place, "a line is NAME=value or a # comment.")
        elif name is None or value is None:
            continue
        elif name in lines:
            source.wrong(place, f"{name} is already given in line {lines[name]}.")
        else:
            lines[name] = place.line
            _variable(source, name, value, place)
    return source


def read_environment(environment: Mapping[str, str]) -> Source:
    source = Source()
    for name in sorted(environment):
        if name.startswith(PREFIX) or SECRET.fullmatch(name):
            _variable(source, name, environment[name], Place("environment"))
    return source


def read_overrides(overrides: Mapping[str, object]) -> Source:
    """What the command line says; `None` is what it does not say."""
    source, place = Source(), Place("command line")
    for name, value in overrides.items():
        if value is not None and name in FIELDS:
            source.given[name] = Given(name, value, place, place.origin)
        elif value is not None:
            source.wrong(place, f"{name} is not a setting.{_did_you_mean(name)}")
    return source


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(BYTES_MAX + 1)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
            raise NotFound(
                f"{path} is not there.", "Name a settings file that exists with --config."
            ) from error
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}.", "Make it a file that this user may read."
        ) from error
    if len(content) > BYTES_MAX:
        raise ConfigError(
            f"{path} is larger than {BYTES_MAX} bytes.", "Name a settings file with --config."
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        # The error holds the whole content, which may be secrets: it goes no further.
        raise ConfigError(f"{path} line {line}: this is not UTF-8.", "Save it as UTF-8.") from None


def _loader() -> type:
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _refuse_cleverness(source: Source, content: str, path: Path) -> None:
    """Refuse what settings have no use for, before a tree is built of it.

    An alias can make a page of a line a million times over; a deep nest overruns libyaml's stack.
    """
    import yaml

    depth = 0
    for event in yaml.parse(content, Loader=_loader()):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            source.wrong(_at(path, event), "an alias (*) has no place in settings.")
        elif getattr(event, "tag", None) is not None:
            source.wrong(_at(path, event), "a tag (!) has no place in settings.")
        elif depth > DEPTH_MAX:
            source.wrong(_at(path, event), "brackets are nested too deep.")
            return


def _at(path: Path, thing: object) -> Place:
    mark = getattr(thing, "start_mark", None) or getattr(thing, "problem_mark", None)
    return Place(path.name, path, 1 if mark is None else mark.line + 1)


def _since(error: "MarkedYAMLError") -> str:
    """What libyaml stumbles over may have begun long before."""
    began, ended = error.context_mark, error.problem_mark
    if began is None or ended is None or began.line == ended.line:
        return ""
    return f", {error.context} that began in line {began.line + 1}"


def _walk(
    source: Source, node: "MappingNode", path: Path, lines: dict[str, int], section: str = ""
) -> None:
    """Note each setting and its line, and that a name stands twice however it is written."""
    import yaml

    for key, value in node.value:
        place = _at(path, key)
        if not isinstance(key, yaml.ScalarNode):
            source.wrong(place, "a setting's name is a word.")
            continue
        name = section + key.value
        if name in lines:
            source.wrong(place, f"{name} is already given in line {lines[name]}.")
        elif name in FIELDS:
            items = value.value if isinstance(value, yaml.SequenceNode) else ()
            places = tuple(_at(path, item) for item in items)
            source.given[name] = Given(name, _plain(value), place, place.origin, places)
        elif name in SECTIONS and isinstance(value, yaml.MappingNode):
            _walk(source, value, path, lines, f"{name}.")
        elif name in SECTIONS and _plain(value) is not None:
            source.wrong(place, f"{name} is a section: its settings go below it, indented.")
        elif name not in SECTIONS and SECRET.fullmatch(key.value):
            source.wrong(place, f"{name} is not a setting. Secrets belong in config/.env.")
        elif name not in SECTIONS:
            source.wrong(place, f"{name} is not a setting.{_did_you_mean(name)}")
        lines.setdefault(name, place.line)


def _plain(node: "Node") -> object:
    """Text, lists and maps of it: YAML would read 1h30 and 010 and `no` its own way."""
    import yaml

    match node:
        case yaml.MappingNode():
            return {_plain(key) if isinstance(key, yaml.ScalarNode) else "…": _plain(value)
                    for key, value in node.value}  # fmt: skip
        case yaml.SequenceNode():
            return [_plain(item) for item in node.value]
        case _:
            return None if node.tag == "tag:yaml.org,2002:null" else node.value


def _variable(source: Source, name: str, value: str, place: Place) -> None:
    setting = name.removeprefix(PREFIX).replace("__", ".").lower()
    if not name.startswith(PREFIX):
        if not SECRET.fullmatch(name):
            source.wrong(place, f"{name} is no setting ({PREFIX}…) and no secret (…_API_KEY).")
        elif value:
            source.secrets[name] = SecretStr(value), place.name
    elif setting in FIELDS and name == spelled(setting):
        source.given[setting] = Given(name, value, place, place.name)
    else:
        source.wrong(place, f"{name} is not a setting.{_did_you_mean(setting, spelled)}")


def spelled(name: str) -> str:
    """A setting's name in the environment.

    >>> spelled("risk.drawdown_max_bps")
    'RRR__RISK__DRAWDOWN_MAX_BPS'
    """
    return PREFIX + name.replace(".", "__").upper()


def _did_you_mean(name: str, spell: Callable[[str], str] = str) -> str:
    """
    >>> _did_you_mean("drawdown_max_bps"), _did_you_mean("xyzzy")
    (' Did you mean risk.drawdown_max_bps?', '')
    """
    near = list(_nearest(name))
    return f" Did you mean {' or '.join(map(spell, near))}?" if near else ""


def _nearest(name: str) -> Iterator[str]:
    """The right word in the wrong section, else what is spelled nearly so."""
    import difflib

    word = name.rpartition(".")[2]
    homes = [known for known in FIELDS if known.rpartition(".")[2] == word]
    yield from homes or difflib.get_close_matches(name, [*FIELDS, *SECTIONS], n=2, cutoff=0.65)
