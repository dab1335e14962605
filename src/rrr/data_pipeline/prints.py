"""A candle is made of prints in any order, each once; whether it is whole is known or denied.

Prints enter as they come. What comes twice, late, from the future or impossible is named, counted
and not used; an interval that may lack a print (the stream was broken inside it, or something was
said that could not be understood) is in doubt. Of an interval only its four prices and its volume
are kept, and of the past a bounded number of ids: a print that may be older than they reach is
not believed to be new.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from math import isfinite
from typing import Final, NamedTuple

from rrr.core.market import Candle, Source
from rrr.data_pipeline.instruments import Spec

END: Final = 1 << 63  # no number of ours is so large

_EXACT_BELOW = 10**15  # so many decimal digits survive a float
_DIGITS_MAX = 40  # no venue writes more
_PLAIN = re.compile(rf"[0-9]{{1,{2 * _DIGITS_MAX}}}(\.[0-9]{{1,{2 * _DIGITS_MAX}}})?")
_TOO_LARGE = "does not fit into 64 bits"
_SIDES = {"buy": 1, "sell": -1}


class Print(NamedTuple):
    at_ms: int
    price: int  # points
    quantity: int  # grains
    side: int = 0  # 1: a buyer took, -1: a seller did, 0: nobody said
    id: str = ""  # the venue's own; empty: nobody said


class Seen(StrEnum):
    """What became of a print."""

    TAKEN = "taken"
    DISORDERED = "taken, though newer ones came before it"
    DUPLICATE = "it came before"
    CONTRADICTED = "it came before, and differently"
    UNSURE = "it may have come before: its id would be forgotten by now, or is missing"
    LATE = "its candle is closed, or was never begun"
    FUTURE = "it says that it has not happened yet"
    IMPOSSIBLE = "no print is like that"


class Built(NamedTuple):
    """An interval that is over."""

    opened_at_ms: int
    candle: Candle | None  # None: no print of it was seen
    prints: int
    whole: bool  # no print of it can be missing: without a candle, nobody traded


class Builder:
    """The prints of one instrument as candles. It begins broken: call `resumed` first."""

    def __init__(
        self,
        timeframe_ms: int,
        *,
        instrument: int = 0,
        ahead_ms: int = 5_000,
        ids_max: int = 8_192,
    ) -> None:
        assert timeframe_ms > 0
        self.counts: Counter[Seen] = Counter()
        self._step_ms, self._instrument = timeframe_ms, instrument
        self._ahead_ms, self._ids_max = ahead_ms, ids_max
        self._next: int | None = None  # the first interval that is not closed
        self._forming: dict[int, _Forming] = {}
        self._broken_ms: int | None = 0  # None: prints flow
        self._doubts: list[tuple[int, int]] = []  # spans of whole intervals
        self._ids: dict[str, Print] = {}  # as they came
        self._named = False  # whether the venue gives its prints ids
        self._forgotten_ms = -1  # the newest print whose id is no longer known
        self._newest_ms = -1

    def take(self, one: Print, heard_ms: int | None = None) -> Seen:
        """Use a print once; `heard_ms` is when it came, by the venue's clock, if it is news."""
        seen = self._judged(one, heard_ms)
        self.counts[seen] += 1
        if seen in (Seen.IMPOSSIBLE, Seen.FUTURE) and heard_ms is not None:
            self.doubt(heard_ms)
        return seen

    def until(self, at_ms: int) -> list[Built]:
        """Every interval that is over by then, in order; each is told once and never changes."""
        if self._next is None:
            return []
        end = max(self._floor(at_ms), self._next)
        built = [self._closed(opened) for opened in range(self._next, end, self._step_ms)]
        self._next = end
        self._doubts = [span for span in self._doubts if span[1] > end]
        return built

    def broken(self, at_ms: int) -> None:
        """What happened from then on may not have been heard: give the last time of anything."""
        self._broken_ms = at_ms if self._broken_ms is None else min(at_ms, self._broken_ms)

    def resumed(self, at_ms: int) -> None:
        """From then on everything is heard."""
        if self._next is None:
            self._next = self._floor(at_ms)
        if self._broken_ms is not None:
            self._doubt_span(self._broken_ms, max(at_ms, self._broken_ms + 1))
            self._broken_ms = None

    def doubt(self, at_ms: int) -> None:
        """A print of about then was lost or could not be read."""
        self._doubt_span(at_ms, at_ms + 1)

    def _judged(self, one: Print, heard_ms: int | None) -> Seen:
        if not _possible(one):
            return Seen.IMPOSSIBLE
        if heard_ms is not None and one.at_ms > heard_ms + self._ahead_ms:
            return Seen.FUTURE
        self._named = self._named or one.id != ""
        opened_at_ms = self._floor(one.at_ms)
        if self._next is None:
            self._next = opened_at_ms
        if opened_at_ms < self._next:
            return Seen.LATE
        if one.id:
            known = self._ids.get(one.id)
            if known is not None:
                if (known.price, known.quantity) == (one.price, one.quantity):
                    return Seen.DUPLICATE
                self.doubt(known.at_ms)
                self.doubt(one.at_ms)
                return Seen.CONTRADICTED
        if one.at_ms <= self._forgotten_ms or (self._named and not one.id):
            self.doubt(one.at_ms)
            return Seen.UNSURE
        forming = self._forming.get(opened_at_ms)
        if forming is None:
            self._forming[opened_at_ms] = _Forming.of(one)
        elif forming.volume + one.quantity >= END:
            self.doubt(one.at_ms)
            return Seen.IMPOSSIBLE
        else:
            forming.add(one)
        self._remember(one)
        if one.at_ms < self._newest_ms:
            return Seen.DISORDERED
        self._newest_ms = one.at_ms
        return Seen.TAKEN

    def _remember(self, one: Print) -> None:
        if one.id:
            self._ids[one.id] = one
            if len(self._ids) > self._ids_max:
                oldest = self._ids.pop(next(iter(self._ids)))
                self._forgotten_ms = max(oldest.at_ms, self._forgotten_ms)

    def _closed(self, opened_at_ms: int) -> Built:
        forming = self._forming.pop(opened_at_ms, None)
        whole = not self._doubtful(opened_at_ms)
        if forming is None:
            return Built(opened_at_ms, None, 0, whole)
        return Built(opened_at_ms, forming.candle(self._instrument), forming.prints, whole)

    def _doubtful(self, opened_at_ms: int) -> bool:
        if self._broken_ms is not None and opened_at_ms + self._step_ms > self._broken_ms:
            return True
        return any(begin <= opened_at_ms < end for begin, end in self._doubts)

    def _doubt_span(self, begin_ms: int, end_ms: int) -> None:
        """Kept as few spans that do not overlap: a stream that flaps costs no memory."""
        begin = max(self._floor(begin_ms), self._next or 0)
        end = self._floor(end_ms - 1) + self._step_ms
        apart = []
        for span in self._doubts:
            if span[0] <= end and begin <= span[1]:
                begin, end = min(begin, span[0]), max(end, span[1])
            else:
                apart.append(span)
        if begin < end:
            self._doubts = [*apart, (begin, end)]

    def _floor(self, at_ms: int) -> int:
        return at_ms - at_ms % self._step_ms


