"""What a person commands from outside is a row with its reason, and stays in force."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from rrr.core.events import Verb
from rrr.core.orders import Side
from tests.storm.homes import RRR, Ended, House
from tests.wiring.daemons import (
    BASELINE,
    COMMAND,
    HUMAN,
    PATIENCE_S,
    SIGNAL,
    about,
    events,
    heard,
    living,
    log,
    rows,
    said,
    stopped,
    until,
)

pytestmark = pytest.mark.slow

Running = tuple[House, "subprocess.Popen[str]"]
HALTS: Final = "SELECT reason, note FROM halts ORDER BY number"
BOUGHT: Final = f"SELECT number FROM fills WHERE side = {int(Side.BUY)}"
HELD: Final = "SELECT instrument FROM positions WHERE quantity > 0"


@pytest.fixture
def holding(tmp_path: Path) -> Iterator[Running]:
    """A daemon that holds something."""
    house = House(tmp_path, (*BASELINE, "--set", "risk.drawdown_max_bps=9000"), speed=HUMAN)
    with living(house, "  BUY ") as process:
        yield house, process


def asked_on_a_terminal(house: House, answer: str) -> Ended:
    """`rrr panic` as a person types it, and answers it."""
    main, terminal = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-W", "error", *RRR, "panic", "--home", str(house.home)],
        **about(terminal),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    os.close(terminal)
    os.write(main, f"{answer}\n".encode())
    out, err = process.communicate(timeout=PATIENCE_S)
    os.close(main)
    return Ended(process.returncode, out, err)


def closes_more(house: House, process: "subprocess.Popen[str]", number: int) -> None:
    known = {at for at, *_ in rows(house, SIGNAL)}
    until(lambda: [1] * (len({at for at, *_ in rows(house, SIGNAL)} - known) >= number), process)


def test_a_halt_and_a_resume_have_their_reasons_in_the_book_and_in_the_audit(
    holding: Running,
) -> None:
    house, process = holding
    assert "halted: no new risk (row " in said(house.home, "halt", "--reason", "news").out
    assert (house.command("halt", "--reason", "more news").code) == 0
    found = house.command("status").told
    assert (found["halt"]["reason"], found["halt"]["note"]) == ("operator", "more news")
    assert house.command("resume", "--reason", "old news").code == 0
    assert house.command("status").told["halt"] is None
    last = stopped(process)
    assert last.code == 0, last.err
    verbs = [verb for _, verb in rows(house, COMMAND)]
    assert verbs == [Verb.HALT, Verb.HALT, Verb.RESUME]
    assert [note for _, note in house.ask(HALTS)] == ["news", "more news", "old news"]
    audit = log(house, "audit")
    for words in ("halt through the socket: news", "resume through the socket: old news"):
        assert words in audit
    numbers = [e["detail"]["row"] for e in events(house, "audit") if "socket" in e["text"]]
    told = house.ask("SELECT number FROM journal WHERE kind = ? ORDER BY number", COMMAND)
    assert all(command < row for (command,), row in zip(told, numbers, strict=True))
    assert house.command("replay").told["identical"]


def test_after_a_panic_the_book_is_flat_and_stays_flat(holding: Running) -> None:
    house, process = holding
    assert house.ask(HELD)
    refused = said(house.home, "panic", stdin=subprocess.DEVNULL)
    assert (refused.code, "rrr panic --yes" in refused.err) == (2, True)

    no = asked_on_a_terminal(house, "no")
    assert (no.code, no.out) == (0, "")
    assert no.err.count("Type yes to do it") == 1
    assert "Nothing was done." in no.err
    assert not house.ask(HALTS)

    yes = asked_on_a_terminal(house, "YES")
    assert yes.code == 0
    assert "panic: halted" in yes.out
    closes_more(house, process, 2)
    assert not house.ask(HELD)
    assert [reason for reason, _ in house.ask(HALTS)] == ["panic"]
    assert "panic" in log(house, "audit")

    # It outlives the process, and even a person who is asked to halt it as well.
    assert stopped(process, signal.SIGKILL).code == -signal.SIGKILL
    with living(house, "goes on after row") as again:
        until(lambda: [1] * (house.command("halt", "--reason", "and halt").code == 0), again)
        assert house.command("status").told["halt"]["reason"] == "panic"
        bought = house.ask(BOUGHT)
        closes_more(house, again, 2)
        assert not house.ask(HELD)
        assert house.ask(BOUGHT) == bought != []
        assert house.command("resume").code == 0
        heard(again, "resumed")
        assert stopped(again).code == 0
    assert house.command("replay").told["identical"]


def test_a_command_waits_for_its_turn_at_full_speed_too(tmp_path: Path) -> None:
    """Hundreds of closes may wait before it: it is met behind them, and answered."""
    house = House(tmp_path, BASELINE)
    with living(house, "  day ") as process:
        halted = house.command("halt", "--reason", "too fast")
        assert halted.code == 0, halted.err
        last = stopped(process)
    assert last.code == 0, last.err
    assert house.ask(HALTS) == [("operator", "too fast")]
