"""One line says how the house is; a heartbeat says it whole."""

import json
from dataclasses import replace
from typing import Final

import pytest

from rrr.monitoring.notes import Level
from rrr.monitoring.status_line import Figures, heartbeat, status_line
from rrr.monitoring.words import money
from tests.builders import CAPITAL, QUANTA

WELL: Final = Figures(
    at_ms=1_704_423_600_000,
    equity=CAPITAL * 99 // 100,
    invested=CAPITAL,
    peak=CAPITAL * 11 // 10,
    positions=(("BTC-USD", "0.0512", 12 * QUANTA), ("ETH-USD", "1.5", -3 * QUANTA)),
    ages_s={"BTC-USD": 3.0, "ETH-USD": 3.0, "SOL-USD": 7_500.0},
    memory_mb=212.4,
    lag_p99_ms=2.2,
    lag_max_ms=9.4,
    rows=12_345,
    next_close_s=0.4,
    uptime_s=10_920.0,
)


def test_a_status_line_says_what_a_person_looks_for() -> None:
    assert status_line(replace(WELL, training="35 %")) == (
        "2024-01-05 03:00Z  equity 990,000.00 (-1.00%)  2 positions"
        "  next close in 0.4 s  training 35 %  loop lag 2 ms"
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"positions": ()}, "  flat  "),
        ({"positions": WELL.positions[:1]}, "  1 position  "),
        ({"next_close_s": 0.0}, "  next close is due  "),
        ({"next_close_s": 3_540.0}, "  next close in 59 min  "),
        ({"at_ms": 0}, "before its first candle  equity"),
        ({"invested": 0}, "(+0.00%)"),
    ],
)
def test_a_status_line_fits_the_moment(changes: dict[str, object], says: str) -> None:
    assert says in status_line(replace(WELL, **changes))  # type: ignore[arg-type]


def test_a_market_that_does_not_say_when_it_closes_is_not_guessed() -> None:
    assert "next close" not in status_line(replace(WELL, next_close_s=None))


def test_a_halt_stands_where_no_terminal_is_too_narrow_for_it() -> None:
    halted = status_line(replace(WELL, halted="operator"))
    assert "HALTED operator" in halted[:40]


def test_a_heartbeat_names_every_instrument_and_every_figure() -> None:
    note = heartbeat(WELL)
    assert note.text == (
        "up 3 h 2 min, market 2024-01-05 03:00Z; equity 990,000.00 (-1.00%), drawdown 10.00%,"
        f" 2 positions (BTC-USD 0.0512 {money(12 * QUANTA, '+')}, ETH-USD 1.5"
        f" {money(-3 * QUANTA, '+')}); last candles SOL-USD 2 h 5 min, BTC-USD ETH-USD 3 s,"
        " feed ok; memory 212 MB; loop lag p99 2 ms, max 9 ms; 12,345 rows, signals baseline"
    )
    assert (note.log, note.name, note.at_ms, note.level) == (
        *("system", "heartbeat", None),
        Level.INFO,
    )
    told = json.loads(json.dumps(note.detail))
    assert told["equity"] == WELL.equity / QUANTA
    assert told["drawdown_ratio"] == pytest.approx(0.1)
    assert told["ages_s"] == WELL.ages_s
    assert told["positions"]["ETH-USD"] == {"quantity": "1.5", "unrealised": -3.0}
    told_of = {"invested": "gain_ratio", "peak": "drawdown_ratio"}
    assert {told_of.get(name, name) for name in Figures.__slots__} <= told.keys()


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"halted": "guard"}, "HALTED guard; "), ({"lost": 3}, "; 3 log lines lost")],
)
def test_a_heartbeat_warns_of_what_is_not_well(changes: dict[str, object], says: str) -> None:
    note = heartbeat(replace(WELL, **changes))  # type: ignore[arg-type]
    assert says in note.text
    assert note.level == Level.WARNING


def test_a_house_without_a_candle_beats_too() -> None:
    note = heartbeat(Figures(0, 0, 0, 0))
    assert "market before its first candle; equity 0.00 (+0.00%), drawdown 0.00%, flat" in note.text
    assert "last candles none yet" in note.text
