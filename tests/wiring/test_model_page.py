"""The page of `rrr train` cannot know the holdout: changed candles in it change not one byte."""

from collections.abc import Callable
from dataclasses import replace
from math import sqrt
from pathlib import Path

import numpy as np
import pytest

from rrr.backtesting.break_even import YEAR
from rrr.backtesting.cost_curve import cost_curve
from rrr.backtesting.gate_case import Bench
from rrr.backtesting.gate_folds import Folds, folds_of, opinions
from rrr.backtesting.gate_played import charged, played
from rrr.backtesting.gate_returns import Ledger, hurdles
from rrr.backtesting.gate_rules import Rules
from rrr.backtesting.history import History
from rrr.backtesting.sharpe import moments
from rrr.cli import command
from rrr.config import Loaded, Settings
from rrr.core.errors import ModelBroken
from rrr.data_pipeline.simulated import simulated
from rrr.neural_network.artefact import Artefact
from rrr.neural_network.panel import Panel
from rrr.wiring import model_figures
from rrr.wiring.judging import bench_of, history_over
from rrr.wiring.model_page import held_out, path_of, unjudged
from rrr.wiring.train_page import train_page
from tests.backtesting.report.test_page import Element, Tree
from tests.wiring.trainings import CHEAP as OPTIONS
from tests.wiring.trainings import COINS, FOLDS, HORIZON, SEED, candles, training

MARKET = simulated(COINS, "1h", SEED)
CHEAP = Settings.model_validate(
    {"symbols": list(COINS), "costs": {"taker_fee_ppm": 100}, "gate": {"random_twins": 20}}
)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return candles(2_400)


@pytest.fixture(scope="module")
def made(panel: Panel, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artefact]:
    models = tmp_path_factory.mktemp("models")
    return training(models, panel, {"ridge": 0.2, "boosting": 0.0})


def bench(whole: History, folds: Folds, of: Artefact) -> Bench:
    return bench_of(Loaded(CHEAP, {}, {}), whole, folds, of)


def drawn(folder: Path, made: dict[str, Artefact], panel: Panel) -> str:
    heard: list[int] = []
    whole = history_over(panel, MARKET)
    path = unjudged(folder, made, whole, bench, lambda done, _: heard.append(done))
    assert path == path_of(folder, made["ridge"])
    assert heard == list(range(1, len(heard) + 1))
    return path.read_text(encoding="utf-8")


def changed(panel: Panel, column: int) -> Panel:
    """All prices from a column on are others."""
    later = np.arange(panel.times) >= column
    told = ("open", "high", "low", "close")
    return replace(
        panel, **{n: np.where(later, 2 * getattr(panel, n), getattr(panel, n)) for n in told}
    )


