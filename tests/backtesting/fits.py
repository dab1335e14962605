"""A book of live trading, made by the engine itself, whose venue deals as a test wishes.

What the venue did is kept beside it, in the test's own words: whoever reads the book must come to
the same figures. Prices are in the units of `builders.BTC`.
"""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Final

from rrr.backtesting import fit_books
from rrr.backtesting.fit import Found, fitted
from rrr.backtesting.fit_books import Books
from rrr.core.events import Close, Event, Signal
from rrr.core.market import Candle, cost, worth
from rrr.core.orders import Cancel, Kind, Order, Report, Side, Status
from rrr.core.shelf import NO_ASSUMPTIONS
from rrr.core.state import State
from rrr.database import live, sessions
from rrr.database.client import Client
from rrr.database.live import Known, Progress, Traded
from rrr.database.opening import LIVE, connect_read_only
from rrr.database.sessions import PRINCIPAL, Life, Unit
from rrr.trading.engine.engine import Engine, Moment
from rrr.trading.engine.opening import Terms, opened
from rrr.trading.engine.paper import Record
from rrr.trading.engine.venue import Work
from tests.builders import BTC, CAPITAL, HOUR, LAW, PRICE, START, candle, report

LISTED: Final = (BTC._replace(slippage_ppm=150), BTC._replace(id=1, tick=1_000, lot=10_000))
UNITS: Final = tuple(
    Unit("kraken", f"{base}-USD", base, "USD", 4, 8, 0, "made up") for base in ("BTC", "ETH")
)
VENUE: Final = "kraken"
LATE_MS: Final = 700  # from the close to the decision, by the clock on the wall
ON_WIRE_MS: Final = 120  # from the decision to the first fill


@dataclass(frozen=True, slots=True)
class Dealt:
    """One fill, as the venue dealt it."""

    quantity: int
    price: int
    fee: int = 0  # quanta
    fee_grains: int = 0
    coin: str = ""
    parts: int = 0
    maker: int = 0


@dataclass(slots=True)
class Deal:
    """One take, and what the test knows of it."""

    order: Order
    moment: int  # the number of the close that decided it
    mark: int
    coin_mark: int  # of BTC, which pays some of the fees
    dealt: Sequence[Dealt]
    opens: int = 0  # of the candle in which it was filled


Dealer = Callable[[Order, int, Random], Sequence[Dealt]]  # an order, the mark, dice


@dataclass(slots=True)
class Away:
    """A venue that is far away: what is carried to it is answered by the market below."""

    mode: str = "live"
    carried: list[Order | Cancel] = field(default_factory=list)

    def intend(self, record: Record) -> Work | None:
        return None

    async def carry(self, record: Record, state: State) -> None:
        self.carried += [item for item in record if isinstance(item, Order | Cancel)]


