"""Whose opinion is heard is an event: a model is made, takes over, is recalled, lost, made anew."""

import os
import shutil
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from rrr.core.market import Candle
from rrr.data_pipeline.instruments import decimal_text
from rrr.data_pipeline.simulated import BEGINS_MS, GRAINS, simulated
from rrr.neural_network.job import needed
from tests.storm.homes import Ended, House, kill
from tests.wiring.daemons import (
    ADOPTED,
    BASELINE,
    HUMAN,
    LEARNING,
    SIGNAL,
    events,
    finished,
    flip,
    heard,
    learns,
    living,
    log,
    models,
    rows,
    stopped,
    trainings,
    until,
)

pytestmark = [pytest.mark.slow, learns]

HOUR_MS: Final = 3_600_000
FIRST_MS: Final = BEGINS_MS + HOUR_MS
TWO_DAYS: Final = ("--candles", "48", *LEARNING)


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, Ended]:
    """A home that began with nothing, at full speed, and how its life went."""
    house = House(tmp_path_factory.mktemp("settled"), TWO_DAYS)
    return house, house.run()


@pytest.fixture
def taught(tmp_path: Path, settled: tuple[House, Ended]) -> House:
    """A home that trades at a human pace and has a model, and nothing else."""
    house = House(tmp_path / "taught", LEARNING, speed=HUMAN)
    shutil.copytree(settled[0].home / "data" / "models", house.home / "data" / "models")
    return house


def adopted(house: House) -> list[int]:
    """The models that took over, in their order; 0 is the baseline."""
    return [model for _, model in rows(house, ADOPTED)]


def speakers(house: House) -> set[int]:
    return {model for *_, model in rows(house, SIGNAL)}


def told(house: House, name: str) -> list[str]:
    """The events of this name in the system's log."""
    return [event["text"] for event in events(house, "system") if event["event"] == name]


