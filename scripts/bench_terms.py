"""Two ways to trade the same candles: as every peer can, and with all that we have."""

from typing import Final

from bench_candles import Candles

from rrr.backtesting.book import Book
from rrr.config import Settings
from rrr.core.market import BPS, QUANTA
from rrr.core.shelf import Assumptions
from rrr.core.state import RECENT, Law, Sizing
from rrr.trading.engine.terms import assumptions_of, law_of

CASH: Final = 10_000_000
FEE_PPM: Final = 1_000
NEVER_MS: Final = 1 << 50


def one_coin(candles: Candles) -> Book:
    """One coin or none, bare market orders, a fee: the law stands where nothing meets it.

    Each position still rests its stop, each order is still judged.
    """
    law = Law(
        conviction_min_bps=1,
        volatility_target_ppm=0,
        band_bps=0,
        warmup_candles=0,
        collar_bps=0,
        stop_bps=9_999,
        target_bps=100_000,
        exposure_max_bps=BPS,
        gross_max_bps=BPS,
        book_volatility_max_ppm=100 * 1_000_000,
        orders_per_minute_max=RECENT,
        order_notional_max=CASH * QUANTA,
        loss_24h_max_bps=BPS,
        drawdown_max_bps=BPS,
        cooldown_ms=0,
        stale_ms=NEVER_MS,
        synthetic_may_open=0,
        sizing=int(Sizing.UNITS),
        entry_maker=0,
        maker_offset_bps=0,
        patience_ms=0,
        chase=0,
        fill_or_kill=0,
        stop_limit_bps=0,
        trail_bps=0,
        target_rests=0,
    )
    instruments = candles.instruments(fee_maker_ppm=FEE_PPM, fee_taker_ppm=FEE_PPM)
    return Book(law, instruments, Assumptions(0, 0, 0, 0), CASH * QUANTA)


def everything(candles: Candles) -> Book:
    """The usual settings, with stops and targets that minutes reach.

    A position is bought once and sold once, as the peers do: nothing changes its quantity. The
    cross loses its costs a thousand times over, so limits that end a losing book stand aside.
    """
    usual = Settings()
    policy = {"stop_bps": 40, "target_bps": 120, "band_bps": BPS, "warmup_candles": 60}
    share = BPS // candles.panel.instruments
    risk = {
        "exposure_max_bps": share,
        "gross_max_bps": BPS,
        "book_volatility_max_bps": 100_000,
        "loss_24h_max_bps": BPS,
        "drawdown_max_bps": BPS,
        "cooldown_minutes": 15,
    }
    settings = usual.model_copy(
        update={
            "policy": usual.policy.model_copy(update=policy),
            "risk": usual.risk.model_copy(update=risk),
        }
    )
    costs = settings.costs
    instruments = candles.instruments(
        fee_maker_ppm=costs.maker_fee_ppm,
        fee_taker_ppm=costs.taker_fee_ppm,
        half_spread_ppm=costs.half_spread_ppm,
        slippage_ppm=costs.slippage_ppm,
    )
    law = law_of(settings, candles.panel.timeframe_ms, ())
    return Book(law, instruments, assumptions_of(settings), CASH * QUANTA)
