"""Coinbase numbers the messages of a connection; one that is missing may be of any of its books.

Every message of a connection is shown, or its number. After a gap all books are untradable until
each has a new snapshot, which a new subscription brings; while none can be traded on, any number is
a beginning. What comes twice is not used twice; what is older than the beginning proves nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from rrr.core.events import Level
from rrr.data_pipeline.orderbook import NO_SNAPSHOT, Book, Diff, levels

_JUMP_MAX: Final = 1_000_000  # a number beyond is broken, and would hide all that follow


class Units(NamedTuple):
    points: int
    grains: int


class CoinbaseBooks:
    """The messages of one connection, decoded, make the books of its products."""

    def __init__(self, products: Mapping[str, Units], depth: int, *, kept: int = 1_000) -> None:
        self.books = {name: Book(depth, kept=max(kept, depth)) for name in products}
        self._units = dict(products)
        self._first, self._last = 0, -1  # of this connection, without a gap

    def reconnected(self) -> None:
        """Another connection numbers anew, and begins without books."""
        self._first, self._last = 0, -1
        self._lose(NO_SNAPSHOT)

    def passed(self, number: int) -> bool:
        """A message had this number: whether it is news."""
        expected = self._last + 1
        if number < 0 or abs(number - expected) > _JUMP_MAX:
            return False
        if all(book.untradable for book in self.books.values()):
            self._first = number
        elif self._first <= number < expected:
            return False
        elif number > expected:
            self._lose(f"messages {expected} to {number - 1} are missing")
            self._first = number
        elif number < self._first:
            self._lose(f"message {number} came after {self._last}")
            self._first = number
        self._last = number
        return True

    def take(self, message: object) -> frozenset[str]:
        """Whose books it was about; what it made of them is in the books."""
        match message:
            case {"sequence_num": int(number), "channel": str(channel)}:
                if not self.passed(number):
                    return frozenset()
            case _:
                return frozenset()
        match message:
            case {"events": list(events)} if channel == "l2_data":
                return frozenset(name for each in events for name in self._event(each))
        return frozenset()

    def _event(self, event: object) -> Iterable[str]:
        match event:
            case {"product_id": str(said), "type": kind, "updates": updates}:
                # BTC-USDC is one book with BTC-USD, and is called so.
                name = said if said in self.books else f"{said}C"
                if name not in self.books:
                    return
                book, sides = self.books[name], self._sides(updates, self._units[name])
                if isinstance(sides, str):
                    book.lose(sides)
                elif kind == "snapshot":
                    book.apply_snapshot(*sides)
                else:
                    book.apply(Diff(*sides))
                yield name

    def _sides(self, updates: object, units: Units) -> tuple[list[Level], list[Level]] | str:
        read = levels(updates, *units, "price_level", "new_quantity")
        if isinstance(read, str) or not isinstance(updates, list):
            return str(read)
        sides: tuple[list[Level], list[Level]] = [], []
        for level, update in zip(read, updates, strict=True):
            match update:
                case {"side": "bid"}:
                    sides[0].append(level)
                case {"side": "offer"}:
                    sides[1].append(level)
                case _:
                    return "a level is on neither side"
        return sides

    def _lose(self, reason: str) -> None:
        for book in self.books.values():
            book.lose(reason)
