"""The doctor says what `--mode live` would say, where somebody enabled it."""

import sqlite3
from functools import partial
from pathlib import Path

import pytest

from rrr.api.checks import Patient
from rrr.api.checks_live import live, seam
from rrr.api.doctor import CHECKS, HOUSE, as_json, doctor, doctor_in_words
from rrr.database import live as rows
from rrr.database.live import Foreign, Outside, Tied
from rrr.database.sessions import Session
from rrr.home import Home
from tests.api.afar import KEY, traded, write
from tests.builders import START

ENABLED = """
market: kraken
symbols: [BTC-USD]
live:
  enabled: true
  venue: kraken
  instruments: [BTC-USD]
  order_notional_max: 60000
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


def replays(connection: sqlite3.Connection, session: Session) -> bool:
    raise AssertionError("There is nothing to replay.")


def patient(home: Home, settings: Path | None = None) -> Patient:
    return Patient(home, "paper", replays, settings, lambda: 1_800_000_000_000)


def test_where_nobody_enabled_it_all_is_well(home: Home) -> None:
    found = live(patient(home))
    assert (found.ok, found.advice) == (True, "")
    assert found.figure == "not enabled: orders go to the paper venue"


def test_what_is_missing_is_counted_and_each_has_its_way_out(home: Home) -> None:
    (home.config / "trading_config.yml").write_text(ENABLED, encoding="utf-8")
    found = live(patient(home))
    assert not found.ok
    assert found.figure.startswith("lacks 4 things: (1) caps: No cap is set by live.orders_per_m")
    for number, name in enumerate(("caps", "ramp", "model", "keys"), 1):
        assert f"({number}) {name}: " in found.figure
        assert f"({number}) " in found.advice
    assert "confirmation" not in found.figure, "A doctor starts nothing."
    assert f"mkdir -m 700 -p {home.config / 'api_keys'}" in found.advice


def test_another_file_of_settings_may_be_examined(home: Home, tmp_path: Path) -> None:
    other = tmp_path / "other.yml"
    other.write_text(ENABLED, encoding="utf-8")
    assert not live(patient(home, other)).ok


def test_it_is_a_room_of_the_house_and_its_lacks_make_the_house_not_ok(home: Home) -> None:
    (home.config / "trading_config.yml").write_text(ENABLED, encoding="utf-8")
    rooms = [one for one in CHECKS if one.name == "live" and one not in HOUSE]
    found = doctor(home, "paper", replays, among=rooms)
    assert [(check.name, check.mark) for check in found] == [("live", "✗")]
    assert not as_json(found)["ok"]
    assert max(map(len, doctor_in_words(found).splitlines())) <= 80 + len(str(home.root))


async def test_what_stands_open_at_the_seam_is_a_warning_and_never_keeps_anybody_from_starting(
    home: Home,
) -> None:
    assert seam(patient(home)).figure == "nothing was traded live here"
    await traded(home.data / "live.db")
    assert "nothing is in doubt" in seam(patient(home)).figure
    path = home.data / "live.db"
    write(path, partial(rows.tie_out, key=KEY, at_ms=START, tied=[Tied(0, 5, 0, 4, 0)]))
    foreign = Foreign(Outside.ORDER, "1 O9", 0, 1, 0, 0, START, "sell 0.1 ETH")
    write(path, partial(rows.set_aside, key=KEY, foreign=[foreign], at_ms=START))
    found = seam(patient(home))
    assert found.ok
    assert "ETH-USD is frozen" in found.figure
    assert "the last tie-out differs" in found.figure
    assert found.advice == "rrr status --mode live says more."
    assert [one.name for one in HOUSE if one.name == "seam"] == []
