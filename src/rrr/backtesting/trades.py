"""A round trip is flat to flat of one instrument, and all of them together are the P&L.

Less than one lot is flat, as for the ledger, and stays as dust that cost nothing. Quanta are exact:
what the round trips made and what the dust is worth add up to equity less what was paid in. Prices
are averages, weighted by quantity, in points.

Slippage is how much worse a taker was filled than the open that he met (the close, where touches
fill), or than the trigger of his stop, unless it was met beyond that: half the spread, the slippage
assumed, lateness, and the rounding to the worse tick. Who rests pays none. A trailing stop moves at
the venue, unseen: its fill counts what the instrument's own rates say.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rrr.backtesting.history import History
from rrr.backtesting.result import Result
from rrr.core.market import PPM
from rrr.core.orders import Cause, Kind, Order, Report, Side, Status
from rrr.neural_network.panel import I64, Mask, Panel

F64: TypeAlias = NDArray[np.float64]

NEVER: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class Trades:
    """Columns with one round trip a row, in the order of their opening. All are long."""

    instrument: I64
    opened_ms: I64
    closed_ms: I64  # of an open one: the last close
    quantity: I64  # grains bought
    entry_price: F64
    exit_price: F64  # what is still held counts at the bid of the last close
    notional: I64  # quanta, of the purchases
    proceeds: I64  # quanta, of the sales, and the worth of what is still held
    fees: I64  # quanta; what was taken in coins, at the price of its fill
    slippage: I64  # quanta
    pnl: I64  # quanta: proceeds less notional less fees in the quote
    ratio: F64  # P&L ÷ notional
    reason: I64  # core.orders.Cause of the order that ended it; NONE of an open one
    fills: I64
    adverse_ratio: F64  # the lowest price while it was held, against the entry: 0 or below
    favourable_ratio: F64  # the highest: 0 or above
    open: Mask  # not over at the end of the run
    dust: I64  # (instruments,): quanta, the worth of what is left below one lot

    def __len__(self) -> int:
        return len(self.pnl)


def trades_of(result: Result, history: History) -> Trades:
    """Every round trip of a run, from its fills."""
    fills = fills_of(result)
    trips = _trips(result, fills)
    first, last, open_ = trips.first, trips.last, trips.open
    of = fills.instrument[first]
    bought = fills.side == Side.BUY
    worth = result.worth[-1] if len(result.worth) else np.zeros(len(result.instruments), np.int64)

    notional = _sum(np.where(bought, fills.notional, 0), first)
    proceeds = _sum(np.where(bought, 0, fills.notional), first) + np.where(open_, worth[of], 0)
    assert (notional > 0).all(), "A round trip begins with a purchase."
    pnl = proceeds - notional - _sum(fills.fee, first)
    coins = _product(fills.fee_grains, fills.price, _scale(result)[fills.instrument])
    entry, quantity = _average(fills.price, np.where(bought, fills.quantity, 0), first)
    exit_ = _exit(result, fills, trips, entry)
    lowest, highest = _reached(history.panel, fills, trips)
    columns = {
        "instrument": of,
        "opened_ms": fills.at_ms[first],
        "closed_ms": np.where(open_, result.at_ms[-1:].sum(), fills.at_ms[last]),
        "quantity": quantity,
        "entry_price": entry,
        "exit_price": exit_,
        "notional": notional,
        "proceeds": proceeds,
        "fees": _sum(fills.fee + coins, first),
        "slippage": _sum(_slippage(result, history, fills), first),
        "pnl": pnl,
        "ratio": pnl / notional,
        "reason": np.where(open_, Cause.NONE, fills.cause[last]),
        "fills": last - first + 1,
        "adverse_ratio": np.minimum(np.minimum(lowest, exit_) / entry, 1) - 1,
        "favourable_ratio": np.maximum(np.maximum(highest, exit_) / entry, 1) - 1,
        "open": open_,
    }
    order = np.lexsort((of, columns["opened_ms"]))
    dust = worth.copy()
    dust[of[open_]] = 0
    return Trades(**{name: column[order] for name, column in columns.items()}, dust=dust)


class Fills(NamedTuple):
    """Columns with one fill a row, by instrument, each instrument's in their order."""

    at_ms: I64
    instrument: I64
    side: I64
    quantity: I64
    price: I64
    notional: I64
    fee: I64
    fee_grains: I64
    maker: Mask
    inside: Mask  # a candle, and dated with its close; the others met an open
    kind: I64  # of its order, as what follows
    cause: I64
    trigger: I64


def fills_of(result: Result) -> Fills:
    """Every fill of a run, with what its order was."""
    status = result.column(Report, "status")
    filled = np.flatnonzero(status == Status.FILLED)
    filled = filled[np.argsort(result.column(Report, "instrument")[filled], kind="stable")]
    sequence = result.column(Report, "sequence")
    triggered = np.isin(sequence[filled], sequence[status == Status.TRIGGERED])
    ordered = result.column(Order, "sequence")
    at = np.searchsorted(ordered, sequence[filled])
    assert (np.append(ordered, 0)[at] == sequence[filled]).all(), "A fill is of an order."

    def said(name: str) -> I64:
        return result.column(Report, name)[filled]

    kind = result.column(Order, "kind")[at]
    takes = np.isin(kind, (Kind.TAKE, Kind.MARKET, Kind.LIMIT))
    maker = said("maker") == 1
    # A stop that once began takes the rest at the opens that follow.
    begun = triggered | (said("fill") > 1)
    closing = np.full(len(filled), result.world.assumed.by_touch == 1)
    return Fills(
        at_ms=said("at_ms"),
        instrument=said("instrument"),
        side=said("side"),
        quantity=said("quantity"),
        price=said("price"),
        notional=said("notional"),
        fee=said("fee"),
        fee_grains=said("fee_grains"),
        maker=maker,
        inside=maker | closing | ~(takes | begun),
        kind=kind,
        cause=result.column(Order, "cause")[at],
        trigger=result.column(Order, "price")[at],
    )


