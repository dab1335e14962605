"""The first hour of a person: one command, real decisions, a model, and what happened and why."""

import json
from pathlib import Path

import pytest

from tests.storm.homes import House
from tests.wiring.daemons import (
    HUMAN,
    LEARNING,
    heard,
    learns,
    living,
    log,
    said,
    stopped,
)

pytestmark = [pytest.mark.slow, learns]


def test_a_person_who_only_knows_one_command_sees_a_day_and_its_reasons(tmp_path: Path) -> None:
    """Nothing is configured, nobody is online: the baseline trades, the model takes over, and
    tomorrow the logs, `why`, `doctor` and `replay` agree on what happened."""
    house = House(tmp_path, LEARNING, speed=HUMAN)
    with living(house, "session paper-1 begins") as process:
        first = "".join(heard(process, "  BUY "))
        assert "(signal, baseline)" in first
        found = house.command("status").told
        assert found["state"] == "running"
        assert "takes over" not in first
        heard(process, "takes over from the baseline (unproven)")
        why = said(tmp_path, "why", "BTC-USD")
        assert (why.code, "BTC-USD" in why.out) == (0, True), why.err
        last = stopped(process)
    assert last.code == 0, last.err
    assert last.told["books_balanced"]
    assert last.told["takeovers"][0]["model"].startswith("model ")

    story = log(house, "trading")
    order = ["session paper-1 begins", "  BUY ", "takes over", "stopped: the same command"]
    places = [story.index(words) for words in order]
    assert places == sorted(places)
    examined = json.loads(said(tmp_path, "doctor", "--json").out)
    wrong = [one for one in examined["checks"] if one["ok"] is False and one["name"] != "clock"]
    assert wrong == []
    replayed = house.command("replay")
    assert (replayed.code, replayed.told["identical"]) == (0, True)
    assert replayed.told["state_hash"] == last.told["state_hash"]
