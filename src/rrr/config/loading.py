"""The higher source wins, and every mistake in every source is told at once, with its line.

From low to high: the schema's defaults, the settings file, `config/.env`, the environment, the
command line. A bad value is a mistake even where a higher source hides it: it would wait there.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pydantic import SecretStr, ValidationError

from rrr.core.errors import ConfigError, NotFound
from rrr.home import Home
from rrr.secrecy import learn

from .schema import FIELDS, PAST, Settings, flat, text, words
from .sources import (
    Given,
    Place,
    Problem,
    Source,
    read_dotenv,
    read_environment,
    read_overrides,
    read_yaml,
)

FILE_NAME: Final = "trading_config.yml"
HIDDEN: Final = "********"
SHOWN_MAX: Final = 60  # characters of a bad value that an error repeats
NOTHING: Final[Mapping[str, object]] = MappingProxyType({})
PROFILE: Final = "costs.profile"
USUAL: Final = "strategy"  # begins the origin of what a strategy is made for
LINE: Final = re.compile(r" line \d+$")  # ends the origin of what stands in a file


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings in force, where each comes from, and the secrets, which never show."""

    settings: Settings
    secrets: Mapping[str, SecretStr]
    origins: Mapping[str, str]

    def origin(self, name: str) -> str:
        assert name in FIELDS or name in self.secrets, "Names come from the schema."
        return self.origins.get(name, "default")

    def chosen(self, name: str) -> bool:
        """Whether a person decided it: a line of a file that says what the default says, did not.

        So the shipped file may show every setting, and choose none.
        """
        origin = self.origin(name)
        if origin == "default" or origin.startswith(USUAL):
            return False
        return not LINE.search(origin) or flat(self.settings)[name] != flat(Settings())[name]


def load(
    home: Home,
    file: Path | None = None,
    overrides: Mapping[str, object] = NOTHING,
    environ: Mapping[str, str] | None = None,
    *,
    past: bool = False,
) -> Loaded:
    """Read every source; `overrides` have dotted names, and `None` is what they do not say.

    `past`: what is run is over already, so that any market may be cut by `from` and `to`.
    """
    sources = list(_sources(home, file))
    sources.append(read_environment(os.environ if environ is None else environ))
    sources.append(read_overrides(overrides))
    given = _merged(sources)
    secrets = {name: secret for source in sources for name, secret in source.secrets.items()}
    settings, broken = _checked(given, past)

    hidden = [secret.get_secret_value() for s in sources for secret, _ in s.secrets.values()]
    learn(*hidden)
    problems = [problem for source in sources for problem in _problems(source, hidden)] + broken
    if problems:
        raise _told(problems)
    assert settings is not None, "What no source got wrong is right."
    loaded = Loaded(
        settings,
        secrets=MappingProxyType({name: secret for name, (secret, _) in secrets.items()}),
        origins=MappingProxyType(
            {name: thing.origin for name, thing in given.items()}
            | {name: origin for name, (_, origin) in secrets.items()}
        ),
    )
    try:
        return priced(loaded, home)
    except ConfigError as error:
        raise ConfigError(f"{given[PROFILE].place}: {error.what}", error.advice) from error


def priced(loaded: Loaded, home: Home) -> Loaded:
    """The same, with the cost profile that is meant behind every cost that nobody chose."""
    costs = loaded.settings.costs
    if costs.profile is None:
        return loaded
    from .venue_costs import profile

    chosen = frozenset(name for name in type(costs).model_fields if loaded.chosen(f"costs.{name}"))
    under = costs.under(profile(costs.profile, home.config), chosen)
    return replace(loaded, settings=loaded.settings.model_copy(update={"costs": under}))


def _sources(home: Home, file: Path | None) -> Iterator[Source]:
    if file is not None:
        yield read_yaml(file)
    else:
        with suppress(NotFound):
            yield read_yaml(home.config / FILE_NAME)
    with suppress(NotFound):
        yield read_dotenv(home.config / ".env")


