"""Histories in which everything happens, under laws, assumptions and markets drawn at random.

A person and the guard halt, flee and resume; money comes and goes; a venue changes its rules and we
our assumptions; finer candles, touches, prints and depths are seen between the closes.
"""

from collections.abc import Iterator
from random import Random
from typing import Final

from hypothesis import strategies as st

from rrr.core.events import (
    Assumed,
    Close,
    Command,
    Depth,
    Detail,
    Event,
    Flow,
    Level,
    Limits,
    Listing,
    Print,
    Signal,
    Touch,
    Verb,
)
from rrr.core.market import PPM, Candle
from rrr.core.shelf import Assumptions
from rrr.core.state import Law, Sizing
from tests.builders import CAPITAL, HOUR, LAW, LISTED, VOLUMES, Listed, eventful, history

LATENCIES: Final = (0, 1, 250, HOUR // 2, HOUR, 3 * HOUR)
PARTICIPATIONS: Final = (0, 1_000, 100_000, PPM)
SHARES: Final = (0, 300_000, PPM)

seeds = st.integers(0, 2**32)
laws = st.builds(
    LAW._replace,
    volatility_target_ppm=st.sampled_from([500, 5_000, 50_000]),
    band_bps=st.sampled_from([0, 500, 2_500]),
    warmup_candles=st.sampled_from([0, 3]),
    collar_bps=st.sampled_from([0, 40, 100, 1_000]),
    stop_bps=st.sampled_from([1, 50, 300, 9_999]),
    target_bps=st.sampled_from([1, 200, 100_000]),
    exposure_max_bps=st.sampled_from([500, 4_000, 10_000]),
    gross_max_bps=st.sampled_from([500, 9_000, 10_000]),
    book_volatility_max_ppm=st.sampled_from([1_000, 20_000, 1_000_000]),
    orders_per_minute_max=st.integers(1, 32),
    order_notional_max=st.sampled_from([CAPITAL // 100, CAPITAL]),
    loss_24h_max_bps=st.sampled_from([50, 600, 10_000]),
    drawdown_max_bps=st.sampled_from([200, 2_500, 10_000]),
    cooldown_ms=st.sampled_from([0, 10_000_000]),
    synthetic_may_open=st.integers(0, 1),
    sizing=st.sampled_from([int(sizing) for sizing in Sizing]),
    entry_maker=st.integers(0, 1),
    maker_offset_bps=st.sampled_from([0, 5, 50, 1_000]),
    patience_ms=st.sampled_from([HOUR // 2, HOUR, 3 * HOUR]),
    chase=st.integers(0, 1),
    fill_or_kill=st.integers(0, 1),
    stop_limit_bps=st.sampled_from([0, 0, 20, 500]),
    trail_bps=st.sampled_from([0, 0, 100, 2_000]),
    target_rests=st.integers(0, 1),
    stop_amends=st.integers(0, 1),
)
assumptions = st.builds(
    Assumptions,
    latency_ms=st.sampled_from(LATENCIES),
    participation_ppm=st.sampled_from(PARTICIPATIONS),
    touch_share_ppm=st.sampled_from(SHARES),
    by_touch=st.integers(0, 1),
)
listed = st.builds(
    lambda of, **changes: of._replace(instrument=of.instrument._replace(**changes)),
    st.sampled_from(LISTED),
    tick=st.sampled_from([1, 100, 1_000]),
    lot=st.sampled_from([1, 1_000, 10**6]),
    quantity_min=st.sampled_from([0, 1, 10**7]),
    notional_min=st.sampled_from([0, 10**9, 10**11]),
    fee_maker_ppm=st.sampled_from([-100, 0, 1_000, 20_000]),
    fee_taker_ppm=st.sampled_from([-100, 0, 1_000, 10_000]),
    half_spread_ppm=st.sampled_from([0, 50, 5_000]),
    slippage_ppm=st.sampled_from([0, 100, 5_000]),
    fee_in_base=st.integers(0, 1),
    unit=st.sampled_from([10**6, 10**9, 10**12]),
)


def numbered(markets: list[Listed]) -> tuple[Listed, ...]:
    return tuple(
        of._replace(instrument=of.instrument._replace(id=i)) for i, of in enumerate(markets)
    )


markets = st.lists(listed, min_size=1, max_size=4).map(numbered)


def beginning(
    under: Law, assumed: Assumptions, on: tuple[Listed, ...], capital: int = CAPITAL
) -> list[Event]:
    """What a fresh book is told."""
    known: list[Event] = [Limits(0, under), Assumed(0, assumed)]
    return [*known, *(Listing(0, one.instrument) for one in on), Flow(0, capital)]


def disturbed(seed: int, n: int, on: tuple[Listed, ...], every_ms: int = HOUR) -> Iterator[Event]:
    """A history in which money moves, rules change, and a person and the guard speak."""
    random = Random(seed)
    verbs = [*Verb, Verb.RESUME, Verb.RESUME]
    version = {one.instrument.id: one.instrument for one in on}
    for event in eventful(seed, history(seed, n, on, every_ms)):
        if isinstance(event, Close):
            yield from between(random, event)
        yield event
        match event, random.random():
            case Close(), chance if chance < 0.05:
                yield Flow(event.at_ms, random.choice([CAPITAL // 10, -2_500, -9_000]))
            case Close(), chance if chance < 0.1:
                yield Command(event.at_ms, int(random.choice(verbs)))
            case Close(), chance if chance < 0.13:
                i = random.choice(sorted(version))
                version[i] = version[i]._replace(
                    version=version[i].version + 1,
                    tick=random.choice([1, 100, 1_000]),
                    lot=random.choice([1, 1_000, 10**6]),
                    fee_maker_ppm=random.choice([-100, 0, 1_000, 30_000]),
                    fee_taker_ppm=random.choice([0, 1_000, 30_000]),
                )
                yield Listing(event.at_ms, version[i])
            case Close(), chance if chance < 0.15:
                yield Assumed(event.at_ms, assumed_at(random))
            case Signal(), chance if chance < 0.02:
                yield Command(event.at_ms, int(random.choice(verbs)))


def assumed_at(random: Random) -> Assumptions:
    return Assumptions(
        random.choice(LATENCIES),
        random.choice(PARTICIPATIONS),
        random.choice(SHARES),
        random.randrange(2),
    )


def between(random: Random, close: Close, parts: int = 4) -> Iterator[Event]:
    """What was seen inside some candles, before they closed."""
    seen = random.choice(["nothing", "nothing", "finer candles", "prices"])
    every_ms = (close.at_ms - close.opened_at_ms) // parts
    for part in range(parts if seen != "nothing" else 0):
        opened = close.opened_at_ms + part * every_ms
        if seen == "finer candles":
            yield Detail(
                opened + every_ms,
                opened,
                tuple(finer(random, one, part, parts) for one in close.candles),
            )
        else:
            for one in close.candles:
                price = one.low + (one.high - one.low) * random.randrange(101) // 100
                yield seen_at(random, opened + random.randrange(every_ms), one.instrument, price)


def finer(random: Random, whole: Candle, part: int, parts: int) -> Candle:
    """A part of a candle: somewhere the whole range is reached, in any order."""
    span = whole.high - whole.low
    points = sorted(whole.low + span * random.choice([0, 30, 50, 70, 100]) // 100 for _ in "ab")
    first = whole.open if part == 0 else random.choice(points)
    last = whole.close if part == parts - 1 else random.choice(points)
    low, high = min(points[0], first, last), max(points[1], first, last)
    volume = whole.volume // parts
    return Candle(whole.instrument, first, high, low, last, volume, whole.source)


def seen_at(random: Random, at_ms: int, of: int, price: int) -> Event:
    """A touch, a print or a depth."""
    half = max(price * random.choice([1, 5, 40]) // 10_000, 1)
    bid, ask = max(price - half, 1), price + half
    match random.randrange(3):
        case 0:
            return Touch(at_ms, of, bid, ask, random.choice(VOLUMES), random.choice(VOLUMES))
        case 1:
            return Print(at_ms, of, price, random.choice(VOLUMES))
    levels = random.randrange(4)
    bids = (Level(max(bid - k * half, 1), random.choice(VOLUMES)) for k in range(levels))
    asks = (Level(ask + k * half, random.choice(VOLUMES)) for k in range(levels))
    return Depth(at_ms, of, tuple(bids), tuple(asks))
