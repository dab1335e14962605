"""A seeded handful of what may become of an answer; `python -m tests.trading.live.answers` has all.

In a process of its own, for its clocks run with the market's.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.trading.live.answers import TRIALS, WHATS, Tally, unmet
from tests.venue.dialects import DIALECTS

ROOT: Final = Path(__file__).parents[3]


@pytest.mark.slow
@pytest.mark.parametrize("venue", DIALECTS)
def test_no_answer_and_no_silence_makes_a_second_order(venue: str) -> None:
    said = answered("--venue", venue, "--seed", "7", "--sample", "5")
    assert said["faults"] == []
    assert (said["second_orders"], said["wrongly_rejected"], said["never_settled"]) == (0, 0, 0)
    assert said["cases"] + said["unspoken"] == 5


def answered(*words: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.trading.live.answers", "--speed", "40", *words]
    path = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout, ended.stderr
    said: dict[str, Any] = json.loads(ended.stdout)
    return said


def test_every_fault_of_trading_is_met_by_some_request() -> None:
    assert [*unmet()] == []
    assert {trial.landing for trial in TRIALS} == {"landed", "not landed", "landed late"}
    assert len(WHATS) == 5


def test_what_was_not_settled_is_told_with_the_time_that_settling_took() -> None:
    tally = Tally("kraken", 1, settle_s=[float(second) for second in range(1, 101)])
    tally.faults.append("entry × reply_500, landed: never settled")
    said = tally.told()
    assert said["market_s_to_settle"] == {"p50": 51.0, "p95": 96.0, "max": 100.0}
    assert said["faults"] == tally.faults
