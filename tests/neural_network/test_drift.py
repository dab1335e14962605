"""What has changed is seen, and what only looks so is not."""

from itertools import pairwise
from math import inf, isnan, log, nan, sqrt

import msgspec
import numpy as np
import pytest

from rrr.neural_network.drift import (
    BUCKETS,
    CLOCK,
    DELTA,
    PSI_MAX,
    ROWS_MIN,
    Bucket,
    Change,
    Rows,
    Usual,
    Window,
    _differs,
    _pushed,
    meet,
    miss,
    psi,
    usual,
)
from rrr.neural_network.labels import CUT, F64


def normal(seed: int, times: int, instruments: int = 4) -> F64:
    return np.random.default_rng(seed).normal(size=(instruments, times))


def learned(values: F64, times: int = 500) -> Usual:
    known = usual(values, times)
    assert known is not None
    return known


def found(known: Usual, values: F64) -> float:
    told = psi(known, values)
    assert told is not None
    return told


def test_psi_is_the_sum_over_ten_bins() -> None:
    known, lately = learned(normal(1, 5_000)), normal(2, 500) + 0.3
    edges = [-inf, *known.edges, inf]
    total = 0.0
    for low, high in pairwise(edges):
        q = float(((lately > low) & (lately <= high)).mean())
        total += (q - 0.1) * log(q / 0.1)
    assert found(known, lately) == pytest.approx(total, rel=1e-3)


def test_the_same_market_is_near_and_another_is_far() -> None:
    known = learned(normal(1, 5_000))
    assert known.psi_max == PSI_MAX
    assert found(known, normal(2, 500)) < 0.02
    assert found(known, normal(2, 500) + 1.0) > PSI_MAX
    assert found(known, normal(2, 500) * 2.5) > PSI_MAX


@pytest.mark.parametrize("moved", [-1.0, 1.0])
def test_what_never_moved_in_training_is_seen_to_move_either_way(moved: float) -> None:
    known = learned(np.zeros((4, 5_000)))
    assert found(known, np.zeros((4, 500))) == 0
    assert found(known, np.full((4, 500), moved)) > PSI_MAX


def test_a_rare_event_that_becomes_common_is_seen() -> None:
    luck = np.random.default_rng(1).random((4, 5_000))
    rare, common = (np.where(luck < share, 1.0, 0.0) for share in (0.02, 0.4))
    assert found(learned(rare), common[:, :500]) > PSI_MAX


def test_a_feature_that_remembers_is_measured_by_its_own_training() -> None:
    """Walks that turn around once in 200 candles: each month looks unlike the year."""
    luck = normal(1, 20_000)
    for at in range(1, luck.shape[1]):
        luck[:, at] += 0.995 * luck[:, at - 1]
    common = luck[:1]
    known = learned(common[:, :12_000])
    seen = [found(known, common[:, at : at + 500]) for at in range(12_000, 19_501, 500)]
    assert np.mean(np.array(seen) > PSI_MAX) > 0.9
    assert np.mean(np.array(seen) > known.psi_max) < 0.2


def test_of_too_little_nothing_is_told() -> None:
    known, few = learned(normal(1, 5_000)), normal(1, ROWS_MIN - 1, 1)
    assert usual(few, 500) is None
    assert psi(known, few) is None
    assert learned(normal(1, ROWS_MIN, 1)).psi_max == PSI_MAX


def test_what_is_not_finite_does_not_count() -> None:
    values, spoiled = normal(1, 5_000), normal(1, 5_000)
    spoiled[:, ::2] = nan
    spoiled[0, 1::4] = inf
    kept = spoiled[np.isfinite(spoiled)]
    assert learned(spoiled).edges == learned(kept[np.newaxis]).edges
    assert found(learned(values), spoiled) == found(learned(values), kept)


def test_what_was_usual_survives_being_written() -> None:
    known = learned(normal(1, 5_000))
    assert msgspec.json.decode(msgspec.json.encode(known), type=Usual) == known


def heard(losses: F64, window: Window | None = None) -> tuple[Window, list[tuple[int, Change]]]:
    window, told = window or Window(), []
    for at, loss in enumerate(losses.tolist(), 1):
        window, change = meet(window, loss)
        told += [(at, change)] if change else []
    return window, told


def uniform(seed: int, losses: int) -> F64:
    return np.random.default_rng(seed).random(losses)


