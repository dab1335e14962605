"""Runs to measure: some written fill by fill, and valued the slow way; some that the core traded.

Candles of a written run close where they are told to; prices and quantities read in the units of
`builders.BTC`: one point is 10⁻⁴ dollars, one grain 10⁻⁸ coins.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np

from rrr.backtesting.history import History
from rrr.backtesting.result import WIDTH, Result
from rrr.core.events import Close, Decision, Event, Flow, Halted, Refused
from rrr.core.ledger import equity
from rrr.core.market import PPM, Instrument, Source, bid, cost, up, worth
from rrr.core.orders import NO_ORDER, NO_REPORT, Cancel, Cause, Kind, Order, Report, Side, Status
from rrr.core.state import NO_ACCOUNT, NO_LANE, State
from rrr.data_pipeline.instruments import Spec
from rrr.data_pipeline.market import Quoted
from rrr.database.journal import KINDS
from rrr.neural_network.panel import I64, Panel, panel_of
from rrr.trading.engine.paper import NO_WORLD
from tests.builders import (
    BTC,
    CAPITAL,
    HOUR,
    LAW,
    LISTED,
    PRICE,
    START,
    Listed,
    eventful,
    session,
)
from tests.builders import history as events

COIN: Final = 10**8  # grains
KEPT: Final = (Order, Cancel, Report, Refused, Halted, Flow)


class Fill(NamedTuple):
    """What happened in a written run: at an hour, so many coins at a price."""

    hour: float  # after the first open
    coins: float  # negative: sold
    price: int = PRICE
    cause: int = Cause.SIGNAL
    kind: int = Kind.TAKE
    trigger: int = 0
    of: int = 0
    maker: int = 0
    number: int = 1  # of the fill within its order


def written(
    fills: Sequence[Fill],
    closes: Sequence[int] | I64 = (PRICE,) * 10,
    *,
    flows: Sequence[tuple[float, int]] = (),
    of: Sequence[Instrument] = (BTC,),
    every_ms: int = HOUR,
    refusals: dict[tuple[int, int], int] | None = None,
) -> tuple[Result, History]:
    """A run of these fills over these closes, (times,) or (instruments, times)."""
    prices = np.atleast_2d(np.array(closes, np.int64))
    at_ms = START + every_ms * np.arange(1, prices.shape[1] + 1)
    history = of_closes(prices, every_ms)
    happened: list[tuple[int, tuple[int, ...], int]] = [
        (START + round(hour * HOUR), Flow(START + round(hour * HOUR), amount), 0)
        for hour, amount in flows
    ]
    rows: list[Event | Decision] = []
    for sequence, fill in enumerate(fills, 1):
        order, report = _filled(fill, sequence, of[fill.of])
        happened.append((report.at_ms, report, sequence))
        rows.append(order)
    happened.sort(key=lambda item: item[0])
    rows += [record for _, record, _ in happened]  # type: ignore[misc]
    cash, held = CAPITAL, [0] * len(of)
    invested = CAPITAL
    columns: dict[str, list[int]] = {"equity": [], "invested": []}
    worths, waiting = [], list(happened)
    for column, now in enumerate(at_ms.tolist()):
        while waiting and waiting[0][0] <= now:
            _, record, _ = waiting.pop(0)
            if isinstance(record, Flow):
                cash, invested = cash + record.amount, invested + record.amount
            elif isinstance(record, Report):
                cash -= record.side * record.notional + record.fee
                held[record.instrument] += record.side * record.quantity - record.fee_grains
        each = [
            worth(one, bid(one, int(prices[i, column]), 0), held[i]) for i, one in enumerate(of)
        ]
        worths.append(each)
        columns["equity"].append(cash + sum(each))
        columns["invested"].append(invested)
    account = NO_ACCOUNT._replace(
        cash=cash, worth=sum(worths[-1]), invested=invested, closes=len(at_ms)
    )
    lanes = tuple(
        NO_LANE._replace(quantity=held[i], worth=worths[-1][i], mark=int(prices[i, -1]))
        for i in range(len(of))
    )
    result = Result(
        LAW,
        of,
        every_ms,
        _rows(rows),
        at_ms,
        np.array(columns["equity"]),
        np.array(worths),
        np.array(columns["invested"]),
        NO_WORLD._replace(state=State(LAW, account, tuple(of), lanes)),
        [],
        refusals or {},
    )
    return result, history


def traded(seed: int, closes: int, listed: tuple[Listed, ...] = LISTED) -> tuple[Result, History]:
    """What the core made of a made-up history, and that history."""
    instruments = [one.instrument for one in listed]
    live = session(*instruments)
    met: list[Close] = []
    columns: list[tuple[int, ...]] = []
    for event in eventful(2 * seed, events(seed, closes, listed)):
        live.meet(event)
        if isinstance(event, Close):
            met.append(event)
            lanes, account = live.world.state.lanes, live.account
            each = [lane.worth for lane in lanes]
            columns.append((event.at_ms, equity(account), account.invested, *each))
    table = np.array(columns)
    result = Result(
        LAW,
        instruments,
        HOUR,
        _rows(live.record),
        table[:, 0],
        table[:, 1],
        table[:, 3:],
        table[:, 2],
        live.world,
        [],
        {},
    )
    return result, _history(panel_of(met, len(instruments), HOUR), instruments)


def of_closes(closes: I64, every_ms: int = HOUR, begins: int = 0) -> History:
    """Each candle opens where the last one closed, and goes one thousandth beyond both ends."""
    opens = np.concatenate([closes[:, :1], closes[:, :-1]], axis=1)
    high, low = np.maximum(opens, closes), np.minimum(opens, closes)
    panel = Panel(
        open=opens,
        high=high + high // 1_000,
        low=low - low // 1_000,
        close=closes,
        volume=np.full_like(closes, 10**12),
        there=np.ones(closes.shape, np.bool_),
        opened_at_ms=START + every_ms * np.arange(closes.shape[1]),
        timeframe_ms=every_ms,
    )
    return _history(panel, [BTC._replace(id=i) for i in range(len(closes))], begins)


def _history(panel: Panel, instruments: Sequence[Instrument], begins: int = 0) -> History:
    none = np.zeros_like(panel.close)
    return History(
        panel=panel,
        source=np.full_like(panel.close, Source.REPLAYED),
        bid=none,
        ask=none,
        begins=begins,
        quoted=[Quoted(_spec(one), "made") for one in instruments],
        detail=None,
        synthetic=False,
        title="made",
        about={},
        notes=(),
        digest="made",
    )


def _spec(one: Instrument) -> Spec:
    symbol = f"C{one.id}/USD"
    least = one.quantity_min, one.notional_min
    return Spec("made", symbol, f"C{one.id}", "USD", 4, 8, one.tick, one.lot, *least, False)


def _filled(fill: Fill, sequence: int, of: Instrument) -> tuple[Order, Report]:
    side = int(Side.BUY if fill.coins > 0 else Side.SELL)
    quantity = round(abs(fill.coins) * COIN)
    notional = (cost if side == Side.BUY else worth)(of, fill.price, quantity)
    fee, fee_grains = up(notional, of.fee_taker_ppm, PPM), 0
    if of.fee_in_base and side == Side.BUY:
        fee, fee_grains = 0, up(quantity, of.fee_taker_ppm, PPM)
    order = NO_ORDER._replace(
        instrument=fill.of,
        sequence=sequence,
        kind=int(fill.kind),
        side=side,
        quantity=quantity,
        price=fill.trigger or fill.price,
        cause=int(fill.cause),
    )
    report = NO_REPORT._replace(
        at_ms=START + round(fill.hour * HOUR),
        instrument=fill.of,
        sequence=sequence,
        status=int(Status.FILLED),
        side=side,
        quantity=quantity,
        price=fill.price,
        notional=notional,
        fee=fee,
        fee_grains=fee_grains,
        fill=fill.number,
        maker=fill.maker,
    )
    return order, report


def _rows(record: Iterable[Event | Decision]) -> I64:
    kept = [item for item in record if isinstance(item, KEPT)]
    rows = np.zeros((len(kept), WIDTH), np.int64)
    for row, item in zip(rows, kept, strict=True):
        row[: 1 + len(item)] = (KINDS[type(item)], *item)
    return rows
