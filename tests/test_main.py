"""One life of the daemon after another: asked, stopped, and going on as if nothing had been."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any, Final

import pytest

from rrr import cli
from rrr.config import Home, load
from rrr.data_pipeline.instruments import decimal_text
from rrr.monitoring.story import Story
from rrr.trading.engine.engine import Engine
from rrr.wiring.answers import answer
from rrr.wiring.beginning import recorded
from rrr.wiring.opinions import Opinions
from rrr.wiring.pace import Pace
from rrr.wiring.tasks import House as Joined
from rrr.wiring.tasks import decide
from rrr.wiring.teller import Teller
from tests.storm import lives
from tests.storm.homes import (
    BEGINS_MS,
    HOUR_MS,
    LIVELY,
    RECORDED,
    ROOT,
    SYMBOLS,
    House,
    begun,
    ended,
    made,
)

pytestmark = pytest.mark.slow

HUMAN: Final = "200000"  # so many hours an hour: a life of a few seconds
HEADER: Final = "ts,open,high,low,close,volume\n"
real = pytest.mark.skipif(not RECORDED.is_dir(), reason="the shared market data is not here")


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    return made(tmp_path_factory.mktemp("market"), hours=400)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory, market: Sequence[str]) -> dict[str, Any]:
    """What a life that nobody disturbs comes to."""
    return House(tmp_path_factory.mktemp("untouched"), market).run().told


@contextmanager
def living(house: House, until: str = "2024-") -> Iterator["subprocess.Popen[str]"]:
    """A daemon that trades, and has come to this date; what is left of it at the end dies."""
    process = house.start()
    try:
        begun(process)
        assert process.stderr is not None
        assert any(line.startswith(until) for line in process.stderr)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            ended(process)


def traded(home: Path, *words: str) -> dict[str, Any]:
    """The summary of a session in this process."""
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()):
        assert cli.command([*words, "--home", str(home), "--json"]) == 0
    told: dict[str, Any] = json.loads(out.getvalue())
    return told


def test_two_fresh_homes_come_to_the_same_at_the_same_time(
    tmp_path: Path, market: Sequence[str], untouched: dict[str, Any]
) -> None:
    houses = [
        House(tmp_path / name, market) for name in ("one", "two words, ünïcode 日本", "t" * 200)
    ]
    processes = [house.start() for house in houses]
    assert [ended(process).told for process in processes] == [untouched] * len(houses)
    assert untouched["fills"] > 50
    assert untouched["books_balanced"]
    assert untouched["instruments"] == [f"made:{symbol}" for symbol in sorted(SYMBOLS)]


def test_a_human_pace_changes_nothing_that_is_decided(
    tmp_path: Path, market: Sequence[str], untouched: dict[str, Any]
) -> None:
    fast = House(tmp_path, market, speed="1000000").run()
    assert fast.told == untouched
    assert "BUY " in fast.err
    assert "(signal, baseline)" in fast.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_who_is_stopped_goes_on_with_the_same_command(
    tmp_path: Path, market: Sequence[str], untouched: dict[str, Any], number: signal.Signals
) -> None:
    house = House(tmp_path, market, speed=HUMAN)
    with living(house) as process:
        process.send_signal(number)
        last = ended(process)
    killed = number == signal.SIGKILL
    assert last.code == (-number if killed else 0), last.err
    assert "Traceback" not in last.err
    found = house.command("status").told
    assert found["state"] == ("died" if killed else "stopped")
    assert not found["finished"]
    assert house.command("replay").told["identical"]
    if not killed:
        assert 0 < last.told["candles"] < untouched["candles"]
        assert last.told["state_hash"] != untouched["state_hash"]
    again = House(tmp_path, market).run()
    assert "session paper-1 goes on after row" in again.err
    assert again.told == untouched


def test_a_daemon_is_asked_halted_and_resumed_from_outside(
    tmp_path: Path, market: Sequence[str]
) -> None:
    house = House(tmp_path, market, speed="20000")
    with living(house) as process:
        second = house.run()
        assert second.code == 75
        assert f"pid {process.pid}" in second.told["what"]

        found = house.command("status").told
        assert (found["state"], found["live"]["pid"]) == ("running", process.pid)
        assert house.command("replay").told["identical"]
        assert house.command("sessions").told["sessions"][0]["finished_at_ms"] is None

        assert "halt" in house.command("halt", "--reason", "on fire: \udcfc").told["said"]
        halt = house.command("status").told["halt"]
        assert (halt["reason"], halt["note"]) == ("operator", "on fire: ?")
        assert "resume" in house.command("resume").told["said"]
        assert house.command("status").told["halt"] is None

        process.send_signal(signal.SIGTERM)
        assert ended(process).code == 0
    assert house.command("halt").code == 69
    assert house.command("replay").told["identical"]


def joined(engine: Engine, folder: Path) -> Joined:
    """The joints around an engine whose market is over."""
    path = folder / "market" / "made" / "ADA-USD"
    path.mkdir(parents=True)
    (path / "1h.csv").write_text(HEADER + f"{BEGINS_MS},100,100,100,100,5\n")
    home = Home.at(folder)
    loaded = load(home, overrides={"replay": str(folder / "market")}, environ={})
    market, teller = recorded(home, loaded.settings), Teller(StringIO(), loaded)
    story = Story(lives.terms().units, engine.state, every_decision=False)
    return Joined(
        loaded.settings,
        market,
        engine.db,
        engine,
        Opinions(home, loaded.settings, market, engine, teller, {}, story.warmed),
        story,
        teller,
        asyncio.Event(),
        Pace("max", real=False),
    )


async def test_what_is_said_of_a_daemon_is_committed(tmp_path: Path) -> None:
    """A halt in bytes that no file can hold is one; what is only decided is not told."""
    async with lives.living(tmp_path / "paper.db") as engine:
        house = joined(engine, tmp_path)
        begun = engine.head.number
        batch = engine.decide(lives.moments()[:5])
        assert engine.head.number > begun
        assert (await answer(house, {"verb": "status"}))["rows"] == begun
        await engine.commit(batch)
        told = await answer(house, {"verb": "status"})
        assert (told["rows"], told["at_ms"]) == (engine.head.number, engine.head.at_ms)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(decide(house, tasks))
            await answer(house, {"verb": "halt", "reason": "Verlust\udcfc\ud800"})
            await house.inbox.put(None)
    assert lives.ask(tmp_path / "paper.db", "SELECT note FROM halts") == [("Verlust??",)]


def test_a_market_whose_name_is_no_text_is_traded(tmp_path: Path) -> None:
    try:
        market = made(tmp_path / "m\udce4rkt", hours=30)
    except OSError:
        pytest.skip("this system takes no such name")
    assert traded(tmp_path / "home", *market)["books_balanced"]
    (replay,) = House(tmp_path / "home", ()).ask("SELECT value FROM settings WHERE name = 'replay'")
    assert replay == (str(tmp_path / "m?rkt"),)


def test_a_home_adds_rules_to_those_of_the_house_and_has_the_last_word(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home")
    home.prepare()
    (home.config / "instruments.toml").write_text(
        '[coinbase."BTC-USD"]\ntick = "0.5"\nlot = "0.001"\n'
        '[coinbase."NEW-USD"]\ntick = "0.25"\nlot = "1"\n',
        encoding="utf-8",
    )
    for symbol in ("BTC-USD", "ETH-USD", "NEW-USD"):
        place = tmp_path / "market" / "coinbase" / symbol
        place.mkdir(parents=True)
        (place / "1h.csv").write_text(HEADER + f"{BEGINS_MS},100,100,100,100,5\n")
    loaded = load(home, overrides={"replay": str(tmp_path / "market")}, environ={})
    specs = [one.spec for one in recorded(home, loaded.settings).instruments]
    ticks = {s.symbol: Decimal(decimal_text(s.tick, s.points)) for s in specs}
    assert (ticks["BTC-USD"], ticks["NEW-USD"]) == (Decimal("0.5"), Decimal("0.25"))
    assert ticks["ETH-USD"] == Decimal("0.01"), "The house speaks where the home does not."
    assert not any(spec.inferred for spec in specs)


def test_books_that_do_not_balance_never_finish_a_session(
    tmp_path: Path, market: Sequence[str]
) -> None:
    with living(House(tmp_path, market, speed=HUMAN), "2024-01-05") as process:
        process.send_signal(signal.SIGTERM)
        ended(process)
    house = House(tmp_path, market)
    ((fill,),) = house.ask("SELECT min(number) FROM fills")
    lives.spoil(house.path, f"DELETE FROM transfers WHERE number = {fill} AND part = 1")
    last = house.run()
    assert last.code == 77, last.err
    assert last.told["error"] == "JournalBroken"
    assert f"the transfers of row {fill} are not those of its fill" in last.told["what"]
    assert house.state_hash() is None
    assert not house.command("status").told["finished"]


def test_a_finished_market_begins_a_new_session_with_the_same_end(
    tmp_path: Path, market: Sequence[str]
) -> None:
    first, second = traded(tmp_path, *market), traded(tmp_path, *market)
    assert (first["session"], second["session"]) == ("paper-1", "paper-2")
    assert first == second | {"session": "paper-1"}


def test_new_leaves_what_is_unfinished_as_it_is(tmp_path: Path, market: Sequence[str]) -> None:
    house = House(tmp_path, market, speed=HUMAN)
    with living(house) as process:
        process.send_signal(signal.SIGTERM)
        ended(process)
    rows = house.rows()
    assert traded(tmp_path, *market, "--new")["session"] == "paper-2"
    assert len(house.ask("SELECT 1 FROM journal WHERE session = 1")) == rows


def test_who_is_stopped_in_a_long_gap_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    for symbol, hours in (("BTC-USD", range(300)), ("ETH-USD", [*range(20), *range(240, 300)])):
        place = tmp_path / "market" / "made" / symbol
        place.mkdir(parents=True)
        (place / "1h.csv").write_text(candles(100.0, hours), encoding="utf-8")
    market = ("--replay", str(tmp_path / "market"), *LIVELY)
    with living(House(tmp_path / "stopped", market, speed=HUMAN), "2024-01-05") as process:
        process.send_signal(signal.SIGTERM)
        ended(process)
    told = traded(tmp_path / "stopped", *market)
    assert told == traded(tmp_path / "untouched", *market)


# A disk that is full before it is asked to make room again, and what happens on it.
DISK: Final = """set -e
mount -t tmpfs -o size="$SIZE" tmpfs "$DISK"
set +e
"$@" >&2
echo $?
mount -o remount,size=100m "$DISK"
"$@"
"""


# Before its folders stand, before the tables do, after many rows, at the very end.
@pytest.mark.parametrize("size", ["4k", "150k", "700k"])
def test_a_disk_that_fills_ends_the_process_and_space_lets_it_go_on(
    tmp_path: Path, market: Sequence[str], untouched: dict[str, Any], size: str
) -> None:
    in_private = ("unshare", "--map-root-user", "--mount")
    trial = (*in_private, "mount", "-t", "tmpfs", "tmpfs", str(tmp_path))
    if not shutil.which("unshare") or subprocess.run(trial, capture_output=True).returncode:
        pytest.skip("this system mounts no private disks")
    home = str(tmp_path / "home")
    trading = (sys.executable, "-W", "error", "-m", "rrr", *market, "--home", home, "--json")
    said = subprocess.run(
        [*in_private, "/bin/sh", "-c", DISK, "sh", *trading],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "SIZE": size, "DISK": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    code, *summary = said.stdout.splitlines()
    assert code == "74", said.stderr
    assert "Free some space" in said.stderr
    assert "Traceback" not in said.stderr
    assert json.loads(summary[-1])["state_hash"] == untouched["state_hash"]


def candles(price: float, hours: Iterable[int]) -> str:
    """Waves of one percent an hour, as CSV."""
    lines = [HEADER]
    for hour in hours:
        cell = f"{price * (1 + hour % 24 / 100):.10f}"
        cells = f"{cell},{cell},{cell},{cell},1000.0001"
        lines.append(f"{BEGINS_MS + hour * HOUR_MS},{cells}\n")
    return "".join(lines)


@pytest.mark.parametrize(
    ("price", "capital"),
    [(0.00000123, "10000"), (0.000012, "1"), (987_654.3, "100000000"), (1.0, "1")],
)
def test_prices_and_capitals_of_any_size_balance(
    tmp_path: Path, price: float, capital: str
) -> None:
    file = tmp_path / "candles.csv"
    file.write_text(candles(price, range(120)), encoding="utf-8")
    bold = ("--set", "policy.volatility_target_bps=100000", "--set", "risk.order_notional_max=1e8")
    words = ("--replay", str(file), "--symbols", "COIN-USD", *LIVELY, *bold)
    told = traded(tmp_path / "home", *words, "--capital", capital)
    assert told["candles"] == 120
    assert told["fills"] > 0
    assert told["books_balanced"]


def test_one_candle_is_a_market(tmp_path: Path, market: Sequence[str]) -> None:
    told = traded(tmp_path, *market, "--candles", "1", "--symbols", "BTC-USD")
    assert (told["candles"], told["closes"], told["fills"]) == (1, 1, 0)
    assert told["pnl"] == told["matched_hold_ratio"] == 0


@real
@pytest.mark.parametrize(
    ("symbols", "timeframe"),
    [
        ("BTC-USDT,ETH-USDT,SOL-USDT", "1h"),
        ("SHIB-USDT,BONK-USDT,BOME-USDT,ETHFI-USDT", "1h"),  # tiny prices, late listings
        ("XRP-ETH", "5m"),  # paid in another coin
    ],
)
def test_recorded_markets_trade_and_replay(tmp_path: Path, symbols: str, timeframe: str) -> None:
    where = ("--replay", str(RECORDED), "--symbols", symbols, "--timeframe", timeframe)
    told = traded(tmp_path, *where)
    assert told["orders"] > 0
    assert told["books_balanced"]
    assert House(tmp_path, ()).command("replay").told["state_hash"] == told["state_hash"]
