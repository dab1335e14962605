"""Candles as columns of whole numbers on an even grid of time; a hole stays a hole."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

from rrr.core.events import Close
from rrr.neural_network.panel import COLUMNS, NUMBERS, Panel, panel_of
from tests.builders import HOUR, START, candle
from tests.neural_network.markets import closes, panel


def close(time: int, *of: int) -> Close:
    opened = START + time * HOUR
    return Close(opened + HOUR, opened, tuple(candle(100 + time, of=one) for one in of), ())


def test_every_number_of_every_candle_stands_in_its_place() -> None:
    told = closes(1, 50)
    made = panel_of(told, 3, HOUR)
    for time, one in enumerate(told):
        assert made.opened_at_ms[time] == one.opened_at_ms
        assert np.flatnonzero(made.there[:, time]).tolist() == [c.instrument for c in one.candles]
        for each in one.candles:
            numbers = [getattr(made, name)[each.instrument, time] for name in NUMBERS]
            assert numbers == list(each[1:6])


def test_a_time_without_a_close_and_a_candle_that_is_missing_are_holes_of_zeros() -> None:
    made = panel_of([close(0, 0, 1), close(3, 1)], 2, HOUR)
    assert made.times == 4
    assert made.there.tolist() == [[True, False, False, False], [True, False, False, True]]
    assert made.close.tolist() == [[100, 0, 0, 0], [100, 0, 0, 103]]


def test_closes_without_any_candle_still_have_their_times() -> None:
    made = panel_of([close(0), close(1), close(2, 0)], 1, HOUR)
    assert made.there.tolist() == [[False, False, True]]
    assert panel_of([], 3, HOUR).there.shape == (3, 0)


@pytest.mark.parametrize("told", [[close(1, 0), close(0, 0)], [close(0, 0), close(0, 0)]])
def test_closes_come_in_order_and_once(told: list[Close]) -> None:
    with pytest.raises(AssertionError):
        panel_of([*told, close(2, 0)], 1, HOUR)


def test_a_candle_off_the_grid_is_refused() -> None:
    late = close(1, 0)._replace(opened_at_ms=START + HOUR + 1)
    with pytest.raises(AssertionError, match="grid"):
        panel_of([close(0, 0), late], 1, HOUR)


@pytest.mark.parametrize("seed", range(5))
def test_panels_of_parts_joined_are_the_panel_of_the_whole(seed: int) -> None:
    dice, told = Random(seed), closes(seed, 60, holes=0.2)
    told = [one for one in told if dice.random() < 0.8]
    joined, first = panel_of([], 3, HOUR), 0
    while first < len(told):
        last = first + dice.randint(1, 9)
        joined, first = joined.then(panel_of(told[first:last], 3, HOUR)), last
    assert joined.digest() == panel_of(told, 3, HOUR).digest()


def test_a_panel_does_not_follow_a_later_one() -> None:
    whole = panel(1, 20)
    with pytest.raises(AssertionError):
        whole.cut(9).then(whole.cut(0, 10))


def test_the_digest_is_of_everything_that_is_held_and_of_nothing_else() -> None:
    made = panel(1, 20)
    digests = {made.digest()}
    for name in COLUMNS:
        column = getattr(made, name).copy()
        column.flat[7] = not column.flat[7] if name == "there" else column.flat[7] + 1
        digests.add(replace(made, **{name: column}).digest())
    digests |= {replace(made, timeframe_ms=1).digest(), made.cut(1).digest()}
    assert len(digests) == len(COLUMNS) + 3
    assert replace(made, close=np.asfortranarray(made.close)).digest() == made.digest()


def test_a_panel_that_was_saved_is_the_same_and_so_are_its_bytes(tmp_path: Path) -> None:
    made = panel(1, 50)
    for name in ("a.npz", "b.npz"):
        made.save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    kept = Panel.load(tmp_path / "a.npz")
    assert kept.digest() == made.digest()
    assert (kept.timeframe_ms, kept.there.dtype) == (HOUR, np.dtype(np.bool_))


def test_nothing_in_a_saved_panel_is_ever_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
            return pytest.fail, ("It was unpickled.",)

    path, made = tmp_path / "trap.npz", panel(1, 5)
    kept = {name: getattr(made, name) for name in COLUMNS} | {"timeframe_ms": HOUR}
    np.savez(path, **kept | {"close": np.array([Trap()], dtype=object)})
    with pytest.raises(ValueError, match="allow_pickle=False"):
        Panel.load(path)
