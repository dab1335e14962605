"""A strategy is known by its words: two that differ are never taken for one another."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from rrr.core.errors import ConfigError
from rrr.neural_network.strategies import I64, Panel, Strategy
from rrr.neural_network.strategies.averages import MovingAverageCross
from rrr.neural_network.strategies.hold import Hold
from rrr.neural_network.strategies.naming import named
from rrr.neural_network.strategies.strategy import identity

MINE = Path(__file__).with_name("mine.py")


def test_its_text_says_every_parameter_and_reads_as_itself() -> None:
    strategy = MovingAverageCross(slow=90)
    assert strategy.text == strategy.title == "moving-average-cross:fast=10,slow=90"
    assert named(strategy.text) == strategy
    assert Hold().text == "hold"


def test_who_it_is_fits_48_bits_and_depends_on_nothing_else() -> None:
    known = {identity(MovingAverageCross(fast, slow)) for fast in (1, 2, 3) for slow in (9, 99)}
    assert len(known) == 6
    assert all(0 < one < 1 << 48 for one in known)
    assert identity(named("moving-average-cross")) == identity(MovingAverageCross(10, 50))


def test_a_file_that_says_something_else_is_another_strategy(tmp_path: Path) -> None:
    place = tmp_path / "mine.py"
    place.write_text(MINE.read_text())
    before, again = named(f"{place}:Above"), named(f"{place}:Above:candles=20")
    assert identity(before) == identity(again)
    assert before.text == f"{place}:Above:candles=20"
    assert before.title == f"mine.py:Above:candles=20 @{before.source[:12]}"
    place.write_text(MINE.read_text() + "\n# another thought\n")
    after = named(f"{place}:Above")
    assert after.text == before.text
    assert after.title != before.title
    assert identity(after) != identity(before)


def test_it_is_the_same_wherever_its_file_lies(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE.read_text())
    here, there = named(f"{MINE}:Above"), named(f"{tmp_path}/mine.py:Above")
    assert here.text != there.text
    assert (here.title, identity(here)) == (there.title, identity(there))


def test_a_class_without_a_name_is_called_by_its_own() -> None:
    class MyGoldenCross9(Hold):
        pass

    class Short(Hold):
        name: ClassVar[str] = "something-else"

    assert MyGoldenCross9().text == "my-golden-cross9"
    assert Short().text == "something-else"


def test_a_strategy_may_say_how_it_trades_and_never_how_much_is_allowed() -> None:
    with pytest.raises(AssertionError, match="widens"):

        class Greedy(Hold):
            usual: ClassVar[Mapping[str, str]] = {"risk.exposure_max_bps": "10000"}


def test_parameters_that_make_no_sense_together_are_told_by_its_text() -> None:
    @dataclass(frozen=True)
    class Odd(Strategy):
        number: int = 1
        open: bool = True

        def __post_init__(self) -> None:
            self.require(self.number % 2 == 1, "number is odd")

        @property
        def window(self) -> int:
            return 1

        def convictions(self, panel: Panel) -> I64:
            return panel.close * 0

    assert Odd().text == "odd:number=1,open=true"
    with pytest.raises(ConfigError, match="odd:number=2,open=true makes no sense: number is odd"):
        Odd(2)
