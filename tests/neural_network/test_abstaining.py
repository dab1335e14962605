"""Every reason has a row, the first one is said, and what is held is not let go by noise."""

from math import inf, nan
from typing import Any

import pytest

from rrr.neural_network.abstaining import Figures, Limits, Reason, abstains

LIMITS = Limits(
    stale_ms_max=1_000,
    expired_ms_max=100_000,
    outside_ratio_max=0.1,
    unknown_max=8,
    margin_return=0.001,
    hold_ratio=0.25,
    probability_min=0.55,
)
CLEAR = Figures(
    candle_age_ms=1_000,
    model_age_ms=100_000,
    psi=0.25,
    psi_max=0.25,
    losses_worse=False,
    outside_ratio=0.1,
    unknown=8,
    mean=0.5,
    probability=0.55,
    low=-1.0,
    high=2.0,
    unit_return=0.01,
    cost_return=0.003,
)

WRONGS: list[tuple[Reason, dict[str, Any]]] = [
    (Reason.STALE, {"candle_age_ms": 1_001}),
    (Reason.EXPIRED, {"model_age_ms": 100_001}),
    (Reason.DRIFTED, {"psi": 0.26}),
    (Reason.DRIFTED, {"psi": nan}),
    (Reason.DRIFTED, {"losses_worse": True}),
    (Reason.OUT_OF_RANGE, {"outside_ratio": 0.11}),
    (Reason.OUT_OF_RANGE, {"outside_ratio": nan}),
    (Reason.UNKNOWN, {"unknown": 9}),
    (Reason.NONSENSE, {"mean": nan}),
    (Reason.NONSENSE, {"mean": -inf}),
    (Reason.NONSENSE, {"probability": nan}),
    (Reason.NONSENSE, {"probability": 1.01}),
    (Reason.NONSENSE, {"unit_return": nan}),
    (Reason.NONSENSE, {"cost_return": inf}),
    (Reason.COSTS, {"mean": 0.4}),
    (Reason.COSTS, {"mean": 0.0}),
    (Reason.COSTS, {"unit_return": 0.008}),
    (Reason.COSTS, {"cost_return": 0.004}),
    (Reason.BOTH_SIGNS, {"probability": 0.54}),
    (Reason.BOTH_SIGNS, {"mean": -0.5, "low": -2.0, "high": 1.0}),
    (Reason.BOTH_SIGNS, {"low": -inf, "high": inf, "probability": 0.99}),
    (Reason.BOTH_SIGNS, {"low": nan, "high": nan, "probability": 0.99}),
]

RIGHTS: list[dict[str, Any]] = [
    {},
    {"probability": 0.5, "low": 0.1},
    {"mean": -0.5, "low": -2.0, "high": 1.0, "probability": 0.45},
    {"mean": -0.5, "low": -2.0, "high": -0.1, "probability": 0.5},
]


@pytest.mark.parametrize(("reason", "changes"), WRONGS)
def test_each_wrong_is_said_by_its_name(reason: Reason, changes: dict[str, Any]) -> None:
    assert abstains(CLEAR._replace(**changes), LIMITS) is reason


@pytest.mark.parametrize("changes", RIGHTS)
def test_a_figure_that_is_its_limit_is_well(changes: dict[str, Any]) -> None:
    assert abstains(CLEAR._replace(**changes), LIMITS) is None


def test_every_reason_has_a_row_and_the_rows_stand_in_the_order_of_precedence() -> None:
    said = list(dict.fromkeys(reason for reason, _ in WRONGS))
    assert said == list(Reason)


def test_of_many_wrongs_the_first_is_said() -> None:
    figures = CLEAR
    for reason, changes in reversed(dict(WRONGS).items()):
        figures = figures._replace(**changes)
        assert abstains(figures, LIMITS) is reason


@pytest.mark.parametrize("direction", [1, -1])
def test_what_is_held_needs_less_to_be_held_than_to_be_opened(direction: int) -> None:
    weak = CLEAR._replace(mean=0.1 * direction, probability=0.5, low=-2.0, high=2.0)
    assert abstains(weak, LIMITS) is Reason.COSTS
    assert abstains(weak._replace(held=direction), LIMITS) is None
    assert abstains(weak._replace(held=-direction), LIMITS) is Reason.COSTS
    fading = weak._replace(mean=0.07 * direction, held=direction)
    assert abstains(fading, LIMITS) is Reason.COSTS


def test_who_wanders_around_the_threshold_trades_once() -> None:
    held, turns = 0, 0
    for mean in (0.39, 0.41, 0.39, 0.42, 0.3, 0.45, 0.1, 0.05):
        figures = CLEAR._replace(mean=mean, held=held)
        wished = 0 if abstains(figures, LIMITS) else 1
        turns, held = turns + (wished != held), wished
    assert (turns, held) == (2, 0)
