"""A backtest and a paper session of the same candles write the same journal, or the row is named.

The compiled core goes close by close. Beside it the interpreted one meets the same events and says
where in a journal each decision stands; what stands there is the compiled one's, sealed with the
compiled one's state. Row by row both are held against what a session wrote. Equal means an equal
`trace` (`database.journal`); what is not equal is explained field by field.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from rrr.core.events import Adopted, Assumed, Event, Flow, Limits, Listing
from rrr.core.state import EMPTY, NO_ACCOUNT, NO_LANE, State
from rrr.database.journal import DAY_MS, KINDS, Pen, Row, beginning, is_row, traced
from rrr.neural_network.panel import I64
from rrr.trading.engine.paper import NO_WORLD, Record, advance

from .book import Book
from .certificate_words import Difference, of_rows, of_states
from .flat import read
from .history import History, closing
from .ledgers import SEEN, Ledger
from .runner import run
from .stretches import Stretch

COMPILED, INTERPRETED, PAPER, LIVE = "compiled", "interpreted", "paper", "live"
NO_LIVE: Final = "not there yet: no venue carries orders to an exchange"
BY_TOUCH: Final = "never: what touches fill is interpreted in a backtest too"
_WHAT: Final = {KINDS[what]: what for what in SEEN}


class Leg(NamedTuple):
    name: str
    trace: str  # of all its rows; empty where they were not walked to their end
    missing: str = ""  # why there is no such leg


@dataclass(frozen=True, slots=True)
class Certificate:
    closes: int
    rows: int  # that are the same in all legs
    legs: Sequence[Leg]
    difference: Difference | None

    @property
    def identical(self) -> bool:
        return self.difference is None

    def in_words(self) -> str:
        words = f"identical: {self.rows:,} rows of {self.closes:,} closing times"
        if self.difference is not None:
            words = self.difference.in_words()
        legs = (f"  {leg.name:<11}  {leg.missing or leg.trace}" for leg in self.legs)
        return "\n".join([words, *(leg for leg in legs if self.identical)])

    def as_json(self) -> dict[str, Any]:
        return {
            "identical": self.identical,
            "legs": [leg._asdict() for leg in self.legs],
            "rows": self.rows,
            "closes": self.closes,
            "first_difference": self.difference and self.difference.as_json(),
        }


class Met(NamedTuple):
    """What one moment left: the rows of each core, and its state."""

    compiled: Sequence[Row]
    interpreted: Sequence[Row]
    states: tuple[State, State]


def certified(
    recorded: Iterable[Row],
    history: History,
    convictions: I64,
    book: Book,
    *,
    model: int = 0,
    folder: Path | None = None,
) -> Certificate:
    """Hold the journal of a session against both cores; `model` is whom it obeyed, 0 the baseline.

    What was compiled is kept in `folder`.
    """
    symbols = [one.spec.symbol for one in history.quoted]
    twins, paper = Twins(history, convictions, book, model, folder), iter(recorded)
    rows, trace = 0, bytes(32)
    difference: Difference | None = None
    for met in twins.moments():
        written = list(islice(paper, len(met.compiled)))
        difference = (
            of_rows((INTERPRETED, COMPILED), met.interpreted, met.compiled, symbols)
            or of_states((COMPILED, INTERPRETED), *met.states, met.compiled[-1], symbols)
            or of_rows((PAPER, COMPILED), written, met.compiled, symbols)
        )
        if difference is not None:
            break
        for row in written:
            rows, trace = rows + 1, traced(trace, row.kind, row.core.encode())
    else:
        rest = list(islice(paper, 1))
        difference = of_rows((PAPER, COMPILED), rest, [], symbols) or twins.in_one_go()
    traces = [keeper.pen.head.trace.hex() for keeper in (twins.compiled, twins.interpreted)]
    if difference is not None:
        rows, traces, trace = difference.number - 1, ["", ""], b""
    legs = [
        Leg(COMPILED, "", BY_TOUCH) if book.assumptions.by_touch else Leg(COMPILED, traces[0]),
        Leg(INTERPRETED, traces[1]),
        Leg(PAPER, trace.hex()),
        Leg(LIVE, "", NO_LIVE),
    ]
    return Certificate(twins.ledger.done, rows, legs, difference)


@dataclass(slots=True)
class Keeper:
    """Writes the journal of one core, as an engine does."""

    pen: Pen = field(default_factory=lambda: Pen(beginning("")))
    state: State = EMPTY

    def rows(self, at_ms: int, record: Record, state: State) -> list[Row]:
        """What a moment that begins then becomes; the state is what it left."""
        sealed = self.pen.turn(at_ms, self.state, 0)
        self.state = state
        return [*sealed, *self.pen.write(record, 0)]

    def seal(self) -> list[Row]:
        return [self.pen.seal(self.state, 0)]


class Twins:
    """The two cores over one history, as in a session that obeys this model."""

    def __init__(
        self, history: History, convictions: I64, book: Book, model: int, folder: Path | None
    ) -> None:
        self.history, self.convictions, self.book = history, convictions, book
        self.model, self.folder = model, folder
        self.columns = np.flatnonzero(closing(history))
        self.ledger = Ledger(book, history, self.columns)
        self.compiled, self.interpreted = Keeper(), Keeper()

    def moments(self) -> Iterator[Met]:
        """The journal of the session, moment by moment."""
        ledger, world, record = self.ledger, NO_WORLD, Record()
        at_ms = int(self.history.panel.opened_at_ms[self.columns[0]])
        for event in self._beginning(at_ms):
            world = advance(world, event, record)
        yield self._met(at_ms, record, record, world.state)
        for place in range(len(self.columns)):
            stretch = Stretch(self.history, self.convictions, self.columns, place, place + 1)
            events, record = self._events(stretch, world.state.account.model), Record()
            for event in events:
                world = advance(world, event, record)
            known = len(ledger.rows)
            if self.book.assumptions.by_touch:
                ledger.interpreted(stretch)
            else:
                ledger.compiled(stretch, self.folder)
            made = _in_their_places(record, ledger.rows[known:])
            yield self._met(events[0].at_ms, made, record, world.state)
        states = self.compiled.state, self.interpreted.state
        yield Met(self.compiled.seal(), self.interpreted.seal(), states)

    def in_one_go(self) -> Difference | None:
        """The first day that is another one where all closes are one run."""
        whole = run(self.history, self.convictions, self.book, folder=self.folder)
        for (day, one), (_, other) in zip(self.ledger.digests, whole.digests, strict=True):
            if one != other:
                legs, number = ("close by close", "in one go"), self.compiled.pen.head.number
                return Difference(legs, number, "day", (day + 1) * DAY_MS, {"digest": (one, other)})
        return None

    def _beginning(self, at_ms: int) -> Iterator[Event]:
        """What a fresh book is told."""
        book = self.book
        yield from (Limits(at_ms, book.law), Assumed(at_ms, book.assumptions))
        yield from (Listing(at_ms, one) for one in book.instruments)
        yield Flow(at_ms, book.capital)

    def _events(self, stretch: Stretch, obeyed: int) -> list[Event]:
        """As the wiring brings them: whoever takes over does so before his first signal."""
        [moment] = stretch.moments()
        taken = obeyed != self.model and stretch.mine[0] >= self.history.begins
        adopted = [Adopted(moment.close.at_ms, self.model)] if taken else []
        signals = [one._replace(model=self.model) for one in moment.signals]
        return [*moment.details, moment.close, *moment.touches, *adopted, *signals]

    def _met(self, at_ms: int, compiled: Record, interpreted: Record, state: State) -> Met:
        mine = _state(self.ledger)
        # A backtest does not know whom it obeys.
        mine = mine._replace(account=mine.account._replace(model=state.account.model))
        return Met(
            self.compiled.rows(at_ms, compiled, mine),
            self.interpreted.rows(at_ms, interpreted, state),
            (mine, state),
        )


def _state(ledger: Ledger) -> State:
    """What the last close left: compiled, it lies in tables."""
    state, desk = ledger.world.state, ledger.desk
    if desk is None:
        return state
    lanes = tuple(read(NO_LANE, desk.lanes, k, 0) for k in range(len(state.lanes)))
    return state._replace(account=read(NO_ACCOUNT, desk.book, 0, 0), lanes=lanes)


def _in_their_places(record: Record, rows: Sequence[I64]) -> Record:
    """The record, with what the compiled core made wherever the interpreted one made something."""
    numbers = iter([row for each in rows for row in each.tolist()])
    made = (_WHAT[kind](*parts[: len(_WHAT[kind]._fields)]) for kind, *parts in numbers)
    found: Record = []
    for item in record:
        if not isinstance(item, SEEN):
            found.append(item)
        elif is_row(item):
            found += islice(made, 1)
    return [*found, *made]
