"""An exchange is traded by the real command line, without keys; what it lacks is told in words."""

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from rrr.core.market import Source
from rrr.core.orders import Side
from rrr.data_pipeline.recording import recorded
from rrr.database.holder import held, is_held
from tests.data_pipeline.loopback import Loopback, Row, says
from tests.storm.homes import House
from tests.wiring.daemons import (
    BASELINE,
    CLOSE,
    SIGNAL,
    heard,
    living,
    rows,
    stopped,
)

pytestmark = pytest.mark.slow

MINUTE_MS: Final = 60_000
BEFORE_MS: Final = 4_000  # a closing time, the daemon starts: soon enough, and not too soon
ELSEWHEN: Final = str(Path("tests") / "wiring" / "elsewhen.py")
SETTINGS: Final = (*BASELINE, "--timeframe", "1m", "--set", "policy.conviction_min_bps=0")


def ahead_ms() -> int:
    """How far ahead a clock is that will strike a full minute in so long."""
    return (MINUTE_MS - BEFORE_MS - time.time_ns() // 1_000_000) % MINUTE_MS


def rising(symbol: str, opened_at_ms: int) -> Row:
    """A market that has only ever gone up, a little faster each minute."""
    minutes = opened_at_ms // MINUTE_MS % 100_000
    price = 1_000 + minutes / 100
    texts = [f"{price + up:.1f}" for up in (0, 0.3, -0.3, 0.2)]
    return Row._make([opened_at_ms, *texts, "12.5"])


def kraken(server: Loopback | str, *more: str) -> tuple[str, ...]:
    address = server if isinstance(server, str) else server.address
    return ("--market", "kraken", "--address", address, "--symbols", "BTC-USD", *SETTINGS, *more)


@pytest.fixture
def server() -> Iterator[Loopback]:
    ahead = ahead_ms()
    with Loopback(clock_ms=lambda: time.time_ns() // 1_000_000 + ahead, candle=rising) as loopback:
        yield loopback


def test_the_past_teaches_and_the_next_closing_time_is_traded_on(
    tmp_path: Path, server: Loopback
) -> None:
    house = House(tmp_path, kraken(server), speed="1")
    ahead = str(server.clock_ms() - time.time_ns() // 1_000_000)
    with living(house, "asking kraken", ELSEWHEN, ahead) as process:
        heard(process, "session paper-1 begins")
        lines = heard(process, "  order buy ")
        found = house.command("status").told
        assert (found["state"], found["live"]["feed"][:6]) == ("running", "kraken")
        last = stopped(process)
    assert last.code == 0, last.err
    told = "".join(lines) + last.err
    for words in ("SYNTHETIC", "Unclosed", "Traceback", "training"):
        assert words not in told
    ((traded, signals),) = house.ask(
        "SELECT count(DISTINCT at_ms), count(*) FROM journal WHERE kind = ?", SIGNAL
    )
    closes = rows(house, CLOSE)
    assert traded == signals == 1, "One instrument, one closing time that was not past."
    assert rows(house, SIGNAL)[0][0] == closes[-1][0]
    assert len(closes) > 240
    assert {candle[-1] for _, _, candles, _ in closes for candle in candles} == {Source.REST}
    assert [at for at, *_ in closes] == list(range(closes[0][0], closes[-1][0] + 1, MINUTE_MS))
    assert house.ask("SELECT market FROM sessions") == [("kraken",)]
    assert house.ask("SELECT side FROM orders") == [(Side.BUY,)]
    assert house.command("replay").told["identical"]
    assert not any("private" in path.lower() for path in server.asked)


def test_who_stops_it_while_it_waits_for_a_close_is_heard(tmp_path: Path, server: Loopback) -> None:
    house = House(tmp_path, kraken(server), speed="1")
    ahead = str(server.clock_ms() - time.time_ns() // 1_000_000)
    with living(house, "session paper-1 begins", ELSEWHEN, ahead) as process:
        last = stopped(process, signal.SIGINT)
    assert last.code == 0, last.err
    assert "Unclosed" not in last.err
    assert last.told["market"] == "kraken"


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (("--market", "krakenn"), 2, "'krakenn' is no exchange that ccxt knows."),
        (("--symbols", "DOGE-USD"), 66, "DOGE-USD"),
        (("--timeframe", "12h"), 2, "12h"),
        (("--seed", "1"), 69, "answers"),
    ],
)
def test_what_an_exchange_lacks_is_told_in_words(
    tmp_path: Path, server: Loopback, words: tuple[str, ...], code: int, what: str
) -> None:
    if code == 69:
        server.market_faults.extend([says(503)] * 20)
    last = House(tmp_path, kraken(server, *words), speed="1").run()
    assert (last.code, what in last.told["what"]) == (code, True), last.told
    assert "Traceback" not in last.err
    assert "Unclosed" not in last.err
    assert not (tmp_path / "data").exists(), "A market that is not there leaves a home alone."


def test_no_network_is_told_in_words(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    last = House(tmp_path, kraken(f"http://127.0.0.1:{port}"), speed="1").run()
    assert (last.code, last.told["error"]) == (69, "Unavailable")
    assert "kraken" in last.told["what"]
    assert "network" in last.told["advice"]
    assert "Unclosed" not in last.err
    assert "Traceback" not in last.err


def test_who_stops_it_before_the_exchange_has_answered_is_heard(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        house = House(tmp_path / "home", kraken(address), speed="1")
        with living(house, "asking kraken") as process:
            said = stopped(process)
    assert said.code == 0, said.err
    assert said.told == {"session": None, "outcome": "It was stopped before kraken answered."}
    assert "Traceback" not in said.err
    assert not (tmp_path / "home").exists(), "Nothing was begun."


def test_a_home_that_is_held_is_found_out_before_anybody_is_asked(
    tmp_path: Path, server: Loopback
) -> None:
    (data := tmp_path / "data").mkdir()
    with held(data, {"mode": "paper"}):
        last = House(tmp_path, kraken(server, "--record"), speed="1").run()
    assert (last.code, last.told["error"]) == (75, "HomeHeld"), last.err
    assert server.asked == []
    assert not (data / "recordings").exists()


@pytest.mark.parametrize("begun", [True, False])
def test_nothing_is_recorded_of_what_is_not_there(
    tmp_path: Path, server: Loopback, begun: bool
) -> None:
    if begun:
        (tmp_path / "data").mkdir()
    last = House(tmp_path, kraken(server, "--record", "--symbols", "DOGE-USD"), speed="1").run()
    assert last.code == 66, last.err
    assert (tmp_path / "data").exists() == begun
    assert not (tmp_path / "data" / "recordings").exists()


def test_a_new_home_is_held_before_anything_is_recorded_in_it(
    tmp_path: Path, server: Loopback
) -> None:
    house = House(tmp_path / "home", kraken(server, "--record"), speed="1")
    data = tmp_path / "home" / "data"
    ahead = str(server.clock_ms() - time.time_ns() // 1_000_000)
    with living(house, "session paper-1 begins", ELSEWHEN, ahead) as process:
        assert is_held(data)
        last = stopped(process)
    assert last.code == 0, last.err
    [folder] = (data / "recordings").iterdir()
    lines = list(recorded(folder, lambda *told: None))
    assert [line.kind for line in lines[:2]] == ["about", "answer"]
