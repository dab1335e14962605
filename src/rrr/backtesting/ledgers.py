"""What happens in a run is written down as it happens: rows, equities, and a digest a day.

A digest folds the digest of the day before, the rows of its day, and the state as the day's last
close left it: account, purse, lanes and shelves, number by number.
"""

from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np

from rrr.core.events import Assumed, Decision, Event, Flow, Halted, Limits, Listing, Refused
from rrr.core.ledger import equity
from rrr.core.orders import NO_ORDER, Amend, Cancel, Order, Report
from rrr.core.rules import Refusal
from rrr.core.shelf import NO_PURSE, NO_SHELF
from rrr.core.state import NO_ACCOUNT, NO_LANE, State
from rrr.database.journal import KINDS
from rrr.neural_network.panel import I64, Mask
from rrr.trading.engine.paper import NO_WORLD, Record, World, advance

from . import desk as tables
from . import flat
from .book import Book
from .history import History
from .result import WIDTH, Result
from .stretches import NOTHING, Stretch

ROWS: Final = 1 << 14  # kept before they are put away
BOOK_WIDTH: Final = flat.width(NO_ACCOUNT)
QUEUE_WIDTH: Final = tables.WHEN + 1
QUEUE: Final = 4_096
SEEN: Final = (Order, Cancel, Amend, Report, Refused, Halted)
_KIND: Final[dict[type, int]] = {what: KINDS[what] for what in SEEN}


