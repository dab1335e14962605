"""A look counts before it is taken, and a run that became another one says by what."""

import json
from dataclasses import replace
from pathlib import Path
from statistics import variance
from typing import Any

import pytest

from rrr.backtesting import records
from rrr.backtesting.records import Change, Tried
from rrr.config import Home, load, show_json
from rrr.core.errors import NotFound
from rrr.database.research import Run
from rrr.neural_network.strategies.averages import MovingAverageCross
from rrr.neural_network.strategies.naming import named
from tests.database.researching import RUN, ask, numbered

FAMILY = "replay BTC-USD 1h"
MINE = """
from rrr.neural_network.strategies import FULL, I64, Panel, Strategy
import numpy as np

class Mine(Strategy):
    window = 1

    def convictions(self, panel: Panel) -> I64:
        return np.full(panel.there.shape, FULL)
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "data").mkdir()
    return Home(tmp_path)


def settings(home: Home, **changes: object) -> dict[str, dict[str, object]]:
    overrides = {name.replace("__", "."): value for name, value in changes.items()}
    return show_json(load(home, overrides=overrides, environ={}))


def test_a_look_counts_before_it_is_taken_and_names_its_run(home: Home) -> None:
    looks = records.begun(home, "walk-forward", FAMILY, ["{}", "[1]"], 5)
    looks += records.begun(home, "backtest", FAMILY, ["{}"], 6)
    assert looks == [(1, "walk-forward-1"), (2, "walk-forward-2"), (3, "backtest-3")]
    path = home.data / "research.db"
    assert records.path_of(home) == path
    assert ask(path, "SELECT at_ms, outcome FROM trials") == [(5, None), (5, None), (6, None)]


def test_what_is_remembered_is_recalled(home: Home) -> None:
    whole, part, other = records.begun(home, "backtest", FAMILY, ["{}", "[1]", "{}"], RUN.at_ms)
    first = numbered(whole.trial)
    records.remember(home, [numbered(part.trial, parent=whole.trial), first])
    records.remember(home, [numbered(other.trial)])
    assert records.recalled(home, whole.name) == first
    assert records.recalled(home, None).name == other.name
    assert [run.name for run in records.latest(home, 9)] == [other.name, whole.name]
    assert [run.name for run in records.latest(home, 9, first)] == [part.name]
    with pytest.raises(NotFound, match=f"The last ones are {other.name}, {whole.name}"):
        records.recalled(home, "backtest-99")


def test_a_verdict_is_deflated_by_every_recipe_that_was_tried(home: Home) -> None:
    recipes = ["[1]", "[2]", "[2]", "[3]"]
    looks = records.begun(home, "backtest", FAMILY, recipes, 1)
    assert records.tried(home, FAMILY) == Tried(3, None)
    outcomes: dict[int, dict[str, Any]] = {looks[0].trial: {"sharpe": 0.1}}
    outcomes |= {looks[1].trial: {"sharpe": 9.0}, looks[2].trial: {"sharpe": 0.3}}
    records.concluded(home, outcomes)
    for recipe, sharpe, shown in (
        ("", None, (0.1, 0.3)),
        ("[3]", 0.5, (0.1, 0.3, 0.5)),
        ("[2]", 0.5, (0.1, 0.5)),
    ):
        assert records.tried(home, FAMILY, recipe, sharpe) == Tried(3, variance(shown))
    assert records.tried(home, "another", "[1]", 0.5) == Tried(0, None)


# What is the same recipe, and what is not.

SAME: tuple[dict[str, object], ...] = (
    {},
    {"from": "2021-01-01"},
    {"to": "2022-01-01"},
    {"candles": 9},
    {"speed": "max"},
    {"logs__kept": 3},
    {"guard__lag_max_ms": 100},
)
OTHER = ({"seed": 2}, {"capital": "5"}, {"policy__stop_bps": 50}, {"costs__taker_fee_ppm": 0})


@pytest.mark.parametrize("changes", SAME)
def test_the_same_choice_on_other_candles_is_the_same_recipe(
    home: Home, changes: dict[str, object]
) -> None:
    strategy, replayed = MovingAverageCross(10, 50), {"replay": "candles.csv"}
    usual = records.recipe_of(strategy, settings(home, **replayed))
    assert records.recipe_of(strategy, settings(home, **replayed | changes)) == usual
    assert json.loads(usual)["settings"] == {}


@pytest.mark.parametrize("changes", OTHER)
def test_another_choice_is_another_recipe(home: Home, changes: dict[str, object]) -> None:
    strategy = MovingAverageCross(10, 50)
    recipes = {
        records.recipe_of(strategy, settings(home)),
        records.recipe_of(MovingAverageCross(11, 50), settings(home)),
        records.recipe_of(strategy, settings(home, **changes)),
    }
    assert len(recipes) == 3


def test_a_recipe_read_from_the_file_is_the_one_that_was_made(home: Home) -> None:
    told = settings(home, symbols="BTC-USD,ETH-USD", capital="5000", risk__synthetic_may_open=True)
    [look] = records.begun(home, "backtest", FAMILY, ["{}"], 1)
    records.remember(home, [numbered(look.trial, settings=told)])
    kept = records.recalled(home, None).settings
    strategy = MovingAverageCross()
    assert records.recipe_of(strategy, kept) == records.recipe_of(strategy, told)
    again = replace(RUN, settings=told)
    assert records.difference(replace(RUN, settings=kept), again).changes == ()


def test_a_file_that_was_edited_is_another_strategy(home: Home) -> None:
    file = home.root / "mine.py"
    made = []
    for text in (MINE, MINE, MINE.replace("FULL)", "0)")):
        file.write_text(text)
        strategy = named(str(file))
        made.append((records.recipe_of(strategy, {}), records.strategy_hash(strategy)))
    assert made[0] == made[1]
    assert made[0][0] != made[2][0]
    assert made[0][1] != made[2][1]


def test_the_hash_of_a_strategy_of_ours_is_that_of_our_sources() -> None:
    one, other = MovingAverageCross(), MovingAverageCross(3, 4)
    assert records.strategy_hash(one) == records.strategy_hash(other)


# Made anew.

DIFFERENT: list[tuple[dict[str, Any], list[Change]]] = [
    ({"data_digest": "x"}, [Change("data", "digest", "d" * 64, "x")]),
    (
        {"data_digest": "x", "history": {"source": ["abc"], "span": [1, 3]}},
        [Change("data", "digest", "d" * 64, "x"), Change("data", "span", "[1, 2]", "[1, 3]")],
    ),
    (
        {"data_digest": "x", "history": {"span": (1, 2), "source": ("abc",)}},
        [Change("data", "digest", "d" * 64, "x")],
    ),
    ({"core_hash": "x"}, [Change("code", "core", "c" * 32, "x")]),
    ({"strategy_hash": "x"}, [Change("code", "strategy", "s" * 64, "x")]),
    ({"version": "0.5.0"}, [Change("code", "version", "0.4.0", "0.5.0")]),
    ({"strategy": "trend"}, [Change("settings", "strategy", "hold", "trend")]),
    (
        {"settings": {"costs.taker_fee_ppm": {"value": 0, "origin": "--set"}}},
        [Change("settings", "costs.taker_fee_ppm", "none", "0")],
    ),
    ({"seed": 2}, [Change("seed", "seed", "1", "2")]),
    ({"settings": {"logs.kept": {"value": 3, "origin": ".env"}}}, []),
    ({"settings": {"seed": {"value": 1, "origin": "--seed"}}}, []),
    ({"history": {"source": ["moved"], "span": [1, 2]}}, []),
    ({"seconds": 9.0, "command": "rrr reproduce backtest-1", "at_ms": 9, "metrics": {}}, []),
]


@pytest.mark.parametrize(("changes", "expected"), DIFFERENT)
def test_what_made_a_run_another_one_is_named(
    changes: dict[str, Any], expected: list[Change]
) -> None:
    days = {**RUN.days, "2024-01-02": "other"}
    found = records.difference(RUN, replace(RUN, digest="f" * 64, days=days, **changes))
    assert list(found.changes) == expected
    assert not found.identical
    said = records.difference_in_words(found)
    assert said.startswith("DIFFERENT from 2024-01-02 on: the digest of backtest-1 was eee")
    assert ("that is a bug" in said) == (not expected)
    assert all(f"{c.what}: {c.name} was {c.was}, is {c.now}" in said for c in expected)


def test_the_same_run_made_anew_is_identical_whatever_else_changed() -> None:
    found = records.difference(RUN, replace(RUN, core_hash="x"))
    assert found.identical
    assert found.first_day is None
    said = records.difference_in_words(found).splitlines()
    assert said[0] == f"identical: backtest-1 made anew, 2 days, digest {RUN.digest}"
    assert said[1:] == [f"  code: core was {RUN.core_hash}, is x (it changed nothing)"]


@pytest.mark.parametrize(
    ("days", "first"),
    [
        ({"2024-01-01": "other", "2024-01-02": "other"}, "2024-01-01"),
        ({"2024-01-01": RUN.days["2024-01-01"]}, "2024-01-02"),
        ({**RUN.days, "2023-12-31": "earlier"}, "2023-12-31"),
        ({f"20{year}-01-01": "other" for year in range(99, 10, -1)}, "2011-01-01"),
        ({**RUN.days, "2024-01-03": "later"}, "2024-01-03"),
    ],
)
def test_the_first_day_that_left_something_else_is_named(days: dict[str, str], first: str) -> None:
    found = records.difference(RUN, replace(RUN, digest="f" * 64, days=days))
    assert found.first_day == first
    assert records.difference_as_json(found) == {
        "run": "backtest-1",
        "identical": False,
        "digest": {"was": RUN.digest, "now": "f" * 64},
        "first_day": first,
        "days": 2,
        "changes": [],
    }


# The list.


def test_a_list_shows_what_each_run_came_to() -> None:
    poor: dict[str, None] = dict.fromkeys(RUN.metrics)
    many = "replay A-USD+B-USD+C-USD+D-USD 1m"
    other = numbered(12, synthetic=False, in_sample=True, metrics=poor, family=many)
    assert records.runs_in_words([other, RUN]).splitlines() == [
        "run          made (UTC)         return  Sharpe  drawdown  round trips  digest        what",
        "backtest-12  2023-11-14 22:13        –       –         –            –  eeeeeeeeeeee  "
        "hold · replay 4 instruments 1m · in sample",
        "backtest-1   2023-11-14 22:13  +12.00%       –     7.89%        1,234  eeeeeeeeeeee  "
        "hold · replay BTC-USD 1h · SYNTHETIC",
    ]
    assert records.runs_in_words([]) == "There is no run yet."


def test_no_name_of_a_strategy_steers_a_terminal() -> None:
    assert "\x1b" not in records.runs_in_words([replace(RUN, strategy="\x1b[2J.py:A")])


def test_a_program_gets_what_a_person_gets_and_all_of_one_run() -> None:
    [told] = records.runs_as_json([RUN])
    assert told["total_ratio"] == RUN.metrics["total_ratio"]
    assert told["trades_path"] == RUN.trades_path
    assert "settings" not in told
    assert Run(**records.as_json(RUN)) == RUN
    assert json.loads(json.dumps(records.as_json(RUN))) == records.as_json(RUN)
