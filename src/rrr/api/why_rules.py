"""Each rule, in its order, with what it saw and what it allows.

`core.rules.refuse` alone decides, and stops at the first broken rule. A person also asks how near
the others were: `judged` reckons every rule's figures with the core's own arithmetic, and a test
holds that the first one broken here is the one that the core names.
"""

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from rrr.core.arms import too_little
from rrr.core.ledger import equity
from rrr.core.market import (
    BPS,
    PPM,
    QUANTA_MAX,
    Instrument,
    cost,
    down,
    fits,
    lots,
    purchase,
    sellable,
    up,
)
from rrr.core.orders import Side, awaited
from rrr.core.policy import wish
from rrr.core.rules import MINUTE_MS, Refusal, collar
from rrr.core.state import Account, Halt, Lane, Law


class Case(NamedTuple):
    """A change that a signal wishes: what `rules.refuse` is asked."""

    law: Law
    account: Account
    lane: Lane
    instrument: Instrument
    change: int  # grains
    at_ms: int


class Measure(Enum):
    """What a rule counts; its value is the word for it in JSON."""

    YES = "yes or no"
    MS = "ms"
    TIME = "time"
    CANDLES = "candles"
    ORDERS = "orders in a minute"
    GRAINS = "base"
    QUANTA = "quote"
    EQUITY = "quote, of equity"
    BEST = "quote, of the best hour"


class Judged(NamedTuple):
    refusal: Refusal
    broken: bool
    value: int
    limit: int
    measure: Measure


def judged(case: Case) -> Iterator[Judged]:
    """Every rule that is asked. A sale only waits; what passes no door is reckoned no further."""
    law, account, lane, instrument, change, at_ms = case
    unsure = change > 0 and (awaited(lane.stop) or awaited(lane.target))
    working = int(bool(lane.order.kind or lane.due or unsure))
    yield Judged(Refusal.PENDING, bool(working), working, 0, Measure.YES)
    if change < 0:
        return
    halted = account.halted != Halt.NONE
    yield Judged(Refusal.HALTED, halted, account.halted, 0, Measure.YES)
    best, total = max(account.memory.hours), equity(account)
    yield _at_most(
        Refusal.LOSS_24H, best - total, down(best, law.loss_24h_max_bps, BPS), Measure.BEST
    )
    made = Judged(Refusal.SYNTHETIC, False, lane.synthetic, law.synthetic_may_open, Measure.YES)
    yield made._replace(broken=bool(lane.synthetic and not law.synthetic_may_open))
    yield _at_most(Refusal.STALE, at_ms - lane.marked_at_ms, law.stale_ms, Measure.MS)
    yield _at_least(Refusal.WARMUP, lane.candles, law.warmup_candles, Measure.CANDLES)
    yield _at_least(Refusal.COOLDOWN, at_ms, lane.cooldown_until_ms, Measure.TIME)
    worst = collar(law, instrument, lane.mark, Side.BUY, 0)
    whole = up(lane.quantity + change, worst, instrument.scale)
    roomy = bool(fits(instrument, worst, lane.quantity + change))
    yield Judged(Refusal.CAPACITY, not roomy, whole, QUANTA_MAX, Measure.QUANTA)
    if not roomy:
        return
    left = kept(instrument, change)
    yield _at_least(Refusal.QUANTITY_MIN, left, instrument.quantity_min, Measure.GRAINS)
    stop = max(lane.mark - up(lane.mark, law.stop_bps, BPS), 1)
    stopped = down(left, stop, instrument.scale)
    yield _at_least(Refusal.NOTIONAL_MIN, stopped, instrument.notional_min, Measure.QUANTA)
    money = cost(instrument, worst, change)
    yield _at_most(Refusal.NOTIONAL_MAX, money, law.order_notional_max, Measure.QUANTA)
    most, gross = (down(total, bps, BPS) for bps in (law.exposure_max_bps, law.gross_max_bps))
    yield _at_most(Refusal.EXPOSURE, lane.worth + money, most, Measure.EQUITY)
    yield _at_most(Refusal.GROSS, account.worth + account.held + money, gross, Measure.EQUITY)
    risk = account.risk + up(money, lane.volatility_ppm, PPM)
    bearable = down(total, law.book_volatility_max_ppm, PPM)
    yield _at_most(Refusal.BOOK_VOLATILITY, risk, bearable, Measure.EQUITY)
    free = account.cash - account.held
    yield _at_most(Refusal.CASH, purchase(instrument, worst, change), free, Measure.QUANTA)
    lately = sum(at_ms - then < MINUTE_MS for then in account.memory.recent) + 1
    yield _at_most(Refusal.ORDER_RATE, lately, law.orders_per_minute_max, Measure.ORDERS)


