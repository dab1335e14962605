"""What a person types about real money: it is looked at, released, and sold in a panic."""

import asyncio
import json
import os
import pty
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final, TextIO

import pytest

import rrr.main
from rrr import cli
from rrr.api import controls
from rrr.config import Home, Loaded
from rrr.database.holder import held
from rrr.database.opening import LIVE, connect_read_only
from tests.api.afar import VENUE, ask, traded

SAID: Final = (
    ("market", VENUE, "--market"),
    ("symbols", "BTC-USD,ETH-USD", "--symbols"),
    ("live.venue", VENUE, "trading_config.yml line 3"),
    ("live.sandbox", "true", "--sandbox"),
    ("seed", "9", "default"),
)
Say = Callable[..., tuple[int, str, str]]
Panics = list[tuple[Home, Loaded, str, TextIO]]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose live session is unfinished, and nobody looks after it."""
    home = tmp_path_factory.mktemp("lived")
    (home / "data").mkdir()
    asyncio.run(traded(home / "data" / "live.db", closes=20))
    with closing(sqlite3.connect(home / "data" / "live.db")) as connection, connection:
        connection.execute("DELETE FROM settings WHERE name = 'market'")
        connection.executemany("INSERT INTO settings VALUES (1, ?, ?, ?)", SAID)
    return home


@pytest.fixture
def home(lived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return shutil.copytree(lived, tmp_path / "home")


@pytest.fixture
def say(home: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    def said(*words: str) -> tuple[int, str, str]:
        code = cli.command([*words, "--home", str(home)])
        return code, *capsys.readouterr()

    return said


@pytest.fixture
def panics(monkeypatch: pytest.MonkeyPatch) -> Panics:
    """Nobody is there to sell anything to; who was asked is kept."""
    asked: Panics = []

    async def alone(
        home: Home, loaded: Loaded, reason: str, stream: TextIO
    ) -> tuple[dict[str, Any], str]:
        asked.append((home, loaded, reason, stream))
        return {"sold": 2}, "all is sold"

    monkeypatch.setattr(rrr.main, "panic_alone", alone)
    return asked


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """A person at a terminal of his own."""
    main, terminal = pty.openpty()

    def line(text: str) -> None:
        os.write(main, f"{text}\n".encode())

    with os.fdopen(terminal, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield line
    os.close(main)


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (("status",), f"LIVE {VENUE}\nlive-1  died"),
        (("status", "live-1"), "tie-out   none yet"),
        (("sessions",), f"{VENUE} · baseline · 4 instruments · 1h  unfinished"),
        (("replay",), "identical: "),
        (("why", "BTC-USD"), "BTC-USD at 2027-01-1"),
        (("why", "btc", "--at", "2027-01-15T20:00"), "session live-1"),
        (("export", "{home}/taxes"), "live_orders.csv "),
        (("doctor",), "live.db, "),
    ],
)
def test_every_look_at_a_live_session_answers(
    say: Say, home: Path, words: tuple[str, ...], fragment: str
) -> None:
    filled = [word.format(home=home) for word in words]
    code, out, err = say(*filled, "--mode", "live")
    assert (code, err) == (0, "")
    assert fragment in out


def test_status_as_json_is_whole(say: Say) -> None:
    code, out, _ = say("status", "--mode", "live", "--json")
    found = json.loads(out)
    assert code == 0
    assert {*found["seam"]} == {
        *("venue", "sandbox", "tie_out", "frozen", "aside", "quarantine", "orders", "resting"),
        "ramp",
    }
    assert found["live"] is None


def test_where_nothing_was_traded_live_that_is_said(say: Say, home: Path) -> None:
    (home / "data" / "live.db").unlink()
    for command in (("status",), ("why", "BTC"), ("export", "taxes"), ("replay",), ("sessions",)):
        code, out, err = say(*command, "--mode", "live")
        assert (code, out) == (66, "")
        assert "nothing was traded live here" in err
        assert "--mode paper" not in err


@pytest.mark.parametrize(("environment", "red"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_the_banner_is_red_on_a_terminal_that_has_colours(
    home: Path, environment: dict[str, str], red: bool
) -> None:
    main, terminal = pty.openpty()
    given = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    words = ("-m", "rrr", "status", "--mode", "live", "--home", str(home))
    subprocess.run(
        [sys.executable, "-W", "error", *words],
        stdout=terminal,
        env=given | {"TERM": "xterm"} | environment,
        check=True,
    )
    first = os.read(main, 200).split(b"\r\n")[0].decode()
    os.close(main)
    os.close(terminal)
    assert first == (f"\x1b[1;31mLIVE {VENUE}\x1b[0m" if red else f"LIVE {VENUE}")


async def heard(home: Path, *words: str, mode: str = "live") -> tuple[int, list[dict[str, Any]]]:
    """What a daemon of this home is asked, when this is typed."""
    asked: list[dict[str, Any]] = []

    async def answer(question: dict[str, Any]) -> dict[str, Any]:
        asked.append(question)
        return {"said": f"{question['verb']} is done"}

    with held(home / "data", {"mode": mode}):
        async with controls.listening(controls.socket_path(home), answer):
            typed = [*words, "--home", str(home)]
            code = await asyncio.to_thread(cli.command, typed)
    return code, asked


async def test_a_release_names_the_instrument_and_why(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, asked = await heard(home, "release", "btc/usd", "--reason", "I sold it by hand")
    assert code == 0
    verb = {"verb": "release", "instrument": "BTC-USD", "reason": "I sold it by hand"}
    assert asked == [verb]
    assert capsys.readouterr().out == "release is done\n"


def test_without_a_daemon_nothing_is_released(say: Say) -> None:
    code, out, err = say("release", "BTC-USD")
    assert (code, out) == (69, "")
    assert "No daemon answers" in err
    assert "rrr --mode live" in err


def test_a_release_names_something(say: Say) -> None:
    code, _, err = say("release")
    assert code == 2
    assert "instrument" in err.lower()


def test_a_panic_without_a_daemon_is_told_what_its_daemon_was_told(
    say: Say, home: Path, panics: Panics
) -> None:
    code, out, err = say("panic", "--yes", "--reason", "fire")
    assert (code, out.strip(), err) == (0, "all is sold", "")
    ((where, loaded, reason, _),) = panics
    assert (where.root, reason) == (home, "fire")
    settings = loaded.settings
    assert (settings.market, settings.live.venue, settings.live.sandbox) == (VENUE, VENUE, True)
    assert settings.symbols == ("BTC-USD", "ETH-USD")
    assert settings.seed != 9, "What was a default then is one now."


def test_what_is_said_now_counts_more(say: Say, panics: Panics) -> None:
    assert say("panic", "--yes", "--symbols", "SOL-USD", "--json")[0] == 0
    assert panics[0][1].settings.symbols == ("SOL-USD",)
    assert panics[0][3] is sys.stderr


@pytest.mark.parametrize(("answer", "sold"), [("yes", 1), ("no", 0), ("", 0)])
def test_a_panic_asks_once_and_says_where_real_money_moves(
    say: Say, panics: Panics, typed: Callable[[str], None], answer: str, sold: int
) -> None:
    typed(answer)
    code, _, err = say("panic")
    assert code == 0
    assert f"No daemon runs. Every order of live-1 at {VENUE} is cancelled" in err
    assert ("Nothing was done." in err) == (not sold)
    assert len(panics) == sold


def test_a_panic_asks_whoever_is_not_there_nothing(
    say: Say, panics: Panics, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path(os.devnull).open(encoding="utf-8") as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        code, _, err = say("panic")
    assert (code, panics) == (2, [])
    assert "rrr panic --yes" in err


async def test_a_daemon_that_runs_is_asked_first(home: Path, panics: Panics) -> None:
    code, asked = await heard(home, "panic", "--yes", "--reason", "fire")
    assert (code, panics) == (0, [])
    assert asked == [{"verb": "panic", "reason": "fire"}]


@pytest.mark.parametrize("words", [(), ("--mode", "live")])
async def test_a_daemon_on_paper_is_not_taken_for_the_one_with_the_money(
    home: Path, panics: Panics, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    code, asked = await heard(home, "panic", "--yes", *words, mode="paper")
    assert (code, asked, panics) == (69, [], [])
    said = capsys.readouterr().err
    assert f"A daemon on paper holds {home}, and live-1 at {VENUE} is unfinished." in said
    code, asked = await heard(home, "panic", "--yes", "--mode", "paper", mode="paper")
    assert (code, [one["verb"] for one in asked], panics) == (0, ["panic"], [])


def test_a_daemon_that_hangs_is_to_be_ended_first(say: Say, home: Path, panics: Panics) -> None:
    with held(home / "data", {"mode": "live"}):
        code, _, err = say("panic", "--yes")
    assert (code, panics) == (69, [])
    assert "holds" in err
    assert "kill -9" in err


@pytest.mark.parametrize("words", [("--mode", "paper"), ()])
def test_where_no_live_session_is_unfinished_nothing_is_sold(
    say: Say, home: Path, panics: Panics, words: tuple[str, ...]
) -> None:
    if not words:
        with closing(sqlite3.connect(home / "data" / "live.db")) as connection, connection:
            connection.execute("UPDATE sessions SET finished_at_ms = 1")
    code, _, err = say("panic", "--yes", *words)
    assert (code, panics) == (69, [])
    assert "No daemon answers" in err


async def test_an_empty_live_database_holds_no_panic_up(home: Path, panics: Panics) -> None:
    (home / "data" / "live.db").write_bytes(b"")
    code, asked = await heard(home, "panic", "--yes", mode="paper")
    assert (code, len(asked), panics) == (0, 1, [])


def test_to_look_changes_nothing(say: Say, home: Path) -> None:
    with closing(connect_read_only(home / "data" / "live.db", LIVE)) as connection:
        before = connection.execute("PRAGMA data_version").fetchone()
        for command in (("status",), ("replay",), ("why", "ETH-USD"), ("sessions",)):
            say(*command, "--mode", "live")
        assert connection.execute("PRAGMA data_version").fetchone() == before
    assert ask(home / "data" / "live.db", "SELECT count(*) FROM runs") == [(1,)]