def test_at_full_speed_the_model_is_made_first_and_speaks_from_the_first_close(
    settled: tuple[House, Ended],
) -> None:
    house, life = settled
    assert life.code == 0, life.err
    ((at_ms, model),) = rows(house, ADOPTED)
    assert at_ms == FIRST_MS == min(at_ms for at_ms, *_ in rows(house, SIGNAL))
    assert speakers(house) == {model} != {0}
    assert life.err.index("is ready") < life.err.index("warmed up on")
    assert house.ask("SELECT proven FROM models WHERE id = ?", model) == [(0,)]
    assert len(models(house)) == 1

    again = house.run()
    assert "training a model" not in again.err
    assert again.told == life.told | {"session": "paper-2"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_first_training_that_is_stopped_leaves_nothing_and_the_next_is_the_same(
    tmp_path: Path, settled: tuple[House, Ended], number: signal.Signals
) -> None:
    house = House(tmp_path, TWO_DAYS)
    process = house.start()
    until(lambda: trainings(house), process)
    last = stopped(process, number)
    assert last.code == (0 if number == signal.SIGTERM else -number), last.err
    assert "Traceback" not in last.err
    for _ in range(1_000):  # it hangs by its parent's thread, and looks up now and then
        if not trainings(house):
            break
    assert trainings(house) == []
    if number == signal.SIGTERM:
        assert models(house) == []
        assert (last.told["candles"], last.told["orders"]) == (0, 0)
        return
    assert models(house) != [], "Half of something, which no dead process can clear away."
    assert house.run().told == settled[1].told
    assert models(house) == models(settled[0])


def test_too_little_history_is_told_with_what_is_needed(tmp_path: Path) -> None:
    market = recorded(tmp_path / "market", from_hour=100)
    for name, words in {
        "simulated": (*TWO_DAYS, "--set", f"train.history_candles={needed() - 1}"),
        "replay": (*market, "--signals", "model"),
    }.items():
        house = House(tmp_path / name, words)
        last = house.run()
        assert last.code == 79, last.err
        assert f"{needed():,}" in last.told["what"]
        assert "baseline" in last.told["advice"]
        assert "Traceback" not in last.err
        assert models(house) == []
        assert rows(house, SIGNAL) == []
        assert trainings(house) == []


def test_a_replay_learns_from_what_came_before_it(tmp_path: Path) -> None:
    market = (*recorded(tmp_path / "market", from_hour=1_200), "--signals", "model")
    house = House(tmp_path / "home", market)
    life = house.run()
    assert life.code == 0, life.err
    begins_ms = BEGINS_MS - 300 * HOUR_MS
    ((at_ms, model),) = rows(house, ADOPTED)
    assert at_ms == begins_ms + HOUR_MS
    assert speakers(house) == {model}
    assert life.told["closes"] == 300
    ((manifest,),) = house.ask("SELECT manifest FROM models WHERE id = ?", model)
    assert f'"ends_ms": {begins_ms}' in manifest, "It learned from nothing after the beginning."
    assert house.command("replay").told["identical"]

    twin = House(tmp_path / "twin", market, speed="1000000")
    shutil.copytree(house.home / "data" / "models", twin.home / "data" / "models")
    paced = twin.run()
    assert "training a model" not in paced.err
    assert paced.told == life.told, "A pace decides nothing in a replay."


def test_at_a_human_pace_the_baseline_speaks_until_the_model_takes_over(tmp_path: Path) -> None:
    house = House(tmp_path, LEARNING, speed=HUMAN)
    with living(house, "takes over from the baseline (unproven)") as process:
        for name in ("trading", "audit"):
            until(lambda name=name: [1] * ("takes over" in log(house, name)), process)  # type: ignore[misc]
        assert kill(process).code == -signal.SIGKILL
    ((at_ms, model),) = rows(house, ADOPTED)
    ((name, manifest),) = house.ask("SELECT name, manifest FROM models WHERE id = ?", model)
    assert name == f"model {model:012x}"
    assert f'"folder": "{models(house)[0]}"' in manifest
    for at, *_, speaker in rows(house, SIGNAL):
        assert speaker == (0 if at < at_ms else model)
    assert speakers(house) == {0, model}
    (took_over,) = [e for e in events(house, "audit") if e["event"] == "took_over"]
    assert took_over["detail"] == {"model": name, "before": "baseline", "proven": False}

    known = len(rows(house, SIGNAL))
    with living(House(house.home, LEARNING, speed="200000"), "  day ") as process:
        last = stopped(process)
    assert last.code == 0, last.err
    assert "training" not in last.err
    assert adopted(house) == [model]
    assert {speaker for *_, speaker in rows(house, SIGNAL)[known:]} == {model}
    assert house.command("replay").told["identical"]


def test_a_damaged_model_is_set_aside_and_the_baseline_trades_until_another_is_made(
    taught: House,
) -> None:
    with living(taught, "takes over from the baseline") as process:
        assert stopped(process).code == 0
    (model,), (name,) = adopted(taught), models(taught)
    flip(taught)
    with living(taught, f"the baseline takes over from model {model:012x}") as process:
        heard(process, f"model {model:012x} takes over from the baseline")
        assert stopped(process).code == 0
    assert adopted(taught) == [model, 0, model]
    assert models(taught) == sorted([name, f"damaged-{name}"])
    assert "sha256 is another. The baseline speaks" in told(taught, "model_lost")[0]
    assert f"set aside as damaged-{name}" in told(taught, "model_damaged")[0]
    assert taught.command("replay").told["identical"]

    shutil.rmtree(taught.home / "data" / "models" / f"damaged-{name}")
    flip(taught)
    settled = finished(House(taught.home, LEARNING).start())
    assert settled.code == 79
    assert "is not what was trained" in settled.told["what"]
    assert "rrr train" in settled.told["advice"]
    assert "Traceback" not in settled.err
    assert models(taught) == [name]


def test_a_killed_training_is_told_and_trading_goes_on_as_if_it_had_never_been(
    tmp_path: Path,
) -> None:
    house = House(tmp_path / "killed", (*LEARNING, "--set", "train.epochs=900"), speed=HUMAN)
    with living(house, "training a model on") as process:
        for pid in until(lambda: trainings(house), process):
            os.kill(pid, signal.SIGKILL)
        lines = heard(process, "no model: Training was killed by SIGKILL")
        assert "The baseline goes on" in lines[-1]
        reached = len(rows(house, SIGNAL))
        until(lambda: rows(house, SIGNAL)[reached:], process)
        assert house.command("status").told["live"]["training"] == ""
        last = stopped(process)
    assert last.code == 0, last.err
    assert (models(house), adopted(house), speakers(house)) == ([], [], {0})
    assert "WARNING" in log(house, "system")

    calm = House(tmp_path / "calm", (*TWO_DAYS, *BASELINE))
    assert calm.run().code == 0
    journal = house.says()["journal"]
    assert calm.says()["journal"][: len(journal)] == journal


def test_who_stops_a_training_of_the_command_line_loses_no_model(taught: House) -> None:
    before = models(taught)
    process = taught._begin(("-m", "rrr"), ("train", "--quick", *LEARNING, "--seed", "5"), {})
    until(lambda: trainings(taught), process)
    last = stopped(process)
    assert (last.code, last.told["error"]) == (69, "Unavailable")
    assert trainings(taught) == []
    assert models(taught) == before


def recorded(folder: Path, from_hour: int) -> tuple[str, ...]:
    """Write 1,500 hours of a market; what replays it from one of them on, and learns quickly."""
    market = simulated(("BTC-USD", "ETH-USD"), "1h", 1)
    closes = market.history(1_500)
    for index, one in enumerate(market.instruments):
        place = folder / "made" / one.spec.symbol
        place.mkdir(parents=True)
        candles = [(close.opened_at_ms, candle) for close in closes for candle in close.candles]
        lines = [
            line(at_ms, candle, one.spec.points)
            for at_ms, candle in candles
            if candle.instrument == index
        ]
        (place / "1h.csv").write_text("ts,open,high,low,close,volume\n" + "".join(lines))
    begins = datetime.fromtimestamp((closes[from_hour].opened_at_ms) / 1000, UTC)
    warm = ("--set", "policy.warmup_candles=10")
    return ("--replay", str(folder), "--from", f"{begins:%Y-%m-%dT%H:%MZ}", *LEARNING, *warm)


def line(at_ms: int, candle: Candle, points: int) -> str:
    prices = [decimal_text(price, points) for price in candle[1:5]]
    return f"{at_ms},{','.join(prices)},{decimal_text(candle.volume, GRAINS)}\n"
