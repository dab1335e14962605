"""What an account asks of a forecast is said by its settings: for trading, backtest and gate."""

from collections.abc import Sequence
from typing import Final

from rrr.config import Settings
from rrr.config.round_trip import round_trip_ppm
from rrr.core.market import BPS, PPM

from .abstaining import NEVER, Belief, Limits, Terms

LIMITS: Final = ("abstain.margin_ppm", "abstain.hold_bps", "abstain.probability_min_bps")
HOUR_MS: Final = 3_600_000
RETRAINED_HOURS: Final = 24
RETRAININGS: Final = 3  # that may fail before a model is too old


def terms_of(settings: Settings, symbols: Sequence[str]) -> Terms:
    """
    >>> terms_of(Settings(), ["BTC-USD"])[0]
    0.0023
    """
    asked = settings.abstain
    return stated(
        round_trip_ppm(settings, symbols),
        asked.margin_ppm,
        asked.hold_bps,
        asked.probability_min_bps,
    )


def belief_of(settings: Settings, timeframe_ms: int, *, settled: bool) -> Belief:
    """Where nobody trains anew, a model is believed to the end, unless a person says how long.

    A real market may change all the same; a simulated one never does.
    """
    hours, again = settings.abstain.expire_hours, settings.train.every_hours
    if again is None:
        again = RETRAINED_HOURS if settings.real and timeframe_ms >= HOUR_MS else 0
    if hours is None and again and not settled:
        hours = RETRAININGS * again
    return Belief(
        NEVER if hours is None else hours * HOUR_MS,
        heeds_drift=not settled and (settings.real or again > 0),
    )


def stated(cost_ppm: int, margin_ppm: int, hold_bps: int, probability_min_bps: int) -> Terms:
    return Terms(cost_ppm / PPM, limits_of(margin_ppm, hold_bps, probability_min_bps))


def limits_of(margin_ppm: int, hold_bps: int, probability_min_bps: int) -> Limits:
    return Limits(margin_ppm / PPM, hold_bps / BPS, probability_min_bps / BPS)
