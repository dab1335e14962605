"""A strategy says live what it says of a history, however the closes come."""

from random import Random

import numpy as np
import pytest

from rrr.core.events import Close, Signal
from rrr.neural_network.panel import panel_of
from rrr.neural_network.strategies import I64, SILENT, Panel, Strategy, over
from rrr.neural_network.strategies.asked import asked
from rrr.neural_network.strategies.averages import MovingAverageCross
from rrr.neural_network.strategies.breakout import Breakout
from rrr.neural_network.strategies.champion import Champion
from rrr.neural_network.strategies.hold import Hold
from rrr.neural_network.strategies.trend import Trend
from rrr.neural_network.strategies.voice import StrategyVoice
from rrr.neural_network.voice import Voice
from tests.builders import HOUR
from tests.neural_network.strategies.candles import holey

MODEL = 0x3F2A91C04B1D


class Crowd(Strategy):
    """Says how many candles all instruments together had lately, wherever there is one."""

    together = True
    window = 30

    def convictions(self, panel: Panel) -> I64:
        known = over(panel.there.astype(np.int64), self.window).sum(axis=0)
        return np.broadcast_to(known, panel.there.shape)


STRATEGIES = [
    Hold(),
    MovingAverageCross(5, 20),
    Breakout(9, 4),
    Trend(4, 24),
    Champion(traded=30),
    Crowd(),
]


def voice(strategy: Strategy) -> StrategyVoice:
    return StrategyVoice(strategy, MODEL, 3, HOUR)


def of_a_history(strategy: Strategy, closes: list[Close]) -> list[list[Signal]]:
    """What it says of all closes at once, as signals."""
    panel = panel_of(closes, 3, HOUR)
    told = asked(strategy, panel)
    columns = [(one.opened_at_ms - int(panel.opened_at_ms[0])) // HOUR for one in closes]
    return [
        [
            Signal(close.at_ms, number, conviction, MODEL)
            for number, conviction in enumerate(told[:, column].tolist())
            if conviction != SILENT
        ]
        for close, column in zip(closes, columns, strict=True)
    ]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.name)
@pytest.mark.parametrize("seed", range(3))
def test_signals_are_those_of_the_history_however_the_closes_come(
    strategy: Strategy, seed: int
) -> None:
    closes, dice = holey(seed, 500), Random(seed)
    expected = of_a_history(strategy, closes)
    assert sum(map(len, expected)) > 20
    one_by_one, in_parts = voice(strategy), voice(strategy)
    assert [one_by_one.meet([close])[0] for close in closes] == expected
    told: list[list[Signal]] = []
    while len(told) < len(closes):
        told += in_parts.meet(closes[len(told) :][: dice.choice([0, 1, 2, 31, 128])])
    assert told == expected
    assert voice(strategy).meet(closes) == expected


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.name)
def test_who_was_warmed_with_the_last_candles_of_each_instrument_says_the_same(
    strategy: Strategy,
) -> None:
    closes = holey(7, 500)
    expected = of_a_history(strategy, closes)
    for begins in range(200, len(closes), 23):
        held = begins
        while any(
            sum(one.instrument == i for close in closes[held:begins] for one in close.candles)
            < strategy.window
            for i in range(3)
        ):
            held -= 1
        warmed = voice(strategy)
        warmed.warm(closes[held:begins])
        assert warmed.meet(closes[begins : begins + 3]) == expected[begins : begins + 3]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.name)
def test_no_more_than_a_window_is_remembered(strategy: Strategy) -> None:
    speaker = voice(strategy)
    speaker.meet(holey(1, 400))
    memory = speaker.memory
    known = memory.known if isinstance(memory.known, list) else [memory.known.close]
    assert all(one.shape[1] <= strategy.window for one in known)


def test_after_a_long_silence_one_that_compares_sees_the_silence() -> None:
    strategy = Crowd()
    closes = holey(4, 400)
    away = 1_000 * HOUR
    later = [
        close._replace(at_ms=close.at_ms + away, opened_at_ms=close.opened_at_ms + away)
        for close in closes[200:]
    ]
    closes = closes[:200] + later
    assert voice(strategy).meet(closes) == of_a_history(strategy, closes)
    split = voice(strategy)
    assert split.meet(closes[:200]) + split.meet(closes[200:]) == of_a_history(strategy, closes)


def test_it_is_a_voice_by_its_own_name_and_never_the_baseline() -> None:
    speaker: Voice = voice(Breakout())
    assert (speaker.model, speaker.window) == (MODEL, 56)
    assert speaker.name == "breakout:entry_candles=55,exit_candles=20"
    with pytest.raises(AssertionError, match="baseline"):
        StrategyVoice(Hold(), 0, 3, HOUR)