def _merged(sources: Sequence[Source]) -> dict[str, Given]:
    """What is in force, the last word last."""
    given: dict[str, Given] = {}
    for source in sources:
        for name, thing in source.given.items():
            given.pop(name, None)
            given[name] = thing
    return given


def _checked(given: Mapping[str, Given], past: bool) -> tuple[Settings | None, list[Problem]]:
    """The settings, unless some are wrong; and those that are right alone but not together."""
    try:
        return Settings.model_validate(_nested(given), context={PAST} if past else None), []
    except ValidationError as error:
        together = [wrong["ctx"] for wrong in error.errors() if wrong["type"] == "broken_rule"]
    return None, [Problem(_culprit(given, ctx["names"]), f"{ctx['sentence']}.") for ctx in together]


def _culprit(given: Mapping[str, Given], names: Sequence[str]) -> Place:
    """The last word broke what held without it."""
    return [thing.place for name, thing in given.items() if name in names][-1]


def _problems(source: Source, hidden: Sequence[str]) -> list[Problem]:
    """All that is wrong with one source by itself, from its first line to its last."""
    problems = list(source.problems)
    try:
        Settings.model_validate(_nested(source.given))
    except ValidationError as error:
        found = [_found(wrong["loc"]) for wrong in error.errors() if wrong["type"] != "broken_rule"]
        for name, index in dict.fromkeys(found):
            problems.append(_problem(name, source.given[name], index, hidden))
    return sorted(problems, key=lambda problem: problem.place.line)


def _found(location: tuple[int | str, ...]) -> tuple[str, int | None]:
    """A setting's name, and which item of a list is meant.

    >>> _found(("symbols", 2)), _found(("risk", "stale_candles"))
    (('symbols', 2), ('risk.stale_candles', None))
    """
    depth = 1 if location[0] in FIELDS else 2
    index = location[depth] if len(location) > depth else None
    return ".".join(map(str, location[:depth])), index if isinstance(index, int) else None


def _problem(name: str, given: Given, index: int | None, hidden: Sequence[str]) -> Problem:
    place, value, verb = given.place, given.value, "is"
    if index is not None and isinstance(value, list) and index < len(given.items):
        place, value, verb = given.items[index], value[index], "holds"
    was = "has no value" if value in (None, "") else f"{verb} {_quoted(value, hidden)}"
    return Problem(place, f"{given.label} {was}; allowed is {words(name)[1]}.")


def _quoted(value: object, hidden: Sequence[str]) -> str:
    """
    >>> _quoted("lots", []), _quoted("0.5", []), _quoted("my-canary", ["canary"])
    ("'lots'", '0.5', "'my-********'")
    """
    shown = text(value)
    for secret in hidden:
        shown = shown.replace(secret, HIDDEN)
    if len(shown) > SHOWN_MAX:
        shown = f"{shown[:SHOWN_MAX]}…"
    return shown if re.fullmatch(r"[-+.\d]+", shown) else repr(shown)


def _nested(given: Mapping[str, Given]) -> dict[str, object]:
    """Dotted names become sections; an empty text is what was left out of an optional setting."""
    tree: dict[str, object] = {}
    sections: dict[str, dict[str, object]] = {}
    for name, thing in given.items():
        section, _, inner = name.rpartition(".")
        branch = sections.setdefault(section, {}) if section else tree
        branch[inner] = None if thing.value == "" else thing.value
    return tree | sections


def _told(problems: Sequence[Problem]) -> ConfigError:
    if len(problems) == 1:
        what, it = str(problems[0]), "it"
    else:
        lines = "".join(f"\n  {problem}" for problem in problems)
        what, it = f"The settings have {len(problems)} mistakes:{lines}", "them"
    return ConfigError(what, f"Correct {it}; docs/settings.md explains every setting.")
