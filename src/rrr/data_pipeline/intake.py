"""What sockets said of one instrument is noted, and known to be whole or not; nobody believes it.

Candles come as the venue makes them, ever again while they grow, or are built of prints. Of an
interval it is known whether the stream was unbroken, so that nothing of it can lack, and whether
something later was heard. Of the touch only the last word is kept, and how many were not. Nothing
here grows with the rate at which messages come. All times are the venue's.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from rrr.core.events import Touch
from rrr.core.market import Candle, Source
from rrr.data_pipeline.exchange_candles import candle_of
from rrr.data_pipeline.instruments import Spec, price_end
from rrr.data_pipeline.prints import END, Builder, Built, Seen, printed, units

TOUCH_AGE_MS_MAX: Final = 30_000
SURELY_MS: Final = 10_000  # no message is on its way for longer

_KEPT: Final = 16  # intervals
_AHEAD_MS: Final = 5_000  # no stamp is from the future, but clocks differ
_SETTLED_MS: Final = 500  # prints may overtake each other
_NEWS: Final = (Seen.TAKEN, Seen.DISORDERED)


class Said(NamedTuple):
    """What was said of one interval."""

    candle: Candle | None = None  # None: nothing, or nothing that makes sense
    whole: bool = False  # nothing of it can lack: its stream was unbroken
    closed: bool = False  # something later was heard


class Seeing(NamedTuple):
    """A touch, and when it was."""

    bid: int
    ask: int
    bid_quantity: int
    ask_quantity: int
    at_ms: int


class _Row(NamedTuple):
    candle: Candle
    volume: float  # all of it, not cut to whole grains


class Intake:
    """One instrument."""

    def __init__(self, index: int, symbol: str, pair: str, spec: Spec, timeframe_ms: int) -> None:
        self.index, self.symbol, self.pair = index, symbol, pair
        self.conflated = 0  # touches that nobody saw, because a later one came
        self.refused = 0  # messages that made no sense
        self.since_ms: int | None = None  # since when its stream of candles or prints is unbroken
        self.news_ms: int | None = None  # when something new was heard of it
        self.newest_ms = -1  # the latest time that was spoken of
        self._spec, self._step_ms = spec, timeframe_ms
        self._rows: dict[int, _Row] = {}
        self._rows_ms: dict[int, int] = {}  # when each was last heard
        self._builder: Builder | None = None
        self._built: dict[int, Built] = {}
        self._forgotten_ms = -1  # no interval that opened until then is remembered
        self._seeing: Seeing | None = None
        self._seen = True
        self._told: object = None  # the last touch as it was said

    def rows(self, rows: Iterable[Any], now_ms: int) -> bool:
        """Candles as they are so far; False: that is nothing new. `now_ms` is the venue's."""
        news = [self._row(row, now_ms) for row in rows]
        self._pruned(self._rows)
        self._pruned(self._rows_ms)
        return self._heard(any(news), now_ms)

    def prints(self, trades: Iterable[Mapping[str, object]], now_ms: int) -> bool:
        news = [self._print(trade, now_ms) for trade in trades]
        return self._heard(any(news), now_ms)

    def touched(self, ticker: Mapping[str, Any], now_ms: int, stamp_ms: int | None) -> bool:
        """The best bid and ask; `stamp_ms` is when the venue said so, where it says that."""
        names = ("bid", "ask", "bidVolume", "askVolume")
        said = (*map(ticker.get, names), stamp_ms)
        if said == self._told:
            return False
        self._told = said
        if stamp_ms is not None and stamp_ms > now_ms + _AHEAD_MS:
            self.refused += 1
            return False
        price = price_end(self._spec)
        bid, ask = (units(ticker.get(name), self._spec.points, end=price) for name in names[:2])
        there = [
            units(ticker.get(name) or 0, self._spec.grains, cut=True, end=END) for name in names[2:]
        ]
        if isinstance(bid, str) or isinstance(ask, str) or not 0 < bid < ask:
            self.refused += 1
            self._seeing = None  # Whatever it was before, it no longer is.
            return False
        bids, asks = (each if isinstance(each, int) else 0 for each in there)
        at_ms = now_ms if stamp_ms is None else min(stamp_ms, now_ms)
        self.conflated += not self._seen
        self._seeing, self._seen = Seeing(bid, ask, bids, asks, at_ms), False
        spoken_of_ms = now_ms - SURELY_MS if stamp_ms is None else stamp_ms
        self.newest_ms = max(spoken_of_ms, self.newest_ms)
        return self._heard(True, now_ms)

    def broken(self, at_ms: int) -> None:
        """What happened from then on may not have been heard."""
        self.since_ms = None
        if self._builder is not None:
            self._builder.broken(at_ms)

    def resumed(self, at_ms: int) -> None:
        """From then on everything is heard."""
        self.since_ms = at_ms
        if self._builder is not None:
            self._builder.resumed(at_ms)

    def blind(self) -> None:
        """The stream of its touch is broken."""
        self._seeing = self._told = None

    def build(self) -> None:
        """Its candles are built of prints."""
        self._builder = Builder(self._step_ms, instrument=self.index, ahead_ms=_AHEAD_MS)

    @property
    def opened_at_ms(self) -> int:
        """Which interval is spoken of: all before it are closed."""
        settled_ms = self.newest_ms - (0 if self._builder is None else _SETTLED_MS)
        return settled_ms - settled_ms % self._step_ms

    def said(self, opened_at_ms: int, *, over: bool = False) -> Said:
        """`over`: whatever of it is still to come is not waited for."""
        if opened_at_ms <= self._forgotten_ms:
            return Said()
        closes_ms = opened_at_ms + self._step_ms
        closed = self.opened_at_ms >= closes_ms
        if self._builder is not None:
            if not closed and not over:
                return Said()
            self._built |= {each.opened_at_ms: each for each in self._builder.until(closes_ms)}
            self._pruned(self._built)
            built = self._built.get(opened_at_ms)
            return Said(built.candle, built.whole, closed) if built else Said()
        # Each word on a candle says all of it: whoever heard one, and all later ones, missed none.
        heard_ms = max(opened_at_ms, self._rows_ms.get(opened_at_ms, 0))
        whole = self.since_ms is not None and self.since_ms <= heard_ms
        row = self._rows.get(opened_at_ms)
        return Said(row and row.candle, whole, closed)

    def touch(self, close_ms: int, now_ms: int) -> Touch | None:
        """The last one that was seen, if that is not long ago; it enters with a close."""
        seeing = self._seeing
        if seeing is None or now_ms - seeing.at_ms > TOUCH_AGE_MS_MAX:
            return None
        self._seen = True
        return Touch(close_ms, self.index, *seeing[:4])

    def _row(self, row: Any, now_ms: int) -> bool:
        opened_at_ms = self._opening(row, now_ms)
        candle = None if opened_at_ms is None else candle_of(row, self.index, self._spec)
        if opened_at_ms is None or not isinstance(candle, Candle):
            self.refused += 1
            if self.since_ms is not None:
                self.resumed(now_ms)  # Whatever it meant to say was not heard.
            return False
        held = self._rows.get(opened_at_ms)
        if held is not None and row[5] <= held.volume:
            return False  # Its volume never shrinks, and where it stands still nobody traded.
        self._rows[opened_at_ms] = _Row(candle._replace(source=Source.WEBSOCKET), row[5])
        self._rows_ms[opened_at_ms] = now_ms
        self.newest_ms = max(opened_at_ms, self.newest_ms)
        return True

    def _print(self, trade: Mapping[str, object], now_ms: int) -> bool:
        assert self._builder is not None, "It was told to build."
        one = printed(trade, self._spec)
        if isinstance(one, str):
            self.refused += 1
            self._builder.doubt(now_ms)
            return False
        seen = self._builder.take(one, now_ms)
        if seen is Seen.LATE:
            self._lacks(one.at_ms)
        if seen in _NEWS:
            self.newest_ms = max(one.at_ms, self.newest_ms)
        return seen in _NEWS

    def _lacks(self, at_ms: int) -> None:
        """What was built of this time is not all of it."""
        opened_at_ms = at_ms - at_ms % self._step_ms
        if (built := self._built.get(opened_at_ms)) is not None:
            self._built[opened_at_ms] = built._replace(whole=False)

    def _opening(self, row: Any, now_ms: int) -> int | None:
        """When it opens, if a candle can open then."""
        if not isinstance(row, list) or not row or type(row[0]) is not int:
            return None
        opened_at_ms = row[0]
        on_grid = opened_at_ms % self._step_ms == 0
        return opened_at_ms if on_grid and 0 <= opened_at_ms <= now_ms + _AHEAD_MS else None

    def _heard(self, news: bool, now_ms: int) -> bool:
        if news:
            self.news_ms = now_ms
        return news

    def _pruned(self, kept: dict[int, Any]) -> None:
        while len(kept) > _KEPT:
            self._forgotten_ms = max(min(kept), self._forgotten_ms)
            del kept[min(kept)]
