"""A live session in this process: real engine, real file, and a venue that answers by hand.

What the engine sends waits at the `Desk`; a fate is chosen for each order, and the reports come
back as moments, with the rows of the seam in their commit, as a daemon would write them.
"""

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final

from rrr.api import views, views_live
from rrr.core.market import cost, up, worth
from rrr.core.orders import Cancel, Kind, Order, Rejection, Report, Side, Status
from rrr.core.state import Law, State
from rrr.database import live, sessions
from rrr.database.client import Client
from rrr.database.live import Known, Progress, Traded
from rrr.database.opening import LIVE, connect_read_only
from rrr.database.sessions import PRINCIPAL, Life
from rrr.trading.engine.engine import Engine, Moment
from rrr.trading.engine.opening import opened
from rrr.trading.engine.paper import Record
from rrr.trading.engine.venue import Work
from tests.builders import LAW, report
from tests.storm.lives import moments, terms

VENUE: Final = "kraken"
KEY: Final = (1, PRINCIPAL)
RAMP: Final = 30
FIGURES: Final = (
    *("sequence", "fill", "at_ms"),
    *("quantity", "price", "notional", "fee", "fee_grains"),
)
LIFE: Final = Life(
    1, "test", [("live.ramp_round_trips", str(RAMP), "default"), ("market", VENUE, "--")], []
)


class Fate(Enum):
    LANDS = "it is filled, or rests"
    SILENCE = "nobody answers"
    CAPPED = "the last wall holds it back"
    FROZEN = "its instrument may only be reduced"


Choose = Callable[[Order], Fate]


def lands(order: Order) -> Fate:
    return Fate.LANDS


@dataclass(slots=True)
class Desk:
    """A venue that is far away."""

    choose: Choose = lands
    waiting: list[Order | Cancel] = field(default_factory=list)
    known: dict[int, Known] = field(default_factory=dict)
    mode: str = "live"

    def intend(self, record: Record) -> Work | None:
        orders = [item for item in record if isinstance(item, Order)]
        found = [
            Known(
                order.sequence,
                order.instrument,
                order.side,
                order.quantity,
                int(Progress.SENDING),
                f"ours-{order.sequence}",
                intent_at_ms=order.at_ms,
                sending_at_ms=order.at_ms,
                attempts=1,
            )
            for order in orders
        ]
        self.known |= {one.sequence: one for one in found}
        return partial(live.know, key=KEY, venue=VENUE, orders=found) if found else None

    async def carry(self, record: Record, state: State) -> None:
        self.waiting += [item for item in record if isinstance(item, Order | Cancel)]

    def answers(self, engine: Engine) -> list[Moment]:
        """What becomes of all that waits."""
        told, self.waiting = self.waiting, []
        return [moment for item in told for moment in self.answer(engine, item)]

    def answer(self, engine: Engine, item: Order | Cancel) -> list[Moment]:
        at_ms = engine.head.at_ms
        if isinstance(item, Cancel):
            known = self.known[item.sequence]
            said = report(Status.CANCELLED, Order(*[0] * 20), sequence=item.sequence)
            said = said._replace(instrument=item.instrument, side=known.side, at_ms=at_ms)
            return [self.moment(said, Progress.ENDED)]
        match self.choose(item):
            case Fate.SILENCE:
                said = report(Status.UNKNOWN, item, at_ms=at_ms)
                return [self.moment(said, Progress.UNKNOWN)]
            case Fate.CAPPED:
                said = report(Status.REJECTED, item, at_ms=at_ms, rejection=int(Rejection.CAP))
                return [self.moment(said, Progress.REJECTED, note="live.day_notional_max")]
            case Fate.FROZEN:
                said = report(Status.REJECTED, item, at_ms=at_ms, rejection=int(Rejection.FROZEN))
                return [self.moment(said, Progress.REJECTED)]
        accepted = self.moment(report(Status.ACCEPTED, item, at_ms=at_ms), Progress.PLACED)
        if item.kind != Kind.TAKE:
            return [accepted]
        first = item.quantity // 2
        halves = [part for part in (first, item.quantity - first) if part]
        return [accepted, *(self.filled(engine, item, at, q) for at, q in enumerate(halves, 1))]

    def filled(self, engine: Engine, order: Order, fill: int, quantity: int) -> Moment:
        """A half of it at its mark, the fee where the instrument takes it."""
        i, buys = order.instrument, order.side == Side.BUY
        instrument, price = engine.state.instruments[i], engine.state.lanes[i].mark
        notional = (cost if buys else worth)(instrument, price, quantity)
        in_base = buys and instrument.fee_in_base
        rate = instrument.fee_taker_ppm
        figures = {
            "fill": fill,
            "quantity": quantity,
            "price": price,
            "notional": notional,
            "fee": 0 if in_base else up(notional, rate, 10**6),
            "fee_grains": up(quantity, rate, 10**6) if in_base else 0,
        }
        said = report(Status.FILLED, order, at_ms=engine.head.at_ms, **figures)
        return self.moment(said, Progress.PLACED if fill == 1 else Progress.ENDED)

    def moment(self, said: Report, progress: Progress, note: str = "") -> Moment:
        ends = progress in (Progress.ENDED, Progress.REJECTED)
        sequence = said.sequence
        self.known[sequence] = self.known[sequence]._replace(
            progress=int(progress),
            venue_id="" if progress in (Progress.UNKNOWN, Progress.REJECTED) else f"O{sequence}",
            settled_at_ms=said.at_ms if ends else 0,
        )
        write = partial(written, known=self.known[sequence], said=said)
        return Moment((said,), note, also=write)


