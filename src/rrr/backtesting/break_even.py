"""A round trip costs what the paper venue charges for it; a forecast must be good enough to pay.

A forecast of IC ρ, *z* deviations above its mean, foresees ρσz of a return of deviation σ: alpha is
volatility times IC times score (Grinold 1994). Who is long when z > 0 and flat otherwise, and asks
anew each horizon, earns ρσ·E[z; z > 0] = ρσ/√(2π) a horizon beyond the matched hold. Half the time
he changes his mind, for half a round trip C: he breaks even at ρ = √(π/2)·C/(2σ). docs/costs.md
derives it, and says what it leaves out.

Who rests pays the maker's fee and earns no spread: when his price is traded through, the middle has
gone beyond it. That he may wait in vain is not counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from math import pi, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rrr.config.venue_costs import CostProfile
from rrr.core.errors import DataError, UsageError
from rrr.core.market import BPS, GRAINS_MAX, QUANTA, Instrument, cost, fits, lots, worth
from rrr.core.orders import NO_ORDER, Side
from rrr.core.shelf import NO_PURSE, NO_SHELF, Matched, Purse, Shelf, exchanged, slip

if TYPE_CHECKING:
    from rrr.data_pipeline.market import Quoted
    from rrr.neural_network.panel import Panel

MINUTE: Final = 60_000
DAY: Final = 1_440 * MINUTE
YEAR: Final = 365 * DAY
HORIZONS: Final[Mapping[str, int]] = {
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "1h": 60 * MINUTE,
    "4h": 240 * MINUTE,
    "1d": DAY,
    "1w": 7 * DAY,
}
HONEST: Final = 0.1  # on real candles an IC above it is a leak, not a find
USUAL: Final = 0.05  # a good one
VOLATILITY_BPS: Final = 6_600  # a year: BTC, 30,136 hourly returns from October 2020 to March 2024
MOVES_MIN: Final = 30  # so many, none over another, tell how far a price moves

_FREE: Final = Instrument(
    id=0,
    version=1,
    scale=10**4,
    tick=1,
    lot=1,
    quantity_min=1,
    notional_min=0,
    fee_maker_ppm=0,
    fee_taker_ppm=0,
    half_spread_ppm=0,
    slippage_ppm=0,
    fee_in_base=0,
    unit=0,
)


class Way(NamedTuple):
    """Whether each end of a round trip rests (1) or takes (0)."""

    enters: int
    leaves: int


WAYS: Final[Mapping[str, Way]] = {
    "taker-taker": Way(0, 0),
    "maker-taker": Way(1, 0),
    "maker-maker": Way(1, 1),
}


class Trip(NamedTuple):
    """A round trip round a middle that stands still, in quanta."""

    notional: int  # of the coins, at the middle
    fees: int
    width: int  # half spreads, slippage, and the rounding to ticks and to quanta

    @property
    def cost(self) -> int:
        return self.fees + self.width

    @property
    def bps(self) -> float:
        return self.cost / self.notional * BPS


@dataclass(frozen=True, slots=True)
class Traded:
    """An instrument, its price, and how far it moves; what it costs comes from a profile."""

    symbol: str
    instrument: Instrument
    price: int  # points
    moves_bps: Mapping[str, float]  # deviation of its return over each of `HORIZONS`
    basis: str  # of the moves, in words

    @property
    def yearly_bps(self) -> float:
        return self.moves_bps["1d"] * sqrt(YEAR / DAY)


def costs(
    profiles: Sequence[CostProfile], traded: Sequence[Traded], notional: Decimal
) -> dict[str, Any]:
    """What each profile takes of a round trip in each instrument, and how good a forecast pays."""
    return {
        "notional": f"{notional:f}",
        "honest_ic_max": HONEST,
        "best_tenth": break_even_of_best(1, 1, 0.1) / break_even_ic(1, 1),
        "profiles": [
            _about(profile) | {"instruments": [_one(profile, each, notional) for each in traded]}
            for profile in profiles
        ],
    }


def break_even_ic(trip_bps: float, move_bps: float) -> float:
    """The IC that pays for trading the sign of every forecast: above 1 none does, at 0 any.

    >>> round(break_even_ic(trip_bps=2 * 10, move_bps=300), 3)    # 10 bps a side, 3 % a day
    0.042
    """
    return sqrt(pi / 2) * max(trip_bps, 0) / 2 / move_bps


def break_even_of_best(trip_bps: float, move_bps: float, share: float) -> float:
    """The same for who buys on the best `share` of forecasts only, and holds each for its horizon.

    Each is a whole round trip, and gains ρσ·E[z | z > k] = ρσ·φ(k)/share.
    """
    normal = NormalDist()
    return max(trip_bps, 0) * share / (move_bps * normal.pdf(normal.inv_cdf(1 - share)))


def pays_from_days(trip_bps: float, yearly_bps: float, ic: float) -> float:
    """The horizon from which such an IC pays, where moves grow with the root of time."""
    return (break_even_ic(trip_bps, yearly_bps) / ic) ** 2 * (YEAR / DAY)


def round_trip(instrument: Instrument, price: int, quantity: int, way: Way) -> Trip:
    """Buy and sell as the paper venue does, round this middle."""
    shelf = NO_SHELF._replace(room=GRAINS_MAX)
    bought = _exchanged(NO_PURSE, shelf, instrument, Side.BUY, price, quantity, way.enters)
    held = bought.shelf._replace(room=GRAINS_MAX)
    sellable = lots(instrument, held.quantity)
    sold = _exchanged(bought.purse, held, instrument, Side.SELL, price, sellable, way.leaves)
    kept = worth(instrument, price, sold.shelf.quantity)  # dust, where the fee was taken in coins
    coins = worth(instrument, price, bought.report.fee_grains)
    fees = bought.report.fee + coins + sold.report.fee
    return Trip(worth(instrument, price, quantity), fees, -sold.purse.cash - kept - fees)


def stated(symbol: str, yearly_bps: float = VOLATILITY_BPS) -> Traded:
    """An instrument of which only a volatility is known: no tick or lot costs anything."""
    moves = {name: yearly_bps * sqrt(horizon / YEAR) for name, horizon in HORIZONS.items()}
    return Traded(symbol, _FREE, 10**8, moves, "stated")


def measured(panel: "Panel", quoted: "Sequence[Quoted]") -> list[Traded]:
    """The instruments of a history, at their last closes, moving as they moved in it."""
    return [_measured(panel, row, one) for row, one in enumerate(quoted)]


def _measured(panel: "Panel", row: int, quoted: "Quoted") -> Traded:
    import numpy as np

    spec = quoted.spec
    there = panel.there[row]
    closes = np.where(there, np.log(np.maximum(panel.close[row], 1)), np.nan)
    moves: dict[str, float] = {}
    known: tuple[int, float] | None = None  # the last horizon that was measured
    for name, horizon in {"": panel.timeframe_ms, **HORIZONS}.items():
        steps = horizon // panel.timeframe_ms
        returns = closes[steps:] - closes[:-steps] if steps else np.empty(0)
        returns = returns[np.isfinite(returns)]
        if steps and len(returns) >= MOVES_MIN * steps:
            known = horizon, float(returns.std(ddof=1)) * BPS
        if known is None or known[1] == 0.0:
            raise DataError(
                f"{spec.symbol} has too few candles, or too still ones, to tell how far it moves.",
                f"Give it {MOVES_MIN + 1} or more, or state a volatility.",
            )
        moves[name] = known[1] * sqrt(horizon / known[0])
    moves.pop("")
    instrument = _FREE._replace(
        id=row,
        scale=spec.scale,
        tick=spec.tick,
        lot=spec.lot,
        quantity_min=spec.quantity_min,
        notional_min=spec.notional_min,
    )
    last = int(panel.close[row][there][-1])
    return Traded(spec.symbol, instrument, last, moves, f"measured, {int(there.sum()):,} candles")


def _exchanged(
    purse: Purse,
    shelf: Shelf,
    instrument: Instrument,
    side: Side,
    middle: int,
    quantity: int,
    rests: int,
) -> Matched:
    """One end: who rests stands at the middle, rounded to the worse tick."""
    narrow = instrument._replace(half_spread_ppm=0, slippage_ppm=0)
    price = slip(middle, side, narrow if rests else instrument, 0)
    order = NO_ORDER._replace(sequence=1, side=int(side), quantity=quantity, price=price)
    return exchanged(purse, shelf, instrument, order, price, 0, rests)


def _one(profile: CostProfile, traded: Traded, notional: Decimal) -> dict[str, Any]:
    rates, width = profile.rates(traded.symbol), profile.width(traded.symbol)
    instrument = traded.instrument._replace(
        fee_maker_ppm=rates.maker_fee_ppm,
        fee_taker_ppm=rates.taker_fee_ppm,
        half_spread_ppm=rates.half_spread_ppm,
        slippage_ppm=rates.slippage_ppm,
        fee_in_base=int(rates.fee_in_base),
    )
    quantity = _quantity(traded.symbol, instrument, traded.price, notional)
    trips = {name: round_trip(instrument, traded.price, quantity, w) for name, w in WAYS.items()}
    return {
        "symbol": traded.symbol,
        "quote": traded.symbol.split("-")[1],
        "depth": profile.depth(traded.symbol),
        **width.model_dump(),
        "yearly_volatility_bps": round(traded.yearly_bps),
        "basis": traded.basis,
        "ways": [_way(name, trip, traded) for name, trip in trips.items()],
    }


def _way(name: str, trip: Trip, traded: Traded) -> dict[str, Any]:
    ics = {h: round(break_even_ic(trip.bps, move), 4) for h, move in traded.moves_bps.items()}
    return {
        "way": name,
        "bps": round(trip.bps, 2),
        "cost": _money(trip.cost),
        "fees": _money(trip.fees),
        "width": _money(trip.width),
        "break_even_ic": ics,
        "beyond_honest": [horizon for horizon, ic in ics.items() if ic > HONEST],
        "pays_from_days": {
            str(ic): round(pays_from_days(trip.bps, traded.yearly_bps, ic), 4)
            for ic in (HONEST, USUAL)
        },
    }


def _about(profile: CostProfile) -> dict[str, Any]:
    schedule = profile.schedule
    return {
        "profile": profile.name,
        **schedule.model_dump(mode="json", exclude={"tiers", "deep", "large", "thin"}),
        "tier": profile.tier.model_dump() | {"volume_to": profile.volume_to},
        "tiers": [tier.model_dump() for tier in schedule.tiers],
    }


def _quantity(symbol: str, instrument: Instrument, price: int, notional: Decimal) -> int:
    """What so much money buys, in whole lots."""
    quanta = int((notional * QUANTA).to_integral_value(ROUND_FLOOR))
    quantity = lots(instrument, quanta * instrument.scale // price)
    enough = quantity >= max(instrument.lot, instrument.quantity_min) and fits(
        instrument, price, quantity
    )
    if not enough or cost(instrument, price, quantity) < instrument.notional_min:
        raise UsageError(
            f"{notional:f} is less than a venue takes for {symbol}, or more than a book can count.",
            "Choose another --notional.",
        )
    return quantity


def _money(quanta: int) -> str:
    return f"{Decimal(quanta) / QUANTA:.2f}"
