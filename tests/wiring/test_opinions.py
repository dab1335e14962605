"""A strategy that was asked for speaks from the first close on, adopted and named as a model is."""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from rrr.core.events import Close
from rrr.core.market import Candle
from rrr.data_pipeline.simulated import BEGINS_MS, PAST
from rrr.neural_network.panel import panel_of
from rrr.neural_network.strategies import SILENT
from rrr.neural_network.strategies.asked import asked
from rrr.neural_network.strategies.naming import named
from rrr.neural_network.strategies.strategy import identity
from tests.neural_network.strategies import mine
from tests.storm.homes import House, ended, kill
from tests.wiring.daemons import (
    ADOPTED,
    CLOSE,
    HUMAN,
    SIGNAL,
    TWO,
    events,
    heard,
    living,
    rows,
    said,
    stopped,
)

pytestmark = pytest.mark.slow

HOUR_MS: Final = 3_600_000
FIRST_MS: Final = BEGINS_MS + HOUR_MS
CROSS: Final = "moving-average-cross:fast=5,slow=20"
MARKET: Final = ("--candles", "48", *TWO)


def spoken(house: House, text: str) -> list[list[Any]]:
    """What a strategy says of the closes that a session met, as the rows of its signals."""
    strategy = named(text)
    closes = [
        Close(at_ms, opened, tuple(Candle(*one) for one in candles), tuple(missing))
        for at_ms, opened, candles, missing in rows(house, CLOSE)
    ]
    panel = panel_of(closes, 2, HOUR_MS)
    told = asked(strategy, panel)
    return [
        [int(panel.opened_at_ms[column]) + HOUR_MS, number, int(told[number, column])]
        for column in range(PAST, panel.times)
        for number in np.flatnonzero(told[:, column] != SILENT).tolist()
    ]


@pytest.mark.parametrize("text", [CROSS, "breakout:entry_candles=10,exit_candles=5", "champion"])
def test_its_signals_are_what_it_says_of_the_history_that_the_session_met(
    tmp_path: Path, text: str
) -> None:
    house, strategy = House(tmp_path, (*MARKET, "--signals", text)), named(text)
    life = house.run()
    assert life.code == 0, life.err
    assert rows(house, ADOPTED) == [[FIRST_MS, identity(strategy)]]
    assert [one[:3] for one in rows(house, SIGNAL)] == spoken(house, text)
    assert {model for *_, model in rows(house, SIGNAL)} == {identity(strategy)}
    assert life.told["signals"] == f"{strategy.text} from 2024-01-01 01:00Z"
    ((name, proven, manifest),) = house.ask("SELECT name, proven, manifest FROM models WHERE id")
    assert (name, proven) == (strategy.text, 0)
    told = {"strategy": strategy.text, "source": "", "window": strategy.window}
    assert json.loads(manifest) == told
    assert house.command("replay").told["identical"]


def test_it_is_named_wherever_a_person_looks(tmp_path: Path) -> None:
    life = said(tmp_path, "--mode", "paper", *MARKET, "--signals", CROSS, "--speed", "max")
    assert life.code == 0, life.err
    assert f"signals: {CROSS} (unproven)" in life.out
    assert f"{CROSS} takes over from the baseline" in life.out
    assert f"{CROSS} (unproven)" in said(tmp_path, "why", "BTC-USD").out.replace("\n          ", "")
    for command in ("status", "sessions"):
        assert f"simulated · {CROSS}" in said(tmp_path, command).out


def test_a_name_and_its_usual_parameters_are_one_session(tmp_path: Path) -> None:
    house = House(tmp_path, ("--candles", "9000", *TWO, "--signals", "champion"), speed=HUMAN)
    with living(house, "champion:weekday=1,traded=64 (unproven)") as process:
        assert kill(process).code == -9
    again = House(tmp_path, ("--candles", "9000", *TWO, "--signals", "champion:traded=64"), HUMAN)
    with living(again, "session paper-1 ") as process:
        assert stopped(process).code == 0
    assert house.ask("SELECT count(*) FROM sessions") == [(1,)]


