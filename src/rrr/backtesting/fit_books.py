"""Each order is met twice: as its venue exchanged it, and as the paper venue would have.

The journal is walked once. A take for a signal or a target was decided at the last close, a stop at
its trigger: what is paid beyond is slippage. What paper would have charged such a take is said by
the paper venue's own function, in the candle in which it was filled and for the quantity that was:
with the latency, the spread, the slippage and the fee that the book assumed then. What the market
did meanwhile is in both, and so not in their difference. Paper beside itself differs nowhere.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from rrr.core import matching, shelf
from rrr.core.events import Assumed, Close, Decision, Detail, Event, Listing, Touch
from rrr.core.market import (
    GRAINS_MAX,
    INSTRUMENTS_MAX,
    PPM,
    QUANTA,
    Candle,
    Instrument,
    half_spread,
)
from rrr.core.orders import NO_REPORT, Cause, Kind, Order, Report, Side, Stage
from rrr.core.shelf import NO_ASSUMPTIONS, NO_PURSE, NO_SHELF, Assumptions
from rrr.database import live_fits, sessions
from rrr.database.journal import KINDS, decode
from rrr.database.live_fits import Filled
from rrr.database.sessions import PRINCIPAL, Session, Unit

TAKE: Final = "take"
STOP: Final = "stop"
REST: Final = "rest"
WAYS: Final = (TAKE, STOP, REST)

_HEARD: Final = frozenset(KINDS[kind] for kind in (Listing, Assumed, Close, Detail, Touch, Order))
_TAKES: Final = (Kind.TAKE, Kind.MARKET)
_AT_CLOSE: Final = (Cause.SIGNAL, Cause.TARGET)  # all else was decided by what came between
_STOPS: Final = (Kind.STOP, Kind.STOP_LIMIT, Kind.TRAILING)


@dataclass(frozen=True, slots=True)
class Met:
    """What one order exchanged in one way, beside what was assumed of it."""

    order: Order  # with all that it filled, in whatever way
    way: str
    instrument: Instrument  # as it was listed then
    over: bool  # it met the market, and works no more
    arrived_ms: int  # when it was decided, by the clock on the wall
    mark: int  # points: the close that it was decided at, or its trigger; 0: not known
    assumed_ppm: float  # of the mark: half the spread and the slippage, on the tick
    fills: tuple[Filled, ...]
    fee: float | None  # quanta, whatever it was paid in; None: in a coin without a price here
    paper: Report = NO_REPORT  # what the paper venue says; NO_REPORT: it was not asked

    @property
    def notional(self) -> int:
        return sum(fill.notional for fill in self.fills)

    @property
    def filled(self) -> int:
        return sum(fill.quantity for fill in self.fills)

    @property
    def fee_assumed_ppm(self) -> int:
        rests = self.way == REST
        return self.instrument.fee_maker_ppm if rests else self.instrument.fee_taker_ppm

    @property
    def fee_ppm(self) -> float | None:
        """Of the notional, as it was paid."""
        return None if self.fee is None or not self.notional else self.fee / self.notional * PPM

    @property
    def slippage_ppm(self) -> float | None:
        """Of the mark: what the mean price of the fills is worse."""
        if not self.mark or not self.fills:
            return None
        money = sum(fill.price * fill.quantity for fill in self.fills)
        fair = self.mark * self.filled
        return self.order.side * (money - fair) * PPM / fair

    @property
    def paper_slippage_ppm(self) -> float | None:
        if not self.paper.quantity:
            return None
        return self.order.side * (self.paper.price - self.mark) * PPM / self.mark

    @property
    def paper_fee_ppm(self) -> float:
        value = self.paper.fee + valued(self.instrument, self.paper.price, self.paper.fee_grains)
        return value / self.paper.notional * PPM if self.paper.notional else 0.0

    @property
    def dearer_ppm(self) -> float | None:
        """How much worse its price was than paper's."""
        real, paper = self.slippage_ppm, self.paper_slippage_ppm
        return None if real is None or paper is None else real - paper

    @property
    def beyond_ppm(self) -> float | None:
        """How much more it cost than paper would have charged, its fee included."""
        if self.dearer_ppm is None or self.fee_ppm is None:
            return None
        return self.dearer_ppm + self.fee_ppm - self.paper_fee_ppm

    @property
    def latency_ms(self) -> int | None:
        """From the decision to its first fill, by our clock and the venue's."""
        first = min((fill.venue_ms for fill in self.fills if fill.venue_ms), default=0)
        return first - self.arrived_ms if first else None


@dataclass(frozen=True, slots=True)
class Books:
    units: Sequence[Unit]
    listed: Mapping[int, Instrument]  # as they are listed last
    assumed: Assumptions
    met: Sequence[Met]  # in the order in which they were sent


def read(connection: sqlite3.Connection, session: Session) -> Books:
    """What a session's book sent, and what became of it."""
    key = (session.id, PRINCIPAL)
    desk = Desk(
        sessions.units(connection, session.id),
        live_fits.fills(connection, key),
        live_fits.ended(connection, key),
    )
    for row in sessions.journal(connection, *key):
        if row.kind in _HEARD:
            desk.meet(decode(row), row.arrived_at_ms)
    return Books(desk.units, desk.listed, desk.assumed, desk.met)


