"""The tape is the truth: each print is a function of seed, coin and time, and all else follows.

Integers only. A price is in points (10^-decimals of the quote), a quantity in grains (10^-8 of the
base). The mid swings as a sum of waves; the touch follows it once a second; a print buys at the ask
or sells at the bid of its moment; a candle is made of its prints, and a time without a print has
none. Nothing is cumulated but the ids, which count the prints since the listing: any moment can be
asked for, in any order.
"""

from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from tests.venue.tape_waves import Ints, chance, counts, key, swing

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
SLOT_MS: Final = 1_000  # how long a touch and a depth last
LISTED_MS: Final = 1_685_577_600_000  # 2023-06-01: nothing was traded before
LEVELS: Final = 25
GRAINS: Final = 8

_CANDIDATES: Final = 4 * LEVELS  # prices that may hold a level; three in four do
_LASTS_SLOTS: Final = 16  # how long a level rests before it changes


class Coin(NamedTuple):
    name: str
    price: int  # what it wanders about, in points
    decimals: int  # of a price
    prints: Decimal  # a minute, on average
    lot: int  # the mean quantity of a print, in grains
    grid: int  # points between the levels of its depth
    wave_ppm: int = 120  # height of the shortest wave


class Print(NamedTuple):
    at_ms: int
    price: int
    quantity: int
    side: str  # of the taker: "buy" or "sell"
    id: int
    ordinal: int  # in its minute


class Candle(NamedTuple):
    opened_at_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    turnover: int  # sum of price × quantity
    prints: int


class Touch(NamedTuple):
    bid: int
    bid_quantity: int
    ask: int
    ask_quantity: int


class Level(NamedTuple):
    price: int
    quantity: int


