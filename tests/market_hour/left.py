"""What a life left in its home, read from its database alone: times are the market's."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

from rrr.core.market import Source
from tests.storm.homes import House

MINUTE_MS: Final = 60_000
ENDS: Final = {
    "stream_silent": "stream_recovered",
    "stream_trouble": "stream_recovered",
    "exchange_trouble": "exchange_recovered",
    "clock_offset": "clock_agrees",
}


class Row(NamedTuple):
    """A candle, as it was decided upon."""

    instrument: int
    opened_at_ms: int
    numbers: tuple[int, ...]  # open, high, low, close in points; volume in grains
    source: Source


class Fact(NamedTuple):
    """What the house noticed; its row is at most a second younger than it."""

    at_ms: int
    name: str
    detail: dict[str, Any]


class Trouble(NamedTuple):
    begun: Fact
    over: Fact | None

    @property
    def of_streams(self) -> bool:
        return self.begun.name in ("stream_silent", "stream_trouble")


class Entry(NamedTuple):
    """An order that opens or adds, and how old what it was decided on then was."""

    number: int
    instrument: int
    candle_at_ms: int  # when the last candle of the instrument closed
    arrived_at_ms: int  # when it was decided, just before its commit


@dataclass(frozen=True)
class Left:
    house: House

    @cached_property
    def symbols(self) -> list[tuple[str, int, int]]:
        """Of each instrument its symbol, points and grains."""
        found = self.house.ask("SELECT symbol, points, grains FROM units ORDER BY instrument")
        return [(symbol, points, grains) for symbol, points, grains in found]

    @cached_property
    def closes(self) -> list[int]:
        """The opening times of all that became rows, in the order of the rows."""
        rows = self.house.ask(
            "SELECT core FROM journal WHERE kind = 4 AND book = 0 ORDER BY number"
        )
        return [json.loads(core)[1] for (core,) in rows]

    @cached_property
    def rows(self) -> list[Row]:
        found = self.house.ask(
            "SELECT instrument, opened_at_ms, open, high, low, close, volume, source FROM candles"
            " WHERE book = 0"
        )
        return [Row(i, at, tuple(numbers), Source(source)) for i, at, *numbers, source in found]

    @cached_property
    def gaps(self) -> dict[tuple[str, int], set[str]]:
        found: dict[tuple[str, int], set[str]] = {}
        for symbol, at, why in self.house.ask("SELECT symbol, opened_at_ms, why FROM gaps"):
            found.setdefault((symbol, at), set()).add(why)
        return found

    @cached_property
    def facts(self) -> list[Fact]:
        found = self.house.ask(
            "SELECT at_ms, name, detail FROM system_events WHERE name NOT IN"
            " ('candle_gap', 'database', 'data') ORDER BY id"
        )
        return [Fact(at, name, json.loads(detail)) for at, name, detail in found]

    @cached_property
    def troubles(self) -> list[Trouble]:
        """What was told when it began, and once more when it was over."""
        found: dict[str, Trouble] = {}
        made: list[Trouble] = []
        for fact in self.facts:
            if fact.name in found:
                made.append(found.pop(fact.name)._replace(over=fact))
            elif fact.name in ENDS:
                found.setdefault(ENDS[fact.name], Trouble(fact, None))
        return sorted([*made, *found.values()], key=lambda trouble: trouble.begun.at_ms)

    @cached_property
    def halted(self) -> list[tuple[int, int]]:
        """From when until when nothing new was opened."""
        spans, since_ms = list[tuple[int, int]](), None
        for at, reason, _ in self.halts:
            if reason not in ("released", "resumed"):
                since_ms = at if since_ms is None else since_ms
            elif since_ms is not None:
                spans.append((since_ms, at))
                since_ms = None
        return [*spans, (since_ms, 1 << 62)] if since_ms is not None else spans

    @cached_property
    def halts(self) -> list[tuple[int, str, str]]:
        """When each was decided, its reason, and the words of whoever asked for it."""
        return [
            (at, reason, note)
            for at, reason, note in self.house.ask(
                "SELECT j.arrived_at_ms, h.reason, h.note FROM halts h"
                " JOIN journal j USING (session, book, number) WHERE h.book = 0 ORDER BY h.number"
            )
        ]

    @cached_property
    def entries(self) -> list[Entry]:
        found = self.house.ask(
            "SELECT o.number, o.instrument, max(c.closed_at_ms), j.arrived_at_ms FROM orders o"
            " JOIN journal j USING (session, book, number)"
            " JOIN candles c ON c.instrument = o.instrument AND c.number < o.number AND c.book = 0"
            " WHERE o.side = 1 AND o.book = 0 GROUP BY o.number ORDER BY o.number"
        )
        return [Entry(*each) for each in found]

    @cached_property
    def fresh_ms(self) -> int:
        """How old at most what an entry is decided on may be, by the settings of this life."""
        names = "'risk.stale_candles', 'risk.late_ms'"
        said = dict(self.house.ask(f"SELECT name, value FROM settings WHERE name IN ({names})"))
        return min(
            int(said["risk.stale_candles"]) * MINUTE_MS, int(said.get("risk.late_ms", 10**9))
        )

    def logged(self) -> Iterator[str]:
        """All lines of all logs."""
        for path in sorted((self.house.home / "logs").rglob("*.log")):
            yield from path.read_text("utf-8").splitlines()
