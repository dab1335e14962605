"""What a champion thinks is in the journal's commit: a killed daemon knows what a calm one does."""

import json
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from rrr.database.opening import PAPER, connect_read_only
from tests.storm.homes import House, kill
from tests.wiring.daemons import ADOPTED, SIGNAL, events, heard, living, models, rows, said, until
from tests.wiring.served import champion, house_of

pytestmark = pytest.mark.slow

OPINIONS = """SELECT closed_at_ms, instrument, model, conviction_bps, reason, mean, probability,
    low, high, alpha, unit_return, cost_return, outside_ratio, unknown, candle_age_ms,
    model_age_ms, psi, psi_max, psi_feature, losses_worse, score FROM opinions
    WHERE session = 1 ORDER BY 1, 2"""
MONITORS = "SELECT book, model, state FROM monitors"


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A home whose daemon lived to the end."""
    house = house_of(tmp_path_factory.mktemp("calm"), 700)
    champion(house)
    life = house.run()
    assert life.code == 0, life.err
    return house


def test_the_champion_serves_from_the_first_close_and_nothing_is_trained(calm: House) -> None:
    ((_, model),) = rows(calm, ADOPTED)
    assert {speaker for *_, speaker in rows(calm, SIGNAL)} == {model}
    assert len(folders(calm)) == 1
    (count,), (told,) = (
        calm.ask("SELECT count(*) FROM opinions")[0],
        calm.ask("SELECT count(*) FROM journal WHERE kind = 5")[0],
    )
    assert count == 2 * 700
    silent = calm.ask("SELECT count(*) FROM opinions WHERE conviction_bps IS NULL")[0][0]
    assert told == count - silent > 500
    assert silent > 0
    assert {reason for *_, reason in calm.ask("SELECT DISTINCT 1, reason FROM opinions")} >= {
        "",
        "promises too little to open, enough to hold",
        "a round trip costs more than it promises",
    }


@pytest.mark.parametrize("seed", [1])
def test_a_daemon_that_is_killed_remembers_what_one_that_lived_does(
    tmp_path: Path, calm: House, seed: int
) -> None:
    house, dice, lives = house_of(tmp_path, 700), Random(seed), 0
    champion(house)
    while True:
        process, reached = house.start(), house.rows()
        more = dice.randint(100, 700)
        until(lambda: [1] * (house.rows() > reached + more or over(house)), process)  # noqa: B023
        if over(house):
            break
        kill(process)
        lives += 1
    process.wait(60)
    process.communicate()
    assert lives > 1
    assert house.ask(OPINIONS) == calm.ask(OPINIONS)
    assert house.ask(MONITORS) == calm.ask(MONITORS)
    assert house.state_hash() == calm.state_hash()


def over(house: House) -> bool:
    return house.state_hash() is not None if house.rows() else False


def folders(house: House) -> list[str]:
    return [name for name in models(house) if not name.startswith("registry")]


def moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).isoformat()


def explained(house: House, *words: str) -> tuple[int, Any]:
    ended = house.command("explain", *words)
    return ended.code, json.loads(ended.out)


def test_every_opinion_can_be_made_anew(calm: House) -> None:
    times = [at_ms for (at_ms,) in calm.ask("SELECT DISTINCT closed_at_ms FROM opinions")]
    for at_ms in [times[0], Random(1).choice(times)]:
        code, found = explained(calm, "--at", moment(at_ms))
        assert (code, found["identical"], len(found["opinions"])) == (0, True, 2)
        assert {one["at_ms"] for one in found["opinions"]} == {at_ms}


@pytest.mark.parametrize(
    ("column", "value", "name"),
    [
        ("mean", "mean + 0.001", "mean"),
        ("alpha", "alpha / 2", "low"),
        ("cost_return", "cost_return * 99", "reason"),
        ("reason", "'the market is not the one it learned'", "reason"),
        ("conviction_bps", "1234", "conviction_bps"),
    ],
)
def test_a_row_that_was_changed_is_named(
    tmp_path: Path, calm: House, column: str, value: str, name: str
) -> None:
    house = House(tmp_path / "changed", calm.market)
    shutil.copytree(calm.home, house.home)
    with sqlite3.connect(house.path) as connection:
        connection.execute(
            f"UPDATE opinions SET {column} = {value} WHERE instrument = 0 AND closed_at_ms ="
            " (SELECT max(closed_at_ms) FROM opinions WHERE conviction_bps > 0)"
        )
        (at_ms,) = connection.execute(
            "SELECT max(closed_at_ms) FROM opinions WHERE conviction_bps > 0"
        ).fetchone()
    connection.close()
    code, found = explained(house, "BTC-USD", "--at", moment(at_ms))
    assert (code, found["opinions"][0]["difference"]) == (3, name)


def test_a_model_that_is_gone_cannot_be_explained_and_a_rule_is_by_why(
    tmp_path: Path, calm: House
) -> None:
    house = House(tmp_path / "lost", calm.market)
    shutil.copytree(calm.home, house.home)
    (name,) = folders(house)
    shutil.rmtree(house.home / "data" / "models" / name)
    lost = house.command("explain", "BTC-USD")
    assert lost.code == 79
    assert "is missing" in lost.told["what"]
    assert "restore its folder" in lost.told["advice"]

    ruled = House(tmp_path / "ruled", ("--candles", "300", "--signals", "baseline"))
    assert ruled.run().code == 0
    code, found = explained(ruled, "BTC-USD")
    assert (code, found["identical"]) == (0, True)
    assert "baseline" in found["opinions"][0]["why"]
    assert ruled.command("explain", "DOGE-USD").code == 66


def test_a_model_that_is_too_old_is_flat_visibly(tmp_path: Path) -> None:
    house = house_of(tmp_path, 60, "--set", "abstain.expire_hours=40")
    champion(house)
    assert house.run().code == 0
    told = house.ask("SELECT min(closed_at_ms), max(conviction_bps) FROM opinions WHERE reason ="
                     " 'the model is too old'")  # fmt: skip
    first = house.ask("SELECT min(closed_at_ms) FROM opinions")[0][0]
    assert told == [(first + 40 * 3_600_000, 0)]
    notes = [one["text"] for one in events(house, "system") if one["event"] == "model_disbelieved"]
    assert len(notes) == 1
    assert "wishes to be flat: the model is too old" in notes[0]
    assert "because the model is too old" in plain(house, "why", "BTC-USD")
    assert explained(house)[0] == 0


def plain(house: House, *words: str) -> str:
    return said(house.home, *words).out


def test_a_model_that_is_promoted_while_it_runs_takes_over_between_two_closes(
    tmp_path: Path,
) -> None:
    house = house_of(tmp_path, 5_000, speed="7200")
    first = champion(house, 1)
    with living(house, "takes over from the baseline") as process:
        second = champion(house, 2)
        heard(process, f"model {second.id:012x} takes over from model {first.id:012x}")
        until(lambda: house.ask(OPINIONS.replace("1 ORDER", f"1 AND model = {second.id} ORDER")),
              process)  # fmt: skip
        kill(process)
    assert [model for _, model in rows(house, ADOPTED)] == [first.id, second.id]
    at_ms = rows(house, ADOPTED)[1][0]
    for closed, *_, speaker in rows(house, SIGNAL):
        assert speaker == (first.id if closed < at_ms else second.id)
    for closed, _, model in house.ask("SELECT closed_at_ms, instrument, model FROM opinions"):
        assert model == (first.id if closed < at_ms else second.id)
    with connect_read_only(house.path, PAPER) as connection:
        assert connection.execute("SELECT count(*) FROM monitors").fetchone() == (2,)


def test_a_backtest_and_a_session_of_a_model_are_identical(tmp_path: Path) -> None:
    house = house_of(tmp_path, 200)
    folder = champion(house).folder
    words = [*house.market, "--strategy", f"model:folder={folder}"]
    found = house.command("parity", *words)
    assert found.code == 0, found.out + found.err
    assert found.told["identical"]