class Depth(NamedTuple):
    """The best first."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


COINS: Final = (
    Coin("BTC", 650_000, 1, Decimal(6), 3_000_000, 50),
    Coin("ETH", 350_000, 2, Decimal(4), 60_000_000, 25),
    Coin("SOL", 15_000, 2, Decimal(3), 900_000_000, 2),
    Coin("OXT", 90_000, 6, Decimal("0.4"), 50_000_000_000, 10),  # most minutes see no print
)


class Tape:
    """`more` coins are there beside those of COINS: M01, M02, …"""

    def __init__(self, seed: int, quote: str = "USD", more: int = 0) -> None:
        others = [
            Coin(f"M{n:02}", 20_000 + 7_919 * n, 3, Decimal(2), 100_000_000, 4)
            for n in range(1, more + 1)
        ]
        self.seed = seed
        self.coins = {f"{coin.name}/{quote}": coin for coin in (*COINS, *others)}
        self._hour = lru_cache(512)(self._hour_uncached)
        self._day = lru_cache(1_024)(self._day_uncached)
        self._depth = lru_cache(2_048)(self._depth_uncached)
        self._touches_of = lru_cache(256)(self._touches_uncached)
        self._totals: dict[str, Ints] = {}

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(self.coins)

    def coin(self, symbol: str) -> Coin:
        return self.coins[symbol.replace("-", "/")]

    def prints(self, symbol: str, begin: int, end: int) -> list[Print]:
        """What was printed from `begin` on and before `end`, oldest first."""
        coin, begin = self.coin(symbol), max(begin, LISTED_MS)
        hours = (self._hour(coin, hour) for hour in range(begin // HOUR_MS, -(-end // HOUR_MS)))
        return [each for hour in hours for each in hour if begin <= each.at_ms < end]

    def prints_from(self, symbol: str, id: int, count: int, end: int) -> list[Print]:
        """So many from this id on, of those before `end`."""
        coin = self.coin(symbol)
        if id > self._printed_before(coin, end // MINUTE_MS + 1) or end <= LISTED_MS:
            return []
        minute = int(np.searchsorted(self._totals[coin.name], max(id, 1)))
        begin, found = LISTED_MS + minute * MINUTE_MS, list[Print]()
        while len(found) < count and begin < end:
            there = self.prints(symbol, begin, min(begin + HOUR_MS, end))
            found += [each for each in there if each.id >= id]
            begin += HOUR_MS
        return found[:count]

    def last_prints(self, symbol: str, count: int, end: int) -> list[Print]:
        """The last ones before `end`, oldest first; at most a day is looked through."""
        span = HOUR_MS
        while len(found := self.prints(symbol, end - span, end)) < count and span < DAY_MS:
            span *= 4
        return found[-count:]

    def candles(self, symbol: str, timeframe_ms: int, begin: int, end: int) -> list[Candle]:
        """What opened from `begin` on, made of what was printed before `end`."""
        begin = max(begin, LISTED_MS)
        begin += -begin % timeframe_ms
        minutes = self._minutes(self.coin(symbol), begin, end)
        return _candles(minutes, minutes[0] // timeframe_ms * timeframe_ms)

    def filled(self, symbol: str, timeframe_ms: int, begin: int, end: int) -> list[Candle]:
        """The same, and flat ones without volume where nothing was printed."""
        begin = max(begin, LISTED_MS)
        begin += -begin % timeframe_ms
        traded = {c.opened_at_ms: c for c in self.candles(symbol, timeframe_ms, begin, end)}
        before = self.last_prints(symbol, 1, begin)
        close, found = before[0].price if before else 0, []
        for at in range(begin, end, timeframe_ms):
            candle = traded.get(at, Candle(at, close, close, close, close, 0, 0, 0))
            close = candle.close
            if close:
                found.append(candle)
        return found

    def summary(self, symbol: str, begin: int, end: int) -> Candle | None:
        """One candle of all that was printed from the first whole minute on and before `end`."""
        minutes = self._minutes(self.coin(symbol), begin, end)
        return next(iter(_candles(minutes, np.zeros_like(minutes[0]))), None)

    def touch(self, symbol: str, at_ms: int) -> Touch:
        depth = self.depth(symbol, at_ms)
        return Touch(*depth.bids[0], *depth.asks[0])

    def depth(self, symbol: str, at_ms: int) -> Depth:
        return self._depth(self.coin(symbol), at_ms // SLOT_MS)

    def _minutes(self, coin: Coin, begin: int, end: int) -> Ints:
        """Candles of a minute, as columns; the last may be unfinished."""
        whole = end // MINUTE_MS
        days = range(begin // DAY_MS, -(-whole * MINUTE_MS // DAY_MS))
        rest = self._columns(coin, whole, whole + 1)
        blocks = [self._day(coin, day) for day in days]
        rows = np.concatenate([*blocks, _grouped(rest[:, rest[0] < end])], axis=1)
        # The last day goes on after the unfinished minute, and its rows are not wanted.
        order = np.arange(rows.shape[1]) >= sum(block.shape[1] for block in blocks)
        return rows[:, (rows[0] >= begin) & (order | (rows[0] < whole * MINUTE_MS))]

    def _day_uncached(self, coin: Coin, day: int) -> Ints:
        first = day * DAY_MS // MINUTE_MS
        return _grouped(self._columns(coin, first, first + DAY_MS // MINUTE_MS))

    def _hour_uncached(self, coin: Coin, hour: int) -> tuple[Print, ...]:
        rows = self._columns(coin, hour * 60, hour * 60 + 60).T.tolist()
        return tuple(
            Print(at, price, quantity, "buy" if buys else "sell", id, ordinal)
            for at, price, quantity, buys, id, ordinal in rows
        )

    def _columns(self, coin: Coin, first: int, end: int) -> Ints:
        """The prints of these minutes: time, price, quantity, whether bought, id, ordinal."""
        minutes = np.arange(first, end)
        counted = self._counts(coin, minutes)
        minute = np.repeat(minutes, counted)
        number = np.arange(len(minute))
        ordinal = number - np.repeat(np.cumsum(counted) - counted, counted)
        name = minute * 1_000 + ordinal
        at = np.sort(minute * MINUTE_MS + self._chance(coin, "time", name) % MINUTE_MS)
        bid, ask = self._touches(coin, at // SLOT_MS)
        buys = self._chance(coin, "side", name) >> 40 & 1
        quantity = 1 + self._chance(coin, "quantity", name) % (2 * coin.lot)
        ids = self._printed_before(coin, first) + number + 1
        return np.stack([at, np.where(buys == 1, ask, bid), quantity, buys, ids, ordinal])

    def _counts(self, coin: Coin, minutes: Ints) -> Ints:
        found = counts(key(self.seed, coin.name, "count"), coin.prints, minutes)
        return np.where(minutes >= LISTED_MS // MINUTE_MS, found, 0)

    def _printed_before(self, coin: Coin, minute: int) -> int:
        """How many prints there were in all before this minute."""
        since = minute - LISTED_MS // MINUTE_MS
        totals = self._totals.get(coin.name, np.zeros(0, np.int64))
        if since > len(totals):
            minutes = LISTED_MS // MINUTE_MS + np.arange(2 * since)
            totals = self._totals[coin.name] = np.cumsum(self._counts(coin, minutes))
        return int(totals[since - 1]) if since > 0 else 0

    def _touches(self, coin: Coin, slots: Ints) -> tuple[Ints, Ints]:
        ppm = swing(key(self.seed, coin.name, "price"), coin.wave_ppm, slots * SLOT_MS)
        spread = 1 + self._chance(coin, "spread", slots) % 3
        bid = coin.price + coin.price * ppm // 1_000_000 - spread // 2
        return bid, bid + spread

    def _touches_uncached(self, coin: Coin, hour: int) -> tuple[Ints, Ints]:
        slots = np.arange(HOUR_MS // SLOT_MS) + hour * (HOUR_MS // SLOT_MS)
        return self._touches(coin, slots)

    def _depth_uncached(self, coin: Coin, slot: int) -> Depth:
        hour, place = divmod(slot, HOUR_MS // SLOT_MS)
        bid, ask = (int(each[place]) for each in self._touches_of(coin, hour))
        step = np.arange(1, _CANDIDATES + 1) * coin.grid
        below = bid - bid % coin.grid + coin.grid - step
        above = ask - ask % coin.grid + step
        return Depth(
            self._levels(coin, slot, "bids", bid, below[below < bid]),
            self._levels(coin, slot, "asks", ask, above),
        )

    def _levels(
        self, coin: Coin, slot: int, side: str, best: int, prices: Ints
    ) -> tuple[Level, ...]:
        """A level rests a while and is then another, each at its own moment."""
        prices = np.concatenate([[best], prices])
        age = (slot + self._chance(coin, side, prices) % _LASTS_SLOTS) // _LASTS_SLOTS
        luck = self._chance(coin, f"{side} that rest", prices + (age << 24))
        there = luck >> 40 & 3 != 0
        there[0] = True
        quantities = 1 + luck % (8 * coin.lot)
        found = zip(prices[there].tolist(), quantities[there].tolist(), strict=True)
        return tuple(Level(*each) for each in found)[:LEVELS]

    def _chance(self, coin: Coin, purpose: str, at: Ints) -> Ints:
        return chance(key(self.seed, coin.name, purpose), at)


def _grouped(prints: Ints) -> Ints:
    """Prints as candles of a minute: columns in the order of `Candle`."""
    at, price, quantity = prints[:3]
    sums = np.stack([at, price, price, price, price, quantity, price * quantity, np.ones_like(at)])
    return _folded(sums, at // MINUTE_MS * MINUTE_MS)


def _candles(minutes: Ints, opened: Ints) -> list[Candle]:
    return [Candle(*row) for row in _folded(minutes, opened).T.tolist()]


def _folded(rows: Ints, opened: Ints) -> Ints:
    """Rows that opened together become one."""
    if not len(opened):
        return rows
    starts = np.flatnonzero(np.diff(opened, prepend=opened[0] - 1))
    ends = np.append(starts[1:], len(opened)) - 1
    return np.stack(
        [
            opened[starts],
            rows[1][starts],
            np.maximum.reduceat(rows[2], starts),
            np.minimum.reduceat(rows[3], starts),
            rows[4][ends],
            *(np.add.reduceat(column, starts) for column in rows[5:]),
        ]
    )
