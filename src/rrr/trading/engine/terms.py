"""Settings that a person writes become the whole numbers that the core obeys."""

from collections.abc import Collection
from math import isqrt
from typing import Protocol

from rrr.config import Settings
from rrr.core.market import QUANTA, Instrument
from rrr.core.orders import Kind
from rrr.core.rules import MINUTE_MS
from rrr.core.shelf import Assumptions
from rrr.core.state import Law, Sizing
from rrr.trading.live.spelling import amends

YEAR_MS = 31_557_600_000  # 365.25 days


class Rules(Protocol):
    """What the venue says of an instrument, in points, grains and quanta."""

    @property
    def symbol(self) -> str: ...
    @property
    def grains(self) -> int: ...
    @property
    def scale(self) -> int: ...
    @property
    def tick(self) -> int: ...
    @property
    def lot(self) -> int: ...
    @property
    def quantity_min(self) -> int: ...
    @property
    def notional_min(self) -> int: ...


def law_of(settings: Settings, timeframe_ms: int, venues: Collection[str]) -> Law:
    """What holds at all these venues."""
    policy, risk = settings.policy, settings.risk
    stop = Kind.STOP_LIMIT if policy.stop_limit_bps else Kind.STOP
    changes = [amends(venue, stop) for venue in venues if not policy.trail_bps]
    return Law(
        conviction_min_bps=policy.conviction_min_bps,
        volatility_target_ppm=of_one_candle(policy.volatility_target_bps, timeframe_ms),
        band_bps=policy.band_bps,
        warmup_candles=policy.warmup_candles,
        collar_bps=policy.collar_bps,
        stop_bps=policy.stop_bps,
        target_bps=policy.target_bps,
        exposure_max_bps=risk.exposure_max_bps,
        gross_max_bps=risk.gross_max_bps,
        book_volatility_max_ppm=of_one_candle(risk.book_volatility_max_bps, timeframe_ms),
        orders_per_minute_max=risk.orders_per_minute_max,
        order_notional_max=int(risk.order_notional_max * QUANTA),
        loss_24h_max_bps=risk.loss_24h_max_bps,
        drawdown_max_bps=risk.drawdown_max_bps,
        cooldown_ms=risk.cooldown_minutes * MINUTE_MS,
        stale_ms=risk.stale_candles * timeframe_ms,
        synthetic_may_open=int(settings.may_open_synthetic),
        sizing=int(Sizing[policy.sizing.upper()]),
        entry_maker=int(policy.entry == "maker"),
        maker_offset_bps=policy.maker_offset_bps,
        patience_ms=policy.patience_candles * timeframe_ms,
        chase=int(policy.chase),
        fill_or_kill=int(policy.fill_or_kill),
        stop_limit_bps=policy.stop_limit_bps,
        trail_bps=policy.trail_bps,
        target_rests=int(policy.target == "rests"),
        stop_amends=int(bool(changes) and all(changes)),
    )


def assumptions_of(settings: Settings) -> Assumptions:
    fills = settings.fills
    return Assumptions(
        latency_ms=fills.latency_ms,
        participation_ppm=fills.participation_ppm,
        touch_share_ppm=fills.touch_share_ppm,
        by_touch=int(fills.model == "touch"),
    )


def of_one_candle(yearly_bps: int, timeframe_ms: int) -> int:
    """A yearly volatility as that of one candle, in ppm: it grows with the root of time.

    >>> of_one_candle(10_000, 3_600_000)
    10680
    """
    return isqrt((yearly_bps * 100) ** 2 * timeframe_ms // YEAR_MS)


def instrument_of(settings: Settings, number: int, version: int, rules: Rules) -> Instrument:
    costs = settings.costs.of(rules.symbol)
    return Instrument(
        id=number,
        version=version,
        scale=rules.scale,
        tick=rules.tick,
        lot=rules.lot,
        quantity_min=rules.quantity_min,
        notional_min=rules.notional_min,
        fee_maker_ppm=costs.maker_fee_ppm,
        fee_taker_ppm=costs.taker_fee_ppm,
        half_spread_ppm=costs.half_spread_ppm,
        slippage_ppm=costs.slippage_ppm,
        fee_in_base=int(costs.fee_in_base),
        unit=int(settings.policy.unit * 10**rules.grains),
    )
