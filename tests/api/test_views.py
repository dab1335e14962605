"""What somebody else sees of a session: as of its last commit, and never more than that."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from rrr.api import views
from rrr.core.events import Command, Verb
from rrr.database.opening import PAPER, connect_read_only
from rrr.trading.engine.engine import Moment
from tests.builders import CAPITAL, QUANTA, START
from tests.storm.lives import lived, living, moments, spoil

PULSE: Final = {
    **{"pid": 7, "up_s": 4.2, "rows": 9, "at_ms": START, "training": "35 %"},
    **{"ages_s": {"BTC-USD": 0.4, "ETH-USD": 61.0}, "memory_mb": 70.4, "lag_p99_ms": 2.6},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "paper.db"


@pytest.fixture
def reader(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect_read_only(path, PAPER)) as connection:
        yield connection


def seen(path: Path, held: bool = False, live: dict[str, Any] | None = None) -> dict[str, Any]:
    with closing(connect_read_only(path, PAPER)) as connection:
        return views.status(connection, None, held) | {"live": live}


async def test_the_books_are_those_of_the_state(path: Path) -> None:
    async with living(path) as engine:
        for moment in moments()[:150]:
            await engine.take([moment])
            if sum(lane.quantity > 0 for lane in engine.state.lanes) >= 2:
                break
        found, state = seen(path, held=True), engine.state
        account = state.account
        assert found["cash"] == account.cash / QUANTA
        assert found["equity"] == (account.cash + account.worth) / QUANTA
        assert found["pnl"] == (account.cash + account.worth - CAPITAL) / QUANTA
        assert found["rows"] == engine.head.number
        assert found["state"] == "running"
        for position, lane in zip(found["positions"], state.lanes, strict=True):
            assert position["quantity"] == lane.quantity / 10**8
            assert position["mark"] == lane.mark / 10**4
            resting = lane.stop.price if lane.stop.kind else 0
            assert position["stop"] == (resting / 10**4 or None)
        words = views.in_words(found | {"live": PULSE})
    assert words.startswith("paper-1  running  paper · replay · baseline\n")
    assert "  daemon    pid 7, up 4.2 s" in words
    assert "unrealised" in words
    assert "e+" not in words
    assert "e-" not in words.replace("baseline", "")


async def test_a_market_that_is_listened_to_shows_the_age_of_its_data(path: Path) -> None:
    def pulse(at: int) -> dict[str, Any]:
        return {"candle_age_ms": 61_000, "data_age_ms": 100 * at, "source": "websocket"}

    instruments = {f"C{at}-USD": pulse(at) for at in range(7)}
    instruments["QUIET-USD"] = {"candle_age_ms": None, "data_age_ms": None, "source": "rest"}
    live = {**PULSE, "feed": "kraken by WebSocket", "heard": {"instruments": instruments}}
    async with living(path):
        lines = views.in_words(seen(path, held=True, live=live)).splitlines()
    assert "  feed    kraken by WebSocket" in lines
    assert lines[3] == "  data    C6-USD candle 1 min ago by websocket, heard of 0.6 s ago"
    assert sum(line.startswith("  data  ") for line in lines) == views.HEARD_SHOWN + 1
    assert lines[3 + views.HEARD_SHOWN] == "  data    and 3 more, heard of since then"


async def test_before_its_first_candle_a_session_has_nothing_to_show(path: Path) -> None:
    async with living(path):
        found = seen(path, held=True)
        words = views.in_words(found)
    assert "  as of   before its first candle" in words
    assert "  daemon  holds the home, and does not answer just now" in words
    assert "1970" not in words


async def test_a_halt_says_who_when_and_why(path: Path) -> None:
    async with living(path) as engine:
        await engine.take(moments()[:5])
        halt = Command(engine.head.at_ms, Verb.HALT)
        await engine.take([Moment((halt,), "the roof is on fire")])
        found = seen(path)
        assert found["halt"] == {
            "reason": "operator",
            "at_ms": engine.head.at_ms,
            "note": "the roof is on fire",
        }
        (line,) = [line for line in views.in_words(found).splitlines() if "HALT" in line]
        assert "operator (the roof is on fire), 20" in line
        assert line.endswith("no new risk until `rrr resume`")
        await engine.take([Moment((Command(engine.head.at_ms, Verb.RESUME),))])
        assert seen(path)["halt"] is None


async def test_who_runs_stopped_or_died_is_told_apart(path: Path) -> None:
    await lived(path, until=20)
    assert seen(path)["state"] == "died"
    # The lock may be held by a daemon that has not yet begun, or trades another session.
    assert seen(path, held=True)["state"] == "running"
    spoil(path, "UPDATE runs SET outcome = 'stopped'")
    assert seen(path, held=True)["state"] == seen(path)["state"] == "stopped"
    assert "stopped (the same command goes on)" in views.in_words(seen(path))
    spoil(path, "UPDATE sessions SET finished_at_ms = 1")
    assert seen(path)["state"] == "left unfinished"
    spoil(path, "UPDATE sessions SET state_hash = 'x'")
    assert seen(path)["state"] == "finished"


async def test_the_lock_of_another_session_is_not_ours(path: Path) -> None:
    await lived(path, seed=1, until=20)
    await lived(path, seed=2, until=20)
    with closing(connect_read_only(path, PAPER)) as connection:
        assert views.status(connection, "paper-1", True)["state"] == "died"
        assert views.status(connection, "paper-2", True)["state"] == "running"


def test_no_session_is_told_in_words() -> None:
    assert views.sessions_in_words([]) == "There is no session yet."


def test_sessions_stand_in_columns() -> None:
    one = {
        "session": "paper-9",
        "market": "replay",
        "signals": "baseline",
        "started_at_ms": START,
        "finished_at_ms": None,
        "state_hash": None,
        "instruments": ["made:BTC-USD"],
        "timeframe": "1h",
    }
    done = {"session": "paper-10", "finished_at_ms": 1, "state_hash": "a" * 64}
    left = {"session": "paper-8", "finished_at_ms": 1, "instruments": ["a", "b"]}
    last, middle, first = views.sessions_in_words([one | done, one, one | left]).splitlines()
    assert last.endswith("made:BTC-USD · 1h  finished " + "a" * 16)
    assert middle.endswith("1h  unfinished")
    assert first.endswith("2 instruments · 1h  left unfinished")
    assert last.index("UTC") == middle.index("UTC") == first.index("UTC")