def candles_of(
    prints: Iterable[Print], timeframe_ms: int, instrument: int = 0
) -> dict[int, Candle]:
    """What these prints make, by opening time: in whatever order they came, each id once.

    The first and the last candle are as whole as what was given.
    """
    forming: dict[int, _Forming] = {}
    ids = set()
    for one in prints:
        assert _possible(one), "Read by `printed`."
        if one.id:
            if one.id in ids:
                continue
            ids.add(one.id)
        opened_at_ms = one.at_ms - one.at_ms % timeframe_ms
        if opened_at_ms in forming:
            forming[opened_at_ms].add(one)
        else:
            forming[opened_at_ms] = _Forming.of(one)
    return {at: forming[at].candle(instrument) for at in sorted(forming)}


def printed(trade: Mapping[str, object], spec: Spec) -> Print | str:
    """A public trade in ccxt's words, or why it is none; a quantity is cut to whole grains."""
    at_ms, name = trade.get("timestamp"), trade.get("id")
    if type(at_ms) is not int or not 0 <= at_ms < END:
        return "its time is no number of milliseconds"
    price = units(trade.get("price"), spec.points)
    if isinstance(price, str):
        return f"its price {price}"
    quantity = units(trade.get("amount"), spec.grains, cut=True)
    if isinstance(quantity, str):
        return f"its quantity {quantity}"
    if not price or not quantity:
        return f"its {'quantity' if price else 'price'} is zero"
    side = trade.get("side")
    taker = _SIDES.get(side, 0) if isinstance(side, str) else 0
    return Print(at_ms, price, quantity, taker, name if isinstance(name, str) else "")


