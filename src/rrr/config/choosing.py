"""What nobody chose is open: to what a strategy is made for, and to a run that is made again."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from rrr.core.errors import ConfigError
from rrr.home import Home

from .loading import USUAL, Loaded, priced
from .schema import FIELDS, PAST, SECTIONS, Settings, words


def made_for(loaded: Loaded, values: Mapping[str, str], who: str) -> Loaded:
    """The same, with these values of settings `section.name` wherever nobody chose another."""
    open_ = {name: value for name, value in values.items() if not loaded.chosen(_known(name, who))}
    settings = loaded.settings
    for section in sorted({name.partition(".")[0] for name in open_}):
        mine = {n.partition(".")[2]: v for n, v in open_.items() if n.startswith(f"{section}.")}
        now = getattr(settings, section)
        try:
            new = SECTIONS[section].model_validate(now.model_dump() | mine)
        except ValidationError as error:
            name = f"{section}.{error.errors()[0]['loc'][0]}"
            what = f"{who} is made for {name} {open_[name]}; allowed is {words(name)[1]}."
            raise ConfigError(what, "Correct what it says is usual.") from error
        settings = settings.model_copy(update={section: new})
    origins = {**loaded.origins, **dict.fromkeys(open_, f"{USUAL} {who}")}
    return replace(loaded, settings=settings, origins=MappingProxyType(origins))


def restored(told: Mapping[str, Mapping[str, Any]], home: Home) -> Loaded:
    """The settings that `show_json` told of, as this version understands them.

    What a strategy was made for is left open again. Raise ConfigError where they are none any more.
    """
    origins = {name: str(said["origin"]) for name, said in told.items() if name in FIELDS}
    said = {name: origin for name, origin in origins.items() if not _is_open(origin)}
    tree: dict[str, Any] = {}
    for name in said:
        section, _, inner = name.rpartition(".")
        (tree.setdefault(section, {}) if section else tree)[inner] = told[name]["value"]
    try:
        settings = Settings.model_validate(tree, context={PAST})
    except ValidationError as error:
        wrong = error.errors()[0]
        name = ".".join(map(str, wrong["loc"]))
        raise ConfigError(
            f"The settings of this run are none any more: {name}: {wrong['msg']}.",
            "Another version of the program made it; make the run anew with `rrr backtest`.",
        ) from error
    return priced(Loaded(settings, MappingProxyType({}), MappingProxyType(said)), home)


def _known(name: str, who: str) -> str:
    if name not in FIELDS or name.partition(".")[0] not in SECTIONS:
        raise ConfigError(
            f"{who} is made for {name}, which is no setting.", "Correct what it says is usual."
        )
    return name


def _is_open(origin: str) -> bool:
    return origin == "default" or origin.startswith(USUAL)