@pytest.mark.slow
def test_candles_and_forecasts_of_the_holdout_change_not_one_byte_of_the_page(
    tmp_path: Path, made: dict[str, Artefact], panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    folds = folds_of(made["ridge"], panel)
    column = held_out(history_over(panel, MARKET), folds)
    assert folds.begins < column < folds.ends
    page = drawn(tmp_path, made, panel)
    assert drawn(tmp_path, made, changed(panel, column)) == page
    assert drawn(tmp_path, made, changed(panel, column - 1)) != page

    def other(of: Artefact, whole: Panel, read: Callable[..., Folds] = folds_of) -> Folds:
        told = read(of, whole)
        later = np.arange(whole.times) >= column
        return replace(told, means=np.where(later, -told.means, told.means))

    monkeypatch.setattr("rrr.wiring.model_page.folds_of", other)
    assert drawn(tmp_path, made, panel) == page


def test_the_holdout_begins_where_the_gate_says(made: dict[str, Artefact], panel: Panel) -> None:
    folds, rules = folds_of(made["ridge"], panel), Rules()
    bounds = rules.held_out_ratio, rules.deflated_min, rules.held_out_min
    asked = hurdles(folds.ends - folds.begins, Ledger(1, 1, None, 1), *bounds)
    column = held_out(history_over(panel, MARKET), folds)
    assert column - folds.begins == asked.deflated.candles


def test_the_page_of_a_training_says_what_a_person_must_know_first(
    tmp_path: Path, made: dict[str, Artefact], panel: Panel
) -> None:
    root = Tree(drawn(tmp_path, made, panel)).root
    said = root.all("section", **{"class": "believe"})[0].text
    known = f"{int(panel.there.sum()):,} candles of 1h"
    for words in (
        known,
        "Instruments3",
        "ridge",
        "boosting did not beat it, by the IC",
        "not asked",
    ):
        assert words in said
    assert f"rrr models gate {made['ridge'].name}" in said
    assert "does not say whether it will earn anything" in said
    assert "kept back for the gate" in root.all("main")[0].text
    assert len(_worth(root)) == 24


def test_instruments_of_a_real_market_are_called_survivors(
    tmp_path: Path, made: dict[str, Artefact], panel: Panel
) -> None:
    whole = replace(history_over(panel, MARKET), synthetic=False)
    path = unjudged(tmp_path, made, whole, bench, lambda *_: None)
    said = Tree(path.read_text(encoding="utf-8")).root.all("main")[0].text
    assert "what died on the way is not among them" in said


def test_who_pays_more_trades_less_and_who_pays_nothing_keeps_most(
    made: dict[str, Artefact], panel: Panel
) -> None:
    folds = folds_of(made["ridge"], panel)
    of = bench(history_over(panel, MARKET), folds, made["ridge"])
    dear = replace(of, book=charged(of.book, 20), asks=of.asks._replace(cost_return=0.006))
    curve = cost_curve(dear, folds.cut())
    assert [one.multiple for one in curve] == [0, 1, 2, 3]
    turnovers = [one.turnover for one in curve]
    assert turnovers == sorted(turnovers, reverse=True)
    assert turnovers[3] < turnovers[0] / 2
    ratios = [one.sharpe for one in curve if one.sharpe is not None]
    assert max(ratios) == ratios[0]


def test_the_curve_at_the_accounts_own_costs_is_the_record_that_the_gate_judges(
    made: dict[str, Artefact], panel: Panel
) -> None:
    folds = folds_of(made["ridge"], panel)
    of = bench(history_over(panel, MARKET), folds, made["ridge"])
    [once] = cost_curve(of, folds.cut(), [1])
    said = opinions(folds.cut(), of.history.panel, of.asks)
    shown = moments(played(of.history, said, of.book).net)
    assert shown is not None
    assert once.sharpe == pytest.approx(shown.sharpe * sqrt(YEAR / panel.timeframe_ms))


@pytest.mark.slow
def test_the_gate_draws_all_of_it_and_a_judged_page_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models, panel = tmp_path / "data" / "models", candles()
    made = training(models, panel, {"ridge": 0.3, "boosting": 0.0})
    home = ("--home", str(tmp_path))
    assert command(["models", "gate", made["ridge"].name, *OPTIONS, *home]) == 0
    path = path_of(models, made["ridge"])
    assert f"In pictures: {path}" in capsys.readouterr().out
    page = path.read_text(encoding="utf-8")
    root = Tree(page).root
    (rules,) = [t for t in root.all("table") if t.all("caption")[0].text == "Every rule"]
    assert len(rules.all("tbody")[0].children) == 16
    assert "kept back" not in root.all("main")[0].text
    assert "UNPROVEN" not in root.text
    assert "boosting did not beat it, by what it earned before the holdout" in root.text
    loaded = Loaded(CHEAP.model_copy(update={"market": "simulated"}), {}, {})
    again = train_page(models, loaded, MARKET, panel, made["ridge"], lambda *_: None)
    assert again == path
    assert path.read_text(encoding="utf-8") == page


def test_figures_are_those_of_the_files_and_errors_grow_with_the_horizon(
    made: dict[str, Artefact],
) -> None:
    told = model_figures.skills(made, [0, 2])
    assert {(one.kind, one.fold) for one in told} == {
        (kind, fold) for kind in made for fold in (0, 2)
    }
    assert all((one.ic, one.error, one.horizon) == (0.02, 0.01, HORIZON) for one in told)
    assert len(model_figures.folds_of(made["ridge"])) == FOLDS
    assert model_figures.lessons(made, shown=True) == "Nothing here learned in epochs."
    assert isinstance(model_figures.weighed(made, [0]), str)


def test_metrics_that_nobody_can_read_are_refused_with_the_way_out(
    tmp_path: Path, panel: Panel
) -> None:
    of = training(tmp_path, panel, {"ridge": 0.2})
    (of["ridge"].folder / "metrics.json").write_text('{"ic": 3}')
    with pytest.raises(ModelBroken, match=r"metrics.json cannot be read: .*`rrr train`"):
        model_figures.skills(of, [0])


def _worth(root: Element) -> list[list[str]]:
    (table,) = [t for t in root.all("table") if t.all("caption")[0].text == "What 1 became"]
    return [[cell.text for cell in row.children] for row in table.all("tbody")[0].children]
