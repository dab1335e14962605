"""What two journals do not share is said field by field, by the names that the core gives them.

A candle is named by its instrument, so that one that is missing moves none of the others.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, zip_longest
from typing import Any, Final, NamedTuple

from rrr.core.market import Candle
from rrr.core.state import State
from rrr.database.journal import DIGEST, NAMES, Row, decode
from rrr.monitoring.words import utc

NOTHING: Final = "nothing"
FIELDS_MAX: Final = 20  # in words


class Difference(NamedTuple):
    """The first row that two legs do not share."""

    legs: tuple[str, str]
    number: int  # of the row
    kind: str
    at_ms: int
    fields: Mapping[str, tuple[Any, Any]]  # what each leg says; None: it says nothing

    def in_words(self) -> str:
        first, second = self.legs
        row = f"row {self.number:,}, a {self.kind} of {utc(self.at_ms)}"
        lines = [f"DIFFERENT: {row}, is not the same in {first} and {second}:"]
        width = max(map(len, self.fields), default=0)
        for name, (one, other) in islice(self.fields.items(), FIELDS_MAX):
            lines.append(f"  {name:<{width}}  {first} {_said(one)}, {second} {_said(other)}")
        if len(self.fields) > FIELDS_MAX:
            lines.append(f"  and {len(self.fields) - FIELDS_MAX:,} more")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        named = {
            name: dict(zip(self.legs, said, strict=True)) for name, said in self.fields.items()
        }
        return {
            "legs": self.legs,
            "row": self.number,
            "kind": self.kind,
            "at_ms": self.at_ms,
            "fields": named,
        }


def of_rows(
    legs: tuple[str, str], one: Sequence[Row], other: Sequence[Row], symbols: Sequence[str]
) -> Difference | None:
    """The first of these rows that the two do not share."""
    for mine, yours in zip_longest(one, other):
        if mine is None or yours is None or (mine.kind, mine.core) != (yours.kind, yours.core):
            either = mine or yours
            fields = _fields(mine, yours, symbols)
            return Difference(legs, either.number, NAMES[either.kind], either.at_ms, fields)
    return None


def of_states(
    legs: tuple[str, str], one: State, other: State, row: Row, symbols: Sequence[str]
) -> Difference | None:
    """What two states do not share after this row."""
    if one == other:
        return None
    fields = _apart(_leaves(one, "", symbols), _leaves(other, "", symbols))
    return Difference(legs, row.number, "state", row.at_ms, fields)


def _fields(
    one: Row | None, other: Row | None, symbols: Sequence[str]
) -> Mapping[str, tuple[Any, Any]]:
    if one is None or other is None or one.kind != other.kind or one.kind == DIGEST:
        return {"row": (_whole(one), _whole(other))}
    return _apart(_leaves(decode(one), "", symbols), _leaves(decode(other), "", symbols))


def _apart(
    one: Iterator[tuple[str, int]], other: Iterator[tuple[str, int]]
) -> dict[str, tuple[Any, Any]]:
    """By the names of both, in the order of the first."""
    mine, yours = dict(one), dict(other)
    return {
        name: (mine.get(name), yours.get(name))
        for name in mine | yours
        if mine.get(name) != yours.get(name)
    }


def _leaves(value: Any, name: str, symbols: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Every number of a record, under the names that lead to it."""
    if not isinstance(value, tuple):
        yield name, value
        return
    if isinstance(value, Candle):
        name = f"{name.rpartition('.')[0]}.{symbols[value.instrument]}"
    inner = getattr(value, "_fields", range(len(value)))
    for each, part in zip(inner, value, strict=True):
        yield from _leaves(part, f"{name}.{each}" if name else str(each), symbols)


def _whole(row: Row | None) -> str | None:
    return row and f"{NAMES[row.kind]} {row.core}"


def _said(value: Any) -> str:
    if value is None:
        return NOTHING
    return f"{value:,}" if isinstance(value, int) else str(value)
