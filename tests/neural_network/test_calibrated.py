"""The table of SIGNALS §6D, one market of each kind; in full by the command in `calibrated`."""

import numpy as np

from tests.neural_network.calibrated import (
    ADAPTIVE,
    ECE,
    FLOORS,
    NEAR,
    SKILL,
    SLOPE,
    SPLIT,
    calibrated,
    coverage,
    said,
)

SEED = 1


def held(name: str, figure: float | None) -> bool:
    low, high = FLOORS[name]
    return figure is not None and low <= figure <= high


def test_memory_that_was_planted_is_said_with_probabilities_that_come_true() -> None:
    known = said("memory", SEED)
    raw, scaled, _ = calibrated(known)
    assert held(ECE, scaled.ece)
    assert scaled.brier_skill > raw.brier_skill > 0
    assert held(SKILL, scaled.brier_skill)
    assert held(SLOPE, scaled.slope)


def test_where_nothing_was_planted_nothing_is_said() -> None:
    *_, p = calibrated(said("null", SEED))
    assert held(NEAR, float((np.abs(p - 0.5) <= 0.03).mean()))


def test_in_a_market_that_turns_wild_the_adaptive_interval_holds_and_the_split_one_does_not() -> (
    None
):
    wild = coverage(said("memory", SEED))
    assert held(SPLIT, wild.split)
    assert held(ADAPTIVE, wild.adaptive)
