"""Whose opinion a run is of, what it is made for, and whether it knows the candles already."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from rrr import cli
from rrr.backtesting.history import History
from rrr.config import Home, load
from rrr.config.round_trip import round_trip_ppm
from rrr.core.errors import ConfigError, NotFound
from rrr.data_pipeline.simulated import simulated
from rrr.neural_network.strategies.naming import named
from rrr.neural_network.strategies.neural import Neural
from rrr.neural_network.strategies.trend import Trend
from rrr.wiring.strategies import as_usual, learned_from, meant
from tests.backtesting.runs import of_closes
from tests.builders import HOUR, PRICE, START
from tests.neural_network.markets import network, trained
from tests.storm.homes import BEGINS_MS, HOUR_MS, SYMBOLS, made
from tests.test_cli import Rrr, refused
from tests.test_cli import rrr as rrr  # the fixture

SIMULATED: Final = ("BTC-USD", "ETH-USD", "LINK-USD", "SOL-USD")
Learned = Callable[..., Path]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def learned(home: Home) -> Learned:
    """A model that learned until then."""

    def made(ends_ms: int, **changes: Any) -> Path:
        data = {"digest": "0" * 64, "begins_ms": 0, "ends_ms": ends_ms}
        return trained(home.data / "models", network(), data=data, **changes).folder

    return made


def settings(home: Home, **changes: object) -> Any:
    return load(home, overrides=changes, environ={}, past=True)


def test_the_baseline_speaks_unless_somebody_else_is_named(home: Home) -> None:
    market = simulated((), "1h", 1)
    usual = settings(home).settings
    assert meant(home, usual, market) == Trend(48, 240, 4)
    assert meant(home, settings(home, signals="trend:fast=3").settings, market) == Trend(fast=3)


def test_the_model_is_the_last_that_was_made_for_this_market(home: Home, learned: Learned) -> None:
    market = simulated((), "1h", 1)
    asked = settings(home, signals="model").settings
    with pytest.raises(NotFound, match="has no model of BTC-USD, ETH-USD"):
        meant(home, asked, market)
    learned(5, market="replay", symbols=SIMULATED)
    learned(7, market="simulated", symbols=SIMULATED)
    last = learned(9, market="simulated", symbols=SIMULATED)
    costs = round_trip_ppm(asked, SIMULATED), 0, 2_500, 5_200
    assert meant(home, asked, market) == Neural(str(last), *costs)


COSTS: Final = "cost_ppm=7,margin_ppm=0,hold_bps=2500,probability_min_bps=5200"


def test_a_path_means_the_same_from_any_folder(
    home: Home, learned: Learned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(
        "from tests.neural_network.strategies.mine import Above as Base\n\n\n"
        "class Mine(Base):\n    pass\n",
        encoding="utf-8",
    )
    folder = learned(5).relative_to(tmp_path)
    market = simulated((), "1h", 1)
    for text, whole in (
        ("mine.py:candles=3", f"{tmp_path}/mine.py:Mine:candles=3"),
        (f"model:folder={folder},{COSTS}", f"model:folder={tmp_path / folder},{COSTS}"),
    ):
        found = meant(home, settings(home, signals=text).settings, market)
        assert found.text == whole
        assert named(found.text) == found


def of_hours(begins_ms: int, market: str) -> History:
    """Ten hours from then on."""
    history = of_closes(np.full((3, 10), PRICE))
    panel = replace(history.panel, opened_at_ms=history.panel.opened_at_ms - START + begins_ms)
    return replace(history, panel=panel, about={"market": market})


# (market of the model, until when it learned, market of the candles, whether it knows them)
KNOWN: Final = [
    ("replay", 0, "replay", False),
    ("replay", 1, "replay", True),
    ("replay", 99, "replay", True),
    ("kraken", 1, "replay", True),
    ("simulated", 99, "replay", False),
    ("replay", 99, "simulated", False),
    ("simulated", 1, "simulated", True),
]


@pytest.mark.parametrize(("made_of", "hours", "traded_on", "known"), KNOWN)
def test_a_model_knows_the_candles_that_came_before_it_was_made(
    learned: Learned, made_of: str, hours: int, traded_on: str, known: bool
) -> None:
    begins_ms = 100 * HOUR
    strategy = Neural(str(learned(begins_ms + hours * HOUR, market=made_of)))
    assert bool(learned_from(strategy, of_hours(begins_ms, traded_on))) == known
    assert learned_from(Trend(), of_hours(begins_ms, traded_on)) == ""


def test_what_it_learned_from_it_is_not_asked_unless_every_page_says_so(
    rrr: Rrr, learned: Learned, tmp_path: Path
) -> None:
    words = made(tmp_path / "market", hours=220)
    ends_ms = BEGINS_MS + 200 * HOUR_MS
    folder = learned(ends_ms, market="replay", symbols=tuple(SYMBOLS))
    asked = ("backtest", *words, "--strategy", f"model:folder={folder}", "--interpreted")
    where = ("--null", "20", "--home", tmp_path)
    refused(rrr(*asked, *where), 2, "The model learned from candles up to 2024-01-11 08:00Z")
    assert not (tmp_path / "data" / "research.db").exists()
    known = rrr(*asked, "--in-sample", *where)
    assert known.code == 0
    assert "IN SAMPLE  The model learned from candles up to" in known.out
    after = rrr(*asked, "--from", "2024-01-11T08:00Z", *where)
    assert after.code == 0
    assert "IN SAMPLE" not in after.out


def test_what_nobody_chose_is_as_the_strategy_is_made_for(home: Home) -> None:
    plain = settings(home, signals="champion")
    usual = as_usual(plain)
    assert usual.settings.policy.entry == "maker"
    assert usual.origin("policy.entry") == "strategy champion"
    assert as_usual(usual) == usual
    chosen = as_usual(settings(home, signals="champion", **{"policy.entry": "take"}))
    assert chosen.settings.policy.entry == "take"
    assert as_usual(settings(home)) == settings(home)


def test_the_shipped_file_chooses_nothing_and_another_line_does(home: Home) -> None:
    home.config.mkdir()
    file = home.config / "trading_config.yml"
    file.write_text("policy: {entry: take, stop_bps: 300}\n", encoding="utf-8")
    assert as_usual(settings(home, signals="champion")).settings.policy.stop_bps == 3_000
    file.write_text("policy: {stop_bps: 301}\n", encoding="utf-8")
    assert as_usual(settings(home, signals="champion")).settings.policy.stop_bps == 301


def test_what_is_usual_and_no_setting_is_a_mistake_of_the_strategy(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for usual, said in (
        ({"policy.stop": "3"}, "hold is made for policy.stop, which is no setting."),
        ({"policy.stop_bps": "0"}, "hold is made for policy.stop_bps 0; allowed is a whole"),
    ):
        monkeypatch.setattr("rrr.neural_network.strategies.hold.Hold.usual", usual)
        with pytest.raises(ConfigError, match=said):
            as_usual(settings(home, signals="hold"))


def test_a_strategy_that_nobody_knows_is_told_before_anything_begins(
    rrr: Rrr, tmp_path: Path
) -> None:
    refused(rrr("--signals", "oracle", "--home", tmp_path), 66, "There is no strategy 'oracle'.")
    assert cli.command(["config", "--signals", "hold", "--home", str(tmp_path)]) == 0
