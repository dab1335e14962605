"""Tables have no fences in compiled code; here the same loops run as Python, and each place is
looked at before it is read or written.

And an order in compiled code is an address in a ring of places: none is written down so late that
the ring might have come round.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np
import pytest

from rrr.backtesting import compiled, desk, flat, loops
from rrr.backtesting.compiled import Loops
from rrr.core.shelf import Assumptions
from rrr.core.state import Law
from tests.backtesting.madeup import case
from tests.backtesting.test_compiled import ASSUMED, LAWS, dull_no_more
from tests.builders import CAPITAL, LAW, LISTED


class Fenced(np.ndarray[Any, np.dtype[np.int64]]):
    """A table that is read and written where it has places, and nowhere else."""

    def __getitem__(self, place: Any) -> Any:
        self.inside(place)
        return super().__getitem__(place)

    def __setitem__(self, place: Any, value: Any) -> None:
        self.inside(place)
        super().__setitem__(place, value)

    def inside(self, place: Any) -> None:
        row, column = place
        if isinstance(column, slice):
            column = column.start
        assert 0 <= row < self.shape[0], f"There is no row {row}."
        assert 0 <= column < self.shape[1], f"There is no place {column}."


@pytest.fixture
def as_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loops as they are written, not as they are compiled."""

    def fenced(record: Any) -> Any:
        tables = (part.view(Fenced) if isinstance(part, np.ndarray) else part for part in record)
        return type(record)(*tables)

    def start(of: Any, history: Any, told: Any, *rest: int) -> Any:
        return loops.start(fenced(of), fenced(history), fenced(told), *rest)

    monkeypatch.setattr(compiled, "loops_compiled", lambda _: Loops(start, desk.gather))


@pytest.mark.slow
@pytest.mark.usefixtures("as_python")
@pytest.mark.parametrize("assumed", ASSUMED)
@pytest.mark.parametrize("law", LAWS)
def test_no_table_is_left(law: Law, assumed: Assumptions) -> None:
    number = 100 + 10 * LAWS.index(law) + ASSUMED.index(assumed)
    of = dull_no_more(number, law, assumed, 100)
    assert of.outcome(compiled=True) == of.outcome(compiled=False)


@pytest.mark.usefixtures("as_python")
def test_a_place_outside_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    of = case(1, 5, LISTED[:2], LAW, ASSUMED[0], CAPITAL)
    monkeypatch.setattr(loops, "there", lambda at, candles, i, k: candles[-1, desk.THERE])
    assert of.outcome(compiled=True).startswith("There is no row -1.")


class Ring:
    """Counts the places that compiled code takes, and how old what it writes down is."""

    def __init__(self, kinds: Collection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
        self.kinds, self.taken, self.oldest = kinds, 0, 0
        self.kept: dict[int, tuple[int, Any]] = {}
        for kind in kinds:
            monkeypatch.setattr(kind, "_replace", self.replacing(kind._replace))
        for module in (loops, desk):
            monkeypatch.setattr(module, "write", self.write)

    def replacing(self, old: Callable[..., Any]) -> Callable[..., Any]:
        def _replace(record: Any, /, **changes: Any) -> Any:
            new = old(record, **changes)
            self.taken += 1
            self.kept[id(new)] = self.taken, new
            return new

        return _replace

    def write(self, record: Any, *where: Any) -> None:
        found = list(self.boxes(record))
        self.taken += len(found)  # what lies in the row itself is moved away first
        for box in found:
            at, _ = self.kept.get(id(box), (self.taken, box))
            self.oldest = max(self.oldest, self.taken - at)
        flat.write(record, *where)

    def boxes(self, record: Any) -> Iterator[Any]:
        if type(record) in self.kinds:
            yield record
        elif isinstance(record, tuple):
            for part in record:
                yield from self.boxes(part)


@pytest.mark.slow
@pytest.mark.usefixtures("as_python")
def test_no_record_outlives_an_eighth_of_the_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    from rrr.backtesting.boxes import BOXED, PLACES

    ring = Ring(BOXED, monkeypatch)
    for number, law in enumerate(LAWS):
        of = dull_no_more(200 + number, law, ASSUMED[number % len(ASSUMED)], 80)
        of.outcome(compiled=True)
        ring.kept.clear()
    assert ring.taken > 20 * PLACES
    assert 0 < ring.oldest <= PLACES // 8
