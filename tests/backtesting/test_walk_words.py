"""What a person reads says first what choosing was worth; what a program reads has all of it."""

import json
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import pytest

from rrr.backtesting.history import History
from rrr.backtesting.walk_forward import Walk
from rrr.backtesting.walk_windows import Plan
from rrr.backtesting.walk_words import IN_SAMPLE, WIDTH, as_json, foretold, in_words
from rrr.core.errors import UsageError
from tests.backtesting.walks import FAMILY, book, noise, slots, walked

SHORT = Plan(windows=3)


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    folder = tmp_path_factory.mktemp("walk")
    return walked(folder, slots(folder), noise(100, 1, edge=0.002, slot=2), SHORT)


def test_a_page_has_a_line_a_window_and_what_to_believe(walk: Walk) -> None:
    page = in_words(walk)
    lines = page.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert lines[0].startswith("walk-forward-1: ")
    (head,) = (n for n, line in enumerate(lines) if line.startswith("test from"))
    assert lines[head].split()[:5] == ["test", "from", "days", "slot", "score"]
    for line, step in zip(lines[head + 1 : head + 4], walk.steps, strict=True):
        cells = line.split()
        assert cells[1:3] == [str(step.test.days), str(step.chosen)]
        assert cells[-2:] == [f"{step.test.total_ratio:+.2%}", f"{step.rank_ratio:.0%}"]
    for words in ("out of sample", "matched hold", "at random", "hindsight", "of it remained"):
        assert words in page
    assert IN_SAMPLE not in page


def test_json_has_every_figure_and_nothing_that_is_none_without_a_reason(walk: Walk) -> None:
    told = as_json(walk)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert [one["strategy"] for one in told["windows"]] == [
        walk.grid.strategies[step.chosen].text for step in walk.steps
    ]
    edges = [(one["test"]["begins_ms"], one["test"]["ends_ms"]) for one in told["windows"]]
    assert all(before[1] == after[0] for before, after in pairwise(edges))
    assert Plan(**told["plan"]) == walk.plan
    assert (told["run"], told["digest"]) == (walk.look.name, walk.result.digest)
    assert {name for name in ("overfitting", "null") if told[name] is None} == set(told["reasons"])


def test_the_same_question_has_the_same_answer(walk: Walk, tmp_path: Path) -> None:
    again = walked(tmp_path, walk.grid, noise(100, 1, edge=0.002, slot=2), SHORT)
    assert as_json(again) == as_json(walk)
    assert in_words(again) == in_words(walk)


def test_what_will_be_looked_at_is_said_before(tmp_path: Path) -> None:
    grid, history = slots(tmp_path), noise(100, 1)
    said = foretold(grid, history, SHORT, FAMILY)
    assert "4 sets of" in said and "3 tests of" in said and "5 candles" in said
    assert f"5 trials of {FAMILY}" in said
    assert max(map(len, said.splitlines())) <= WIDTH
    with pytest.raises(UsageError, match="The history has"):
        foretold(grid, history, Plan(windows=30), FAMILY)


def test_in_sample_is_said_everywhere(tmp_path: Path) -> None:
    grid, history, plan = slots(tmp_path), noise(40, 1), Plan(in_sample=True)
    assert IN_SAMPLE in foretold(grid, history, plan, FAMILY)
    walk = walked(tmp_path, grid, history, plan)
    page = in_words(walk)
    assert page.splitlines()[0].startswith("in-sample-1: ")
    assert IN_SAMPLE in page and "out of sample" not in page and "test from" not in page
    assert as_json(walk)["in_sample"] is True


def with_notes(folder: Path, history: History, **law: int) -> str:
    return in_words(walked(folder, slots(folder), history, SHORT, book(**law)))


def test_what_nobody_traded_says_so(tmp_path: Path) -> None:
    assert "SYNTHETIC" in with_notes(tmp_path, replace(noise(100, 1), synthetic=True))


def test_a_book_that_halted_says_since_when(tmp_path: Path) -> None:
    page = with_notes(tmp_path, noise(100, 1), cost_ppm=2_000, drawdown_max_bps=100)
    assert "halted by its drawdown at 20" in page


def test_few_days_have_no_probability_of_overfitting_and_say_why(tmp_path: Path) -> None:
    walk = walked(tmp_path, slots(tmp_path), noise(20, 1), Plan(in_sample=True))
    assert "unknown, for it takes 30 days to split" in in_words(walk)
    assert as_json(walk)["reasons"]["overfitting"].startswith("it takes 30 days")


def test_a_name_that_steers_a_terminal_is_shown_and_not_obeyed(walk: Walk) -> None:
    hostile = replace(walk, history=replace(walk.history, title="\x1b[2J" + "x" * 200))
    page = in_words(hostile)
    assert "\x1b" not in page and r"\x1b" in page


def test_the_plan_is_all_words_and_numbers(walk: Walk) -> None:
    assert asdict(walk.plan) == as_json(walk)["plan"]


def test_sets_that_never_traded_are_no_division_by_nothing(tmp_path: Path) -> None:
    never = book(conviction_min_bps=10_000, exposure_max_bps=0)
    walk = walked(tmp_path, slots(tmp_path), noise(100, 1), SHORT, never)
    page, told = in_words(walk), as_json(walk)
    assert "unknown, for there is no round trip to move" in page
    assert told["lesson"]["kept_ratio"] is None and told["lesson"]["agreement"] is None
    assert told["hindsight"]["sharpe_deflated"] is None
    json.dumps(told, allow_nan=False)
