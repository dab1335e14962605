"""Everybody plays the same candles; what leaks is found, and what fits no candles is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rrr.backtesting import gate_leaks, gate_ledger
from rrr.backtesting.gate_case import early, ratio, simplest
from rrr.backtesting.gate_folds import Folds, chances, folds_of, opinions
from rrr.backtesting.gate_leaks import Pipeline, leaks
from rrr.backtesting.gate_played import charged, played, twins, unhalted
from rrr.backtesting.gate_returns import Record
from rrr.backtesting.gate_rules import Rules
from rrr.config import Home, Settings
from rrr.core.errors import ModelBroken
from rrr.core.market import PPM
from rrr.data_pipeline.simulated import simulated
from rrr.database.sessions import key_of
from rrr.neural_network import features as room
from rrr.neural_network.abstaining import Terms
from rrr.neural_network.labels import labels
from rrr.neural_network.panel import I64, Panel
from rrr.neural_network.strategies.strategy import FULL, SILENT
from rrr.wiring.backtest_given import book_of
from rrr.wiring.judging import history_over
from tests.neural_network.markets import network, scope
from tests.wiring.trainings import COINS, FOLDS, HORIZON, SEED, candles, training

RULES = Rules(draws=200)
RNG = np.random.default_rng(1)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return candles(2_400)


@pytest.fixture(scope="module")
def folds(panel: Panel, tmp_path_factory: pytest.TempPathFactory) -> Folds:
    models = tmp_path_factory.mktemp("models")
    return folds_of(training(models, panel, {"ridge": 0.2})["ridge"], panel)


def test_folds_are_of_these_candles_and_whole_or_refused(tmp_path: Path, panel: Panel) -> None:
    made = training(tmp_path, panel, {"ridge": 0.2})["ridge"]
    found = folds_of(made, panel)
    assert found.horizon == HORIZON
    assert len(found.platts) == FOLDS
    assert np.isfinite(found.means[:, found.begins : found.ends]).all()
    assert np.isnan(found.means[:, : found.begins]).all()
    with pytest.raises(ModelBroken, match="and the candles are"):
        folds_of(made, panel.cut(1))
    quick = replace(made, manifest={**made.manifest, "full": False})
    with pytest.raises(ModelBroken, match="quick training"):
        folds_of(quick, panel)
    fewer = replace(made, manifest={**made.manifest, "folds": made.manifest["folds"][:-1]})
    with pytest.raises(ModelBroken, match="does not hold the 3 folds"):
        folds_of(fewer, panel)
    unsaid = replace(made, manifest={**made.manifest, "folds": [{}]})
    with pytest.raises(ModelBroken, match="cannot be read"):
        folds_of(unsaid, panel)
    (made.folder / "folds.safetensors").write_bytes(b"another")
    with pytest.raises(ModelBroken, match="is not what was trained"):
        folds_of(made, panel)


def test_opinions_are_said_in_tests_only_and_dearer_costs_open_less(
    panel: Panel, folds: Folds
) -> None:
    said = {ppm: opinions(folds, panel, Terms(ppm / PPM)) for ppm in (0, 2_000, 20_000)}
    for words in said.values():
        assert (words[:, : folds.begins] == SILENT).all()
        assert (words[~panel.there] == SILENT).all()
    opened = [int((words > 0).sum()) for words in said.values()]
    assert opened[0] > opened[1] > opened[2]
    told = chances(folds)
    assert ((told > 0.5) == (folds.means > 0))[np.isfinite(told)].all()


def test_who_knows_what_comes_earns_beyond_his_hold_and_who_holds_earns_nothing_beyond(
    panel: Panel,
) -> None:
    market = simulated(COINS, "1h", SEED)
    history = replace(history_over(panel, market), begins=400)
    settings = Settings.model_validate({"policy": {"stop_bps": 9_000, "band_bps": 0}})
    book = book_of(settings, history)
    truth = labels(panel, HORIZON)
    knows: I64 = np.where(truth > 0.5, FULL, np.where(truth < -0.5, 0, SILENT))
    record = played(history, knows, book)
    assert len(record.net) == panel.times - history.begins
    assert record.excess.mean() > record.excess_dear.mean()
    assert record.excess.mean() > 3 * record.excess.std() / len(record.net) ** 0.5
    holds = played(history, np.full(panel.there.shape, FULL), book, dear=False)
    assert abs(float(holds.excess.mean())) < 0.2 * float(record.excess.mean())
    assert np.corrcoef(holds.net, holds.hold)[0, 1] > 0.95
    flat = played(history, np.zeros(panel.there.shape, np.int64), book, dear=False)
    assert not flat.net.any()
    assert not flat.hold.any()


def test_costs_are_multiplied_and_no_book_is_halted(panel: Panel) -> None:
    history = history_over(panel, simulated(COINS, "1h", SEED))
    book = book_of(Settings(), history)
    dear = charged(book, 2).instruments[0]
    assert dear.fee_taker_ppm == 2 * book.instruments[0].fee_taker_ppm
    assert dear.slippage_ppm == 2 * book.instruments[0].slippage_ppm
    rests = replace(book, instruments=[book.instruments[0]._replace(fee_maker_ppm=-100)])
    paid = [charged(rests, times, 200).instruments[0].fee_maker_ppm for times in (0, 1, 2, 3)]
    assert paid == [0, -100, -100 + 200, -100 + 400], "A rebate is no cost, and never doubled."
    assert charged(book, 2, 200).instruments[0].fee_maker_ppm == 2 * 1_000 + 200
    assert unhalted(book).law.drawdown_max_bps == 10_000


def test_twins_say_the_same_words_at_other_times() -> None:
    said = RNG.integers(0, 3, (2, 500))
    made = list(twins(said, 100, 300, seed=1))
    for other in made:
        assert (other[:, :100] == said[:, :100]).all()
        assert sorted(other[0, 100:]) == sorted(said[0, 100:])
        assert (other != said).any()
    assert len({other.tobytes() for other in made}) == 300, "Each distance once, while there are."
    assert len(list(twins(said[:, :104], 100, 9, seed=1))) == 9


def test_the_simplest_that_nobody_beats_serves_and_the_holdout_has_no_say() -> None:
    def record(mean: float, late: float = 0.0) -> Record:
        net = np.random.default_rng(3).standard_normal(2_000) / 10 + mean
        net[early_times:] += late
        return Record(net, net, np.zeros(2_000))

    early_times = 1_400
    same = {"ridge": record(0.0), "boosting": record(0.0), "network": record(0.0)}
    assert simplest(same, RULES) == "ridge"
    better = np.random.default_rng(4).standard_normal(2_000) / 10
    skilled = Record(better + 0.03, better, np.zeros(2_000))
    assert simplest(same | {"network": skilled}, RULES) == "network"
    late = better.copy()
    late[early_times:] += 1
    lucky = Record(late, late, np.zeros(2_000))
    assert simplest(same | {"network": lucky}, RULES) == "ridge"
    assert len(early(lucky, RULES)) == early_times
    assert ratio(lucky, RULES) == ratio(Record(better, better, np.zeros(2_000)), RULES)


def pipeline(panel: Panel, folds: Folds, kind: str = "ridge") -> Pipeline:
    return Pipeline(panel, folds, kind, network(), seed=1)


def found(of: Pipeline) -> set[str]:
    return {name for name, words in leaks(of).items() if words}


@pytest.mark.slow
def test_nothing_leaks_of_any_kind(panel: Panel, folds: Folds) -> None:
    for kind in ("ridge", "network"):
        assert found(pipeline(panel, folds, kind)) == set(), kind


def test_opinions_that_know_later_labels_are_found(panel: Panel, folds: Folds) -> None:
    later = np.roll(labels(panel, HORIZON), -10 * HORIZON, axis=1)
    means = np.where(np.isfinite(folds.means), np.nan_to_num(later), np.nan)
    assert "labels shifted" in found(pipeline(panel, replace(folds, means=means)))


def test_tests_that_are_not_those_of_the_splits_are_found(panel: Panel, folds: Folds) -> None:
    shifted = replace(folds, fold=np.roll(folds.fold, -40))
    assert "spans apart" in found(pipeline(panel, shifted))


def test_features_that_know_the_future_are_found(
    panel: Panel, folds: Folds, monkeypatch: pytest.MonkeyPatch
) -> None:
    def knows(given: Panel) -> room.F32:
        made = room.features(given)
        made[:, :-1, 0] += np.float32(0.1) * made[:, 1:, 0]
        return made

    monkeypatch.setattr(gate_leaks, "features", knows)
    assert {"future perturbation", "streaming is batch"} <= found(pipeline(panel, folds))


def test_a_training_that_looks_at_its_test_is_found(
    panel: Panel, folds: Folds, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rrr.neural_network.graph import Scaling

    whole = Scaling.fitted

    def looks(x: room.F32) -> Scaling:
        return whole(x.base if x.base is not None else x)

    monkeypatch.setattr(Scaling, "fitted", looks)
    assert "tests poisoned" in found(pipeline(panel, folds))


def test_a_history_too_short_to_be_learned_from_says_so(panel: Panel, folds: Folds) -> None:
    short = panel.cut(0, 200)
    of = pipeline(short, replace(folds, means=folds.means[:, :200]))
    assert "cannot be learned from" in gate_leaks.poisoned(of)[0]


def test_recipes_count_once_and_looks_each_time(tmp_path: Path) -> None:
    home, here, other = Home(tmp_path), scope(), scope(market="replay")
    home.prepare()
    recipes = {"ridge": '"a"', "boosting": '"b"', "network": '"c"'}
    trials = gate_ledger.counted(home, here, recipes, '"one"', 1)
    assert gate_ledger.ledger(home, here, 21) == (24, 21, None, 1)
    gate_ledger.concluded(home, {trials["ridge"]: {"excess": 0.1, "sharpe": 0.2}})
    gate_ledger.concluded(home, {trials["boosting"]: {"excess": 0.3, "sharpe": None}})
    assert gate_ledger.ledger(home, here, 21).variance == pytest.approx(0.02)
    gate_ledger.seen(
        home, gate_ledger.family(here), [f'"{one}"' for one in ("one", "two", "three")], 1
    )
    gate_ledger.counted(home, here, recipes | {"network": '"d"'}, '"two"', 2)
    assert gate_ledger.ledger(home, here, 0)._replace(variance=None) == (4, 0, None, 3)
    gate_ledger.counted(home, other, recipes, '"four"', 3)
    known = gate_ledger.ledger(home, here, 0)
    assert (known.tried, known.looks) == (4, 3), "What is made up is another family."


def test_fewer_instruments_and_other_timeframes_are_no_new_beginning(tmp_path: Path) -> None:
    home, whole = Home(tmp_path), scope(market="kraken")
    home.prepare()
    recipe = {"ridge": '{"model":"ridge"}'}
    gate_ledger.counted(home, whole, recipe, '"one"', 1)
    for of in (
        whole._replace(symbols=whole.symbols[:1]),
        whole._replace(timeframe_ms=4 * whole.timeframe_ms),
        whole._replace(market="replay"),
    ):
        before = gate_ledger.ledger(home, whole, 0)
        gate_ledger.counted(home, of, recipe, key_of(of._asdict()), 1)
        here, there = (gate_ledger.ledger(home, one, 0) for one in (whole, of))
        assert (here.tried, here.looks) == (before.tried + 1, before.looks + 1), of
        assert (there.tried, there.looks) == (here.tried, here.looks), of
    gate_ledger.tried(home, whole._replace(timeframe_ms=1_000), {"ridge": '{"strategy":"a"}'}, 1)
    gate_ledger.tried(home, whole._replace(symbols=("ADA-USD",)), recipe, 1)
    assert gate_ledger.ledger(home, whole, 0).tried == here.tried, "Rules and strangers are none."


def test_a_refit_is_the_same_recipe_and_a_choice_another() -> None:
    learned = {"horizon": 4, "market": "kraken"}
    data = {"begins_ms": 0, "ends_ms": 10_000}
    said = {"kind": "ridge", "features_version": 1, "timeframe_ms": 1, "data": data}
    said |= {"settings": learned}
    settings = {"policy.stop_bps": {"value": 300}, "costs.slippage_ppm": {"value": 100}}
    usual = gate_ledger.recipe(said, settings)
    later = said | {"data": {"begins_ms": 24, "ends_ms": 10_100}}
    later |= {"settings": learned | {"market": "replay"}}
    assert gate_ledger.recipe(later, settings) == usual
    assert gate_ledger.recipe(said | {"kind": "network"}, settings) != usual
    half = said | {"data": data | {"begins_ms": 5_000}}
    assert gate_ledger.recipe(half, settings) != usual, "How much history is a choice."
    assert gate_ledger.recipe(said | {"settings": {"horizon": 8}}, settings) != usual
    assert gate_ledger.recipe(said, {"policy.stop_bps": {"value": 301}}) != usual
    assert gate_ledger.recipe(said, settings | {"gate.prior_trials": {"value": 0}}) == usual
    assert gate_ledger.recipe(said, settings | {"train.epochs": {"value": 1}}) == usual
