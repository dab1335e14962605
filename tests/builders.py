"""The smallest world in which something can happen; whoever needs more says only what differs.

Prices and quantities read in the units of `BTC`: one point is 10⁻⁴ dollars, one grain 10⁻⁸ coins.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, NamedTuple

from rrr.core.events import (
    Adopted,
    Assumed,
    Close,
    Decision,
    Detail,
    Event,
    Flow,
    Limits,
    Listing,
    Signal,
    Touch,
)
from rrr.core.market import Candle, Instrument, Source
from rrr.core.orders import (
    NO_ORDER,
    NO_REPORT,
    Kind,
    Order,
    Report,
    Side,
    Stage,
    Status,
    TimeInForce,
    is_stop,
)
from rrr.core.shelf import NO_ASSUMPTIONS, Assumptions
from rrr.core.state import HOURS, NO_ACCOUNT, NO_LANE, NO_MEMORY, Account, Lane, Law, Sizing
from rrr.trading.engine.paper import NO_WORLD, Record, World, advance

QUANTA: Final = 10**8  # in one unit of the quote
HOUR: Final = 3_600_000
START: Final = 500_000 * HOUR
PRICE: Final = 400_000_000
CAPITAL: Final = 1_000_000 * QUANTA
LIQUID: Final = 10**16  # grains: more than anybody here asks for

LAW: Final = Law(
    conviction_min_bps=1,
    volatility_target_ppm=10_000,
    band_bps=0,
    warmup_candles=0,
    collar_bps=100,
    stop_bps=200,
    target_bps=400,
    exposure_max_bps=4_000,
    gross_max_bps=9_000,
    book_volatility_max_ppm=1_000_000,
    orders_per_minute_max=10,
    order_notional_max=CAPITAL,
    loss_24h_max_bps=10_000,
    drawdown_max_bps=10_000,
    cooldown_ms=0,
    stale_ms=2 * HOUR,
    synthetic_may_open=0,
    sizing=int(Sizing.VOLATILITY),
    entry_maker=0,
    maker_offset_bps=0,
    patience_ms=2 * HOUR,
    chase=1,
    fill_or_kill=0,
    stop_limit_bps=0,
    trail_bps=0,
    target_rests=0,
)

BTC: Final = Instrument(
    id=0,
    version=1,
    scale=10**4,
    tick=100,
    lot=1_000,
    quantity_min=1_000,
    notional_min=10 * QUANTA,
    fee_maker_ppm=0,
    fee_taker_ppm=1_000,
    half_spread_ppm=50,
    slippage_ppm=100,
    fee_in_base=0,
    unit=0,
)

# A million, all cash, since yesterday.
RICH: Final = NO_ACCOUNT._replace(
    cash=CAPITAL,
    invested=CAPITAL,
    peak=CAPITAL,
    memory=NO_MEMORY._replace(hours=(CAPITAL,) * HOURS),
)


class Listed(NamedTuple):
    """An instrument as real venues scale it, and where its price is about to be."""

    instrument: Instrument
    price: int


LISTED: Final = (
    Listed(BTC, 600_000_000),
    # ETH/BTC, SHIB/USD, PEPE/USD: at a million, price times quantity is 10²⁰ and more.
    Listed(BTC._replace(id=1, scale=10**8, tick=1_000, lot=10_000, quantity_min=10_000), 4_000_000),
    Listed(BTC._replace(id=2, scale=10**6, tick=1_000, lot=1_000, fee_in_base=1), 1_000_000),
    Listed(BTC._replace(id=3, scale=10**7, tick=1_000, lot=1_000, fee_in_base=1), 10_000_000),
)


def law(**changes: int) -> Law:
    return LAW._replace(**changes)


def instrument(**changes: int) -> Instrument:
    return BTC._replace(**changes)


def account(**changes: Any) -> Account:
    kept = {name: changes.pop(name) for name in ("hours", "recent") if name in changes}
    return RICH._replace(memory=RICH.memory._replace(**kept), **changes)


def lane(**changes: Any) -> Lane:
    """Flat, and marked just now."""
    return NO_LANE._replace(mark=PRICE, marked_at_ms=START, candles=100)._replace(**changes)


def order(**changes: int) -> Order:
    """A purchase of one coin, about to be sent; what takes does so at once."""
    bought = NO_ORDER._replace(sequence=1, kind=int(Kind.TAKE), side=int(Side.BUY), price=PRICE)
    new = bought._replace(quantity=10**8, stage=int(Stage.SENDING), at_ms=START)._replace(**changes)
    takes = new.kind in (Kind.TAKE, Kind.MARKET) and "time_in_force" not in changes
    return new._replace(time_in_force=int(TimeInForce.IOC)) if takes else new


def report(status: int, of: Order, **changes: int) -> Report:
    """What the venue says of an order; a fill is the next one that it has not heard of."""
    said = NO_REPORT._replace(at_ms=START, status=int(status), instrument=of.instrument)
    fill = of.last_fill + 1 if status == Status.FILLED else 0
    return said._replace(sequence=of.sequence, side=of.side, fill=fill)._replace(**changes)


def candle(
    close: int = PRICE,
    open: int | None = None,
    low: int | None = None,
    high: int | None = None,
    of: int = 0,
    source: int = Source.REPLAYED,
    volume: int = LIQUID,
) -> Candle:
    """A candle that stands still unless told how it moved."""
    first = close if open is None else open
    least = min(first, close) if low is None else low
    most = max(first, close) if high is None else high
    return Candle(of, first, most, least, close, volume, int(source))


@dataclass(slots=True)
class Session:
    """A paper world that goes on by one candle at a time, and keeps its record."""

    world: World = NO_WORLD
    record: Record = field(default_factory=list)
    at_ms: int = START

    @property
    def account(self) -> Account:
        return self.world.state.account

    @property
    def lane(self) -> Lane:
        return self.world.state.lanes[0]

    def meet(self, *events: Event) -> list[Event | Decision]:
        """What happened, from these events to the last word that they caused."""
        known = len(self.record)
        for event in events:
            self.world = advance(self.world, event, self.record)
        return self.record[known:]

    def close(self, *candles: Candle, every_ms: int = HOUR) -> list[Event | Decision]:
        """One candle later; without candles, one that stood still."""
        opened, self.at_ms = self.at_ms, self.at_ms + every_ms
        still = (candle(self.lane.mark or PRICE),)
        return self.meet(Close(self.at_ms, opened, candles or still, ()))

    def detail(self, *candles: Candle, every_ms: int = HOUR // 4) -> list[Event | Decision]:
        """A finer candle inside the next one: the clock goes on by as much."""
        opened, self.at_ms = self.at_ms, self.at_ms + every_ms
        return self.meet(Detail(self.at_ms, opened, candles))

    def signal(self, conviction_bps: int, of: int = 0) -> list[Event | Decision]:
        return self.meet(Signal(self.at_ms, of, conviction_bps, self.account.model))

    def touch(self, bid: int, ask: int, of: int = 0) -> list[Event | Decision]:
        return self.meet(Touch(self.at_ms, of, bid, ask))


def session(
    *instruments: Instrument,
    under: Law = LAW,
    capital: int = CAPITAL,
    assumed: Assumptions = NO_ASSUMPTIONS,
) -> Session:
    """Funded and listed; no candle yet."""
    new = Session()
    new.meet(Limits(START, under), Assumed(START, assumed))
    new.meet(*(Listing(START, one) for one in instruments or (BTC,)), Flow(START, capital))
    return new


def holding(
    under: Law = LAW,
    of: Instrument = BTC,
    capital: int = CAPITAL,
    assumed: Assumptions = NO_ASSUMPTIONS,
) -> Session:
    """A session that has bought at `PRICE` and rests its stop."""
    new = session(of, under=under, capital=capital, assumed=assumed)
    new.close(candle(PRICE))
    new.signal(10_000)
    new.close(candle(PRICE))
    assert is_stop(new.lane.stop.kind)
    return new


VOLUMES: Final = (0, 10**6, 10**9, 10**12, 10**15)  # grains: none, too little, enough
CONVICTIONS: Final = (0, 0, -10_000, 1, 500, 2_500, 5_000, 10_000, 10_000)


def history(
    seed: int, n: int, listed: tuple[Listed, ...] = LISTED, every_ms: int = HOUR
) -> Iterator[Event]:
    """Closes and the signals after them: opens away from the last close, holes, big jumps."""
    random = Random(seed)
    last = {one.instrument.id: one.price for one in listed}
    for k in range(n):
        opened = START + k * every_ms
        here = [i for i in last if random.random() > 0.05]
        candles = tuple(walk(random, i, last[i]) for i in here)
        last |= {one.instrument: one.close for one in candles}
        missing = tuple(i for i in last if i not in here)
        yield Close(opened + every_ms, opened, candles, missing)
        for i in here:
            if random.random() < 0.7:
                yield Signal(opened + every_ms, i, random.choice(CONVICTIONS), 0)


MODELS: Final = (0, 0x3F2A91C04B1D, (1 << 48) - 1)
HALF_SPREADS_BPS: Final = (0, 0, 1, 5, 40, 300, 900, 2_000, -3)  # the last two: not to be believed


def eventful(seed: int, events: Iterable[Event]) -> Iterator[Event]:
    """The same history, in which models take over, and in every other one touches are seen."""
    random, model = Random(seed), 0
    for event in events:
        yield event._replace(model=model) if isinstance(event, Signal) else event
        if isinstance(event, Close):
            if seed % 2:
                yield from touches(random, event)
            if random.random() < 0.05:
                model = random.choice(MODELS)
                yield Adopted(event.at_ms, model)


def touches(random: Random, close: Close) -> Iterator[Touch]:
    """Around most closing prices."""
    for one in close.candles:
        half = one.close * random.choice(HALF_SPREADS_BPS) // 10_000
        if random.random() < 0.7:
            yield Touch(close.at_ms, one.instrument, one.close - half, one.close + half)


def walk(random: Random, i: int, last: int) -> Candle:
    """One candle from the last close, by steps in basis points of it."""
    bold = 3_000 if random.random() < 0.03 else 150
    first = stepped(random, last, bold if random.random() < 0.5 else 5)
    close = stepped(random, first, bold)
    low = min(first, close) - abs(random.randrange(first // 200 + 1))
    high = max(first, close) + abs(random.randrange(first // 200 + 1))
    made = Source.SYNTHETIC if random.random() < 0.02 else Source.REPLAYED
    volume = VOLUMES[close % len(VOLUMES)]
    return Candle(i, first, high, max(low, 1), close, volume, int(made))


def stepped(random: Random, price: int, bps: int) -> int:
    return max(price + price * random.randint(-bps, bps) // 10_000, 1_000)


def leaves(record: object) -> Iterator[object]:
    """All that a record holds, down to what holds nothing."""
    if isinstance(record, tuple | list):
        for part in record:
            yield from leaves(part)
    else:
        yield record
