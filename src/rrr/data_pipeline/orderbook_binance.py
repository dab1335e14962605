"""A Binance book is a snapshot and every change since, none missing: their update ids touch.

Changes come by socket and wait, a bounded number of them, for a snapshot by REST that is not older
than the first of them; what the snapshot contains already is dropped. From then on each begins
where the last one ended. A gap makes the book untradable until another snapshot is given.
"""

from collections import deque
from collections.abc import Mapping
from typing import Final, NamedTuple

from rrr.core.events import Level
from rrr.data_pipeline.orderbook import Book, Diff, levels

WAITING_MAX: Final = 1_000

_UPDATES_MAX = 1_000_000  # of one change: more is a broken id, which would hide all that follow


class BinanceBook:
    """Changes of one symbol, decoded, and the answers to its `depth` make a `book`."""

    def __init__(
        self, symbol: str, depth: int, points: int, grains: int, *, kept: int = 1_000
    ) -> None:
        self.book = Book(depth, kept=max(kept, depth))
        self.update_id = 0  # the last update that the book contains
        self._symbol, self._points, self._grains = symbol, points, grains
        self._waiting: deque[_Change] = deque(maxlen=WAITING_MAX)

    def take(self, message: object) -> bool:
        """Whether it was a change of this book; what it made of the book is in the book."""
        match message:
            case {"stream": str(), "data": {"e": _} as inner}:
                message = inner
        match message:
            case {"e": "depthUpdate", "s": self._symbol, **said}:
                self._follow(self._read(said))
                return True
        return False

    def take_snapshot(self, answer: object, limit: int) -> bool:
        """An answer to a request for `limit` levels; whether the book can be traded on now."""
        match answer:
            case {"lastUpdateId": int(update_id), "bids": bid_rows, "asks": ask_rows}:
                bids, asks = self._levels(bid_rows), self._levels(ask_rows)
            case _:
                return self._lose("the snapshot has another shape")
        if isinstance(bids, str):
            return self._lose(bids)
        if isinstance(asks, str):
            return self._lose(asks)
        waiting = [change for change in self._waiting if change.last > update_id]
        if waiting and waiting[0].first > update_id + 1:
            return self._lose("the snapshot is older than the changes: another is needed")
        self._waiting.clear()
        self.update_id = update_id
        self.book.apply_snapshot(bids, asks, limit=limit)
        for change in waiting:
            self._follow(change)
        return not self.book.untradable

    def _follow(self, change: "_Change | str") -> None:
        if isinstance(change, str):
            self._lose(change)
        elif self.book.untradable:
            self._waiting.append(change)
        elif change.first > self.update_id + 1:
            self._lose(f"updates {self.update_id + 1} to {change.first - 1} are missing")
            self._waiting.append(change)
        elif change.last > self.update_id:
            self.update_id = change.last
            self.book.apply(change.diff)

    def _read(self, said: Mapping[object, object]) -> "_Change | str":
        first, last = said.get("U"), said.get("u")
        if type(first) is not int or type(last) is not int:
            return "a change has no update ids"
        if not 0 <= last - first <= _UPDATES_MAX:
            return "a change has impossible update ids"
        bids, asks = self._levels(said.get("b")), self._levels(said.get("a"))
        if isinstance(bids, str):
            return bids
        if isinstance(asks, str):
            return asks
        return _Change(first, last, Diff(bids, asks))

    def _levels(self, rows: object) -> tuple[Level, ...] | str:
        return levels(rows, self._points, self._grains)

    def _lose(self, reason: str) -> bool:
        self.book.lose(reason)
        return False


class _Change(NamedTuple):
    first: int
    last: int
    diff: Diff
