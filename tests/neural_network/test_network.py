"""A small recurrent network learns from every row of long stretches, and is judged as it serves."""

import numpy as np
import pytest

from rrr.core.errors import ModelBroken
from rrr.neural_network.asking import asked, served
from rrr.neural_network.evidence import Evidence, correlation, judge
from rrr.neural_network.features import F32, FEATURES, STEPS
from rrr.neural_network.labels import F64, Split
from rrr.neural_network.panel import Panel
from tests.neural_network.worlds import lessons, needs_onnx, needs_torch, world


def taught(
    x: F32, y: F64, parts: Split, seed: int = 1, epochs: int = 2
) -> tuple[bytes, F64, list[float]]:
    """The bytes of the graph, its opinions on the validation rows, and the losses."""
    needs_torch()
    needs_onnx()
    from rrr.neural_network.graph import graph
    from rrr.neural_network.network import learn

    seen: list[int] = []
    trained = learn(x, y, parts, seed, epochs, lambda epoch, _: seen.append(epoch))
    assert seen == list(range(1, epochs + 1))
    network = graph(trained.weights, *trained.scaling)
    return network, trained.opinions, [epoch.loss for epoch in trained.curve]


def skill(panel: Panel, horizon: int, seed: int = 1) -> Evidence:
    x, y, parts = lessons(panel, horizon)
    _, opinions, _ = taught(x, y, parts, seed, epochs=8)
    return judge(opinions, y[:, parts.validation], horizon)


def test_the_graph_says_what_torch_says() -> None:
    x, y, parts = lessons(world(1, 1_000), 4)
    network, opinions, _ = taught(x, y, parts)
    said = asked(served(network), x, parts.validation)
    assert said.shape == opinions.shape == (4, len(parts.validation))
    assert np.abs(said - opinions).max() < 1e-5
    assert np.abs(opinions).max() > 1e-3, "They agree on something."


def test_three_networks_in_one_graph_say_their_mean() -> None:
    needs_torch()
    needs_onnx()
    from rrr.neural_network.graph import graph
    from rrr.neural_network.network import learn

    x, y, parts = lessons(world(1, 1_000), 4)
    one, three = (learn(x, y, parts, 1, 2, lambda *_: None, nets) for nets in (1, 3))
    together = graph(three.weights, *three.scaling)
    said = asked(served(together), x, parts.validation)
    alone = [
        asked(served(graph([weights], *three.scaling)), x, parts.validation)
        for weights in three.weights
    ]
    assert said == pytest.approx(np.mean(alone, axis=0), abs=1e-6)
    assert said == pytest.approx(three.opinions, abs=1e-5)
    assert min(np.abs(said - each).max() for each in alone) > 1e-3, "They differ in their seeds."
    assert graph(three.weights[:1], *three.scaling) == graph(one.weights, *one.scaling)
    assert graph(three.weights, *three.scaling) == together


def test_what_it_says_of_a_row_is_what_it_says_of_the_rows_that_lead_to_it() -> None:
    x, y, parts = lessons(world(1, 1_000), 4)
    network, opinions, _ = taught(x, y, parts)
    for instrument, number in ((0, 0), (1, 7), (3, len(parts.validation) - 1)):
        row = parts.validation[number]
        window = x[instrument : instrument + 1, row + 1 - STEPS : row + 1]
        assert served(network)(window)[0] == pytest.approx(opinions[instrument, number], abs=1e-5)