def kept(instrument: Instrument, change: int) -> int:
    """What a purchase leaves in the hand, where the fee is taken from the coin."""
    if not instrument.fee_in_base:
        return change
    return lots(instrument, change - up(change, instrument.fee_taker_ppm, PPM))


def _at_most(refusal: Refusal, value: int, limit: int, measure: Measure) -> Judged:
    return Judged(refusal, value > limit, value, limit, measure)


def _at_least(refusal: Refusal, value: int, limit: int, measure: Measure) -> Judged:
    return Judged(refusal, value < limit, value, limit, measure)


class Because(Enum):
    """What decided how much the policy wishes to hold."""

    NO_CANDLE = "no candle has closed yet"
    CONVICTION = "the conviction is below the minimum"
    VOLATILITY = "conviction and volatility target"
    EXPOSURE = "the cap of one instrument"
    NOTIONAL = "the most that one order may buy"
    BAND = "the change lies within the band"
    SMALL = "no venue takes a sale of so little"
    UNPROTECTED = "no venue would take the stop of so little"


class Wish(NamedTuple):
    held: int  # grains, in whole lots
    target: int  # grains
    change: int  # grains
    judged: int  # grains that the rules are asked about; 0: none
    exposure_bps: int  # that conviction and volatility ask for, before any cap
    because: Because


def wished(
    law: Law, account: Account, lane: Lane, instrument: Instrument, conviction_bps: int
) -> Wish:
    """The core's own wish, and what decided it: the policy's steps, in its order."""
    if lane.mark == 0:
        return Wish(0, 0, 0, 0, 0, Because.NO_CANDLE)
    held = lots(instrument, lane.quantity)
    target = wish(law, account, lane, instrument, conviction_bps)
    exposure_bps = conviction_bps * law.volatility_target_ppm // max(lane.volatility_ppm, 1)
    because = _because(law, account, lane, instrument, conviction_bps, exposure_bps)
    change = target - held
    if change < 0 and sellable(instrument, lane.mark, held) == 0:
        return Wish(held, target, 0, 0, exposure_bps, Because.SMALL)
    judged = change or too_little(law, lane, instrument, conviction_bps)
    return Wish(held, target, change, judged, exposure_bps, because)


def _because(
    law: Law,
    account: Account,
    lane: Lane,
    instrument: Instrument,
    conviction_bps: int,
    exposure_bps: int,
) -> Because:
    if conviction_bps < law.conviction_min_bps:
        return Because.CONVICTION
    held = lots(instrument, lane.quantity)
    worst = collar(law, instrument, lane.mark, Side.BUY, 0)
    capped = down(equity(account), min(exposure_bps, law.exposure_max_bps), BPS)
    budget = min(capped, lane.worth + law.order_notional_max)
    sized = lots(instrument, down(budget, instrument.scale, worst))
    change = abs(sized - held)
    if change < down(max(sized, held), law.band_bps, BPS):
        return Because.BAND
    if sized < held and sellable(instrument, lane.mark, change) == 0:
        return Because.SMALL
    if sized < held and sellable(instrument, max(lane.stop_price, 1), sized) == 0:
        return Because.UNPROTECTED
    if budget < capped:
        return Because.NOTIONAL
    return Because.EXPOSURE if exposure_bps > law.exposure_max_bps else Because.VOLATILITY
