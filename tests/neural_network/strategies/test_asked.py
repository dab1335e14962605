"""Whole basis points come out, or a sentence that blames the strategy by instrument and candle."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from rrr.core.errors import StrategyBroken
from rrr.core.market import BPS
from rrr.neural_network.panel import Panel, panel_of
from rrr.neural_network.strategies import I64, SILENT, Strategy
from rrr.neural_network.strategies.asked import asked, of_one, utc
from tests.builders import HOUR, START
from tests.neural_network.markets import SYMBOLS
from tests.neural_network.strategies import mine
from tests.neural_network.strategies.candles import holey, panel_from


@dataclass(frozen=True)
class Says(Strategy):
    """Whatever it was told to say."""

    answer: Any = None
    window: ClassVar[int] = 3

    def convictions(self, panel: Panel) -> I64:
        answer = self.answer(panel) if callable(self.answer) else self.answer
        return answer  # type: ignore[no-any-return]


class SaysOfAll(Says):
    together: ClassVar[bool] = True


def market() -> Panel:
    return panel_of(holey(3, 300), 3, HOUR)


def opened(column: int) -> str:
    return f"that opened {utc(START + column * HOUR)}"


def test_one_that_looks_at_one_instrument_is_given_its_candles_and_no_hole() -> None:
    given: list[Panel] = []
    panel = market()

    def look(part: Panel) -> I64:
        given.append(part)
        return part.close % BPS

    told = asked(Says(look), panel)
    for number, part in enumerate(given):
        there = panel.there[number]
        assert part.there.all()
        assert (part.opened_at_ms == panel.opened_at_ms[there]).all()
        assert (part.close[0] == panel.close[number, there]).all()
        assert (told[number, there][2:] == part.close[0, 2:] % BPS).all()
        assert (told[number, there][:2] == SILENT).all()
        assert (told[number, ~there] == SILENT).all()


def test_one_that_compares_is_given_all_with_the_holes_and_heard_where_there_are_candles() -> None:
    panel = market()

    def look(whole: Panel) -> I64:
        assert (whole.there == panel.there).all()
        return whole.close % BPS

    told = asked(SaysOfAll(look), panel)
    heard = panel.there & (np.arange(panel.times) >= 2)
    assert (told[heard] == panel.close[heard] % BPS).all()
    assert (told[~heard] == SILENT).all()


@pytest.mark.parametrize("kind", [Says, SaysOfAll])
@pytest.mark.parametrize("times", [0, 1, 2])
def test_before_a_window_is_known_nobody_is_asked(kind: type[Says], times: int) -> None:
    told = asked(kind(lambda _: 1 / 0), market().cut(0, times))
    assert told.shape == (3, times)
    assert (told == SILENT).all()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "answers NoneType, and no array. It answers whole basis points"),
        (7, "answers int, and no array"),
        (np.zeros((2, 5), np.int64), "answers (2, 5) to (1, 5) instruments and times"),
        (np.zeros(5, np.int64), "answers (5,) to (1, 5)"),
        (np.zeros((1, 5)), "answers in float64. It answers whole basis points"),
        (np.ones((1, 5), np.bool_), "answers in bool"),
        (np.array([[0, 0, 0, object(), 0]]), "answers in object"),
        (np.array([[0, 0, 1, 10_001, 0]]), f"says 10001 at the candle of BTC-USD {opened(3)}"),
        (np.array([[0, 0, 1, 0, -10_001]]), f"says -10001 at the candle of BTC-USD {opened(4)}"),
        (np.array([[0, 0, 0.5, np.nan, np.nan]]), f"says nan at the candle of BTC-USD {opened(3)}"),
        (np.array([[0, 0, 0.5, 1, np.inf]]), f"says inf at the candle of BTC-USD {opened(4)}"),
    ],
)
def test_what_is_no_opinion_is_refused_by_its_candle(answer: Any, said: str) -> None:
    with pytest.raises(StrategyBroken) as raised:
        asked(Says(answer), panel_from([1] * 5), SYMBOLS)
    assert said in str(raised.value)
    assert str(raised.value).startswith("says:answer=")


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint64])
def test_every_kind_of_whole_number_is_heard(kind: Any) -> None:
    told = asked(Says(np.array([[9, 9, 100, 0, 7]], kind)), panel_from([1] * 5))
    assert told.dtype == np.int64
    assert told.tolist() == [[SILENT, SILENT, 100, 0, 7]]


def test_what_nobody_listens_to_may_be_anything() -> None:
    answer = np.array([[99_999, -99_999, SILENT, BPS, -BPS]])
    assert asked(Says(answer), panel_from([1] * 5)).tolist() == [[SILENT] * 3 + [BPS, -BPS]]


@pytest.mark.parametrize("together", [False, True])
def test_one_that_raises_is_blamed_for_the_first_candle_it_fails_at(together: bool) -> None:
    def fails(panel: Panel) -> I64:
        if (panel.close == 7).any():
            raise LookupError("seven")
        return panel.close

    kind = SaysOfAll if together else Says
    panel = panel_from([1] * 40 + [7] + [1] * 20 + [7, 1, 1])
    with pytest.raises(StrategyBroken) as raised:
        asked(kind(fails), panel, ["ETH-USD"])
    assert f"fails at the candle of ETH-USD {opened(40)}: LookupError: seven" in str(raised.value)
    line = fails.__code__.co_firstlineno + 2
    assert f"({Path(__file__).name}, line {line})" in str(raised.value)
    assert isinstance(raised.value.__cause__, LookupError)


@pytest.mark.parametrize("kind", [Says, SaysOfAll])
@pytest.mark.parametrize("holes", [0.0, 0.05])
def test_one_that_writes_into_its_candles_is_stopped_and_they_stay(
    kind: type[Says], holes: float
) -> None:
    def vandal(panel: Panel) -> I64:
        panel.volume[0, 0] = 7
        return panel.close

    panel = market() if holes else market().cut(0, 20)
    before = panel.digest()
    with pytest.raises(StrategyBroken, match="writes into the candles, which others read"):
        asked(kind(vandal), panel)
    assert panel.digest() == before


def test_what_can_only_be_read_cannot_be_unlocked() -> None:
    class Locksmith(Says):
        def convictions(self, panel: Panel) -> I64:
            panel.close.setflags(write=True)
            return np.zeros(panel.there.shape, np.int64)

    with pytest.raises(StrategyBroken, match="cannot set WRITEABLE"):
        asked(Locksmith(), market())


def test_what_a_person_prints_is_no_part_of_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    class Chatty(Says):
        def convictions(self, panel: Panel) -> I64:
            print("hello")  # noqa: T201
            return np.zeros(panel.there.shape, np.int64)

    asked(Chatty(), market())
    told = capsys.readouterr()
    assert told.out == ""
    assert "hello" in told.err


def test_who_ends_the_program_is_only_blamed() -> None:
    def leave(_: Panel) -> I64:
        raise SystemExit(3)

    with pytest.raises(StrategyBroken, match="SystemExit: 3"):
        asked(Says(leave), panel_from([1] * 5))


def test_who_is_interrupted_by_a_person_is_not_blamed() -> None:
    def interrupted(_: Panel) -> I64:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asked(Says(interrupted), panel_from([1] * 5))


def test_each_wrong_strategy_of_a_person_has_its_sentence() -> None:
    panel = market()
    for strategy, said in {
        mine.Vandal(): "writes into the candles",
        mine.Divider(): "ZeroDivisionError: integer",
        mine.Vague(): "says nan at the candle of",
    }.items():
        with pytest.raises(StrategyBroken, match=said):
            asked(strategy, panel, SYMBOLS)


def test_an_instrument_without_holes_is_not_copied() -> None:
    panel = panel_from([1, 2, 3])
    assert np.shares_memory(of_one(panel, 0).close, panel.close)
