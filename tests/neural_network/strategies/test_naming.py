"""A strategy is asked for in words; one that means nothing is answered with those that do."""

import re
from pathlib import Path

import pytest

from rrr.config import Home, load
from rrr.core.errors import ConfigError, NotFound, RRRError, StrategyBroken
from rrr.neural_network.strategies import FLAT, FULL, SILENT
from rrr.neural_network.strategies.averages import MovingAverageCross
from rrr.neural_network.strategies.breakout import Breakout
from rrr.neural_network.strategies.naming import BUILT_IN, named, strategy_of
from rrr.neural_network.strategies.strategy import Strategy, parameters
from tests.neural_network.strategies.candles import panel_from, said

PAGE = Path(__file__).parents[3] / "docs" / "strategies.md"
MINE = Path(__file__).with_name("mine.py")
HEAD = "from rrr.neural_network.strategies import FULL, I64, Panel, Strategy\n"
ONE = """
class Golden(Strategy):
    window = 3

    def convictions(self, panel: Panel) -> I64:
        return panel.close * 0 + FULL
"""


def file_of(folder: Path, *parts: str) -> Path:
    place = folder / "golden.py"
    place.write_text(HEAD + "".join(parts))
    return place


@pytest.mark.parametrize("name", sorted(set(BUILT_IN) - {"model"}))
def test_each_of_the_house_has_usual_parameters_and_the_name_it_is_asked_by(name: str) -> None:
    strategy = named(name)
    assert strategy.name == name
    assert strategy.text.partition(":")[0] == name
    assert type(strategy).__doc__
    assert strategy.source == ""


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("moving-average-cross", MovingAverageCross(10, 50)),
        ("moving-average-cross:fast=20", MovingAverageCross(20, 50)),
        (" moving-average-cross: slow = 200 , fast = 20 ", MovingAverageCross(20, 200)),
        ("breakout:exit_candles=1", Breakout(55, 1)),
        ("breakout:", Breakout(55, 20)),
    ],
)
def test_what_is_not_said_is_usual(text: str, meant: Strategy) -> None:
    assert named(text) == meant


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("moving-average", NotFound, "There are moving-average-cross, "),
        ("", NotFound, "There is no strategy ''"),
        ("trend:fats=3", ConfigError, "trend has no parameter 'fats'. It has fast, "),
        ("hold:fast=3", ConfigError, "hold has no parameter 'fast'. It has none."),
        ("trend:fast=x", ConfigError, "fast of trend is 'x'. It is a whole number."),
        ("trend:fast=3.5", ConfigError, "It is a whole number."),
        ("trend:fast", ConfigError, "'fast' of trend is no parameter=value."),
        ("trend:fast=1,fast=2", ConfigError, "'fast=2' of trend is given twice."),
        ("trend:fast=1:slow=2", ConfigError, "does not read as a strategy"),
        ("trend:fast=9,slow=5", ConfigError, "makes no sense: fast is at least 1 and below slow"),
        ("model", NotFound, "Which model? Say model:folder="),
        ("model:folder=nowhere", NotFound, "There is no model in 'nowhere'."),
        ("nowhere/mine.py", NotFound, "'nowhere/mine.py' cannot be read: No such file"),
        ("no\0where.py", NotFound, "cannot be read: embedded null byte"),
        ("~nobody-of-that-name/mine.py", NotFound, "cannot be read: Could not determine home"),
        (f"{MINE}", NotFound, "defines several strategies. Say which, as"),
        (f"{MINE}:Abov", NotFound, "it has Above, "),
        (f"{MINE}:candles=3", NotFound, "defines several strategies"),
        (f"{MINE}:Above:candle=3", ConfigError, "above has no parameter 'candle'. It has candles."),
    ],
)
def test_what_means_nothing_is_told_with_what_would(
    text: str, error: type[RRRError], words: str
) -> None:
    with pytest.raises(error) as raised:
        named(text)
    assert type(raised.value) is error
    assert words in str(raised.value)


def test_a_file_with_one_strategy_needs_no_class(tmp_path: Path) -> None:
    place = file_of(tmp_path, ONE)
    assert named(f"{place}").text == f"{place}:Golden"
    assert named(f"{place}:Golden").window == 3
    assert list(tmp_path.iterdir()) == [place], "Nothing is written beside it."


