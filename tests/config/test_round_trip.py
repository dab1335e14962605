"""A round trip is priced as the policy trades, in the dearest instrument."""

from typing import Any

import pytest

from rrr.config import Settings
from rrr.config.round_trip import account_of, round_trip_ppm
from rrr.config.venue_costs import profile

TAKES = 1_000 + 50 + 100  # fee, half the spread, slippage: the defaults
SYMBOLS = ["BTC-USD", "ETH-USD"]


@pytest.mark.parametrize(
    ("given", "ppm"),
    [
        ({}, 2 * TAKES),
        ({"policy": {"entry": "maker"}}, 1_000 + 200 + TAKES),
        ({"policy": {"entry": "maker"}, "costs": {"maker_fee_ppm": -50}}, -50 + 200 + TAKES),
        ({"policy": {"entry": "maker"}, "gate": {"adverse_ppm": 900}}, 1_900 + TAKES),
        ({"costs": {"taker_fee_ppm": 0, "half_spread_ppm": 0, "slippage_ppm": 0}}, 0),
    ],
)
def test_a_purchase_is_priced_as_it_is_made_and_a_sale_takes(
    given: dict[str, Any], ppm: int
) -> None:
    assert round_trip_ppm(Settings.model_validate(given), SYMBOLS) == ppm


def test_the_dearest_instrument_is_the_price_of_all() -> None:
    settings = Settings.model_validate({})
    kraken = settings.costs.under(profile("kraken"), frozenset())
    settings = settings.model_copy(update={"costs": kraken})
    thin, deep = (round_trip_ppm(settings, [one]) for one in ("ZZZ-USD", "BTC-USD"))
    assert thin > deep
    assert round_trip_ppm(settings, ["BTC-USD", "ZZZ-USD"]) == thin


def test_an_account_is_its_costs_how_it_trades_and_what_its_gate_asks() -> None:
    usual = account_of(Settings(), SYMBOLS)
    assert list(usual["costs"]) == SYMBOLS
    same = {"seed": 9, "capital": "5", "risk": {"drawdown_max_bps": 7}}
    assert usual == account_of(Settings.model_validate(same), SYMBOLS)
    for change in (
        {"costs": {"slippage_ppm": 7}},
        {"policy": {"stop_bps": 7}},
        {"fills": {"latency_ms": 7}},
        {"abstain": {"hold_bps": 7}},
        {"gate": {"adverse_ppm": 7}},
        {"gate": {"prior_trials": 0}},
        {"gate": {"drawdown_refused_bps": 10_000}},
        {"risk": {"exposure_max_bps": 7}},
    ):
        assert account_of(Settings.model_validate(change), SYMBOLS) != usual, change
