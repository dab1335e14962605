"""What a training knew of its own figures is believed only if it can be so."""

import json
from pathlib import Path
from typing import Any

import pytest

from rrr.core.errors import ModelBroken
from rrr.neural_network.artefact import NETWORK, load
from rrr.neural_network.conformal import SCORES_MAX
from rrr.neural_network.drift import LATELY_MAX
from rrr.neural_network.features import CLIP, FEATURES
from rrr.neural_network.learned import CONFORMAL, DRIFT, learned
from tests.neural_network.markets import known, trained

MANY = len(FEATURES)
USUAL = {"edges": [float(n) for n in range(9)], "shares": [1 / 19] * 19, "psi_max": 0.3}


def test_what_was_written_is_read() -> None:
    features = [USUAL, *[None] * (MANY - 1)]
    files = known(2, features=features)
    found = learned(files[CONFORMAL], files[DRIFT], 2)
    assert (found.times, len(found.conformal)) == (100, 2)
    assert found.features[0] is not None
    assert found.features[0].edges == tuple(range(9))
    assert (set(found.low), set(found.high)) == ({-CLIP}, {CLIP})


@pytest.mark.parametrize(
    ("changes", "how"),
    [
        ({"times": 0}, "looks at 0 times"),
        ({"times": LATELY_MAX + 1}, "looks at"),
        ({"features": [None] * (MANY - 1)}, f"is not of {MANY} features"),
        ({"low": [0.0]}, f"is not of {MANY} features"),
        ({"low": ["a"] * MANY}, "cannot be read"),
        ({"features": [USUAL | {"edges": [1.0]}] * MANY}, "never distributed so"),
        ({"features": [USUAL | {"edges": [2.0] * 8 + [1.0]}] * MANY}, "never distributed so"),
        ({"features": [USUAL | {"shares": [-1.0] * 19}] * MANY}, "never distributed so"),
        ({"features": [USUAL | {"more": 1}] * MANY}, "cannot be read"),
    ],
)
def test_a_drift_that_cannot_be_is_refused(changes: dict[str, Any], how: str) -> None:
    files = known(2, **changes)
    with pytest.raises(ValueError, match=f"{DRIFT} .*{how}"):
        learned(files[CONFORMAL], files[DRIFT], 2)


@pytest.mark.parametrize(
    ("said", "how"),
    [
        ({"alpha": 0.1, "scores": [[1.0]]}, "is of 1 instruments and not of 2"),
        ({"alpha": 0, "scores": [[], []]}, "alpha is 0"),
        ({"alpha": 1.5, "scores": [[], []]}, "alpha is 1.5"),
        ({"alpha": 0.1, "scores": [[-1.0], []]}, "score that is none"),
        ({"alpha": 0.1, "scores": [[1.0] * (SCORES_MAX + 1), []]}, "more than"),
        ({"alpha": 0.1}, "cannot be read"),
        ([], "cannot be read"),
    ],
)
def test_scores_that_cannot_be_are_refused(said: Any, how: str) -> None:
    with pytest.raises(ValueError, match=f"{CONFORMAL} .*{how}"):
        learned(json.dumps(said).encode(), known(2)[DRIFT], 2)


def test_a_model_with_such_a_file_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(ModelBroken, match=f"^{DRIFT} of the model in .* looks at 0 times"):
        trained(tmp_path, b"a network", known(3, times=0))
    folder = trained(tmp_path / "other", b"a network").folder
    assert load(folder).network == b"a network"
    (folder / CONFORMAL).unlink()
    with pytest.raises(ModelBroken, match=f"{CONFORMAL} .* is missing"):
        load(folder)
    assert (folder / NETWORK).is_file()
