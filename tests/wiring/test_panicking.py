"""A panic sells what no daemon looks after, at the venue itself, and leaves nothing there."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from rrr.core.market import Instrument
from rrr.core.orders import Stage
from rrr.core.state import Account, State
from rrr.database.opening import LIVE, connect_read_only
from rrr.wiring.panicking import is_flat
from tests.builders import BTC, LAW, PRICE, RICH, lane, order
from tests.storm.homes import ROOT
from tests.storm.live_homes import HURRIED, Place, armed

FAR: Final = ("--set", "policy.stop_bps=2000", "--set", "policy.target_bps=5000")
WITHIN_S: Final = 60.0
HALT: Final = "SELECT reason FROM halts ORDER BY number DESC LIMIT 1"
NOTES: Final = "SELECT note FROM journal WHERE note = 'fire'"
LEFT: Final = """SELECT (SELECT count(*) FROM live_orders WHERE state NOT IN ('ended', 'rejected')),
    (SELECT count(*) FROM positions WHERE worth > 1000000000)"""


def state(account: Account = RICH, of: Instrument = BTC, **changes: Any) -> State:
    return State(LAW, account, (of,), (lane(**changes),))


@pytest.mark.parametrize(
    ("held", "flat"),
    [
        (state(), True),
        (state(quantity=BTC.lot - 1), True),
        (state(quantity=BTC.quantity_min), True),
        (state(quantity=10**8), False),
        (state(order=order()), False),
        (state(stop=order(stage=int(Stage.UNKNOWN))), False),
    ],
)
def test_flat_is_nothing_working_and_nothing_that_a_venue_buys(held: State, flat: bool) -> None:
    assert BTC.quantity_min * PRICE // BTC.scale < BTC.notional_min
    assert is_flat(held) is flat


def ledger(place: Place) -> dict[str, Any]:
    return asyncio.run(place.venue.ledger())


def resting(place: Place) -> int:
    """Orders that have not ended, by the venue's own word."""
    entries = ledger(place)["entries"]
    over = {each["order"] for each in entries if each["what"] == "ended"}
    return sum(each["what"] == "order" and each["id"] not in over for each in entries)


def until(place: Place, wanted: Callable[[], bool]) -> None:
    begun_s = time.monotonic()
    while not wanted():
        assert time.monotonic() - begun_s < WITHIN_S, ledger(place)
        asyncio.run(place.venue.wait(1))


def panic(place: Place, *words: str) -> "subprocess.CompletedProcess[str]":
    """As a person says it, with clocks that run as the venue's."""
    place._date()
    clock = {
        "start_ms": place.venue.time.start_ms,
        "begun": place.venue.time.begun,
        "speed": place.speed,
        "slept": str(place.folder / "slept"),
    }
    told = ["panic", "--yes", "--reason", "fire", "--home", str(place.home), *words]
    return subprocess.run(
        [sys.executable, "-W", "error", *HURRIED, json.dumps(clock), *told],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT)))},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def ask(place: Place, sql: str) -> list[tuple[Any, ...]]:
    with closing(connect_read_only(place.database, LIVE)) as connection:
        return connection.execute(sql).fetchall()


@pytest.mark.slow
def test_a_panic_without_a_daemon_cancels_all_sells_all_and_halts(tmp_path: Path) -> None:
    with armed(tmp_path / "place", "kraken", seed=2, speed=20) as place:
        daemon = place.begin(more=FAR)
        until(place, lambda: resting(place) > 0)
        daemon.kill()
        ended = panic(place)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "halted by panic" in ended.stdout
        assert resting(place) == 0
        balances = ledger(place)["balances"]
        coins = {symbol.partition("/")[0] for symbol in place.venue.symbols}
        assert all(float(balances.get(coin, 0)) < 1e-3 for coin in coins), balances
        assert ask(place, HALT) == [("panic",)]
        assert ask(place, NOTES) == [("fire",)]
        assert ask(place, LEFT) == [(0, 0)]
        again = panic(place)
        assert again.returncode == 0, again.stdout + again.stderr
