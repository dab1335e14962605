"""Two journals of the same closes say the same of every lane, or the row is named.

Of each leg only what it wrote to its disk is read. Its events are folded once more, so that the
states at each close are those which the journal alone leaves. What must differ is in `ALLOWED`,
with its reason, and is counted; anything else is a difference.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, NamedTuple

from rrr.core.events import Close, Decision, Event, Halted, Refused
from rrr.core.kernel import step
from rrr.core.orders import Amend, Cancel, Cause, Kind, Order, Report, Side, Status
from rrr.core.rules import Refusal
from rrr.core.state import EMPTY, Account, Lane, State
from rrr.database import sessions
from rrr.database.journal import DIGEST, decode, verified
from rrr.database.opening import MODES, connect_read_only
from rrr.database.sessions import PRINCIPAL

Said = Order | Cancel | Amend | Report | Refused
SAID: Final = (Order, Cancel, Amend, Report, Refused)

CANDLE_MS: Final = 60_000
NUMBER: Final = "order.sequence"
ALLOWED: Final = {
    NUMBER: "a lane whose stop must go first waits for the venue's word, and another"
    " that moves at the same close is numbered meanwhile",
    "refused.place": "a signal at the close of a target is refused while the stop is called back;"
    " paper's venue has answered that by then",
}
NOBODY: Final = Refused(0, 0, 0, 0)
BY_ROWS: Final = ("order", "stop", "target", "ended", "ended_before")  # of a lane: compared there


class Difference(NamedTuple):
    at_ms: int
    where: str
    name: str
    paper: Any
    live: Any

    def __str__(self) -> str:
        return f"{self.at_ms} {self.where}: {self.name} is {self.paper} on paper, {self.live} live"


@dataclass(frozen=True, slots=True)
class Journal:
    """What one leg wrote."""

    items: Sequence[Event | Decision]

    def lane(self, i: int) -> list[Said]:
        return [item for item in self.items if isinstance(item, SAID) and item.instrument == i]

    def ended(self) -> "Journal":
        closes = [place for place, item in enumerate(self.items) if isinstance(item, Close)]
        return Journal(self.items[: closes[-1] + 1])

    def of(self, *kinds: type) -> list[Any]:
        return [item for item in self.items if isinstance(item, kinds)]

    def states(self) -> Iterator[tuple[int, State]]:
        """As each close left it, before any word that it led to."""
        state = EMPTY
        for item in self.items:
            if not isinstance(item, Order | Cancel | Amend | Refused | Halted):
                state, _ = step(state, item)
            if isinstance(item, Close):
                yield item.at_ms, state


@dataclass(slots=True)
class Verdict:
    differences: list[Difference] = field(default_factory=list)
    allowed: Counter[str] = field(default_factory=Counter)
    met: Counter[str] = field(default_factory=Counter)

    def look(self, at_ms: int, where: str, name: str, paper: Any, live: Any) -> None:
        if paper != live:
            self.differences.append(Difference(at_ms, where, name, paper, live))


def journal(path: Path, mode: str) -> Journal:
    with closing(connect_read_only(path, MODES[mode])) as connection:
        session = sessions.named(connection, None)
        rows = sessions.journal(connection, session.id, PRINCIPAL)
        found = [row for _, row in verified(sessions.head_of(session), rows)]
    return Journal([decode(row) for row in found if row.kind != DIGEST])


def compared(paper: Journal, live: Journal, symbols: Sequence[str]) -> Verdict:
    """Up to the last close: what that led to, paper has no candle to fill by."""
    paper, live, verdict = paper.ended(), live.ended(), Verdict()
    for what in (*(type(e) for e in _inputs(paper)), Halted):
        if what.__name__.lower() not in verdict.met:
            _inputs_alike(verdict, what, paper, live)
    numbers = _renumbered(verdict, paper, live)
    for i, symbol in enumerate(symbols):
        _lanes_alike(verdict, symbol, paper.lane(i), live.lane(i), numbers)
        _refusals_alike(verdict, symbol, paper.lane(i), live.lane(i))
    for (at_ms, ours), (_, theirs) in zip(paper.states(), live.states(), strict=True):
        _states_alike(verdict, at_ms, ours, theirs, symbols)
    # Another number is what comes of another row.
    verdict.differences.sort(key=lambda one: (one.at_ms, one.name == NUMBER))
    return verdict


def _inputs(of: Journal) -> Iterator[Event | Decision]:
    return (item for item in of.items if not isinstance(item, (*SAID, Halted)))


def _inputs_alike(verdict: Verdict, what: type, paper: Journal, live: Journal) -> None:
    name = what.__name__.lower()
    for ours, theirs in zip_longest(paper.of(what), live.of(what)):
        verdict.met[name] += 1
        at_ms = (ours or theirs).at_ms
        verdict.look(at_ms, "what both are given", name, ours, theirs)


def _renumbered(verdict: Verdict, paper: Journal, live: Journal) -> dict[int, int]:
    """Each live order's number on paper: others only where several were sent at one close."""
    numbers: dict[int, int] = {}
    lanes = {order.instrument for order in paper.of(Order)}
    for i in lanes:
        pairs = zip(_orders(paper.lane(i)), _orders(live.lane(i)), strict=False)
        numbers |= {theirs.sequence: ours.sequence for ours, theirs in pairs}
    turned = [theirs for theirs, ours in numbers.items() if theirs != ours]
    sent_ms, due_ms = ({o.sequence: o.at_ms for o in leg.of(Order)} for leg in (live, paper))
    for number in turned:
        ours = numbers[number]
        if due_ms.get(number) == sent_ms[number] == due_ms[ours]:
            verdict.allowed[NUMBER] += 1
        else:
            where = f"order {number}"
            verdict.look(sent_ms[number], where, NUMBER, ours, number)
    return numbers