def test_the_buckets_are_the_losses_themselves() -> None:
    losses = uniform(1, 3_000)
    window, told = heard(losses)
    assert not told
    buckets = [bucket for row in reversed(window.rows) for bucket in row]
    begins = np.cumsum([0, *sizes(window.rows)]).tolist()
    assert begins[-1] == window.losses == window.met == 3_000
    for bucket, (first, end) in zip(buckets, pairwise(begins), strict=True):
        part = losses[first:end]
        assert bucket.total == pytest.approx(part.sum())
        assert bucket.spread == pytest.approx(((part - part.mean()) ** 2).sum(), abs=1e-12)


def test_it_looks_as_a_slow_twin_does_that_kept_every_loss() -> None:
    dice, looks = np.random.default_rng(1), []
    for _ in range(100):
        losses = dice.random(int(dice.integers(20, 400)))
        losses[len(losses) // 2 :] *= dice.uniform(0.1, 1)
        rows: Rows = ()
        for loss in losses.tolist():
            rows = _pushed(rows, Bucket(loss, 0.0), 1)
        looks.append(_differs(rows))
        assert looks[-1] == twin(losses, np.cumsum(sizes(rows))[:-1].tolist())
    assert 20 < sum(looks) < 80


def sizes(rows: Rows) -> list[int]:
    """Of the buckets, the oldest first."""
    return [1 << k for k, row in reversed(list(enumerate(rows))) for _ in row]


def twin(losses: F64, cuts: list[int]) -> bool:
    """The paper's rule, from the losses."""
    doubt = log(2 * log(len(losses)) / DELTA)
    for cut in cuts:
        old, new = losses[:cut], losses[cut:]
        m = 1 / (1 / len(old) + 1 / len(new))
        epsilon = sqrt(2 / m * losses.var() * doubt) + 2 / (3 * m) * doubt
        if abs(old.mean() - new.mean()) > epsilon:
            return True
    return False


def test_a_rise_is_told_soon_as_worse_and_what_was_before_is_forgotten() -> None:
    losses = np.concatenate([0.2 * uniform(1, 2_000), 0.3 + 0.2 * uniform(2, 500)])
    window, told = heard(losses)
    at, change = told[0]
    assert 2_000 < at <= 2_000 + 2 * CLOCK
    assert change.worse
    assert change.before == pytest.approx(0.1, abs=0.01)
    assert window.losses < 600
    _, better = heard(losses[::-1])
    assert not better[0][1].worse


@pytest.mark.parametrize("before", range(300, 1_200, 100))
def test_what_is_left_are_the_newest_losses(before: int) -> None:
    losses = np.concatenate([0.2 * uniform(1, before), 0.06 + 0.2 * uniform(2, 500)])
    window, told = heard(losses)
    assert told
    assert window.losses < len(losses)
    total = sum(bucket.total for row in window.rows for bucket in row)
    assert total == pytest.approx(losses[-window.losses :].sum())


def test_who_does_not_change_is_left_alone() -> None:
    """Each look may be wrong once in 1 ÷ δ; 30 × 125 looks at much less are all right."""
    assert not any(heard(uniform(seed, 4_000))[1] for seed in range(30))


def test_memory_is_bounded_by_the_logarithm_of_the_losses() -> None:
    window, _ = heard(uniform(1, 20_000))
    assert sum(map(len, window.rows)) <= BUCKETS * log(20_000, 2)
    assert all(len(row) <= BUCKETS for row in window.rows)


def test_a_window_that_was_written_goes_on_bit_for_bit() -> None:
    losses = np.concatenate([0.3 * uniform(1, 700), 0.5 + 0.3 * uniform(2, 300)])
    whole, told = heard(losses)
    first, before = heard(losses[:650])
    kept = msgspec.json.decode(msgspec.json.encode(first), type=Window)
    last, after = heard(losses[650:], kept)
    assert last == whole
    assert before + [(at + 650, change) for at, change in after] == told


def test_a_loss_that_is_not_known_changes_nothing() -> None:
    window, _ = heard(uniform(1, 100))
    assert meet(window, nan) == (window, None)
    assert isnan(miss(0.1, nan))
    assert isnan(miss(nan, 0.1))
    assert (miss(0.5, -0.1), miss(-9.0, CUT)) == (0.6 / CUT, 1.0)
