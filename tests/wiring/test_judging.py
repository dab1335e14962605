"""A training with planted skill passes the gate by the program's own commands; luck is refused."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from rrr.backtesting import gate_ledger
from rrr.cli import command
from rrr.config import Home, load
from rrr.neural_network import registry
from rrr.neural_network.artefact import Artefact
from rrr.wiring.judging import tried
from rrr.wiring.model_list import SPAN
from tests.wiring.trainings import CHEAP, candles, training

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


@dataclass(frozen=True)
class House:
    home: Path
    made: dict[str, Artefact]
    capture: pytest.CaptureFixture[str]

    @property
    def models(self) -> Path:
        return self.home / "data" / "models"

    def rrr(self, *words: str) -> Said:
        code = command([*words, "--home", str(self.home)])
        found = self.capture.readouterr()
        return Said(code, found.out, found.err)

    def gate(self, kind: str, *more: str) -> Said:
        return self.rrr("models", "gate", self.made[kind].name, *CHEAP, *more)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.home / "data" / "research.db")) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[House]:
    models = tmp_path / "data" / "models"
    made = training(models, candles(), {"ridge": 0.3, "boosting": 0.0})
    yield House(tmp_path, made, capsys)


def test_planted_skill_passes_and_is_obeyed_and_luck_is_refused_with_its_reasons(
    house: House,
) -> None:
    skilled, lucky = (house.made[kind].name for kind in ("ridge", "boosting"))
    early = house.rrr("models", "promote", skilled, *CHEAP)
    assert early.code == 5
    assert "No gate judged it" in early.err
    assert f"rrr models gate {skilled}" in early.err

    passed = house.gate("ridge")
    assert passed.code == 0, passed.out
    assert "Passed all of 16 rules." in passed.out
    assert "the holdout was looked at 1 time" in passed.out
    assert "no funding is paid" in passed.out
    verdict = registry.verdict(house.models, skilled)
    assert verdict is not None
    assert verdict["verdict"]["sharpe"] > 5
    assert verdict["verdict"]["reported"]["random entries beaten"] == 1
    assert verdict["serves"] == skilled

    refused = house.gate("boosting")
    assert refused.code == 5
    assert "✗ beats ridge" in refused.out
    assert f"the simplest that is not beaten is ridge: {skilled}" in refused.out
    assert "looked at 2 times" in refused.out, "Its holdout was shown beside the other's."
    assert house.rrr("models", "promote", lucky, *CHEAP).code == 5

    promoted = house.rrr("models", "promote", skilled, *CHEAP)
    assert promoted.code == 0, promoted.err
    assert states(house) == {skilled: "champion", lucky: "candidate"}
    table = house.rrr("models", "list").out
    assert "champion" in table
    assert "passed" in table
    assert "refused" in table
    page = house.rrr("models", "show", skilled).out
    assert "Passed all of 16 rules." in page
    assert "Made by hand: ridge." in page


def test_what_the_holdout_showed_is_no_ones_to_read_before_the_gate(house: House) -> None:
    name = house.made["ridge"].name
    before = house.rrr("models", "show", name, "--json").told["manifest"]
    assert {frozenset(fold) for fold in before["folds"]} == {frozenset(SPAN)}
    assert "bps_per_unit" not in before
    house.gate("ridge")
    after = house.rrr("models", "show", name, "--json").told["manifest"]
    assert all(fold["ic"] == 0.02 for fold in after["folds"])


def test_a_quick_training_and_a_backtest_of_what_was_learned_look_at_the_holdout(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = dict(zip(CHEAP[::2], CHEAP[1::2], strict=True))
    given = {"market": "simulated", "symbols": words["--symbols"]}
    of = house.made["ridge"]
    quick = replace(of, manifest={**of.manifest, "full": False})
    home = Home(house.home)
    home.prepare()
    for _ in range(2):
        tried(home, load(home, overrides=given, environ={}), quick)
    assert gate_ledger.ledger(home, of.scope, 21).looks == 1
    folder = f"model:folder={of.folder}"
    monkeypatch.setattr("rrr.wiring.backtesting.learned_from", lambda *_: "It learned from them.")
    told = ("--symbols", words["--symbols"], "--market", "simulated", "--candles", "400")
    back = house.rrr("backtest", "--strategy", folder, "--in-sample", *told)
    assert back.code == 0, back.err
    assert gate_ledger.ledger(home, of.scope, 21).looks == 2


def test_a_look_is_counted_once_and_a_verdict_stands_until_its_terms_change(house: House) -> None:
    first = house.gate("ridge")
    assert len(house.ask("SELECT * FROM trials")) == 5
    again = house.gate("ridge")
    assert (again.code, again.out) == (first.code, first.out)
    assert "This verdict stands" in again.err
    assert len(house.ask("SELECT * FROM trials")) == 5

    dear = house.gate("ridge", "--set", "costs.taker_fee_ppm=200", "--json")
    assert dear.told["looks"] == 3, "Of two siblings on the terms before, and this one."
    assert dear.told["tried"] == 21 + 2 + 2
    cheap = house.rrr("models", "promote", house.made["ridge"].name, *CHEAP)
    assert cheap.code == 5
    assert "costs.BTC-USD.taker_fee_ppm 200, and this account says 100" in cheap.err
    known = house.ask("SELECT json_extract(outcome, '$.excess') FROM trials WHERE outcome NOTNULL")
    assert len(known) == 4
    named = house.made["ridge"].name
    loose = house.gate("ridge", "--set", "gate.prior_trials=0", "--set", "risk.gross_max_bps=9000")
    assert loose.code == 0
    refused = house.rrr("models", "promote", named, *CHEAP)
    assert refused.code == 5
    assert "gate.prior_trials 0, and this account says 21" in refused.err
    assert "risk.gross_max_bps 9000, and this account says 9500" in refused.err
    assert known[0][0] > 0.05


def test_dear_minutes_are_refused_with_the_arithmetic(house: House) -> None:
    said = house.gate("ridge", "--set", "costs.taker_fee_ppm=12000")
    assert said.code == 5
    assert "✗ break-even IC" in said.out
    assert "a taker pays 121.5 bps a side" in said.out
    assert "which pays from" in said.out


def test_other_candles_than_it_learned_from_are_refused_before_anything_is_looked_at(
    house: House,
) -> None:
    said = house.gate("ridge", "--seed", "2")
    assert said.code == 65
    assert "digest" in said.err
    assert "`rrr train` was given" in said.err
    assert not (house.home / "data" / "research.db").exists()
    replay = ("--market", "kraken")
    other = house.rrr("models", "gate", house.made["ridge"].name, *replay)
    assert other.code == 2
    assert "learned from simulated" in other.err


def test_what_cannot_be_judged_says_why(house: House) -> None:
    assert house.rrr("models", "gate", "fff").code == 66
    (house.made["ridge"].folder / "folds.safetensors").write_bytes(b"another")
    broken = house.gate("ridge")
    assert broken.code == 79
    assert "is not what was trained" in broken.err
    assert "Traceback" not in broken.err
    listed = house.rrr("models", "list")
    assert "damaged" in listed.out


def test_a_persons_word_is_for_paper_only_and_a_week_of_shadow_is_a_test_of_plumbing(
    house: House,
) -> None:
    name = house.made["boosting"].name
    said = house.rrr("models", "promote", name, "--paper", *CHEAP)
    assert said.code == 0
    assert "Real money does not: No gate judged it." in said.out
    shadow = house.rrr("models", "shadow", house.made["ridge"].name, "--json")
    assert "a test of plumbing" in shadow.told["said"]
    assert states(house) == {name: "champion", house.made["ridge"].name: "shadow"}
    assert house.rrr("models", "retire", name, "--reason", "no use").code == 0
    assert registry.standing(house.models, name).why == "no use"


def states(house: House) -> dict[str, str]:
    return {one.name: one.standing.state for one in registry.standings(house.models)}


def test_a_training_counts_when_it_is_shown_and_its_gate_counts_no_recipe_again(
    house: House,
) -> None:
    words = dict(zip(CHEAP[::2], CHEAP[1::2], strict=True))
    given = {"market": "simulated", "symbols": words["--symbols"], "costs.taker_fee_ppm": "100"}
    home = Home(house.home)
    home.prepare()
    loaded = load(home, overrides={**given, "gate.random_twins": "40"}, environ={})
    tried(home, loaded, house.made["boosting"])
    assert len(house.ask("SELECT DISTINCT recipe FROM trials")) == 2
    assert house.ask("SELECT * FROM trials WHERE family LIKE 'holdout%'") == []
    said = house.gate("ridge", "--json")
    assert (said.told["tried"], said.told["looks"]) == (21 + 2, 1)
    fewer = house.gate("ridge", "--json", "--set", "gate.prior_trials=0")
    assert (fewer.told["tried"], fewer.told["looks"]) == (2, 3)
