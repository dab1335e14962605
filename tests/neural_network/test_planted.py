"""What is planted in a market is found again by a network; all worlds: `planted.py`, in full."""

import pytest

from rrr.neural_network.asking import asked, served
from rrr.neural_network.evidence import correlation
from rrr.neural_network.labels import Split
from tests.neural_network.planted import EPOCHS, WORLDS, lessons, market
from tests.neural_network.worlds import needs_onnx, needs_torch

LESS: float = 0.08  # than the floor of three networks and three markets


@pytest.mark.slow
@pytest.mark.parametrize("name", ["memory"])
def test_one_network_in_one_market_finds_what_is_planted(name: str) -> None:
    needs_torch()
    needs_onnx()
    from rrr.neural_network.graph import graph
    from rrr.neural_network.network import learn

    world = WORLDS[name]
    x, y, oracle, parts = lessons(world, market(world, 1))
    blind = Split(parts.training, range(0))
    trained = learn(x, y, blind, 1, EPOCHS, lambda *_: None)
    rows = parts.validation
    said = asked(served(graph(trained.weights, *trained.scaling)), x, rows)
    assert world.floor is not None
    best = correlation(oracle[:, rows], y[:, rows])
    assert correlation(said, y[:, rows]) > (world.floor - LESS) * best
