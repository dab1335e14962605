"""A Kraken book is believed while its checksum is the venue's own, after every message.

The checksum is the CRC32 of the ten best asks, then bids, each as price and quantity without
their dots and leading zeros: that is a whole number of the venue's decimals, printed. Version 1
writes the decimals with every number; version 2 sends JSON numbers, and the pair says its decimals.
Messages of both are understood; what is no book message of this pair changes nothing.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Final, NamedTuple
from zlib import crc32

from rrr.core.events import Level
from rrr.data_pipeline.orderbook import Book, Diff, levels

SUMMED: Final = 10  # levels a side that the checksum covers


class Decimals(NamedTuple):
    price: int
    quantity: int


class KrakenBook:
    """Messages of one pair, decoded, make a verified `book` in units of these decimals."""

    def __init__(self, pair: str, depth: int, units: Decimals, summed: Decimals) -> None:
        """`summed`: what the checksum is written in; version 1 shows its own in each snapshot."""
        self.book = Book(depth)
        self._pair, self._units, self._summed = pair, units, summed

    def take(self, message: object) -> bool:
        """Whether it was a book message of this pair; what it made of the book is in the book."""
        match message:
            case {"channel": "book", "type": kind, "data": list(data)}:
                ours = [each for each in data if isinstance(each, dict)]
                ours = [said for said in ours if said.get("symbol") == self._pair]
                for said in ours:
                    self._second(said, kind == "snapshot")
                return bool(ours)
            case [_, *parts, str(channel), self._pair] if channel.startswith("book"):
                self._first(parts)
                return True
        return False

    def _second(self, said: Mapping[str, object], snapshot: bool) -> None:
        bids, asks = (self._levels(said.get(side, []), "price", "qty") for side in ("bids", "asks"))
        self._apply(bids, asks, snapshot)
        self._verify(said.get("checksum"))

    def _first(self, parts: Sequence[object]) -> None:
        said = dict(chain.from_iterable(part.items() for part in parts if isinstance(part, dict)))
        snapshot = "as" in said or "bs" in said
        names = ("bs", "as") if snapshot else ("b", "a")
        if snapshot:
            self._summed = _written(said.get("as")) or _written(said.get("bs")) or self._summed
        bids, asks = (self._levels(said.get(name, []), 0, 1) for name in names)
        self._apply(bids, asks, snapshot)
        if not snapshot:  # of a snapshot it says no checksum
            self._verify(said.get("c"))

    def _levels(
        self, rows: object, price: int | str, quantity: int | str
    ) -> tuple[Level, ...] | str:
        return levels(rows, *self._units, price, quantity)

    def _apply(
        self, bids: tuple[Level, ...] | str, asks: tuple[Level, ...] | str, snapshot: bool
    ) -> None:
        if isinstance(bids, str) or isinstance(asks, str):
            self.book.lose(bids if isinstance(bids, str) else str(asks))
        elif snapshot:
            self.book.apply_snapshot(bids, asks)
        else:
            self.book.apply(Diff(bids, asks))

    def _verify(self, said: object) -> None:
        if self.book.untradable:
            return
        ours = checksum(self.book, self._units, self._summed)
        if str(said) != str(ours):
            self.book.lose(f"its checksum is {ours}, and not the venue's")


def checksum(book: Book, units: Decimals, summed: Decimals) -> int:
    """Of a book whose numbers are in `units`, as one who writes them with `summed` has it."""
    best = chain(book.asks(SUMMED), book.bids(SUMMED))
    price_shift, quantity_shift = summed.price - units.price, summed.quantity - units.quantity
    text = "".join(
        f"{_scaled(level.price, price_shift)}{_scaled(level.quantity, quantity_shift)}"
        for level in best
    )
    return crc32(text.encode())


def _scaled(number: int, shift: int) -> int:
    factor: int = 10 ** abs(shift)
    return number * factor if shift >= 0 else number // factor


def _written(rows: object) -> Decimals | None:
    """The decimals that the first row is written with."""
    match rows:
        case [[str(price), str(quantity), *_], *_]:
            return Decimals(*(len(text.partition(".")[2]) for text in (price, quantity)))
    return None
