"""A command given in the middle of all has its place in the journal, and the next life its own."""

import signal
import subprocess
from pathlib import Path
from random import Random

import pytest

from rrr.api import controls
from rrr.core.errors import Unavailable
from tests.storm.homes import Ended, House, begun, ended, kill, made

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("dies", [True, False])
def test_a_halt_under_load_is_no_obstacle_to_going_on(tmp_path: Path, dies: bool) -> None:
    """At full speed much is decided ahead of the command: it must not go back in time."""
    house = House(tmp_path / "home", made(tmp_path / "market", 7, hours=1_500))
    dice = Random(7)
    for verb in ("halt", "resume", "halt", "resume"):
        process = house.start()
        begun(process, "2024-")
        try:
            controls.ask(house.home, verb, reason=f"the dice say {dice.randrange(100)}")
        except Unavailable:
            assert process.wait() == 0  # it was too quick for us
        life = kill(process) if dies else stopped(process)
        assert life.code in (0, -signal.SIGKILL), life.err
    if house.state_hash() is None:
        last = house.run()
        assert last.code == 0, last.err
    halts = house.ask("SELECT reason, note FROM halts WHERE session = 1 ORDER BY number")
    assert halts[0][0] == "operator"
    of_events = "SELECT at_ms FROM journal WHERE session = 1 AND kind IN (4, 7) ORDER BY number"
    times = house.ask(of_events)
    assert times == sorted(times)
    proof = house.command("replay", "paper-1")
    assert proof.code == 0, proof.out + proof.err


def stopped(process: "subprocess.Popen[str]") -> Ended:
    process.send_signal(signal.SIGTERM)
    return ended(process)
