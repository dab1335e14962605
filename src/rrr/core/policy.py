"""A signal becomes a wish: how many grains to hold. Policy only wishes.

A wish is sized so that full conviction moves equity by the volatility aimed for, whatever the
instrument; where two instruments are nearly one position, `rules` caps the book.
"""

from .ledger import equity
from .market import BPS, Candle, Instrument, Source, down, lots, sellable, share_ppm
from .orders import Kind, Side
from .rules import collar
from .state import SWING_CANDLES, SWING_ONE, Account, Lane, Law, Sizing


def wish(
    law: Law, account: Account, lane: Lane, instrument: Instrument, conviction_bps: int
) -> int:
    """Grains to hold, in whole lots: long or flat."""
    if conviction_bps < law.conviction_min_bps:
        return 0
    held = lots(instrument, lane.quantity)
    limit = collar(law, instrument, lane.mark, Side.BUY, 0)
    if law.sizing == Sizing.UNITS:
        target = lots(instrument, down(instrument.unit, conviction_bps, BPS))
    else:
        exposure_bps = conviction_bps
        if law.sizing == Sizing.VOLATILITY:
            exposure_bps = conviction_bps * law.volatility_target_ppm // max(lane.volatility_ppm, 1)
        budget = down(equity(account), min(exposure_bps, law.exposure_max_bps), BPS)
        budget = min(budget, lane.worth + law.order_notional_max)  # the rest comes with the next
        target = lots(instrument, down(budget, instrument.scale, limit))
    change = abs(target - held)
    if change < down(max(target, held), law.band_bps, BPS):
        return held
    if target < held and sellable(instrument, lane.mark, change) == 0:
        return held
    if target < held and sellable(instrument, max(lane.stop_price, 1), target) == 0:
        return 0  # no venue would take the stop of so little
    return target


def learn(lane: Lane, candle: Candle) -> Lane:
    """Learn how much this instrument moves: an exponential mean of absolute returns.

    For normal returns the deviation is √(π/2) = 1.2533 times that mean; outliers disturb it less.
    """
    made = 1 if candle.source == Source.SYNTHETIC or candle.source == Source.BUILT else 0
    if lane.candles == 0:
        return lane._replace(candles=1, synthetic=made)
    move = share_ppm(min(abs(candle.close - lane.mark), lane.mark), lane.mark)
    weight = min(lane.candles, SWING_CANDLES)  # a plain mean until there is enough to forget
    swing = lane.swing + (move * SWING_ONE - lane.swing) // weight
    return lane._replace(
        candles=lane.candles + 1,
        synthetic=made,
        swing=swing,
        volatility_ppm=swing * 12_533 // (10_000 * SWING_ONE),
    )


def crossed(lane: Lane) -> int:
    """1 if a watched target was reached by the last close, and nothing is done about it yet."""
    if lane.target_price == 0 or lane.due < 0 or lane.target.kind:
        return 0
    if lane.order.kind and lane.order.kind != Kind.LIMIT:
        return 0
    return 1 if lane.mark >= lane.target_price else 0