@dataclass(slots=True)
class Market:
    """Closes, signals that turn every second close, and a venue that answers at once."""

    dealer: Dealer
    dice: Random
    engine: Engine
    away: Away
    silent: Collection[int]  # closes at which nobody has a candle of the last instrument
    at_ms: int = START
    deals: list[Deal] = field(default_factory=list)
    ordered: dict[int, Order] = field(default_factory=dict)
    marks: list[int] = field(default_factory=lambda: [PRICE, PRICE // 20])

    async def closes(self, number: int) -> None:
        for moment in range(number):
            opened_ms, self.at_ms = self.at_ms, self.at_ms + HOUR
            here = len(LISTED) - (moment in self.silent)
            candles = tuple(self._candle(i, moment) for i in range(here))
            missing = tuple(range(here, len(LISTED)))
            conviction = 10_000 if moment % 4 < 2 else -10_000
            signals = [Signal(self.at_ms, i, conviction, 0) for i in range(here)]
            await self._told(Close(self.at_ms, opened_ms, candles, missing), *signals)
            await self._answer(moment)

    def _candle(self, i: int, moment: int) -> Candle:
        opens = self.marks[i] + self.dice.randint(-30, 30) * self.marks[i] // 100_000
        for deal in self.deals:
            if (deal.order.instrument, deal.moment) == (i, moment - 1):
                deal.opens = opens
        self.marks[i] = opens + self.dice.randint(-60, 60) * opens // 100_000
        return candle(self.marks[i], open=opens, of=i)

    async def _answer(self, moment: int) -> None:
        """Until the book has nothing more to ask."""
        while self.away.carried:
            item = self.away.carried.pop(0)
            if isinstance(item, Cancel):
                order = self.ordered[item.sequence]
                await self._said(report(Status.CANCELLED, order))
                continue
            self.ordered[item.sequence] = item
            await self._said(report(Status.ACCEPTED, item))
            if item.kind == Kind.TAKE:
                await self._deal(item, moment)

    async def _deal(self, order: Order, moment: int) -> None:
        i, listed = order.instrument, LISTED[order.instrument]
        dealt = self.dealer(order, self.marks[i], self.dice)
        self.deals.append(Deal(order, moment, self.marks[i], self.marks[0], dealt))
        trades = []
        for fill, one in enumerate(dealt, start=1):
            money = (cost if order.side == Side.BUY else worth)(listed, one.price, one.quantity)
            said = report(Status.FILLED, order, fill=fill, quantity=one.quantity, price=one.price)
            paid = {"notional": money, "fee": one.fee, "fee_grains": one.fee_grains}
            await self._said(said._replace(**paid, maker=one.maker))
            at_ms = self.clock() + ON_WIRE_MS + fill - 1
            trades.append(
                Traded(
                    trade_id=f"{order.sequence}-{fill}",
                    sequence=order.sequence,
                    fill=fill,
                    at_ms=at_ms,
                    venue_id="O",
                    quantity=one.quantity,
                    price=one.price,
                    notional=money,
                    fee=one.fee,
                    fee_grains=one.fee_grains,
                    fee_coin=one.coin,
                    fee_parts=one.parts,
                    rounded=0,
                )
            )
        if sum(one.quantity for one in dealt) < order.quantity:
            await self._said(report(Status.CANCELLED, order))
        name, ended = f"rrr-{order.sequence}", int(Progress.ENDED)
        known = Known(order.sequence, i, order.side, order.quantity, ended, name)

        def write(connection: sqlite3.Connection) -> None:
            key = (self.engine.session.id, PRINCIPAL)
            live.know(connection, key, VENUE, [known._replace(settled_at_ms=self.at_ms)])
            live.book(connection, key, VENUE, trades)

        await self.engine.db.write(write)

    def clock(self) -> int:
        return self.at_ms + LATE_MS

    async def _said(self, said: Report) -> None:
        await self._told(said._replace(at_ms=self.at_ms + LATE_MS + ON_WIRE_MS))

    async def _told(self, *events: Event) -> None:
        await self.engine.take([Moment(events)])


async def traded(
    path: Path, dealer: Dealer, closes: int = 40, silent: Collection[int] = ()
) -> list[Deal]:
    """A live database in which so many closes were traded; what its venue dealt."""
    about = {"mode": "live", "market": VENUE, "signals": "baseline"}
    terms = Terms(about, UNITS, LAW, NO_ASSUMPTIONS, LISTED, CAPITAL, START, None)
    away, now = Away(), [lambda: START]
    async with Client.open(path, application_id=LIVE) as db:
        life = Life(1, "test", [], [])
        engine = await opened(db, terms, life, away, lambda: now[0](), new=False)
        market = Market(dealer, Random(closes), engine, away, silent)
        now[0] = market.clock
        await market.closes(closes)
    return market.deals


def read(path: Path) -> tuple[Books, Found]:
    with closing(connect_read_only(path, LIVE)) as connection:
        session = sessions.named(connection, None)
        return fit_books.read(connection, session), fitted(connection, session)


def worse(mark: int, side: int, ppm: int) -> int:
    """A price so much worse for us than the mark."""
    return round(Fraction(mark * (1_000_000 + side * ppm), 1_000_000))


def whole(price: Callable[[Order, int, Random], int], fee_ppm: int = 1_000) -> Dealer:
    """All of it at one price, the fee in the quote."""

    def deal(order: Order, mark: int, dice: Random) -> Sequence[Dealt]:
        at, listed = price(order, mark, dice), LISTED[order.instrument]
        money = worth(listed, at, order.quantity)
        return [Dealt(order.quantity, at, fee=money * fee_ppm // 1_000_000)]

    return deal


def near(ppm: int, noise: int, fee_ppm: int = 1_000) -> Dealer:
    """Deals at the close that decided and about so much, the fee in the quote."""
    return whole(
        lambda order, mark, dice: worse(mark, order.side, ppm + dice.randint(-noise, noise)),
        fee_ppm,
    )
