"""Whatever a strategy says, and however often, it spends no more than its caps allow.

A real engine on paper, on a real file: in one second so many signals come for all instruments at
once, wild ones, then minutes of closes at each of which all turn from long to flat. The market
stands still and fills at once, at its touches, so that nothing slows the spending but the law, and
all that is lost is what trading costs. Then somebody halts, in the middle of another second like
the first. What is judged is what the database holds and what was carried to the venue.

    python -m tests.trading.live.mad --signals 10000 --seed 1
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Final

from rrr.core.events import Close, Command, Event, Signal, Touch, Verb
from rrr.core.market import BPS, PPM
from rrr.core.orders import Order, Side
from rrr.core.shelf import Assumptions
from rrr.core.state import Law, State
from rrr.trading.engine.engine import Engine, Moment
from rrr.trading.engine.paper import Record
from rrr.trading.engine.venue import Work
from tests.builders import CAPITAL, LAW, LISTED, START, candle
from tests.storm.lives import ask, living, terms

SECOND: Final = 1_000
MINUTE: Final = 60_000
TURNS: Final = 300  # closes, a second apart, at each of which all turn round
HALF_SPREAD_BPS: Final = 5
WILD: Final = (10_000, 10_000, 0, -10_000, 1, 10**9, -(10**9), 2**53, -(2**53))
UNDER: Final = LAW._replace(
    orders_per_minute_max=6,
    order_notional_max=CAPITAL // 200,
    volatility_target_ppm=PPM,
    exposure_max_bps=2_000,
)
AT_ONCE: Final = Assumptions(latency_ms=0, participation_ppm=0, touch_share_ppm=0, by_touch=1)
HALTS: Final = 100
TOGETHER: Final = 40  # signals of a moment; the market answers after each


class Counting:
    """The paper venue, noting what is carried to it and after which word."""

    mode = "paper"

    def __init__(self) -> None:
        self.orders: list[Order] = []

    def intend(self, record: Record) -> Work | None:
        return None

    async def carry(self, record: Record, state: State) -> None:
        self.orders += [item for item in record if isinstance(item, Order)]


@dataclass(slots=True)
class Figures:
    """What came of it; money in quanta."""

    signals: int = 0
    purchases: int = 0
    orders: int = 0
    in_a_minute_max: int = 0
    notional_max: int = 0
    loss: int = 0
    loss_allowed: int = 0
    after_halt: int = 0  # purchases that left after it was met
    halts_ms: list[float] = field(default_factory=list)  # from each word to its row on the disk
    refusals: dict[str, int] = field(default_factory=dict)

    def faults(self, under: Law) -> list[str]:
        wrong = {
            "orders in a minute": self.in_a_minute_max > under.orders_per_minute_max,
            "notional": self.notional_max > under.order_notional_max,
            "loss": self.loss > self.loss_allowed,
            "purchases after the halt": self.after_halt > 0,
        }
        return [what for what, is_wrong in wrong.items() if is_wrong]


async def mad(
    path: Path, signals: int, seed: int, under: Law = UNDER, halts: int = HALTS
) -> Figures:
    """Spend as much as the law lets anybody, on this file."""
    dice, venue, found = Random(seed), Counting(), Figures()
    wanted = replace(terms(seed, under, assumed=AT_ONCE), ends_at_ms=None)
    async with living(path, wanted, venue) as engine:
        at_ms = await calm(engine, START)
        for moment in burst(dice, at_ms, signals):
            await engine.take([moment])
        for turn in range(TURNS):
            at_ms += SECOND
            await engine.take(turning(at_ms, 10_000 if turn % 2 == 0 else 0))
        for _ in range(halts):
            # A minute's rest for the cap, so that somebody would spend when the halt comes.
            at_ms = await calm(engine, at_ms + 2 * MINUTE)
            await halted(engine, venue, list(burst(dice, at_ms, 3 * TOGETHER)), found)
    judge(path, under, found)
    return found


async def halted(engine: Engine, venue: Counting, moments: list[Moment], found: Figures) -> None:
    """Somebody halts between two waves of signals, the second in the same commit."""
    first, second, *others = moments
    await engine.take([first])
    known, began_s = len(venue.orders), time.perf_counter()
    await engine.take([Moment((Command(engine.head.at_ms, int(Verb.HALT)),), "enough"), second])
    found.halts_ms.append((time.perf_counter() - began_s) * 1_000)
    await engine.take(others)
    found.after_halt += sum(one.side == Side.BUY for one in venue.orders[known:])
    await engine.take([Moment((Command(engine.head.at_ms, int(Verb.RESUME)),))])


async def calm(engine: Engine, at_ms: int) -> int:
    """A few candles that stand still, and everybody is flat."""
    for _ in range(3):
        at_ms += SECOND
        await engine.take(turning(at_ms, 0))
    return at_ms


def turning(at_ms: int, conviction_bps: int) -> list[Moment]:
    """One close, and all are convinced of the same; their orders meet the touch at once."""
    candles = tuple(candle(one.price, of=one.instrument.id) for one in LISTED)
    events: list[Event] = [Close(at_ms, at_ms - SECOND, candles, ()), *touches(at_ms)]
    events += [Signal(at_ms, one.instrument.id, conviction_bps, 0) for one in LISTED]
    return [Moment((*events, *touches(at_ms)))]


def burst(dice: Random, at_ms: int, signals: int) -> Iterator[Moment]:
    """So many signals in one second, each instrument wild."""
    for first in range(0, signals, TOGETHER):
        now_ms = at_ms + first * SECOND // signals
        some = range(min(TOGETHER, signals - first))
        said = [Signal(now_ms, dice.randrange(len(LISTED)), dice.choice(WILD), 0) for _ in some]
        yield Moment((*said, *touches(now_ms)))


def touches(at_ms: int) -> list[Touch]:
    told = []
    for one in LISTED:
        half = one.price * HALF_SPREAD_BPS // BPS
        told.append(Touch(at_ms, one.instrument.id, one.price - half, one.price + half))
    return told


def judge(path: Path, under: Law, found: Figures) -> None:
    """What the file says: of each order, each fill, and the last equity."""
    scale = {one.instrument.id: one.instrument.scale for one in LISTED}
    sql = "SELECT at_ms, instrument, side, quantity, price FROM orders ORDER BY sequence"
    orders = ask(path, sql)
    bought = [(at, -(-q * price // scale[i])) for at, i, side, q, price in orders if side == 1]
    times = [at_ms for at_ms, _ in bought]
    found.orders, found.purchases = len(orders), len(bought)
    found.in_a_minute_max = busiest(times)
    found.notional_max = max((notional for _, notional in bought), default=0)
    ((found.signals,),) = ask(path, "SELECT count(*) FROM signals")
    ((cash, worth),) = ask(path, "SELECT cash, worth FROM equity ORDER BY at_ms DESC LIMIT 1")
    found.loss = CAPITAL - cash - worth
    # Each may be bought and sold at the worst price that its collar takes, and pays both fees.
    ((first, last),) = ask(path, "SELECT min(at_ms), max(at_ms) FROM signals")
    minutes = (last - first) // MINUTE + 1
    fee_ppm = max(one.instrument.fee_taker_ppm for one in LISTED)
    turn_ppm = 2 * (under.collar_bps * PPM // BPS + fee_ppm)
    notional = minutes * under.orders_per_minute_max * under.order_notional_max
    found.loss_allowed = notional * turn_ppm // PPM
    reasons = ask(path, "SELECT reason, sum(times) FROM refusals GROUP BY reason")
    found.refusals = {str(reason): int(times) for reason, times in reasons}


def busiest(times: list[int]) -> int:
    """The most in any minute, wherever it starts."""
    return max((sum(at <= t < at + MINUTE for t in times) for at in times), default=0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--signals", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(mad(Path(folder) / "paper.db", asked.signals, asked.seed))
    caps = {"in_a_minute_max": UNDER.orders_per_minute_max}
    caps |= {"notional_max": UNDER.order_notional_max, "loss": found.loss_allowed}
    for name in ("signals", "orders", "purchases", "in_a_minute_max", "notional_max", "loss"):
        allowed = f"  of {caps[name]:,} allowed" if name in caps else ""
        print(f"{name:>16} {getattr(found, name):,}{allowed}")  # noqa: T201
    late = sorted(found.halts_ms)
    times = f"p50 {late[len(late) // 2]:.2f} ms, p99 {late[len(late) * 99 // 100]:.2f} ms"
    print(f"{'halts':>16} {len(late)}: {found.after_halt} purchases after, {times}")  # noqa: T201
    print(f"{'refused':>16} {found.refusals}")  # noqa: T201
    wrong = found.faults(UNDER)
    print(f"seed {asked.seed}: {', '.join(wrong) or 'every cap holds'}")  # noqa: T201


if __name__ == "__main__":
    main()
