"""Settings, and what an account is told, become the figures that a live book obeys."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from rrr.config import Settings
from rrr.core.market import BPS, QUANTA, Instrument, up
from rrr.core.state import Law
from rrr.trading.live import ramp
from rrr.trading.live.spelling import speech
from rrr.trading.live.wire import Wire


def lawful(settings: Settings, law: Law, cap: int, *, climbed: bool) -> Law:
    """While the ramp lasts one order is one position: no more is held than it may buy."""
    exposure_bps = max(cap * BPS // int(settings.capital * QUANTA), 1)
    if climbed:
        exposure_bps = law.exposure_max_bps
    return law._replace(
        order_notional_max=min(law.order_notional_max, cap),
        exposure_max_bps=min(law.exposure_max_bps, exposure_bps),
    )


def paying(
    wire: Wire, fees: Mapping[str, tuple[int, int]], instruments: Sequence[Instrument]
) -> list[Instrument]:
    """Instruments with the fees of this account."""
    in_base = int(speech(wire.venue).fee_in_base)
    found = []
    for instrument, pair in zip(instruments, wire.pairs, strict=True):
        usual = (instrument.fee_taker_ppm, instrument.fee_maker_ppm)
        taker_ppm, maker_ppm = fees.get(pair, usual)
        found.append(
            instrument._replace(
                fee_taker_ppm=taker_ppm, fee_maker_ppm=maker_ppm, fee_in_base=in_base
            )
        )
    return found


def caps_of(settings: Settings) -> ramp.Caps:
    live = settings.live
    return ramp.Caps(
        quanta(live.ramp_notional_max), quanta(live.order_notional_max), live.ramp_round_trips
    )


def cost_of(price: int, quantity: int, decimals: int) -> int:
    """Quanta, rounded up, of a price in points and grains that have so many decimals together."""
    return up(price * quantity, QUANTA, 10**decimals)


def quanta(amount: Decimal | None) -> int:
    assert amount is not None, "Armed with all caps."
    return int(amount * QUANTA)
