"""What the house hears of its market, in words and for machines; nothing where nobody listens."""

import math
from typing import Any

from rrr.data_pipeline.exchange_health import Health, Pulse
from rrr.data_pipeline.market import Market
from rrr.monitoring.words import count, span


def feed_of(market: Market, health: Health | None) -> str:
    """The way that candles come, and what of it is not well."""
    return "; ".join([market.title, *(_faults(health) if health else [])])


def apart_s(health: Health | None) -> float:
    """How far the exchange's clock is from ours, less what is not sure of it."""
    offset = health.offset if health else None
    if offset is None:
        return 0.0
    return math.copysign(offset.least_ms, offset.offset_ms) / 1000


def heard_of(health: Health | None) -> dict[str, Any]:
    """For `status`: by instrument, and the clock of the exchange."""
    if health is None:
        return {}
    offset = health.offset
    return {
        "instruments": {pulse.symbol: _told(pulse) for pulse in health.pulses},
        "clock": offset
        and {"offset_ms": offset.offset_ms, "uncertainty_ms": offset.uncertainty_ms},
    }


def _told(pulse: Pulse) -> dict[str, Any]:
    about = pulse._asdict()
    del about["symbol"]
    return {**about, "streams": dict(pulse.streams)}


def _faults(health: Health) -> list[str]:
    faults = [
        f"{pulse.symbol} {' and '.join(down)} silent"
        for pulse in health.pulses
        if (down := [name for name, up in pulse.streams.items() if not up])
    ]
    faults += [f"{pulse.symbol} order book: {pulse.book}" for pulse in health.pulses if pulse.book]
    if refused := sum(pulse.refused for pulse in health.pulses):
        faults.append(f"{count(refused, 'message')} made no sense")
    offset = health.offset
    if offset is not None and offset.least_ms:
        behind = "behind" if offset.offset_ms > 0 else "ahead"
        faults.append(f"this clock is at least {span(offset.least_ms / 1000)} {behind}")
    return faults