class Ledger:
    """The state of a run, and all that it leaves."""

    def __init__(self, book: Book, history: History, columns: I64, *, digests: bool = True) -> None:
        self.sealing = digests
        self.book, self.every_ms = book, history.panel.timeframe_ms
        self.instruments = flat.rows_of(book.instruments)
        self.lived = int(np.searchsorted(columns, history.begins))
        self.opened = history.panel.opened_at_ms[columns]
        closes, m = len(columns), len(book.instruments)
        self.equity = np.zeros(closes, np.int64)
        self.worth = np.zeros((closes, m), np.int64)
        self.invested = np.zeros(closes, np.int64)
        self.refusals = np.zeros((m, len(Refusal)), np.int64)
        self.rows: list[I64] = []
        self.fresh: list[list[int]] = []  # of the interpreter
        self.done = 0
        self.digests: list[tuple[int, str]] = []
        self.hash = sha256()
        self.world = NO_WORLD
        self.desk: tables.Desk | None = None  # the world, while compiled code goes on with it
        self.days = np.zeros((0, 0), np.int64)
        self.touched = bool(history.bid.any())
        begins_ms = int(self.opened[0]) if closes else 0
        self._tell(Limits(begins_ms, book.law))
        self._tell(Assumed(begins_ms, book.assumptions))
        for one in book.instruments:
            self._tell(Listing(begins_ms, one))
        self.flow(Flow(begins_ms, book.capital), late=False)

    def flow(self, flow: Flow, *, late: bool) -> None:
        """Money comes or goes; late, it belongs to the close that was met last."""
        self._adopt()
        self._tell(flow)
        self._put(np.array([[KINDS[Flow], *flow, *(0,) * (WIDTH - 3)]], np.int64))
        if late and self.done:
            self._stand(self.done - 1)

    def interpreted(self, stretch: Stretch) -> None:
        """Event by event, through the wiring of paper trading."""
        self._adopt()
        last = len(self.opened) - 1
        for moment in stretch.moments():
            for event in moment.events:
                self._tell(event)
            self._stand(self.done)
            at_ms = moment.close.at_ms
            self.done += 1
            next_ms = self.opened[self.done] + self.every_ms if self.done <= last else at_ms * 2
            if tables.day(int(next_ms)) != tables.day(at_ms):
                self._put_fresh()
                book, lanes, shelves = self._state()
                both = np.hstack([lanes, shelves])
                self._day_over(at_ms, np.concatenate([book.ravel(), both.ravel()]))
        self._put_fresh()

    def compiled(self, stretch: Stretch, folder: Path | None) -> None:
        """The same, by the functions that numba made of the core's."""
        from .compiled import loops_compiled

        made = loops_compiled(folder)
        candles, touches, detail = self._lines(stretch, made.gather)
        desk = self._desk()
        length, begin = len(stretch.mine), self.done
        opened = np.append(stretch.opened, self.opened[stretch.end : stretch.end + 1])
        detail_ms = self.every_ms // stretch.finer if stretch.finer else 0
        lines = tables.History(
            opened.reshape(-1, 1), length, self.every_ms, candles, touches, detail, detail_ms
        )
        told = tables.Told(
            self.equity[begin : begin + length].reshape(-1, 1),
            self.worth[begin : begin + length],
            self.days,
        )
        at = 0
        while at < length:
            at, n, d = made.start(desk, lines, told, at, 0, 0)
            rows, before = desk.rows[:n].copy(), 0
            for day in self.days[:d]:
                self._put(rows[before : day[1]])
                self._day_over(int(day[0]), day[2:])
                before = int(day[1])
            self._put(rows[before:])
        self.done += length
        self.invested[begin : self.done] = self.world.state.account.invested

    def result(self) -> Result:
        self._adopt()
        told = {
            (int(i), int(reason)): int(self.refusals[i, reason])
            for i, reason in np.argwhere(self.refusals)
        }
        lived = slice(self.lived, None)
        return Result(
            law=self.book.law,
            instruments=self.book.instruments,
            timeframe_ms=self.every_ms,
            rows=self._gathered(),
            at_ms=self.opened[lived] + self.every_ms,
            equity=self.equity[lived],
            worth=self.worth[lived],
            invested=self.invested[lived],
            world=self.world,
            digests=self.digests,
            refusals=told,
        )

    def _gathered(self) -> I64:
        """All rows as one array; each part is let go when it has been copied."""
        rows = np.empty((sum(map(len, self.rows)), WIDTH), np.int64)
        end = len(rows)
        while self.rows:
            part = self.rows.pop()
            rows[end - len(part) : end] = part
            end -= len(part)
        return rows

    def _tell(self, event: Event) -> None:
        record: Record = []
        self.world = advance(self.world, event, record)
        for item in record:
            if isinstance(item, Refused):
                self.refusals[item.instrument, item.refusal] += 1
                if item.times > 1:
                    continue
            if isinstance(item, SEEN):
                self.fresh.append(_line(item))

    def _stand(self, close: int) -> None:
        """How the book stands at a close."""
        state = self.world.state
        self.equity[close] = equity(state.account)
        self.invested[close] = state.account.invested
        self.worth[close] = [lane.worth for lane in state.lanes]

    def _put_fresh(self) -> None:
        if self.fresh:
            self._put(np.array(self.fresh, np.int64))
            self.fresh = []

    def _put(self, rows: I64) -> None:
        if len(rows):
            self.rows.append(rows)
        if len(rows) and self.sealing:
            self.hash.update(np.ascontiguousarray(rows, "<i8").data)

    def _day_over(self, at_ms: int, state: I64) -> None:
        if not self.sealing:
            return
        self.hash.update(np.ascontiguousarray(state, "<i8").data)
        digest = self.hash.hexdigest()
        self.digests.append((tables.day(at_ms), digest))
        self.hash = sha256(digest.encode())

    def _state(self) -> tuple[I64, I64, I64]:
        """The world as tables."""
        state = self.world.state
        book = np.zeros((2, BOOK_WIDTH), np.int64)
        flat.write(state.account, book, 0, 0)
        flat.write(self.world.purse, book, 1, 0)
        return book, flat.rows_of(state.lanes), flat.rows_of(self.world.shelves)

    def _desk(self) -> tables.Desk:
        """The world as tables, which stay so from stretch to stretch."""
        if self.desk is None:
            book, lanes, shelves = self._state()
            m = len(lanes)
            self.desk = tables.Desk(
                terms=_terms(self.book),
                instruments=self.instruments,
                book=book,
                lanes=lanes,
                shelves=shelves,
                rows=np.zeros((ROWS + tables.ROWS_AT_A_CLOSE * m, WIDTH), np.int64),
                queue=np.zeros((QUEUE, QUEUE_WIDTH), np.int64),
                awake=np.zeros((m, 1), np.int64),
                refusals=self.refusals,
            )
            self.days = np.zeros((64, 2 + book.size + lanes.size + shelves.size), np.int64)
        return self.desk

    def _adopt(self) -> None:
        """The tables as the world."""
        if self.desk is None:
            return
        book, lanes, shelves = self.desk.book, self.desk.lanes, self.desk.shelves
        m, state, self.desk = len(lanes), self.world.state, None
        self.world = World(
            State(
                state.law,
                flat.read(NO_ACCOUNT, book, 0, 0),
                state.instruments,
                tuple(flat.read(NO_LANE, lanes, k, 0) for k in range(m)),
            ),
            flat.read(NO_PURSE, book, 1, 0),
            tuple(flat.read(NO_SHELF, shelves, k, 0) for k in range(m)),
            self.world.assumed,
        )

    def _lines(self, stretch: Stretch, gather: object) -> tuple[I64, I64, I64]:
        assert callable(gather)
        history, ours = stretch.history, stretch.mine
        panel, m = history.panel, history.panel.instruments
        candles = np.empty((len(ours) * m, tables.WORDS), np.int64)
        columns = (panel.open, panel.high, panel.low, panel.close, panel.volume, history.source)
        there = _cut(panel.there, ours)
        gather(*(_cut(c, ours) for c in columns), stretch.silenced, there, candles)
        touches, detail = NOTHING, NOTHING
        if self.touched:
            pairs = [_cut(history.bid, ours).T, _cut(history.ask, ours).T]
            touches = np.ascontiguousarray(np.stack(pairs, axis=-1).reshape(-1, 2))
        if history.detail is not None:
            fine, inner = history.detail, stretch.fine_columns()
            detail = np.empty((len(inner) * m, tables.WORDS), np.int64)
            source = np.full(fine.there.shape, int(history.source[0, 0]), np.int64)
            quiet = np.full((m, len(inner)), tables.SILENT, np.int64)
            columns = (fine.open, fine.high, fine.low, fine.close, fine.volume, source)
            there = _cut(fine.there, inner)
            gather(*(_cut(c, inner) for c in columns), quiet, there, detail)
        return candles, touches, detail


def _cut(column: I64 | Mask, columns: I64) -> I64:
    """These columns, one after another in memory."""
    if len(columns) and columns[-1] - columns[0] == len(columns) - 1:
        part = column[:, columns[0] : columns[-1] + 1]
    else:
        part = column[:, columns]
    return np.ascontiguousarray(part, np.int64)


def _terms(book: Book) -> I64:
    terms = np.zeros((2, flat.width(book.law)), np.int64)
    flat.write(book.law, terms, 0, 0)
    flat.write(book.assumptions, terms, 1, 0)
    return terms


def _line(item: Event | Decision) -> list[int]:
    line = [_KIND[type(item)], *item]
    return line + [0] * (WIDTH - len(line))


assert 2 + len(NO_ORDER) == tables.WHEN
