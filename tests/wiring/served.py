"""A home whose champion is a network of random weights: served at once, and known to nobody."""

from pathlib import Path
from typing import Any, Final

from rrr.data_pipeline.simulated import BEGINS_MS
from rrr.neural_network import registry
from rrr.neural_network.artefact import Artefact
from tests.builders import HOUR
from tests.neural_network.markets import network, trained
from tests.storm.homes import House

SYMBOLS: Final = ("BTC-USD", "ETH-USD")
CHEAP: Final = (
    *("--symbols", ",".join(SYMBOLS), "--set", "costs.taker_fee_ppm=100"),
    *("--set", "abstain.probability_min_bps=5000", "--set", "policy.warmup_candles=10"),
)
ADOPTED_BY: Final = "SELECT name FROM models WHERE id = ?"


def champion(house: House, seed: int = 1, **changes: Any) -> Artefact:
    """Made for the simulated market, and promoted by a person's word."""
    data = {"digest": "d" * 64, "begins_ms": BEGINS_MS - 99 * HOUR, "ends_ms": BEGINS_MS}
    said = {"symbols": list(SYMBOLS), "data": data, "bps_per_unit": 5_000.0, **changes}
    made = trained(house.home / "data" / "models", network(seed), **said)
    registry.promote(made.folder.parent, made.name, 1, "a test")
    return made


def house_of(folder: Path, candles: int, *words: str, speed: str = "max") -> House:
    return House(folder, ("--candles", str(candles), *CHEAP, *words), speed)
