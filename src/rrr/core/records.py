"""A changed copy of a wide record costs what changes, not what stays.

NamedTuple's own `_replace` asks a dictionary for every field; a lane has many, and a close changes
few of them.
"""

from typing import Any, TypeVar

Record = TypeVar("Record", bound=tuple[Any, ...])


def swift(record: type[Record]) -> type[Record]:
    """Give a NamedTuple a `_replace` that copies whole and then sets.

    >>> from typing import NamedTuple
    >>> Point = swift(NamedTuple("Point", [("x", int), ("y", int)]))
    >>> Point(1, 2)._replace(y=3)
    Point(x=1, y=3)
    """
    fields: tuple[str, ...] = record._fields  # type: ignore[attr-defined]
    places = {name: place for place, name in enumerate(fields)}

    def _replace(self: Record, /, **changes: Any) -> Record:
        values = list(self)
        for name, value in changes.items():
            values[places[name]] = value
        return tuple.__new__(record, values)

    record._replace = _replace  # type: ignore[attr-defined]
    return record
