"""A paper venue without a kernel: it is told orders, meets candles, and is quoted."""

from typing import NamedTuple

from rrr.core import matching, shelf
from rrr.core.market import Candle, Instrument
from rrr.core.orders import NO_REPORT, Kind, Order, Rejection, Report, Side, Status
from rrr.core.shelf import NO_ASSUMPTIONS, NO_SHELF, Assumptions, Matched, Purse, Shelf
from tests.builders import BTC, CAPITAL, HOUR, PRICE, START, instrument, order

COIN = 10**8
DEAR = 2 * PRICE  # a collar that nothing here reaches

BUY = order(price=DEAR)
SELL = order(side=int(Side.SELL), price=BTC.tick)
LIMIT = order(kind=int(Kind.LIMIT), price=PRICE)
RESTS = order(kind=int(Kind.LIMIT), side=int(Side.SELL), price=DEAR)
STOP = order(kind=int(Kind.STOP), side=int(Side.SELL), price=PRICE * 98 // 100, sequence=7)
TARGET = RESTS._replace(partner=STOP.sequence, sequence=8)
STOP_LIMIT = STOP._replace(kind=int(Kind.STOP_LIMIT), limit=PRICE * 97 // 100)
TRAILING = STOP._replace(kind=int(Kind.TRAILING), trail=PRICE // 100)
MARKET = BUY._replace(kind=int(Kind.MARKET))
COINS = NO_SHELF._replace(quantity=COIN)

FREE = instrument(half_spread_ppm=0, slippage_ppm=0, fee_taker_ppm=0)
TENTH = Assumptions(latency_ms=0, participation_ppm=100_000, touch_share_ppm=0, by_touch=0)
CLOSES = START + HOUR
LOWER, HIGHER = PRICE * 99 // 100, PRICE * 101 // 100


class Venue(NamedTuple):
    purse: Purse = Purse(CAPITAL, 0)
    shelf: Shelf = COINS
    instrument: Instrument = BTC
    order: Order = BUY
    last: int = PRICE

    def submitted(self) -> Matched:
        return shelf.submit(*self, START)


class Met(NamedTuple):
    """What a candle made of the orders that worked, and all that the venue said of it."""

    purse: Purse
    shelf: Shelf
    said: list[Report]

    @property
    def words(self) -> list[tuple[str, int]]:
        """How each order fared: filled at a price, or over for a reason."""
        return [
            ("fill", one.price) if one.quantity else (Rejection(one.rejection).name, 0)
            for one in self.said
        ]


def met(
    candle: Candle,
    *orders: Order,
    of: Instrument = FREE,
    assumed: Assumptions = NO_ASSUMPTIONS,
    held: int = COIN,
) -> Met:
    """Let these orders, submitted a while ago, meet one candle: its open, then its inside."""
    purse, here, said = Purse(CAPITAL, 0), NO_SHELF._replace(quantity=held), list[Report]()
    for wanted in orders:
        purse, here, report = shelf.submit(purse, here, of, wanted, PRICE, wanted.at_ms)
        assert report.status == Status.ACCEPTED, Rejection(report.rejection).name
    return going_on(Met(purse, here, said), candle, of, assumed)


def going_on(
    was: Met,
    candle: Candle,
    of: Instrument = FREE,
    assumed: Assumptions = NO_ASSUMPTIONS,
    opened: int = START,
) -> Met:
    purse, here, said = was
    here = shelf.begun(here, of, assumed, candle.volume)
    ends = opened + HOUR
    for how in ("open", "inside"):
        report = NO_REPORT._replace(status=1)
        while report.status:
            if how == "open":
                matched = matching.at_open(purse, here, of, assumed, candle, opened, ends)
            else:
                matched = matching.inside(purse, here, of, assumed, candle, opened, ends)
            purse, here, report = matched
            said = [*said, report] if report.status else said
            assert len(said) < 50, "It never stops speaking."
    return Met(purse, here, said)