def units(number: object, decimals: int, *, cut: bool = False, end: int = END) -> int | str:
    """A number of a message in units of 10⁻ᵈ, exactly, or what is wrong with it.

    >>> units("0.00002290", 9), units(0.1, 2), units(7, 1), units("1.25", 1, cut=True)
    (22900, 10, 70, 12)
    >>> units("1.25", 1), units(float("nan"), 2), units(-1.5, 2)
    ('has more than 1 decimals', 'is no number', 'is negative')
    """
    match number:
        case bool():
            return "is no number"
        case float():
            if not isfinite(number):
                return "is no number"
            nearest = round(number * 10**decimals) if 0 <= number < END else _EXACT_BELOW
            if nearest < _EXACT_BELOW and nearest / 10**decimals == number:
                return nearest
            return units(Decimal(repr(number)), decimals, cut=cut, end=end)
        case int():
            if number < 0:
                return "is negative"
            return _fitting(number * 10**decimals, end)
        case Decimal():
            if not number.is_finite():
                return "is no number"
            if number < 0:
                return "is negative"
            if abs(number.adjusted()) > _DIGITS_MAX or len(number.as_tuple().digits) > _DIGITS_MAX:
                return _TOO_LARGE if number > 1 else "has too many decimals"
            return units(format(abs(number), "f"), decimals, cut=cut, end=end)
        case str():
            if not _PLAIN.fullmatch(number):
                bare = number[1:] if number.startswith("-") else ""
                return "is negative" if _PLAIN.fullmatch(bare) else "is no number"
            head, _, tail = number.partition(".")
            if not cut and tail[decimals:].strip("0"):
                return f"has more than {decimals} decimals"
            return _fitting(int(head + tail[:decimals].ljust(decimals, "0")), end)
    return "is no number"


@dataclass(slots=True)
class _Forming:
    """What is kept of the prints of one interval: the order of their coming leaves no trace."""

    first: Print
    last: Print
    high: int
    low: int
    volume: int
    prints: int

    @classmethod
    def of(cls, one: Print) -> "_Forming":
        return cls(one, one, one.price, one.price, one.quantity, 1)

    def add(self, one: Print) -> None:
        if _place(one) < _place(self.first):
            self.first = one
        if _place(one) >= _place(self.last):
            self.last = one
        self.high = max(self.high, one.price)
        self.low = min(self.low, one.price)
        self.volume += one.quantity
        self.prints += 1

    def candle(self, instrument: int) -> Candle:
        prices = self.first.price, self.high, self.low, self.last.price
        return Candle(instrument, *prices, self.volume, Source.BUILT)


def _place(one: Print) -> tuple[int, int, str]:
    """Venues number their prints: of one millisecond, 9 is before 10."""
    return one.at_ms, len(one.id), one.id


def _possible(one: Print) -> bool:
    numbers = one.at_ms, one.price, one.quantity
    if any(type(number) is not int for number in numbers) or type(one.id) is not str:
        return False
    return 0 <= one.at_ms < END and 0 < one.price < END and 0 < one.quantity < END


def _fitting(number: int, end: int) -> int | str:
    return number if number < end else _TOO_LARGE