def _lanes_alike(
    verdict: Verdict, symbol: str, paper: list[Said], live: list[Said], numbers: dict[int, int]
) -> None:
    """Row by row, in the order of the lane, to the first that is another's."""
    paper, live = _without_refusals(paper), _without_refusals(live)
    for place, (ours, theirs) in enumerate(zip_longest(paper, live), 1):
        where = f"{symbol}, row {place} of its lane"
        if ours is None or theirs is None or type(ours) is not type(theirs):
            at_ms = (ours or theirs).at_ms
            verdict.look(at_ms, where, "row", ours and _named(ours), theirs and _named(theirs))
            return
        verdict.met[_named(ours)] += 1
        kind = type(ours).__name__.lower()
        for name, value, other in zip(ours._fields, ours, theirs, strict=True):
            if name in ("sequence", "partner"):
                other = numbers.get(other, other)
            verdict.look(ours.at_ms, f"{where} ({_named(ours)})", f"{kind}.{name}", value, other)


def _refusals_alike(verdict: Verdict, symbol: str, paper: list[Said], live: list[Said]) -> None:
    for (place, ours), (other, theirs) in zip_longest(
        _refusals(paper), _refusals(live), fillvalue=(0, None)
    ):
        if ours != theirs:
            at_ms = (ours or theirs or NOBODY).at_ms
            words = (one and f"{_named(one)} at {one.at_ms}" for one in (ours, theirs))
            verdict.look(at_ms, f"{symbol}, its refusals", "row", *words)
            return
        verdict.met[_named(ours or NOBODY)] += 1
        verdict.allowed["refused.place"] += place != other


def _refusals(lane: list[Said]) -> Iterator[tuple[int, Refused | None]]:
    """Each with the number of rows before it."""
    return ((place, one) for place, one in enumerate(lane) if isinstance(one, Refused))


def _without_refusals(lane: list[Said]) -> list[Said]:
    return [one for one in lane if not isinstance(one, Refused)]


def _states_alike(
    verdict: Verdict, at_ms: int, paper: State, live: State, symbols: Sequence[str]
) -> None:
    verdict.met["state at a close"] += 1
    _parts_alike(verdict, at_ms, "the account", "account", paper.account, live.account)
    for symbol, ours, theirs in zip(symbols, paper.lanes, live.lanes, strict=True):
        _parts_alike(verdict, at_ms, symbol, "lane", ours, theirs)


def _parts_alike(
    verdict: Verdict, at_ms: int, where: str, what: str, paper: Account | Lane, live: Account | Lane
) -> None:
    for name in paper._fields:
        value, other = getattr(paper, name), getattr(live, name)
        if name not in BY_ROWS:
            verdict.look(at_ms, f"{where} at the close", f"{what}.{name}", value, other)


def _orders(said: Iterable[Said]) -> list[Order]:
    return [item for item in said if isinstance(item, Order)]


def _named(item: Said) -> str:
    """
    >>> _named(Cancel(0, 0, 1)), _named(Refused(0, 0, int(Refusal.GROSS), 1))
    ('cancel', 'refused gross')
    """
    match item:
        case Order():
            side, kind, cause = Side(item.side), Kind(item.kind), Cause(item.cause)
            words = f"{side.name} by {kind.name} for {cause.name}"
        case Report():
            words = f"{Status(item.status).name} report"
        case Refused():
            words = f"refused {Refusal(item.refusal).name}"
        case Cancel():
            words = "cancel"
        case Amend():
            words = "amend"
    return words.lower().replace("_", " ")