class _Trips(NamedTuple):
    first: I64  # the fill that began each
    last: I64
    open: Mask
    held: I64  # grains left after the last fill


def _trips(result: Result, fills: Fills) -> _Trips:
    """Where round trips begin and end among the fills."""
    lot = np.array([one.lot for one in result.instruments], np.int64)
    change = fills.side * fills.quantity - fills.fee_grains
    new = np.diff(fills.instrument, prepend=-1) != 0
    before = (np.cumsum(change) - change)[new]
    held = np.cumsum(change) - np.repeat(before, np.diff(np.append(np.flatnonzero(new), len(new))))
    flat = held < lot[fills.instrument]
    first = np.flatnonzero(new | np.append(True, flat)[:-1])
    last = np.append(first, len(new))[1:] - 1
    return _Trips(first, last, ~flat[last], held[last])


def _exit(result: Result, fills: Fills, trips: _Trips, entry: F64) -> F64:
    """The average of what was sold at, and of the bid for what is still held."""
    sold = np.where(fills.side == Side.SELL, fills.quantity, 0)
    sale, quantity = _average(fills.price, sold, trips.first)
    of, held = fills.instrument[trips.first], np.where(trips.open, trips.held, 0)
    worth = result.worth[-1:].sum(axis=0)[of]
    bid = worth * (_scale(result)[of] / np.maximum(held, 1))
    share = held / np.maximum(held + quantity, 1)
    return np.where(held + quantity > 0, sale * (1 - share) + bid * share, entry)


def _reached(panel: Panel, fills: Fills, trips: _Trips) -> tuple[F64, F64]:
    """The lowest and the highest price of the candles between entry and exit.

    A candle at whose open the round trip ended is not one of them.
    """
    if not len(trips.first):
        return np.zeros(0), np.zeros(0)
    column = _column(panel, fills)
    ends = np.where(trips.open, panel.times, (column + fills.inside)[trips.last])
    begins, of = column[trips.first], fills.instrument[trips.first]
    lowest, highest = np.full(len(of), np.inf), np.zeros(len(of))
    for i in np.unique(of).tolist():
        mine = np.flatnonzero((of == i) & (begins < ends))
        spans = np.stack([begins[mine], ends[mine]], axis=1).ravel()
        there = np.append(panel.there[i], False)
        low = np.where(there, np.append(panel.low[i], 0), NEVER)
        lowest[mine] = np.minimum.reduceat(low, spans)[::2] if len(mine) else 0
        high = np.where(there, np.append(panel.high[i], 0), 0)
        highest[mine] = np.maximum.reduceat(high, spans)[::2] if len(mine) else 0
    return lowest, highest


def _slippage(result: Result, history: History, fills: Fills) -> I64:
    """Quanta that each fill was worse than what it met."""
    met = _met(history, fills, "close" if result.world.assumed.by_touch else "open")
    stops = np.isin(fills.kind, (Kind.STOP, Kind.STOP_LIMIT)) & fills.inside
    beyond = fills.side * np.maximum(fills.side * met, fills.side * fills.trigger)
    met = np.where(stops, beyond, met)
    worse = fills.side * (fills.price - met)
    rates = [one.half_spread_ppm + one.slippage_ppm for one in result.instruments]
    usual = _product(fills.price, np.array(rates, np.int64)[fills.instrument], PPM)
    worse = np.where((fills.kind == Kind.TRAILING) & fills.inside, usual, worse)
    worse = np.where(fills.maker, 0, worse)
    return _product(fills.quantity, worse, _scale(result)[fills.instrument])


def _met(history: History, fills: Fills, name: str) -> I64:
    """A price of each fill's candle, of the finest that is there; its own where none is."""
    met = fills.price
    for panel in (history.panel, history.detail):
        if panel is not None:
            place = fills.instrument, _column(panel, fills)
            met = np.where(panel.there[place], getattr(panel, name)[place], met)
    return met


def _column(panel: Panel, fills: Fills) -> I64:
    """The candle of each fill."""
    column: I64 = (fills.at_ms - fills.inside - panel.opened_at_ms[:1].sum()) // panel.timeframe_ms
    return column


def _sum(amounts: I64, first: I64) -> I64:
    sums: I64 = np.add.reduceat(amounts, first) if len(first) else amounts[:0]
    return sums


def _average(prices: I64, quantities: I64, first: I64) -> tuple[F64, I64]:
    """Of each round trip, weighted; one price alone comes back as it was."""
    total = _sum(quantities, first)
    lengths = np.diff(np.append(first, len(prices)))
    shares = prices * (quantities / np.maximum(np.repeat(total, lengths), 1))
    mean: F64 = np.add.reduceat(shares, first) if len(first) else shares[:0]
    return mean, total


def _product(amount: I64, rate: I64, scale: I64 | int) -> I64:
    """`core.market.down` of columns."""
    product: I64 = amount // scale * rate + amount % scale * rate // scale
    return product


def _scale(result: Result) -> I64:
    return np.array([one.scale for one in result.instruments], np.int64)
