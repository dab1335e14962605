"""What a person wrote, and what a venue charges, as the numbers that the core obeys."""

from pathlib import Path

from rrr.config import Home, load
from rrr.data_pipeline.instruments import Spec
from rrr.trading.engine.terms import instrument_of

BTC = Spec("made", "BTC-USD", "BTC", "USD", 4, 8, 100, 1_000, 1_000, 5 * 10**8, False)


def test_each_instrument_costs_what_the_venue_says_of_it(tmp_path: Path) -> None:
    given = {"costs.profile": "kraken", "costs.slippage_ppm": 9}
    settings = load(Home(tmp_path), overrides=given, environ={}).settings
    made = instrument_of(settings, 3, 2, BTC)
    costs = settings.costs.of("BTC-USD")
    assert (made.id, made.version, made.tick) == (3, 2, BTC.tick)
    assert made.fee_taker_ppm == costs.taker_fee_ppm != settings.costs.taker_fee_ppm
    assert made.half_spread_ppm == costs.half_spread_ppm
    assert made.slippage_ppm == 9


def test_without_a_venue_all_cost_what_the_settings_say(tmp_path: Path) -> None:
    settings = load(Home(tmp_path), environ={}).settings
    made = instrument_of(settings, 0, 1, BTC)
    assert made.fee_maker_ppm == settings.costs.maker_fee_ppm
    assert made.fee_in_base == settings.costs.fee_in_base
