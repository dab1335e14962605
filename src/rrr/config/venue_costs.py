"""A cost profile is one tier of one venue's schedule, with its date and its sources, or an error.

`config/venue_costs.toml` holds the schedules; a home may have a file of its own, whose venues take
the place of ours. Text names a profile: `kraken` (its first tier), `kraken:tier5` (by place or by
name), `kraken:50000` or `kraken:50k` (the tier of a 30-day volume). An instrument's base tells how
wide its book is. What a profile says is weaker than settings `costs.*` that somebody wrote.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rrr.core.errors import ConfigError, NotFound

FILE: Final = "venue_costs.toml"
SHIPPED: Final = Path(__file__).parents[3] / "config" / FILE

Depth: TypeAlias = Literal["deep", "large", "thin"]
Name: TypeAlias = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,30}$")]
Words: TypeAlias = Annotated[str, Field(min_length=1)]
Rate: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=100_000)]  # as settings costs.*
MakerRate: TypeAlias = Annotated[int, Field(strict=True, ge=-1_000, le=100_000)]

_UNITS: Final = {"": 1, "k": 1_000, "m": 1_000_000}


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tier(Part):
    name: Words
    volume_from: Annotated[int, Field(strict=True, ge=0)]  # dollars within 30 days
    maker_ppm: MakerRate
    taker_ppm: Rate
    also: str = ""  # what the tier asks for besides the volume


class Width(Part):
    """How wide a kind of book is."""

    half_spread_ppm: Rate
    slippage_ppm: Rate
    how: Words  # it was measured


class Schedule(Part):
    title: Words
    fee_in_base: Annotated[bool, Field(strict=True)]
    fee_note: Words
    checked_on: date
    sources: Annotated[tuple[Words, ...], Field(min_length=1)]
    evidence: Words
    tiers: Annotated[tuple[Tier, ...], Field(min_length=1)]
    deep: Width
    large: Width
    thin: Width

    @model_validator(mode="after")
    def _tiers_begin_at_nothing_and_rise(self) -> Self:
        volumes = [tier.volume_from for tier in self.tiers]
        if volumes[0] or volumes != sorted(set(volumes)):
            raise ValueError("tiers begin at a volume of 0 and rise")
        if any(tier.maker_ppm > tier.taker_ppm for tier in self.tiers):
            raise ValueError("a maker pays more than a taker")
        names = [_plain(tier.name) for tier in self.tiers]
        if len(set(names)) < len(names) or any(_volume(name) is not None for name in names):
            raise ValueError("tiers have names, each another, and none reads like a volume")
        if any(n.startswith("tier") and n != f"tier{at}" for at, n in enumerate(names, 1)):
            raise ValueError("a tier called `Tier 5` is the fifth")
        return self


class Schedules(Part):
    """A file."""

    classes: dict[Literal["deep", "large"], frozenset[str]] = {}
    venue: dict[Name, Schedule]


@dataclass(frozen=True, slots=True)
class Rates:
    """What the paper venue charges: the settings `costs.*` by their names."""

    maker_fee_ppm: int
    taker_fee_ppm: int
    half_spread_ppm: int
    slippage_ppm: int
    fee_in_base: bool


@dataclass(frozen=True, slots=True)
class CostProfile:
    venue: str
    schedule: Schedule
    place: int  # of the tier, from 0
    classes: Mapping[Literal["deep", "large"], frozenset[str]]

    @property
    def name(self) -> str:
        """What brings this profile back: kraken:tier5."""
        return f"{self.venue}:tier{self.place + 1}"

    @property
    def tier(self) -> Tier:
        return self.schedule.tiers[self.place]

    @property
    def volume_to(self) -> int | None:
        """The first volume of the next tier, if there is one."""
        later = self.schedule.tiers[self.place + 1 : self.place + 2]
        return later[0].volume_from if later else None

    def depth(self, symbol: str) -> Depth:
        base = symbol.partition("-")[0]
        return next((depth for depth, bases in self.classes.items() if base in bases), "thin")

    def width(self, symbol: str) -> Width:
        width: Width = getattr(self.schedule, self.depth(symbol))
        return width

    def rates(self, symbol: str) -> Rates:
        """What an instrument costs here."""
        tier, width = self.tier, self.width(symbol)
        return Rates(
            maker_fee_ppm=tier.maker_ppm,
            taker_fee_ppm=tier.taker_ppm,
            half_spread_ppm=width.half_spread_ppm,
            slippage_ppm=width.slippage_ppm,
            fee_in_base=self.schedule.fee_in_base,
        )


def profile(text: str, folder: Path | None = None) -> CostProfile:
    """The profile that is meant; `folder` is a home's own `config`."""
    known = schedules(folder)
    venue, _, tier = (part.strip().lower() for part in text.partition(":"))
    if venue not in known.venue:
        raise ConfigError(f"There is no cost profile {text!r}.", _nearest(venue, list(known.venue)))
    schedule = known.venue[venue]
    return CostProfile(venue, schedule, _place(venue, schedule, tier), known.classes)


