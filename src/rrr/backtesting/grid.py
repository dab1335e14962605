"""A grid is every set of parameters that may be chosen, told before any of them is looked at.

`moving-average-cross:fast=5..30/5,slow=20,50,100` has 6 times 3 sets. A range holds both its ends
and goes by one, unless a step is said; a list has commas or `|` between its values. Sets that make
no sense (fast=30, slow=20) are left out and counted; a value that fits no set is a mistake.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from math import prod
from typing import Final

from rrr.core.errors import ConfigError, UsageError
from rrr.neural_network.strategies.naming import named
from rrr.neural_network.strategies.strategy import Strategy

TRIALS: Final = 500  # the budget that nobody had to ask for
SHAPE: Final = "NAME:parameter=5..30/5,other=20,50,100"
RANGE: Final = re.compile(r"(-?\d+(?:\.\d+)?)\.\.(-?\d+(?:\.\d+)?)(?:/(\d+(?:\.\d+)?))?")


@dataclass(frozen=True, slots=True)
class Grid:
    text: str  # as it was asked for
    axes: Mapping[str, tuple[str, ...]]  # each parameter that was said, and all it may be
    strategies: tuple[Strategy, ...]  # in order: the last parameter changes first
    places: tuple[tuple[int, ...], ...]  # of each, where it stands on every axis
    left_out: tuple[str, ...]  # why each set that makes no sense does not

    def __len__(self) -> int:
        return len(self.strategies)

    def chosen(self, number: int) -> dict[str, str]:
        """What a set has that others have not.

        >>> grid_of("moving-average-cross:fast=5,10,slow=50").chosen(1)
        {'fast': '10'}
        """
        pairs = zip(self.axes.items(), self.places[number], strict=True)
        return {name: values[at] for (name, values), at in pairs if len(values) > 1}

    def neighbours(self, number: int) -> list[int]:
        """Sets that differ by one step of one parameter."""
        mine = self.places[number]
        return [
            other
            for other, place in enumerate(self.places)
            if sum(abs(a - b) for a, b in zip(mine, place, strict=True)) == 1
        ]


def grid_of(text: str, trials: int = TRIALS) -> Grid:
    """Every set that is meant, at most `trials`. Raise UsageError, or what `named` raises."""
    text = text.strip()
    head, _, words = text.rpartition(":")
    axes = dict(_axes(text, words, trials)) if head and "=" in words else {}
    _afford(text, prod(map(len, axes.values())), trials)
    made: dict[tuple[int, ...], Strategy] = {}
    left_out: dict[tuple[int, ...], ConfigError] = {}
    for place in product(*(range(len(values)) for values in axes.values())):
        said = zip(axes.items(), place, strict=True)
        given = ",".join(f"{name}={values[at]}" for (name, values), at in said)
        try:
            made[place] = named(f"{head}:{given}" if axes else text)
        except ConfigError as error:
            left_out[place] = error
    _each_fits(axes, made, left_out)
    if len(made) < 2:
        raise UsageError(
            f"There is nothing to choose: {text} is one set of parameters.",
            f"Say several values, as in {SHAPE}; `rrr backtest` runs one set.",
        )
    told = tuple(error.what for error in left_out.values())
    return Grid(text, axes, tuple(made.values()), tuple(made), told)


def _axes(text: str, words: str, trials: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each parameter with its values; what has no `=` goes on with the list before it."""
    parts: list[tuple[str, list[str]]] = []
    for part in words.split(","):
        name, equals, rest = (word.strip() for word in part.partition("="))
        if equals:
            parts.append((name, []))
        elif not parts:
            raise UsageError(f"{part!r} of {text} belongs to no parameter.", f"A grid is {SHAPE}.")
        for value in (rest if equals else name).split("|"):
            parts[-1][1].extend(_values(text, value.strip(), trials))
    for number, (name, values) in enumerate(parts):
        twice = next((v for v in values if values.count(v) > 1), None)
        if twice is not None or name in (other for other, _ in parts[:number]):
            what = name if twice is None else f"{name}={twice}"
            raise UsageError(f"{what} stands twice in {text}.", "Say it once.")
        yield name, tuple(values)


def _values(text: str, value: str, trials: int) -> Sequence[str]:
    """
    >>> _values("", "5..30/10", 100), _values("", "0.5..0.6/0.1", 100), _values("", "take", 100)
    (['5', '15', '25'], ['0.5', '0.6'], ['take'])
    """
    found = RANGE.fullmatch(value)
    if found is None:
        return [value]
    first, last, step = (Decimal(word or "1") for word in found.groups())
    if first > last or step == 0:
        wrong = "steps by nothing" if step == 0 else "ends before it begins"
        raise UsageError(f"The range {value} of {text} {wrong}.", f"A grid is {SHAPE}.")
    many = int((last - first) / step) + 1
    _afford(text, many, trials)
    return [f"{first + step * k:f}" for k in range(many)]


def _afford(text: str, sets: int, trials: int) -> None:
    if sets > trials:
        raise UsageError(
            f"{text} makes {sets:,} sets or more, and the budget is {trials:,} trials.",
            "Narrow it, or allow more with --trials: with each the best must show more to count.",
        )


def _each_fits(
    axes: Mapping[str, tuple[str, ...]],
    made: Mapping[tuple[int, ...], Strategy],
    left_out: Mapping[tuple[int, ...], ConfigError],
) -> None:
    """Raise the ConfigError of the first value that no set can have."""
    for axis, (name, values) in enumerate(axes.items()):
        for at, value in enumerate(values):
            if not any(place[axis] == at for place in made):
                error = next(e for place, e in left_out.items() if place[axis] == at)
                advice = f"Leave out {name}={value}: no set can have it." if made else error.advice
                raise ConfigError(error.what, advice) from error
