"""Orders and candles drawn at random, met by the core's venue and by the oracle."""

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Final

from rrr.core import matching, shelf
from rrr.core.market import QUANTA_MAX, Candle, Instrument
from rrr.core.orders import (
    NO_ORDER,
    Kind,
    Order,
    Rejection,
    Report,
    Side,
    Status,
    TimeInForce,
    is_stop,
)
from rrr.core.shelf import NO_SHELF, Assumptions, Purse
from tests.builders import HOUR, LISTED, START
from tests.core.oracle import MILLION, Case, Word, told

RICH: Final = 10**16  # quanta: more than any order here may take


def differing(fills: int, seed: int, heard: Counter[str]) -> Iterator[tuple[Case, object, object]]:
    """Cases of which oracle and core tell another story, until so many fills were told."""
    random, done = Random(seed), 0
    while done < fills:
        case = drawn(random)
        core = said_by_the_core(case)
        if core is None:
            heard["not accepted"] += 1
            continue
        words = told(case)
        deals = [word for word in words if word.what == "fill"]
        side = case.order.side
        cash = RICH - sum(side * deal.notional + deal.fee for deal in deals)
        coins = 0 if side == Side.BUY else case.order.quantity
        coins += sum(side * deal.quantity - deal.fee_grains for deal in deals)
        if core != (words, cash, coins):
            yield case, core, (words, cash, coins)
        done += len(deals)
        kind = Kind(case.order.kind).name.lower()
        for word in words:
            rested = " that rested" if word.maker else ""
            heard[f"{kind}: fill{rested}" if word.price else f"said: {word.what.lower()}"] += 1


def said_by_the_core(case: Case) -> tuple[list[Word], int, int] | None:
    """The same order before the core's venue: its words, cash and coins. None: not accepted."""
    of, order = case.instrument, case.order
    coins = 0 if order.side == Side.BUY else order.quantity
    purse, here = Purse(RICH, 0), NO_SHELF._replace(quantity=coins, half_spread=case.half_spread)
    purse, here, report = shelf.submit(purse, here, of, order, 0, order.at_ms)
    if report.status != Status.ACCEPTED:
        return None
    words: list[Word] = []
    for number, candle in enumerate(case.candles):
        opened, ends = START + number * HOUR, START + (number + 1) * HOUR
        if candle is None:
            purse, here, report = matching.at_no_open(purse, here, opened)
            words += [in_words(number, report)] if report.status else []
            continue
        here = shelf.begun(here, of, case.assumed, candle.volume)
        for inside in (False, True):
            while True:
                if inside:
                    matched = matching.inside(purse, here, of, case.assumed, candle, opened, ends)
                else:
                    matched = matching.at_open(purse, here, of, case.assumed, candle, opened, ends)
                purse, here, report = matched
                if not report.status:
                    break
                words.append(in_words(number, report))
    return words, purse.cash, here.quantity


def in_words(number: int, report: Report) -> Word:
    if report.status == Status.FILLED:
        deal = (report.price, report.quantity, report.notional, report.fee, report.fee_grains)
        return Word(number, "fill", *deal, report.maker)
    if report.status == Status.TRIGGERED:
        return Word(number, "TRIGGERED")
    return Word(number, Rejection(report.rejection).name)


def drawn(random: Random) -> Case:
    """An order somebody might send, and the candles that it meets."""
    listed = random.choice(LISTED)
    of = listed.instrument._replace(
        tick=random.choice([1, 7, 100, 1_000]),
        lot=random.choice([1, 1_000, 10**6]),
        quantity_min=0,
        notional_min=0,
        fee_maker_ppm=random.choice([-250, 0, 999, 1_500]),
        fee_taker_ppm=random.choice([0, 1, 1_000, 2_500]),
        half_spread_ppm=random.choice([0, 50, 3_333]),
        slippage_ppm=random.choice([0, 100, 2_001]),
        fee_in_base=random.randrange(2),
    )
    assumed = Assumptions(
        random.choice([0, 1, 250, 60_000, HOUR // 3, HOUR - 1, HOUR, 5 * HOUR // 2]),
        random.choice([0, 0, 1_000, 100_000, MILLION]),
        random.choice([0, 1, 333_333, MILLION]),
        0,
    )
    candles = [*moved(random, listed.price, of, random.randint(1, 5))]
    half = random.choice([0, 0, 1, listed.price // 1_000])
    return Case(of, ordered(random, listed.price, of), assumed, half, candles)


def moved(random: Random, price: int, of: Instrument, n: int) -> Iterator[Candle | None]:
    """Candles that often stop exactly where an order stands."""
    grid = max(price // 200 // of.tick, 1) * of.tick
    last = price
    for _ in range(n):
        points = [max(last + random.randint(-4, 4) * grid, of.tick) for _ in range(4)]
        if random.random() < 0.3:
            points = [max(point + random.randint(-50, 50), 1) for point in points]
        first, last = points[:2]
        volume = random.choice([0, 10**5, 10**8, 10**11, 10**14, 10**16])
        candle = Candle(of.id, first, max(points), min(points), last, volume, 2)
        yield None if random.random() < 0.08 else candle


def ordered(random: Random, price: int, of: Instrument) -> Order:
    grid = max(price // 200 // of.tick, 1) * of.tick
    kind = random.choice([*Kind][1:])
    stop = is_stop(kind)
    side = Side.SELL if stop else random.choice([Side.BUY, Side.SELL])
    steps = random.randint(-5, 0) if stop else random.randint(-6, 6)
    at = price // of.tick * of.tick + steps * grid
    time = TimeInForce.GTC
    if kind in (Kind.TAKE, Kind.MARKET):
        time = random.choice((TimeInForce.IOC, TimeInForce.FOK))
    elif kind == Kind.LIMIT:
        time = random.choice([*TimeInForce])
    rests = (
        kind == Kind.LIMIT and time in (TimeInForce.GTC, TimeInForce.GTD) and random.random() < 0.4
    )
    coins = 10 ** random.randint(4, 12) * random.randint(1, 99) + random.randint(0, 999)
    coins = min(coins, QUANTA_MAX // (8 * price) * of.scale)  # what fits through the door
    return NO_ORDER._replace(
        sequence=1,
        instrument=of.id,
        kind=int(kind),
        side=int(side),
        quantity=max(coins // of.lot, 1) * of.lot,
        price=max(at, of.tick),
        limit=max(at - random.randint(0, 3) * grid, of.tick) if kind == Kind.STOP_LIMIT else 0,
        trail=random.randint(1, 4 * grid) if kind == Kind.TRAILING else 0,
        time_in_force=int(time),
        expires_ms=START + random.randint(1, 4 * HOUR) if time == TimeInForce.GTD else 0,
        post_only=int(rests),
        stage=1,
        at_ms=START - random.choice([0, 0, 100, HOUR]),
    )
