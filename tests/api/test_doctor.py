"""Each part of the house is broken in turn: the doctor names it, with a figure and a way out."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

import pytest

from rrr.api import checks, checks_database, checks_rooms, controls
from rrr.api.checks import Finding, Patient
from rrr.api.doctor import (
    CHECKS,
    WIDTH,
    Check,
    Examination,
    as_json,
    doctor,
    doctor_in_words,
    examined,
)
from rrr.backtesting import parity
from rrr.core.market import BPS
from rrr.database.client import Client, get_db
from rrr.database.holder import held
from rrr.database.migrate import MIGRATIONS, steps
from rrr.database.opening import PAPER
from rrr.database.sessions import Session
from rrr.home import Home
from rrr.trading.engine.opening import core_hash
from tests.storm.lives import ask, lived, spoil

NOW_MS = 1_800_000_000_000
ROOMS = {
    *("core", "database", "data_pipeline", "neural_network"),
    *("trading", "backtesting", "monitoring", "api"),
}


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A private place for sockets, whose paths are short, and no settings but those of the home."""
    for name in [name for name in os.environ if name.startswith("RRR_")]:
        monkeypatch.delenv(name)
    with TemporaryDirectory() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


@pytest.fixture
def patient(home: Home) -> Patient:
    return Patient(home, "paper", identical, None, lambda: NOW_MS)


def identical(connection: sqlite3.Connection, session: Session) -> bool:
    return parity.replayed(connection, session, core_hash()).identical


def asked(name: str, patient: Patient, limit_s: float = 30.0) -> Finding:
    (look,) = [one.look for one in CHECKS if one.name == name]
    return examined(look, patient, limit_s)


def tree(root: Path) -> dict[str, int]:
    return {str(path.relative_to(root)): path.stat().st_size for path in root.rglob("*")}


def test_a_home_that_is_not_there_yet_is_well_and_stays_that_way(tmp_path: Path) -> None:
    found = doctor(Home(tmp_path / "not" / "yet"), "paper", identical)
    assert [check for check in found if not check.ok] == []
    assert not (tmp_path / "not").exists()
    assert [check.name for check in found] == [one.name for one in CHECKS]
    assert ROOMS.issubset(check.name for check in found)
    assert all(check.figure for check in found)
    assert "the first start makes data, logs, backups, config" in found[0].figure
    words = doctor_in_words(found).splitlines()
    assert words[0].startswith("✓ directories ")
    assert max(map(len, words)) <= WIDTH
    assert words[-1].startswith(f"all {len(CHECKS)} checks passed, ")
    said = as_json(found)
    assert said["ok"] is True
    assert all(set(one) == {"name", "ok", "figure", "advice"} for one in said["checks"])


async def test_a_home_that_was_lived_in_is_left_as_it_was(home: Home) -> None:
    path = home.data / "paper.db"
    await lived(path, until=40)
    (home.data / "rrr.lock").touch()
    rows = ask(path, "SELECT count(*), coalesce(max(id), 0) FROM system_events")
    before = tree(home.root)
    found = {check.name: check for check in doctor(home, "paper", identical)}
    assert [check for check in found.values() if not check.ok] == []
    assert tree(home.root) == before
    assert ask(path, "SELECT count(*), coalesce(max(id), 0) FROM system_events") == rows
    assert "1 session, version" in found["database"].figure
    assert "quick_check ok in" in found["database"].figure
    assert found["round trip"].figure.endswith("ms to write, read and delete")


def test_a_warning_has_advice_and_a_failure_makes_the_whole_not_ok() -> None:
    well, warned = Check("a", True, "1", ""), Check("b", True, "2", "mind it")
    failed = Check("c", False, "3", "mend it")
    assert [check.mark for check in (well, warned, failed)] == ["✓", "!", "✗"]
    assert as_json([well, warned])["ok"]
    assert not as_json([well, warned, failed])["ok"]
    assert doctor_in_words([well, warned, failed]).splitlines() == [
        *("✓ a  1", "! b  2", "     → mind it", "✗ c  3", "     → mend it"),
        *("", "1 of 3 checks failed, 1 with a warning"),
    ]