def test_one_seed_gives_the_same_bytes_and_another_gives_others() -> None:
    x, y, parts = lessons(world(1, 1_000), 4)
    first, again, other = (taught(x, y, parts, seed)[0] for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_nothing_of_the_rows_that_judge_or_of_the_embargo_is_in_what_was_learned() -> None:
    x, y, parts = lessons(world(1, 1_000), 4)
    network, *_, losses = taught(x, y, parts)
    later = slice(parts.training.stop, None)
    x[:, later], y[:, later] = 1e6, -1e6
    poisoned, *_, losses_then = taught(x, y, parts)
    assert poisoned == network
    assert losses_then == losses


def test_what_was_learned_is_of_all_rows_that_teach() -> None:
    x, y, parts = lessons(world(1, 1_000), 4)
    network = taught(x, y, parts)[0]
    x[:, parts.training[-1]] *= 1.5
    assert taught(x, y, parts)[0] != network


def test_what_has_no_label_teaches_nothing_and_breaks_nothing() -> None:
    x, y, parts = lessons(world(1, 1_000), 4)
    y[0, :600] = y[1:, 100:200] = np.nan
    network, opinions, losses = taught(x, y, parts)
    assert np.isfinite(losses).all()
    assert np.isfinite(opinions).all()
    assert len(network) > 0


def test_a_feature_that_never_moved_is_not_listened_to() -> None:
    x, y, parts = lessons(world(1, 1_000), 4)
    hole = FEATURES.index("hole")
    x[:, :, hole] = 0
    network = taught(x, y, parts)[0]
    window = x[:, :STEPS].copy()
    before = served(network)(window)
    window[:, :, hole] = 1
    assert served(network)(window).tobytes() == before.tobytes()


def test_a_drift_that_all_candles_share_is_no_opinion() -> None:
    """Labels that are high whatever the candles were: exposure to that is not skill."""
    x, y, parts = lessons(world(1, 1_000), 4)
    network, opinions, _ = taught(x, y, parts)
    drifted, *_ = taught(x, y + 2, parts)[1:]
    assert drifted == pytest.approx(opinions, abs=1e-3)
    assert abs(asked(served(network), x, parts.training).mean()) < 1e-3


def test_patience_stops_it_and_keeps_the_weights_of_the_best_epoch() -> None:
    needs_torch()
    needs_onnx()
    from rrr.neural_network.graph import graph
    from rrr.neural_network.network import learn

    x, y, parts = lessons(world(1, 1_000), 4)
    told: list[float] = []
    patient = learn(x, y, parts, 1, 30, lambda _, ic: told.append(ic), nets=2, patience=2)
    best = int(np.argmax(told))
    assert len(told) == best + 1 + 2 < 30
    said = asked(served(graph(patient.weights, *patient.scaling)), x, parts.validation)
    assert correlation(said, y[:, parts.validation]) == pytest.approx(told[best], abs=1e-4)


@pytest.mark.parametrize("rows", [95, 96, 97, 150, 200])
def test_very_little_is_learned_from_too_or_refused(rows: int) -> None:
    needs_torch()
    from rrr.neural_network.network import learn

    x, y, parts = lessons(world(1, 500, 2), 1)
    parts = Split(range(STEPS - 1, rows), parts.validation)
    if rows < 96:
        with pytest.raises(ModelBroken, match="96 rows on end, 95 are there"):
            learn(x, y, parts, 1, 1, lambda *_: None)
        return
    trained = learn(x, y, parts, 1, 1, lambda *_: None)
    assert np.isfinite(trained.opinions).all()


def test_nothing_is_looked_at_where_nothing_judges() -> None:
    needs_torch()
    from rrr.neural_network.network import learn

    x, y, parts = lessons(world(1, 1_000), 4)
    told: list[float] = []
    blind = learn(x, y, Split(parts.training, range(0)), 1, 2, lambda _, ic: told.append(ic))
    seen = learn(x, y, parts, 1, 2, lambda *_: None)
    assert np.isnan(told).all()
    for name, weight in seen.weights[0].items():
        assert weight.tobytes() == blind.weights[0][name].tobytes()


@pytest.mark.slow
def test_it_finds_a_return_that_remembers_the_last_one() -> None:
    """What an oracle would have is 0.10."""
    evidence = skill(world(1, 5_000, memory=0.10), horizon=1)
    assert evidence.ic > 0.05
    assert evidence.ic > 2 * evidence.ic_error
    assert evidence.weight_ratio > 0.5


@pytest.mark.slow
def test_it_finds_nothing_where_nothing_is() -> None:
    found = [skill(world(seed, 3_000), horizon=4, seed=seed) for seed in range(1, 3)]
    assert all(abs(evidence.ic) < 3 * evidence.ic_error for evidence in found)
    assert np.mean([evidence.weight_ratio for evidence in found]) < 0.25
