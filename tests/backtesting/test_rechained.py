"""A market that never was moves as the one that was: whole ticks, together, holes and all."""

from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest

from rrr.backtesting.rechained import moves, rechained, worlds
from rrr.neural_network.panel import NUMBERS, Mask, Panel
from tests.backtesting.runs import of_closes, traded
from tests.builders import BTC, PRICE

TICKS = np.array([BTC.tick] * 4)


def panel(seed: int = 1, times: int = 300) -> Panel:
    """Four instruments with holes."""
    return traded(seed, times)[1].panel


def punched(was: Panel, there: Mask) -> Panel:
    """Candles only there."""
    columns: dict[str, Any] = {name: np.where(there, getattr(was, name), 0) for name in NUMBERS}
    return replace(was, there=there, **columns)


def test_the_same_places_give_the_same_candles_on_their_ticks() -> None:
    was = panel()
    made = rechained(was, TICKS, np.arange(was.times))
    for name in NUMBERS[:4]:
        column = getattr(was, name)
        nearest = np.rint(column / BTC.tick).astype(np.int64) * BTC.tick
        assert np.abs(getattr(made, name) - nearest).max() <= BTC.tick
    assert (made.volume == was.volume).all()
    assert (made.there == was.there).all()


@pytest.mark.parametrize("seed", range(3))
def test_prices_are_whole_ticks_and_a_candle_is_a_candle(seed: int) -> None:
    random = np.random.Generator(np.random.Philox(seed))
    was = panel(seed)
    places = random.integers(0, was.times, was.times)
    made = rechained(was, TICKS, places)
    there = made.there
    assert (there == was.there[:, places]).all()
    assert (made.volume == was.volume[:, places]).all()
    for name in NUMBERS[:4]:
        column = getattr(made, name)
        assert (column % BTC.tick == 0).all()
        assert (column[there] >= BTC.tick).all()
        assert (column[~there] == 0).all()
    assert (made.high >= np.maximum(made.open, made.close))[there].all()
    assert (made.low <= np.minimum(made.open, made.close))[there].all()


def test_a_candle_does_to_the_close_before_it_what_it_did() -> None:
    closes = np.array([[PRICE, PRICE * 2, PRICE, PRICE * 3]])
    was = of_closes(closes).panel
    made = rechained(was, TICKS[:1], np.array([1, 1, 3, 2]))
    assert made.close[0].tolist() == [PRICE * 2, PRICE * 4, PRICE * 12, PRICE * 6]
    assert made.open[0].tolist() == [PRICE, PRICE * 2, PRICE * 4, PRICE * 12]


def test_a_candle_after_a_hole_moves_from_what_was_known_before_it() -> None:
    closes = np.array([[PRICE, PRICE * 9, PRICE * 2, PRICE * 2]])
    was = of_closes(closes).panel
    hole = punched(was, np.array([[True, False, True, True]]))
    made = rechained(hole, TICKS[:1], np.array([0, 2, 1, 2]))
    assert made.close[0].tolist() == [PRICE, PRICE * 2, 0, PRICE * 4]


def test_an_instrument_that_was_never_there_stays_away() -> None:
    was = panel()
    there = was.there.copy()
    there[1] = False
    made = rechained(punched(was, there), TICKS, np.arange(was.times))
    assert not made.there[1].any()
    assert not made.close[1].any()


def test_a_price_falls_no_lower_than_a_tick_and_rises_no_higher_than_can_be_counted() -> None:
    closes = np.tile([PRICE, PRICE // 2], 30)[None, :]
    was = of_closes(closes).panel
    down = rechained(was, TICKS[:1], np.full(60, 1))
    assert (down.low[0] >= BTC.tick).all()
    assert down.close[0, -1] == BTC.tick
    up = rechained(was, TICKS[:1], np.full(60, 2))
    assert up.close[0, -1] == up.close[0, -2] == (1 << 53) // BTC.tick * BTC.tick
    assert (up.high[0] >= up.close[0]).all()


def test_what_moves_together_still_does() -> None:
    random = np.random.Generator(np.random.Philox(7))
    market = random.normal(0, 0.01, 3_000)
    own = random.normal(0, 0.005, (3, 3_000))
    closes = np.rint(PRICE * np.cumprod(1 + market + own, axis=1)).astype(np.int64)
    history = of_closes(closes)
    was, made = moves(history.panel), moves(next(worlds(history, 1)).panel)
    assert np.corrcoef(made) == pytest.approx(np.corrcoef(was), abs=0.03)
    assert made.std(axis=1) == pytest.approx(was.std(axis=1), rel=0.05)


def test_wild_times_stay_together() -> None:
    """Sizes of moves follow each other as they did."""
    random = np.random.Generator(np.random.Philox(7))
    wild = np.where(np.arange(4_000) // 100 % 2, 0.03, 0.003)
    closes = PRICE * np.cumprod(1 + random.normal(size=4_000) * wild)
    history = of_closes(np.rint(closes).astype(np.int64)[None, :])
    sizes = [np.abs(moves(one.panel)[0]) for one in (history, *worlds(history, 3))]
    follow = [float(np.corrcoef(size[20:], size[:-20])[0, 1]) for size in sizes]
    assert follow[0] > 0.2
    assert min(follow[1:]) > follow[0] / 2


def test_the_first_worlds_are_the_same_however_many_are_asked_for() -> None:
    history = traded(1, 200)[1]
    few, many = [*worlds(history, 2)], [*islice(worlds(history, 50), 3)]
    assert [one.digest for one in few] == [one.digest for one in many[:2]]
    assert few[0].panel.digest() == many[0].panel.digest()
    assert len({one.digest for one in many}) == 3
    assert next(worlds(history, 1, seed=2)).digest != few[0].digest


def test_another_world_says_what_it_is() -> None:
    history = traded(1, 200)[1]
    source = np.arange(history.source.size).reshape(history.source.shape)
    seen = np.ones_like(history.bid)
    history = replace(history, source=source, bid=seen, ask=seen, detail=history.panel)
    made = next(worlds(history, 1))
    assert made.synthetic
    assert made.about["rechained"]["of"] == history.digest
    assert made.title.startswith("made, drawn anew in blocks of ")
    assert made.detail is None
    assert not made.bid.any()
    assert not made.ask.any()
    assert (made.panel.opened_at_ms == history.panel.opened_at_ms).all()
    places = made.source[0]
    assert (made.panel.there == history.panel.there[:, places]).all()