def test_parameters_are_read_as_what_they_are_declared(tmp_path: Path) -> None:
    fields = """
from __future__ import annotations
from dataclasses import dataclass
from rrr.neural_network.strategies import I64, Panel, Strategy

@dataclass(frozen=True)
class Golden(Strategy):
    whole: int = 1
    part: float = 0.5
    open: bool = True
    word: str = "x"
    window = 1

    def convictions(self, panel: Panel) -> I64:
        return panel.close * 0
"""
    place = tmp_path / "golden.py"
    place.write_text(fields)
    usual, other = named(f"{place}"), named(f"{place}:whole=-2,part=1e-3,open=FALSE,word=a b")
    assert usual.text == f"{place}:Golden:whole=1,part=0.5,open=true,word=x"
    assert other.text == f"{place}:Golden:whole=-2,part=0.001,open=false,word=a b"
    assert named(other.text) == other
    with pytest.raises(ConfigError, match="It is true or false"):
        named(f"{place}:open=1")


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (("x = 1 / 0",), "cannot be run: ZeroDivisionError: division by zero (golden.py, line 2)"),
        (("def (",), "cannot be run: SyntaxError"),
        (("import nothing_of_that_name",), "cannot be run: ModuleNotFoundError"),
        (("raise SystemExit",), "cannot be run: SystemExit"),
        ((ONE, "    def __init__(self) -> None: self.x = {}['y']"), "cannot be made: KeyError"),
        ((ONE.replace("= 3", "= 0"),), "The window of"),
        ((ONE.replace("= 3", "= 2.5"),), "is 2.5, and one candle is the least."),
        (
            (ONE.replace("window = 3", "window = property(lambda self: self.x)"),),
            "its window: Attr",
        ),
    ],
)
def test_a_file_that_fails_is_blamed_with_its_line(
    tmp_path: Path, parts: tuple[str, ...], words: str
) -> None:
    place = file_of(tmp_path, *parts)
    for _ in range(2):
        with pytest.raises(StrategyBroken) as raised:
            named(f"{place}")
        assert words in str(raised.value)


def test_a_file_without_a_strategy_is_told_what_one_is(tmp_path: Path) -> None:
    place = file_of(tmp_path, "class Half(Strategy):\n    window = 3\n")
    with pytest.raises(NotFound, match=r"defines no strategy\. One is a class made of Strategy"):
        named(f"{place}")


def test_a_file_that_was_changed_is_read_anew(tmp_path: Path) -> None:
    windows = []
    for window in ("3", "4", "3"):
        place = file_of(tmp_path, ONE.replace("= 3", f"= {window}"))
        windows.append(named(f"{place}").window)
    assert windows == [3, 4, 3]


def test_a_parameter_that_nobody_can_type_is_told(tmp_path: Path) -> None:
    place = file_of(
        tmp_path,
        "from dataclasses import dataclass\n@dataclass(frozen=True)",
        ONE.replace("window = 3", "days: tuple[int, ...] = ()\n    window = 3"),
    )
    with pytest.raises(StrategyBroken, match="days of golden is of a kind that cannot be typed"):
        named(f"{place}:days=3")


def test_what_the_house_thinks_itself_is_no_strategy() -> None:
    assert strategy_of("model") is strategy_of("baseline") is None
    assert strategy_of("trend") == named("trend")


@pytest.mark.parametrize("kind", BUILT_IN.values(), ids=BUILT_IN)
def test_the_settings_it_is_made_for_are_settings(kind: type[Strategy], tmp_path: Path) -> None:
    wished = {"policy.entry": kind.entry, **kind.usual}
    policy = load(Home.at(tmp_path), overrides=wished, environ={}).settings.policy.model_dump()
    assert {name: str(policy[name.removeprefix("policy.")]) for name in wished} == wished


def test_the_page_has_every_strategy_with_its_parameters_and_no_other() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (.*?) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    told = {name: dict(re.findall(r"`(\w+)=(\S+)`", said)) for name, said in rows}
    known = {name: parameters(named(name)) for name in set(BUILT_IN) - {"model"}}
    assert told == known | {"model": {"folder": "…"}}


def test_the_strategy_of_the_page_can_be_asked_for(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    place = tmp_path / "golden.py"
    place.write_text(code)
    strategy = named(f"{place}:candles=3")
    assert strategy.text == f"{place}:Golden:candles=3"
    assert said(strategy, panel_from([5, 6, 7, 1])) == [SILENT, SILENT, FULL, FLAT]