def written(connection: sqlite3.Connection, known: Known, said: Report) -> None:
    """The rows of the seam that belong to a report."""
    live.learn(connection, KEY, [known])
    if said.status == Status.FILLED:
        coin, parts = ("BNB", 7) if said.fill == 2 and said.sequence % 5 == 0 else ("", 0)
        trade = Traded(
            trade_id=f"T{said.sequence}-{said.fill}",
            venue_id=known.venue_id,
            fee_coin=coin,
            fee_parts=parts,
            rounded=0,
            **{name: getattr(said, name) for name in FIGURES},
        )
        live.book(connection, KEY, VENUE, [trade])


@asynccontextmanager
async def living(path: Path, desk: Desk | None = None, law: Law = LAW) -> AsyncIterator[Engine]:
    """An engine whose orders leave; it goes on where the last one on this file ended."""
    wanted = terms(law=law)
    listed = [f"{VENUE}:{one.symbol}:{one.points}:{one.grains}" for one in wanted.units]
    about = {**wanted.about, "mode": "live", "market": VENUE}
    about |= {"instruments": listed, "timeframe": "1h"}
    units = [one._replace(venue=VENUE) for one in wanted.units]
    asked = replace(wanted, about=about, units=units)
    async with Client.open(path, application_id=LIVE) as db:
        yield await opened(db, asked, LIFE, desk or Desk(), count(1).__next__, new=False)


async def trade(engine: Engine, desk: Desk, history: Sequence[Moment]) -> None:
    """Let the market come, and each answer of the venue before the next close."""
    for moment in history:
        await engine.take([moment])
        while desk.waiting:
            for told in desk.answers(engine):
                await engine.take([told])


async def traded(path: Path, choose: Choose = lands, closes: int = 30) -> str:
    """A session of so many closes; its state hash."""
    desk = Desk(choose)
    async with living(path, desk) as engine:
        await trade(engine, desk, moments()[:closes])
        return engine.state_hash


def seen(path: Path, held: bool = False, pulse: dict[str, Any] | None = None) -> dict[str, Any]:
    """What `rrr status --mode live` finds."""
    with closing(connect_read_only(path, LIVE)) as connection:
        found = views.status(connection, None, held)
        session = sessions.named(connection, None)
        return found | {"live": pulse, "seam": views_live.seam(connection, session)}


def ask(path: Path, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    with closing(connect_read_only(path, LIVE)) as connection:
        return connection.execute(sql, parameters).fetchall()


def buys(sequence_from: int, fate: Fate, instrument: int = 0) -> Choose:
    """Purchases of one instrument from an order on have this fate; all else lands."""

    def choose(order: Order) -> Fate:
        late = order.sequence >= sequence_from and order.instrument == instrument
        return fate if late and order.side == Side.BUY else Fate.LANDS

    return choose


def write(path: Path, work: Callable[[sqlite3.Connection], object]) -> None:
    """Rows of the seam that no order brings."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        work(connection)
