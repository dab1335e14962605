"""A signal becomes a wish: how many grains to hold. Policy only wishes.

A wish is sized so that full conviction moves equity by the volatility aimed for, whatever the
instrument; where two instruments are nearly one position, `rules` caps the book.
"""

from .ledger import equity
from .market import BPS, Candle, Instrument, Source, down, lots, sellable, share_ppm
from .orders import Side
from .rules import collar
from .state import SWING_CANDLES, SWING_ONE, Account, Lane, Law


def wish(
    law: Law, account: Account, lane: Lane, instrument: Instrument, conviction_bps: int
) -> int:
    """Grains to hold, in whole lots: long or flat."""
    held = lots(instrument, lane.quantity)
    limit = collar(law, instrument, lane.mark, Side.BUY, 0)
    if conviction_bps < law.conviction_min_bps:
        return 0
    exposure_bps = conviction_bps * law.volatility_target_ppm // max(lane.volatility_ppm, 1)
    budget = down(equity(account), min(exposure_bps, law.exposure_max_bps), BPS)
    budget = min(budget, lane.worth + law.order_notional_max)  # the rest comes with the next order
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


def crossed(lane: Lane, candle: Candle) -> int:
    """1 if a watched target was reached by this close, and nothing is being done about it yet."""
    if lane.target_price == 0 or lane.due != 0 or lane.take.kind:
        return 0
    return 1 if candle.close >= lane.target_price else 0