def test_who_is_killed_speaks_on_and_is_adopted_once(tmp_path: Path) -> None:
    market = ("--candles", "300", *TWO, "--signals", CROSS)
    house = House(tmp_path / "killed", market, speed="200000")
    with living(house, "  day ") as process:
        assert kill(process).code == -9
    assert House(house.home, market).run().code == 0
    whole = House(tmp_path / "whole", market)
    assert whole.run().code == 0
    assert house.says() == whole.says()
    assert len(rows(house, ADOPTED)) == 1


def test_a_file_that_changed_is_another_strategy_and_takes_over(tmp_path: Path) -> None:
    place = tmp_path / "mine.py"
    place.write_text(Path(mine.__file__).read_text())
    before, text = named(f"{place}:Above"), f"{place}:Above"
    market = ("--candles", "1000", *TWO, "--signals", text)
    house = House(tmp_path / "home", market, speed="200000")
    with living(house, "  day ") as process:
        assert stopped(process).code == 0
    place.write_text(place.read_text().replace("> over(panel.close", ">= over(panel.close"))
    after = named(text)
    with living(house, f"{after.title} takes over from {before.title}") as process:
        assert stopped(process).code == 0
    assert [model for _, model in rows(house, ADOPTED)] == [identity(before), identity(after)]
    (changed,) = [one for one in events(house, "system") if one["event"] == "strategy_changed"]
    assert changed["text"].startswith(f"this session obeyed {before.title}; {after.title}")
    assert house.ask("SELECT count(*) FROM sessions") == [(1,)]
    assert house.command("replay").told["identical"]


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("moving-average", 66, "There are moving-average-cross, "),
        ("trend:fast=9,slow=3", 78, "trend:fast=9,slow=3,full_swings=4 makes no sense"),
        ("nowhere.py", 66, "'nowhere.py' cannot be read"),
    ],
)
def test_one_that_cannot_be_made_begins_nothing(
    tmp_path: Path, text: str, code: int, words: str
) -> None:
    house = House(tmp_path, (*MARKET, "--signals", text))
    life = house.run()
    assert life.code == code
    assert words in life.out
    assert "Traceback" not in life.err
    assert house.rows() == 0


def test_one_that_raises_ends_the_session_with_its_candle_and_the_books_stay_whole(
    tmp_path: Path,
) -> None:
    place = tmp_path / "mine.py"
    breaks = "        assert panel.opened_at_ms[-1] < 1_704_150_000_000, 'enough'\n"
    head, tail = Path(mine.__file__).read_text().split("        above = ", 1)
    place.write_text(f"{head}{breaks}        above = {tail}")
    house = House(tmp_path / "home", (*MARKET, "--signals", f"{place}:Above"), speed="200000")
    process = house.start()
    heard(process, "takes over")
    life = ended(process)
    assert life.code == 80, life.err
    assert life.told["error"] == "StrategyBroken"
    assert "fails at the candle of BTC-USD that opened 2024-01-01 23:00Z" in life.told["what"]
    assert "AssertionError: enough (mine.py, line " in life.told["what"]
    assert "Traceback" not in life.err
    assert rows(house, SIGNAL)[-1][0] <= 1_704_150_000_000
    assert house.command("replay").told["identical"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "moving-average-cross:slow=700",
            "warming up: {} of the 700 candles that an opinion needs",
        ),
        ("breakout:entry_candles=600,exit_candles=600", " has had no opinion of it so far"),
    ],
)
def test_why_there_is_no_signal_is_told(tmp_path: Path, text: str, words: str) -> None:
    house = House(tmp_path, ("--candles", "5", *TWO, "--signals", text))
    assert house.run().code == 0
    assert rows(house, SIGNAL) == []
    known = sum(1 in {one[0] for one in candles} for _, _, candles, _ in rows(house, CLOSE))
    silence = house.command("why", "ETH-USD").told["silence"]
    assert silence.removeprefix(text) == words.format(known)