def profiles(text: str | None = None, folder: Path | None = None) -> tuple[CostProfile, ...]:
    """The profile that is meant, or the first tier of every venue."""
    if text is not None:
        return (profile(text, folder),)
    return tuple(profile(venue, folder) for venue in schedules(folder).venue)


def schedules(folder: Path | None = None) -> Schedules:
    """All that is known; the home's own venues and classes first."""
    known = _read(SHIPPED)
    if folder is not None and (folder / FILE).is_file():
        own = _read(folder / FILE)
        known = Schedules.model_construct(
            classes={**known.classes, **own.classes}, venue={**known.venue, **own.venue}
        )
    return known


def _read(file: Path) -> Schedules:
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise NotFound(f"{file} cannot be read: {error.strerror}.", "Restore it.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is no TOML: {error}.", "docs/costs.md has a sample.") from error
    try:
        return Schedules.model_validate(content)
    except ValidationError as error:
        raise ConfigError(
            f"{file}, {_wrong(error.errors()[0])}.", "Correct it; docs/costs.md has a sample."
        ) from error


def _wrong(problem: Mapping[str, Any]) -> str:
    """The place and what is wrong there: "venue.kraken.tiers.2.taker_ppm: 'much': …"."""
    place = ".".join(map(str, problem["loc"]))
    given = problem["input"]
    shown = f"{given!r}: " if isinstance(given, str | int | float) else ""
    return f"{place}: {shown}{problem['msg'][:1].lower()}{problem['msg'][1:]}"


def _place(venue: str, schedule: Schedule, wanted: str) -> int:
    """By name, by place, or by volume; nothing means the first."""
    names = [_plain(tier.name) for tier in schedule.tiers]
    places = [f"tier{number}" for number in range(1, len(names) + 1)]
    plain, volume = _plain(wanted), _volume(wanted)
    if not wanted:
        return 0
    if volume is not None:
        return sum(tier.volume_from <= volume for tier in schedule.tiers) - 1
    for words in (names, places):
        if plain in words:
            return words.index(plain)
    raise ConfigError(
        f"{venue} has no tier {wanted!r}.",
        f"It has {', '.join(tier.name for tier in schedule.tiers)}, also called tier1 to"
        f" {places[-1]}; or name your volume of 30 days: {venue}:50000.",
    )


def _plain(name: str) -> str:
    """
    >>> _plain("Advanced 1"), _plain("vip-3")
    ('advanced1', 'vip3')
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _volume(text: str) -> int | None:
    """
    >>> _volume("50_000"), _volume("2.5m"), _volume("tier5")
    (50000, 2500000, None)
    """
    found = re.fullmatch(r"(\d[\d_,]*)(?:\.(\d{1,3}))?([km]?)", text)
    if found is None:
        return None
    whole, part, unit = found[1], found[2] or "", _UNITS[found[3]]
    digits = re.sub(r"[_,]", "", whole)
    return int(digits) * unit + (int(part) * unit // int(10 ** len(part)) if part else 0)


def _nearest(word: str, known: Sequence[str]) -> str:
    near = get_close_matches(word, known, n=2, cutoff=0.6)
    meant = f"Did you mean {' or '.join(near)}? " if near else ""
    return f"{meant}Known: {', '.join(known)}; a tier follows a colon: {known[0]}:tier2."
