"""All that may be chosen is known beforehand, and nothing is left out without a word."""

from pathlib import Path

import pytest

from rrr.backtesting.grid import TRIALS, grid_of
from rrr.core.errors import ConfigError, NotFound, RRRError, StrategyBroken, UsageError
from tests.backtesting.walks import slots

CROSS = "moving-average-cross"


def test_a_grid_is_every_set_in_the_order_of_its_words() -> None:
    grid = grid_of(f" {CROSS}:fast=5..15/5,slow=50|100 ")
    assert grid.axes == {"fast": ("5", "10", "15"), "slow": ("50", "100")}
    assert [strategy.text for strategy in grid.strategies] == [
        f"{CROSS}:fast={fast},slow={slow}" for fast in (5, 10, 15) for slow in (50, 100)
    ]
    assert len(grid) == 6 and not grid.left_out


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ("fast=3,7,slow=50", {"fast": ("3", "7"), "slow": ("50",)}),
        ("fast=3|7 , slow=50", {"fast": ("3", "7"), "slow": ("50",)}),
        ("fast=3..5", {"fast": ("3", "4", "5")}),
        ("fast=3..8/2", {"fast": ("3", "5", "7")}),
        ("fast=1,4..6,9", {"fast": ("1", "4", "5", "6", "9")}),
    ],
)
def test_a_parameter_is_a_list_or_a_range(words: str, values: dict[str, tuple[str, ...]]) -> None:
    assert grid_of(f"{CROSS}:{words}").axes == values


def test_a_range_of_fractions_has_no_noise(tmp_path: Path) -> None:
    file = tmp_path / "share.py"
    file.write_text(
        "from dataclasses import dataclass\n"
        "from rrr.neural_network.strategies import I64, Panel, Strategy\n"
        "@dataclass(frozen=True)\n"
        "class Share(Strategy):\n"
        "    part: float = 0.5\n"
        "    window = 1\n"
        "    def convictions(self, panel: Panel) -> I64: ...\n",
        encoding="utf-8",
    )
    grid = grid_of(f"{file}:part=-0.1..0.3/0.1")
    parts = [getattr(strategy, "part") for strategy in grid.strategies]  # noqa: B009
    assert parts == [-0.1, 0.0, 0.1, 0.2, 0.3]


def test_sets_that_make_no_sense_are_counted_with_their_reason() -> None:
    grid = grid_of(f"{CROSS}:fast=10,30,slow=20,40")
    assert [strategy.text for strategy in grid.strategies] == [
        f"{CROSS}:fast={fast},slow={slow}" for fast, slow in ((10, 20), (10, 40), (30, 40))
    ]
    (why,) = grid.left_out
    assert why.startswith(f"{CROSS}:fast=30,slow=20 makes no sense")


def test_neighbours_are_one_step_away_in_one_parameter() -> None:
    grid = grid_of(f"{CROSS}:fast=5,10,20,slow=30,60,90")
    texts = [grid.chosen(number) for number in grid.neighbours(4)]
    assert texts == [
        {"fast": "5", "slow": "60"},
        {"fast": "10", "slow": "30"},
        {"fast": "10", "slow": "90"},
        {"fast": "20", "slow": "60"},
    ]
    assert len(grid.neighbours(0)) == 2


def test_a_file_of_ones_own_is_asked_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    slots(tmp_path)
    grid = grid_of(f"{tmp_path}/a/../slots.py:Slot:slot=1..3")
    assert [grid.chosen(number) for number in range(3)] == [{"slot": s} for s in "123"]
    assert all(strategy.source for strategy in grid.strategies)


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("hold", UsageError, "nothing to choose"),
        (f"{CROSS}:fast=5", UsageError, "nothing to choose"),
        (f"{CROSS}:5,fast=6", UsageError, "'5'"),
        (f"{CROSS}:fast=5,6,5", UsageError, "fast=5 stands twice"),
        (f"{CROSS}:fast=5,fast=6", UsageError, "fast stands twice"),
        (f"{CROSS}:fast=9..5", UsageError, "ends before it begins"),
        (f"{CROSS}:fast=5..9/0", UsageError, "steps by nothing"),
        (f"{CROSS}:fast=1..1000000000000", UsageError, f"budget is {TRIALS:,} trials"),
        (f"{CROSS}:fast=1..30,slow=51..70", UsageError, "makes 600 sets"),
        (f"{CROSS}:fast=5,quick,slow=50", ConfigError, "fast=quick: no set can have it"),
        (f"{CROSS}:fast=5,60,slow=20,50", ConfigError, "fast=60: no set can have it"),
        (f"{CROSS}:fast=60,70", ConfigError, "makes no sense"),
        (f"{CROSS}:quick=5,6", ConfigError, "no parameter 'quick'"),
        (f"{CROSS}:fast=5,,7", ConfigError, "fast=: no set can have it"),
        ("moving-averages:fast=5,6", NotFound, CROSS),
        ("gone.py:slot=1,2", NotFound, "gone.py"),
    ],
)
def test_a_mistake_is_named(text: str, kind: type[RRRError], said: str) -> None:
    with pytest.raises(kind) as raised:
        grid_of(text)
    assert said in str(raised.value)


def test_a_budget_allows_exactly_so_many() -> None:
    assert len(grid_of(f"{CROSS}:fast=1..6,slow=50", trials=6)) == 6
    with pytest.raises(UsageError, match="--trials"):
        grid_of(f"{CROSS}:fast=1..6,slow=50", trials=5)


def test_code_that_breaks_is_no_set_that_makes_no_sense(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text(
        "from dataclasses import dataclass\n"
        "from rrr.neural_network.strategies import I64, Panel, Strategy\n"
        "@dataclass(frozen=True)\n"
        "class Broken(Strategy):\n"
        "    n: int = 1\n"
        "    window = 1\n"
        "    def __post_init__(self) -> None: 1 // (self.n - 2)\n"
        "    def convictions(self, panel: Panel) -> I64: ...\n",
        encoding="utf-8",
    )
    with pytest.raises(StrategyBroken, match="ZeroDivisionError"):
        grid_of(f"{file}:n=1,2,3")
