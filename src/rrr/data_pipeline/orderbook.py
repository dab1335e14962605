"""An order book is either what the venue's is, as deep as it says, or untradable with its reason.

Whole numbers enter: a snapshot, then changes. A change that is impossible, a book that is crossed,
a gap that a dialect names (`lose`): from then on the book shows nothing until a new snapshot.
Memory is bounded. Where the venue keeps the window itself (Kraken) what falls out of the depth is
dropped, and comes again when it is near. Where it sends the changes of all levels, more of them
are kept than are shown; what lies beyond the worst that was ever dropped is never shown, because
what else lies there is unknown.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Final, NamedTuple

from rrr.core.events import Depth, Level, Touch
from rrr.data_pipeline.prints import END, units

NO_SNAPSHOT: Final = "no snapshot yet"

_JOKES_END: Final = 1 << 100  # who asks ten billion for a coin is in the book too, far down


class Diff(NamedTuple):
    """New quantities at prices; 0: nothing is left there. In the order in which they happened."""

    bids: Sequence[Level] = ()
    asks: Sequence[Level] = ()


class Book:
    """Up to `depth` levels a side; `kept` of them are held if the venue sends changes of all."""

    def __init__(self, depth: int, *, kept: int = 0) -> None:
        assert depth > 0
        assert kept == 0 or kept >= depth
        self.depth = depth
        self.untradable = NO_SNAPSHOT  # why; empty: it can be traded on
        self.snapshots = 0
        self._kept, self._window = kept or depth, not kept
        self._bids, self._asks = _Side(-1), _Side(1)

    def apply_snapshot(
        self, bids: Iterable[Level], asks: Iterable[Level], *, limit: int = 0
    ) -> None:
        """The book as it is; a side of `limit` levels goes on beyond them, unknown to us."""
        self._bids, self._asks = _Side(-1), _Side(1)
        self.untradable = ""
        self.snapshots += 1
        for side, levels in ((self._bids, bids), (self._asks, asks)):
            for price, quantity in levels:
                if not _possible(price, quantity):
                    return self.lose(_impossible(side, price, quantity))
                if side.has(price):
                    return self.lose(f"the snapshot has two {side.name}s at {price}")
                side.put(price, quantity)
            if limit and len(side) >= limit and not self._window:
                side.ends()
        self._judge()

    def apply(self, diff: Diff) -> None:
        """What changed; nothing is believed of it while the book is untradable."""
        if self.untradable:
            return
        for side, levels in ((self._bids, diff.bids), (self._asks, diff.asks)):
            for price, quantity in levels:
                if not _possible(price, quantity):
                    return self.lose(_impossible(side, price, quantity))
                side.put(price, quantity)
        self._judge()

    def lose(self, reason: str) -> None:
        """It shows nothing any more, until the next snapshot."""
        assert reason
        self._bids, self._asks = _Side(-1), _Side(1)
        self.untradable = reason

    def bids(self, count: int = 0) -> tuple[Level, ...]:
        """The best first, up to its depth."""
        return self._bids.best(count or self.depth)

    def asks(self, count: int = 0) -> tuple[Level, ...]:
        return self._asks.best(count or self.depth)

    def touch(self, at_ms: int, instrument: int) -> Touch | None:
        """None: it is untradable, or nobody is on one side."""
        bids, asks = _fitting(self.bids(1)), _fitting(self.asks(1))
        if not bids or not asks:
            return None
        (bid, bid_quantity), (ask, ask_quantity) = bids[0], asks[0]
        return Touch(at_ms, instrument, bid, ask, bid_quantity, ask_quantity)

    def deep(self, at_ms: int, instrument: int) -> Depth:
        """Down to the first level, if there is one, that 64 bits have no room for."""
        return Depth(at_ms, instrument, _fitting(self.bids()), _fitting(self.asks()))

    def _judge(self) -> None:
        for side in (self._bids, self._asks):
            side.cut(self._kept, window=self._window)
            if side.thin(self.depth):
                return self.lose(f"of its {side.name}s fewer than {self.depth} are known by now")
        bids, asks = self.bids(1), self.asks(1)
        if bids and asks and bids[0].price >= asks[0].price:
            self.lose(f"it is crossed: a bid at {bids[0].price}, an ask at {asks[0].price}")


def levels(
    rows: object, points: int, grains: int, price: int | str = 0, quantity: int | str = 1
) -> tuple[Level, ...] | str:
    """Rows of a message as levels, or what is wrong: where in a row is the price, the quantity?

    >>> levels([("100.5", "2"), (99.0, 0.25)], 2, 4)
    (Level(price=10050, quantity=20000), Level(price=9900, quantity=2500))
    >>> levels([{"price": "NaN", "size": "2"}], 2, 4, "price", "size")
    'a price is no number'
    """
    if not isinstance(rows, list | tuple):
        return "its levels have another shape"
    read = []
    for row in rows:
        try:
            at = units(row[price], points, end=_JOKES_END)
            much = units(row[quantity], grains, end=_JOKES_END)
        except (LookupError, TypeError):
            return "a level has another shape"
        if isinstance(at, str):
            return f"a price {at}"
        if isinstance(much, str):
            return f"a quantity {much}"
        read.append(Level(at, much))
    return tuple(read)


class _Side:
    """Levels by how good they are: a bid is better the higher it is, so its key is negative."""

    __slots__ = ("_end", "_keys", "_quantities", "_sign")

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._keys: list[int] = []  # the best first
        self._quantities: dict[int, int] = {}
        self._end: int | None = None  # beyond this key not all is known; None: all is

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def name(self) -> str:
        return "bid" if self._sign < 0 else "ask"

    def has(self, price: int) -> bool:
        return self._sign * price in self._quantities

    def put(self, price: int, quantity: int) -> None:
        key = self._sign * price
        if self._end is not None and key > self._end:
            return
        if quantity:
            if key not in self._quantities:
                insort(self._keys, key)
            self._quantities[key] = quantity
        elif self._quantities.pop(key, 0):
            del self._keys[bisect_left(self._keys, key)]

    def ends(self) -> None:
        if self._keys:
            self._end = self._keys[-1]

    def cut(self, kept: int, *, window: bool) -> None:
        if len(self._keys) > kept:
            for key in self._keys[kept:]:
                del self._quantities[key]
            del self._keys[kept:]
            if not window:
                self.ends()

    def thin(self, depth: int) -> bool:
        return self._end is not None and len(self._keys) < depth

    def best(self, count: int) -> tuple[Level, ...]:
        return tuple(Level(self._sign * key, self._quantities[key]) for key in self._keys[:count])


def _possible(price: int, quantity: int) -> bool:
    return 0 < price < _JOKES_END and 0 <= quantity < _JOKES_END


def _impossible(side: _Side, price: int, quantity: int) -> str:
    return f"the {side.name} of {quantity} at a price of {price} is impossible"


def _fitting(best: tuple[Level, ...]) -> tuple[Level, ...]:
    return tuple(takewhile(lambda level: level.price < END and level.quantity < END, best))