@dataclass(slots=True)
class Desk:
    """Where the journal is met: what was known at each row, and the orders so far."""

    units: Sequence[Unit]
    fills: Mapping[int, tuple[Filled, ...]]
    ended: frozenset[int]
    listed: dict[int, Instrument] = field(default_factory=dict)
    assumed: Assumptions = NO_ASSUMPTIONS
    marks: dict[int, int] = field(default_factory=dict)
    halves: list[int] = field(default_factory=lambda: [0] * INSTRUMENTS_MAX)
    met: list[Met] = field(default_factory=list)
    # Of each instrument the places in `met` that wait for the candle of their fill.
    waiting: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))

    def meet(self, item: Event | Decision, arrived_ms: int) -> None:
        match item:
            case Listing():
                self.listed[item.instrument.id] = item.instrument
            case Assumed():
                self.assumed = item.assumptions
            case Touch():
                seen = half_spread(item.bid, item.ask)
                self.halves[item.instrument] = seen or self.halves[item.instrument]
            case Detail():
                self._compare(item)
            case Close():
                self._compare(item)
                self.marks |= {one.instrument: one.close for one in item.candles}
            case Order():
                self._decided(item, arrived_ms)
            case _:
                raise AssertionError(f"{item} is not heard here.")

    def _decided(self, order: Order, arrived_ms: int) -> None:
        """Note an order with all that became of it; one that only rested became nothing."""
        fills = self.fills.get(order.sequence, ())
        order = order._replace(filled=sum(fill.quantity for fill in fills))
        takes = order.kind in _TAKES
        rested = tuple(fill for fill in fills if fill.maker)
        took = tuple(fill for fill in fills if not fill.maker)
        if took or (takes and not rested):
            self._note(order, STOP if order.kind in _STOPS else TAKE, took, arrived_ms)
            if took and takes and self.met[-1].mark:
                self._ask_paper(len(self.met) - 1)
        if rested:
            self._note(order, REST, rested, arrived_ms)

    def _note(self, order: Order, way: str, fills: tuple[Filled, ...], arrived_ms: int) -> None:
        instrument = self.listed[order.instrument]
        mark = self._mark(order) if way != REST else 0
        fees = [self._fee(instrument, fill) for fill in fills]
        known = [fee for fee in fees if fee is not None]
        self.met.append(
            Met(
                order,
                way,
                instrument,
                order.sequence in self.ended,
                arrived_ms,
                mark,
                self._assumed_ppm(instrument, order.side, mark),
                fills,
                sum(known) if len(known) == len(fees) else None,
            )
        )

    def _mark(self, order: Order) -> int:
        """A trailing stop's trigger moves where no row tells, and a limit has no mark."""
        match order.kind:
            case Kind.TAKE | Kind.MARKET if order.cause in _AT_CLOSE:
                return self.marks.get(order.instrument, 0)
            case Kind.STOP | Kind.STOP_LIMIT:
                return order.price
        return 0

    def _assumed_ppm(self, instrument: Instrument, side: int, mark: int) -> float:
        if not mark:
            return 0.0
        price = shelf.slip(mark, side, instrument, self.halves[instrument.id])
        return side * (price - mark) * PPM / mark

    def _fee(self, instrument: Instrument, fill: Filled) -> float | None:
        """In quanta; a third coin is worth what it stands at in these books."""
        own = fill.fee + valued(instrument, fill.price, fill.fee_grains)
        if not fill.parts:
            return own
        for i, unit in enumerate(self.units):
            if unit.base == fill.coin and self.marks.get(i):
                grains = fill.parts * 10**unit.grains / QUANTA
                return own + valued(self.listed[i], self.marks[i], grains)
        return None

    def _ask_paper(self, place: int) -> None:
        """At the candle of the fill; where touches fill, at the price that decided."""
        one = self.met[place]
        i, mark = one.order.instrument, one.mark
        if not self.assumed.by_touch:
            self.waiting[i].append(place)
        else:
            still = Candle(i, mark, mark, mark, mark, GRAINS_MAX, 0)
            there_ms = one.order.at_ms + self.assumed.latency_ms
            said = self._on_paper(one, still, there_ms, there_ms + 1)
            self.met[place] = replace(one, paper=said)

    def _compare(self, event: Close | Detail) -> None:
        """Let the paper venue meet the candle in which an order was filled."""
        for candle in event.candles:
            waiting = self.waiting[candle.instrument]
            for place in list(waiting):
                one = self.met[place]
                filled_at_ms = max(one.order.at_ms, filled_ms(one))
                if filled_at_ms >= event.at_ms:
                    continue
                waiting.remove(place)
                if filled_at_ms >= event.opened_at_ms:  # else nobody knows that candle
                    said = self._on_paper(one, candle, event.opened_at_ms, event.at_ms)
                    self.met[place] = replace(one, paper=said)

    def _on_paper(self, one: Met, candle: Candle, opened_at_ms: int, at_ms: int) -> Report:
        """Without a collar, and with all the cash and room there is: only the price is asked.

        On paper nothing is decided inside a candle: what waited for a word of the venue did not.
        """
        order = one.order._replace(
            kind=int(Kind.MARKET),
            quantity=one.filled,
            filled=0,
            stage=int(Stage.SENDING),
            at_ms=min(one.order.at_ms, opened_at_ms),
        )
        there = NO_SHELF._replace(
            held=GRAINS_MAX,
            quantity=GRAINS_MAX,
            room=GRAINS_MAX,
            order=order,
            half_spread=self.halves[candle.instrument],
        )
        listed = self.listed[candle.instrument]
        return matching.waited(
            NO_PURSE, there, listed, self.assumed, order, candle, opened_at_ms, at_ms
        ).report


def valued(instrument: Instrument, price: int, grains: float) -> float:
    """What coins are worth in quanta, not rounded."""
    return grains * price / instrument.scale


def filled_ms(one: Met) -> int:
    return min((fill.venue_ms or fill.at_ms for fill in one.fills), default=0)


def side_of(one: Met) -> str:
    return Side(one.order.side).name.lower()
