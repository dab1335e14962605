"""A model is disbelieved only where a market can change, or another model follows."""

import pytest

from rrr.config import Settings
from rrr.neural_network.terms import HOUR_MS, belief_of


@pytest.mark.parametrize(
    ("market", "every_hours", "settled", "heeds"),
    [
        ("simulated", None, False, False),
        ("simulated", 24, False, True),
        ("simulated", 24, True, False),
        ("kraken", None, False, True),
        ("kraken", 0, False, True),
    ],
)
def test_drift_is_heeded_where_it_can_be(
    market: str, every_hours: int | None, settled: bool, heeds: bool
) -> None:
    settings = Settings.model_validate({"market": market, "train": {"every_hours": every_hours}})
    assert belief_of(settings, HOUR_MS, settled=settled).heeds_drift == heeds