@pytest.mark.parametrize("name", ["data", "logs", "backups"])
def test_a_folder_that_cannot_be_written_is_named(patient: Patient, name: str) -> None:
    folder = patient.home.root / name
    folder.rmdir()
    folder.write_text("no folder")
    finding = asked("directories", patient)
    assert not finding.ok
    assert finding.figure.startswith(f"{folder}")
    assert "Not a directory" in finding.figure


@pytest.fixture
def stuck(home: Home) -> Iterator[Path]:
    """A file of settings that never answers, as on a drive that hangs."""
    fifo = home.config / "trading_config.yml"
    os.mkfifo(fifo)
    yield fifo
    os.close(os.open(fifo, os.O_WRONLY))  # whoever still waits goes on


def test_what_hangs_is_told_in_time_and_the_others_are_asked_all_the_same(
    home: Home, stuck: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = [
        one._replace(
            limit_s=0.2 if one.name in ("config", "live") else 30.0, at_home=one.name == "model"
        )
        for one in CHECKS
    ]
    monkeypatch.setattr("rrr.api.doctor.CHECKS", hasty)
    found = {check.name: check for check in doctor(home, "paper", identical)}
    assert found["config"].figure == "no answer within 0.2 s"
    assert [name for name, check in found.items() if not check.ok] == ["config", "live"]


def test_behind_a_drive_that_hangs_nobody_waits_long(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stands(_: Patient) -> Finding:
        Event().wait()
        raise AssertionError("It never comes back.")

    monkeypatch.setattr("rrr.api.doctor.AFTER_A_HANG_S", 0.02)
    waiting = [
        Examination("first", stands, 0.1, at_home=True),
        Examination("second", stands, 600.0, at_home=True),
        Examination("elsewhere", lambda _: Finding("well"), 600.0),
    ]
    monkeypatch.setattr("rrr.api.doctor.CHECKS", waiting)
    said = [check.figure for check in doctor(home, "paper", identical)]
    assert said == ["no answer within 0.1 s", "no answer within 0.02 s", "well"]


def test_a_check_that_hangs_does_not_outwait_its_limit(patient: Patient, stuck: Path) -> None:
    finding = asked("config", patient, limit_s=0.05)
    assert (finding.ok, finding.hung) == (False, True)
    assert finding.figure == "no answer within 0.05 s"


def test_a_fault_of_the_program_itself_is_a_finding_too(patient: Patient) -> None:
    def at_fault(_: Patient) -> Finding:
        raise AssertionError("2 is not 3")

    finding = examined(at_fault, patient, 5)
    assert finding == Finding(
        "AssertionError: 2 is not 3", "The program is at fault, not you: report it.", ok=False
    )


def test_a_library_that_is_missing_is_named(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "PACKAGES", ("no-such-package",))
    finding = asked("python", patient)
    assert not finding.ok
    assert "no-such-package" in finding.figure
    assert "pip install" in finding.advice


def test_a_setting_that_is_wrong_is_told_with_its_line(patient: Patient) -> None:
    (patient.home.config / "trading_config.yml").write_text("policy:\n  stop_bps: none\n")
    finding = asked("config", patient)
    assert not finding.ok
    assert "stop_bps" in finding.figure


def test_settings_of_ones_own_are_counted(patient: Patient) -> None:
    (patient.home.config / "trading_config.yml").write_text("policy:\n  stop_bps: 200\n")
    assert asked("config", patient).figure.startswith("1 setting given, ")


async def test_a_clock_that_was_set_back_is_told(patient: Patient) -> None:
    path = patient.home.data / "paper.db"
    await lived(path, until=5)
    for file in (path, *patient.home.data.iterdir()):
        os.utime(file, (NOW_MS / 1000 - 9, NOW_MS / 1000 - 9))
    assert asked("clock", patient).ok
    assert asked("clock", patient).figure.endswith("paper.db 9 s ago")
    spoil(path, f"UPDATE runs SET started_at_ms = {NOW_MS + 3_600_000}")
    for file in patient.home.data.iterdir():
        os.utime(file, (NOW_MS / 1000 - 9, NOW_MS / 1000 - 9))
    finding = asked("clock", patient)
    assert not finding.ok
    assert finding.figure.endswith(", 1 h 0 min behind the last row")
    os.utime(path, (NOW_MS / 1000 + 86_400, NOW_MS / 1000 + 86_400))
    assert asked("clock", patient).figure.endswith(", 1 d 0 h behind paper.db")


def test_a_disk_that_is_nearly_full_is_told(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked("disk", patient).ok
    free = shutil.disk_usage(patient.home.root).free
    monkeypatch.setattr(checks, "SCARCE_BYTES", 2 * free)
    assert asked("disk", patient).advice.startswith("Free some space")
    monkeypatch.setattr(checks, "LEAST_BYTES", 2 * free)
    assert not asked("disk", patient).ok


async def test_a_page_that_was_overwritten_is_found(patient: Patient) -> None:
    path = patient.home.data / "paper.db"
    await lived(path, until=60)
    assert asked("database", patient).ok
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + b"\xff" * 4096 * 8 + content[-4096:])
    finding = asked("database", patient)
    assert not finding.ok
    assert finding.advice == "Restore a backup."


def test_a_file_that_is_no_database_of_ours_is_refused_and_left_as_it_is(
    patient: Patient,
) -> None:
    path = patient.home.data / "paper.db"
    path.touch()
    assert asked("database", patient) == Finding("paper.db is empty: the first start fills it")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
    before = path.read_bytes()
    finding = asked("database", patient)
    assert not finding.ok
    assert finding.figure == f"{path} is of another program or mode"
    assert asked("round trip", patient).figure.endswith("in a file made for it")
    assert path.read_bytes() == before
    path.write_text("no database at all, but long enough to be looked at" * 20)
    assert "is not an SQLite database" in asked("database", patient).figure


async def test_a_database_of_an_older_version_is_not_changed(
    patient: Patient, tmp_path: Path
) -> None:
    older = tmp_path / "older"
    older.mkdir()
    shutil.copy(steps(MIGRATIONS)[0], older)
    path = patient.home.data / "paper.db"
    async with Client.open(path, application_id=PAPER, migrations=older):
        pass
    finding = asked("database", patient)
    assert finding.ok
    assert f"version 1 of {len(steps(MIGRATIONS))}" in finding.figure
    assert finding.advice == "The next start brings it up to date."
    assert asked("round trip", patient).figure.endswith("in a file made for it")
    assert ask(path, "PRAGMA user_version") == [(1,)]


async def test_a_large_database_is_looked_at_only_as_long_as_there_is_time(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lived(patient.home.data / "paper.db", until=5)
    monkeypatch.setattr(checks_database, "QUICK_CHECK_S", -1.0)
    monkeypatch.setattr(checks_database, "LOOK_EVERY", 1)
    finding = asked("database", patient)
    assert finding.ok
    assert "not done within" in finding.figure
    assert "let `sqlite3 " in finding.advice


def test_an_sqlite_with_a_known_bug_is_a_warning_that_says_what_keeps_clear_of_it(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.40.1")
    finding = asked("sqlite", patient)
    assert finding.ok
    assert "WAL-reset bug" in finding.advice
    assert "One daemon writes" in finding.advice
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.51.3")
    assert asked("sqlite", patient) == Finding("3.51.3")
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.36.0")
    assert not asked("sqlite", patient).ok


def test_a_core_that_decides_otherwise_is_told(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked("core", patient).ok
    law = checks_rooms.LAW._replace(stop_bps=checks_rooms.LAW.stop_bps + BPS // 1_000)
    monkeypatch.setattr(checks_rooms, "LAW", law)
    finding = asked("core", patient)
    assert not finding.ok
    assert f"{checks_rooms.DECIDED[:12]} was expected" in finding.figure


def test_a_session_that_replays_otherwise_is_told(patient: Patient) -> None:
    assert asked("backtesting", patient).ok
    otherwise = replace(patient, replays=lambda connection, session: False)
    finding = asked("backtesting", otherwise)
    assert not finding.ok
    assert finding.figure.endswith("and not identical")


def test_a_model_is_verified_and_asked_and_a_damaged_one_is_named(patient: Patient) -> None:
    pytest.importorskip("onnx", reason="A network is made with the training extra.")
    from rrr.neural_network import registry
    from tests.neural_network.markets import network, trained

    assert asked("model", patient) == checks_rooms.NO_MODEL
    models = patient.home.data / "models"
    models.mkdir()
    assert asked("model", patient) == checks_rooms.NO_MODEL
    made = trained(models, network(), metrics={"ic": 0.0612})
    finding = asked("model", patient)
    assert finding.ok
    about = "(candidate: unproven), validation IC +0.061, answers for"
    assert finding.figure.startswith(f"{made.name} {about}")
    registry.promote(models, made.name, 1, "passed its gate")
    trained(models, network(2))
    assert asked("model", patient).figure.startswith(f"{made.name} (champion: passed its gate)")
    (made.folder / "model.onnx").write_bytes(b"spoiled")
    finding = asked("model", patient)
    assert not finding.ok
    assert f"the champion {made.name}: model.onnx of the model in" in finding.figure
    assert f"rrr models retire {made.name}" in finding.advice
    for one in registry.standings(models):
        registry.retire(models, one.name, 2, "no use")
    assert asked("model", patient) == checks_rooms.NO_MODEL_OURS


def test_without_torch_the_baseline_trades(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks_rooms, "find_spec", lambda name: None)
    finding = asked("neural_network", patient)
    assert finding.ok
    assert finding.figure.endswith("no torch")
    assert "pip install 'rrr[train]'" in finding.advice


def test_logs_are_counted(patient: Patient) -> None:
    folder = patient.home.logs / "trading"
    folder.mkdir()
    (folder / "trading.log").write_bytes(bytes(1_500))
    archive = patient.home.logs / "archive"
    archive.mkdir()
    for name in ("a.gz", "b.gz"):
        (archive / name).write_bytes(bytes(2_000))
    assert asked("monitoring", patient) == Finding("1 log file, 1.5 kB; 2 archives, 4 kB")


def test_a_socket_whose_path_is_too_long_is_told_before_a_daemon_fails(
    patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    finding = asked("api", patient)
    assert not finding.ok
    assert "XDG_RUNTIME_DIR" in finding.advice


async def test_while_a_daemon_lives_here_it_is_asked_and_nobody_else_writes(
    patient: Patient,
) -> None:
    root = patient.home.root
    async with get_db("paper", root, read_only=False) as db:

        async def answer(said: dict[str, Any]) -> dict[str, Any]:
            match said["verb"]:
                case "status":
                    return {"pid": 4711}
                case _:
                    return {"round_trip_ms": await checks_database.round_trip_ms(db)}

        with held(patient.home.data, {"mode": "paper"}):
            async with controls.listening(controls.socket_path(root), answer):
                found = {
                    name: await asyncio.to_thread(asked, name, patient)
                    for name in ("holder", "api", "round trip")
                }
        assert found["holder"].figure == f"a daemon: pid {os.getpid()}, mode paper"
        assert "the daemon, pid 4711, answers in" in found["api"].figure
        assert found["round trip"].figure.endswith("by the daemon")
        assert await db.read("SELECT count(*) FROM system_events") == [(0,)]


def test_a_daemon_that_does_not_answer_is_told(patient: Patient) -> None:
    with held(patient.home.data, {"mode": "paper"}):
        for name in ("api", "round trip"):
            finding = asked(name, patient)
            assert not finding.ok
            assert "No daemon answers" in finding.figure
